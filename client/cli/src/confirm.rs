// SPDX-License-Identifier: Apache-2.0
//! Asks whether to do what cannot be undone.

use crate::error::Error;
use isthmus_sdk::Shown;
use std::{
	io::{self, BufRead, IsTerminal},
	path::Path,
};

/// Asks a question on the terminal, unless the answer was given on the command line. Without a terminal, as in
/// a script, nothing is asked.
///
/// # Errors
///
/// Returns an error unless the answer is yes.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
	if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
		return Ok(());
	}
	eprint(&format!("{} [y/N] ", Shown(question)));
	let mut answer = String::new();
	let read = io::stdin().lock().read_line(&mut answer);
	read.map_err(|error| Error::file(Path::new("stdin"), &error))?;
	match answer.trim().to_lowercase().as_str() {
		"y" | "yes" => Ok(()),
		_ => Err(Error::failed("not confirmed, so nothing was done")
			.hint("answer y, or pass --yes to skip the question")),
	}
}

fn eprint(text: &str) {
	use io::Write;
	let _ = io::stderr().write_all(text.as_bytes());
}
