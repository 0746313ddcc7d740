// SPDX-License-Identifier: Apache-2.0
//! Tests the response of `isthmus_verification` for each state of a block's verification.

use isthmus_node::{
	rpc::{
		block::Found,
		verification::{more_than_half, Justification, Known, Seen, Verification, Verifier},
	},
	verifiers::{Member, Set, Votes},
};
use isthmus_primitives::{BlockNumber, Hash};
use polkadot_sdk::*;
use sp_consensus_grandpa::AuthorityId;
use sp_keyring::Ed25519Keyring::{self, Alice, Bob, Charlie, Dave};
use std::collections::HashSet;

const HASH: Hash = Hash::repeat_byte(1);

fn id(key: Ed25519Keyring) -> AuthorityId {
	key.public().into()
}

fn set(keys: &[Ed25519Keyring]) -> Set {
	let member = |key: &Ed25519Keyring| Member {
		grandpa: id(*key),
		weight: 1,
		account: Some(key.to_account_id()),
	};
	Set {
		id: 2,
		members: keys.iter().map(member).collect(),
	}
}

fn four() -> Set {
	set(&[Alice, Bob, Charlie, Dave])
}

fn block(number: BlockNumber, depth: Option<BlockNumber>) -> Found {
	Found {
		number,
		hash: HASH,
		depth,
	}
}

fn votes(number: BlockNumber, hash: Hash, signed: &[bool]) -> Votes {
	Votes {
		number,
		hash,
		round: 17,
		signed: signed.to_vec(),
	}
}

fn keys(verifiers: &[Verifier]) -> Vec<AuthorityId> {
	verifiers.iter().map(|v| v.grandpa_key.clone()).collect()
}

#[test]
fn votes_for_a_descendant_count() {
	let votes = votes(120, Hash::repeat_byte(2), &[true, false, true, true]);
	let answer = Verification::new(block(118, Some(9)), Known::Signed(four(), votes));
	assert!(answer.is_finalized && answer.more_than_half && answer.on_best_chain);
	assert_eq!(
		(answer.confirmations, answer.verifiers, answer.set_id),
		(Some(9), Some(4), Some(2))
	);
	assert_eq!(keys(&answer.verified_by), [Alice, Charlie, Dave].map(id));
	assert_eq!(keys(&answer.not_seen), [id(Bob)]);
	assert_eq!(answer.verified_by[0].account, Some(Alice.to_account_id()));
	let by = Justification {
		number: 120,
		hash: Hash::repeat_byte(2),
		round: 17,
	};
	assert_eq!(answer.justified_by, Some(by));
	assert_eq!(
		answer.statement,
		"3 of 4 verifiers signed for block 120, which descends from it; more than half: linked, and finalized."
	);
}

#[test]
fn votes_for_the_block_itself_count() {
	let votes = votes(118, HASH, &[true]);
	let answer = Verification::new(block(118, Some(0)), Known::Signed(set(&[Alice]), votes));
	assert!(answer.not_seen.is_empty());
	assert_eq!(
		answer.statement,
		"1 of 1 verifier signed for it; more than half: linked, and finalized."
	);
}

#[test]
fn exactly_half_is_not_more() {
	assert!(!more_than_half(2, &four()));
	assert!(more_than_half(3, &four()));
	assert!(!more_than_half(1, &set(&[Alice, Bob, Charlie])));
	assert!(more_than_half(2, &set(&[Alice, Bob, Charlie])));
	assert!(!more_than_half(0, &set(&[])));
}

#[test]
fn finalized_without_votes_claims_no_more_than_that() {
	let answer = Verification::new(block(9, Some(900)), Known::Finalized(Some(four())));
	assert!(answer.is_finalized && !answer.more_than_half && answer.verified_by.is_empty());
	assert_eq!(answer.not_seen.len(), 4);
	assert_eq!(
		answer.statement,
		"Finalized; this node does not keep the votes for it."
	);

	let genesis = Verification::new(block(0, Some(0)), Known::Finalized(None));
	assert_eq!((genesis.set_id, genesis.verifiers), (None, None));
	assert_eq!(
		genesis.statement,
		"The genesis block, which the chain specification defines: finalized without a vote."
	);
}

