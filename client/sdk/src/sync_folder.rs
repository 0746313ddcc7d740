// SPDX-License-Identifier: Apache-2.0
//! Stores a folder packed: its files are put together into packs of up to 16 MiB, each pack is one object, and one more
//! object lists the files. So a small file costs no transaction of its own. Later, only what has changed is sent.
//!
//! Files are compared by their SHA-256 alone, so every file is read, and nothing is sent for one that was renamed or copied.
//! A pack's key follows from what is in it: an interrupted run comes to the same packs, and skips those that arrived.
//! The new list takes the place of the old one in one transaction, together with the last packs.

mod journal;
mod left;
mod plan;
mod source;
mod tidy;

use crate::{
	account::Identity,
	call::Call,
	client::Client,
	cost,
	error::{Error, UploadError},
	fetch_file::is_packed_folder,
	folder::{
		self,
		packed::{self, List},
	},
	object::{of_entry, Deleted},
	progress::{Progress, Stage},
	reading::Reading,
	refusal::PalletError,
	sharing::epoch_id,
	state::State,
	turn::Turn,
	tx::Pending,
	types::*,
	upload::{
		complete, free_place, journal_of, location_to_write, lock_objects, next_leaf, note,
		noted_place, settled, Done, Stored,
	},
	upload_folder::{is_over, LocalFolder, Tries, UploadFolderError},
};
use futures::{stream, StreamExt};
use isthmus_envelope::EpochKeys;
use isthmus_objects as objects;
use journal::{Journal, Noted, Sent};
use left::{object_in, sort_out};
use plan::{Local, NewPack, Plan};
use source::{hash_all, FileChanged, PackSource};
use std::{
	collections::{BTreeSet, HashMap},
	io::{Cursor, Read},
	sync::atomic::{AtomicU64, Ordering},
	time::Duration,
};
use subxt::utils::H256;

