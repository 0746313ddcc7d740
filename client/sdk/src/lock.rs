// SPDX-License-Identifier: Apache-2.0
//! Lock files, which make programs of the same user on the same machine take turns. They are in
//! `$HOME/.local/state/isthmus` or, if no file can be made there, in `$XDG_RUNTIME_DIR` or the folder for
//! temporary files: a service and a login shell have the same first folder. Without `HOME`, the user's home is the one
//! that the system has. The operating system releases a
//! lock when its program ends, however it ends. It also knows which program holds a lock, so nothing about that is written
//! into the files, and nothing there can be out of date.

use isthmus_envelope::{lock_file::LockFile, paths::ShowPath};
use std::{
	fmt,
	fs::{self, File, TryLockError},
	io,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// The time between attempts to take a lock.
const RETRY: Duration = Duration::from_millis(20);

/// How often a lock file is opened that may be removed meanwhile.
const TRIES: u32 = 3;

/// Returns the path of a lock file: in the first folder that can hold one, and where no file of this name is that another
/// user made or that cannot be opened. `None` if there is no such folder.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
	first_usable(folders().into_iter(), name)
}

/// Returns the folders in which such files may be, also those that cannot be used now.
pub(crate) fn folders() -> Vec<PathBuf> {
	let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
	let others = runtime.into_iter().chain([temporary()]);
	lasting().into_iter().chain(others).collect()
}

/// Returns the folder for temporary files. An empty `$TMPDIR` counts as none.
pub(crate) fn temporary() -> PathBuf {
	or_tmp(std::env::temp_dir())
}

fn or_tmp(folder: PathBuf) -> PathBuf {
	match folder.as_os_str().is_empty() {
		true => PathBuf::from("/tmp"),
		false => folder,
	}
}

/// Returns the first of them, whose files last. `None` if the user has no home.
pub(crate) fn lasting() -> Option<PathBuf> {
	let folder = std::env::home_dir()?.join(".local/state/isthmus");
	folder.is_absolute().then_some(folder)
}

/// Returns the path of a file that cannot be done without, in the same folder.
///
/// # Errors
///
/// Returns an error if no folder takes it.
pub(crate) fn needed(name: &str) -> io::Result<PathBuf> {
	path(name).ok_or_else(|| {
		io::Error::other(format!(
			"no folder takes {name}, which is needed to resume: {}",
			way_out()
		))
	})
}

/// Says what lets this program keep its files, with the path of the folder that they belong in.
pub(crate) fn way_out() -> String {
	let words = "let this user write to $HOME/.local/state/isthmus";
	match lasting() {
		Some(folder) => format!(
			"{words}, here {}, and own it: a run as another user, as with sudo, may have made it",
			folder.shown()
		),
		None => words.to_owned(),
	}
}

/// Says how a file that this user may not use becomes the user's; `None` for another error.
pub(crate) fn if_denied(path: &Path, error: &io::Error) -> Option<String> {
	let folder = path.parent().unwrap_or(path).shown();
	(error.kind() == io::ErrorKind::PermissionDenied).then(|| {
		format!("let this user own it and its folder, {folder}: a run as another user, as with sudo, may have made them")
	})
}

/// Says why programs cannot take turns: a lock file with this name has no folder, or cannot be locked where it is.
pub(crate) fn why_not(name: &str, path: Option<&Path>) -> String {
	match path {
		Some(path) => format!("{} cannot be locked", path.shown()),
		None => format!("no folder takes the lock file {name}"),
	}
}

/// Returns the path of a file with this name in the first folder in which files can be made, and it can. A folder that does
/// not exist, or that this user may not enter, is passed over if it cannot be made. A relative path does not count: it would
/// lead elsewhere in each program.
fn first_usable(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
	let mut builder = fs::DirBuilder::new();
	builder.recursive(true);
	#[cfg(unix)]
	std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
	let is_usable = |folder: &PathBuf| {
		folder.is_absolute()
			&& builder.create(folder).is_ok()
			&& tempfile::tempfile_in(folder).is_ok()
	};
	let is_free = |path: &PathBuf| {
		let is_absent = || {
			fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
		};
		is_absent() || open(path).is_some()
	};
	folders
		.filter(is_usable)
		.map(|folder| folder.join(name))
		.find(is_free)
}

/// Opens a lock file, and creates it if it does not exist. Returns `None` if that fails, or if the file is a
/// link or belongs to another user, who could keep it locked.
pub(crate) fn open(path: &Path) -> Option<LockFile> {
	// The program that holds the lock may remove the file at any time.
	(0..TRIES).find_map(|_| open_now(path))
}

fn open_now(path: &Path) -> Option<LockFile> {
	let mut options = File::options();
	options.create(true).read(true).write(true).truncate(false);
	#[cfg(unix)]
	{
		use std::os::unix::fs::OpenOptionsExt;
		options.mode(0o600);
		// A link to a file that does not exist would create that, and a FIFO would be waited for.
		let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
		options.custom_flags(flags.bits() as i32);
	}
	let file = options.open(path).ok()?;
	is_own(&file, path).unwrap_or(false).then(|| file.into())
}

