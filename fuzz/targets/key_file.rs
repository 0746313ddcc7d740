// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of key files. A key file contains an account's secrets, encrypted under a passphrase.
//!
//! - If a file can be read, it stays the same when it is written and read again.
//! - If the contents open, encoding them again returns the same bytes, even if a dishonest program
//!   encrypted them.
//! - A file does not open with a wrong passphrase, or after it was changed.

#![no_main]

use isthmus_envelope::{KeyFile, KeyFileError, Secrets};
use libfuzzer_sys::{
	arbitrary::{Result, Unstructured},
	fuzz_target,
};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use serde_json::{json, Value};

const PASSPHRASE: &str = "three plain words";
const ACCOUNT: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// The minimum cost of scrypt, as log2(N). This target reads a file with a higher cost, but does not open
/// it.
const LOG_N: u8 = 1;
/// A fingerprint of no seed in particular.
const FINGERPRINT: &str = "0000000000000000";

/// Checks a file that consists of this text.
fn check_text(text: &str) {
	let Ok(file) = text.parse::<KeyFile>() else {
		return;
	};
	let written = file.to_string();
	assert_eq!(written.parse::<KeyFile>().as_ref().ok(), Some(&file));
	let object: Value = serde_json::from_str(&written).expect("a key file is JSON");
	assert_eq!(object["account"], file.account());
	assert_eq!(object["fingerprint"], file.fingerprint());
	if object["scryptLogN"].as_u64() <= Some(LOG_N.into()) {
		// Without the passphrase, no one can make a file that opens with it.
		let opened = file.open("another passphrase");
		assert!(opened.is_err(), "a file opened with a wrong passphrase");
	}
}

/// Encrypts any bytes as a key file's secrets, in the layout of docs/formats.md.
fn seal(contents: &[u8], salt: &[u8]) -> Value {
	let params = scrypt::Params::new(LOG_N, 8, 1, 32).expect("the cost is one of scrypt's");
	let mut key = [0; 32];
	scrypt::scrypt(PASSPHRASE.as_bytes(), salt, &params, &mut key).expect("scrypt gives 32 bytes");
	let key = UnboundKey::new(&AES_256_GCM, &key).expect("the key has 32 bytes");
	let aad = format!("isthmus/key/v2/{ACCOUNT}/{FINGERPRINT}");
	let mut secrets = contents.to_vec();
	LessSafeKey::new(key)
		.seal_in_place_append_tag(
			Nonce::assume_unique_for_key([0; 12]),
			Aad::from(aad.into_bytes()),
			&mut secrets,
		)
		.expect("a few bytes can be encrypted");
	json!({
		"isthmusKey": 2,
		"account": ACCOUNT,
		"fingerprint": FINGERPRINT,
		"scryptLogN": LOG_N,
		"salt": hex::encode(salt),
		"secrets": hex::encode(secrets),
	})
}

/// Encodes secrets in the layout of a key file.
fn encode(secrets: &Secrets) -> Vec<u8> {
	let mut bytes = secrets.seed.expose_secret().to_vec();
	if let Some(account) = &secrets.imported {
		bytes.extend(account.as_bytes());
	}
	bytes
}

/// Checks a file made from any contents by a program that has the passphrase.
fn check_contents(data: &[u8]) -> Result<()> {
	let mut input = Unstructured::new(data);
	let salt: [u8; 4] = input.arbitrary()?;
	let flipped: u16 = input.arbitrary()?;
	let contents = input.take_rest();
	let mut object = seal(contents, &salt);
	let file: KeyFile = object.to_string().parse().expect("it is a key file");
	match file.open(PASSPHRASE) {
		Ok(secrets) => assert_eq!(encode(&secrets), contents),
		Err(error) => assert!(matches!(error, KeyFileError::Contents), "{error}"),
	}
	assert!(matches!(
		file.open("another passphrase"),
		Err(KeyFileError::DoesNotOpen)
	));

	// A changed digit in the secrets, or a changed account, is detected.
	let secrets = object["secrets"].as_str().unwrap_or_default();
	let mut bytes = hex::decode(secrets).expect("the secrets are hexadecimal");
	let bit = usize::from(flipped) % (8 * bytes.len());
	bytes[bit / 8] ^= 1 << (bit % 8);
	let changed = std::mem::replace(&mut object["secrets"], hex::encode(bytes).into());
	let file: KeyFile = object.to_string().parse().expect("it is a key file");
	assert!(matches!(
		file.open(PASSPHRASE),
		Err(KeyFileError::DoesNotOpen)
	));
	object["secrets"] = changed;
	object["account"] = "another".into();
	let file: KeyFile = object.to_string().parse().expect("it is a key file");
	assert!(matches!(
		file.open(PASSPHRASE),
		Err(KeyFileError::DoesNotOpen)
	));
	Ok(())
}

fuzz_target!(|data: &[u8]| {
	if let Ok(text) = std::str::from_utf8(data) {
		check_text(text);
	}
	let _ = check_contents(data);
});