#[test]
fn votes_of_a_running_round_do_not_count_for_the_block() {
	let seen = Seen {
		round: 3,
		prevotes: HashSet::from([id(Alice), id(Dave)]),
		precommits: HashSet::from([id(Dave)]),
	};
	let answer = Verification::new(
		block(5, Some(0)),
		Known::Pending(four(), HashSet::new(), Some(seen)),
	);
	assert!(!answer.is_finalized && !answer.more_than_half);
	assert!(answer.verified_by.is_empty() && answer.justified_by.is_none());
	let round = answer.round.expect("a round runs");
	assert_eq!(round.number, 3);
	assert_eq!(keys(&round.prevoted), [Alice, Dave].map(id));
	assert_eq!(keys(&round.precommitted), [id(Dave)]);
	assert_eq!(keys(&round.missing), [Alice, Bob, Charlie].map(id));
	assert_eq!(
		answer.statement,
		"Not finalized yet. In round 3, which is running, this node has seen the last votes of 1 of 4 \
		 verifiers; which block they are for is known when the round ends."
	);
}

#[test]
fn a_block_that_more_than_half_executed_is_linked_and_not_finalized() {
	let executed = |keys: &[Ed25519Keyring]| {
		let executed = keys.iter().map(|key| id(*key)).collect();
		Verification::new(block(5, Some(0)), Known::Pending(four(), executed, None))
	};
	// Eve is no verifier.
	let half = executed(&[Dave, Bob, Ed25519Keyring::Eve]);
	assert!(!half.more_than_half && !half.is_finalized);
	assert_eq!(keys(&half.verified_by), [Bob, Dave].map(id));
	assert_eq!(keys(&half.not_seen), [Alice, Charlie].map(id));
	assert!(half.statement.contains(" 2 of 4 verifiers executed it. "));
	let more = executed(&[Dave, Bob, Alice]);
	assert!(more.more_than_half && !more.is_finalized && more.justified_by.is_none());
	assert_eq!(
		more.statement,
		"Not finalized yet. 3 of 4 verifiers executed it; more than half: linked, but it may still be orphaned. This \
		 node takes no part in finality at present, and knows of no votes."
	);
}

#[test]
fn without_a_voter_no_votes_are_known() {
	let answer = Verification::new(
		block(5, Some(0)),
		Known::Pending(four(), HashSet::new(), None),
	);
	assert_eq!(answer.round, None);
	assert_eq!(
		answer.statement,
		"Not finalized yet. This node takes no part in finality at present, and knows of no votes."
	);
	let side = Verification::new(block(5, None), Known::Pending(four(), HashSet::new(), None));
	assert!(!side.on_best_chain);
	assert!(side
		.statement
		.starts_with("Not on the best chain, and not finalized."));
}

#[test]
fn a_block_is_orphaned_by_a_finalized_one() {
	let there = Hash::repeat_byte(9);
	let answer = Verification::new(block(5, None), Known::Orphaned(there));
	assert!(!answer.is_finalized && answer.confirmations.is_none() && answer.set_id.is_none());
	assert_eq!(
		answer.statement,
		format!("Not linked, and never will be: {there:?} is finalized at number 5.")
	);
}

#[test]
fn the_json_has_the_documented_names() {
	let answer = Verification::new(
		block(5, Some(0)),
		Known::Pending(set(&[Alice]), HashSet::new(), None),
	);
	let json = serde_json::to_value(answer).expect("plain data");
	let verifier = serde_json::json!({
		"account": Alice.to_account_id().to_string(),
		"grandpaKey": id(Alice).to_string(),
	});
	let expected = serde_json::json!({
		"number": 5,
		"hash": HASH,
		"onBestChain": true,
		"confirmations": 0,
		"final": false,
		"moreThanHalf": false,
		"setId": 2,
		"verifiers": 1,
		"verifiedBy": [],
		"notSeen": [verifier],
		"justifiedBy": null,
		"round": null,
		"statement": "Not finalized yet. This node takes no part in finality at present, and knows of no votes.",
	});
	assert_eq!(json, expected);
}
