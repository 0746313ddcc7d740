// SPDX-License-Identifier: Apache-2.0
//! Asks for passphrases and secrets, without showing them.

use crate::{error::Error, options::variable, report::Patient};
use isthmus_sdk::{envelope::key_file::MIN_PASSPHRASE, Shown};
use signal_hook::{
	consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
	flag,
	low_level::emulate_default_handler,
};
use std::{
	io::{self, ErrorKind, IsTerminal, Read},
	path::Path,
	sync::atomic::{AtomicBool, Ordering},
};
use zeroize::Zeroizing;

/// The environment variable that holds a passphrase for scripts.
const VARIABLE: &str = "ISTHMUS_PASSPHRASE";
/// The environment variable that holds a new passphrase for scripts, where the old one is needed, too.
const NEW_VARIABLE: &str = "ISTHMUS_NEW_PASSPHRASE";

/// The longest secret that is read from stdin, in bytes: words, shares and phrases are much shorter.
const LONGEST: u64 = 4096;

/// Returns whether passphrases come from the environment, so that nothing is asked.
pub(crate) fn is_given() -> bool {
	variable(VARIABLE).is_some()
}

/// Asks for the passphrase of a key file, unless $ISTHMUS_PASSPHRASE holds it.
pub(crate) fn of(path: &Path) -> Result<Zeroizing<String>, Error> {
	let path = path.to_string_lossy();
	ask(&format!("Passphrase of {}: ", Shown(&path)), VARIABLE)
}

/// Asks twice for a new passphrase, unless $ISTHMUS_PASSPHRASE holds it.
pub(crate) fn new() -> Result<Zeroizing<String>, Error> {
	new_from(VARIABLE)
}

/// Asks twice for the passphrase that replaces another, unless $ISTHMUS_NEW_PASSPHRASE holds it.
pub(crate) fn another() -> Result<Zeroizing<String>, Error> {
	match is_given() && variable(NEW_VARIABLE).is_none() {
		true => Err(Error::usage(
			"missing new passphrase: set $ISTHMUS_NEW_PASSPHRASE, too",
		)),
		false => new_from(NEW_VARIABLE),
	}
}

fn new_from(name: &str) -> Result<Zeroizing<String>, Error> {
	let first = ask("New passphrase: ", name)?;
	if first.chars().count() < MIN_PASSPHRASE {
		return Err(Error::usage(format!(
			"passphrase too short: expected at least {MIN_PASSPHRASE} characters"
		))
		.hint("several unrelated words are better than one word with special characters"));
	}
	if variable(name).is_none() && *ask("Repeat the passphrase: ", name)? != *first {
		return Err(Error::usage("the two passphrases differ"));
	}
	Ok(first)
}

/// Asks for an account's secret on the terminal, or reads it from stdin.
pub(crate) fn account() -> Result<Zeroizing<String>, Error> {
	secret("Secret phrase or seed: ")
}

/// Asks for a secret on the terminal, or reads it from a line of stdin.
pub(crate) fn secret(text: &str) -> Result<Zeroizing<String>, Error> {
	let mut line = Zeroizing::new(String::new());
	if io::stdin().is_terminal() {
		line = prompt(text)?;
	} else {
		let stdin = Patient(io::stdin().lock().take(LONGEST + 1));
		// Without a buffer of its own: the next secret is on the next line.
		let read = read_line(stdin, &mut line);
		read.map_err(|error| Error::file(Path::new("stdin"), &error))?;
		if line.len() as u64 > LONGEST {
			return Err(Error::usage(format!(
				"the secret is longer than {LONGEST} bytes"
			)));
		}
	}
	secret_of(&line)
}

/// Reads until the end of a line, or of the stream.
fn read_line(mut from: impl Read, line: &mut String) -> io::Result<()> {
	let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
	let mut byte = Zeroizing::new([0]);
	while bytes.last() != Some(&b'\n') {
		match from.read(&mut *byte) {
			Ok(0) => break,
			Ok(_) => bytes.push(byte[0]),
			Err(error) if error.kind() == ErrorKind::Interrupted => {}
			Err(error) => return Err(error),
		}
	}
	let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
	line.push_str(text);
	Ok(())
}

