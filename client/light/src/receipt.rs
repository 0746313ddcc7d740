// SPDX-License-Identifier: Apache-2.0
//! A receipt: a file that proves to a stranger, without a node, that a block has a data-sharing event. `docs/formats.md`
//! describes its bytes.

use crate::{
	finality::{date, Finality, FinalityError, Step},
	BlockNumber, Hash, Header, ProofError,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::digest::read_receipts;
use isthmus_sharing::{
	history::Receipt as Event,
	merkle::{self, MerkleError},
};
use polkadot_sdk::*;
use sp_crypto_hashing::sha2_256;
use sp_runtime::traits::Header as _;

/// The first bytes of a receipt: the format and its version.
const LABEL: &[u8; 23] = b"isthmus/receipt-file/v1";

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
	/// The bytes do not begin as a receipt does.
	#[error("NotAReceipt: this is not a receipt of version 1")]
	NotAReceipt,
	/// The bytes are not the only ones that a receipt of this content has.
	#[error("Malformed: the receipt is damaged")]
	Malformed,
	/// The receipt's last block is not proven to be finalized.
	#[error(transparent)]
	Finality(#[from] FinalityError),
	/// A header does not lead to the next one.
	#[error("NotAncestor: block {0} of the receipt does not lead to the finalized block")]
	NotAncestor(BlockNumber),
	/// The state that a keeper's receipt is about is not proven.
	#[error(transparent)]
	State(#[from] ProofError),
	/// The account keeps no copy.
	#[error("NoKeeper: the account of the receipt keeps no copy after block {0}")]
	NoKeeper(BlockNumber),
	/// The block commits to no events.
	#[error("NoEvents: block {0} of the receipt commits to no events")]
	NoEvents(BlockNumber),
	/// The event is not the one that the block commits to.
	#[error("WrongEvent: block {block} does not have the receipt's event: {reason}")]
	WrongEvent {
		/// The block's number.
		block: BlockNumber,
		/// What is wrong with the event's path to the root in the header.
		reason: MerkleError,
	},
}

/// What proves an event.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
	/// The header of the chain's first block.
	pub first: Header,
	/// The proof of the first voters, against the state root of the first block.
	pub voters: Vec<Vec<u8>>,
	/// The last blocks of the sets of voters before the event, and a block that is finalized: the event's block or
	/// a later one.
	pub steps: Vec<Step>,
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

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
	/// The header of the event's block.
	pub header: Header,
	/// The event's number among the events of its block, from 0.
	pub index: u32,
	/// The event and its transaction.
	pub event: Event,
	/// Whether the voters were all development accounts at some time. Their secrets are public, so anyone can make such
	/// a receipt.
	pub is_development: bool,
}

impl Proved {
	/// Returns the block's date, in seconds since 1970; `None` if its header has none.
	pub fn timestamp(&self) -> Option<u64> {
		date(&self.header)
	}
}

impl Receipt {
	/// Returns the receipt as a file.
	pub fn to_bytes(&self) -> Vec<u8> {
		[&LABEL[..], &self.encode()].concat()
	}

	/// Reads a receipt without checking what it says.
	///
	/// # Errors
	///
	/// Returns [`ReceiptError::NotAReceipt`] or [`ReceiptError::Malformed`] if the bytes are not one.
	pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
		let content = bytes.strip_prefix(LABEL).ok_or(ReceiptError::NotAReceipt)?;
		let receipt = Self::decode_all(&mut &*content).map_err(|_| ReceiptError::Malformed)?;
		match receipt.encode() == content {
			true => Ok(receipt),
			false => Err(ReceiptError::Malformed),
		}
	}

	/// Returns the hash of the first block of the chain that the receipt is about. The receipt itself is no reason to
	/// believe that this is the right chain.
	pub fn genesis(&self) -> Hash {
		self.first.hash()
	}

	/// Checks the receipt, with nothing but the hash of the chain's first block.
	///
	/// # Errors
	///
	/// Returns why the receipt proves nothing.
	pub fn verify(self, genesis: Hash) -> Result<Proved, ReceiptError> {
		let (head, is_development) = finalized(genesis, &self.first, self.voters, self.steps)?;
		let header = ancestor(head, self.headers)?;
		let number = header.number;
		let receipts = read_receipts(header.digest()).ok().flatten();
		let receipts = receipts.ok_or(ReceiptError::NoEvents(number))?;
		let (root, count) = (receipts.root.0, receipts.count);
		self.event
			.verify(sha2_256, &root, count, self.index, &self.path)
			.map_err(|reason| ReceiptError::WrongEvent {
				block: number,
				reason,
			})?;
		Ok(Proved {
			header,
			index: self.index,
			event: self.event,
			is_development,
		})
	}
}

/// Follows the votes from a chain's first block. Returns the block at which they end, and whether all voters were development
/// accounts at some time.
pub(crate) fn finalized(
	genesis: Hash,
	first: &Header,
	voters: Vec<Vec<u8>>,
	steps: Vec<Step>,
) -> Result<(Header, bool), ReceiptError> {
	let mut finality = Finality::begin(genesis, &first.encode(), voters)?;
	// A step that repeats a known block would not be looked at.
	let mut before = first.number;
	for Step { header, .. } in &steps {
		if header.number <= before {
			return Err(ReceiptError::Malformed);
		}
		before = header.number;
	}
	let mut is_development = false;
	let last = steps.len();
	for (index, step) in steps.into_iter().enumerate() {
		is_development |= finality.is_development();
		finality.advance(step, index + 1 == last)?;
	}
	Ok((finality.head().clone(), is_development))
}

/// Returns the first of these headers, each of which leads to the next, and the last to the finalized block.
fn ancestor(head: Header, headers: Vec<Header>) -> Result<Header, ReceiptError> {
	let mut next = head;
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

/// Keeps only what proves that a chain has the block `number`: the steps up to the first block that is voted for and not
/// before it. Returns whether they go that far.
pub fn keep_until(steps: &mut Vec<Step>, number: BlockNumber) -> bool {
	let last = steps.iter().position(|step| step.header.number >= number);
	steps.truncate(last.map_or(0, |last| last.saturating_add(1)));
	last.is_some()
}
