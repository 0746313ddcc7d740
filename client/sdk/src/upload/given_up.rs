// SPDX-License-Identifier: Apache-2.0
//! Gives up the upload of an object that this machine's user began and did not finish.

use super::{
	abandoned::abandon,
	object::{journal_of, objects_lock},
	place_note::noted_place,
	record_lock, settled,
};
use crate::{
	account::Identity,
	claim::Claim,
	client::Client,
	erasure::{record_at, Erasure},
	error::Error,
	lock::{self, named, Held, Holder, NotHeld},
	note::Notes,
	object::of_entry,
	proven::Proven,
	reserved,
	state::State,
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
	/// The last block that may include a transaction with the object's entry; `None` if none was sent.
	entering: Option<u64>,
	/// Whether it can be resumed: not after a restart of the machine.
	resumes: bool,
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
	/// Why what was sent of it, or a part of that, stays there; `None` if it is gone. Then [`give_up`] can be called again.
	pub failure: Option<Failure>,
	/// How many keys were erased; `None` if none was to be.
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
	/// A transaction that stores a record under this key is on its way.
	#[error("a transaction that stores this record is on its way into a block")]
	InFlight,
	/// A transaction that stores the record was sent, and is in no block yet. This node may not know it.
	#[error(
		"the transaction that stores this record may come into a block until block {last}, and the last finalized block that \
		 is proven is block {finalized}"
	)]
	Entering {
		/// The last block that may include it. Once a later one is finalized, the upload can be given up.
		last: u64,
		/// The last finalized block that is proven.
		finalized: u64,
	},
	/// Its key is to be erased, and another record has its leaf, or may get it, or a [frame](crate::frame).
	#[error("leaf {0} has another record, or may get one, so its key is not erased")]
	LeafInUse(Leaf),
	/// It is the upload of the list of a packed folder, whose files are on their way, too.
	#[error("this is a packed folder whose upload is not finished")]
	PackedFolder,
	/// What the chain or this machine did not do.
	#[error(transparent)]
	Client(#[from] Error),
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
			entering: found.entering,
			resumes: found.resumes,
			journal,
		})
	}))
}

/// Gives up the unfinished upload of a record's object: deletes at its location what it has sent there, and then forgets it. An
/// object that a record on the chain points to stays, and so does one whose record may still come into a block. Returns `None`
/// if there is no such upload, or the chain has its record. If the location does not delete all, another call tries it again.
///
/// With `erases`, erases the key that the object was encrypted under before that, so that no copy of what was sent can be
/// opened.
///
/// # Errors
///
/// Returns [`GiveUpError::Busy`] if another program on this machine stores the same record, or objects in the same dataset,
/// [`GiveUpError::InFlight`] and [`GiveUpError::Entering`] if the record may still come into a block,
/// [`GiveUpError::LeafInUse`] if the key may be that of another record, [`GiveUpError::PackedFolder`] for the list of a packed
/// folder, [`Error::Io`] if the upload's journal cannot be read or written, [`Error::Erasable`] if the key cannot be erased,
/// and the errors of [`Client::proven`]. Then nothing is given up.
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
	give_up_alone(client, owner, now, (erases, true)).await
}

/// Does the same for an upload with which no other program on this machine can go on, because the caller holds its
/// locks. The list of a packed folder whose upload is not finished only stays if `keeps_folders` is set.
///
/// # Errors
///
/// Returns the errors of [`give_up`] but for [`GiveUpError::NoLock`].
pub(crate) async fn give_up_alone(
	client: &Client,
	owner: &Identity,
	now: Unfinished,
	(erases, keeps_folders): (bool, bool),
) -> Result<Option<GivenUp>, GiveUpError> {
	let key = &now.place.key;
	// Until it is known what the chain has, nothing takes the leaf.
	let turn = Turn::take(client, owner.account.id()).await?;
	if turn.notes().claimed(&[Claim::Record(key.0)]).is_some() {
		return Err(GiveUpError::InFlight);
	}
	let chain = Chain {
		best: client.best().await?,
		proven: client.proven().await?,
	};
	if chain.is_registered(owner.id(), &now).await? {
		objects::forget(&now.journal).map_err(Error::from)?;
		return Ok(None);
	}
	if keeps_folders && sync_folder::is_begun(client, owner.id(), key) {
		return Err(GiveUpError::PackedFolder);
	}
	// Who trusts the node has the best block for what is proven.
	let finalized = client.finalized().await?.block().number;
	let finalized = finalized.min(chain.proven.block().number);
	check_final(now.entering, finalized.into())?;
	let erased = match erases {
		true => Some(erase(client, owner, &now.place, (&chain, turn.notes())).await?),
		false => None,
	};
	// No entry is sent from here on: who sends one notes it in the journal first.
	if !objects::note_given_up(&now.journal, &now.object).map_err(Error::from)? {
		return Err(GiveUpError::Busy(None));
	}
	drop(turn);
	let sent = objects::give_up(&now.journal, None, Whole::Deleted)
		.await
		.map_err(Error::from)?;
	let failure = sent.and_then(|sent| sent.failure);
	if failure.is_none() && !now.resumes {
		// The location may have parts of which the journal does not know.
		abandon(client, owner.id(), &now.journal).await?;
	}
	Ok(Some(GivenUp {
		place: now.place,
		location: now.location,
		object: now.object,
		failure,
		erased,
	}))
}

