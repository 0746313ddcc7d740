// SPDX-License-Identifier: Apache-2.0
//! Stores a value as an object: its bytes go to a location outside the chain, and its entry goes on the chain when they
//! are complete there.

use super::{
	abandoned::{abandon, forget_taken},
	choice::Choice,
	place_note::{note, noted_place},
	settled, Done, Stored, Upload,
};
use crate::{
	client::Client,
	error::{Error, UploadError},
	lock,
	manifest::content_hash,
	object::Locations,
	progress::{Progress, Stage},
	proven::Proven,
	trust::Notice,
	turn::Turn,
	types::*,
	upload_folder::LocalFolder,
	wait::Wait,
};
use isthmus_objects::{self as objects, Failure, FolderFault};
use std::{
	io::Read,
	path::{Path, PathBuf},
};
use subxt::utils::H256;

/// How many bytes of a value are read before any of it is sent. For one that is not longer, its location is not looked
/// at before.
pub const READ_AT_ONCE: u64 = 8 << 20;

impl Upload<'_> {
	/// Stores what `source` has, from its start to its end, as an object at a location. Returns when its entry is on the
	/// chain. Without a length, the source may be a stream: if the record is complete, the stream is compared with it.
	///
	/// Resumes an interrupted upload of this machine's user under the same key, at the leaf where it began. Objects of one
	/// owner in one dataset are sent one after the other, because each is encrypted for a leaf that it takes at its end.
	/// An object contains no name: its readers find it by its key.
	///
	/// A stream, and a value of more than [`READ_AT_ONCE`] bytes, is read only once the location has been
	/// [looked at](check_location).
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] before anything is sent if the account cannot pay for the entry, or the client's budget forbids
	/// it; [`Error::Sending`] if the object cannot be sent, or the value was changed since an interrupted upload;
	/// [`UploadError::AlreadyStored`] if the record is complete, and no stream that has the same;
	/// [`UploadError::PlaceGone`] if the object's leaf was taken, or its epoch ended, while it was sent; and the errors of
	/// [`Client::send`](crate::Client::send).
	pub async fn run_object(
		mut self,
		location: &objects::Location,
		mut source: impl Read + Send + 'static,
		length: Option<u64>,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let (client, owner) = (self.client, self.owner);
		let _held = lock_objects(client, owner.id(), self.choice.place.dataset).await;
		let _alone = self.lock().await;
		settled(client, owner.account.id()).await?;
		let journal = &journal_of(client, owner.id(), &self.choice.place.key)?;
		let (place, is_noted) = match self.object_place(journal).await {
			// Nothing of the stream was read yet, and it cannot be read again.
			Err(Error::Upload(UploadError::AlreadyStored(key))) if length.is_none() => {
				return self.known_stream(key, &mut source, progress).await;
			}
			place => place?,
		};
		self.choice.place = place;
		client
			.check_secret(owner, place.dataset, place.epoch)
			.await?;
		self.check_entry(place).await?;
		if length.is_none_or(|length| length > READ_AT_ONCE) {
			check_location(client, location).await?;
		}
		if !is_noted {
			give_up_before((client, owner.id()), journal, location).await?;
		}
		let (leaf, context) = (
			place.leaf_key(client, owner)?,
			place.context(client, owner.id()),
		);
		let note = note(&place);
		let upload = objects::Upload::new(location, &leaf, &context, journal).noting(&note);
		let upload = match self.compressed {
			true => upload.compressed(),
			false => upload,
		};
		let mut tell = |done| progress.at(Stage::Sending, done, length.unwrap_or(done));
		// From here on the time counts for a rate: the first part may have many bytes.
		tell(0);
		let sent = upload.run(source, length, &mut tell).await?;
		self.check_unchanged()?;
		let object = Object {
			header: sent.object.header().to_bytes(),
			length: sent.object.length(),
			root: H256(*sent.object.root()),
		};
		let name = sent.object.name();
		let entered = self.enter(place, &object, (journal, &name)).await;
		if let Err(Error::Upload(UploadError::PlaceGone)) = entered {
			// The object opens nowhere.
			give_up_unsent(journal, location, &name).await;
			abandon(client, owner.id(), journal).await?;
		}
		let last = entered?;
		objects::forget(journal)?;
		// The object is stored: what is not forgotten now is forgotten later.
		let _ = forget_taken(client, owner.id()).await;
		Ok(Stored {
			place,
			done: Done::Now(last),
			resumed: sent.resumed,
			transactions: 1,
		})
	}

	/// Checks that the account can, and may, pay for an object's entry. Every entry costs the same.
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] if it cannot or may not.
	async fn check_entry(&self, place: Place) -> Result<(), Error> {
		let any = Object {
			header: [0; isthmus_sharing::object::HEADER_SIZE],
			length: 0,
			root: H256::zero(),
		};
		let call = self.client.store_object(&place, &any).await?;
		let cost = self.client.cost(&call).await?;
		let payer = self.owner.account.id();
		self.client.check_cost(payer, cost).await
	}

	/// Stores the object's entry, unless its place was taken in the meantime. Its last block is noted in the journal of the
	/// object with this name, so that no one gives the object up while its entry may still come into a block.
	async fn enter(
		&self,
		place: Place,
		object: &Object,
		(journal, name): (&Path, &str),
	) -> Result<crate::Included, Error> {
		let (client, owner) = (self.client, self.owner);
		let make = |notes| async move {
			match fixed(place).choose(client, owner, &notes).await {
				Err(error) if is_gone(&error) => return Err(UploadError::PlaceGone.into()),
				chosen => chosen?,
			};
			Ok((client.store_object(&place, object).await?, ()))
		};
		let note = |last: BlockNumber| Ok(objects::entering(journal, name, last.into())?);
		let (mut pending, ()) = client.submit_noted(&owner.account, make, note).await?;
		self.wait(&mut pending).await
	}

	/// Returns the place of the interrupted upload if it is still free, and otherwise chooses one. Also returns which of both.
	async fn object_place(&self, journal: &Path) -> Result<(Place, bool), Error> {
		let (client, owner) = (self.client, self.owner);
		let turn = Turn::take(client, owner.account.id()).await?;
		let noted = objects::unfinished(journal)?.filter(|found| !found.given_up);
		if noted.as_ref().is_some_and(|found| !found.resumes) {
			client.tell(&Notice::BeginsAgain);
		}
		let noted = noted.filter(|found| found.resumes);
		let noted = noted.and_then(|found| noted_place(&found.note, self.choice.place.key));
		let fits = |place: &Place| {
			place.dataset == self.choice.place.dataset
				&& (self.choice.any_leaf || *place == self.choice.place)
		};
		if let Some(place) = noted.filter(fits) {
			match fixed(place).choose(client, owner, turn.notes()).await {
				Err(error) if is_gone(&error) => {}
				chosen => return Ok((chosen?, true)),
			}
		}
		let chosen = self.choice.choose(client, owner, turn.notes()).await?;
		Ok((chosen, false))
	}
}

