// SPDX-License-Identifier: Apache-2.0
//! Builds block templates: decides when there is something to mine, and fixes the header's fields before
//! the block is proposed.
//!
//! On a new best block, miners first get a template without transactions, which takes some milliseconds, and
//! then the full one, which takes up to two seconds. Otherwise they would be idle meanwhile, and a miner of empty
//! blocks would have an advantage.

use crate::{
	chain::ChainClient,
	choices::MinerChoices,
	clock::{unix_now, unix_now_millis},
	error::CheckError,
	metrics::Contents,
	rate_limit::RateLimitedLog,
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
	Block, BlockNumber, Hash, Header,
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
use tokio::sync::watch;

/// The minimum time between two templates on the same parent while transactions arrive.
const REBUILD_FOR_TRANSACTIONS: Duration = Duration::from_secs(2);
/// After this time a template is rebuilt, so that its timestamp is not too old.
const REBUILD_FOR_TIME: Duration = Duration::from_secs(5);
/// The wait before the next try while syncing or offline, or after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// The wait before the next try while a block of our own is being imported.
const IMPORT_TIME: Duration = Duration::from_millis(5);
/// The maximum time for building a full template.
const BUILD_TIME: Duration = Duration::from_secs(2);
/// A node whose best block is not older than this, in seconds, is in step with the network, whatever heights
/// its peers claim.
const RECENT: u64 = 300;

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

/// What stays as it is while the node runs.
#[derive(Clone, Debug)]
pub struct AuthorConfig {
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
	/// Proposes blocks. A proposer that is given no time at all adds no transactions.
	pub proposers: E,
	/// The transactions to mine.
	pub pool: Arc<P>,
	/// Reports whether the node is syncing or offline.
	pub sync: SO,
	/// The miner's choices. A change takes effect in the next template, two seconds later at most.
	pub choices: watch::Receiver<MinerChoices>,
	/// What stays as it is while the node runs.
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
	/// Whether miners have a template on this parent, at least the empty one.
	started: bool,
	/// When the last full template was built, if there is one.
	built: Option<Instant>,
	/// Whether transactions, possible uncles or other choices have arrived since then.
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
		let mut changes = futures::stream::select(
			self.parts.pool.arrivals(),
			changes(self.parts.choices.clone()),
		)
		.fuse();
		let warnings = RateLimitedLog::default();
		let mut round = None;
		// When a new best block arrived on which there is no template yet.
		let mut best_since = None;
		loop {
			// Blocks that have been imported up to now are already in the database.
			let mut outdated = false;
			while let Some(import) = imports.next().now_or_never() {
				match import {
					None => return,
					Some(true) => best_since = Some(Instant::now()),
					Some(false) => outdated = true,
				}
			}
			set_outdated(&mut round, outdated);

			let (mut outdated, mut new_best) = (false, false);
			let wait = {
				let step = self.step(&mut round, &mut best_since).fuse();
				futures::pin_mut!(step);
				loop {
					futures::select! {
						stepped = step => break stepped.unwrap_or_else(|error| {
							if let Some(end) = warnings.may_write("no block template", Instant::now()) {
								log::warn!(target: LOG_TARGET, "no block template: {error}{end}");
							}
							RETRY
						}),
						import = imports.next() => match import {
							None => return,
							// A template on the old best block is not worth finishing.
							Some(true) => {
								new_best = true;
								break Duration::ZERO
							}
							Some(false) => outdated = true,
						},
						_ = changes.next() => outdated = true,
					}
				}
			};
			if new_best {
				best_since = Some(Instant::now());
			}
			set_outdated(&mut round, outdated);
			if wait.is_zero() {
				continue;
			}

			let mut timer = Delay::new(wait).fuse();
			let outdated = futures::select! {
				import = imports.next() => match import {
					None => return,
					Some(true) => {
						best_since = Some(Instant::now());
						false
					}
					// A block that is not the best may be an uncle to name.
					Some(false) => true,
				},
				_ = changes.next() => true,
				() = timer => false,
			};
			set_outdated(&mut round, outdated);
		}
	}

	/// Returns whether this node may mine: it knows the best chain, as far as it can tell, and has peers to
	/// tell about its blocks.
	fn may_mine(&mut self) -> bool {
		if self.parts.config.force {
			return true;
		}
		let offline = self.parts.sync.is_offline();
		// "Syncing" means that peers claim a much higher chain. Claims cost nothing, so hostile peers could
		// keep all miners idle with false ones for as long as they like.
		self.was_synced |= !offline && (!self.parts.sync.is_major_syncing() || self.is_recent());
		self.was_synced && !offline
	}

	/// Returns whether the best block, unless it is the first one, was mined a moment ago.
	fn is_recent(&self) -> bool {
		let chain = self.parts.sealer.chain();
		let best = chain.client().info();
		let oldest = unix_now().saturating_sub(RECENT);
		best.best_number > 0
			&& chain
				.parent(best.best_hash)
				.is_ok_and(|best| best.timestamp >= oldest)
	}

	/// Brings the current job up to date, and returns how long it stays up to date if nothing happens.
	async fn step(
		&mut self,
		round: &mut Option<Round>,
		best_since: &mut Option<Instant>,
	) -> Result<Duration, Failure> {
		if !self.may_mine() {
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
					started: false,
					built: None,
					outdated: false,
				})
			}
		};
		if let Some(wait) = self.wait(round, now)? {
			return Ok(wait);
		}

		// On demand, an empty block is not worth making while transactions wait.
		if self.parts.config.pace == Pace::Continuous && !round.started {
			self.build(&parent_header, Contents::Empty).await?;
			round.started = true;
			if let Some(since) = best_since.take() {
				self.note_delay(parent_header.number, since.elapsed());
			}
		}
		self.build(&parent_header, Contents::Full).await?;
		round.started = true;
		round.built = Some(Instant::now());
		round.outdated = false;
		Ok(REBUILD_FOR_TIME)
	}

	/// Returns how long to wait before the next template on the round's parent, or `None` if it is time.
	fn wait(&self, round: &Round, now: Instant) -> Result<Option<Duration>, Failure> {
		if let Some(built) = round.built {
			let keep = if round.outdated {
				REBUILD_FOR_TRANSACTIONS
			} else {
				REBUILD_FOR_TIME
			};
			if now < built + keep {
				return Ok(Some(built + keep - now));
			}
		}
		let ahead = match self.parts.config.pace {
			// Peers accept a block that is at most this far ahead of the clock.
			Pace::Continuous => ALLOWED_FUTURE_SECONDS,
			Pace::OnDemand { .. } => {
				if self.parts.pool.ready() == 0 && now < round.due {
					return Ok(Some(round.due - now));
				}
				0
			}
		};
		// H_s is at least one above the parent's, so blocks that come faster than one per second must wait.
		let parent_time = self.parts.sealer.chain().parent(round.parent)?.timestamp;
		let earliest = parent_time.saturating_add(1).saturating_sub(ahead);
		let earliest = Duration::from_secs(earliest);
		let clock = Duration::from_millis(unix_now_millis());
		Ok((clock < earliest).then(|| (earliest - clock).min(RETRY)))
	}

	/// Reports how long miners had no work on a new best block.
	fn note_delay(&self, best: BlockNumber, delay: Duration) {
		let metrics = self.parts.sealer.metrics();
		metrics.new_work_seconds.observe(delay.as_secs_f64());
		log::debug!(
			target: LOG_TARGET,
			"work on block #{best} is ready {:.1} ms after its import",
			delay.as_secs_f64() * 1000.0,
		);
	}

	/// Fixes H_c, H_d, H_l, H_s, H_o and H_x, proposes the block, and publishes it as a job.
	async fn build(&mut self, parent_header: &Header, contents: Contents) -> Result<(), Failure> {
		let started = Instant::now();
		let chain = self.parts.sealer.chain();
		let parent = chain.parent(parent_header.hash())?;
		let uncles = match contents {
			// Looking for uncles may take as long as reading seven bodies.
			Contents::Empty => Vec::new(),
			Contents::Full => {
				chain.uncle_candidates(parent.hash, |block| self.parts.blocks.children(block))?
			}
		};
		let choices = self.parts.choices.borrow().clone();
		let miners = chain
			.parameters()
			.at(parent.number.saturating_add(1))
			.miners;
		if !chain.may_mine(parent.hash, miners, &choices.beneficiary)? {
			return Err(CheckError::MayNotMine(choices.beneficiary).into());
		}
		let timestamp = unix_now().max(parent.timestamp.saturating_add(1));
		let difficulty = rules::difficulty(chain.parameters(), &parent, timestamp);
		let pre = PreDigest {
			beneficiary: choices.beneficiary,
			difficulty,
			gas_limit: rules::next_gas_limit(parent.gas_limit, choices.gas_target),
			timestamp,
			uncles_hash: digest::uncles_hash(&uncles),
			extra_data: choices.extra_data,
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
			.init(parent_header)
			.await
			.map_err(|e| Failure::Propose(e.to_string()))?;
		let proposal = proposer
			.propose(ProposeArgs {
				inherent_data,
				inherent_digests: Digest {
					logs: vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
				},
				max_duration: match contents {
					Contents::Empty => Duration::ZERO,
					Contents::Full => BUILD_TIME,
				},
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
		let metrics = self.parts.sealer.metrics();
		metrics.built(contents, started.elapsed());
		log::debug!(
			target: LOG_TARGET,
			"{contents:?} template of block #{} with {} extrinsics, after {} ms",
			job.number,
			proposal.block.extrinsics.len(),
			started.elapsed().as_millis(),
		);
		self.parts.sealer.publish(job, proposal);
		Ok(())
	}
}

/// Returns an item for every change of the miner's choices.
fn changes(mut choices: watch::Receiver<MinerChoices>) -> impl Stream<Item = ()> + Unpin {
	choices.mark_unchanged();
	futures::stream::unfold(choices, |mut choices| async {
		choices.changed().await.ok()?;
		Some(((), choices))
	})
	.boxed()
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
