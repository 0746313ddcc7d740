// SPDX-License-Identifier: Apache-2.0
//! Keeps the history of shared data: the events of every block on the best chain, with an index to find them.
//!
//! The runtime passes a block's events on as the block is executed, and the client writes them in the
//! transaction that writes the block (`Parts` turns that on). They are in the database's offchain column, under
//! the key of [`block_key`], and do not depend on the state: they stay for as long as the block's body. Nothing
//! else needs to survive a crash, because the index is made from them, and continues where it ended.

mod index;
#[cfg(test)]
mod mock;

use crate::client::{FullBackend, FullClient};
use codec::DecodeAll;
use futures::{stream, StreamExt};
use index::{Changes, Index, Progress, Topic};
use isthmus_primitives::{digest::read_receipts, AccountId, Block, BlockNumber, Hash, Header};
use isthmus_sharing::history::{block_key, Entry, Subject};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::{AuxStore, Backend, BlockchainEvents, FinalityNotification};
use sp_blockchain::{Error, HeaderBackend, Result};
use sp_core::offchain::{OffchainStorage, STORAGE_PREFIX};
use sp_runtime::traits::Header as _;
use std::sync::Arc;

/// The column of the node's database that has the events.
pub(crate) type FullEvents = <FullBackend as Backend<Block>>::OffchainStorage;

/// How many blocks are read before the index is written.
const BATCH: BlockNumber = 1024;

/// The events of a block, and the header that commits to them.
pub(crate) struct BlockEvents {
	pub(crate) hash: Hash,
	pub(crate) header: Header,
	/// All events of the block, in order.
	pub(crate) entries: Vec<Entry<AccountId>>,
}

/// Blocks with events about a subject.
pub(crate) struct Found {
	/// The first block from which on this node has all events.
	pub(crate) since: BlockNumber,
	/// The last block that was searched. The index may be behind the best block.
	pub(crate) until: BlockNumber,
	/// The blocks, in order. After a reorganisation, some may have no event about the subject.
	pub(crate) blocks: Vec<BlockNumber>,
}

/// Returns the first block that the node has: genesis, or the block with whose state it began.
pub(crate) type Start = Box<dyn Fn() -> Result<BlockNumber> + Send + Sync>;

/// The history.
pub(crate) struct History<C = FullClient, S = FullEvents> {
	client: Arc<C>,
	start: Start,
	events: S,
	index: Index<C>,
	/// Held while the index is changed.
	writing: Mutex<()>,
	/// How many finalized blocks keep their events; `None` for all.
	keep: Option<BlockNumber>,
}

