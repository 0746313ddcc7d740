// SPDX-License-Identifier: Apache-2.0
//! Tests the signatures of queries, and the JSON of requests and refusals. scripts/tests/query.test.mjs
//! tests the methods on a running node.

use isthmus_node::rpc::sharing::{dto::SignedPage, signed, Refusal};
use isthmus_primitives::{AccountId, Hash, Signature};
use isthmus_sharing::{
	signed::{Message, Method},
	QueryError,
};
use jsonrpsee::types::ErrorObjectOwned;
use polkadot_sdk::*;
use sp_core::{ecdsa, ed25519, sr25519, Pair};
use sp_runtime::{traits::IdentifyAccount, MultiSigner};

fn message(caller: &AccountId) -> Message {
	Message {
		genesis: [1; 32],
		method: Method::Query,
		caller: caller.clone().into(),
		owner: [2; 32],
		key: [3; 32],
		block: 4,
		nonce: [5; 16],
	}
}

/// A caller's account, and its signature over a message.
fn sign<P: Pair>(message: impl Fn(&AccountId) -> Vec<u8>) -> (AccountId, Signature)
where
	P::Public: Into<MultiSigner>,
	P::Signature: Into<Signature>,
{
	let pair = P::from_seed_slice(&[7; 32]).expect("the seed has 32 bytes");
	let signer: MultiSigner = pair.public().into();
	let caller = signer.into_account();
	let signature = pair.sign(&message(&caller)).into();
	(caller, signature)
}

#[test]
fn every_kind_of_signature_is_taken_plain_and_wrapped() {
	for (caller, signature) in [
		sign::<sr25519::Pair>(|caller| message(caller).to_bytes()),
		sign::<sr25519::Pair>(|caller| message(caller).to_wrapped_bytes()),
		sign::<ed25519::Pair>(|caller| message(caller).to_bytes()),
		sign::<ecdsa::Pair>(|caller| message(caller).to_bytes()),
	] {
		assert!(signed(&signature, &message(&caller), &caller));
	}
}

#[test]
fn a_signature_over_anything_else_is_not() {
	let (caller, signature) = sign::<sr25519::Pair>(|caller| message(caller).to_bytes());
	let good = message(&caller);
	let stranger = AccountId::new([9; 32]);
	for bad in [
		Message {
			genesis: [0; 32],
			..good
		},
		Message {
			method: Method::Chunks { first: 0, count: 1 },
			..good
		},
		Message {
			caller: stranger.clone().into(),
			..good
		},
		Message {
			owner: [0; 32],
			..good
		},
		Message {
			key: [0; 32],
			..good
		},
		Message { block: 5, ..good },
		Message {
			nonce: [0; 16],
			..good
		},
	] {
		assert!(!signed(&signature, &bad, &caller));
	}
	assert!(!signed(&signature, &good, &stranger));
}

#[test]
fn a_request_for_a_page_is_read() {
	let account = AccountId::new([7; 32]);
	let json = serde_json::json!({
		"genesis": Hash::repeat_byte(1),
		"caller": account,
		"owner": account,
		"key": Hash::repeat_byte(2),
		"block": 9,
		"nonce": "0x000102030405060708090a0b0c0d0e0f",
		"signature": "0x01",
		"first": 3,
		"count": 4,
	});
	let page: SignedPage = serde_json::from_value(json).expect("all is there");
	assert_eq!((page.first, page.count), (3, 4));
	assert_eq!(page.query.caller, account);
	assert_eq!(page.query.key, Hash::repeat_byte(2));
	assert_eq!(page.query.nonce[..4], [0, 1, 2, 3]);
}

#[test]
fn every_refusal_has_its_own_code() {
	let hash = Hash::zero();
	let refusals = [
		Refusal::Forged,
		Refusal::Replayed,
		Refusal::Stale {
			signed: 1,
			oldest: 2,
			newest: 3,
		},
		Refusal::WrongChain {
			asked: hash,
			here: hash,
		},
		Refusal::NotAllowed(QueryError::UnknownRecord),
		Refusal::NotAllowed(QueryError::NotAuthorised),
		Refusal::NotAllowed(QueryError::OutOfRange),
		Refusal::NotAllowed(QueryError::Expired),
		Refusal::NotAllowed(QueryError::Revoked),
		Refusal::NotAllowed(QueryError::Incomplete),
		Refusal::NoSuchChunk {
			first: 1,
			arrived: 1,
		},
		Refusal::BytesGone(hash),
		Refusal::TooManyQueries,
		Refusal::NotAllowed(QueryError::Suspended),
		Refusal::NotAllowed(QueryError::Embargoed),
	];
	for (number, refusal) in (7101..).zip(refusals) {
		let reason = refusal.code().1;
		let object = ErrorObjectOwned::from(refusal);
		assert_eq!(object.code(), number);
		let data = object.data().map(|data| data.get().to_string());
		assert_eq!(data, Some(format!("{{\"reason\":\"{reason}\"}}")));
	}
}
