// SPDX-License-Identifier: Apache-2.0
//! Validates a single header. This file has the functions that call all header rules, and the rules
//! themselves, except those for the difficulty, the gas and the seal.

use crate::{
	difficulty::{validate_difficulty, validate_minimum_difficulty},
	error::{FutureTimestamp, GotExpected, HeaderError, Rejection},
	gas::{
		validate_gas_limit_bound, validate_gas_limit_maximum, validate_gas_limit_minimum,
		validate_gas_used,
	},
	parent::Parent,
};
use codec::Encode;
use isthmus_primitives::{
	digest::{PowHeader, MAX_EXTRA_DATA},
	params::{ChainParameters, Miners, ALLOWED_FUTURE_SECONDS},
	AccountId, Header,
};
use polkadot_sdk::{
	sp_core::storage::StateVersion,
	sp_runtime::{
		traits::{BlakeTwo256, Hash as _},
		OpaqueExtrinsic,
	},
};

/// Validates the rules that need no parent, clock or hashing, cheapest first.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn validate_static(params: &ChainParameters, header: &PowHeader) -> Result<(), HeaderError> {
	validate_static_fields(header)?;
	validate_minimum_difficulty(params, header)
}

/// Validates the rules of [`validate_static`] that need no parameters.
fn validate_static_fields(header: &PowHeader) -> Result<(), HeaderError> {
	validate_extra_data(header)?;
	validate_gas_used(header)?;
	validate_gas_limit_minimum(header)?;
	validate_gas_limit_maximum(header)
}

/// Validates the rules that compare a header with its parent, cheapest first. The caller must run
/// [`validate_static`] first, because those rules are not checked again here.
///
/// The two are separate functions, so that the caller can check the static rules before it looks up the
/// parent, and only once. Neither needs a clock, so the result never changes.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn validate_against_parent(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
) -> Result<(), HeaderError> {
	validate_fields_against_parent(header, parent)?;
	validate_difficulty(params, header, parent)
}

/// Validates the rules of [`validate_against_parent`] that need no parameters.
fn validate_fields_against_parent(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	validate_parent_hash(header, parent)?;
	validate_number(header, parent)?;
	validate_timestamp(header, parent)?;
	validate_gas_limit_bound(header, parent)
}

/// Validates the rules of [`validate_static`] and [`validate_against_parent`] that are the same on every chain: all but
/// those for the difficulty, which only the engine knows for every block.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn validate_without_difficulty(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	validate_static_fields(header)?;
	validate_fields_against_parent(header, parent)
}

/// Validates the paper's algorithm 2 except for the seal and the uncles: [`validate_static`], then
/// [`validate_against_parent`], then [`validate_not_future`]. `now` is in seconds since the Unix epoch.
///
/// The clock is checked last. So if the result is [`Rejection::Transient`], every other rule that is checked
/// here is satisfied, and the header may become valid as time passes. The seal is not checked here: before
/// keeping such a header for later, check [`validate_seal_quick`](crate::validate_seal_quick).
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn validate_header(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
	now: u64,
) -> Result<(), Rejection> {
	validate_static(params, header)?;
	validate_against_parent(params, header, parent)?;
	validate_not_future(header, now)?;
	Ok(())
}

/// Validates that |H_x| ≤ 32 bytes (paper, algorithm 2).
///
/// # Errors
///
/// Returns [`HeaderError::ExtraDataTooLong`] if it is longer.
pub fn validate_extra_data(header: &PowHeader) -> Result<(), HeaderError> {
	let got = header.pre.extra_data.len();
	if got > MAX_EXTRA_DATA {
		return Err(HeaderError::ExtraDataTooLong {
			got,
			maximum: MAX_EXTRA_DATA,
		});
	}
	Ok(())
}

/// Validates that H_p is the hash of `parent` (yellow paper, section 4.3.4).
///
/// # Errors
///
/// Returns [`HeaderError::ParentHash`] if it is not.
pub fn validate_parent_hash(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	GotExpected::check(header.parent_hash, parent.hash).map_err(HeaderError::ParentHash)
}

/// Validates that H_i = P(H)_i + 1 (paper, algorithm 2, where H_i is misprinted as H_l).
///
/// # Errors
///
/// Returns [`HeaderError::Number`] if it is not.
pub fn validate_number(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	// The sum is computed in 64 bits, so that even the maximum `u32` has a successor to compare with.
	let expected = u64::from(parent.number).saturating_add(1);
	GotExpected::check(header.number.into(), expected).map_err(HeaderError::Number)
}

/// Validates that H_s > P(H)_s (paper, algorithm 2).
///
/// # Errors
///
/// Returns [`HeaderError::TimestampNotAfterParent`] if it is not.
pub fn validate_timestamp(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	let got = header.pre.timestamp;
	if got <= parent.timestamp {
		return Err(HeaderError::TimestampNotAfterParent {
			got,
			parent: parent.timestamp,
		});
	}
	Ok(())
}

/// Validates that H_c may mine, by the rules of the header's own number. `may_mine` looks that up in the state after the block's parent, and is not
/// called if anyone may mine.
///
/// # Errors
///
/// Returns [`HeaderError::Beneficiary`] if it may not, or the error of `may_mine`.
pub fn validate_beneficiary<E: From<Rejection>>(
	params: &ChainParameters,
	header: &PowHeader,
	may_mine: impl FnOnce(Miners, &AccountId) -> Result<bool, E>,
) -> Result<(), E> {
	let miners = params.at(header.number).miners;
	let beneficiary = &header.pre.beneficiary;
	if miners == Miners::Anyone || may_mine(miners, beneficiary)? {
		return Ok(());
	}
	let got = <[u8; 32]>::from(beneficiary.clone()).into();
	Err(Rejection::from(HeaderError::Beneficiary { got, miners }).into())
}

/// Validates that H_t is the root of the transactions in the body (yellow paper, section 4.3.2).
///
/// The trie may use either of Substrate's state versions, because a runtime upgrade can change the version.
///
/// # Errors
///
/// Returns [`HeaderError::ExtrinsicsRoot`] if it is the root in neither version.
pub fn validate_extrinsics_root(
	header: &Header,
	body: &[OpaqueExtrinsic],
) -> Result<(), HeaderError> {
	let root = |version| {
		BlakeTwo256::ordered_trie_root(body.iter().map(Encode::encode).collect(), version)
	};
	let got = header.extrinsics_root;
	match GotExpected::check(got, root(StateVersion::V0)) {
		Err(_) if got == root(StateVersion::V1) => Ok(()),
		checked => checked.map_err(HeaderError::ExtrinsicsRoot),
	}
}

/// Validates that H_s is at most [`ALLOWED_FUTURE_SECONDS`] after `now`, in seconds since the Unix epoch.
///
/// # Errors
///
/// Returns [`FutureTimestamp`] if it is later. The header may become valid as time passes.
pub fn validate_not_future(header: &PowHeader, now: u64) -> Result<(), FutureTimestamp> {
	let got = header.pre.timestamp;
	let latest = now.saturating_add(ALLOWED_FUTURE_SECONDS);
	if got > latest {
		return Err(FutureTimestamp { got, latest });
	}
	Ok(())
}
