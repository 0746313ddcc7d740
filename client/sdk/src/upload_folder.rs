// SPDX-License-Identifier: Apache-2.0
//! Stores a folder: each file becomes a separate record, and one more record lists them all.
//!
//! If part or all of the folder is already stored, for example after an interruption, existing records are
//! read and compared with the files, and only the missing ones are stored.

mod compare;
mod error;
mod exclude;
mod local;
mod source;

pub use error::UploadFolderError;
pub use exclude::{Exclude, ExcludeError};
pub use local::LocalFolder;

use crate::{
	account::Identity,
	client::Client,
	connection::RECONNECTIONS,
	cost::{self, Prices},
	error::{Error, Rejection, UploadError},
	folder::File as Entry,
	outcome::Included,
	progress::{Progress, Stage},
	records::records,
	refusal::PalletError,
	sharing::epoch_id,
	state::{every, State},
	types::*,
	upload::{complete, next_leaf, read_whole, settled, Stored, Upload, MAX_WHOLE},
	window::Window,
};
use isthmus_envelope::EpochKeys;
pub(crate) use local::{is_executable, length_of, LocalFile};
use source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// How many times files are stored again whose places other programs took, or whose connection was lost.
const ROUNDS: u32 = 16;
/// How many files' records are asked for in one request.
const TOGETHER: usize = 256;
/// The places of how many files to look at together before they are sent, at most.
const AHEAD: usize = 64;

/// A folder that is stored.
#[derive(Clone, Debug)]
pub struct StoredFolder {
	/// The record that lists the files.
	pub list: Stored,
	/// The number of files.
	pub files: usize,
	/// The total size of the files in bytes.
	pub bytes: u64,
}

/// A folder to be stored: its files from leaf `place.leaf` on, each at the next free leaf, and finally the record
/// under `place.key`, which lists them.
///
/// ```no_run
/// use isthmus_sdk::*;
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Box<dyn std::error::Error>> {
/// let folder = LocalFolder::open("photos".as_ref())?;
/// let key = record_key("photos")?;
/// let leaf = client.best().await?.free_leaf(school.id(), 0, 0).await?;
/// let place = Place { key, dataset: 0, epoch: 0, leaf };
/// let stored = UploadFolder::new(&client, &school, place).run(&folder, &mut ()).await?;
/// println!("{} files, {} bytes", stored.files, stored.bytes);
/// # Ok(())
/// # }
/// ```
pub struct UploadFolder<'a> {
	client: &'a Client,
	owner: &'a Identity,
	place: Place,
	any_leaf: bool,
	current_epoch: bool,
	finalized: bool,
	name: Option<RecordKey>,
}

impl<'a> UploadFolder<'a> {
	/// Prepares to store a folder of `owner`, whose first record takes the place's leaf.
	pub fn new(client: &'a Client, owner: &'a Identity, place: Place) -> Self {
		Self {
			client,
			owner,
			place,
			any_leaf: false,
			current_epoch: false,
			finalized: false,
			name: None,
		}
	}

	/// Stores the first record, too, at the next free leaf, if the place's leaf is taken.
	pub fn at_free_leaf(self) -> Self {
		Self {
			any_leaf: true,
			..self
		}
	}

	/// Stores the folder in the dataset's current epoch. If another program of the owner starts a new epoch first,
	/// the files that are stored already are removed, and all are stored in the new epoch.
	pub fn in_current_epoch(self) -> Self {
		Self {
			current_epoch: true,
			..self
		}
	}

	/// Puts the folder's name into the record that lists its files, as [`Upload::named`] does.
	pub fn named(self, name: RecordKey) -> Self {
		Self {
			name: Some(name),
			..self
		}
	}

	/// Waits until the folder's list is finalized, instead of only included in a block.
	pub fn until_finalized(self, finalized: bool) -> Self {
		Self { finalized, ..self }
	}

