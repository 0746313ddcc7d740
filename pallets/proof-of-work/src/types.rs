// SPDX-License-Identifier: Apache-2.0
//! The types in the pallet's state: the parts of headers that the pallet keeps.

use codec::{Decode, Encode, MaxEncodedLen};
use isthmus_primitives::{
	digest::{uncles_hash, PreDigest},
	params::{ChainParameters, MAX_UNCLES, MAX_UNCLE_GENERATIONS},
	AccountId, Difficulty, Hash,
};
use scale_info::TypeInfo;

/// The maximum number of uncles named by recent blocks: this block, and the blocks of the six generations
/// to which an uncle can belong.
pub const MAX_RECENT_UNCLES: u32 = MAX_UNCLES * (MAX_UNCLE_GENERATIONS + 1);

/// The header fields that later steps need: everything that the miner fixed, except the extra data (H_x).
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Head {
	/// H_c: the account that receives the block's reward.
	pub beneficiary: AccountId,
	/// H_d: the difficulty.
	pub difficulty: Difficulty,
	/// H_l: the gas limit.
	pub gas_limit: u64,
	/// H_s: the timestamp, in seconds since the Unix epoch.
	pub timestamp: u64,
	/// H_o: the hash of the list of uncles.
	pub uncles_hash: Hash,
}

impl Head {
	/// Returns the fields of the genesis block, whose header has no digest. Its beneficiary is the zero
	/// account, as in Ethereum.
	pub fn genesis(parameters: &ChainParameters) -> Self {
		Self {
			beneficiary: AccountId::new([0; 32]),
			difficulty: parameters.genesis_difficulty,
			gas_limit: parameters.genesis_gas_limit,
			timestamp: parameters.genesis_timestamp,
			uncles_hash: uncles_hash(&[]),
		}
	}
}

impl Default for Head {
	/// Returns the fields of the genesis block of the default parameters.
	fn default() -> Self {
		Self::genesis(&ChainParameters::default())
	}
}

impl From<PreDigest> for Head {
	fn from(pre: PreDigest) -> Self {
		let PreDigest {
			beneficiary,
			difficulty,
			gas_limit,
			timestamp,
			uncles_hash,
			extra_data: _,
		} = pre;
		Self {
			beneficiary,
			difficulty,
			gas_limit,
			timestamp,
			uncles_hash,
		}
	}
}

/// An uncle that awaits its reward.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Uncle {
	/// The uncle's beneficiary (H_c).
	pub beneficiary: AccountId,
	/// U_i: the uncle's number.
	pub number: u32,
}
