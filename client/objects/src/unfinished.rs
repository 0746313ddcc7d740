// SPDX-License-Identifier: Apache-2.0
//! Uploads that were interrupted and may not go on: what is in their journals, and how they are given up.
//!
//! Journals are only read here, and removed. What was sent under an object's keys stays encrypted under them alone, because
//! the next upload has another salt.

use crate::{
	failure::Failure,
	journal::{Done, Said},
	location::Location,
	object,
	patience::patiently,
};
use std::{fs, io, path::Path};

/// An upload that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
	/// The caller's note.
	pub note: String,
	/// The URL of the location that it goes to.
	pub url: String,
	/// The [name](crate::Object::name) of the object.
	pub object: String,
	/// Whether the location has the whole object, so that the chain may have its entry.
	pub whole: bool,
}

/// What becomes of an object that its location has as a whole, although its upload is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
	/// It stays: the chain may have its entry.
	Stays,
	/// It is deleted: the caller knows that the chain has no entry of it.
	Deleted,
}

/// An upload that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
	/// The URL of the location that it went to.
	pub url: String,
	/// The [name](crate::Object::name) of the object.
	pub object: String,
	/// Why what was sent of it stays there; `None` if it is gone, or was to stay.
	pub failure: Option<Failure>,
}

/// Reads the journal of an unfinished upload; `None` if none can be resumed. Another program may be using it.
///
/// # Errors
///
/// Returns the error of the journal's file.
pub fn unfinished(journal: &Path) -> io::Result<Option<Unfinished>> {
	let said = Said::read(journal)?;
	Ok(said.map(|Said { start, done, .. }| Unfinished {
		object: object::name(&start.header),
		note: start.note,
		url: start.url,
		whole: done.whole,
	}))
}

/// Removes the journal of an upload that is finished or given up.
///
/// # Errors
///
/// Returns the error of the journal's file.
pub fn forget(journal: &Path) -> io::Result<()> {
	match fs::remove_file(journal) {
		Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
		_ => Ok(()),
	}
}

/// Gives up the upload of a journal: removes the journal, and then has the store forget the parts that it has, or the object.
/// Whatever ends the program in between, nothing goes on as if the store still had them. `location` is asked if the upload
/// went there, and otherwise the one that the journal names. Returns `None` if there is no such upload.
///
/// No other program may use the journal meanwhile. A store that cannot be asked keeps what it has; some stores have a rule
/// for that.
///
/// # Errors
///
/// Returns the error of the journal's file. Then nothing is deleted.
pub async fn give_up(
	journal: &Path,
	location: Option<&Location>,
	whole: Whole,
) -> io::Result<Option<GivenUp>> {
	let said = Said::read(journal)?;
	forget(journal)?;
	let Some(Said { start, done, .. }) = said else {
		return Ok(None);
	};
	let (url, object) = (start.url, object::name(&start.header));
	let was_sent = done.id.is_some() || !done.sent.is_empty();
	let failure = match was_sent && !(done.whole && whole == Whole::Stays) {
		true => delete(&url, location, &object, &done).await.err(),
		false => None,
	};
	Ok(Some(GivenUp {
		url,
		object,
		failure,
	}))
}

/// Deletes what an upload has sent: its parts and, because the program may not have learned that the store has put them
/// together, the object of its name. No other upload uses that name.
async fn delete(
	url: &str,
	location: Option<&Location>,
	object: &str,
	done: &Done,
) -> Result<(), Failure> {
	let there = match location.filter(|location| location.url() == url) {
		Some(location) => location.clone(),
		None => Location::open(url).map_err(|error| Failure::Unusable(error.to_string()))?,
	};
	let parts = there.parts()?;
	if let (Some(id), false) = (&done.id, done.whole) {
		match patiently(0, parts.abandon(&there.path(object), id)).await {
			Ok(()) | Err(Failure::Dropped) => {}
			Err(failure) => return Err(failure),
		}
	}
	patiently(0, there.delete_named(object)).await.map(|_| ())
}
