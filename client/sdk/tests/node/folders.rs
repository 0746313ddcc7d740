// SPDX-License-Identifier: Apache-2.0
//! Tests folders: they are stored, compared, fetched and removed.

use crate::{scenario::*, shapes};
use isthmus_sdk::*;
use proptest::{
	strategy::{Strategy, ValueTree},
	test_runner::TestRunner,
};
use std::{collections::BTreeMap, fs, future::Future, path::Path};
use tempfile::TempDir;

/// Collects what progress is reported for: the paths of the files, and how much of the folder is done.
#[derive(Default)]
struct Files(Vec<String>, Vec<[(u64, u64); 2]>, (u64, u64));

impl Progress for Files {
	fn file(&mut self, path: &str) {
		self.0.push(path.to_owned());
	}

	fn files(&mut self, done: u64, total: u64) {
		self.2 = (done, total);
	}

	fn whole(&mut self, _: Stage, done: u64, total: u64) {
		self.1.push([self.2, (done, total)]);
	}
}

impl Files {
	/// Checks that the reports about the folder went from nothing to all of it.
	fn check(&self, files: u64, bytes: u64) {
		let (first, last) = (self.1.first().unwrap(), self.1.last().unwrap());
		assert_eq!(first, &[(0, files), (0, bytes)]);
		assert_eq!(last, &[(files, files), (bytes, bytes)]);
		assert!(
			self.1.is_sorted_by_key(|[_, (done, _)]| *done),
			"{:?}",
			self.1
		);
		assert!(self.1.len() as u64 > files, "{:?}", self.1);
	}
}

/// Returns a folder with three small files and one that takes two chunks.
fn folder() -> TempDir {
	let folder = tempfile::tempdir().unwrap();
	fs::create_dir(folder.path().join("in")).unwrap();
	for (path, length) in [("a", 0), ("b", 10), ("in/c", 1_000), ("large", 1_500_000)] {
		fs::write(folder.path().join(path), bytes(length)).unwrap();
	}
	folder
}

