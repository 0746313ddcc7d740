// SPDX-License-Identifier: Apache-2.0
//! Fetches a record into a file.
//!
//! The value is first written to the file `OUT.isthmus-HASH`, which is renamed to `OUT` when it is complete.
//! An interrupted download leaves that file behind, and the next download resumes it.

use crate::{
	error::Error,
	folder::{self, FolderError},
	progress::Progress,
	reading::Reading,
	types::Payload,
};
use isthmus_envelope::on_disk;
use std::{
	fs::{self, File, OpenOptions},
	io::{self, ErrorKind, Seek, SeekFrom},
	path::{Path, PathBuf},
};
use tempfile::TempPath;

/// Why a record or a folder cannot be fetched to disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
	/// The file to be written already exists.
	#[error("{} already exists", .0.display())]
	Exists(PathBuf),
	/// A file of a folder exists and differs from its record.
	#[error("{} already exists and differs", .0.display())]
	Differs(PathBuf),
	/// The partial file is not a regular file of this user.
	#[error("{} is a link, or belongs to another user: nothing is written to it", .0.display())]
	Foreign(PathBuf),
	/// Something other than a regular file is where the output needs one.
	#[error("{} is not a regular file", .0.display())]
	NotAFile(PathBuf),
	/// A path where the output needs a folder is not a folder.
	#[error("{} is not a folder", .0.display())]
	NotAFolder(PathBuf),
	/// Reading or writing a local file failed.
	#[error("{}: {source}", path.display())]
	Io {
		/// The file.
		path: PathBuf,
		/// Why it failed.
		source: io::Error,
	},
	/// The record is not a folder's list.
	#[error(transparent)]
	List(#[from] FolderError),
	/// The record is longer than a folder's list can be.
	#[error("the record is too long for a folder's list")]
	ListTooLong,
	/// A file's record does not have the length in the folder's list.
	#[error("the length of {0} differs from the one in the folder's list")]
	WrongLength(String),
	/// The chain, the node or the connection caused the failure.
	#[error(transparent)]
	Client(#[from] Error),
}

impl FetchError {
	pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
		move |source| Self::Io {
			path: path.to_owned(),
			source,
		}
	}

	/// Returns the error with the output's path instead of the partial file's, which the user did not choose.
	fn of(self, output: &Path) -> Self {
		match self {
			Self::Io { source, .. } | Self::Client(Error::Io(source)) => Self::io(output)(source),
			error => error,
		}
	}
}

/// Fetches a record into a file.
///
/// ```no_run
/// # use isthmus_sdk::*;
/// # async fn example(reading: Reading) -> Result<(), FetchError> {
/// FetchFile::new(&reading, "marks.csv".as_ref()).run(&mut ()).await?;
/// # Ok(())
/// # }
/// ```
pub struct FetchFile<'a> {
	reading: &'a Reading,
	output: &'a Path,
	executable: bool,
	replace: bool,
}

impl<'a> FetchFile<'a> {
	/// Prepares to fetch a record into a new file, which only this user can read.
	pub fn new(reading: &'a Reading, output: &'a Path) -> Self {
		Self {
			reading,
			output,
			executable: false,
			replace: false,
		}
	}

	/// Makes the file executable by this user, if the system has such a mode.
	pub fn executable(self, executable: bool) -> Self {
		Self { executable, ..self }
	}

	/// Replaces the file if it exists, and keeps its owner and permissions. If the output is a link, the file that
	/// it leads to is replaced, and the link stays.
	pub fn replace(self, replace: bool) -> Self {
		Self { replace, ..self }
	}

	/// Fetches the record, resuming an interrupted download. What cannot be resumed is removed if this fails.
	///
	/// # Errors
	///
	/// Returns [`FetchError::Exists`] if the file exists and may not be replaced, [`FetchError::NotAFile`] if it
	/// is not a regular file, [`FetchError::Foreign`] if the partial file could be seen or written by another
	/// user, and the errors of [`Reading::run`]. The first two come before anything is fetched.
	pub async fn run(self, progress: &mut impl Progress) -> Result<(), FetchError> {
		let output = &self.target()?;
		let path = &partial(output, self.reading);
		let mut file = open(path, self.executable).map_err(|error| error.of(output))?;
		let fetched = self.fetch(&mut file, path, output, progress).await;
		if fetched.is_err() && matches!(self.reading.answer().payload, Payload::Value { .. }) {
			// It is fetched whole, so its part is of no use. The error of fetching it is the one to report.
			let _ = fs::remove_file(path);
		}
		fetched.map_err(|error| error.of(output))
	}

	/// Returns the path to write, behind links if the file is replaced.
	fn target(&self) -> Result<PathBuf, FetchError> {
		if !self.replace {
			return match fs::symlink_metadata(self.output) {
				Ok(_) => Err(FetchError::Exists(self.output.to_owned())),
				Err(_) => Ok(self.output.to_owned()),
			};
		}
		on_disk::target(self.output).map_err(|error| match error.kind() {
			ErrorKind::InvalidInput => FetchError::NotAFile(self.output.to_owned()),
			_ => FetchError::io(self.output)(error),
		})
	}

