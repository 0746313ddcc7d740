// SPDX-License-Identifier: Apache-2.0
//! Defines receipts: a block's data-sharing events as the leaves of a Merkle tree, whose root is in the
//! block's header (the yellow paper's H_e). With its path to the root, an event proves that it happened, to
//! anyone who has the header.
//!
//! The tree is that of [`merkle`], over these entries, in the order of the events:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 18 | `"isthmus/receipt/v1"` |
//! | 18 | 1 | 1 if the event belongs to a transaction, 0 if the chain did it on its own |
//! | 19 | 4 | index of the transaction in the block, big-endian; zeros if there is none |
//! | 23 | | the event as the chain encodes it in SCALE: the variant of the data-sharing pallet's events |
//!
//! The runtime also passes the events on to the node that executes the block, outside the state: see
//! [`block_key`]. So a node can serve the history when the block's state is gone. What it serves needs no
//! trust, because the header proves it.

use crate::{
	ids::{DatasetId, RecordKey},
	merkle::{self, Hash, MerkleError},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// The first bytes of every leaf: the format and its version.
pub const LABEL: &[u8; 18] = b"isthmus/receipt/v1";

/// The first bytes of the keys under which the runtime passes on the events of each block.
pub const BLOCK_PREFIX: &[u8; 17] = b"isthmus/events/v1";

/// An event with its place in the block: a leaf of the block's tree.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Receipt {
	/// The index of the event's transaction in the block. `None` for what the chain did on its own.
	pub transaction: Option<u32>,
	/// The event in SCALE.
	pub event: Vec<u8>,
}

impl Receipt {
	/// Returns the entry from which the leaf is hashed.
	pub fn to_bytes(&self) -> Vec<u8> {
		[
			&LABEL[..],
			&[u8::from(self.transaction.is_some())],
			&self.transaction.unwrap_or(0).to_be_bytes(),
			&self.event,
		]
		.concat()
	}

	/// Returns the leaf of the block's tree.
	pub fn leaf(&self, sha256: impl Fn(&[u8]) -> Hash) -> Hash {
		merkle::leaf_hash(sha256, &self.to_bytes())
	}

	/// Checks that this is event number `index` of the block whose header has this number of events and this
	/// root.
	///
	/// # Errors
	///
	/// Returns the error of [`merkle::verify`].
	pub fn verify<'a>(
		&self,
		sha256: impl Fn(&[u8]) -> Hash,
		root: &Hash,
		count: u32,
		index: u32,
		path: impl IntoIterator<Item = &'a Hash>,
	) -> Result<(), MerkleError> {
		let leaf = self.leaf(&sha256);
		merkle::verify(sha256, root, count.into(), index.into(), leaf, path)
	}
}

/// What an event is about. The runtime names an event's subjects, and nodes find events by them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub enum Subject<AccountId> {
	/// An account that did or received something.
	#[codec(index = 0)]
	Account(AccountId),
	/// A dataset of this owner.
	#[codec(index = 1)]
	Dataset(AccountId, DatasetId),
	/// A request or a grant for a range of this owner's dataset. These events are the dataset's, too.
	#[codec(index = 2)]
	Access(AccountId, DatasetId),
	/// A record of this owner.
	#[codec(index = 3)]
	Record(AccountId, RecordKey),
}

/// An event as the runtime passes it on to the node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Entry<AccountId> {
	/// The event.
	pub receipt: Receipt,
	/// The subjects that the event names. The tree does not cover them: a reader finds them in the event.
	pub subjects: Vec<Subject<AccountId>>,
}

/// Returns the key under which the runtime passes on a block's events, as a SCALE-encoded list of [`Entry`]. A
/// block without events has no list.
///
/// Two blocks have the same key only if they have the same parent and the same events, so blocks of forks do not
/// overwrite each other's.
pub fn block_key(parent: &[u8], root: &Hash) -> Vec<u8> {
	[&BLOCK_PREFIX[..], parent, root].concat()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::test::{bytes, hash, list, number, sha256, vectors};

	#[test]
	fn the_vectors_pass() {
		let vectors = vectors("primitives/sharing/vectors.json");
		let blocks = list(&vectors["receipts"]);
		assert!(blocks.len() >= 3);
		for block in blocks {
			let root = hash(&block["root"]);
			let events = list(&block["events"]);
			let count = events.len() as u32;
			let mut leaves = Vec::new();
			for (index, vector) in (0..).zip(events) {
				let receipt = Receipt {
					transaction: match &vector["transaction"] {
						serde_json::Value::Null => None,
						index => Some(number(index)),
					},
					event: bytes(&vector["event"]),
				};
				assert_eq!(receipt.to_bytes(), bytes(&vector["entry"]));
				assert_eq!(receipt.leaf(sha256), hash(&vector["leaf"]));
				let path: Vec<Hash> = list(&vector["path"]).iter().map(hash).collect();
				assert_eq!(receipt.verify(sha256, &root, count, index, &path), Ok(()));
				let elsewhere = Receipt {
					transaction: Some(number(&block["transactions"])),
					..receipt.clone()
				};
				assert_eq!(
					elsewhere.verify(sha256, &root, count, index, &path),
					Err(MerkleError::WrongRoot)
				);
				leaves.push(receipt.leaf(sha256));
			}
			let mut peaks = merkle::Peaks::default();
			for leaf in leaves {
				peaks.push(sha256, leaf);
			}
			assert_eq!((peaks.count(), peaks.root(sha256)), (count.into(), root));
		}
	}

	#[test]
	fn blocks_with_the_same_events_on_different_parents_have_different_keys() {
		let (one, other, root): (Hash, Hash, Hash) = ([1; 32], [2; 32], [3; 32]);
		assert_ne!(block_key(&one, &root), block_key(&other, &root));
		assert_ne!(block_key(&one, &root), block_key(&one, &other));
	}
}
