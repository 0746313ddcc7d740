// SPDX-License-Identifier: Apache-2.0
//! Hashimoto: computes the mix hash and the result of a seal hash and a nonce from 64 pages of the dataset
//! (paper, algorithm 1; yellow paper, appendix J.4).

use crate::{
	item::{fnv, Divisor, Item, Page, ITEM_WORDS},
	keccak,
	kernel::{Kernel, Machine},
};

/// J_accesses: the number of pages that one hash reads.
const ACCESSES: u32 = 64;
/// The number of 32-bit words in the mix: J_mixbytes / J_wordbytes.
const MIX_WORDS: usize = 2 * ITEM_WORDS;

/// The two hashes of a seal: (m, n) = PoW(H_#n, H_n, d).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
	/// m, the mix hash: a header carries it as H_m.
	pub mix_hash: [u8; 32],
	/// n, the result, big-endian: it must meet the boundary ([`crate::Boundary::is_met_by`]).
	pub result: [u8; 32],
}

/// Computes n = KEC(KEC512(H_#n ‖ reverse(H_n)) ‖ m) with the mix hash that a header claims.
///
/// It needs no dataset and takes about a microsecond. A seal whose result is above the boundary is invalid;
/// a seal whose result meets it may still claim a wrong mix hash, which only [`crate::Cache::light`] or
/// [`crate::Dataset::full`] can detect.
pub fn final_result(seal_hash: &[u8; 32], nonce: u64, mix_hash: &[u8; 32]) -> [u8; 32] {
	let seed = keccak::keccak512(&seed_message(&keccak::words(seal_hash), nonce));
	keccak::bytes(&keccak::keccak256(&result_message(
		&seed,
		&keccak::words(mix_hash),
	)))
}

/// A source of the dataset's pages: memory, or the cache.
pub(crate) trait Pages: Copy {
	/// Returns the number of pages.
	fn count(self) -> Divisor;
	/// Prepares for reading the page soon.
	fn announce<M: Machine>(self, machine: M, page: u32);
	/// Reads K pages, and passes each one to `each` with its index among the K.
	fn read<M: Machine, const K: usize>(
		self,
		machine: M,
		pages: [u32; K],
		each: impl FnMut(usize, &Page),
	);
}

/// The kernel that hashes K pairs of seal hash and nonce, all in flight at once.
pub(crate) struct Hash<P, const K: usize> {
	/// The dataset.
	pub(crate) pages: P,
	/// The seal hash H_#n and the nonce H_n of each pair.
	pub(crate) inputs: [([u64; 4], u64); K],
}

/// The mix hash and the result as Keccak's words.
pub(crate) struct Digests {
	mix_hash: [u64; 4],
	pub(crate) result: [u64; 4],
}

impl From<Digests> for Output {
	fn from(digests: Digests) -> Self {
		Self {
			mix_hash: keccak::bytes(&digests.mix_hash),
			result: keccak::bytes(&digests.result),
		}
	}
}

impl<P: Pages, const K: usize> Kernel for Hash<P, K> {
	type Output = [Digests; K];

	#[inline(always)]
	fn run<M: Machine>(self, machine: M) -> [Digests; K] {
		let Self { pages, inputs } = self;
		let count = pages.count();
		// s = KEC512(H_#n ‖ reverse(H_n))
		let messages = inputs.map(|(seal_hash, nonce)| seed_message(&seal_hash, nonce));
		let seeds = keccak::keccak512_each(machine, &messages);
		// mix = s ‖ s
		let mut mixes: [Page; K] = seeds.each_ref().map(|seed| [Item::from_lanes(seed); 2]);
		let first_words = mixes.each_ref().map(|mix| mix[0].0[0]);

		// p_i = FNV(i ⊕ s[0], mix[i mod 32]) mod pages;  mix = FNV(mix, page p_i)
		let next = |i: u32, k: usize, mix: &Page| {
			let word = i as usize % MIX_WORDS;
			let page = count.remainder(fnv(
				i ^ first_words[k],
				mix[word / ITEM_WORDS].0[word % ITEM_WORDS],
			));
			pages.announce(machine, page);
			page
		};
		let mut wanted: [u32; K] = core::array::from_fn(|k| next(0, k, &mixes[k]));
		for i in 1..=ACCESSES {
			let read = wanted;
			pages.read(machine, read, |k, page| {
				let mix = &mut mixes[k];
				for (mix, item) in mix.iter_mut().zip(page) {
					let words = machine.fnv(machine.load(mix), machine.load(item));
					machine.store(words, mix);
				}
				if i < ACCESSES {
					wanted[k] = next(i, k, mix);
				}
			});
		}

		// m = compress(mix);  n = KEC(s ‖ m)
		let mix_hashes = mixes.each_ref().map(compress);
		let messages: [[u64; 12]; K] =
			core::array::from_fn(|k| result_message(&seeds[k], &mix_hashes[k]));
		let results = keccak::keccak256_each(machine, &messages);
		core::array::from_fn(|k| Digests {
			mix_hash: mix_hashes[k],
			result: results[k],
		})
	}
}

/// Returns H_#n ‖ reverse(H_n): the nonce, big-endian in a header, is little-endian here.
#[inline(always)]
fn seed_message(seal_hash: &[u64; 4], nonce: u64) -> [u64; 5] {
	let [a, b, c, d] = *seal_hash;
	[a, b, c, d, nonce]
}

/// Returns s ‖ m.
#[inline(always)]
fn result_message(seed: &[u64; 8], mix_hash: &[u64; 4]) -> [u64; 12] {
	core::array::from_fn(|i| if i < 8 { seed[i] } else { mix_hash[i - 8] })
}

/// Computes `m[j] = FNV(FNV(FNV(mix[4j], mix[4j + 1]), mix[4j + 2]), mix[4j + 3])`.
#[inline(always)]
fn compress(mix: &Page) -> [u64; 4] {
	let word = |i: usize| mix[i / ITEM_WORDS].0[i % ITEM_WORDS];
	let four = |i: usize| {
		let folded = fnv(fnv(fnv(word(i), word(i + 1)), word(i + 2)), word(i + 3));
		u64::from(folded)
	};
	core::array::from_fn(|i| four(8 * i) | four(8 * i + 4) << 32)
}
