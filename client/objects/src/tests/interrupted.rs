// SPDX-License-Identifier: Apache-2.0
//! Uploads that are interrupted at every step, and values that change in between.

use super::{
	store::{Deletes, Kill, Store},
	*,
};
use crate::{Failure, GivenUp, Whole};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

/// The length of a value of three parts.
const LENGTH: usize = 17 * CHUNK + 3;

/// Checks that the store never saw two different texts at the same place of an object: with the same key and nonce, they
/// would reveal each other.
pub(super) fn saw_nothing_twice(store: &Store) {
	let mut seen = BTreeMap::new();
	for (name, offset, bytes) in store.seen.lock().unwrap().iter() {
		let before = seen.insert((name.clone(), *offset), bytes.clone());
		assert!(
			before.is_none_or(|before| before == *bytes),
			"{name} at {offset}"
		);
	}
}

async fn interrupted_at(kill: (usize, Kill), length: usize) -> bool {
	let store = Arc::new(Store::default());
	let (location, value) = (store.at("mem://store/folder"), value(length));
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	store.interrupt(Some(kill));
	let first = send(&location, &journal, &value, Some(length as u64)).await;
	let was_interrupted = first.is_err();
	store.interrupt(None);
	let again = send(&location, &journal, &value, Some(length as u64)).await;
	let object = again.unwrap().object;
	assert_eq!(read_all(&reader(&object, &[location])).await, value);
	saw_nothing_twice(&store);
	let names: std::collections::BTreeSet<_> = store
		.seen
		.lock()
		.unwrap()
		.iter()
		.map(|(name, ..)| name.clone())
		.collect();
	assert_eq!(names.len(), 1, "it was resumed, not started again");
	was_interrupted
}

#[tokio::test]
async fn an_upload_goes_on_wherever_it_was_interrupted() {
	for length in [9, LENGTH] {
		for kind in [Kill::Before, Kill::After] {
			let mut steps = 0;
			while interrupted_at((steps, kind), length).await {
				steps += 1;
			}
			// Begin, three parts, complete, list; or one step.
			assert_eq!(steps, if length == LENGTH { 6 } else { 1 });
		}
	}
}

