// SPDX-License-Identifier: Apache-2.0
//! Asks for passphrases and secrets, without showing them.

use crate::error::Error;
use isthmus_sdk::envelope::key_file::MIN_PASSPHRASE;
use std::{
	io::{BufRead, IsTerminal},
	path::Path,
};
use zeroize::Zeroizing;

/// The environment variable that holds a passphrase for scripts.
const VARIABLE: &str = "ISTHMUS_PASSPHRASE";

/// Asks for the passphrase of a key file, unless $ISTHMUS_PASSPHRASE holds it.
pub(crate) fn of(path: &Path) -> Result<Zeroizing<String>, Error> {
	ask(&format!("Passphrase of {}: ", path.display()))
}

/// Asks twice for a new passphrase, unless $ISTHMUS_PASSPHRASE holds it.
pub(crate) fn new() -> Result<Zeroizing<String>, Error> {
	let first = ask("New passphrase: ")?;
	if first.chars().count() < MIN_PASSPHRASE {
		return Err(Error::usage(format!(
			"passphrase too short: expected at least {MIN_PASSPHRASE} characters"
		))
		.hint("several unrelated words are better than one word with special characters"));
	}
	if std::env::var_os(VARIABLE).is_none() && *ask("Repeat the passphrase: ")? != *first {
		return Err(Error::usage("the two passphrases differ"));
	}
	Ok(first)
}

/// Asks for an account's secret on the terminal, or reads it from stdin.
pub(crate) fn secret() -> Result<Zeroizing<String>, Error> {
	let mut line = Zeroizing::new(String::new());
	if std::io::stdin().is_terminal() {
		line = prompt("Secret phrase or seed: ")?;
	} else {
		let mut stdin = std::io::stdin().lock();
		stdin.read_line(&mut line).map_err(Error::failed)?;
	}
	secret_of(&line)
}

/// Returns the secret on a line: everything except the line ending, because a derivation's password may
/// contain spaces.
fn secret_of(line: &str) -> Result<Zeroizing<String>, Error> {
	// Without this check, an empty secret would be taken for the phrase that all development chains share.
	match line.trim_end_matches(['\r', '\n']) {
		blank if blank.trim().is_empty() => Err(Error::usage("missing secret")
			.hint("type the secret phrase or the seed of the account, or pipe it to stdin")),
		secret => Ok(Zeroizing::new(secret.to_owned())),
	}
}

fn ask(text: &str) -> Result<Zeroizing<String>, Error> {
	if let Ok(passphrase) = std::env::var(VARIABLE) {
		return Ok(Zeroizing::new(passphrase));
	}
	if !std::io::stdin().is_terminal() {
		return Err(
			Error::usage("cannot ask for the passphrase: stdin is not a terminal")
				.hint("in a script, set $ISTHMUS_PASSPHRASE"),
		);
	}
	prompt(text)
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Error> {
	rpassword::prompt_password(text)
		.map(Zeroizing::new)
		.map_err(Error::failed)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_secret_is_a_line_without_its_end() {
		for (line, secret) in [
			("//Alice\n", "//Alice"),
			("//Alice\r\n", "//Alice"),
			("//Alice", "//Alice"),
			("//Alice///word \n", "//Alice///word "),
		] {
			let read = secret_of(line).expect("a secret");
			assert_eq!(*read, secret);
		}
		for blank in ["", "\n", " \t\r\n"] {
			assert!(secret_of(blank).is_err(), "{blank:?}");
		}
	}
}
