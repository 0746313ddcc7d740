// SPDX-License-Identifier: Apache-2.0
//! Tests the rules where they change with the height: the last block before, the first one after, and an uncle from
//! before that a block after names.

use crate::chain::{Chain, Draft};
use isthmus_primitives::{
	params::{ChainParameters, DifficultyRule, Miners, RuleChange},
	Difficulty, TotalDifficulty,
};
use isthmus_rules::{
	difficulty, validate_against_parent, validate_beneficiary, validate_static, weight,
	GotExpected, HeaderError, Parent, Rejection, UncleError,
};
use polkadot_sdk::sp_core::H256;
use proptest::prelude::*;
use std::slice;

/// Returns the parameters of the tests with these changes.
fn params(changes: &[RuleChange]) -> ChainParameters {
	ChainParameters {
		changes: changes.to_vec().try_into().expect("few changes fit"),
		..crate::chain::params()
	}
}

fn minimum(from_block: u32, minimum: u64) -> RuleChange {
	RuleChange {
		from_block,
		minimum_difficulty: Some(minimum.into()),
		..Default::default()
	}
}

fn rule(from_block: u32, rule: DifficultyRule) -> RuleChange {
	RuleChange {
		from_block,
		difficulty_rule: Some(rule),
		..Default::default()
	}
}

fn block(number: u32, difficulty: Difficulty, timestamp: u64) -> Parent {
	Parent {
		hash: H256::zero(),
		number,
		difficulty,
		gas_limit: 1 << 20,
		timestamp,
	}
}

#[test]
fn the_difficulty_rule_is_that_of_the_new_block_not_of_its_parent() {
	let params = params(&[rule(3, DifficultyRule::Asert)]);
	// 613 s are 60 steps of ⌊8192 / 2048⌋ = 4 for Homestead, and half of the difficulty for the continuous rule.
	let child_of = |number| difficulty(&params, &block(number, 8192.into(), 0), 613);
	assert_eq!(child_of(0), (8192 - 60 * 4).into());
	assert_eq!(child_of(1), (8192 - 60 * 4).into());
	assert_eq!(child_of(2), (8192 / 2 + 1).into());
	assert_eq!(child_of(3), (8192 / 2 + 1).into());
	assert_eq!(child_of(u32::MAX), (8192 / 2 + 1).into());
}

#[test]
fn a_fixed_difficulty_may_become_another_one_and_end() {
	let params = ChainParameters {
		difficulty_rule: DifficultyRule::Fixed,
		..params(&[
			minimum(2, 3000),
			rule(4, DifficultyRule::Homestead { bomb: false }),
		])
	};
	let mut last = block(0, params.genesis_difficulty, 0);
	let mut difficulties = Vec::new();
	for number in 1..=5 {
		let timestamp = last.timestamp + 1;
		last = block(number, difficulty(&params, &last, timestamp), timestamp);
		difficulties.push(last.difficulty.0.as_u64());
	}
	assert_eq!(difficulties, [2048, 3000, 3000, 3001, 3002]);
}

#[test]
fn the_minimum_is_that_of_the_headers_number() {
	let params = params(&[minimum(3, 8192)]);
	let parent = |number| block(number, 4096.into(), 1_000_000);
	for number in [1, 2] {
		let header = Draft::child_of(&params, &parent(number - 1)).unsealed();
		assert_eq!(header.pre.difficulty, 4096.into());
		assert_eq!(validate_static(&params, &header), Ok(()));
	}
	for number in [3, 4] {
		let mut draft = Draft::child_of(&params, &parent(number - 1));
		assert_eq!(draft.pre.difficulty, 8192.into());
		assert_eq!(validate_static(&params, &draft.unsealed()), Ok(()));
		draft.pre.difficulty = 8191.into();
		let too_low = HeaderError::DifficultyTooLow {
			got: 8191.into(),
			minimum: 8192.into(),
		};
		assert_eq!(validate_static(&params, &draft.unsealed()), Err(too_low));
	}
}

#[test]
fn a_header_by_the_rules_of_another_height_is_invalid() {
	let params = params(&[minimum(3, 8192)]);
	let unaware = crate::chain::params();
	let parent = block(2, 4096.into(), 1_000_000);
	let new = Draft::child_of(&params, &parent).unsealed();
	assert_eq!(validate_against_parent(&params, &new, &parent), Ok(()));
	let wrong = HeaderError::Difficulty(GotExpected {
		got: 8192.into(),
		expected: 4096.into(),
	});
	let verdict = validate_against_parent(&unaware, &new, &parent);
	assert_eq!(verdict, Err(wrong));
	let old = Draft::child_of(&unaware, &parent).unsealed();
	let wrong = HeaderError::Difficulty(GotExpected {
		got: 4096.into(),
		expected: 8192.into(),
	});
	let verdict = validate_against_parent(&params, &old, &parent);
	assert_eq!(verdict, Err(wrong));
}

