// SPDX-License-Identifier: Apache-2.0
//! Tests the suite's blocks that violate a rule for the block's own header. Each is a child of the genesis
//! block.

use crate::chain::{broken_rules, params, Draft, NOW};
use isthmus_primitives::params::ChainParameters;
use isthmus_rules::{validate_header, GotExpected, HeaderError, Parent, Rejection, MAX_GAS_LIMIT};
use polkadot_sdk::sp_core::H256;

/// Returns the parent: the suite's headers are children of the genesis block.
fn genesis(params: &ChainParameters) -> Parent {
	Parent::genesis(H256::repeat_byte(0xff), params)
}

/// Applies `change` to a valid child of the genesis block, and validates the result.
fn judged(change: impl Fn(&mut Draft)) -> Result<(), Rejection> {
	let params = params();
	let parent = genesis(&params);
	let mut draft = Draft::child_of(&params, &parent);
	change(&mut draft);
	validate_header(&params, &draft.unsealed(), &parent, NOW)
}

#[track_caller]
fn rejected(change: impl Fn(&mut Draft), error: HeaderError) {
	assert_eq!(judged(change), Err(error.into()));
}

#[test]
fn difficulty_is_zero() {
	rejected(
		|draft| draft.pre.difficulty = 0.into(),
		HeaderError::DifficultyTooLow {
			got: 0.into(),
			minimum: 2048.into(),
		},
	);
}

#[test]
fn extra_data33() {
	rejected(
		|draft| draft.pre.extra_data = vec![1; 33],
		HeaderError::ExtraDataTooLong {
			got: 33,
			maximum: 32,
		},
	);
}

#[test]
fn extra_data1024() {
	rejected(
		|draft| draft.pre.extra_data = vec![1; 1024],
		HeaderError::ExtraDataTooLong {
			got: 1024,
			maximum: 32,
		},
	);
}

#[test]
fn different_extra_data1025() {
	rejected(
		|draft| draft.pre.extra_data = (0..1025u32).map(|byte| byte as u8).collect(),
		HeaderError::ExtraDataTooLong {
			got: 1025,
			maximum: 32,
		},
	);
}

#[test]
fn gas_limit_higher_than2p63m1() {
	for got in [1 << 63, u64::MAX] {
		rejected(
			|draft| draft.pre.gas_limit = got,
			HeaderError::GasLimitTooHigh {
				got,
				maximum: MAX_GAS_LIMIT,
			},
		);
	}
}

#[test]
fn gas_limit_is_zero() {
	rejected(
		|draft| {
			draft.gas_used = 0;
			draft.pre.gas_limit = 0;
		},
		HeaderError::GasLimitTooLow {
			got: 0,
			minimum: 125_000,
		},
	);
}

#[test]
fn wrong_gas_limit() {
	rejected(
		|draft| draft.pre.gas_limit = 100_000,
		HeaderError::GasLimitTooLow {
			got: 100_000,
			minimum: 125_000,
		},
	);
	rejected(
		|draft| draft.pre.gas_limit = 130_000,
		HeaderError::GasLimitOutOfBounds {
			got: 130_000,
			least: 3_138_526,
			most: 3_144_658,
		},
	);
}

#[test]
fn wrong_gas_used() {
	rejected(
		|draft| draft.gas_used = draft.pre.gas_limit + 1,
		HeaderError::GasUsedAboveLimit {
			got: 3_141_593,
			limit: 3_141_592,
		},
	);
}

/// Checks the suite's whole sequence of blocks. A block one second or a month after its parent is valid, and
/// a block with its parent's timestamp or an earlier one is not.
#[test]
fn bad_timestamp() {
	let params = params();
	let mut parent = genesis(&params);
	let story = [
		(1, true),
		(2, true),
		(60, true),
		(60, false),
		(3600, true),
		(3599, false),
		(3600, false),
		(7200, true),
		(93_600, true),
		(2_685_600, true),
	];
	let genesis_time = parent.timestamp;
	let now = genesis_time + 3_000_000;
	for (seconds, good) in story {
		let mut draft = Draft::child_of(&params, &parent);
		let got = genesis_time + seconds;
		draft.pre.timestamp = got;
		draft.pre.difficulty = isthmus_rules::difficulty(&params, &parent, got);
		let header = draft.unsealed();
		let broken = broken_rules(&params, &header, &parent, now);
		if good {
			assert_eq!(broken, [], "{seconds} s");
			parent = Parent::of(&header);
		} else {
			let parent = parent.timestamp;
			let error = HeaderError::TimestampNotAfterParent { got, parent };
			assert_eq!(broken, [error.into()], "{seconds} s");
		}
	}
}

#[test]
fn time_diff0() {
	let parent = genesis(&params()).timestamp;
	rejected(
		|draft| draft.pre.timestamp = parent,
		HeaderError::TimestampNotAfterParent {
			got: parent,
			parent,
		},
	);
}

#[test]
fn wrong_timestamp() {
	let parent = genesis(&params()).timestamp;
	rejected(
		|draft| draft.pre.timestamp = parent - 1,
		HeaderError::TimestampNotAfterParent {
			got: parent - 1,
			parent,
		},
	);
}

#[test]
fn wrong_difficulty() {
	rejected(
		|draft| draft.pre.difficulty = 10_000.into(),
		HeaderError::Difficulty(GotExpected {
			got: 10_000.into(),
			expected: 4096.into(),
		}),
	);
}

#[test]
fn wrong_number() {
	rejected(
		|draft| draft.number = 0,
		HeaderError::Number(GotExpected {
			got: 0,
			expected: 1,
		}),
	);
	rejected(
		|draft| draft.number = 2,
		HeaderError::Number(GotExpected {
			got: 2,
			expected: 1,
		}),
	);
}

#[test]
fn log1_wrong_block_number() {
	rejected(
		|draft| draft.number = 2,
		HeaderError::Number(GotExpected {
			got: 2,
			expected: 1,
		}),
	);
}

#[test]
fn wrong_parent_hash() {
	let got = H256::repeat_byte(0xde);
	let expected = H256::repeat_byte(0xff);
	rejected(
		|draft| draft.parent_hash = got,
		HeaderError::ParentHash(GotExpected { got, expected }),
	);
}

#[test]
fn wrong_parent_hash2() {
	let (got, expected) = (H256::zero(), H256::repeat_byte(0xff));
	rejected(
		|draft| draft.parent_hash = got,
		HeaderError::ParentHash(GotExpected { got, expected }),
	);
}
