// SPDX-License-Identifier: Apache-2.0
//! The vectors that the implementation in JavaScript (`scripts/lib/conditions.mjs`) shares, in `vectors.json`.

use codec::{Decode, Encode};
use isthmus_conditions::{Condition, SyntaxError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
	valid: Vec<Valid>,
	invalid: Vec<Invalid>,
}

/// A text that is a condition, its canonical form, and its encoding in hexadecimal digits.
#[derive(Deserialize)]
struct Valid {
	text: String,
	canonical: String,
	scale: String,
}

/// A text that is not a condition: the bytes in question, and what was expected there.
#[derive(Deserialize)]
struct Invalid {
	text: String,
	start: usize,
	end: usize,
	expected: String,
}

fn vectors() -> Vectors {
	serde_json::from_str(include_str!("vectors.json")).expect("the vectors are valid JSON")
}

#[test]
fn conditions_are_shown_and_encoded_as_in_javascript() {
	let valid = vectors().valid;
	assert!(valid.len() >= 30);
	for Valid {
		text,
		canonical,
		scale,
	} in valid
	{
		let condition: Condition = text.parse().expect(&text);
		assert_eq!(condition.to_string(), canonical, "{text}");
		assert_eq!(canonical.parse(), Ok(condition.clone()), "{text}");
		assert_eq!(hex::encode(condition.encode()), scale, "{text}");
		let bytes = hex::decode(&scale).expect("they are in hexadecimal digits");
		assert_eq!(Condition::decode(&mut &bytes[..]), Ok(condition), "{text}");
	}
}

#[test]
fn errors_point_at_the_same_places_as_in_javascript() {
	let invalid = vectors().invalid;
	assert!(invalid.len() >= 50);
	for vector in invalid {
		let text = &vector.text;
		let error: SyntaxError = text.parse::<Condition>().expect_err(text);
		let found = (error.span, error.expected.to_string());
		assert_eq!(found, (vector.start..vector.end, vector.expected), "{text}");
	}
}
