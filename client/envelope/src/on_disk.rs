// SPDX-License-Identifier: Apache-2.0
//! Replaces files on disk as people expect it: behind links, with the same owner and permissions, and so that
//! a crash leaves either the old or the new file. File systems that lack a part of what this needs, such as permissions, are
//! used as far as they go.

use crate::input;
use crate::paths::ShowPath;
use std::{
	fs::{self, File, Metadata},
	io::{self, ErrorKind, Write},
	path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, PathPersistError, TempPath};

/// Returns the path of the file that a path leads to, with all links resolved, so that replacing it keeps the
/// links. A path where nothing is leads to itself.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::InvalidInput`] if it leads to something that is not a regular file, or is a link that
/// leads to nothing, and the system's error if the links cannot be followed.
pub fn target(path: &Path) -> io::Result<PathBuf> {
	match fs::metadata(path) {
		Ok(there) if there.is_file() => fs::canonicalize(path),
		Ok(_) => Err(io::Error::new(
			ErrorKind::InvalidInput,
			"not a regular file, so it cannot be replaced",
		)),
		Err(error) if error.kind() == ErrorKind::NotFound => {
			check_absent(path)?;
			Ok(path.to_owned())
		}
		Err(error) => Err(error),
	}
}

/// Checks a path where no file was found. A link there names a file on a disk that is not there now: neither is that file to be
/// taken for missing, nor the link to be replaced.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::InvalidInput`] if the path is a link.
pub fn check_absent(path: &Path) -> io::Result<()> {
	match fs::read_link(path) {
		Ok(to) => Err(io::Error::new(
			ErrorKind::InvalidInput,
			format!(
				"a link to {}, which is not there, so nothing was written. Mount its disk, or remove the link",
				to.shown()
			),
		)),
		Err(_) => Ok(()),
	}
}

/// Gives a new file the owner and the permissions of the file that it is about to replace. It does not act for its owner or
/// group when it is executed (setuid), as after any other write.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::InvalidInput`] if the old one is not a regular file: the permissions of a link say
/// nothing. Returns the system's error, for example if the old file belongs to another user.
#[cfg(unix)]
pub fn resemble(new: &File, old: &Metadata) -> io::Result<()> {
	use std::os::unix::fs::{fchown, MetadataExt};
	if !old.is_file() {
		return Err(ErrorKind::InvalidInput.into());
	}
	let created = new.metadata()?;
	if (created.uid(), created.gid()) != (old.uid(), old.gid()) {
		fchown(new, Some(old.uid()), Some(old.gid()))?;
	}
	set_mode(new, old.mode() & 0o1777)
}

/// Sets the permissions of a file. File systems that have none are left alone, such as exFAT and some shares.
///
/// # Errors
///
/// Returns the system's error, for example if the file belongs to another user.
#[cfg(unix)]
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
	use std::os::unix::fs::{MetadataExt, PermissionsExt};
	let set = file.set_permissions(fs::Permissions::from_mode(mode));
	set.or_else(|error| {
		let is_own = || -> io::Result<bool> {
			Ok(file.metadata()?.uid() == rustix::process::geteuid().as_raw())
		};
		match error.kind() {
			ErrorKind::Unsupported => Ok(()),
			// Nothing else forbids a user to set the permissions of its own file.
			ErrorKind::PermissionDenied if is_own()? => Ok(()),
			_ => Err(error),
		}
	})
}

/// Makes a file executable by all who may read it, or by no one. If its owner may execute it, or may not, as wanted, nothing
/// changes.
///
/// # Errors
///
/// Returns the system's error, for example if the file belongs to another user.
#[cfg(unix)]
pub fn set_executable(file: &File, executable: bool) -> io::Result<()> {
	use std::os::unix::fs::PermissionsExt;
	let mode = file.metadata()?.permissions().mode();
	match ((mode & 0o100 != 0) == executable, executable) {
		(true, _) => Ok(()),
		(false, true) => set_mode(file, mode | 0o100 | (mode & 0o444) >> 2),
		(false, false) => set_mode(file, mode & !0o111),
	}
}

