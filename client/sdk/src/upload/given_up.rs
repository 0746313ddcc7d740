// SPDX-License-Identifier: Apache-2.0
//! Gives up the upload of an object that this machine's user began and did not finish.

use super::{
	object::{journal_of, noted_place, objects_lock},
	record_lock, settled,
};
use crate::{
	account::Identity,
	claim::Claim,
	client::Client,
	erasure::Erasure,
	error::Error,
	lock::{self, Held, Holder, NotHeld},
	note::Notes,
	object::of_entry,
	sync_folder,
	turn::Turn,
	types::*,
};
use isthmus_objects::{self as objects, Failure, Whole};
use std::path::PathBuf;

/// An upload of an object that this machine's user began and did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
	/// The place that the object is encrypted for.
	pub place: Place,
	/// The address of the location that it goes to.
	pub location: String,
	/// The object's name there.
	object: String,
	journal: PathBuf,
}

/// An upload that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
	/// The place that the object was encrypted for.
	pub place: Place,
	/// The address of the location that it went to.
	pub location: String,
	/// The object's name there.
	pub object: String,
	/// Why what was sent of it stays there; `None` if it is gone.
	pub failure: Option<Failure>,
	/// How many keys were erased; `None` if none was to be, or the leaf is that of another record by now.
	pub erased: Option<usize>,
}

/// Why an unfinished upload is not given up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveUpError {
	/// Another program on this machine may be going on with it.
	#[error("another program stores this record, or objects in the same dataset{}", named(.0.as_ref()))]
	Busy(Option<Holder>),
	/// No other program can be kept from going on with it.
	#[error("{0}, so another program may be going on with the upload")]
	NoLock(String),
	/// It is the upload of the list of a packed folder, whose files are on their way, too.
	#[error("this is a packed folder whose upload is not finished")]
	PackedFolder,
	/// What the chain or this machine did not do.
	#[error(transparent)]
	Client(#[from] Error),
}

fn named(holder: Option<&Holder>) -> String {
	holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}

/// Returns the upload of a record's object that this machine's user began and did not finish; `None` if there is none. The
/// chain may have the record all the same, if the program was interrupted at the very end. Another program may be going on
/// with the upload: nothing is changed.
///
/// # Errors
///
/// Returns [`Error::Io`] if the upload's journal cannot be read.
pub fn unfinished(
	client: &Client,
	owner: &AccountId,
	key: &RecordKey,
) -> Result<Option<Unfinished>, Error> {
	// Without a folder for journals there is none.
	let Ok(journal) = journal_of(client, owner, key) else {
		return Ok(None);
	};
	let found = objects::unfinished(&journal)?;
	Ok(found.and_then(|found| {
		Some(Unfinished {
			place: noted_place(&found.note, *key)?,
			location: found.url,
			object: found.object,
			journal,
		})
	}))
}

/// Gives up the unfinished upload of a record's object: forgets it, and then deletes at its location what it has sent there. An
/// object that a record on the chain points to stays. Returns `None` if there is no such upload, or the chain has its record.
///
/// With `erases`, erases the key that the object was encrypted under before that, so that no copy of what was sent can be
/// opened.
///
/// # Errors
///
/// Returns [`GiveUpError::Busy`] if another program on this machine stores the same record, or objects in the same dataset,
/// [`GiveUpError::PackedFolder`] for the list of a packed folder, [`Error::Io`] if the upload's journal cannot be read or
/// removed, [`Error::Erasable`] if the key cannot be erased, and the errors of [`Client::proven`]. Then nothing is given up.
pub async fn give_up(
	client: &Client,
	owner: &Identity,
	key: &RecordKey,
	erases: bool,
) -> Result<Option<GivenUp>, GiveUpError> {
	let Some(seen) = unfinished(client, owner.id(), key)? else {
		return Ok(None);
	};
	let _objects = hold(&objects_lock(owner.id(), seen.place.dataset))?;
	let _record = hold(&record_lock(owner.id(), key))?;
	settled(client, owner.account.id()).await?;
	// Another program may have finished it, or started again, before the locks were taken.
	let Some(now) = unfinished(client, owner.id(), key)? else {
		return Ok(None);
	};
	if now.place.dataset != seen.place.dataset {
		return Err(GiveUpError::Busy(None));
	}
	// Until it is known what the chain has, nothing takes the leaf.
	let turn = Turn::take(client, owner.account.id()).await?;
	if turn.notes().claimed(&[Claim::Record(key.0)]).is_some() {
		return Err(GiveUpError::Busy(None));
	}
	if is_registered(client, owner.id(), &now).await? {
		objects::forget(&now.journal).map_err(Error::from)?;
		return Ok(None);
	}
	if sync_folder::is_begun(client, owner.id(), key) {
		return Err(GiveUpError::PackedFolder);
	}
	let erased = match erases {
		true => erase(client, owner, &now.place, turn.notes()).await?,
		false => None,
	};
	drop(turn);
	let sent = objects::give_up(&now.journal, None, Whole::Deleted)
		.await
		.map_err(Error::from)?;
	Ok(Some(GivenUp {
		place: now.place,
		location: now.location,
		object: now.object,
		failure: sent.and_then(|sent| sent.failure),
		erased,
	}))
}

