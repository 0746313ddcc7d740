// SPDX-License-Identifier: Apache-2.0
//! Stores a value of any size: encrypts it and sends it, in one transaction or in chunks.
//!
//! A large value is read twice: once to compute the chunks' hashes, which the chain needs first, and once to
//! send the chunks. Memory use is limited to the chunks in flight. An interrupted upload can be resumed: the
//! chain stores the value's header, and encrypting with that header yields exactly the same chunks again.
//! Their hashes are compared before anything is sent.

mod abandoned;
mod choice;
mod chunks;
mod given_up;
mod interrupted;
mod kept;
mod known;
mod object;
mod place_note;
mod stored;

pub use chunks::{CHUNK_SIZE, MAX_LENGTH, MAX_WHOLE};
pub use given_up::{give_up, unfinished, GiveUpError, GivenUp, Unfinished};
pub use kept::{keep, KeepError};
pub use object::{check_location, location_to_write, READ_AT_ONCE};
pub use stored::{Done, Stored};

pub(crate) use abandoned::{forget_all, forget_taken, note_all, Abandoned};
pub(crate) use choice::{free_place, free_place_by, next_leaf, NotFree};
pub(crate) use chunks::read_whole;
pub(crate) use given_up::give_up_alone;
pub(crate) use interrupted::Interrupted;
pub(crate) use object::{
	check_before_folder, give_up_before, give_up_unsent, journal_of, lock_objects, objects_lock,
	own_locations,
};
pub(crate) use place_note::{note, noted_place};
pub(crate) use stored::complete;

use crate::{
	account::Identity,
	call::Call,
	client::{Client, Nodes},
	connection::RECONNECTIONS,
	cost::{self, Prices},
	error::{Error, Rejection, UploadError},
	lock,
	manifest::{content_hash, Manifest},
	outcome::Included,
	progress::{Progress, Stage},
	reading::fetch_manifest,
	refusal::PalletError,
	stamp::Stamp,
	turn::Turn,
	tx::Pending,
	types::*,
	wait::Wait,
	window::Window,
};
use choice::Choice;
use chunks::{plaintext, Chunks};
use isthmus_envelope::{encrypt_named, encrypt_value};
use std::io::{Read, Seek, SeekFrom};

/// How many times in a row an upload goes on after it was overtaken or lost its connection, without any
/// progress.
const ATTEMPTS: u32 = 16;

/// One value to be stored.
///
/// ```no_run
/// use isthmus_sdk::*;
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Error> {
/// let key = record_key("2025-03")?;
/// let leaf = client.best().await?.free_leaf(school.id(), 0, 0).await?;
/// let place = Place { key, dataset: 0, epoch: 0, leaf };
/// let mut file = std::fs::File::open("marks.csv")?;
/// let length = file.metadata()?.len();
/// let stored = Upload::new(&client, &school, place).run(&mut file, length, &mut ()).await?;
/// println!("stored in block {}", stored.done.block().number);
/// # Ok(())
/// # }
/// ```
pub struct Upload<'a> {
	client: &'a Client,
	owner: &'a Identity,
	choice: Choice<'a>,
	ended_epoch: bool,
	finalized: bool,
	stamp: Option<&'a Stamp>,
	name: Option<RecordKey>,
	compressed: bool,
}

/// The part of an interrupted upload that is on the chain.
struct Started {
	manifest: Manifest,
	/// How many chunks are stored.
	arrived: u32,
}

/// The chunks of an upload that are in blocks.
struct Arrived {
	/// How many there are, counted from the first.
	chunks: u32,
	/// The transaction of the last one; `None` if this upload has sent none yet.
	last: Option<Included>,
}

impl<'a> Upload<'a> {
	/// Prepares to store a value of `owner` at `place`.
	pub fn new(client: &'a Client, owner: &'a Identity, place: Place) -> Self {
		Self {
			client,
			owner,
			choice: Choice {
				place,
				any_leaf: false,
				current_epoch: false,
				ahead: &[],
			},
			ended_epoch: false,
			finalized: false,
			stamp: None,
			name: None,
			compressed: false,
		}
	}

