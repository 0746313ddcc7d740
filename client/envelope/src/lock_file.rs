// SPDX-License-Identifier: Apache-2.0
//! Files and folders that programs lock so that they take turns.

use std::{
	fs::File,
	ops::{Deref, DerefMut},
	process,
};

/// An opened file or folder that may be locked. The lock is released when this is dropped.
///
/// Closing the file is not enough for that: the system keeps the lock for as long as any process has the file open, and each
/// program that another thread starts has it open, too, until it is loaded.
#[derive(Debug)]
pub struct LockFile {
	file: File,
	/// The process that opened it. A copy of this process (fork) does not release the lock.
	process: u32,
}

impl From<File> for LockFile {
	fn from(file: File) -> Self {
		let process = process::id();
		Self { file, process }
	}
}

impl Drop for LockFile {
	fn drop(&mut self) {
		if self.process == process::id() {
			// What is not locked, or has no locks, is closed all the same.
			let _ = self.file.unlock();
		}
	}
}

impl Deref for LockFile {
	type Target = File;

	fn deref(&self) -> &File {
		&self.file
	}
}

impl DerefMut for LockFile {
	fn deref_mut(&mut self) -> &mut File {
		&mut self.file
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs::TryLockError;

	#[test]
	fn a_lock_ends_although_another_process_has_the_file_open() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("lock");
		let locked = LockFile::from(File::create(&path).unwrap());
		locked.lock().unwrap();
		// A program that is being started has the same opened file.
		let inherited = locked.try_clone().unwrap();
		let other = LockFile::from(File::open(&path).unwrap());
		assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
		drop(locked);
		other.try_lock().unwrap();
		drop(inherited);
		let third = File::open(&path).unwrap();
		assert!(matches!(third.try_lock(), Err(TryLockError::WouldBlock)));
	}

	#[test]
	fn a_copy_of_the_process_does_not_end_the_lock() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("lock");
		let locked = LockFile::from(File::create(&path).unwrap());
		locked.lock().unwrap();
		drop(LockFile {
			file: locked.try_clone().unwrap(),
			process: 0,
		});
		let other = File::open(&path).unwrap();
		assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
	}
}
