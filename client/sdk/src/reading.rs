// SPDX-License-Identifier: Apache-2.0
//! Reads a record: queries the chain, opens the record's keys, and fetches, checks and decrypts its bytes.
//!
//! The record's entry and the grant are [proven](crate::proven) in the chain's finalized state, so a node cannot make
//! a reader accept what the owner did not store.
//!
//! A large record is stored in chunks. The chain stores the hash of its manifest, which contains the hash of
//! every chunk, so wrong bytes from a node are detected immediately. Memory use is limited to the pages in
//! flight. To resume an interrupted download, the bytes on disk are encrypted again and compared by hash.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	handle::{Handle, HandleError},
	manifest::{content_hash, Manifest},
	object::{self, Locations},
	progress::{Progress, Stage},
	query::{self, ChunkQuery},
	sharing,
	types::*,
};
use futures::{stream, StreamExt, TryStreamExt};
use isthmus_envelope::{
	decrypt_value, Decryptor, Header, LeafKey, RecordContext, RecordError, Resumed,
};
use isthmus_objects::{Left, ReadError, Reader, ValueReader};
use std::{
	io::{Read, Write},
	ops::Range,
	time::Instant,
};

/// How many chunks to ask for in one request.
const PAGE: u32 = 4;
/// How many requests to send concurrently.
const AT_ONCE: usize = 3;
/// The error codes of a node that answers no signed query now, although it may have the bytes: it does not know the method
/// (JSON-RPC 2.0, section 5.1), was restarted a moment ago (`Stale`), or has answered too many (`TooManyQueries`).
const NO_QUERY_NOW: [i32; 3] = [-32601, 7103, 7113];
/// The version of every value. There is only one, because no call replaces a value.
const FIRST_VERSION: u32 = 0;

/// A record that its reader may read, with its keys opened and its chunks' hashes known.
///
/// ```no_run
/// # use isthmus_sdk::*;
/// # async fn example(client: Client, company: Identity, school: AccountId) -> Result<(), Error> {
/// let reading = Reading::open(&client, &company, &school, record_key("2025-03")?).await?;
/// let mut file = std::fs::File::create("marks.csv")?;
/// reading.run(&mut file, 0, &mut ()).await?;
/// # Ok(())
/// # }
/// ```
pub struct Reading {
	client: Client,
	/// Who signs queries for chunks; `None` if they are fetched by their hashes.
	reader: Option<Identity>,
	owner: AccountId,
	key: RecordKey,
	answer: Answer,
	leaf: LeafKey,
	context: RecordContext,
	name: Option<RecordKey>,
	body: Body,
}

enum Body {
	/// A value stored in one transaction, decrypted.
	Whole(Vec<u8>),
	/// A value stored in chunks.
	Chunks(Manifest),
	/// A value outside the chain.
	Object {
		reader: ValueReader,
		/// How many locations this program can use.
		usable: usize,
		/// The locations that this program cannot use.
		unusable: Vec<Left>,
	},
}

/// The part of a value that was fetched before and is intact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intact {
	/// How many chunks are intact, counted from the first.
	pub chunks: u32,
	/// How many plaintext bytes these chunks contain.
	pub bytes: u64,
}