/// Waits until the lock is taken. Returns `false` if it was not free for `longest`, or cannot be taken.
pub(crate) async fn take(file: &File, longest: Duration) -> bool {
	let start = Instant::now();
	loop {
		match file.try_lock() {
			Ok(()) => return true,
			Err(TryLockError::WouldBlock) if start.elapsed() < longest => {
				tokio::time::sleep(RETRY).await;
			}
			Err(_) => return false,
		}
	}
}

/// A program that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
	/// The number of its process.
	pub process: u32,
	/// Its name and arguments, or the beginning of them.
	pub command: String,
}

impl fmt::Display for Holder {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "`{}`, process {}", self.command, self.process)
	}
}

/// Names a program in brackets, if it is known.
pub(crate) fn named(holder: Option<&Holder>) -> String {
	holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}

/// Returns which other program holds the lock of a file or a folder. Returns `None` if none does, or where that cannot be
/// found out: on systems other than Linux, and of the programs of other users.
#[cfg(target_os = "linux")]
pub fn holder(path: &Path) -> Option<Holder> {
	use std::{os::unix::fs::MetadataExt, process};
	let place = |there: fs::Metadata| (there.dev(), there.ino());
	let locked = place(fs::metadata(path).ok()?);
	// A descriptor of the file is not enough: programs that wait have one, too.
	let holds = |process: &u32| -> bool {
		let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
		descriptors.into_iter().flatten().flatten().any(|opened| {
			let number = opened.file_name();
			let info = format!("/proc/{process}/fdinfo/{}", number.to_string_lossy());
			fs::metadata(opened.path()).is_ok_and(|there| place(there) == locked)
				&& fs::read_to_string(info).is_ok_and(|info| info.contains(" FLOCK "))
		})
	};
	// The numbers of files in this list are not always those that programs see.
	let locks = fs::read_to_string("/proc/locks").ok()?;
	let holders = locks.lines().filter_map(|line| {
		let mut words = line.split_whitespace().skip(1);
		// Those that wait have an arrow here.
		words.next().filter(|kind| *kind == "FLOCK")?;
		words.nth(2)?.parse().ok()
	});
	let process = holders
		.filter(|process| *process != process::id())
		.find(holds)?;
	let command = command_of(process)?;
	Some(Holder { process, command })
}

/// Returns which other program holds the lock of a file or a folder: this system does not say.
#[cfg(not(target_os = "linux"))]
pub fn holder(_: &Path) -> Option<Holder> {
	None
}

/// Returns the beginning of a process' command line, without the folder of its program.
#[cfg(target_os = "linux")]
fn command_of(process: u32) -> Option<String> {
	/// The longest one that is returned, in characters.
	const LONGEST: usize = 60;
	let line = fs::read(format!("/proc/{process}/cmdline")).ok()?;
	let line = String::from_utf8_lossy(&line);
	let mut words = line.trim_end_matches('\0').split('\0');
	let program = words.next()?.rsplit('/').next()?;
	let command: Vec<&str> = std::iter::once(program).chain(words).collect();
	let command = command.join(" ");
	Some(match command.chars().count() > LONGEST {
		true => command.chars().take(LONGEST).chain(['…']).collect(),
		false => command,
	})
}

/// A lock that is held, whose file is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
	path: PathBuf,
	_file: LockFile,
}

impl Drop for Held {
	fn drop(&mut self) {
		// Remove the file before the lock is released: who waits for it notices that it is gone.
		let _ = fs::remove_file(&self.path);
	}
}