	/// Stores the value at the first free leaf from the place's leaf on. If another program of the owner
	/// takes that leaf first, the next one is used.
	pub fn at_free_leaf(mut self) -> Self {
		self.choice.any_leaf = true;
		self
	}

	/// Stores the value in the dataset's current epoch, whatever the place says. If another program of the
	/// owner starts a new epoch first, that one is used, at its first free leaf.
	pub fn in_current_epoch(mut self) -> Self {
		self.choice.current_epoch = true;
		self
	}

	/// Looks at the places of this record and of those that are stored after it together. `keys` are their keys, in order.
	pub(crate) fn looking_ahead(mut self, keys: &'a [RecordKey]) -> Self {
		self.choice.ahead = keys;
		self
	}

	/// Waits until the record is finalized, instead of only included in a block.
	pub fn until_finalized(self, finalized: bool) -> Self {
		Self { finalized, ..self }
	}

	/// Sends nothing if the value's file is written to while it is read.
	pub fn while_unchanged(self, stamp: &'a Stamp) -> Self {
		Self {
			stamp: Some(stamp),
			..self
		}
	}

	/// Puts the record's name into it, sealed, so that its readers can see it. It is given as [`record_key`] makes it.
	/// The place's key is usually the one that [hides](crate::Names) the name.
	///
	/// [`record_key`]: crate::record_key
	pub fn named(self, name: RecordKey) -> Self {
		Self {
			name: Some(name),
			..self
		}
	}

	/// Compresses the value, if it is stored [as an object](Self::run_object), where it helps: readers get the value as it was. The
	/// object's length tells roughly how well it was compressed. So do not compress a value in which others could have chosen a
	/// part, beside a secret.
	pub fn compressed(self, compressed: bool) -> Self {
		Self { compressed, ..self }
	}

	/// Resumes an upload even if its epoch is over, and goes on if it ends meanwhile. Readers revoked since then have the
	/// epoch's keys, and anyone can get the chunks.
	pub fn in_ended_epoch(self) -> Self {
		Self {
			ended_epoch: true,
			..self
		}
	}

	/// Encrypts a value of at most [`MAX_WHOLE`] bytes and sends it, without waiting for its block. The
	/// place is chosen and checked before anything is sent: the ciphertext of a transaction that fails would
	/// be public, under the keys of a place that is not its own.
	///
	/// # Errors
	///
	/// Returns [`Error::Upload`] if the key or the leaf is taken or the epoch is over, and the errors of
	/// [`Client::submit`].
	pub async fn submit_whole(&self, value: &[u8]) -> Result<Pending, Error> {
		let (pending, _) = self.submit_value(value).await?;
		Ok(pending)
	}

	/// Does the same as [`submit_whole`](Self::submit_whole), and also returns the place.
	pub(crate) async fn submit_value(&self, value: &[u8]) -> Result<(Pending, Place), Error> {
		let (client, owner) = (self.client, self.owner);
		let make = |notes| async move {
			let place = self.choice.choose(client, owner, &notes).await?;
			client
				.check_secret(owner, place.dataset, place.epoch)
				.await?;
			let leaf = place.leaf_key(client, owner)?;
			let context = place.context(client, owner.id());
			let stored = match &self.name {
				Some(name) => encrypt_named(&leaf, &context, &name.0, value)?,
				None => encrypt_value(&leaf, &context, value)?,
			};
			Ok((client.store(&place, &stored).await?, place))
		};
		client.submit_made(&owner.account, make).await
	}

