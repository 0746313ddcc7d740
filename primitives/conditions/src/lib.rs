// SPDX-License-Identifier: Apache-2.0
//! Defines conditions: what must hold before something on an Isthmus chain takes effect, "a specific time or a
//! specific event" (paper, section III.C).
//!
//! A condition is data, not code. Its size and the work to evaluate it are bounded by construction: at most
//! [`MAX_DEPTH`] levels, at most [`MAX_NODES`] nodes, and names and texts of bounded length. A [`Condition`]
//! that violates a bound can be neither made, nor parsed, nor decoded.
//!
//! # Example
//!
//! ```
//! use isthmus_conditions::{Condition, Name, Truth, Value, World};
//!
//! /// A world in which the air of Beijing is bad, and nothing else is known.
//! struct Smog;
//!
//! impl World for Smog {
//!     fn now(&self) -> u64 {
//!         1_800_000_000
//!     }
//!
//!     fn fact(&self, source: &Name, topic: &Name, _oldest: Option<u32>) -> Option<Value> {
//!         let asked = (source.as_str(), topic.as_str());
//!         (asked == ("weather/beijing", "pm25")).then_some(Value::Integer(212))
//!     }
//! }
//!
//! let text = "fact(weather/beijing, pm25) > 75 and not before(2027-01-01)";
//! let condition: Condition = text.parse()?;
//! assert_eq!(condition.evaluate(&Smog), Truth::True);
//! assert_eq!(condition.to_string(), text);
//!
//! // An error points at the place in the text.
//! let wrong = "fact(weather/beijing, pm25) > and before(2027-01-01)";
//! let error = wrong.parse::<Condition>().unwrap_err();
//! assert_eq!(&wrong[error.span.clone()], "and");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The syntax
//!
//! | written | met if |
//! |---|---|
//! | `A and B and C` | all of them are met |
//! | `A or B or C` | at least one of them is met; `and` binds more tightly than `or` |
//! | `not A` | A is known not to be met |
//! | `before(2027-01-01)`, `after(2027-01-01T08:30:00Z)` | the block's timestamp is before this time; at this time or after it |
//! | `fact(SOURCE, TOPIC) > CONSTANT` | the source's fact compares so: `=`, `!=`, `<`, `<=`, `>` or `>=` |
//! | `fact(SOURCE, TOPIC, 10m) > CONSTANT` | the same, by reports that are at most this old: `s`, `m`, `h` or `d` |
//! | `credential(ISSUER, KIND)` | the account has a credential of this kind by this issuer that has not ended |
//! | `granted(OWNER, DATASET)` | the account has a grant in force on the current epoch of this dataset of this owner |
//! | `paid >= AMOUNT` | the account pays at least this much, in the currency's smallest unit |
//! | `count < NUMBER` | the chain keeps fewer grants than this on the dataset that the condition stands for; it keeps one that has ended for a while |
//!
//! A constant is an integer (`75`), a decimal (`-12.5`), a text (`"clear"`) or a hash (`0x` and 64 hexadecimal
//! digits). Accounts are written like hashes. Texts and hashes compare only by `=` and `!=`.
//!
//! A condition is shown in one canonical form, and parsing that form returns the same condition.
//!
//! # What is missing
//!
//! A fact that was never reported, is too old, or is of another type than the constant (a text where the condition
//! compares numbers) is *missing*. So is a payment where nothing is paid. A test of something missing is neither true
//! nor false, but [`Truth::Unknown`], and so is its `not`. `and` is false if one part is false, and `or` is true if
//! one part is true, whatever else is missing (Kleene's logic). **A condition is met only if it is [`Truth::True`]**:
//! a missing fact never meets a condition, neither directly nor through a `not`. What a condition allows is thus
//! refused when a source falls silent. Credentials and grants are missing only to an evaluator that does not look at
//! them: the chain knows all of them.
//!
//! # Files
//!
//! [`condition`]: the tree, its bounds and its encoding (SCALE). [`name`], [`value`]: the parts of tests. [`evaluate`]:
//! evaluation. [`syntax`]: parsing and showing. [`facts`]: sources, reports and credentials, and what reports amount
//! to.
//!
//! `scripts/lib/conditions.mjs` is a second implementation. `tests/vectors.json` has vectors for both.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod agreement;
#[cfg(feature = "by-name")]
mod by_name;
pub mod condition;
pub mod evaluate;
pub mod facts;
pub mod name;
pub mod syntax;
pub mod value;

pub use condition::{
	Account, BoundsError, Comparison, Condition, FactTest, Node, LATEST, MAX_DEPTH, MAX_NODES,
};
pub use evaluate::{Truth, World};
pub use name::{Name, NameError, Text, TextError, MAX_NAME_SIZE, MAX_TEXT_SIZE};
pub use syntax::{Age, Expected, SyntaxError, Time};
pub use value::{Decimal, DecimalError, Value, MAX_SCALE};
