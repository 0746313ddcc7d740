// SPDX-License-Identifier: Apache-2.0
//! Converts record names to keys and back, and bytes and amounts to text.

use crate::types::{Balance, RecordKey, Shown};
use isthmus_primitives::amount::Ist;

/// Why a record cannot have a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
	/// The name is empty.
	#[error("the name of a record is empty")]
	Empty,
	/// The name is longer than a record's key.
	#[error("the name {0:?} is longer than the 32 bytes of a record's key")]
	TooLong(String),
	/// The name contains control characters. A zero byte at its end would make it another name's key.
	#[error("the name {0:?} contains control characters")]
	Control(String),
}

/// Makes a record's key from a name of at most 32 bytes: the name's bytes, padded with zeros. The name is
/// public. Names that differ in any byte are different, also those that differ only in case or in how they
/// compose accents.
///
/// ```
/// let key = isthmus_sdk::record_key("2025-03")?;
/// assert_eq!(key.0[..8], *b"2025-03\0");
/// assert_eq!(isthmus_sdk::key_name(&key), "2025-03");
/// # Ok::<(), isthmus_sdk::NameError>(())
/// ```
///
/// # Errors
///
/// Returns [`NameError`] if the name is empty, has more than 32 bytes, or contains control characters.
pub fn record_key(name: &str) -> Result<RecordKey, NameError> {
	let mut key = [0; 32];
	let bytes = name.as_bytes();
	if name.is_empty() {
		return Err(NameError::Empty);
	}
	if name.contains(char::is_control) {
		return Err(NameError::Control(name.to_owned()));
	}
	key.get_mut(..bytes.len())
		.ok_or_else(|| NameError::TooLong(name.to_owned()))?
		.copy_from_slice(bytes);
	Ok(key.into())
}

/// Reads a record's key as [`key_name`] writes it: a name, or `0x` and 64 hexadecimal digits. Such a number is
/// too long for a name, so everything else is a name, such as `0xabcd`.
///
/// # Errors
///
/// Returns [`NameError`] if the text is neither a name nor such a number.
pub fn parse_key(text: &str) -> Result<RecordKey, NameError> {
	match from_typed_hex(text) {
		Some(key) => Ok(key.into()),
		None => record_key(text),
	}
}

/// Reads 32 bytes as [`to_hex`] writes them: `0x` and 64 hexadecimal digits. Returns `None` for other text.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
	let mut bytes = [0; 32];
	hex::decode_to_slice(text.strip_prefix("0x")?, &mut bytes).ok()?;
	Some(bytes)
}

/// Reads 32 bytes as people write them: `0x` or `0X`, and 64 hexadecimal digits, with white space around them or without. Returns
/// `None` for other text. No name of a record is as long as such a text.
pub fn from_typed_hex(text: &str) -> Option<[u8; 32]> {
	let text = text.trim();
	match text.strip_prefix("0X") {
		Some(digits) => from_hex(&format!("0x{digits}")),
		None => from_hex(text),
	}
}

/// Reads bytes that a node sent in hexadecimal digits, with or without `0x`. Returns `None` for other text.
pub(crate) fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
	hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()
}

/// Returns the name that a record's key was made from, without change; `None` if it was not made from a name.
pub fn exact_name(key: &RecordKey) -> Option<&str> {
	let end = key.0.iter().rposition(|byte| *byte != 0)?;
	let name = std::str::from_utf8(key.0.get(..=end)?).ok()?;
	(record_key(name).as_ref() == Ok(key)).then_some(name)
}

