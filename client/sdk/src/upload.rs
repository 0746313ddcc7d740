//! Storing: a value of any size is encrypted and sent, in one transaction or chunk by chunk.
//!
//! A large value is read twice: once for the chunks' names, which the chain wants first, and once to
//! send it. Memory is bounded by the chunks in flight. What was interrupted is gone on with: the chain
//! has the header, and with it the chunks come out the same to the byte, which is checked by their names
//! before anything is sent.

use crate::{
	account::Identity,
	calls::Place,
	client::Client,
	error::{Error, Rejection},
	manifest::{content_hash, Manifest},
	query,
	sharing::epoch_id,
	tx::{Included, Pending},
	types::*,
};
use isthmus_envelope::{encrypt_value, record::MAX_CHUNK_SIZE, Encryptor, LeafKey, RecordContext};
use std::{
	collections::VecDeque,
	io::{Read, Seek, SeekFrom},
};
use subxt::rpcs::rpc_params;

/// The most bytes that are stored in one transaction; what is longer goes in chunks.
pub const MAX_WHOLE: u64 = MAX_CHUNK_SIZE as u64;
/// Plaintext bytes in a chunk: with what goes around them, six chunks fill a block.
pub const CHUNK_SIZE: u32 = 1022 * 1024;
/// How many chunks are in flight at most: more would not fit the node's pool of 20 MiB.
const IN_FLIGHT: usize = 14;
/// How often the value under a key was replaced: never, as there is no call for it.
const FIRST_VERSION: u32 = 0;

/// Is told how far a long piece of work is. `()` does not listen.
pub trait Progress {
	/// Bytes done so far of this many, in one of the work's stages.
	fn at(&mut self, _stage: Stage, _done: u64, _total: u64) {}
}

impl Progress for () {}

/// A stage of a long piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
	/// The value is read for the names of its chunks.
	Naming,
	/// Chunks are sent, and are in blocks.
	Sending,
	/// What was fetched before is checked.
	Checking,
	/// Chunks are fetched.
	Fetching,
	/// Blocks are looked through.
	Searching,
}

/// One value on its way to the chain.
pub struct Upload<'a> {
	client: &'a Client,
	owner: &'a Identity,
	place: Place,
	ended_epoch: bool,
}

/// A value that was stored.
#[derive(Clone, Debug)]
pub struct Stored {
	/// Where it is.
	pub place: Place,
	/// The transaction that completed it.
	pub last: Included,
	/// Whether storing it had been begun before.
	pub resumed: bool,
	/// How many transactions this took.
	pub transactions: u32,
}

impl Place {
	fn context(&self, client: &Client, owner: &AccountId) -> RecordContext {
		context(client, owner, self.key)
	}

	fn leaf_key(&self, client: &Client, owner: &Identity) -> LeafKey {
		let id = epoch_id(client, owner.id(), self.dataset, self.epoch);
		owner.master.epoch_root(&id).leaf_key(self.leaf)
	}
}

/// What a record's chunks are bound to.
pub(crate) fn context(client: &Client, owner: &AccountId, key: RecordKey) -> RecordContext {
	RecordContext {
		genesis: client.genesis(),
		owner: owner.0,
		key: key.0,
		version: FIRST_VERSION,
	}
}

impl<'a> Upload<'a> {
	/// A value of `owner`'s that shall go to `place`.
	pub fn new(client: &'a Client, owner: &'a Identity, place: Place) -> Self {
		Self {
			client,
			owner,
			place,
			ended_epoch: false,
		}
	}

	/// Goes on also with what was begun in an epoch that is over. Readers who were put out since have its
	/// keys, and anybody can get its chunks.
	pub fn in_ended_epoch(self) -> Self {
		Self {
			ended_epoch: true,
			..self
		}
	}

	/// Encrypts a value of at most [`MAX_WHOLE`] bytes and sends it, and does not wait for its block.
	///
	/// # Errors
	///
	/// Those of [`Client::submit`].
	pub async fn submit_whole(&self, value: &[u8]) -> Result<Pending, Error> {
		let Self {
			client,
			owner,
			place,
			..
		} = self;
		let leaf = place.leaf_key(client, owner);
		let stored = encrypt_value(&leaf, &place.context(client, owner.id()), value)?;
		let call = client.store(place, &stored).await?;
		client.submit(&owner.account, &call).await
	}

