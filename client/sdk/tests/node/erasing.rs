// SPDX-License-Identifier: Apache-2.0
//! A record is removed with its key. Afterwards nothing that its owner keeps opens its bytes, which are still in a block: not
//! the seed, and not the file of erasable keys. Nor does a grant that is given later. Who was granted its leaf before can open
//! it for ever, whether it was fetched or not: the sealed keys are in the chain's history (`scripts/tests/erasing.test.mjs`).

use crate::{scenario::*, serving::reports};
use isthmus_sdk::{
	envelope::{decrypt_value, EpochKeys, ErasableFile, TreeError},
	serve::Limits,
	sharing::epoch_id,
	*,
};

/// An account with a file for erasable keys.
fn with_file(identity: Identity, folder: &tempfile::TempDir) -> Identity {
	let path = folder.path().join("school.key");
	let file = ErasableFile::beside(&path, &identity.master, identity.id().0);
	Identity {
		erasable: Some(file),
		..identity
	}
}

async fn send(client: &Client, school: &Identity, call: Call) -> Included {
	client.send(&school.account, &call).await.unwrap()
}

async fn remove_and_erase(client: &Client, school: &Identity, key: RecordKey) -> usize {
	let removal = Removal::find(client, school, key, &mut ()).await.unwrap();
	let erasure = Erasure::of(client, school, &removal).await.unwrap();
	erasure.intend(client, school).unwrap();
	let mut removed = removal.run(client, school, &mut ()).await.unwrap();
	removed.last.included().await.unwrap();
	erasure.run(client, school).unwrap()
}

#[tokio::test]
async fn a_record_that_was_erased_opens_no_more() {
	let folder = tempfile::tempdir().unwrap();
	let client = connect().await;
	let [school, early, late] = accounts(
		&client,
		["//erasing//school", "//erasing//early", "//erasing//late"],
	)
	.await;
	let school = with_file(school, &folder);
	register(&client, &school).await;
	let file = school.erasable_file().unwrap();
	file.begin(client.genesis(), 0, 0).unwrap();
	let [first, second, third] =
		[("a", 0), ("b", 1), ("c", 2)].map(|(name, leaf)| place(name, 0, leaf));
	for (place, value) in [(first, b"one"), (second, b"two"), (third, b"six")] {
		store(&client, &school, place, value).await;
	}
	let id = epoch_id(&client, school.id(), 0, 0);
	for reader in [&early, &late] {
		publish(&client, reader).await;
	}
	give(&client, &school, early.id(), scope(0, 0, 0, 3)).await;
	assert_eq!(
		read(&client, &early, school.id(), second.key)
			.await
			.unwrap(),
		b"two"
	);

	// What everybody can copy from the blocks.
	let best = client.best().await.unwrap();
	let record = best.record(school.id(), second.key).await.unwrap().unwrap();
	let Payload::Value { content_hash, .. } = &record.payload else {
		panic!("{record:?}");
	};
	let stored = query::content(&client, &content_hash.0).await.unwrap();
	let context = context(&client, &school, second.key);
	let opens = |key: &envelope::LeafKey| decrypt_value(key, &context, &stored).is_ok();
	let keys = school.epoch_keys(&id).unwrap();
	assert!(matches!(keys, EpochKeys::Erasable(_)));
	assert!(opens(&keys.leaf_key(1).unwrap()));

	assert_eq!(remove_and_erase(&client, &school, second.key).await, 1);
	let keys = school.epoch_keys(&id).unwrap();
	assert_eq!(keys.leaf_key(1).unwrap_err(), TreeError::Erased { leaf: 1 });
	assert!(!opens(&school.master.epoch_root(&id).leaf_key(1)));
	for other in [0, 2, 3] {
		assert!(!opens(&keys.leaf_key(other).unwrap()));
	}
	// The other records are as before.
	assert_eq!(
		read(&client, &school, school.id(), first.key)
			.await
			.unwrap(),
		b"one"
	);
	assert_eq!(
		read(&client, &early, school.id(), third.key).await.unwrap(),
		b"six"
	);
	// A grant of a range with the leaf cannot be made; those beside it can.
	let best = client.best().await.unwrap();
	let terms = terms_for(&best, late.id(), scope(0, 0, 0, 3));
	let refused = sharing::grant(&client, &best, &school, &terms).await;
	let Err(Error::PartlyErased(cut)) = refused else {
		panic!("{refused:?}");
	};
	assert_eq!(
		cut.to_string(),
		"leaves 1..2 were erased, and 0..1 and 2..3 are left"
	);
	give(&client, &school, late.id(), scope(0, 0, 2, 9)).await;
	assert_eq!(
		read(&client, &late, school.id(), third.key).await.unwrap(),
		b"six"
	);
}

