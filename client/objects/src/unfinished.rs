// SPDX-License-Identifier: Apache-2.0
//! Uploads that were interrupted and may not go on: what is in their journals, and how they are given up.
//!
//! A journal notes that its upload is given up before anything is deleted, and is removed when the store has nothing of it any
//! more. As long as the store may have something, the journal stays, and [`noted`] says what and where. What was sent under an object's keys stays encrypted under them alone, because the next upload has another salt.

use crate::{
	failure::Failure,
	journal::{boot, Done, Journal, Said, Start},
	location::Location,
	object,
	patience::patiently,
	upload::UploadError,
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
	/// The last block that may include a transaction with the object's entry; `None` if [`entering`] noted none.
	pub entering: Option<u64>,
	/// Whether it is given up, and the store may have something of it all the same.
	pub given_up: bool,
	/// Whether it can be resumed: not if the machine was started again since. Then it can only be given up, and the location may
	/// have more of it than is said here.
	pub resumes: bool,
}

/// What a store may have of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
	/// The caller's note.
	pub note: String,
	/// The URL of the location that it went to.
	pub url: String,
	/// The [name](crate::Object::name) of the object.
	pub object: String,
}

/// What becomes of an object that its location has as a whole, although its upload is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
	/// It stays, with the journal: the chain may have its entry.
	Stays,
	/// It is deleted: the caller knows that the chain has no entry of it, and gets none.
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

/// Reads the journal of an unfinished upload; `None` if there is none that can be resumed or given up. Another program may be using
/// it.
///
/// # Errors
///
/// Returns the error of the journal's file.
pub fn unfinished(journal: &Path) -> io::Result<Option<Unfinished>> {
	let said = Said::read(journal)?;
	Ok(said.map(|said| Unfinished {
		object: object::name(&said.start.header),
		note: said.start.note,
		url: said.start.url,
		whole: said.done.whole,
		entering: said.done.entering,
		given_up: said.done.given_up,
		resumes: said.resumes,
	}))
}

/// Reads in a journal how its upload began; `None` if there is no journal. Its upload may be one that is not resumed any more,
/// because the machine was started again since, or it is given up: the store may have something of it all the same.
///
/// # Errors
///
/// Returns the error of the journal's file, and one of the kind [`InvalidData`](io::ErrorKind::InvalidData) if it does not say
/// that.
pub fn noted(journal: &Path) -> io::Result<Option<Noted>> {
	let start = Start::read(journal)?;
	Ok(start.map(|start| Noted {
		object: object::name(&start.header),
		note: start.note,
		url: start.url,
	}))
}

/// Notes that a transaction with the entry of the object with this name will be sent, and the last block that may include it.
/// Until that block is final, no one can know that the chain gets no entry.
///
/// # Errors
///
/// Returns [`UploadError::GivenUp`] if the journal says that the upload is given up, or is that of another one: then the
/// transaction must not be sent. Returns [`UploadError::Journal`] if the journal cannot be written.
pub fn entering(journal: &Path, object: &str, last: u64) -> Result<(), UploadError> {
	let failed = UploadError::journal(journal);
	match Journal::open(journal).map_err(&failed)? {
		Some(mut open) if !open.done.given_up && object::name(&open.start.header) == object => {
			open.entering(last).map_err(failed)
		}
		// Where no journal can be used, no upload can be given up.
		None if boot().is_none() => Ok(()),
		_ => Err(UploadError::GivenUp),
	}
}

/// Notes that the upload of the object with this name is given up: it is not resumed, and its entry not sent. Returns `false` if
/// the journal is that of another upload, or there is none. [`give_up`] does the rest.
///
/// # Errors
///
/// Returns the error of the journal's file.
pub fn note_given_up(journal: &Path, object: &str) -> io::Result<bool> {
	match Said::read(journal)? {
		Some(said) if object::name(&said.start.header) == object => {
			mark(&mut Journal::opened(journal, said)?)?;
			Ok(true)
		}
		_ => Ok(false),
	}
}