	/// Stores `length` bytes of `source`, from its beginning, and waits until all are in blocks. Where
	/// storing a value of this owner under this key was begun before, it is gone on with, in the place
	/// that it was begun in, as long as its epoch is not over. A value whose storing goes on while its
	/// dataset moves on to a new epoch is stored to its end in the old one.
	///
	/// # Errors
	///
	/// [`Error::AlreadyStored`] where it is complete, [`Error::ValueChanged`] where another value was
	/// begun, [`Error::EpochOver`] where it was begun in an epoch that is over, [`Error::LengthChanged`]
	/// where the source has not as many bytes, and those of [`Client::send`].
	pub async fn run(
		mut self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		match self.attempt(source, length, progress).await {
			// Another program of the same owner began to store it in the meantime.
			Err(error) if error.is_refusal("KeyTaken") => {
				self.attempt(source, length, progress).await
			}
			done => done,
		}
	}

	async fn attempt(
		&mut self,
		source: &mut (impl Read + Seek),
		length: u64,
		progress: &mut impl Progress,
	) -> Result<Stored, Error> {
		let (client, owner) = (self.client, self.owner);
		let begun = self.begun().await?;
		if begun.is_none() && length <= MAX_WHOLE {
			let mut value = Vec::new();
			source.seek(SeekFrom::Start(0))?;
			source
				.take(length.saturating_add(1))
				.read_to_end(&mut value)?;
			if value.len() as u64 != length {
				return Err(Error::LengthChanged { expected: length });
			}
			let last = self.submit_whole(&value).await?.included().await?;
			progress.at(Stage::Sending, length, length);
			return Ok(Stored {
				place: self.place,
				last,
				resumed: false,
				transactions: 1,
			});
		}

		let resumed = begun.is_some();
		let leaf = self.place.leaf_key(client, owner);
		let context = self.place.context(client, owner.id());
		let (mut encryptor, known, first) = match begun {
			Some((manifest, arrived)) => {
				if manifest.header.length() != length {
					return Err(Error::LengthChanged {
						expected: manifest.header.length(),
					});
				}
				let header = manifest.header.clone();
				let encryptor = Encryptor::resume(&leaf, &context, header)?;
				(encryptor, Some(manifest), arrived)
			}
			None => {
				let encryptor = Encryptor::new(&leaf, &context, CHUNK_SIZE, length)?;
				(encryptor, None, 0)
			}
		};
		let header = encryptor.header().clone();
		let (chunks, size) = (header.chunks(), u64::from(header.chunk_size()));

		// The chunks' names. Where the chain has them already, none may differ: a second value under
		// the same keys and nonces would give both away.
		source.seek(SeekFrom::Start(0))?;
		let mut hashes = Vec::new();
		let mut chunk = Vec::new();
		for number in 0..chunks {
			read_chunk(source, &mut encryptor, &mut chunk, length)?;
			let hash = content_hash(&chunk);
			if let Some(known) = &known {
				if known.hashes.get(number as usize) != Some(&hash) {
					return Err(Error::ValueChanged { chunk: number });
				}
			}
			hashes.push(hash);
			progress.at(Stage::Naming, done(number + 1, size, length), length);
			tokio::task::yield_now().await;
		}
		let manifest = Manifest { header, hashes };
		let mut transactions = 0;
		let mut last = None;
		if !resumed {
			let (length, chunk_size) = (manifest.length(), manifest.chunk_size());
			let call = client
				.open_record(&self.place, length, chunk_size, &manifest.to_bytes())
				.await?;
			last = Some(client.send(&owner.account, &call).await?);
			transactions += 1;
		}

		let tree = manifest.tree();
		source.seek(SeekFrom::Start(u64::from(first) * size))?;
		encryptor.skip_to(first)?;
		let mut arrived = first;
		let mut in_flight: VecDeque<Pending> = VecDeque::new();
		for (number, hash) in (0u32..).zip(&manifest.hashes).skip(first as usize) {
			read_chunk(source, &mut encryptor, &mut chunk, length)?;
			if content_hash(&chunk) != *hash {
				return Err(Error::ValueChanged { chunk: number });
			}
			let proof = tree.proof(number as usize).unwrap_or_default();
			let call = client
				.store_chunk(self.place.key, number, proof, &chunk)
				.await?;
			loop {
				if in_flight.len() >= IN_FLIGHT {
					last = wait(&mut in_flight).await?.or(last);
					arrived += 1;
					progress.at(Stage::Sending, done(arrived, size, length), length);
				}
				match client.submit(&owner.account, &call).await {
					Ok(pending) => break in_flight.push_back(pending),
					// The pool is full: when one of ours has left it there is room.
					Err(error)
						if matches!(
							error.rejection(),
							Some(Rejection::PoolFull | Rejection::Other)
						) && !in_flight.is_empty() =>
					{
						last = wait(&mut in_flight).await?.or(last);
						arrived += 1;
						progress.at(Stage::Sending, done(arrived, size, length), length);
					}
					Err(error) => return Err(error),
				}
			}
			transactions += 1;
		}
		while let Some(included) = wait(&mut in_flight).await? {
			last = Some(included);
			arrived += 1;
			progress.at(Stage::Sending, done(arrived, size, length), length);
		}
		let last = last.ok_or(Error::Malformed {
			key: self.place.key,
			reason: "it has all its chunks, and is complete all the same",
		})?;
		Ok(Stored {
			place: self.place,
			last,
			resumed,
			transactions,
		})
	}