async fn upload(
	client: &Client,
	owner: &Identity,
	place: Place,
	folder: &Path,
) -> Result<StoredFolder, UploadFolderError> {
	let folder = LocalFolder::open(folder)?;
	let upload = UploadFolder::new(client, owner, place).at_free_leaf();
	upload.run(&folder, &mut ()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_stored_fetched_and_removed() {
	let client = connect().await;
	let [school] = accounts(&client, ["//folders//school"]).await;
	register(&client, &school).await;
	let (local, place) = (folder(), place("folder", 0, 7));
	let mut files = Files::default();
	let opened = LocalFolder::open(local.path()).unwrap();
	let stored = UploadFolder::new(&client, &school, place)
		.run(&opened, &mut files)
		.await
		.unwrap();
	assert_eq!(files.0, ["a", "b", "in/c", "large"]);
	files.check(4, 1_501_010);
	assert_eq!((stored.files, stored.bytes), (4, 1_501_010));
	assert_eq!(stored.list.place.leaf, 7 + 4);
	assert!(stored.list.done.now().is_some());

	// Storing the folder again only compares it and sends nothing.
	let again = upload(&client, &school, place, local.path()).await.unwrap();
	assert!(matches!(again.list.done, Done::Before(_)));
	assert_eq!(again.list.place, stored.list.place);

	// Another folder cannot begin at the leaf of the first file, and nothing of it is sent.
	let other = crate::scenario::place("other folder", 0, 7);
	let refused = UploadFolder::new(&client, &school, other)
		.run(&opened, &mut ())
		.await;
	let taken = UploadError::LeafTaken(other);
	assert!(
		matches!(&refused, Err(UploadFolderError::Client(Error::Upload(error))) if *error == taken),
		"{refused:?}"
	);

	let output = tempfile::tempdir().unwrap();
	let list = Reading::open(&client, &school, school.id(), place.key)
		.await
		.unwrap();
	assert!(is_folder(&list).await.unwrap());
	let owner = school.id();
	let to = output.path();
	let fetch = async || fetch_folder(&client, &school, owner, &list, to, false, &mut ()).await;
	let mut files = Files::default();
	let fetched = fetch_folder(&client, &school, owner, &list, to, false, &mut files).await;
	let fetched = fetched.unwrap();
	files.check(4, 1_501_010);
	assert_eq!((fetched.files, fetched.bytes), (4, 1_501_010));
	for file in ["a", "b", "in/c", "large"] {
		let (here, there) = (local.path().join(file), output.path().join(file));
		assert!(
			fs::read(here).unwrap() == fs::read(there).unwrap(),
			"{file}"
		);
	}
	fs::write(output.path().join("b"), "changed").unwrap();
	let refused = fetch().await;
	let Err(FetchError::Incomplete { failed, files: 4 }) = refused else {
		panic!("{refused:?}");
	};
	assert_eq!(failed[0].paths, ["b"]);
	assert!(matches!(failed[0].error, FetchError::Differs(_)));

	let removal = Removal::find(&client, &school, place.key, &mut ())
		.await
		.unwrap();
	let mut removed = removal.run(&client, &school, &mut ()).await.unwrap();
	assert_eq!(removed.files, Some(4));
	removed.last.included().await.unwrap();
	let best = client.best().await.unwrap();
	let records = every(|after| best.records(owner, after)).await.unwrap();
	assert!(records.is_empty(), "{records:?}");
}

/// The unit tests of the list do the same for many more shapes, without a chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_any_shape_come_back_as_they_were_stored() {
	let client = connect().await;
	let [school] = accounts(&client, ["//shapes//school"]).await;
	register(&client, &school).await;
	let mut runner = TestRunner::deterministic();
	for number in 0..4 {
		let shape = shapes::shape(12).new_tree(&mut runner).unwrap().current();
		let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
		shapes::make(from.path(), &shape);
		let place = place(&format!("shape {number}"), 0, 0);
		upload(&client, &school, place, from.path()).await.unwrap();
		let list = Reading::open(&client, &school, school.id(), place.key)
			.await
			.unwrap();
		let owner = school.id();
		fetch_folder(&client, &school, owner, &list, to.path(), false, &mut ())
			.await
			.unwrap();
		assert_eq!(shapes::read(to.path()), shape);
	}
}

/// What a client asked its node for, by method, and how many blocks were made meanwhile.
struct Asked {
	requests: BTreeMap<String, u64>,
	blocks: u64,
}

impl Asked {
	fn of(&self, method: &str) -> u64 {
		self.requests.get(method).copied().unwrap_or(0)
	}

	/// Checks that each file took no more than `each` requests. Some follow from the number of blocks, and some are made once.
	fn check(&self, files: u64, each: u64) {
		const PER_BLOCK: u64 = 48;
		const ONCE: u64 = 150;
		let all: u64 = self.requests.values().sum();
		let most = each * files + PER_BLOCK * self.blocks + ONCE;
		let (requests, blocks) = (&self.requests, self.blocks);
		assert!(
			all <= most,
			"{all} requests in {blocks} blocks: {requests:?}"
		);
	}
}

/// Counts the requests that a client sends for something.
async fn counted<T>(client: &Client, done: impl Future<Output = T>) -> (T, Asked) {
	let block = async || u64::from(client.best().await.unwrap().block().number);
	let (from, before) = (block().await, client.requests());
	let done = done.await;
	let mut requests = client.requests();
	for (method, count) in before {
		*requests.get_mut(&method).unwrap() -= count;
	}
	let blocks = block().await - from;
	println!("{requests:?} in {blocks} blocks");
	(done, Asked { requests, blocks })
}

/// Once, a small file took eleven requests to store, seven to compare, and five to fetch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_file_takes_few_requests() {
	const FILES: u64 = 100;
	let client = connect().await;
	let [school] = accounts(&client, ["//few-requests//school"]).await;
	register(&client, &school).await;
	let (local, at) = (tempfile::tempdir().unwrap(), place("few requests", 0, 0));
	for number in 0..FILES {
		let file = local.path().join(format!("{number:03}"));
		fs::write(file, format!("file {number}")).unwrap();
	}
	let store = async || {
		let folder = LocalFolder::open(local.path()).unwrap();
		let free = client.best().await.unwrap();
		let leaf = free.free_leaf(school.id(), 0, 0).await.unwrap();
		let upload = UploadFolder::new(&client, &school, Place { leaf, ..at });
		let upload = upload.at_free_leaf().until_finalized(true);
		upload.run(&folder, &mut ()).await.unwrap()
	};
	let submit = "transactionWatch_v1_submitAndWatch";
	let (_, asked) = counted(&client, store()).await;
	// More if the pool was full: tests beside this one fill it.
	assert!(asked.of(submit) > FILES);
	// The best block, the next nonce, and the transaction.
	asked.check(FILES, 3);

	let (_, asked) = counted(&client, store()).await;
	assert_eq!(asked.of(submit), 0);
	asked.check(FILES, 1);

	let owner = school.id();
	let list = Reading::open(&client, &school, owner, at.key)
		.await
		.unwrap();
	let output = tempfile::tempdir().unwrap();
	let to = output.path();
	let unseen = &mut ();
	let fetch = fetch_folder(&client, &school, owner, &list, to, false, unseen);
	let (fetched, asked) = counted(&client, fetch).await;
	assert_eq!(fetched.unwrap().files as u64, FILES);
	asked.check(FILES, 1);

	// After a change of one file, that file and the list are sent.
	let files = list_files(&list, &mut ()).await.unwrap();
	let changed = files.iter().find(|file| file.path == "042").unwrap();
	let calls = [
		client.remove_record(at.key).await.unwrap(),
		client.remove_record(changed.key).await.unwrap(),
	];
	client.send_all(&school.account, &calls).await.unwrap();
	fs::write(local.path().join("042"), "changed").unwrap();
	let (stored, asked) = counted(&client, store()).await;
	assert_eq!((stored.files as u64, asked.of(submit)), (FILES, 2));
	asked.check(FILES, 1);
	let changed = read(&client, &school, owner, changed.key).await.unwrap();
	assert_eq!(changed, b"changed");
}