impl<C, S> History<C, S>
where
	C: AuxStore + HeaderBackend<Block>,
	S: OffchainStorage,
{
	/// Creates the history over a client and the offchain column of its database.
	pub(crate) fn new(client: Arc<C>, start: Start, events: S, keep: Option<BlockNumber>) -> Self {
		Self {
			index: Index::new(client.clone()),
			client,
			start,
			events,
			writing: Mutex::new(()),
			keep,
		}
	}

	/// Returns the events of the block with this number on the best chain. `None` if this node does not have
	/// them, or if there is no such block.
	///
	/// # Errors
	///
	/// Returns the database's error, or one that says that the stored events are malformed.
	pub(crate) fn block(&self, number: BlockNumber) -> Result<Option<BlockEvents>> {
		let Some(hash) = self.client.hash(number)? else {
			return Ok(None);
		};
		let Some(header) = self.client.header(hash)? else {
			return Ok(None);
		};
		let entries = self.entries(&header)?;
		Ok(entries.map(|entries| BlockEvents {
			hash,
			header,
			entries,
		}))
	}

	/// Returns the events of the block with this header, if this node has them.
	fn entries(&self, header: &Header) -> Result<Option<Vec<Entry<AccountId>>>> {
		match events_key(header)? {
			None => Ok(None),
			Some((0, _)) => Ok(Some(Vec::new())),
			Some((_, key)) => self
				.events
				.get(STORAGE_PREFIX, &key)
				.map(|bytes| Vec::decode_all(&mut &bytes[..]))
				.transpose()
				.map_err(|error| {
					Error::Backend(format!("the events of block {}: {error}", header.number()))
				}),
		}
	}

	/// Returns up to `limit` blocks in `from..=to` with events about a subject, or about any.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn find(
		&self,
		subject: Option<&Subject<AccountId>>,
		from: BlockNumber,
		to: BlockNumber,
		limit: usize,
	) -> Result<Found> {
		let progress = self.follow()?;
		let until = to.min(progress.number);
		let from = from.max(progress.first);
		let blocks = self
			.index
			.blocks(&Topic::of(subject), from..=until, limit)?;
		Ok(Found {
			since: progress.first,
			until,
			blocks,
		})
	}

	/// Adds the blocks of the best chain that are not in the index yet, at most [`BATCH`] of them, and returns
	/// how far the index has come.
	fn follow(&self) -> Result<Progress> {
		let _writing = self.writing.lock();
		let before = match self.index.progress()? {
			Some(progress) => self.common(progress)?,
			None => self.beginning()?,
		};
		let (mut progress, mut changes) = (before, Changes::default());
		let last = before
			.number
			.saturating_add(BATCH)
			.min(self.client.info().best_number);
		for number in before.number.saturating_add(1)..=last {
			let Some(hash) = self.client.hash(number)? else {
				break;
			};
			let Some(header) = self.client.header(hash)? else {
				break;
			};
			// The chain was reorganised meanwhile. The next call begins where the forks part.
			if *header.parent_hash() != progress.hash {
				break;
			}
			(progress.number, progress.hash) = (number, hash);
			match self.entries(&header)? {
				Some(entries) => note(&mut changes, number, &entries, true),
				// The block is of an older runtime or of a node that did not keep events.
				None => progress.first = number.saturating_add(1),
			}
		}
		if progress != before {
			self.index.write(changes, &progress)?;
		}
		Ok(progress)
	}

	/// Returns the progress of an empty index. The node did not execute its first block, so it has the events from the
	/// next one on.
	fn beginning(&self) -> Result<Progress> {
		let number = (self.start)()?;
		let hash = self.client.hash(number)?;
		let missing = || Error::Backend(format!("the first block {number} of the history"));
		Ok(Progress {
			number,
			hash: hash.ok_or_else(missing)?,
			first: number.saturating_add(1),
		})
	}

	/// Returns the progress, taken back to the last block that is still on the best chain.
	fn common(&self, mut progress: Progress) -> Result<Progress> {
		while self.client.hash(progress.number)? != Some(progress.hash) {
			let Some(header) = self.client.header(progress.hash)? else {
				let missing = format!("the header of the indexed block {}", progress.hash);
				return Err(Error::Backend(missing));
			};
			progress.number = progress.number.saturating_sub(1);
			progress.hash = *header.parent_hash();
		}
		Ok(progress)
	}

	/// Removes the events of blocks that lost to a finalized fork.
	fn forget(&self, stale: impl IntoIterator<Item = Hash>) -> Result<()> {
		for hash in stale {
			let Some(header) = self.client.header(hash)? else {
				continue;
			};
			let key = events_key(&header)?;
			// A brother with the same events shares them.
			let brother = match self.client.hash(*header.number())? {
				Some(hash) => self.client.header(hash)?,
				None => None,
			};
			let shared = brother
				.map(|brother| events_key(&brother))
				.transpose()?
				.flatten();
			if key != shared {
				key.iter().for_each(|(_, key)| self.remove(key));
			}
		}
		Ok(())
	}

	/// Removes the events of the finalized blocks that are older than those to keep, and their numbers from the
	/// index.
	fn prune(&self, finalized: BlockNumber) -> Result<()> {
		let Some(keep) = self.keep else {
			return Ok(());
		};
		let _writing = self.writing.lock();
		let Some(mut progress) = self.index.progress()? else {
			return Ok(());
		};
		// The client keeps the bodies of this many blocks, the finalized one among them.
		let first = finalized.saturating_sub(keep).saturating_add(1);
		let first = first.min(progress.number.saturating_add(1));
		if first <= progress.first {
			return Ok(());
		}
		let (mut changes, mut keys) = (Changes::default(), Vec::new());
		for number in progress.first..first {
			if let Some(block) = self.block(number)? {
				note(&mut changes, number, &block.entries, false);
				keys.extend(events_key(&block.header)?.map(|(_, key)| key));
			}
		}
		progress.first = first;
		self.index.write(changes, &progress)?;
		for key in keys {
			self.remove(&key);
		}
		Ok(())
	}

	fn remove(&self, key: &[u8]) {
		// Clones write to the same database.
		self.events.clone().remove(STORAGE_PREFIX, key);
	}

	/// Adds all blocks of the best chain to the index.
	fn catch_up(&self) -> Result<()> {
		let mut progress = self.follow()?;
		while progress.number < self.client.info().best_number {
			let next = self.follow()?;
			if next == progress {
				break;
			}
			progress = next;
		}
		Ok(())
	}

	/// Does what a finalized block brings: what lost to it and what is too old is removed.
	fn finalized(&self, block: &FinalityNotification<Block>) -> Result<()> {
		self.catch_up()?;
		self.forget(block.stale_blocks.iter().map(|block| block.hash))?;
		self.prune(*block.header.number())
	}

	/// Follows the chain until the client is dropped.
	pub(crate) async fn run(self: Arc<Self>)
	where
		C: BlockchainEvents<Block>,
	{
		let imported = self.client.import_notification_stream().map(|_| None);
		let finalized = self.client.finality_notification_stream().map(Some);
		let mut news = stream::select(imported, finalized);
		// What the node has when it starts.
		let mut done = self.catch_up();
		loop {
			if let Err(error) = done {
				log::warn!("the index of the history is not up to date: {error}");
			}
			done = match news.next().await {
				None => return,
				Some(None) => self.catch_up(),
				Some(Some(block)) => self.finalized(&block),
			};
		}
	}
}

/// Returns the number of a block's events, and the key under which they are kept. `None` if the header commits to
/// none: the block is the first, or of an older runtime.
fn events_key(header: &Header) -> Result<Option<(u32, Vec<u8>)>> {
	let receipts = read_receipts(header.digest())
		.map_err(|error| Error::Backend(format!("block {}: {error}", header.number())))?;
	Ok(receipts.map(|receipts| {
		let key = block_key(&header.parent_hash().0, &receipts.root.0);
		(receipts.count, key)
	}))
}

/// Adds a block to the index or removes it, with all that its events are about.
fn note(changes: &mut Changes, number: BlockNumber, entries: &[Entry<AccountId>], present: bool) {
	if !entries.is_empty() {
		changes.set(Topic::of(None), number, present);
	}
	for subject in entries.iter().flat_map(|entry| &entry.subjects) {
		changes.set(Topic::of(Some(subject)), number, present);
	}
}

#[cfg(test)]
mod tests;
