// SPDX-License-Identifier: Apache-2.0
//! Tests each header rule at its bounds, with headers that violate only that rule.

use crate::chain::{broken_rules, params, Draft, NOW, NO_SEAL};
use isthmus_primitives::{
	digest::{DigestError, Item, PowHeader, PreDigest, Seal},
	params::{ChainParameters, DifficultyRule, Miners},
	AccountId,
};
use isthmus_rules::{
	validate_against_parent, validate_beneficiary, validate_header, validate_static,
	FutureTimestamp, GotExpected, HeaderError, Parent, Rejection, MAX_GAS_LIMIT,
};
use polkadot_sdk::sp_core::{H256, U256};
use proptest::prelude::*;

/// Returns the parent of the headers in these tests.
fn parent() -> Parent {
	Parent {
		hash: H256::repeat_byte(7),
		number: 41,
		difficulty: 4096.into(),
		gas_limit: 3_141_592,
		timestamp: 1_600_000_000,
	}
}

/// A time at which the parent is 13 s old.
const LATER: u64 = 1_600_000_013;

/// Applies `change` to a valid child of `parent`, and validates the result with `validate_header` and with
/// each rule on its own. Returns all violations.
#[track_caller]
fn judged(
	params: &ChainParameters,
	parent: &Parent,
	change: impl Fn(&mut Draft),
) -> Vec<Rejection> {
	let mut draft = Draft::child_of(params, parent);
	change(&mut draft);
	let header = draft.unsealed();
	let broken = broken_rules(params, &header, parent, LATER);
	// `validate_header` stops at the first violation.
	let listed = validate_header(params, &header, parent, LATER).err();
	assert_eq!(listed, broken.first().copied());
	broken
}

/// Asserts that `change` violates only the rule `expected`.
#[track_caller]
fn breaks_only(change: impl Fn(&mut Draft), expected: impl Into<Rejection>) {
	assert_eq!(judged(&params(), &parent(), change), [expected.into()]);
}

#[track_caller]
fn accepted(change: impl Fn(&mut Draft)) {
	assert_eq!(judged(&params(), &parent(), change), []);
}

#[test]
fn a_valid_header_violates_nothing() {
	accepted(|_| ());
}

#[test]
fn a_child_of_the_genesis_block_is_checked_against_the_parameters() {
	let params = params();
	let genesis = Parent::genesis(H256::repeat_byte(9), &params);
	assert_eq!(
		genesis,
		Parent {
			hash: H256::repeat_byte(9),
			number: 0,
			difficulty: 4096.into(),
			gas_limit: 3_141_592,
			timestamp: 1_500_000_000,
		}
	);
	let header = Draft::child_of(&params, &genesis).unsealed();
	assert_eq!(validate_header(&params, &header, &genesis, NOW), Ok(()));
	let facts = Parent::of(&header);
	assert_eq!((facts.hash, facts.number), (header.hash, 1));
	assert_eq!(
		(facts.difficulty, facts.gas_limit),
		(4096.into(), 3_141_592)
	);
	assert_eq!(facts.timestamp, 1_500_000_013);
}

#[test]
fn extra_data() {
	accepted(|draft| draft.pre.extra_data = vec![]);
	accepted(|draft| draft.pre.extra_data = vec![0; 32]);
	for got in [33, 1024] {
		breaks_only(
			|draft| draft.pre.extra_data = vec![0; got],
			HeaderError::ExtraDataTooLong { got, maximum: 32 },
		);
	}
}

#[test]
fn gas_used() {
	accepted(|draft| draft.gas_used = 0);
	accepted(|draft| draft.gas_used = 3_141_592);
	breaks_only(
		|draft| draft.gas_used = 3_141_593,
		HeaderError::GasUsedAboveLimit {
			got: 3_141_593,
			limit: 3_141_592,
		},
	);
	breaks_only(
		|draft| draft.gas_used = u64::MAX,
		HeaderError::GasUsedAboveLimit {
			got: u64::MAX,
			limit: 3_141_592,
		},
	);
}

#[test]
fn gas_limit_minimum() {
	let params = params();
	let low = Parent {
		gas_limit: 125_000,
		..parent()
	};
	let limit = |limit| judged(&params, &low, move |draft| draft.pre.gas_limit = limit);
	assert_eq!(limit(125_000), []);
	let error = HeaderError::GasLimitTooLow {
		got: 124_999,
		minimum: 125_000,
	};
	assert_eq!(limit(124_999), [error.into()]);
}

#[test]
fn gas_limit_maximum() {
	let params = params();
	let high = Parent {
		gas_limit: MAX_GAS_LIMIT,
		..parent()
	};
	let limit = |limit| judged(&params, &high, move |draft| draft.pre.gas_limit = limit);
	assert_eq!(MAX_GAS_LIMIT, 0x7fff_ffff_ffff_ffff);
	assert_eq!(limit(MAX_GAS_LIMIT), []);
	let error = HeaderError::GasLimitTooHigh {
		got: 1 << 63,
		maximum: MAX_GAS_LIMIT,
	};
	assert_eq!(limit(1 << 63), [error.into()]);
}