	/// Stores the folder. Resumes an earlier upload under the same key, at the leaves where it started.
	///
	/// # Errors
	///
	/// Returns [`UploadError::LeafTaken`] if another record has the place's leaf, before anything is sent;
	/// [`UploadFolderError::Changed`] if a file differs from its record, and [`UploadError::AlreadyStored`] if another
	/// folder is stored under the key. Returns [`Error::Overlap`], before any file is read, if the folder contains a
	/// location of the dataset or is in one. What was stored before the error stays stored.
	pub async fn run(
		mut self,
		folder: &LocalFolder,
		progress: &mut impl Progress,
	) -> Result<StoredFolder, UploadFolderError> {
		let best = self.client.best().await?;
		let locations = best.locations(self.owner.id(), self.place.dataset).await?;
		folder.check_locations(&locations).map_err(Error::from)?;
		for _ in 0..ROUNDS {
			match self.attempt(folder, progress).await {
				Err(UploadFolderError::Client(error)) if self.current_epoch && is_over(&error) => {
					// A rejection does not say whether a new epoch or another record overtook the file.
					if !self.move_on(folder).await? && error.rejection().is_none() {
						return Err(error.into());
					}
				}
				// The next attempt finds out, before it sends anything.
				Err(UploadFolderError::Client(error))
					if error.rejection() == Some(Rejection::Overtaken) => {}
				done => return done,
			}
		}
		self.attempt(folder, progress).await
	}

	/// Moves on to the dataset's current epoch, and removes the files that are stored in the earlier one. If another
	/// program has completed the folder there, it stays. Returns whether there is a later epoch.
	async fn move_on(&mut self, folder: &LocalFolder) -> Result<bool, Error> {
		let (client, owner) = (self.client, self.owner);
		let Place { key, dataset, .. } = self.place;
		let ended = Running::start(self, folder).await?;
		if ended.is_stored {
			return Ok(true);
		}
		let best = client.best().await?;
		let owned = *owner.id();
		let entry = best.dataset(&owned, dataset).await?;
		let epoch = entry
			.ok_or(Error::NoSuchDataset {
				owner: owned,
				dataset,
			})?
			.epoch;
		if epoch == self.place.epoch {
			return Ok(false);
		}
		let mut calls = Vec::new();
		for files in folder.files.chunks(TOGETHER) {
			for (key, record) in ended.records(files).await? {
				if record.is_some() {
					calls.push(client.remove_record(key).await?);
				}
			}
		}
		client.send_all(&owner.account, &calls).await?;
		let best = client.best().await?;
		self.place = Place {
			key,
			dataset,
			epoch,
			leaf: best.free_leaf(&owned, dataset, epoch).await?,
		};
		self.any_leaf = true;
		Ok(true)
	}

	async fn attempt(
		&self,
		folder: &LocalFolder,
		progress: &mut impl Progress,
	) -> Result<StoredFolder, UploadFolderError> {
		let mut upload = Running::start(self, folder).await?;
		upload.check_funds(folder).await?;
		upload.total = (folder.files.len(), length_of(&folder.files));
		upload.tell(Stage::Sending, progress);
		let mut missing: Vec<usize> = (0..folder.files.len()).collect();
		let mut tries = Tries::default();
		while !missing.is_empty() {
			let count = missing.len();
			let mut rest = Vec::new();
			for numbers in missing.chunks(TOGETHER) {
				match upload.is_cut() {
					true => rest.extend_from_slice(numbers),
					false => rest.extend(upload.store_some(folder, numbers, progress).await?),
				}
			}
			upload.drain().await?;
			let again = std::mem::take(&mut upload.again);
			missing = again.keys().copied().chain(rest).collect();
			upload.take_out(&missing);
			upload.tell(Stage::Sending, progress);
			if let Some(error) = one_of(again) {
				let is_dropped = matches!(error, Error::NotIncluded(_));
				let progressed = missing.len() < count;
				tries.next(self.client, error, progressed).await?;
				if is_dropped {
					// If this fails, so does the next try.
					let _ = self.client.later_best().await;
				}
			}
		}
		let bytes = upload.entries.values().map(|entry| entry.length).sum();
		let files = upload.entries.len();
		let list = upload.store_list(folder, self, progress).await?;
		Ok(StoredFolder { list, files, bytes })
	}
}

