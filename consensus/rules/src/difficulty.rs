// SPDX-License-Identifier: Apache-2.0
//! Computes D(H), the difficulty that a block must have according to its parent, and the total difficulty of
//! a chain, which the fork choice compares.

use crate::{
	asert::asert,
	error::{GotExpected, HeaderError},
	parent::Parent,
};
use isthmus_primitives::{
	digest::PowHeader,
	params::{ChainParameters, DifficultyRule, DIFFICULTY_BOUND_DIVISOR},
	Difficulty, TotalDifficulty,
};
use polkadot_sdk::sp_core::U256;

/// The number of seconds between a block and its parent that count as one step of the difficulty (yellow
/// paper, section 4.3.4). The difficulty rises if a block takes less than 10 s, stays the same at 10 to 19 s,
/// and falls above that.
pub const DIFFICULTY_STEP_SECONDS: u64 = 10;
/// The maximum number of steps by which one block can lower the difficulty (yellow paper, section 4.3.4).
pub const MAX_DIFFICULTY_STEPS: u64 = 99;
/// The number of blocks after which the bomb doubles (yellow paper, section 4.3.4).
pub const BOMB_PERIOD: u32 = 100_000;

/// Returns D(H), the difficulty of the child of `parent` with the timestamp H_s = `timestamp`, in seconds
/// since the Unix epoch, by the [`DifficultyRule`] of the child's number.
///
/// A sum that does not fit in 256 bits saturates. A timestamp before the parent's, which
/// [`validate_timestamp`](crate::validate_timestamp) rejects, is treated as the parent's own.
pub fn difficulty(params: &ChainParameters, parent: &Parent, timestamp: u64) -> Difficulty {
	let Difficulty(parent_difficulty) = parent.difficulty;
	let gap = timestamp.saturating_sub(parent.timestamp);
	let number = parent.number.saturating_add(1);
	let rules = params.at(number);
	let adjusted = match rules.difficulty_rule {
		DifficultyRule::Fixed => return rules.minimum_difficulty,
		DifficultyRule::Homestead { bomb: false } => homestead(parent_difficulty, gap),
		DifficultyRule::Homestead { bomb: true } => {
			homestead(parent_difficulty, gap).saturating_add(bomb(number))
		}
		DifficultyRule::Asert => asert(parent_difficulty, gap),
	};
	Difficulty(adjusted).max(rules.minimum_difficulty)
}

/// Returns Homestead's difficulty of a block that was found `gap` seconds after its parent, without the bomb (yellow
/// paper, section 4.3.4).
///
/// ```text
/// D(H) = max(D_0, P(H)_d + x·ς + ε)
/// x    = ⌊P(H)_d / 2048⌋
/// ς    = max(1 − ⌊(H_s − P(H)_s) / 10⌋, −99)
/// ε    = ⌊2^(⌊H_i / 100000⌋ − 2)⌋        the bomb, if the chain has it
/// ```
fn homestead(parent: U256, gap: u64) -> U256 {
	let x = parent / U256::from(DIFFICULTY_BOUND_DIVISOR);
	let steps = gap / DIFFICULTY_STEP_SECONDS;
	// ς = 1 − steps, one case per sign, because a U256 has no sign.
	match steps {
		0 => parent.saturating_add(x),
		// 99 times x is at most 99/2048 of the parent's difficulty, so neither operation can saturate.
		_ => {
			let fall = steps.saturating_sub(1).min(MAX_DIFFICULTY_STEPS);
			parent.saturating_sub(x.saturating_mul(U256::from(fall)))
		}
	}
}

/// Returns ε = ⌊2^(⌊H_i / 100000⌋ − 2)⌋, the amount that the bomb adds to the difficulty of block H_i =
/// `number` (yellow paper, section 4.3.4). A value that does not fit in 256 bits saturates.
pub fn bomb(number: u32) -> U256 {
	match (number / BOMB_PERIOD).checked_sub(2) {
		// 2^(−2) and 2^(−1), rounded down.
		None => U256::zero(),
		Some(exponent) if exponent < 256 => U256::one() << exponent,
		Some(_) => U256::MAX,
	}
}

/// Validates that H_d ≥ D_0 and that H_d is not zero. This needs no parent (yellow paper, section 4.3.4).
///
/// # Errors
///
/// Returns [`HeaderError::DifficultyTooLow`] if it is lower.
pub fn validate_minimum_difficulty(
	params: &ChainParameters,
	header: &PowHeader,
) -> Result<(), HeaderError> {
	let got = header.pre.difficulty;
	let rules = params.at(header.number);
	let minimum = rules.minimum_difficulty.max(U256::one().into());
	if got < minimum {
		return Err(HeaderError::DifficultyTooLow { got, minimum });
	}
	Ok(())
}

/// Validates that H_d = D(H) (paper, algorithm 2).
///
/// # Errors
///
/// Returns [`HeaderError::Difficulty`] if it is not.
pub fn validate_difficulty(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
) -> Result<(), HeaderError> {
	let expected = difficulty(params, parent, header.pre.timestamp);
	GotExpected::check(header.pre.difficulty, expected).map_err(HeaderError::Difficulty)
}

/// Returns B_t = P(B)_t + H_d, a block's total difficulty: the sum over the chain that ends in this block.
/// `parent` is P(B)_t, the parent's total difficulty, and `own` is H_d, the block's own difficulty (yellow
/// paper, section 10).
///
/// # Errors
///
/// Returns [`HeaderError::TotalDifficultyOverflow`] if the sum does not fit in 256 bits.
pub fn total_difficulty(
	parent: TotalDifficulty,
	own: Difficulty,
) -> Result<TotalDifficulty, HeaderError> {
	parent
		.checked_add(own)
		.ok_or(HeaderError::TotalDifficultyOverflow { parent, got: own })
}

/// Returns what a block weighs in the fork choice: P(B)_t + P(B)_d, the total difficulty of its parent and the
/// parent's difficulty once more, or D_0 instead of the latter if the chain's difficulty is fixed. `parent_total` is
/// P(B)_t.
///
/// The block's own difficulty follows from its own timestamp, so it does not count until another block is built on it.
/// Blocks on the same parent therefore weigh the same, and no clock decides between them. A block weighs more than its
/// parent under every rule, as no rule allows a difficulty of half of the parent's or less. That holds where the rules
/// change, too, because no change makes a difficulty fixed that was not, and one that is fixed may fall freely.
///
/// A sum that does not fit in 256 bits saturates.
pub fn weight(
	params: &ChainParameters,
	parent: &Parent,
	parent_total: TotalDifficulty,
) -> TotalDifficulty {
	let rules = params.at(parent.number.saturating_add(1));
	parent_total.saturating_add(match rules.difficulty_rule {
		DifficultyRule::Fixed => rules.minimum_difficulty,
		DifficultyRule::Homestead { .. } | DifficultyRule::Asert => parent.difficulty,
	})
}
