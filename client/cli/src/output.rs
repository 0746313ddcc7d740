// SPDX-License-Identifier: Apache-2.0
//! Where `isthmus fetch` writes a record. What is there is looked at before anything is fetched.

use crate::{
	error::{missing_hint, os, Error},
	secret::is_key_file,
	stderr::tell,
	tip::{quoted_path, Tip},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::{
		erasable::{has_keys, LABEL},
		input::{self, PATIENCE},
		on_disk::{self, folder},
	},
	FetchError,
};
use isthmus_streams::Stream;
use rustix::{
	event::{poll, PollFd, PollFlags, Timespec},
	fs::{fcntl_getfl, fcntl_setfl, OFlags},
	io::Errno,
};
use std::{
	fs::{self, File, FileType, OpenOptions},
	io::{self, ErrorKind, IsTerminal, Read},
	os::{
		fd::OwnedFd,
		unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
	},
	path::{Path, PathBuf},
	thread,
	time::{Duration, Instant},
};

/// Where a record is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
	Stdout,
	/// A FIFO, a device or an open file of this program, which is written to and stays.
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
		if is_stdout(&path) {
			return Ok(Self::Stdout);
		}
		if open_file(&path) == Some(STDERR) && Stream::Stderr.was_closed() {
			return Err(Error::failed(
				"cannot write to stderr: it is closed, or open for reading only",
			));
		}
		if open_file(&path).is_some_and(is_input) {
			let shown = path.shown();
			return Err(
				Error::failed(format!("{shown} is open for reading only")).hint(
					"open it for writing in the shell, as by 3> FILE, or choose another --output",
				),
			);
		}
		let there = match fs::metadata(&path) {
			Ok(there) => there.file_type(),
			Err(error) if error.kind() == ErrorKind::NotFound && is_open_file(&path) => {
				let shown = path.shown();
				return Err(Error::failed(format!("{shown} is not open"))
					.hint("open it in the shell, as by 3> FILE, or choose another --output"));
			}
			Err(error) if error.kind() == ErrorKind::NotFound => return Self::new(path),
			Err(error) => return Err(Error::file(&path, &error)),
		};
		if is_through(&path, there) {
			return Ok(Self::Through(path));
		}
		let shown = path.shown();
		match there.is_file() {
			true if replace && (is_key_file(&path) || has_erasable_keys(&path)) => {
				Err(Error::failed(format!("{shown} is a key file"))
					.hint("a key file is never replaced: choose another --output"))
			}
			true if replace => {
				check_replaceable(&path)?;
				Ok(Self::File(path))
			}
			true => Err(FetchError::Exists(path).into()),
			false if there.is_dir() => match name {
				Some(name) => Self::at(path.join(name), None, replace),
				None => Err(Error::failed(format!("{shown} is a folder")).hint(format!(
					"choose a file in it: --output {}",
					quoted_path(path.join("NAME"))
				))),
			},
			false => Err(Error::failed(format!("{shown} is a {}", kind(there)))
				.hint("write the record to stdout with --output -, and pipe it into a program that can use it")),
		}
	}

	/// Returns the path of a file that does not exist.
	fn new(path: PathBuf) -> Result<Self, Error> {
		if fs::symlink_metadata(&path).is_ok() {
			let path = path.shown();
			return Err(
				Error::failed(format!("{path} is a link that leads to nothing"))
					.hint("remove the link, or choose another --output"),
			);
		}
		check_folder(&path)?;
		Ok(Self::File(path))
	}
}

/// Returns whether a file holds erasable keys, which nothing brings back.
fn has_erasable_keys(path: &Path) -> bool {
	let mut start = [0; LABEL.len()];
	let read = input::open(path).and_then(|mut file| file.read_exact(&mut start));
	read.is_ok() && has_keys(&start)
}

/// The names of a program's first open files, in the order of their numbers.
const STANDARD: [&str; 3] = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];
/// Where the others are, by their numbers.
const OPEN_FILES: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Returns whether a path stands for stdin.
pub(crate) fn is_stdin(path: &Path) -> bool {
	path.as_os_str() == "-" || open_file(path) == Some(STDIN)
}

/// Returns whether a path stands for stdout.
pub(crate) fn is_stdout(path: &Path) -> bool {
	path.as_os_str() == "-" || open_file(path) == Some(STDOUT)
}

