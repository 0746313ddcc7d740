// SPDX-License-Identifier: Apache-2.0
//! Stores a folder packed: its files are put together into packs of up to 16 MiB, each pack is one object, and one more
//! object lists the files. So a small file costs no transaction of its own. Later, only what has changed is sent.
//!
//! Files are compared by their SHA-256 alone, so every file is read, and nothing is sent for one that was renamed or copied.
//! A pack's key follows from what is in it: an interrupted run comes to the same packs, and skips those that arrived.
//! The new list takes the place of the old one in one transaction, together with the last packs.

mod journal;
mod plan;
mod source;

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
	object::{delete_objects, of_entry, Deleted, Locations},
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
		noted_place, own_locations, settled, Done, Stored,
	},
	upload_folder::{is_over, LocalFolder, Tries, UploadFolderError},
};
use futures::{stream, StreamExt};
use isthmus_envelope::EpochKeys;
use isthmus_objects as objects;
use journal::{Journal, Sent};
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
/// How many packs are registered in one transaction, at most.
const BATCH: usize = 64;
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
	/// to, once the new list is finalized. What was not deleted before an interruption stays.
	pub fn deleting(self, deletes: bool) -> Self {
		Self { deletes, ..self }
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
		loop {
			let mut run = Running::start(self, folder, &files).await?;
			let left = run.missing();
			match run.go(progress).await {
				Err(UploadFolderError::Client(error)) if may_go_on(&error) => {
					tries.next(error, left < before).await?;
					before = left;
				}
				done => return done,
			}
		}
	}
}

