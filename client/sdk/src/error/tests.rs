// SPDX-License-Identifier: Apache-2.0
//! Tests what the errors of nodes and of the pool are understood as.

use super::{node::QUERY_REFUSALS, *};
use crate::trust::FinalityError;

#[test]
fn the_sentences_of_the_pool_are_known() {
	let sentences = [
		(
			"Invalid transaction: Transaction is outdated",
			Rejection::NonceTaken,
		),
		(
			"The priority of the transaction is too low (pool 5 > current 4)",
			Rejection::NonceTaken,
		),
		(
			"The transaction could not enter the pool because of the limit",
			Rejection::PoolFull,
		),
		(
			"Invalid transaction: Inability to pay some fees (e.g. account balance too low)",
			Rejection::CannotPay,
		),
		(
			"Invalid transaction: InvalidTransaction custom error",
			Rejection::Overtaken,
		),
		("Transaction is temporarily banned", Rejection::Other),
	];
	for (sentence, rejection) in sentences {
		let error = Error::NotAccepted(sentence.into());
		assert_eq!(error.rejection(), Some(rejection), "{sentence}");
	}
	assert_eq!(Error::NotIncluded("outdated".into()).rejection(), None);
}

/// `subxt` passes on the node's error only as a sentence, not as the connection's error with its code.
#[test]
fn a_pruned_state_is_not_mistaken_for_another_chain() {
	let at_block = |reason: &str| {
		Error::from(subxt::error::OnlineClientAtBlockError::CannotGetMetadata {
			block_hash: subxt::utils::H256::zero().into(),
			reason: reason.into(),
		})
	};
	let gone = "Client error: UnknownBlock: State already discarded for 0x00 (4003)";
	assert!(matches!(at_block(gone), Error::StateGone(_)));
	assert!(matches!(
		at_block("no such version"),
		Error::Incompatible(_)
	));
	let answer = |message: &str| {
		Error::from(&subxt::rpcs::UserError {
			code: 4003,
			message: message.into(),
			data: None,
		})
	};
	assert!(matches!(answer(gone), Error::StateGone(_)));
	assert!(matches!(answer("no"), Error::Rpc { code: 4003, .. }));
}

#[test]
fn a_query_is_refused_by_the_chain_or_by_a_node() {
	let of_node = |reason: Option<&str>| Error::Rpc {
		code: 7106,
		message: "no".into(),
		reason: reason.map(str::to_owned),
	};
	for refusal in QUERY_REFUSALS {
		assert_eq!(Error::Query(refusal).query_refusal(), Some(refusal));
		let named = of_node(Some(&format!("{refusal:?}")));
		assert_eq!(named.query_refusal(), Some(refusal));
	}
	for other in [of_node(None), of_node(Some("Stale")), Error::InvalidSecret] {
		assert_eq!(other.query_refusal(), None, "{other}");
	}
}

#[test]
fn a_history_that_is_gone_says_since_when() {
	let answer = |code, data: &str| {
		Error::from(&subxt::rpcs::UserError {
			code,
			message: "no".into(),
			data: serde_json::value::RawValue::from_string(data.into()).ok(),
		})
	};
	let since = r#"{"since":9}"#;
	let gone = answer(7122, since);
	assert!(matches!(gone, Error::HistoryGone { since: 9 }), "{gone}");
	assert!(matches!(answer(7121, since), Error::Rpc { .. }));
	assert!(matches!(answer(7122, "{}"), Error::Rpc { .. }));
	let refused = answer(7106, r#"{"reason":"NotAuthorised"}"#);
	assert!(
		matches!(refused, Error::Rpc { reason: Some(reason), .. } if reason == "NotAuthorised")
	);
}

#[test]
fn a_node_without_the_newest_final_block_goes_back() {
	let of = |error: FinalityError| Error::from(Unproven::from(error)).goes_back();
	let (offered, known) = (1, 2);
	assert!(of(FinalityError::Rollback { offered, known }));
	assert!(of(FinalityError::Fork(2)));
	assert!(!of(FinalityError::Malformed));
	let answer = |code| Error::Rpc {
		code,
		message: "no proof of finality".into(),
		reason: None,
	};
	assert!(answer(NO_PROOF).goes_back());
	assert!(!answer(7001).goes_back());
}
