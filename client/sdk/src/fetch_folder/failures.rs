// SPDX-License-Identifier: Apache-2.0
//! The files of a folder that could not be fetched, while the others are.

use super::place::FetchedFolder;
use crate::{
	fetch_file::{FetchError, NotFetched},
	folder,
};

/// Collects the files that could not be fetched.
#[derive(Default)]
pub(super) struct Failures {
	failed: Vec<NotFetched>,
	/// How many of them are empty folders.
	folders: usize,
}

impl Failures {
	/// Returns whether a file failed for such a reason.
	pub(super) fn any(&self, is: impl Fn(&FetchError) -> bool) -> bool {
		self.failed.iter().any(|failed| is(&failed.error))
	}

	/// Returns what was done for a file, or notes that it failed and returns `None`.
	///
	/// # Errors
	///
	/// Returns an error that is not about this file alone.
	pub(super) fn of<T>(
		&mut self,
		file: &folder::File,
		done: Result<T, FetchError>,
	) -> Result<Option<T>, FetchError> {
		match done {
			Ok(done) => Ok(Some(done)),
			Err(error) => self.add([file], error).map(|()| None),
		}
	}

	/// Notes that files failed for one reason.
	///
	/// # Errors
	///
	/// Returns an error that is not about these files alone.
	pub(super) fn add<'a>(
		&mut self,
		files: impl IntoIterator<Item = &'a folder::File>,
		error: FetchError,
	) -> Result<(), FetchError> {
		if !error.is_of_file() {
			return Err(error);
		}
		let mut paths = Vec::new();
		for file in files {
			self.folders = self.folders.saturating_add(usize::from(file.folder));
			paths.push(file.path.clone());
		}
		// The paths are named here.
		let error = match error {
			FetchError::File { source, .. } => FetchError::Client(source),
			error => error,
		};
		self.failed.push(NotFetched { paths, error });
		Ok(())
	}

	/// Returns the first reason, if any file failed.
	pub(super) fn first(self) -> Option<FetchError> {
		self.failed.into_iter().next().map(|failed| failed.error)
	}

	/// Says what was fetched of a folder with these files.
	///
	/// # Errors
	///
	/// Returns [`FetchError::Incomplete`] if some of them were not.
	pub(super) fn fetched<'a>(
		self,
		listed: impl Iterator<Item = &'a folder::File>,
	) -> Result<FetchedFolder, FetchError> {
		let (mut files, mut bytes) = (0usize, 0u64);
		for file in listed {
			files = files.saturating_add(usize::from(!file.folder));
			bytes = bytes.saturating_add(file.length);
		}
		match self.failed.is_empty() {
			true => Ok(FetchedFolder { files, bytes }),
			false => Err(FetchError::Incomplete {
				failed: self.failed,
				files: files.saturating_add(self.folders),
			}),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{error::Error, types::QueryRefusal};
	use isthmus_envelope::tree::TreeError;
	use isthmus_objects::{Failure, Left, ReadError};
	use std::io::{self, ErrorKind};

	fn file(path: &str, folder: bool) -> folder::File {
		let empty = folder::File::empty_folder(path.into());
		folder::File { folder, ..empty }
	}

	fn none_left(failures: &[Failure]) -> Error {
		let left = failures.iter().map(|failure| Left {
			url: "file:///store".into(),
			failure: failure.clone(),
		});
		Error::Object(ReadError::NoneLeft(left.collect()))
	}

	#[test]
	fn the_files_that_failed_are_counted() {
		let files = [file("a", false), file("b", false), file("empty", true)];
		let fetched = Failures::default().fetched(files.iter()).unwrap();
		assert_eq!(fetched.files, 2);
		let mut failures = Failures::default();
		assert_eq!(failures.of(&files[0], Ok(1)).unwrap(), Some(1));
		let unknown = FetchError::of_file("b")(QueryRefusal::UnknownRecord.into());
		assert!(failures
			.of(&files[1], Err::<(), _>(unknown))
			.unwrap()
			.is_none());
		let in_the_way = FetchError::NotAFolder("empty".into());
		failures.add([&files[2]], in_the_way).unwrap();
		let error = failures.fetched(files.iter()).unwrap_err();
		assert_eq!(error.to_string(), "2 of 3 files were not fetched");
		let FetchError::Incomplete { failed, .. } = error else {
			panic!("{error}")
		};
		assert_eq!(failed[0].paths, ["b"]);
		assert!(matches!(failed[0].error, FetchError::Client(_)));
	}

	#[test]
	fn only_what_is_about_one_file_is_gone_past() {
		use Failure::*;
		let of_file = |error: Error| FetchError::from(error).is_of_file();
		assert!(of_file(none_left(&[Missing])));
		assert!(of_file(none_left(&[Unreachable, Missing])));
		assert!(of_file(none_left(&[Other])));
		assert!(!of_file(none_left(&[Unreachable, Unauthenticated])));
		assert!(!of_file(none_left(&[])));
		assert!(of_file(QueryRefusal::UnknownRecord.into()));
		assert!(of_file(QueryRefusal::OutOfRange.into()));
		for refusal in [
			QueryRefusal::NotAuthorised,
			QueryRefusal::Expired,
			QueryRefusal::Revoked,
			QueryRefusal::Suspended,
		] {
			assert!(!of_file(refusal.into()), "{refusal:?}");
		}
		assert!(!of_file(Error::Connection("it is lost".into())));
		// The leaf of a record that is still there was erased.
		assert!(of_file(TreeError::Erased { leaf: 3 }.into()));
		let of_disk = |kind: ErrorKind| FetchError::io("a".as_ref())(io::Error::from(kind));
		for kind in [
			ErrorKind::StorageFull,
			ErrorKind::ReadOnlyFilesystem,
			ErrorKind::Other,
		] {
			assert!(!of_disk(kind).is_of_file(), "{kind}");
		}
		// A fault of the device, and too many open files.
		#[cfg(unix)]
		for errno in [rustix::io::Errno::IO, rustix::io::Errno::MFILE] {
			let error = FetchError::io("a".as_ref())(errno.into());
			assert!(!error.is_of_file(), "{errno}");
		}
		for kind in [
			ErrorKind::PermissionDenied,
			ErrorKind::NotADirectory,
			ErrorKind::InvalidFilename,
			ErrorKind::InvalidInput,
		] {
			assert!(of_disk(kind).is_of_file(), "{kind}");
		}
		assert!(!FetchError::ListTooLong.is_of_file());
	}

	#[test]
	fn a_span_is_not_parted_while_a_location_keeps_readers_waiting() {
		let is_of_bytes =
			|failures: &[Failure]| FetchError::from(none_left(failures)).is_of_bytes();
		assert!(is_of_bytes(&[Failure::Wrong(1)]));
		assert!(is_of_bytes(&[Failure::Missing, Failure::Wrong(1)]));
		let stalled = Failure::Stalled(std::time::Duration::from_secs(30));
		assert!(!is_of_bytes(&[stalled, Failure::Wrong(1)]));
		assert!(!is_of_bytes(&[Failure::Unreachable, Failure::CutShort]));
		assert!(!is_of_bytes(&[Failure::Missing]));
	}
}
