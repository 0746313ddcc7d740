// SPDX-License-Identifier: Apache-2.0
//! Generates an epoch's dataset, the large table that a miner keeps, and searches it for a nonce (yellow
//! paper, appendix J.3.3 and J.4).

use crate::{
	boundary::Boundary,
	cache::{self, Cache, Items},
	error::Error,
	hashimoto::{Hash, Output, Pages},
	item::{Divisor, Item, Page},
	keccak,
	kernel::{Kernel, Machine},
	machine::Path,
	memory::Memory,
};
use core::{
	fmt,
	ops::{ControlFlow, Deref, Range},
	sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

/// The number of pages that a thread takes at once: 128 KiB, some milliseconds of work.
const CHUNK: usize = 1024;
/// How many parts a dataset is generated in. If it is interrupted, only the last part is made again.
const PARTS: u32 = 16;
/// The number of items made side by side. It exceeds the number of reads that a processor can have in
/// flight to its second-level cache, so that it is never the bottleneck.
const ITEMS: usize = 32;
/// The number of nonces in flight at once in a search.
const NONCES: usize = 32;

/// The progress of generating or loading a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
	/// The number of pages that are done.
	pub done: u32,
	/// The total number of pages.
	pub total: u32,
}

/// A nonce that a search found, and its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
	/// H_n, the nonce.
	pub nonce: u64,
	/// Its mix hash and result.
	pub output: Output,
}

/// The outcome of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
	/// The lowest nonce of the range whose result meets the boundary. `None` if there is none, or if the
	/// search was stopped before reaching it.
	pub found: Option<Found>,
	/// The number of hashes computed, for the hash rate.
	pub hashes: u64,
}

/// An epoch's dataset. With [`crate::Sizes::FULL`], it takes 1 GiB in epoch 0, and more in each later epoch.
pub struct Dataset {
	memory: Memory,
	page_count: Divisor,
	epoch: u64,
	path: Path,
}

impl Dataset {
	/// Generates the dataset of the cache's epoch on `threads` threads (at least one; without `std` only
	/// the caller's). Calls `progress` after every 1024 pages, from any of the threads; a
	/// [`ControlFlow::Break`] stops it.
	///
	/// # Errors
	///
	/// Returns [`Error::OutOfMemory`] if the allocation fails, and [`Error::Stopped`] if `progress` stopped
	/// it.
	pub fn generate(
		cache: &Cache,
		threads: usize,
		progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
	) -> Result<Self, Error> {
		let made = Unfinished::new(cache)?.resume(|| threads, progress);
		made.map_err(|_| Error::Stopped)
	}

	/// Wraps the pages of the cache's dataset.
	pub(crate) fn of(cache: &Cache, memory: Memory) -> Self {
		let page_count = Divisor::new(cache.dataset_pages());
		Self {
			memory,
			page_count,
			epoch: cache.epoch(),
			path: cache.path(),
		}
	}

	/// Returns the same dataset with the given instructions, for tests and measurements.
	pub fn with_path(self, path: Path) -> Self {
		Self { path, ..self }
	}

	/// Returns the epoch of this dataset.
	pub fn epoch(&self) -> u64 {
		self.epoch
	}

	/// Returns the pages. Their bytes, one after another, are the dataset as the papers define it.
	pub fn pages(&self) -> &[[Item; 2]] {
		self.memory.items().as_chunks().0
	}

	/// Computes (m, n) = PoW(H_#n, H_n, d).
	pub fn full(&self, seal_hash: &[u8; 32], nonce: u64) -> Output {
		let inputs = [(keccak::words(seal_hash), nonce)];
		let [digests] = self.path.run(Hash {
			pages: self.view(),
			inputs,
		});
		digests.into()
	}

	/// Tries the nonces in order, on the caller's thread, until a result meets the boundary or `stop` is
	/// set. Several threads can search the same dataset, each in its own range.
	pub fn search(
		&self,
		seal_hash: &[u8; 32],
		boundary: &Boundary,
		nonces: Range<u64>,
		stop: &AtomicBool,
	) -> Searched {
		let seal_hash = keccak::words(seal_hash);
		let mut hashes = 0;
		let mut first = nonces.start;
		while first < nonces.end && !stop.load(Ordering::Relaxed) {
			let count = (nonces.end - first).min(NONCES as u64);
			// A set that reaches past the end is computed whole; the nonces past the end are dropped.
			let inputs =
				core::array::from_fn::<_, NONCES, _>(|k| (seal_hash, first.wrapping_add(k as u64)));
			let digests = self.path.run(Hash {
				pages: self.view(),
				inputs,
			});
			hashes += count;
			for (nonce, digests) in (first..nonces.end).zip(digests) {
				let output = Output::from(digests);
				if boundary.is_met_by(&output.result) {
					return Searched {
						found: Some(Found { nonce, output }),
						hashes,
					};
				}
			}
			first += count;
		}
		Searched {
			found: None,
			hashes,
		}
	}

	fn view(&self) -> View<'_> {
		View {
			pages: self.pages(),
			count: self.page_count,
		}
	}
}

/// A dataset that is being generated, and can be interrupted. `C` refers to the cache.
pub struct Unfinished<C> {
	cache: C,
	memory: Memory,
	/// The number of pages that are done, from the first on.
	done: u32,
}

impl<C: Deref<Target = Cache>> Unfinished<C> {
	/// Allocates the dataset of the cache's epoch.
	///
	/// # Errors
	///
	/// Returns [`Error::OutOfMemory`] if the allocation fails.
	pub fn new(cache: C) -> Result<Self, Error> {
		Ok(Self {
			memory: Memory::zeroed(2 * u64::from(cache.dataset_pages()))?,
			cache,
			done: 0,
		})
	}

