// SPDX-License-Identifier: Apache-2.0
//! Checks the header fields that the miner fixed against the parent's, with the rules of `isthmus-rules`.
//!
//! The rules read a whole sealed header. When a block begins, the runtime does not yet know its seal, its
//! hash or the gas used (H_g), and sets them to zero. No rule used here reads the first two, and zero gas
//! is never above the limit. [`CheckGasLimit`](crate::CheckGasLimit) keeps the gas used within the limit
//! during execution.

use crate::Head;
use isthmus_primitives::{
	digest::{PowHeader, PreDigest, Seal},
	params::ChainParameters,
	Hash,
};
use isthmus_rules::{validate_static, validate_without_difficulty, HeaderError, Parent};

/// How many units of the timestamp inherent (milliseconds) are in one unit of H_s (seconds).
pub const MILLISECONDS_PER_SECOND: u64 = 1000;

/// Checks the paper's algorithm 2 without the seal, the difficulty, the uncles and the clock: the length of the
/// extra data H_x, and the gas limit H_l and timestamp H_s against the parent's. The engine alone checks the
/// difficulty H_d, as it does the seal, because a node's own table may change its rules at a height.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn check(
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
	validate_without_difficulty(&unsealed(parent_hash, number, pre), &parent)
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
	// The difficulty of later blocks may fall to the minimum, D_0, so D_0 must also be a valid difficulty.
	let lowest = PowHeader {
		pre: PreDigest {
			difficulty: parameters.at(0).minimum_difficulty,
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
