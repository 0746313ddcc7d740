// SPDX-License-Identifier: Apache-2.0
//! Stores a folder packed: its files are put together into packs of up to 16 MiB, each pack is one object, and one more
//! object lists the files. So a small file costs no transaction of its own. Later, only what has changed is sent.
//!
//! Files are compared by their SHA-256 alone, so every file is read, and nothing is sent for one that was renamed or copied.
//! A pack's key follows from what is in it: an interrupted run comes to the same packs, and skips those that arrived.
//! The new list takes the place of the old one in one transaction, together with the last packs.

pub(crate) mod journal;
mod left;
mod plan;
mod replace;
mod send;
mod source;
mod stored;
mod tidy;

use crate::{
	account::Identity,
	client::Client,
	cost,
	error::{Error, UploadError},
	folder::packed::{self, List},
	object::Deleted,
	paid::{PaidFor, Sales},
	progress::Progress,
	refusal::PalletError,
	sharing::epoch_id,
	state::State,
	types::*,
	upload::{check_before_folder, location_to_write, lock_objects, record_lock, settled, Stored},
	upload_folder::{is_over, LocalFolder, Tries, UploadFolderError},
	wait::Wait,
};
use isthmus_envelope::EpochKeys;
use isthmus_objects as objects;
use journal::{Journal, Noted, Sent, Unused};
use left::{object_in, sort_out};
use plan::{Local, Plan};
use source::hash_all;
use std::collections::{BTreeSet, HashMap};
use stored::{epoch_now, lost, stored_list};
use subxt::utils::H256;

/// How many packs are registered, or removed, in one transaction, at most.
const BATCH: usize = 64;

/// A folder that is stored packed.
#[derive(Clone, Debug)]
pub struct SyncedFolder {
	/// The record that lists the files.
	pub list: Stored,
	/// Where the objects are.
	pub location: String,
	/// The number of files.
	pub files: usize,
	/// The total length of the files in bytes.
	pub bytes: u64,
	/// How many files are at paths where no file was.
	pub added: usize,
	/// How many files have other contents than before, or are executable and were not, or the other way round.
	pub changed: usize,
	/// How many files of the list before are not in the folder any more.
	pub removed: usize,
	/// The number of packs.
	pub packs: usize,
	/// How many packs were sent.
	pub sent_packs: usize,
	/// The total length of the files in the packs that were sent, and of the list, in bytes.
	pub sent_bytes: u64,
	/// How many records of packs that are not needed any more were removed.
	pub removed_packs: usize,
	/// The packs that are not needed any more, and stay: a reader has paid for them. A later run on this machine removes them.
	pub kept: Vec<PaidFor>,
	/// What became of the objects of those packs and of the old list, by location; empty if none were to be deleted.
	pub deleted: Vec<Deleted>,
}

/// A folder to be stored packed, or to be stored again where it has changed.
///
/// ```no_run
/// use isthmus_sdk::*;
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Box<dyn std::error::Error>> {
/// let folder = LocalFolder::open("photos".as_ref())?;
/// let key = record_key("photos")?;
/// let synced = SyncFolder::new(&client, &school, key, 0).run(&folder, &mut ()).await?;
/// println!("{} of {} packs sent", synced.sent_packs, synced.packs);
/// # Ok(())
/// # }
/// ```
pub struct SyncFolder<'a> {
	client: &'a Client,
	owner: &'a Identity,
	key: RecordKey,
	dataset: DatasetId,
	leaf: Leaf,
	only_new: bool,
	deletes: bool,
	empties: bool,
	finalized: bool,
}

impl<'a> SyncFolder<'a> {
	/// Prepares to store a folder of `owner` whose list is the record under `key`.
	pub fn new(
		client: &'a Client,
		owner: &'a Identity,
		key: RecordKey,
		dataset: DatasetId,
	) -> Self {
		Self {
			client,
			owner,
			key,
			dataset,
			leaf: 0,
			only_new: false,
			deletes: false,
			empties: false,
			finalized: false,
		}
	}

	/// Returns the dataset that the folder is stored in.
	pub fn dataset(&self) -> DatasetId {
		self.dataset
	}

	/// Takes free leaves from this one on.
	pub fn from_leaf(self, leaf: Leaf) -> Self {
		Self { leaf, ..self }
	}

