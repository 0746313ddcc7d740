// SPDX-License-Identifier: Apache-2.0
//! Why a folder cannot be stored.

use crate::{
	error::{Error, UploadError},
	folder::{FolderError, MAX_DEPTH, MAX_PATH},
	text::io_words,
	types::{DatasetId, RecordKey},
};
use std::path::{Path, PathBuf};

/// Why a folder cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadFolderError {
	/// A file or folder cannot be read.
	#[error("{}: {source}", path.display())]
	Io {
		/// Its path.
		path: PathBuf,
		/// Why it failed.
		source: std::io::Error,
	},
	/// What should be a folder is none.
	#[error("{} is not a folder", .0.display())]
	NotAFolder(PathBuf),
	/// The folder was deleted, and is there only for the programs that are in it.
	#[error("{} is a folder that was deleted", .0.display())]
	Deleted(PathBuf),
	/// Files or folders have names, or paths, that cannot be in a folder's list.
	#[error("these names cannot be in a folder: {}. A name is UTF-8 without \\, : and control or invisible characters, and a path has at most {MAX_DEPTH} names and {MAX_PATH} bytes", listed(.0))]
	Names(Vec<PathBuf>),
	/// Files or folders cannot be read. Nothing was sent.
	#[error("{}", reasons(.0))]
	Unreadable(Vec<(PathBuf, std::io::Error)>),
	/// A folder's list cannot contain the files' paths.
	#[error(transparent)]
	List(#[from] FolderError),
	/// A file changed while it was read. Nothing of it was sent.
	#[error("{} changed while it was read", .0.display())]
	ChangedWhileRead(PathBuf),
	/// A file differs from its record.
	#[error("{} changed since it was stored", path.display())]
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

/// Returns the first paths, and how many more there are.
fn listed(paths: &[PathBuf]) -> String {
	first(paths.iter().map(|path| path.display().to_string()))
}

/// Returns the first paths and why they cannot be read, and how many more there are.
fn reasons(paths: &[(PathBuf, std::io::Error)]) -> String {
	let reason = |(path, error): &(PathBuf, std::io::Error)| {
		format!("{}: {}", path.display(), io_words(error))
	};
	first(paths.iter().map(reason))
}

/// Returns the first texts, and how many more there are.
fn first(texts: impl ExactSizeIterator<Item = String>) -> String {
	let more = texts.len().saturating_sub(SHOWN);
	let shown = texts.take(SHOWN).collect::<Vec<_>>().join(", ");
	match more {
		0 => shown,
		more => format!("{shown} and {more} more"),
	}
}

impl UploadFolderError {
	pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
		move |source| Self::Io {
			path: path.to_owned(),
			source,
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
			Error::Upload(UploadError::ChangedWhileRead { .. }) => {
				Self::ChangedWhileRead(path.to_owned())
			}
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