#[test]
fn gas_limit_bound() {
	let (least, most) = (3_138_526, 3_144_658);
	for limit in [least, most, least + 1, most - 1] {
		accepted(|draft| draft.pre.gas_limit = limit);
	}
	for got in [least - 1, most + 1, 125_000, MAX_GAS_LIMIT] {
		breaks_only(
			|draft| draft.pre.gas_limit = got,
			HeaderError::GasLimitOutOfBounds { got, least, most },
		);
	}
}

#[test]
fn minimum_difficulty() {
	// D(H) is never below D_0, so this rule can be violated on its own only if D_0 is zero.
	let params = ChainParameters {
		minimum_difficulty: 0.into(),
		..params()
	};
	let none = Parent {
		difficulty: 0.into(),
		..parent()
	};
	let error = HeaderError::DifficultyTooLow {
		got: 0.into(),
		minimum: 1.into(),
	};
	assert_eq!(judged(&params, &none, |_| ()), [error.into()]);
}

#[test]
fn a_difficulty_under_the_minimum_is_rejected_without_the_parent() {
	let params = params();
	let mut draft = Draft::child_of(&params, &parent());
	for (got, rejected) in [(0, true), (2047, true), (2048, false)] {
		draft.pre.difficulty = got.into();
		let error = HeaderError::DifficultyTooLow {
			got: got.into(),
			minimum: 2048.into(),
		};
		let expected = if rejected { Err(error) } else { Ok(()) };
		assert_eq!(validate_static(&params, &draft.unsealed()), expected);
	}
}

#[test]
fn difficulty() {
	for (got, expected) in [(4095, 4096), (4097, 4096), (2048, 4096)] {
		breaks_only(
			|draft| draft.pre.difficulty = got.into(),
			HeaderError::Difficulty(GotExpected {
				got: got.into(),
				expected: expected.into(),
			}),
		);
	}
	breaks_only(
		|draft| draft.pre.difficulty = U256::MAX.into(),
		HeaderError::Difficulty(GotExpected {
			got: U256::MAX.into(),
			expected: 4096.into(),
		}),
	);
	// D(H) depends on the header's own timestamp, so with an earlier timestamp this difficulty is wrong.
	breaks_only(
		|draft| draft.pre.timestamp -= 4,
		HeaderError::Difficulty(GotExpected {
			got: 4096.into(),
			expected: 4098.into(),
		}),
	);
	accepted(|draft| {
		draft.pre.timestamp -= 4;
		draft.pre.difficulty = 4098.into();
	});
}

#[test]
fn difficulty_on_a_chain_with_a_fixed_one() {
	let params = ChainParameters {
		difficulty_rule: DifficultyRule::Fixed,
		..params()
	};
	assert_eq!(
		judged(&params, &parent(), |draft| draft.pre.timestamp -= 12),
		[]
	);
	let error = HeaderError::Difficulty(GotExpected {
		got: 2049.into(),
		expected: 2048.into(),
	});
	assert_eq!(
		judged(&params, &parent(), |draft| draft.pre.difficulty =
			2049.into()),
		[error.into()]
	);
}

#[test]
fn parent_hash() {
	let got = H256::repeat_byte(8);
	breaks_only(
		|draft| draft.parent_hash = got,
		HeaderError::ParentHash(GotExpected {
			got,
			expected: H256::repeat_byte(7),
		}),
	);
}

#[test]
fn number() {
	for got in [0, 41, 43, u32::MAX] {
		breaks_only(
			|draft| draft.number = got,
			HeaderError::Number(GotExpected {
				got: got.into(),
				expected: 42,
			}),
		);
	}
}

#[test]
fn the_last_number_has_no_successor() {
	let params = params();
	let last = Parent {
		number: u32::MAX,
		..parent()
	};
	let mut draft = Draft::child_of(&params, &parent());
	for got in [0, u32::MAX] {
		draft.number = got;
		assert_eq!(
			validate_against_parent(&params, &draft.unsealed(), &last),
			Err(HeaderError::Number(GotExpected {
				got: got.into(),
				expected: 1 << 32
			}))
		);
	}
}

#[test]
fn the_rules_of_a_header_and_its_parent_do_not_include_the_static_ones() {
	let (params, parent) = (params(), parent());
	let mut draft = Draft::child_of(&params, &parent);
	draft.pre.extra_data = vec![0; 33];
	draft.gas_used = draft.pre.gas_limit + 1;
	let header = draft.unsealed();
	assert_eq!(
		validate_static(&params, &header),
		Err(HeaderError::ExtraDataTooLong {
			got: 33,
			maximum: 32
		})
	);
	assert_eq!(validate_against_parent(&params, &header, &parent), Ok(()));
}

#[test]
fn timestamp() {
	let parent = parent();
	// If the timestamp is less than ten seconds after the parent's, or before it, D(H) is one step higher.
	let at = |timestamp: u64| {
		judged(&params(), &parent, move |draft| {
			draft.pre.timestamp = timestamp;
			draft.pre.difficulty = 4098.into();
		})
	};
	assert_eq!(at(parent.timestamp + 1), []);
	for got in [parent.timestamp, parent.timestamp - 1, 0] {
		let error = HeaderError::TimestampNotAfterParent {
			got,
			parent: parent.timestamp,
		};
		assert_eq!(at(got), [error.into()]);
	}
}