#[tokio::test]
async fn only_what_is_missing_is_sent_again() {
	let store = Arc::new(Store::default());
	let (location, value) = (store.at("mem://store/folder"), value(LENGTH));
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let length = Some(LENGTH as u64);
	store.interrupt(Some((4, Kill::Before)));
	send(&location, &journal, &value, length).await.unwrap_err();
	assert_eq!(store.seen.lock().unwrap().len(), 3);
	store.interrupt(None);
	let sent = send(&location, &journal, &value, length).await.unwrap();
	assert!(sent.resumed);
	assert_eq!(store.seen.lock().unwrap().len(), 3, "no part is sent twice");
	// Complete, and list.
	assert_eq!(store.writes.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_store_that_forgot_the_upload_gets_all_parts_again() {
	let store = Arc::new(Store::default());
	let (location, value) = (store.at("mem://store/folder"), value(LENGTH));
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let length = Some(LENGTH as u64);
	for kill in [2, 4] {
		store.interrupt(Some((kill, Kill::Before)));
		send(&location, &journal, &value, length).await.unwrap_err();
		store.drop_uploads();
		store.interrupt(None);
		let refused = send(&location, &journal, &value, length).await;
		assert!(matches!(
			refused,
			Err(UploadError::Store {
				failure: Failure::Dropped,
				..
			})
		));
	}
	let sent = send(&location, &journal, &value, length).await.unwrap();
	assert_eq!(read_all(&reader(&sent.object, &[location])).await, value);
	saw_nothing_twice(&store);
}

#[tokio::test]
async fn an_upload_to_another_place_is_refused() {
	let store = Arc::new(Store::default());
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	store.interrupt(Some((0, Kill::Before)));
	send(&store.at("mem://one/folder"), &journal, b"x", None)
		.await
		.unwrap_err();
	let refused = send(&store.at("mem://two/folder"), &journal, b"x", None).await;
	assert!(matches!(refused, Err(UploadError::Elsewhere { url }) if url == "mem://one/folder"));
	let unfinished = crate::unfinished(&journal).unwrap().unwrap();
	assert_eq!(
		(unfinished.note.as_str(), unfinished.url.as_str()),
		("", "mem://one/folder")
	);
	assert!(!unfinished.whole);
	forget(&journal).unwrap();
	assert_eq!(crate::unfinished(&journal).unwrap(), None);
}

/// Wherever an upload was interrupted, also after the store put its parts together: it is given up with all that the store has
/// of it, and another value gets another name, so it is encrypted under another key.
#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing_and_begins_again_under_another_key() {
	for length in [9, LENGTH] {
		for kind in [Kill::Before, Kill::After] {
			for step in 0..=6 {
				let store = Arc::new(Store::default());
				let (location, first) = (store.at("mem://store/folder"), value(length));
				let folder = tempfile::tempdir().unwrap();
				let journal = folder.path().join("journal");
				store.interrupt(Some((step, kind)));
				send(&location, &journal, &first, Some(length as u64))
					.await
					.ok();
				store.interrupt(None);
				let unfinished = crate::unfinished(&journal).unwrap().unwrap();
				let given_up = crate::give_up(&journal, Some(&location), Whole::Deleted).await;
				let given_up = given_up.unwrap().unwrap();
				assert_eq!(
					(given_up.failure, given_up.object),
					(None, unfinished.object)
				);
				// No one knows the name of an upload that the store began just before the end.
				let unknown = length == LENGTH && (step, kind) == (0, Kill::After);
				assert_eq!(
					(store.unfinished(), store.objects().await),
					(usize::from(unknown), Vec::new()),
					"{step} {kind:?}"
				);
				assert!(!journal.exists());
				let second: Vec<u8> = first.iter().map(|byte| byte ^ 1).collect();
				let sent = send(&location, &journal, &second, Some(length as u64))
					.await
					.unwrap();
				assert!(!sent.resumed);
				assert_eq!(read_all(&reader(&sent.object, &[location])).await, second);
				saw_nothing_twice(&store);
			}
		}
	}
}

#[tokio::test]
async fn an_object_that_the_chain_may_have_stays() {
	let store = Arc::new(Store::default());
	let (location, value) = (store.at("mem://store/folder"), value(LENGTH));
	let folder = tempfile::tempdir().unwrap();
	let journal = folder.path().join("journal");
	let sent = send(&location, &journal, &value, None).await.unwrap();
	assert!(crate::unfinished(&journal).unwrap().unwrap().whole);
	let other = crate::tests::sent(&location, &value).await;
	crate::give_up(&journal, Some(&location), Whole::Stays)
		.await
		.unwrap();
	// So does what says where it is.
	let noted = crate::noted(&journal).unwrap().unwrap();
	assert_eq!(
		(noted.url.as_str(), noted.object),
		(location.url(), sent.object.name())
	);
	forget(&journal).unwrap();
	for object in [&sent.object, &other] {
		assert_eq!(
			read_all(&reader(object, std::slice::from_ref(&location))).await,
			value
		);
	}
	// What is given up is one upload, and no other object of the location.
	send(&location, &journal, &value, None).await.unwrap();
	crate::give_up(&journal, Some(&location), Whole::Deleted)
		.await
		.unwrap();
	assert_eq!(store.objects().await.len(), 4);
	assert_eq!(
		crate::give_up(&journal, Some(&location), Whole::Deleted)
			.await
			.unwrap(),
		None
	);
}

/// An upload of which the store has a part.
struct Started {
	store: Arc<Store>,
	location: Location,
	value: Vec<u8>,
	journal: std::path::PathBuf,
	_folder: tempfile::TempDir,
}

impl Started {
	async fn new() -> Self {
		let store = Arc::new(Store::default());
		let (location, value) = (store.at("mem://store/folder"), value(LENGTH));
		let folder = tempfile::tempdir().unwrap();
		let journal = folder.path().join("journal");
		store.interrupt(Some((3, Kill::Before)));
		let length = Some(LENGTH as u64);
		send(&location, &journal, &value, length).await.unwrap_err();
		store.interrupt(None);
		store.look_at(&journal);
		assert_eq!(store.unfinished(), 1);
		Self {
			store,
			location,
			value,
			journal,
			_folder: folder,
		}
	}

	async fn give_up(&self, location: Option<&Location>, whole: Whole) -> Option<GivenUp> {
		let given_up = crate::give_up(&self.journal, location, whole).await;
		given_up.unwrap()
	}
}

/// That it is given up is noted first: if the program ends while the store is asked, or the store does not answer, nothing goes
/// on as if the store still had the parts, and they are not forgotten.
#[tokio::test]
async fn what_a_store_does_not_delete_is_told_and_not_resumed() {
	let started = Started::new().await;
	let store = &started.store;
	// The URL is of no scheme that this program can open.
	let given_up = started.give_up(None, Whole::Deleted).await.unwrap();
	assert!(
		matches!(given_up.failure, Some(Failure::Unusable(_))),
		"{given_up:?}"
	);
	assert_eq!(given_up.url, "mem://store/folder");
	assert_eq!((store.unfinished(), store.said()), (1, Vec::new()));
	// The store does not abandon the parts; the object of their name is deleted all the same.
	store.keep_parts(true);
	let there = Some(&started.location);
	let given_up = started.give_up(there, Whole::Deleted).await.unwrap();
	assert_eq!(given_up.failure, Some(Failure::Other));
	let said = store.said();
	let kinds: Vec<_> = said.iter().map(|(deletes, _)| *deletes).collect();
	assert_eq!(kinds, [Deletes::Parts, Deletes::Object, Deletes::Object]);
	assert!(said.iter().all(|(_, line)| line == "given-up"), "{said:?}");
	let unfinished = crate::unfinished(&started.journal).unwrap().unwrap();
	assert!(unfinished.given_up);
	// The next attempt deletes them.
	store.keep_parts(false);
	let given_up = started.give_up(there, Whole::Deleted).await.unwrap();
	assert_eq!(given_up.failure, None);
	assert_eq!((store.unfinished(), started.journal.exists()), (0, false));
	assert!(store.said().iter().all(|(_, line)| line == "given-up"));
}

#[tokio::test]
async fn an_upload_that_was_given_up_is_not_resumed() {
	let started = Started::new().await;
	let name = crate::unfinished(&started.journal).unwrap().unwrap().object;
	assert!(crate::note_given_up(&started.journal, &name).unwrap());
	let length = Some(LENGTH as u64);
	let sent = send(&started.location, &started.journal, &started.value, length).await;
	let sent = sent.unwrap();
	assert!(!sent.resumed);
	assert_ne!(sent.object.name(), name);
	let reader = reader(&sent.object, &[started.location]);
	assert_eq!(read_all(&reader).await, started.value);
	saw_nothing_twice(&started.store);
}

/// An object whose upload ended is deleted by the next attempt, too, if its upload was given up: then the chain gets no entry.
#[tokio::test]
async fn an_object_that_was_given_up_as_a_whole_is_deleted_in_the_end() {
	let started = Started::new().await;
	let length = Some(LENGTH as u64);
	let sent = send(&started.location, &started.journal, &started.value, length).await;
	let name = sent.unwrap().object.name();
	assert!(crate::note_given_up(&started.journal, &name).unwrap());
	assert_eq!(started.store.objects().await.len(), 2);
	let given_up = started.give_up(Some(&started.location), Whole::Stays).await;
	assert_eq!(given_up.unwrap().failure, None);
	assert_eq!(started.store.objects().await, Vec::<String>::new());
}

/// What was checked is what is deleted.
#[tokio::test]
async fn another_object_than_the_one_that_is_given_up_stays() {
	let started = Started::new().await;
	let there = Some(&started.location);
	let before = std::fs::read(&started.journal).unwrap();
	assert!(!crate::note_given_up(&started.journal, "07").unwrap());
	assert_eq!(std::fs::read(&started.journal).unwrap(), before);
	assert_eq!(
		(started.store.unfinished(), started.store.said()),
		(1, Vec::new())
	);
	let name = crate::unfinished(&started.journal).unwrap().unwrap().object;
	assert!(crate::note_given_up(&started.journal, &name).unwrap());
	let given_up = started.give_up(there, Whole::Deleted).await;
	assert_eq!(given_up.unwrap().failure, None);
	assert_eq!(started.store.unfinished(), 0);
}

/// Has a journal be of an earlier start of the machine, with the lines that the disk has of it.
fn restart(journal: &std::path::Path, lines: usize) {
	let text = std::fs::read_to_string(journal).unwrap();
	let text = text.replace(&crate::journal::boot().unwrap(), "earlier");
	let kept: String = text.split_inclusive('\n').take(lines).collect();
	std::fs::write(journal, kept).unwrap();
}

#[tokio::test]
async fn an_upload_of_an_earlier_start_of_the_machine_is_given_up_and_not_resumed() {
	let started = Started::new().await;
	restart(&started.journal, usize::MAX);
	let unfinished = crate::unfinished(&started.journal).unwrap().unwrap();
	assert!(!unfinished.resumes);
	let given_up = started
		.give_up(Some(&started.location), Whole::Deleted)
		.await;
	assert_eq!(given_up.unwrap().failure, None);
	assert_eq!(started.store.unfinished(), 0);
	// A bucket may have parts of which the journal does not know, so it says for which leaf they are.
	assert!(
		crate::unfinished(&started.journal)
			.unwrap()
			.unwrap()
			.given_up
	);
	forget(&started.journal).unwrap();
}

/// Whatever the disk has of the journal, nothing of the object is left in a folder: neither the whole one, nor the file that was
/// being written.
#[tokio::test]
async fn after_a_restart_of_the_machine_what_is_in_a_folder_is_deleted() {
	for lines in [1, usize::MAX] {
		for whole in [Whole::Deleted, Whole::Stays] {
			for file in ["", ".unfinished"] {
				let folder = tempfile::tempdir().unwrap();
				let (at, journal) = (folder.path().join("store"), folder.path().join("journal"));
				let location = Location::open(&folder_url(&at)).unwrap();
				let sent = send(&location, &journal, &value(CHUNK + 1), None)
					.await
					.unwrap();
				let name = sent.object.name();
				if !file.is_empty() {
					std::fs::rename(at.join(&name), at.join(format!("{name}{file}"))).unwrap();
				}
				restart(&journal, lines);
				let given_up = crate::give_up(&journal, Some(&location), whole).await;
				assert_eq!(given_up.unwrap().unwrap().failure, None);
				// The chain may have the entry of the whole object.
				let stays = whole == Whole::Stays && (file.is_empty() || lines > 1);
				let left = std::fs::read_dir(&at).unwrap().count();
				assert_eq!(left, if stays { 2 } else { 0 });
				let noted = crate::unfinished(&journal).unwrap().unwrap();
				assert_eq!(noted.given_up, !stays);
			}
		}
	}
}

/// A program that ends just after a folder got the object's file has not noted that.
#[tokio::test]
async fn a_file_that_was_started_and_not_noted_is_deleted() {
	for whole in [Whole::Deleted, Whole::Stays] {
		let folder = tempfile::tempdir().unwrap();
		let (at, journal) = (folder.path().join("store"), folder.path().join("journal"));
		let location = Location::open(&folder_url(&at)).unwrap();
		let sent = send(&location, &journal, &value(9), None).await.unwrap();
		let name = sent.object.name();
		std::fs::rename(at.join(&name), at.join(format!("{name}.unfinished"))).unwrap();
		let text = std::fs::read_to_string(&journal).unwrap();
		let started: String = text.split_inclusive('\n').take(1).collect();
		std::fs::write(&journal, started).unwrap();
		let given_up = crate::give_up(&journal, Some(&location), whole).await;
		assert_eq!(given_up.unwrap().unwrap().failure, None);
		assert_eq!(std::fs::read_dir(&at).unwrap().count(), 0);
		assert!(!journal.exists());
	}
}

/// A program that is killed while it writes leaves one file, which the next attempt replaces.
#[tokio::test]
async fn what_a_killed_program_was_writing_to_a_folder_is_replaced_and_deleted() {
	let folder = tempfile::tempdir().unwrap();
	let (at, journal) = (folder.path().join("store"), folder.path().join("journal"));
	let location = Location::open(&folder_url(&at)).unwrap();
	let sent = send(&location, &journal, &value(9), None).await.unwrap();
	let name = sent.object.name();
	let torn = at.join(format!("{name}.unfinished"));
	std::fs::write(&torn, vec![1; 4096]).unwrap();
	std::fs::remove_file(at.join(&name)).unwrap();
	// The journal does not say that the object is there.
	let text = std::fs::read_to_string(&journal).unwrap();
	let started: String = text.split_inclusive('\n').take(2).collect();
	std::fs::write(&journal, started).unwrap();
	let again = send(&location, &journal, &value(9), None).await.unwrap();
	assert_eq!((again.object.name(), again.resumed), (name, true));
	assert_eq!(
		read_all(&reader(&again.object, std::slice::from_ref(&location))).await,
		value(9)
	);
	assert_eq!(std::fs::read_dir(&at).unwrap().count(), 1);
	std::fs::write(&torn, "").unwrap();
	assert!(location.delete(&again.object).await.unwrap());
	assert_eq!(std::fs::read_dir(&at).unwrap().count(), 0);
}

/// The last block of an entry's transaction is noted beside what was sent, and no entry is sent of what was given up.
#[tokio::test]
async fn an_entry_is_noted_until_the_upload_is_given_up() {
	let started = Started::new().await;
	let journal = &started.journal;
	let name = crate::unfinished(journal).unwrap().unwrap().object;
	let is_refused = |object: &str| {
		matches!(
			crate::entering(journal, object, 300),
			Err(UploadError::GivenUp)
		)
	};
	assert!(is_refused("07"));
	crate::entering(journal, &name, 256).unwrap();
	let unfinished = crate::unfinished(journal).unwrap().unwrap();
	assert_eq!(
		(unfinished.entering, unfinished.given_up),
		(Some(256), false)
	);
	assert!(crate::note_given_up(journal, &name).unwrap());
	assert!(is_refused(&name));
	crate::forget(journal).unwrap();
	assert!(is_refused(&name));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	/// A value that changes between two attempts is refused if what changed may have been seen; in any case, the store
	/// never sees two texts under the same key and nonce.
	#[test]
	fn a_changed_value_reveals_nothing(
		step in 0..6usize,
		after in any::<bool>(),
		at in 0..LENGTH,
		length in prop_oneof![Just(LENGTH), Just(LENGTH - 1), Just(LENGTH + 1), Just(8 * CHUNK), Just(3)],
		says_length in any::<bool>(),
	) {
		let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
		runtime.block_on(async {
			let store = Arc::new(Store::default());
			let location = store.at("mem://store/folder");
			let folder = tempfile::tempdir().unwrap();
			let journal = folder.path().join("journal");
			let first = value(LENGTH);
			let kill = if after { Kill::After } else { Kill::Before };
			store.interrupt(Some((step, kill)));
			let length_of = |value: &[u8]| says_length.then_some(value.len() as u64);
			send(&location, &journal, &first, length_of(&first)).await.ok();
			let known = crate::journal::Journal::open(&journal).unwrap().unwrap();
			let (part, sent) = (known.start.part as usize, &known.done.sent);
			let known: usize = sent.values().map(Vec::len).sum();
			// Parts are encrypted side by side, so a later one may have been sent before an earlier one.
			let was_sent = sent.get(&(at / CHUNK / part)).is_some_and(|values| at / CHUNK % part < values.len());
			store.interrupt(None);
			let mut second = value(length);
			if let Some(byte) = second.get_mut(at) {
				*byte ^= 1;
			}
			let again = send(&location, &journal, &second, length_of(&second)).await;
			saw_nothing_twice(&store);
			let seen = was_sent && at < length;
			match again {
				Ok(sent) => {
					assert!(!seen);
					assert!(read_all(&reader(&sent.object, &[location])).await == second);
				}
				Err(UploadError::Changed { .. } | UploadError::LengthChanged { .. }) => {
					assert!(known > 0 || length != LENGTH);
				}
				Err(error) => panic!("{error}"),
			}
		});
	}
}

/// A source that has some bytes, and then none until the test has ended.
struct Silent {
	first: std::io::Cursor<Vec<u8>>,
	ended: std::sync::mpsc::Receiver<()>,
}

impl std::io::Read for Silent {
	fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
		let got = self.first.read(space)?;
		if got == 0 {
			// An error when the sender is gone.
			let _ = self.ended.recv();
		}
		Ok(got)
	}
}

#[tokio::test]
async fn a_part_that_cannot_be_sent_ends_the_upload_although_the_source_is_silent() {
	let store = Arc::new(Store::default());
	let location = store.at("mem://store/folder");
	let folder = tempfile::tempdir().unwrap();
	let (leaf, journal) = (leaf(), folder.path().join("journal"));
	// The upload begins, and the first part fails. The second one never comes.
	store.interrupt(Some((1, Kill::Before)));
	let (_test, ended) = std::sync::mpsc::channel();
	let first = std::io::Cursor::new(value(8 * CHUNK + 1));
	let upload = Upload::new(&location, &leaf, &CONTEXT, &journal);
	let mut ignored = |_| {};
	let source = Silent { first, ended };
	let sending = upload.run(source, Some(LENGTH as u64), &mut ignored);
	let sent = tokio::time::timeout(std::time::Duration::from_secs(60), sending).await;
	assert!(
		matches!(sent, Ok(Err(UploadError::Store { .. }))),
		"{sent:?}"
	);
}
