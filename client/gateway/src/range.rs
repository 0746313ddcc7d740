// SPDX-License-Identifier: Apache-2.0
//! Ranges of bytes: the header `Range` of RFC 9110, section 14.

use std::ops::Range;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
	/// All bytes. Also if the header is not a single range of bytes: RFC 9110 lets a server ignore it.
	All,
	/// A part.
	Part(Range<u64>),
	/// A part that the file does not have.
	Outside,
}

/// Reads the header, for a file of this length.
pub(crate) fn asked(header: Option<&str>, length: u64) -> Asked {
	let Some((first, last)) = header.and_then(single) else {
		return Asked::All;
	};
	let range = match (first, last) {
		(Some(first), None) => first..length,
		(Some(first), Some(last)) if last < first => return Asked::All,
		(Some(first), Some(last)) => first..last.saturating_add(1).min(length),
		(None, Some(count)) => length.saturating_sub(count)..length,
		(None, None) => return Asked::All,
	};
	match range.is_empty() {
		true => Asked::Outside,
		false => Asked::Part(range),
	}
}

/// Reads `bytes=FIRST-LAST`, of which one number may be missing; `None` for anything else.
fn single(header: &str) -> Option<(Option<u64>, Option<u64>)> {
	let (unit, range) = header.split_once('=')?;
	if !unit.trim().eq_ignore_ascii_case("bytes") {
		return None;
	}
	let (first, last) = range.trim().split_once('-')?;
	let number = |text: &str| match text {
		"" => Some(None),
		// Not a sign, which `parse` would take. A number that is too large is beyond the end of every file.
		_ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
			Some(Some(text.parse().unwrap_or(u64::MAX)))
		}
		_ => None,
	};
	Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges_are_those_of_the_rfc() {
		let of_ten = |header: &str| asked(Some(header), 10);
		assert_eq!(asked(None, 10), Asked::All);
		for (header, part) in [
			("bytes=0-0", 0..1),
			("bytes=0-", 0..10),
			("bytes=3-6", 3..7),
			("bytes=3-99999999999999999999999", 3..10),
			("bytes=9-18446744073709551615", 9..10),
			("bytes=-3", 7..10),
			("bytes=-30", 0..10),
			("Bytes = 1-2", 1..3),
		] {
			assert_eq!(of_ten(header), Asked::Part(part), "{header}");
		}
		for header in [
			"bytes=10-",
			"bytes=10-12",
			"bytes=-0",
			"bytes=99999999999999999999-",
		] {
			assert_eq!(of_ten(header), Asked::Outside, "{header}");
		}
		for header in [
			"",
			"bytes",
			"bytes=",
			"bytes=-",
			"bytes=a-b",
			"bytes=+1-2",
			"bytes=5-3",
			"bytes=0-1,3-4",
			"bytes=1-2-3",
			"lines=1-2",
			"bytes=é-",
		] {
			assert_eq!(of_ten(header), Asked::All, "{header}");
		}
		assert_eq!(asked(Some("bytes=0-"), 0), Asked::Outside);
		assert_eq!(asked(None, 0), Asked::All);
	}
}
