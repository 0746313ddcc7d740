// SPDX-License-Identifier: Apache-2.0
//! A receipt: a file that proves something of a finalized block to a stranger, without a node. `docs/formats.md` describes
//! the bytes of each kind.

use crate::{
	finality::{date, Finality, FinalityError, Step},
	BlockNumber, Hash, Header, ProofError,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, Encode};
use isthmus_sharing::merkle::MerkleError;

mod event;
mod keeper;

pub use event::{EventProof, EventReceipt, PlacedEvent};
pub use keeper::{KeeperEntry, KeeperProof, KeeperReceipt};

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
	/// The bytes do not begin as a receipt of this kind does.
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

/// What kind of receipt it is: what leads from a finalized block to what is proven.
pub trait Content: Encode + Decode {
	/// What such a receipt proves.
	type Proves;

	/// The first bytes of such a receipt: the format and its version.
	const LABEL: &'static [u8];

	/// Checks the content against the header of a finalized block. Returns the header of the block of which it proves
	/// something, which is that block or an earlier one, and what it proves.
	///
	/// # Errors
	///
	/// Returns why it proves nothing.
	fn verify(self, finalized: Header) -> Result<(Header, Self::Proves), ReceiptError>;
}

/// A receipt: the votes from a chain's first block to a finalized one, and a [`Content`] that leads from there to what is
/// proven.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt<C> {
	/// The header of the chain's first block.
	pub first: Header,
	/// The proof of the first voters, against the state root of the first block.
	pub voters: Vec<Vec<u8>>,
	/// The last blocks of the earlier sets of voters, and then the finalized block. If there are no steps, it is the
	/// first block.
	pub steps: Vec<Step>,
	/// What leads from the finalized block to what is proven.
	pub content: C,
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved<What> {
	/// The header of the block of which it is proven.
	pub header: Header,
	/// What is proven.
	pub what: What,
	/// Whether the voters were all development accounts at some time. Their secrets are public, so anyone can make such
	/// a receipt.
	pub is_development: bool,
}

impl<What> Proved<What> {
	/// Returns the block's date, in seconds since 1970; `None` if its header has none.
	pub fn timestamp(&self) -> Option<u64> {
		date(&self.header)
	}
}

impl<C: Content> Receipt<C> {
	/// Returns the receipt as a file.
	pub fn to_bytes(&self) -> Vec<u8> {
		[C::LABEL, &self.encode()].concat()
	}

	/// Returns whether these bytes begin as a receipt of this kind does.
	pub fn is_one(bytes: &[u8]) -> bool {
		bytes.starts_with(C::LABEL)
	}

	/// Reads a receipt without checking what it says. Bound the number of bytes before: a receipt of many short parts takes
	/// some dozen times its length in memory.
	///
	/// # Errors
	///
	/// Returns [`ReceiptError::NotAReceipt`] or [`ReceiptError::Malformed`] if the bytes are not one of this kind.
	pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
		let rest = bytes
			.strip_prefix(C::LABEL)
			.ok_or(ReceiptError::NotAReceipt)?;
		let receipt = Self::decode_all(&mut &*rest).map_err(|_| ReceiptError::Malformed)?;
		match receipt.encode() == rest {
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
	pub fn verify(self, genesis: Hash) -> Result<Proved<C::Proves>, ReceiptError> {
		let (finalized, is_development) =
			follow_votes(genesis, &self.first, self.voters, self.steps)?;
		let (header, what) = self.content.verify(finalized)?;
		Ok(Proved {
			header,
			what,
			is_development,
		})
	}
}

/// Follows the votes from a chain's first block. Returns the block at which they end, and whether all voters were development
/// accounts at some time.
fn follow_votes(
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

/// Keeps only what proves that a chain has the block `number`: the steps up to the first block that is voted for and not
/// before it. Returns whether they go that far.
pub fn keep_until(steps: &mut Vec<Step>, number: BlockNumber) -> bool {
	let last = steps.iter().position(|step| step.header.number >= number);
	steps.truncate(last.map_or(0, |last| last.saturating_add(1)));
	last.is_some()
}
