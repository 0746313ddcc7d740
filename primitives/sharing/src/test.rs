// SPDX-License-Identifier: Apache-2.0
//! Provides SHA-256 and the files of test vectors to this crate's tests.

use crate::merkle::Hash;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
	Sha256::digest(bytes).into()
}

/// Reads a file of test vectors. Its path is relative to the repository's root.
pub(crate) fn vectors(path: &str) -> Value {
	let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
	let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
	serde_json::from_str(&text).expect("the vectors are JSON")
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
	hex::decode(value.as_str().expect("a string")).expect("hexadecimal")
}

pub(crate) fn hash(value: &Value) -> Hash {
	bytes(value).try_into().expect("32 bytes")
}

pub(crate) fn number(value: &Value) -> u32 {
	let number = value.as_u64().expect("a number");
	number.try_into().expect("a 32-bit number")
}

pub(crate) fn list(value: &Value) -> &[Value] {
	value.as_array().expect("a list")
}
