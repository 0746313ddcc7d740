// SPDX-License-Identifier: Apache-2.0
//! What commands print to stdout: text for a person, or JSON for a program.

use crate::error::{os, Error};
use serde::Serialize;
use std::{
	fmt,
	io::{self, Write},
};

/// A command's output. The JSON of a type that is `Serialize` is one object, on one line.
///
/// Scripts read the JSON, so its keys and values must not change. Fields are declared in the order of their
/// keys, which is the order in which they are printed.
pub(crate) trait Report: fmt::Display {
	/// Returns the report as JSON, one object per line.
	fn json(&self) -> serde_json::Result<String>;
}

impl<T: Serialize + fmt::Display> Report for T {
	fn json(&self) -> serde_json::Result<String> {
		serde_json::to_string(self)
	}
}

/// Any number of reports, one after another.
pub(crate) struct Lines<T>(pub(crate) Vec<T>);

impl<T: fmt::Display> fmt::Display for Lines<T> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let texts: Vec<String> = self.0.iter().map(T::to_string).collect();
		f.write_str(&texts.join("\n"))
	}
}

impl<T: Report> Report for Lines<T> {
	fn json(&self) -> serde_json::Result<String> {
		let lines: Result<Vec<String>, _> = self.0.iter().map(T::json).collect();
		Ok(lines?.join("\n"))
	}
}

/// How reports are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
	/// As text for a person.
	Text,
	/// As JSON, one object per line.
	Json,
}

impl Output {
	/// Prints a report.
	pub(crate) fn print(self, report: &dyn Report) -> Result<(), Error> {
		let text = match self {
			Self::Text => report.to_string(),
			Self::Json => report.json().map_err(Error::failed)?,
		};
		match text.is_empty() {
			true => Ok(()),
			false => write(format!("{text}\n").as_bytes()),
		}
	}
}

/// Writes to stdout. It is not an error if the program at the other end of a pipe has stopped reading.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Error> {
	let mut out = io::stdout().lock();
	match out.write_all(bytes).and_then(|()| out.flush()) {
		Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(stdout(&error)),
		_ => Ok(()),
	}
}

/// Returns the error for a failed write to stdout.
pub(crate) fn stdout(error: &io::Error) -> Error {
	Error::failed(format!("cannot write to stdout: {}", os(error)))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[derive(Serialize)]
	struct Number {
		number: u32,
	}

	impl fmt::Display for Number {
		fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
			write!(f, "number {}", self.number)
		}
	}

	#[test]
	fn reports_are_one_a_line() {
		let lines = Lines(vec![Number { number: 1 }, Number { number: 2 }]);
		assert_eq!(lines.to_string(), "number 1\nnumber 2");
		assert_eq!(lines.json().unwrap(), "{\"number\":1}\n{\"number\":2}");
		let none = Lines::<Number>(Vec::new());
		assert_eq!((none.to_string(), none.json().unwrap()), Default::default());
	}
}
