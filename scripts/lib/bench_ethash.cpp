// Measures the C++ library chfast/ethash, compiled for this machine, on one core. See scripts/bench-ethash.
#include "ethash-internal.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <sys/mman.h>

using Clock = std::chrono::steady_clock;

static volatile uint64_t sink;

static double since(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Returns the number of times that `work` runs per second, measured over three seconds.
template <typename Work>
static double rate(Work work)
{
    const auto start = Clock::now();
    uint64_t runs = 0;
    do
        for (int i = 0; i < 64; ++i)
            work(runs++);
    while (since(start) < 3);
    return runs / since(start);
}

int main()
{
    const auto start = Clock::now();
    auto* light = ethash_create_epoch_context(0);
    std::printf("C++, native: cache of epoch 0 in %.2f s\n", since(start));

    const ethash::hash256 seal_hash{};
    std::printf("C++, native: %.0f light hashes/s\n", rate([&](uint64_t nonce) {
        sink = ethash_hash(light, &seal_hash, nonce).final_hash.word64s[0];
    }));
    const uint32_t pages = light->full_dataset_num_items;
    std::printf("C++, native: %.0f dataset pages/s\n", rate([&](uint64_t i) {
        sink = ethash::calculate_dataset_item_1024(*light, i * 2654435761u % pages).word64s[0];
    }));

    // A search costs the same whatever the words are, except zeros: the library treats zero as "not computed yet".
    const size_t bytes = size_t(pages) * 128, huge = 2 << 20;
    for (const bool wanted : {false, true})
    {
        void* map = mmap(
            nullptr, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return 1;
        auto* words = reinterpret_cast<uint64_t*>((uintptr_t(map) + huge - 1) / huge * huge);
        madvise(words, bytes, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        std::mt19937_64 random{1};
        for (size_t i = 0; i < bytes / 8; ++i)
            words[i] = random() | 1;
        const ethash_epoch_context_full full{0, light->light_cache_num_items, light->light_cache,
            light->full_dataset_num_items, reinterpret_cast<ethash_hash1024*>(words)};
        const auto& context = static_cast<const ethash::epoch_context_full&>(full);
        std::printf("C++, native: %.0f full hashes/s in %s pages\n", rate([&](uint64_t nonce) {
            sink = ethash::hash(context, seal_hash, nonce).final_hash.word64s[0];
        }), wanted ? "huge" : "small");
        munmap(map, bytes + huge);
    }
}
