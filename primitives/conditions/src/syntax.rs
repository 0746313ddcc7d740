// SPDX-License-Identifier: Apache-2.0
//! Parses conditions, and shows them in their canonical form. The crate's front page describes the syntax.
//!
//! ```text
//! condition = conjunction { "or" conjunction }
//! conjunction = part { "and" part }
//! part = "not" part | "(" condition ")" | test
//! test = "before" "(" TIME ")" | "after" "(" TIME ")"
//!      | "fact" "(" NAME "," NAME [ "," AGE ] ")" COMPARISON CONSTANT
//!      | "credential" "(" ACCOUNT "," NAME ")" | "granted" "(" ACCOUNT "," NUMBER ")"
//!      | "paid" ">=" NUMBER | "count" "<" NUMBER
//! ```
//!
//! A parenthesis makes a node of its own: `(A and B) and C` differs from `A and B and C`. In the canonical form each
//! `and` and `or` within another is in parentheses.

mod error;
mod lexer;
mod parser;
mod show;
mod time;

pub use error::{Expected, SyntaxError};

use crate::{condition::Condition, value::Value};
use core::{fmt, str::FromStr};

/// A time in seconds since 1970-01-01 UTC, written as in a condition: `2027-01-01` or `2027-01-01T08:30:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub u64);

/// An age in seconds, written as in a condition: `90s`, `10m`, `2h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub u32);

impl FromStr for Time {
	type Err = Expected;

	fn from_str(text: &str) -> Result<Self, Expected> {
		time::read(text).map(Self).ok_or(Expected::Time)
	}
}

impl fmt::Display for Time {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		time::show(self.0, f)
	}
}

impl FromStr for Age {
	type Err = Expected;

	fn from_str(text: &str) -> Result<Self, Expected> {
		time::read_age(text).map(Self).ok_or(Expected::Age)
	}
}

impl fmt::Display for Age {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		time::show_age(self.0, f)
	}
}

impl FromStr for Condition {
	type Err = SyntaxError;

	fn from_str(text: &str) -> Result<Self, SyntaxError> {
		parser::parse(text)
	}
}

/// Reads a value as it is written in a condition: an integer, a decimal, a text in double quotes, or a hash.
impl FromStr for Value {
	type Err = SyntaxError;

	fn from_str(text: &str) -> Result<Self, SyntaxError> {
		parser::parse_value(text)
	}
}
