// SPDX-License-Identifier: Apache-2.0
//! Asks whether to do what cannot be undone.

use crate::error::Error;
use isthmus_sdk::Shown;
use std::{
	fs::File,
	io::{self, BufRead, IsTerminal, Write},
	path::Path,
};

/// Asks a question on the terminal, unless the answer was given on the command line. Without a terminal, as in
/// a script, nothing is asked.
///
/// # Errors
///
/// Returns an error unless the answer is yes.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
	if yes || !io::stdin().is_terminal() {
		return Ok(());
	}
	ask(&format!("{} [y/N] ", Shown(question)))?;
	let mut answer = String::new();
	let read = io::stdin().lock().read_line(&mut answer);
	read.map_err(|error| Error::file(Path::new("stdin"), &error))?;
	match answer.trim().to_lowercase().as_str() {
		"y" | "yes" => Ok(()),
		_ => Err(Error::failed("not confirmed, so nothing was done")
			.hint("answer y, or pass --yes to skip the question")),
	}
}

/// Shows a question. If stderr goes elsewhere, as into a log, it is shown on the terminal itself: otherwise the command would
/// wait for an answer to a question that no one sees.
fn ask(question: &str) -> Result<(), Error> {
	let asked = match io::stderr().is_terminal() {
		true => io::stderr().write_all(question.as_bytes()),
		false => File::options()
			.write(true)
			.open("/dev/tty")
			.and_then(|mut terminal| terminal.write_all(question.as_bytes())),
	};
	asked.map_err(|_| {
		Error::usage("cannot ask whether to do this: there is no terminal to show the question")
			.hint("pass --yes if it is to be done")
	})
}
