// SPDX-License-Identifier: Apache-2.0
//! Splits a text into tokens.

use core::ops::Range;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
	/// A keyword, a name, a number, a time or a hash.
	Word(&'a str),
	/// What is between two double quotes, with its escapes.
	Quoted(&'a str),
	/// A parenthesis, a comma or a comparison.
	Symbol(&'static str),
	/// A double quote that is not closed.
	Unclosed,
	/// A character that is in no token.
	Other,
	/// The end of the text.
	End,
}

/// The symbols; of two that begin alike, the longer one comes first.
const SYMBOLS: [&str; 9] = ["(", ")", ",", "!=", "<=", ">=", "=", "<", ">"];

/// Returns the first token after this place, and its bytes.
pub(super) fn token(text: &str, mut start: usize) -> (Token<'_>, Range<usize>) {
	let rest = text.get(start..).unwrap_or_default();
	let rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
	start = text.len() - rest.len();
	let (token, length) = first(rest);
	(token, start..start + length)
}

/// Returns the token at the beginning of a text, and its length in bytes.
fn first(text: &str) -> (Token<'_>, usize) {
	let Some(character) = text.chars().next() else {
		return (Token::End, 0);
	};
	if let Some(symbol) = SYMBOLS.iter().find(|symbol| text.starts_with(**symbol)) {
		return (Token::Symbol(symbol), symbol.len());
	}
	if character == '"' {
		return quoted(text);
	}
	let word = text
		.split(|c: char| !(c.is_ascii_alphanumeric() || "._-/:".contains(c)))
		.next()
		.unwrap_or_default();
	if word.is_empty() {
		return (Token::Other, character.len_utf8());
	}
	(Token::Word(word), word.len())
}

/// Returns the quoted text at the beginning of a text.
fn quoted(text: &str) -> (Token<'_>, usize) {
	let mut is_escaped = false;
	for (at, character) in text.char_indices().skip(1) {
		match character {
			_ if is_escaped => is_escaped = false,
			'\\' => is_escaped = true,
			'"' => return (Token::Quoted(&text[1..at]), at + 1),
			_ => {}
		}
	}
	(Token::Unclosed, text.len())
}
