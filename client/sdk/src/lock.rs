// SPDX-License-Identifier: Apache-2.0
//! Lock files, which make programs of the same user on the same machine take turns. They are in
//! `$HOME/.local/state/isthmus` or, if no file can be made there, in `$XDG_RUNTIME_DIR` or the folder for
//! temporary files: a service and a login shell have the same first folder. The operating system releases a
//! lock when its program ends, however it ends.

use std::{
	fs::{self, File, TryLockError},
	io,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// The time between attempts to take a lock.
const RETRY: Duration = Duration::from_millis(20);

/// Returns the path of a lock file; `None` if no folder can hold one.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
	let variable = |name| std::env::var_os(name).map(PathBuf::from);
	let home = variable("HOME").map(|home| home.join(".local/state/isthmus"));
	let folders = [
		home,
		variable("XDG_RUNTIME_DIR"),
		Some(std::env::temp_dir()),
	];
	Some(first_usable(folders.into_iter().flatten())?.join(name))
}

/// Returns whether programs of the same user on this machine can take turns: whether lock files can be made.
pub fn can_take_turns() -> bool {
	path("").is_some()
}

/// Returns the first folder in which files can be made. One that does not exist is made. A relative path
/// does not count: it would lead elsewhere in each program.
fn first_usable(folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
	let mut builder = fs::DirBuilder::new();
	builder.recursive(true);
	#[cfg(unix)]
	std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
	let is_usable = |folder: &PathBuf| {
		folder.is_absolute()
			&& builder.create(folder).is_ok()
			&& tempfile::tempfile_in(folder).is_ok()
	};
	folders.into_iter().find(is_usable)
}

/// Opens a lock file, and creates it if it does not exist. Returns `None` if that fails, or if the file is a
/// link or belongs to another user, who could keep it locked.
pub(crate) fn open(path: &Path) -> Option<File> {
	let mut options = File::options();
	options.create(true).read(true).write(true).truncate(false);
	#[cfg(unix)]
	{
		use std::os::unix::fs::OpenOptionsExt;
		options.mode(0o600);
		// A link to a file that does not exist would create that.
		options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
	}
	let file = options.open(path).ok()?;
	is_own(&file, path).unwrap_or(false).then_some(file)
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

/// A lock that is held, whose file is removed when it is dropped.
pub(crate) struct Held {
	path: PathBuf,
	_file: File,
}

impl Drop for Held {
	fn drop(&mut self) {
		// Remove the file before the lock is released: who waits for it notices that it is gone.
		let _ = fs::remove_file(&self.path);
	}
}

/// Waits for as long as another program holds the lock. Returns `None` if no lock file can be made.
pub(crate) async fn hold(name: &str) -> Option<Held> {
	let path = path(name)?;
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

	#[test]
	fn the_first_folder_that_can_hold_a_lock_is_used() {
		let folder = tempfile::tempdir().unwrap();
		let (file, new) = (folder.path().join("file"), folder.path().join("a/b"));
		fs::write(&file, "").unwrap();
		let folders = ["".into(), "relative".into(), file.join("a"), new.clone()];
		let used = first_usable(folders.clone().into_iter().chain([folder.path().into()]));
		assert_eq!(used, Some(new));
		assert_eq!(first_usable(folders.into_iter().take(3)), None);
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
}