/// Waits for as long as another program holds the lock of a file that can be [at this path](path). Returns `None` if no file
/// can be made there.
pub(crate) async fn hold(path: PathBuf) -> Option<Held> {
	loop {
		let file = open(&path)?;
		if !take(&file, Duration::MAX).await {
			return None;
		}
		// The program that held the lock has removed its file: this lock is worth nothing.
		if is_own(&file, &path).unwrap_or(false) {
			return Some(Held { path, _file: file });
		}
	}
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum NotHeld {
	/// A program holds it: another one, if that can be found out.
	Busy(Option<Holder>),
	/// No file could be locked.
	NoLock,
}

/// Takes the lock of a file that can be [at this path](path), unless it is held.
pub(crate) fn try_hold(path: &Path) -> Result<Held, NotHeld> {
	for _ in 0..TRIES {
		let file = open(path).ok_or(NotHeld::NoLock)?;
		match file.try_lock() {
			Ok(()) if is_own(&file, path).unwrap_or(false) => {
				let path = path.to_owned();
				return Ok(Held { path, _file: file });
			}
			// The program that held the lock has removed its file.
			Ok(()) => {}
			Err(TryLockError::WouldBlock) => return Err(NotHeld::Busy(holder(path))),
			Err(TryLockError::Error(_)) => return Err(NotHeld::NoLock),
		}
	}
	Err(NotHeld::Busy(None))
}

/// Returns whether the opened file is the one at the path, has no other name, and belongs to the user who
/// owns new files.
#[cfg(unix)]
pub(crate) fn is_own(file: &File, path: &Path) -> io::Result<bool> {
	use std::os::unix::fs::MetadataExt;
	let (opened, there) = (file.metadata()?, fs::symlink_metadata(path)?);
	let folder = path
		.parent()
		.filter(|folder| !folder.as_os_str().is_empty());
	let new = tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?;
	let same = (opened.dev(), opened.ino()) == (there.dev(), there.ino());
	Ok(there.is_file() && same && opened.nlink() == 1 && opened.uid() == new.metadata()?.uid())
}

#[cfg(not(unix))]
pub(crate) fn is_own(_: &File, path: &Path) -> io::Result<bool> {
	path.try_exists()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn a_lock_whose_file_was_removed_is_not_held() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("lock");
		let first = open(&path).unwrap();
		assert!(take(&first, Duration::ZERO).await);
		let second = open(&path).unwrap();
		assert!(!take(&second, Duration::ZERO).await);
		drop(Held {
			path: path.clone(),
			_file: first,
		});
		assert!(take(&second, Duration::ZERO).await);
		assert!(!is_own(&second, &path).unwrap_or(false));
		let third = open(&path).unwrap();
		assert!(take(&third, Duration::ZERO).await);
	}

	/// Another program takes a lock of a file, and of a folder.
	#[cfg(target_os = "linux")]
	#[test]
	fn who_holds_a_lock_is_known_as_long_as_it_is_held() {
		use std::{
			io::Read,
			process::{Command, Stdio},
		};
		let folder = tempfile::tempdir().unwrap();
		let file = folder.path().join("lock");
		fs::write(&file, "").unwrap();
		for path in [file.as_path(), folder.path()] {
			assert_eq!(holder(path), None);
			let mut other = Command::new("flock")
				.arg(path)
				.args(["sh", "-c", "echo; read end"])
				.stdin(Stdio::piped())
				.stdout(Stdio::piped())
				.spawn()
				.unwrap();
			let mut started = [0];
			other
				.stdout
				.take()
				.unwrap()
				.read_exact(&mut started)
				.unwrap();
			// Who only waits is not named.
			let waiting = File::open(path).unwrap();
			assert!(waiting.try_lock().is_err());
			let found = holder(path).unwrap();
			assert_eq!(found.process, other.id());
			assert!(found.command.starts_with("flock /"), "{found}");
			assert!(found.command.chars().count() <= 61, "{found}");
			drop(other.stdin.take());
			other.wait().unwrap();
			assert_eq!(holder(path), None);
			// Nor is this program.
			waiting.lock().unwrap();
			assert_eq!(holder(path), None);
		}
	}

	#[test]
	fn an_empty_name_is_no_folder_for_temporary_files() {
		assert_eq!(or_tmp(PathBuf::new()), Path::new("/tmp"));
		assert_eq!(or_tmp("a".into()), Path::new("a"));
		assert!(!temporary().as_os_str().is_empty());
	}

	#[test]
	fn the_first_folder_that_can_hold_a_lock_is_used() {
		let folder = tempfile::tempdir().unwrap();
		let (file, new) = (folder.path().join("file"), folder.path().join("a/b"));
		fs::write(&file, "").unwrap();
		let folders = ["".into(), "relative".into(), file.join("a"), new.clone()];
		let used = first_usable(
			folders.clone().into_iter().chain([folder.path().into()]),
			"lock",
		);
		assert_eq!(used, Some(new.join("lock")));
		assert_eq!(first_usable(folders.into_iter().take(3), "lock"), None);
		assert!(!Path::new("relative").exists());
	}

	#[cfg(unix)]
	#[test]
	fn a_link_is_no_lock_file() {
		let folder = tempfile::tempdir().unwrap();
		let (target, link) = (folder.path().join("target"), folder.path().join("link"));
		fs::write(&target, "theirs").unwrap();
		std::os::unix::fs::symlink(&target, &link).unwrap();
		assert!(open(&link).is_none());
		assert_eq!(fs::read(&target).unwrap(), b"theirs");
		fs::remove_file(&target).unwrap();
		assert!(open(&link).is_none());
		assert!(!target.exists());
	}

	#[cfg(unix)]
	#[test]
	fn a_file_that_is_not_ones_own_is_passed_over() {
		let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
		let folders = || [first.path(), second.path()].map(PathBuf::from).into_iter();
		let name = "isthmus-a.lock";
		let (here, there) = (first.path().join(name), second.path().join(name));
		assert_eq!(first_usable(folders(), name), Some(here.clone()));
		fs::write(&here, "").unwrap();
		assert_eq!(first_usable(folders(), name), Some(here.clone()));
		// A file with two names may be anyone's.
		fs::hard_link(&here, first.path().join("other")).unwrap();
		assert_eq!(first_usable(folders(), name), Some(there.clone()));
		std::os::unix::fs::symlink("nowhere", &there).unwrap();
		assert_eq!(first_usable(folders(), name), None);
	}
}
