//! Revoking, among others and with keys that were lost.

use super::*;

/// Who is revoked reads no more; the others read on, also what comes later.
pub(super) async fn revoking(client: &Client, school: &Identity, company: &Identity) {
	let other = Identity::development("//Dave").unwrap();
	let set_key = client
		.set_encryption_key(&other.encryption[0].public_key())
		.await
		.unwrap();
	client.send(&other.account, &set_key).await.unwrap();
	let create = client.create_dataset("more marks").await.unwrap();
	client.send(&school.account, &create).await.unwrap();
	let mut grants = Vec::new();
	for reader in [company, &other] {
		let best = client.best().await.unwrap();
		let terms = Terms {
			grantee: *reader.id(),
			scope: Scope {
				dataset: 1,
				epoch: 0,
				from: 0,
				to: 1 << 32,
			},
			expiry: sharing::expiry(&best, 1_000),
			until: None,
			request: None,
		};
		let call = sharing::grant(client, &best, school, &terms).await.unwrap();
		let included = client.send(&school.account, &call).await.unwrap();
		let Event::Authorized { grant, .. } = included.events[0] else {
			panic!("{:?}", included.events);
		};
		grants.push(grant);
	}
	let revocation = revoke(client, school, grants[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!((renewal.epoch, renewal.renewed.len()), (1, 1));
	assert_eq!(renewal.renewed[0].1.grantee, *other.id());
	assert!(renewal.skipped.is_empty() && renewal.ended.is_none());
	let best = client.best().await.unwrap();
	assert_eq!(
		best.dataset(school.id(), 1).await.unwrap().unwrap().epoch,
		1
	);
	let place = Place {
		key: record_key("later").unwrap(),
		dataset: 1,
		epoch: 1,
		leaf: 0,
	};
	let upload = Upload::new(client, school, place);
	upload
		.run(&mut Cursor::new(b"later"), 5, &mut ())
		.await
		.unwrap();
	assert_eq!(
		read(client, &other, school.id(), place.key).await.unwrap(),
		b"later"
	);
	let refused = read(client, company, school.id(), place.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::NotAuthorised))),
		"{refused:?}"
	);
	// A key pair that was replaced still opens what was sealed to it.
	let rotated = Identity {
		encryption: [
			Identity::development("//Eve").unwrap().encryption,
			other.encryption.clone(),
		]
		.concat(),
		..other.clone()
	};
	let set_key = client
		.set_encryption_key(&rotated.encryption[0].public_key())
		.await
		.unwrap();
	client.send(&rotated.account, &set_key).await.unwrap();
	assert_eq!(
		read(client, &rotated, school.id(), place.key)
			.await
			.unwrap(),
		b"later"
	);
}

