// SPDX-License-Identifier: Apache-2.0
//! Where `isthmus fetch` writes a record. What is there is looked at before anything is fetched.

use crate::{error::Error, text::operand};
use isthmus_sdk::{
	envelope::{key_file::KeyFile, on_disk::folder},
	FetchError,
};
use std::{
	fs::{self, FileType},
	io::{self, ErrorKind},
	path::{Path, PathBuf},
};

/// Where a record is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
	Stdout,
	/// A FIFO or a device, which is written to and stays.
	Through(PathBuf),
	/// A file, new or to be replaced.
	File(PathBuf),
}

impl Output {
	/// Returns where the path leads: `-` is stdout, and an existing folder gets a file of this name.
	///
	/// # Errors
	///
	/// Returns an error if a file exists there and `replace` is not set, if it is a key file, if its folder cannot be
	/// written to, and for things that no record is written to.
	pub(crate) fn at(path: PathBuf, name: Option<&Path>, replace: bool) -> Result<Self, Error> {
		if is_standard(&path, "-", "/dev/stdout") {
			return Ok(Self::Stdout);
		}
		let there = match fs::metadata(&path) {
			Ok(there) => there.file_type(),
			Err(error) if error.kind() == ErrorKind::NotFound => return Self::new(path),
			Err(error) => return Err(Error::file(&path, &error)),
		};
		if is_through(&path, there) {
			return Ok(Self::Through(path));
		}
		let shown = path.display();
		match there.is_file() {
			true if replace && KeyFile::read(&path).is_ok() => {
				Err(Error::failed(format!("{shown} is a key file"))
					.hint("a key file is never replaced: choose another --output"))
			}
			true if replace => Ok(Self::File(path)),
			true => Err(FetchError::Exists(path).into()),
			false if there.is_dir() => match name {
				Some(name) => Self::at(path.join(name), None, replace),
				None => Err(Error::failed(format!("{shown} is a folder")).hint(format!(
					"choose a file in it: --output {}",
					path.join("NAME").display()
				))),
			},
			false => Err(Error::failed(format!("{shown} is a {}", kind(there)))
				.hint("write the record to stdout with --output -, and pipe it into a program that can use it")),
		}
	}

	/// Returns the path of a file that does not exist.
	fn new(path: PathBuf) -> Result<Self, Error> {
		if fs::symlink_metadata(&path).is_ok() {
			let path = path.display();
			return Err(
				Error::failed(format!("{path} is a link that leads to nothing"))
					.hint("remove the link, or choose another --output"),
			);
		}
		check_folder(&path)?;
		Ok(Self::File(path))
	}
}

/// Returns whether a path stands for stdin or stdout.
pub(crate) fn is_standard(path: &Path, dash: &str, device: &str) -> bool {
	path.as_os_str() == dash || path == Path::new(device)
}

/// Returns whether a path names an open file of this program or its parent, as `<(...)` and `>(...)` of a shell do.
/// Its last part is a number, and no name.
pub(crate) fn is_open_file(path: &Path) -> bool {
	["/dev/fd", "/proc/self/fd"]
		.iter()
		.any(|folder| path.starts_with(folder))
}

/// Returns an error unless a file can be written at the path: one that exists, or a new one. `-` is stdout.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
	match is_standard(path, "-", "/dev/stdout") || path.exists() {
		true => Ok(()),
		false => check_folder(path),
	}
}

/// Returns an error unless a new file can be created at the path.
pub(crate) fn check_folder(path: &Path) -> Result<(), Error> {
	let folder = match names_folder(path) {
		true => path,
		false => folder(path),
	};
	match fs::metadata(folder) {
		Ok(there) if !there.is_dir() => {
			return Err(Error::failed(format!(
				"{} is not a folder",
				folder.display()
			)))
		}
		Err(error) if error.kind() == ErrorKind::NotFound => {
			let shown = folder.display();
			return Err(
				Error::failed(format!("the folder {shown} does not exist")).hint(format!(
					"create it: mkdir -p {}",
					operand(&folder.to_string_lossy())
				)),
			);
		}
		_ => {}
	}
	match tempfile::tempfile_in(folder) {
		Ok(_) => Ok(()),
		Err(error) => Err(Error::file(path, &error)),
	}
}

/// Returns whether a path can name a folder only, by how it ends: `a/`, `a/.` or `a/..`.
fn names_folder(path: &Path) -> bool {
	let path = path.as_os_str().as_encoded_bytes();
	let last = path.rsplit(|byte| *byte == b'/').next();
	matches!(last, Some(b"" | b"." | b".."))
}

/// Returns an error unless a path leads to a folder, or to nothing in a folder where one can be created.
pub(crate) fn check_is_folder(path: &Path) -> Result<(), Error> {
	let existing = path.ancestors().find(|at| fs::symlink_metadata(at).is_ok());
	let existing = existing.unwrap_or(Path::new("."));
	if !existing.is_dir() {
		return Err(FetchError::NotAFolder(existing.to_owned()).into());
	}
	match tempfile::tempfile_in(existing) {
		Ok(_) => Ok(()),
		// Nothing has to be written if all is there.
		Err(error) if existing == path && is_read_only(&error) => Ok(()),
		Err(error) => Err(Error::file(path, &error)),
	}
}

fn is_read_only(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
	)
}

#[cfg(unix)]
fn is_through(path: &Path, there: FileType) -> bool {
	use std::os::unix::fs::FileTypeExt;
	there.is_fifo() || there.is_char_device() || is_open_file(path)
}

#[cfg(not(unix))]
fn is_through(_: &Path, _: FileType) -> bool {
	false
}

/// Returns a word for what is neither a file nor a folder.
#[cfg(unix)]
pub(crate) fn kind(there: FileType) -> &'static str {
	use std::os::unix::fs::FileTypeExt;
	match there.is_socket() {
		true => "socket",
		false => "device",
	}
}

#[cfg(not(unix))]
pub(crate) fn kind(_: FileType) -> &'static str {
	"device"
}