/// Returns the keys of the records that uploads of a folder under `key` have stored so far, in any dataset and epoch:
/// the files' records, in their order, and the list's, last.
///
/// # Errors
///
/// Returns the errors of [`State::records`].
pub async fn stored_of(
	client: &Client,
	owner: &Identity,
	key: RecordKey,
	folder: &LocalFolder,
) -> Result<Vec<RecordKey>, Error> {
	let best = client.best().await?;
	let records = every(|after| best.records(owner.id(), after)).await?;
	let keys: BTreeSet<[u8; 32]> = records.iter().map(|entry| entry.key.0).collect();
	let epochs: BTreeSet<(DatasetId, Epoch)> = records
		.iter()
		.map(|entry| (entry.record.dataset, entry.record.epoch))
		.collect();
	let mut stored = Vec::new();
	for (dataset, epoch) in epochs {
		let id = epoch_id(client, owner.id(), dataset, epoch);
		let root = owner.epoch_keys(&id)?;
		let files = folder
			.files
			.iter()
			.map(|file| root.file_key(&key.0, &file.path));
		stored.extend(
			files
				.filter(|file| keys.contains(file))
				.map(RecordKey::from),
		);
	}
	stored.extend(keys.contains(&key.0).then_some(key));
	Ok(stored)
}

/// Returns whether nothing more can be stored in the epoch, because a new one was started, or may have been: a node that
/// rejects a store does not say whether only its leaf was taken.
pub(crate) fn is_over(error: &Error) -> bool {
	match error {
		Error::Upload(UploadError::NotCurrentEpoch { .. } | UploadError::EpochOver { .. }) => true,
		error => {
			error.refusal() == Some(&PalletError::NotCurrentEpoch)
				|| error.rejection() == Some(Rejection::Overtaken)
		}
	}
}

/// How often files were tried again.
#[derive(Default)]
pub(crate) struct Tries {
	/// How often other programs took the files' places.
	rounds: u32,
	/// How often the connection was lost since a file was last stored.
	outages: u32,
}

impl Tries {
	/// Counts a try that failed, after which fewer files may be missing. Waits before the next one if the
	/// connection was lost; returns the error if it was the last try.
	pub(crate) async fn next(
		&mut self,
		client: &Client,
		error: Error,
		progressed: bool,
	) -> Result<(), Error> {
		let is_cut = error.is_connection();
		if is_cut && progressed {
			self.outages = 0;
		}
		let (count, most) = match is_cut {
			true => (&mut self.outages, RECONNECTIONS),
			false => (&mut self.rounds, ROUNDS),
		};
		if *count == most {
			return Err(error);
		}
		*count += 1;
		if is_cut {
			client.reconnect(*count - 1, &error).await;
		}
		Ok(())
	}
}

/// Returns one of the files' errors: that of the connection, if it was lost.
fn one_of(again: BTreeMap<usize, Error>) -> Option<Error> {
	let mut errors: Vec<_> = again.into_values().collect();
	errors.sort_by_key(|error| !error.is_connection());
	errors.into_iter().next()
}

/// A folder that is being stored.
struct Running<'a> {
	client: &'a Client,
	owner: &'a Identity,
	/// The place of the list. The search for a free leaf starts at its leaf.
	place: Place,
	/// Whether the next record has to take exactly this leaf.
	exact: bool,
	/// Whether the list is already stored. If so, nothing is sent and every file is compared.
	is_stored: bool,
	keys: EpochKeys,
	/// The small files in flight, by their numbers.
	window: Window<usize>,
	/// The files to store again, by their numbers, and why: another program took their place, or the
	/// connection was lost.
	again: BTreeMap<usize, Error>,
	/// The entries of the list, by the numbers of their files.
	entries: BTreeMap<usize, Entry>,
	/// The number of these files' bytes.
	bytes: u64,
	/// The number of files, and of their bytes.
	total: (usize, u64),
}

