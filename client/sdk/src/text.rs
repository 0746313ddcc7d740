// SPDX-License-Identifier: Apache-2.0
//! Converts record names to keys and back, and bytes and amounts to text.

use crate::types::{Balance, RecordKey, Shown};
use isthmus_primitives::amount::Ist;

/// A name that is too long for a record's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name \"{0}\" is longer than the 32 bytes of a record's key")]
pub struct NameTooLong(pub String);

/// Makes a record's key from a name of at most 32 bytes: the name's bytes, padded with zeros. The name is
/// public.
///
/// ```
/// let key = isthmus_sdk::record_key("2025-03")?;
/// assert_eq!(key.0[..8], *b"2025-03\0");
/// assert_eq!(isthmus_sdk::key_name(&key), "2025-03");
/// # Ok::<(), isthmus_sdk::NameTooLong>(())
/// ```
///
/// # Errors
///
/// Returns [`NameTooLong`] if the name has more than 32 bytes.
pub fn record_key(name: &str) -> Result<RecordKey, NameTooLong> {
	let mut key = [0; 32];
	let bytes = name.as_bytes();
	key.get_mut(..bytes.len())
		.ok_or_else(|| NameTooLong(name.to_owned()))?
		.copy_from_slice(bytes);
	Ok(key.into())
}

/// Returns the name that a record's key was made from, or the key in hexadecimal digits if it was not made
/// from a name, or if the name contains spaces or control characters.
pub fn key_name(key: &RecordKey) -> String {
	let end = key.0.iter().rposition(|byte| *byte != 0);
	match std::str::from_utf8(&key.0[..end.map_or(0, |at| at + 1)]) {
		Ok(name)
			if !name.is_empty()
				&& !name.contains(char::is_whitespace)
				&& name == Shown(name).to_string() =>
		{
			name.to_owned()
		}
		_ => to_hex(&key.0),
	}
}

/// Returns bytes in hexadecimal digits, with the prefix `0x`.
pub fn to_hex(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

/// Returns an amount in IST, without trailing zeros, for example `0.25 IST`.
pub fn ist(amount: Balance) -> String {
	Ist(amount).to_string()
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_primitives::UNIT;

	#[test]
	fn amounts_are_shown_in_ist() {
		assert_eq!(ist(2 * UNIT), "2 IST");
		assert_eq!(ist(12 * UNIT + UNIT / 4), "12.25 IST");
		assert_eq!(ist(1), "0.000000000001 IST");
	}

	#[test]
	fn keys_are_shown_as_they_were_named() {
		assert_eq!(key_name(&record_key("2025-03").unwrap()), "2025-03");
		for name in ["", "a b", "a\nb", "\u{202e}b"] {
			let key = record_key(name).unwrap();
			assert_eq!(key_name(&key), to_hex(&key.0), "{name:?}");
		}
		let long = "x".repeat(33);
		assert_eq!(record_key(&long), Err(NameTooLong(long)));
	}
}
