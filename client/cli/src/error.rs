// SPDX-License-Identifier: Apache-2.0
//! Why a command failed: a message, possibly a hint, and the program's exit code.

mod files;
mod refusal;
mod sdk;

use crate::{
	stderr::{print, tell},
	text::{visible_json, Called, Key},
	tip::{filled, Tip},
};
use isthmus_sdk::envelope::paths::ShowPath;
pub(crate) use isthmus_sdk::io_words as os;
use isthmus_sdk::{envelope::on_disk::is_deleted, key_name, Cost, Listing, RecordKey};
use serde::Serialize;
use std::{
	borrow::Cow,
	collections::BTreeSet,
	fmt,
	io::{self, ErrorKind},
	path::Path,
	process::ExitCode,
};

/// Why a command failed. The message explains what is wrong, and the hint what to do about it. Every error
/// of the underlying libraries is converted to this type.
#[derive(Debug)]
pub(crate) struct Error {
	kind: Kind,
	message: String,
	/// All that the message is about.
	listed: Vec<String>,
	/// Whether the message names what is listed. Otherwise the text lists it, one a line.
	names_all: bool,
	hints: Vec<Hint>,
	/// What it would cost, if this is only the end of a dry run.
	cost: Option<Box<Cost>>,
	/// Whether what was asked of the chain surely had no effect, and will have none.
	no_effect: bool,
	/// Whether it names a file of the program's own, so that it is about no other one.
	names_own_file: bool,
}

/// What the user can do about an error, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hint {
	Words(Cow<'static, str>),
	/// Words with what is known in them: what looks like a placeholder is a part of that.
	Known(String),
	/// To remove a record.
	Remove {
		/// What to do, up to the command.
		before: &'static str,
		/// The record, if the error names it.
		record: Option<RecordKey>,
		/// What to do after that.
		after: &'static str,
	},
}

impl fmt::Display for Hint {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Words(words) => f.write_str(words),
			Self::Known(words) => f.write_str(words),
			Self::Remove {
				before,
				record,
				after,
			} => {
				let name = record.map(|key| key_name(&key));
				let remove = Tip::new("isthmus remove").operand(name.as_deref().unwrap_or("NAME"));
				write!(f, "{before}{remove}{after}")
			}
		}
	}
}

impl Hint {
	/// Returns the hint to remove a record.
	fn remove(before: &'static str, record: Option<RecordKey>) -> Self {
		Self::Remove {
			before,
			record,
			after: "",
		}
	}
}

/// The kind of a failure, which is the program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
	/// Anything else, for example a file that cannot be written.
	Failed = 1,
	/// The command line is wrong. `clap` uses the same code.
	Usage = 2,
	/// No node answers at the address, or the connection was lost.
	Unreachable = 3,
	/// The chain or the node refused, or would refuse; or the chain does not have what was named.
	Refused = 4,
	/// Data, a key or a passphrase is wrong.
	NotAuthentic = 5,
}

/// The exit codes, as `--help` explains them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed on this machine, for example because a file cannot be read or written
  2  incorrect usage
  3  no node answers, or the connection was lost
  4  the chain or the node refused, or what you named does not exist on the chain
  5  the data, the keys or the passphrase are wrong";

impl Error {
	/// Makes an error without a hint.
	pub(crate) fn new(kind: Kind, message: impl fmt::Display) -> Self {
		Self {
			kind,
			message: os(&message),
			listed: Vec::new(),
			names_all: false,
			hints: Vec::new(),
			cost: None,
			no_effect: false,
			names_own_file: false,
		}
	}

	/// Makes an error of [`Kind::Failed`].
	pub(crate) fn failed(message: impl fmt::Display) -> Self {
		Self::new(Kind::Failed, message)
	}

	/// Makes an error of [`Kind::Usage`].
	pub(crate) fn usage(message: impl fmt::Display) -> Self {
		Self::new(Kind::Usage, message)
	}

