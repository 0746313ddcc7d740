// SPDX-License-Identifier: Apache-2.0
//! Defines a chain's consensus parameters, and the constants that are the same on every chain.
//!
//! The parameters are part of the genesis state. The engine reads them from there once, and never calls a
//! later runtime for them, so that an upgrade on a fork cannot change the rules.

use crate::Difficulty;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// The maximum number of uncles that a block may name (yellow paper, section 11.1).
pub const MAX_UNCLES: u32 = 2;
/// An uncle's parent is an ancestor of the block that names it, at most this many generations above
/// that block's parent (yellow paper, section 11.1).
pub const MAX_UNCLE_GENERATIONS: u32 = 6;
/// Bounds how far a block's gas limit may be from its parent's: |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋ (paper,
/// algorithm 2).
pub const GAS_LIMIT_BOUND_DIVISOR: u64 = 1024;
/// The minimum gas limit of a block (paper, algorithm 2).
pub const MIN_GAS_LIMIT: u64 = 125_000;
/// The parent's difficulty divided by this number is one step of the difficulty (yellow paper, equation 43).
pub const DIFFICULTY_BOUND_DIVISOR: u64 = 2048;
/// D_0: the minimum difficulty (yellow paper, equation 41), unless the chain sets its own.
pub const DEFAULT_MINIMUM_DIFFICULTY: u64 = 131_072;
/// How many seconds a block's timestamp (H_s) may be ahead of the clock when the block arrives (geth's
/// `allowedFutureBlockTime`).
pub const ALLOWED_FUTURE_SECONDS: u64 = 15;
/// The `ref_time` of one gas, in picoseconds: 100 ns.
pub const REF_TIME_PER_GAS: u64 = 100_000;
/// The gas of one byte of a transaction's call. Six mebibytes, which is what ordinary transactions may fill of a
/// block's length, use 12.6 million gas, most of the 15 million that they may use of a full block.
pub const GAS_PER_BYTE: u64 = 2;

/// How a block's difficulty is computed from its parent's.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	TypeInfo,
	MaxEncodedLen,
	Debug,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum DifficultyRule {
	/// Homestead's rule D(H): the parent's difficulty, adjusted to the time since the parent.
	Homestead {
		/// Whether ε = ⌊2^(⌊H_i/100000⌋−2)⌋, the difficulty bomb, is added.
		bomb: bool,
	},
	/// Every block has the difficulty D_0. This is for development chains, which mine on demand.
	Fixed,
	/// The parent's difficulty, adjusted continuously and exponentially to the time since the parent: Bitcoin Cash's
	/// ASERT, relative to the parent. A block should take 13 s, and one that takes 600 s longer halves the difficulty.
	Asert,
}

/// Which sizes Ethash's cache and dataset have.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	TypeInfo,
	MaxEncodedLen,
	Debug,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum EthashSizes {
	/// Ethereum's sizes: a cache of 16 MiB and a dataset of 1 GiB in epoch 0. Both grow with each epoch.
	Full,
	/// A cache of 16 KiB and a dataset of 1 MiB in every epoch, for development chains. They are generated
	/// instantly, but give no protection.
	Development,
}

/// Who may mine: whose account a block, or an uncle of it, may name as its beneficiary (H_c). The state after the
/// block's parent decides.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Default,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Miners {
	/// Anyone.
	#[default]
	Anyone,
	/// Registered producers and verifiers. Anyone who pays the deposit may register.
	Producers,
	/// Verifiers, whom more than two thirds of the others admitted.
	Verifiers,
}

/// The consensus parameters of a chain.
#[derive(Clone, PartialEq, Eq, Encode, TypeInfo, MaxEncodedLen, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainParameters {
	/// The sizes of Ethash's cache and dataset.
	pub ethash: EthashSizes,
	/// D(H): how the difficulty is computed from the parent's.
	pub difficulty_rule: DifficultyRule,
	/// D_0: the minimum difficulty of a block.
	pub minimum_difficulty: Difficulty,
	/// H_d of the genesis block.
	pub genesis_difficulty: Difficulty,
	/// H_l of the genesis block, in gas.
	pub genesis_gas_limit: u64,
	/// H_s of the genesis block, in seconds since the Unix epoch.
	pub genesis_timestamp: u64,
	/// What a block's miner earns, in the currency's smallest unit, without what it earns for naming uncles.
	pub block_reward: u128,
	/// Who may mine.
	#[serde(default)]
	pub miners: Miners,
}

/// Reads the parameters of an older chain too, from its state, its runtime or a node's database. They end where a newer
/// field begins, and the field has its default value then. The parameters are always the last thing that is encoded.
impl Decode for ChainParameters {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		Ok(Self {
			ethash: Decode::decode(input)?,
			difficulty_rule: Decode::decode(input)?,
			minimum_difficulty: Decode::decode(input)?,
			genesis_difficulty: Decode::decode(input)?,
			genesis_gas_limit: Decode::decode(input)?,
			genesis_timestamp: Decode::decode(input)?,
			block_reward: Decode::decode(input)?,
			miners: match input.remaining_len()? {
				Some(0) => Miners::default(),
				_ => Decode::decode(input)?,
			},
		})
	}
}

impl Default for ChainParameters {
	/// Returns Homestead's rules without the bomb, with Ethereum's sizes and a block reward of 5 IST.
	fn default() -> Self {
		Self {
			ethash: EthashSizes::Full,
			difficulty_rule: DifficultyRule::Homestead { bomb: false },
			minimum_difficulty: DEFAULT_MINIMUM_DIFFICULTY.into(),
			genesis_difficulty: DEFAULT_MINIMUM_DIFFICULTY.into(),
			genesis_gas_limit: 20_000_000,
			genesis_timestamp: 0,
			block_reward: 5 * crate::UNIT,
			miners: Miners::Anyone,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The default parameters as every version before the field `miners` encoded them.
	fn before_miners() -> ([u8; 3], Difficulty, Difficulty, u64, u64, u128) {
		let parameters = ChainParameters::default();
		(
			// Full sizes; Homestead without the bomb.
			[0, 0, 0],
			parameters.minimum_difficulty,
			parameters.genesis_difficulty,
			parameters.genesis_gas_limit,
			parameters.genesis_timestamp,
			parameters.block_reward,
		)
	}

	#[test]
	fn parameters_of_an_older_chain_are_read() {
		let old = before_miners().encode();
		let read = ChainParameters::decode(&mut &old[..]);
		assert_eq!(read, Ok(ChainParameters::default()));
		assert!(ChainParameters::decode(&mut &old[..old.len() - 1]).is_err());
		let json = serde_json::to_string(&ChainParameters::default()).unwrap();
		let without = json.replace(",\"miners\":\"anyone\"", "");
		assert_ne!(json, without);
		let read: ChainParameters = serde_json::from_str(&without).unwrap();
		assert_eq!(read, ChainParameters::default());
	}

	#[test]
	fn parameters_are_read_as_they_were_written() {
		let parameters = ChainParameters {
			difficulty_rule: DifficultyRule::Asert,
			miners: Miners::Verifiers,
			..Default::default()
		};
		let encoded = parameters.encode();
		assert!(encoded.len() <= ChainParameters::max_encoded_len());
		assert_eq!(
			ChainParameters::decode(&mut &encoded[..]),
			Ok(parameters.clone())
		);
		let json = serde_json::to_value(&parameters).unwrap();
		assert_eq!(
			(&json["difficultyRule"], &json["miners"]),
			(&"asert".into(), &"verifiers".into())
		);
		assert_eq!(
			serde_json::from_value::<ChainParameters>(json).unwrap(),
			parameters
		);
	}
}
