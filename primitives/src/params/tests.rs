// SPDX-License-Identifier: Apache-2.0
//! Tests how parameters are written and read, and which rules a height has.

use super::*;
use alloc::vec::Vec;

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
	// The versions before the field `changes` wrote the field `miners`.
	let before_changes = (before_miners(), Miners::Verifiers).encode();
	let read = ChainParameters::decode(&mut &before_changes[..]);
	let bound = ChainParameters {
		miners: Miners::Verifiers,
		..Default::default()
	};
	assert_eq!(read, Ok(bound));
	let json = serde_json::to_string(&ChainParameters::default()).unwrap();
	assert!(!json.contains("changes"), "{json}");
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
		changes: changes([9, 10]),
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
		json["changes"],
		serde_json::json!([
			{ "fromBlock": 9, "minimumDifficulty": "0x9" },
			{ "fromBlock": 10, "minimumDifficulty": "0xa" },
		])
	);
	assert_eq!(
		serde_json::from_value::<ChainParameters>(json).unwrap(),
		parameters
	);
}

/// Returns changes of the minimum difficulty, each to the number of its first block.
fn changes<const N: usize>(heights: [BlockNumber; N]) -> Changes {
	let changes: Vec<_> = heights.into_iter().map(change).collect();
	changes.try_into().unwrap()
}

fn change(from_block: BlockNumber) -> RuleChange {
	RuleChange {
		from_block,
		minimum_difficulty: Some(u64::from(from_block).into()),
		..Default::default()
	}
}

#[test]
fn a_change_holds_from_its_block_on_and_changes_only_what_it_names() {
	let parameters = ChainParameters {
		changes: [
			change(10),
			RuleChange {
				from_block: 11,
				difficulty_rule: Some(DifficultyRule::Asert),
				miners: Some(Miners::Producers),
				..Default::default()
			},
			RuleChange {
				from_block: BlockNumber::MAX,
				block_reward: Some(7),
				..Default::default()
			},
		]
		.to_vec()
		.try_into()
		.unwrap(),
		..Default::default()
	};
	assert_eq!(parameters.check_changes(), Ok(()));
	let first = ChainParameters::default().at(0);
	let second = Rules {
		minimum_difficulty: 10.into(),
		..first
	};
	let third = Rules {
		difficulty_rule: DifficultyRule::Asert,
		miners: Miners::Producers,
		..second
	};
	let last = Rules {
		block_reward: 7,
		..third
	};
	for (number, rules) in [
		(0, first),
		(1, first),
		(9, first),
		(10, second),
		(11, third),
		(12, third),
		(BlockNumber::MAX - 1, third),
		(BlockNumber::MAX, last),
	] {
		assert_eq!(parameters.at(number), rules, "{number}");
	}
	assert_eq!(ChainParameters::default().at(BlockNumber::MAX), first);
}

#[test]
fn the_last_change_that_has_begun_decides() {
	// Every set of heights among these eight, at every height.
	for set in 0u32..256 {
		let heights: Vec<BlockNumber> = (1..=8).filter(|n| set & (1 << (n - 1)) != 0).collect();
		let changes: Vec<_> = heights.iter().copied().map(change).collect();
		let parameters = ChainParameters {
			changes: changes.try_into().unwrap(),
			..Default::default()
		};
		assert_eq!(parameters.check_changes(), Ok(()));
		for number in 0..10 {
			let last = heights.iter().filter(|height| **height <= number).max();
			let expected = match last {
				Some(height) => u64::from(*height).into(),
				None => ChainParameters::default().minimum_difficulty,
			};
			assert_eq!(parameters.at(number).minimum_difficulty, expected);
		}
	}
}

#[test]
fn faulty_changes_are_refused() {
	let named = |change: RuleChange| RuleChange {
		from_block: 5,
		..change
	};
	let too_many: Vec<_> = (1..=17).map(change).collect();
	let cases = [
		(too_many, ChangesError::TooMany { got: 17 }),
		([0].map(change).to_vec(), ChangesError::AtGenesis),
		(
			[3, 3].map(change).to_vec(),
			ChangesError::Repeated { from_block: 3 },
		),
		(
			[4, 3].map(change).to_vec(),
			ChangesError::Unsorted {
				before: 4,
				from_block: 3,
			},
		),
		(
			[named(RuleChange::default())].to_vec(),
			ChangesError::Nothing { from_block: 5 },
		),
		(
			[named(RuleChange {
				difficulty_rule: Some(DifficultyRule::Fixed),
				..Default::default()
			})]
			.to_vec(),
			ChangesError::Fixed { from_block: 5 },
		),
		(
			[named(RuleChange {
				minimum_difficulty: Some(0.into()),
				..Default::default()
			})]
			.to_vec(),
			ChangesError::NoDifficulty { from_block: 5 },
		),
	];
	for (changes, error) in cases {
		assert_eq!(check_changes(&changes), Err(error));
		let planned = ChainParameters::default().with_planned(&changes);
		assert_eq!(planned, Err(error));
	}
	// More than the bound do not even decode.
	let too_many: Vec<_> = (1..=17).map(change).collect();
	assert!(Changes::decode(&mut &too_many.encode()[..]).is_err());
	// Nor does a parameter that cannot change.
	let fixed = serde_json::json!({ "fromBlock": 5, "ethash": "full" });
	let error = serde_json::from_value::<RuleChange>(fixed).unwrap_err();
	assert!(error.to_string().contains("unknown field `ethash`"));
}

#[test]
fn planned_changes_come_after_those_of_genesis() {
	let genesis = ChainParameters {
		changes: changes([3, 4]),
		..Default::default()
	};
	let planned = |heights: &[BlockNumber]| {
		let planned: Vec<_> = heights.iter().copied().map(change).collect();
		genesis.clone().with_planned(&planned)
	};
	assert_eq!(planned(&[]), Ok(genesis.clone()));
	let both = planned(&[5, 9]).unwrap();
	assert_eq!(both.changes, changes([3, 4, 5, 9]));
	for from_block in [2, 4] {
		let error = ChangesError::PlannedTooEarly {
			last: 4,
			from_block,
		};
		assert_eq!(planned(&[from_block]), Err(error));
	}
	let fifteen: Vec<_> = (10..25).collect();
	assert_eq!(planned(&fifteen), Err(ChangesError::TooMany { got: 17 }));
	let reward = RuleChange {
		from_block: 5,
		block_reward: Some(1),
		..Default::default()
	};
	assert_eq!(
		genesis.with_planned(&[reward]),
		Err(ChangesError::PlannedReward { from_block: 5 })
	);
}