/// Does nothing: this system has no such permission.
///
/// # Errors
///
/// Never returns one.
#[cfg(not(unix))]
pub fn set_executable(_: &File, _: bool) -> io::Result<()> {
	Ok(())
}

/// Does nothing: this system has no such owners and permissions.
///
/// # Errors
///
/// Never returns one.
#[cfg(not(unix))]
pub fn resemble(_: &File, _: &Metadata) -> io::Result<()> {
	Ok(())
}

/// Returns the folder that a path is in.
pub fn folder(path: &Path) -> &Path {
	let folder = path.parent().filter(|at| !at.as_os_str().is_empty());
	folder.unwrap_or(Path::new("."))
}

/// Returns whether a path leads to a folder that was deleted, as the current one of a program may be: it has nothing in
/// it, and takes nothing.
#[cfg(unix)]
pub fn is_deleted(path: &Path) -> bool {
	use std::os::unix::fs::MetadataExt;
	// Not all file systems count the names of a folder.
	let is_without_name = fs::metadata(path).is_ok_and(|there| there.nlink() == 0);
	is_without_name && fs::canonicalize(path).is_err()
}

#[cfg(not(unix))]
pub fn is_deleted(_: &Path) -> bool {
	false
}

/// Opens the folder that a path is in. Returns `None` on systems where a folder cannot be opened as a file.
///
/// # Errors
///
/// Returns the system's error if it cannot be opened.
pub(crate) fn open_folder(path: &Path) -> io::Result<Option<File>> {
	if !cfg!(unix) {
		return Ok(None);
	}
	File::open(folder(path)).map(Some)
}

/// Waits until a file's new name is on disk. File systems that cannot do so for a folder are left alone.
///
/// # Errors
///
/// Returns the system's error if writing failed.
pub fn sync_name(path: &Path) -> io::Result<()> {
	match open_folder(path)? {
		Some(folder) => sync(&folder),
		None => Ok(()),
	}
}

/// Waits until a file or a folder is on disk. File systems that cannot do so are left alone.
///
/// # Errors
///
/// Returns the system's error if writing failed.
pub fn sync(file: &File) -> io::Result<()> {
	match file.sync_all() {
		Err(error) if cannot_sync(&error) => Ok(()),
		done => done,
	}
}

/// Returns whether a file system cannot wait until something is on disk.
pub fn cannot_sync(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		ErrorKind::InvalidInput | ErrorKind::Unsupported
	)
}

/// Gives a temporary file a name that nothing has. Where the file system can neither rename a file without replacing another one
/// nor give it a second name, as some in user space cannot (FUSE), an empty file takes the name first.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::AlreadyExists`] if something has the name, and otherwise the system's error. The
/// temporary file is in it.
pub fn persist_new(file: TempPath, path: &Path) -> Result<(), PathPersistError> {
	match file.persist_noclobber(path) {
		Err(refused) if is_unable(&refused.error) => persist_over_own(refused.path, path),
		done => done,
	}
}

/// Returns whether an error may be about how a file was to get its name, and not about the name.
fn is_unable(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		ErrorKind::Unsupported | ErrorKind::InvalidInput | ErrorKind::PermissionDenied
	)
}

/// Takes a name with an empty file, and renames a temporary file over that.
fn persist_over_own(file: TempPath, path: &Path) -> Result<(), PathPersistError> {
	match File::create_new(path) {
		Err(error) => Err(PathPersistError { error, path: file }),
		Ok(_) => file.persist(path).inspect_err(|_| {
			// The error of renaming is the one to report.
			let _ = fs::remove_file(path);
		}),
	}
}

/// Gives a complete file the name of another one, which it replaces. That may be on another file system, as below a folder in
/// which a disk is mounted.
///
/// # Errors
///
/// Returns the system's error. Then the file has still its old name.
pub fn move_over(from: &Path, to: &Path) -> io::Result<()> {
	match fs::rename(from, to) {
		Err(error) if error.kind() == ErrorKind::CrossesDevices => {
			copy_beside(from, to)?.persist(to)?;
			end_of_move(from, to)
		}
		done => done,
	}
}

