// SPDX-License-Identifier: Apache-2.0
//! Selects the chain to mine on and to vote for: the heaviest, which is not always the longest.

use crate::{
	chain::{Chain, ChainClient},
	error::CheckError,
	fork_choice::Standing,
};
use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use polkadot_sdk::*;
use sc_client_api::backend::Backend;
use sp_blockchain::Backend as _;
use sp_consensus::{Error as ConsensusError, SelectChain};
use std::sync::Arc;

/// How many blocks of one number the database keeps: `MAX_BLOCKS_PER_LEVEL` of `sc-state-db`.
const PLACES: usize = 32;

/// Selects the best chain that descends from the finalized block, as [`crate::PowBlockImport`] does.
pub struct HeaviestChain<B, C> {
	backend: Arc<B>,
	chain: Arc<Chain<C>>,
	/// How many blocks of one number the database has room for.
	places: usize,
}

impl<B, C> Clone for HeaviestChain<B, C> {
	fn clone(&self) -> Self {
		Self {
			backend: self.backend.clone(),
			chain: self.chain.clone(),
			places: self.places,
		}
	}
}

impl<B: Backend<Block>, C: ChainClient> HeaviestChain<B, C> {
	/// Creates a selection among the leaves of `backend`.
	pub fn new(backend: Arc<B>, chain: Arc<Chain<C>>) -> Self {
		Self {
			backend,
			chain,
			places: PLACES,
		}
	}

	/// Removes no block to make room for another one, as the database has room for all: it keeps the states of all blocks
	/// (`--state-pruning archive`).
	pub fn keeping_all(self) -> Self {
		Self {
			places: usize::MAX,
			..self
		}
	}

	/// Returns how many blocks of one number the database has room for.
	pub(crate) fn places(&self) -> usize {
		self.places
	}

	/// Returns the chain whose leaves are selected.
	pub(crate) fn chain(&self) -> &Arc<Chain<C>> {
		&self.chain
	}

	/// Returns the database whose leaves are selected.
	pub(crate) fn backend(&self) -> &B {
		&self.backend
	}

	/// Returns the best leaf that is `base` or descends from it, or `base` if there is none.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn heaviest_above(&self, base: Hash) -> Result<Hash, CheckError> {
		let best = self.best_above(base)?;
		Ok(best.map_or(base, |best| best.hash))
	}

	/// Returns the best leaf that is `base` or descends from it, with its place in the fork choice.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn best_above(&self, base: Hash) -> Result<Option<Standing>, CheckError> {
		let blockchain = self.backend.blockchain();
		let mut best: Option<Standing> = None;
		// While a block is being written, it is already a leaf in place of its parent, but it cannot be
		// read yet. The client's best block can always be read. (An error here would be worse than an
		// outdated answer: a verifier that cannot find its target does not vote in that round, and if it
		// is the only one, the round never ends.)
		let best_block = self.chain.client().info().best_hash;
		let mut leaves = blockchain.leaves()?;
		if !leaves.contains(&best_block) {
			leaves.push(best_block);
		}
		for leaf in leaves {
			if !self.chain.knows(leaf)? || !self.chain.descends_from(leaf, base)? {
				continue;
			}
			let standing = self.chain.standing(leaf)?;
			if best.is_none_or(|best| standing.is_better_than(&best)) {
				best = Some(standing);
			}
		}
		Ok(best)
	}

	fn expect_header(&self, hash: Hash) -> Result<Header, ConsensusError> {
		self.chain.client().expect_header(hash).map_err(lookup)
	}
}

fn lookup(error: impl std::fmt::Display) -> ConsensusError {
	ConsensusError::ChainLookup(error.to_string())
}

#[async_trait::async_trait]
impl<B: Backend<Block> + 'static, C: ChainClient> SelectChain<Block> for HeaviestChain<B, C> {
	async fn leaves(&self) -> Result<Vec<Hash>, ConsensusError> {
		self.backend.blockchain().leaves().map_err(lookup)
	}

	async fn best_chain(&self) -> Result<Header, ConsensusError> {
		let finalized = self.chain.client().info().finalized_hash;
		self.expect_header(self.heaviest_above(finalized).map_err(lookup)?)
	}

	async fn finality_target(
		&self,
		base: Hash,
		max_number: Option<BlockNumber>,
	) -> Result<Hash, ConsensusError> {
		let mut target = self.expect_header(self.heaviest_above(base).map_err(lookup)?)?;
		let base_number = self.expect_header(base)?.number;
		// A limit below the base cannot be met, so return the base itself.
		let limit = max_number.unwrap_or(BlockNumber::MAX).max(base_number);
		while target.number > limit {
			target = self.expect_header(target.parent_hash)?;
		}
		Ok(target.hash())
	}
}
