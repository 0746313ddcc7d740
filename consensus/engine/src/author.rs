// SPDX-License-Identifier: Apache-2.0
//! Builds block templates: decides when there is something to mine, and fixes the header's fields before
//! the block is proposed.

use crate::{
	chain::ChainClient,
	clock::{unix_now, unix_now_millis},
	error::CheckError,
	sealer::{Job, Sealer},
	LOG_TARGET,
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

/// The minimum time between two templates on the same parent while transactions arrive.
const REBUILD_FOR_TRANSACTIONS: Duration = Duration::from_secs(2);
/// After this time a template is rebuilt, so that its timestamp is not too old.
const REBUILD_FOR_TIME: Duration = Duration::from_secs(5);
/// The wait before the next try while syncing or offline, or after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// The wait before the next try while a block of our own is being imported.
const IMPORT_TIME: Duration = Duration::from_millis(20);
/// The maximum time for building a template.
const BUILD_TIME: Duration = Duration::from_secs(2);

/// When to mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
	/// Mine all the time: proof of work sets the pace.
	Continuous,
	/// Mine when transactions are waiting, and otherwise once every `heartbeat`. This is for development
	/// chains. There is at most one block per second, because H_s is in seconds and must grow.
	OnDemand {
		/// The maximum time between two blocks.
		heartbeat: Duration,
	},
}

/// The miner's choices.
#[derive(Clone, Debug)]
pub struct AuthorConfig {
	/// H_c: the account that earns the reward.
	pub beneficiary: AccountId,
	/// H_x: any bytes, at most [`digest::MAX_EXTRA_DATA`] of them.
	pub extra_data: Vec<u8>,
	/// The gas limit to approach as fast as the rules allow, in gas.
	pub gas_target: u64,
	/// The maximum size of a block's body, in bytes.
	pub block_size_limit: usize,
	/// When to mine.
	pub pace: Pace,
	/// Whether to mine even without peers.
	pub force: bool,
}

/// What an [`Author`] works with.
pub struct AuthorParts<I, C, B, SC, E, P, SO> {
	/// Receives the templates.
	pub sealer: Sealer<I, C>,
	/// Where the author looks for uncles.
	pub blocks: Arc<B>,
	/// Selects the block to mine on.
	pub select_chain: SC,
	/// Proposes blocks.
	pub proposers: E,
	/// The transactions to mine.
	pub pool: Arc<P>,
	/// Reports whether the node is syncing or offline.
	pub sync: SO,
	/// The miner's choices.
	pub config: AuthorConfig,
}

/// Keeps the [`Sealer`] supplied with an up-to-date template.
pub struct Author<I, C, B, SC, E, P, SO> {
	parts: AuthorParts<I, C, B, SC, E, P, SO>,
	/// Whether the first sync is done. From then on, a peer that claims a higher chain does not stop
	/// mining.
	was_synced: bool,
}

/// What the author needs to know about the blocks in the database. Every backend implements it.
pub trait BlockTree: Send + Sync {
	/// Returns the children of `block`.
	///
	/// # Errors
	///
	/// Returns the database's error.
	fn children(&self, block: Hash) -> sp_blockchain::Result<Vec<Hash>>;
}

impl<B: Backend<Block>> BlockTree for B {
	fn children(&self, block: Hash) -> sp_blockchain::Result<Vec<Hash>> {
		self.blockchain().children(block)
	}
}

/// What the author needs to know about the waiting transactions. Every transaction pool implements it.
pub trait Pool: Send + Sync {
	/// Returns how many transactions are ready for the next block.
	fn ready(&self) -> usize;

	/// Returns an item for every transaction that arrives from now on.
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

/// The author's work on one parent.
struct Round {
	parent: Hash,
	/// When to mine even if no transaction is waiting.
	due: Instant,
	/// When the last template was built, if there is one.
	built: Option<Instant>,
	/// Whether transactions or possible uncles have arrived since then.
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
	/// Creates an author that works with these parts.
	pub fn new(parts: AuthorParts<I, C, B, SC, E, P, SO>) -> Self {
		Self {
			parts,
			was_synced: false,
		}
	}

	/// Runs until the client is dropped.
	pub async fn run(self)
	where
		C: BlockchainEvents<Block>,
	{
		let client = self.parts.sealer.chain().client();
		let imports = client.import_notification_stream();
		self.run_on(imports.map(|import| import.is_new_best)).await
	}

