// SPDX-License-Identifier: Apache-2.0
//! Why a command failed: a message, possibly a hint, and the program's exit code.

use crate::{
	stderr::{print, tell},
	text::{operand, visible_json, Called, Key},
};
pub(crate) use isthmus_sdk::io_words as os;
use isthmus_sdk::{
	envelope::{ErasableError, TreeError},
	folder::FolderError,
	key_name,
	objects::UploadError as SendError,
	trust::FinalityError,
	Cost, CostError, Error as SdkError, FetchError, LeavesError, PalletError, QueryRefusal,
	RecordKey, Rejection, Unproven, UploadError, UploadFolderError,
};
use serde::Serialize;
use std::{
	borrow::Cow,
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
	/// What the message is about, one a line.
	listed: Vec<String>,
	hints: Vec<Hint>,
	/// What it would cost, if this is only the end of a dry run.
	cost: Option<Box<Cost>>,
	/// Whether what was asked of the chain surely had no effect, and will have none.
	no_effect: bool,
}

/// What the user can do about an error, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hint {
	Words(Cow<'static, str>),
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
			Self::Remove {
				before,
				record,
				after,
			} => {
				let name = record.map(|key| operand(&key_name(&key)));
				let name = name.as_deref().unwrap_or("NAME");
				write!(f, "{before}isthmus remove {name}{after}")
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
			hints: Vec::new(),
			cost: None,
			no_effect: false,
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
		let failed = Self::failed(format!("{}: {}", path.display(), os(error)));
		match disk_hint(error) {
			Some(hint) => failed.hint(hint),
			None => failed,
		}
	}

	/// Makes an error of [`Kind::Refused`].
	pub(crate) fn refused(message: impl fmt::Display) -> Self {
		Self::new(Kind::Refused, message)
	}

	/// Returns what is wrong, without what to do about it.
	pub(crate) fn message(&self) -> &str {
		&self.message
	}

	/// Lists what the message is about, one a line.
	pub(crate) fn listing(mut self, lines: Vec<String>) -> Self {
		self.listed = lines;
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

	/// Says of an error of the connection how much arrived before, if anything did.
	pub(crate) fn interrupted(self, arrived: Option<String>) -> Self {
		match arrived {
			Some(arrived) if self.kind == Kind::Unreachable => self.also(format!(
				"{arrived} arrived, and the same command goes on from there"
			)),
			_ => self,
		}
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

	/// Returns whether the hint says what to remove.
	pub(crate) fn says_remove(&self) -> bool {
		let is_remove = |hint: &Hint| matches!(hint, Hint::Remove { .. });
		self.hints.iter().any(is_remove)
	}

	/// Returns the hint as it is shown; `None` if there is none.
	fn shown_hint(&self) -> Option<String> {
		let hints = self.hints.iter().map(Hint::to_string);
		(!self.hints.is_empty()).then(|| hints.collect::<Vec<_>>().join("; "))
	}

	/// Names the file that an error is about, if it is one of this machine's and does not name it yet.
	pub(crate) fn about(mut self, path: &Path) -> Self {
		let path = path.display().to_string();
		if self.kind == Kind::Failed && !self.message.contains(&path) {
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
		lines.extend(self.listed.iter().map(|line| format!("  {line}")));
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

impl From<SdkError> for Error {
	fn from(error: SdkError) -> Self {
		let (kind, words) = match &error {
			SdkError::Unproven(unproven) => unproven_hint(unproven),
			error => classify(error),
		};
		let hint = words.map(|words| Hint::Words(words.into()));
		let hint = hint.or_else(|| naming_hint(&error));
		let message = match &error {
			// `isthmus store` compares a value with the stored one, so the two differ.
			SdkError::Upload(UploadError::AlreadyStored(_)) => {
				format!("{error}, with different content")
			}
			error => error.to_string(),
		};
		let cost = match &error {
			SdkError::Cost(CostError::NotSent(cost)) => Some(Box::new(*cost)),
			_ => None,
		};
		Self {
			hints: hint.into_iter().collect(),
			cost,
			no_effect: has_no_effect(&error),
			..Self::new(kind, message)
		}
	}
}

impl From<UploadFolderError> for Error {
	fn from(error: UploadFolderError) -> Self {
		match error {
			UploadFolderError::Client(error) => error.into(),
			UploadFolderError::Io { path, source } => Self::file(&path, &source),
			UploadFolderError::Changed { key, .. } => Self {
				hints: vec![Hint::remove(OTHER_FOLDER, Some(key))],
				..Self::failed(error)
			},
			UploadFolderError::ChangedWhileRead(_) => Self::failed(error).hint(STEADY),
			UploadFolderError::NotAFolder(_) => {
				Self::failed(error).hint("one file, or a stream, is stored with `isthmus store`")
			}
			UploadFolderError::NotPacked { key } => Self {
				hints: vec![Hint::remove(OTHER_NAME, Some(key))],
				..Self::refused(error)
			},
			UploadFolderError::Differs { .. } => {
				Self::refused(error).hint("store what has changed: isthmus sync FOLDER")
			}
			UploadFolderError::Emptied => {
				Self::failed(error).hint("if all of them are to go, pass --allow-empty")
			}
			UploadFolderError::OtherDataset { dataset } => {
				Self::refused(error).hint(format!("name it: --dataset {dataset}"))
			}
			error => Self::failed(error),
		}
	}
}

impl From<FetchError> for Error {
	fn from(error: FetchError) -> Self {
		match error {
			FetchError::Client(error) => error.into(),
			FetchError::File { path, source } => {
				let mut error = Self::from(source);
				error.message = format!("{path}: {}", error.message);
				error
			}
			FetchError::Io { path, source } => Self::file(&path, &source),
			FetchError::Exists(_) => Self::failed(error)
				.hint("choose another --output, or replace the file with --force"),
			FetchError::Differs(_) => Self::failed(error)
				.hint("choose another --output, or replace such files with --force"),
			FetchError::NotAFile(_) | FetchError::NotAFolder(_) => {
				Self::failed(error).hint("choose another --output")
			}
			FetchError::Foreign(_) => {
				Self::failed(error).hint("remove it, or choose another --output")
			}
			FetchError::List(FolderError::NotAFolder) => {
				Self::usage(error).hint("fetch it to a file, without --folder and --file")
			}
			FetchError::IsAFolder(_) => Self::usage(error)
				.hint("name one of its files, as --file FOLDER/FILE, or fetch all files with --folder"),
			FetchError::ListTooLong => Self::new(Kind::NotAuthentic, error).hint(
				"a record of this length is not a folder: fetch it to a file, without --folder and --file",
			),
			FetchError::List(_) => Self::new(Kind::NotAuthentic, error)
				.hint("fetch the record's bytes as they are with --raw"),
			FetchError::TooManyCopies { .. } => Self::failed(error)
				.hint("if you trust its owner, choose an --output on a disk with more space, or fetch single files with --file PATH"),
			FetchError::NoSuchFile(_) => Self::usage(error)
				.hint("list its files: isthmus list files NAME --owner OWNER"),
			FetchError::WrongLength(_) | FetchError::NotListed(_) => {
				Self::new(Kind::NotAuthentic, error)
			}
			error => Self::failed(error),
		}
	}
}

/// Returns whether an error says that the transaction was refused, or not sent at all.
fn has_no_effect(error: &SdkError) -> bool {
	match error {
		SdkError::Refused(_) | SdkError::Cost(_) | SdkError::InsufficientFunds { .. } => true,
		error => matches!(error.rejection(), Some(Rejection::CannotPay)),
	}
}

/// Returns a hint for a disk that does not take what is written to it.
fn disk_hint(error: &io::Error) -> Option<&'static str> {
	match error.kind() {
		ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(FULL),
		_ => None,
	}
}

/// The hint for a full disk.
const FULL: &str = "free some space, and run the same command again";

/// The hint for a record that exists with other content.
const OTHER_NAME: &str = "store it under another --name, or remove the record first: ";

/// The same for a file of a folder.
const OTHER_FOLDER: &str =
	"store the folder under another --name, or remove the file's record first: ";

/// The hint for a value that is not the one whose upload began.
const OTHER_VALUE: &str = "store it under another --name, or remove the unfinished record: ";

/// The hint for an object that is not the one whose upload began.
const OTHER_UPLOAD: &str = "store it under another --name: this one's unfinished upload goes on only with what it began with";

/// The hint for a file that changes while it is read.
const WHOLE_HISTORY: &str = "start later with --from BLOCK, or ask a node that keeps all block bodies, as nodes do without --blocks-pruning";

const OLD_STATES: &str = "this node keeps only the states of recent blocks: use one that runs with --state-pruning archive";

const FALSE_NODE: &str = "this node is faulty or lies: ask another one";

const STEADY: &str = "run the same command again when nothing writes to it, or store a copy of it";

/// Returns the kind of an error about what a node does not prove, and a hint.
fn unproven_hint(error: &Unproven) -> (Kind, Option<&'static str>) {
	let hint = match error {
		Unproven::NotLocal => return (Kind::Usage, Some("leave --trust-node out")),
		Unproven::WrongGenesis { .. } => "ask a node of the right chain. If the chain was started again on purpose, name it: --genesis HASH",
		Unproven::TwoChains(_) => "give only addresses of one chain, or name the right one: --genesis HASH",
		Unproven::Finality(FinalityError::Rollback { .. }) => "the node lies, or has not caught up with its chain yet: ask another one: --url ws://HOST:PORT",
		Unproven::UnknownStorage { .. } => "install the program's release for this chain",
		_ => "the node lies or is damaged: ask another one: --url ws://HOST:PORT",
	};
	(Kind::NotAuthentic, Some(hint))
}

/// Returns the hint for an error that names something, such as the record to remove.
fn naming_hint(error: &SdkError) -> Option<Hint> {
	use UploadError::*;
	Some(match error {
		SdkError::Upload(AlreadyStored(key)) => Hint::remove(OTHER_NAME, Some(*key)),
		SdkError::Upload(ValueChanged { .. } | LengthChanged { .. }) => {
			Hint::remove(OTHER_VALUE, None)
		}
		SdkError::Upload(EpochOver { key, .. }) => Hint::Remove {
			before: "",
			record: Some(*key),
			after: ", and then the same command again",
		},
		SdkError::Refused(refusal) if refusal.error == PalletError::KeyTaken => {
			Hint::remove(OTHER_NAME, None)
		}
		SdkError::NoFreeLeaf { dataset, .. } => {
			Hint::Words(format!("isthmus dataset epoch {dataset}").into())
		}
		SdkError::NoSuchDataset { owner, .. } => {
			let list = "list the datasets: isthmus list datasets --owner";
			Hint::Words(format!("{list} {owner}").into())
		}
		_ => return None,
	})
}

/// Returns the kind of an error about a value that cannot be stored, and a hint if one helps.
fn upload_hint(error: &UploadError) -> (Kind, Option<&'static str>) {
	match error {
		UploadError::ChangedWhileRead { .. } => (Kind::Failed, Some(STEADY)),
		UploadError::ValueChanged { .. } | UploadError::LengthChanged { .. } => {
			(Kind::Failed, None)
		}
		UploadError::TooLong { .. } => (
			Kind::Refused,
			Some("split it, and store the parts as a folder"),
		),
		UploadError::LeafTaken(_) => (Kind::Refused, Some(NEXT_LEAF)),
		UploadError::NotCurrentEpoch { .. } => (
			Kind::Refused,
			Some("run the same command again to store in the current epoch"),
		),
		UploadError::Overtaken => (Kind::Refused, Some(SHARED)),
		UploadError::PlaceGone => (Kind::Refused, Some("run the same command again")),
		_ => (Kind::Refused, None),
	}
}

/// Returns a hint for an object that was not sent.
fn send_hint(error: &SendError) -> Option<&'static str> {
	match error {
		SendError::Store { failure, .. } => failure.is_passing().then_some(RESUME),
		SendError::Journal { source, .. } => disk_hint(source),
		SendError::NotAsLong { .. } => Some(STEADY),
		SendError::Changed { .. }
		| SendError::LengthChanged { .. }
		| SendError::Elsewhere { .. } => Some(OTHER_UPLOAD),
		_ => None,
	}
}

/// Returns the kind of an error, and a hint if one helps.
fn classify(error: &SdkError) -> (Kind, Option<&'static str>) {
	use SdkError::*;
	match error {
		Unreachable { .. } => (
			Kind::Unreachable,
			Some("start a node with `isthmus-node --dev`, or give the address of one: --url ws://HOST:PORT"),
		),
		Gone { .. } => (Kind::Unreachable, Some(WENT_AWAY)),
		Rejected { status: 403, .. } => (
			Kind::Unreachable,
			Some("a node on the loopback interface answers only at its own address and port: forward a port of the same number, or start the node with --rpc-cors all"),
		),
		Rejected { .. } => (Kind::Unreachable, None),
		Connection(_) => (Kind::Unreachable, Some(RESUME)),
		Sending(error) => (Kind::Failed, send_hint(error)),
		Unconfirmed { .. } => (Kind::Unreachable, Some(LOOK)),
		NotIncluded(_) | Behind { .. } => (Kind::Refused, Some(LOOK)),
		NotFinal { .. } => (
			Kind::Refused,
			Some("do not run it again, but wait until its block is finalized: isthmus status"),
		),
		Refused(refusal) => (Kind::Refused, refusal_hint(&refusal.error)),
		NotAccepted(_) => (
			Kind::Refused,
			match error.rejection() {
				Some(Rejection::CannotPay) => Some("the account cannot pay the fee: isthmus balance"),
				Some(Rejection::PoolFull) => Some("the node is busy: run the same command again later"),
				Some(Rejection::NonceTaken) => Some(SHARED),
				Some(Rejection::Overtaken) => Some("the dataset has a new epoch, or was removed: isthmus dataset list"),
				_ => None,
			},
		),
		InsufficientFunds { .. } => (
			Kind::Refused,
			Some("check the account's funds: isthmus balance"),
		),
		OnlyWhenFinal(_) => (
			Kind::Refused,
			Some("leave --confirmations out; or reject it, and grant what is left: isthmus authorize --to READER --leaves FROM..TO"),
		),
		RequestGone(_) => (Kind::Refused, Some("list the open requests: isthmus requests")),
		TooLate { .. } => (
			Kind::Refused,
			Some("a late answer would publish its keys without being paid: the reader can make a new request, or you can grant access without one: isthmus authorize --to READER --leaves FROM..TO"),
		),
		Query(refusal) => (Kind::Refused, query_hint(refusal)),
		StateGone(_) => (Kind::Refused, Some(OLD_STATES)),
		HistoryGone { .. } => (Kind::Refused, Some(WHOLE_HISTORY)),
		NotIndexed { .. } => (Kind::Refused, Some("try again later, or ask another node: --url")),
		NotProven { .. } => (Kind::Failed, Some(FALSE_NODE)),
		Receipt(_) => (Kind::NotAuthentic, Some(FALSE_NODE)),
		Upload(error) => upload_hint(error),
		Cost(CostError::NotEnoughFunds { .. }) => (Kind::Refused, Some(FUNDS)),
		Cost(_) => (Kind::Refused, Some("raise --max-cost, or see what it costs with --dry-run")),
		Rpc { .. } | NoSuchBlock(_) => (Kind::Refused, None),
		error if is_refusal(error) => (Kind::Refused, None),
		Io(error) => (Kind::Failed, disk_hint(error)),
		WrongContent(_) => (Kind::NotAuthentic, Some("use another node: --url")),
		NoEncryptionKey(_) => (Kind::Refused, Some("the reader has to publish one first: isthmus key publish")),
		NotPostQuantum => (Kind::Refused, Some(NEW_KEY)),
		OtherSecret { .. } => (Kind::NotAuthentic, Some(OTHER_SEED)),
		NotController { .. } => (Kind::Refused, Some("who took it over acts with --for OWNER")),
		DatasetIsOffered { .. } => (Kind::Refused, Some(WITHDRAW)),
		NoSuchGrant { .. } => (Kind::Refused, Some("list the grants: isthmus list given")),
		NotGiven { .. } | NothingToDispute(_) => (Kind::Refused, Some("list your grants: isthmus list received")),
		NothingWrong { left_out, .. } if !left_out.is_empty() => {
			(Kind::Refused, Some("ask a node that keeps old blocks about the others: --url"))
		}
		NothingWrong { .. } => (Kind::Refused, Some("name another record with --leaf, if one is still to come")),
		Name(_) | InvalidSecret | InvalidAccount | InvalidDevelopmentAccount => (Kind::Usage, None),
		Leaves(error) => leaves_hint(error),
		Card(_) => (Kind::Refused, None),
		PartlyErased(_) | Range(TreeError::Erased { .. }) => (Kind::Refused, None),
		Erasable(error) => erasable_hint(error),
		Malformed { .. } | Record(_) | Grant(_) | Range(_) | Key(_) => (Kind::NotAuthentic, None),
		_ => (Kind::Failed, None),
	}
}

/// Returns the kind of an error about leaves that are asked for by names, and a hint if one helps.
fn leaves_hint(error: &LeavesError) -> (Kind, Option<&'static str>) {
	use LeavesError::*;
	match error {
		Backwards { .. } | NumberOrName { .. } => (Kind::Usage, None),
		OtherEpoch { .. } | NoEpoch { .. } => {
			(Kind::Refused, Some("name the epoch: --epoch NUMBER"))
		}
		OthersBetween { .. } | ManyBetween { .. } => (
			Kind::Refused,
			Some("to mean all between them: --all-between"),
		),
		_ => (Kind::Refused, None),
	}
}

fn query_hint(refusal: &QueryRefusal) -> Option<&'static str> {
	use QueryRefusal::*;
	match refusal {
		NotAuthorised | OutOfRange | Expired | Revoked => {
			Some("see your grants: isthmus list received")
		}
		Suspended => Some("see its condition, and try again when it is met: isthmus list received"),
		Embargoed => Some("see its condition: isthmus list embargoes --owner OWNER"),
		Incomplete => {
			Some("the owner has to finish the upload, with the same isthmus store as before")
		}
		UnknownRecord => None,
	}
}

fn erasable_hint(error: &ErasableError) -> (Kind, Option<&'static str>) {
	use ErasableError::*;
	match error {
		DoesNotOpen { .. } | Missing { .. } => (
			Kind::NotAuthentic,
			Some("bring back the newest copy of this file; the 24 words do not bring its keys back"),
		),
		NotErasable { .. } => (
			Kind::Refused,
			Some("remove it without --erase. For what is stored from now on: isthmus dataset epoch DATASET --erasable"),
		),
		NoFile => (Kind::Refused, Some("use a key file: isthmus key generate")),
		Io { error, .. } => (Kind::Failed, disk_hint(error)),
		_ => (Kind::Failed, None),
	}
}

/// Returns whether an error refuses something by what is on the chain, in a sentence that says all.
fn is_refusal(error: &SdkError) -> bool {
	use SdkError::*;
	matches!(
		error,
		NoFreeLeaf { .. }
			| NoSuchDataset { .. }
			| NoDataset(_)
			| SeveralDatasets(_)
			| NoSuchRequest { .. }
			| AlreadyAsked(_)
			| NoLocation(_)
			| NotWritable { .. }
	)
}

/// The hint if the records of an epoch were stored with another seed.
const OTHER_SEED: &str = "the same account is in another key file, with another seed: use that file, or bring it back from its 24 words (isthmus key restore). isthmus key verify checks a file. The keys of erasable epochs are in a file beside it, with .erasable after its name";
/// The hint if a key is not a post-quantum one.
const NEW_KEY: &str =
	"the reader has to publish a new key: isthmus key rotate; or leave out --pq-only";
/// The hint if the node that answered before does not any more.
const WENT_AWAY: &str = "the node went away: start it again, or give the address of another node of the same chain (--url ws://HOST:PORT), and run the same command again";
/// The hint if the chain does not take the time of an observation.
const CLOCK: &str = "the time is --observed, or that of this machine's clock, which may be wrong: compare `date -u` with a clock that is right";
/// The hint after a connection was lost.
const RESUME: &str = "run the same command again to resume";
/// The hint if a transaction was sent and may still be included.
const LOOK: &str = "the transaction may still be included: check whether it took effect, for example with `isthmus balance`, before you run this again (`isthmus store` can always be run again)";
/// The hint if another program uses the same account.
const SHARED: &str = "another program seems to use the same account: run the same command again";
/// The hint if a leaf is taken.
const NEXT_LEAF: &str = "omit --leaf to use the next free leaf";
/// The hint if a dataset is offered to another account.
const WITHDRAW: &str = "withdraw the offer first: isthmus dataset transfer NUMBER --withdraw";
/// The hint if an account lacks funds.
const FUNDS: &str = "check the account's funds: isthmus balance";

/// Returns a hint for a call that the chain refused.
fn refusal_hint(error: &PalletError) -> Option<&'static str> {
	use PalletError::*;
	Some(match error {
		NotController => "the dataset was handed over: `isthmus list datasets --owner OWNER` shows to whom; if that is you, pass --for OWNER",
		NotOffered => "the dataset's controller must offer it first: isthmus dataset transfer NUMBER --to ACCOUNT",
		DatasetIsOffered => WITHDRAW,
		HoldsMore => "run the command again to take over what is held now",
		NotRegistered => "register first: isthmus register --kind school NAME",
		NoEncryptionKey => "publish your encryption key first: isthmus key publish",
		UnknownDataset => "list the datasets: isthmus list datasets",
		UnknownRequest => {
			"list the requests: isthmus requests, or isthmus requests --mine for your own"
		}
		UnknownGrant => "list the grants: isthmus list given",
		TermPaidFor => {
			"`isthmus list given` shows until which block the reader paid for a firm term; to close what you store from now on: isthmus dataset epoch NUMBER"
		}
		AlreadyRequested => "list your requests: isthmus requests --mine",
		TooManyGrants => {
			"the reader has too many grants and open requests on this epoch: give one up (isthmus renounce), cancel one (isthmus request --cancel), or revoke one (isthmus revoke)"
		}
		DatasetClosed => "the owner takes no more requests for it",
		TermTooShort => "ask for a longer --term, or without --offer",
		NothingToDispute => "a grant can be disputed for half of its term, for at least 24 blocks and at most a day",
		WrongSecret => "use the key file with which the request was made: --key",
		FirmNotOffered => "see the policy: isthmus list datasets --owner OWNER; or ask without --firm",
		GrantEnded => "list the grants: isthmus list given",
		LeafTaken => NEXT_LEAF,
		RecordPaidFor => {
			"`isthmus list given` shows the grants and until which block they are paid for; revoke one: isthmus revoke. If the one that covered the record has ended, count again: isthmus dataset recount. \
			 What was sold within a day may be disputed, and stays until then"
		}
		UnknownRecord => "list your records: isthmus list records",
		SelfRequest => "fetch your own records without a grant: isthmus fetch",
		NameTaken | NotOwner | UnknownSource => "list the sources: isthmus facts list",
		NameOfAnother => "choose another name",
		SourceIsClosed => "its owner can open it again: isthmus facts change SOURCE",
		NotReporter => "the source's owner can add the account: isthmus facts change SOURCE --reporters ACCOUNTS",
		ObservedInFuture | ObservedTooLongAgo | NotNewer => CLOCK,
		NoReport => "list the reports: isthmus facts list SOURCE",
		UnknownCredential => "list the account's credentials: isthmus facts credentials ACCOUNT",
		DatasetNameTaken => "list your datasets: isthmus dataset list",
		AlreadyRegistered => "to change the name, leave and register again: isthmus register --leave",
		ProducerHasDatasets => "remove them: isthmus dataset list, isthmus dataset remove NUMBER",
		DatasetInUse => "list what it still contains: isthmus dataset list",
		Other { pallet, .. } if pallet == "Token" || pallet == "Arithmetic" => FUNDS,
		Other { name, .. } if name == "InsufficientBalance" => FUNDS,
		_ => return None,
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{record_key, Refusal, H256};

	#[test]
	fn a_record_is_shown_by_its_name() {
		let key = record_key("marks.csv").unwrap();
		let error = Error::from(SdkError::from(UploadError::AlreadyStored(key)));
		assert_eq!(error.kind, Kind::Refused);
		assert!(error.message.starts_with("marks.csv "), "{}", error.message);
	}

	#[test]
	fn an_object_that_cannot_be_resumed_has_a_way_out() {
		let key = record_key("data.db").unwrap();
		let url = "file:///srv".to_owned();
		for error in [
			SendError::Changed { at: 0 },
			SendError::LengthChanged { expected: 7 },
			SendError::Elsewhere { url },
		] {
			let error = Error::from(SdkError::from(error)).naming(key, Called::Name(key));
			assert_eq!(error.shown_hint().as_deref(), Some(OTHER_UPLOAD));
		}
		let changed = SdkError::from(SendError::NotAsLong { expected: 7 });
		assert_eq!(Error::from(changed).shown_hint().as_deref(), Some(STEADY));
	}

	#[test]
	fn hints_name_what_the_user_named() {
		let key = record_key("my marks.csv").unwrap();
		let error = Error::from(SdkError::from(UploadError::AlreadyStored(key)))
			.naming(key, Called::Name(key));
		let hint = error.shown_hint().unwrap();
		assert!(hint.ends_with("isthmus remove 'my marks.csv'"), "{hint}");
		assert!(error.says_remove());
		let changed = UploadError::ChangedWhileRead { expected: 7 };
		let error = Error::from(SdkError::from(changed)).about(Path::new("a/b.csv"));
		assert!(
			error.message.starts_with("a/b.csv: the value"),
			"{}",
			error.message
		);
		assert!(!error.says_remove());
		let error = error.about(Path::new("a/b.csv")).also("more");
		assert_eq!(error.message.matches("a/b.csv").count(), 1);
		assert!(error.shown_hint().unwrap().ends_with("; more"));
		// Errors that do not name the record.
		let taken = Refusal {
			error: PalletError::KeyTaken,
			docs: String::new(),
		};
		for error in [
			SdkError::Refused(taken),
			UploadError::ValueChanged { chunk: 0 }.into(),
			UploadError::LengthChanged { expected: 7 }.into(),
		] {
			let error = Error::from(error);
			assert!(error.says_remove());
			let shown = |error: &Error| error.shown_hint().unwrap_or_default();
			assert!(shown(&error).ends_with("isthmus remove NAME"), "{error:?}");
			let named = error.naming(key, Called::Name(key));
			assert!(
				shown(&named).ends_with("isthmus remove 'my marks.csv'"),
				"{named:?}"
			);
		}
	}

	#[test]
	fn what_an_error_lists_is_on_lines_of_its_own() {
		let listed = vec!["0: a".to_owned(), "1: b".to_owned()];
		let error = Error::usage("block 7 has 2 events:")
			.listing(listed)
			.hint("choose one");
		let lines = [
			"error: block 7 has 2 events:",
			"  0: a",
			"  1: b",
			"hint: choose one",
		];
		assert_eq!(error.lines(), lines);
	}

	#[test]
	fn hints_name_the_dataset_and_its_owner() {
		let owner = isthmus_sdk::AccountId::from([1; 32]);
		let hint = |error| Error::from(error).shown_hint().unwrap();
		let (dataset, epoch) = (7, 0);
		let full = hint(SdkError::NoFreeLeaf { dataset, epoch });
		assert_eq!(full, "isthmus dataset epoch 7");
		let unknown = hint(SdkError::NoSuchDataset { owner, dataset });
		assert!(unknown.ends_with(&format!("--owner {owner}")), "{unknown}");
	}

	#[test]
	fn an_upload_in_an_ended_epoch_says_which_record_to_remove() {
		let key = record_key("marks.csv").unwrap();
		let (epoch, now) = (0, 1);
		let error = Error::from(SdkError::from(UploadError::EpochOver { key, epoch, now }));
		let hint = "isthmus remove marks.csv, and then the same command again";
		assert_eq!(error.shown_hint().as_deref(), Some(hint));
	}

	#[test]
	fn a_pruned_state_is_a_refusal_with_a_way_out() {
		let error = Error::from(SdkError::StateGone("discarded".into()));
		assert_eq!(error.kind, Kind::Refused);
		assert!(error
			.shown_hint()
			.is_some_and(|hint| hint.contains("--state-pruning archive")));
	}

	#[test]
	fn a_history_that_is_gone_or_false_has_a_way_out() {
		let gone = Error::from(SdkError::HistoryGone { since: 9 });
		assert_eq!(gone.kind, Kind::Refused);
		assert!(gone
			.shown_hint()
			.is_some_and(|hint| hint.contains("--from")));
		let (block, reason) = (9, "made up".into());
		let lie = Error::from(SdkError::NotProven { block, reason });
		assert_eq!(lie.kind, Kind::Failed);
		assert!(lie
			.shown_hint()
			.is_some_and(|hint| hint.contains("another")));
	}

	#[test]
	fn what_was_sent_is_not_to_be_sent_again_without_a_look() {
		let hash = H256::repeat_byte(7);
		for error in [
			SdkError::Unconfirmed { hash, last: 7 },
			SdkError::Behind { hash, last: 7 },
			SdkError::NotIncluded("dropped".into()),
			SdkError::NotFinal {
				hash,
				block: 7,
				reason: "timeout".into(),
			},
		] {
			let is_named = !matches!(error, SdkError::NotIncluded(_));
			let error = Error::from(error);
			// A wallet or an explorer finds it by its hash.
			assert_eq!(
				error.message.contains(&"07".repeat(32)),
				is_named,
				"{}",
				error.message
			);
			let hint = error.shown_hint().unwrap();
			assert!(!hint.contains("run the same command again"), "{hint}");
			assert!(hint.contains("isthmus "), "{hint}");
		}
	}

	#[test]
	fn what_does_not_exist_on_the_chain_has_one_exit_code() {
		let owner = isthmus_sdk::AccountId::from([1; 32]);
		let refused = |name| {
			SdkError::Refused(Refusal {
				error: PalletError::new("DataSharing", name),
				docs: String::new(),
			})
		};
		for error in [
			SdkError::NoSuchGrant { owner, grant: 1 },
			SdkError::NotGiven {
				reader: owner,
				grant: 1,
			},
			SdkError::NothingToDispute(1),
			SdkError::NoSuchDataset { owner, dataset: 1 },
			SdkError::NoEncryptionKey(owner),
			SdkError::Query(QueryRefusal::UnknownRecord),
			SdkError::NoSuchBlock(7),
			refused("UnknownGrant"),
			refused("UnknownRequest"),
			refused("UnknownRecord"),
			refused("NoEncryptionKey"),
		] {
			assert_eq!(Error::from(error).kind, Kind::Refused);
		}
	}

	#[test]
	fn a_node_that_went_away_is_no_node_that_was_never_there() {
		let (url, reason) = ("ws://a".to_owned(), "refused".to_owned());
		let gone = || {
			let (url, reason) = (url.clone(), reason.clone());
			Error::from(SdkError::Gone { url, reason })
		};
		assert_eq!(gone().kind, Kind::Unreachable);
		let arrived = Some("2 of 5 files".to_owned());
		let hint = gone().interrupted(arrived.clone()).shown_hint().unwrap();
		assert!(!hint.contains("isthmus-node"), "{hint}");
		assert!(hint.starts_with("the node went away: start it again, or"));
		assert!(
			hint.ends_with("run the same command again; 2 of 5 files arrived, and the same command goes on from there"),
			"{hint}"
		);
		assert_eq!(
			gone().interrupted(None).shown_hint().as_deref(),
			Some(WENT_AWAY)
		);
		let never = Error::from(SdkError::Unreachable { url, reason });
		assert!(never.shown_hint().unwrap().contains("isthmus-node --dev"));
		let refused = Error::refused("no").interrupted(arrived);
		assert_eq!(refused.shown_hint(), None);
	}

	#[test]
	fn what_may_still_be_included_is_not_taken_for_refused() {
		let hash = H256::repeat_byte(7);
		let refusal = Refusal {
			error: PalletError::new("DataSharing", "DatasetNameTaken"),
			docs: String::new(),
		};
		assert!(Error::from(SdkError::Refused(refusal)).has_no_effect());
		let unfunded = CostError::NotEnoughFunds { needed: 2, free: 1 };
		assert!(Error::from(SdkError::from(unfunded)).has_no_effect());
		let reason = || "no".to_owned();
		for error in [
			SdkError::Unconfirmed { hash, last: 7 },
			SdkError::Behind { hash, last: 7 },
			SdkError::NotIncluded(reason()),
			SdkError::NotAccepted(reason()),
			SdkError::Connection(reason()),
			SdkError::NotFinal {
				hash,
				block: 7,
				reason: reason(),
			},
		] {
			assert!(!Error::from(error).has_no_effect());
		}
		assert!(!Error::failed("no").has_no_effect());
	}

	#[test]
	fn a_full_disk_has_one_hint_wherever_it_is_met() {
		// ENOSPC.
		let full = || io::Error::from_raw_os_error(28);
		let path = || std::path::PathBuf::from("school.key.erasable");
		let erasable = ErasableError::Io {
			path: path(),
			error: full(),
		};
		let journal = SendError::Journal {
			path: path(),
			source: full(),
		};
		for error in [
			Error::file(&path(), &full()),
			Error::from(SdkError::from(erasable)),
			Error::from(SdkError::from(journal)),
			Error::from(SdkError::from(full())),
			Error::from(UploadFolderError::Io {
				path: path(),
				source: full(),
			}),
		] {
			assert_eq!(error.kind, Kind::Failed);
			assert!(!error.message.contains("os error"), "{}", error.message);
			assert_eq!(
				error.shown_hint().as_deref(),
				Some(FULL),
				"{}",
				error.message
			);
		}
	}

	#[test]
	fn a_file_that_changes_is_no_refusal_of_the_chain() {
		let key = record_key("a").unwrap();
		for error in [
			Error::from(SdkError::from(UploadError::ChangedWhileRead {
				expected: 1,
			})),
			Error::from(SdkError::from(UploadError::ValueChanged { chunk: 0 })),
			Error::from(UploadFolderError::ChangedWhileRead("a".into())),
			Error::from(UploadFolderError::Changed {
				path: "a".into(),
				key,
			}),
		] {
			assert_eq!(error.kind, Kind::Failed);
			assert!(error.shown_hint().is_some(), "{}", error.message);
		}
	}

	#[test]
	fn a_refusal_has_the_hint_of_its_error() {
		let hint = |pallet: &str, name: &str| {
			let refusal = Refusal {
				error: PalletError::new(pallet, name),
				docs: String::new(),
			};
			Error::from(SdkError::Refused(refusal)).shown_hint()
		};
		let taken = hint("DataSharing", "LeafTaken");
		assert_eq!(
			taken.as_deref(),
			Some("omit --leaf to use the next free leaf")
		);
		assert_eq!(hint("Balances", "LeafTaken"), None);
		for name in ["ObservedInFuture", "ObservedTooLongAgo", "NotNewer"] {
			let clock = hint("Facts", name).unwrap();
			assert!(clock.contains("this machine's clock"), "{name}: {clock}");
		}
	}
}
