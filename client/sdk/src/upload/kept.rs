// SPDX-License-Identifier: Apache-2.0
//! Keeps a stream until its length is known.

use super::{MAX_LENGTH, MAX_WHOLE};
use crate::{error::UploadError, lock};
use isthmus_envelope::paths::ShowPath;
use std::{
	io::{self, ErrorKind, Read, Seek, Write},
	path::PathBuf,
};
use tempfile::SpooledTempFile;

/// How many bytes are read at once.
const BUFFER: usize = 64 * 1024;

/// Why a stream cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
	/// The stream cannot be read.
	#[error(transparent)]
	Read(io::Error),
	/// The folder for temporary files does not take it.
	#[error("cannot keep what is read in {}: {source}", folder.shown())]
	Write {
		/// The folder.
		folder: PathBuf,
		/// Why it failed.
		source: io::Error,
	},
	/// It is longer than a record can be.
	#[error(transparent)]
	TooLong(UploadError),
}

/// Reads a value whose length is not known to its end, and returns it, at its start, with its length. What does not fit into one
/// transaction is kept in an unnamed temporary file: the length is needed first, and large values are read twice.
///
/// # Errors
///
/// Returns [`KeepError`] if it cannot be read or kept, or is too long for a record.
pub fn keep(mut from: impl Read) -> Result<(SpooledTempFile, u64), KeepError> {
	let folder = lock::temporary();
	let mut kept = SpooledTempFile::new_in(MAX_WHOLE as usize, &folder);
	let mut buffer = vec![0; BUFFER];
	let mut length = 0;
	loop {
		let count = match from.read(&mut buffer) {
			Ok(0) => break,
			Ok(count) => count,
			Err(error) if error.kind() == ErrorKind::Interrupted => continue,
			Err(error) => return Err(KeepError::Read(error)),
		};
		length += count as u64;
		if length > MAX_LENGTH {
			let maximum = MAX_LENGTH;
			return Err(KeepError::TooLong(UploadError::TooLong { maximum }));
		}
		kept.write_all(&buffer[..count])
			.map_err(|source| KeepError::Write {
				folder: folder.clone(),
				source,
			})?;
	}
	let rewound = kept.rewind();
	rewound.map_err(|source| KeepError::Write { folder, source })?;
	Ok((kept, length))
}
