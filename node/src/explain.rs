// SPDX-License-Identifier: Apache-2.0
//! Turns the errors that end the program into sentences that say what to do. Substrate's own sentences name
//! another program's options, or only repeat what the operating system reported.

use crate::database::KEPT;
use polkadot_sdk::*;
use sc_cli::Error;
use sc_service::error::Error as ServiceError;
use sp_blockchain::Error::{Backend, StateDatabase, Storage};
use std::{env, io::ErrorKind, path::Path};

/// What the system says of a limit of this process, and the command that raises it.
const LIMITS: [(&str, &str); 3] = [
	("Too many open files", "ulimit -n 10000"),
	("File too large", "ulimit -f unlimited"),
	// A database maps its files into memory, and reserves 1 GiB of addresses for each.
	("Cannot allocate memory", "ulimit -v unlimited"),
];

/// What is said of a file that is not there, or that the system refuses for that.
const ABSENT: [&str; 3] = [
	"No such file",
	"there is no ",
	"cannot be written to the keystore",
];

/// Returns the sentence for an error that ended the program.
pub fn explain(error: &Error) -> String {
	let here = env::current_dir();
	let is_gone = here.is_err_and(|error| error.kind() == ErrorKind::NotFound);
	with_advice(shown(error), is_gone)
}

/// Adds to a sentence which limit to raise, and whether the current folder is gone.
fn with_advice(text: String, is_gone: bool) -> String {
	if is_gone && ABSENT.iter().any(|said| text.contains(said)) {
		return format!(
			"{text}. The folder in which this command was started is deleted: change to one that exists (`cd`), or give whole \
			 paths"
		);
	}
	match LIMITS.iter().find(|(said, _)| text.contains(said)) {
		Some((_, command)) => format!("{text}. Raise the limit: `{command}`"),
		None => text,
	}
}

fn shown(error: &Error) -> String {
	shortened(visible(&words(sentence(error))))
}

/// Leaves out the middle of a text that is longer than any sentence, because it repeats a part of a damaged file.
fn shortened(text: String) -> String {
	const ENDS: usize = 1000;
	let length = text.chars().count();
	let left_out = length.saturating_sub(2 * ENDS);
	if left_out == 0 {
		return text;
	}
	let start: String = text.chars().take(ENDS).collect();
	let end: String = text.chars().skip(length - ENDS).collect();
	format!("{start} [{left_out} characters are left out here] {end}")
}

/// Escapes control characters, except line ends: a path or a file's text may contain some that steer a terminal.
fn visible(text: &str) -> String {
	let mut shown = String::with_capacity(text.len());
	for character in text.chars() {
		match character.is_control() && character != '\n' {
			true => shown.extend(character.escape_default()),
			false => shown.push(character),
		}
	}
	shown
}

fn sentence(error: &Error) -> String {
	match error {
		Error::NetworkKeyNotFound(path) => network_key(path),
		Error::KeyAlreadyExistsInPath(path) => format!(
			"there is a file at {} already, and it may be a network key. To give the node another identity, delete the \
			 file first",
			path.display()
		),
		// The framework's sentence for an invalid secret URI. This one must not repeat the URI, either.
		Error::Input(text) if text.starts_with("Invalid phrase") => "the secret key is not valid: `--suri` (or what \
			was typed) is neither a file with such a key, nor a phrase of 12 to 24 words, nor 0x and 64 hexadecimal \
			digits, nor a path like //Alice, which may follow the others"
			.into(),
		Error::Input(text) | Error::Service(ServiceError::Other(text)) => text.clone(),
		Error::Service(ServiceError::Application(error)) => error.to_string(),
		Error::Client(Storage(text)) | Error::Service(ServiceError::Client(Storage(text))) => {
			genesis(text)
		}
		Error::Client(Backend(text)) | Error::Service(ServiceError::Client(Backend(text))) => {
			database(text)
		}
		Error::Client(StateDatabase(text))
		| Error::Service(ServiceError::Client(StateDatabase(text))) => pruning(text),
		Error::Service(ServiceError::Keystore(error)) => format!(
			"the keystore cannot be opened: {error}. It has to be a folder that this user may write to: `keystore` in the \
			 chain's folder below `--base-path`, or the folder of `--keystore-path`"
		),
		error => error.to_string(),
	}
}

