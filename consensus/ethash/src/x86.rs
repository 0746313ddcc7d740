// SPDX-License-Identifier: Apache-2.0
//! Implements the machines with x86-64's vector units, AVX2 and AVX-512. This is the only `unsafe` code of
//! this crate.
//!
//! It is sound for these reasons. Only `detect` constructs a value of [`Avx2`] or [`Avx512`], after the
//! processor reported every feature named in `run`'s `target_feature`; so if a method has a `self`, its
//! instructions exist. Loads and stores go through references to whole arrays or slices of checked length,
//! and need no alignment.

#![allow(unsafe_code)]

use crate::{
	item::{Item, FNV_PRIME},
	kernel::{Kernel, Machine, STATES},
};
use core::arch::x86_64::*;

/// A processor with AVX2: 32 bytes at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
	/// Returns a value, as proof, if the processor has the features.
	pub(crate) fn detect() -> Option<Self> {
		(is_x86_feature_detected!("avx2")
			&& is_x86_feature_detected!("bmi1")
			&& is_x86_feature_detected!("bmi2"))
		.then_some(Self(()))
	}
}

impl Machine for Avx2 {
	type Words = [__m256i; 2];
	type Lanes = __m256i;
	const LANES: usize = 4;

	#[inline(never)]
	fn run<K: Kernel>(self, kernel: K) -> K::Output {
		#[target_feature(enable = "avx2,bmi1,bmi2")]
		fn run<K: Kernel>(machine: Avx2, kernel: K) -> K::Output {
			kernel.run(machine)
		}
		// Safety: `self` proves the features.
		unsafe { run(self, kernel) }
	}

	#[inline(always)]
	fn load(self, item: &Item) -> Self::Words {
		let from = item.0.as_ptr().cast::<__m256i>();
		// Safety: an item is 64 bytes, twice what one load reads.
		unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] }
	}

	#[inline(always)]
	fn store(self, words: Self::Words, item: &mut Item) {
		let to = item.0.as_mut_ptr().cast::<__m256i>();
		// Safety: an item is 64 bytes, twice what one store writes.
		unsafe {
			_mm256_storeu_si256(to, words[0]);
			_mm256_storeu_si256(to.add(1), words[1]);
		}
	}

	#[inline(always)]
	fn fnv(self, x: Self::Words, y: Self::Words) -> Self::Words {
		// Safety: `self` proves AVX2.
		unsafe {
			let prime = _mm256_set1_epi32(FNV_PRIME as i32);
			[
				_mm256_xor_si256(_mm256_mullo_epi32(x[0], prime), y[0]),
				_mm256_xor_si256(_mm256_mullo_epi32(x[1], prime), y[1]),
			]
		}
	}

	#[inline(always)]
	fn prefetch(self, item: &Item) {
		prefetch(item);
	}

	#[inline(always)]
	fn load_lanes(self, words: &[u64; STATES], at: usize) -> __m256i {
		let words = &words[at..at + Self::LANES];
		// Safety: the slice has the 32 bytes that are read.
		unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
	}

	#[inline(always)]
	fn store_lanes(self, lanes: __m256i, words: &mut [u64; STATES], at: usize) {
		let words = &mut words[at..at + Self::LANES];
		// Safety: the slice has the 32 bytes that are written.
		unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), lanes) }
	}

	#[inline(always)]
	fn splat(self, word: u64) -> __m256i {
		// Safety: `self` proves AVX2, here and below.
		unsafe { _mm256_set1_epi64x(word as i64) }
	}

	#[inline(always)]
	fn xor(self, a: __m256i, b: __m256i) -> __m256i {
		unsafe { _mm256_xor_si256(a, b) }
	}

	#[inline(always)]
	fn xor3(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
		unsafe { _mm256_xor_si256(_mm256_xor_si256(a, b), c) }
	}

	#[inline(always)]
	fn chi(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
		unsafe { _mm256_xor_si256(a, _mm256_andnot_si256(b, c)) }
	}

	#[inline(always)]
	fn rotate<const BITS: u32>(self, a: __m256i) -> __m256i {
		let (left, right) = (
			self.splat(u64::from(BITS)),
			self.splat(u64::from(64 - BITS)),
		);
		unsafe { _mm256_or_si256(_mm256_sllv_epi64(a, left), _mm256_srlv_epi64(a, right)) }
	}
}