	/// Changes nothing if another version of the folder is stored.
	pub fn only_new(self) -> Self {
		Self {
			only_new: true,
			..self
		}
	}

	/// Deletes the objects of packs that are not needed any more, and of the old list, at all locations that can be written
	/// to, once the new list is finalized. What was not deleted before an interruption is deleted by the next run.
	pub fn deleting(self, deletes: bool) -> Self {
		Self { deletes, ..self }
	}

	/// Stores a folder without files, too, in place of one that has some.
	pub fn allowing_empty(self, empties: bool) -> Self {
		Self { empties, ..self }
	}

	/// Waits until the folder's list is finalized, instead of only included in a block.
	pub fn until_finalized(self, finalized: bool) -> Self {
		Self { finalized, ..self }
	}

	/// Stores what is new in the folder, and then its list. Resumes an interrupted run. Programs on this machine that store
	/// objects in the same dataset of this owner take turns.
	///
	/// # Errors
	///
	/// Returns [`Error::Overlap`] if the folder contains a location of the dataset or is in one, and [`Error::Sending`] if
	/// nothing can be written at the location, before any file is read. Returns [`UploadFolderError::NotPacked`] or
	/// [`UploadFolderError::OtherDataset`] if the key is that of another record, [`UploadFolderError::Emptied`] if the
	/// folder has no files any more, and this is not [allowed](Self::allowing_empty),
	/// [`UploadFolderError::ChangedWhileRead`] if a file changes meanwhile, [`Error::Cost`] before anything is sent if the
	/// account cannot pay, and the errors of [`location_to_write`] and [`Client::send`].
	pub async fn run(
		&self,
		folder: &LocalFolder,
		progress: &mut impl Progress,
	) -> Result<SyncedFolder, UploadFolderError> {
		let _held = lock_objects(self.client, self.owner.id(), self.dataset).await;
		// Who gives up an interrupted upload of the list holds this one, too.
		let list = record_lock(self.owner.id(), &self.key);
		let _list = self.client.hold(Wait::OtherUpload, &list).await;
		let (client, owner) = (self.client, self.owner.id());
		let check = || check_before_folder(client, owner, self.dataset, folder);
		client.persist(check).await?;
		let files = hash_all(&folder.files, progress).await?;
		let mut tries = Tries::default();
		let mut before = u64::MAX;
		let mut so_far = SoFar::default();
		loop {
			let mut run = match Running::start(self, folder, &files).await {
				Err(UploadFolderError::Client(error)) if error.is_connection() => {
					tries.next(client, error, false).await?;
					continue;
				}
				started => started?.after(so_far),
			};
			let left = run.missing();
			match run.go(progress).await {
				Err(UploadFolderError::Client(error)) if may_go_on(&error) => {
					so_far = run.so_far;
					tries.next(client, error, left < before).await?;
					before = left;
				}
				done => return done,
			}
		}
	}
}

/// Returns the packs that a folder does not need any more, by what this machine has noted, and that are still on the chain: a
/// reader has paid for them, or the run that would have removed them was interrupted. To remove the folder does not remove
/// them.
///
/// # Errors
///
/// Returns the errors of the note, and of the connection.
pub async fn kept(
	client: &Client,
	owner: &AccountId,
	key: &RecordKey,
) -> Result<Vec<PaidFor>, Error> {
	let noted = Journal::of(&client.genesis(), owner, key)?.read()?;
	let best = client.best().await?;
	let unused = noted.unused.iter().filter(|unused| unused.key != *key);
	of_unused(&best, owner, unused).await
}

/// Returns those of these records that are on the chain, and until which block each is paid for.
async fn of_unused<'a>(
	best: &State,
	owner: &AccountId,
	unused: impl Iterator<Item = &'a Unused>,
) -> Result<Vec<PaidFor>, Error> {
	let mut sales = Sales::new(best, owner);
	let mut kept = Vec::new();
	for Unused { key, object } in unused {
		let Some(record) = best.record(owner, *key).await? else {
			continue;
		};
		if object_in(&record) == Some(object) {
			kept.push(PaidFor {
				key: *key,
				dataset: record.dataset,
				epoch: record.epoch,
				leaf: record.leaf,
				path: None,
				until: sales.until(&record).await?,
			});
		}
	}
	Ok(kept)
}

