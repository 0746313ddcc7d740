// SPDX-License-Identifier: Apache-2.0
//! Fetches a record into a file.
//!
//! The value is first written to the file `OUT.isthmus-HASH`, the *part*, which is renamed to `OUT` when it is
//! complete. An interrupted download leaves the part behind, and the next download resumes it. If the name of
//! the part would be too long, `OUT` is cut short in it.

use crate::{
	error::Error,
	folder::{self, FolderError},
	lock::{self, is_own},
	overlap,
	progress::{Progress, Stage, Telling},
	reading::Reading,
	types::{Payload, QueryRefusal},
	wait::Wait,
};
use isthmus_envelope::{input, lock_file::LockFile, on_disk, paths::ShowPath};
use isthmus_objects::{Left, ReadError};
use std::{
	ffi::OsString,
	fs::{self, File, OpenOptions},
	io::{self, ErrorKind, Seek, SeekFrom},
	path::{Path, PathBuf},
	time::Duration,
};

/// Why a record or a folder cannot be fetched to disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
	/// The file to be written already exists.
	#[error("{} already exists", .0.shown())]
	Exists(PathBuf),
	/// A file of a folder exists and differs from its record.
	#[error("{} already exists and differs", .0.shown())]
	Differs(PathBuf),
	/// The partial file is not a regular file of this user.
	#[error("{} is a link, or belongs to another user: nothing is written to it", .0.shown())]
	Foreign(PathBuf),
	/// A file of a folder has a name that this system cannot have.
	#[error("{0:?} is not a path on this system")]
	Name(String),
	/// Something other than a regular file is where the output needs one.
	#[error("{} is not a regular file", .0.shown())]
	NotAFile(PathBuf),
	/// A path where the output needs a folder is not a folder.
	#[error("{} is not a folder", .0.shown())]
	NotAFolder(PathBuf),
	/// Reading or writing a local file failed.
	#[error("{}: {source}", path.shown())]
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
	/// What the folder has at a path is a folder.
	#[error("{0:?} is a folder of the folder, not a file")]
	IsAFolder(String),
	/// A file's record does not have the contents in the folder's list: another file was stored under its key.
	#[error("{} is not the file that the folder's list names", .0.shown())]
	NotListed(PathBuf),
	/// A file's record does not have the length in the folder's list.
	#[error("the length of {0} differs from the one in the folder's list")]
	WrongLength(String),
	/// A file of a folder is in a record that is compressed. No program stores folders so: few bytes could become very many.
	#[error("{0} is in a compressed record, which a folder's files are not")]
	CompressedFile(String),
	/// The record is compressed, and there is no space for its value.
	#[error("{} does not fit: the value has {length} more bytes, and {free} are free", path.shown())]
	NoSpace {
		/// The file to be written.
		path: PathBuf,
		/// How many bytes of the value are missing there.
		length: u64,
		/// How many bytes are free.
		free: u64,
	},
	/// The files of a folder share bytes, and there is no space for all the copies.
	#[error("the folder is mostly copies and does not fit: {fetched} bytes would become {length}, and {free} are free")]
	TooManyCopies {
		/// The length of the files in bytes.
		length: u64,
		/// How many bytes they are made of.
		fetched: u64,
		/// How many bytes are free, as far as is known.
		free: u64,
	},
	/// Some files of a folder were not fetched. All others are there.
	#[error("{} of {files} files were not fetched", number(.failed))]
	Incomplete {
		/// Those that were not, in groups of the same reason.
		failed: Vec<NotFetched>,
		/// How many files there are.
		files: usize,
	},
	/// The folder has no file at a path.
	#[error("the folder has no file {0:?}")]
	NoSuchFile(String),
	/// A file of a folder cannot be read from the chain.
	#[error("{path}: {source}")]
	File {
		/// The file's path in the folder.
		path: String,
		/// Why it failed.
		source: Error,
	},
	/// The chain, the node or the connection caused the failure.
	#[error(transparent)]
	Client(#[from] Error),
}

/// Files of a folder that were not fetched, all for the same reason.
#[derive(Debug)]
pub struct NotFetched {
	/// Their paths in the folder.
	pub paths: Vec<String>,
	/// Why they were not fetched.
	pub error: FetchError,
}

fn number(failed: &[NotFetched]) -> usize {
	failed.iter().map(|failed| failed.paths.len()).sum()
}