	/// Runs until `imports` ends. The stream has one item per imported block: whether it is the new best
	/// block.
	pub(crate) async fn run_on(mut self, imports: impl Stream<Item = bool> + Unpin) {
		let mut imports = imports.fuse();
		let mut transactions = self.parts.pool.arrivals().fuse();
		let mut round = None;
		loop {
			// Blocks that have been imported up to now are already in the database.
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
							RETRY
						}),
						import = imports.next() => match import {
							None => return,
							// A template on the old best block is not worth finishing.
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
					// A block that is not the best may be an uncle to name.
					Some(is_new_best) => !is_new_best,
				},
				_ = transactions.next() => true,
				() = timer => false,
			};
			set_outdated(&mut round, outdated);
		}
	}

	/// Brings the current job up to date, and returns how long it stays up to date if nothing happens.
	async fn step(&mut self, round: &mut Option<Round>) -> Result<Duration, Failure> {
		// "Syncing" means that most peers claim a much higher chain. Claims cost nothing, so hostile peers
		// could keep all miners idle with false ones for as long as they like.
		let (offline, syncing) = (
			self.parts.sync.is_offline(),
			self.parts.sync.is_major_syncing(),
		);
		self.was_synced |= !offline && !syncing;
		if (syncing && !self.was_synced) || (offline && !self.parts.config.force) {
			self.parts.sealer.withdraw();
			*round = None;
			return Ok(RETRY);
		}
		if self.parts.sealer.is_importing() {
			// The best block is about to change.
			return Ok(IMPORT_TIME);
		}
		let parent_header = self.parts.select_chain.best_chain().await?;
		let parent = parent_header.hash();
		let now = Instant::now();
		let round = match round {
			Some(round) if round.parent == parent => round,
			other => {
				self.parts.sealer.withdraw();
				let due = match self.parts.config.pace {
					// A node that has just started makes its first block at once.
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
		let ahead = match self.parts.config.pace {
			// Peers accept a block that is at most this far ahead of the clock.
			Pace::Continuous => ALLOWED_FUTURE_SECONDS,
			Pace::OnDemand { .. } => {
				if self.parts.pool.ready() == 0 && now < round.due {
					return Ok(round.due - now);
				}
				0
			}
		};
		// H_s is at least one above the parent's, so blocks that come faster than one per second must wait.
		let parent_time = self.parts.sealer.chain().parent(parent)?.timestamp;
		let earliest = parent_time.saturating_add(1).saturating_sub(ahead);
		let earliest = Duration::from_secs(earliest);
		let clock = Duration::from_millis(unix_now_millis());
		if clock < earliest {
			return Ok((earliest - clock).min(RETRY));
		}

		self.build(parent_header).await?;
		round.built = Some(Instant::now());
		round.outdated = false;
		Ok(REBUILD_FOR_TIME)
	}

	/// Fixes H_c, H_d, H_l, H_s, H_o and H_x, proposes the block, and publishes it as a job.
	async fn build(&mut self, parent_header: Header) -> Result<(), Failure> {
		let chain = self.parts.sealer.chain();
		let parent = chain.parent(parent_header.hash())?;
		let uncles =
			chain.uncle_candidates(parent.hash, |block| self.parts.blocks.children(block))?;
		let timestamp = unix_now().max(parent.timestamp.saturating_add(1));
		let difficulty = rules::difficulty(chain.parameters(), &parent, timestamp);
		let pre = PreDigest {
			beneficiary: self.parts.config.beneficiary.clone(),
			difficulty,
			gas_limit: rules::next_gas_limit(parent.gas_limit, self.parts.config.gas_target),
			timestamp,
			uncles_hash: digest::uncles_hash(&uncles),
			extra_data: self.parts.config.extra_data.clone(),
		};

		let mut inherent_data = InherentData::new();
		let millis = timestamp.saturating_mul(1000);
		sp_timestamp::InherentDataProvider::new(millis.into())
			.provide_inherent_data(&mut inherent_data)
			.await?;
		inherent_data.put_data(UNCLES_INHERENT_IDENTIFIER, &uncles)?;

		let proposer = self
			.parts
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
				block_size_limit: Some(self.parts.config.block_size_limit),
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
		self.parts.sealer.publish(job, proposal);
		Ok(())
	}
}

fn set_outdated(round: &mut Option<Round>, outdated: bool) {
	if let Some(round) = round {
		round.outdated |= outdated;
	}
}

/// Why a template was not built.
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