/// Records that are opened ahead wait for finality, and a file that differs is opened meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_and_one_that_differs_are_fetched_before_they_are_final() {
	let client = connect().await;
	let [school] = accounts(&client, ["//unfinal-folders//school"]).await;
	register(&client, &school).await;
	let (local, at) = (tempfile::tempdir().unwrap(), place("unfinal folder", 0, 0));
	for number in 0..30 {
		fs::write(
			local.path().join(format!("{number:02}")),
			format!("{number}"),
		)
		.unwrap();
	}
	let output = tempfile::tempdir().unwrap();
	fs::write(output.path().join("03"), "another").unwrap();
	fs::write(output.path().join("20"), "another").unwrap();
	upload(&client, &school, at, local.path()).await.unwrap();
	let list = Reading::open(&client, &school, school.id(), at.key);
	let list = list.await.unwrap();
	let (owner, to) = (school.id(), output.path());
	let unseen = &mut ();
	let fetch = fetch_folder(&client, &school, owner, &list, to, true, unseen);
	let limit = std::time::Duration::from_secs(120);
	let fetched = tokio::time::timeout(limit, fetch).await;
	assert_eq!(fetched.expect("it ends").unwrap().files, 30);
	assert_eq!(fs::read_to_string(to.join("20")).unwrap(), "20");
}

#[tokio::test]
async fn a_file_that_changed_is_reported_with_its_key() {
	let client = connect().await;
	let [school] = accounts(&client, ["//changed-folders//school"]).await;
	register(&client, &school).await;
	let (local, place) = (folder(), place("folder", 0, 0));
	fs::remove_file(local.path().join("large")).unwrap();
	upload(&client, &school, place, local.path()).await.unwrap();
	let changed = local.path().join("b");
	fs::write(&changed, "changed").unwrap();
	let refused = upload(&client, &school, place, local.path()).await;
	let Err(UploadFolderError::Changed { path, key }) = refused else {
		panic!("{refused:?}");
	};
	assert_eq!(path, changed);
	let best = client.best().await.unwrap();
	assert!(best.record(school.id(), key).await.unwrap().is_some());
	// Add a file that the stored folder does not contain.
	fs::write(&changed, bytes(10)).unwrap();
	fs::write(local.path().join("new"), "new").unwrap();
	let refused = upload(&client, &school, place, local.path()).await;
	assert!(matches!(
		refused,
		Err(UploadFolderError::Client(Error::Upload(UploadError::AlreadyStored(key))))
			if key == place.key
	));
}