/// Returns whether a path names an open file of this program or its parent, as `<(...)` and `>(...)` of a shell do.
/// No one gave it that name.
pub(crate) fn is_open_file(path: &Path) -> bool {
	open_file(path).is_some()
}

/// Returns the number of the open file that a path names.
fn open_file(path: &Path) -> Option<u32> {
	let mut standard = (0..).zip(STANDARD);
	if let Some((number, _)) = standard.find(|(_, name)| path == Path::new(name)) {
		return Some(number);
	}
	let mut folders = OPEN_FILES.iter();
	let number = folders.find_map(|folder| path.strip_prefix(folder).ok())?;
	number.to_str()?.parse().ok()
}

/// Returns whether an open file of this program is open for reading only. By its name in `/dev/fd`, it would be opened again, and
/// written to. Returns `false` where the system does not say.
fn is_input(number: u32) -> bool {
	let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"));
	info.is_ok_and(|info| access_mode(&info) == Some(0))
}

/// Returns how a file is open, from what Linux says of it: 0 for reading, 1 for writing, 2 for both.
fn access_mode(info: &str) -> Option<u32> {
	let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
	Some(u32::from_str_radix(flags.trim(), 8).ok()? & 3)
}

/// Opens what is written to and stays.
pub(crate) fn open_through(path: &Path) -> io::Result<File> {
	// It may be a socket, which has no other name.
	#[cfg(unix)]
	if open_file(path) == Some(STDERR) {
		let stderr = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned();
		return Ok(stderr?.into());
	}
	// An open file is opened again, at its start, and what it has stays.
	let mut options = File::options();
	options.write(true).append(is_open_file(path));
	open_with_reader(path, &mut options)
}

/// Opens what is written to. A FIFO opens when another program reads from it: if none does for some seconds, this is said.
fn open_with_reader(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
	/// How often a FIFO is tried.
	const RETRY: Duration = Duration::from_millis(20);
	let start = Instant::now();
	loop {
		let flags = OFlags::NONBLOCK.bits() as i32;
		match options.clone().custom_flags(flags).open(path) {
			Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
				if !fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo()) {
					return Err(error);
				}
			}
			opened => {
				let file = opened?;
				fcntl_setfl(&file, fcntl_getfl(&file)?.difference(OFlags::NONBLOCK))?;
				return Ok(file);
			}
		}
		if start.elapsed() >= PATIENCE {
			tell(format_args!(
				"waiting for a program that reads from {}, which is a FIFO, for {} s",
				path.shown(),
				start.elapsed().as_secs()
			));
			return options.open(path);
		}
		thread::sleep(RETRY);
	}
}

/// Returns whether what is written to and stays is a terminal.
pub(crate) fn is_terminal(path: &Path) -> bool {
	// A FIFO would wait for its reader.
	let is_device = fs::metadata(path).is_ok_and(|there| is_device(there.file_type()));
	is_device && open_through(path).is_ok_and(|file| file.is_terminal())
}

/// Returns an error unless a file can be written at the path: one that exists, or a new one. `-` is stdout.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
	match is_stdout(path) || path.exists() {
		true => Ok(()),
		false => check_folder(path),
	}
}

/// Returns an error unless a new file can be created at the path. What is not written to stdout is not written to a file that is
/// called `-` either.
pub(crate) fn check_folder(path: &Path) -> Result<(), Error> {
	check_not_stdout(path)?;
	let folder = match names_folder(path) {
		true => path,
		false => folder(path),
	};
	match fs::metadata(folder) {
		Ok(_) if on_disk::is_deleted(folder) => return Err(Error::deleted(folder)),
		Ok(there) if !there.is_dir() => {
			return Err(Error::failed(format!("{} is not a folder", folder.shown())))
		}
		Err(error) if error.kind() == ErrorKind::NotFound => {
			let missing = Error::failed(format!("the folder {} does not exist", folder.shown()));
			return Err(match missing_hint(folder) {
				Some(hint) => missing.hint(hint),
				None => missing.hint(format!("create it: {}", Tip::new("mkdir -p").path(folder))),
			});
		}
		_ => {}
	}
	match tempfile::tempfile_in(folder) {
		Ok(_) => Ok(()),
		Err(error) => Err(not_created(path, folder, &error)),
	}
}