	/// Returns the number of pages that are done, and will not be generated again.
	pub fn done(&self) -> u32 {
		self.done
	}

	/// Generates what is missing, in parts, each on the number of threads that `threads` returns (at least one; without
	/// `std` only the caller's). Calls `progress` as [`Dataset::generate`] does.
	///
	/// # Errors
	///
	/// Returns what is done if `progress` stopped it, to be resumed.
	pub fn resume(
		mut self,
		threads: impl Fn() -> usize,
		progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
	) -> Result<Dataset, Self> {
		let total = self.cache.dataset_pages();
		let part = total.div_ceil(PARTS).next_multiple_of(CHUNK as u32);
		while self.done < total {
			let end = self.done.saturating_add(part).min(total);
			let (pages, _) = self.memory.items_mut().as_chunks_mut();
			let pages = &mut pages[self.done as usize..end as usize];
			if fill(&self.cache, threads(), self.done, pages, &progress).is_err() {
				return Err(self);
			}
			self.done = end;
		}
		Ok(Dataset::of(&self.cache, self.memory))
	}
}

impl<C> fmt::Debug for Unfinished<C> {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter
			.debug_struct("Unfinished")
			.field("done", &self.done)
			.finish_non_exhaustive()
	}
}

impl fmt::Debug for Dataset {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter
			.debug_struct("Dataset")
			.field("epoch", &self.epoch)
			.finish_non_exhaustive()
	}
}

/// Makes the pages of the cache's dataset from page `first` on, on `threads` threads. Reports how many pages of
/// the whole dataset are done.
///
/// # Errors
///
/// Returns [`Error::Stopped`] if `progress` stopped it.
pub(crate) fn fill(
	cache: &Cache,
	threads: usize,
	first: u32,
	pages: &mut [Page],
	progress: &(impl Fn(Progress) -> ControlFlow<()> + Sync),
) -> Result<(), Error> {
	let total = cache.dataset_pages();
	let done = AtomicU32::new(first);
	let stopped = AtomicBool::new(false);
	let fill = |chunk: usize, pages: &mut [Page]| {
		if stopped.load(Ordering::Relaxed) {
			return;
		}
		let length = pages.len() as u32;
		cache.path().run(Fill {
			cache: cache.view(),
			first: first + (chunk * CHUNK) as u32,
			pages,
		});
		let done = done
			.fetch_add(length, Ordering::Relaxed)
			.saturating_add(length);
		if progress(Progress { done, total }).is_break() {
			stopped.store(true, Ordering::Relaxed);
		}
	};
	on_threads(threads, pages, &fill);
	if stopped.load(Ordering::Relaxed) {
		return Err(Error::Stopped);
	}
	Ok(())
}

/// Passes the pages to `fill`, chunk by chunk, on `threads` threads.
#[cfg(feature = "std")]
fn on_threads(threads: usize, pages: &mut [Page], fill: &(impl Fn(usize, &mut [Page]) + Sync)) {
	use std::sync::{Mutex, PoisonError};
	let chunks = Mutex::new(pages.chunks_mut(CHUNK).enumerate());
	let work = || loop {
		let taken = chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
		match taken {
			Some((chunk, pages)) => fill(chunk, pages),
			None => return,
		}
	};
	std::thread::scope(|scope| {
		for _ in 1..threads {
			// Without it, the others do its share.
			if std::thread::Builder::new()
				.spawn_scoped(scope, work)
				.is_err()
			{
				break;
			}
		}
		work();
	});
}

/// Passes the pages to `fill`, chunk by chunk, on the caller's thread.
#[cfg(not(feature = "std"))]
fn on_threads(_: usize, pages: &mut [Page], fill: &impl Fn(usize, &mut [Page])) {
	for (chunk, pages) in pages.chunks_mut(CHUNK).enumerate() {
		fill(chunk, pages);
	}
}

/// The kernel that makes the pages from `first` on.
struct Fill<'a> {
	cache: cache::View<'a>,
	first: u32,
	pages: &'a mut [Page],
}

impl Kernel for Fill<'_> {
	type Output = ();

	#[inline(always)]
	fn run<M: Machine>(self, machine: M) {
		let mut index = self.first.wrapping_mul(2);
		for pages in self.pages.chunks_mut(ITEMS / 2) {
			// The last set may reach past the end; the items past it are dropped.
			let indices: [u32; ITEMS] = core::array::from_fn(|k| index.wrapping_add(k as u32));
			let made = machine.run(Items {
				cache: self.cache,
				indices,
			});
			pages
				.as_flattened_mut()
				.iter_mut()
				.zip(made)
				.for_each(|(item, made)| *item = made);
			index = index.wrapping_add(ITEMS as u32);
		}
	}
}

/// The part of a dataset that the kernels need.
#[derive(Clone, Copy)]
struct View<'a> {
	pages: &'a [Page],
	count: Divisor,
}

impl Pages for View<'_> {
	#[inline(always)]
	fn count(self) -> Divisor {
		self.count
	}

	#[inline(always)]
	fn announce<M: Machine>(self, machine: M, page: u32) {
		let page = &self.pages[page as usize];
		machine.prefetch(&page[0]);
		machine.prefetch(&page[1]);
	}

	#[inline(always)]
	fn read<M: Machine, const K: usize>(
		self,
		_: M,
		pages: [u32; K],
		mut each: impl FnMut(usize, &Page),
	) {
		for (k, page) in pages.into_iter().enumerate() {
			each(k, &self.pages[page as usize]);
		}
	}
}
