// SPDX-License-Identifier: Apache-2.0
//! Fuzzes signed queries, in which a caller asks a node for a record: the JSON of `sharing_query` and
//! `sharing_chunks`, and the bytes that the caller signs.
//!
//! - The signed bytes have the layout in docs/formats.md and contain every part of the query.
//! - A query signed here verifies, both plain and as wallets wrap it. It does not verify if any bit of the
//!   message or the signature is changed.

#![no_main]

/// The node's own request types. The whole node would be too large to build for fuzzing.
#[allow(dead_code, missing_docs, unused_imports)]
#[path = "../../node/src/rpc/sharing/dto.rs"]
mod dto;

use codec::{DecodeAll, Encode};
use isthmus_sharing::signed::{Message, Method, LABEL};
use libfuzzer_sys::{
	arbitrary::{Result, Unstructured},
	fuzz_target,
};
use polkadot_sdk::{
	sp_core::{ed25519, Pair},
	sp_runtime::{traits::Verify, AccountId32, MultiSignature},
};
use std::sync::OnceLock;

/// The length of an ed25519 signature, after the byte for its kind.
const SIGNATURE_LEN: usize = 64;

fn signer() -> &'static ed25519::Pair {
	static SIGNER: OnceLock<ed25519::Pair> = OnceLock::new();
	SIGNER.get_or_init(|| ed25519::Pair::from_seed(&[7; 32]))
}

/// Verifies a signature as the node does: over the plain message, or over the message as wallets wrap it.
fn verifies(signature: &MultiSignature, message: &Message) -> bool {
	let caller = AccountId32::new(message.caller);
	signature.verify(&message.to_bytes()[..], &caller)
		|| signature.verify(&message.to_wrapped_bytes()[..], &caller)
}

/// Reads a message back from its bytes, following the table in docs/formats.md.
fn read(bytes: &[u8]) -> Option<Message> {
	let (label, rest) = bytes.split_first_chunk::<16>()?;
	let (genesis, rest) = rest.split_first_chunk()?;
	let (method, rest) = rest.split_first()?;
	let (caller, rest) = rest.split_first_chunk()?;
	let (owner, rest) = rest.split_first_chunk()?;
	let (key, rest) = rest.split_first_chunk()?;
	let (block, rest) = rest.split_first_chunk()?;
	let (nonce, rest) = rest.split_first_chunk()?;
	let method = match (method, rest) {
		(0, []) => Method::Query,
		(1, &[a, b, c, d, e, f, g, h]) => Method::Chunks {
			first: u32::from_be_bytes([a, b, c, d]),
			count: u32::from_be_bytes([e, f, g, h]),
		},
		_ => return None,
	};
	(label == LABEL).then_some(Message {
		genesis: *genesis,
		method,
		caller: *caller,
		owner: *owner,
		key: *key,
		block: u32::from_be_bytes(*block),
		nonce: *nonce,
	})
}

/// Processes a request as the node does, up to the point where the node reads the state.
fn answer(query: &dto::SignedQuery, method: Method) {
	let Ok(nonce) = <[u8; 16]>::try_from(&query.nonce[..]) else {
		return;
	};
	let message = Message {
		genesis: query.genesis.0,
		method,
		caller: query.caller.clone().into(),
		owner: query.owner.clone().into(),
		key: query.key.0,
		block: query.block,
		nonce,
	};
	assert_eq!(read(&message.to_bytes()), Some(message));
	if let Ok(signature) = MultiSignature::decode_all(&mut &query.signature[..]) {
		assert_eq!(signature.encode(), query.signature[..]);
		verifies(&signature, &message);
	}
}

/// Signs a message and checks that it verifies, and that a changed message does not.
fn check_made(data: &[u8]) -> Result<()> {
	let mut input = Unstructured::new(data);
	let message = Message {
		genesis: input.arbitrary()?,
		method: match input.arbitrary()? {
			true => Method::Query,
			false => Method::Chunks {
				first: input.arbitrary()?,
				count: input.arbitrary()?,
			},
		},
		caller: signer().public().0,
		owner: input.arbitrary()?,
		key: input.arbitrary()?,
		block: input.arbitrary()?,
		nonce: input.arbitrary()?,
	};
	let bytes = message.to_bytes();
	assert_eq!(read(&bytes), Some(message));
	let signed = match input.arbitrary()? {
		true => message.to_wrapped_bytes(),
		false => bytes.clone(),
	};
	let signature = signer().sign(&signed);
	assert!(verifies(&signature.into(), &message));

	let flipped: u16 = input.arbitrary()?;
	let mut changed = bytes.clone();
	let bit = usize::from(flipped) % (8 * bytes.len());
	changed[bit / 8] ^= 1 << (bit % 8);
	if let Some(changed) = read(&changed) {
		assert!(!verifies(&signature.into(), &changed));
	}
	let mut forged = signature.0;
	let bit = usize::from(flipped) % (8 * SIGNATURE_LEN);
	forged[bit / 8] ^= 1 << (bit % 8);
	assert!(!verifies(
		&ed25519::Signature::from_raw(forged).into(),
		&message
	));
	Ok(())
}

fuzz_target!(|data: &[u8]| {
	if let Ok(query) = serde_json::from_slice::<dto::SignedQuery>(data) {
		answer(&query, Method::Query);
	}
	if let Ok(page) = serde_json::from_slice::<dto::SignedPage>(data) {
		let (first, count) = (page.first, page.count);
		answer(&page.query, Method::Chunks { first, count });
	}
	if let Some(message) = read(data) {
		assert_eq!(message.to_bytes(), data);
	}
	let _ = check_made(data);
});