	/// Stores `length` bytes of `source`, from its start, and waits until all are in blocks.
	///
	/// Resumes an earlier upload under the same key, at the leaf where it started, as long as its epoch is
	/// not over. If the dataset moves on to a new epoch during the upload, no more of the value is sent than the
	/// chunks in flight, unless it may go on [in an ended epoch](Self::in_ended_epoch).
	///
	/// Goes on if the connection is lost for a short time, over another node if this one lies, or if another program
	/// of the owner overtakes this one. Two programs on the same machine that store a large value under the same key take turns.
	///
	/// # Errors
	///
	/// Returns [`Error::Upload`] if the record is complete already, if an interrupted upload was of
	/// another value or in an epoch that is over, if the value is longer than [`MAX_LENGTH`], or if the
	/// source does not have `length` bytes; and the errors of [`Client::send`].
	pub async fn run(
		mut self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let (mut attempts, mut connections, mut furthest) = (0, 0, 0);
		let mut nodes = Nodes::of(self.client);
		loop {
			nodes.begin();
			let mut progressed = Progressed {
				progress,
				furthest: &mut furthest,
				any: false,
			};
			let error = match self.attempt(source, length, &mut progressed).await {
				Err(error) if self.may_go_on(&error) => error,
				Err(error) if nodes.others() > 0 && error.is_of_node() => {
					nodes.leave(error.to_string()).await;
					continue;
				}
				// This program was suspended for longer than the node keeps states, and looks again.
				Err(error @ Error::StateGone(_)) => error,
				done => return done,
			};
			if progressed.any {
				(attempts, connections) = (0, 0);
			}
			attempts += 1;
			if error.is_connection() {
				if connections == RECONNECTIONS {
					return Err(error);
				}
				self.client.reconnect(connections, &error).await;
				connections += 1;
			}
			if attempts == ATTEMPTS {
				return Err(error);
			}
			if matches!(error, Error::NotIncluded(_)) {
				// If this fails, so does the next attempt.
				let _ = self.client.later_best().await;
			}
		}
	}

	/// Returns whether an upload may go on after an error. The chain takes a record or a chunk only once, so
	/// nothing is stored twice.
	fn may_go_on(&self, error: &Error) -> bool {
		use PalletError::*;
		match error {
			Error::Upload(UploadError::Overtaken) | Error::NotIncluded(_) => true,
			Error::Refused(refusal) => match refusal.error {
				KeyTaken | NotNextChunk | RecordComplete => true,
				LeafTaken => self.choice.any_leaf,
				NotCurrentEpoch => self.choice.current_epoch,
				_ => false,
			},
			error => error.is_connection() || error.rejection() == Some(Rejection::Overtaken),
		}
	}

	async fn attempt(
		&mut self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let _lock = match length <= MAX_WHOLE {
			true => None,
			false => self.lock().await,
		};
		let (client, owner) = (self.client, self.owner);
		let started = self.started().await?;
		if started.is_none() && length <= MAX_WHOLE {
			return self.store_whole(source, length, progress).await;
		}
		let place = match started {
			Some(_) => self.choice.place,
			None => {
				let turn = Turn::take(client, owner.account.id()).await?;
				self.choice.choose(client, owner, turn.notes()).await?
			}
		};
		client
			.check_secret(owner, place.dataset, place.epoch)
			.await?;
		let (leaf, context) = (
			place.leaf_key(client, owner)?,
			place.context(client, owner.id()),
		);
		let known = started.as_ref().map(|started| &started.manifest);
		let name = self.name.as_ref().map(|name| &name.0);
		let mut chunks = Chunks::new(&leaf, &context, name, (source, length), known)?;
		let (resumed, first) = match &started {
			Some(started) => (true, started.arrived),
			None => (false, 0),
		};
		self.check_funds(length, first, resumed).await?;
		let manifest = chunks.manifest(progress).await?;
		let mut transactions = manifest.header.chunks().saturating_sub(first);
		let mut last = None;
		if !resumed {
			self.check_unchanged()?;
			last = Some(self.open_record(place, &manifest).await?);
			transactions += 1;
		}
		let completed = self
			.send_chunks(place, (&mut chunks, &manifest), first, progress)
			.await?;
		let last = completed.or(last).ok_or(Error::Malformed {
			key: self.choice.place.key,
			reason: "the record has all its chunks, but is not complete",
		})?;
		Ok(Stored {
			place,
			done: Done::Now(last),
			resumed,
			transactions,
		})
	}

