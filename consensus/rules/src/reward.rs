// SPDX-License-Identifier: Apache-2.0
//! Computes what a block's miner and its uncles' miners earn, in the currency's smallest unit (yellow paper,
//! section 11.3).

use isthmus_primitives::{params::MAX_UNCLE_GENERATIONS, Balance};

/// For each uncle that it names, a miner earns the block reward divided by this number (yellow paper,
/// section 11.3).
const NEPHEW_DIVISOR: Balance = 32;
/// For each generation between an uncle and the block that names it, the uncle's miner loses the block reward
/// divided by this number (yellow paper, section 11.3).
const UNCLE_DIVISOR: u32 = 8;

/// Returns what a miner earns for naming one uncle, on top of the block reward R: R / 32, rounded down.
pub fn nephew_reward(block_reward: Balance) -> Balance {
	block_reward / NEPHEW_DIVISOR
}

/// Returns what the miner of a block with `uncles` uncles earns: R·(1 + ‖B_U‖ / 32), where R is the block
/// reward and ‖B_U‖ the number of uncles.
///
/// Each uncle's part is rounded down separately. A sum that does not fit in 128 bits saturates.
pub fn miner_reward(block_reward: Balance, uncles: u32) -> Balance {
	block_reward.saturating_add(nephew_reward(block_reward).saturating_mul(Balance::from(uncles)))
}

/// Returns what the miner of the uncle U earns from the block H that names it: R·(8 + U_i − H_i) / 8, rounded
/// down. R is the block reward, `uncle` is U_i and `block` is H_i.
///
/// Returns `None` if U_i is not 1 to 6 below H_i: such a block is not an uncle of H.
pub fn uncle_reward(block_reward: Balance, uncle: u32, block: u32) -> Option<Balance> {
	let generations = block.checked_sub(uncle)?;
	if !(1..=MAX_UNCLE_GENERATIONS).contains(&generations) {
		return None;
	}
	let divisor = Balance::from(UNCLE_DIVISOR);
	let eighths = Balance::from(UNCLE_DIVISOR.checked_sub(generations)?);
	// The whole eighths and the remainder are multiplied separately, so that no product exceeds 128
	// bits. The result is exact, since the whole part's product needs no rounding.
	let whole = (block_reward / divisor).saturating_mul(eighths);
	let rest = (block_reward % divisor).saturating_mul(eighths) / divisor;
	Some(whole.saturating_add(rest))
}
