// SPDX-License-Identifier: Apache-2.0
//! Defines names (of sources, topics and kinds of credentials) and texts of bounded length.

use alloc::{borrow::ToOwned, string::String, vec};
use codec::{Compact, Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// The maximum length of a name in bytes.
pub const MAX_NAME_SIZE: usize = 48;
/// The maximum length of a text in bytes.
pub const MAX_TEXT_SIZE: usize = 64;

/// The name of a source, a topic or a kind of credential.
///
/// It has 1 to [`MAX_NAME_SIZE`] characters: lowercase letters, digits, and `.`, `_`, `-`, `/`. It begins with a
/// letter, and ends with a letter or a digit. There are no letters that only look like these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Name(String);

/// Why something is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 48 characters: lowercase letters, digits, `.`, `_`, `-` and `/`; it begins with a letter, and ends with a letter or a digit")]
pub struct NameError;

impl Name {
	/// Returns the name.
	///
	/// # Errors
	///
	/// Fails if the name is too long, or has characters that names do not have.
	pub fn new(name: &str) -> Result<Self, NameError> {
		let bytes = name.as_bytes();
		let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
			return Err(NameError);
		};
		let is_valid = bytes.len() <= MAX_NAME_SIZE
			&& first.is_ascii_lowercase()
			&& (last.is_ascii_lowercase() || last.is_ascii_digit())
			&& bytes
				.iter()
				.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/'));
		is_valid.then(|| Self(name.to_owned())).ok_or(NameError)
	}

	/// Returns the name's characters.
	pub fn as_str(&self) -> &str {
		&self.0
	}
}

impl FromStr for Name {
	type Err = NameError;

	fn from_str(name: &str) -> Result<Self, NameError> {
		Self::new(name)
	}
}

impl fmt::Display for Name {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.0)
	}
}

impl Decode for Name {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		let name = bounded_string(input, MAX_NAME_SIZE)?;
		Self::new(&name).map_err(|_| Error::from("not a name"))
	}
}

impl DecodeWithMemTracking for Name {}

impl MaxEncodedLen for Name {
	fn max_encoded_len() -> usize {
		max_string_len(MAX_NAME_SIZE)
	}
}

/// A text of at most [`MAX_TEXT_SIZE`] bytes in UTF-8: a value that a source reports, or a constant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Text(String);

/// Why something is not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text has at most 64 bytes in UTF-8")]
pub struct TextError;

impl Text {
	/// Returns the text.
	///
	/// # Errors
	///
	/// Fails if the text is too long.
	pub fn new(text: &str) -> Result<Self, TextError> {
		(text.len() <= MAX_TEXT_SIZE)
			.then(|| Self(text.to_owned()))
			.ok_or(TextError)
	}

	/// Returns the text's characters.
	pub fn as_str(&self) -> &str {
		&self.0
	}
}

impl Decode for Text {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		bounded_string(input, MAX_TEXT_SIZE).map(Self)
	}
}

impl DecodeWithMemTracking for Text {}

impl MaxEncodedLen for Text {
	fn max_encoded_len() -> usize {
		max_string_len(MAX_TEXT_SIZE)
	}
}

/// Decodes a string of at most `max` bytes. Memory is taken only after its length is known to be within the bound.
fn bounded_string<I: Input>(input: &mut I, max: usize) -> Result<String, Error> {
	let length = Compact::<u32>::decode(input)?.0 as usize;
	if length > max {
		return Err("a string is too long".into());
	}
	input.on_before_alloc_mem(length)?;
	let mut bytes = vec![0; length];
	input.read(&mut bytes)?;
	String::from_utf8(bytes).map_err(|_| "a string is not UTF-8".into())
}

/// The maximum encoded length of a string of at most `max` bytes.
fn max_string_len(max: usize) -> usize {
	// The bounds are constants, far below 2^32.
	Compact(max as u32).encoded_size() + max
}
