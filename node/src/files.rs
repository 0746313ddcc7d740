// SPDX-License-Identifier: Apache-2.0
//! Reads and writes files that the user names. A device or a pipe may have no end, and a file may be larger than the memory.

use polkadot_sdk::*;
use sc_service::BasePath;
use std::{
	env,
	fs::{self, File},
	io::{self, stderr, Read, Write},
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
	/// and stays: a pipe, a device, an open file of this process, or a file in a folder where no other may be made.
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
		let made = tempfile::Builder::new()
			.prefix(&prefix)
			// As far as this process's mask allows.
			.permissions(PermissionsExt::from_mode(0o666))
			.tempfile_in(folder.unwrap_or(Path::new(".")));
		let file = match made {
			Err(error) if old.is_some() && is_closed(&error) => return Ok(None),
			made => made.map_err(without_path)?,
		};
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
	/// Returns the system's error. What had the name before is unchanged then, unless it is a file that is mounted alone, as into
	/// a container: that cannot be replaced, so the contents are copied into it.
	pub(crate) fn keep(self) -> io::Result<()> {
		self.file.as_file().sync_all()?;
		if let Err(failed) = self.file.persist(&self.path) {
			if failed.error.kind() != io::ErrorKind::ResourceBusy {
				return Err(failed.error);
			}
			let mut target = File::options()
				.write(true)
				.truncate(true)
				.open(&self.path)?;
			io::copy(&mut failed.file.reopen()?, &mut target)?;
			target.sync_all()?;
		}
		set_unfinished(None);
		Ok(())
	}
}

/// Returns whether the system says that no file may be made in a folder.
fn is_closed(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
	)
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
pub(crate) fn without_path(error: io::Error) -> io::Error {
	let text = error.to_string();
	match text.split_once(" at path ") {
		Some((reason, _)) => io::Error::new(error.kind(), reason),
		None => error,
	}
}

/// Says what is read from where, if that is a pipe or a device, which may keep its readers waiting.
pub(crate) fn announce(what: &str, path: &Path) {
	let found = fs::metadata(path).map(|found| found.file_type());
	if found.is_ok_and(|found| !found.is_file() && !found.is_dir()) {
		let path = path.display();
		// If nothing can be written, the program still reads.
		let _ = writeln!(
			stderr(),
			"Reading {what} from {path}, which is no regular file"
		);
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

/// Checks that this user has a home folder, if no folder for the chain's data is named: the framework would panic.
///
/// # Errors
///
/// Returns an error that names the option.
pub(crate) fn check_home(
	base_path: impl FnOnce() -> sc_cli::Result<Option<BasePath>>,
) -> sc_cli::Result<()> {
	if env::home_dir().is_none() && base_path()?.is_none() {
		return Err(sc_cli::Error::Input(
			"this user has no home folder, where the chain's data would be: give a folder with `--base-path`".into(),
		));
	}
	Ok(())
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

	/// One file is being written at a time, so tests that write one take turns.
	static TURN: Mutex<()> = Mutex::new(());

	#[test]
	fn a_file_in_a_folder_where_none_can_be_made_is_written_in_place() {
		let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("blocks");
		fs::write(&path, "old").unwrap();
		let closed = |mode| fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
		closed(0o500);
		// Permissions do not bind root.
		let is_bound = File::create(folder.path().join("another")).is_err();
		let new = NewFile::for_path(&path).map(|new| new.is_none());
		let missing = NewFile::for_path(&folder.path().join("new")).map(|_| ());
		closed(0o700);
		assert_eq!(new.unwrap(), is_bound);
		assert_eq!(missing.is_err(), is_bound);
		assert!(is_closed(&io::ErrorKind::ReadOnlyFilesystem.into()));
		assert!(!is_closed(&io::ErrorKind::StorageFull.into()));
	}

	#[test]
	fn a_file_that_a_signal_leaves_unfinished_is_removed() {
		let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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
