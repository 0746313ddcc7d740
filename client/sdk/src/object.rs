// SPDX-License-Identifier: Apache-2.0
//! Objects of records: their entries on the chain, and the locations where their owner keeps them.

use crate::{
	client::Client, error::Error, proven::Proven, records::records, state::State, types::*,
};
use isthmus_envelope::{header, Form, ObjectHeader};
use isthmus_light::storage;
use isthmus_objects::{Failure, Left, Location, LocationError, Marked};
use std::{
	collections::BTreeSet,
	sync::atomic::{AtomicU32, Ordering},
	time::{Duration, SystemTime},
};

/// How long nothing may have changed in an object that is taken for unused: until then, it may be of an upload that is not finished.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// How many places of a dataset's list are asked for together.
const TOGETHER: u32 = 256;

/// The locations of a dataset that this program can use, and those that it cannot.
#[derive(Debug, Default)]
pub struct Locations {
	/// Those that can be used, in the order in which the owner published them.
	pub usable: Vec<Location>,
	/// Those that cannot be used, and why.
	pub unusable: Vec<Left>,
}

impl Locations {
	/// Opens published locations. Nothing is asked of them yet.
	pub fn open<Url: AsRef<str>>(urls: impl IntoIterator<Item = Url>) -> Self {
		Self::open_by(urls, Location::open)
	}

	/// Opens locations that anyone may have published, as [`Location::open_public`] does: without credentials, and at no address
	/// of this machine or of its network. Nothing is asked of them yet.
	pub fn open_public<Url: AsRef<str>>(urls: impl IntoIterator<Item = Url>) -> Self {
		Self::open_by(urls, Location::open_public)
	}

	fn open_by<Url: AsRef<str>>(
		urls: impl IntoIterator<Item = Url>,
		open: impl Fn(&str) -> Result<Location, LocationError>,
	) -> Self {
		let mut locations = Self::default();
		for url in urls {
			match open(url.as_ref()) {
				Ok(location) => locations.usable.push(location),
				Err(error) => locations.unusable.push(Left {
					// What was published may be anything: it is shown as text.
					url: Text(url.as_ref().as_bytes().to_vec()).to_string(),
					failure: Failure::Unusable(error.to_string()),
				}),
			}
		}
		locations
	}
}

/// What became of objects at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
	/// The location's address.
	pub location: String,
	/// How many of them are gone.
	pub gone: usize,
	/// Why one was not deleted; `None` if all are gone.
	pub failure: Option<String>,
	/// The names of those that are left there; empty where they cannot be deleted at all.
	pub left: Vec<String>,
}

/// Deletes objects at all locations that can be used. Goes on after a failure, but does not ask a location that does not work for
/// the other objects: each would be waited for.
pub async fn delete_objects(
	objects: &[isthmus_objects::Object],
	locations: Locations,
) -> Vec<Deleted> {
	let Locations { usable, unusable } = locations;
	let mut deleted = Vec::new();
	for location in &usable {
		let mut deletion = Deletion::default();
		for object in objects {
			let done = match deletion.broken() {
				Some(failure) => Err(failure),
				None => location.delete(object).await,
			};
			deletion.add(object.name(), done);
		}
		deleted.push(deletion.at(location));
	}
	deleted.extend(unusable.into_iter().map(|left| Deleted {
		location: left.url,
		gone: 0,
		failure: Some(left.failure.to_string()),
		left: Vec::new(),
	}));
	deleted
}

/// What became of objects at a location so far.
#[derive(Default)]
struct Deletion {
	gone: usize,
	/// The last failure.
	failure: Option<Failure>,
	/// The names of the objects that are still there.
	left: Vec<String>,
}

impl Deletion {
	/// Returns why nothing more is asked of the location; `None` if it works.
	fn broken(&self) -> Option<Failure> {
		let failure = self.failure.as_ref();
		failure.filter(|failure| !failure.is_of_object()).cloned()
	}

	/// Counts an object of this name that was deleted, or was not.
	fn add(&mut self, name: String, done: Result<bool, Failure>) {
		match done {
			Ok(_) => self.gone += 1,
			Err(failure) => {
				self.failure = Some(failure);
				self.left.push(name);
			}
		}
	}

