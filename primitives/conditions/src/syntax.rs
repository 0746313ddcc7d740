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

use crate::condition::Condition;
use core::str::FromStr;

impl FromStr for Condition {
	type Err = SyntaxError;

	fn from_str(text: &str) -> Result<Self, SyntaxError> {
		parser::parse(text)
	}
}
