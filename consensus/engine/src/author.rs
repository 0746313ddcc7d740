//! Builds block templates: decides when there is something to mine and fixes the header's fields
//! before the block is proposed.

use crate::{
	chain::{unix_now, unix_now_millis, ChainClient},
	CheckError, Job, Sealer, LOG_TARGET,
};
use codec::Encode;
use futures::{stream::BoxStream, FutureExt, Stream, StreamExt};
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
use sp_blockchain::Backend as _;
use sp_consensus::{
	Environment, Error as ConsensusError, ProposeArgs, Proposer, SelectChain, SyncOracle,
};
use sp_inherents::{InherentData, InherentDataProvider};
use sp_runtime::{Digest, DigestItem};
use std::{
	sync::Arc,
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

/// Keeps the [`Sealer`] supplied with an up-to-date template.
pub struct Author<I, C, B, SC, E, P, SO> {
	sealer: Sealer<I, C>,
	blocks: Arc<B>,
	select_chain: SC,
	proposers: E,
	pool: Arc<P>,
	sync: SO,
	/// Whether the first sync is done: from then on nobody's claims of a higher chain stop the mining.
	was_synced: bool,
	config: AuthorConfig,
}

/// What the author asks of the blocks in the database; every backend answers it.
pub trait BlockTree: Send + Sync {
	/// The blocks whose parent `block` is.
	///
	/// # Errors
	///
	/// The database's.
	fn children(&self, block: Hash) -> sp_blockchain::Result<Vec<Hash>>;
}

impl<B: Backend<Block>> BlockTree for B {
	fn children(&self, block: Hash) -> sp_blockchain::Result<Vec<Hash>> {
		self.blockchain().children(block)
	}
}

/// What the author asks of the transactions that wait; every transaction pool answers it.
pub trait Pool: Send + Sync {
	/// How many could be in the next block.
	fn ready(&self) -> usize;

	/// An item for every transaction that comes in from now on.
	fn arrivals(&self) -> BoxStream<'static, ()>;
}

impl<P: TransactionPool<Block = Block>> Pool for P {
	fn ready(&self) -> usize {
		self.status().ready
	}

	fn arrivals(&self) -> BoxStream<'static, ()> {
		self.import_notification_stream().map(|_| ()).boxed()
	}
}

/// What the author last mined on.
struct Round {
	parent: Hash,
	/// When to mine though no transaction waits.
	due: Instant,
	/// When the template on it was built, if one was.
	built: Option<Instant>,
	/// Transactions, or possible uncles, came in since.
	outdated: bool,
}

impl<I, C, B, SC, E, P, SO> Author<I, C, B, SC, E, P, SO>
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient,
	B: BlockTree,
	SC: SelectChain<Block>,
	E: Environment<Block> + Send,
	P: Pool,
	SO: SyncOracle + Send,
{
	/// An author that puts its templates into `sealer`.
	pub fn new(
		sealer: Sealer<I, C>,
		blocks: Arc<B>,
		select_chain: SC,
		proposers: E,
		pool: Arc<P>,
		sync: SO,
		config: AuthorConfig,
	) -> Self {
		Self {
			sealer,
			blocks,
			select_chain,
			proposers,
			pool,
			sync,
			was_synced: false,
			config,
		}
	}

	/// Runs until the client goes away.
	pub async fn run(self)
	where
		C: BlockchainEvents<Block>,
	{
		let client = self.sealer.chain().client();
		let imports = client.import_notification_stream();
		self.run_on(imports.map(|import| import.is_new_best)).await
	}

	/// Runs until `imports` ends, which says of every imported block whether it is the new best one.
	pub(crate) async fn run_on(mut self, imports: impl Stream<Item = bool> + Unpin) {
		let mut imports = imports.fuse();
		let mut transactions = self.pool.arrivals().fuse();
		let mut round = None;
		loop {
			// What came in until now is in the database already.
			let mut outdated = false;
			while let Some(import) = imports.next().now_or_never() {
				match import {
					None => return,
					Some(is_new_best) => outdated |= !is_new_best,
				}
			}
			set_outdated(&mut round, outdated);

			let mut outdated = false;
			let wait = {
				let step = self.step(&mut round).fuse();
				futures::pin_mut!(step);
				loop {
					futures::select! {
						stepped = step => break stepped.unwrap_or_else(|error| {
							log::warn!(target: LOG_TARGET, "no block template: {error}");
							LOOK_AGAIN
						}),
						import = imports.next() => match import {
							None => return,
							// A template on the old best block is not worth the time that it still takes.
							Some(true) => break Duration::ZERO,
							Some(false) => outdated = true,
						},
						_ = transactions.next() => outdated = true,
					}
				}
			};
			set_outdated(&mut round, outdated);
			if wait.is_zero() {
				continue;
			}

			let mut timer = Delay::new(wait).fuse();
			let outdated = futures::select! {
				import = imports.next() => match import {
					None => return,
					// Another block beside the best one may be an uncle to name.
					Some(is_new_best) => !is_new_best,
				},
				_ = transactions.next() => true,
				() = timer => false,
			};
			set_outdated(&mut round, outdated);
		}
	}

	/// Brings the current job up to date, and says how long it will stay so if nothing happens.
	async fn step(&mut self, round: &mut Option<Round>) -> Result<Duration, Failure> {
		// "Syncing" means that most peers claim a much higher chain, and claims cost nothing: strangers
		// could keep all miners idle by it for as long as they like.
		let (offline, syncing) = (self.sync.is_offline(), self.sync.is_major_syncing());
		self.was_synced |= !offline && !syncing;
		if (syncing && !self.was_synced) || (offline && !self.config.force) {
			self.sealer.withdraw();
			*round = None;
			return Ok(LOOK_AGAIN);
		}
		if self.sealer.is_importing() {
			// The best block is about to change.
			return Ok(IMPORT_TIME);
		}
		let parent_header = self.select_chain.best_chain().await?;
		let parent = parent_header.hash();
		let now = Instant::now();
		let round = match round {
			Some(round) if round.parent == parent => round,
			other => {
				self.sealer.withdraw();
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
				if self.pool.ready() == 0 && now < round.due {
					return Ok(round.due - now);
				}
				0
			}
		};
		// H_s is the parent's and one at least: blocks that come faster than one a second must wait.
		let parent_time = self.sealer.chain().parent(parent)?.timestamp;
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
		let chain = self.sealer.chain();
		let parent = chain.parent(parent_header.hash())?;
		let uncles = chain.uncle_candidates(parent.hash, |block| self.blocks.children(block))?;
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
		let job = Job::new(
			digest::seal_hash(&proposal.block.header),
			parent.hash,
			proposal.block.header.number,
			difficulty,
			uncles.len(),
		);
		self.sealer.publish(job, proposal);
		Ok(())
	}
}

fn set_outdated(round: &mut Option<Round>, outdated: bool) {
	if let Some(round) = round {
		round.outdated |= outdated;
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