/// Neither an old epoch, nor a reader without a key, nor further grants of the reader who is put out
/// are in a revocation's way.
pub(super) async fn revoking_among_others(client: &Client, school: &Identity) {
	let create = client.create_dataset("yet more marks").await.unwrap();
	client.send(&school.account, &create).await.unwrap();
	let (mut readers, mut grants) = (Vec::new(), Vec::new());
	for name in ["//Alice", "//Charlie", "//Dave", "//Eve"] {
		let reader = Identity::development(name).unwrap();
		let key = reader.encryption[0].public_key();
		let set_key = client.set_encryption_key(&key).await.unwrap();
		client.send(&reader.account, &set_key).await.unwrap();
		grants.push(give(client, school, reader.id(), 1 << 32).await);
		readers.push(reader);
	}
	let [alice, charlie, dave, eve] = &readers[..] else {
		panic!("four readers");
	};
	let second = give(client, school, alice.id(), 7).await;
	client
		.send(&eve.account, &client.remove_encryption_key().await.unwrap())
		.await
		.unwrap();
	let given = |renewal: &sharing::Renewal| -> Vec<AccountId> {
		let mut readers: Vec<_> = renewal.renewed.iter().map(|(_, to)| to.grantee).collect();
		readers.sort_by_key(|reader| reader.0);
		readers
	};
	let sorted = |readers: &[&Identity]| -> Vec<AccountId> {
		let mut readers: Vec<_> = readers.iter().map(|reader| *reader.id()).collect();
		readers.sort_by_key(|reader| reader.0);
		readers
	};

	let revocation = revoke(client, school, grants[0]).await.unwrap();
	assert!(revocation.included.is_some());
	// Alice's other grant stays good, for the epoch that ended alone.
	assert_eq!(revocation.left, [second]);
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 1);
	assert_eq!(given(&renewal), sorted(&[charlie, dave]));
	let [(skipped, Error::Unknown(_))] = &renewal.skipped[..] else {
		panic!("{:?}", renewal.skipped);
	};
	assert_eq!(skipped.grantee, *eve.id());
	assert!(renewal.ended.is_none());

	// Again: who was skipped gets its grant now, and nobody a second one.
	let key = eve.encryption[0].public_key();
	let set_key = client.set_encryption_key(&key).await.unwrap();
	client.send(&eve.account, &set_key).await.unwrap();
	let again = revoke(client, school, grants[0]).await.unwrap();
	assert!(again.included.is_none());
	assert_eq!(given(&again.renewal.unwrap()), sorted(&[eve]));

	// Charlie's grant of the epoch that ended: nothing begins, nothing is given.
	let old = revoke(client, school, grants[1]).await.unwrap();
	assert!(old.included.is_some() && old.renewal.is_none());
	assert_eq!((old.left.len(), old.overtaken), (1, false));
	// Nor a second time: it is not this revocation that began the epoch.
	let ended = revoke(client, school, grants[1]).await.unwrap_err();
	assert!(ended.is_refusal("GrantEnded"), "{ended}");
	let best = client.best().await.unwrap();
	let dataset = best.dataset(school.id(), 2).await.unwrap().unwrap();
	assert_eq!(dataset.epoch, 1);
	let revocation = revoke(client, school, old.left[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 2);
	assert_eq!(given(&renewal), sorted(&[dave, eve]));
	let ended = revoke(client, school, grants[0]).await.unwrap_err();
	assert!(ended.is_refusal("GrantEnded"), "{ended}");

	// A call of several that is refused leaves the others, and says why.
	let calls = [
		client.revoke(u64::MAX).await.unwrap(),
		client.create_dataset("of a batch").await.unwrap(),
	];
	let batch = client.batch_each(&calls).await.unwrap();
	let included = client.send(&school.account, &batch).await.unwrap();
	assert_eq!(included.refused[0].name, "UnknownGrant");
	assert!(matches!(included.events[0], Event::DatasetCreated { .. }));
}

/// A reader who lost a key reads by what was sealed to its next one, whichever grant the chain names.
pub(super) async fn lost_key(client: &Client, school: &Identity) {
	let dataset = new_dataset(client, school, "of lost keys").await;
	let place = Place {
		key: record_key("lost").unwrap(),
		dataset,
		epoch: 0,
		leaf: 0,
	};
	let upload = Upload::new(client, school, place);
	upload
		.run(&mut Cursor::new(b"x"), 1, &mut ())
		.await
		.unwrap();
	let reader = Identity::development("//Eve").unwrap();
	let other = Identity::development("//Ferdie").unwrap();
	// The middle one is for the key that the reader has now, the first and last are not.
	for key in [&other, &reader, &other] {
		let public = key.encryption[0].public_key();
		let best = client.best().await.unwrap();
		let terms = Terms {
			grantee: *reader.id(),
			scope: Scope {
				dataset,
				epoch: 0,
				from: 0,
				to: 4,
			},
			expiry: sharing::expiry(&best, 1_000),
			until: None,
			request: None,
		};
		let set_key = client.set_encryption_key(&public).await.unwrap();
		client.send(&reader.account, &set_key).await.unwrap();
		let sealed = sharing::seal(client, school, &terms, &public).unwrap();
		let call = client.add_authorize(&terms, &sealed).await.unwrap();
		client.send(&school.account, &call).await.unwrap();
	}
	assert_eq!(
		read(client, &reader, school.id(), place.key).await.unwrap(),
		b"x"
	);
}

/// Gives a reader leaves 0 to `to` of the school's dataset 2, in its current epoch.
async fn give(client: &Client, school: &Identity, reader: &AccountId, to: u64) -> GrantId {
	let best = client.best().await.unwrap();
	let dataset = best.dataset(school.id(), 2).await.unwrap().unwrap();
	let terms = Terms {
		grantee: *reader,
		scope: Scope {
			dataset: 2,
			epoch: dataset.epoch,
			from: 0,
			to,
		},
		expiry: sharing::expiry(&best, 5_000),
		until: None,
		request: None,
	};
	let call = sharing::grant(client, &best, school, &terms).await.unwrap();
	let included = client.send(&school.account, &call).await.unwrap();
	let Event::Authorized { grant, .. } = included.events[0] else {
		panic!("{:?}", included.events);
	};
	grant
}
