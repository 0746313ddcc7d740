//! Builds block templates: decides when there is something to mine and fixes the header's fields
//! before the block is proposed.

use crate::{
	chain::{unix_now, unix_now_millis, ChainClient},
	work::{Job, Work},
	CheckError, LOG_TARGET,
};
use codec::Encode;
use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use isthmus_primitives::{
	digest::{self, PreDigest, POW_ENGINE_ID},
	inherents::UNCLES_INHERENT_IDENTIFIER,
	params::ALLOWED_FUTURE_SECONDS,
	AccountId, Block, Hash, Header,
};
use isthmus_rules as rules;
use polkadot_sdk::*;
use sc_client_api::{Backend, BlockchainEvents};
use sc_consensus::BlockImport;
use sc_transaction_pool_api::TransactionPool;
use sp_consensus::{
	Environment, Error as ConsensusError, ProposeArgs, Proposer, SelectChain, SyncOracle,
};
use sp_inherents::{InherentData, InherentDataProvider};
use sp_runtime::{Digest, DigestItem};
use std::{
	sync::{atomic::AtomicBool, Arc},
	time::{Duration, Instant},
};

/// The least time between two templates on the same parent, when transactions keep coming.
const REBUILD_FOR_TRANSACTIONS: Duration = Duration::from_secs(2);
/// After this time a template is rebuilt so that its timestamp is not too old.
const REBUILD_FOR_TIME: Duration = Duration::from_secs(5);
/// How long to wait before looking again while syncing, offline, or after a failure.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long to wait for a block of our own that is being imported.
const IMPORT_TIME: Duration = Duration::from_millis(20);
/// How long a template may take to build.
const BUILD_TIME: Duration = Duration::from_secs(2);

/// When to mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
	/// Always: proof of work sets the pace.
	Continuous,
	/// When transactions wait, and otherwise once every `heartbeat`. For development chains. H_s is in
	/// seconds and must grow, so there is at most one block a second.
	OnDemand {
		/// The longest time between two blocks.
		heartbeat: Duration,
	},
}

/// What the miner may choose.
#[derive(Clone, Debug)]
pub struct AuthorConfig {
	/// H_c: who earns the reward.
	pub beneficiary: AccountId,
	/// H_x: at most [`digest::MAX_EXTRA_DATA`] bytes.
	pub extra_data: Vec<u8>,
	/// The gas limit to move towards, within the bound that the rules set a block.
	pub gas_target: u64,
	/// The most bytes of a block's body.
	pub block_size_limit: usize,
	/// When to mine.
	pub pace: Pace,
	/// Mine without peers, too.
	pub force: bool,
}

/// Keeps [`Work`] supplied with an up-to-date template.
pub struct Author<I, C, B, SC, E, P, SO> {
	work: Work<I, C>,
	backend: Arc<B>,
	select_chain: SC,
	proposers: E,
	pool: Arc<P>,
	sync: SO,
	config: AuthorConfig,
}

/// What the author last mined on.
struct Round {
	parent: Hash,
	/// When to mine though no transaction waits.
	due: Instant,
	/// When the template on it was built, if one was.
	built: Option<Instant>,
	/// Transactions came into the pool since.
	outdated: bool,
}

