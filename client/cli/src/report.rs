// SPDX-License-Identifier: Apache-2.0
//! What commands print to stdout: text for a person, or JSON for a program.

use crate::{
	error::{os, Error},
	text::{visible_json, visible_text},
};
use isthmus_sdk::H256;
use isthmus_streams::Stream;
use serde::Serialize;
use std::{
	fmt,
	io::{self, Read, Write},
	process::ExitCode,
	sync::{Arc, Mutex, PoisonError},
	thread,
	time::Duration,
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
	/// Prints a report. It may contain what others wrote, so it is escaped.
	pub(crate) fn print(self, report: &dyn Report) -> Result<(), Error> {
		let text = match self {
			Self::Text => visible_text(&report.to_string()),
			Self::Json => visible_json(&report.json().map_err(Error::failed)?),
		};
		match text.is_empty() {
			true => Ok(()),
			false => write(format!("{text}\n").as_bytes()),
		}
	}

	/// Prints an error to stderr, and returns the exit code of a program that ends with it.
	pub(crate) fn fail(self, error: &Error) -> ExitCode {
		match self {
			Self::Text => error.report(),
			Self::Json => error.report_json(),
		}
	}
}

/// Returns the error of a report that could not be printed. If the command sent transactions, the last one is named: run
/// again, the command would send them twice.
pub(crate) fn unreported(error: Error, report: &str, sent: Option<H256>) -> Error {
	match sent {
		Some(hash) => error.hint(format!(
			"the transaction {hash:?} is in a block, so do not run this again: {report}"
		)),
		None => error,
	}
}

/// The last transaction that a command sent. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<Mutex<Option<H256>>>);

impl Sent {
	/// Remembers a transaction that a node accepted.
	pub(crate) fn note(&self, hash: H256) {
		*self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
	}

	/// Returns the hash of the last one; `None` if none was sent.
	pub(crate) fn last(&self) -> Option<H256> {
		*self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Waits while a stream that another program made non-blocking has no room or no data.
pub(crate) struct Patient<T>(pub(crate) T);

/// The time between attempts to use a non-blocking stream.
const RETRY: Duration = Duration::from_millis(5);

fn patiently<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
	loop {
		match attempt() {
			Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
			done => return done,
		}
	}
}

impl<T: Write> Write for Patient<T> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		patiently(|| self.0.write(bytes))
	}

	fn flush(&mut self) -> io::Result<()> {
		patiently(|| self.0.flush())
	}
}

impl<T: Read> Read for Patient<T> {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		patiently(|| self.0.read(buffer))
	}
}

/// Returns an error if stdout was closed when the program started, as by `>&-`: nothing can be printed. Otherwise what is
/// written to it would vanish without one.
pub(crate) fn check_open() -> Result<(), Error> {
	match Stream::Stdout.was_closed() {
		true => Err(Error::failed(
			"cannot write to stdout: it is closed, or open for reading only",
		)
		.hint("to see nothing of what is printed, send it to /dev/null")),
		false => Ok(()),
	}
}

/// Writes to stdout. It is not an error if the program at the other end of a pipe has stopped reading.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Error> {
	check_open()?;
	let mut out = Patient(io::stdout().lock());
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

	/// A stream that is not ready each other time.
	struct Busy {
		ready: bool,
		bytes: Vec<u8>,
	}

	impl Busy {
		fn turn(&mut self) -> io::Result<()> {
			self.ready = !self.ready;
			match self.ready {
				true => Err(io::ErrorKind::WouldBlock.into()),
				false => Ok(()),
			}
		}
	}

	impl Write for Busy {
		fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
			self.turn()?;
			self.bytes.push(bytes[0]);
			Ok(1)
		}

		fn flush(&mut self) -> io::Result<()> {
			self.turn()
		}
	}

	impl Read for Busy {
		fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
			self.turn()?;
			let Some(first) = self.bytes.first().copied() else {
				return Ok(0);
			};
			self.bytes.remove(0);
			buffer[0] = first;
			Ok(1)
		}
	}

	#[test]
	fn a_stream_that_is_not_ready_is_waited_for() {
		let (ready, bytes) = (false, Vec::new());
		let mut busy = Patient(Busy { ready, bytes });
		busy.write_all(b"all of it").unwrap();
		busy.flush().unwrap();
		let mut read = String::new();
		busy.read_to_string(&mut read).unwrap();
		assert_eq!(read, "all of it");
	}

	#[test]
	fn a_transaction_whose_report_is_lost_is_not_run_again() {
		let lost = || stdout(&io::ErrorKind::StorageFull.into());
		let report = "block 7: sent 5 IST to someone";
		let sent = Sent::default();
		let shown = format!("{:?}", unreported(lost(), report, sent.last()));
		assert!(!shown.contains("again"), "{shown}");
		sent.clone().note(H256::repeat_byte(1));
		let shown = format!("{:?}", unreported(lost(), report, sent.last()));
		let hash = "01".repeat(32);
		let hint = format!("0x{hash} is in a block, so do not run this again: {report}");
		assert!(shown.contains(&hint), "{shown}");
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
