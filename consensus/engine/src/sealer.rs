// SPDX-License-Identifier: Apache-2.0
//! Turns templates into blocks: keeps the current job, which every miner works on, and the block templates
//! that a seal can still complete.
//!
//! The author decides what a template contains. The built-in miner's threads, or other programs over RPC,
//! search for the seal.

use crate::{
	chain::{Chain, ChainClient},
	clock::unix_now,
	error::{BlockError, SubmitError},
	hash_rate::HashRate,
	metrics::MiningMetrics,
	LOG_TARGET,
};
use codec::Encode;
use futures::{channel::mpsc, future::Either, Stream, StreamExt};
use futures_timer::Delay;
use isthmus_ethash::{seed_hash, Boundary, Output, EPOCH_LENGTH};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	Block, BlockNumber, Difficulty, Hash, Header,
};
use parking_lot::{Condvar, Mutex};
use polkadot_sdk::*;
use sc_consensus::{
	BlockImport, BlockImportParams, ImportResult, StateAction, StorageChanges as ImportChanges,
};
use sp_consensus::{BlockOrigin, Error as ConsensusError, Proposal};
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

/// The number of latest heights whose templates are kept, as in geth. A late seal then still makes a block or an
/// uncle.
const HEIGHTS_KEPT: BlockNumber = 7;
/// The maximum length of all kept bodies together, in bytes.
const BYTES_KEPT: usize = 256 * 1024 * 1024;

/// One task for miners: find a nonce whose result does not exceed the boundary.
#[derive(Debug)]
pub struct Job {
	/// H_#n: the hash to find a seal for. It identifies the job.
	pub seal_hash: Hash,
	/// The block to mine on.
	pub parent: Hash,
	/// H_i of the block to mine, which determines the epoch.
	pub number: BlockNumber,
	/// H_d of the block to mine.
	pub difficulty: Difficulty,
	/// The number of uncles that the block names.
	pub uncles: usize,
	/// Set once the job is outdated, so that miners stop searching.
	pub stale: AtomicBool,
}

impl Job {
	/// Creates a job that is not stale.
	pub(crate) fn new(
		seal_hash: Hash,
		parent: Hash,
		number: BlockNumber,
		difficulty: Difficulty,
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

	/// Returns ⌊2^256 / H_d⌋, the maximum result that seals the block.
	pub fn boundary(&self) -> Boundary {
		isthmus_rules::boundary(self.difficulty)
	}

	/// Returns the hash that identifies the epoch and its dataset to miners. It does not depend on the
	/// sizes: a chain with development sizes has the same hash, and miners that know only Ethereum's sizes
	/// fail on it.
	pub fn epoch_seed(&self) -> [u8; 32] {
		seed_hash(u64::from(self.number) / EPOCH_LENGTH)
	}
}

/// The block that a valid seal completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
	/// The block's hash.
	pub hash: Hash,
	/// H_i.
	pub number: BlockNumber,
	/// Whether it is now our best block. If not, it is late, and may be named as an uncle.
	pub is_new_best: bool,
}

/// A block that lacks only its seal.
struct Template {
	job: Arc<Job>,
	proposal: Proposal<Block>,
	/// The size of the body.
	bytes: usize,
}

#[derive(Default)]
struct Jobs {
	/// The job that miners work on.
	current: Option<Arc<Job>>,
	/// Oldest first.
	templates: VecDeque<Template>,
	/// The number of sealed blocks that are being imported.
	importing: usize,
	/// The receivers of new jobs.
	listeners: Vec<mpsc::UnboundedSender<Arc<Job>>>,
}

impl Jobs {
	/// Subscribes to new jobs.
	fn listen(&mut self) -> mpsc::UnboundedReceiver<Arc<Job>> {
		// Publishing removes closed listeners too, but there may be no new job for a long time.
		self.listeners.retain(|listener| !listener.is_closed());
		let (sender, receiver) = mpsc::unbounded();
		self.listeners.push(sender);
		receiver
	}

	/// Returns whether miners work on the job `seal_hash`.
	fn is_current(&self, seal_hash: Hash) -> bool {
		let current = self.current.as_ref();
		current.is_some_and(|job| job.seal_hash == seal_hash)
	}