/// Returns the error of something new that cannot be in a folder. If this user may write nothing there, the folder is named.
fn not_created(path: &Path, folder: &Path, error: &io::Error) -> Error {
	if !is_read_only(error) {
		return Error::file(path, error);
	}
	let (shown, folder, reason) = (path.shown(), folder.shown(), os(error));
	Error::failed(format!(
		"{shown}: no file can be created in the folder {folder}: {reason}"
	))
	.hint("choose a path in a folder that this user may write to")
}

/// Returns an error unless an output can be replaced by a new file beside it.
fn check_replaceable(path: &Path) -> Result<(), Error> {
	let write_into = format!(
		"write into the file as it is: --output - > {}",
		quoted_path(path)
	);
	check_can_replace(path, &write_into)
}

/// Returns an error with this hint unless a file can be replaced by a new one beside it.
pub(crate) fn check_can_replace(path: &Path, hint: &str) -> Result<(), Error> {
	let target = on_disk::target(path).map_err(|error| Error::file(path, &error))?;
	if is_mounted(&target) {
		let shown = path.shown();
		return Err(Error::failed(format!(
			"{shown} is mounted alone, so it cannot be replaced"
		))
		.hint(hint));
	}
	let folder = folder(&target);
	match tempfile::tempfile_in(folder) {
		Err(error) if is_read_only(&error) => {
			let (shown, folder) = (path.shown(), folder.shown());
			let reason = os(&error);
			Err(Error::failed(format!(
				"{shown} cannot be replaced, because no file can be created in {folder}: {reason}"
			))
			.hint(hint))
		}
		Err(error) => Err(Error::file(path, &error)),
		Ok(_) if is_for_owners(&target, folder) => {
			let (shown, folder) = (path.shown(), folder.shown());
			Err(Error::failed(format!(
				"{shown} cannot be replaced: it belongs to another user, and {folder} lets only owners replace files"
			))
			.hint(hint))
		}
		Ok(_) => Ok(()),
	}
}

/// Returns whether this user may not replace a file of another one, because of what its folder is, such as `/tmp`.
fn is_for_owners(file: &Path, folder: &Path) -> bool {
	let (Ok(file), Ok(folder)) = (fs::metadata(file), fs::metadata(folder)) else {
		return false;
	};
	let user = rustix::process::geteuid().as_raw();
	is_kept(folder.mode(), [file.uid(), folder.uid()], user)
}

/// Returns whether a folder's mode keeps a file from all but the owners of the file and the folder, and the superuser.
fn is_kept(mode: u32, owners: [u32; 2], user: u32) -> bool {
	const STICKY: u32 = 0o1000;
	mode & STICKY != 0 && user != 0 && !owners.contains(&user)
}