#[tokio::test]
async fn a_record_that_is_not_a_folder_is_removed_alone() {
	let client = connect().await;
	let [school] = accounts(&client, ["//not-folders//school"]).await;
	register(&client, &school).await;
	let value = place("value", 0, 0);
	store(&client, &school, value, b"not a list").await;
	let removal = Removal::find(&client, &school, value.key, &mut ())
		.await
		.unwrap();
	assert_eq!(removal, Removal::alone(value.key));
	let mut removed = removal.run(&client, &school, &mut ()).await.unwrap();
	assert_eq!(removed.files, None);
	removed.last.included().await.unwrap();

	// Store a list that names a record that is not one of its files.
	let precious = place("precious", 0, 1);
	store(&client, &school, precious, b"precious").await;
	let list = folder::to_bytes(&[folder::File {
		path: "innocent".into(),
		executable: false,
		folder: false,
		length: 8,
		key: precious.key,
		hash: folder::content_hash(&b"precious"[..]).unwrap(),
	}])
	.unwrap();
	let trap = place("trap", 0, 2);
	store(&client, &school, trap, &list).await;
	let refused = Removal::find(&client, &school, trap.key, &mut ()).await;
	assert!(
		matches!(refused, Err(Error::Malformed { key, .. }) if key == trap.key),
		"{refused:?}"
	);
}

/// A folder's list says what its files contain. Without that, a record of the same length that was stored later under a file's
/// key would pass for the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_record_under_the_key_of_a_listed_file_is_not_fetched() {
	let client = connect().await;
	let [school] = accounts(&client, ["//replaced-files//school"]).await;
	register(&client, &school).await;
	let (local, at) = (folder(), place("folder", 0, 0));
	upload(&client, &school, at, local.path()).await.unwrap();
	let owner = school.id();
	let list = Reading::open(&client, &school, owner, at.key)
		.await
		.unwrap();
	let files = list_files(&list, &mut ()).await.unwrap();
	let replaced: Vec<_> = files
		.into_iter()
		.filter(|file| ["b", "large"].contains(&&*file.path))
		.collect();
	// One record is a value, and the other has chunks. Both are removed, and others of the same length stored under their keys.
	let mut calls = Vec::new();
	for file in &replaced {
		calls.push(client.remove_record(file.key).await.unwrap());
	}
	client.send_all(&school.account, &calls).await.unwrap();
	for file in &replaced {
		let mut other = bytes(file.length as usize);
		other[0] ^= 1;
		let key = file.key;
		let upload = Upload::new(&client, &school, Place { key, ..at }).at_free_leaf();
		let mut other = std::io::Cursor::new(other);
		upload.run(&mut other, file.length, &mut ()).await.unwrap();
	}
	let output = tempfile::tempdir().unwrap();
	let to = output.path();
	let fetched = fetch_folder(&client, &school, owner, &list, to, false, &mut ()).await;
	let Err(FetchError::Incomplete { failed, files: 4 }) = fetched else {
		panic!("{fetched:?}");
	};
	let mut paths: Vec<_> = failed.iter().flat_map(|failed| &failed.paths).collect();
	paths.sort();
	assert_eq!(paths, ["b", "large"]);
	let is_not_listed = |error: &FetchError| matches!(error, FetchError::NotListed(_));
	assert!(
		failed.iter().all(|failed| is_not_listed(&failed.error)),
		"{failed:?}"
	);
	// The other files are there, and nothing is in the place of these.
	let there = |path: &str| fs::read(to.join(path)).ok();
	assert_eq!(there("a"), Some(bytes(0)));
	assert_eq!(there("in/c"), Some(bytes(1_000)));
	for path in ["b", "large"] {
		assert_eq!(there(path), None);
		let mut out = Vec::new();
		let of = (&list, path);
		let written = write_file_of(&client, &school, owner, of, &mut out, &mut ()).await;
		assert!(
			matches!(&written, Err(FetchError::NotListed(_))) && out.is_empty(),
			"{written:?}"
		);
	}
}
