// SPDX-License-Identifier: Apache-2.0
//! Why a folder cannot be stored.

use crate::{
	error::{Error, UploadError},
	folder::FolderError,
	types::RecordKey,
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
	/// A file's name is not UTF-8.
	#[error("{}: the name is not UTF-8", .0.display())]
	NotUtf8(PathBuf),
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
	/// The chain, the node or the connection caused the failure.
	#[error(transparent)]
	Client(#[from] Error),
}

impl UploadFolderError {
	pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
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
