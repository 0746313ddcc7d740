// SPDX-License-Identifier: Apache-2.0
//! Remembers where this node's history of the chain begins, if it did not fetch the blocks from genesis on.
//!
//! Such a node begins with a finalized block whose state it fetched from peers (ADR 27). Every chain that can still be
//! ours contains that block. So its total difficulty may be counted from it, and its weight need not be known. The
//! rules for the blocks above it, however, look at a few headers below it: they are kept here.

use codec::{Decode, Encode};
use isthmus_primitives::{Hash, Header};
use isthmus_rules::UNCLE_ANCESTORS;

/// How many headers below the first block of a history are kept, or all if there are fewer.
pub const HEADERS_BELOW: usize = UNCLE_ANCESTORS;

/// The beginning of a history.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HistoryStart {
	/// The hash of the first block.
	pub hash: Hash,
	/// The headers of the blocks below it, nearest first: [`HEADERS_BELOW`], or all above genesis.
	pub below: Vec<Header>,
}

impl HistoryStart {
	/// Returns the header of a block below the first one, if it is kept.
	pub(crate) fn header(&self, hash: &Hash) -> Option<&Header> {
		self.below.iter().find(|header| header.hash() == *hash)
	}
}
