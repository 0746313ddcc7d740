//! What a block's miner and its uncles' miners earn, in the currency's smallest unit (yellow paper,
//! section 11.3).

use isthmus_primitives::{params::MAX_UNCLE_GENERATIONS, Balance};

/// The divisor of what a miner earns for naming one uncle (yellow paper, section 11.3).
const NEPHEW_DIVISOR: Balance = 32;
/// The divisor of what an uncle's miner loses with each generation (yellow paper, section 11.3).
const UNCLE_DIVISOR: u32 = 8;

/// What a miner earns on top for naming one uncle: R / 32, rounded down.
pub fn nephew_reward(block_reward: Balance) -> Balance {
	block_reward / NEPHEW_DIVISOR
}

/// What the miner of a block with `uncles` uncles earns: R·(1 + ‖B_U‖ / 32).
///
/// Each uncle's part is rounded down by itself. A sum beyond 128 bits is the greatest 128-bit number.
pub fn miner_reward(block_reward: Balance, uncles: u32) -> Balance {
	block_reward.saturating_add(nephew_reward(block_reward).saturating_mul(Balance::from(uncles)))
}

/// What the miner of the uncle U earns from the block H that names it: R·(8 + U_i − H_i) / 8, rounded
/// down.
///
/// `None` where U_i is not 1 to 6 under H_i: such a block is no uncle of H.
pub fn uncle_reward(block_reward: Balance, uncle: u32, block: u32) -> Option<Balance> {
	let generations = block.checked_sub(uncle)?;
	if !(1..=MAX_UNCLE_GENERATIONS).contains(&generations) {
		return None;
	}
	let divisor = Balance::from(UNCLE_DIVISOR);
	let eighths = Balance::from(UNCLE_DIVISOR.checked_sub(generations)?);
	// Whole eighths and the rest apart, so that no product passes 128 bits: exact, since the whole
	// part's product needs no rounding.
	let whole = (block_reward / divisor).saturating_mul(eighths);
	let rest = (block_reward % divisor).saturating_mul(eighths) / divisor;
	Some(whole.saturating_add(rest))
}