/// Returns the sentence for a verifier's network key that is not there.
fn network_key(path: &Path) -> String {
	if let Err(error) = path.try_exists() {
		// The framework takes what it may not look at for missing.
		return format!(
			"the network key in {} cannot be read: {error}. Run the node as the user whose files these are",
			path.display()
		);
	}
	format!(
		"a verifier's node (`--validator`) needs a network key that stays the same, so that other nodes find it, \
		 and there is none at {}. Create it once, and start the node again:\n  isthmus-node key \
		 generate-node-key --chain CHAIN --base-path DIR\nwith the same `--chain` and `--base-path` (without \
		 the latter: `--default-base-path`). A node that is only tried out, as with `--tmp`, makes a new one at each start \
		 with `--unsafe-force-node-key-generation`",
		path.display()
	)
}

/// Adds to an error what failed, and with which file.
pub(crate) fn named(what: &str, path: &Path, error: &Error) -> Error {
	Error::Input(format!("{what} ({}): {}", path.display(), shown(error)))
}

/// Returns a sentence without the numbers of the system's errors.
pub(crate) fn words(error: impl ToString) -> String {
	const NUMBER: &str = " (os error ";
	let text = error.to_string();
	let mut parts = text.split(NUMBER);
	let mut words = parts.next().unwrap_or_default().to_owned();
	for part in parts {
		match part.split_once(')') {
			Some((number, rest)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
				words.push_str(rest);
			}
			_ => {
				words.push_str(NUMBER);
				words.push_str(part);
			}
		}
	}
	words
}

/// Returns the sentence for a database that cannot be used.
fn database(reason: &str) -> String {
	if LIMITS.iter().any(|(said, _)| reason.contains(said)) {
		return format!("the database cannot be opened: {reason}");
	}
	let cannot_map = [
		"No such device",
		"Invalid argument",
		"Operation not supported",
	];
	if reason.starts_with("IO Error") && cannot_map.iter().any(|said| reason.contains(said)) {
		return format!(
			"the database cannot be opened: {reason}. Perhaps its file system cannot map files into memory, as some that are \
			 shared with another machine: give a folder on a local disk with `--base-path`"
		);
	}
	// What the system or another process is to blame for must not cost anyone a database.
	if reason.starts_with("IO Error") {
		return format!("the database cannot be opened: {reason}. {KEPT}");
	}
	if reason.starts_with("Database file is in use") {
		return "the database is in use by a running node: stop that node, ask it over its RPC, or give another `--base-path`".into();
	}
	format!(
		"the database cannot be used: {reason}. Start the release that wrote it; or, if it is damaged, delete it with \
		 `purge-chain`, which leaves the keys, and sync again"
	)
}

/// Returns the sentence for a database of states that cannot be used, above all because it was made with another option.
fn pruning(reason: &str) -> String {
	if !reason.starts_with("Incompatible pruning modes") {
		return database(reason);
	}
	format!(
		"`--state-pruning` differs from what the database was made with, and this cannot be changed: {reason}. Leave the \
		 option out, which takes what the database has; or, to have the other, sync into a new folder with `--base-path`"
	)
}

/// Returns the sentence for an error of the runtime that built the genesis state, without the backtrace, and without the values
/// that it was given and a place in them: they are not written as in the specification.
fn genesis(error: &str) -> String {
	let reason = error.split("WASM backtrace").next().unwrap_or_default();
	let reason = reason.split(" for blob:").next().unwrap_or_default();
	let reason = match reason.rsplit_once(" at line ") {
		Some((reason, place)) if is_place(place) => reason,
		_ => reason,
	};
	let hint = match error.contains("WASM backtrace") {
		true => ". If the runtime refused a field, the line after `panicked at` names it",
		false => "",
	};
	format!(
		"the genesis state cannot be built from the chain specification: {}{hint}",
		reason.trim_end()
	)
}