fn terms_for(best: &State, reader: &AccountId, scope: Scope) -> Terms {
	Terms {
		grantee: *reader,
		scope,
		expiry: sharing::expiry(best, 5_000),
		until: None,
		request: None,
		condition: None,
	}
}

/// Returns the leaves of the grants in a block.
fn granted(included: &Included) -> Vec<(u64, u64)> {
	let granted = included.events.iter().filter_map(Event::granted);
	granted
		.map(|granted| (granted.terms.scope.from, granted.terms.scope.to))
		.collect()
}

/// A dataset with an erasable epoch, in which leaves 1 and 4 of six are erased, and a reader with a registered key.
struct Holed {
	client: Client,
	school: Identity,
	reader: Identity,
	places: Vec<Place>,
	_folder: tempfile::TempDir,
}

impl Holed {
	async fn new(uris: [&str; 2]) -> Self {
		let folder = tempfile::tempdir().unwrap();
		let client = connect().await;
		let [school, reader] = accounts(&client, uris).await;
		let school = with_file(school, &folder);
		register(&client, &school).await;
		publish(&client, &reader).await;
		let file = school.erasable_file().unwrap();
		file.begin(client.genesis(), 0, 0).unwrap();
		let places: Vec<Place> = (0..6)
			.map(|leaf| place(&format!("holed-{leaf}"), 0, leaf))
			.collect();
		for place in &places {
			store(&client, &school, *place, b"kept").await;
		}
		let id = epoch_id(&client, school.id(), 0, 0);
		assert_eq!(file.erase(&id, &[1, 4]).unwrap(), 2);
		Self {
			client,
			school,
			reader,
			places,
			_folder: folder,
		}
	}

	/// Checks that the reader reads all records but those that were erased.
	async fn is_read(&self) {
		for place in &self.places {
			let read = read(&self.client, &self.reader, self.school.id(), place.key).await;
			match place.leaf {
				1 | 4 => assert!(
					matches!(read, Err(Error::Query(QueryRefusal::OutOfRange))),
					"{read:?}"
				),
				_ => assert_eq!(read.unwrap(), b"kept", "leaf {}", place.leaf),
			}
		}
	}

	/// Asks for leaves 0 to 5, and returns the request.
	async fn ask(&self, offer: Balance) -> (RequestId, Request) {
		let Self {
			client,
			school,
			reader,
			..
		} = self;
		let scope = scope(0, 0, 0, 6);
		let asked = ask(client, reader, school.id(), scope, offer).await;
		let best = client.best().await.unwrap();
		(asked, best.request(asked).await.unwrap().unwrap())
	}
}

