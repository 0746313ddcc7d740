// SPDX-License-Identifier: Apache-2.0
//! Helpers shared by the unit tests.

/// Numbers that are the same in every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
	pub(crate) fn next(&mut self) -> u64 {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		mixed ^ (mixed >> 31)
	}

	pub(crate) fn word(&mut self) -> u32 {
		self.next() as u32
	}

	pub(crate) fn words<const N: usize>(&mut self) -> [u64; N] {
		core::array::from_fn(|_| self.next())
	}
}
