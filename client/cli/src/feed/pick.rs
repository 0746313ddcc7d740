// SPDX-License-Identifier: Apache-2.0
//! Takes a value out of a response.

use super::config::{Kind, Topic};
use isthmus_sdk::conditions::{Decimal, Text, Value};
use serde_json::{Number, Value as Json};

/// Why a response has no value to report. The messages begin with the errors' names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PickError {
	/// The response is not JSON.
	#[error("NotJson: the response is not JSON: {0}")]
	NotJson(String),
	/// There is nothing at the pointer.
	#[error("NoValue: the response has nothing at {0:?}")]
	NoValue(String),
	/// There is something of another type at the pointer.
	#[error("OtherType: expected {expected} at {pointer:?}, found {found}")]
	OtherType {
		/// The pointer.
		pointer: String,
		/// What the file says.
		expected: &'static str,
		/// What is there.
		found: String,
	},
	/// The value is out of the bounds of facts.
	#[error("OutOfBounds: the value at {pointer:?} is out of bounds: {bound}")]
	OutOfBounds {
		/// The pointer.
		pointer: String,
		/// The bound.
		bound: &'static str,
	},
}

/// What some servers begin a text in UTF-8 with. RFC 8259 lets programs ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the value of a topic in a response.
pub(super) fn pick(topic: &Topic, response: &[u8]) -> Result<Value, PickError> {
	let text = response.strip_prefix(BYTE_ORDER_MARK).unwrap_or(response);
	let json: Json =
		serde_json::from_slice(text).map_err(|error| PickError::NotJson(error.to_string()))?;
	let pointer = &topic.pointer;
	let found = json
		.pointer(pointer)
		.ok_or_else(|| PickError::NoValue(pointer.clone()))?;
	let value = match (topic.kind, found) {
		(Kind::Integer, Json::Number(number)) => integer(number),
		(Kind::Decimal, Json::Number(number)) => decimal(number, topic.decimals.unwrap_or(0)),
		(Kind::Text, Json::String(text)) => Text::new(text)
			.map(Value::Text)
			.map_err(|_| Wrong::Bound("a text has at most 64 bytes in UTF-8")),
		(Kind::Hash, Json::String(text)) => hash(text),
		_ => Err(Wrong::Type),
	};
	value.map_err(|wrong| match wrong {
		Wrong::Type => PickError::OtherType {
			pointer: pointer.clone(),
			expected: expected(topic.kind),
			found: described(found),
		},
		Wrong::Bound(bound) => PickError::OutOfBounds {
			pointer: pointer.clone(),
			bound,
		},
	})
}

/// What is wrong with a value.
enum Wrong {
	Type,
	Bound(&'static str),
}

/// What is wrong with a number that is too large.
const TOO_LARGE: Wrong = Wrong::Bound("without its point, a number has to fit into 64 bits");
/// The most digits and the largest exponent of a number that is looked at: far more than 64 bits have.
const MAX_DIGITS: usize = 64;

fn expected(kind: Kind) -> &'static str {
	match kind {
		Kind::Integer => "an integer",
		Kind::Decimal => "a number",
		Kind::Text => "a string",
		Kind::Hash => "a string of 0x and 64 hexadecimal digits",
	}
}

/// Describes a value of JSON in a few words.
fn described(json: &Json) -> String {
	match json {
		Json::Null => "null".into(),
		Json::Bool(truth) => truth.to_string(),
		Json::Number(number) => {
			let digits: String = number.to_string().chars().take(24).collect();
			format!("the number {digits}")
		}
		Json::String(_) => "a string".into(),
		Json::Array(_) => "an array".into(),
		Json::Object(_) => "an object".into(),
	}
}

fn integer(number: &Number) -> Result<Value, Wrong> {
	let (mantissa, scale) = exact(&number.to_string())?;
	// Without the zeros at its end, an integer has no digits after the point.
	if scale > 0 {
		return Err(Wrong::Type);
	}
	let power = 10i128
		.checked_pow(scale.unsigned_abs())
		.and_then(|power| mantissa.checked_mul(power));
	let integer = power.and_then(|integer| i64::try_from(integer).ok());
	integer.map(Value::Integer).ok_or(TOO_LARGE)
}

/// Rounds a number to this many digits after the point, a half away from zero.
fn decimal(number: &Number, decimals: u8) -> Result<Value, Wrong> {
	let (mantissa, scale) = exact(&number.to_string())?;
	let decimals = i32::from(decimals);
	let (mantissa, scale) = match scale - decimals {
		// 10^38 is the largest power that fits: what is less than a part of that many is nothing.
		39.. => (0, 0),
		cut @ 1..=38 => {
			let unit = 10i128.pow(cut.unsigned_abs());
			let (whole, rest) = (mantissa / unit, mantissa % unit);
			let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
			(whole + if up { mantissa.signum() } else { 0 }, decimals)
		}
		_ => (mantissa, scale),
	};
	let (mantissa, scale) = match scale {
		..0 => {
			let power = 10i128.checked_pow(scale.unsigned_abs());
			let whole = power.and_then(|power| mantissa.checked_mul(power));
			(whole.ok_or(TOO_LARGE)?, 0)
		}
		scale => (mantissa, scale.unsigned_abs()),
	};
	Decimal::new(mantissa, scale)
		.map(Value::Decimal)
		.map_err(|_| TOO_LARGE)
}

