//! Where templates become blocks: the current job, which miners of all kinds work on, and the block
//! templates that a seal may still complete.
//!
//! What a template holds is the author's matter, and who searches for the seal the miners': the
//! built-in one's threads, or programs of others that ask over RPC.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	HashRate, MiningMetrics, SubmitError, LOG_TARGET,
};
use codec::Encode;
use futures::{channel::mpsc, future::Either, Stream, StreamExt};
use futures_timer::Delay;
use isthmus_ethash::{seed_hash, EPOCH_LENGTH};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	Block, BlockNumber, Hash,
};
use parking_lot::{Condvar, Mutex};
use polkadot_sdk::*;
use sc_consensus::{
	BlockImport, BlockImportParams, ImportResult, StateAction, StorageChanges as ImportChanges,
};
use sp_consensus::{BlockOrigin, Error as ConsensusError, Proposal};
use sp_core::U256;
use sp_runtime::DigestItem;
use std::{
	collections::VecDeque,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::runtime::Handle;

/// How many templates are kept, so that a seal which comes late still makes a block, or an uncle.
const TEMPLATES_KEPT: usize = 8;

/// One task for miners: find a nonce whose result does not exceed the boundary.
#[derive(Debug)]
pub struct Job {
	/// H_#n: the hash to find a seal for. It names the job.
	pub seal_hash: Hash,
	/// The block to mine on.
	pub parent: Hash,
	/// H_i of the block to mine, which decides the epoch.
	pub number: BlockNumber,
	/// H_d of the block to mine.
	pub difficulty: U256,
	/// How many uncles the block names.
	pub uncles: usize,
	/// Raised when the job is out of date and searching on is a waste.
	pub stale: AtomicBool,
}

impl Job {
	/// A job of these facts, which is not stale.
	pub(crate) fn new(
		seal_hash: Hash,
		parent: Hash,
		number: BlockNumber,
		difficulty: U256,
		uncles: usize,
	) -> Self {
		Self {
			seal_hash,
			parent,
			number,
			difficulty,
			uncles,
			stale: AtomicBool::new(false),
		}
	}

	/// ⌊2^256 / H_d⌋, the greatest result that seals the block, big-endian.
	pub fn boundary(&self) -> [u8; 32] {
		isthmus_rules::boundary(self.difficulty).to_big_endian()
	}

	/// The hash by which miners know the epoch and its dataset. Sizes don't tell in it: a chain of
	/// development sizes has the same, and miners that know Ethereum's sizes alone fail on it.
	pub fn epoch_seed(&self) -> [u8; 32] {
		seed_hash(u64::from(self.number) / EPOCH_LENGTH)
	}
}

/// What a good seal made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
	/// The block's hash.
	pub hash: Hash,
	/// H_i.
	pub number: BlockNumber,
	/// Whether it is our best block now. If not, it came late, and may be named as an uncle.
	pub is_new_best: bool,
}

/// A block that lacks nothing but its seal.
struct Template {
	job: Arc<Job>,
	proposal: Proposal<Block>,
}

#[derive(Default)]
struct State {
	current: Option<Arc<Job>>,
	/// Oldest first.
	templates: VecDeque<Template>,
	/// Sealed blocks on their way into the database.
	importing: usize,
	/// Who wants to know of each new job.
	listeners: Vec<mpsc::UnboundedSender<Arc<Job>>>,
}

impl State {
	/// Every job from now on.
	fn listen(&mut self) -> mpsc::UnboundedReceiver<Arc<Job>> {
		// Where no job comes, nobody else would remove those who left.
		self.listeners.retain(|listener| !listener.is_closed());
		let (sender, receiver) = mpsc::unbounded();
		self.listeners.push(sender);
		receiver
	}
}

/// The place where the author puts jobs and miners bring seals. Clones share it.
pub struct Sealer<I, C> {
	chain: Arc<Chain<C>>,
	import: I,
	shared: Arc<Shared>,
}

