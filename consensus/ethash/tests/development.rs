// SPDX-License-Identifier: Apache-2.0
//! Tests the whole algorithm with the development sizes: light and full hashes agree, the number of threads
//! changes nothing, searches find the lowest nonce, and all paths compute the same bits.

use isthmus_ethash::{
	final_result, Boundary, Cache, Dataset, Error, Found, Item, Output, Path, Progress, Searched,
	Sizes, Unfinished,
};
use std::{
	ops::ControlFlow,
	sync::{
		atomic::{AtomicBool, Ordering},
		Mutex,
	},
};

fn cache(path: Path) -> Cache {
	Cache::with_path(Sizes::DEVELOPMENT, 0, path).unwrap()
}

fn dataset(cache: &Cache, threads: usize) -> Dataset {
	Dataset::generate(cache, threads, |_| ControlFlow::Continue(())).unwrap()
}

fn seal_hash(number: u8) -> [u8; 32] {
	std::array::from_fn(|i| number.wrapping_mul(31).wrapping_add(i as u8))
}

fn hex32(text: &str) -> [u8; 32] {
	hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn a_known_hash() {
	let output = Output {
		mix_hash: hex32("9dbece02fdcda3426ef16e35f578173240c0cb6bf0d84783c082200fc5419302"),
		result: hex32("27bb3e5d96e5d4dd731bc18bea366e5098c87f33f2f358cc2eee717142c20582"),
	};
	for path in Path::available() {
		let cache = cache(path);
		assert_eq!(
			cache.light(&seal_hash(1), 0x0123_4567_89ab_cdef),
			output,
			"{path:?}"
		);
	}
}

#[test]
fn light_and_full_agree_on_every_path() {
	let reference = cache(Path::PORTABLE);
	for path in Path::available() {
		let cache = cache(path);
		assert_eq!(cache.rows(), reference.rows(), "{path:?}");
		let dataset = dataset(&cache, 1);
		for number in 0..50u8 {
			let (seal_hash, nonce) = (seal_hash(number), u64::from(number) << 56 | 77);
			let output = cache.light(&seal_hash, nonce);
			assert_eq!(output, reference.light(&seal_hash, nonce), "{path:?}");
			assert_eq!(output, dataset.full(&seal_hash, nonce), "{path:?}");
			assert_eq!(
				final_result(&seal_hash, nonce, &output.mix_hash),
				output.result
			);
		}
	}
}

#[test]
fn many_light_hashes_are_the_single_ones() {
	for path in Path::available() {
		let cache = cache(path);
		for count in [0, 1, 15, 16, 17, 40] {
			let inputs: Vec<_> = (0..count)
				.map(|k| (seal_hash(k), u64::from(k) * 1001))
				.collect();
			let outputs = cache.light_each(&inputs);
			let single: Vec<_> = inputs
				.iter()
				.map(|(hash, nonce)| cache.light(hash, *nonce))
				.collect();
			assert_eq!(outputs, single, "{path:?}");
		}
	}
}

#[test]
fn the_dataset_does_not_depend_on_threads_or_path() {
	let reference = dataset(&cache(Path::PORTABLE), 1);
	for path in Path::available() {
		let cache = cache(path);
		for threads in [0, 1, 2, 5] {
			assert!(
				dataset(&cache, threads).pages() == reference.pages(),
				"{path:?} {threads}"
			);
		}
		for (index, item) in reference
			.pages()
			.as_flattened()
			.iter()
			.enumerate()
			.step_by(97)
		{
			assert_eq!(cache.dataset_item(index as u32), *item, "{path:?}");
		}
	}
	assert_eq!(reference.pages().len(), 8191);
	assert!(reference
		.pages()
		.iter()
		.all(|page| *page != [Item::default(); 2]));
}

#[test]
fn progress_is_reported_and_can_stop_the_generation() {
	let cache = cache(Path::best());
	let reports = Mutex::new(Vec::new());
	Dataset::generate(&cache, 2, |progress| {
		reports.lock().unwrap().push(progress);
		ControlFlow::Continue(())
	})
	.unwrap();
	let reports = reports.into_inner().unwrap();
	assert!(reports.contains(&Progress {
		done: 8191,
		total: 8191
	}));
	assert_eq!(reports.len(), 8);
	let stopped = Dataset::generate(&cache, 2, |_| ControlFlow::Break(())).unwrap_err();
	assert_eq!(stopped, Error::Stopped);
}

#[test]
fn a_search_finds_the_least_nonce() {
	let boundary = Boundary::from_difficulty(40.into()).unwrap();
	let stop = AtomicBool::new(false);
	for path in Path::available() {
		let cache = cache(path);
		let dataset = dataset(&cache, 1);
		for number in 0..20 {
			let seal_hash = seal_hash(number);
			let first = u64::from(number) << 32;
			let expected =
				(first..).find(|nonce| boundary.is_met_by(&cache.light(&seal_hash, *nonce).result));
			let nonce = expected.unwrap();
			let output = cache.light(&seal_hash, nonce);
			let Searched { found, hashes } =
				dataset.search(&seal_hash, &boundary, first..first + 10_000, &stop);
			assert_eq!(found, Some(Found { nonce, output }), "{path:?}");
			assert!(hashes > nonce - first);
			// A range that ends just before the nonce contains no valid one.
			let before = dataset.search(&seal_hash, &boundary, first..nonce, &stop);
			assert_eq!(
				before,
				Searched {
					found: None,
					hashes: nonce - first
				},
				"{path:?}"
			);
		}
	}
}

#[test]
fn a_search_ends_at_the_last_nonce_and_when_stopped() {
	let dataset = dataset(&cache(Path::best()), 1);
	let stop = AtomicBool::new(false);
	let last = dataset.search(
		&seal_hash(0),
		&Boundary::MIN,
		u64::MAX - 21..u64::MAX,
		&stop,
	);
	assert_eq!(
		last,
		Searched {
			found: None,
			hashes: 21
		}
	);
	#[allow(clippy::reversed_empty_ranges)]
	let reversed = dataset.search(&seal_hash(0), &Boundary::MAX, 5..4, &stop);
	assert_eq!(
		reversed,
		Searched {
			found: None,
			hashes: 0
		}
	);
	stop.store(true, Ordering::Relaxed);
	let stopped = dataset.search(&seal_hash(0), &Boundary::MAX, 0..u64::MAX, &stop);
	assert_eq!(
		stopped,
		Searched {
			found: None,
			hashes: 0
		}
	);
}

#[test]
fn every_flipped_bit_of_a_seal_is_noticed() {
	let cache = cache(Path::best());
	let (seal_hash, nonce) = (seal_hash(9), 31_337);
	let output = cache.light(&seal_hash, nonce);
	for bit in 0..64 {
		let flipped = nonce ^ 1 << bit;
		assert_ne!(
			final_result(&seal_hash, flipped, &output.mix_hash),
			output.result
		);
		assert_ne!(cache.light(&seal_hash, flipped).mix_hash, output.mix_hash);
	}
	for bit in 0..256 {
		let mut mix_hash = output.mix_hash;
		mix_hash[bit / 8] ^= 1 << (bit % 8);
		assert_ne!(final_result(&seal_hash, nonce, &mix_hash), output.result);
	}
}

#[test]
fn an_interrupted_dataset_is_resumed_where_it_was() {
	let cache = cache(Path::best());
	let whole = dataset(&cache, 1);
	let total = cache.dataset_pages();
	let reported = Mutex::new(Vec::new());
	let mut interruptions = 0;
	let mut unfinished = Unfinished::new(&cache).unwrap();
	let resumed = loop {
		let before = unfinished.done();
		// Each time, it is stopped in its third part.
		let progress = |progress: Progress| {
			let mut reported = reported.lock().unwrap();
			reported.push(progress.done);
			if progress.done > before + 2048 {
				ControlFlow::Break(())
			} else {
				ControlFlow::Continue(())
			}
		};
		match unfinished.resume(|| 1, progress) {
			Ok(dataset) => break dataset,
			Err(rest) => {
				assert_eq!(rest.done(), before + 2048);
				interruptions += 1;
				unfinished = rest;
			}
		}
	};
	assert_eq!(interruptions, 3);
	// Only the parts in which it was stopped were made twice.
	let made = reported.into_inner().unwrap();
	assert_eq!(made.len() as u32, total.div_ceil(1024) + interruptions);
	assert!(resumed.pages() == whole.pages());
}