impl<'a> Running<'a> {
	async fn start(asked: &UploadFolder<'a>, folder: &LocalFolder) -> Result<Self, Error> {
		let UploadFolder { client, owner, .. } = *asked;
		let key = asked.place.key;
		// An earlier upload's transactions have to be in blocks before the state is read.
		settled(client, owner.account.id()).await?;
		let best = client.best().await?;
		let stored = complete(&best, owner.id(), key).await?;
		let is_stored = stored.is_some();
		let place = stored.map_or(asked.place, |record| Place {
			key,
			dataset: record.dataset,
			epoch: record.epoch,
			leaf: record.leaf,
		});
		client
			.check_secret(owner, place.dataset, place.epoch)
			.await?;
		let id = epoch_id(client, owner.id(), place.dataset, place.epoch);
		let mut running = Self {
			client,
			owner,
			place,
			exact: false,
			is_stored,
			keys: owner.epoch_keys(&id)?,
			window: Window::new(),
			again: BTreeMap::new(),
			entries: BTreeMap::new(),
			bytes: 0,
			total: (0, 0),
		};
		if !asked.any_leaf && !is_stored {
			running.exact = running.is_free(&best, folder).await?;
		}
		Ok(running)
	}

	/// Returns whether the place's leaf is free. It is not, if an interrupted upload of this folder has taken it.
	///
	/// # Errors
	///
	/// Returns [`UploadError::LeafTaken`] if another record has taken it.
	async fn is_free(&self, best: &State, folder: &LocalFolder) -> Result<bool, Error> {
		let Place {
			dataset,
			epoch,
			leaf,
			..
		} = self.place;
		let taken = best.leaf(self.owner.id(), dataset, epoch, leaf).await?;
		let mut files = folder.files.iter().map(|file| self.key(file));
		match taken.map(|taken| taken.by) {
			None => Ok(true),
			Some(LeafUse::Record(key)) if key == self.place.key || files.any(|own| own == key) => {
				Ok(false)
			}
			Some(_) => Err(UploadError::LeafTaken(self.place).into()),
		}
	}