#[test]
fn an_uncle_has_the_rules_of_its_own_height() {
	// Block 4 is the first with the higher minimum, and block 5 names uncles with the numbers 3 and 4.
	let chain = Chain::with(params(&[minimum(4, 8192)]), 4);
	let (before, after) = (chain.uncle_on(2), chain.uncle_on(3));
	assert_eq!(before.pre.difficulty, 4096.into());
	assert_eq!(after.pre.difficulty, 8192.into());
	assert_eq!(chain.name(&[before.sealed(), after.sealed()]), Ok(()));

	let judged = |mut draft: Draft, difficulty: u64| {
		draft.pre.difficulty = difficulty.into();
		chain.name(slice::from_ref(&draft.sealed()))
	};
	let error = HeaderError::Difficulty(GotExpected {
		got: 8192.into(),
		expected: 4096.into(),
	});
	let refused = UncleError::Header { index: 0, error };
	assert_eq!(judged(before, 8192), Err(refused.into()));
	let error = HeaderError::DifficultyTooLow {
		got: 4096.into(),
		minimum: 8192.into(),
	};
	let refused = UncleError::Header { index: 0, error };
	assert_eq!(judged(after, 4096), Err(refused.into()));
}

#[test]
fn who_may_mine_changes_at_its_height() {
	let params = params(&[
		RuleChange {
			from_block: 3,
			miners: Some(Miners::Verifiers),
			..Default::default()
		},
		RuleChange {
			from_block: 5,
			miners: Some(Miners::Anyone),
			..Default::default()
		},
	]);
	for (number, expected) in [
		(2, None),
		(3, Some(Miners::Verifiers)),
		(4, Some(Miners::Verifiers)),
		(5, None),
	] {
		let parent = block(number - 1, 4096.into(), 1_000_000);
		let header = Draft::child_of(&params, &parent).unsealed();
		let mut asked = None;
		let verdict = validate_beneficiary::<Rejection>(&params, &header, |miners, _| {
			asked = Some(miners);
			Ok(true)
		});
		assert_eq!((verdict, asked), (Ok(()), expected), "{number}");
	}
}

fn any_rule() -> impl Strategy<Value = DifficultyRule> {
	prop_oneof![
		any::<bool>().prop_map(|bomb| DifficultyRule::Homestead { bomb }),
		Just(DifficultyRule::Asert),
	]
}

proptest! {
	#[test]
	fn a_block_weighs_more_than_its_parent_wherever_the_rules_change(
		starts_fixed in any::<bool>(),
		first in any_rule(),
		rules in prop::collection::vec((prop::option::of(any_rule()), prop::option::of(1u64..100_000)), 0..16),
		gaps in prop::collection::vec(prop_oneof![1..40u64, 1..100_000u64], 24),
		genesis in 1u64..100_000,
	) {
		let changes: Vec<_> = (2..)
			.zip(rules)
			.filter(|(_, (rule, minimum))| rule.is_some() || minimum.is_some())
			.map(|(from_block, (difficulty_rule, minimum))| RuleChange {
				from_block,
				difficulty_rule,
				minimum_difficulty: minimum.map(Into::into),
				..Default::default()
			})
			.collect();
		let params = ChainParameters {
			difficulty_rule: if starts_fixed { DifficultyRule::Fixed } else { first },
			genesis_difficulty: genesis.into(),
			minimum_difficulty: 1.into(),
			..params(&changes)
		};
		prop_assert_eq!(params.check_changes(), Ok(()));
		let mut last = block(0, params.genesis_difficulty, 0);
		let mut total = TotalDifficulty::from(last.difficulty);
		let mut heaviest = TotalDifficulty(0.into());
		for (number, gap) in (1..).zip(gaps) {
			let weight = weight(&params, &last, total);
			prop_assert!(weight > heaviest, "block {number}: {weight:?} after {heaviest:?}");
			heaviest = weight;
			let timestamp = last.timestamp + gap;
			last = block(number, difficulty(&params, &last, timestamp), timestamp);
			total = total.saturating_add(last.difficulty);
		}
	}
}