#[tokio::test]
async fn what_is_left_of_a_range_is_granted_and_read() {
	let holed = Holed::new(["//holed//school", "//holed//reader"]).await;
	let Holed {
		client,
		school,
		reader,
		..
	} = &holed;
	let best = client.best().await.unwrap();
	let terms = terms_for(&best, reader.id(), scope(0, 0, 0, 6));
	let given = sharing::grant_left(client, &best, school, &terms).await;
	let given = given.unwrap();
	let cut = given.cut.map(|cut| cut.to_string());
	assert_eq!(
		cut.as_deref(),
		Some("leaves 1..2 and 4..5 were erased, and 0..1, 2..4 and 5..6 are left")
	);
	let included = send(client, school, given.call).await;
	assert_eq!(granted(&included), [(0, 1), (2, 4), (5, 6)]);
	holed.is_read().await;
	// Where nothing was erased, there is one grant, and where all was, there is none.
	let terms = terms_for(&best, reader.id(), scope(0, 0, 5, 900));
	let given = sharing::grant_left(client, &best, school, &terms).await;
	let given = given.unwrap();
	assert_eq!(given.cut, None);
	let included = send(client, school, given.call).await;
	assert_eq!(granted(&included), [(5, 900)]);
	let terms = terms_for(&best, reader.id(), scope(0, 0, 4, 5));
	let refused = sharing::grant_left(client, &best, school, &terms).await;
	assert!(
		matches!(refused, Err(Error::PartlyErased(_))),
		"{:?}",
		refused.err()
	);
}

#[tokio::test]
async fn a_request_for_a_range_with_erased_leaves_gets_what_is_left() {
	let holed = Holed::new(["//holed-request//school", "//holed-request//reader"]).await;
	let Holed { client, school, .. } = &holed;
	// A payment would be lost with the answer.
	let (paid, request) = holed.ask(UNIT).await;
	let refused = sharing::authorize_left(client, school, paid, &request, Depth::Final).await;
	assert!(
		matches!(refused, Err(Error::PartlyErased(_))),
		"{:?}",
		refused.err()
	);
	let seen = client.best().await.unwrap();
	let reject = client.reject_request(paid, "").await.unwrap();
	send(client, school, reject).await;
	// Who waits for the answer learns that there is none.
	let answer = dispute::answered(client, &holed.reader, &seen, paid).await;
	assert!(matches!(answer, Ok(None)), "{answer:?}");

	let (asked, request) = holed.ask(0).await;
	let refused = authorize(client, school, asked, &request, Depth::Final).await;
	assert!(
		matches!(refused, Err(Error::PartlyErased(_))),
		"{:?}",
		refused.err()
	);
	// A rejection names no digest, so another request may have this number after a reorganisation.
	let early = sharing::authorize_left(client, school, asked, &request, Depth::Blocks(0)).await;
	assert!(
		matches!(early, Err(Error::OnlyWhenFinal(id)) if id == asked),
		"{:?}",
		early.err()
	);
	let given = sharing::authorize_left(client, school, asked, &request, Depth::Final).await;
	let included = send(client, school, given.unwrap().call).await;
	let reason = included.events.iter().find_map(|event| match event {
		Event::RequestRejected {
			request, reason, ..
		} if *request == asked => Some(reason.to_string()),
		_ => None,
	});
	assert_eq!(
		reason.as_deref(),
		Some("leaves 1..2 and 4..5 were erased; grants given with this answer open the others; purpose research: a study")
	);
	assert_eq!(granted(&included), [(0, 1), (2, 4), (5, 6)]);
	let best = client.best().await.unwrap();
	assert_eq!(best.request(asked).await.unwrap(), None);
	holed.is_read().await;
}

