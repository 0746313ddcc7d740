// SPDX-License-Identifier: Apache-2.0
//! Defines a chain's consensus parameters, and the constants that are the same on every chain.
//!
//! The parameters are part of the genesis state. The engine reads them from there once, and never calls a
//! later runtime for them, so that an upgrade on a fork cannot change the rules. [`ChainParameters::at`] says
//! which rules a block has, and is the only way to them: some may change at a height ([`RuleChange`]).

use crate::{BlockNumber, Difficulty};
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use polkadot_sdk::sp_runtime::{traits::ConstU32, BoundedVec};
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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

/// The maximum number of changes of a chain's rules, those of a node's own table included.
pub const MAX_CHANGES: u32 = 16;

/// The changes of a chain's rules, lowest height first.
pub type Changes = BoundedVec<RuleChange, ConstU32<MAX_CHANGES>>;

/// A change of a chain's rules at a height. A rule that it does not name stays as it is.
///
/// Ethash's sizes are not among them: miners' datasets and the epochs of all blocks depend on them. The
/// fields of the genesis block never change. The gas limit has no parameter but the genesis block's, since
/// miners vote on it, block by block.
#[derive(
	Clone,
	Default,
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleChange {
	/// The number of the first block with these rules.
	pub from_block: BlockNumber,
	/// D(H): how the difficulty is computed from the parent's. It cannot become [`DifficultyRule::Fixed`].
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub difficulty_rule: Option<DifficultyRule>,
	/// D_0: the minimum difficulty of a block.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub minimum_difficulty: Option<Difficulty>,
	/// Who may mine.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub miners: Option<Miners>,
	/// What a block's miner earns. A node's own table cannot change it.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub block_reward: Option<u128>,
}

impl RuleChange {
	/// Returns the rules after this change.
	fn apply(&self, rules: Rules) -> Rules {
		Rules {
			difficulty_rule: self.difficulty_rule.unwrap_or(rules.difficulty_rule),
			minimum_difficulty: self.minimum_difficulty.unwrap_or(rules.minimum_difficulty),
			miners: self.miners.unwrap_or(rules.miners),
			block_reward: self.block_reward.unwrap_or(rules.block_reward),
		}
	}

	/// Checks that the change is one, and a safe one.
	fn check(&self) -> Result<(), ChangesError> {
		let from_block = self.from_block;
		let nothing = Self {
			from_block,
			..Self::default()
		};
		if from_block == 0 {
			return Err(ChangesError::AtGenesis);
		}
		if *self == nothing {
			return Err(ChangesError::Nothing { from_block });
		}
		if self.difficulty_rule == Some(DifficultyRule::Fixed) {
			return Err(ChangesError::Fixed { from_block });
		}
		if self.minimum_difficulty == Some(0.into()) {
			return Err(ChangesError::NoDifficulty { from_block });
		}
		Ok(())
	}
}

/// The rules of one block: the parameters that may change with the height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
	/// D(H): how the difficulty is computed from the parent's.
	pub difficulty_rule: DifficultyRule,
	/// D_0: the minimum difficulty of a block.
	pub minimum_difficulty: Difficulty,
	/// Who may mine.
	pub miners: Miners,
	/// What a block's miner earns, in the currency's smallest unit, without what it earns for naming uncles.
	pub block_reward: u128,
}