/// Gives a complete file a name that nothing has. That may be on another file system.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::AlreadyExists`] if something has the name, and otherwise the system's error. Then the
/// file has still its old name.
pub fn move_new(from: &Path, to: &Path) -> io::Result<()> {
	let Err(refused) = persist_new(TempPath::try_from_path(from)?, to) else {
		return Ok(());
	};
	let PathPersistError { error, path } = refused;
	// The file is complete: keep it, so that it does not have to be fetched again.
	path.keep()?;
	match error.kind() {
		ErrorKind::CrossesDevices => {
			persist_new(copy_beside(from, to)?, to)?;
			end_of_move(from, to)
		}
		_ => Err(error),
	}
}

/// Copies a file to a temporary one in the folder of a path.
fn copy_beside(from: &Path, to: &Path) -> io::Result<TempPath> {
	let mut file = input::open(from)?;
	let mut copy = NamedTempFile::new_in(folder(to))?;
	io::copy(&mut file, copy.as_file_mut())?;
	// The file of another user is replaced by one that only this user can read.
	let _ = resemble(copy.as_file(), &file.metadata()?);
	sync(copy.as_file())?;
	Ok(copy.into_temp_path())
}

/// Removes a file that was copied.
fn end_of_move(from: &Path, to: &Path) -> io::Result<()> {
	sync_name(to)?;
	// The copy is there, so nothing is lost if the file stays.
	let _ = fs::remove_file(from);
	Ok(())
}

/// Writes to a temporary file, which only its owner may read unless it resembles an old one, and gives it its name when it
/// is complete. `persist` is what gives it the name. After a crash, either the old or the new file exists, complete.
pub(crate) fn write(
	path: &Path,
	old: Option<&Metadata>,
	contents: &[u8],
	persist: impl FnOnce(NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
	let file = NamedTempFile::new_in(folder(path))?;
	finish(file, path, old, contents, persist)
}

/// Replaces a file of which no earlier contents may be left behind: what an interrupted write left is removed first.
/// Only one program may do this at a time.
pub(crate) fn replace_alone(path: &Path, contents: &[u8]) -> io::Result<()> {
	let mut name = path.file_name().unwrap_or_default().to_owned();
	name.push(".new");
	match fs::remove_file(path.with_file_name(&name)) {
		Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
		_ => {}
	}
	let mut new = tempfile::Builder::new();
	let file = new.prefix(&name).rand_bytes(0).tempfile_in(folder(path))?;
	let old = fs::metadata(path).ok();
	finish(file, path, old.as_ref(), contents, |file| {
		file.persist(path)?;
		Ok(())
	})
}

/// Removes a file, unless there is none. When this returns, its name is gone from the disk, too.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
	match fs::remove_file(path) {
		Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
		Err(error) => Err(error),
		Ok(()) => sync_name(path),
	}
}

