// SPDX-License-Identifier: Apache-2.0
//! Folders that cannot be used, or vanish while an object is sent to them: what is wrong is said of the folder, and not of
//! the object.

use super::*;
use crate::{
	copy, give_up, journal::Said, local::Local, CopyError, Failure, FolderFault, Parts, Whole,
};
use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path as StorePath;
use std::{fs, io::ErrorKind, path::PathBuf, slice, sync::Arc};

/// A folder that vanishes, as that of a disk that is not mounted any more, when it is sent the first part, and fails in this
/// way.
struct Vanishing(PathBuf, Failure);

impl Vanishing {
	fn at(folder: &Path, failure: Failure) -> Location {
		fs::create_dir_all(folder).unwrap();
		let parts = Arc::new(Self(folder.to_owned(), failure));
		let path = StorePath::from_absolute_path(folder).unwrap();
		Location::of(
			&folder_url(folder),
			Arc::new(Local::new()),
			Some(parts),
			path,
		)
	}
}

#[async_trait]
impl Parts for Vanishing {
	async fn begin(&self, _: &StorePath) -> Result<String, Failure> {
		Ok("file".into())
	}

	async fn put(
		&self,
		_: &StorePath,
		_: &str,
		_: usize,
		_: u64,
		_: Bytes,
	) -> Result<String, Failure> {
		// Another part may have been the first.
		let _ = fs::remove_dir_all(&self.0);
		Err(self.1.clone())
	}

	async fn complete(&self, _: &StorePath, _: &str, _: Vec<String>) -> Result<(), Failure> {
		Err(Failure::Dropped)
	}

	async fn abandon(&self, _: &StorePath, _: &str) -> Result<(), Failure> {
		Err(Failure::Dropped)
	}
}

/// Returns what an upload says of its location.
async fn refused(location: &Location, journal: &Path, length: usize) -> Failure {
	let sent = send(location, journal, &value(length), Some(length as u64)).await;
	let Err(UploadError::Store { url, failure }) = sent else {
		panic!("it was sent: {sent:?}");
	};
	assert_eq!(url, location.url());
	failure
}

/// Returns what a copy says of its target.
async fn not_copied(object: &Object, from: &Location, to: &Location) -> Failure {
	let copied = copy(object, slice::from_ref(from), to).await;
	let Err(CopyError::Target(left)) = copied else {
		panic!("it was copied: {copied:?}");
	};
	assert_eq!(left.url, to.url());
	left.failure
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_is_named_by_copies_and_uploads() {
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	let open = |path: &Path| Location::open(&folder_url(path)).unwrap();
	let (from, path, journal) = (open(&at("from")), at("file"), at("journal"));
	fs::write(&path, "not a folder").unwrap();
	let kind = "file";
	let expected = Failure::Folder(FolderFault::NoFolder {
		path: path.clone(),
		kind,
	});
	// In one step, and in parts.
	for length in [CHUNK, 9 * CHUNK] {
		let object = sent(&from, &value(length)).await;
		for to in [&path, &path.join("below")] {
			let to = open(to);
			assert_eq!(not_copied(&object, &from, &to).await, expected);
			assert_eq!(refused(&to, &journal, length).await, expected);
			forget(&journal).unwrap();
		}
	}
}

#[cfg(unix)]
#[tokio::test]
async fn a_closed_folder_is_named_by_a_copy() {
	use std::os::unix::fs::PermissionsExt;
	let folder = tempfile::tempdir().unwrap();
	let (closed, below) = (folder.path().join("a"), folder.path().join("a/b"));
	fs::create_dir_all(&below).unwrap();
	let [from, to] = [&folder.path().join("from"), &below]
		.map(|path| Location::open(&folder_url(path)).unwrap());
	let object = sent(&from, &value(CHUNK)).await;
	let permit = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
	permit(0o600);
	// The superuser may look into all.
	if fs::metadata(&below).is_err() {
		let expected = Failure::Folder(FolderFault::Denied(closed.clone()));
		assert_eq!(not_copied(&object, &from, &to).await, expected);
	}
	permit(0o700);
}

#[tokio::test]
async fn a_disk_that_vanishes_is_not_taken_for_a_store_that_forgot_the_parts() {
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	let from = Location::open(&folder_url(&at("from"))).unwrap();
	let (length, journal) = (9 * CHUNK, at("journal"));
	let object = sent(&from, &value(length)).await;
	let absent = Failure::Folder(FolderFault::Absent);
	let to = Vanishing::at(&at("copy"), Failure::Dropped);
	assert_eq!(not_copied(&object, &from, &to).await, absent);
	let to = Vanishing::at(&at("upload"), Failure::Dropped);
	assert_eq!(refused(&to, &journal, length).await, absent);
	// The upload is resumed when the disk is mounted again.
	let said = Said::read(&journal).unwrap().unwrap();
	assert_eq!(said.done.id.as_deref(), Some("file"));
	// What it has is not called deleted before.
	for _ in 0..2 {
		let given_up = give_up(&journal, Some(&to), Whole::Deleted).await;
		assert_eq!(given_up.unwrap().unwrap().failure, Some(absent.clone()));
		assert!(journal.exists());
	}
	fs::create_dir(at("upload")).unwrap();
	let given_up = give_up(&journal, Some(&to), Whole::Deleted).await;
	assert_eq!(given_up.unwrap().unwrap().failure, None);
	assert!(!journal.exists());
}

#[tokio::test]
async fn why_a_folder_cannot_be_made_for_the_first_object_is_said() {
	let folder = tempfile::tempdir().unwrap();
	for failure in [
		Failure::DeniedFile,
		Failure::File(ErrorKind::ReadOnlyFilesystem),
	] {
		let to = Vanishing::at(&folder.path().join("new"), failure.clone());
		let journal = folder.path().join("journal");
		assert_eq!(refused(&to, &journal, 9 * CHUNK).await, failure);
		forget(&journal).unwrap();
	}
}
