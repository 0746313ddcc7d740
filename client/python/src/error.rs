// SPDX-License-Identifier: Apache-2.0
//! The SDK's errors as Python's: the kind that a Python program expects, with the SDK's sentence.

use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::key_file::KeyFileError, io_words, objects, upload::KeepError, CardError, Error,
	FrameError, LeavesError, PalletError, QueryRefusal, UploadError, UploadFolderError,
};
use pyo3::{
	create_exception,
	exceptions::{
		PyConnectionError, PyFileExistsError, PyFileNotFoundError, PyLookupError, PyOSError,
		PyPermissionError, PyRuntimeError, PyValueError,
	},
	PyErr,
};
use std::{io, path::Path};

create_exception!(
	isthmus,
	Refused,
	PyRuntimeError,
	"The chain or the node refuses, and nothing has changed."
);
create_exception!(
	isthmus,
	NotAuthentic,
	PyValueError,
	"Data, a proof or a key is wrong: it was changed, or the node lies."
);

/// Makes the exception for an error.
pub(crate) fn raised(error: Error) -> PyErr {
	use Error::*;
	let words = error.to_string();
	if let Some(refusal) = error.query_refusal() {
		return refused_query(refusal, words);
	}
	match error {
		Unreachable { .. }
		| Gone { .. }
		| Rejected { .. }
		| Certificate { .. }
		| Connection(_)
		| Unconfirmed { .. } => PyConnectionError::new_err(words),
		NoEncryptionKey(_)
		| NoSuchGrant { .. }
		| NoSuchRequest { .. }
		| NotGiven { .. }
		| RequestGone(_)
		| NoSuchBlock(_)
		| HistoryGone { .. } => PyLookupError::new_err(words),
		Leaves(
			LeavesError::NoRecord { .. } | LeavesError::Unnamed { .. } | LeavesError::NoNames,
		) => PyLookupError::new_err(words),
		Card(CardError::NotPublished { .. }) => PyLookupError::new_err(words),
		Card(_) => NotAuthentic::new_err(words),
		NoSuchDataset { .. } | NoDataset(_) => PyFileNotFoundError::new_err(words),
		Refused(refusal) if refusal.error == PalletError::UnknownRecord => {
			PyFileNotFoundError::new_err(words)
		}
		Refused(refusal) if refusal.error == PalletError::NotRegistered => {
			PyPermissionError::new_err(words)
		}
		Refused(refusal) if refusal.error == PalletError::KeyTaken => {
			PyFileExistsError::new_err(words)
		}
		Upload(UploadError::AlreadyStored(_)) => PyFileExistsError::new_err(words),
		Grant(_)
		| NotPostQuantum
		| OtherSecret { .. }
		| NotController { .. }
		| DatasetIsOffered { .. }
		| Operator(_) => PyPermissionError::new_err(words),
		Unproven(_)
		| Outdated { .. }
		| OlderRuntime { .. }
		| WrongContent(_)
		| Malformed { .. }
		| Record(_)
		| Object(objects::ReadError::Compressed(_))
		| NotProven { .. }
		| Receipt(_) => NotAuthentic::new_err(words),
		Name(_)
		| SeveralDatasets(_)
		| Handle(_)
		| InvalidSecret
		| InvalidAccount
		| InvalidDevelopmentAccount
		| Range(_)
		| Leaves(_)
		| Key(_) => PyValueError::new_err(words),
		Overlap(_) => PyValueError::new_err(words),
		Newer(_) => PyOSError::new_err(words),
		Io(error) => error.into(),
		_ => self::Refused::new_err(words),
	}
}

fn refused_query(refusal: QueryRefusal, words: String) -> PyErr {
	use QueryRefusal::*;
	match refusal {
		UnknownRecord | Incomplete => PyFileNotFoundError::new_err(words),
		NotAuthorised | OutOfRange | Expired | Revoked | Suspended | Embargoed => {
			PyPermissionError::new_err(words)
		}
	}
}

/// Makes the exception for a key file that cannot be read or opened.
pub(crate) fn raised_by_file(at: &Path, error: KeyFileError) -> PyErr {
	let path = at.shown();
	match error {
		KeyFileError::Io(error) => raised_by_io(at, &error),
		KeyFileError::DoesNotOpen => {
			PyPermissionError::new_err(format!("the passphrase does not open {path}"))
		}
		error => NotAuthentic::new_err(format!("{path}: {error}")),
	}
}

/// The exception that ends a call. Unlike the exception itself, it is made from each error of the SDK.
pub(crate) struct Raised(PyErr);

impl From<Raised> for PyErr {
	fn from(raised: Raised) -> Self {
		raised.0
	}
}

impl From<PyErr> for Raised {
	fn from(error: PyErr) -> Self {
		Self(error)
	}
}

impl From<Error> for Raised {
	fn from(error: Error) -> Self {
		Self(raised(error))
	}
}

impl From<UploadFolderError> for Raised {
	fn from(error: UploadFolderError) -> Self {
		Self(match error {
			UploadFolderError::Client(error) => raised(error),
			UploadFolderError::Io { path, source } => raised_by_io(&path, &source),
			error @ (UploadFolderError::Names(_) | UploadFolderError::List(_)) => {
				PyValueError::new_err(error.to_string())
			}
			error => Refused::new_err(error.to_string()),
		})
	}
}

impl From<FrameError> for Raised {
	fn from(error: FrameError) -> Self {
		Self(match error {
			// What the input raised is raised again.
			FrameError::Client(Error::Sending(objects::UploadError::Read(error))) => error.into(),
			FrameError::Client(error) => raised(error),
			error @ (FrameError::Parts { .. }
			| FrameError::NoSuchPart { .. }
			| FrameError::Malformed
			| FrameError::Empty(_)
			| FrameError::List(_)
			| FrameError::Location(_)) => PyValueError::new_err(error.to_string()),
			FrameError::OtherOwner => PyPermissionError::new_err(error.to_string()),
			FrameError::WrongKey(_) => NotAuthentic::new_err(error.to_string()),
			error => Refused::new_err(error.to_string()),
		})
	}
}

impl From<KeepError> for Raised {
	fn from(error: KeepError) -> Self {
		Self(match error {
			KeepError::Read(error) => error.into(),
			KeepError::TooLong(error) => raised(error.into()),
			error => PyOSError::new_err(error.to_string()),
		})
	}
}

/// Makes the exception for a file that cannot be read or written.
pub(crate) fn raised_by_io(path: &Path, error: &io::Error) -> PyErr {
	let words = format!("{}: {}", path.shown(), io_words(error));
	io::Error::new(error.kind(), words).into()
}
