// SPDX-License-Identifier: Apache-2.0
//! Lets the state machine read the node's database.

use crate::{
	machine::{Head, Ledger, Link, Place},
	LOG_TARGET,
};
use isthmus_engine::{Chain, ChainClient, CheckError, ProvedHeader};
use isthmus_primitives::{Block, BlockNumber, Hash, Header, TotalDifficulty};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_consensus::IncomingBlock;
use sc_network::PeerId;
use sp_blockchain::BlockStatus;
use std::sync::Arc;

/// A header with its hash.
#[derive(Clone, Debug)]
pub struct HashedHeader {
	hash: Hash,
	/// The header.
	pub header: Header,
}

impl From<Header> for HashedHeader {
	fn from(header: Header) -> Self {
		Self {
			hash: header.hash(),
			header,
		}
	}
}

impl Link for HashedHeader {
	fn hash(&self) -> Hash {
		self.hash
	}

	fn parent(&self) -> Hash {
		self.header.parent_hash
	}

	fn number(&self) -> BlockNumber {
		self.header.number
	}
}

/// The database of a node.
pub struct ChainLedger<C> {
	chain: Arc<Chain<C>>,
	/// The best block, so that its weight is read once.
	best: Mutex<Option<Head<TotalDifficulty>>>,
}

impl<C: ChainClient> ChainLedger<C> {
	/// Reads the database of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self {
			chain,
			best: Mutex::new(None),
		}
	}

	fn find(&self, hash: Hash) -> Result<Place, CheckError> {
		let client = self.chain.client();
		if client.status(hash)? != BlockStatus::InChain {
			return Ok(Place::Unknown);
		}
		let finalized = client.info().finalized_hash;
		Ok(match self.chain.descends_from(hash, finalized)? {
			true => Place::Live,
			false => Place::Dead,
		})
	}
}

impl<C: ChainClient> Ledger for ChainLedger<C> {
	type Peer = PeerId;
	type Header = HashedHeader;
	type Facts = ProvedHeader;
	type Block = Box<IncomingBlock<Block>>;
	type Weight = TotalDifficulty;

	fn place(&self, hash: &Hash) -> Place {
		self.find(*hash).unwrap_or_else(|error| {
			log::warn!(target: LOG_TARGET, "cannot look up block {hash}: {error}");
			Place::Unknown
		})
	}

	fn best(&self) -> Head<TotalDifficulty> {
		let info = self.chain.client().info();
		let mut best = self.best.lock();
		if let Some(known) = best.filter(|known| known.hash == info.best_hash) {
			return known;
		}
		let standing = self.chain.standing(info.best_hash);
		let weight = standing.map_or_else(
			|error| {
				log::warn!(target: LOG_TARGET, "cannot weigh the best block: {error}");
				self.chain.parameters().genesis_difficulty.into()
			},
			|standing| standing.weight,
		);
		let head = Head {
			hash: info.best_hash,
			number: info.best_number,
			weight,
		};
		*best = Some(head);
		head
	}

	fn finalized(&self) -> BlockNumber {
		self.chain.client().info().finalized_number
	}

	fn canonical(&self, number: BlockNumber) -> Option<Hash> {
		self.chain.client().hash(number).unwrap_or_else(|error| {
			log::warn!(target: LOG_TARGET, "cannot look up block #{number}: {error}");
			None
		})
	}
}