impl FetchError {
	/// Returns whether an error is about one file of a folder, so that others may well be fetched. A lost connection, a full
	/// disk, a missing grant and a store that cannot be used would stop all of them.
	pub(crate) fn is_of_file(&self) -> bool {
		match self {
			Self::Exists(_)
			| Self::Differs(_)
			| Self::Foreign(_)
			| Self::Name(_)
			| Self::NotAFile(_)
			| Self::NotAFolder(_)
			| Self::NotListed(_)
			| Self::WrongLength(_)
			| Self::CompressedFile(_) => true,
			Self::Io { source, .. } => is_of_name(source),
			Self::File { source, .. } | Self::Client(source) => is_of_record(source),
			_ => false,
		}
	}

	/// Returns whether an error may be about some bytes of an object, so that others of them can be read. They are not asked for
	/// while a location does not answer, because each attempt would wait for it again.
	pub(crate) fn is_of_bytes(&self) -> bool {
		let left = self.left();
		left.iter().any(|left| left.failure.is_of_bytes())
			&& !left.iter().any(|left| left.failure.is_passing())
	}

	/// Returns whether the locations lack an object, or have something else.
	pub fn is_of_object(&self) -> bool {
		match self {
			Self::Incomplete { failed, .. } => {
				failed.iter().any(|failed| failed.error.is_of_object())
			}
			error => error.left().iter().any(|left| left.failure.is_of_object()),
		}
	}

	/// Returns the locations that an object could not be read from.
	fn left(&self) -> &[Left] {
		match self {
			Self::File { source, .. } | Self::Client(source) => left(source),
			_ => &[],
		}
	}

	/// Names the file of a folder that an error is about. A lost connection is about no file.
	pub(crate) fn of_file(path: &str) -> impl FnOnce(Error) -> Self + '_ {
		move |source| match source.is_connection() {
			true => source.into(),
			false => Self::File {
				path: path.to_owned(),
				source,
			},
		}
	}

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

impl Error {
	/// Returns whether the locations lack an object, or have something else.
	pub fn is_of_object(&self) -> bool {
		left(self).iter().any(|left| left.failure.is_of_object())
	}
}

/// Returns the locations that an object could not be read from.
fn left(error: &Error) -> &[Left] {
	match error {
		Error::Object(ReadError::NoneLeft(left)) => left,
		_ => &[],
	}
}

/// Returns whether an error is about one record, so that others may well be read.
fn is_of_record(error: &Error) -> bool {
	if let Some(refusal) = error.query_refusal() {
		return matches!(
			refusal,
			QueryRefusal::UnknownRecord
				| QueryRefusal::OutOfRange
				| QueryRefusal::Incomplete
				| QueryRefusal::Embargoed
		);
	}
	match error {
		Error::Object(ReadError::Compressed(_)) => true,
		Error::Object(_) => left(error).iter().any(|left| left.failure.is_of_object()),
		Error::Io(error) => is_of_name(error),
		Error::WrongContent(_)
		| Error::Malformed { .. }
		| Error::Record(_)
		| Error::Grant(_)
		| Error::Range(_)
		| Error::Key(_)
		| Error::Erasable(_) => true,
		error => error.lacks_bytes(),
	}
}

/// Returns whether an error is about the file's own name and place. Others, for example a fault of the disk or too many open
/// files, would stop the next file, too.
fn is_of_name(error: &io::Error) -> bool {
	use ErrorKind::*;
	matches!(
		error.kind(),
		NotFound
			| PermissionDenied
			| AlreadyExists
			| NotADirectory
			| IsADirectory
			| InvalidFilename
			| InvalidInput
			| DirectoryNotEmpty
			| FileTooLarge
			| ExecutableFileBusy
			| ResourceBusy
	)
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
	/// The folder for the part, unless it is the output's.
	folder: Option<&'a Path>,
	/// `None` if a file that is replaced keeps this, too.
	executable: Option<bool>,
	replace: bool,
	/// The hash that the value must have.
	hash: Option<[u8; 32]>,
}

impl<'a> FetchFile<'a> {
	/// Prepares to fetch a record into a new file, which only this user can read.
	pub fn new(reading: &'a Reading, output: &'a Path) -> Self {
		Self {
			reading,
			output,
			folder: None,
			executable: None,
			replace: false,
			hash: None,
		}
	}

	/// Writes the part in another folder. Deep inside a folder, the longer name of the part could make its path too
	/// long. On another file system, the complete part is copied.
	pub fn part_in(self, folder: &'a Path) -> Self {
		Self {
			folder: Some(folder),
			..self
		}
	}

