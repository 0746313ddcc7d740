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

#[test]
fn the_reward_changes_at_its_height() {
	let change = |from_block, block_reward| RuleChange {
		from_block,
		block_reward: Some(block_reward),
		..Default::default()
	};
	let changes = vec![change(3, 2 * REWARD), change(5, 0)];
	let parameters = ChainParameters {
		changes: changes.try_into().expect("two changes fit"),
		..parameters()
	};
	on_chain_with(parameters, || {
		for reward in [REWARD, REWARD, 2 * REWARD, 2 * REWARD] {
			mine(&next_pre_digest());
			assert_eq!(events(), [rewarded(1, reward)]);
		}
		mine(&next_pre_digest());
		assert_eq!(events(), []);
	});
}

#[test]
fn an_uncle_from_before_a_change_is_paid_by_the_block_that_names_it() {
	let change = RuleChange {
		from_block: 3,
		block_reward: Some(2 * REWARD),
		..Default::default()
	};
	let parameters = ChainParameters {
		changes: vec![change].try_into().expect("one change fits"),
		..parameters()
	};
	on_chain_with(parameters, || {
		let blocks = mine_many(2);
		let uncles = vec![uncle_of(&blocks[1], 2)];
		begin(&pre_digest_naming(&uncles));
		assert_ok!(ProofOfWork::set_uncles(RuntimeOrigin::none(), uncles));
		end();
		assert_eq!(
			events(),
			[
				Event::UncleRewarded {
					beneficiary: account(2),
					number: 2,
					amount: 2 * REWARD * 7 / 8,
				},
				rewarded(1, 2 * REWARD + 2 * REWARD / 32),
			]
		);
	});
}