fn mark(journal: &mut Journal) -> io::Result<()> {
	match journal.done.given_up {
		true => Ok(()),
		false => journal.given_up(),
	}
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

/// Gives up the upload of a journal: notes that, has the store forget the parts that it has, or the object, and then removes
/// the journal. Whatever ends the program in between, nothing goes on as if the store still had them, and the next call deletes
/// what is left. `location` is asked if the upload went there, and otherwise the one that the journal names. Returns `None` if
/// there is no such upload.
///
/// If the machine was started again since, the journal may not say all that the store has: what has the object's name is deleted,
/// but parts that a bucket keeps only if the journal has the bucket's name for the upload.
///
/// No other program may use the journal meanwhile. If the store has something of the upload afterwards, or may have, as after a
/// restart of the machine, the journal stays: [`noted`] says where that is, and [`forget`] removes it.
///
/// # Errors
///
/// Returns the error of the journal's file. If it could not be written, nothing is deleted.
pub async fn give_up(
	journal: &Path,
	location: Option<&Location>,
	whole: Whole,
) -> io::Result<Option<GivenUp>> {
	let Some(said) = Said::read(journal)? else {
		return Ok(None);
	};
	let resumes = said.resumes;
	let mut open = Journal::opened(journal, said)?;
	let object = object::name(&open.start.header);
	let done = &open.done;
	// A folder gets the object's file before the journal says so: a program that ended in between has left it.
	let is_folder = open.start.url.starts_with("file:");
	let was_sent = !resumes || is_folder || done.id.is_some() || !done.sent.is_empty();
	// Who gave it up before knew that the chain has no entry of it.
	let stays = whole == Whole::Stays
		&& !done.given_up
		&& was_sent
		&& (done.whole || !resumes && may_be_whole(&open.start.url, location, &object).await);
	let failure = match was_sent && !stays {
		true => {
			mark(&mut open)?;
			delete(&open.start.url, location, &object, &open.done)
				.await
				.err()
		}
		false => None,
	};
	if failure.is_none() && !stays && resumes {
		forget(journal)?;
	}
	Ok(Some(GivenUp {
		url: open.start.url,
		object,
		failure,
	}))
}

/// Deletes what an upload has sent: its parts and, because the program may not have learned that the store has put them
/// together, the object of its name. No other upload uses that name. If one of the two fails, the other is deleted all the same.
async fn delete(
	url: &str,
	location: Option<&Location>,
	object: &str,
	done: &Done,
) -> Result<(), Failure> {
	let there = at(url, location)?;
	let parts = there.parts()?;
	let was_sent = done.whole || done.id.is_some() || !done.sent.is_empty();
	// On a disk that is not mounted, what was sent stays.
	if let Some(fault) = there.looked_at().await.filter(|_| was_sent) {
		return Err(Failure::Folder(fault));
	}
	let abandoned = match (&done.id, done.whole) {
		(Some(id), false) => match patiently(0, parts.abandon(&there.path(object), id)).await {
			Err(Failure::Dropped) => Ok(()),
			abandoned => abandoned,
		},
		_ => Ok(()),
	};
	let deleted = patiently(0, there.delete_named(object)).await;
	abandoned.and(deleted.map(|_| ()))
}

/// Returns whether the location may have the whole object. The journal does not tell it if the machine was started again since.
async fn may_be_whole(url: &str, location: Option<&Location>, object: &str) -> bool {
	match at(url, location) {
		Ok(there) => there.has_named(object).await != Ok(false),
		Err(_) => true,
	}
}

/// Returns the location with this URL: this one, if it is that.
fn at(url: &str, location: Option<&Location>) -> Result<Location, Failure> {
	match location.filter(|location| location.url() == url) {
		Some(location) => Ok(location.clone()),
		None => Location::open(url).map_err(|error| Failure::Unusable(error.to_string())),
	}
}