impl<I, C, B, SC, E, P, SO> Author<I, C, B, SC, E, P, SO>
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient + BlockchainEvents<Block>,
	B: Backend<Block>,
	SC: SelectChain<Block>,
	E: Environment<Block> + Send,
	P: TransactionPool<Block = Block>,
	SO: SyncOracle + Send,
{
	/// An author that puts its templates into `work`.
	pub fn new(
		work: Work<I, C>,
		backend: Arc<B>,
		select_chain: SC,
		proposers: E,
		pool: Arc<P>,
		sync: SO,
		config: AuthorConfig,
	) -> Self {
		Self {
			work,
			backend,
			select_chain,
			proposers,
			pool,
			sync,
			config,
		}
	}

	/// Runs until the client goes away.
	pub async fn run(mut self) {
		let mut imports = self
			.work
			.chain()
			.client()
			.import_notification_stream()
			.fuse();
		let mut transactions = self.pool.import_notification_stream().fuse();
		let mut round = None;
		loop {
			let wait = self.step(&mut round).await.unwrap_or_else(|error| {
				log::warn!(target: LOG_TARGET, "no block template: {error}");
				LOOK_AGAIN
			});
			let mut timer = Delay::new(wait).fuse();
			futures::select! {
				import = imports.next() => match (import, &mut round) {
					(None, _) => return,
					// Another block beside the best one may be an uncle to name.
					(Some(import), Some(round)) if !import.is_new_best => round.outdated = true,
					_ => {},
				},
				_ = transactions.next() => if let Some(round) = &mut round { round.outdated = true },
				() = timer => {},
			}
		}
	}

	/// Brings the current job up to date, and says how long it will stay so if nothing happens.
	async fn step(&mut self, round: &mut Option<Round>) -> Result<Duration, Failure> {
		if self.sync.is_major_syncing() || (self.sync.is_offline() && !self.config.force) {
			self.work.withdraw();
			*round = None;
			return Ok(LOOK_AGAIN);
		}
		if self.work.is_importing() {
			// The best block is about to change.
			return Ok(IMPORT_TIME);
		}
		let parent_header = self.select_chain.best_chain().await?;
		let parent = parent_header.hash();
		let now = Instant::now();
		let round = match round {
			Some(round) if round.parent == parent => round,
			other => {
				self.work.withdraw();
				let due = match self.config.pace {
					// A node that has just begun shows its first block at once.
					Pace::OnDemand { heartbeat } if other.is_some() => now + heartbeat,
					_ => now,
				};
				other.insert(Round {
					parent,
					due,
					built: None,
					outdated: false,
				})
			}
		};

		if let Some(built) = round.built {
			let keep = if round.outdated {
				REBUILD_FOR_TRANSACTIONS
			} else {
				REBUILD_FOR_TIME
			};
			if now < built + keep {
				return Ok(built + keep - now);
			}
		}
		let ahead = match self.config.pace {
			// Peers take a block that is as far ahead of the clock as this, and no further.
			Pace::Continuous => ALLOWED_FUTURE_SECONDS,
			Pace::OnDemand { .. } => {
				if self.pool.status().ready == 0 && now < round.due {
					return Ok(round.due - now);
				}
				0
			}
		};
		// H_s is the parent's and one at least: blocks that come faster than one a second must wait.
		let parent_time = self.work.chain().parent(parent)?.timestamp;
		let earliest = parent_time.saturating_add(1).saturating_sub(ahead);
		let earliest = Duration::from_secs(earliest);
		let clock = Duration::from_millis(unix_now_millis());
		if clock < earliest {
			return Ok((earliest - clock).min(LOOK_AGAIN));
		}

		self.build(parent_header).await?;
		round.built = Some(Instant::now());
		round.outdated = false;
		Ok(REBUILD_FOR_TIME)
	}

	/// Fixes H_c, H_d, H_l, H_s, H_o and H_x, proposes the block, and publishes it as a job.
	async fn build(&mut self, parent_header: Header) -> Result<(), Failure> {
		let chain = self.work.chain();
		let parent = chain.parent(parent_header.hash())?;
		let uncles = chain.uncle_candidates(self.backend.blockchain(), parent.hash)?;
		let timestamp = unix_now().max(parent.timestamp.saturating_add(1));
		let difficulty = rules::difficulty(chain.parameters(), &parent, timestamp);
		let pre = PreDigest {
			beneficiary: self.config.beneficiary.clone(),
			difficulty,
			gas_limit: rules::next_gas_limit(parent.gas_limit, self.config.gas_target),
			timestamp,
			uncles_hash: digest::uncles_hash(&uncles),
			extra_data: self.config.extra_data.clone(),
		};

		let mut inherent_data = InherentData::new();
		let millis = timestamp.saturating_mul(1000);
		sp_timestamp::InherentDataProvider::new(millis.into())
			.provide_inherent_data(&mut inherent_data)
			.await?;
		inherent_data.put_data(UNCLES_INHERENT_IDENTIFIER, &uncles)?;

		let proposer = self
			.proposers
			.init(&parent_header)
			.await
			.map_err(|e| Failure::Propose(e.to_string()))?;
		let proposal = proposer
			.propose(ProposeArgs {
				inherent_data,
				inherent_digests: Digest {
					logs: vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
				},
				max_duration: BUILD_TIME,
				block_size_limit: Some(self.config.block_size_limit),
				..Default::default()
			})
			.await
			.map_err(|e| Failure::Propose(e.to_string()))?;
		let job = Job {
			seal_hash: digest::seal_hash(&proposal.block.header),
			parent: parent.hash,
			number: proposal.block.header.number,
			difficulty,
			stale: AtomicBool::new(false),
		};
		self.work.publish(job, proposal);
		Ok(())
	}
}

/// What kept a template from being built.
#[derive(Debug, thiserror::Error)]
enum Failure {
	#[error(transparent)]
	Check(#[from] CheckError),
	#[error(transparent)]
	Select(#[from] ConsensusError),
	#[error("inherents: {0}")]
	Inherents(#[from] sp_inherents::Error),
	#[error("proposing failed: {0}")]
	Propose(String),
}