	/// Makes an error of a file or a folder that cannot be read or written.
	pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
		let failed = Self::failed(format!("{}: {}", path.shown(), os(error)));
		let missing = missing_hint(path).filter(|_| error.kind() == ErrorKind::NotFound);
		let too_long = || is_too_long(path, error).then_some(TOO_LONG);
		match missing.or_else(|| disk_hint(error)).or_else(too_long) {
			Some(hint) => failed.hint(hint),
			None => failed,
		}
	}

	/// Makes the error of a folder that was deleted, and is there only for the programs that are in it.
	pub(crate) fn deleted(folder: &Path) -> Self {
		let folder = folder.shown();
		Self::failed(format!("{folder} is a folder that was deleted")).hint(DELETED)
	}

	/// Makes an error of [`Kind::Refused`].
	pub(crate) fn refused(message: impl fmt::Display) -> Self {
		Self::new(Kind::Refused, message)
	}

	/// Returns what is wrong in one line, with the first things that it is about, and without what to do about it.
	pub(crate) fn message(&self) -> Cow<'_, str> {
		let listed: &[String] = match self.names_all {
			true => &[],
			false => &self.listed[..],
		};
		let first = listed.iter().take(MOST_NAMED).cloned();
		let first = first.collect::<Vec<_>>().join(", ");
		match listed.len() {
			0 => Cow::Borrowed(&self.message),
			count if count > MOST_NAMED => {
				let more = count - MOST_NAMED;
				Cow::Owned(format!("{}: {first} and {more} more", self.message))
			}
			_ => Cow::Owned(format!("{}: {first}", self.message)),
		}
	}

	/// Lists what the message is about, one a line.
	pub(crate) fn listing(mut self, lines: Vec<String>) -> Self {
		self.listed = lines;
		self
	}

	/// Lists all that an error of the SDK lists. Its message names a few; many are one a line in place of that.
	fn listing_all(mut self, listing: Option<Listing>) -> Self {
		if let Some(Listing { words, items }) = listing {
			self.names_all = items.len() <= MOST_NAMED;
			if !self.names_all {
				self.message = os(&words);
			}
			self.listed = items;
		}
		self
	}

	/// Adds a hint: what the user can do about the error.
	pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
		self.hints = vec![Hint::Words(hint.to_string().into())];
		self
	}

	/// Adds to the hint.
	pub(crate) fn also(mut self, more: impl fmt::Display) -> Self {
		self.hints.push(Hint::Words(more.to_string().into()));
		self
	}

	/// Adds to the hint words that have no placeholders.
	pub(crate) fn also_known(mut self, more: impl fmt::Display) -> Self {
		self.hints.push(Hint::Known(more.to_string()));
		self
	}

	/// Writes what is known in place of the placeholders of the hints, such as OWNER. All that is known of a hint is written
	/// at once: a path, or a name, that has such a word in it stays as it is.
	pub(crate) fn knowing(mut self, known: &[(&str, String)]) -> Self {
		for hint in &mut self.hints {
			let Hint::Words(words) = hint else { continue };
			let text = filled(words, known);
			if text != *words {
				*hint = Hint::Known(text);
			}
		}
		self
	}

	/// Names the record in a hint that names none, and calls the record with this key what the user calls it.
	pub(crate) fn naming(mut self, key: RecordKey, called: Called) -> Self {
		let Key(name) = called.shown();
		for hint in &mut self.hints {
			if let Hint::Remove { record, .. } = hint {
				let named = record.get_or_insert(name);
				if *named == key {
					*named = name;
				}
			}
		}
		self.message = called.in_text(&self.message, &key);
		self
	}

	/// Says that no record has the name that was given, instead of the key that it stands for. Of another owner's records, a
	/// reader knows the public names, and those that its grants open.
	pub(crate) fn of_name(mut self, is_owner: bool) -> Self {
		self.message = match is_owner {
			true => "the owner has no record with this name",
			false => "none of the owner's records that you may read has this name, and it is no public one",
		}
		.into();
		self
	}

	/// Returns whether the hint says what to remove.
	pub(crate) fn says_remove(&self) -> bool {
		let is_remove = |hint: &Hint| matches!(hint, Hint::Remove { .. });
		self.hints.iter().any(is_remove)
	}

	/// Returns the hint as it is shown; `None` if there is none. What several hints advise, also as one of several ways, is
	/// said once.
	pub(crate) fn shown_hint(&self) -> Option<String> {
		let (mut said, mut shown) = (BTreeSet::new(), Vec::new());
		for hint in &self.hints {
			let text = hint.to_string();
			let ways: Vec<&str> = match hint {
				Hint::Words(_) => text.split(OR).collect(),
				// A name in it may have any words.
				Hint::Known(_) | Hint::Remove { .. } => vec![text.as_str()],
			};
			let new = ways
				.into_iter()
				.filter(|way| said.insert((*way).to_owned()));
			let new = new.collect::<Vec<_>>().join(OR);
			if !new.is_empty() {
				shown.push(new);
			}
		}
		(!shown.is_empty()).then(|| shown.join("; "))
	}

	/// Names the file that an error is about, if it is one of this machine's and does not name it yet.
	pub(crate) fn about(mut self, path: &Path) -> Self {
		let path = path.shown().to_string();
		let may_be_about = self.kind == Kind::Failed && !self.names_own_file;
		if may_be_about && !self.message.contains(&path) {
			self.message = format!("{path}: {}", self.message);
		}
		self
	}

	/// Returns what the command would cost, if this is the end of a dry run, in which all else went well.
	pub(crate) fn cost(&self) -> Option<Cost> {
		self.cost.as_deref().copied()
	}

	/// Returns whether what was asked of the chain surely had no effect, and will have none. If this is not known, the
	/// transaction may still be included.
	pub(crate) fn has_no_effect(&self) -> bool {
		self.no_effect
	}

	/// Returns the kind.
	pub(crate) fn kind(&self) -> Kind {
		self.kind
	}

	/// Prints the error to stderr as text, and returns the program's exit code.
	pub(crate) fn report(&self) -> ExitCode {
		for line in self.lines() {
			tell(line);
		}
		self.exit_code()
	}

	/// Returns the lines of the text.
	fn lines(&self) -> Vec<String> {
		let mut lines = vec![format!("error: {}", self.message)];
		let listed: &[String] = match self.names_all {
			true => &[],
			false => &self.listed[..],
		};
		let shown = listed.iter().take(MOST_LISTED);
		lines.extend(shown.map(|line| format!("  {line}")));
		let more = listed.len().saturating_sub(MOST_LISTED);
		if more > 0 {
			lines.push(format!("  and {more} more"));
		}
		lines.extend(self.shown_hint().map(|hint| format!("hint: {hint}")));
		lines
	}

	/// Prints the error to stderr as one line of JSON, and returns the program's exit code.
	pub(crate) fn report_json(&self) -> ExitCode {
		#[derive(Serialize)]
		struct Line<'a> {
			code: u8,
			error: &'a str,
			#[serde(skip_serializing_if = "<[_]>::is_empty")]
			listed: &'a [String],
			hint: Option<String>,
		}
		let line = Line {
			code: self.kind as u8,
			error: &self.message,
			listed: &self.listed,
			hint: self.shown_hint(),
		};
		match serde_json::to_string(&line) {
			Ok(line) => print(&visible_json(&line)),
			Err(error) => tell(format!("error: {error}")),
		}
		self.exit_code()
	}

	fn exit_code(&self) -> ExitCode {
		ExitCode::from(self.kind as u8)
	}
}

