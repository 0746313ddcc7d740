// SPDX-License-Identifier: Apache-2.0
//! Measures each step of Ethash, on one core and on all, on each path of the processor, and compares it
//! with the crates.io crate `ethash` and with what the memory allows. `scripts/bench-ethash` runs it.
//!
//! All measurements use epoch 0 of the full sizes: a cache of 16 MiB and a dataset of 1 GiB.

use criterion::{
	criterion_group, criterion_main, measurement::WallTime, BenchmarkGroup, BenchmarkId, Criterion,
	Throughput,
};
use ethash::{EthereumPatch, LightDAG};
use isthmus_ethash::{Boundary, Cache, Dataset, Path, Sizes};
use std::{
	hint::black_box,
	ops::ControlFlow,
	sync::atomic::{AtomicBool, Ordering},
	thread,
	time::{Duration, Instant},
};

const SEAL_HASH: [u8; 32] = [3; 32];
/// The number of reads for one page: two items of 256 rows.
const READS_PER_PAGE: u64 = 512;
/// The number of pages that one hash reads.
const PAGES_PER_HASH: u64 = 64;
/// The number of independent reads in flight in the loops that measure the limits.
const IN_FLIGHT: usize = 16;

fn cores() -> usize {
	thread::available_parallelism().map_or(1, usize::from)
}

/// Returns 1 and, if it is greater, the number of cores.
fn thread_counts() -> Vec<usize> {
	let mut counts = vec![1, cores()];
	counts.dedup();
	counts
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, each: u64) -> BenchmarkGroup<'a, WallTime> {
	let mut group = criterion.benchmark_group(name);
	group
		.sample_size(10)
		.warm_up_time(Duration::from_millis(500));
	group
		.measurement_time(Duration::from_secs(4))
		.throughput(Throughput::Elements(each));
	group
}

/// Runs the work on `threads` threads, passes each thread its number, and returns the time of the slowest.
fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
	let start = Instant::now();
	thread::scope(|scope| {
		for number in 1..threads {
			let work = &work;
			scope.spawn(move || work(number));
		}
		work(0);
	});
	start.elapsed()
}

fn cache(criterion: &mut Criterion) {
	let mut group = group(criterion, "cache of epoch 0", 1);
	for path in Path::available() {
		group.bench_function(path.name(), |bencher| {
			bencher.iter(|| Cache::with_path(Sizes::FULL, 0, path));
		});
	}
	group.bench_function("crate ethash", |bencher| {
		bencher.iter(|| LightDAG::<EthereumPatch>::new(0.into()));
	});
	group.finish();
}

fn pages(criterion: &mut Criterion) {
	let mut group = group(criterion, "dataset pages", 1);
	for threads in thread_counts() {
		for path in Path::available() {
			let cache = Cache::with_path(Sizes::FULL, 0, path).expect("there is memory for 16 MiB");
			group.bench_function(BenchmarkId::new(path.name(), threads), |bencher| {
				bencher.iter_custom(|wanted| time_pages(&cache, threads, wanted));
			});
		}
	}
	let cache = Cache::new(Sizes::FULL, 0).expect("there is memory for 16 MiB");
	let bytes: Vec<u8> = cache.rows().iter().flat_map(|row| row.bytes()).collect();
	group.bench_function(BenchmarkId::new("crate ethash", 1), |bencher| {
		let mut index = 0;
		bencher.iter(|| {
			index += 2;
			[index, index + 1].map(|index| ethash::calc_dataset_item(&bytes, index))
		});
	});
	group.finish();
	limit(
		criterion,
		"limit of pages: 64-byte reads of 16 MiB",
		1 << 24,
		64,
		READS_PER_PAGE,
	);
}

/// Returns the time for `wanted` pages, scaled from making at least that number.
fn time_pages(cache: &Cache, threads: usize, wanted: u64) -> Duration {
	let start = Instant::now();
	let mut time = Duration::ZERO;
	let mut made = 0u64;
	while made < wanted {
		let last = std::sync::atomic::AtomicU32::new(0);
		let stopped = Dataset::generate(cache, threads, |progress| {
			last.fetch_max(progress.done, Ordering::Relaxed);
			if made + u64::from(progress.done) < wanted {
				ControlFlow::Continue(())
			} else {
				ControlFlow::Break(())
			}
		});
		time = start.elapsed();
		drop(stopped);
		made += u64::from(last.into_inner());
	}
	time.mul_f64(wanted as f64 / made as f64)
}

