// SPDX-License-Identifier: Apache-2.0
//! Fuzzes conditions, which any account can send in a call and any user can type.
//!
//! - If bytes can be decoded, encoding the condition again returns the same bytes, and what is shown of it is parsed as the
//!   same condition.
//! - If a text can be parsed, so can what is shown of it, as the same condition. If not, the error points at whole
//!   characters of the text, and can be marked.

#![no_main]

use codec::{Decode, Encode};
use isthmus_conditions::{Condition, SyntaxError};
use libfuzzer_sys::fuzz_target;

fn check(condition: &Condition) {
	let shown = condition.to_string();
	assert!(!shown.contains(char::is_control));
	assert_eq!(shown.parse().as_ref(), Ok(condition));
}

fuzz_target!(|data: &[u8]| {
	let mut rest = data;
	if let Ok(condition) = Condition::decode(&mut rest) {
		assert_eq!(condition.encode(), &data[..data.len() - rest.len()]);
		check(&condition);
	}
	let Ok(text) = std::str::from_utf8(data) else {
		return;
	};
	match text.parse::<Condition>() {
		Ok(condition) => check(&condition),
		Err(SyntaxError { span, expected }) => {
			assert!(text.get(span.clone()).is_some());
			let marked = SyntaxError { span, expected }.marked(text);
			assert_eq!(marked.split('\n').count(), 2);
		}
	}
});
