// SPDX-License-Identifier: Apache-2.0
//! Chooses the processor's instructions, and implements the portable machine, which every processor can run.
//!
//! Every algorithm of this crate is written once, generic over a [`Machine`]. [`Portable`], in plain
//! Rust, defines what each operation of a machine computes.

use crate::{
	item::{fnv, Item},
	kernel::{Kernel, Machine, STATES},
};
use alloc::{vec, vec::Vec};
use core::fmt;

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use crate::x86::{Avx2, Avx512};

/// The processor's instructions that a computation uses. All paths compute the same bits.
///
/// A path that the processor lacks cannot be constructed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
	Portable(Portable),
	#[cfg(all(feature = "std", target_arch = "x86_64"))]
	Avx2(Avx2),
	#[cfg(all(feature = "std", target_arch = "x86_64"))]
	Avx512(Avx512),
}

impl Path {
	/// Plain Rust, for every processor. Without `std` it is the only path.
	pub const PORTABLE: Self = Self(Kind::Portable(Portable));

	/// Returns the paths that this processor has, fastest last.
	pub fn available() -> Vec<Self> {
		#[allow(unused_mut)]
		let mut paths = vec![Self::PORTABLE];
		#[cfg(all(feature = "std", target_arch = "x86_64"))]
		{
			paths.extend(Avx2::detect().map(|machine| Self(Kind::Avx2(machine))));
			paths.extend(Avx512::detect().map(|machine| Self(Kind::Avx512(machine))));
		}
		paths
	}

	/// Returns the fastest path that this processor has.
	pub fn best() -> Self {
		Self::available().pop().unwrap_or(Self::PORTABLE)
	}

	/// Returns the name to print.
	pub fn name(self) -> &'static str {
		match self.0 {
			Kind::Portable(_) => "portable",
			#[cfg(all(feature = "std", target_arch = "x86_64"))]
			Kind::Avx2(_) => "AVX2",
			#[cfg(all(feature = "std", target_arch = "x86_64"))]
			Kind::Avx512(_) => "AVX-512",
		}
	}

	/// Runs the kernel with this path's instructions.
	pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
		match self.0 {
			Kind::Portable(machine) => machine.run(kernel),
			#[cfg(all(feature = "std", target_arch = "x86_64"))]
			Kind::Avx2(machine) => machine.run(kernel),
			#[cfg(all(feature = "std", target_arch = "x86_64"))]
			Kind::Avx512(machine) => machine.run(kernel),
		}
	}
}

impl fmt::Debug for Path {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter.write_str(self.name())
	}
}

/// The machine for any processor, in plain Rust.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portable;

impl Machine for Portable {
	type Words = Item;
	type Lanes = u64;
	const LANES: usize = 1;

	#[inline(never)]
	fn run<K: Kernel>(self, kernel: K) -> K::Output {
		kernel.run(self)
	}

	#[inline(always)]
	fn load(self, item: &Item) -> Item {
		*item
	}

	#[inline(always)]
	fn store(self, words: Item, item: &mut Item) {
		*item = words;
	}

	#[inline(always)]
	fn fnv(self, x: Item, y: Item) -> Item {
		Item(core::array::from_fn(|i| fnv(x.0[i], y.0[i])))
	}

	#[inline(always)]
	fn prefetch(self, _: &Item) {}

	#[inline(always)]
	fn load_lanes(self, words: &[u64; STATES], at: usize) -> u64 {
		words[at]
	}

	#[inline(always)]
	fn store_lanes(self, lanes: u64, words: &mut [u64; STATES], at: usize) {
		words[at] = lanes;
	}

	#[inline(always)]
	fn splat(self, word: u64) -> u64 {
		word
	}

	#[inline(always)]
	fn xor(self, a: u64, b: u64) -> u64 {
		a ^ b
	}

	#[inline(always)]
	fn xor3(self, a: u64, b: u64, c: u64) -> u64 {
		a ^ b ^ c
	}

	#[inline(always)]
	fn chi(self, a: u64, b: u64, c: u64) -> u64 {
		a ^ (!b & c)
	}

	#[inline(always)]
	fn rotate<const BITS: u32>(self, a: u64) -> u64 {
		a.rotate_left(BITS)
	}
}
