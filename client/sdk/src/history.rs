// SPDX-License-Identifier: Apache-2.0
//! Reads the data-sharing events of the chain from a node's history, and checks each against the root in its
//! block's header. No state is needed, so a node with its defaults has them, however old they are.
//!
//! A node cannot make up an event, nor move it to another place, without making up a header. It can leave events
//! out, and the header itself is the node's word. [`ProvenEvent`] has all that a stranger needs for the same
//! check: the event, its path and the header.

use crate::{
	block::BlockId,
	client::Client,
	error::Error,
	event::Event,
	manifest::sha256,
	progress::{Progress, Stage},
	text::bytes_from_hex,
	types::*,
};
use codec::DecodeAll;
use isthmus_primitives::{digest::read_receipts, Header};
use isthmus_sharing::history::Receipt;
use serde::{de::Error as _, Deserialize, Deserializer};
use serde_json::json;
use subxt::{ext::scale_decode::DecodeAsType, rpcs::rpc_params, utils::H256, Metadata};

/// What the events of a history are about.
pub type Subject = isthmus_sharing::history::Subject<AccountId>;

/// An event, with the proof that its block has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEvent {
	/// The block.
	pub block: BlockId,
	/// The block's header in SCALE.
	pub header: Vec<u8>,
	/// The event's number among the data-sharing events of the block, from 0.
	pub index: u32,
	/// The event in SCALE, with its transaction: the leaf of the block's tree.
	pub receipt: Receipt,
	/// The siblings on the leaf's path to the root, from the bottom up.
	pub path: Vec<H256>,
	/// What happened.
	pub event: Event,
}

/// The history that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
	/// The first block from which on the node has all events.
	pub since: BlockNumber,
	/// The events, in order.
	pub events: Vec<ProvenEvent>,
}

/// A page of `sharing_history`.
#[derive(Deserialize)]
struct Page {
	since: BlockNumber,
	until: BlockNumber,
	blocks: Vec<PageBlock>,
	next: Option<String>,
}

/// A block in a page.
#[derive(Deserialize)]
struct PageBlock {
	number: BlockNumber,
	hash: H256,
	#[serde(deserialize_with = "from_hex")]
	header: Vec<u8>,
	events: Vec<PageEvent>,
}

/// An event in a page.
#[derive(Deserialize)]
struct PageEvent {
	index: u32,
	transaction: Option<u32>,
	#[serde(deserialize_with = "from_hex")]
	event: Vec<u8>,
	path: Vec<H256>,
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
	let text = String::deserialize(deserializer)?;
	bytes_from_hex(&text).ok_or_else(|| D::Error::custom("not in hexadecimal digits"))
}

