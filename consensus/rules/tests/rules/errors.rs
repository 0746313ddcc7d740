// SPDX-License-Identifier: Apache-2.0
//! Tests the text and the name of each rejection.

use isthmus_ethash::Boundary;
use isthmus_primitives::{
	digest::{DigestError, Item},
	params::Miners,
	TotalDifficulty,
};
use isthmus_rules::{FutureTimestamp, GotExpected, HeaderError, Rejection, RuleError, UncleError};
use polkadot_sdk::sp_core::H256;
use std::{collections::HashSet, error::Error};

const A: H256 = H256::repeat_byte(0xaa);
const B: H256 = H256::repeat_byte(0xbb);

/// Returns one of each error, with its name and its text. Hashes are shortened to `a…` and `b…`.
fn all() -> Vec<(Rejection, &'static str, &'static str)> {
	let uncle_header = UncleError::Header {
		index: 1,
		error: HeaderError::Number(GotExpected {
			got: 7,
			expected: 6,
		}),
	};
	vec![
		(
			HeaderError::Digest(DigestError::Missing(Item::Seal)).into(),
			"digest",
			"rule digest is violated: the digest has no pow_ seal",
		),
		(
			HeaderError::ExtraDataTooLong { got: 33, maximum: 32 }.into(),
			"extra_data_too_long",
			"rule extra_data_too_long is violated: the extra data has 33 bytes, but may have at most 32",
		),
		(
			HeaderError::GasUsedAboveLimit { got: 2, limit: 1 }.into(),
			"gas_used_above_limit",
			"rule gas_used_above_limit is violated: the gas used is 2, above the block's gas limit of 1",
		),
		(
			HeaderError::GasLimitTooLow { got: 1, minimum: 125_000 }.into(),
			"gas_limit_too_low",
			"rule gas_limit_too_low is violated: the gas limit is 1, but must be at least 125000",
		),
		(
			HeaderError::GasLimitTooHigh { got: 9, maximum: 8 }.into(),
			"gas_limit_too_high",
			"rule gas_limit_too_high is violated: the gas limit is 9, but may be at most 8",
		),
		(
			HeaderError::DifficultyTooLow { got: 1.into(), minimum: 131_072.into() }.into(),
			"difficulty_too_low",
			"rule difficulty_too_low is violated: the difficulty is 1, but must be at least 131072",
		),
		(
			HeaderError::ParentHash(GotExpected { got: A, expected: B }).into(),
			"parent_hash",
			"rule parent_hash is violated: the parent hash is a…, but the parent's hash is b…",
		),
		(
			HeaderError::Number(GotExpected { got: 1, expected: 3 }).into(),
			"number",
			"rule number is violated: the number is 1, but must be one above the parent's: 3",
		),
		(
			HeaderError::TimestampNotAfterParent { got: 5, parent: 6 }.into(),
			"timestamp_not_after_parent",
			"rule timestamp_not_after_parent is violated: the timestamp is 5 s, but must be above the \
			 parent's 6 s",
		),
		(
			HeaderError::GasLimitOutOfBounds { got: 9, least: 3, most: 5 }.into(),
			"gas_limit_out_of_bounds",
			"rule gas_limit_out_of_bounds is violated: the gas limit is 9, but the parent's allows only \
			 3 to 5",
		),
		(
			HeaderError::Difficulty(GotExpected { got: 1.into(), expected: 2.into() }).into(),
			"difficulty",
			"rule difficulty is violated: the difficulty is 1, but must be 2",
		),
		(
			HeaderError::SealAboveBoundary { got: B, boundary: Boundary::from_bytes(A.0) }.into(),
			"seal_above_boundary",
			"rule seal_above_boundary is violated: the seal's result is b…, but may be at most a…",
		),
		(
			HeaderError::MixHash(GotExpected { got: A, expected: B }).into(),
			"mix_hash",
			"rule mix_hash is violated: the seal claims the mix hash a…, but must have b…",
		),
		(
			HeaderError::Beneficiary { got: A, miners: Miners::Verifiers }.into(),
			"beneficiary",
			"rule beneficiary is violated: the beneficiary is a…, but only verifiers may mine on this chain",
		),
		(
			HeaderError::TotalDifficultyOverflow { parent: TotalDifficulty(3.into()), got: 4.into() }.into(),
			"total_difficulty_overflow",
			"rule total_difficulty_overflow is violated: the difficulty is 4, and its sum with the \
			 parent's total of 3 exceeds 256 bits",
		),
		(
			UncleError::UnclesHash(GotExpected { got: A, expected: B }).into(),
			"uncles_hash",
			"rule uncles_hash is violated: the uncles hash is a…, but the uncles' hash is b…",
		),
		(
			UncleError::TooMany { got: 3, maximum: 2 }.into(),
			"too_many_uncles",
			"rule too_many_uncles is violated: the block names 3 uncles, but may name at most 2",
		),
		(
			UncleError::Repeated { uncle: A }.into(),
			"uncle_repeated",
			"rule uncle_repeated is violated: the block names the uncle a… twice",
		),
		(
			UncleError::Ancestor { uncle: A }.into(),
			"uncle_is_ancestor",
			"rule uncle_is_ancestor is violated: the uncle a… is an ancestor of the block that names it",
		),
		(
			UncleError::AlreadyIncluded { uncle: A }.into(),
			"uncle_already_included",
			"rule uncle_already_included is violated: the uncle a… is already named by an ancestor",
		),
		(
			UncleError::NotKin { uncle: A, got: B, parents: Some((2, 7)) }.into(),
			"uncle_not_kin",
			"rule uncle_not_kin is violated: the uncle a… has the parent b…, but must have an ancestor \
			 of the block from number 2 to 7",
		),
		(
			UncleError::NotKin { uncle: A, got: B, parents: None }.into(),
			"uncle_not_kin",
			"rule uncle_not_kin is violated: the uncle a… has the parent b…, but a child of the genesis \
			 block has no uncles",
		),
		(
			uncle_header.into(),
			"uncle_header",
			"rule uncle_header is violated: in uncle 1, the number is 7, but must be one above \
			 the parent's: 6",
		),
		(
			FutureTimestamp { got: 30, latest: 15 }.into(),
			"future_timestamp",
			"not acceptable yet: the timestamp is 30 s, but at most 15 s is accepted now",
		),
	]
}

