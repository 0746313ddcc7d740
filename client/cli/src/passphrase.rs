// SPDX-License-Identifier: Apache-2.0
//! Asks for passphrases and secrets, without showing them.

use crate::{
	error::Error,
	input::wait_for_stdin,
	options::{is_empty, oddity, variable},
	report::Patient,
	secret, text,
};
use isthmus_sdk::envelope::key_file::{is_utf16, MIN_PASSPHRASE};
use serde::de::IgnoredAny;
use std::{
	io::{self, ErrorKind, IsTerminal, Read},
	path::Path,
	sync::Once,
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
	ask(&format!("Passphrase of {}: ", text::path(path)), VARIABLE)
}

/// Asks twice for a new passphrase, unless $ISTHMUS_PASSPHRASE holds it.
pub(crate) fn new() -> Result<Zeroizing<String>, Error> {
	new_from(VARIABLE)
}

/// Asks twice for the passphrase that replaces another, unless $ISTHMUS_NEW_PASSPHRASE holds it.
pub(crate) fn another() -> Result<Zeroizing<String>, Error> {
	match is_given() && variable(NEW_VARIABLE).is_none() {
		true if is_empty(NEW_VARIABLE) => {
			Err(Error::usage("missing new passphrase").hint(set_but_empty(NEW_VARIABLE)))
		}
		true => Err(Error::usage(
			"missing new passphrase: set $ISTHMUS_NEW_PASSPHRASE, too",
		)),
		false => new_from(NEW_VARIABLE),
	}
}

fn new_from(name: &str) -> Result<Zeroizing<String>, Error> {
	let first = ask("New passphrase: ", name)?;
	check_new(&first)?;
	if variable(name).is_none() && *ask("Repeat the passphrase: ", name)? != *first {
		return Err(Error::usage("the two passphrases differ"));
	}
	Ok(first)
}

/// Checks a new passphrase. Those of key files that exist may be shorter, or blank.
fn check_new(passphrase: &str) -> Result<(), Error> {
	let wrong = if passphrase.chars().count() < MIN_PASSPHRASE {
		format!("passphrase too short: expected at least {MIN_PASSPHRASE} characters")
	} else if passphrase.trim().is_empty() {
		"the passphrase is only white space".to_owned()
	} else {
		return Ok(());
	};
	let better = "several unrelated words are better than one word with special characters";
	Err(Error::usage(wrong).hint(better))
}

/// Asks for an account's secret on the terminal, or reads it from stdin.
pub(crate) fn account() -> Result<Zeroizing<String>, Error> {
	secret("Secret phrase or seed: ")
}

/// Whether the first secret has been waited for.
static FIRST: Once = Once::new();

/// Asks for a secret on the terminal, or reads it from a line of stdin.
pub(crate) fn secret(text: &str) -> Result<Zeroizing<String>, Error> {
	let mut line = Zeroizing::new(String::new());
	if io::stdin().is_terminal() {
		line = prompt(text)?;
	} else {
		// Later ones may be in the buffer already.
		let mut waited = Ok(());
		FIRST.call_once(|| waited = wait_for_stdin());
		let stdin = Patient(io::stdin().lock().take(LONGEST + 1));
		// Without a buffer of its own: the next secret is on the next line.
		let read = waited.and_then(|()| read_line(stdin, &mut line));
		read.map_err(|error| failed_stdin(&error))?;
		read_object(&mut line).map_err(|error| failed_stdin(&error))?;
		if line.len() as u64 > LONGEST {
			secret::check_typed(&line)?;
			return Err(Error::usage(format!(
				"the secret is longer than {LONGEST} bytes"
			)));
		}
	}
	let given = secret_of(&line)?;
	secret::check_typed(&given)?;
	Ok(given)
}

/// Reads the rest of an object in JSON that begins on a line of stdin, by which [`secret::check_typed`] knows it.
fn read_object(line: &mut String) -> io::Result<()> {
	let is_whole = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
	while without_mark(line).trim_start().starts_with('{') && !is_whole(without_mark(line)) {
		let (before, left) = (line.len(), (LONGEST + 1).saturating_sub(line.len() as u64));
		read_line(Patient(io::stdin().lock().take(left)), line)?;
		if line.len() == before {
			break;
		}
	}
	Ok(())
}

