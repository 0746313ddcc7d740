// SPDX-License-Identifier: Apache-2.0

//! The outcome of an attack, printed as one JSON object per line. docs/security.md reports it.

use serde::Serialize;
use serde_json::{Map, Value};

/// The outcome of an attack.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// The attack's id, in kebab case.
	pub attack: &'static str,
	/// The attack's title.
	pub title: &'static str,
	/// What the paper says about the attack.
	pub promise: &'static str,
	/// What was observed.
	pub observed: String,
	/// The figures, by name.
	pub figures: Map<String, Value>,
	/// Whether the defence did what docs/security.md says.
	pub held: bool,
}

/// Collects named figures into a map.
pub fn figures<const N: usize>(named: [(&str, Value); N]) -> Map<String, Value> {
	named
		.into_iter()
		.map(|(name, value)| (name.to_owned(), value))
		.collect()
}

/// Rounds a figure to three decimals.
pub fn rounded(value: f64) -> Value {
	serde_json::Number::from_f64((value * 1000.0).round() / 1000.0)
		.map_or(Value::Null, Value::Number)
}
