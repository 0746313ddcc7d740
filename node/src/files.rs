// SPDX-License-Identifier: Apache-2.0
//! Reads and writes files that the user names. A device or a pipe may have no end, and a file may be larger than the memory.

use std::{
	fs::{self, File},
	io::{self, Read},
	os::unix::fs::{fchown, MetadataExt, PermissionsExt},
	path::{Path, PathBuf},
	sync::{Mutex, PoisonError},
};

/// The file that is being written, to remove it when a signal ends this process: no destructor runs then.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A file that gets its name when it is complete. Until then, what has this name stays.
pub(crate) struct NewFile {
	file: tempfile::NamedTempFile,
	path: PathBuf,
}

impl NewFile {
	/// Begins a file in the folder of another one, which it is to replace if that exists. Returns `None` for what is written to
	/// and stays: a pipe, a device, or an open file of this process.
	///
	/// # Errors
	///
	/// Returns the system's error if there can be no such file, and an error for a link that leads to nothing.
	pub(crate) fn for_path(path: &Path) -> io::Result<Option<Self>> {
		if path.starts_with("/dev") || path.starts_with("/proc") {
			return Ok(None);
		}
		let (path, old) = match fs::metadata(path) {
			Ok(there) if there.is_file() => {
				// A file that is protected against writing is not replaced, although its folder would allow that.
				File::options().write(true).open(path)?;
				(fs::canonicalize(path)?, Some(there))
			}
			Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
			Ok(_) => return Ok(None),
			Err(error) if error.kind() == io::ErrorKind::NotFound => {
				if path.is_symlink() {
					return Err(io::Error::other(
						"this is a link that leads to nothing, as when a disk is not there",
					));
				}
				(path.to_owned(), None)
			}
			Err(error) => return Err(error),
		};
		let folder = path
			.parent()
			.filter(|folder| !folder.as_os_str().is_empty());
		let mut prefix = path.file_name().unwrap_or_default().to_owned();
		prefix.push(".new-");
		let file = tempfile::Builder::new()
			.prefix(&prefix)
			// As far as this process's mask allows.
			.permissions(PermissionsExt::from_mode(0o666))
			.tempfile_in(folder.unwrap_or(Path::new(".")))
			.map_err(without_path)?;
		if let Some(old) = old {
			file.as_file().set_permissions(old.permissions())?;
			// Without the right to give it away, the new file belongs to who writes it.
			let _ = fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
		}
		set_unfinished(Some(file.path().to_owned()));
		Ok(Some(Self { file, path }))
	}

	/// Returns the path to write to.
	pub(crate) fn path(&self) -> &Path {
		self.file.path()
	}

	/// Gives the complete file its name.
	///
	/// # Errors
	///
	/// Returns the system's error. What had the name before is unchanged then.
	pub(crate) fn keep(self) -> io::Result<()> {
		self.file.as_file().sync_all()?;
		self.file.persist(self.path).map_err(|error| error.error)?;
		set_unfinished(None);
		Ok(())
	}
}

/// Removes the file that is being written, before a signal ends this process. What has its name stays.
pub(crate) fn remove_unfinished() {
	let unfinished = UNFINISHED.lock();
	if let Some(path) = unfinished.unwrap_or_else(PoisonError::into_inner).take() {
		// The process ends now, and reports that.
		let _ = fs::remove_file(path);
	}
}

fn set_unfinished(path: Option<PathBuf>) {
	*UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// Returns an error without the path of a temporary file, which no one named.
fn without_path(error: io::Error) -> io::Error {
	let text = error.to_string();
	match text.split_once(" at path ") {
		Some((reason, _)) => io::Error::new(error.kind(), reason),
		None => error,
	}
}

/// Reads a file of at most `limit` bytes, once, so that it may be a pipe or a device.
///
/// # Errors
///
/// Returns the system's error, or [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read_at_most(path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
	let path = path.as_ref();
	let there = fs::metadata(path)?;
	if there.is_file() && there.len() > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	take_at_most(File::open(path)?, limit)
}

/// Reads a stream of at most `limit` bytes to its end.
///
/// # Errors
///
/// Returns the system's error, or [`io::ErrorKind::FileTooLarge`].
pub(crate) fn take_at_most(stream: impl Read, limit: u64) -> io::Result<Vec<u8>> {
	let mut content = Vec::new();
	stream
		.take(limit.saturating_add(1))
		.read_to_end(&mut content)?;
	if content.len() as u64 > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	Ok(content)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_device_without_an_end_is_not_read_for_ever() {
		let refused = read_at_most("/dev/zero", 1024).unwrap_err();
		assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
		assert_eq!(take_at_most(&[1, 2][..], 2).unwrap(), [1, 2]);
		assert!(take_at_most(&[1, 2, 3][..], 2).is_err());
	}

	#[test]
	fn a_file_that_a_signal_leaves_unfinished_is_removed() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("blocks");
		fs::write(&path, "old").unwrap();
		let new = NewFile::for_path(&path).unwrap().unwrap();
		fs::write(new.path(), "a part").unwrap();
		remove_unfinished();
		assert!(!new.path().exists());
		// As when the process ends without destructors.
		std::mem::forget(new);
		let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
		assert_eq!((left.len(), fs::read(&path).unwrap()), (1, b"old".to_vec()));
		let new = NewFile::for_path(&path).unwrap().unwrap();
		fs::write(new.path(), "new").unwrap();
		new.keep().unwrap();
		remove_unfinished();
		assert_eq!(fs::read(&path).unwrap(), b"new");
		let mut protected = fs::metadata(&path).unwrap().permissions();
		protected.set_readonly(true);
		fs::set_permissions(&path, protected).unwrap();
		// Permissions do not bind root.
		let is_bound = File::options().write(true).open(&path).is_err();
		assert_eq!(NewFile::for_path(&path).is_err(), is_bound);
	}
}
