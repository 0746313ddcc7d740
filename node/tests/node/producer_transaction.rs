// SPDX-License-Identifier: Apache-2.0
//! Tests the transaction that registers the node's producer.

use codec::{DecodeAll, Encode};
use isthmus_node::producer::{
	identity::Profile,
	transaction::{deposit, signed, ChainContext, RegistrationError},
};
use isthmus_primitives::{Hash, UNIT};
use isthmus_runtime::{RuntimeCall, UncheckedExtrinsic};
use isthmus_sharing::ProducerKind;
use polkadot_sdk::*;
use sp_keyring::Sr25519Keyring::Eve;
use sp_runtime::{
	generic::{Era, Preamble},
	traits::Verify,
};

fn context() -> ChainContext {
	ChainContext {
		spec_version: 7,
		transaction_version: 1,
		genesis: Hash::repeat_byte(1),
		begin: (100, Hash::repeat_byte(2)),
		nonce: 3,
	}
}

#[test]
fn the_transaction_registers_the_producer_and_is_signed_for_its_chain() {
	let profile = Profile {
		name: "A school".into(),
		kind: ProducerKind::School,
		account: None,
	};
	let mut signed_over = Vec::new();
	let opaque = signed(&profile, &Eve.to_account_id(), &context(), |payload| {
		signed_over = payload.to_vec();
		Ok(Eve.sign(payload))
	})
	.expect("the key is there");

	let read = UncheckedExtrinsic::decode_all(&mut &opaque.encode()[..]).expect("an extrinsic");
	let call = RuntimeCall::DataSharing(pallet_data_sharing::Call::register {
		kind: ProducerKind::School,
		name: b"A school".to_vec(),
	});
	assert_eq!(read.function, call);
	let Preamble::Signed(address, signature, extension) = read.preamble else {
		panic!("it is not signed");
	};
	assert_eq!(address, Eve.to_account_id().into());
	assert_eq!((extension.5 .0, extension.6 .0), (Era::mortal(64, 100), 3));
	assert!(signature.verify(&signed_over[..], &Eve.to_account_id()));
	// The signature also covers the versions, the genesis hash and the block at which the lifetime starts,
	// although they are not part of the transaction; and that there is no hash of the metadata.
	let metadata_hash = None::<[u8; 32]>;
	let tail = (
		7_u32,
		1_u32,
		context().genesis,
		context().begin.1,
		metadata_hash,
	)
		.encode();
	assert!(signed_over.ends_with(&tail));
}

#[test]
fn without_its_key_there_is_no_transaction() {
	let profile = Profile {
		name: "A school".into(),
		kind: ProducerKind::School,
		account: None,
	};
	let none = signed(&profile, &Eve.to_account_id(), &context(), |_| {
		Err(RegistrationError::NoKey)
	});
	assert!(matches!(none, Err(RegistrationError::NoKey)));
}

#[test]
fn a_longer_name_holds_more() {
	assert_eq!(deposit("ab") - deposit("a"), UNIT / 10_000);
	assert_eq!(deposit(""), UNIT / 10);
}

#[test]
fn an_account_without_funds_learns_what_it_needs() {
	let error = RegistrationError::Funds {
		account: Eve.to_account_id(),
		needed: UNIT / 10 + 1,
		free: 0,
	};
	assert_eq!(
		error.to_string(),
		format!(
			"account {} needs at least 0.100000000001 IST, and has 0 IST",
			Eve.to_account_id()
		)
	);
}
