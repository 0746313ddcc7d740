// SPDX-License-Identifier: Apache-2.0
//! Files that are replaced in one step, so that neither a crash nor another program sees a part of one.

use isthmus_envelope::paths::ShowPath;
use isthmus_envelope::{input, on_disk};
use std::{
	fs::{self, File, Metadata},
	io::{self, ErrorKind, Read, Write},
	path::Path,
};
use tempfile::NamedTempFile;

/// Writes bytes to a file in place of what was there, behind links. Only this user may read it, also if others could read
/// the old one.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::InvalidInput`] if something is there that is not a regular file, and the error
/// of the file or of its folder.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let path = &on_disk::target(path)?;
	filled(path, bytes, &tempfile::Builder::new())?.persist(path)?;
	on_disk::sync_name(path)
}

/// Writes bytes to a new file. Only its owner may read it. A file of this name is there only when it is complete.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::AlreadyExists`] if something is there, and the error of the file or of its folder.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
	write_new(path, bytes, &tempfile::Builder::new())
}

/// Does the same as [`create`] with a file that other users may read, as far as this process's mask allows.
///
/// # Errors
///
/// Returns the errors of [`create`].
pub fn publish_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
	write_new(path, bytes, &readable())
}

/// Does the same as [`replace`] with a file that other users may read, as far as this process's mask allows. One that is
/// replaced keeps its permissions, and its owner if this user may give it to them.
///
/// # Errors
///
/// Returns the errors of [`replace`].
pub fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let path = &on_disk::target(path)?;
	let new = filled(path, bytes, &readable())?;
	if let Ok(old) = fs::metadata(path) {
		resemble(new.as_file(), &old)?;
	}
	new.persist(path)?;
	on_disk::sync_name(path)
}

/// Gives a new file the owner and the permissions of the one that it replaces. The file of another user is replaced by one of
/// this user, with the same permissions, but for those of a group that it cannot have.
#[cfg(unix)]
fn resemble(new: &File, old: &Metadata) -> io::Result<()> {
	use std::os::unix::fs::{fchown, MetadataExt};
	on_disk::resemble(new, old).or_else(|_| {
		// Another group has other users.
		let kept = match fchown(new, None, Some(old.gid())) {
			Ok(()) => 0o777,
			Err(_) => 0o707,
		};
		on_disk::set_mode(new, old.mode() & kept)
	})
}

/// Does nothing: this system has no such owners and permissions.
#[cfg(not(unix))]
fn resemble(_: &File, _: &Metadata) -> io::Result<()> {
	Ok(())
}

/// Returns what makes files that other users may read.
fn readable() -> tempfile::Builder<'static, 'static> {
	let mut builder = tempfile::Builder::new();
	#[cfg(unix)]
	builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
	builder
}

/// Writes bytes to a new file, and gives it a name that no other one has.
fn write_new(path: &Path, bytes: &[u8], builder: &tempfile::Builder) -> io::Result<()> {
	on_disk::persist_new(filled(path, bytes, builder)?.into_temp_path(), path)?;
	on_disk::sync_name(path)
}

/// Writes bytes to a temporary file in the folder of another one.
fn filled(path: &Path, bytes: &[u8], builder: &tempfile::Builder) -> io::Result<NamedTempFile> {
	let mut file = builder.tempfile_in(on_disk::folder(path))?;
	file.write_all(bytes)?;
	on_disk::sync(file.as_file())?;
	Ok(file)
}

/// Names a file in an error about it, if it is not named yet.
pub(crate) fn named(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
	move |error| {
		let (at, words) = (path.shown().to_string(), error.to_string());
		match words.starts_with(&at) {
			true => error,
			false => io::Error::new(error.kind(), format!("{at}: {words}")),
		}
	}
}

/// Reads a regular file of at most `longest` bytes; `None` if there is none.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
	let file = match input::open(path) {
		Err(error) if error.kind() == ErrorKind::NotFound => {
			on_disk::check_absent(path)?;
			return Ok(None);
		}
		file => file?,
	};
	let mut bytes = Vec::new();
	file.take(longest.saturating_add(1))
		.read_to_end(&mut bytes)?;
	match bytes.len() as u64 > longest {
		true => Err(io::Error::new(
			ErrorKind::InvalidData,
			"the file is too long",
		)),
		false => Ok(Some(bytes)),
	}
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::os::unix::fs::{symlink, PermissionsExt};

	#[test]
	fn others_read_what_is_published_and_nothing_else() {
		let folder = tempfile::tempdir().unwrap();
		let [private, public, plain] =
			["private", "public", "plain"].map(|name| folder.path().join(name));
		let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
		fs::write(&plain, b"").unwrap();
		replace(&private, b"1").unwrap();
		// Twice: what is replaced has the permissions, too.
		publish(&public, b"1").unwrap();
		publish(&public, b"2").unwrap();
		assert_eq!(mode(&private), 0o600);
		// The process's mask counts for what is published as for any other file.
		assert_eq!(mode(&public), mode(&plain) & 0o644);
		assert_eq!(fs::read(&public).unwrap(), b"2");
		// What others may read keeps the permissions that someone gave it, and a secret does not.
		for path in [&public, &private] {
			fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
		}
		publish(&public, b"3").unwrap();
		replace(&private, b"3").unwrap();
		assert_eq!([mode(&public), mode(&private)], [0o640, 0o600]);
		assert_eq!(fs::read(&public).unwrap(), b"3");
	}

	#[test]
	fn what_is_no_file_is_not_replaced_and_a_link_stays() {
		let folder = tempfile::tempdir().unwrap();
		let [socket, device, link, file] =
			["socket", "device", "link", "file"].map(|name| folder.path().join(name));
		let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
		symlink("/dev/null", &device).unwrap();
		symlink(&file, &link).unwrap();
		fs::write(&file, b"old").unwrap();
		for path in [&socket, &device] {
			let error = publish(path, b"new").unwrap_err();
			assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
			replace(path, b"new").unwrap_err();
		}
		assert!(fs::symlink_metadata(&device).unwrap().is_symlink());
		// What is new has a name of its own.
		for path in [&device, &link, &file] {
			let error = create(path, b"new").unwrap_err();
			assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{path:?}");
			publish_new(path, b"new").unwrap_err();
		}
		assert_eq!(fs::read(&file).unwrap(), b"old");
		publish(&link, b"new").unwrap();
		assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
		assert_eq!(fs::read(&file).unwrap(), b"new");
		fs::remove_file(&file).unwrap();
		for refused in [publish(&link, b"new"), read(&link, 9).map(drop)] {
			assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
		}
		assert!(!file.exists() && fs::symlink_metadata(&link).unwrap().is_symlink());
	}
}