/// Returns the secret on a line: everything except the line ending, because a derivation's password may
/// contain spaces.
fn secret_of(line: &str) -> Result<Zeroizing<String>, Error> {
	// Without this check, an empty secret would be taken for the phrase that all development chains share.
	match line.trim_end_matches(['\r', '\n']) {
		blank if blank.trim().is_empty() => {
			Err(Error::usage("missing secret").hint("type it, or pipe it to stdin"))
		}
		secret => Ok(Zeroizing::new(secret.to_owned())),
	}
}

fn ask(text: &str, name: &str) -> Result<Zeroizing<String>, Error> {
	match variable(name) {
		Some(passphrase) => Ok(Zeroizing::new(passphrase)),
		None => prompt(text),
	}
}

/// Whether signals end the program at once, as they do before the first prompt and except during prompts.
static AT_ONCE: AtomicBool = AtomicBool::new(true);

/// Asks on the terminal that the program was started from, whatever stdin, stdout and stderr are.
pub(crate) fn prompt(text: &str) -> Result<Zeroizing<String>, Error> {
	// During the prompt the terminal does not show what is typed, and it would stay so if a signal ended the program
	// at once.
	for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
		flag::register_conditional_default(signal, &AT_ONCE).map_err(Error::failed)?;
	}
	let guard = terminal::Guard::new();
	AT_ONCE.store(false, Ordering::SeqCst);
	let answer = rpassword::prompt_password(text);
	AT_ONCE.store(true, Ordering::SeqCst);
	drop(guard);
	answer
		.map(Zeroizing::new)
		.map_err(|error| match error.kind() {
			ErrorKind::Interrupted => {
				// Ctrl-C was pressed, and the terminal is as it was: end as the signal ends any program.
				let _ = emulate_default_handler(SIGINT);
				Error::failed("interrupted")
			}
			ErrorKind::UnexpectedEof => Error::usage("nothing was typed"),
			_ => Error::usage("cannot ask for the passphrase: there is no terminal")
				.hint("in a script, set $ISTHMUS_PASSPHRASE"),
		})
}

/// Keeps the terminal as it is.
#[cfg(unix)]
mod terminal {
	use rustix::termios::{tcgetattr, tcsetattr, OptionalActions};
	use signal_hook::low_level::emulate_default_handler;
	use std::{fs::File, io};
	use tokio::{
		signal::unix::{signal, SignalKind},
		task::JoinHandle,
	};

	/// Ends the program on a signal, with the terminal as it was when this was made.
	pub(super) struct Guard(Option<JoinHandle<()>>);

	impl Guard {
		/// Remembers the terminal. Without one, or if no signals can be received, it does nothing.
		pub(super) fn new() -> Self {
			Self(Self::waiting().ok())
		}

		fn waiting() -> io::Result<JoinHandle<()>> {
			let terminal = File::open("/dev/tty")?;
			let before = tcgetattr(&terminal)?;
			let mut hangup = signal(SignalKind::hangup())?;
			let mut interrupt = signal(SignalKind::interrupt())?;
			let mut quit = signal(SignalKind::quit())?;
			let mut terminate = signal(SignalKind::terminate())?;
			Ok(tokio::spawn(async move {
				let kind = tokio::select! {
					_ = hangup.recv() => SignalKind::hangup(),
					_ = interrupt.recv() => SignalKind::interrupt(),
					_ = quit.recv() => SignalKind::quit(),
					_ = terminate.recv() => SignalKind::terminate(),
				};
				let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
				let _ = emulate_default_handler(kind.as_raw_value());
			}))
		}
	}

	impl Drop for Guard {
		fn drop(&mut self) {
			if let Some(waiting) = &self.0 {
				waiting.abort();
			}
		}
	}
}

#[cfg(not(unix))]
mod terminal {
	/// Does nothing: this system has no such signals.
	pub(super) struct Guard;

	impl Guard {
		pub(super) fn new() -> Self {
			Self
		}
	}
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
