//! What goes wrong in a command: a sentence, perhaps a hint, and the program's exit code.

use isthmus_sdk::{
	key_name, FetchError, PalletError, Rejection, Shown, UploadError, UploadFolderError,
};
use std::{fmt, process::ExitCode};

/// Why a command ended without doing what it was asked. It is what the person at the terminal reads,
/// so every error of the libraries below becomes one sentence here, and a hint where one helps.
#[derive(Debug)]
pub(crate) struct Error {
	kind: Kind,
	message: String,
	hint: Option<String>,
}

/// What kind of failure, which a script reads from the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
	/// Anything else, a file that cannot be written for one.
	Failed = 1,
	/// The command line asks for something that makes no sense. (`clap` ends with 2 by itself.)
	Usage = 2,
	/// No node answers at the address, or the connection was lost.
	Unreachable = 3,
	/// The chain refused: a call failed, or a query was not allowed.
	Refused = 4,
	/// Data, keys or a passphrase are not what they should be.
	NotAuthentic = 5,
}

/// The exit codes, as `--help` explains them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong use; 3 no node answers; 4 the chain refused; \
5 data, keys or passphrase are not the right ones";

impl Error {
	/// An error of this kind.
	pub(crate) fn new(kind: Kind, message: impl fmt::Display) -> Self {
		Self {
			kind,
			message: message.to_string(),
			hint: None,
		}
	}

	/// [`Kind::Failed`].
	pub(crate) fn failed(message: impl fmt::Display) -> Self {
		Self::new(Kind::Failed, message)
	}

	/// [`Kind::Usage`].
	pub(crate) fn usage(message: impl fmt::Display) -> Self {
		Self::new(Kind::Usage, message)
	}

	/// Adds what the reader may do about it.
	pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
		self.hint = Some(hint.to_string());
		self
	}

	/// What kind it is.
	pub(crate) fn kind(&self) -> Kind {
		self.kind
	}

	/// Prints the error to stderr, and gives the program's exit code. With `json` it is one line, an
	/// object with `error`, `hint` and `code`.
	pub(crate) fn report(&self, json: bool) -> ExitCode {
		let code = self.kind as u8;
		if json {
			let line = serde_json::json!({"error": self.message, "hint": self.hint, "code": code});
			eprintln!("{line}");
		} else {
			// Nodes, producers and files have a say in these.
			eprintln!("error: {}", Shown(&self.message));
			if let Some(hint) = &self.hint {
				eprintln!("hint: {}", Shown(hint));
			}
		}
		ExitCode::from(code)
	}
}