fn light(criterion: &mut Criterion) {
	let mut group = group(criterion, "light hashes", 1);
	for path in Path::available() {
		let cache = Cache::with_path(Sizes::FULL, 0, path).expect("there is memory for 16 MiB");
		let name = format!("{}, one by one", path.name());
		group.bench_function(BenchmarkId::new(name, 1), |bencher| {
			let mut nonce = 0;
			bencher.iter(|| {
				nonce += 1;
				cache.light(&SEAL_HASH, nonce)
			});
		});
		for threads in thread_counts() {
			let name = format!("{}, many at once", path.name());
			group.bench_function(BenchmarkId::new(name, threads), |bencher| {
				bencher.iter_custom(|wanted| {
					let sets = wanted.div_ceil(16 * threads as u64);
					let time = together(threads, |number| {
						for set in 0..sets {
							let inputs: [_; 16] = std::array::from_fn(|k| {
								(SEAL_HASH, (number as u64) << 32 | set << 4 | k as u64)
							});
							black_box(cache.light_each(&inputs));
						}
					});
					time.mul_f64(wanted as f64 / (sets * 16 * threads as u64) as f64)
				});
			});
		}
	}
	let dag = LightDAG::<EthereumPatch>::new(0.into());
	group.bench_function(BenchmarkId::new("crate ethash", 1), |bencher| {
		let mut nonce = 0u64;
		bencher.iter(|| {
			nonce += 1;
			dag.hashimoto(SEAL_HASH.into(), nonce.to_be_bytes().into())
		});
	});
	group.finish();
	let reads = READS_PER_PAGE * PAGES_PER_HASH;
	limit(
		criterion,
		"limit of light hashes: 64-byte reads of 16 MiB",
		1 << 24,
		64,
		reads,
	);
	// A single light hash computes the two items of a page side by side. In each item, a row's index depends
	// on the row before.
	let memory = memory(1 << 24);
	let mut group = self::group(criterion, "limit of one light hash: two reads at once", 1);
	group.bench_function("1", |bencher| {
		bencher.iter_custom(|hashes| together(1, |_| read::<2>(&memory, 64, hashes * reads)));
	});
	group.finish();
}

fn full(criterion: &mut Criterion) {
	let cache = Cache::new(Sizes::FULL, 0).expect("there is memory for 16 MiB");
	let mut dataset = Dataset::generate(&cache, cores(), |_| ControlFlow::Continue(()))
		.expect("there is memory for 1 GiB");
	let mut group = group(criterion, "full hashes", 1);
	for threads in thread_counts() {
		for path in Path::available() {
			dataset = dataset.with_path(path);
			group.bench_function(BenchmarkId::new(path.name(), threads), |bencher| {
				bencher.iter_custom(|wanted| {
					let each = wanted.div_ceil(32 * threads as u64) * 32;
					let time = together(threads, |number| {
						let first = (number as u64) << 32;
						let stop = AtomicBool::new(false);
						let range = first..first + each;
						black_box(dataset.search(&SEAL_HASH, &Boundary::MIN, range, &stop));
					});
					time.mul_f64(wanted as f64 / (each * threads as u64) as f64)
				});
			});
		}
	}
	let items = dataset.pages().as_flattened();
	group.bench_function(BenchmarkId::new("crate ethash", 1), |bencher| {
		let mut nonce = 0u64;
		bencher.iter(|| {
			nonce += 1;
			let nonce = nonce.to_be_bytes().into();
			ethash::hashimoto(SEAL_HASH.into(), nonce, items.len() * 64, |i| {
				items[i].bytes().into()
			})
		});
	});
	group.finish();
	drop(dataset);
	let name = "limit of full hashes: 128-byte reads of 1 GiB";
	limit(criterion, name, 1 << 30, 128, PAGES_PER_HASH);
}

/// Measures independent random reads, 16 in flight on each core, and counts `reads` of them as one.
fn limit(criterion: &mut Criterion, name: &str, bytes: usize, unit: usize, reads: u64) {
	let memory = memory(bytes);
	let mut group = group(criterion, name, 1);
	for threads in thread_counts() {
		group.bench_function(threads.to_string(), |bencher| {
			bencher.iter_custom(|wanted| {
				let each = wanted * reads / threads as u64;
				together(threads, |_| read::<IN_FLIGHT>(&memory, unit, each))
			});
		});
	}
	group.finish();
}

/// Allocates memory in huge pages. Every page is touched, and no byte is zero.
fn memory(bytes: usize) -> memmap2::MmapMut {
	let mut memory = memmap2::MmapMut::map_anon(bytes).expect("there is memory for the limits");
	#[cfg(target_os = "linux")]
	let _ = memory.advise(memmap2::Advice::HugePage);
	for (i, word) in memory.as_chunks_mut().0.iter_mut().enumerate() {
		*word = step(i as u64).to_le_bytes();
	}
	memory
}

/// Reads `count` units at random places in K independent chains: in each chain, a place is known only
/// when the read before it has returned. Reads both lines of a unit of 128 bytes.
fn read<const K: usize>(memory: &[u8], unit: usize, count: u64) {
	let units = (memory.len() / unit) as u64;
	let (words, _) = memory.as_chunks::<8>();
	let mut states: [u64; K] = std::array::from_fn(|k| step(k as u64));
	for _ in 0..count.div_ceil(K as u64) {
		for state in &mut states {
			let at = (((*state >> 32) * units) >> 32) as usize * (unit / 8);
			let last = at + unit / 8 - 1;
			*state = step(*state ^ u64::from_le_bytes(words[at]) ^ u64::from_le_bytes(words[last]));
		}
	}
	black_box(states);
}

/// Computes a step of a linear congruential generator (Knuth's MMIX).
fn step(state: u64) -> u64 {
	state
		.wrapping_mul(6_364_136_223_846_793_005)
		.wrapping_add(1_442_695_040_888_963_407)
}

criterion_group!(all, cache, pages, light, full);
criterion_main!(all);
