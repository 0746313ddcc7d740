// SPDX-License-Identifier: Apache-2.0
//! A file of a folder on this machine that is open, to be stored or compared.

use super::{
	error::UploadFolderError,
	local::{entry, is_executable, LocalFile},
};
use crate::{
	folder::{self, File as Entry},
	progress::{Progress, Stage, Telling},
	stamp::Stamp,
	types::RecordKey,
	upload::MAX_WHOLE,
};
use std::{
	fs::File,
	io::{self, Read, Seek},
};

/// A file that is open, and what its entry in the list will say.
pub(super) struct Source {
	pub(super) file: File,
	pub(super) stamp: Stamp,
	hash: [u8; 32],
}

impl Source {
	/// Opens a file, and reads it once for its hash. That of a long one takes a while.
	pub(super) fn open(
		file: &LocalFile,
		progress: &mut impl Progress,
	) -> Result<Self, UploadFolderError> {
		Self::hashed(file, progress).map_err(UploadFolderError::io(&file.at))
	}

	fn hashed(file: &LocalFile, progress: &mut impl Progress) -> io::Result<Self> {
		let (mut file, stamp) = Stamp::open(&file.at)?;
		let length = stamp.length();
		let hash = match length > MAX_WHOLE {
			false => hash(&file, &stamp)?,
			true => {
				let telling = Telling::new(&file, Stage::Naming, length, progress);
				hash(telling, &stamp)?
			}
		};
		file.rewind()?;
		Ok(Self { file, stamp, hash })
	}

	/// Returns the file's length in bytes, when it was opened.
	pub(super) fn length(&self) -> u64 {
		self.stamp.length()
	}

	/// Checks that the file has still the same bytes: what was stored has to be what the list says.
	///
	/// # Errors
	///
	/// Returns [`UploadFolderError::Changed`] if it has others.
	pub(super) fn check_hash(
		&mut self,
		file: &LocalFile,
		key: RecordKey,
	) -> Result<(), UploadFolderError> {
		let mut hash = || -> io::Result<[u8; 32]> {
			self.file.rewind()?;
			self::hash(&self.file, &self.stamp)
		};
		match hash().map_err(UploadFolderError::io(&file.at))? == self.hash {
			true => Ok(()),
			false => Err(UploadFolderError::Changed {
				path: file.at.clone(),
				key,
			}),
		}
	}

	/// Returns the file's entry in the list.
	pub(super) fn entry(&self, file: &LocalFile, key: RecordKey) -> Entry {
		Entry {
			executable: is_executable(self.stamp.metadata()),
			length: self.length(),
			key,
			hash: self.hash,
			..entry(&file.path)
		}
	}
}

/// Returns the hash of a file's bytes. One that grows as fast as it is read has no end: at most one byte is read behind
/// its length.
fn hash(file: impl Read, stamp: &Stamp) -> io::Result<[u8; 32]> {
	folder::content_hash(file.take(stamp.length().saturating_add(1)))
}