impl From<isthmus_sdk::Error> for Error {
	fn from(error: isthmus_sdk::Error) -> Self {
		use isthmus_sdk::Error::*;
		let (kind, hint) = match &error {
			Unreachable { .. } => (
				Kind::Unreachable,
				Some("start one with `isthmus-node --dev`, or say where one is: --url ws://HOST:PORT"),
			),
			Connection(_) => (Kind::Unreachable, Some("run the same command again: what was begun is gone on with")),
			Refused(refusal) => (
				Kind::Refused,
				match &refusal.error {
					PalletError::NotRegistered => Some("isthmus register --kind school NAME"),
					PalletError::NoEncryptionKey => Some("the reader runs: isthmus key publish"),
					PalletError::UnknownDataset => Some("isthmus list datasets"),
					PalletError::UnknownRequest => Some("isthmus requests; those that this account made: isthmus requests --mine"),
					PalletError::UnknownGrant => Some("isthmus list given"),
					PalletError::TermPaidFor => Some("the reader paid for it: `isthmus list given --json` has paidUntil, the first block at which it may be revoked"),
					PalletError::AlreadyRequested => Some("isthmus requests --mine"),
					PalletError::TooManyGrants => Some("revoke one of the reader's grants first: isthmus list given"),
					PalletError::LeafTaken => Some("leave --leaf out, and a free one is taken"),
					PalletError::KeyTaken => Some("store it under another --name, or remove the record first: isthmus remove NAME"),
					_ => None,
				},
			),
			NotAccepted(_) => (
				Kind::Refused,
				match error.rejection() {
					Some(Rejection::CannotPay) => Some("the account has too little: isthmus balance"),
					Some(Rejection::PoolFull) => Some("the node has too much to do: run it again in a while"),
					_ => None,
				},
			),
			InsufficientFunds { .. } => (Kind::Refused, Some("isthmus balance; `isthmus list given` has what holds deposits")),
			TooLate { .. } => (
				Kind::Refused,
				Some("a late answer would show its keys and not be paid: have the reader ask again, or open it without a request: isthmus authorize --to READER --leaves FROM..TO"),
			),
			Upload(UploadError::EpochOver { .. }) => (Kind::Refused, Some("isthmus remove NAME, then store it again")),
			NotIncluded(_) => (Kind::Refused, None),
			Query(isthmus_sdk::QueryRefusal::NotAuthorised) => {
				(Kind::Refused, Some("ask for access: isthmus request OWNER --leaves 0..10 --purpose TEXT"))
			}
			Query(
				isthmus_sdk::QueryRefusal::OutOfRange
				| isthmus_sdk::QueryRefusal::Expired
				| isthmus_sdk::QueryRefusal::Revoked,
			) => (Kind::Refused, Some("isthmus list received")),
			Query(_) => (Kind::Refused, None),
			StateGone(_) => (
				Kind::Refused,
				Some("this node keeps the states of the latest blocks only: ask one that runs with --state-pruning archive, or begin later: --from BLOCK"),
			),
			Rpc { .. } => (Kind::Refused, None),
			Upload(UploadError::AlreadyStored(_)) => (
				Kind::Refused,
				Some("store it under another --name, or remove the record first: isthmus remove NAME"),
			),
			Upload(_) => (
				Kind::Refused,
				Some("store it under another --name, or give up what was begun: isthmus remove NAME"),
			),
			WrongContent(_) => (Kind::NotAuthentic, Some("ask another node: --url")),
			Malformed { .. } | Record(_) | Grant(_) | Range(_) | Key(_) => (Kind::NotAuthentic, None),
			_ => (Kind::Failed, None),
		};
		let message = match &error {
			// It was compared.
			Upload(UploadError::AlreadyStored(key)) => {
				format!("{} is stored already, with another content", key_name(key))
			}
			error => error.to_string(),
		};
		let told = Self::new(kind, message);
		match hint {
			Some(hint) => told.hint(hint),
			None => told,
		}
	}
}

impl From<UploadFolderError> for Error {
	fn from(error: UploadFolderError) -> Self {
		match error {
			UploadFolderError::Client(error @ isthmus_sdk::Error::NoFreeLeaf { .. }) => {
				Self::failed(error).hint("isthmus dataset epoch NUMBER")
			}
			UploadFolderError::Client(error) => error.into(),
			UploadFolderError::Changed { key, .. } => Self::failed(&error).hint(format!(
				"store the folder under another --name, or first remove what is stored of the file: \
				 isthmus remove {}",
				key_name(&key)
			)),
			error => Self::failed(error),
		}
	}
}

impl From<FetchError> for Error {
	fn from(error: FetchError) -> Self {
		match error {
			FetchError::Client(error) => error.into(),
			FetchError::Exists(_) => {
				Self::failed(error).hint("take another --output, or write over it with --force")
			}
			FetchError::Differs(_) => Self::failed(error).hint("take another --output"),
			FetchError::Foreign(_) => {
				Self::failed(error).hint("remove it, or take another --output")
			}
			FetchError::List(_) => {
				Self::new(Kind::NotAuthentic, error).hint("--raw fetches its bytes as they are")
			}
			FetchError::ListTooLong | FetchError::WrongLength(_) => {
				Self::new(Kind::NotAuthentic, error)
			}
			error => Self::failed(error),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_record_is_told_by_its_name() {
		let key = crate::context::record_key("marks.csv").unwrap();
		let told = Error::from(isthmus_sdk::Error::Upload(UploadError::AlreadyStored(key)));
		assert_eq!(told.kind, Kind::Refused);
		assert!(told.message.starts_with("marks.csv "), "{}", told.message);
	}

	#[test]
	fn a_state_that_is_gone_is_a_refusal_with_a_way_out() {
		let told = Error::from(isthmus_sdk::Error::StateGone("discarded".into()));
		assert_eq!(told.kind, Kind::Refused);
		assert!(told.hint.is_some_and(|hint| hint.contains("--from")));
	}
}