	/// Checks that the account can pay for the chunks from number `first` on, at present.
	///
	/// # Errors
	///
	/// Returns [`Error::Cost`] if it cannot, or if the client's budget forbids it.
	async fn check_funds(&self, length: u64, first: u32, resumed: bool) -> Result<(), Error> {
		let (client, owner) = (self.client, self.owner);
		let sent = plaintext(first, CHUNK_SIZE, length);
		let chunks = length.div_ceil(CHUNK_SIZE.into());
		let prices = Prices::of_chunks(client, self.choice.place.key).await?;
		let records = if resumed { 0 } else { 1 };
		let cost = Cost {
			fees: prices.of(chunks.saturating_sub(first.into()), length - sent),
			deposits: cost::deposits(&client.best().await?, records)?,
			payments: 0,
		};
		client.check_cost(owner.account.id(), cost).await
	}

	/// Waits until no other program on this machine stores a large value or an object under the same key.
	async fn lock(&self) -> Option<lock::Held> {
		let name = record_lock(self.owner.id(), &self.choice.place.key);
		self.client.hold(Wait::OtherUpload, &name).await
	}

	/// Checks that the value's file was not written to, if it is a file.
	fn check_unchanged(&self) -> Result<(), Error> {
		self.stamp.map_or(Ok(()), Stamp::check)
	}

	/// Submits a chunk. The chain takes chunks in order only, so the one before, with the nonce `after`, has to be in
	/// a block or in the node's pool.
	async fn submit(&self, call: &Call, after: Option<u64>) -> Result<(Pending, ()), Error> {
		let account = &self.owner.account;
		Ok((self.client.submit_after(account, call, after).await?, ()))
	}

	/// Waits for a transaction's block or, if that was requested, for its finality.
	async fn wait(&self, pending: &mut Pending) -> Result<Included, Error> {
		match self.finalized {
			true => pending.finalized().await,
			false => pending.included().await,
		}
	}

	/// Stores a value in one transaction.
	async fn store_whole(
		&self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		source.seek(SeekFrom::Start(0))?;
		let value = read_whole(source, length)?;
		self.check_unchanged()?;
		let (mut pending, place) = self.submit_value(&value).await?;
		let last = self.wait(&mut pending).await?;
		progress.at(Stage::Sending, length, length);
		Ok(Stored {
			place,
			done: Done::Now(last),
			resumed: false,
			transactions: 1,
		})
	}

	/// Sends a large value's manifest, unless its place was taken in the meantime.
	async fn open_record(&self, place: Place, manifest: &Manifest) -> Result<Included, Error> {
		let (length, chunk_size) = (manifest.length(), manifest.chunk_size());
		let bytes = manifest.to_bytes();
		let (client, owner, bytes) = (self.client, self.owner, &bytes);
		let make = |notes| async move {
			if self.choice.choose(client, owner, &notes).await? != place {
				return Err(UploadError::Overtaken.into());
			}
			let call = client
				.open_record(&place, length, chunk_size, bytes)
				.await?;
			Ok((call, ()))
		};
		let (mut pending, ()) = client.submit_made(&owner.account, make).await?;
		pending.included().await
	}