/// Returns whether this is the end of a place in a text: `6 column 10`.
fn is_place(text: &str) -> bool {
	let numbers = text.trim_end().split_once(" column ");
	numbers.is_some_and(|(line, column)| {
		[line, column]
			.iter()
			.all(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_numbers_of_the_system_are_left_out() {
		for (said, shown) in [
			("Is a directory (os error 21)", "Is a directory"),
			("a: No (os error 2). Try b", "a: No. Try b"),
			("x (os error 1) y (os error 22)", "x y"),
			("no (os error", "no (os error"),
			("no (os error x)", "no (os error x)"),
			("", ""),
		] {
			assert_eq!(words(said), shown);
		}
	}

	#[test]
	fn an_error_does_not_repeat_a_whole_file() {
		let long = format!(
			"expected a number, and found {} at line 1",
			"é".repeat(1 << 21)
		);
		let shown = explain(&Error::Input(long));
		assert!(shown.len() < 5000 && shown.contains("characters are left out here"));
		assert!(shown.starts_with("expected a number") && shown.ends_with(" at line 1"));
	}

	#[test]
	fn an_error_does_not_steer_a_terminal() {
		let shown = explain(&Error::Input("a\u{1b}[2J\u{9b}b\nc".into()));
		assert_eq!(shown, "a\\u{1b}[2J\\u{9b}b\nc");
		let full = explain(&Error::Input("x: File too large (os error 27)".into()));
		assert_eq!(
			full,
			"x: File too large. Raise the limit: `ulimit -f unlimited`"
		);
	}

	#[test]
	fn a_current_folder_that_is_gone_is_said_of_files_that_are_not_there() {
		let said = |text: &str, is_gone| with_advice(text.into(), is_gone);
		for text in ["x: No such file or directory", "there is no database at x"] {
			assert!(said(text, true).contains("is deleted: change to one"));
			assert_eq!(said(text, false), text);
		}
		assert_eq!(said("another", true), "another");
	}

	#[test]
	fn the_limit_to_raise_is_said_once() {
		let full = Error::Input("File too large (os error 27)".into());
		let said = explain(&named("it cannot be written", Path::new("x"), &full));
		assert_eq!(said.matches("Raise the limit").count(), 1, "{said}");
	}

	#[test]
	fn a_refused_genesis_does_not_show_all_values() {
		let said = genesis(
			"Invalid JSON blob: unknown field `x` at line 6 column 10 for blob:\n{\n  \"a\": 1\n}",
		);
		assert!(said.ends_with("unknown field `x`"), "{said}");
		let said = genesis("a sentence at line 6 of a song");
		assert!(said.ends_with("at line 6 of a song"), "{said}");
	}

	#[test]
	fn a_database_that_cannot_be_used_has_a_way_out() {
		let shown = |reason: &str| {
			let error = sp_blockchain::Error::Backend(reason.into());
			explain(&Error::Service(ServiceError::Client(error)))
		};
		let full = shown("IO Error: Too many open files (os error 24)");
		assert_eq!(
			full,
			"the database cannot be opened: IO Error: Too many open files. Raise the limit: `ulimit -n 10000`"
		);
		assert!(shown("Corruption: Bad salt string").contains("`purge-chain`"));
		let memory = shown("IO Error: Cannot allocate memory (os error 12)");
		assert!(memory.ends_with("memory. Raise the limit: `ulimit -v unlimited`"));
	}

	#[test]
	fn no_one_is_told_to_delete_a_sound_database() {
		let shown = |error| explain(&Error::Service(ServiceError::Client(error)));
		for reason in [
			"IO Error: Permission denied (os error 13)",
			"IO Error: Read-only file system (os error 30)",
			"IO Error: Input/output error (os error 5)",
			"IO Error: No such device (os error 19)",
			"Database file is in use. (Resource temporarily unavailable (os error 11))",
		] {
			let text = shown(Backend(reason.into()));
			assert!(!text.contains("purge-chain"), "{text}");
		}
		let other = "Incompatible pruning modes [stored: ArchiveAll; requested: ArchiveCanonical]";
		let text = shown(StateDatabase(other.into()));
		assert!(text.starts_with("`--state-pruning` differs"), "{text}");
		assert!(!text.contains("purge-chain"), "{text}");
	}
}
