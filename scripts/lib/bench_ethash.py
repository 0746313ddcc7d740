"""Measures the C++ library chfast/ethash, from the PyPI package `ethash`, on one core in epoch 0.

The package only offers light hashes. Single dataset pages are computed through the library's own symbol, if it is
exported. Each rate is the best of several short runs, measured in this thread's processor time.
"""

import ctypes
import time

import _ethash
import ethash

SEAL_HASH = bytes([3] * 32)
PAGE_SYMBOL = "_ZN6ethash27calculate_dataset_item_1024ERK20ethash_epoch_contextj"


def best_rate(count, work, runs=20):
    """Return the best rate in operations per second. Each call of `work` does `count` operations."""
    rates = []
    for run in range(runs):
        start = time.thread_time()
        work(run)
        rates.append(count / (time.thread_time() - start))
    return max(rates)


def light(run):
    for nonce in range(10 * run, 10 * run + 10):
        ethash.hash(0, SEAL_HASH, nonce)


start = time.thread_time()
context = _ethash.lib.ethash_get_global_epoch_context(0)
print(f"C++: cache of epoch 0 in {time.thread_time() - start:.2f} s")
print(f"C++: {best_rate(10, light):.0f} light hashes/s")

function = getattr(ctypes.CDLL(_ethash.__file__), PAGE_SYMBOL, None)
if function is None:
    print("C++: no dataset pages: the library does not export them")
else:
    # A C++ function that returns a struct in memory takes the struct's address as its first argument.
    page = ctypes.create_string_buffer(128)
    address = ctypes.c_void_p(int(_ethash.ffi.cast("uintptr_t", context)))

    def pages(run):
        for index in range(500 * run, 500 * run + 500):
            function(page, address, ctypes.c_uint32(index))

    print(f"C++: {best_rate(500, pages):.0f} dataset pages/s")