/// How many packs are sent at a time.
const AT_ONCE: usize = 3;
/// How many packs are registered, or removed, in one transaction, at most.
const BATCH: usize = 64;
/// How many records are looked up at a time.
const LOOKED_UP: usize = 16;
/// How often progress is reported.
const REPORT: Duration = Duration::from_millis(200);

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
	/// Returns [`UploadFolderError::NotPacked`] or [`UploadFolderError::OtherDataset`] if the key is that of another record,
	/// [`UploadFolderError::Emptied`] if the folder has no files any more, and this is not
	/// [allowed](Self::allowing_empty),
	/// [`UploadFolderError::ChangedWhileRead`] if a file changes meanwhile, [`Error::Cost`] before anything is sent if the
	/// account cannot pay, and the errors of [`location_to_write`] and [`Client::send`].
	pub async fn run(
		&self,
		folder: &LocalFolder,
		progress: &mut impl Progress,
	) -> Result<SyncedFolder, UploadFolderError> {
		let _held = lock_objects(self.client, self.owner.id(), self.dataset).await;
		let files = hash_all(&folder.files, progress).await?;
		let mut tries = Tries::default();
		let mut before = u64::MAX;
		let mut so_far = SoFar::default();
		loop {
			let mut run = Running::start(self, folder, &files, so_far).await?;
			let left = run.missing();
			match run.go(progress).await {
				Err(UploadFolderError::Client(error)) if may_go_on(&error) => {
					so_far = run.so_far;
					tries.next(error, left < before).await?;
					before = left;
				}
				done => return done,
			}
		}
	}
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
		so_far: SoFar,
	) -> Result<Self, UploadFolderError> {
		let SyncFolder {
			client,
			owner,
			key,
			dataset,
			..
		} = *asked;
		settled(client, owner.account.id()).await?;
		let (best, stored, old) = stored_list(asked).await?;
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
		let mut running = Self {
			asked,
			folder,
			files,
			old,
			stored,
			epoch,
			location: location_to_write(client, owner.id(), dataset).await?,
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
			so_far,
		};
		running.find_sent(&best).await?;
		let resumed =
			running.stored.is_some() || !running.there.is_empty() || !running.sent.is_empty();
		running.so_far.resumed.get_or_insert(resumed);
		if running.so_far.first.is_none() {
			running.so_far.first = Some(running.old.clone());
		}
		Ok(running)
	}

	/// Finds out which of the new packs arrived before an interruption. One that the journal names is sent again unless the
	/// location has it.
	async fn find_sent(&mut self, best: &State) -> Result<(), Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		for key in &self.new {
			if complete(best, owner.id(), *key).await?.is_some() {
				self.there.insert(*key);
			}
		}
		// Of two that would take each other's place, the one that was sent last.
		let mut leaves = BTreeSet::new();
		for sent in self.noted.sent.iter().rev() {
			let Sent {
				location, place, ..
			} = sent;
			let fits = (place.dataset, place.epoch) == (self.asked.dataset, self.epoch)
				&& location == self.location.url()
				&& self.new.contains(&place.key)
				&& !self.there.contains(&place.key)
				&& !self.sent.contains_key(&place.key)
				&& !leaves.contains(&place.leaf);
			if !fits || !self.is_at_location(sent).await? {
				continue;
			}
			let turn = Turn::take(client, owner.account.id()).await?;
			let at = (*place, false);
			match free_place(client, owner, best, turn.notes(), at).await {
				Ok(_) => {
					leaves.insert(place.leaf);
					self.sent.insert(place.key, sent.clone());
				}
				Err(Error::Upload(UploadError::LeafTaken(_))) => {}
				Err(error) => return Err(error),
			}
		}
		Ok(())
	}

	/// Returns whether the location has a pack that the journal names, with its length and its list.
	///
	/// # Errors
	///
	/// Returns [`Error::Sending`] if the location may have it, but does not answer at present.
	async fn is_at_location(&self, sent: &Sent) -> Result<bool, Error> {
		let Ok(object) = of_entry(sent.place.key, &sent.object) else {
			return Ok(false);
		};
		let checked = objects::check(&self.location, &object, false, &mut |_| {}).await;
		match checked.failure {
			None => Ok(true),
			Some(failure) if failure.is_passing() => {
				let url = self.location.url().to_owned();
				Err(objects::UploadError::Store { url, failure }.into())
			}
			Some(_) => Ok(false),
		}
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
		let is_emptied = self.files.is_empty() && !files_of(&self.old).is_empty();
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

	/// Sends the packs that are missing, and registers all but the last ones, which are returned.
	async fn store_packs(
		&mut self,
		list: u64,
		progress: &mut impl Progress,
	) -> Result<Vec<(Place, Object)>, UploadFolderError> {
		let packs = self.plan.new.clone();
		let lengths = packs.iter().map(|pack| pack.length);
		let total = lengths.fold(list, u64::saturating_add);
		let mut waiting: Vec<(Place, Object)> = Vec::new();
		let mut missing: Vec<(RecordKey, &NewPack)> = Vec::new();
		for (key, pack) in self.new.iter().zip(&packs) {
			match self.sent.get(key) {
				Some(sent) => waiting.push((sent.place, sent.object.clone())),
				None if self.there.contains(key) => {}
				None => missing.push((*key, pack)),
			}
		}
		let mut pending: Vec<Pending> = Vec::new();
		let mut missing = missing.chunks(BATCH);
		loop {
			while waiting.len() > BATCH {
				let rest = waiting.split_off(BATCH);
				pending.push(self.enter(&waiting, &[], false).await?);
				waiting = rest;
			}
			match missing.next() {
				Some(missing) => waiting.extend(self.send_packs(missing, total, progress).await?),
				None => break,
			}
		}
		for mut pending in pending {
			pending.included().await?;
		}
		Ok(waiting)
	}

	/// Sends packs to the location, several at a time.
	async fn send_packs(
		&mut self,
		packs: &[(RecordKey, &NewPack)],
		total: u64,
		progress: &mut impl Progress,
	) -> Result<Vec<(Place, Object)>, UploadFolderError> {
		let mut jobs = Vec::new();
		for (key, pack) in packs {
			let files: Vec<Local> = pack
				.files
				.iter()
				.filter_map(|file| self.files.get(*file).cloned())
				.collect();
			jobs.push(Job {
				place: self.allocate(*key, true).await?,
				source: PackSource::new(files),
				length: pack.length,
			});
		}
		let done = AtomicU64::new(self.so_far.sent_bytes);
		let (mut sent, mut bytes) = (Vec::new(), 0u64);
		let this = &*self;
		let mut sending = stream::iter(jobs)
			.map(|job| this.send(job, &done))
			.buffer_unordered(AT_ONCE)
			.boxed_local();
		let mut ticks = tokio::time::interval(REPORT);
		let failed = loop {
			tokio::select! {
				next = sending.next() => match next {
					None => break None,
					Some(Err(error)) => break Some(error),
					Some(Ok((next, length))) => {
						this.journal.note(&next)?;
						this.forget(&next)?;
						bytes = bytes.saturating_add(length);
						sent.push((next.place, next.object));
					}
				},
				_ = ticks.tick() => {
					progress.at(Stage::Sending, done.load(Ordering::Relaxed).min(total), total);
				}
			}
		};
		drop(sending);
		self.so_far.sent_packs += sent.len();
		self.so_far.sent_bytes = self.so_far.sent_bytes.saturating_add(bytes);
		failed.map_or(Ok(sent), Err)
	}

	/// Chooses the place of an object: that of its interrupted upload, if it `resumes` and the place is free, or the next
	/// free one.
	async fn allocate(&mut self, key: RecordKey, resumes: bool) -> Result<Place, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let journal = journal_of(owner.id(), &key)?;
		let best = client.best().await?;
		let turn = Turn::take(client, owner.account.id()).await?;
		let taken: BTreeSet<Leaf> = self.sent.values().map(|sent| sent.place.leaf).collect();
		let noted = objects::unfinished(&journal)?.and_then(|text| noted_place(&text, key));
		if let Some(place) = noted.filter(|_| resumes) {
			let is_here = place == self.place(key, place.leaf)
				&& place.leaf >= self.next
				&& !taken.contains(&place.leaf);
			let is_free = is_here
				&& free_place(client, owner, &best, turn.notes(), (place, false))
					.await
					.is_ok();
			if is_free {
				self.next = next_leaf(&place)?;
				return Ok(place);
			}
		}
		let place = loop {
			let at = self.place(key, self.next);
			let place = free_place(client, owner, &best, turn.notes(), (at, true)).await?;
			self.next = next_leaf(&place)?;
			if !taken.contains(&place.leaf) {
				break place;
			}
		};
		// The object of another place opens nowhere.
		objects::give_up(&journal, &self.location).await?;
		Ok(place)
	}

	/// Sends one object, and counts its bytes. Also returns their number. Gives up an upload that sent bytes of a file that
	/// changed: nothing but the same bytes could be sent in its place.
	async fn send<Source: Read + Send + 'static>(
		&self,
		job: Job<Source>,
		count: &AtomicU64,
	) -> Result<(Sent, u64), UploadFolderError> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let Job {
			place,
			source,
			length,
		} = job;
		let journal = journal_of(owner.id(), &place.key)?;
		let (leaf, context) = (
			place.leaf_key(client, owner)?,
			place.context(client, owner.id()),
		);
		let note = note(&place);
		let upload = objects::Upload::new(&self.location, &leaf, &context, &journal).noting(&note);
		let mut before = 0;
		let mut tell = |done: u64| {
			count.fetch_add(done.saturating_sub(before), Ordering::Relaxed);
			before = before.max(done);
		};
		let sent = upload.run(source, Some(length), &mut tell).await;
		let sent = match sent {
			Err(error) if is_stale(&error) || changed_in(&error).is_some() => {
				objects::give_up(&journal, &self.location)
					.await
					.map_err(Error::from)?;
				return Err(of_send(error));
			}
			sent => sent.map_err(of_send)?,
		};
		let sent = Sent {
			location: self.location.url().to_owned(),
			place,
			object: Object {
				header: sent.object.header().to_bytes(),
				length: sent.object.length(),
				root: H256(*sent.object.root()),
			},
		};
		Ok((sent, length))
	}

	/// Removes the journal of an object that is sent whole.
	fn forget(&self, sent: &Sent) -> Result<(), Error> {
		Ok(objects::forget(&journal_of(
			self.asked.owner.id(),
			&sent.place.key,
		)?)?)
	}

	/// Sends a transaction with other calls and then objects' entries, unless a place was taken meanwhile. The `last` one
	/// replaces the list: it is not sent if the folder has another version by now.
	async fn enter(
		&mut self,
		entries: &[(Place, Object)],
		first: &[Call],
		last: bool,
	) -> Result<Pending, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let this = &*self;
		let make = |notes| async move {
			let best = client.best().await?;
			if last {
				this.check_same(&best).await?;
			}
			let mut calls = first.to_vec();
			for (place, object) in entries {
				let at = (*place, false);
				free_place(client, owner, &best, &notes, at).await?;
				calls.push(client.store_object(place, object).await?);
			}
			Ok((client.batch(&calls).await?, ()))
		};
		let (pending, ()) = client.submit_made(&owner.account, make).await?;
		self.so_far.transactions += 1;
		Ok(pending)
	}

	/// Checks that the stored list is the one that the new one was made from, and that the packs of interrupted runs are
	/// still on the chain.
	///
	/// # Errors
	///
	/// Returns [`UploadError::Overtaken`] if not: a program on another machine has stored the folder.
	async fn check_same(&self, best: &State) -> Result<(), Error> {
		let owner = self.asked.owner.id();
		let now = complete(best, owner, self.asked.key).await?;
		let mut is_same = now.as_ref().map(version) == self.stored.as_ref().map(version);
		for key in &self.there {
			is_same = is_same && complete(best, owner, *key).await?.is_some();
		}
		match is_same {
			true => Ok(()),
			false => Err(UploadError::Overtaken.into()),
		}
	}

	/// Stores the list in place of the old one, together with the last packs, and removes what is not needed any more.
	async fn store_list(
		&mut self,
		list: &List,
		bytes: Vec<u8>,
		mut entries: Vec<(Place, Object)>,
		progress: &mut impl Progress,
	) -> Result<SyncedFolder, UploadFolderError> {
		let key = self.asked.key;
		let spare = self.spare(list, true).await?;
		let place = self.allocate(key, false).await?;
		let length = bytes.len() as u64;
		let count = AtomicU64::new(0);
		let job = Job {
			place,
			source: Cursor::new(bytes),
			length,
		};
		let (sent, _) = self.send(job, &count).await?;
		self.forget(&sent)?;
		self.so_far.sent_bytes = self.so_far.sent_bytes.saturating_add(length);
		let all = self.so_far.sent_bytes;
		progress.at(Stage::Sending, all, all);
		self.note_spare(&spare)?;
		entries.push((place, sent.object.clone()));
		let (mut pending, are_removed) = match self.replace(&entries, &spare).await {
			Ok(done) => done,
			Err(error) => {
				// If the connection is lost, the transaction may still come into a block.
				if !error.is_connection() {
					self.discard(&sent).await;
				}
				return Err(error.into());
			}
		};
		let included = match self.asked.finalized || self.asked.deletes {
			true => pending.finalized().await?,
			false => pending.included().await?,
		};
		let stay = match are_removed {
			true => Vec::new(),
			false => self.remove(&spare).await?,
		};
		let mut report = self.report(&self.old, list, (place, Done::Now(included)));
		report.removed_packs = self.count_removed(&spare, &stay);
		report.deleted = self.tidy(&spare, stay).await?;
		Ok(report)
	}

	/// Sends the transaction that replaces the list. It also removes the records of packs that are not needed any more, unless
	/// they are many, or a reader has paid for one. Also returns whether none of them is left to be removed.
	async fn replace(
		&mut self,
		entries: &[(Place, Object)],
		spare: &[Spare],
	) -> Result<(Pending, bool), Error> {
		use PalletError::{RecordPaidFor, UnknownRecord};
		let (client, key) = (self.asked.client, self.asked.key);
		let mut first = Vec::new();
		if self.stored.is_some() {
			first.push(client.remove_record(key).await?);
		}
		let mut all = first.clone();
		for spare in spare.iter().filter(|spare| spare.there && spare.key != key) {
			all.push(client.remove_record(spare.key).await?);
		}
		let count = all.len() - first.len();
		if count <= BATCH {
			match self.enter(entries, &all, true).await {
				Err(error)
					if count > 0
						&& matches!(error.refusal(), Some(RecordPaidFor | UnknownRecord)) => {}
				entered => return Ok((entered?, true)),
			}
		}
		Ok((self.enter(entries, &first, true).await?, false))
	}

	/// Reports what was done since the folder had the list `old`.
	fn report(&self, old: &List, list: &List, (place, done): (Place, Done)) -> SyncedFolder {
		let old = files_of(old);
		let (mut added, mut changed, mut same_paths) = (0, 0, 0);
		for file in self.files {
			match old.get(file.path.as_str()) {
				None => added += 1,
				Some(was) => {
					same_paths += 1;
					let is_same = was.hash == file.hash && was.executable == file.executable;
					changed += usize::from(!is_same);
				}
			}
		}
		SyncedFolder {
			list: Stored {
				place,
				done,
				resumed: self.so_far.resumed.unwrap_or(false),
				transactions: self.so_far.transactions,
			},
			location: self.location.url().to_owned(),
			files: self.files.len(),
			bytes: self
				.files
				.iter()
				.fold(0, |all, file| all.saturating_add(file.length)),
			added,
			changed,
			removed: old.len() - same_paths,
			packs: list.packs.len(),
			sent_packs: self.so_far.sent_packs,
			sent_bytes: self.so_far.sent_bytes,
			removed_packs: 0,
			deleted: Vec::new(),
		}
	}
}

