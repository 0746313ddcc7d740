// SPDX-License-Identifier: Apache-2.0
//! Computes the continuous difficulty: ASERT, "absolutely scheduled exponentially rising targets", of Bitcoin Cash
//! (specification `aserti3-2d` of 2020-11-15), here relative to the parent.

use polkadot_sdk::sp_core::U256;

/// One in the fixed-point numbers of the specification, which have 16 binary places.
const ONE: u64 = 1 << 16;

/// The time that a block should take, in seconds.
pub const ASERT_BLOCK_SECONDS: u64 = 13;
/// A block that takes this much longer, in seconds, halves the difficulty.
pub const ASERT_HALF_LIFE_SECONDS: u64 = 600;

/// Returns the difficulty of a block that was found `gap` seconds after its parent.
///
/// ```text
/// D = max(⌊P(H)_d / 2⌋ + 1, P(H)_d · 2^((T − gap) / h))
/// ```
///
/// T is [`ASERT_BLOCK_SECONDS`], h is [`ASERT_HALF_LIFE_SECONDS`]. The specification counts from a fixed block, so that a chain whose
/// start is delayed has to make up for the delay; counted from the parent, nothing is made up for. One block never
/// lowers the difficulty to half or less, so that it weighs more than its parent in the fork choice
/// ([`weight`](crate::weight)).
pub(crate) fn asert(parent: U256, gap: u64) -> U256 {
	let (ideal, half_life) = (ASERT_BLOCK_SECONDS as i64, ASERT_HALF_LIFE_SECONDS as i64);
	let gap = i64::try_from(gap)
		.unwrap_or(i64::MAX)
		.min(ideal + half_life);
	let exponent = (ideal - gap) * ONE as i64 / half_life;
	let more_than_half = (parent / 2).saturating_add(U256::one());
	times_power_of_two(parent, exponent).max(more_than_half)
}

/// Returns `value` · 2^(`exponent` / 65536), rounded down, with the specification's approximation of the power, which is
/// exact for whole numbers and off by at most 0.013 % otherwise. A result that does not fit in 256 bits saturates.
pub fn times_power_of_two(value: U256, exponent: i64) -> U256 {
	// exponent = shift · 65536 + fraction, with 0 ≤ fraction < 65536
	let shift = exponent.div_euclid(ONE as i64);
	let fraction = exponent.rem_euclid(ONE as i64) as u64;
	// Each term is below 2^64, and so is their sum: the specification chose the numbers for 64 bits.
	let cubic = 195_766_423_245_049 * fraction
		+ 971_821_376 * fraction * fraction
		+ 5127 * fraction * fraction * fraction
		+ (1 << 47);
	let factor = ONE + (cubic >> 48);
	let product = value.full_mul(U256::from(factor));
	let scaled = match shift - 16 {
		// `product` has 17 bits at least, and 273 at most.
		240.. if !product.is_zero() => return U256::MAX,
		left @ 0.. => product << left.min(239),
		right => product >> right.unsigned_abs().min(511),
	};
	U256::try_from(scaled).unwrap_or(U256::MAX)
}