/// Returns whether a file is mounted itself, as one that a container is given.
#[cfg(target_os = "linux")]
fn is_mounted(path: &Path) -> bool {
	use rustix::fs::{statx, AtFlags, StatxAttributes, StatxFlags, CWD};
	let there = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
	there.is_ok_and(|there| there.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Returns whether a file is mounted itself: this system does not say.
#[cfg(not(target_os = "linux"))]
fn is_mounted(_: &Path) -> bool {
	false
}

/// Returns an error if a path is `-`, which stands for stdout elsewhere.
pub(crate) fn check_not_stdout(path: &Path) -> Result<(), Error> {
	match path.as_os_str() == "-" {
		true => Err(
			Error::usage("this is not written to stdout, for which - stands")
				.hint("choose another path; ./- is one with this name"),
		),
		false => Ok(()),
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
	check_not_stdout(path)?;
	let existing = path.ancestors().find(|at| fs::symlink_metadata(at).is_ok());
	let existing = existing.unwrap_or(Path::new("."));
	if !existing.is_dir() {
		return Err(FetchError::NotAFolder(existing.to_owned()).into());
	}
	if on_disk::is_deleted(existing) {
		return Err(Error::deleted(existing));
	}
	match tempfile::tempfile_in(existing) {
		Ok(_) => Ok(()),
		// Nothing has to be written if all is there.
		Err(error) if existing == path && is_read_only(&error) => Ok(()),
		Err(error) => Err(not_created(path, existing, &error)),
	}
}

fn is_read_only(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
	)
}

fn is_through(path: &Path, there: FileType) -> bool {
	there.is_fifo() || is_device(there) || is_open_file(path)
}

/// Returns whether something is written to byte by byte, such as a terminal.
fn is_device(there: FileType) -> bool {
	there.is_char_device()
}

/// Returns a word for what is neither a file nor a folder.
pub(crate) fn kind(there: FileType) -> &'static str {
	input::kind(there).unwrap_or("device")
}

/// Returns when no one reads any more what is written to a pipe or a socket: that is noticed although nothing is written. Never
/// returns for anything else.
pub(crate) async fn closed(out: OwnedFd) {
	/// How often the other end is looked at.
	const LOOK: Duration = Duration::from_millis(500);
	while !is_closed(&out) {
		tokio::time::sleep(LOOK).await;
	}
}

fn is_closed(out: &OwnedFd) -> bool {
	let mut seen = [PollFd::new(out, PollFlags::empty())];
	let looked = poll(&mut seen, Some(&Timespec::default()));
	let gone = PollFlags::ERR | PollFlags::HUP;
	looked.is_ok() && seen[0].revents().intersects(gone)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_open_file_has_several_names() {
		for (path, number) in [
			("/dev/stdin", Some(0)),
			("/dev/stdout", Some(1)),
			("/dev/stderr", Some(2)),
			("/dev/fd/0", Some(0)),
			("/proc/self/fd/1", Some(1)),
			("/dev//fd/./2", Some(2)),
			("/dev/fd/63", Some(63)),
			("/dev/fd", None),
			("/dev/fd/", None),
			("/dev/fd/one", None),
			("/dev/fd/1/2", None),
			("/dev/null", None),
			("dev/fd/1", None),
			("-", None),
		] {
			assert_eq!(open_file(Path::new(path)), number, "{path}");
		}
		let [stdin, stdout] = ["/dev/fd/0", "/dev/fd/1"].map(Path::new);
		assert!(is_stdin(stdin) && !is_stdout(stdin));
		assert!(is_stdout(stdout) && !is_stdin(stdout));
		assert!(is_stdin(Path::new("-")) && is_stdout(Path::new("-")));
		assert!(!is_terminal(Path::new("/dev/null")));
	}

	#[test]
	fn a_file_is_replaced_only_where_a_new_one_can_be_beside_it() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("file");
		fs::write(&path, "").unwrap();
		check_replaceable(&path).unwrap();
		assert!(!is_mounted(&path));
		// No one can create a file there.
		#[cfg(target_os = "linux")]
		assert!(check_replaceable(Path::new("/proc/self/comm")).is_err());
	}

	#[test]
	fn a_folder_that_takes_no_file_is_named() {
		let (path, folder) = (Path::new("a/key"), Path::new("a"));
		for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
			let refused = not_created(path, folder, &kind.into());
			let begin = "a/key: no file can be created in the folder a: ";
			assert!(refused.message().starts_with(begin), "{refused:?}");
			assert!(refused.shown_hint().is_some());
		}
		let full = not_created(path, folder, &ErrorKind::StorageFull.into());
		assert!(full.message().starts_with("a/key: "), "{full:?}");
		assert!(!full.message().contains("folder"), "{full:?}");
	}

	#[test]
	fn in_a_folder_for_owners_others_replace_nothing() {
		for (mode, owners, user, kept) in [
			(0o41777, [0, 0], 1000, true),
			(0o41777, [1000, 0], 1000, false),
			(0o41777, [0, 1000], 1000, false),
			(0o41777, [1000, 1000], 0, false),
			(0o40777, [0, 0], 1000, false),
		] {
			assert_eq!(
				is_kept(mode, owners, user),
				kept,
				"{mode:o} {owners:?} {user}"
			);
		}
	}

	#[tokio::test]
	async fn a_reader_that_is_gone_is_noticed_before_anything_is_written() {
		let (read, write) = io::pipe().unwrap();
		let closed = closed(write.into());
		tokio::pin!(closed);
		let first = tokio::time::timeout(Duration::from_millis(1), &mut closed);
		assert!(first.await.is_err());
		drop(read);
		let then = tokio::time::timeout(Duration::from_secs(60), closed);
		then.await.unwrap();
	}

	#[test]
	fn how_a_file_is_open_is_what_linux_says() {
		let mode = |flags: &str| access_mode(&format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n"));
		assert_eq!(mode("0100000"), Some(0));
		assert_eq!(mode("02100001"), Some(1));
		assert_eq!(mode("0102002"), Some(2));
		assert_eq!(mode("8"), None);
		assert_eq!(access_mode(""), None);
	}
}
