//! The rules of one header against its parent, but for those of difficulty, gas and seal, and the
//! lists of them all.

use crate::{
	difficulty::{validate_difficulty, validate_minimum_difficulty},
	gas::{
		validate_gas_limit_bound, validate_gas_limit_maximum, validate_gas_limit_minimum,
		validate_gas_used,
	},
	FutureTimestamp, HeaderError, PowHeader, Rejection,
};
use codec::Encode;
use isthmus_primitives::{
	digest::MAX_EXTRA_DATA,
	params::{ChainParameters, ALLOWED_FUTURE_SECONDS},
	Header,
};
use polkadot_sdk::{
	sp_core::{storage::StateVersion, H256, U256},
	sp_runtime::{
		traits::{BlakeTwo256, Hash as _},
		OpaqueExtrinsic,
	},
};

/// P(H): what the rules ask of a header's parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parent {
	/// The parent's hash.
	pub hash: H256,
	/// P(H)_i.
	pub number: u32,
	/// P(H)_d.
	pub difficulty: U256,
	/// P(H)_l, in gas.
	pub gas_limit: u64,
	/// P(H)_s, in seconds since the Unix epoch.
	pub timestamp: u64,
}

impl Parent {
	/// The genesis block. Its header has no digest; the parameters, part of its state, speak for it.
	pub fn genesis(hash: H256, params: &ChainParameters) -> Self {
		Self {
			hash,
			number: 0,
			difficulty: params.genesis_difficulty,
			gas_limit: params.genesis_gas_limit,
			timestamp: params.genesis_timestamp,
		}
	}

	/// Any other block.
	pub fn of(header: &PowHeader) -> Self {
		Self {
			hash: header.hash,
			number: header.number,
			difficulty: header.pre.difficulty,
			gas_limit: header.pre.gas_limit,
			timestamp: header.pre.timestamp,
		}
	}
}

/// The rules that need neither parent, clock nor hashing, cheapest first.
///
/// # Errors
///
/// The first broken rule's.
pub fn validate_static(params: &ChainParameters, header: &PowHeader) -> Result<(), HeaderError> {
	validate_extra_data(header)?;
	validate_gas_used(header)?;
	validate_gas_limit_minimum(header)?;
	validate_gas_limit_maximum(header)?;
	validate_minimum_difficulty(params, header)
}

/// [`validate_static`], and the rules against the parent, cheapest first. Needs no clock, so the answer
/// never changes.
///
/// # Errors
///
/// The first broken rule's.
pub fn validate_against_parent(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
) -> Result<(), HeaderError> {
	validate_static(params, header)?;
	validate_parent_hash(header, parent)?;
	validate_number(header, parent)?;
	validate_timestamp(header, parent)?;
	validate_gas_limit_bound(header, parent)?;
	validate_difficulty(params, header, parent)
}

/// The paper's algorithm 2 but for the seal and the uncles: [`validate_against_parent`], and the future.
/// `now` is in seconds since the Unix epoch.
///
/// The future comes last, so that [`Rejection::Transient`] means that nothing but time and the seal
/// are missing. Check [`validate_seal_quick`](crate::validate_seal_quick) before keeping such a header
/// for later.
///
/// # Errors
///
/// The first broken rule's.
pub fn validate_header(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
	now: u64,
) -> Result<(), Rejection> {
	validate_against_parent(params, header, parent)?;
	validate_not_future(header, now)?;
	Ok(())
}

/// |H_x| ≤ 32 (paper, algorithm 2).
///
/// # Errors
///
/// [`HeaderError::ExtraDataTooLong`].
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

/// H_p is the hash of `parent` (yellow paper, section 4.3.4).
///
/// # Errors
///
/// [`HeaderError::ParentHash`].
pub fn validate_parent_hash(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	let (got, expected) = (header.parent_hash, parent.hash);
	if got != expected {
		return Err(HeaderError::ParentHash { got, expected });
	}
	Ok(())
}

/// H_i = P(H)_i + 1 (paper, algorithm 2, where H_i is misprinted as H_l).
///
/// # Errors
///
/// [`HeaderError::Number`].
pub fn validate_number(header: &PowHeader, parent: &Parent) -> Result<(), HeaderError> {
	let got = header.number;
	// In 64 bits, so that the last number a `u32` holds has a successor to be compared with.
	let expected = u64::from(parent.number).saturating_add(1);
	if u64::from(got) != expected {
		return Err(HeaderError::Number { got, expected });
	}
	Ok(())
}

/// H_s > P(H)_s (paper, algorithm 2).
///
/// # Errors
///
/// [`HeaderError::TimestampNotAfterParent`].
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

/// H_t is the root of the transactions in the body (yellow paper, section 4.3.2). The root's trie may
/// be of either version of the framework's state: a runtime upgrade changes it.
///
/// # Errors
///
/// [`HeaderError::ExtrinsicsRoot`].
pub fn validate_extrinsics_root(
	header: &Header,
	body: &[OpaqueExtrinsic],
) -> Result<(), HeaderError> {
	let root = |version| {
		BlakeTwo256::ordered_trie_root(body.iter().map(Encode::encode).collect(), version)
	};
	let (got, expected) = (header.extrinsics_root, root(StateVersion::V0));
	if got != expected && got != root(StateVersion::V1) {
		return Err(HeaderError::ExtrinsicsRoot { got, expected });
	}
	Ok(())
}

/// H_s is at most [`ALLOWED_FUTURE_SECONDS`] after `now`, in seconds since the Unix epoch.
///
/// # Errors
///
/// [`FutureTimestamp`], which time heals.
pub fn validate_not_future(header: &PowHeader, now: u64) -> Result<(), FutureTimestamp> {
	let got = header.pre.timestamp;
	let latest = now.saturating_add(ALLOWED_FUTURE_SECONDS);
	if got > latest {
		return Err(FutureTimestamp { got, latest });
	}
	Ok(())
}