/// Checks that no transaction comes into a block any more that was sent with an upload's entry: a block after the last one that
/// may include it is finalized. Neither this node nor the notes of this machine need to know the transaction.
fn check_final(entering: Option<u64>, finalized: u64) -> Result<(), GiveUpError> {
	match entering {
		Some(last) if finalized <= last => Err(GiveUpError::Entering { last, finalized }),
		_ => Ok(()),
	}
}

/// Erases the key of a place, unless its leaf is, or may be, that of a record, and returns how many keys there were.
async fn erase(
	client: &Client,
	owner: &Identity,
	place: &Place,
	(chain, notes): (&Chain, &Notes),
) -> Result<usize, GiveUpError> {
	let Place {
		dataset,
		epoch,
		leaf,
		..
	} = *place;
	let planned = reserved::others(client.genesis(), owner.id(), None)?;
	let is_planned = planned.iter().any(|planned| planned.has(place));
	let has_record = !chain.records_at(owner.id(), place).await?.is_empty();
	if is_planned || has_record || notes.may_be_claimed(&[Claim::leaf(place)]) {
		return Err(GiveUpError::LeafInUse(leaf));
	}
	let scope = Scope {
		dataset,
		epoch,
		from: leaf.into(),
		to: u64::from(leaf).saturating_add(1),
	};
	let erased = Erasure::leaves(client, owner, &scope)?.run(client, owner)?;
	Ok(erased)
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

/// What the chain has: in the best block, and what is proven. A node that lies hides only what is not finalized yet.
struct Chain {
	best: State,
	proven: Proven,
}

impl Chain {
	/// Returns whether a record points to the object of an upload: the one with its key, or one at the leaf that it is
	/// encrypted for.
	async fn is_registered(&self, owner: &AccountId, upload: &Unfinished) -> Result<bool, Error> {
		let there = self.records_at(owner, &upload.place).await?;
		for key in there.into_iter().chain([upload.place.key]) {
			let records = [
				self.best.record(owner, key).await?,
				self.proven.record(owner, key).await?,
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

	/// Returns the keys of the records at a place's leaf.
	async fn records_at(&self, owner: &AccountId, place: &Place) -> Result<Vec<RecordKey>, Error> {
		let Place {
			dataset,
			epoch,
			leaf,
			..
		} = *place;
		let taken = [
			self.best.leaf(owner, dataset, epoch, leaf).await?,
			self.proven.leaf(owner, dataset, epoch, leaf).await?,
		];
		Ok(taken.into_iter().filter_map(record_at).collect())
	}
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
	use isthmus_envelope::{
		object::{CHUNK, VERSION},
		ObjectHeader,
	};

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

	/// Only what is finalized counts, and only after the last block that may have the transaction.
	#[test]
	fn an_entry_that_was_sent_is_waited_for_until_its_last_block_is_final() {
		assert!(check_final(None, 0).is_ok());
		for finalized in [0, 299, 300] {
			let refused = check_final(Some(300), finalized);
			let Err(GiveUpError::Entering { last, .. }) = refused else {
				panic!("{refused:?}");
			};
			assert_eq!(last, 300);
		}
		assert!(check_final(Some(300), 301).is_ok());
	}

	/// Returns the header of an object of five bytes.
	fn header(salt: u8) -> [u8; ObjectHeader::LEN] {
		let mut header = [salt; ObjectHeader::LEN];
		header[0] = VERSION;
		header[1..5].copy_from_slice(&(CHUNK as u32).to_be_bytes());
		header[5..13].copy_from_slice(&5u64.to_be_bytes());
		header
	}

	#[test]
	fn only_the_record_of_the_object_points_to_it() {
		let key = RecordKey::from([7; 32]);
		let entry = |salt| Object {
			header: header(salt),
			length: 21,
			root: [9; 32].into(),
		};
		let object = of_entry(key, &entry(1)).unwrap().name();
		let record = |payload| Record {
			dataset: 0,
			epoch: 0,
			leaf: 3,
			payload,
			deposit: 1,
		};
		let of = |object| {
			record(Payload::Object {
				object,
				block: 1,
				ordinal: 0,
			})
		};
		assert!(points_to(key, &of(entry(1)), &object));
		assert!(!points_to(key, &of(entry(2)), &object));
		let value = record(Payload::Value {
			content_hash: [0; 32].into(),
			length: 21,
			block: 1,
			extrinsic: 2,
		});
		assert!(!points_to(key, &value, &object));
	}

	#[test]
	fn a_leaf_has_a_record_or_was_spent() {
		let key = RecordKey::from([7; 32]);
		let entry = |by| Some(TakenLeaf { by, deposit: 1 });
		assert_eq!(record_at(entry(LeafUse::Record(key))), Some(key));
		assert_eq!(record_at(entry(LeafUse::Spent)), None);
		assert_eq!(record_at(None), None);
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
