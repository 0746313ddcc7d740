// SPDX-License-Identifier: Apache-2.0
//! Makes an epoch's cache, the small table that a verifier keeps. Every item of the dataset, the miners' large
//! table, can be computed from it (yellow paper, appendix J.3).

use crate::{
	error::Error,
	hashimoto::{Hash, Output, Pages},
	item::{fnv, Divisor, Item, Page, ITEM_WORDS},
	keccak,
	kernel::{Kernel, Machine},
	machine::Path,
	memory::Memory,
	sizes::{seed_hash, Sizes},
};
use alloc::vec::Vec;
use core::{array, fmt};

/// J_cacherounds: the number of passes of RandMemoHash over the cache.
const ROUNDS: usize = 3;
/// J_parents: the number of cache rows that go into one dataset item.
const PARENTS: u32 = 256;
/// The number of light hashes that [`Cache::light_each`] computes side by side.
const SIDE_BY_SIDE: usize = 16;

/// An epoch's cache. With [`Sizes::FULL`], it takes 16 MiB in epoch 0, and more in each later epoch.
pub struct Cache {
	rows: Memory,
	row_count: Divisor,
	page_count: Divisor,
	epoch: u64,
	path: Path,
}

impl Cache {
	/// Makes the cache of an epoch. It runs on the caller's thread, because each row depends on the row
	/// before it, and takes about half a second for epoch 0 of [`Sizes::FULL`].
	///
	/// # Errors
	///
	/// Returns [`Error::EpochTooHigh`] beyond [`Sizes::max_epoch`], before anything is allocated, and
	/// [`Error::OutOfMemory`] if the allocation fails.
	pub fn new(sizes: Sizes, epoch: u64) -> Result<Self, Error> {
		Self::with_path(sizes, epoch, Path::best())
	}

	/// Makes a cache as [`Cache::new`] does, but with the given instructions, for tests and measurements.
	///
	/// # Errors
	///
	/// Returns the errors of [`Cache::new`].
	pub fn with_path(sizes: Sizes, epoch: u64, path: Path) -> Result<Self, Error> {
		let bytes = sizes.cache_bytes(epoch)?;
		let row_count = Divisor::new((bytes / 64) as u32);
		let page_count = Divisor::new((sizes.dataset_bytes(epoch)? / 128) as u32);
		let mut rows = Memory::zeroed(u64::from(row_count.get()))?;
		path.run(Fill {
			rows: rows.items_mut(),
			count: row_count,
			seed: keccak::words(&seed_hash(epoch)),
		});
		Ok(Self {
			rows,
			row_count,
			page_count,
			epoch,
			path,
		})
	}

	/// Returns the epoch of this cache.
	pub fn epoch(&self) -> u64 {
		self.epoch
	}

	/// Returns the instructions that this cache uses.
	pub fn path(&self) -> Path {
		self.path
	}

	/// Returns the rows. Their bytes, one after another, are the cache as the papers define it.
	pub fn rows(&self) -> &[Item] {
		self.rows.items()
	}

	/// Returns the number of pages, of 128 bytes, in the dataset of this cache.
	pub fn dataset_pages(&self) -> u32 {
		self.page_count.get()
	}

	/// Computes `d[i]`, one item of the dataset; each page has two. For an index past the end of the dataset,
	/// it returns the value of the same formula.
	pub fn dataset_item(&self, index: u32) -> Item {
		let [item] = self.path.run(Items {
			cache: self.view(),
			indices: [index],
		});
		item
	}

	/// Computes (m, n) = PoW(H_#n, H_n, d), where d is the dataset. The items of d are computed from the
	/// cache as they are needed: 128 items from 32,768 rows, mostly read one after another.
	pub fn light(&self, seal_hash: &[u8; 32], nonce: u64) -> Output {
		let inputs = [(keccak::words(seal_hash), nonce)];
		let [digests] = self.path.run(Hash {
			pages: self.view(),
			inputs,
		});
		digests.into()
	}

	/// Computes [`Cache::light`] for many pairs of seal hash and nonce. Several computations are in flight
	/// at once, which takes far less time than computing them one after another.
	pub fn light_each(&self, inputs: &[([u8; 32], u64)]) -> Vec<Output> {
		let mut outputs = Vec::with_capacity(inputs.len());
		for inputs in inputs.chunks(SIDE_BY_SIDE) {
			// An incomplete set is filled up with its last pair, whose extra outputs are dropped.
			let inputs_filled = array::from_fn::<_, SIDE_BY_SIDE, _>(|k| {
				let (seal_hash, nonce) = &inputs[k.min(inputs.len() - 1)];
				(keccak::words(seal_hash), *nonce)
			});
			let digests = self.path.run(Hash {
				pages: self.view(),
				inputs: inputs_filled,
			});
			outputs.extend(digests.into_iter().take(inputs.len()).map(Output::from));
		}
		outputs
	}

