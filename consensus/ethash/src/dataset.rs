//! The dataset, which a miner holds, and the search over it (yellow paper, appendix J.3.3 and J.4).

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
	ops::{ControlFlow, Range},
	sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Pages that a thread takes at once: 128 KiB, some milliseconds of work.
const CHUNK: usize = 1024;
/// Items that are made side by side. More than a processor has reads under way to its second level of
/// cache, so that these are never what is too few.
const ITEMS: usize = 32;
/// Nonces that are under way at once in a search.
const NONCES: usize = 32;

/// How far the making of a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
	/// Pages made.
	pub done: u32,
	/// Pages in all.
	pub total: u32,
}

/// A nonce that was searched for, and what it hashes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
	/// H_n.
	pub nonce: u64,
	/// Its mix hash and result.
	pub output: Output,
}

/// What a search did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
	/// The least nonce of the range whose result is within the boundary. None if there is none, or the
	/// search was stopped before it.
	pub found: Option<Found>,
	/// Hashes computed, for the hash rate.
	pub hashes: u64,
}

/// An epoch's dataset.
pub struct Dataset {
	memory: Memory,
	page_count: Divisor,
	epoch: u64,
	path: Path,
}

impl Dataset {
	/// Makes the dataset of the cache's epoch, on so many threads (at least one; without `std` the
	/// caller's). Calls `progress` from time to time, from any of the threads; where that breaks, so does
	/// the making, with [`Error::Stopped`].
	pub fn generate(
		cache: &Cache,
		threads: usize,
		progress: impl Fn(Progress) -> ControlFlow<()> + Sync,
	) -> Result<Self, Error> {
		let total = cache.dataset_pages();
		let mut memory = Memory::zeroed(2 * u64::from(total))?;
		let done = AtomicU32::new(0);
		let stopped = AtomicBool::new(false);
		let fill = |chunk: usize, pages: &mut [Page]| {
			if stopped.load(Ordering::Relaxed) {
				return;
			}
			let length = pages.len() as u32;
			cache.path().run(Fill {
				cache: cache.view(),
				first: (chunk * CHUNK) as u32,
				pages,
			});
			let done = done
				.fetch_add(length, Ordering::Relaxed)
				.saturating_add(length);
			if progress(Progress { done, total }).is_break() {
				stopped.store(true, Ordering::Relaxed);
			}
		};
		let (pages, _) = memory.items_mut().as_chunks_mut();
		on_threads(threads, pages, &fill);
		if stopped.load(Ordering::Relaxed) {
			return Err(Error::Stopped);
		}
		Ok(Self::of(cache, memory))
	}

	/// The cache's dataset, whose pages are these.
	pub(crate) fn of(cache: &Cache, memory: Memory) -> Self {
		let page_count = Divisor::new(cache.dataset_pages());
		Self {
			memory,
			page_count,
			epoch: cache.epoch(),
			path: cache.path(),
		}
	}

	/// The same dataset, with instructions chosen by hand: for tests and measurements.
	pub fn with_path(self, path: Path) -> Self {
		Self { path, ..self }
	}

	/// The epoch whose dataset this is.
	pub fn epoch(&self) -> u64 {
		self.epoch
	}

	/// The pages, whose bytes in a row are the dataset as the papers see it.
	pub fn pages(&self) -> &[[Item; 2]] {
		self.memory.items().as_chunks().0
	}

	/// (m, n) = PoW(H_#n, H_n, d).
	pub fn full(&self, seal_hash: &[u8; 32], nonce: u64) -> Output {
		let inputs = [(keccak::words(seal_hash), nonce)];
		let [digests] = self.path.run(Hash {
			pages: self.view(),
			inputs,
		});
		digests.into()
	}

	/// Tries the nonces in their order, on the caller's thread, until one's result is within the boundary
	/// or `stop` is set. Threads of one machine share the dataset and search ranges of their own.
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
			// A set that reaches past the end is computed whole, and what is past the end left out.
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

impl fmt::Debug for Dataset {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter
			.debug_struct("Dataset")
			.field("epoch", &self.epoch)
			.finish_non_exhaustive()
	}
}

/// Hands the pages out, chunk by chunk, to threads that ask for more.
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
			scope.spawn(work);
		}
		work();
	});
}

#[cfg(not(feature = "std"))]
fn on_threads(_: usize, pages: &mut [Page], fill: &impl Fn(usize, &mut [Page])) {
	for (chunk, pages) in pages.chunks_mut(CHUNK).enumerate() {
		fill(chunk, pages);
	}
}

/// Makes the pages from `first` on.
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
			// The last set may reach past the end; what is past it is left out.
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

/// What the kernels need of it.
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
