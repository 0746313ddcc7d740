// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the opening of grants. A grant contains the keys of a range of leaves, sealed to a reader. The
//! chain stores it without checking what is sealed.
//!
//! - Bytes that were not sealed to the reader do not open.
//! - A dishonest owner can seal any bytes. They open if and only if their length is that of the keys that
//!   cover the range, and then they open exactly the leaves of the range.
//! - A grant sealed here opens, but not for another scope or with any bit changed.

#![no_main]

use hpke::{
	aead::AesGcm256,
	kdf::HkdfSha256,
	kem::X25519HkdfSha256,
	rand_core::{CryptoRng, RngCore},
	Deserializable, OpModeS, Serializable,
};
use isthmus_envelope::{
	decrypt_value, encrypt_value, open_grant, seal_grant, EncryptionKeyPair, EpochId, EpochRoot,
	GrantScope, KeySet, MasterSecret, PublicKey, Range, RecordContext, Suite,
};
use libfuzzer_sys::{
	arbitrary::{Result, Unstructured},
	fuzz_target,
};
use std::sync::OnceLock;

const EPOCH: EpochId = EpochId {
	genesis: [1; 32],
	owner: [2; 32],
	dataset: 3,
	epoch: 4,
};

/// The reader's pair of suite 1, for which this program can seal anything itself.
fn reader() -> &'static (EncryptionKeyPair, PublicKey) {
	static READER: OnceLock<(EncryptionKeyPair, PublicKey)> = OnceLock::new();
	READER.get_or_init(|| reader_of(Suite::X25519))
}

/// The reader's pair of suite 2.
fn post_quantum_reader() -> &'static (EncryptionKeyPair, PublicKey) {
	static READER: OnceLock<(EncryptionKeyPair, PublicKey)> = OnceLock::new();
	READER.get_or_init(|| reader_of(Suite::XWing))
}

fn reader_of(suite: Suite) -> (EncryptionKeyPair, PublicKey) {
	let pair = EncryptionKeyPair::from_seed(suite, [4; 16], [5; 32]);
	let key = pair.public_key();
	(pair, key)
}

fn root() -> &'static EpochRoot {
	static ROOT: OnceLock<EpochRoot> = OnceLock::new();
	ROOT.get_or_init(|| MasterSecret::from_bytes([6; 32]).epoch_root(&EPOCH))
}

fn scope(input: &mut Unstructured) -> Result<GrantScope> {
	let start: u32 = input.arbitrary()?;
	let length: u32 = input.arbitrary()?;
	let end = (u64::from(start) + 1 + u64::from(length)).min(1 << 32);
	Ok(GrantScope {
		grantee: [7; 32],
		range: Range::new(start.into(), end).expect("the range has a leaf and ends in the tree"),
		expiry: input.arbitrary()?,
	})
}

/// Checks that keys open the first and the last leaf of their range, but not the leaves next to it.
fn check_range(keys: &KeySet, range: Range) {
	let leaf = |leaf: u64| u32::try_from(leaf).expect("the range ends in the tree");
	assert!(keys.leaf_key(leaf(range.start())).is_ok());
	assert!(keys.leaf_key(leaf(range.end() - 1)).is_ok());
	for beside in [range.start().checked_sub(1), Some(range.end())] {
		if let Some(Ok(beside)) = beside.map(u32::try_from) {
			assert!(keys.leaf_key(beside).is_err());
		}
	}
}

/// The dishonest owner's ephemeral key, which is always the same.
struct Ephemeral;

impl RngCore for Ephemeral {
	fn next_u32(&mut self) -> u32 {
		8
	}
	fn next_u64(&mut self) -> u64 {
		8
	}
	fn fill_bytes(&mut self, bytes: &mut [u8]) {
		bytes.fill(8);
	}
}

impl CryptoRng for Ephemeral {}

