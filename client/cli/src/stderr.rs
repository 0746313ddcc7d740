// SPDX-License-Identifier: Apache-2.0
//! Prints lines to stderr. If stderr is closed or full, no one reads it, and the command continues.

use crate::text::shown;
use std::{
	fmt,
	io::{self, Write},
};

/// Prints a line for a person. It may contain text from nodes, producers and file names, so it is escaped.
pub(crate) fn tell(line: impl fmt::Display) {
	print(&shown(line));
}

/// Prints a line as it is.
pub(crate) fn print(line: &str) {
	// In one piece, so that the lines of several programs do not mix.
	let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