/// Returns whether this machine's user began to store packs of a folder and did not finish.
pub(crate) fn is_begun(client: &Client, owner: &AccountId, key: &RecordKey) -> bool {
	let journal = Journal::of(&client.genesis(), owner, key);
	journal.is_ok_and(|journal| journal.is_there())
}

/// Returns whether to begin again after an error: the connection was lost, another program of the owner took a place or
/// stored another version of the folder, or an interrupted upload could not be resumed and was given up.
fn may_go_on(error: &Error) -> bool {
	use PalletError::{KeyTaken, LeafTaken};
	is_over(error)
		|| error.is_connection()
		|| matches!(error, Error::Sending(error) if is_stale(error))
		|| matches!(
			error,
			Error::Upload(UploadError::LeafTaken(_) | UploadError::Overtaken)
				| Error::NotIncluded(_)
		) || matches!(error.refusal(), Some(KeyTaken | LeafTaken))
}

/// Returns whether an interrupted upload cannot be resumed: it sent other bytes than those that are to be sent now, or went
/// to another location.
fn is_stale(error: &objects::UploadError) -> bool {
	use objects::UploadError::{Changed, Elsewhere, LengthChanged};
	matches!(
		error,
		Changed { .. } | LengthChanged { .. } | Elsewhere { .. }
	)
}

/// What was done before the run began again.
#[derive(Default)]
struct SoFar {
	/// Whether an earlier run had stored a part.
	resumed: Option<bool>,
	/// The list that was stored at first.
	first: Option<List>,
	transactions: u32,
	sent_packs: usize,
	sent_bytes: u64,
}

/// A run.
struct Running<'a> {
	asked: &'a SyncFolder<'a>,
	folder: &'a LocalFolder,
	files: &'a [Local],
	/// The stored list, and its record.
	old: List,
	stored: Option<Record>,
	epoch: Epoch,
	location: objects::Location,
	journal: Journal,
	/// What earlier runs left: the packs that are not on the chain, and the records that are not needed any more.
	noted: Noted,
	plan: Plan,
	/// The keys of the new packs.
	new: Vec<RecordKey>,
	/// Those of them that are on the chain.
	there: BTreeSet<RecordKey>,
	/// Those that are at the location, for a place that is free, and not on the chain.
	sent: HashMap<RecordKey, Sent>,
	/// Where to look for the next free leaf.
	next: Leaf,
	so_far: SoFar,
}

/// An object that is not needed any more, and whether its record is on the chain.
struct Spare {
	key: RecordKey,
	object: Object,
	there: bool,
}

/// An object that is going to be sent.
struct Job<Source> {
	place: Place,
	source: Source,
	length: u64,
}

impl<'a> Running<'a> {
	/// Reads what is stored, and decides what to do.
	async fn start(
		asked: &'a SyncFolder<'a>,
		folder: &'a LocalFolder,
		files: &'a [Local],
	) -> Result<Self, UploadFolderError> {
		let SyncFolder {
			client,
			owner,
			key,
			dataset,
			..
		} = *asked;
		settled(client, owner.account.id()).await?;
		let (best, stored, old) = stored_list(client, owner, (key, dataset)).await?;
		let epoch = epoch_now(&best, owner, dataset).await?;
		client.check_secret(owner, dataset, epoch).await?;
		let keys = owner.epoch_keys(&epoch_id(client, owner.id(), dataset, epoch))?;
		let lost = lost(&best, owner.id(), &old).await?;
		let plan = Plan::new(&old, &lost, files);
		let new: Vec<RecordKey> = plan
			.new
			.iter()
			.map(|pack| pack_key(&keys, &key, &pack.id))
			.collect();
		let journal = Journal::of(&client.genesis(), owner.id(), &key)?;
		let noted = sort_out(&journal, (&best, owner.id()), (&key, &old)).await?;
		let location = location_to_write(client, owner.id(), dataset).await?;
		let mut running = Self {
			asked,
			folder,
			files,
			old,
			stored,
			epoch,
			location,
			noted,
			journal,
			plan,
			new,
			there: BTreeSet::new(),
			sent: HashMap::new(),
			next: best
				.free_leaf(owner.id(), dataset, epoch)
				.await?
				.max(asked.leaf),
			so_far: SoFar::default(),
		};
		running.find_sent(&best).await?;
		Ok(running)
	}

