// SPDX-License-Identifier: Apache-2.0
//! The two traits between the algorithms and the processors: a [`Kernel`] is an algorithm, written once
//! and generic over the machine; a [`Machine`] is a processor with the few operations that its vector
//! units do better.

use crate::item::Item;

/// A piece of work that is compiled once per machine.
pub(crate) trait Kernel {
	/// The result of the work.
	type Output;

	/// Runs the work. Implementations are `#[inline(always)]`, so that they are compiled inside the
	/// function that has the machine's instructions enabled.
	fn run<M: Machine>(self, machine: M) -> Self::Output;
}

/// Keccak states that are permuted side by side, word by word: `[i][k]` is the i-th word of the k-th
/// state.
pub(crate) type States = [[u64; STATES]; 25];
/// The number of Keccak states in [`States`].
pub(crate) const STATES: usize = 8;

/// A kind of processor. A value of an implementing type is proof that this processor is of that kind.
pub(crate) trait Machine: Copy {
	/// An item in the machine's registers.
	type Words: Copy;
	/// One 64-bit word of each of `LANES` Keccak states.
	type Lanes: Copy;
	/// Keccak states that the machine permutes at once: a divisor of [`STATES`].
	const LANES: usize;

	/// Runs the kernel with the machine's instructions, as a function of its own: it is compiled once
	/// and not inlined at each call.
	fn run<K: Kernel>(self, kernel: K) -> K::Output;

	/// Loads an item into registers.
	fn load(self, item: &Item) -> Self::Words;
	/// Stores registers to an item: the reverse of [`Machine::load`].
	fn store(self, words: Self::Words, item: &mut Item);
	/// Computes FNV(x, y), word by word.
	fn fnv(self, x: Self::Words, y: Self::Words) -> Self::Words;
	/// Prefetches the item's cache line. This affects only the speed.
	fn prefetch(self, item: &Item);

	/// Loads the words of `LANES` states, beginning with the state number `at`.
	fn load_lanes(self, words: &[u64; STATES], at: usize) -> Self::Lanes;
	/// Stores the words of `LANES` states: the reverse of [`Machine::load_lanes`].
	fn store_lanes(self, lanes: Self::Lanes, words: &mut [u64; STATES], at: usize);
	/// Returns the same word in all lanes.
	fn splat(self, word: u64) -> Self::Lanes;
	/// Computes a ⊕ b.
	fn xor(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
	/// Computes a ⊕ b ⊕ c.
	fn xor3(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
	/// Computes Keccak's χ: a ⊕ (¬b ∧ c).
	fn chi(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
	/// Rotates each lane left by `BITS`, between 1 and 63.
	fn rotate<const BITS: u32>(self, a: Self::Lanes) -> Self::Lanes;
}
