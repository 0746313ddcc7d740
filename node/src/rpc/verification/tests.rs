//! What is said of a block in each state that its verification may be in.

use super::*;
use polkadot_sdk::sp_keyring::Ed25519Keyring::{self, Alice, Bob, Charlie, Dave};

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
	assert!(answer.is_final && answer.more_than_half && answer.on_best_chain);
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
		"3 of 4 verifiers signed for block 120, which descends from it; more than half: linked, and final."
	);
}

#[test]
fn votes_for_the_block_itself_count() {
	let votes = votes(118, HASH, &[true]);
	let answer = Verification::new(block(118, Some(0)), Known::Signed(set(&[Alice]), votes));
	assert!(answer.not_seen.is_empty());
	assert_eq!(
		answer.statement,
		"1 of 1 verifier signed for it; more than half: linked, and final."
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
fn final_without_votes_says_no_more_than_that() {
	let answer = Verification::new(block(9, Some(900)), Known::Final(Some(four())));
	assert!(answer.is_final && !answer.more_than_half && answer.verified_by.is_empty());
	assert_eq!(answer.not_seen.len(), 4);
	assert_eq!(
		answer.statement,
		"Final; who signed for it is not kept by this node."
	);

	let genesis = Verification::new(block(0, Some(0)), Known::Final(None));
	assert_eq!((genesis.set_id, genesis.verifiers), (None, None));
	assert_eq!(
		genesis.statement,
		"The first block, which the chain's specification gives: final without a vote."
	);
}

#[test]
fn a_running_rounds_votes_are_not_said_to_be_for_the_block() {
	let seen = Seen {
		round: 3,
		prevotes: HashSet::from([id(Alice), id(Dave)]),
		precommits: HashSet::from([id(Dave)]),
	};
	let answer = Verification::new(block(5, Some(0)), Known::Waiting(four(), Some(seen)));
	assert!(!answer.is_final && !answer.more_than_half);
	assert!(answer.verified_by.is_empty() && answer.justified_by.is_none());
	let round = answer.round.expect("a round runs");
	assert_eq!(round.number, 3);
	assert_eq!(keys(&round.prevoted), [Alice, Dave].map(id));
	assert_eq!(keys(&round.precommitted), [id(Dave)]);
	assert_eq!(keys(&round.missing), [Alice, Bob, Charlie].map(id));
	assert_eq!(
		answer.statement,
		"Not final yet. In round 3, which runs now, the last votes of 1 of 4 verifiers were seen; for which \
		 block is known when the round ends."
	);
}

#[test]
fn without_a_voter_no_votes_are_known() {
	let answer = Verification::new(block(5, Some(0)), Known::Waiting(four(), None));
	assert_eq!(answer.round, None);
	assert_eq!(
		answer.statement,
		"Not final yet. This node takes no part in finality now, and knows of no votes."
	);
	let side = Verification::new(block(5, None), Known::Waiting(four(), None));
	assert!(!side.on_best_chain);
	assert!(side
		.statement
		.starts_with("Not on the best chain, and not final."));
}

#[test]
fn a_block_that_lost_is_said_to_have() {
	let there = Hash::repeat_byte(9);
	let answer = Verification::new(block(5, None), Known::Lost(there));
	assert!(!answer.is_final && answer.confirmations.is_none() && answer.set_id.is_none());
	assert_eq!(
		answer.statement,
		format!("Not linked, and never will be: {there:?} is final at number 5.")
	);
}

#[test]
fn the_names_are_the_documented_ones() {
	let answer = Verification::new(block(5, Some(0)), Known::Waiting(set(&[Alice]), None));
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
		"statement": "Not final yet. This node takes no part in finality now, and knows of no votes.",
	});
	assert_eq!(json, expected);
}