/// Returns whether to begin again after an error: the connection was lost, or another program of the owner took a place.
fn may_go_on(error: &Error) -> bool {
	use PalletError::{KeyTaken, LeafTaken};
	is_over(error)
		|| error.is_connection()
		|| matches!(
			error,
			Error::Upload(UploadError::LeafTaken(_)) | Error::NotIncluded(_)
		) || matches!(error.refusal(), Some(KeyTaken | LeafTaken))
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
	/// The packs that the journal has.
	noted: Vec<Sent>,
	plan: Plan,
	/// The keys of the new packs.
	new: Vec<RecordKey>,
	/// Those of them that are on the chain.
	there: BTreeSet<RecordKey>,
	/// Those that are at the location, for a place that is free, and not on the chain.
	sent: HashMap<RecordKey, Sent>,
	/// Where to look for the next free leaf.
	next: Leaf,
	/// What this run has sent.
	transactions: u32,
	sent_packs: usize,
	sent_bytes: u64,
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
		let best = client.best().await?;
		let stored = complete(&best, owner.id(), key).await?;
		let old = match &stored {
			None => List::default(),
			Some(record) if record.dataset != dataset => {
				let dataset = record.dataset;
				return Err(UploadFolderError::OtherDataset { dataset });
			}
			Some(_) => read_list(client, owner, key).await?,
		};
		let epoch = epoch_now(&best, owner, dataset).await?;
		client.check_secret(owner, dataset, epoch).await?;
		let keys = owner.epoch_keys(&epoch_id(client, owner.id(), dataset, epoch))?;
		let plan = Plan::new(&old, files);
		let new: Vec<RecordKey> = plan
			.new
			.iter()
			.map(|pack| pack_key(&keys, &key, &pack.id))
			.collect();
		let journal = Journal::of(owner.id(), &key)?;
		let mut running = Self {
			asked,
			folder,
			files,
			old,
			stored,
			epoch,
			location: location_to_write(client, owner.id(), dataset).await?,
			noted: journal.read()?,
			journal,
			plan,
			new,
			there: BTreeSet::new(),
			sent: HashMap::new(),
			next: best
				.free_leaf(owner.id(), dataset, epoch)
				.await?
				.max(asked.leaf),
			transactions: 0,
			sent_packs: 0,
			sent_bytes: 0,
		};
		running.find_sent(&best).await?;
		Ok(running)
	}

	/// Finds out which of the new packs arrived before an interruption.
	async fn find_sent(&mut self, best: &State) -> Result<(), Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		for key in &self.new {
			if complete(best, owner.id(), *key).await?.is_some() {
				self.there.insert(*key);
			}
		}
		for sent in &self.noted {
			let Sent {
				location, place, ..
			} = sent;
			let fits = (place.dataset, place.epoch) == (self.asked.dataset, self.epoch)
				&& location == self.location.url()
				&& self.new.contains(&place.key)
				&& !self.there.contains(&place.key);
			if !fits {
				continue;
			}
			let turn = Turn::take(client, owner.account.id()).await?;
			let at = (*place, false);
			match free_place(client, owner, best, turn.notes(), at).await {
				Ok(_) => drop(self.sent.insert(place.key, sent.clone())),
				Err(Error::Upload(UploadError::LeafTaken(_))) => {}
				Err(error) => return Err(error),
			}
		}
		Ok(())
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
		if let (Some(record), true) = (&self.stored, list == self.old) {
			let done = Done::Before(self.asked.client.best().await?.block());
			let place = place_of(self.asked.key, record);
			return Ok(self.report(&list, (place, done), Vec::new()));
		}
		if let (Some(_), true) = (&self.stored, self.asked.only_new) {
			let key = self.asked.key;
			return Err(UploadFolderError::Differs { key });
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
				pending.push(self.enter(&waiting, &[]).await?);
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
		let done = AtomicU64::new(self.sent_bytes);
		let mut sent = Vec::new();
		let this = &*self;
		let mut sending = stream::iter(jobs)
			.map(|job| this.send(job, &done))
			.buffer_unordered(AT_ONCE)
			.boxed_local();
		let mut ticks = tokio::time::interval(REPORT);
		loop {
			tokio::select! {
				next = sending.next() => match next {
					None => break,
					Some(next) => {
						let next = next?;
						this.journal.note(&next)?;
						this.forget(&next)?;
						sent.push((next.place, next.object));
					}
				},
				_ = ticks.tick() => {
					progress.at(Stage::Sending, done.load(Ordering::Relaxed).min(total), total);
				}
			}
		}
		drop(sending);
		self.sent_packs += sent.len();
		self.sent_bytes = done.into_inner();
		Ok(sent)
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

	/// Sends one object, and counts its bytes.
	async fn send<Source: Read + Send + 'static>(
		&self,
		job: Job<Source>,
		count: &AtomicU64,
	) -> Result<Sent, UploadFolderError> {
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
		let sent = sent.map_err(of_send)?;
		Ok(Sent {
			location: self.location.url().to_owned(),
			place,
			object: Object {
				header: sent.object.header().to_bytes(),
				length: sent.object.length(),
				root: H256(*sent.object.root()),
			},
		})
	}

	/// Removes the journal of an object that is sent whole.
	fn forget(&self, sent: &Sent) -> Result<(), Error> {
		Ok(objects::forget(&journal_of(
			self.asked.owner.id(),
			&sent.place.key,
		)?)?)
	}

	/// Sends a transaction with other calls and then objects' entries, unless a place was taken meanwhile.
	async fn enter(
		&mut self,
		entries: &[(Place, Object)],
		first: &[Call],
	) -> Result<Pending, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let make = |notes| async move {
			let best = client.best().await?;
			let mut calls = first.to_vec();
			for (place, object) in entries {
				let at = (*place, false);
				free_place(client, owner, &best, &notes, at).await?;
				calls.push(client.store_object(place, object).await?);
			}
			Ok((client.batch(&calls).await?, ()))
		};
		let (pending, ()) = client.submit_made(&owner.account, make).await?;
		self.transactions += 1;
		Ok(pending)
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
		let unused = self.unused(list).await?;
		let place = self.allocate(key, false).await?;
		let length = bytes.len() as u64;
		let count = AtomicU64::new(0);
		let job = Job {
			place,
			source: Cursor::new(bytes),
			length,
		};
		let sent = self.send(job, &count).await?;
		self.forget(&sent)?;
		self.sent_bytes += length;
		progress.at(Stage::Sending, self.sent_bytes, self.sent_bytes);
		entries.push((place, sent.object.clone()));
		let (mut pending, mut removed) = match self.replace(&entries, &unused).await {
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
		if removed == 0 {
			removed = self.remove(&unused).await?;
		}
		self.discard_noted().await?;
		self.journal.forget()?;
		let deleted = match self.asked.deletes {
			true => self.delete(&unused).await?,
			false => Vec::new(),
		};
		let mut report = self.report(list, (place, Done::Now(included)), deleted);
		report.removed_packs = removed;
		Ok(report)
	}

	/// Sends the transaction that replaces the list. It also removes the records of packs that are not needed any more, unless
	/// they are many, or a reader has paid for one. Also returns how many of them it removes.
	async fn replace(
		&mut self,
		entries: &[(Place, Object)],
		unused: &[Unused],
	) -> Result<(Pending, usize), Error> {
		let (client, key) = (self.asked.client, self.asked.key);
		let mut first = Vec::new();
		if self.stored.is_some() {
			first.push(client.remove_record(key).await?);
		}
		let mut all = first.clone();
		for unused in unused.iter().filter(|unused| unused.key != key) {
			all.push(client.remove_record(unused.key).await?);
		}
		let count = all.len() - first.len();
		if count > 0 && count <= BATCH {
			match self.enter(entries, &all).await {
				Err(error) if error.refusal() == Some(&PalletError::RecordPaidFor) => {}
				entered => return Ok((entered?, count)),
			}
		}
		Ok((self.enter(entries, &first).await?, 0))
	}

	/// Deletes an object that is not on the chain, and opens nowhere. What cannot be deleted stays, and does no harm.
	async fn discard(&self, sent: &Sent) {
		if let Ok(object) = of_entry(sent.place.key, &sent.object) {
			let _ = self.location.delete(&object).await;
		}
	}

	/// Deletes the objects of packs that interrupted runs have sent, and that are not on the chain.
	async fn discard_noted(&self) -> Result<(), Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let best = client.best().await?;
		for sent in &self.noted {
			let record = best.record(owner.id(), sent.place.key).await?;
			let is_there = record.is_some_and(|record| match record.payload {
				Payload::Object { object, .. } => object == sent.object,
				_ => false,
			});
			if !is_there && sent.location == self.location.url() {
				self.discard(sent).await;
			}
		}
		Ok(())
	}

	/// Returns the records on the chain that are not needed any more: packs, those of interrupted runs, too, and the old list.
	async fn unused(&self, list: &List) -> Result<Vec<Unused>, Error> {
		let owner = self.asked.owner;
		let needed: BTreeSet<RecordKey> = list.packs.iter().map(|pack| pack.key).collect();
		let old = self.plan.unused(&self.old).map(|pack| pack.key);
		let noted = self.noted.iter().map(|sent| sent.place.key);
		let mut keys: BTreeSet<RecordKey> = old.chain(noted).collect();
		keys.retain(|key| !needed.contains(key));
		keys.extend(self.stored.is_some().then_some(self.asked.key));
		let best = self.asked.client.best().await?;
		let mut unused = Vec::new();
		for key in keys {
			let record = best.record(owner.id(), key).await?;
			if let Some(Payload::Object { object, .. }) = record.map(|record| record.payload) {
				let object = of_entry(key, &object)?;
				unused.push(Unused { key, object });
			}
		}
		Ok(unused)
	}

	/// Removes the records of packs that are not needed any more, and returns how many were removed. A record stays while a
	/// reader has paid for it.
	async fn remove(&mut self, unused: &[Unused]) -> Result<usize, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let mut calls = Vec::new();
		for Unused { key, .. } in unused.iter().filter(|unused| unused.key != self.asked.key) {
			calls.push(client.remove_record(*key).await?);
		}
		let mut removed = calls.len();
		for calls in calls.chunks(BATCH) {
			let each = client.batch_each(calls).await?;
			let included = client.send(&owner.account, &each).await?;
			removed -= included.refused.len().min(removed);
			self.transactions += 1;
		}
		Ok(removed)
	}

	/// Deletes the objects that are not needed any more, but those of records that stay.
	async fn delete(&self, unused: &[Unused]) -> Result<Vec<Deleted>, Error> {
		let SyncFolder {
			client,
			owner,
			dataset,
			..
		} = *self.asked;
		let urls = own_locations(client, owner.id(), dataset).await?;
		let best = client.best().await?;
		let mut objects = Vec::new();
		for Unused { key, object } in unused {
			let record = best.record(owner.id(), *key).await?;
			let is_there = match record.map(|record| record.payload) {
				Some(Payload::Object { object: there, .. }) => of_entry(*key, &there)? == *object,
				_ => false,
			};
			if !is_there {
				objects.push(object.clone());
			}
		}
		Ok(delete_objects(&objects, Locations::open(urls)).await)
	}

	fn report(
		&self,
		list: &List,
		(place, done): (Place, Done),
		deleted: Vec<Deleted>,
	) -> SyncedFolder {
		let old = files_of(&self.old);
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
				resumed: self.stored.is_some() || !self.there.is_empty() || !self.sent.is_empty(),
				transactions: self.transactions,
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
			sent_packs: self.sent_packs,
			sent_bytes: self.sent_bytes,
			removed_packs: 0,
			deleted,
		}
	}
}

/// A record that is not needed any more.
struct Unused {
	key: RecordKey,
	object: objects::Object,
}

/// Returns the files of a list by their paths.
fn files_of(list: &List) -> HashMap<&str, &folder::File> {
	let files = list.files.iter().map(|packed| &packed.file);
	let files = files.filter(|file| !file.folder);
	files.map(|file| (file.path.as_str(), file)).collect()
}

/// Names the file of a pack that changed.
fn of_send(error: objects::UploadError) -> UploadFolderError {
	if let objects::UploadError::Read(error) = &error {
		let named = error.get_ref().and_then(|error| error.downcast_ref());
		if let Some(FileChanged(path)) = named {
			return UploadFolderError::ChangedWhileRead(path.clone());
		}
	}
	Error::from(error).into()
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

/// Returns a dataset's current epoch.
async fn epoch_now(best: &State, owner: &Identity, dataset: DatasetId) -> Result<Epoch, Error> {
	let owner = *owner.id();
	let entry = best.dataset(&owner, dataset).await?;
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
	Ok(entry.epoch)
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