	/// Adds a template, and removes those that are too old.
	fn keep(&mut self, template: Template, finalized: BlockNumber) {
		let (number, seal_hash) = (template.job.number, template.job.seal_hash);
		self.templates.retain(|Template { job, .. }| {
			job.seal_hash != seal_hash
				&& job.number > finalized
				&& job.number.saturating_add(HEIGHTS_KEPT) > number
		});
		self.templates.push_back(template);
		let bytes = |templates: &VecDeque<Template>| -> usize {
			templates.iter().map(|template| template.bytes).sum()
		};
		while self.templates.len() > 1 && bytes(&self.templates) > BYTES_KEPT {
			self.templates.pop_front();
		}
	}

	/// Returns the template of the job `seal_hash`.
	fn find(&self, seal_hash: Hash) -> Option<&Template> {
		self.templates
			.iter()
			.find(|template| template.job.seal_hash == seal_hash)
	}

	/// Removes the template of the job `seal_hash` in order to import it, and the job if it is the
	/// current one.
	fn take(&mut self, seal_hash: Hash) -> Option<Template> {
		let index = self
			.templates
			.iter()
			.position(|template| template.job.seal_hash == seal_hash)?;
		let template = self.templates.remove(index)?;
		if self.is_current(seal_hash) {
			self.current = None;
		}
		self.importing += 1;
		Some(template)
	}
}

/// Receives jobs from the author and seals from miners. Clones share the jobs.
pub struct Sealer<I, C> {
	chain: Arc<Chain<C>>,
	import: I,
	shared: Arc<Shared>,
}

struct Shared {
	jobs: Mutex<Jobs>,
	new_job: Condvar,
	/// Held while the mix of a wrong seal is computed.
	mending: Mutex<()>,
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
	/// Creates a sealer that imports sealed blocks with `import`.
	pub fn new(chain: Arc<Chain<C>>, import: I, metrics: MiningMetrics) -> Self {
		let shared = Shared {
			jobs: Mutex::default(),
			new_job: Condvar::new(),
			mending: Mutex::default(),
			hash_rate: HashRate::default(),
			metrics,
		};
		Self {
			chain,
			import,
			shared: Arc::new(shared),
		}
	}

	/// Returns the chain that the miners extend.
	pub fn chain(&self) -> &Arc<Chain<C>> {
		&self.chain
	}

	/// Returns the hash rates of this node's miners.
	pub fn hash_rate(&self) -> &HashRate {
		&self.shared.hash_rate
	}

	/// Returns the metrics of mining.
	pub fn metrics(&self) -> &MiningMetrics {
		&self.shared.metrics
	}

	/// Returns the job that miners work on now.
	pub fn current(&self) -> Option<Arc<Job>> {
		self.shared.jobs.lock().current.clone()
	}

