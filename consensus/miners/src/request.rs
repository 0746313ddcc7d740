// SPDX-License-Identifier: Apache-2.0
//! Parses the requests of getWork miners: JSON-RPC with geth's hexadecimal arguments, with or without the
//! `jsonrpc` member. It is fuzzed by `fuzz/targets/miners_port.rs`.

use serde_json::Value;

/// Why an argument is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
	/// It does not begin with `0x`.
	#[error("hex string without 0x prefix")]
	NoPrefix,
	/// It has another number of digits than the argument needs.
	#[error("hex string has {got} digits, want {want}")]
	Length {
		/// The number of digits.
		got: usize,
		/// The number of digits that the argument needs.
		want: usize,
	},
	/// It has no digits.
	#[error("empty hex string")]
	Empty,
	/// It contains something other than hexadecimal digits.
	#[error("invalid hex string")]
	NotHex,
	/// The number has more than 64 bits.
	#[error("hex number > 64 bits")]
	TooLarge,
}

/// Adds the member `jsonrpc` to a request if it is missing: geth does not require it, and ethminer omits it
/// when it submits a seal. Returns `None` if the body is not a JSON object.
pub fn complete(body: &[u8]) -> Option<String> {
	let mut request: Value = serde_json::from_slice(body).ok()?;
	request
		.as_object_mut()?
		.entry("jsonrpc")
		.or_insert_with(|| "2.0".into());
	Some(request.to_string())
}

/// Parses exactly `N` bytes.
///
/// # Errors
///
/// Returns an [`ArgumentError`] unless the text is `0x` followed by two hexadecimal digits per byte.
pub fn parse_bytes<const N: usize>(text: &str) -> Result<[u8; N], ArgumentError> {
	let digits = text.strip_prefix("0x").ok_or(ArgumentError::NoPrefix)?;
	let mut bytes = [0; N];
	if digits.len() != 2 * N {
		return Err(ArgumentError::Length {
			got: digits.len(),
			want: 2 * N,
		});
	}
	hex::decode_to_slice(digits, &mut bytes).map_err(|_| ArgumentError::NotHex)?;
	Ok(bytes)
}

/// Parses a number of at most 64 bits, with any number of leading zeros.
///
/// # Errors
///
/// Returns an [`ArgumentError`] unless the text is `0x` followed by the hexadecimal digits of such a
/// number.
pub fn parse_number(text: &str) -> Result<u64, ArgumentError> {
	let digits = text.strip_prefix("0x").ok_or(ArgumentError::NoPrefix)?;
	if digits.is_empty() {
		return Err(ArgumentError::Empty);
	}
	// `from_str_radix` would also accept a sign.
	if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
		return Err(ArgumentError::NotHex);
	}
	match digits.trim_start_matches('0') {
		"" => Ok(0),
		digits => u64::from_str_radix(digits, 16).map_err(|_| ArgumentError::TooLarge),
	}
}
