// SPDX-License-Identifier: Apache-2.0
//! The columns of a CSV file with a line of names, guessed from its first rows.

use crate::columns::{Column, Kind};
use csv::{ReaderBuilder, StringRecord};

/// How many rows are looked at.
const ROWS: usize = 1000;

/// Why the columns of a CSV file cannot be guessed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
	/// The file has no line of names.
	#[error("it has no line with the names of its columns")]
	Empty,
	/// A line cannot be read.
	#[error("it is not a CSV file: {0}")]
	Malformed(String),
}

/// Guesses the columns of a CSV file from its beginning. The last line is left out if the beginning ends in it.
///
/// # Errors
///
/// Returns a [`CsvError`] if it is not one.
pub fn guess(beginning: &[u8], is_whole: bool) -> Result<Vec<Column>, CsvError> {
	let end = match is_whole {
		true => beginning.len(),
		false => beginning
			.iter()
			.rposition(|byte| *byte == b'\n')
			.unwrap_or(0),
	};
	let lines = beginning.get(..end).unwrap_or_default();
	let lines = lines.strip_prefix(b"\xef\xbb\xbf").unwrap_or(lines);
	let malformed = |error: csv::Error| CsvError::Malformed(error.to_string());
	let mut reader = ReaderBuilder::new().from_reader(lines);
	let names = reader.headers().map_err(malformed)?.clone();
	if names.is_empty() {
		return Err(CsvError::Empty);
	}
	let rows: Result<Vec<StringRecord>, _> = reader.records().take(ROWS).collect();
	let rows = rows.map_err(malformed)?;
	let column = |(at, name): (usize, &str)| {
		let values = || {
			rows.iter()
				.filter_map(move |row: &StringRecord| row.get(at))
		};
		let is_there = |value: &&str| !value.is_empty();
		Column {
			name: name.to_owned(),
			kind: kind(&values().filter(is_there).collect::<Vec<_>>()),
			nullable: values().any(str::is_empty),
		}
	};
	Ok(names.iter().enumerate().map(column).collect())
}

/// Returns what all of some values are.
fn kind(values: &[&str]) -> Kind {
	let all = |is: fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| is(value));
	if all(|value| value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")) {
		Kind::Boolean
	} else if all(|value| is_number(value) && value.parse::<i64>().is_ok()) {
		Kind::Long
	} else if all(|value| is_number(value) && value.parse().is_ok_and(f64::is_finite)) {
		Kind::Double
	} else if all(is_date) {
		Kind::Date
	} else {
		Kind::String
	}
}

/// Returns whether a text may be a number: 007 is rather a name, and so is +49.
fn is_number(text: &str) -> bool {
	let digits = text.strip_prefix('-').unwrap_or(text);
	let mut digits = digits.bytes();
	match (digits.next(), digits.next()) {
		(Some(b'0'), Some(next)) => !next.is_ascii_digit(),
		(Some(first), _) => first.is_ascii_digit(),
		(None, _) => false,
	}
}

/// Returns whether a text is a day, such as 2025-03-31.
fn is_date(text: &str) -> bool {
	let bytes = text.as_bytes();
	let is_right = |(at, byte): (usize, &u8)| match at {
		4 | 7 => *byte == b'-',
		_ => byte.is_ascii_digit(),
	};
	bytes.len() == 10 && bytes.iter().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn kinds(text: &str) -> Vec<(String, Kind, bool)> {
		let columns = guess(text.as_bytes(), true).unwrap();
		columns
			.into_iter()
			.map(|column| (column.name, column.kind, column.nullable))
			.collect()
	}

	#[test]
	fn kinds_are_guessed_from_all_rows() {
		let text = "\u{feff}name,mark,mean,when,passed,phone,none\r\n\"Ada, L.\",97,1.5,2025-03-01,true,+49,\r\nGrace,-5,2,2025-03-02,FALSE,007,\r\n,0,1e3,2025-03-03,true,1,\r\n";
		let expected = [
			("name", Kind::String, true),
			("mark", Kind::Long, false),
			("mean", Kind::Double, false),
			("when", Kind::Date, false),
			("passed", Kind::Boolean, false),
			("phone", Kind::String, false),
			("none", Kind::String, true),
		];
		let expected: Vec<_> = expected
			.into_iter()
			.map(|(name, kind, nullable)| (name.to_owned(), kind, nullable))
			.collect();
		assert_eq!(kinds(text), expected);
		assert_eq!(kinds("a;b\n"), [("a;b".to_owned(), Kind::String, false)]);
	}

	#[test]
	fn a_line_that_is_cut_off_does_not_count() {
		let columns = guess(b"a,b\n1,2\n3", false).unwrap();
		assert_eq!(columns.len(), 2);
		assert_eq!(columns[1].kind, Kind::Long);
		assert!(matches!(
			guess(b"a,b\n1,2\n3", true),
			Err(CsvError::Malformed(_))
		));
		assert_eq!(guess(b"", true), Err(CsvError::Empty));
		assert_eq!(guess(b"a,b", false), Err(CsvError::Empty));
		assert!(matches!(
			guess(b"a\n\xff\n", true),
			Err(CsvError::Malformed(_))
		));
	}
}