/// Erases the key of a place, unless its leaf is that of another record, and returns how many keys there were.
async fn erase(
	client: &Client,
	owner: &Identity,
	place: &Place,
	notes: &Notes,
) -> Result<Option<usize>, Error> {
	let Place {
		dataset,
		epoch,
		leaf,
		..
	} = *place;
	let best = client.best().await?;
	let taken = best.leaf(owner.id(), dataset, epoch, leaf).await?;
	let has_record = taken.is_some_and(|taken| matches!(taken.by, LeafUse::Record(_)));
	if has_record || notes.claimed(&[Claim::leaf(place)]).is_some() {
		return Ok(None);
	}
	let scope = Scope {
		dataset,
		epoch,
		from: leaf.into(),
		to: u64::from(leaf).saturating_add(1),
	};
	let erased = Erasure::leaves(client, owner, &scope)?.run(client, owner)?;
	Ok(Some(erased))
}

/// Takes a lock, unless another program holds it.
fn hold(name: &str) -> Result<Held, GiveUpError> {
	let path = lock::path(name);
	let held = match &path {
		Some(path) => lock::try_hold(path),
		None => Err(NotHeld::NoLock),
	};
	held.map_err(|not| match not {
		NotHeld::Busy(holder) => GiveUpError::Busy(holder),
		NotHeld::NoLock => GiveUpError::NoLock(lock::why_not(name, path.as_deref())),
	})
}

/// Returns whether a record on the chain points to the object: the one with its key, or the one at the leaf that it is
/// encrypted for. Both the best block and what is proven are asked, so that a node that lies hides only what is not finalized
/// yet.
async fn is_registered(
	client: &Client,
	owner: &AccountId,
	upload: &Unfinished,
) -> Result<bool, Error> {
	let Place {
		key,
		dataset,
		epoch,
		leaf,
	} = upload.place;
	let (best, proven) = (client.best().await?, client.proven().await?);
	let taken = [
		best.leaf(owner, dataset, epoch, leaf).await?,
		proven.leaf(owner, dataset, epoch, leaf).await?,
	];
	let there = taken
		.into_iter()
		.flatten()
		.filter_map(|taken| match taken.by {
			LeafUse::Record(there) => Some(there),
			LeafUse::Spent => None,
		});
	for key in there.chain([key]) {
		let records = [
			best.record(owner, key).await?,
			proven.record(owner, key).await?,
		];
		if records
			.iter()
			.flatten()
			.any(|record| points_to(key, record, &upload.object))
		{
			return Ok(true);
		}
	}
	Ok(false)
}

/// Returns whether a record points to the object with this name.
fn points_to(key: RecordKey, record: &Record, object: &str) -> bool {
	match &record.payload {
		Payload::Object { object: entry, .. } => {
			of_entry(key, entry).is_ok_and(|entry| entry.name() == object)
		}
		Payload::Value { .. } | Payload::Chunks { .. } => false,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Another program holds it until it ends, and another task of this program as long as it wants.
	#[test]
	fn a_lock_that_is_held_is_not_waited_for() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("lock");
		let held = lock::try_hold(&path).unwrap();
		assert!(matches!(lock::try_hold(&path), Err(NotHeld::Busy(None))));
		drop(held);
		drop(lock::try_hold(&path).unwrap());
		assert!(!path.exists());
		let none = lock::try_hold(&folder.path().join("none/lock"));
		assert!(matches!(none, Err(NotHeld::NoLock)));
	}

	#[test]
	fn who_goes_on_with_an_upload_is_named() {
		let command = "isthmus store a".to_owned();
		let holder = Holder {
			process: 7,
			command,
		};
		let busy = GiveUpError::Busy(Some(holder)).to_string();
		assert!(
			busy.ends_with("dataset (`isthmus store a`, process 7)"),
			"{busy}"
		);
		assert!(GiveUpError::Busy(None).to_string().ends_with("dataset"));
	}
}
