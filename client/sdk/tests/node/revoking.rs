// SPDX-License-Identifier: Apache-2.0
//! Tests revoking grants, also if there are other readers and if keys were lost.

use crate::scenario::*;
use isthmus_sdk::{sharing::Renewal, *};

/// All leaves of an epoch.
const ALL: u64 = 1 << 32;

#[tokio::test]
async fn a_revoked_reader_reads_nothing_new_and_the_others_read_on() {
	let client = connect().await;
	let uris = [
		"//revoking//school",
		"//revoking//company",
		"//revoking//other",
	];
	let [school, company, other] = accounts(&client, uris).await;
	register(&client, &school).await;
	let mut grants = Vec::new();
	for reader in [&company, &other] {
		publish(&client, reader).await;
		grants.push(give(&client, &school, reader.id(), scope(0, 0, 0, ALL)).await);
	}
	let revocation = revoke(&client, &school, grants[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!((renewal.epoch, renewal.renewed.len()), (1, 1));
	assert_eq!(renewal.renewed[0].1.grantee, *other.id());
	assert!(renewal.skipped.is_empty() && renewal.ended.is_none());
	assert_eq!(epoch(&client, &school).await, 1);

	let later = Place {
		epoch: 1,
		..place("later", 0, 0)
	};
	store(&client, &school, later, b"later").await;
	let renewed = read(&client, &other, school.id(), later.key).await;
	assert_eq!(renewed.unwrap(), b"later");
	let refused = read(&client, &company, school.id(), later.key).await;
	assert!(
		matches!(refused, Err(Error::Query(QueryRefusal::NotAuthorised))),
		"{refused:?}"
	);
}

#[tokio::test]
async fn a_replaced_key_pair_still_opens_what_was_sealed_to_it() {
	let client = connect().await;
	let uris = ["//rotating//school", "//rotating//reader"];
	let [school, reader] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &reader).await;
	let place = place("sealed", 0, 0);
	store(&client, &school, place, b"sealed").await;
	give(&client, &school, reader.id(), scope(0, 0, 0, ALL)).await;
	// Each publication is of a new pair.
	let first = client.best().await.unwrap();
	let first = first.encryption_key(reader.id()).await.unwrap();
	publish(&client, &reader).await;
	let second = client.best().await.unwrap();
	assert_ne!(second.encryption_key(reader.id()).await.unwrap(), first);
	let read = read(&client, &reader, school.id(), place.key).await;
	assert_eq!(read.unwrap(), b"sealed");
}

/// A school with four readers of all leaves, in epoch 0 of dataset 0.
struct Readers {
	client: Client,
	school: Identity,
	readers: [Identity; 4],
	grants: Vec<GrantId>,
}

impl Readers {
	async fn new(uris: [&str; 5]) -> Self {
		let client = connect().await;
		let [school, a, b, c, d] = accounts(&client, uris).await;
		register(&client, &school).await;
		let readers = [a, b, c, d];
		let mut grants = Vec::new();
		for reader in &readers {
			publish(&client, reader).await;
			grants.push(give(&client, &school, reader.id(), scope(0, 0, 0, ALL)).await);
		}
		Self {
			client,
			school,
			readers,
			grants,
		}
	}
}

/// Returns the current epoch of a school's dataset 0.
async fn epoch(client: &Client, school: &Identity) -> Epoch {
	let best = client.best().await.unwrap();
	best.dataset(school.id(), 0).await.unwrap().unwrap().epoch
}

/// Returns the readers whose grants were renewed.
fn renewed(renewal: &Renewal) -> Vec<AccountId> {
	sorted(renewal.renewed.iter().map(|(_, to)| to.grantee))
}

fn ids<const N: usize>(readers: [&Identity; N]) -> Vec<AccountId> {
	sorted(readers.map(|reader| *reader.id()).into_iter())
}

fn sorted(readers: impl Iterator<Item = AccountId>) -> Vec<AccountId> {
	let mut readers: Vec<_> = readers.collect();
	readers.sort_by_key(|reader| reader.0);
	readers
}

#[tokio::test]
async fn a_reader_without_a_key_is_skipped_and_gets_its_grant_when_the_renewal_is_resumed() {
	let uris = [
		"//skipped//school",
		"//skipped//a",
		"//skipped//b",
		"//skipped//c",
		"//skipped//d",
	];
	let Readers {
		client,
		school,
		readers: [a, b, c, d],
		grants,
	} = Readers::new(uris).await;
	let second = give(&client, &school, a.id(), scope(0, 0, 0, 7)).await;
	let withdraw = client.remove_encryption_key().await.unwrap();
	client.send(&d.account, &withdraw).await.unwrap();

	let revocation = revoke(&client, &school, grants[0]).await.unwrap();
	assert!(revocation.included.is_some());
	// The revoked reader's other grant stays active, but only for the epoch that ended.
	assert_eq!(revocation.left, [second]);
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 1);
	assert_eq!(renewed(&renewal), ids([&b, &c]));
	let [(skipped, Error::NoEncryptionKey(reader))] = &renewal.skipped[..] else {
		panic!("{:?}", renewal.skipped);
	};
	assert_eq!((skipped.grantee, *reader), (*d.id(), *d.id()));
	assert!(renewal.ended.is_none());

	// When the renewal is resumed, the skipped reader gets its grant, and no one gets a second one.
	publish(&client, &d).await;
	let again = revoke(&client, &school, grants[0]).await.unwrap();
	assert!(again.included.is_none());
	assert_eq!(renewed(&again.renewal.unwrap()), ids([&d]));
}