fn finish(
	mut file: NamedTempFile,
	path: &Path,
	old: Option<&Metadata>,
	contents: &[u8],
	persist: impl FnOnce(NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
	file.write_all(contents)?;
	if let Some(old) = old {
		resemble(file.as_file(), old)?;
	}
	sync(file.as_file())?;
	persist(file)?;
	// The new name has to be on disk, too, before anyone relies on the contents of the file.
	sync_name(path)
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::os::unix::fs::symlink;

	#[test]
	fn a_link_that_leads_to_nothing_is_not_a_file_that_is_missing() {
		let folder = tempfile::tempdir().unwrap();
		let [link, file] = ["link", "file"].map(|name| folder.path().join(name));
		assert_eq!(target(&link).unwrap(), link);
		symlink(&file, &link).unwrap();
		let refused = target(&link).unwrap_err();
		assert_eq!(refused.kind(), ErrorKind::InvalidInput);
		assert!(refused.to_string().contains("Mount its disk"), "{refused}");
		fs::write(&file, "").unwrap();
		assert_eq!(target(&link).unwrap(), fs::canonicalize(&file).unwrap());
	}

	#[test]
	fn a_file_resembles_files_only() {
		use std::os::unix::fs::PermissionsExt;
		let folder = tempfile::tempdir().unwrap();
		let [link, file] = ["link", "file"].map(|name| folder.path().join(name));
		fs::write(&file, "").unwrap();
		fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
		symlink(&file, &link).unwrap();
		let new = NamedTempFile::new_in(&folder).unwrap();
		let mode = || new.as_file().metadata().unwrap().permissions().mode() & 0o777;
		for old in [link.as_path(), folder.path()].map(fs::symlink_metadata) {
			let refused = resemble(new.as_file(), &old.unwrap()).unwrap_err();
			assert_eq!(refused.kind(), ErrorKind::InvalidInput);
			assert_eq!(mode(), 0o600);
		}
		resemble(new.as_file(), &fs::metadata(&link).unwrap()).unwrap();
		assert_eq!(mode(), 0o640);
	}

	/// Two file systems, if this machine has them: the system's error is the same as at a mount point.
	#[test]
	fn a_file_is_moved_to_another_file_system() {
		use std::os::unix::fs::PermissionsExt;
		let here = tempfile::tempdir().unwrap();
		let there =
			tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
		let (from, to) = (here.path().join("part"), there.path().join("file"));
		let part = |contents: &str, mode| {
			fs::write(&from, contents).unwrap();
			fs::set_permissions(&from, fs::Permissions::from_mode(mode)).unwrap();
		};
		part("new", 0o600);
		move_new(&from, &to).unwrap();
		assert!(!from.exists() && fs::read(&to).unwrap() == b"new");
		part("newer", 0o740);
		let refused = move_new(&from, &to).unwrap_err();
		assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
		assert_eq!(fs::read(&to).unwrap(), b"new");
		assert_eq!(fs::read(&from).unwrap(), b"newer");
		move_over(&from, &to).unwrap();
		assert!(!from.exists() && fs::read(&to).unwrap() == b"newer");
		assert_eq!(
			fs::metadata(&to).unwrap().permissions().mode() & 0o777,
			0o740
		);
		assert_eq!(fs::read_dir(&there).unwrap().count(), 1);
	}

	/// The part that a rename cannot do.
	#[test]
	fn a_copy_has_the_same_bytes_and_permissions() {
		use std::os::unix::fs::PermissionsExt;
		let folder = tempfile::tempdir().unwrap();
		let (from, to) = (folder.path().join("part"), folder.path().join("file"));
		fs::write(&from, "all of it").unwrap();
		fs::set_permissions(&from, fs::Permissions::from_mode(0o4750)).unwrap();
		let copy = copy_beside(&from, &to).unwrap();
		assert_eq!(fs::read(&copy).unwrap(), b"all of it");
		let mode = fs::metadata(&copy).unwrap().permissions().mode();
		assert_eq!(mode & 0o7777, 0o750);
	}

	#[test]
	fn a_name_is_taken_first_where_a_file_cannot_be_named_otherwise() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("file");
		let new = || {
			let mut file = NamedTempFile::new_in(&folder).unwrap();
			file.write_all(b"new").unwrap();
			file.into_temp_path()
		};
		for persist in [persist_over_own, persist_new] {
			persist(new(), &path).unwrap();
			assert_eq!(fs::read(&path).unwrap(), b"new");
			fs::write(&path, "old").unwrap();
			let refused = persist(new(), &path).unwrap_err();
			assert_eq!(refused.error.kind(), ErrorKind::AlreadyExists);
			assert_eq!(fs::read(&refused.path).unwrap(), b"new");
			assert_eq!(fs::read(&path).unwrap(), b"old");
			fs::remove_file(&path).unwrap();
		}
		assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
		for (number, unable) in [
			(1, true),
			(22, true),
			(38, true),
			(95, true),
			(17, false),
			(28, false),
		] {
			let error = io::Error::from_raw_os_error(number);
			assert_eq!(is_unable(&error), unable, "{error}");
		}
	}
}