#[test]
fn each_error_has_the_name_of_its_rule_and_what_it_got_and_expected() {
	let short = |text: String| {
		text.replace(&format!("{A:?}"), "a…")
			.replace(&format!("{B:?}"), "b…")
	};
	for (rejection, name, sentence) in all() {
		assert_eq!(rejection.name(), name);
		assert_eq!(short(rejection.to_string()), sentence);
	}
}

#[test]
fn no_two_rules_share_a_name() {
	// `NotKin` occurs twice, with and without ancestors.
	let names: HashSet<&str> = all()
		.iter()
		.map(|(rejection, ..)| rejection.name())
		.collect();
	assert_eq!(names.len(), all().len() - 1);
}

#[test]
fn the_cause_is_kept() {
	let error = HeaderError::Number(GotExpected {
		got: 7,
		expected: 6,
	});
	let rejection = Rejection::from(UncleError::Header { index: 0, error });
	let rule = rejection
		.source()
		.and_then(|source| source.downcast_ref::<RuleError>());
	assert_eq!(
		rule,
		Some(&RuleError::Uncles(UncleError::Header { index: 0, error }))
	);
	let uncle = rule
		.and_then(|rule| rule.source())
		.and_then(|s| s.downcast_ref::<UncleError>());
	let header = uncle
		.and_then(|u| u.source())
		.and_then(|s| s.downcast_ref::<HeaderError>());
	assert_eq!(header, Some(&error));
	assert!(header.is_some_and(|header| header.source().is_none()));
}
