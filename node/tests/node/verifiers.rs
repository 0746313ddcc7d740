// SPDX-License-Identifier: Apache-2.0
//! Tests that a justification (the votes that finalized a block) is accepted only if every part of it is
//! valid.

use codec::{Decode, Encode};
use isthmus_node::verifiers::{Error, Member, Set, Votes};
use isthmus_primitives::{BlockNumber, Hash, Header};
use polkadot_sdk::*;
use sp_consensus_grandpa::{
	localized_payload, AuthorityId, AuthoritySignature, Commit, GrandpaJustification, Message,
	Precommit,
};
use sp_keyring::Ed25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve};

const ROUND: u64 = 5;
const SET_ID: u64 = 3;
const TARGET: (BlockNumber, Hash) = (7, Hash::repeat_byte(7));

fn id(key: Ed25519Keyring) -> AuthorityId {
	key.public().into()
}

fn set() -> Set {
	let member = |key: Ed25519Keyring| Member {
		grandpa: id(key),
		weight: 1,
		account: Some(key.to_account_id()),
	};
	Set {
		id: SET_ID,
		members: [Alice, Bob, Charlie, Dave].map(member).to_vec(),
	}
}

/// One signed vote, in the layout of a commit.
fn vote(key: Ed25519Keyring, set_id: u64) -> (Hash, BlockNumber, AuthoritySignature, AuthorityId) {
	let (number, hash) = TARGET;
	let precommit = Precommit::<Header> {
		target_hash: hash,
		target_number: number,
	};
	let message = Message::<Header>::Precommit(precommit);
	let payload = localized_payload(ROUND, set_id, &message);
	(hash, number, key.sign(&payload).into(), id(key))
}

fn justification(votes: &[(Hash, BlockNumber, AuthoritySignature, AuthorityId)]) -> Vec<u8> {
	let commit = (TARGET.1, TARGET.0, votes).encode();
	GrandpaJustification::<Header> {
		round: ROUND,
		commit: Commit::<Header>::decode(&mut &commit[..]).expect("a commit's layout"),
		votes_ancestries: Vec::new(),
	}
	.encode()
}

fn read(encoded: &[u8], set: &Set) -> Result<Votes, String> {
	Votes::read(encoded, TARGET.0, TARGET.1, set).map_err(|error| match error {
		Error::CorruptJustification { number: 7, reason } => reason,
		other => panic!("another error: {other}"),
	})
}

#[test]
fn signers_are_in_the_order_of_the_set() {
	let votes = [Dave, Alice, Charlie].map(|key| vote(key, SET_ID));
	let votes = read(&justification(&votes), &set());
	let expected = Votes {
		number: TARGET.0,
		hash: TARGET.1,
		round: ROUND,
		signed: vec![true, false, true, true],
	};
	assert_eq!(votes, Ok(expected));
}

#[test]
fn too_few_votes_prove_nothing() {
	let votes = [Alice, Bob].map(|key| vote(key, SET_ID));
	let invalid = "bad justification for header: invalid commit in grandpa justification";
	assert_eq!(read(&justification(&votes), &set()), Err(invalid.into()));
}

#[test]
fn a_strangers_vote_does_not_count() {
	let votes = [Alice, Bob, Eve].map(|key| vote(key, SET_ID));
	let invalid = "bad justification for header: invalid commit in grandpa justification";
	assert_eq!(read(&justification(&votes), &set()), Err(invalid.into()));
}

#[test]
fn a_vote_of_another_set_does_not_count() {
	let votes = [vote(Alice, SET_ID), vote(Bob, SET_ID), vote(Charlie, 4)];
	let invalid =
		"bad justification for header: invalid signature for precommit in grandpa justification";
	assert_eq!(read(&justification(&votes), &set()), Err(invalid.into()));
}

#[test]
fn a_justification_of_another_block_is_rejected() {
	let votes = [Alice, Bob, Charlie].map(|key| vote(key, SET_ID));
	let encoded = justification(&votes);
	for (number, hash) in [(8, TARGET.1), (7, Hash::repeat_byte(8))] {
		let error = Votes::read(&encoded, number, hash, &set()).expect_err("another block");
		let Error::CorruptJustification { number: of, reason } = error else {
			panic!("another error: {error}");
		};
		assert_eq!((of, &*reason), (number, "it is for another block"));
	}
}

#[test]
fn a_justification_that_does_not_decode_is_rejected() {
	let votes = [Alice, Bob, Charlie].map(|key| vote(key, SET_ID));
	let mut encoded = justification(&votes);
	encoded.push(0);
	let undecodable = Err("error decoding justification for header".into());
	assert_eq!(read(&encoded, &set()), undecodable);
	encoded.truncate(encoded.len() / 2);
	assert_eq!(read(&encoded, &set()), undecodable);
}

#[test]
fn an_empty_set_proves_nothing() {
	let votes = [Alice, Bob, Charlie].map(|key| vote(key, SET_ID));
	let empty = Set {
		id: SET_ID,
		members: Vec::new(),
	};
	assert!(read(&justification(&votes), &empty).is_err());
}