	/// Returns what became of all.
	fn at(self, location: &Location) -> Deleted {
		let Self {
			gone,
			failure,
			left,
		} = self;
		Deleted {
			location: location.url().to_owned(),
			gone,
			failure: failure.map(|failure| failure.to_string()),
			left: match location.takes_objects() {
				true => left,
				false => Vec::new(),
			},
		}
	}
}

/// Reads an object's entry.
///
/// # Errors
///
/// Returns [`Error::Malformed`] if it is not one: the chain stores what an owner sent.
pub(crate) fn of_entry(key: RecordKey, object: &Object) -> Result<isthmus_objects::Object, Error> {
	let read = isthmus_objects::Object::new(&object.header, object.length, object.root.0);
	read.map_err(|_| Error::Malformed {
		key,
		reason: "its header is not that of an object of this length",
	})
}

/// Returns whether a record is an object whose value is compressed, by what the chain has of it. A folder's list never is.
pub(crate) fn is_compressed(record: &Record) -> bool {
	match &record.payload {
		Payload::Object { object, .. } => {
			let header = ObjectHeader::read(&object.header);
			header.is_ok_and(|header| header.form() == Form::Compressed)
		}
		Payload::Value { .. } | Payload::Chunks { .. } => false,
	}
}

/// Returns the object of a record, as finalized; `None` if there is no such record, or its bytes are on the chain.
///
/// # Errors
///
/// Returns [`Error::Malformed`] if the entry is not that of an object, and the errors of
/// [`Client::proven`](Client::proven).
pub async fn object_of(
	client: &Client,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<(isthmus_objects::Object, Record)>, Error> {
	let record = client.proven().await?.record(owner, key).await?;
	let Some(record) = record else {
		return Ok(None);
	};
	match &record.payload {
		Payload::Object { object, .. } => Ok(Some((of_entry(key, object)?, record))),
		Payload::Value { .. } | Payload::Chunks { .. } => Ok(None),
	}
}

/// Returns the salt of an entry, which is the object's name, where the headers of all versions have it.
pub(crate) fn salt_of(object: &Object) -> [u8; 32] {
	header::field(&object.header, header::SALT_AT)
}

/// The objects of a dataset, in the order of the chain's list.
#[derive(Clone, Debug)]
pub struct ObjectsAt {
	/// The finalized block in whose state they are.
	pub block: BlockNumber,
	/// The keys of their records, and the objects.
	pub objects: Vec<(RecordKey, isthmus_objects::Object)>,
}

/// Returns the objects of a dataset, as finalized. If the best block has others, waits until that is final: who has just stored
/// or removed an object means the dataset as it is now.
///
/// # Errors
///
/// Returns [`Error::Malformed`] if an entry is not that of an object, and the errors of [`Proven::objects`].
pub async fn objects_in(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<ObjectsAt, Error> {
	let best = client.best().await?;
	let said = entries_at(client, &best, owner, dataset).await?;
	let block = AtomicU32::new(0);
	let look = async |proven: &Proven| {
		block.store(proven.block().number, Ordering::Relaxed);
		entries(proven, owner, dataset).await
	};
	let entries = client.confirmed(&best, &said, look).await?;
	let object = |(key, entry)| Ok((key, of_entry(key, &entry)?));
	let objects = entries.into_iter().map(object);
	Ok(ObjectsAt {
		block: block.into_inner(),
		objects: objects.collect::<Result<_, Error>>()?,
	})
}

/// Returns what the node shows of a dataset's objects in a state, like [`entries`].
async fn entries_at(
	client: &Client,
	state: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Vec<(RecordKey, Object)>, Error> {
	let count = state.object_count(owner, dataset).await?;
	let mut shown = Vec::new();
	// In parts: the node may say that there are more than there are.
	for first in (0..count).step_by(TOGETHER as usize) {
		let part = first..count.min(first.saturating_add(TOGETHER));
		let places = part.clone();
		let places = places.map(|ordinal| storage::object(&owner.0, dataset, ordinal));
		client.load(state, &places.collect::<Vec<_>>()).await?;
		let mut keys = Vec::new();
		for ordinal in part {
			match state.object_key(owner, dataset, ordinal).await? {
				Some(key) => keys.push(key),
				None => return Ok(shown),
			}
		}
		let found = records(client, state, owner, &keys).await?;
		for (key, record) in keys.into_iter().zip(found) {
			if let Some(Payload::Object { object, .. }) = record.map(|record| record.payload) {
				shown.push((key, object));
			}
		}
	}
	Ok(shown)
}

/// Returns what the chain has of a dataset's objects, and the keys of their records. Asks for all of them together.
async fn entries(
	proven: &Proven,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Vec<(RecordKey, Object)>, Error> {
	let keys = proven.objects(owner, dataset).await?;
	let records = keys.iter().map(|key| storage::record(&owner.0, *key));
	proven.load(&records.collect::<Vec<_>>()).await?;
	let mut entries = Vec::new();
	for key in keys {
		let record = proven.record(owner, key).await?;
		if let Some(Payload::Object { object, .. }) = record.map(|record| record.payload) {
			entries.push((key, object));
		}
	}
	Ok(entries)
}

/// Returns the salts of all objects, by the finalized state, that a location may have to keep: those of an owner's datasets, and of
/// all other datasets whose owners published the location.
///
/// # Errors
///
/// Returns the errors of [`Proven::catalog`].
pub async fn salts_at(
	proven: &Proven,
	owner: &AccountId,
	url: &str,
) -> Result<BTreeSet<[u8; 32]>, Error> {
	let mut salts = BTreeSet::new();
	for entry in proven.catalog(None).await? {
		let is_own = entry.owner == *owner;
		let urls = proven.locations(&entry.owner, entry.id).await?;
		if !is_own && !urls.iter().any(|other| other == url) {
			continue;
		}
		let entries = entries(proven, &entry.owner, entry.id).await?;
		salts.extend(entries.iter().map(|(_, object)| salt_of(object)));
	}
	Ok(salts)
}

/// Returns what of these objects has none of the salts, and did not change for a day before a time.
pub fn unused(here: Vec<Marked>, salts: &BTreeSet<[u8; 32]>, now: SystemTime) -> Vec<Marked> {
	let is_old = |object: &Marked| {
		let age = now.duration_since(object.modified);
		age.is_ok_and(|age| age >= UNUSED)
	};
	let is_unused = |object: &Marked| !salts.contains(&object.salt) && is_old(object);
	here.into_iter().filter(is_unused).collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Each object would be waited for.
	#[test]
	fn a_location_that_does_not_work_is_not_asked_again() {
		let mut deletion = Deletion::default();
		for (name, done, is_broken) in [
			("a", Ok(true), false),
			("b", Err(Failure::Denied), false),
			("c", Ok(false), false),
			("d", Err(Failure::Unreachable), true),
		] {
			deletion.add(name.to_owned(), done);
			assert_eq!(deletion.broken().is_some(), is_broken, "{name}");
		}
		let Deletion { gone, left, .. } = deletion;
		assert_eq!((gone, left), (2, vec!["b".to_owned(), "d".to_owned()]));
	}

	/// What is newer may be of an upload that is not finished, and a clock may be wrong.
	#[test]
	fn what_no_record_names_is_unused_once_it_is_a_day_old() {
		let now = SystemTime::UNIX_EPOCH + 10 * UNUSED;
		let object = |salt: u8, modified| Marked {
			salt: [salt; 32],
			length: 7,
			modified,
		};
		let second = Duration::from_secs(1);
		let here = vec![
			object(1, now - UNUSED),
			object(2, now - UNUSED),
			object(3, now - UNUSED + second),
			object(4, now + UNUSED),
			object(5, now - 2 * UNUSED),
		];
		let salts = BTreeSet::from([[2; 32]]);
		let found = unused(here, &salts, now);
		let salts: Vec<u8> = found.iter().map(|object| object.salt[0]).collect();
		assert_eq!(salts, [1, 5]);
	}
}
