// SPDX-License-Identifier: Apache-2.0
//! The RPC method `sharing_history`: the data-sharing events of a range of blocks, each with its path to the root
//! in the block's header. The node needs no state for it, and the caller need not trust the node for what it
//! returns.

use crate::history::{BlockEvents, History};
use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use isthmus_sharing::{history::Subject, merkle::Tree, DatasetId};
use jsonrpsee::{
	proc_macros::rpc,
	types::{
		error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
		ErrorObjectOwned,
	},
};
use polkadot_sdk::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sp_core::Bytes;
use sp_crypto_hashing::sha2_256;
use std::sync::Arc;

/// The maximum number of events in one response.
const PAGE_EVENTS: usize = 256;
/// The maximum number of event bytes in one response. If a single event is larger, it is still sent.
const PAGE_BYTES: usize = 1024 * 1024;
/// The maximum number of blocks that are read for one response. After a reorganisation, the index may name
/// blocks that have no such event.
const PAGE_BLOCKS: usize = 256;
/// How many bytes of events may be read for one response before the page ends.
const PAGE_READ: usize = 8 * 1024 * 1024;

/// The RPC method.
#[rpc(server)]
pub trait HistoryApi {
	/// Returns a page of the events in a range of blocks that are about something.
	#[method(name = "sharing_history", blocking)]
	fn history(&self, query: HistoryQuery) -> Result<HistoryPage, HistoryError>;
}

/// Which events to return.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryQuery {
	/// The first block; by default the first one whose events this node has.
	from: Option<BlockNumber>,
	/// The last block; by default the best one.
	to: Option<BlockNumber>,
	/// Only events in which this account takes part.
	account: Option<AccountId>,
	/// The owner of `dataset` or `record`.
	owner: Option<AccountId>,
	/// Only events about this dataset of the owner.
	dataset: Option<DatasetId>,
	/// Only the dataset's requests and grants.
	#[serde(default)]
	access: bool,
	/// Only events about the owner's record with this key.
	record: Option<Hash>,
	/// Where the page before ended: its `next`.
	after: Option<Bytes>,
}

impl HistoryQuery {
	/// Returns what the events must be about; `None` for anything.
	fn subject(&self) -> Result<Option<Subject<AccountId>>, HistoryError> {
		let Self {
			account,
			owner,
			dataset,
			access,
			record,
			..
		} = self.clone();
		Ok(match (account, owner, dataset, access, record) {
			(None, None, None, false, None) => None,
			(Some(account), None, None, false, None) => Some(Subject::Account(account)),
			(None, Some(owner), None, false, None) => Some(Subject::Account(owner)),
			(None, Some(owner), Some(dataset), false, None) => {
				Some(Subject::Dataset(owner, dataset))
			}
			(None, Some(owner), Some(dataset), true, None) => Some(Subject::Access(owner, dataset)),
			(None, Some(owner), None, false, Some(key)) => Some(Subject::Record(owner, key)),
			_ => return Err(HistoryError::Filter),
		})
	}
}

/// The position where a page ended: the next event.
#[derive(Clone, Copy, Encode, Decode)]
struct Cursor {
	number: BlockNumber,
	/// The number of the next event in this block.
	index: u32,
	/// The block's hash, if the page ended within it.
	hash: Option<Hash>,
}

/// A page of events.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
	/// The first block from which on this node has all events.
	since: BlockNumber,
	/// The last block that is searched. It is less than the last block of the query if this node has not
	/// indexed that one yet: ask again.
	until: BlockNumber,
	/// The blocks with such events, in order.
	blocks: Vec<HistoryBlock>,
	/// Where the next page begins; none after the last.
	next: Option<Bytes>,
}

/// A block, with some of its events.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryBlock {
	number: BlockNumber,
	hash: Hash,
	/// The header in SCALE. Its hash is the block's, and its digest has the number of events and the root.
	header: Bytes,
	events: Vec<HistoryEvent>,
}

/// An event, with its path to the root.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
	/// The event's number among the block's, from 0.
	index: u32,
	/// The index of its transaction in the block, if it belongs to one.
	transaction: Option<u32>,
	/// The event in SCALE.
	event: Bytes,
	/// The siblings on the path to the root, from the bottom up.
	path: Vec<Hash>,
}

/// Why a query of the history fails.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
	#[error(
		"no such filter: give `account`, or `owner` alone or with `dataset` (and `access`) or `record`, or none"
	)]
	Filter,
	#[error("`after` must be the `next` of the page before")]
	Cursor,
	#[error("the chain was reorganised at block {0}: ask from the beginning")]
	Reorganised(BlockNumber),
	#[error(
		"this node has the events from block {since} on: ask it from there on, or another node for those before"
	)]
	Gone {
		/// The first block from which on this node has all events.
		since: BlockNumber,
	},
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