#[tokio::test]
async fn serve_leaves_a_request_for_a_range_with_erased_leaves_to_the_owner() {
	let holed = Holed::new(["//holed-serve//school", "//holed-serve//reader"]).await;
	let Holed { client, school, .. } = &holed;
	let policy = Policy {
		price: 0,
		firm_price: None,
		longest_range: 10,
		longest_term: 10_000,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	let set = client.set_policy(0, policy, None).await.unwrap();
	send(client, school, set).await;
	let (asked, _) = holed.ask(0).await;
	let served = reports(client, school, &Limits::default(), 1).await;
	assert!(
		matches!(served[0].outcome, Err(Error::PartlyErased(_))) && served[0].request == asked,
		"{served:?}"
	);
	let best = client.best().await.unwrap();
	assert!(best.request_to(school.id(), asked).await.is_ok());
}

#[tokio::test]
async fn a_folder_is_erased_with_its_files() {
	let (keys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
	let client = connect().await;
	let [school] = accounts(&client, ["//erasing-folder//school"]).await;
	let school = with_file(school, &keys);
	register(&client, &school).await;
	let file = school.erasable_file().unwrap();
	file.begin(client.genesis(), 0, 0).unwrap();
	for name in ["a", "b", "c"] {
		std::fs::write(folder.path().join(name), name).unwrap();
	}
	let local = LocalFolder::open(folder.path()).unwrap();
	let place = place("letters", 0, 0);
	UploadFolder::new(&client, &school, place)
		.at_free_leaf()
		.run(&local, &mut ())
		.await
		.unwrap();
	assert_eq!(remove_and_erase(&client, &school, place.key).await, 4);
	let left = file
		.keys(&epoch_id(&client, school.id(), 0, 0))
		.unwrap()
		.unwrap();
	let erased = (0..8).filter(|leaf| left.leaf_key(*leaf).is_err()).count();
	assert_eq!(erased, 4);
}

/// A removal was interrupted after it was noted that keys are going to be erased.
#[tokio::test]
async fn keys_are_erased_later_only_if_their_records_are_gone() {
	let folder = tempfile::tempdir().unwrap();
	let client = connect().await;
	let [school] = accounts(&client, ["//erasing-later//school"]).await;
	let school = with_file(school, &folder);
	register(&client, &school).await;
	let file = school.erasable_file().unwrap();
	file.begin(client.genesis(), 0, 0).unwrap();
	let place = place("a", 0, 0);
	store(&client, &school, place, b"one").await;
	let removal = Removal::alone(place.key);
	let erasure = Erasure::of(&client, &school, &removal).await.unwrap();
	erasure.intend(&client, &school).unwrap();
	assert_eq!(Erasure::settle(&client, &school).await.unwrap(), 0);
	assert_eq!(
		read(&client, &school, school.id(), place.key)
			.await
			.unwrap(),
		b"one"
	);
	let mut removed = removal.run(&client, &school, &mut ()).await.unwrap();
	removed.last.included().await.unwrap();
	assert_eq!(Erasure::settle(&client, &school).await.unwrap(), 1);
	assert_eq!(Erasure::settle(&client, &school).await.unwrap(), 0);
}

#[tokio::test]
async fn keys_that_come_from_the_seed_are_not_erased() {
	let folder = tempfile::tempdir().unwrap();
	let client = connect().await;
	let [school] = accounts(&client, ["//not-erasing//school"]).await;
	register(&client, &school).await;
	let place = place("a", 0, 0);
	store(&client, &school, place, b"one").await;
	let removal = Removal::alone(place.key);
	let erasure = |owner: Identity| {
		let (client, removal) = (&client, &removal);
		async move { Erasure::of(client, &owner, removal).await.unwrap_err() }
	};
	let refused = erasure(school.clone()).await;
	assert!(
		matches!(refused, Error::Erasable(envelope::ErasableError::NoFile)),
		"{refused}"
	);
	let school = with_file(school, &folder);
	let refused = erasure(school.clone()).await;
	assert!(
		matches!(
			refused,
			Error::Erasable(envelope::ErasableError::NotErasable {
				dataset: 0,
				epoch: 0
			})
		),
		"{refused}"
	);
	// Later epochs can be made erasable.
	let next = client.start_epoch(0).await.unwrap();
	send(&client, &school, next).await;
	let file = school.erasable_file().unwrap();
	file.begin(client.genesis(), 0, 1).unwrap();
	let later = Place {
		epoch: 1,
		key: record_key("b").unwrap(),
		..place
	};
	store(&client, &school, later, b"two").await;
	assert_eq!(remove_and_erase(&client, &school, later.key).await, 1);
	assert_eq!(
		read(&client, &school, school.id(), place.key)
			.await
			.unwrap(),
		b"one"
	);
}
