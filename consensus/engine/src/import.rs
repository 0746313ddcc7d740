// SPDX-License-Identifier: Apache-2.0
//! Imports blocks: adds a block's total difficulty to the database, and decides whether the block is the
//! new best block.

use crate::{
	chain::{record_entries, stored, ChainClient},
	error::CheckError,
	execution::{execute_ahead, Execute},
	select_chain::HeaviestChain,
	unchecked, LOG_TARGET,
};
use futures::{lock::Mutex, StreamExt};
use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use isthmus_rules as rules;
use polkadot_sdk::*;
use sc_client_api::{
	backend::{
		Backend, BlockImportOperation as _, ClientImportOperation, ImportNotificationAction,
		ImportSummary, LockImportRun,
	},
	BlockchainEvents,
};
use sc_consensus::{
	BlockCheckParams, BlockImport, BlockImportParams, ForkChoiceStrategy, ImportResult, StateAction,
};
use sp_consensus::{BlockOrigin, BlockStatus, Error as ConsensusError};
use sp_consensus_grandpa::{ConsensusLog, GRANDPA_ENGINE_ID};
use sp_runtime::generic::OpaqueDigestItemId;
use std::sync::Arc;

/// The fork choice: among the blocks that descend from the finalized block, the best block is the heaviest or, among
/// equals, the one that this node made or saw first (see [`Standing`](crate::Standing)).
///
/// All clones share one lock, so that two imports are never compared with the same old best block. A block is
/// executed before it takes the lock: execution takes seconds, and a block that was mined here must not wait
/// for it. A heavier block on a fork without the finalized block is imported, but does not become the best.
pub struct PowBlockImport<I, B, C> {
	inner: I,
	select_chain: HeaviestChain<B, C>,
	lock: Arc<Mutex<()>>,
}

impl<I: Clone, B, C> Clone for PowBlockImport<I, B, C> {
	fn clone(&self) -> Self {
		Self {
			inner: self.inner.clone(),
			select_chain: self.select_chain.clone(),
			lock: self.lock.clone(),
		}
	}
}

impl<I, B: Backend<Block>, C: ChainClient> PowBlockImport<I, B, C> {
	/// Creates a block import that decides the fork choice and passes blocks on to `inner`.
	pub fn new(inner: I, select_chain: HeaviestChain<B, C>) -> Self {
		Self {
			inner,
			select_chain,
			lock: Arc::new(Mutex::new(())),
		}
	}

	/// Makes a finalized block that comes with its state the first one of this node's history. Total difficulties
	/// count from it.
	fn begin_history(&self, block: &mut BlockImportParams<Block>) -> Result<(), CheckError> {
		let chain = self.select_chain.chain();
		let header = stored(&block.post_header())?;
		if !chain.is_history_start(header.hash) {
			return Err(CheckError::UnknownParent(header.parent_hash));
		}
		let total = header.pre.difficulty.into();
		let arrival = chain.next_arrival(false)?;
		let entries = record_entries(header.hash, total, arrival);
		block.auxiliary.extend(entries);
		block.fork_choice = Some(ForkChoiceStrategy::Custom(true));
		Ok(())
	}

	/// Refuses a block that restarts finality after a block below this node's history. GRANDPA looks for that block when
	/// the new voters take over, and panics if it is not there.
	fn check_restart(&self, header: &Header) -> Result<(), CheckError> {
		let Some(finalized) = forced_after(header) else {
			return Ok(());
		};
		let start = self.select_chain.chain().history_start()?;
		if finalized < start {
			return Err(CheckError::RestartBelowHistory {
				block: header.hash(),
				finalized,
				start,
			});
		}
		Ok(())
	}

	/// Returns what import answers if it failed with this error. If the parent is not in the database any more, because the
	/// import of another block has made room, nothing else is wrong with the block, nor with its sender.
	fn refuse(
		&self,
		block: &BlockImportParams<Block>,
		error: ConsensusError,
	) -> Result<ImportResult, ConsensusError> {
		let client = self.select_chain.chain().client();
		let parent = client.block_status(block.header.parent_hash);
		match parent {
			Ok(BlockStatus::Unknown) if !block.with_state() => Ok(ImportResult::UnknownParent),
			_ => Err(error),
		}
	}

	/// Adds the total difficulty and the arrival to the block, and sets whether it becomes the best block.
	fn weigh(&self, block: &mut BlockImportParams<Block>) -> Result<(), CheckError> {
		let chain = self.select_chain.chain();
		let header = stored(&block.post_header())?;
		let info = chain.client().info();
		if header.number <= info.finalized_number {
			return Err(CheckError::BehindFinality(header.hash));
		}
		let parent = chain.total_difficulty(header.parent_hash)?;
		let total = rules::total_difficulty(parent, header.pre.difficulty)?;
		let arrival = chain.next_arrival(block.origin == BlockOrigin::Own)?;
		let entries = record_entries(header.hash, total, arrival);
		block.auxiliary.extend(entries);

		// Comparing with the client's best block is not enough: once finality has moved to another fork,
		// that is the finalized block until a block is imported above it.
		let best = match self.select_chain.best_above(info.finalized_hash)? {
			Some(best) => best,
			None => chain.standing(info.finalized_hash)?,
		};
		let best = chain
			.standing_of_new(&header, arrival)?
			.is_better_than(&best)
			&& chain.descends_from(header.parent_hash, info.finalized_hash)?;
		block.fork_choice = Some(ForkChoiceStrategy::Custom(best));
		// A block that is known already takes no place.
		if chain.knows(header.hash)? {
			return Ok(());
		}
		self.select_chain.make_room(header.number)
	}
}

