//! H_l and H_g: the bounds of a block's gas limit, and the limit that a miner sets within them.

use crate::{HeaderError, Parent, PowHeader};
use core::ops::RangeInclusive;
use isthmus_primitives::params::{GAS_LIMIT_BOUND_DIVISOR, MIN_GAS_LIMIT};

/// The greatest gas limit a block may have, 2^63 − 1 (yellow paper, section 4.3.4), so that sums of two
/// limits cannot overflow.
pub const MAX_GAS_LIMIT: u64 = (1 << 63) - 1;

/// The gas limits that |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋ allows a child of a block with the limit
/// `parent` (yellow paper, section 4.3.4). Empty where `parent` is under 1024: then no limit
/// will do, not even the parent's.
///
/// The paper's algorithm 2 prints both signs as `>` and rounds up, which nothing can satisfy; this is
/// the yellow paper's rule.
pub fn gas_limit_bounds(parent: u64) -> RangeInclusive<u64> {
	let bound = parent / GAS_LIMIT_BOUND_DIVISOR;
	// The bound itself is refused: the inequality is strict.
	let least = parent.saturating_sub(bound).saturating_add(1);
	let most = parent.saturating_add(bound).saturating_sub(1);
	least..=most
}

/// The gas limit that a miner gives the child of a block with the limit `parent`: as near to `target`
/// as the bounds allow, and never outside what a block may have.
///
/// `parent` is a valid block's limit, so at least [`MIN_GAS_LIMIT`] and at most [`MAX_GAS_LIMIT`].
pub fn next_gas_limit(parent: u64, target: u64) -> u64 {
	let (least, most) = gas_limit_bounds(parent).into_inner();
	target
		.clamp(MIN_GAS_LIMIT, MAX_GAS_LIMIT)
		.max(least)
		.min(most)
}

/// H_g ≤ H_l (paper, algorithm 2).
///
/// # Errors
///
/// [`HeaderError::GasUsedAboveLimit`].
pub fn validate_gas_used(header: &PowHeader) -> Result<(), HeaderError> {
	let (got, limit) = (header.gas_used, header.pre.gas_limit);
	if got > limit {
		return Err(HeaderError::GasUsedAboveLimit { got, limit });
	}
	Ok(())
}

/// H_l ≥ 125000 (paper, algorithm 2).
///
/// # Errors
///
/// [`HeaderError::GasLimitTooLow`].
pub fn validate_gas_limit_minimum(header: &PowHeader) -> Result<(), HeaderError> {
	let got = header.pre.gas_limit;
	if got < MIN_GAS_LIMIT {
		return Err(HeaderError::GasLimitTooLow {
			got,
			minimum: MIN_GAS_LIMIT,
		});
	}
	Ok(())
}

/// H_l ≤ 2^63 − 1 (yellow paper, section 4.3.4).
///
/// # Errors
///
/// [`HeaderError::GasLimitTooHigh`].
pub fn validate_gas_limit_maximum(header: &PowHeader) -> Result<(), HeaderError> {
	let got = header.pre.gas_limit;
	if got > MAX_GAS_LIMIT {
		return Err(HeaderError::GasLimitTooHigh {
			got,
			maximum: MAX_GAS_LIMIT,
		});
	}
	Ok(())
}

/// |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋: see [`gas_limit_bounds`].
///
/// # Errors
///
/// [`HeaderError::GasLimitOutOfBounds`].
pub fn validate_gas_limit_bound(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	let got = header.pre.gas_limit;
	let bounds = gas_limit_bounds(parent.gas_limit);
	if !bounds.contains(&got) {
		let (least, most) = bounds.into_inner();
		return Err(HeaderError::GasLimitOutOfBounds { got, least, most });
	}
	Ok(())
}
