//! Reading: a record is queried, its keys are opened, and its bytes are fetched, checked and decrypted.
//!
//! Every chunk is checked by its name, which the record's manifest has, whose own name the chain has: a
//! node that gives other bytes is found out at once. Memory is bounded by the pages in flight. What was
//! fetched before an interruption is checked by encrypting it again.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	manifest::{content_hash, Manifest},
	query, sharing,
	state::{every, State},
	types::*,
	upload::{context, fetch_manifest, Progress, Stage},
};
use futures::{stream, StreamExt};
use isthmus_envelope::{decrypt_value, Decryptor, Encryptor, LeafKey, RecordContext};
use std::io::{Read, Write};

/// How many chunks are asked for in one question.
const PAGE: u32 = 4;
/// How many questions are asked at a time.
const AT_ONCE: usize = 3;
/// What nodes answer that do not know a method.
const NO_SUCH_METHOD: i32 = -32601;

/// A record that may be read: its keys are open, its chunks' names are known.
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
	/// A value of one transaction, decrypted.
	Whole(Vec<u8>),
	/// A value in chunks.
	Chunks(Manifest),
}

impl Reading {
	/// Queries a record and opens its keys; fetches its manifest or, where it is small, all of it.
	///
	/// # Errors
	///
	/// [`Error::Query`] where the chain refuses, [`Error::Grant`] where no key pair of the reader's opens
	/// its grant, [`Error::WrongContent`] where a node gives other bytes than the chain has.
	pub async fn open(
		client: &Client,
		reader: &Identity,
		owner: &AccountId,
		key: RecordKey,
	) -> Result<Self, Error> {
		let best = client.best().await?;
		let mut answer = best.query(reader.id(), owner, key).await?;
		let leaf = match answer.grant.take() {
			Some(grant) => {
				let (grant, leaf) = open_one(client, &best, reader, owner, grant, &answer).await?;
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

	/// What the chain says of the record.
	pub fn answer(&self) -> &Answer {
		&self.answer
	}

	/// How many bytes the value has.
	pub fn length(&self) -> u64 {
		match &self.body {
			Body::Whole(value) => value.len() as u64,
			Body::Chunks(manifest) => manifest.header.length(),
		}
	}

	/// The value's name on the chain: of its only bytes, or of its manifest.
	pub fn name(&self) -> [u8; 32] {
		match &self.answer.payload {
			Payload::Value { content_hash, .. } => content_hash.0,
			Payload::Chunks { manifest, .. } => manifest.0,
		}
	}

	/// How many chunks of what was fetched before are there and right, counted from the first, and how
	/// many bytes they have.
	///
	/// # Errors
	///
	/// [`Error::Io`] where it cannot be read.
	pub async fn check(
		&self,
		fetched: &mut impl Read,
		progress: &mut impl Progress,
	) -> Result<(u32, u64), Error> {
		let Body::Chunks(manifest) = &self.body else {
			return Ok((0, 0));
		};
		let header = manifest.header.clone();
		let mut encryptor = Encryptor::resume(&self.leaf, &self.context, header)?;
		let (mut chunks, mut bytes) = (0, 0);
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
			(chunks, bytes) = (chunks + 1, bytes + length as u64);
			progress.at(Stage::Checking, bytes, self.length());
			tokio::task::yield_now().await;
		}
		Ok((chunks, bytes))
	}

	/// Whether these are the value's bytes, all of them and nothing after them.
	///
	/// # Errors
	///
	/// [`Error::Io`] where they cannot be read.
	pub async fn is(&self, bytes: &mut impl Read) -> Result<bool, Error> {
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
				self.check(bytes, &mut ()).await?.0 == manifest.header.chunks()
			}
		};
		Ok(same && bytes.read(&mut [0])? == 0)
	}

	/// Fetches, checks and decrypts the value's chunks from number `first` on, and writes them in order.
	/// What is written is right, also where it ends in an error.
	///
	/// # Errors
	///
	/// [`Error::WrongContent`] where a node gives other bytes than the chain has, [`Error::Io`] where
	/// they cannot be written.
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

	/// `count` chunks from number `first` on, checked by their names.
	async fn page(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let mut page: Vec<Vec<u8>> = Vec::new();
		while page.len() < count as usize {
			let at = first + page.len() as u32;
			let more = self.ask(manifest, at, count - page.len() as u32).await?;
			if more.is_empty() {
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

	/// Some chunks from number `first` on, unchecked: by a signed question, or by name from a node that
	/// does not answer those.
	async fn ask(
		&self,
		manifest: &Manifest,
		first: u32,
		count: u32,
	) -> Result<Vec<Vec<u8>>, Error> {
		let Self {
			client,
			reader,
			owner,
			key,
			..
		} = self;
		let block = client.best_number().await?;
		match query::chunks(client, &reader.account, owner, *key, block, first, count).await {
			Err(Error::Rpc {
				code: NO_SUCH_METHOD,
				..
			}) => match manifest.hashes.get(first as usize) {
				Some(hash) => Ok(vec![query::content(client, hash).await?]),
				None => Ok(Vec::new()),
			},
			answer => answer,
		}
	}
}

/// Opens the grant of the chain's answer or, where it does not open, another of the reader's on the same
/// leaf: a grant may be sealed to a key that the reader lost since.
async fn open_one(
	client: &Client,
	best: &State,
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
	let others =
		every(|after| best.grants_to(reader.id(), Some(GrantState::Active), after)).await?;
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
