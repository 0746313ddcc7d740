//! Holding the fields that a header's miner fixed against the parent's, with the rules of
//! `isthmus-rules`.
//!
//! The rules read a whole sealed header. When a block begins, the runtime has neither its seal, its
//! hash nor H_g; they are left zero, and no rule listed here reads the first two. H_g ≤ H_l is then
//! true of nothing yet: [`CheckGasLimit`](crate::CheckGasLimit) keeps it.

use crate::Head;
use isthmus_primitives::{
	digest::{PowHeader, PreDigest, Seal},
	params::ChainParameters,
	Hash,
};
use isthmus_rules::{validate_against_parent, validate_static, HeaderError, Parent};

/// The timestamp inherent counts milliseconds, and H_s seconds.
pub const MILLISECONDS_PER_SECOND: u64 = 1000;

/// Algorithm 2, but for the seal, the uncles and the clock: |H_x|, H_l, H_s and H_d against the
/// parent's.
///
/// # Errors
///
/// The first broken rule's.
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

/// The rules that need no parent, of the genesis block.
///
/// # Errors
///
/// The first broken rule's.
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
	// H_d of every later block may come down to D_0, which must be a difficulty, too.
	let lowest = PowHeader {
		pre: PreDigest {
			difficulty: parameters.minimum_difficulty,
			..genesis.pre
		},
		..genesis
	};
	validate_static(parameters, &lowest)
}

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
