// SPDX-License-Identifier: Apache-2.0
//! Objects whose names begin with a mark: attempts of one task never share a key, and what they leave is found.

use super::{
	store::{Fault, Store},
	*,
};
use crate::{check, give_up, Failure, Mark, Whole};
use futures::FutureExt;
use object_store::ObjectStoreExt;
use std::{fs, sync::Arc};

const MARK: Mark = [0xab; 16];

async fn send_marked(location: &Location, journal: &Path, value: &[u8]) -> Object {
	let (leaf, source) = (leaf(), Cursor::new(value.to_vec()));
	let upload = Upload::new(location, &leaf, &CONTEXT, journal).marked(&MARK);
	let sent = upload.run(source, None, &mut |_| {}).await.unwrap();
	forget(journal).unwrap();
	sent.object
}

#[tokio::test]
async fn attempts_at_one_leaf_have_names_and_keys_of_their_own_and_are_found_by_their_mark() {
	let folder = tempfile::tempdir().unwrap();
	let at = folder.path().join("new");
	let location = Location::open(&folder_url(&at)).unwrap();
	// The folder is not there yet.
	assert_eq!(location.marked(&[], &[]).await.unwrap(), []);
	location.set_mark(&MARK).await.unwrap();
	let journal = folder.path().join("journal");
	let (first, second) = (value(CHUNK + 7), value(CHUNK + 8));
	let objects = [
		send_marked(&location, &journal, &first).await,
		send_marked(&location, &journal, &second).await,
	];
	let [one, other] = &objects;
	assert_ne!(one.header().salt(), other.header().salt());
	assert_ne!(
		one.header().to_bytes()[45..],
		other.header().to_bytes()[45..]
	);
	for (object, value) in objects.iter().zip([&first, &second]) {
		assert!(object.name().starts_with(&"ab".repeat(16)));
		let read = read_all(&reader(object, std::slice::from_ref(&location))).await;
		assert_eq!(&read, value);
	}
	// Of an attempt that was killed, and of other programs.
	let killed = format!("{}{}", "ab".repeat(16), "01".repeat(16));
	fs::write(at.join(format!("{killed}.unfinished")), b"part").unwrap();
	fs::write(at.join("ab".repeat(16)), b"no object").unwrap();
	let stranger = sent(&location, b"another mark").await;
	let found = location.marked(&MARK, &MARK).await.unwrap();
	let lengths: Vec<u64> = found.iter().map(|marked| marked.length).collect();
	let list = 2 * 32;
	assert_eq!(lengths.len(), 4);
	assert_eq!(lengths[..2], [0, 4]);
	assert_eq!(
		lengths.iter().sum::<u64>(),
		4 + one.length() + other.length() + 2 * list
	);
	for marked in found
		.iter()
		.filter(|marked| marked.salt != *one.header().salt())
	{
		assert_eq!(marked.mark(), MARK);
		location.delete_marked(&marked.salt).await.unwrap();
		location.delete_marked(&marked.salt).await.unwrap();
	}
	let left = location.marked(&MARK, &MARK).await.unwrap();
	assert_eq!(left.len(), 1);
	for object in [one, &stranger] {
		assert!(check(&location, object, true, &mut |_| {}).await.is_right());
	}
	assert_eq!(location.marked(&[], &[]).await.unwrap().len(), 2);
}

/// A source that fails after its first part, as a task does whose input is lost.
struct Lost(Cursor<Vec<u8>>);

impl std::io::Read for Lost {
	fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
		match self.0.read(space)? {
			0 => Err(std::io::Error::other("the input is lost")),
			got => Ok(got),
		}
	}
}

#[tokio::test]
async fn an_attempt_that_fails_and_gives_up_leaves_nothing() {
	let folder = tempfile::tempdir().unwrap();
	let at = folder.path().join("store");
	let location = Location::open(&folder_url(&at)).unwrap();
	let journal = folder.path().join("journal");
	let source = Lost(Cursor::new(value(33 * CHUNK)));
	let leaf = leaf();
	let upload = Upload::new(&location, &leaf, &CONTEXT, &journal).marked(&MARK);
	let failed = upload.run(source, None, &mut |_| {}).await;
	assert!(matches!(failed, Err(UploadError::Read(_))));
	assert_eq!(location.marked(&[], &[]).await.unwrap().len(), 1);
	give_up(&journal, Some(&location), Whole::Deleted)
		.await
		.unwrap();
	assert_eq!(location.marked(&[], &[]).await.unwrap(), []);
	assert!(!journal.exists());
}

#[tokio::test]
async fn a_bucket_is_asked_for_the_names_of_a_mark_and_for_no_more() {
	let store = Arc::new(Store::default());
	let location = store.at("s3://bucket/folder");
	let name = |mark: &str, rest: &str| format!("{}{}", mark.repeat(16), rest.repeat(16));
	let own = [name("ab", "01"), name("ab", "ff")];
	let others = [name("aa", "01"), name("ac", "00")];
	let mut paths: Vec<_> = own
		.iter()
		.chain(&others)
		.map(|name| location.path(name))
		.collect();
	// An object in another folder inside this one.
	paths.push(location.path(&"ab".repeat(16)).join(name("ab", "02")));
	for path in paths {
		location.store().put(&path, "x".into()).await.unwrap();
	}
	// After its last name, the store says nothing more.
	store.fail(0, Fault::Silent);
	let names = async |first: &[u8], last: &[u8]| {
		let found = location.marked(first, last).await?;
		Ok::<_, Failure>(
			found
				.iter()
				.map(|found| hex::encode(found.salt))
				.collect::<Vec<_>>(),
		)
	};
	assert_eq!(names(&MARK, &MARK).await.unwrap(), own);
	let [before, _] = others;
	let [first, second] = own;
	assert_eq!(
		names(&[0xaa], &[0xab]).await.unwrap(),
		[before, first, second]
	);
	// Names are not in order there, so it is asked for more: nothing comes.
	for (location, first) in [
		(&location, &[0xac][..]),
		(&store.at("s3://bucket--x-s3/folder"), &MARK[..]),
	] {
		let waiting = location.marked(first, first);
		assert!(waiting.now_or_never().is_none());
	}
	assert!(location.marked(&[], &[]).now_or_never().is_none());
}
