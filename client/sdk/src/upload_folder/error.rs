// SPDX-License-Identifier: Apache-2.0
//! Why a folder cannot be stored.

use crate::{
	error::{Error, UploadError},
	folder::{FolderError, MAX_DEPTH, MAX_PATH},
	text::{first_of, io_words, Listing},
	types::{DatasetId, RecordKey},
};
use isthmus_envelope::paths::ShowPath;
use std::{
	io::ErrorKind,
	path::{Path, PathBuf},
};

/// Why a folder cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadFolderError {
	/// A file or folder cannot be read.
	#[error("{}: {source}", path.shown())]
	Io {
		/// Its path.
		path: PathBuf,
		/// Why it failed.
		source: std::io::Error,
	},
	/// What should be a folder is none.
	#[error("{} is not a folder", .0.shown())]
	NotAFolder(PathBuf),
	/// The folder was deleted, and is there only for the programs that are in it.
	#[error("{} is a folder that was deleted", .0.shown())]
	Deleted(PathBuf),
	/// Files or folders have names, or paths, that cannot be in a folder's list.
	#[error("these names cannot be in a folder: {}. {}", first_of(&names(.0), SHOWN), rule())]
	Names(Vec<PathBuf>),
	/// Files or folders cannot be read. Nothing was sent.
	#[error("{}", first_of(&reasons(.0), SHOWN))]
	Unreadable(Vec<(PathBuf, std::io::Error)>),
	/// A folder's list cannot contain the files' paths.
	#[error(transparent)]
	List(#[from] FolderError),
	/// A file changed while it was read. Nothing of it was sent.
	#[error("{} changed while it was read", .0.shown())]
	ChangedWhileRead(PathBuf),
	/// A file differs from its record.
	#[error("{} changed since it was stored", path.shown())]
	Changed {
		/// The file.
		path: PathBuf,
		/// The key of its record.
		key: RecordKey,
	},
	/// The name belongs to a record that is not the list of a packed folder.
	#[error("what is stored under this name is not a packed folder")]
	NotPacked {
		/// The record's key.
		key: RecordKey,
	},
	/// Another folder, or an earlier version of this one, is stored under the name.
	#[error("another version of the folder is stored already")]
	Differs {
		/// The key of the folder's list.
		key: RecordKey,
	},
	/// The folder has no files, and the stored version has some. Nothing was changed.
	#[error(
		"the folder has no files, and the version that is stored has some: is its disk there?"
	)]
	Emptied,
	/// The folder is stored in another dataset.
	#[error("the folder is stored in dataset {dataset}")]
	OtherDataset {
		/// That dataset.
		dataset: DatasetId,
	},
	/// The chain, the node or the connection caused the failure.
	#[error(transparent)]
	Client(#[from] Error),
}

/// How many names an error shows.
const SHOWN: usize = 20;

/// Says which names a folder's list can contain.
fn rule() -> String {
	format!("A name is UTF-8 without \\, : and control or invisible characters, and a path has at most {MAX_DEPTH} names and {MAX_PATH} bytes")
}

/// Returns the texts of paths.
fn names(paths: &[PathBuf]) -> Vec<String> {
	let paths = paths.iter();
	paths.map(|path| path.shown().to_string()).collect()
}

/// Returns paths, and why they cannot be read.
fn reasons(paths: &[(PathBuf, std::io::Error)]) -> Vec<String> {
	let reason = |(path, error): &(PathBuf, std::io::Error)| {
		format!("{}: {}", path.shown(), io_words(error))
	};
	paths.iter().map(reason).collect()
}

impl UploadFolderError {
	/// Returns all that the error lists; `None` if it lists nothing.
	pub fn listing(&self) -> Option<Listing> {
		let words: fn(usize) -> String;
		let items = match self {
			Self::Names(paths) => {
				words = |count| format!("{count} names cannot be in a folder. {}", rule());
				names(paths)
			}
			Self::Unreadable(paths) => {
				words = |count| format!("{count} files or folders cannot be read");
				reasons(paths)
			}
			_ => return None,
		};
		Some(Listing::new(items, words))
	}

	pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
		move |source| Self::Io {
			path: path.to_owned(),
			source,
		}
	}

	/// Returns the error of a file that is not what it was: it may be gone.
	pub(crate) fn changed(path: &Path) -> Self {
		match std::fs::symlink_metadata(path) {
			Err(gone) if gone.kind() == ErrorKind::NotFound => Self::io(path)(gone),
			_ => Self::ChangedWhileRead(path.to_owned()),
		}
	}

	/// Returns the error of a file, with its path.
	pub(super) fn of_file(error: Error, path: &Path, key: RecordKey) -> Self {
		match error {
			Error::Upload(UploadError::ValueChanged { .. } | UploadError::LengthChanged { .. }) => {
				Self::Changed {
					path: path.to_owned(),
					key,
				}
			}
			Error::Upload(UploadError::ChangedWhileRead { .. }) => Self::changed(path),
			Error::Io(source) => Self::io(path)(source),
			error => error.into(),
		}
	}
}

impl From<UploadError> for UploadFolderError {
	fn from(error: UploadError) -> Self {
		Self::Client(error.into())
	}
}