	/// Returns the part of the cache that the kernels need.
	pub(crate) fn view(&self) -> View<'_> {
		View {
			rows: self.rows.items(),
			row_count: self.row_count,
			page_count: self.page_count,
		}
	}
}

impl fmt::Debug for Cache {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter
			.debug_struct("Cache")
			.field("epoch", &self.epoch)
			.finish_non_exhaustive()
	}
}

/// The kernel that fills the cache.
struct Fill<'a> {
	rows: &'a mut [Item],
	count: Divisor,
	seed: [u64; 4],
}

impl Kernel for Fill<'_> {
	type Output = ();

	#[inline(always)]
	fn run<M: Machine>(self, _: M) {
		let Self { rows, count, seed } = self;
		// c_0 = KEC512(s);  c_i = KEC512(c_{i−1})
		let mut last = keccak::keccak512(&seed);
		for (i, row) in rows.iter_mut().enumerate() {
			if i > 0 {
				last = keccak::keccak512(&last);
			}
			*row = Item::from_lanes(&last);
		}
		// Three times, for each i: c_i = KEC512(c_{(i−1) mod n} ⊕ c_{c_i[0] mod n})
		for _ in 0..ROUNDS {
			for i in 0..rows.len() {
				let other = rows[count.remainder(rows[i].0[0]) as usize].lanes();
				last = keccak::keccak512::<8>(&array::from_fn(|j| last[j] ^ other[j]));
				rows[i] = Item::from_lanes(&last);
			}
		}
	}
}

/// A cache's rows, and the number of pages in its dataset.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
	rows: &'a [Item],
	row_count: Divisor,
	page_count: Divisor,
}

impl Pages for View<'_> {
	#[inline(always)]
	fn count(self) -> Divisor {
		self.page_count
	}

	#[inline(always)]
	fn announce<M: Machine>(self, _: M, _: u32) {}

	#[inline(always)]
	fn read<M: Machine, const K: usize>(
		self,
		machine: M,
		pages: [u32; K],
		mut each: impl FnMut(usize, &Page),
	) {
		// A page's two items are made side by side.
		const { assert!(K == 1 || K == SIDE_BY_SIDE) };
		if K == 1 {
			let indices = [2 * pages[0], 2 * pages[0] + 1];
			each(
				0,
				&machine.run(Items {
					cache: self,
					indices,
				}),
			);
		} else {
			let indices: [u32; 2 * SIDE_BY_SIDE] =
				array::from_fn(|i| 2 * pages[i / 2] + (i % 2) as u32);
			let items = machine.run(Items {
				cache: self,
				indices,
			});
			for k in 0..K {
				each(k, &[items[2 * k], items[2 * k + 1]]);
			}
		}
	}
}

/// The kernel that computes `d[i]` for K indices side by side: while one waits for a row, the others
/// proceed.
pub(crate) struct Items<'a, const K: usize> {
	pub(crate) cache: View<'a>,
	pub(crate) indices: [u32; K],
}

impl<const K: usize> Kernel for Items<'_, K> {
	type Output = [Item; K];

	#[inline(always)]
	fn run<M: Machine>(self, machine: M) -> [Item; K] {
		let Self { cache, indices } = self;
		// mix = KEC512(c_{i mod n} ⊕ i)
		let seeds = indices.map(|index| {
			let mut row = cache.rows[cache.row_count.remainder(index) as usize];
			row.0[0] ^= index;
			row.lanes()
		});
		let seeds = keccak::keccak512_each(machine, &seeds);
		let mut mixes: [Item; K] = seeds.each_ref().map(Item::from_lanes);
		// 256 times: mix = FNV(mix, c_{FNV(i ⊕ p, mix[p mod 16]) mod n})
		let next = |p: u32, index: u32, word: u32| {
			let row = &cache.rows[cache.row_count.remainder(fnv(index ^ p, word)) as usize];
			machine.prefetch(row);
			row
		};
		let mut rows: [&Item; K] = array::from_fn(|k| next(0, indices[k], mixes[k].0[0]));
		for p in 1..=PARENTS {
			// The one word that selects the next row is mixed ahead of the others: with few items in
			// flight, the latency from row to row dominates.
			let word = p as usize % ITEM_WORDS;
			for k in 0..K {
				let (mix, row) = (&mut mixes[k], rows[k]);
				let ahead = fnv(mix.0[word], row.0[word]);
				machine.store(machine.fnv(machine.load(mix), machine.load(row)), mix);
				rows[k] = next(p, indices[k], ahead);
			}
		}
		// d[i] = KEC512(mix)
		let digests = keccak::keccak512_each(machine, &mixes.each_ref().map(Item::lanes));
		digests.each_ref().map(Item::from_lanes)
	}
}
