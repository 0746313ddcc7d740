// SPDX-License-Identifier: Apache-2.0
//! A location is looked at before anything is read for it, and nothing of that stays.

use super::store::{Kill, Store};
use crate::{CertificateFault, Failure, FolderFault, Location, Parts};
use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use std::{fs, sync::Arc};

#[tokio::test]
async fn a_folder_that_can_be_written_to_stays_as_it_is() {
	let folder = tempfile::tempdir().unwrap();
	for name in ["", "/new", "/new/deep"] {
		let url = format!("file://{}{name}", folder.path().display());
		let location = Location::open(&url).unwrap();
		assert_eq!(location.check_writable().await, Ok(()), "{url}");
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
	}
}

#[tokio::test]
async fn what_is_in_the_place_of_a_folder_is_noticed() {
	let folder = tempfile::tempdir().unwrap();
	fs::write(folder.path().join("file"), "").unwrap();
	#[cfg(unix)]
	std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
	for name in ["file", "file/below"] {
		let url = format!("file://{}/{name}", folder.path().display());
		let location = Location::open(&url).unwrap();
		let refused = location.check_writable().await;
		let (path, kind) = (folder.path().join("file"), "file");
		let fault = FolderFault::NoFolder { path, kind };
		assert_eq!(refused, Err(Failure::Folder(fault)), "{name}");
	}
	if cfg!(unix) {
		let url = format!("file://{}/link", folder.path().display());
		let refused = Location::open(&url).unwrap().check_writable().await;
		let fault = FolderFault::Link(folder.path().join("link"));
		assert_eq!(refused, Err(Failure::Folder(fault)));
	}
	let web = Location::open("https://example.org/data").unwrap();
	assert_eq!(web.check_writable().await, Err(Failure::ReadOnly));
}

#[tokio::test]
async fn a_bucket_forgets_what_it_was_asked_to_begin() {
	let store = Arc::new(Store::default());
	let location = store.at("test://a");
	assert_eq!(location.check_writable().await, Ok(()));
	assert_eq!((store.unfinished(), store.objects().await.len()), (0, 0));
	// A fault that is not about the store as a whole shows with the object itself.
	store.interrupt(Some((0, Kill::Before)));
	assert_eq!(location.check_writable().await, Ok(()));
	// Who may write need not be allowed to delete.
	store.interrupt(None);
	store.keep_parts(true);
	assert_eq!(location.check_writable().await, Ok(()));
}

/// A store that begins nothing.
struct Refusing(Failure);

#[async_trait]
impl Parts for Refusing {
	async fn begin(&self, path: &Path) -> Result<String, Failure> {
		assert_eq!(path.as_ref(), "folder/isthmus-check");
		Err(self.0.clone())
	}

	async fn put(&self, _: &Path, _: &str, _: usize, _: u64, _: Bytes) -> Result<String, Failure> {
		Err(Failure::Other)
	}

	async fn complete(&self, _: &Path, _: &str, _: Vec<String>) -> Result<(), Failure> {
		Err(Failure::Other)
	}

	async fn abandon(&self, _: &Path, _: &str) -> Result<(), Failure> {
		Err(Failure::Other)
	}
}

#[tokio::test]
async fn only_what_is_wrong_with_the_store_stops_an_upload_before_it_begins() {
	use Failure::*;
	for (failure, stops) in [
		(Denied, true),
		(NoBucket, true),
		(Unauthenticated, true),
		(NoCredentials, true),
		(Expired, true),
		(Unreachable, true),
		(Certificate(CertificateFault::Untrusted), true),
		(NoTls, true),
		(Proxy, true),
		(Unavailable(503), true),
		(Unavailable(501), false),
		(
			Refused {
				status: 405,
				code: String::new(),
			},
			false,
		),
		(Missing, false),
		(Other, false),
	] {
		let (store, parts) = (Store::default(), Refusing(failure.clone()));
		let folder = Path::from("folder");
		let location = Location::of("test://a", Arc::new(store), Some(Arc::new(parts)), folder);
		let checked = location.check_writable().await;
		assert_eq!(checked, if stops { Err(failure) } else { Ok(()) });
	}
}