impl From<&clap::Error> for Error {
	/// Converts an error in the arguments: its message is the first part of clap's text, and its hint the usage.
	fn from(error: &clap::Error) -> Self {
		let text = error.to_string();
		let text = text.strip_prefix("error: ").unwrap_or(&text);
		let text = text
			.split("\n\nFor more information")
			.next()
			.unwrap_or(text);
		let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
		// Its text is the whole help.
		if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
			let usage = text.split_once("Usage: ").map_or(text, |(_, rest)| rest);
			let usage = usage.lines().next().unwrap_or_default();
			return Self::usage("a subcommand is missing").hint(format!("usage: {usage}"));
		}
		match text.split_once("\n\nUsage: ") {
			Some((message, usage)) => {
				let usage = in_one_line(usage).replace(" isthmus ", ", or isthmus ");
				Self::usage(in_one_line(message)).hint(format!("usage: {usage}"))
			}
			None => Self::usage(in_one_line(text)),
		}
	}
}

/// Returns a hint for a path that leads to nothing: one with a `~` that no shell has replaced, which they do only at the beginning
/// of a word without quotes, and service managers and files of variables not at all; one from a current folder that was
/// deleted; and a link.
pub(crate) fn missing_hint(path: &Path) -> Option<&'static str> {
	if path.starts_with("~") {
		return Some(
			"~ is the name of a folder here, because no shell has replaced it: write the whole path",
		);
	}
	let is_gone = path.is_relative() && is_deleted(Path::new("."));
	is_gone.then_some(DELETED).or_else(|| link_hint(path))
}

/// Returns a hint for a link that is there, although what it leads to is not.
fn link_hint(path: &Path) -> Option<&'static str> {
	let there = std::fs::symlink_metadata(path);
	there
		.is_ok_and(|there| there.is_symlink())
		.then_some("it is a link, and nothing is where it leads")
}

/// Returns a hint for a disk that does not take what is written to it.
fn disk_hint(error: &io::Error) -> Option<&'static str> {
	match error.kind() {
		ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(FULL),
		ErrorKind::FileTooLarge => Some(TOO_LARGE),
		_ => None,
	}
}

/// Returns whether the system does not take a path because all of it is too long, although each name in it is short enough. It
/// may be that of a part beside the file, whose name is longer.
pub(crate) fn is_too_long(path: &Path, error: &io::Error) -> bool {
	let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
	error.kind() == ErrorKind::InvalidFilename
		&& whole.as_os_str().len() + LONGEST_NAME >= LONGEST_PATH
		&& whole.iter().all(|name| name.len() <= LONGEST_NAME)
}

/// How long a path may be, in bytes, with a zero at its end.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") {
	4096
} else {
	1024
};

/// How long a name may be in the usual file systems, in bytes.
const LONGEST_NAME: usize = 255;

/// The hint for a path that is too long.
const TOO_LONG: &str =
	"from the root on, the path is longer than the system takes: use a folder with a shorter path";

/// How many of the lines that an error lists are shown as text. In JSON all of them are.
const MOST_LISTED: usize = 20;

/// How many of what an error lists its message names.
const MOST_NAMED: usize = 4;

/// What is between the ways that a hint names.
const OR: &str = ", or ";

/// The hint for a file that may not become longer.
const TOO_LARGE: &str =
	"the file system there, or the limit ulimit -f, allows no longer file: choose another file system, or raise the limit";

/// The hint for a current folder that was deleted.
const DELETED: &str =
	"the current folder was deleted: go to one that exists with cd, also if there is a new one of its name";

/// The hint for a full disk.
const FULL: &str = "free some space, and run the same command again";

#[cfg(test)]
mod tests;
