// SPDX-License-Identifier: Apache-2.0
//! Defines the error of a text that is not a condition.

use crate::{
	condition::BoundsError,
	name::{NameError, TextError},
	value::DecimalError,
};
use alloc::{format, string::String};
use core::ops::Range;

/// Where a text is not a condition, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected} (bytes {} to {} of the condition)", span.start, span.end)]
pub struct SyntaxError {
	/// The bytes in question, on the boundaries of characters. Empty at the end of the text.
	pub span: Range<usize>,
	/// What was expected instead.
	pub expected: Expected,
}

/// What was expected at a place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages describe them.
pub enum Expected {
	#[error(
		"expected a test (before, after, fact, credential, granted, paid or count), `not` or `(`"
	)]
	Part,
	#[error("expected `{0}`")]
	Symbol(&'static str),
	#[error("expected `and`, `or` or the end")]
	End,
	#[error("expected `and`, `or` or `)`")]
	Closing,
	#[error("expected a name: {0}")]
	Name(NameError),
	#[error(
		"expected a time, such as 2027-01-01 or 2027-01-01T08:30:00Z, in the years 1970 to 9999"
	)]
	Time,
	#[error(
		"expected an age, such as 90s, 10m, 2h or 7d, of at least one second and at most 49710d"
	)]
	Age,
	#[error("expected an account: 0x and 64 hexadecimal digits")]
	Account,
	#[error("expected a number from 0 to 4294967295")]
	Number,
	#[error("expected an amount in the currency's smallest unit: an integer that is not negative")]
	Amount,
	#[error("expected a comparison: `=`, `!=`, `<`, `<=`, `>` or `>=`")]
	Comparison,
	#[error("expected an integer, a decimal, a text in double quotes or a hash (0x and 64 hexadecimal digits)")]
	Constant,
	#[error("expected an integer of 64 bits: a longer number is a text or a hash")]
	Integer,
	#[error("expected a shorter decimal: {0}")]
	Decimal(DecimalError),
	#[error("expected a shorter text: {0}")]
	Text(TextError),
	#[error("expected a closing double quote")]
	Quote,
	#[error("expected an escape: `\\\"`, `\\\\` or `\\u{{…}}` with the number of a character")]
	Escape,
	#[error("expected a smaller condition: {0}")]
	Bounds(BoundsError),
}

impl SyntaxError {
	/// Returns the line of the text that is in question, and below it marks under the place.
	///
	/// Control characters are replaced, so that a terminal shows both lines one below the other. `text` is the text that
	/// was parsed.
	pub fn marked(&self, text: &str) -> String {
		let start = self.span.start.min(text.len());
		let before = text.get(..start).unwrap_or_default();
		let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
		let line = text.get(line_start..).unwrap_or_default();
		let line = line.split('\n').next().unwrap_or_default();
		let column = before.get(line_start..).unwrap_or_default().chars().count();
		let marked = text.get(self.span.clone()).unwrap_or_default();
		let marked = marked.split('\n').next().unwrap_or_default();
		let width = marked.chars().count().max(1);
		let line: String = line
			.chars()
			.map(|c| if c.is_control() { ' ' } else { c })
			.collect();
		format!("{line}\n{}{}", " ".repeat(column), "^".repeat(width))
	}
}
