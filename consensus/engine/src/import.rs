//! Block import: adds a block's total difficulty to the database and says whether the block is the
//! new best one.

use crate::{
	chain::{outweighs, stored, total_difficulty_entry, Chain, ChainClient},
	CheckError,
};
use futures::lock::Mutex;
use isthmus_primitives::Block;
use isthmus_rules as rules;
use polkadot_sdk::*;
use sc_consensus::{
	BlockCheckParams, BlockImport, BlockImportParams, ForkChoiceStrategy, ImportResult,
};
use sp_consensus::Error as ConsensusError;
use std::sync::Arc;

/// The fork choice: of the blocks that descend from the finalized one, the best is the one with the
/// greatest total difficulty; of equals, the one with the smaller hash.
///
/// All clones share one lock, so that no two imports compare themselves with the same old best
/// block. A heavier block on a fork without the finalized block is imported, and not best.
pub struct PowBlockImport<I, C> {
	inner: I,
	chain: Arc<Chain<C>>,
	lock: Arc<Mutex<()>>,
}

impl<I: Clone, C> Clone for PowBlockImport<I, C> {
	fn clone(&self) -> Self {
		Self {
			inner: self.inner.clone(),
			chain: self.chain.clone(),
			lock: self.lock.clone(),
		}
	}
}

impl<I, C: ChainClient> PowBlockImport<I, C> {
	/// Puts the fork choice in front of `inner`.
	pub fn new(inner: I, chain: Arc<Chain<C>>) -> Self {
		Self {
			inner,
			chain,
			lock: Arc::new(Mutex::new(())),
		}
	}

	/// Fills in the block's total difficulty and its place in the fork choice.
	fn weigh(&self, block: &mut BlockImportParams<Block>) -> Result<(), CheckError> {
		let header = stored(&block.post_header())?;
		let parent = self.chain.total_difficulty(header.parent_hash)?;
		let total = rules::total_difficulty(parent, header.pre.difficulty)?;
		block
			.auxiliary
			.push(total_difficulty_entry(header.hash, total));

		let info = self.chain.client().info();
		let heaviest = outweighs(
			(total, header.hash),
			(self.chain.total_difficulty(info.best_hash)?, info.best_hash),
		);
		let best = heaviest
			&& self
				.chain
				.descends_from(header.parent_hash, info.finalized_hash)?;
		block.fork_choice = Some(ForkChoiceStrategy::Custom(best));
		Ok(())
	}
}

#[async_trait::async_trait]
impl<I, C> BlockImport<Block> for PowBlockImport<I, C>
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient,
{
	type Error = ConsensusError;

	async fn check_block(
		&self,
		block: BlockCheckParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		self.inner.check_block(block).await
	}

	async fn import_block(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		let _one_at_a_time = self.lock.lock().await;
		self.weigh(&mut block)
			.map_err(|e| ConsensusError::Other(Box::new(e)))?;
		self.inner.import_block(block).await
	}
}