	/// Fetches the record into the partial file, and renames that.
	async fn fetch(
		&self,
		file: &mut File,
		path: &Path,
		output: &Path,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let intact = self.reading.check(file, progress).await?;
		file.set_len(intact.bytes)
			.and_then(|()| file.seek(SeekFrom::Start(intact.bytes)))
			.map_err(FetchError::io(path))?;
		self.reading.run(file, intact.chunks, progress).await?;
		if let Some(old) = fs::metadata(output).ok().filter(|_| self.replace) {
			// The file of another user is replaced by one that only this user can read.
			let _ = on_disk::resemble(file, &old);
		}
		file.sync_all().map_err(FetchError::io(path))?;
		let renamed = match self.replace {
			true => fs::rename(path, output),
			false => rename_new(path, output),
		};
		renamed.map_err(|error| match error.kind() {
			ErrorKind::AlreadyExists => FetchError::Exists(output.to_owned()),
			_ => FetchError::io(output)(error),
		})?;
		on_disk::sync_name(output).map_err(FetchError::io(output))
	}
}

/// Returns whether a record is a folder's list, as far as this is known without fetching more: a list that
/// was stored in several transactions is treated like any other value.
///
/// # Errors
///
/// Returns the errors of [`Reading::run`].
pub async fn is_folder(reading: &Reading) -> Result<bool, Error> {
	if !matches!(reading.answer().payload, Payload::Value { .. }) {
		return Ok(false);
	}
	let mut bytes = Vec::new();
	reading.run(&mut bytes, 0, &mut ()).await?;
	Ok(bytes.starts_with(folder::LABEL))
}

/// Returns the path of the partial file. It contains the value's hash, so that the download of another value
/// is not resumed.
fn partial(output: &Path, reading: &Reading) -> PathBuf {
	let mut name = output.as_os_str().to_owned();
	let hash = reading.content_hash();
	name.push(format!(".isthmus-{}", hex::encode(&hash[..8])));
	name.into()
}

/// Renames a file, unless the new name is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
	TempPath::try_from_path(from)?
		.persist_noclobber(to)
		.map_err(|refused| {
			// The value is complete: keep it, so that it does not have to be fetched again.
			match refused.path.keep() {
				Ok(_) => refused.error,
				Err(kept) => kept.error,
			}
		})
}

/// Opens the partial file: a new one, or the one that an interrupted download left. Data that was shared only
/// with this account must not be written where other users of this machine can see it, such as to the target
/// of a link or to a file that they may read.
#[cfg(unix)]
fn open(path: &Path, executable: bool) -> Result<File, FetchError> {
	use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
	let mode = if executable { 0o700 } else { 0o600 };
	let mut options = OpenOptions::new();
	options.read(true).write(true);
	let created = options.clone().create_new(true).mode(mode).open(path);
	match created {
		Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
		created => return created.map_err(FetchError::io(path)),
	}
	let metadata = fs::symlink_metadata(path).map_err(FetchError::io(path))?;
	if !metadata.is_file() {
		return Err(FetchError::Foreign(path.to_owned()));
	}
	let file = options.open(path).map_err(FetchError::io(path))?;
	if !is_own(&file, path).map_err(FetchError::io(path))? {
		return Err(FetchError::Foreign(path.to_owned()));
	}
	file.set_permissions(fs::Permissions::from_mode(mode))
		.map_err(FetchError::io(path))?;
	Ok(file)
}

/// Returns whether the opened file is the one at the path, has no other name, and belongs to the user who
/// owns new files.
#[cfg(unix)]
fn is_own(file: &File, path: &Path) -> io::Result<bool> {
	use std::os::unix::fs::MetadataExt;
	let (opened, there) = (file.metadata()?, fs::symlink_metadata(path)?);
	let new = tempfile::tempfile_in(on_disk::folder(path))?;
	let same = (opened.dev(), opened.ino()) == (there.dev(), there.ino());
	Ok(there.is_file() && same && opened.nlink() == 1 && opened.uid() == new.metadata()?.uid())
}

#[cfg(not(unix))]
fn open(path: &Path, _: bool) -> Result<File, FetchError> {
	let mut options = OpenOptions::new();
	options.read(true).write(true).create(true).truncate(false);
	options.open(path).map_err(FetchError::io(path))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[cfg(unix)]
	#[test]
	fn nothing_is_written_to_what_others_may_see() {
		use std::os::unix::fs::{symlink, PermissionsExt};
		let folder = tempfile::tempdir().unwrap();
		let (part, theirs) = (folder.path().join("part"), folder.path().join("theirs"));
		let mode = || fs::metadata(&part).unwrap().permissions().mode() & 0o777;
		let is_foreign = || matches!(open(&part, false), Err(FetchError::Foreign(_)));
		fs::write(&theirs, "").unwrap();
		symlink(&theirs, &part).unwrap();
		assert!(is_foreign());
		fs::remove_file(&part).unwrap();
		fs::hard_link(&theirs, &part).unwrap();
		assert!(is_foreign());
		fs::remove_file(&part).unwrap();
		open(&part, true).unwrap();
		assert_eq!(mode(), 0o700);
		fs::set_permissions(&part, fs::Permissions::from_mode(0o666)).unwrap();
		open(&part, false).unwrap();
		assert_eq!(mode(), 0o600);
	}

	#[test]
	fn a_file_that_exists_is_not_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let (part, out) = (folder.path().join("part"), folder.path().join("out"));
		fs::write(&part, "new").unwrap();
		fs::write(&out, "old").unwrap();
		let refused = rename_new(&part, &out).unwrap_err();
		assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
		assert_eq!(fs::read(&part).unwrap(), b"new");
		fs::remove_file(&out).unwrap();
		rename_new(&part, &out).unwrap();
		assert_eq!(fs::read(&out).unwrap(), b"new");
		assert!(!part.exists());
	}
}