impl Reading {
	/// Queries a record and opens its keys. Fetches the manifest of a large value, or all of a small one, or the table of a
	/// compressed object. Goes on if the connection is lost for a short time.
	///
	/// # Errors
	///
	/// Returns [`Error::Query`] if the reader may not read the record, [`Error::Unproven`] if the node's proofs
	/// are wrong, [`Error::Grant`] if none of the reader's key pairs opens a grant, [`Error::WrongContent`] if the bytes from
	/// the node do not have the hash on the chain, and [`Error::Object`] if the table of a compressed object cannot be read.
	pub async fn open(
		client: &Client,
		reader: &Identity,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<Self, Error> {
		let open = || client.persist(|| Self::open_once(client, reader, owner, key));
		client.elsewhere(open).await
	}

	/// Does the same as [`open`](Self::open), and fails if the connection is lost.
	pub(crate) async fn open_once(
		client: &Client,
		reader: &Identity,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<Self, Error> {
		let answer = client.query(reader.account.id(), owner, key).await?;
		Self::of_answer(client, reader, (owner, key), answer).await
	}

	/// Does the same as [`open_once`](Self::open_once) with what was proven about the record before.
	pub(crate) async fn of_answer(
		client: &Client,
		reader: &Identity,
		(owner, key): (&AccountId, RecordKey),
		mut answer: Answer,
	) -> Result<Self, Error> {
		let leaf = match answer.grant.take() {
			Some(grant) => {
				let (grant, leaf) = open_one(client, reader, owner, grant, &answer).await?;
				answer.grant = Some(grant);
				leaf
			}
			None => {
				let id = sharing::epoch_id(client, owner, answer.dataset, answer.epoch);
				reader.epoch_keys(&id)?.leaf_key(answer.leaf)?
			}
		};
		Self::with_keys(client, Some(reader), (owner, key), answer, leaf).await
	}

	/// Opens a record with nothing but its handle. Its bytes are fetched by their hashes, without an account: neither the
	/// grant nor the record is looked up on the chain, which proved both to the program that made the handle. Goes on if
	/// the connection is lost for a short time.
	///
	/// # Errors
	///
	/// Returns [`Error::Handle`] if the handle is of another chain, and [`Error::WrongContent`] if the bytes from the
	/// node do not have the hash in the handle.
	pub async fn with_handle(client: &Client, handle: &Handle) -> Result<Self, Error> {
		if client.genesis() != handle.genesis {
			return Err(HandleError::OtherChain.into());
		}
		let open = || {
			let (answer, leaf) = (handle.answer.clone(), handle.leaf.clone());
			client.persist(move || {
				let (answer, leaf) = (answer.clone(), leaf.clone());
				Self::with_keys(client, None, (&handle.owner, handle.key), answer, leaf)
			})
		};
		client.elsewhere(open).await
	}

	/// Opens a record whose entry is proven, with the key of its leaf.
	async fn with_keys(
		client: &Client,
		reader: Option<&Identity>,
		(owner, key): (&AccountId, RecordKey),
		answer: Answer,
		leaf: LeafKey,
	) -> Result<Self, Error> {
		let context = context(client, owner, key);
		let (name, body) = match &answer.payload {
			Payload::Value {
				content_hash: hash, ..
			} => {
				let stored = query::checked_content(client, &hash.0, "the record's value").await?;
				let name = name_in(&leaf, &context, Header::read(&stored)?)?;
				(name, Body::Whole(decrypt_value(&leaf, &context, &stored)?))
			}
			payload @ Payload::Chunks { manifest, .. } => {
				if !payload.is_complete() {
					return Err(QueryRefusal::Incomplete.into());
				}
				let manifest = fetch_manifest(client, key, &manifest.0).await?;
				let name = name_in(&leaf, &context, manifest.header.clone())?;
				(name, Body::Chunks(manifest))
			}
			Payload::Object { object, .. } => {
				let urls = answer
					.locations
					.iter()
					.map(|url| String::from_utf8_lossy(url));
				let Locations {
					mut usable,
					unusable,
				} = Locations::open(urls);
				client.0.broken.put_last(&mut usable, Instant::now());
				for location in &usable {
					client.watch_store(location);
				}
				let count = usable.len();
				let object = object::of_entry(key, object)?;
				let opened = async {
					ValueReader::open(Reader::new(&leaf, &context, object, usable)?).await
				};
				let reader = opened.await.map_err(|error| also_left(error, &unusable))?;
				// The chain has an object's header, which has no room for a name.
				let body = Body::Object {
					reader,
					usable: count,
					unusable,
				};
				(None, body)
			}
		};
		Ok(Self {
			client: client.clone(),
			reader: reader.cloned(),
			owner: *owner,
			key,
			answer,
			leaf,
			context,
			name,
			body,
		})
	}

	/// Returns the client that the record is read with.
	pub(crate) fn client(&self) -> &Client {
		&self.client
	}

	/// Returns the addresses of the locations where the record's object may be; none if its bytes are on the chain.
	pub fn locations(&self) -> Vec<String> {
		let urls = self.answer.locations.iter();
		urls.map(|url| String::from_utf8_lossy(url).into_owned())
			.collect()
	}

	/// Returns the record's handle, with which another program reads it, and no other record, without an account.
	pub fn handle(&self) -> Handle {
		let answer = Answer {
			grant: None,
			..self.answer.clone()
		};
		Handle {
			genesis: self.client.genesis(),
			owner: self.owner,
			key: self.key,
			answer,
			leaf: self.leaf.clone(),
		}
	}

	/// Returns whether the record's owner reads it.
	pub fn is_own(&self) -> bool {
		let reader = self.reader.as_ref();
		reader.is_some_and(|reader| *reader.account.id() == self.owner)
	}

	/// Returns the record's owner.
	pub fn owner(&self) -> &AccountId {
		&self.owner
	}

	/// Returns the record's key.
	pub fn key(&self) -> RecordKey {
		self.key
	}

	/// Returns the chain's answer about the record.
	pub fn answer(&self) -> &Answer {
		&self.answer
	}

	/// Returns the name that the record contains, as [`record_key`](crate::record_key) makes it; `None` if it contains
	/// none. An object contains none.
	pub fn name(&self) -> Option<&RecordKey> {
		self.name.as_ref()
	}

	/// Returns the value's length in bytes.
	pub fn length(&self) -> u64 {
		match &self.body {
			Body::Whole(value) => value.len() as u64,
			Body::Chunks(manifest) => manifest.header.length(),
			Body::Object { reader, .. } => reader.length(),
		}
	}

	/// Returns whether the value is compressed where it is stored: only an object can be.
	pub fn is_compressed(&self) -> bool {
		match &self.body {
			Body::Whole(_) | Body::Chunks(_) => false,
			Body::Object { reader, .. } => reader.is_compressed(),
		}
	}

	/// Returns the hash on the chain: that of a small value, of a large value's manifest, or of an object.
	pub fn content_hash(&self) -> [u8; 32] {
		stored_hash(&self.answer.payload)
	}

	/// Returns the locations of the object that were left for another one so far, and why; none if there is no other one, and if the
	/// record's bytes are on the chain.
	pub fn left(&self) -> Vec<Left> {
		match &self.body {
			Body::Whole(_) | Body::Chunks(_) => Vec::new(),
			Body::Object {
				reader,
				usable,
				unusable,
			} => match reader.left() {
				left if left.len() < *usable => [&unusable[..], &left].concat(),
				// The error names them all.
				_ => Vec::new(),
			},
		}
	}

	/// Names all locations if none has the object, and notes those that do not work.
	fn of_object<T>(&self, read: Result<T, ReadError>) -> Result<T, Error> {
		if let Body::Object { reader, .. } = &self.body {
			self.client.0.broken.note(&reader.left(), Instant::now());
		}
		Ok(read.map_err(|error| match &self.body {
			Body::Object { unusable, .. } => also_left(error, unusable),
			Body::Whole(_) | Body::Chunks(_) => error,
		})?)
	}

	/// Checks the bytes that were fetched before an interruption, up to the first chunk that is incomplete or
	/// wrong. A value stored in one transaction is fetched again, so none of it counts as intact.
	///
	/// # Errors
	///
	/// Returns [`Error::Io`] if the bytes cannot be read.
	pub async fn check(
		&self,
		fetched: &mut impl Read,
		progress: &mut impl Progress,
	) -> Result<Intact, Error> {
		let mut intact = Intact::default();
		let manifest = match &self.body {
			Body::Whole(_) => return Ok(intact),
			Body::Chunks(manifest) => manifest,
			Body::Object { reader, .. } => {
				let length = self.length();
				let mut tell = |done| progress.at(Stage::Checking, done, length);
				intact.chunks = self.of_object(reader.intact(fetched, &mut tell).await)?;
				intact.bytes = length.min(u64::from(intact.chunks) * reader.chunk_size());
				return Ok(intact);
			}
		};
		let header = manifest.header.clone();
		let mut again = Resumed::new(&self.leaf, &self.context, header)?;
		for hash in &manifest.hashes {
			let length = again.next_len().unwrap_or_default();
			let mut chunk = Vec::new();
			fetched
				.by_ref()
				.take(length as u64)
				.read_to_end(&mut chunk)?;
			if chunk.len() < length {
				break;
			}
			match again.encrypt_chunk(&mut chunk, |_, chunk| content_hash(chunk) == *hash) {
				Err(RecordError::Changed { .. }) => break,
				encrypted => encrypted?,
			}
			intact.chunks += 1;
			intact.bytes += length as u64;
			progress.at(Stage::Checking, intact.bytes, self.length());
			tokio::task::yield_now().await;
		}
		Ok(intact)
	}

	/// Returns whether these are exactly the value's bytes, complete and with nothing after them.
	///
	/// # Errors
	///
	/// Returns [`Error::Io`] if they cannot be read.
	pub async fn matches(
		&self,
		bytes: &mut impl Read,
		progress: &mut impl Progress,
	) -> Result<bool, Error> {
		let same = match &self.body {
			Body::Whole(value) => {
				let mut there = Vec::new();
				bytes
					.by_ref()
					.take(value.len() as u64)
					.read_to_end(&mut there)?;
				there == *value
			}
			Body::Chunks(manifest) => {
				self.check(bytes, progress).await?.chunks == manifest.header.chunks()
			}
			Body::Object { reader, .. } => {
				self.check(bytes, progress).await?.chunks == reader.chunks()
			}
		};
		Ok(same && bytes.read(&mut [0])? == 0)
	}

	/// Fetches, checks and decrypts the value's chunks from number `first` on, and writes them in order.
	/// Only checked bytes are written, even if an error follows.
	///
	/// # Errors
	///
	/// Returns [`Error::WrongContent`] if the bytes from the node do not have the hash on the chain, and
	/// [`Error::Io`] if the bytes cannot be written.
	pub async fn run(
		&self,
		out: &mut impl Write,
		first: u32,
		progress: &mut impl Progress,
	) -> Result<(), Error> {
		let length = self.length();
		let manifest = match &self.body {
			Body::Whole(value) => {
				out.write_all(value)?;
				progress.at(Stage::Fetching, length, length);
				return Ok(out.flush()?);
			}
			Body::Chunks(manifest) => manifest,
			Body::Object { reader, .. } => {
				let mut tell = |done| progress.at(Stage::Fetching, done, length);
				return self.of_object(reader.write_to(out, first, &mut tell).await);
			}
		};
		let mut done = u64::from(first).saturating_mul(manifest.header.chunk_size().into());
		let write = |_, chunk: &[u8]| {
			out.write_all(chunk)?;
			done += chunk.len() as u64;
			progress.at(Stage::Fetching, done, length);
			Ok(())
		};
		let chunks = first..manifest.header.chunks();
		self.each_chunk(manifest, chunks, write).await?;
		Ok(out.flush()?)
	}

	/// Fetches, checks and decrypts `length` bytes of the value from byte `offset` on: the chunks that contain them, and no
	/// others. Returns fewer at the value's end, and none after it.
	///
	/// # Errors
	///
	/// Returns [`Error::WrongContent`] if the bytes from the node do not have the hash on the chain.
	pub async fn read_range(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
		let end = offset.saturating_add(length).min(self.length());
		if offset >= end {
			return Ok(Vec::new());
		}
		let manifest = match &self.body {
			Body::Whole(value) => return Ok(part(value, 0, offset, end).to_vec()),
			Body::Chunks(manifest) => manifest,
			Body::Object { reader, .. } => {
				return self.of_object(reader.read_range(offset, length).await)
			}
		};
		let size = u64::from(manifest.header.chunk_size());
		// A value has at most 2^20 chunks.
		let chunks = (offset / size) as u32..end.div_ceil(size) as u32;
		let mut bytes = Vec::with_capacity((end - offset) as usize);
		let take = |number: u32, chunk: &[u8]| {
			let start = u64::from(number) * size;
			bytes.extend_from_slice(part(chunk, start, offset, end));
			Ok(())
		};
		self.each_chunk(manifest, chunks, take).await?;
		Ok(bytes)
	}

	/// Returns how many bytes of the value are fetched together, from a multiple of this number on: a chunk, a compressed frame,
	/// or all of a value that was stored in one transaction.
	pub fn chunk_size(&self) -> u64 {
		match &self.body {
			Body::Whole(value) => value.len() as u64,
			Body::Chunks(manifest) => manifest.header.chunk_size().into(),
			Body::Object { reader, .. } => reader.chunk_size(),
		}
	}

	/// Fetches, checks and decrypts chunks, and passes on each with its number, in order.
	async fn each_chunk(
		&self,
		manifest: &Manifest,
		chunks: Range<u32>,
		mut take: impl FnMut(u32, &[u8]) -> Result<(), Error>,
	) -> Result<(), Error> {
		let decryptor = Decryptor::new(&self.leaf, &self.context, manifest.header.clone())?;
		let Range { start, end } = chunks;
		let mut pages = stream::iter((start..end).step_by(PAGE as usize))
			.map(|at| self.page(manifest, at, PAGE.min(end - at)))
			.buffered(AT_ONCE);
		let mut number = start;
		while let Some(page) = pages.next().await {
			for mut chunk in page? {
				decryptor.decrypt_chunk(number, &mut chunk)?;
				take(number, &chunk)?;
				number += 1;
			}
		}
		Ok(())
	}

	/// Fetches `count` chunks from number `first` on, and checks their hashes.
	async fn page(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let ask = || self.page_once(manifest, first, count);
		self.client.elsewhere(ask).await
	}

	/// Does the same as [`page`](Self::page) from one node.
	async fn page_once(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let mut page: Vec<Vec<u8>> = Vec::new();
		while page.len() < count as usize {
			let at = first + page.len() as u32;
			let more = self.ask(manifest, at, count - page.len() as u32).await?;
			// A node that sends more than it was asked for would shift all that follows.
			if more.is_empty() || page.len() + more.len() > count as usize {
				return Err(Error::WrongContent(format!("chunk {at}")));
			}
			for (number, chunk) in (at..).zip(more) {
				if manifest.hashes.get(number as usize) != Some(&content_hash(&chunk)) {
					return Err(Error::WrongContent(format!("chunk {number}")));
				}
				page.push(chunk);
			}
		}
		Ok(page)
	}

	/// Fetches at least one and at most `count` chunks from number `first` on, without checking them: with a
	/// signed query or, without a reader or if the node answers none now, by hash.
	async fn ask(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let client = &self.client;
		let Some(reader) = &self.reader else {
			return self.ask_by_hash(manifest, first, count).await;
		};
		let answer = client.persist(|| async {
			let query = ChunkQuery {
				owner: &self.owner,
				key: self.key,
				block: client.best_number().await?,
				first,
				count,
			};
			query.send(client, &reader.account).await
		});
		match answer.await {
			Err(Error::Rpc { code, .. }) if NO_QUERY_NOW.contains(&code) => {
				self.ask_by_hash(manifest, first, 1).await
			}
			answer => answer,
		}
	}

	/// Fetches `count` chunks from number `first` on by their hashes, without checking them.
	async fn ask_by_hash(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let hashes = manifest.hashes.iter().skip(first as usize);
		let fetch = |hash| {
			let client = &self.client;
			client.persist(move || query::content(client, hash))
		};
		let chunks = stream::iter(hashes.take(count as usize)).map(fetch);
		chunks.buffered(count.max(1) as usize).try_collect().await
	}
}

/// Opens the grant in the chain's answer or, if it does not open, another of the reader's grants on the same
/// leaf: a grant may be sealed to a key that the reader has lost.
async fn open_one(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	grant: OpeningGrant,
	answer: &Answer,
) -> Result<(OpeningGrant, LeafKey), Error> {
	let leaf_key = |grant: &OpeningGrant| -> Result<LeafKey, Error> {
		Ok(sharing::open(client, reader, owner, grant)?.leaf_key(answer.leaf)?)
	};
	let refused = match leaf_key(&grant) {
		Ok(leaf) => return Ok((grant, leaf)),
		Err(refused) => refused,
	};
	let proven = client.proven().await?;
	let others = proven.grants_on(owner, answer.dataset, answer.epoch, reader.account.id());
	let others = others.await?;
	for GrantEntry { id, grant: other } in others {
		let is_active = other.state == GrantState::Active;
		if id == grant.grant || !is_active || !other.scope.covers(answer.leaf) {
			continue;
		}
		let other = OpeningGrant {
			grant: id,
			scope: other.scope,
			expiry: other.expiry,
			until: other.until,
			sealed_keys: other.sealed_keys,
		};
		if let Ok(leaf) = leaf_key(&other) {
			return Ok((other, leaf));
		}
	}
	Err(refused)
}

impl std::fmt::Debug for Reading {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Reading({:?} of {})", self.key, self.owner)
	}
}

/// Adds the locations that this program cannot use to those that do not have an object.
fn also_left(error: ReadError, unusable: &[Left]) -> ReadError {
	match error {
		ReadError::NoneLeft(left) => ReadError::NoneLeft([unusable, &left].concat()),
		error => error,
	}
}

/// Returns the name that a record contains, if any.
pub(crate) fn name_in(
	leaf: &LeafKey,
	context: &RecordContext,
	header: Header,
) -> Result<Option<RecordKey>, RecordError> {
	let name = Decryptor::new(leaf, context, header)?.name()?;
	Ok(name.map(RecordKey::from))
}

/// Returns the bytes of a value from `from` to before `to` that are in this piece of it, which begins at byte `start`.
fn part(piece: &[u8], start: u64, from: u64, to: u64) -> &[u8] {
	// A piece is in memory, so its places fit.
	let within = |at: u64| at.saturating_sub(start).min(piece.len() as u64) as usize;
	piece.get(within(from)..within(to)).unwrap_or_default()
}

/// Returns the hash that the chain has of what is stored: of a small value, of a large value's manifest, or of an object.
pub fn stored_hash(payload: &Payload) -> [u8; 32] {
	match payload {
		Payload::Value { content_hash, .. } => content_hash.0,
		Payload::Chunks { manifest, .. } => manifest.0,
		Payload::Object { object, .. } => object.root.0,
	}
}

/// Returns the place that a record's chunks are bound to.
pub(crate) fn context(client: &Client, owner: &AccountId, key: RecordKey) -> RecordContext {
	context_on(client.genesis(), owner, key)
}

/// Does the same for a record of a chain, without a client.
pub(crate) fn context_on(genesis: [u8; 32], owner: &AccountId, key: RecordKey) -> RecordContext {
	RecordContext {
		genesis,
		owner: owner.0,
		key: key.0,
		version: FIRST_VERSION,
	}
}

/// Fetches a record's manifest and checks its hash.
pub(crate) async fn fetch_manifest(
	client: &Client,
	key: RecordKey,
	hash: &[u8; 32],
) -> Result<Manifest, Error> {
	let bytes = query::checked_content(client, hash, "the record's manifest").await?;
	Manifest::read(&bytes).map_err(|reason| Error::Malformed { key, reason })
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn ranges_are_cut_out_of_the_pieces_that_contain_them() {
		let value: Vec<u8> = (0..10).collect();
		let read = |from: u64, to: u64| -> Vec<u8> {
			let pieces = (0u64..).step_by(4).zip(value.chunks(4));
			pieces
				.flat_map(|(start, piece)| part(piece, start, from, to).to_vec())
				.collect()
		};
		for from in 0..=10 {
			for to in from..=12 {
				let end = to.min(10);
				assert_eq!(
					read(from, to),
					value[from as usize..end as usize],
					"{from}..{to}"
				);
			}
		}
		assert!(read(11, 12).is_empty());
	}
}
