//! What came of an attack, in the words of docs/security.md: one JSON object a line.

use serde::Serialize;
use serde_json::{Map, Value};

/// What came of an attack.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// Its id, in kebab case.
	pub attack: &'static str,
	/// Its name.
	pub title: &'static str,
	/// What the paper says of it.
	pub promise: &'static str,
	/// What was seen.
	pub observed: String,
	/// The numbers.
	pub figures: Map<String, Value>,
	/// Whether the defence did what it is said to do.
	pub held: bool,
}

/// Figures by their names.
pub fn figures<const N: usize>(named: [(&str, Value); N]) -> Map<String, Value> {
	named
		.into_iter()
		.map(|(name, value)| (name.to_owned(), value))
		.collect()
}

/// A number to three digits after the point, as figures are read.
pub fn rounded(value: f64) -> Value {
	serde_json::Number::from_f64((value * 1000.0).round() / 1000.0)
		.map_or(Value::Null, Value::Number)
}