	/// Subscribes to new jobs. A slow receiver should skip to the latest one.
	pub fn jobs(&self) -> impl Stream<Item = Arc<Job>> + Send + Unpin + 'static {
		self.shared.jobs.lock().listen()
	}

	/// Returns the job that miners work on now. If there is none, waits for the next one for at most
	/// `patience`: for a moment between a new best block and the template on it, there is no job.
	pub async fn wait_for_current(&self, patience: Duration) -> Option<Arc<Job>> {
		let mut jobs = {
			let mut jobs = self.shared.jobs.lock();
			match &jobs.current {
				Some(job) => return Some(job.clone()),
				None => jobs.listen(),
			}
		};
		match futures::future::select(jobs.next(), Delay::new(patience)).await {
			Either::Left((job, _)) => job,
			Either::Right(_) => None,
		}
	}

	/// Publishes a new job, and makes the old one stale. A template that equals the current one, because there
	/// was nothing to add, changes nothing.
	pub(crate) fn publish(&self, job: Job, proposal: Proposal<Block>) {
		let job = Arc::new(job);
		let template = Template {
			job: job.clone(),
			bytes: proposal.block.extrinsics.encoded_size(),
			proposal,
		};
		let finalized = self.chain.client().info().finalized_number;
		let mut jobs = self.shared.jobs.lock();
		if jobs.is_current(job.seal_hash) {
			return;
		}
		jobs.keep(template, finalized);
		jobs.listeners
			.retain(|listener| listener.unbounded_send(job.clone()).is_ok());
		if let Some(old) = jobs.current.replace(job) {
			old.stale.store(true, Ordering::Relaxed);
		}
		self.shared.metrics.templates.inc();
		self.shared.new_job.notify_all();
	}

	/// Withdraws the current job and makes it stale. Its template is kept.
	pub(crate) fn withdraw(&self) {
		if let Some(old) = self.shared.jobs.lock().current.take() {
			old.stale.store(true, Ordering::Relaxed);
		}
	}

	/// Returns whether a sealed block is being imported.
	pub(crate) fn is_importing(&self) -> bool {
		self.shared.jobs.lock().importing > 0
	}

	/// Blocks the thread until there is a job that is not stale, for at most `patience`.
	pub(crate) fn wait_for_job(&self, patience: Duration) -> Option<Arc<Job>> {
		let mut jobs = self.shared.jobs.lock();
		if jobs.current.is_none() {
			self.shared.new_job.wait_for(&mut jobs, patience);
		}
		jobs.current.clone()
	}

	/// Computes the hash of a nonce for the block with this number and seal hash, from the epoch's cache.
	///
	/// # Errors
	///
	/// Returns Ethash's error if the epoch's cache cannot be made.
	pub fn hash(
		&self,
		number: BlockNumber,
		seal_hash: Hash,
		nonce: u64,
	) -> Result<Output, isthmus_ethash::Error> {
		let cache = self.chain.cache_for(number)?;
		Ok(cache.light(&seal_hash.0, nonce))
	}

	/// Completes the template of the job `seal_hash` with a seal, checks the block against the same rules
	/// as any block from the network, imports it, and returns it.
	///
	/// # Errors
	///
	/// Returns [`SubmitError::UnknownWork`] if the job's template is no longer kept, [`SubmitError::Refused`]
	/// if the seal is not a proof of work for it (the template is kept for a better seal), and
	/// [`SubmitError::Import`] or [`SubmitError::NotImported`] if the import failed.
	pub async fn submit(&self, seal_hash: Hash, seal: Seal) -> Result<Mined, SubmitError>
	where
		I: Clone + 'static,
	{
		let sealer = self.clone();
		let submission = async move { sealer.submit_here(seal_hash, seal).await };
		// If a miner disconnects, the future that it waits for is dropped. The block must not be lost with
		// it.
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
			Err(SubmitError::Refused(error)) => metrics.refused(error.rule()),
			Err(SubmitError::Import(_) | SubmitError::NotImported(_)) => metrics.lost_blocks.inc(),
		}
		submitted
	}

	async fn complete(&self, seal_hash: Hash, seal: Seal) -> Result<Mined, SubmitError> {
		let unknown = || SubmitError::UnknownWork(seal_hash);
		let header = {
			let jobs = self.shared.jobs.lock();
			let template = jobs.find(seal_hash).ok_or_else(unknown)?;
			template.proposal.block.header.clone()
		};
		let (item, sealed) = self
			.check(seal_hash, &header, seal)
			.map_err(SubmitError::Refused)?;

		// The lock was free during the check, so another miner may have completed the template.
		let taken = self.shared.jobs.lock().take(seal_hash);
		let Template { job, proposal, .. } = taken.ok_or_else(unknown)?;
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

impl<I, C: ChainClient> Sealer<I, C> {
	/// Checks a block with its seal, and returns the seal as an item of the digest, and the sealed header.
	///
	/// The mix follows from the nonce. If only the mix is wrong, the block is not lost: the right one is computed.
	fn check(
		&self,
		seal_hash: Hash,
		header: &Header,
		seal: Seal,
	) -> Result<(DigestItem, Header), BlockError> {
		let with = |seal: &Seal| {
			let item = DigestItem::Seal(POW_ENGINE_ID, seal.encode());
			let mut sealed = header.clone();
			sealed.digest.push(item.clone());
			let checked = self.chain.check_header(&sealed, unix_now());
			checked.map(|_| (item, sealed))
		};
		let refused = match with(&seal) {
			Err(refused @ BlockError::Rejected(_)) => refused,
			checked => return checked,
		};
		// A wrong seal costs its sender nothing, so no more than one is computed at a time.
		let Some(_one_at_a_time) = self.shared.mending.try_lock() else {
			return Err(refused);
		};
		let cache = self.chain.cache_for(header.number);
		let mix_hash = cache.map_or(seal.mix_hash, |cache| {
			cache.light(&seal_hash.0, seal.nonce).mix_hash.into()
		});
		if mix_hash == seal.mix_hash {
			return Err(refused);
		}
		with(&Seal { mix_hash, ..seal }).map_err(|_| refused)
	}
}

/// Counts an import until it ends, however it ends.
struct Importing<'a>(&'a Shared);

impl Drop for Importing<'_> {
	fn drop(&mut self) {
		self.0.jobs.lock().importing -= 1;
	}
}
