// SPDX-License-Identifier: Apache-2.0
//! Tests the suite's blocks whose uncle violates a header rule. The uncle is a child of block 1, and block 3
//! names it.

use crate::chain::{Chain, Draft, GENESIS_TIME, NOW};
use isthmus_rules::{FutureTimestamp, GotExpected, HeaderError, Rejection, UncleError};
use polkadot_sdk::sp_core::H256;

/// H_s of block 1, the uncle's parent.
const PARENT_TIME: u64 = GENESIS_TIME + 13;

fn judged_at(change: impl Fn(&mut Draft), now: u64) -> Result<(), Rejection> {
	let chain = Chain::of(2);
	let mut uncle = chain.uncle_on(1);
	change(&mut uncle);
	chain.name_at(&[uncle.sealed()], now)
}

#[track_caller]
fn accepted(change: impl Fn(&mut Draft)) {
	assert_eq!(judged_at(change, NOW), Ok(()));
}

#[track_caller]
fn rejected(change: impl Fn(&mut Draft), error: HeaderError) {
	assert_eq!(
		judged_at(change, NOW),
		Err(UncleError::Header { index: 0, error }.into())
	);
}

/// Dates the draft `seconds` after its parent, and sets the difficulty that matches.
fn at(draft: &mut Draft, seconds: u64, difficulty: u64) {
	draft.pre.timestamp = PARENT_TIME + seconds;
	draft.pre.difficulty = difficulty.into();
}

#[test]
fn correct() {
	accepted(|_| ());
}

#[test]
fn diff_too_high() {
	rejected(
		|uncle| uncle.pre.difficulty = 4097.into(),
		HeaderError::Difficulty(GotExpected {
			got: 4097.into(),
			expected: 4096.into(),
		}),
	);
}

#[test]
fn diff_too_low() {
	rejected(
		|uncle| uncle.pre.difficulty = 4095.into(),
		HeaderError::Difficulty(GotExpected {
			got: 4095.into(),
			expected: 4096.into(),
		}),
	);
}

#[test]
fn diff_too_low2() {
	rejected(
		|uncle| uncle.pre.difficulty = 2047.into(),
		HeaderError::DifficultyTooLow {
			got: 2047.into(),
			minimum: 2048.into(),
		},
	);
}

#[test]
fn gas_limit_lt_gas_usage_uncle() {
	rejected(
		|uncle| uncle.gas_used = 3_141_593,
		HeaderError::GasUsedAboveLimit {
			got: 3_141_593,
			limit: 3_141_592,
		},
	);
}

fn limit(got: u64) -> HeaderError {
	HeaderError::GasLimitOutOfBounds {
		got,
		least: 3_138_526,
		most: 3_144_658,
	}
}

#[test]
fn gas_limit_too_high() {
	rejected(|uncle| uncle.pre.gas_limit = 3_146_000, limit(3_146_000));
}

#[test]
fn gas_limit_too_high_exact_bound() {
	rejected(|uncle| uncle.pre.gas_limit = 3_144_659, limit(3_144_659));
	accepted(|uncle| uncle.pre.gas_limit = 3_144_658);
}

#[test]
fn gas_limit_too_low() {
	rejected(|uncle| uncle.pre.gas_limit = 3_000_000, limit(3_000_000));
}

#[test]
fn gas_limit_too_low_exact_bound() {
	rejected(|uncle| uncle.pre.gas_limit = 3_138_525, limit(3_138_525));
	accepted(|uncle| uncle.pre.gas_limit = 3_138_526);
}

#[test]
fn gas_limit_too_low_exact_bound2() {
	rejected(|uncle| uncle.pre.gas_limit = 141_591, limit(141_591));
}

#[test]
fn incorrect_uncle_number0() {
	rejected(
		|uncle| uncle.number = 0,
		HeaderError::Number(GotExpected {
			got: 0,
			expected: 2,
		}),
	);
}

#[test]
fn incorrect_uncle_number1() {
	rejected(
		|uncle| uncle.number = 1,
		HeaderError::Number(GotExpected {
			got: 1,
			expected: 2,
		}),
	);
}

#[test]
fn incorrect_uncle_number500() {
	rejected(
		|uncle| uncle.number = 500,
		HeaderError::Number(GotExpected {
			got: 500,
			expected: 2,
		}),
	);
}

#[test]
fn incorrect_uncle_timestamp() {
	rejected(
		|uncle| uncle.pre.timestamp = PARENT_TIME,
		HeaderError::TimestampNotAfterParent {
			got: PARENT_TIME,
			parent: PARENT_TIME,
		},
	);
}

/// The uncle is 500 s late, which is valid. (The suite's block also has a wrong state root, which these rules
/// do not check.)
#[test]
fn incorrect_uncle_timestamp2() {
	accepted(|uncle| at(uncle, 500, 4096 - 2 * 49));
}

/// The uncle is dated a second after its parent, but has the difficulty of a later timestamp.
#[test]
fn incorrect_uncle_timestamp3() {
	rejected(
		|uncle| uncle.pre.timestamp = PARENT_TIME + 1,
		HeaderError::Difficulty(GotExpected {
			got: 4096.into(),
			expected: 4098.into(),
		}),
	);
}

/// Asserts that a block whose uncle is dated thousands of years ahead has to wait. The suite has no clock and
/// accepts the block. Here an uncle's whole header is checked, including its timestamp.
#[track_caller]
fn waits(seconds: u64) {
	let late = |uncle: &mut Draft| at(uncle, seconds, 4096 - 2 * 99);
	let got = PARENT_TIME + seconds;
	let error = FutureTimestamp {
		got,
		latest: NOW + 15,
	};
	assert_eq!(judged_at(late, NOW), Err(Rejection::Transient(error)));
	assert_eq!(judged_at(late, got - 15), Ok(()));
}

#[test]
fn incorrect_uncle_timestamp4() {
	waits(500_000_000_000);
}

#[test]
fn incorrect_uncle_timestamp5() {
	waits(87_960_930_222_080);
}

#[test]
fn past_uncle_timestamp() {
	let got = PARENT_TIME - 900;
	rejected(
		|uncle| uncle.pre.timestamp = got,
		HeaderError::TimestampNotAfterParent {
			got,
			parent: PARENT_TIME,
		},
	);
}

/// The uncle is dated years later than the whole chain, including the block that names it. The suite accepts
/// it, and so do we once the clock has passed its timestamp.
#[test]
fn timestamp_too_high() {
	let late = |uncle: &mut Draft| at(uncle, 100_000_000, 4096 - 2 * 99);
	assert_eq!(judged_at(late, PARENT_TIME + 100_000_000), Ok(()));
}

/// A second after its parent is not too early for an uncle.
#[test]
fn timestamp_too_low() {
	accepted(|uncle| at(uncle, 1, 4098));
}

#[test]
fn unknown_uncle_parent_hash() {
	unknown_parent(H256::repeat_byte(0xba));
}

#[test]
fn wrong_parent_hash() {
	unknown_parent(H256::zero());
}

#[track_caller]
fn unknown_parent(got: H256) {
	let chain = Chain::of(2);
	let mut uncle = chain.uncle_on(1);
	uncle.parent_hash = got;
	let uncle = uncle.sealed();
	let error = UncleError::NotKin {
		uncle: uncle.hash(),
		got,
		parents: Some((0, 1)),
	};
	assert_eq!(chain.name(&[uncle]), Err(error.into()));
}

/// Uncles are not executed, so a wrong state root is not detected.
#[test]
fn wrong_state_root() {
	accepted(|uncle| uncle.state_root = H256::repeat_byte(0xba));
}