	/// Makes the file executable, or not, if the system has such a permission. Otherwise a new file is not, and one that is
	/// replaced stays as it is.
	pub fn executable(self, executable: bool) -> Self {
		Self {
			executable: Some(executable),
			..self
		}
	}

	/// Refuses a value that does not have this [hash](folder::content_hash).
	pub fn expecting(self, hash: [u8; 32]) -> Self {
		Self {
			hash: Some(hash),
			..self
		}
	}

	/// Replaces the file if it exists, and keeps its owner and permissions. If the output is a link, the file that
	/// it leads to is replaced, and the link stays.
	pub fn replace(self, replace: bool) -> Self {
		Self { replace, ..self }
	}

	/// Fetches the record, resuming an interrupted download. If another program fetches the same record to
	/// the same folder, waits until it has ended. If this fails and cannot be resumed, or if the output is there
	/// by then, the part is removed.
	///
	/// # Errors
	///
	/// Returns [`FetchError::Exists`] if the file exists and may not be replaced, [`FetchError::NotAFile`] if it is not a
	/// regular file, [`FetchError::Foreign`] if the part could be seen or written by another user, and the errors of
	/// [`Reading::run`]. The first two come before anything is fetched, and so does [`Error::Overlap`] if the output is in
	/// a location of the dataset's objects.
	pub async fn run(self, progress: &mut impl Progress) -> Result<(), FetchError> {
		let output = &target(self.output, self.replace)?;
		if self.folder.is_none() {
			let locations = self.reading.locations();
			overlap::check_file(output, &locations).map_err(Error::from)?;
		}
		let folder = self.folder.unwrap_or(on_disk::folder(output));
		let path = &folder.join(part_name(output, &self.reading.content_hash()));
		let client = self.reading.client();
		let unlocked = || client.tell_no_turns(lock::why_not("", Some(path)));
		let part = lock_part(path, self.executable == Some(true), unlocked);
		let mut file = client
			.patiently_locked(Wait::OtherFetch, Some(path), part)
			.await
			.map_err(|error| error.of(output))?;
		let fetched = self.fetch(&mut file, path, output, progress).await;
		let is_whole = matches!(self.reading.answer().payload, Payload::Value { .. });
		let is_empty = || file.metadata().is_ok_and(|part| part.len() == 0);
		// Another program has written the output meanwhile.
		let is_late = matches!(
			fetched,
			Err(FetchError::Exists(_) | FetchError::NotAFile(_))
		);
		if fetched.is_err() && (is_whole || is_late || is_empty()) {
			// The part is of no use. The error of fetching it is the one to report.
			let _ = fs::remove_file(path);
		}
		fetched.map_err(|error| error.of(output))
	}

	/// Fetches the record into the part, and renames that.
	async fn fetch(
		&self,
		file: &mut File,
		path: &Path,
		output: &Path,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		// Another download may have completed the output while this one waited for it.
		target(self.output, self.replace)?;
		let intact = self.reading.check(file, progress).await?;
		file.set_len(intact.bytes)
			.and_then(|()| file.seek(SeekFrom::Start(intact.bytes)))
			.map_err(FetchError::io(path))?;
		if self.reading.is_compressed() {
			// A few bytes may become very many.
			let length = self.reading.length().saturating_sub(intact.bytes);
			check_space(output, length, free_space(on_disk::folder(path)))?;
		}
		self.reading.run(file, intact.chunks, progress).await?;
		if let Some(expected) = self.hash {
			file.rewind().map_err(FetchError::io(path))?;
			let length = self.reading.length();
			let telling = Telling::new(&*file, Stage::Checking, length, progress);
			if folder::content_hash(telling).map_err(FetchError::io(path))? != expected {
				// Nothing of it is of use.
				file.set_len(0).map_err(FetchError::io(path))?;
				return Err(FetchError::NotListed(output.to_owned()));
			}
		}
		if let Some(old) = fs::metadata(output).ok().filter(|_| self.replace) {
			// The file of another user is replaced by one that only this user can read.
			let _ = on_disk::resemble(file, &old);
			if let Some(executable) = self.executable {
				on_disk::set_executable(file, executable).map_err(FetchError::io(path))?;
			}
		}
		on_disk::sync(file).map_err(FetchError::io(path))?;
		let renamed = match self.replace {
			true => on_disk::move_over(path, output),
			false => on_disk::move_new(path, output),
		};
		renamed.map_err(|error| match error.kind() {
			ErrorKind::AlreadyExists => FetchError::Exists(output.to_owned()),
			_ => FetchError::io(output)(error),
		})?;
		on_disk::sync_name(output).map_err(FetchError::io(output))
	}
}

