//! D(H): how a block's difficulty follows from its parent's, and the sum that fork choice compares.

use crate::{HeaderError, Parent, PowHeader};
use isthmus_primitives::params::{ChainParameters, DifficultyRule, DIFFICULTY_BOUND_DIVISOR};
use polkadot_sdk::sp_core::U256;

/// The seconds between blocks at which the difficulty steps by one (yellow paper, section 4.3.4): it
/// rises under 10 s, and stands from 10 to 19 s.
pub const DIFFICULTY_STEP_SECONDS: u64 = 10;
/// The most steps by which one block lowers the difficulty (yellow paper, section 4.3.4).
pub const MAX_DIFFICULTY_STEPS: u64 = 99;
/// The number of blocks after which the bomb doubles (yellow paper, section 4.3.4).
pub const BOMB_PERIOD: u32 = 100_000;

/// D(H), the difficulty of the child of `parent` that has the timestamp H_s = `timestamp`, in seconds
/// since the Unix epoch (yellow paper, section 4.3.4).
///
/// ```text
/// D(H) = max(D_0, P(H)_d + x·ς + ε)
/// x    = ⌊P(H)_d / 2048⌋
/// ς    = max(1 − ⌊(H_s − P(H)_s) / 10⌋, −99)
/// ε    = ⌊2^(⌊H_i / 100000⌋ − 2)⌋        the bomb, where the chain has it
/// ```
///
/// A sum beyond 256 bits is the greatest 256-bit number. A timestamp before the parent's, which
/// [`validate_timestamp`](crate::validate_timestamp) refuses, counts as the parent's own.
pub fn difficulty(params: &ChainParameters, parent: &Parent, timestamp: u64) -> U256 {
	let bomb_is_on = match params.difficulty_rule {
		DifficultyRule::Fixed => return params.minimum_difficulty,
		DifficultyRule::Homestead { bomb } => bomb,
	};
	let x = parent.difficulty / U256::from(DIFFICULTY_BOUND_DIVISOR);
	let steps = timestamp.saturating_sub(parent.timestamp) / DIFFICULTY_STEP_SECONDS;
	// ς = 1 − steps, kept apart by its sign: U256 has none.
	let adjusted = match steps {
		0 => parent.difficulty.saturating_add(x),
		// 99 times x is at most 99/2048 of the parent's, so neither operation can saturate.
		_ => {
			let fall = steps.saturating_sub(1).min(MAX_DIFFICULTY_STEPS);
			parent
				.difficulty
				.saturating_sub(x.saturating_mul(U256::from(fall)))
		}
	};
	let epsilon = if bomb_is_on {
		bomb(parent.number.saturating_add(1))
	} else {
		U256::zero()
	};
	adjusted
		.saturating_add(epsilon)
		.max(params.minimum_difficulty)
}

/// ε = ⌊2^(⌊H_i / 100000⌋ − 2)⌋, the bomb of block H_i = `number` (yellow paper, section 4.3.4). What
/// 256 bits do not hold is the greatest number that they do.
pub fn bomb(number: u32) -> U256 {
	match (number / BOMB_PERIOD).checked_sub(2) {
		// 2^(−2) and 2^(−1), rounded down.
		None => U256::zero(),
		Some(exponent) if exponent < 256 => U256::one() << exponent,
		Some(_) => U256::MAX,
	}
}

/// H_d ≥ D_0, and never zero: known without the parent (yellow paper, section 4.3.4).
///
/// # Errors
///
/// [`HeaderError::DifficultyTooLow`].
pub fn validate_minimum_difficulty(
	params: &ChainParameters,
	header: &PowHeader,
) -> Result<(), HeaderError> {
	let got = header.pre.difficulty;
	let minimum = params.minimum_difficulty.max(U256::one());
	if got < minimum {
		return Err(HeaderError::DifficultyTooLow { got, minimum });
	}
	Ok(())
}

/// H_d = D(H) (paper, algorithm 2).
///
/// # Errors
///
/// [`HeaderError::Difficulty`].
pub fn validate_difficulty(
	params: &ChainParameters,
	header: &PowHeader,
	parent: &Parent,
) -> Result<(), HeaderError> {
	let got = header.pre.difficulty;
	let expected = difficulty(params, parent, header.pre.timestamp);
	if got != expected {
		return Err(HeaderError::Difficulty { got, expected });
	}
	Ok(())
}

/// B_t = P(B)_t + H_d, the total difficulty of a chain that ends in a block of difficulty `own`
/// (yellow paper, section 10).
///
/// # Errors
///
/// [`HeaderError::TotalDifficultyOverflow`], where the sum does not fit 256 bits.
pub fn total_difficulty(parent: U256, own: U256) -> Result<U256, HeaderError> {
	parent
		.checked_add(own)
		.ok_or(HeaderError::TotalDifficultyOverflow { parent, got: own })
}