/// A processor with AVX-512: 64 bytes, a whole item, at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
	/// Returns a value, as proof, if the processor has the features.
	pub(crate) fn detect() -> Option<Self> {
		(Avx2::detect().is_some() && is_x86_feature_detected!("avx512f")).then_some(Self(()))
	}
}

impl Machine for Avx512 {
	type Words = __m512i;
	type Lanes = __m512i;
	const LANES: usize = 8;

	#[inline(never)]
	fn run<K: Kernel>(self, kernel: K) -> K::Output {
		#[target_feature(enable = "avx512f,avx2,bmi1,bmi2")]
		fn run<K: Kernel>(machine: Avx512, kernel: K) -> K::Output {
			kernel.run(machine)
		}
		// Safety: `self` proves the features.
		unsafe { run(self, kernel) }
	}

	#[inline(always)]
	fn load(self, item: &Item) -> __m512i {
		// Safety: an item is the 64 bytes that are read.
		unsafe { _mm512_loadu_si512(item.0.as_ptr().cast()) }
	}

	#[inline(always)]
	fn store(self, words: __m512i, item: &mut Item) {
		// Safety: an item is the 64 bytes that are written.
		unsafe { _mm512_storeu_si512(item.0.as_mut_ptr().cast(), words) }
	}

	#[inline(always)]
	fn fnv(self, x: __m512i, y: __m512i) -> __m512i {
		// Safety: `self` proves AVX-512F.
		unsafe {
			let prime = _mm512_set1_epi32(FNV_PRIME as i32);
			_mm512_xor_si512(_mm512_mullo_epi32(x, prime), y)
		}
	}

	#[inline(always)]
	fn prefetch(self, item: &Item) {
		prefetch(item);
	}

	#[inline(always)]
	fn load_lanes(self, words: &[u64; STATES], at: usize) -> __m512i {
		let words = &words[at..at + Self::LANES];
		// Safety: the slice has the 64 bytes that are read.
		unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
	}

	#[inline(always)]
	fn store_lanes(self, lanes: __m512i, words: &mut [u64; STATES], at: usize) {
		let words = &mut words[at..at + Self::LANES];
		// Safety: the slice has the 64 bytes that are written.
		unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), lanes) }
	}

	#[inline(always)]
	fn splat(self, word: u64) -> __m512i {
		// Safety: `self` proves AVX-512F, here and below.
		unsafe { _mm512_set1_epi64(word as i64) }
	}

	#[inline(always)]
	fn xor(self, a: __m512i, b: __m512i) -> __m512i {
		unsafe { _mm512_xor_si512(a, b) }
	}

	#[inline(always)]
	fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
		// The table of a ⊕ b ⊕ c: bit 4a + 2b + c.
		unsafe { _mm512_ternarylogic_epi64::<0b1001_0110>(a, b, c) }
	}

	#[inline(always)]
	fn chi(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
		// The table of a ⊕ (¬b ∧ c).
		unsafe { _mm512_ternarylogic_epi64::<0b1101_0010>(a, b, c) }
	}

	#[inline(always)]
	fn rotate<const BITS: u32>(self, a: __m512i) -> __m512i {
		unsafe { _mm512_rolv_epi64(a, self.splat(u64::from(BITS))) }
	}
}

/// Prefetches an item into all levels of the processor's cache.
#[inline(always)]
fn prefetch(item: &Item) {
	// Safety: a prefetch has no effect that a program could observe, and the address is an item's.
	unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(item).cast()) }
}
