// SPDX-License-Identifier: Apache-2.0
//! Why a folder cannot be stored.

use crate::{
	error::{Error, UploadError},
	folder::{FolderError, MAX_PATH},
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
	/// Files or folders have names, or paths, that cannot be in a folder's list.
	#[error("these names cannot be in a folder: {}. A name is UTF-8 without \\, : and control or invisible characters, and a path has at most {MAX_PATH} bytes", listed(.0))]
	Names(Vec<PathBuf>),
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

/// How many names an error shows.
const SHOWN: usize = 20;

/// Returns the first paths, and how many more there are.
fn listed(paths: &[PathBuf]) -> String {
	let shown = paths
		.iter()
		.take(SHOWN)
		.map(|path| path.display().to_string());
	let shown = shown.collect::<Vec<_>>().join(", ");
	match paths.len().saturating_sub(SHOWN) {
		0 => shown,
		more => format!("{shown} and {more} more"),
	}
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