struct Shared {
	state: Mutex<State>,
	new_job: Condvar,
	hash_rate: HashRate,
	metrics: MiningMetrics,
}

impl<I: Clone, C> Clone for Sealer<I, C> {
	fn clone(&self) -> Self {
		Self {
			chain: self.chain.clone(),
			import: self.import.clone(),
			shared: self.shared.clone(),
		}
	}
}

impl<I, C> Sealer<I, C>
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient,
{
	/// Sealed blocks are imported by `import`.
	pub fn new(chain: Arc<Chain<C>>, import: I, metrics: MiningMetrics) -> Self {
		let shared = Shared {
			state: Mutex::new(State::default()),
			new_job: Condvar::new(),
			hash_rate: HashRate::default(),
			metrics,
		};
		Self {
			chain,
			import,
			shared: Arc::new(shared),
		}
	}

	/// The chain that is mined on.
	pub fn chain(&self) -> &Arc<Chain<C>> {
		&self.chain
	}

	/// How fast this node's miners are.
	pub fn hash_rate(&self) -> &HashRate {
		&self.shared.hash_rate
	}

	/// What is counted.
	pub fn metrics(&self) -> &MiningMetrics {
		&self.shared.metrics
	}

	/// The job that miners work on now.
	pub fn current(&self) -> Option<Arc<Job>> {
		self.shared.state.lock().current.clone()
	}

	/// Every job from now on. Whoever is slow should look for the last one that waits.
	pub fn jobs(&self) -> impl Stream<Item = Arc<Job>> + Send + Unpin + 'static {
		self.shared.state.lock().listen()
	}

	/// The job that miners work on now, or the next one where there is none, if it comes within
	/// `patience`. There is none in the moments between a new best block and the template on it.
	pub async fn wait_for_current(&self, patience: Duration) -> Option<Arc<Job>> {
		let mut jobs = {
			let mut state = self.shared.state.lock();
			match &state.current {
				Some(job) => return Some(job.clone()),
				None => state.listen(),
			}
		};
		match futures::future::select(jobs.next(), Delay::new(patience)).await {
			Either::Left((job, _)) => job,
			Either::Right(_) => None,
		}
	}

	/// Puts up a new job, and calls the miners off the old one.
	pub(crate) fn publish(&self, job: Job, proposal: Proposal<Block>) {
		let job = Arc::new(job);
		let mut state = self.shared.state.lock();
		if state.templates.len() == TEMPLATES_KEPT {
			state.templates.pop_front();
		}
		state.templates.push_back(Template {
			job: job.clone(),
			proposal,
		});
		state
			.listeners
			.retain(|listener| listener.unbounded_send(job.clone()).is_ok());
		if let Some(old) = state.current.replace(job) {
			old.stale.store(true, Ordering::Relaxed);
		}
		self.shared.metrics.templates.inc();
		self.shared.new_job.notify_all();
	}

	/// Takes the current job down and calls the miners off it. Its template is kept.
	pub(crate) fn withdraw(&self) {
		if let Some(old) = self.shared.state.lock().current.take() {
			old.stale.store(true, Ordering::Relaxed);
		}
	}

	/// Whether a sealed block is on its way into the database.
	pub(crate) fn is_importing(&self) -> bool {
		self.shared.state.lock().importing > 0
	}

	/// Waits, blocking the thread, until there is a job that is not stale, or for at most `patience`.
	pub(crate) fn wait_for_job(&self, patience: Duration) -> Option<Arc<Job>> {
		let mut state = self.shared.state.lock();
		if state.current.is_none() {
			self.shared.new_job.wait_for(&mut state, patience);
		}
		state.current.clone()
	}

	/// Completes the template named by `seal_hash` with a seal, checks it by the same rules as any
	/// block from the network, and imports it. Says what became of it.
	///
	/// # Errors
	///
	/// [`SubmitError::UnknownWork`] where no template has this name any more,
	/// [`SubmitError::Refused`] where the seal is no proof of work for it (the template is kept for
	/// a better one), [`SubmitError::Import`] and [`SubmitError::NotImported`] where import failed.
	pub async fn submit(&self, seal_hash: Hash, seal: Seal) -> Result<Mined, SubmitError>
	where
		I: Clone + 'static,
	{
		let sealer = self.clone();
		let submission = async move { sealer.submit_here(seal_hash, seal).await };
		// A miner that hangs up drops the future that it waits for, and the block must not go with it.
		match Handle::try_current() {
			Ok(runtime) => runtime.spawn(submission).await.unwrap_or_else(|stopped| {
				Err(SubmitError::Import(ConsensusError::Other(stopped.into())))
			}),
			Err(_) => submission.await,
		}
	}

	async fn submit_here(&self, seal_hash: Hash, seal: Seal) -> Result<Mined, SubmitError> {
		let submitted = self.complete(seal_hash, seal).await;
		let metrics = &self.shared.metrics;
		match &submitted {
			Ok(mined) if mined.is_new_best => {
				metrics.best_blocks.inc();
				log::info!(target: LOG_TARGET, "⛏️  Mined block #{} ({})", mined.number, mined.hash);
			}
			Ok(mined) => {
				metrics.side_blocks.inc();
				log::info!(
					target: LOG_TARGET,
					"⛏️  Mined block #{} ({}), too late to be the best one; it may become an uncle",
					mined.number,
					mined.hash,
				);
			}
			Err(SubmitError::UnknownWork(_)) => metrics.unknown_seals.inc(),
			Err(SubmitError::Refused(_)) => metrics.refused_seals.inc(),
			Err(SubmitError::Import(_) | SubmitError::NotImported(_)) => metrics.lost_blocks.inc(),
		}
		submitted
	}

	async fn complete(&self, seal_hash: Hash, seal: Seal) -> Result<Mined, SubmitError> {
		let header = {
			let state = self.shared.state.lock();
			let template = find(&state, seal_hash).ok_or(SubmitError::UnknownWork(seal_hash))?;
			state.templates[template].proposal.block.header.clone()
		};
		let item = DigestItem::Seal(POW_ENGINE_ID, seal.encode());
		let mut sealed = header.clone();
		sealed.digest.push(item.clone());
		self.chain
			.check_header(&sealed, unix_now())
			.map_err(SubmitError::Refused)?;

		let Template { job, proposal } = {
			let mut state = self.shared.state.lock();
			let template = find(&state, seal_hash).ok_or(SubmitError::UnknownWork(seal_hash))?;
			if state
				.current
				.as_ref()
				.is_some_and(|job| job.seal_hash == seal_hash)
			{
				state.current = None;
			}
			// The position was found under this same lock.
			let template = state
				.templates
				.remove(template)
				.ok_or(SubmitError::UnknownWork(seal_hash))?;
			state.importing += 1;
			template
		};
		let _importing = Importing(&self.shared);
		job.stale.store(true, Ordering::Relaxed);

		let hash = sealed.hash();
		let mut params = BlockImportParams::new(BlockOrigin::Own, header);
		params.post_digests.push(item);
		params.post_hash = Some(hash);
		params.body = Some(proposal.block.extrinsics);
		params.state_action =
			StateAction::ApplyChanges(ImportChanges::Changes(proposal.storage_changes));
		let result = self
			.import
			.import_block(params)
			.await
			.map_err(SubmitError::Import)?;
		let ImportResult::Imported(imported) = result else {
			return Err(SubmitError::NotImported(result));
		};
		self.shared.metrics.uncles_named.inc_by(job.uncles as u64);
		Ok(Mined {
			hash,
			number: job.number,
			is_new_best: imported.is_new_best,
		})
	}
}

/// Counts an import until it ends, however it ends.
struct Importing<'a>(&'a Shared);

impl Drop for Importing<'_> {
	fn drop(&mut self) {
		self.0.state.lock().importing -= 1;
	}
}

fn find(state: &State, seal_hash: Hash) -> Option<usize> {
	state
		.templates
		.iter()
		.position(|template| template.job.seal_hash == seal_hash)
}