impl<I, B, C> PowBlockImport<I, B, C>
where
	B: Backend<Block>,
	C: ChainClient + LockImportRun<Block, B>,
{
	/// Makes the heaviest block that descends from the finalized block the client's best block, if it is
	/// not already, and returns it. The client notifies its listeners as it does for a new block.
	///
	/// This is needed after a block is finalized: if it is on another fork than the best block, the client
	/// makes the finalized block itself the best block, although heavier blocks may descend from it.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub async fn restore_best(&self) -> Result<Option<Hash>, CheckError> {
		let _one_at_a_time = self.lock.lock().await;
		let chain = self.select_chain.chain();
		let client = chain.client();
		// Finality takes the client's lock too, so the finalized block does not change in here.
		client.lock_import_and_run(|operation: &mut ClientImportOperation<Block, B>| {
			let info = client.info();
			let heaviest = self.select_chain.heaviest_above(info.finalized_hash)?;
			if heaviest == info.best_hash {
				return Ok(None);
			}
			let header = client
				.header(heaviest)?
				.ok_or(CheckError::UnknownParent(heaviest))?;
			let tree_route = sp_blockchain::tree_route(&**client, info.best_hash, heaviest)?;
			operation.op.mark_head(heaviest)?;
			operation.notify_imported = Some(ImportSummary {
				hash: heaviest,
				origin: BlockOrigin::ConsensusBroadcast,
				header,
				is_new_best: true,
				storage_changes: None,
				tree_route: Some(tree_route),
				import_notification_action: ImportNotificationAction::Both,
			});
			Ok(Some(heaviest))
		})
	}

	/// Calls [`Self::restore_best`] whenever a block is finalized. Runs until the client is dropped.
	pub async fn follow_finality(self)
	where
		C: BlockchainEvents<Block>,
	{
		let client = self.select_chain.chain().client().clone();
		let mut finalized = client.finality_notification_stream();
		while finalized.next().await.is_some() {
			match self.restore_best().await {
				Ok(None) => {}
				Ok(Some(best)) => log::info!(
					target: LOG_TARGET,
					"finality moved to another fork; its heaviest block {best} is now the best block",
				),
				Err(error) => log::warn!(
					target: LOG_TARGET,
					"could not find the best block after finality moved: {error}; the next block decides it",
				),
			}
		}
	}
}

#[async_trait::async_trait]
impl<I, B, C> BlockImport<Block> for PowBlockImport<I, B, C>
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	B: Backend<Block> + 'static,
	C: ChainClient + Execute,
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
		let hash = block.post_hash();
		if let Some(error) = unchecked::take(&mut block) {
			return self.refuse(&block, unpenalised(error));
		}
		let executes = matches!(
			block.state_action,
			StateAction::Execute | StateAction::ExecuteIfPossible
		);
		// Without a body the client would import the block unexecuted, too.
		if executes && block.body.is_none() {
			return Err(unpenalised(CheckError::MissingBody(hash)));
		}
		// On a parent without state the client would import the block unexecuted, with only its proof of
		// work as evidence that it is valid.
		let client = self.select_chain.chain().client();
		if executes {
			let parent = client.block_status(block.header.parent_hash);
			match parent.map_err(|e| unpenalised(CheckError::from(e)))? {
				BlockStatus::InChainPruned => {
					log::debug!(
						target: LOG_TARGET,
						"skipping block #{} ({hash}): its parent's state is pruned",
						block.header.number,
					);
					return Ok(ImportResult::MissingState);
				}
				BlockStatus::InChainWithState => {
					if let Err(error) = execute_ahead(&**client, &mut block) {
						let error = ConsensusError::ClientImport(error.to_string());
						return self.refuse(&block, error);
					}
				}
				// The client says what is wrong with the parent.
				BlockStatus::Unknown | BlockStatus::Queued | BlockStatus::KnownBad => {}
			}
		}
		let _one_at_a_time = self.lock.lock().await;
		let ready = match block.with_state() {
			true => self.begin_history(&mut block),
			false => self
				.check_restart(&block.post_header())
				.and_then(|()| self.weigh(&mut block)),
		};
		match ready {
			Ok(()) => self.inner.import_block(block).await,
			Err(error) => self.refuse(&block, unpenalised(error)),
		}
	}
}

/// Returns the number of the last finalized block, if a header announces a forced change of GRANDPA's voters.
fn forced_after(header: &Header) -> Option<BlockNumber> {
	let id = OpaqueDigestItemId::Consensus(&GRANDPA_ENGINE_ID);
	let logs = header.digest.logs.iter();
	let mut logs = logs.filter_map(|log| log.try_to::<ConsensusLog<BlockNumber>>(id));
	logs.find_map(|log| match log {
		ConsensusLog::ForcedChange(finalized, _) => Some(finalized),
		_ => None,
	})
}

/// Wraps an error as an import error, for which the peer is not penalised.
fn unpenalised(error: CheckError) -> ConsensusError {
	ConsensusError::Other(Box::new(error))
}