/// Reads a number of JSON exactly: as a mantissa without zeros at its end, and how many of its digits are after the
/// point. A negative count stands for zeros before the point.
fn exact(text: &str) -> Result<(i128, i32), Wrong> {
	let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
	let exponent: i32 = exponent.parse().map_err(|_| TOO_LARGE)?;
	let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
	if digits.len() > MAX_DIGITS || exponent.unsigned_abs() as usize > MAX_DIGITS {
		return Err(Wrong::Bound(
			"a number has at most 64 digits, and an exponent of at most 64",
		));
	}
	let mut mantissa: i128 = format!("{whole}{fraction}")
		.parse()
		.map_err(|_| TOO_LARGE)?;
	// At most 64 digits and an exponent of at most 64 are far below the largest number of 32 bits.
	let mut scale = fraction.len() as i32 - exponent;
	while mantissa != 0 && mantissa % 10 == 0 {
		mantissa /= 10;
		scale -= 1;
	}
	Ok((mantissa, if mantissa == 0 { 0 } else { scale }))
}

fn hash(text: &str) -> Result<Value, Wrong> {
	let value: Option<Value> = text.parse().ok();
	value
		.filter(|value| matches!(value, Value::Hash(_)) && text.starts_with("0x"))
		.ok_or(Wrong::Type)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn topic(pointer: &str, kind: Kind, decimals: Option<u8>) -> Topic {
		Topic {
			name: isthmus_sdk::conditions::Name::new("pm25").unwrap(),
			url: "https://air.example".parse().unwrap(),
			pointer: pointer.into(),
			kind,
			decimals,
		}
	}

	#[test]
	fn a_byte_order_mark_is_left_out() {
		let topic = topic("/a", Kind::Integer, None);
		let marked = [BYTE_ORDER_MARK, b"{\"a\": 7}"].concat();
		assert_eq!(pick(&topic, &marked), Ok(Value::Integer(7)));
		let twice = [BYTE_ORDER_MARK, &marked].concat();
		assert!(matches!(pick(&topic, &twice), Err(PickError::NotJson(_))));
	}

	#[test]
	fn numbers_are_taken_exactly() {
		let decimal = |json: &str, decimals| {
			let topic = topic("/a", Kind::Decimal, Some(decimals));
			pick(&topic, format!("{{\"a\": {json}}}").as_bytes())
				.map_or_else(|error| error.to_string(), |value| value.to_string())
		};
		for (json, decimals, value) in [
			("80", 0, "80.0"),
			("80.25", 1, "80.3"),
			("-80.25", 1, "-80.3"),
			("80.249999999999999999999999", 1, "80.2"),
			("0.05", 1, "0.1"),
			("0.049", 1, "0.0"),
			("9007199254740993.5", 1, "9007199254740993.5"),
			("1e3", 2, "1000.0"),
			("12345e-3", 2, "12.35"),
			("1e-60", 2, "0.0"),
			("-0.0", 2, "0.0"),
			("9223372036854775807", 0, "9223372036854775807.0"),
		] {
			assert_eq!(decimal(json, decimals), value, "{json}");
		}
		for json in [
			"9223372036854775808",
			"1e30",
			"1e65",
			"1e99999999999",
			&"9".repeat(65),
		] {
			assert!(decimal(json, 0).starts_with("OutOfBounds"), "{json}");
		}
		assert!(decimal("9223372036854775807.5", 1).starts_with("OutOfBounds"));
	}

	#[test]
	fn a_value_of_another_type_is_an_error() {
		let response = br#"{"list": [1, {"b": "clear"}], "a/b": 75.0, "half": 0.5, "none": null,
			"hash": "0x0101010101010101010101010101010101010101010101010101010101010101"}"#;
		let picked = |pointer: &str, kind| {
			pick(&topic(pointer, kind, None), response)
				.map_or_else(|error| error.to_string(), |value| value.to_string())
		};
		assert_eq!(picked("/list/0", Kind::Integer), "1");
		assert_eq!(picked("/a~1b", Kind::Integer), "75");
		assert_eq!(picked("/list/1/b", Kind::Text), "\"clear\"");
		assert_eq!(picked("/hash", Kind::Hash).len(), 66);
		for (pointer, kind, error) in [
			(
				"/half",
				Kind::Integer,
				"OtherType: expected an integer at \"/half\", found the number 0.5",
			),
			(
				"/none",
				Kind::Integer,
				"OtherType: expected an integer at \"/none\", found null",
			),
			(
				"/list",
				Kind::Text,
				"OtherType: expected a string at \"/list\", found an array",
			),
			(
				"/list/1/b",
				Kind::Integer,
				"OtherType: expected an integer at \"/list/1/b\", found a string",
			),
			(
				"/list/1/b",
				Kind::Hash,
				"OtherType: expected a string of 0x",
			),
			(
				"/list/2",
				Kind::Integer,
				"NoValue: the response has nothing at \"/list/2\"",
			),
			(
				"",
				Kind::Integer,
				"OtherType: expected an integer at \"\", found an object",
			),
		] {
			let shown = picked(pointer, kind);
			assert!(shown.starts_with(error), "{shown}");
		}
		let long = format!("\"{}\"", "x".repeat(65));
		let error = pick(&topic("", Kind::Text, None), long.as_bytes()).unwrap_err();
		assert!(error.to_string().starts_with("OutOfBounds"), "{error}");
	}

	#[test]
	fn what_is_not_json_is_an_error() {
		let deep = "[".repeat(100_000);
		for response in [&b""[..], b"<html>", b"{\"a\": 1", b"\xff", deep.as_bytes()] {
			let error = pick(&topic("/a", Kind::Integer, None), response).unwrap_err();
			assert!(error.to_string().starts_with("NotJson"), "{error}");
		}
	}
}
