// SPDX-License-Identifier: Apache-2.0
//! Uploads of objects that were interrupted at their very end are given up: what the chain has, or may get, a record of stays.

use crate::scenario::*;
use isthmus_sdk::{
	envelope::ErasableFile,
	objects::Location,
	sharing::epoch_id,
	upload::{give_up, unfinished, GiveUpError},
	*,
};
use std::{
	fs,
	path::{Path, PathBuf},
	sync::{Arc, Mutex},
	time::Duration,
};

/// A journal's path, and what it says.
type Kept = Arc<Mutex<Option<(PathBuf, String)>>>;

/// An object whose program was ended after its entry was sent, and before its journal was removed.
struct Ended {
	client: Client,
	school: Identity,
	place: Place,
	/// The folder that is the object's location.
	store: tempfile::TempDir,
	/// Where the journal was, and what it said when the node accepted the entry.
	journal: PathBuf,
	said: String,
	_keys: tempfile::TempDir,
}

impl Ended {
	async fn new(uri: &str) -> Self {
		let client = connect().await;
		let [school] = accounts(&client, [uri]).await;
		let keys = tempfile::tempdir().unwrap();
		let path = keys.path().join("school.key");
		let file = ErasableFile::beside(&path, &school.master, school.id().0);
		let school = Identity {
			erasable: Some(file),
			..school
		};
		register(&client, &school).await;
		let file = school.erasable_file().unwrap();
		file.begin(client.genesis(), 0, 0).unwrap();
		let kept = Kept::default();
		let (owner, keeps) = (school.id().to_string(), kept.clone());
		client.on_sent(move |_| {
			if let Some(journal) = journal_of(&owner) {
				let said = fs::read_to_string(&journal).unwrap();
				*keeps.lock().unwrap() = Some((journal, said));
			}
		});
		let store = tempfile::tempdir().unwrap();
		let location = Location::open(&format!("file://{}", store.path().display())).unwrap();
		let place = place("given up", 0, 0);
		let value = std::io::Cursor::new(b"an object".to_vec());
		Upload::new(&client, &school, place)
			.run_object(&location, value, Some(9), &mut ())
			.await
			.unwrap();
		assert_eq!(unfinished(&client, school.id(), &place.key).unwrap(), None);
		let (journal, said) = kept.lock().unwrap().take().unwrap();
		fs::write(&journal, &said).unwrap();
		Self {
			client,
			school,
			place,
			store,
			journal,
			said,
			_keys: keys,
		}
	}

	async fn give_up(&self, erases: bool) -> Result<Option<upload::GivenUp>, GiveUpError> {
		give_up(&self.client, &self.school, &self.place.key, erases).await
	}

	/// Removes the record, and waits until that is proven.
	async fn remove(&self) {
		let remove = self.client.remove_record(self.place.key).await.unwrap();
		let pending = self.client.submit(&self.school.account, &remove).await;
		pending.unwrap().finalized().await.unwrap();
		for _ in 0..1_200 {
			let proven = self.client.proven().await.unwrap();
			let record = proven.record(self.school.id(), self.place.key).await;
			if record.unwrap().is_none() {
				return;
			}
			tokio::time::sleep(Duration::from_millis(50)).await;
		}
		panic!("the removal is final, and not proven");
	}

	fn is_unfinished(&self) -> bool {
		let found = unfinished(&self.client, self.school.id(), &self.place.key);
		found.unwrap().is_some()
	}

	fn has_key(&self) -> bool {
		let id = epoch_id(&self.client, self.school.id(), 0, 0);
		let keys = self.school.epoch_keys(&id).unwrap();
		keys.leaf_key(self.place.leaf).is_ok()
	}
}

/// Returns the only journal of an upload of an account.
fn journal_of(owner: &str) -> Option<PathBuf> {
	let home = std::env::var("HOME").unwrap();
	let found = fs::read_dir(Path::new(&home).join(".local/state/isthmus")).ok()?;
	found.map(|entry| entry.unwrap().path()).find(|path| {
		let name = path.file_name().unwrap().to_string_lossy();
		name.starts_with(&format!("isthmus-{owner}-")) && name.ends_with(".upload")
	})
}

fn files(folder: &Path) -> usize {
	fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn an_object_whose_record_is_stored_stays() {
	let ended = Ended::new("//given-up//stored").await;
	assert!(ended.said.contains("\nwhole\nentering "), "{}", ended.said);
	// The record is found by its leaf and by its key, also if the upload went to another dataset (`1 0 0`).
	let elsewhere = ended.said.replace(" n3020302030\n", " n3120302030\n");
	assert_ne!(elsewhere, ended.said);
	for said in [&ended.said, &elsewhere] {
		fs::write(&ended.journal, said).unwrap();
		assert!(ended.is_unfinished());
		assert_eq!(ended.give_up(true).await.unwrap(), None);
		assert_eq!(files(ended.store.path()), 1);
		assert!(!ended.is_unfinished() && ended.has_key());
	}
}

/// Neither the best block nor what is proven has a record, and this machine's notes may be gone.
#[tokio::test]
async fn an_object_whose_record_may_still_be_stored_stays_with_its_key() {
	let ended = Ended::new("//given-up//entering").await;
	ended.remove().await;
	for erases in [false, true] {
		let refused = ended.give_up(erases).await;
		let Err(GiveUpError::Entering { last, finalized }) = refused else {
			panic!("{refused:?}");
		};
		assert!(finalized <= last);
	}
	assert_eq!(files(ended.store.path()), 1);
	assert!(ended.is_unfinished() && ended.has_key());

	// Its last block is final.
	let (before, _) = ended.said.split_once("entering").unwrap();
	fs::write(&ended.journal, format!("{before}entering 0\n")).unwrap();
	// A transaction that claims its leaf may still return.
	let refused = ended.give_up(true).await;
	assert!(
		matches!(refused, Err(GiveUpError::LeafInUse(0))),
		"{refused:?}"
	);
	assert!(ended.is_unfinished() && ended.has_key());
	// It is the list of a packed folder whose packs were sent.
	let packs = ended.journal.with_extension("packs");
	fs::write(&packs, "").unwrap();
	let refused = ended.give_up(false).await;
	assert!(
		matches!(refused, Err(GiveUpError::PackedFolder)),
		"{refused:?}"
	);
	fs::remove_file(&packs).unwrap();
	// Another program stores an object in the dataset.
	let lock = format!("isthmus-{}-objects-0.lock", ended.school.id());
	let lock = fs::File::create(ended.journal.with_file_name(lock)).unwrap();
	lock.lock().unwrap();
	let refused = ended.give_up(false).await;
	assert!(matches!(refused, Err(GiveUpError::Busy(_))), "{refused:?}");
	drop(lock);
	assert_eq!(files(ended.store.path()), 1);
	let given_up = ended.give_up(false).await.unwrap().unwrap();
	assert_eq!((given_up.failure, given_up.erased), (None, None));
	assert_eq!(files(ended.store.path()), 0);
	assert!(!ended.is_unfinished());
}
