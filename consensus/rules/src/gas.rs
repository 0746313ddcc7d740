// SPDX-License-Identifier: Apache-2.0
//! Validates a block's gas limit (H_l) and the gas that it used (H_g), and computes the gas limit that a
//! miner sets.

use crate::{error::HeaderError, parent::Parent};
use core::ops::RangeInclusive;
use isthmus_primitives::{
	digest::PowHeader,
	params::{GAS_LIMIT_BOUND_DIVISOR, MIN_GAS_LIMIT},
};

/// The maximum gas limit of a block, 2^63 − 1 (yellow paper, section 4.3.4). It ensures that the sum of two
/// limits cannot overflow.
pub const MAX_GAS_LIMIT: u64 = (1 << 63) - 1;

/// Returns the gas limits that |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋ allows for a child of a block with the
/// limit `parent`, in gas (yellow paper, section 4.3.4). The range is empty if `parent` is below 1024: then
/// no limit satisfies the rule, not even the parent's own.
///
/// The paper's algorithm 2 prints both inequalities with `>` and rounds up, which no limit can satisfy. This
/// function follows the yellow paper instead.
pub fn gas_limit_bounds(parent: u64) -> RangeInclusive<u64> {
	let bound = parent / GAS_LIMIT_BOUND_DIVISOR;
	// The inequality is strict, so the bound itself is excluded.
	let least = parent.saturating_sub(bound).saturating_add(1);
	let most = parent.saturating_add(bound).saturating_sub(1);
	least..=most
}

/// Returns the gas limit, in gas, that a miner sets for the child of a block with the limit `parent`: the
/// limit nearest to `target` that the rules allow.
///
/// `parent` must be a valid block's limit, between [`MIN_GAS_LIMIT`] and [`MAX_GAS_LIMIT`].
pub fn next_gas_limit(parent: u64, target: u64) -> u64 {
	let (least, most) = gas_limit_bounds(parent).into_inner();
	target
		.clamp(MIN_GAS_LIMIT, MAX_GAS_LIMIT)
		.max(least)
		.min(most)
}

/// Validates that H_g ≤ H_l (paper, algorithm 2).
///
/// # Errors
///
/// Returns [`HeaderError::GasUsedAboveLimit`] if the block used more.
pub fn validate_gas_used(header: &PowHeader) -> Result<(), HeaderError> {
	let (got, limit) = (header.gas_used, header.pre.gas_limit);
	if got > limit {
		return Err(HeaderError::GasUsedAboveLimit { got, limit });
	}
	Ok(())
}

/// Validates that H_l ≥ 125000 (paper, algorithm 2).
///
/// # Errors
///
/// Returns [`HeaderError::GasLimitTooLow`] if it is lower.
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

/// Validates that H_l ≤ 2^63 − 1 (yellow paper, section 4.3.4).
///
/// # Errors
///
/// Returns [`HeaderError::GasLimitTooHigh`] if it is higher.
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

/// Validates that |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋. See [`gas_limit_bounds`].
///
/// # Errors
///
/// Returns [`HeaderError::GasLimitOutOfBounds`] if the limit differs by more from the parent's.
pub fn validate_gas_limit_bound(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	let got = header.pre.gas_limit;
	let bounds = gas_limit_bounds(parent.gas_limit);
	if !bounds.contains(&got) {
		let (least, most) = bounds.into_inner();
		return Err(HeaderError::GasLimitOutOfBounds { got, least, most });
	}
	Ok(())
}