/// Returns the error of a stdin from which no secret is read.
fn failed_stdin(error: &io::Error) -> Error {
	match error.kind() {
		ErrorKind::InvalidData => Error::usage(format!("stdin: {error}")).hint(format!(
			"{}. Of 32 bytes as they are: `xxd -p -c 64 FILE | isthmus key import NEW.key`",
			secret::EXPECTED
		)),
		_ => Error::file(Path::new("stdin"), error),
	}
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
	let wrong = |words: &str| io::Error::new(ErrorKind::InvalidData, words);
	if is_utf16(&bytes) {
		return Err(wrong("it is in UTF-16, so save it as UTF-8"));
	}
	let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not text in UTF-8"))?;
	line.push_str(text);
	Ok(())
}

/// Returns the secret on a line: everything except the byte order mark of a file from Windows and the line ending, because a derivation's password may
/// contain spaces.
fn secret_of(line: &str) -> Result<Zeroizing<String>, Error> {
	// Without this check, an empty secret would be taken for the phrase that all development chains share.
	match without_mark(line).trim_end_matches(['\r', '\n']) {
		blank if blank.trim().is_empty() => {
			Err(Error::usage("missing secret").hint("type it, or pipe it to stdin"))
		}
		secret => Ok(Zeroizing::new(secret.to_owned())),
	}
}

/// Returns a text without the byte order mark of a file from Windows.
fn without_mark(text: &str) -> &str {
	text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn ask(text: &str, name: &str) -> Result<Zeroizing<String>, Error> {
	match variable(name) {
		Some(passphrase) => Ok(Zeroizing::new(without_mark(&passphrase).to_owned())),
		None => prompt_or(text, name),
	}
}

/// Asks on the terminal that the program was started from, whatever stdin, stdout and stderr are.
pub(crate) fn prompt(text: &str) -> Result<Zeroizing<String>, Error> {
	prompt_or(text, VARIABLE)
}

/// Asks on the terminal, in place of this variable.
fn prompt_or(text: &str, name: &str) -> Result<Zeroizing<String>, Error> {
	let line = terminal::ask(text).map_err(|error| match error.kind() {
		ErrorKind::UnexpectedEof => Error::usage("nothing was typed"),
		ErrorKind::InvalidData => Error::usage(format!("what was typed cannot be read: {error}")),
		_ => Error::usage("cannot ask for the passphrase: there is no terminal").hint(in_script(
			name,
			std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()),
		)),
	})?;
	Ok(Zeroizing::new(
		line.trim_end_matches(['\r', '\n']).to_owned(),
	))
}

/// Returns how a script passes a passphrase, and what is wrong with the variables that are set.
fn in_script(name: &str, set: impl Iterator<Item = String>) -> String {
	let set: Vec<_> = set.filter(|name| name.starts_with("ISTHMUS_")).collect();
	if set.iter().any(|set| set == name) {
		return set_but_empty(name);
	}
	let known = [VARIABLE, NEW_VARIABLE];
	let other = set
		.iter()
		.find(|set| set.contains("PASS") && !known.contains(&set.as_str()));
	match other {
		Some(other) => format!("in a script, set ${name}: nothing reads ${other}, which is set"),
		None => format!("in a script, set ${name}"),
	}
}

/// Returns what is said of a variable without a value.
fn set_but_empty(name: &str) -> String {
	format!("${name} is set, but empty: did the command or the file that it comes from fail?")
}

/// Returns where a passphrase that does not open a file comes from, if it was not typed, and what may be wrong with it.
pub(crate) fn doubt() -> Option<String> {
	variable(VARIABLE)
		.map(|value| format!("the passphrase is that of ${VARIABLE}{}", oddity(&value)))
}

pub(crate) use terminal::leave_to_service;