/// Deletes an object that was not stored, and its journal, unless a node got a transaction with its entry: that may still come
/// into a block, whatever the node says. If the object cannot be deleted, its journal stays.
pub(crate) async fn give_up_unsent(journal: &Path, location: &objects::Location, name: &str) {
	let noted = objects::unfinished(journal).ok().flatten();
	if noted.is_some_and(|noted| noted.object == name && noted.entering.is_none()) {
		let _ = objects::give_up(journal, Some(location), objects::Whole::Deleted).await;
	}
}

/// Gives up what an interrupted upload has sent, before another one begins in its place at this location. Its object stays if it
/// is whole and its entry was sent, because the chain may have that. Notes for which leaf it is, if anything stays.
///
/// # Errors
///
/// Returns [`Error::Sending`] if this location does not answer at present: the other upload would forget what is left there.
pub(crate) async fn give_up_before(
	(client, owner): (&Client, &AccountId),
	journal: &Path,
	location: &objects::Location,
) -> Result<(), Error> {
	// Who sends an entry notes that before.
	let entered = objects::unfinished(journal)?.is_some_and(|found| found.entering.is_some());
	let whole = match entered {
		true => objects::Whole::Stays,
		false => objects::Whole::Deleted,
	};
	let given_up = objects::give_up(journal, Some(location), whole).await?;
	match given_up {
		Some(objects::GivenUp {
			url,
			failure: Some(failure),
			..
		}) if url == location.url() && failure.is_passing() => {
			Err(objects::UploadError::Store { url, failure }.into())
		}
		_ => abandon(client, owner, journal).await,
	}
}

/// Waits until no other program on this machine sends an object to the same dataset of this owner.
pub(crate) async fn lock_objects(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
) -> Option<lock::Held> {
	client
		.hold(Wait::OtherObject, &objects_lock(owner, dataset))
		.await
}

/// Returns the name of the lock of a dataset's objects.
pub(crate) fn objects_lock(owner: &AccountId, dataset: DatasetId) -> String {
	format!("isthmus-{owner}-objects-{dataset}.lock")
}

