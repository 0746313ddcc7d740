// SPDX-License-Identifier: Apache-2.0
//! Checks the header fields that the miner fixed against the parent's, with the rules of `isthmus-rules`.
//!
//! The rules read a whole sealed header. When a block begins, the runtime does not have its seal, its hash
//! or H_g yet, and sets them to zero. No rule used here reads the first two, and H_g ≤ H_l holds trivially
//! at that point: [`CheckGasLimit`](crate::CheckGasLimit) maintains it.

use crate::Head;
use isthmus_primitives::{
	digest::{PowHeader, PreDigest, Seal},
	params::ChainParameters,
	Hash,
};
use isthmus_rules::{validate_against_parent, validate_static, HeaderError, Parent};

/// The unit of H_s, one second, in the timestamp inherent's unit.
pub const MILLISECONDS_PER_SECOND: u64 = 1000;

/// Checks algorithm 2 without the seal, the uncles and the clock: |H_x|, and H_l, H_s and H_d against the
/// parent's.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn check(
	parameters: &ChainParameters,
	parent: &Head,
	parent_hash: Hash,
	number: u32,
	pre: PreDigest,
) -> Result<(), HeaderError> {
	let parent = Parent {
		hash: parent_hash,
		number: number.saturating_sub(1),
		difficulty: parent.difficulty,
		gas_limit: parent.gas_limit,
		timestamp: parent.timestamp,
	};
	let header = unsealed(parent_hash, number, pre);
	validate_static(parameters, &header)?;
	validate_against_parent(parameters, &header, &parent)
}

/// Checks the genesis block against the rules that need no parent.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn check_genesis(parameters: &ChainParameters) -> Result<(), HeaderError> {
	let Head {
		beneficiary,
		difficulty,
		gas_limit,
		timestamp,
		uncles_hash,
	} = Head::genesis(parameters);
	let pre = PreDigest {
		beneficiary,
		difficulty,
		gas_limit,
		timestamp,
		uncles_hash,
		extra_data: Default::default(),
	};
	let genesis = unsealed(Hash::zero(), 0, pre);
	validate_static(parameters, &genesis)?;
	// H_d of later blocks may fall to D_0, so D_0 must also be a valid difficulty.
	let lowest = PowHeader {
		pre: PreDigest {
			difficulty: parameters.minimum_difficulty,
			..genesis.pre
		},
		..genesis
	};
	validate_static(parameters, &lowest)
}

/// Returns a header with these fields, and zeros for the fields that are not known yet.
fn unsealed(parent_hash: Hash, number: u32, pre: PreDigest) -> PowHeader {
	PowHeader {
		parent_hash,
		number,
		pre,
		gas_used: 0,
		seal: Seal {
			mix_hash: Hash::zero(),
			nonce: 0,
		},
		seal_hash: Hash::zero(),
		hash: Hash::zero(),
	}
}
