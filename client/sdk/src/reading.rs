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
	manifest::{content_hash, Manifest},
	progress::{Progress, Stage},
	query::{self, ChunkQuery},
	sharing,
	types::*,
};
use futures::{stream, StreamExt};
use isthmus_envelope::{decrypt_value, Decryptor, Encryptor, LeafKey, RecordContext};
use std::io::{Read, Write};

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
	reader: Identity,
	owner: AccountId,
	key: RecordKey,
	answer: Answer,
	leaf: LeafKey,
	context: RecordContext,
	body: Body,
}

enum Body {
	/// A value stored in one transaction, decrypted.
	Whole(Vec<u8>),
	/// A value stored in chunks.
	Chunks(Manifest),
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
	/// Queries a record and opens its keys. Fetches the manifest of a large value, or all of a small one. Goes on
	/// if the connection is lost for a short time.
	///
	/// # Errors
	///
	/// Returns [`Error::Query`] if the reader may not read the record, [`Error::Unproven`] if the node's proofs
	/// are wrong, [`Error::Grant`] if none of the reader's key pairs opens a grant, and [`Error::WrongContent`] if the bytes from the node do not have the hash on
	/// the chain.
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
		let mut answer = client.query(reader.id(), owner, key).await?;
		let leaf = match answer.grant.take() {
			Some(grant) => {
				let (grant, leaf) = open_one(client, reader, owner, grant, &answer).await?;
				answer.grant = Some(grant);
				leaf
			}
			None => {
				let id = sharing::epoch_id(client, owner, answer.dataset, answer.epoch);
				reader.master.epoch_root(&id).leaf_key(answer.leaf)
			}
		};
		let context = context(client, owner, key);
		let body = match &answer.payload {
			Payload::Value {
				content_hash: hash, ..
			} => {
				let stored = query::content(client, &hash.0).await?;
				if content_hash(&stored) != hash.0 {
					return Err(Error::WrongContent("the record's value".into()));
				}
				Body::Whole(decrypt_value(&leaf, &context, &stored)?)
			}
			payload @ Payload::Chunks { manifest, .. } => {
				if !payload.is_complete() {
					return Err(QueryRefusal::Incomplete.into());
				}
				Body::Chunks(fetch_manifest(client, key, &manifest.0).await?)
			}
			Payload::Object { .. } => return Err(Error::IsObject(key)),
		};
		Ok(Self {
			client: client.clone(),
			reader: reader.clone(),
			owner: *owner,
			key,
			answer,
			leaf,
			context,
			body,
		})
	}

	/// Returns the client that the record is read with.
	pub(crate) fn client(&self) -> &Client {
		&self.client
	}

	/// Returns the chain's answer about the record.
	pub fn answer(&self) -> &Answer {
		&self.answer
	}

	/// Returns the value's length in bytes.
	pub fn length(&self) -> u64 {
		match &self.body {
			Body::Whole(value) => value.len() as u64,
			Body::Chunks(manifest) => manifest.header.length(),
		}
	}

	/// Returns the hash on the chain: that of a small value, of a large value's manifest, or of an object.
	pub fn content_hash(&self) -> [u8; 32] {
		match &self.answer.payload {
			Payload::Value { content_hash, .. } => content_hash.0,
			Payload::Chunks { manifest, .. } => manifest.0,
			Payload::Object { object, .. } => object.root.0,
		}
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
		let Body::Chunks(manifest) = &self.body else {
			return Ok(intact);
		};
		let header = manifest.header.clone();
		let mut encryptor = Encryptor::resume(&self.leaf, &self.context, header)?;
		for hash in &manifest.hashes {
			let length = encryptor.next_len().unwrap_or_default();
			let mut chunk = Vec::new();
			fetched
				.by_ref()
				.take(length as u64)
				.read_to_end(&mut chunk)?;
			if chunk.len() < length {
				break;
			}
			encryptor.encrypt_chunk(&mut chunk)?;
			if content_hash(&chunk) != *hash {
				break;
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
	pub async fn matches(&self, bytes: &mut impl Read) -> Result<bool, Error> {
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
				self.check(bytes, &mut ()).await?.chunks == manifest.header.chunks()
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
		};
		let header = manifest.header.clone();
		let decryptor = Decryptor::new(&self.leaf, &self.context, header)?;
		let chunks = manifest.header.chunks();
		let mut done = u64::from(first).saturating_mul(manifest.header.chunk_size().into());
		let mut pages = stream::iter((first..chunks).step_by(PAGE as usize))
			.map(|at| self.page(manifest, at, PAGE.min(chunks - at)))
			.buffered(AT_ONCE);
		let mut number = first;
		while let Some(page) = pages.next().await {
			for mut chunk in page? {
				decryptor.decrypt_chunk(number, &mut chunk)?;
				out.write_all(&chunk)?;
				number += 1;
				done += chunk.len() as u64;
				progress.at(Stage::Fetching, done, length);
			}
		}
		Ok(out.flush()?)
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
	/// signed query or, if the node answers none now, by hash.
	async fn ask(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let client = &self.client;
		let answer = client.persist(|| async {
			let query = ChunkQuery {
				owner: &self.owner,
				key: self.key,
				block: client.best_number().await?,
				first,
				count,
			};
			query.send(client, &self.reader.account).await
		});
		match answer.await {
			Err(Error::Rpc { code, .. }) if NO_QUERY_NOW.contains(&code) => {
				match manifest.hashes.get(first as usize) {
					Some(hash) => Ok(vec![query::content(client, hash).await?]),
					None => Ok(Vec::new()),
				}
			}
			answer => answer,
		}
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
	let others = proven.grants_to(reader.id(), Some(GrantState::Active));
	let others = others.await?;
	for GrantEntry { id, grant: other } in others {
		let Scope { dataset, epoch, .. } = other.scope;
		let is_here = other.owner == *owner && (dataset, epoch) == (answer.dataset, answer.epoch);
		if id == grant.grant || !is_here || !other.scope.covers(answer.leaf) {
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

/// Returns the place that a record's chunks are bound to.
pub(crate) fn context(client: &Client, owner: &AccountId, key: RecordKey) -> RecordContext {
	RecordContext {
		genesis: client.genesis(),
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
	let bytes = query::content(client, hash).await?;
	if content_hash(&bytes) != *hash {
		return Err(Error::WrongContent("the record's manifest".into()));
	}
	Manifest::read(&bytes).map_err(|reason| Error::Malformed { key, reason })
}