#[tokio::test]
async fn revoking_a_grant_of_an_ended_epoch_starts_no_epoch() {
	let uris = [
		"//ended//school",
		"//ended//a",
		"//ended//b",
		"//ended//c",
		"//ended//d",
	];
	let Readers {
		client,
		school,
		readers: [_, _, c, d],
		grants,
	} = Readers::new(uris).await;
	revoke(&client, &school, grants[0]).await.unwrap();

	// Revoking reader b's grant on the ended epoch starts no new epoch and gives no grants.
	let old = revoke(&client, &school, grants[1]).await.unwrap();
	assert!(old.included.is_some() && old.renewal.is_none());
	assert_eq!((old.left.len(), old.overtaken), (1, false));
	// Revoking it again fails: this revocation did not start the epoch, so there is nothing to resume.
	let ended = revoke(&client, &school, grants[1]).await.unwrap_err();
	assert_eq!(ended.refusal(), Some(&PalletError::GrantEnded), "{ended}");
	assert_eq!(epoch(&client, &school).await, 1);

	// Revoking the reader's grant on the current epoch starts the next one.
	let revocation = revoke(&client, &school, old.left[0]).await.unwrap();
	let renewal = revocation.renewal.unwrap();
	assert_eq!(renewal.epoch, 2);
	assert_eq!(renewed(&renewal), ids([&c, &d]));
	let ended = revoke(&client, &school, grants[0]).await.unwrap_err();
	assert_eq!(ended.refusal(), Some(&PalletError::GrantEnded), "{ended}");
	let unknown = revoke(&client, &c, grants[0]).await.unwrap_err();
	assert!(matches!(unknown, Error::NoSuchGrant { .. }), "{unknown}");
}

/// A reader who lost a key can read with a grant that was sealed to another key, whichever grant the chain
/// names.
#[tokio::test]
async fn a_lost_key_does_not_hide_a_grant_that_opens() {
	let client = connect().await;
	let [school, reader] = accounts(&client, ["//lost//school", "//lost//reader"]).await;
	register(&client, &school).await;
	let place = place("lost", 0, 0);
	store(&client, &school, place, b"x").await;
	let other = Identity::development("//lost//other").unwrap();
	// Only the middle grant is sealed to the key that the reader still has.
	for key in [&other, &reader, &other] {
		let sealed_to = Identity {
			encryption: key.encryption.clone(),
			..reader.clone()
		};
		publish(&client, &sealed_to).await;
		give(&client, &school, reader.id(), scope(0, 0, 0, 4)).await;
	}
	let opened = read(&client, &reader, school.id(), place.key).await;
	assert_eq!(opened.unwrap(), b"x");
}

/// Gives a reader these grants on epoch 0, and starts the next epoch.
async fn left_behind(uris: [&str; 2], grants: u64) -> (Client, Identity, Identity) {
	let client = connect().await;
	let [school, reader] = accounts(&client, uris).await;
	register(&client, &school).await;
	publish(&client, &reader).await;
	for to in 1..=grants {
		give(&client, &school, reader.id(), scope(0, 0, 0, to)).await;
	}
	let next = client.start_epoch(0).await.unwrap();
	client.send(&school.account, &next).await.unwrap();
	(client, school, reader)
}

#[tokio::test]
async fn renewals_take_turns_and_give_each_grant_once() {
	let uris = ["//renewing//school", "//renewing//reader"];
	let (client, school, reader) = left_behind(uris, 1).await;
	let readers = sharing::Readers::default();
	let due = sharing::renewable(&client, &school, 0, &readers).await;
	let due = due.unwrap();
	// The chain is younger than its memory.
	assert_eq!(
		(due.before, due.epoch, due.may_have_forgotten),
		(0, 1, false)
	);
	let named: Vec<_> = due.terms.iter().map(|terms| terms.grantee).collect();
	assert_eq!(named, [*reader.id()]);
	let (one, other) = tokio::join!(
		sharing::renew(&client, &school, 0, &readers),
		sharing::renew(&client, &school, 0, &readers)
	);
	let mut renewed = [one, other].map(|renewal| renewal.unwrap().renewed.len());
	renewed.sort();
	assert_eq!(renewed, [0, 1]);
	let due = sharing::renewable(&client, &school, 0, &readers).await;
	assert_eq!(due.unwrap().terms, []);
}

#[tokio::test]
async fn what_the_chain_may_have_forgotten_is_not_renewed_unless_told_to() {
	let uris = ["//forgotten//school", "//forgotten//reader"];
	// Another grant would take the place of one that was revoked.
	let (client, school, reader) = left_behind(uris, 16).await;
	let renew = async |except: &[AccountId], all| {
		let readers = sharing::Readers {
			from: None,
			except: except.to_vec(),
			all,
		};
		let renewal = sharing::renew(&client, &school, 0, &readers).await;
		renewal.map(|renewal| renewal.renewed.len())
	};
	let refused = renew(&[], false).await;
	assert!(
		matches!(
			refused,
			Err(Error::RevocationsForgotten {
				dataset: 0,
				epoch: 0
			})
		),
		"{refused:?}"
	);
	assert_eq!(renew(&[*reader.id()], false).await.unwrap(), 0);
	assert_eq!(renew(&[], true).await.unwrap(), 16);
	// Nothing is due any more.
	assert_eq!(renew(&[], false).await.unwrap(), 0);
}
