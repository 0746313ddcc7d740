// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the parser of requests to the miners' port, where other programs fetch work and submit seals:
//! JSON-RPC with geth's hexadecimal arguments.
//!
//! - An accepted body keeps every member, and `"jsonrpc": "2.0"` is added if that member is missing.
//! - If an argument can be read as bytes or as a number, it is the hexadecimal text of that value.

#![no_main]

use isthmus_miners::request::{complete, parse_bytes, parse_number, ArgumentError};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn check_bytes<const N: usize>(text: &str) {
	match parse_bytes::<N>(text) {
		Ok(bytes) => assert_eq!(
			text.to_ascii_lowercase(),
			format!("0x{}", hex::encode(bytes))
		),
		Err(error) => assert_ne!(error, ArgumentError::TooLarge),
	}
}

fn check_number(text: &str) {
	if let Ok(number) = parse_number(text) {
		let digits = text.to_ascii_lowercase();
		let digits = digits.strip_prefix("0x").expect("a number has its prefix");
		let written = format!("{number:x}");
		assert_eq!(format!("{written:0>width$}", width = digits.len()), digits);
	}
}

fn check_argument(text: &str) {
	check_bytes::<8>(text);
	check_bytes::<32>(text);
	check_number(text);
}

fn check_request(body: &[u8]) {
	let Some(request) = complete(body) else {
		return;
	};
	let request: Value = serde_json::from_str(&request).expect("a request is JSON");
	let given: Value = serde_json::from_slice(body).expect("the body is JSON");
	let (request, given) = (request.as_object(), given.as_object());
	let (request, given) = request.zip(given).expect("both are objects");
	for (name, value) in given {
		assert_eq!(request.get(name), Some(value));
	}
	let has_version = given.contains_key("jsonrpc");
	assert_eq!(request.len(), given.len() + usize::from(!has_version));
	if !has_version {
		assert_eq!(request.get("jsonrpc").and_then(Value::as_str), Some("2.0"));
	}
	if let Some(Value::Array(parameters)) = request.get("params") {
		parameters
			.iter()
			.filter_map(Value::as_str)
			.for_each(check_argument);
	}
}

fuzz_target!(|data: &[u8]| {
	check_request(data);
	if let Ok(text) = std::str::from_utf8(data) {
		check_argument(text);
		check_argument(&format!("0x{text}"));
	}
	if let Some((bytes, _)) = data.split_first_chunk::<8>() {
		let number = u64::from_be_bytes(*bytes);
		assert_eq!(parse_number(&format!("{number:#x}")), Ok(number));
		assert_eq!(
			parse_bytes(&format!("0x{}", hex::encode(bytes))),
			Ok(*bytes)
		);
	}
});