impl From<HistoryError> for ErrorObjectOwned {
	fn from(error: HistoryError) -> Self {
		let (code, data) = match error {
			HistoryError::Filter | HistoryError::Cursor => (INVALID_PARAMS_CODE, None),
			HistoryError::Reorganised(_) => (7121, None),
			HistoryError::Gone { since } => (7122, Some(json!({ "since": since }))),
			HistoryError::Database(_) => (INTERNAL_ERROR_CODE, None),
		};
		Self::owned(code, error.to_string(), data)
	}
}

/// Answers from the node's history.
pub(crate) struct SharingHistory(pub(crate) Arc<History>);

impl HistoryApiServer for SharingHistory {
	fn history(&self, query: HistoryQuery) -> Result<HistoryPage, HistoryError> {
		let subject = query.subject()?;
		let after = query
			.after
			.map(|bytes| Cursor::decode_all(&mut &bytes[..]).map_err(|_| HistoryError::Cursor))
			.transpose()?;
		let asked = query.from.max(after.map(|cursor| cursor.number));
		let to = query.to.unwrap_or(BlockNumber::MAX);
		let from = asked.unwrap_or_default();
		let found = self.0.find(subject.as_ref(), from, to, PAGE_BLOCKS)?;
		// The first block of the chain has no events.
		let earliest = asked.unwrap_or(found.since).min(to).max(1);
		if earliest < found.since {
			return Err(HistoryError::Gone { since: found.since });
		}
		let mut page = Page::default();
		let mut more = found.blocks.len() == PAGE_BLOCKS;
		for number in found.blocks {
			if page.read >= PAGE_READ {
				more = true;
				break;
			}
			// A block without its events was pruned meanwhile.
			let Some(block) = self.0.block(number)? else {
				page.last = Some(number);
				continue;
			};
			let first = match after.filter(|cursor| cursor.number == number) {
				Some(cursor) if cursor.hash.is_some_and(|hash| hash != block.hash) => {
					return Err(HistoryError::Reorganised(number));
				}
				Some(cursor) => cursor.index,
				None => 0,
			};
			if !page.add(number, &block, subject.as_ref(), first) {
				break;
			}
			page.last = Some(number);
		}
		// If the index has more blocks than were read, the next page begins after the last of them.
		let rest = page.last.filter(|_| more).map(|last| Cursor {
			number: last.saturating_add(1),
			index: 0,
			hash: None,
		});
		Ok(HistoryPage {
			since: found.since,
			until: found.until,
			blocks: page.blocks,
			next: page.next.or(rest).map(|cursor| cursor.encode().into()),
		})
	}
}

/// A page that is being filled.
#[derive(Default)]
struct Page {
	blocks: Vec<HistoryBlock>,
	events: usize,
	bytes: usize,
	/// The bytes of all events of the blocks that were read.
	read: usize,
	/// The last block that was read to its end.
	last: Option<BlockNumber>,
	/// Where the page is full.
	next: Option<Cursor>,
}

impl Page {
	/// Adds a block's events about the subject, from event `first` on. Returns whether all of them found room.
	fn add(
		&mut self,
		number: BlockNumber,
		block: &BlockEvents,
		subject: Option<&Subject<AccountId>>,
		first: u32,
	) -> bool {
		let sizes = block.entries.iter().map(|entry| entry.receipt.event.len());
		self.read = self.read.saturating_add(sizes.sum());
		let mut wanted = (0u32..).zip(&block.entries).filter(|(index, entry)| {
			*index >= first && subject.is_none_or(|subject| entry.subjects.contains(subject))
		});
		let Some(mut next) = wanted.next() else {
			return true;
		};
		let leaves = block
			.entries
			.iter()
			.map(|entry| entry.receipt.leaf(sha2_256));
		let tree = Tree::new(sha2_256, leaves.collect());
		let mut events = Vec::new();
		let all = loop {
			let (index, entry) = next;
			let size = entry.receipt.event.len();
			let fits = self.events < PAGE_EVENTS && self.bytes.saturating_add(size) <= PAGE_BYTES;
			if !fits && self.events > 0 {
				self.next = Some(Cursor {
					number,
					index,
					hash: Some(block.hash),
				});
				break false;
			}
			self.events += 1;
			self.bytes = self.bytes.saturating_add(size);
			let path = tree.proof(index as usize).unwrap_or_default();
			events.push(HistoryEvent {
				index,
				transaction: entry.receipt.transaction,
				event: entry.receipt.event.clone().into(),
				path: path.into_iter().map(Hash::from).collect(),
			});
			match wanted.next() {
				Some(more) => next = more,
				None => break true,
			}
		};
		if !events.is_empty() {
			self.blocks.push(HistoryBlock {
				number,
				hash: block.hash,
				header: block.header.encode().into(),
				events,
			});
		}
		all
	}
}
