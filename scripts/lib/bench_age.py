"""Measures age's Rust library (pyrage) in memory, like the envelope's benchmark, and prints one line of JSON."""

import json
import statistics
import time

import pyrage

SIZE = 256 << 20
ROUNDS = 5


def median(work):
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


value = bytes(range(256)) * (SIZE // 256)
identity = pyrage.x25519.Identity.generate()
recipient = identity.to_public()
sealed = pyrage.encrypt(value, [recipient])
encrypt = median(lambda: pyrage.encrypt(value, [recipient]))
decrypt = median(lambda: pyrage.decrypt(sealed, [identity]))
print(json.dumps({"encryptGBps": round(SIZE / encrypt / 1e9, 2), "decryptGBps": round(SIZE / decrypt / 1e9, 2)}))