	/// Checks that the account can pay for the files that are not stored, at present.
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] if it cannot, or if the client's budget forbids it.
	async fn check_funds(&self, folder: &LocalFolder) -> Result<(), UploadFolderError> {
		if self.is_stored {
			return Ok(());
		}
		let (client, owner) = (self.client, self.owner);
		let prices = Prices::of_values(client, &self.place).await?;
		let best = client.best().await?;
		let free = best.funds(owner.account.id()).await?.free;
		let cost = |records: u64, bytes| -> Result<Cost, Error> {
			Ok(Cost {
				fees: prices.of(records, bytes),
				deposits: cost::deposits(&best, records)?,
				payments: 0,
			})
		};
		// The list is one more record.
		let (mut records, mut bytes) = (1, 0);
		for file in &folder.files {
			let there = std::fs::metadata(&file.at).map_err(UploadFolderError::io(&file.at))?;
			records += 1;
			bytes += there.len();
		}
		if cost(records, bytes)?.total() <= free && !client.is_limited() {
			return Ok(());
		}
		// An earlier upload may have stored some.
		for files in folder.files.chunks(TOGETHER) {
			for (file, (_, record)) in files.iter().zip(self.records(files).await?) {
				if record.is_some() {
					let length = std::fs::metadata(&file.at).map_or(0, |there| there.len());
					records -= 1;
					bytes -= length.min(bytes);
				}
			}
		}
		let cost = cost(records, bytes)?;
		Ok(client.check_cost(owner.account.id(), cost).await?)
	}

	/// Returns the key of a file's record.
	fn key(&self, file: &LocalFile) -> RecordKey {
		self.keys.file_key(&self.place.key.0, &file.path).into()
	}

	/// Returns the keys of files' records, and what the best block's state has under each.
	///
	/// Nodes keep the states of recent blocks only, so that a new one is asked for each time.
	async fn records(
		&self,
		files: &[LocalFile],
	) -> Result<Vec<(RecordKey, Option<Record>)>, Error> {
		let keys: Vec<_> = files.iter().map(|file| self.key(file)).collect();
		let best = self.client.best().await?;
		let found = records(self.client, &best, self.owner.id(), &keys).await?;
		Ok(keys.into_iter().zip(found).collect())
	}

	/// Stores files, or compares them with their records. Returns the numbers of those that were not looked at, because the
	/// connection was lost.
	async fn store_some(
		&mut self,
		folder: &LocalFolder,
		numbers: &[usize],
		progress: &mut impl Progress,
	) -> Result<Vec<usize>, UploadFolderError> {
		let missing = match self.compare_stored(folder, numbers, progress).await {
			Err(UploadFolderError::Client(error)) if is_interrupted(&error) => {
				let mut numbers = numbers.iter().copied();
				self.again
					.extend(numbers.next().map(|number| (number, error)));
				return Ok(numbers.collect());
			}
			missing => missing?,
		};
		let files = missing.iter().map(|number| &folder.files[*number]);
		let keys: Vec<_> = files.map(|file| self.key(file)).collect();
		for (at, number) in missing.iter().enumerate() {
			if self.is_cut() {
				return Ok(missing[at..].to_vec());
			}
			let file = &folder.files[*number];
			let ahead = &keys[at..keys.len().min(at + AHEAD)];
			progress.file(&file.path);
			self.store(*number, file, ahead, progress).await?;
			self.tell(Stage::Sending, progress);
		}
		Ok(Vec::new())
	}

	/// Stores a file that was not stored a moment ago. `ahead` are the keys of this file's record and of those after it.
	async fn store(
		&mut self,
		number: usize,
		file: &LocalFile,
		ahead: &[RecordKey],
		progress: &mut impl Progress,
	) -> Result<(), UploadFolderError> {
		let mut source = Source::open(file, progress)?;
		let key = self.key(file);
		let stored = self.store_value((number, key), &mut source, ahead, progress);
		match stored.await {
			Err(error) if is_interrupted(&error) => drop(self.again.insert(number, error)),
			stored => {
				stored.map_err(|error| UploadFolderError::of_file(error, &file.at, key))?;
				source.check_hash(file, key)?;
			}
		}
		self.put_in(number, source.entry(file, key));
		Ok(())
	}

	/// Notes the entry of a file that is stored, or in flight.
	fn put_in(&mut self, number: usize, entry: Entry) {
		self.take_out(&[number]);
		self.bytes = self.bytes.saturating_add(entry.length);
		self.entries.insert(number, entry);
	}

	/// Forgets the entries of files that have to be stored again.
	fn take_out(&mut self, numbers: &[usize]) {
		for entry in numbers
			.iter()
			.filter_map(|number| self.entries.remove(number))
		{
			self.bytes = self.bytes.saturating_sub(entry.length);
		}
	}

	/// Reports how much of the folder is stored, or was compared.
	fn tell(&self, stage: Stage, progress: &mut impl Progress) {
		let (files, bytes) = self.total;
		let waiting = self.again.len().saturating_add(self.window.len());
		let stored = self.entries.len().saturating_sub(waiting);
		progress.files(stored as u64, files as u64);
		progress.whole(stage, self.bytes.min(bytes), bytes);
	}

	/// Stores a file's bytes, or compares them with their record if another program was faster.
	async fn store_value(
		&mut self,
		(number, key): (usize, RecordKey),
		source: &mut Source,
		ahead: &[RecordKey],
		progress: &mut impl Progress,
	) -> Result<(), Error> {
		if self.is_stored {
			return Err(UploadError::AlreadyStored(self.place.key).into());
		}
		if source.length() > MAX_WHOLE {
			return self.upload(key, source, progress).await;
		}
		match self.send((number, key), source, ahead).await {
			// Another program that stores the same folder was faster.
			Err(Error::Upload(UploadError::AlreadyStored(_))) => {
				self.compare(key, source, None).await
			}
			// The file was longer when its upload began.
			Err(Error::Upload(UploadError::Overtaken)) => self.upload(key, source, progress).await,
			sent => sent,
		}
	}

	/// Sends a small file, without waiting for its block.
	async fn send(
		&mut self,
		(number, key): (usize, RecordKey),
		source: &mut Source,
		ahead: &[RecordKey],
	) -> Result<(), Error> {
		let length = source.length();
		let value = read_whole(&mut source.file, length)?;
		source.stamp.check()?;
		let upload = self.at_next_leaf(key).looking_ahead(ahead);
		let submit = || upload.submit_value(&value);
		let again = &mut self.again;
		let done = |number, outcome| sort_out(again, number, outcome);
		let sent = self.window.send((number, length), submit, done);
		let place = sent.await?;
		self.after(&place)
	}

	/// Stores a large file, or resumes its upload.
	async fn upload(
		&mut self,
		key: RecordKey,
		source: &mut Source,
		progress: &mut impl Progress,
	) -> Result<(), Error> {
		self.drain().await?;
		let length = source.length();
		let upload = self.at_next_leaf(key).while_unchanged(&source.stamp);
		let stored = upload.ensure(&mut source.file, length, progress).await?;
		match stored.resumed {
			true => Ok(()),
			false => self.after(&stored.place),
		}
	}

	/// Prepares to store a value at the next free leaf or, if it is the first one, at exactly the leaf that was
	/// asked for.
	fn at_next_leaf<'b>(&self, key: RecordKey) -> Upload<'b>
	where
		'a: 'b,
	{
		let place = Place { key, ..self.place };
		let upload = Upload::new(self.client, self.owner, place);
		match self.exact {
			true => upload,
			false => upload.at_free_leaf(),
		}
	}

	/// Continues behind a record that was stored.
	fn after(&mut self, stored: &Place) -> Result<(), Error> {
		self.exact = false;
		self.place.leaf = next_leaf(stored)?;
		Ok(())
	}

	/// Waits for the files in flight.
	async fn drain(&mut self) -> Result<(), Error> {
		let again = &mut self.again;
		let done = |number, outcome| sort_out(again, number, outcome);
		self.window.finish(done).await
	}

	/// Returns whether the connection was lost.
	fn is_cut(&self) -> bool {
		self.again.values().any(Error::is_connection)
	}

	/// Stores the list of the files, or compares it with the stored one.
	async fn store_list(
		self,
		folder: &LocalFolder,
		asked: &UploadFolder<'_>,
		progress: &mut impl Progress,
	) -> Result<Stored, UploadFolderError> {
		let list = folder.list(self.entries.values().cloned())?;
		let length = list.len() as u64;
		let mut list = std::io::Cursor::new(list);
		let upload = self.at_next_leaf(self.place.key);
		let upload = upload.until_finalized(asked.finalized);
		let upload = match asked.name {
			Some(name) => upload.named(name),
			None => upload,
		};
		Ok(upload.ensure(&mut list, length, progress).await?)
	}
}

/// Returns whether the connection was lost, or this program suspended for longer than the node keeps states. What became of a
/// transaction in flight is not known then, and the next look at the chain tells.
fn is_interrupted(error: &Error) -> bool {
	error.is_connection() || matches!(error, Error::StateGone(_))
}

/// Remembers a file to store again: another program, most likely on another machine, took its place, or this one was
/// interrupted. The chain takes each record only once.
fn sort_out(
	again: &mut BTreeMap<usize, Error>,
	number: usize,
	outcome: Result<Included, Error>,
) -> Result<(), Error> {
	use PalletError::{KeyTaken, LeafTaken};
	match outcome {
		Ok(_) => Ok(()),
		Err(error) => {
			let is_overtaken = matches!(error, Error::NotIncluded(_))
				|| matches!(error.refusal(), Some(KeyTaken | LeafTaken));
			if !is_overtaken && !is_interrupted(&error) {
				return Err(error);
			}
			again.insert(number, error);
			Ok(())
		}
	}
}

#[cfg(test)]
mod tests;