/// Seals any bytes to the reader, bound to a scope, in the layout of docs/formats.md.
fn seal(scope: &GrantScope, bytes: &[u8]) -> Vec<u8> {
	let info = [
		&b"isthmus/grant/v2"[..],
		&EPOCH.genesis,
		&EPOCH.owner,
		&EPOCH.dataset.to_be_bytes(),
		&EPOCH.epoch.to_be_bytes(),
		&scope.grantee,
		&scope.range.start().to_be_bytes(),
		&scope.range.end().to_be_bytes(),
		&scope.expiry.to_be_bytes(),
	]
	.concat();
	let recipient = reader().1.to_bytes();
	let (prefix, key) = recipient.split_at(PublicKey::PREFIX_LEN);
	let key = Deserializable::from_bytes(key).expect("it is the reader's key");
	let (encapsulated, mut context) = hpke::setup_sender::<
		AesGcm256,
		HkdfSha256,
		X25519HkdfSha256,
		_,
	>(&OpModeS::Base, &key, &info, &mut Ephemeral)
	.expect("the reader's key is a good one");
	let ciphertext = context.seal(bytes, &[]).expect("a few bytes can be sealed");
	[&[2][..], prefix, &encapsulated.to_bytes(), &ciphertext].concat()
}

/// Checks a grant from a dishonest owner, who may seal anything.
fn check_dishonest(data: &[u8]) -> Result<()> {
	let mut input = Unstructured::new(data);
	let scope = scope(&mut input)?;
	let mut bytes = input.take_rest().to_vec();
	let expected = 32 * scope.range.cover().len();
	// Half of the inputs have the right length.
	if bytes.first().is_some_and(|first| first % 2 == 0) {
		bytes.resize(expected, 0);
	}
	let sealed = seal(&scope, &bytes);
	match open_grant(&reader().0, &EPOCH, &scope, &sealed) {
		Ok(keys) => {
			assert_eq!(bytes.len(), expected);
			check_range(&keys, scope.range);
		}
		Err(_) => assert_ne!(bytes.len(), expected),
	}
	Ok(())
}

/// Checks a grant from an honest owner.
fn check_honest(data: &[u8]) -> Result<()> {
	let mut input = Unstructured::new(data);
	let scope = scope(&mut input)?;
	let (flipped, leaf): (u16, u64) = (
		input.arbitrary()?,
		input.int_in_range(scope.range.start()..=scope.range.end() - 1)?,
	);
	let (pair, public) = match input.arbitrary()? {
		true => reader(),
		false => post_quantum_reader(),
	};
	let mut sealed = seal_grant(root(), &scope, public).expect("the reader's key is a good one");
	let keys = open_grant(pair, &EPOCH, &scope, &sealed).expect("it was sealed to the reader");
	check_range(&keys, scope.range);

	let leaf = u32::try_from(leaf).expect("the range ends in the tree");
	let context = RecordContext {
		genesis: EPOCH.genesis,
		owner: EPOCH.owner,
		key: [9; 32],
		version: 0,
	};
	let record = encrypt_value(&root().leaf_key(leaf), &context, b"value").expect("it is short");
	let key = keys.leaf_key(leaf).expect("the leaf is in the range");
	assert_eq!(
		decrypt_value(&key, &context, &record).as_deref(),
		Ok(&b"value"[..])
	);

	let other = GrantScope {
		expiry: scope.expiry ^ 1,
		..scope
	};
	assert!(open_grant(pair, &EPOCH, &other, &sealed).is_err());
	let bit = usize::from(flipped) % (8 * sealed.len());
	sealed[bit / 8] ^= 1 << (bit % 8);
	assert!(open_grant(pair, &EPOCH, &scope, &sealed).is_err());
	Ok(())
}

fuzz_target!(|data: &[u8]| {
	let scope = GrantScope {
		grantee: [7; 32],
		range: Range::ALL,
		expiry: 0,
	};
	for (pair, public) in [reader(), post_quantum_reader()] {
		assert!(open_grant(pair, &EPOCH, &scope, data).is_err());
		// Bytes that start as they should.
		let started = [&[2], &public.to_bytes()[..PublicKey::PREFIX_LEN], data].concat();
		assert!(open_grant(pair, &EPOCH, &scope, &started).is_err());
	}
	if PublicKey::from_bytes(data).is_ok_and(|key| key.to_bytes()[..] != *data) {
		panic!("a public key is written otherwise than it was read");
	}
	let _ = check_dishonest(data);
	let _ = check_honest(data);
});