/// Why changes of the rules are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChangesError {
	/// There are too many.
	#[error("there are {got} changes of the rules, but at most {MAX_CHANGES} are possible")]
	TooMany {
		/// How many there are.
		got: usize,
	},
	/// One begins with the genesis block.
	#[error(
		"a change of the rules has `fromBlock` 0, but the genesis block's rules are the parameters themselves: edit \
		 those, or set `fromBlock` to 1 or more"
	)]
	AtGenesis,
	/// Two begin with the same block.
	#[error("two changes of the rules begin with block {from_block}: put them into one")]
	Repeated {
		/// The block's number.
		from_block: BlockNumber,
	},
	/// One begins below the one before it.
	#[error(
		"the change of the rules from block {from_block} is after the one from block {before}: sort them by \
		 `fromBlock`"
	)]
	Unsorted {
		/// The first block of the one before it.
		before: BlockNumber,
		/// Its first block.
		from_block: BlockNumber,
	},
	/// One changes nothing.
	#[error(
		"the change of the rules from block {from_block} names no rule: remove it, or name one"
	)]
	Nothing {
		/// Its first block.
		from_block: BlockNumber,
	},
	/// One makes the difficulty fixed.
	#[error(
		"the change of the rules from block {from_block} makes the difficulty fixed, which only a chain's genesis can: \
		 choose another `difficultyRule`"
	)]
	Fixed {
		/// Its first block.
		from_block: BlockNumber,
	},
	/// One allows blocks without work.
	#[error(
		"the change of the rules from block {from_block} has a minimum difficulty of 0: set `minimumDifficulty` to 1 or \
		 more"
	)]
	NoDifficulty {
		/// Its first block.
		from_block: BlockNumber,
	},
	/// One of a node's own table changes the reward.
	#[error(
		"the planned change from block {from_block} names `blockReward`, which a node cannot change alone: change it \
		 with an upgrade of the runtime, or in the genesis of a new chain"
	)]
	PlannedReward {
		/// Its first block.
		from_block: BlockNumber,
	},
	/// One of a node's own table does not begin after those of genesis.
	#[error(
		"the planned change from block {from_block} does not begin after the last one of genesis, from block {last}: \
		 plan it for a later block"
	)]
	PlannedTooEarly {
		/// The first block of the last change of genesis.
		last: BlockNumber,
		/// Its first block.
		from_block: BlockNumber,
	},
}

/// The consensus parameters of a chain. Those that may change with the height are the first blocks' rules here, and
/// only [`Self::at`] reads them.
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
	/// The changes of the rules above, lowest height first.
	#[serde(default, skip_serializing_if = "none")]
	pub changes: Changes,
}

/// Returns whether there are no changes. They are left out of a specification then, which an older runtime can read.
fn none(changes: &Changes) -> bool {
	changes.is_empty()
}

impl ChainParameters {
	/// Returns the rules of the block with this number.
	pub fn at(&self, number: BlockNumber) -> Rules {
		let first = Rules {
			difficulty_rule: self.difficulty_rule,
			minimum_difficulty: self.minimum_difficulty,
			miners: self.miners,
			block_reward: self.block_reward,
		};
		self.changes
			.iter()
			.take_while(|change| change.from_block <= number)
			.fold(first, |rules, change| change.apply(rules))
	}

	/// Checks the changes of the rules.
	///
	/// # Errors
	///
	/// Returns the error of the first fault.
	pub fn check_changes(&self) -> Result<(), ChangesError> {
		check_changes(&self.changes)
	}

	/// Returns the parameters with the changes of a node's own table after those of genesis.
	///
	/// # Errors
	///
	/// Returns the error of the first fault of either list, or of the two together.
	pub fn with_planned(mut self, planned: &[RuleChange]) -> Result<Self, ChangesError> {
		self.check_changes()?;
		check_changes(planned)?;
		for change in planned {
			let from_block = change.from_block;
			if change.block_reward.is_some() {
				return Err(ChangesError::PlannedReward { from_block });
			}
		}
		if let (Some(last), Some(first)) = (self.changes.last(), planned.first()) {
			let (last, from_block) = (last.from_block, first.from_block);
			if from_block <= last {
				return Err(ChangesError::PlannedTooEarly { last, from_block });
			}
		}
		let all: alloc::vec::Vec<_> = self.changes.iter().chain(planned).cloned().collect();
		let got = all.len();
		self.changes = all.try_into().map_err(|_| ChangesError::TooMany { got })?;
		Ok(self)
	}
}

/// Checks a list of changes: each of them, their order and their number.
///
/// # Errors
///
/// Returns the error of the first fault.
pub fn check_changes(changes: &[RuleChange]) -> Result<(), ChangesError> {
	let got = changes.len();
	if got > MAX_CHANGES as usize {
		return Err(ChangesError::TooMany { got });
	}
	let mut before = 0;
	for change in changes {
		change.check()?;
		let from_block = change.from_block;
		if from_block == before {
			return Err(ChangesError::Repeated { from_block });
		}
		if from_block < before {
			return Err(ChangesError::Unsorted { before, from_block });
		}
		before = from_block;
	}
	Ok(())
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
			miners: newer(input)?,
			changes: newer(input)?,
		})
	}
}

/// Reads a newer field, or returns its default value where the input ends.
fn newer<T: Decode + Default>(input: &mut impl Input) -> Result<T, Error> {
	match input.remaining_len()? {
		Some(0) => Ok(T::default()),
		_ => T::decode(input),
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
			changes: Changes::default(),
		}
	}
}

#[cfg(test)]
mod tests;