/// Returns the name that a record's key was made from, or `0x` and the key in hexadecimal digits if it was not
/// made from a name, or if the name contains characters that a reader would not see. [`parse_key`] reads both.
pub fn key_name(key: &RecordKey) -> String {
	let is_visible = |name: &&str| {
		let is_space = |c: char| c.is_whitespace() && c != ' ';
		name.trim() == *name && !name.contains(is_space) && Shown(name).to_string() == **name
	};
	match exact_name(key).filter(is_visible) {
		Some(name) => name.to_owned(),
		None => to_hex(&key.0),
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

/// What an error lists. Its text names only the first of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
	/// The error's text with a number in place of the list.
	pub words: String,
	/// All that it lists, each with its reason if there is one.
	pub items: Vec<String>,
}

impl Listing {
	/// Lists items. `words` says what they are, from their number.
	pub(crate) fn new(items: Vec<String>, words: impl FnOnce(usize) -> String) -> Self {
		Self {
			words: words(items.len()),
			items,
		}
	}
}

/// Returns the first texts of a list, and how many more there are.
pub(crate) fn first_of(texts: &[String], most: usize) -> String {
	let (shown, rest) = texts.split_at(most.min(texts.len()));
	let shown = shown.join(", ");
	match rest.len() {
		0 => shown,
		more => format!("{shown} and {more} more"),
	}
}

/// Returns an error in the system's words, without the system's number for it, and without the path of a temporary file
/// that `tempfile` adds. Nothing else is left out.
pub fn io_words(error: &impl std::fmt::Display) -> String {
	/// What the standard library writes before the number. A parenthesis follows it.
	const BEFORE: &str = " (os error ";
	let text = error.to_string();
	let mut parts = text.split(BEFORE);
	let mut words = parts.next().unwrap_or_default().to_owned();
	let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
	for part in parts {
		match part.split_once(')') {
			Some((number, after)) if is_number(number) => words.push_str(after),
			_ => {
				words.push_str(BEFORE);
				words.push_str(part);
			}
		}
	}
	let temporary = words.rfind(" at path \"").filter(|_| words.ends_with('"'));
	words.truncate(temporary.unwrap_or(words.len()));
	words
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_primitives::UNIT;
	use proptest::prelude::*;

	#[test]
	fn amounts_are_shown_in_ist() {
		assert_eq!(ist(2 * UNIT), "2 IST");
		assert_eq!(ist(12 * UNIT + UNIT / 4), "12.25 IST");
		assert_eq!(ist(1), "0.000000000001 IST");
	}

	#[test]
	fn digits_are_read_as_people_write_them() {
		let digits = "0F".repeat(32);
		for text in [
			format!("0x{digits}"),
			format!("0X{}", digits.to_lowercase()),
			format!(" 0X{digits} \r\n"),
		] {
			assert_eq!(from_typed_hex(&text), Some([0x0f; 32]), "{text:?}");
			assert_eq!(parse_key(&text).unwrap().0, [0x0f; 32], "{text:?}");
		}
		for text in [
			digits.clone(),
			format!("0x0X{digits}"),
			format!("0x{digits}0f"),
		] {
			assert_eq!(from_typed_hex(&text), None, "{text:?}");
		}
	}

	#[test]
	fn errors_have_no_numbers_of_the_system() {
		let full = std::io::Error::from_raw_os_error(28).to_string();
		let words = io_words(&full);
		assert!(!words.is_empty() && !words.contains("28"), "{words}");
		assert_eq!(io_words(&format!("a: {full}")), format!("a: {words}"));
		assert_eq!(
			io_words(&format!("a: {full}, and b: {full}; go on (now)")),
			format!("a: {words}, and b: {words}; go on (now)")
		);
		assert_eq!(io_words(&"plain"), "plain");
		let of_temporary = format!("disk/key: {full} at path \"/disk/.tmp4NKaYS\"");
		assert_eq!(io_words(&of_temporary), format!("disk/key: {words}"));
		for kept in [
			"a (os error ",
			"a (os error 2",
			"a (os error two) is not there",
			"a (os error ) is not there",
			"a (os error 2 of 3, and what follows",
		] {
			assert_eq!(io_words(&kept), kept);
		}
		assert_eq!(
			io_words(&"a (os error x (os error 2): b"),
			"a (os error x: b"
		);
	}

	#[test]
	fn keys_are_shown_as_they_were_named() {
		assert_eq!(key_name(&record_key("2025-03").unwrap()), "2025-03");
		for name in [
			"my marks.csv",
			"0xabcd",
			"0x",
			"..",
			"a.",
			"é",
			"e\u{301}",
			"A",
			"a",
		] {
			let key = record_key(name).unwrap();
			assert_eq!(key_name(&key), name);
		}
		for name in [" a", "a ", "a\u{a0}b", "\u{202e}b", "a\u{200b}"] {
			let key = record_key(name).unwrap();
			assert_eq!(exact_name(&key), Some(name));
			assert_eq!(key_name(&key), to_hex(&key.0), "{name:?}");
		}
		let long = "x".repeat(33);
		assert_eq!(record_key(&long), Err(NameError::TooLong(long)));
		assert_eq!(record_key(""), Err(NameError::Empty));
		for name in ["a\nb", "a\0", "\u{9b}"] {
			assert_eq!(record_key(name), Err(NameError::Control(name.into())));
		}
	}

	proptest! {
		/// What is stored under a name is found again by the name, and by what lists show.
		#[test]
		fn a_name_is_one_key(name in "\\PC{0,12}|[ -~é\u{301}\u{a0}\u{202e}]{0,33}|0x[0-9a-f]{0,64}") {
			if let Ok(key) = record_key(&name) {
				prop_assert_eq!(exact_name(&key), Some(name.as_str()));
				prop_assert_eq!(parse_key(&name), Ok(key));
				prop_assert_eq!(parse_key(&key_name(&key)), Ok(key));
			}
		}

		#[test]
		fn any_key_is_read_as_it_is_shown(key: [u8; 32], zeros in 0..33usize) {
			let mut key = key;
			key[32 - zeros..].fill(0);
			let key = RecordKey::from(key);
			prop_assert_eq!(parse_key(&key_name(&key)), Ok(key));
		}
	}
}
