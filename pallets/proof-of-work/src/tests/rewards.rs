// SPDX-License-Identifier: Apache-2.0
//! Tests the rewards of miners.

use super::*;

#[test]
fn the_miner_is_rewarded() {
	on_chain(|| {
		mine(&next_pre_digest());
		assert_eq!(events(), [rewarded(1, REWARD)]);
		mine(&PreDigest {
			beneficiary: account(2),
			..next_pre_digest()
		});
		assert_eq!(events(), [rewarded(2, REWARD)]);
		assert_eq!(Balances::free_balance(account(1)), REWARD);
		assert_eq!(Balances::free_balance(account(2)), REWARD);
		assert_eq!(Balances::total_issuance(), 2 * REWARD);
	});
}

#[test]
fn a_reward_that_cannot_be_minted_is_reported() {
	let poor = ChainParameters {
		block_reward: EXISTENTIAL_DEPOSIT - 1,
		..parameters()
	};
	on_chain_with(poor, || {
		mine(&next_pre_digest());
		assert_eq!(
			events(),
			[Event::RewardLost {
				beneficiary: account(1),
				amount: EXISTENTIAL_DEPOSIT - 1,
				reason: DispatchError::Token(TokenError::BelowMinimum),
			}]
		);
		assert_eq!(Balances::total_issuance(), 0);
	});
}

#[test]
fn a_reward_of_zero_deposits_no_event() {
	on_chain_with(
		ChainParameters {
			block_reward: 0,
			..parameters()
		},
		|| {
			mine(&next_pre_digest());
			assert_eq!(events(), []);
		},
	);
}