	/// Counts what was done before the run began again.
	fn after(self, mut so_far: SoFar) -> Self {
		let resumed = self.stored.is_some() || !self.there.is_empty() || !self.sent.is_empty();
		so_far.resumed.get_or_insert(resumed);
		so_far.first.get_or_insert_with(|| self.old.clone());
		Self { so_far, ..self }
	}

	/// Returns how many packs are neither on the chain nor at the location.
	fn missing(&self) -> u64 {
		(self.new.len() - self.there.len() - self.sent.len()) as u64
	}

	/// Stores what is missing, and then the list.
	async fn go(
		&mut self,
		progress: &mut impl Progress,
	) -> Result<SyncedFolder, UploadFolderError> {
		let empty = self.folder.empty_folders().map(str::to_owned);
		let at = (&self.new[..], self.epoch);
		let list = self.plan.list(&self.old, self.files, empty, at)?;
		let is_same = list == self.old && self.there.len() == self.new.len();
		if let (Some(record), true) = (&self.stored, is_same) {
			let place = place_of(self.asked.key, record);
			return Ok(self.finish_before(&list, place).await?);
		}
		if let (Some(_), true) = (&self.stored, self.asked.only_new) {
			let key = self.asked.key;
			return Err(UploadFolderError::Differs { key });
		}
		let had_files = self.old.files.iter().any(|packed| !packed.file.folder);
		let is_emptied = self.files.is_empty() && had_files;
		if is_emptied && !self.asked.empties {
			return Err(UploadFolderError::Emptied);
		}
		let bytes = packed::to_bytes(&list)?;
		let entries = self.new.len() - self.there.len() + 1;
		self.check_funds(entries as u64).await?;
		let waiting = self.store_packs(bytes.len() as u64, progress).await?;
		self.store_list(&list, bytes, waiting, progress).await
	}

	/// Checks that the account can pay for this number of entries, at present. Every entry costs the same.
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] if it cannot, or if the client's budget forbids it.
	async fn check_funds(&self, entries: u64) -> Result<(), Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let any = Object {
			header: [0; isthmus_sharing::object::HEADER_SIZE],
			length: 0,
			root: H256::zero(),
		};
		let place = self.place(self.asked.key, self.next);
		let call = client.store_object(&place, &any).await?;
		let Cost { fees, .. } = client.cost(&call).await?;
		let cost = Cost {
			fees: fees.saturating_mul(entries.into()),
			deposits: cost::deposits(&client.best().await?, entries)?,
			payments: 0,
		};
		client.check_cost(owner.account.id(), cost).await
	}

	fn place(&self, key: RecordKey, leaf: Leaf) -> Place {
		Place {
			key,
			dataset: self.asked.dataset,
			epoch: self.epoch,
			leaf,
		}
	}
}

/// Returns the key of a pack's record. No file has such a path, because of its colon.
pub(crate) fn pack_key(keys: &EpochKeys, list: &RecordKey, id: &[u8; 32]) -> RecordKey {
	keys.file_key(&list.0, &format!("pack:{}", hex::encode(id)))
		.into()
}

fn place_of(key: RecordKey, record: &Record) -> Place {
	Place {
		key,
		dataset: record.dataset,
		epoch: record.epoch,
		leaf: record.leaf,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use objects::UploadError as Upload;

	#[test]
	fn an_upload_of_other_bytes_is_given_up_and_the_run_begins_again() {
		let url = || "file:///a".to_owned();
		for error in [
			Upload::Changed { at: 0 },
			Upload::LengthChanged { expected: 1 },
			Upload::Elsewhere { url: url() },
		] {
			assert!(is_stale(&error) && may_go_on(&error.into()));
		}
		// The store would fail again, and what it has is resumed.
		let failure = objects::Failure::Missing;
		let error = Upload::Store {
			url: url(),
			failure,
		};
		assert!(!is_stale(&error) && !may_go_on(&error.into()));
		// Another machine has stored another list.
		assert!(may_go_on(&UploadError::Overtaken.into()));
	}
}
