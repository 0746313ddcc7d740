// SPDX-License-Identifier: Apache-2.0
//! Defines the 64-byte unit that Ethash works on: a row of the cache, an item of the dataset, or half a page.

/// v_FNV: the prime of FNV(x, y) = (x · 0x01000193 mod 2^32) ⊕ y (yellow paper, appendix J.3.1).
pub(crate) const FNV_PRIME: u32 = 0x0100_0193;
/// The number of 32-bit words in an item.
pub(crate) const ITEM_WORDS: usize = 16;

/// One row of the cache or one item of the dataset: 64 bytes, kept as sixteen little-endian 32-bit
/// words. Aligned to a cache line, so that reading one touches one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
	feature = "std",
	derive(
		zerocopy::FromBytes,
		zerocopy::IntoBytes,
		zerocopy::Immutable,
		zerocopy::KnownLayout
	)
)]
#[repr(C, align(64))]
pub struct Item(pub(crate) [u32; ITEM_WORDS]);

/// J_mixbytes: the two items, 128 bytes, that one access of the mix reads.
pub(crate) type Page = [Item; 2];

impl Item {
	#[cfg(not(feature = "std"))]
	pub(crate) const ZERO: Self = Self([0; ITEM_WORDS]);

	/// Returns the item's bytes, as the papers define them.
	pub fn bytes(&self) -> [u8; 64] {
		let mut bytes = [0; 64];
		for (to, word) in bytes.chunks_exact_mut(4).zip(self.0) {
			to.copy_from_slice(&word.to_le_bytes());
		}
		bytes
	}

	/// Reads an item from its bytes: the reverse of [`Item::bytes`].
	#[cfg(feature = "std")]
	pub(crate) fn from_bytes(bytes: &[u8; 64]) -> Self {
		let (words, _) = bytes.as_chunks();
		Self(core::array::from_fn(|i| u32::from_le_bytes(words[i])))
	}

	/// Returns the item as Keccak takes it: eight 64-bit words.
	#[inline(always)]
	pub(crate) fn lanes(&self) -> [u64; 8] {
		let words = &self.0;
		core::array::from_fn(|i| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32)
	}

	/// Reads an item from Keccak's words: the reverse of [`Item::lanes`].
	#[inline(always)]
	pub(crate) fn from_lanes(lanes: &[u64; 8]) -> Self {
		Self(core::array::from_fn(|i| {
			(lanes[i / 2] >> (32 * (i % 2))) as u32
		}))
	}
}

/// Computes FNV(x, y) of two words.
#[inline(always)]
pub(crate) fn fnv(x: u32, y: u32) -> u32 {
	x.wrapping_mul(FNV_PRIME) ^ y
}

/// Computes remainders by a divisor that is used often, without a division (Lemire, Kaser and Kurz, "Faster
/// remainder by direct computation", 2019): with c = ⌈2^64 / d⌉, x mod d = ⌊(c·x mod 2^64) · d / 2^64⌋,
/// exactly, for all 32-bit x and d.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor {
	divisor: u32,
	inverse: u64,
}

impl Divisor {
	/// Prepares a divisor, which is never zero: it is a prime number of rows or pages.
	pub(crate) fn new(divisor: u32) -> Self {
		// ⌈2^64 / d⌉ = ⌊(2^64 − 1) / d⌋ + 1. For d = 1 this is 2^64, which wraps to 0 here, and x mod 1 is
		// still 0.
		Self {
			divisor,
			inverse: (u64::MAX / u64::from(divisor)).wrapping_add(1),
		}
	}

	/// Returns the divisor.
	pub(crate) fn get(&self) -> u32 {
		self.divisor
	}

	/// Computes x mod d.
	#[inline(always)]
	pub(crate) fn remainder(&self, x: u32) -> u32 {
		let fraction = self.inverse.wrapping_mul(u64::from(x));
		((u128::from(fraction) * u128::from(self.divisor)) >> 64) as u32
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{sizes::Sizes, testing::Random};

	#[test]
	fn fnv_is_that_of_the_paper() {
		assert_eq!(fnv(1, 2), 0x0100_0191);
		assert_eq!(fnv(0xffff_ffff, 0), 0xfeff_fe6d);
	}

	#[test]
	fn lanes_and_bytes_agree() {
		let item = Item(core::array::from_fn(|i| {
			0x0403_0201u32.wrapping_mul(i as u32 + 1)
		}));
		let lanes = item.lanes();
		assert_eq!(lanes[0].to_le_bytes(), item.bytes()[..8]);
		assert_eq!(Item::from_lanes(&lanes), item);
	}

	#[test]
	fn remainders_are_exact() {
		let mut random = Random(1);
		let mut divisors = vec![1, 2, 3, 251, 8191, 1 << 31, u32::MAX];
		for epoch in [0, 1, 2047, Sizes::FULL.max_epoch()] {
			divisors.push((Sizes::FULL.cache_bytes(epoch).unwrap() / 64) as u32);
			divisors.push((Sizes::FULL.dataset_bytes(epoch).unwrap() / 128) as u32);
		}
		for divisor in divisors {
			let fast = Divisor::new(divisor);
			let near = [
				0,
				1,
				divisor - 1,
				divisor,
				divisor.wrapping_add(1),
				u32::MAX,
			];
			let multiples = (0..1000).map(|_| (random.word() / divisor).wrapping_mul(divisor));
			for x in multiples.collect::<Vec<_>>().into_iter().chain(near) {
				for x in [x.wrapping_sub(1), x, x.wrapping_add(1)] {
					assert_eq!(fast.remainder(x), x % divisor, "{x} mod {divisor}");
				}
			}
		}
	}
}
