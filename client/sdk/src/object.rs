// SPDX-License-Identifier: Apache-2.0
//! Objects of records: their entries on the chain, and the locations where their owner keeps them.

use crate::{client::Client, error::Error, types::*};
use isthmus_envelope::{Form, ObjectHeader};
use isthmus_objects::{Failure, Left, Location, LocationError};

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
}

/// Deletes objects at all locations that can be used. Goes on after a failure.
pub async fn delete_objects(
	objects: &[isthmus_objects::Object],
	locations: Locations,
) -> Vec<Deleted> {
	let Locations { usable, unusable } = locations;
	let mut deleted = Vec::new();
	for location in &usable {
		let (mut gone, mut failure, mut left) = (0, None, Vec::new());
		for object in objects {
			match location.delete(object).await {
				Ok(_) => gone += 1,
				Err(failed) => {
					failure = Some(failed);
					left.push(object.name());
				}
			}
		}
		deleted.push(Deleted {
			location: location.url().to_owned(),
			gone,
			failure: failure.map(|failure| match location.takes_objects() {
				true => format!("{failure}; left there: {}", some_of(&left)),
				false => failure.to_string(),
			}),
		});
	}
	deleted.extend(unusable.into_iter().map(|left| Deleted {
		location: left.url,
		gone: 0,
		failure: Some(left.failure.to_string()),
	}));
	deleted
}

/// The most names of objects that a text lists.
const MOST_NAMES: usize = 20;

/// Returns the first names of a list, and how many more there are.
fn some_of(names: &[String]) -> String {
	let first: Vec<_> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
	match names.len() - first.len() {
		0 => first.join(", "),
		more => format!("{}, and {more} more", first.join(", ")),
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