#[test]
fn the_future_is_transient() {
	// 28 s after the parent the difficulty is a step lower, and the header is 15 s ahead of the clock.
	let slow = |draft: &mut Draft, seconds: u64| {
		draft.pre.timestamp = parent().timestamp + seconds;
		draft.pre.difficulty = 4094.into();
	};
	accepted(|draft| slow(draft, 28));
	let error = FutureTimestamp {
		got: LATER + 16,
		latest: LATER + 15,
	};
	breaks_only(|draft| slow(draft, 29), error);
	assert_eq!(
		judged(&params(), &parent(), |draft| slow(draft, 29)),
		[Rejection::Transient(error)]
	);
}

#[test]
fn a_clock_at_its_end_accepts_every_time() {
	let header = Draft::child_of(&params(), &parent()).unsealed();
	assert_eq!(
		validate_header(&params(), &header, &parent(), u64::MAX),
		Ok(())
	);
}

#[test]
fn an_invalid_header_from_the_future_is_invalid() {
	let header = {
		let mut draft = Draft::child_of(&params(), &parent());
		draft.pre.timestamp = u64::MAX;
		draft.unsealed()
	};
	let expected = HeaderError::Difficulty(GotExpected {
		got: 4096.into(),
		expected: (4096 - 2 * 99).into(),
	});
	assert_eq!(
		validate_header(&params(), &header, &parent(), LATER),
		Err(Rejection::Invalid(expected.into()))
	);
}

#[test]
fn a_malformed_digest_has_an_error_too() {
	let sealed = Draft::child_of(&params(), &parent()).with_seal(NO_SEAL);
	let mut bare = sealed.clone();
	bare.digest.pop();
	let error = PowHeader::read(&bare).map_err(HeaderError::from);
	assert_eq!(
		error,
		Err(HeaderError::Digest(DigestError::Missing(Item::Seal)))
	);
}

/// Any header, valid or not.
fn any_header() -> impl Strategy<Value = PowHeader> {
	let fields = (
		any::<[u64; 4]>(),
		any::<[u64; 4]>(),
		any::<u32>(),
		any::<u64>(),
		any::<u64>(),
	);
	let more = (any::<u64>(), any::<u64>(), any::<[u8; 32]>(), 0usize..40);
	(fields, more).prop_map(|(fields, more)| {
		let (difficulty, mix, number, gas_limit, timestamp) = fields;
		let (gas_used, nonce, hash, extra) = more;
		PowHeader {
			parent_hash: H256(hash),
			number,
			pre: PreDigest {
				beneficiary: AccountId::new(hash),
				difficulty: U256(difficulty).into(),
				gas_limit,
				timestamp,
				uncles_hash: H256(hash),
				extra_data: vec![0; extra],
			},
			gas_used,
			seal: Seal {
				mix_hash: H256(U256(mix).to_big_endian()),
				nonce,
			},
			seal_hash: H256(hash),
			hash: H256(hash),
		}
	})
}

proptest! {
	#[test]
	fn no_header_makes_a_rule_panic(
		header in any_header(),
		above in any_header(),
		now in any::<u64>(),
		bomb in any::<bool>(),
	) {
		let difficulty_rule = DifficultyRule::Homestead { bomb };
		let params = ChainParameters { difficulty_rule, ..params() };
		let parent = Parent::of(&above);
		let broken = broken_rules(&params, &header, &parent, now);
		let listed = validate_header(&params, &header, &parent, now).err();
		prop_assert_eq!(listed, broken.first().copied());
		for rejection in broken {
			prop_assert!(!rejection.to_string().is_empty());
		}
		// Only a panic would be a failure: the header may be valid or not.
		let _ = isthmus_rules::validate_seal_quick(&header);
	}
}

#[test]
fn the_beneficiary_is_looked_up_only_if_not_everyone_may_mine() {
	let header = Draft::child_of(&params(), &parent()).unsealed();
	for miners in [Miners::Anyone, Miners::Producers, Miners::Verifiers] {
		let params = ChainParameters { miners, ..params() };
		let judged = |may_mine: Result<bool, Rejection>| {
			validate_beneficiary(&params, &header, |asked, account| {
				assert_ne!(miners, Miners::Anyone);
				assert_eq!((asked, account), (miners, &header.pre.beneficiary));
				may_mine
			})
		};
		assert_eq!(judged(Ok(true)), Ok(()));
		let got = H256::repeat_byte(0x88);
		let refused = HeaderError::Beneficiary { got, miners };
		let could_not: Rejection = HeaderError::GasUsedAboveLimit { got: 2, limit: 1 }.into();
		if miners == Miners::Anyone {
			assert_eq!(judged(Err(could_not)), Ok(()));
		} else {
			assert_eq!(judged(Ok(false)), Err(refused.into()));
			assert_eq!(judged(Err(could_not)), Err(could_not));
		}
	}
}