/// Returns the files of a list by their paths.
fn files_of(list: &List) -> HashMap<&str, &folder::File> {
	let files = list.files.iter().map(|packed| &packed.file);
	let files = files.filter(|file| !file.folder);
	files.map(|file| (file.path.as_str(), file)).collect()
}

/// Names the file of a pack that changed.
fn of_send(error: objects::UploadError) -> UploadFolderError {
	match changed_in(&error) {
		Some(FileChanged(path)) => UploadFolderError::ChangedWhileRead(path.clone()),
		None => Error::from(error).into(),
	}
}

/// Returns which file of a pack changed while it was sent, if that is the error.
fn changed_in(error: &objects::UploadError) -> Option<&FileChanged> {
	match error {
		objects::UploadError::Read(error) => error.get_ref()?.downcast_ref(),
		_ => None,
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

/// Returns what tells a version of a record from others. Its number among the objects of its dataset does not: that changes
/// with them.
fn version(record: &Record) -> (DatasetId, Epoch, Leaf, Option<Object>) {
	let object = object_in(record).cloned();
	(record.dataset, record.epoch, record.leaf, object)
}

/// Returns the numbers of a list's packs that have no record any more.
async fn lost(best: &State, owner: &AccountId, list: &List) -> Result<BTreeSet<usize>, Error> {
	let mut looked = stream::iter(list.packs.iter().enumerate())
		.map(|(number, pack)| async move {
			let record = complete(best, owner, pack.key).await?;
			let is_there = record.is_some_and(|record| record.epoch == pack.epoch);
			Ok::<_, Error>((!is_there).then_some(number))
		})
		.buffered(LOOKED_UP)
		.boxed_local();
	let mut lost = BTreeSet::new();
	while let Some(number) = looked.next().await {
		lost.extend(number?);
	}
	Ok(lost)
}

/// Returns a dataset's current epoch.
async fn epoch_now(best: &State, owner: &Identity, dataset: DatasetId) -> Result<Epoch, Error> {
	let owner = *owner.id();
	let entry = best.dataset(&owner, dataset).await?;
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
	Ok(entry.epoch)
}

/// Returns the list that is stored, its record, and a state that has this record.
async fn stored_list(
	asked: &SyncFolder<'_>,
) -> Result<(State, Option<Record>, List), UploadFolderError> {
	let SyncFolder {
		client,
		owner,
		key,
		dataset,
		..
	} = *asked;
	let mut best = client.best().await?;
	loop {
		let stored = complete(&best, owner.id(), key).await?;
		let list = match &stored {
			None => List::default(),
			Some(record) if record.dataset != dataset => {
				let dataset = record.dataset;
				return Err(UploadFolderError::OtherDataset { dataset });
			}
			Some(_) => read_list(client, owner, key).await?,
		};
		// A program on another machine may have stored another one meanwhile.
		best = client.best().await?;
		let now = complete(&best, owner.id(), key).await?;
		if now.as_ref().map(version) == stored.as_ref().map(version) {
			return Ok((best, stored, list));
		}
	}
}

/// Reads the list that is stored under a key.
async fn read_list(
	client: &Client,
	owner: &Identity,
	key: RecordKey,
) -> Result<List, UploadFolderError> {
	let reading = Reading::open(client, owner, owner.id(), key).await?;
	if !is_packed_folder(&reading).await? {
		return Err(UploadFolderError::NotPacked { key });
	}
	let mut bytes = Vec::new();
	reading.run(&mut bytes, 0, &mut ()).await?;
	Ok(packed::from_bytes(&bytes)?)
}

#[cfg(test)]
mod tests {
	use super::*;
	use objects::UploadError as Upload;
	use std::{io, path::PathBuf};

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
		// A file that changes is named. What was sent of it is of no use either.
		let path = PathBuf::from("a");
		let error = Upload::Read(io::Error::other(FileChanged(path.clone())));
		assert!(changed_in(&error).is_some());
		let named = of_send(error);
		assert!(matches!(named, UploadFolderError::ChangedWhileRead(file) if file == path));
		let error = Upload::Read(io::Error::other("no"));
		assert!(changed_in(&error).is_none());
	}

	#[test]
	fn a_list_that_another_machine_has_stored_is_another_version() {
		let record = |leaf, ordinal, root| Record {
			dataset: 1,
			epoch: 2,
			leaf,
			payload: Payload::Object {
				object: Object {
					header: [0; isthmus_sharing::object::HEADER_SIZE],
					length: 4,
					root: H256([root; 32]),
				},
				ordinal,
				block: 6,
			},
			deposit: 5,
		};
		let stored = version(&record(3, 7, 8));
		assert_ne!(stored, version(&record(4, 7, 8)));
		assert_ne!(stored, version(&record(3, 7, 9)));
		// Its number among the dataset's objects changes when another one is removed.
		assert_eq!(stored, version(&record(3, 6, 8)));
		assert!(may_go_on(&UploadError::Overtaken.into()));
	}
}
