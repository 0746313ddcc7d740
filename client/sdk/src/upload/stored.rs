// SPDX-License-Identifier: Apache-2.0
//! What is stored, by this upload or an earlier one.

use crate::{
	account::Identity,
	block::BlockId,
	client::Client,
	error::{Error, UploadError},
	outcome::Included,
	progress::Progress,
	reading::Reading,
	state::State,
	types::*,
	wait::Wait,
};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// A value that is stored.
#[derive(Clone, Debug)]
pub struct Stored {
	/// Where it is stored.
	pub place: Place,
	/// When it was stored.
	pub done: Done,
	/// Whether an earlier upload stored part or all of it.
	pub resumed: bool,
	/// How many transactions this upload sent.
	pub transactions: u32,
}

/// When a value was stored.
#[derive(Clone, Debug)]
pub enum Done {
	/// By this upload: the transaction that completed the record.
	Now(Included),
	/// Before this upload, which compared the value and sent nothing: a block whose state contains the
	/// record, the last finalized one if possible.
	Before(BlockId),
}

impl Done {
	/// Returns a block whose state contains the record.
	pub fn block(&self) -> BlockId {
		match self {
			Self::Now(included) => included.block,
			Self::Before(block) => *block,
		}
	}

	/// Returns the transaction that completed the record, if this upload sent it.
	pub fn now(&self) -> Option<&Included> {
		match self {
			Self::Now(included) => Some(included),
			Self::Before(_) => None,
		}
	}
}

/// Waits until a record is complete in the last finalized block.
pub(super) async fn finalized_record(
	client: &Client,
	owner: &AccountId,
	key: RecordKey,
) -> Result<(), Error> {
	let finalized = async {
		let mut heads = client.heads().await?;
		loop {
			let state = client.finalized().await?;
			if complete(&state, owner, key).await?.is_some() {
				return Ok(());
			}
			heads.next().await?;
		}
	};
	client.patiently(Wait::Finality, finalized).await
}

/// Returns an owner's record if it is complete.
pub(crate) async fn complete(
	state: &State,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<Record>, Error> {
	let record = state.record(owner, key).await?;
	Ok(record.filter(|record| record.payload.is_complete()))
}

/// Compares a stream, of which nothing was read yet, with the complete record under its key.
///
/// # Errors
///
/// Returns [`UploadError::AlreadyStored`] if they differ.
pub(super) async fn streamed_before(
	client: &Client,
	owner: &Identity,
	key: RecordKey,
	stream: &mut (impl Read + Send),
	progress: &mut impl Progress,
) -> Result<Stored, Error> {
	let reading = Reading::open(client, owner, owner.id(), key).await?;
	let (mut stream, length) = (AtStart(stream), reading.length());
	stored_before(client, owner, key, &mut stream, length, progress).await
}

/// A stream of which nothing was read: it is at its start.
struct AtStart<R>(R);

impl<R: Read> Read for AtStart<R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		self.0.read(space)
	}
}

impl<R> Seek for AtStart<R> {
	fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
		match to {
			SeekFrom::Start(0) => Ok(0),
			_ => Err(ErrorKind::Unsupported.into()),
		}
	}
}

/// Compares a value with the complete record under its key.
///
/// # Errors
///
/// Returns [`UploadError::AlreadyStored`] if they differ.
pub(super) async fn stored_before(
	client: &Client,
	owner: &Identity,
	key: RecordKey,
	value: &mut (impl Read + Seek),
	length: u64,
	progress: &mut impl Progress,
) -> Result<Stored, Error> {
	let reading = Reading::open(client, owner, owner.id(), key).await?;
	value.seek(SeekFrom::Start(0))?;
	if reading.length() != length || !reading.matches(value, progress).await? {
		return Err(UploadError::AlreadyStored(key).into());
	}
	let finalized = client.finalized().await?;
	let block = match complete(&finalized, owner.id(), key).await? {
		Some(_) => finalized.block(),
		None => client.best().await?.block(),
	};
	let answer = reading.answer();
	Ok(Stored {
		place: Place {
			key,
			dataset: answer.dataset,
			epoch: answer.epoch,
			leaf: answer.leaf,
		},
		done: Done::Before(block),
		resumed: true,
		transactions: 0,
	})
}