/// Asks on the terminal without showing what is typed. Meanwhile, the keys and signals that end or suspend a program do
/// so, and leave the terminal as it was.
mod terminal {
	use crate::passphrase::read_line;
	use isthmus_streams::minds_hangup;
	use rustix::termios::{
		tcflush, tcgetattr, tcsetattr, LocalModes, OptionalActions, QueueSelector, Termios,
	};
	use signal_hook::{
		consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP},
		flag,
		low_level::emulate_default_handler,
	};
	use std::{
		fs::{File, OpenOptions},
		io::{self, ErrorKind, Write},
		sync::{
			atomic::{AtomicBool, Ordering},
			Arc,
		},
	};
	use tokio::{
		signal::unix::{signal, Signal, SignalKind},
		task::JoinHandle,
	};
	use zeroize::Zeroizing;

	/// Whether signals act at once, as they do before the first prompt and except during prompts.
	static AT_ONCE: AtomicBool = AtomicBool::new(true);
	/// The same of the signals that ask a program to end, which a service acts on itself.
	static ENDS_AT_ONCE: AtomicBool = AtomicBool::new(true);
	/// Whether a service acts on them.
	static SERVES: AtomicBool = AtomicBool::new(false);

	/// Leaves the signals that ask a program to end to a service, for good: without this, those that a prompt has caught would
	/// end it at once.
	pub(crate) fn leave_to_service() {
		SERVES.store(true, Ordering::SeqCst);
		ENDS_AT_ONCE.store(false, Ordering::SeqCst);
	}

	fn set_at_once(at_once: bool) {
		AT_ONCE.store(at_once, Ordering::SeqCst);
		let ends = at_once && !SERVES.load(Ordering::SeqCst);
		ENDS_AT_ONCE.store(ends, Ordering::SeqCst);
	}

	/// Asks, and returns the line that was typed, with its end.
	pub(super) fn ask(text: &str) -> io::Result<Zeroizing<String>> {
		// One that this program was started to ignore, as by nohup, stays so.
		if minds_hangup() {
			flag::register_conditional_default(SIGHUP, &ENDS_AT_ONCE)?;
		}
		for signal in [SIGINT, SIGTERM] {
			flag::register_conditional_default(signal, &ENDS_AT_ONCE)?;
		}
		for signal in [SIGQUIT, SIGTSTP] {
			flag::register_conditional_default(signal, &AT_ONCE)?;
		}
		let prompt = Prompt::show(text)?;
		let mut line = Zeroizing::new(String::new());
		read_line(prompt.terminal.shown.as_ref(), &mut line)?;
		match line.is_empty() {
			true => Err(ErrorKind::UnexpectedEof.into()),
			false => Ok(line),
		}
	}

	/// A terminal, as it was and as it is during a prompt.
	#[derive(Clone)]
	struct Terminal {
		shown: Arc<File>,
		before: Termios,
		quiet: Termios,
		text: String,
	}

	impl Terminal {
		/// Shows the prompt, and then no longer what is typed.
		fn show(&self) -> io::Result<()> {
			tcsetattr(&self.shown, OptionalActions::Now, &self.quiet)?;
			(&*self.shown).write_all(self.text.as_bytes())
		}

		fn restore(&self) {
			let _ = tcsetattr(&self.shown, OptionalActions::Now, &self.before);
		}

		/// Restores it, and drops what was typed and not read: a shell would read a part of a passphrase, and show it.
		fn clear(&self) {
			let _ = tcflush(&self.shown, QueueSelector::IFlush);
			self.restore();
		}
	}

	/// A prompt that is shown. When it is dropped, the terminal is as it was before.
	struct Prompt {
		terminal: Terminal,
		signals: JoinHandle<()>,
	}

	impl Prompt {
		fn show(text: &str) -> io::Result<Self> {
			let shown = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
			let before = tcgetattr(&shown)?;
			let mut quiet = before.clone();
			quiet.local_modes.remove(LocalModes::ECHO);
			// A line at a time, whose end is shown; Ctrl-C, Ctrl-\ and Ctrl-Z send signals.
			quiet
				.local_modes
				.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
			let terminal = Terminal {
				shown: Arc::new(shown),
				before,
				quiet,
				text: text.into(),
			};
			let signals = tokio::spawn(act_on(Signals::new()?, terminal.clone()));
			let prompt = Self { terminal, signals };
			set_at_once(false);
			prompt.terminal.show()?;
			Ok(prompt)
		}
	}

	impl Drop for Prompt {
		fn drop(&mut self) {
			self.signals.abort();
			self.terminal.restore();
			set_at_once(true);
		}
	}

	/// The signals that a prompt acts on.
	struct Signals {
		/// `None` if this process was started to ignore that.
		hangup: Option<Signal>,
		interrupt: Signal,
		quit: Signal,
		terminate: Signal,
		suspend: Signal,
	}

	impl Signals {
		fn new() -> io::Result<Self> {
			Ok(Self {
				hangup: minds_hangup()
					.then(|| signal(SignalKind::hangup()))
					.transpose()?,
				interrupt: signal(SignalKind::interrupt())?,
				quit: signal(SignalKind::quit())?,
				terminate: signal(SignalKind::terminate())?,
				suspend: signal(SignalKind::from_raw(SIGTSTP))?,
			})
		}

		/// Waits for a signal, and returns its number.
		async fn next(&mut self) -> i32 {
			let hangup = async {
				match &mut self.hangup {
					Some(hangup) => hangup.recv().await,
					None => std::future::pending().await,
				}
			};
			tokio::select! {
				_ = hangup => SIGHUP,
				_ = self.interrupt.recv() => SIGINT,
				_ = self.quit.recv() => SIGQUIT,
				_ = self.terminate.recv() => SIGTERM,
				_ = self.suspend.recv() => SIGTSTP,
			}
		}
	}

	/// Ends or suspends the program on a signal, with the terminal as it was, and without what was typed. When the program is
	/// continued, the prompt is shown again.
	async fn act_on(mut signals: Signals, terminal: Terminal) {
		loop {
			let signal = signals.next().await;
			terminal.clear();
			// It returns after a suspension only.
			let _ = emulate_default_handler(signal);
			let _ = terminal.show();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_script_is_told_which_variable_is_wrong() {
		let hint = |set: &[&str]| {
			let set = set.iter().map(|name| (*name).to_owned());
			in_script(VARIABLE, set)
		};
		assert_eq!(hint(&[]), "in a script, set $ISTHMUS_PASSPHRASE");
		let others = ["PASS", "ISTHMUS_KEY", NEW_VARIABLE];
		assert_eq!(hint(&others), hint(&[]));
		assert!(
			hint(&["ISTHMUS_PASSWORD"]).ends_with("nothing reads $ISTHMUS_PASSWORD, which is set")
		);
		assert!(hint(&[VARIABLE]).starts_with("$ISTHMUS_PASSPHRASE is set, but empty"));
	}

	#[test]
	fn a_new_passphrase_is_long_and_not_blank() {
		for (passphrase, words) in [
			("", "too short"),
			("seven  ", "too short"),
			("        ", "only white space"),
			(" \t\u{a0}\u{3000}     ", "only white space"),
		] {
			let refused = check_new(passphrase).unwrap_err();
			assert!(refused.message().contains(words), "{passphrase:?}");
		}
		for passphrase in ["three plain words", "       x", "\u{e9}t\u{e9} 2026"] {
			check_new(passphrase).unwrap();
		}
	}

	#[test]
	fn a_byte_order_mark_is_no_part_of_a_passphrase() {
		for text in ["\u{feff}three plain words", "three plain words"] {
			assert_eq!(without_mark(text), "three plain words");
		}
	}

	#[test]
	fn a_line_in_utf16_is_said_to_be_one() {
		for text in [&b"\xff\xfea\0b\0\n\0"[..], b"a\0b\0\n\0", b"\0a\0b\0\n"] {
			let error = read_line(text, &mut String::new()).unwrap_err();
			assert!(error.to_string().contains("UTF-16"), "{error}");
		}
	}

	#[test]
	fn bytes_that_are_not_text_are_said_to_be_none() {
		let error = read_line(&[0xfe; 32][..], &mut String::new()).unwrap_err();
		let refused = failed_stdin(&error);
		assert_eq!(refused.message(), "stdin: it is not text in UTF-8");
		let hint = refused.shown_hint().unwrap();
		assert!(
			hint.contains("xxd -p -c 64 FILE | isthmus key import"),
			"{hint}"
		);
	}

	#[test]
	fn a_secret_is_a_line_without_its_end() {
		for (line, secret) in [
			("//Alice\n", "//Alice"),
			("//Alice\r\n", "//Alice"),
			("\u{feff}//Alice\r\n", "//Alice"),
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
