// SPDX-License-Identifier: Apache-2.0
//! Tests what miners and uncles' miners earn.

use isthmus_rules::{miner_reward, nephew_reward, uncle_reward};
use polkadot_sdk::sp_core::U256;
use proptest::prelude::*;

/// Homestead's R: 5 ether.
const FIVE: u128 = 5_000_000_000_000_000_000;

#[test]
fn an_uncle_is_worth_a_32nd_to_its_nephew() {
	assert_eq!(nephew_reward(FIVE), 156_250_000_000_000_000);
	assert_eq!(miner_reward(FIVE, 0), FIVE);
	assert_eq!(miner_reward(FIVE, 1), 5_156_250_000_000_000_000);
	assert_eq!(miner_reward(FIVE, 2), 5_312_500_000_000_000_000);
}

#[test]
fn an_uncle_loses_an_eighth_a_generation() {
	let cases = [
		(100, None),
		(99, Some(4_375_000_000_000_000_000)),
		(98, Some(3_750_000_000_000_000_000)),
		(97, Some(3_125_000_000_000_000_000)),
		(96, Some(2_500_000_000_000_000_000)),
		(95, Some(1_875_000_000_000_000_000)),
		(94, Some(1_250_000_000_000_000_000)),
		(93, None),
		(0, None),
		(101, None),
		(u32::MAX, None),
	];
	for (uncle, expected) in cases {
		assert_eq!(uncle_reward(FIVE, uncle, 100), expected, "uncle {uncle}");
	}
}

#[test]
fn small_rewards_are_rounded_down() {
	assert_eq!(nephew_reward(31), 0);
	assert_eq!(miner_reward(33, 2), 35);
	assert_eq!(uncle_reward(1, 9, 10), Some(0));
	assert_eq!(uncle_reward(9, 9, 10), Some(7));
	assert_eq!(uncle_reward(15, 4, 10), Some(3));
}

#[test]
fn the_greatest_reward_does_not_overflow() {
	assert_eq!(miner_reward(u128::MAX, 2), u128::MAX);
	assert_eq!(
		uncle_reward(u128::MAX, 9, 10),
		Some(u128::MAX - u128::MAX / 8 - 1)
	);
}

proptest! {
	#[test]
	fn an_uncle_earns_exact_eighths(reward in any::<u128>(), generations in 1u32..=6) {
		let exact = U256::from(reward) * U256::from(8 - generations) / 8;
		prop_assert_eq!(uncle_reward(reward, 50 - generations, 50).map(U256::from), Some(exact));
	}
}