/// Returns the events about a subject, or about any, in the blocks `from..=to` of the best chain. If the node has the
/// events from a later block on only, [`History::since`] is greater than `from`.
///
/// # Errors
///
/// Returns [`Error::NotProven`] if the node sends an event that its block's header does not prove, [`Error::NoSuchBlock`] if
/// the blocks do not exist, and [`Error::NotIndexed`] if the node stops before the last of them.
pub async fn history(
	client: &Client,
	subject: Option<&Subject>,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<History, Error> {
	let best = client.best().await?;
	let metadata = best.inner().metadata();
	if from > best.block().number {
		return Err(Error::NoSuchBlock(from));
	}
	let (first, mut from) = (from, from);
	let (mut after, mut all) = (None, Vec::<ProvenEvent>::new());
	// How far the node had indexed the history at the answer before.
	let mut reached = None;
	loop {
		let query = query(subject, from, to, after.as_deref());
		let answer = client.request("sharing_history", rpc_params![query]);
		let page: Page = match answer.await {
			// What the node has of the range begins later, or was pruned since the page before.
			Err(Error::HistoryGone { since }) if since > from => {
				if since > to {
					let events = Vec::new();
					return Ok(History { since, events });
				}
				(from, after) = (since, None);
				continue;
			}
			answer => answer?,
		};
		for block in page.blocks {
			for event in check(block, |event| decode(event, &metadata))? {
				let place = |event: &ProvenEvent| (event.block.number, event.index);
				if !(first..=to).contains(&event.block.number)
					|| all.last().is_some_and(|last| place(last) >= place(&event))
				{
					return Err(not_proven(event.block.number, "it is out of order"));
				}
				all.push(event);
			}
		}
		let done = u64::from(page.until.saturating_sub(first)).saturating_add(1);
		let total = u64::from(to.saturating_sub(first)).saturating_add(1);
		progress.at(Stage::Searching, done, total);
		after = page.next;
		if after.is_some() {
			continue;
		}
		if page.until >= to {
			return Ok(History {
				since: page.since,
				events: all,
			});
		}
		// A node that is still indexing comes further with each answer.
		if reached.is_some_and(|reached| page.until <= reached) {
			return Err(Error::NotIndexed { until: page.until });
		}
		reached = Some(page.until);
		from = from.max(page.until.saturating_add(1));
	}
}

/// Returns the query for a page.
fn query(
	subject: Option<&Subject>,
	from: BlockNumber,
	to: BlockNumber,
	after: Option<&str>,
) -> serde_json::Value {
	let mut query = match subject {
		None => json!({}),
		Some(Subject::Account(account)) => json!({ "account": account }),
		Some(Subject::Dataset(owner, dataset)) => json!({ "owner": owner, "dataset": dataset }),
		Some(Subject::Access(owner, dataset)) => {
			json!({ "owner": owner, "dataset": dataset, "access": true })
		}
		Some(Subject::Record(owner, key)) => json!({ "owner": owner, "record": key }),
	};
	query["from"] = from.into();
	query["to"] = to.into();
	if let Some(after) = after {
		query["after"] = after.into();
	}
	query
}

fn not_proven(block: BlockNumber, reason: impl ToString) -> Error {
	Error::NotProven {
		block,
		reason: reason.to_string(),
	}
}

/// Checks the events of a block against the root in its header.
fn check(
	block: PageBlock,
	decode: impl Fn(&[u8]) -> Result<Event, Error>,
) -> Result<Vec<ProvenEvent>, Error> {
	let PageBlock {
		number,
		hash,
		header,
		events,
	} = block;
	let refuse = |reason: &dyn ToString| not_proven(number, reason.to_string());
	let read = Header::decode_all(&mut &header[..]).map_err(|error| refuse(&error))?;
	if read.hash().0 != hash.0 || read.number != number {
		return Err(refuse(&"the header is another block's"));
	}
	let receipts = read_receipts(&read.digest)
		.map_err(|error| refuse(&error))?
		.ok_or_else(|| refuse(&"the header commits to no events"))?;
	let checked = |event: PageEvent| {
		let PageEvent {
			index,
			transaction,
			event,
			path,
		} = event;
		let receipt = Receipt { transaction, event };
		let siblings = path.iter().map(|sibling| &sibling.0);
		receipt
			.verify(sha256, &receipts.root.0, receipts.count, index, siblings)
			.map_err(|_| refuse(&"its path does not lead to the root in the header"))?;
		Ok(ProvenEvent {
			block: BlockId { number, hash },
			header: header.clone(),
			index,
			event: decode(&receipt.event)?,
			receipt,
			path,
		})
	};
	events.into_iter().map(checked).collect()
}

/// Decodes an event of the data-sharing pallet.
fn decode(bytes: &[u8], metadata: &Metadata) -> Result<Event, Error> {
	let kind = metadata
		.pallet_by_name(PALLET)
		.and_then(|pallet| pallet.event_ty_id());
	let kind = kind.ok_or_else(|| Error::Incompatible("data sharing has no events".into()))?;
	let rest = &mut &bytes[..];
	let event = Event::decode_as_type(rest, kind, metadata.types())
		.map_err(|error| Error::Incompatible(format!("an event: {error}")))?;
	match rest.is_empty() {
		true => Ok(event),
		false => Err(Error::Incompatible(
			"an event has more bytes than it should".into(),
		)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;
	use isthmus_sharing::merkle::Tree;

	/// Returns a block with three events, as an honest node sends it.
	fn page() -> PageBlock {
		let receipts: Vec<_> = [(None, 1), (Some(0), 2), (Some(1), 3)]
			.map(|(transaction, byte)| Receipt {
				transaction,
				event: vec![byte],
			})
			.into();
		let leaves = receipts
			.iter()
			.map(|receipt| receipt.leaf(sha256))
			.collect();
		let tree = Tree::new(sha256, leaves);
		// The engine's id, the number of events and the root, in a digest of one consensus item (variant 4).
		let item = [&[4][..], b"rcpt", &[36 << 2], &3u32.encode(), &tree.root()].concat();
		let digest = [&[1 << 2][..], &item].concat();
		let header = [&[7; 32][..], &[5 << 2], &[8; 32], &[9; 32], &digest].concat();
		let hash = Header::decode_all(&mut &header[..]).unwrap().hash();
		let event = |(index, receipt): (u32, Receipt)| PageEvent {
			index,
			transaction: receipt.transaction,
			event: receipt.event,
			path: tree
				.proof(index as usize)
				.unwrap()
				.into_iter()
				.map(H256)
				.collect(),
		};
		PageBlock {
			number: 5,
			hash: H256(hash.0),
			header,
			events: (0..).zip(receipts).map(event).collect(),
		}
	}

	/// Stands in for the chain's metadata.
	fn any_event(_: &[u8]) -> Result<Event, Error> {
		Ok(Event::Deregistered {
			producer: [1; 32].into(),
		})
	}

	#[test]
	fn what_an_honest_node_sends_is_proven() {
		let events = check(page(), any_event).unwrap();
		let found: Vec<_> = events
			.iter()
			.map(|event| (event.block.number, event.index, event.receipt.transaction))
			.collect();
		assert_eq!(found, [(5, 0, None), (5, 1, Some(0)), (5, 2, Some(1))]);
	}

	#[test]
	fn what_a_node_alters_is_not_proven() {
		let lies: [fn(&mut PageBlock); 8] = [
			|block| block.events[1].event[0] ^= 1,
			|block| block.events[1].transaction = Some(1),
			|block| block.events[0].transaction = Some(0),
			|block| block.events[1].index = 0,
			|block| block.events[2].index = 3,
			|block| block.events[1].path[0].0[0] ^= 1,
			|block| block.events[1].path.truncate(1),
			|block| block.events[1].path.push(H256::zero()),
		];
		let headers: [fn(&mut PageBlock); 5] = [
			|block| block.number = 6,
			|block| block.hash.0[0] ^= 1,
			|block| block.header[0] ^= 1,
			|block| block.header.truncate(9),
			|block| block.header.clear(),
		];
		for lie in lies.into_iter().chain(headers) {
			let mut block = page();
			lie(&mut block);
			let refused = check(block, any_event);
			assert!(
				matches!(refused, Err(Error::NotProven { .. })),
				"{refused:?}"
			);
		}
	}

	#[test]
	fn a_header_that_commits_to_nothing_proves_nothing() {
		let mut block = page();
		block.header = [&[7; 32][..], &[5 << 2], &[8; 32], &[9; 32], &[0]].concat();
		let hash = Header::decode_all(&mut &block.header[..]).unwrap().hash();
		block.hash = H256(hash.0);
		let refused = check(block, any_event);
		assert!(
			matches!(refused, Err(Error::NotProven { block: 5, .. })),
			"{refused:?}"
		);
	}

	#[test]
	fn a_query_names_what_the_events_are_about() {
		let owner = AccountId::from([1; 32]);
		let subject = Subject::Access(owner, 3);
		assert_eq!(
			query(Some(&subject), 1, 9, Some("0x01")),
			json!({"owner": owner, "dataset": 3, "access": true, "from": 1, "to": 9, "after": "0x01"})
		);
		assert_eq!(query(None, 0, 9, None), json!({"from": 0, "to": 9}));
	}
}
