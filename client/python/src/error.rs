// SPDX-License-Identifier: Apache-2.0
//! The SDK's errors as Python's: the kind that a Python program expects, with the SDK's sentence.

use isthmus_sdk::{
	envelope::key_file::KeyFileError, io_words, Error, PalletError, QueryRefusal, UploadError,
};
use pyo3::{
	create_exception,
	exceptions::{
		PyConnectionError, PyFileExistsError, PyFileNotFoundError, PyLookupError,
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
		Unreachable { .. } | Rejected { .. } | Connection(_) | Unconfirmed { .. } => {
			PyConnectionError::new_err(words)
		}
		NoEncryptionKey(_) | NoSuchGrant { .. } | NotGiven { .. } | RequestGone(_) | NoSuchBlock(_) => {
			PyLookupError::new_err(words)
		}
		NoSuchDataset { .. } => PyFileNotFoundError::new_err(words),
		Refused(refusal) if refusal.error == PalletError::KeyTaken => {
			PyFileExistsError::new_err(words)
		}
		Upload(UploadError::AlreadyStored(_)) => PyFileExistsError::new_err(words),
		Grant(_) | NotPostQuantum => PyPermissionError::new_err(words),
		Unproven(_)
		| WrongContent(_)
		| Malformed { .. }
		| Record(_)
		| NotProven { .. }
		| Receipt(_) => NotAuthentic::new_err(words),
		Name(_)
		| InvalidSecret
		| InvalidAccount
		| InvalidDevelopmentAccount
		| Range(_)
		| Key(_) => PyValueError::new_err(words),
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
pub(crate) fn raised_by_file(path: &Path, error: KeyFileError) -> PyErr {
	let path = path.display();
	match error {
		KeyFileError::Io(error) => {
			let words = format!("{path}: {}", io_words(&error));
			io::Error::new(error.kind(), words).into()
		}
		KeyFileError::DoesNotOpen => {
			PyPermissionError::new_err(format!("the passphrase does not open {path}"))
		}
		error => NotAuthentic::new_err(format!("{path}: {error}")),
	}
}