/// Returns the path to write, behind links if the file is replaced.
///
/// # Errors
///
/// Returns [`FetchError::Exists`] if something is there and may not be replaced, and [`FetchError::NotAFile`] if it is not a
/// regular file, or a link that leads to nothing.
pub(crate) fn target(output: &Path, replace: bool) -> Result<PathBuf, FetchError> {
	if !replace {
		return match fs::symlink_metadata(output) {
			Ok(_) => Err(FetchError::Exists(output.to_owned())),
			Err(_) => Ok(output.to_owned()),
		};
	}
	on_disk::target(output).map_err(|error| match error.kind() {
		ErrorKind::InvalidInput => FetchError::NotAFile(output.to_owned()),
		_ => FetchError::io(output)(error),
	})
}

/// Checks that bytes fit into the free space, if the system says how much that is.
fn check_space(output: &Path, length: u64, free: Option<u64>) -> Result<(), FetchError> {
	match free.filter(|free| length > *free) {
		None => Ok(()),
		Some(free) => Err(FetchError::NoSpace {
			path: output.to_owned(),
			length,
			free,
		}),
	}
}

/// Returns how many bytes this user may still write in a folder; `None` if the system does not say: a file system in memory
/// (ramfs), or one of a program (FUSE), may have no length at all.
#[cfg(unix)]
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
	let system = rustix::fs::statvfs(folder).ok()?;
	(system.f_blocks > 0).then(|| system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
pub(crate) fn free_space(_: &Path) -> Option<u64> {
	None
}

/// Opens and locks the part, so that no other program writes to it. Calls `unlocked` if it cannot be locked.
pub(crate) async fn lock_part(
	path: &Path,
	executable: bool,
	unlocked: impl FnOnce(),
) -> Result<LockFile, FetchError> {
	loop {
		let file = LockFile::from(open(path, executable)?);
		let is_locked = lock::take(&file, Duration::MAX).await;
		// While this program waited, the other one may have renamed the part. A file system without locks
		// does not stop a download.
		if !is_locked {
			unlocked();
			return Ok(file);
		}
		match is_own(&file, path) {
			Ok(true) => return Ok(file),
			Err(error) if error.kind() != ErrorKind::NotFound => {
				// The folder has no room for another file: leave none.
				if file.metadata().is_ok_and(|part| part.len() == 0) {
					let _ = fs::remove_file(path);
				}
				return Err(FetchError::io(path)(error));
			}
			_ => {}
		}
	}
}

/// Returns whether a record is the list of a folder whose files are records, as far as this is known without fetching more: a
/// list that was stored in several transactions is treated like any other value.
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

/// Returns whether a record is the list of a packed folder, which is not compressed. Fetches at most a MiB of it.
///
/// # Errors
///
/// Returns the errors of [`Reading::read_range`].
pub async fn is_packed_folder(reading: &Reading) -> Result<bool, Error> {
	let is_object = matches!(reading.answer().payload, Payload::Object { .. });
	if !is_object || reading.is_compressed() || reading.length() > folder::MAX_LENGTH as u64 {
		return Ok(false);
	}
	let label = folder::packed::LABEL;
	let start = reading.read_range(0, label.len() as u64).await?;
	Ok(start == label)
}

/// What follows the name of a part in that of a folder beside it.
pub(crate) const PARTS: &str = ".parts";
/// The maximum length of a part's name in bytes: with [`PARTS`] after it, the usual file systems still take it.
const MAX_NAME: usize = 255 - PARTS.len();

/// Returns the name of the part. It contains the value's hash, so that the download of another value is not
/// resumed.
pub(crate) fn part_name(output: &Path, hash: &[u8; 32]) -> OsString {
	let end = format!(".isthmus-{}", hex::encode(&hash[..8]));
	let mut name = output.file_name().unwrap_or_default().to_owned();
	if name.len() + end.len() > MAX_NAME {
		let mut short = name.to_string_lossy().into_owned();
		short.truncate(short.floor_char_boundary(MAX_NAME - end.len()));
		name = short.into();
	}
	name.push(end);
	name
}

/// Opens the partial file: a new one, or the one that an interrupted download left. Data that was shared only
/// with this account must not be written where other users of this machine can see it, such as to the target
/// of a link or to a file that they may read.
#[cfg(unix)]
fn open(path: &Path, executable: bool) -> Result<File, FetchError> {
	use std::os::unix::fs::OpenOptionsExt;
	let mode = if executable { 0o700 } else { 0o600 };
	let mut options = OpenOptions::new();
	options.read(true).write(true);
	loop {
		let created = options.clone().create_new(true).mode(mode).open(path);
		match created {
			Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
			created => return created.map_err(FetchError::io(path)),
		}
		let found = || -> io::Result<Option<File>> {
			if !fs::symlink_metadata(path)?.is_file() {
				return Ok(None);
			}
			let file = input::open_as(path, &mut options.clone())?;
			if !is_own(&file, path)? {
				return Ok(None);
			}
			on_disk::set_mode(&file, mode)?;
			Ok(Some(file))
		};
		return match found() {
			Ok(Some(file)) => Ok(file),
			Ok(None) => Err(FetchError::Foreign(path.to_owned())),
			// Another program has just completed this download.
			Err(error) if error.kind() == ErrorKind::NotFound => continue,
			Err(error) => Err(FetchError::io(path)(error)),
		};
	}
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

	#[cfg(unix)]
	#[test]
	fn what_is_replaced_is_the_file_behind_links() {
		use std::os::unix::fs::symlink;
		let folder = tempfile::tempdir().unwrap();
		let at = |name: &str| folder.path().join(name);
		fs::create_dir(at("far")).unwrap();
		symlink("far/file", at("to")).unwrap();
		symlink("to", at("link")).unwrap();
		let is_kept = |name| matches!(target(&at(name), false), Err(FetchError::Exists(_)));
		let is_dangling = |name| matches!(target(&at(name), true), Err(FetchError::NotAFile(_)));
		for name in ["to", "link"] {
			assert!(is_kept(name) && is_dangling(name), "{name}");
		}
		fs::write(at("far/file"), "").unwrap();
		let file = fs::canonicalize(at("far/file")).unwrap();
		for name in ["to", "link", "far/file"] {
			assert!(is_kept(name), "{name}");
			assert_eq!(target(&at(name), true).unwrap(), file);
		}
		for replace in [false, true] {
			assert_eq!(target(&at("new"), replace).unwrap(), at("new"));
		}
	}

	#[cfg(target_os = "linux")]
	#[test]
	fn a_file_system_without_a_length_is_not_full() {
		assert!(free_space(Path::new("/")).is_some());
		assert_eq!(free_space(Path::new("/proc")), None);
	}

	#[test]
	fn a_compressed_value_needs_space() {
		let out = Path::new("out");
		check_space(out, 9, Some(9)).unwrap();
		check_space(out, u64::MAX, None).unwrap();
		let refused = check_space(out, 9, Some(8)).unwrap_err().to_string();
		assert_eq!(
			refused,
			"out does not fit: the value has 9 more bytes, and 8 are free"
		);
	}

	#[test]
	fn the_name_of_a_part_is_never_too_long() {
		let name = |length: usize, letter: &str| {
			let output = Path::new("folder").join(letter.repeat(length));
			part_name(&output, &[7; 32]).into_string().unwrap()
		};
		assert_eq!(name(3, "x"), "xxx.isthmus-0707070707070707");
		assert_eq!(name(230, "x").len(), MAX_NAME);
		for length in 231..=255 {
			assert_eq!(name(length, "x"), name(230, "x"));
		}
		// A character is not cut in two.
		assert_eq!(name(127, "ä").len(), MAX_NAME);
		assert_eq!(name(85, "…").len(), MAX_NAME - 2);
	}

	#[tokio::test]
	async fn a_part_that_was_completed_meanwhile_is_not_written_to() {
		let folder = tempfile::tempdir().unwrap();
		let (part, out) = (folder.path().join("part"), folder.path().join("out"));
		let first = lock_part(&part, false, || {}).await.unwrap();
		let mut second = tokio::spawn(async move { lock_part(&part, false, || {}).await.unwrap() });
		// The second download waits, at the latest since its first attempt has failed.
		let waited = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
		assert!(waited.is_err());
		fs::rename(folder.path().join("part"), &out).unwrap();
		drop(first);
		let second = second.await.unwrap();
		second.set_len(9).unwrap();
		assert_eq!(fs::metadata(&out).unwrap().len(), 0);
	}
}