/// Returns the path of the journal of a record's upload to the client's chain.
pub(crate) fn journal_of(
	client: &Client,
	owner: &AccountId,
	key: &RecordKey,
) -> Result<PathBuf, Error> {
	let key = content_hash(&[client.genesis(), key.0].concat());
	let name = format!("isthmus-{owner}-{}.upload", hex::encode(&key[..8]));
	Ok(lock::needed(&name)?)
}

/// Returns the location to which an owner sends a dataset's next object: the first one that takes objects.
///
/// # Errors
///
/// Returns [`Error::NoLocation`] if the owner published none, [`Error::NotWritable`] if none of them takes objects,
/// [`Error::LocationAbsent`] if it is a folder that is not there, although the dataset has objects, [`Error::Sending`] if something
/// else is in its place, and the errors of [`Client::proven`](Client::proven).
pub async fn location_to_write(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<objects::Location, Error> {
	let urls = own_locations(client, owner, dataset).await?;
	first_to_write(client, owner, dataset, &urls).await
}

/// Returns the first of a dataset's locations that takes objects, if the disk of its folder is mounted.
async fn first_to_write(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
	urls: &[String],
) -> Result<objects::Location, Error> {
	let Locations {
		usable,
		mut unusable,
	} = Locations::open(urls);
	if usable.is_empty() && unusable.is_empty() {
		return Err(Error::NoLocation(dataset));
	}
	let location = usable.into_iter().find(objects::Location::takes_objects);
	let location = location.ok_or_else(|| Error::NotWritable {
		dataset,
		unusable: (!unusable.is_empty()).then(|| unusable.swap_remove(0)),
	})?;
	client.watch_store(&location);
	check_mounted(client, owner, dataset, &location).await?;
	Ok(location)
}

/// Checks that the disk of a folder is mounted: what is written to a folder that has vanished would be on another disk, and hidden
/// once it is there again. A dataset without objects has never used the folder, and an empty one may be new, which the user is told.
async fn check_mounted(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
	location: &objects::Location,
) -> Result<(), Error> {
	let is_absent = match location.fault() {
		None if location.is_empty() => false,
		None => return Ok(()),
		Some(FolderFault::Absent) => true,
		Some(fault) => return Err(not_writable(location, Failure::Folder(fault))),
	};
	let objects = client.proven().await?.object_count(owner, dataset).await?;
	if objects == 0 {
		return Ok(());
	}
	let url = location.url().to_owned();
	if is_absent {
		return Err(Error::LocationAbsent { url, objects });
	}
	client.tell_empty(url, objects);
	Ok(())
}

/// Checks that objects can be written at a location, and leaves nothing there. In a dry run, nothing is asked.
///
/// # Errors
///
/// Returns [`Error::Sending`] if nothing can be written there.
pub async fn check_location(client: &Client, location: &objects::Location) -> Result<(), Error> {
	if client.is_dry_run() {
		return Ok(());
	}
	let checked = location.check_writable().await;
	checked.map_err(|failure| not_writable(location, failure))
}

fn not_writable(location: &objects::Location, failure: Failure) -> Error {
	let url = location.url().to_owned();
	objects::UploadError::Store { url, failure }.into()
}

/// Checks, before any of a folder's files is read, that its objects can be sent to the dataset's location, and that
/// this is not in the folder.
///
/// # Errors
///
/// Returns [`Error::Overlap`] if the folder and a location lie in one another, and the errors of [`location_to_write`]
/// and [`check_location`].
pub(crate) async fn check_before_folder(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
	folder: &LocalFolder,
) -> Result<(), Error> {
	let urls = own_locations(client, owner, dataset).await?;
	folder.check_locations(&urls)?;
	let location = first_to_write(client, owner, dataset, &urls).await?;
	check_location(client, &location).await
}

/// Returns the locations of an owner's own dataset, with what the owner's programs have sent: it waits until that is final,
/// because only then it is proven.
///
/// # Errors
///
/// Returns the errors of [`Client::proven`](Client::proven), and [`Error::Connection`] if the connection is lost.
pub(crate) async fn own_locations(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Vec<String>, Error> {
	settled(client, owner).await?;
	let best = client.best().await?;
	let said = best.locations(owner, dataset).await?;
	let look = async |proven: &Proven| proven.locations(owner, dataset).await;
	client.confirmed(&best, &said, look).await
}

/// Chooses this place or none.
fn fixed(place: Place) -> Choice<'static> {
	Choice {
		place,
		any_leaf: false,
		current_epoch: false,
		ahead: &[],
	}
}

/// Returns whether a place was lost to another record or another epoch.
fn is_gone(error: &Error) -> bool {
	matches!(
		error,
		Error::Upload(UploadError::LeafTaken(_) | UploadError::NotCurrentEpoch { .. })
	)
}