	/// What the chain has of a value whose storing was begun: its manifest, and how many chunks. Waits
	/// until nothing of it is on its way any more.
	async fn begun(&mut self) -> Result<Option<(Manifest, u32)>, Error> {
		let (client, owner) = (self.client, self.owner.id());
		let key = self.place.key;
		settled(client, owner).await?;
		let best = client.best().await?;
		let record = best.record(owner, key).await?;
		let Some(Record {
			dataset,
			epoch,
			leaf,
			payload,
			..
		}) = record
		else {
			return Ok(None);
		};
		if payload.is_complete() {
			return Err(Error::AlreadyStored(key));
		}
		let Payload::Chunks {
			manifest, arrived, ..
		} = payload
		else {
			return Ok(None);
		};
		let now = match best.dataset(owner, dataset).await? {
			Some(dataset) => dataset.epoch,
			None => epoch,
		};
		if now != epoch && !self.ended_epoch {
			return Err(Error::EpochOver { key, epoch, now });
		}
		self.place = Place {
			key,
			dataset,
			epoch,
			leaf,
		};
		let manifest = fetch_manifest(client, key, &manifest.0).await?;
		Ok(Some((manifest, arrived)))
	}
}

/// A record's manifest, from any node.
pub(crate) async fn fetch_manifest(
	client: &Client,
	key: RecordKey,
	hash: &[u8; 32],
) -> Result<Manifest, Error> {
	let bytes = query::content(client, hash).await?;
	if content_hash(&bytes) != *hash {
		return Err(Error::WrongContent("the record's manifest".into()));
	}
	Manifest::read(&bytes).map_err(|reason| Error::Malformed { key, reason })
}

/// Waits until no transaction of an account that was on its way when this was called still is.
pub async fn settled(client: &Client, account: &AccountId) -> Result<(), Error> {
	let mut heads = client.heads().await?;
	let mut most = u64::MAX;
	loop {
		// Fewer than before, where some came into no block.
		let next: u64 = client
			.request("system_accountNextIndex", rpc_params![account])
			.await?;
		most = most.min(next);
		if client.best().await?.nonce(account).await? >= most {
			return Ok(());
		}
		heads.next().await?;
	}
}

/// Reads and encrypts the next chunk.
fn read_chunk(
	source: &mut impl Read,
	encryptor: &mut Encryptor,
	chunk: &mut Vec<u8>,
	expected: u64,
) -> Result<(), Error> {
	chunk.resize(encryptor.next_len().unwrap_or_default(), 0);
	source
		.read_exact(chunk)
		.map_err(|error| match error.kind() {
			std::io::ErrorKind::UnexpectedEof => Error::LengthChanged { expected },
			_ => error.into(),
		})?;
	Ok(encryptor.encrypt_chunk(chunk)?)
}

/// How many plaintext bytes so many chunks have.
fn done(chunks: u32, size: u64, length: u64) -> u64 {
	u64::from(chunks).saturating_mul(size).min(length)
}

/// Waits for the transaction that was sent first, if there is one.
async fn wait(in_flight: &mut VecDeque<Pending>) -> Result<Option<Included>, Error> {
	match in_flight.pop_front() {
		Some(mut pending) => Ok(Some(pending.included().await?)),
		None => Ok(None),
	}
}