	/// Sends a large value's chunks from number `first` on. Returns the transaction of the last one. Looks at the dataset's epoch
	/// after each block with chunks.
	async fn send_chunks<Source: Read + Seek>(
		&self,
		place: Place,
		(chunks, manifest): (&mut Chunks<'_, Source>, &Manifest),
		first: u32,
		progress: &mut impl Progress,
	) -> Result<Option<Included>, Error> {
		let (size, length) = (manifest.header.chunk_size(), chunks.length);
		if first > 0 {
			progress.at(Stage::Sending, plaintext(first, size, length), length);
		}
		let mut included = |arrived: &mut Arrived, one: Result<Included, Error>| {
			arrived.last = Some(one?);
			arrived.chunks += 1;
			let sent = plaintext(arrived.chunks, size, length);
			progress.at(Stage::Sending, sent, length);
			Ok(())
		};
		let mut arrived = Arrived {
			chunks: first,
			last: None,
		};
		let mut looked_at = None;
		let tree = manifest.tree();
		let mut window = Window::new();
		chunks.seek(first)?;
		for number in first..manifest.header.chunks() {
			let chunk = chunks.next(manifest)?;
			let block = arrived.last.as_ref().map(Included::number);
			if looked_at != block {
				self.check_epoch(&place).await?;
				looked_at = block;
			}
			let proof = tree.proof(number as usize).unwrap_or_default();
			let call = self
				.client
				.store_chunk(self.choice.place.key, number, proof, chunk)
				.await?;
			let after = window.last();
			let submit = || self.submit(&call, after);
			let done = |(), one| included(&mut arrived, one);
			window.send(((), size.into()), submit, done).await?;
		}
		let done = |(), one| included(&mut arrived, one);
		if let Some(((), mut pending)) = window.finish_but_last(done).await? {
			included(&mut arrived, self.wait(&mut pending).await)?;
		}
		Ok(arrived.last)
	}

	/// Checks that the epoch of an upload is not over, unless it may go on then.
	async fn check_epoch(&self, place: &Place) -> Result<(), Error> {
		if self.ended_epoch {
			return Ok(());
		}
		let Place {
			key,
			dataset,
			epoch,
			..
		} = *place;
		let best = self.client.best().await?;
		match best.dataset(self.owner.id(), dataset).await? {
			Some(Dataset { epoch: now, .. }) if now != epoch => {
				Err(UploadError::EpochOver { key, epoch, now }.into())
			}
			_ => Ok(()),
		}
	}

	/// Returns the part of an interrupted upload that is on the chain, and switches to the place where it
	/// started. First waits until none of its transactions is in flight.
	async fn started(&mut self) -> Result<Option<Started>, Error> {
		let (client, owner, key) = (self.client, self.owner.id(), self.choice.place.key);
		settled(client, self.owner.account.id()).await?;
		let best = client.best().await?;
		let Some(record) = best.record(owner, key).await? else {
			return Ok(None);
		};
		if record.payload.is_complete() {
			return Err(UploadError::AlreadyStored(key).into());
		}
		let Payload::Chunks {
			manifest, arrived, ..
		} = record.payload
		else {
			return Ok(None);
		};
		let Record {
			dataset,
			epoch,
			leaf,
			..
		} = record;
		let place = Place {
			key,
			dataset,
			epoch,
			leaf,
		};
		self.check_epoch(&place).await?;
		self.choice.place = place;
		let manifest = fetch_manifest(client, key, &manifest.0).await?;
		Ok(Some(Started { manifest, arrived }))
	}
}

/// Passes progress on, and remembers whether more was sent than ever before.
struct Progressed<'a, P> {
	progress: &'a mut P,
	/// How much was sent at most.
	furthest: &'a mut u64,
	any: bool,
}

impl<P: Progress> Progress for Progressed<'_, P> {
	fn at(&mut self, stage: Stage, done: u64, total: u64) {
		if stage == Stage::Sending {
			self.any |= done > *self.furthest;
			*self.furthest = done.max(*self.furthest);
		}
		self.progress.at(stage, done, total);
	}

	fn file(&mut self, path: &str) {
		self.progress.file(path);
	}

	fn whole(&mut self, stage: Stage, done: u64, total: u64) {
		self.progress.whole(stage, done, total);
	}

	fn files(&mut self, done: u64, total: u64) {
		self.progress.files(done, total);
	}
}

/// Returns the name of the lock of a record that is being stored.
pub(crate) fn record_lock(owner: &AccountId, key: &RecordKey) -> String {
	let key = content_hash(&key.0);
	format!("isthmus-{owner}-{}.lock", hex::encode(&key[..8]))
}

/// Waits for all transactions of an account that are in flight when this is called.
///
/// # Errors
///
/// Returns [`Error::Connection`] if the connection is lost.
pub async fn settled(client: &Client, account: &AccountId) -> Result<(), Error> {
	client.passed(account, u64::MAX).await
}
