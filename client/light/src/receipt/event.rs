// SPDX-License-Identifier: Apache-2.0
//! The receipt of an event: it proves that a block has a data-sharing event.

use super::{Content, Receipt, ReceiptError};
use crate::Header;
use alloc::vec::Vec;
use codec::{Decode, Encode};
use isthmus_primitives::digest::read_receipts;
use isthmus_sharing::{history::Receipt as Event, merkle};
use polkadot_sdk::*;
use sp_crypto_hashing::sha2_256;
use sp_runtime::traits::Header as _;

/// A receipt of an event.
pub type EventReceipt = Receipt<EventProof>;

/// What leads from a finalized block to an event.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EventProof {
	/// The headers of the event's block and those after it, up to the parent of the finalized block. None if the
	/// event's block is the finalized one.
	pub headers: Vec<Header>,
	/// The event's number among the events of its block, from 0.
	pub index: u32,
	/// The event and its transaction.
	pub event: Event,
	/// The siblings on the event's path to the root in its block's header, from the bottom up.
	pub path: Vec<merkle::Hash>,
}

/// An event, and its place in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedEvent {
	/// The event's number among the events of its block, from 0.
	pub index: u32,
	/// The event and its transaction.
	pub event: Event,
}

impl Content for EventProof {
	type Proves = PlacedEvent;

	const LABEL: &'static [u8] = b"isthmus/receipt-file/v1";

	fn verify(self, finalized: Header) -> Result<(Header, PlacedEvent), ReceiptError> {
		let Self {
			headers,
			index,
			event,
			path,
		} = self;
		let header = ancestor(finalized, headers)?;
		let block = header.number;
		let receipts = read_receipts(header.digest()).ok().flatten();
		let receipts = receipts.ok_or(ReceiptError::NoEvents(block))?;
		let (root, count) = (receipts.root.0, receipts.count);
		event
			.verify(sha2_256, &root, count, index, &path)
			.map_err(|reason| ReceiptError::WrongEvent { block, reason })?;
		Ok((header, PlacedEvent { index, event }))
	}
}

/// Returns the first of these headers, each of which leads to the next, and the last to the finalized block.
fn ancestor(finalized: Header, headers: Vec<Header>) -> Result<Header, ReceiptError> {
	let mut next = finalized;
	for header in headers.into_iter().rev() {
		let is_parent =
			next.parent_hash == header.hash() && header.number.checked_add(1) == Some(next.number);
		if !is_parent {
			return Err(ReceiptError::NotAncestor(header.number));
		}
		next = header;
	}
	Ok(next)
}
