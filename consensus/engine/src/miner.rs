// SPDX-License-Identifier: Apache-2.0
//! The built-in CPU miner: threads that search for the current job's nonce with the full Ethash dataset.

use crate::{
	chain::{Chain, ChainClient},
	datasets::{Datasets, Epochs},
	error::SubmitError,
	hash_rate::HashRate,
	sealer::{Job, Sealer},
	throttle::Throttle,
	LOG_TARGET,
};
use isthmus_ethash::{Cache, Dataset, Found};
use isthmus_primitives::{digest::Seal, Block, BlockNumber};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_consensus::BlockImport;
use sp_consensus::Error as ConsensusError;
use std::{
	io,
	num::NonZeroU64,
	path::PathBuf,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	thread::JoinHandle,
	time::Duration,
};

/// How long a thread waits for a job before it checks whether to stop.
const PATIENCE: Duration = Duration::from_millis(500);
/// The maximum number of threads.
pub const MAX_THREADS: usize = 1024;

/// Starts the thread with this index, which runs until the flag is set.
type StartThread = dyn Fn(usize, Arc<AtomicBool>) -> io::Result<JoinHandle<()>> + Send + Sync;

/// The running miner. Dropping it stops its threads.
pub struct CpuMiner {
	threads: Mutex<Vec<Thread>>,
	start: Box<StartThread>,
	datasets: Box<dyn AnyDatasets>,
}

/// One of the miner's threads. Dropping it stops the thread.
struct Thread {
	stop: Arc<AtomicBool>,
	handle: Option<JoinHandle<()>>,
}

impl Drop for Thread {
	fn drop(&mut self) {
		self.stop.store(true, Ordering::Relaxed);
		if let Some(handle) = self.handle.take() {
			// A thread that panicked has already logged it.
			let _ = handle.join();
		}
	}
}

/// The datasets, whatever chain they are for.
trait AnyDatasets: Send + Sync {
	fn set_threads(&self, threads: usize);
	fn stop(&self);
}

impl<E: Epochs> AnyDatasets for Arc<Datasets<E>> {
	fn set_threads(&self, threads: usize) {
		Datasets::set_threads(self, threads);
	}

	fn stop(&self) {
		Datasets::stop(self);
	}
}

impl<C: ChainClient> Epochs for Chain<C> {
	fn epoch(&self, number: BlockNumber) -> u64 {
		Chain::epoch(self, number)
	}

	fn cache(&self, epoch: u64) -> Result<Arc<Cache>, isthmus_ethash::Error> {
		Chain::cache(self, epoch)
	}
}

impl CpuMiner {
	/// Starts `threads` threads on the jobs of `sealer`. Together they try at most `limit` hashes per
	/// second, if there is a limit. If there is a `folder`, the epoch's dataset is kept in it for the next
	/// start, and replaces the dataset of an earlier epoch.
	///
	/// # Errors
	///
	/// Returns the operating system's error if a thread cannot be started.
	pub fn start<I, C>(
		sealer: Sealer<I, C>,
		threads: usize,
		limit: Option<NonZeroU64>,
		folder: Option<PathBuf>,
	) -> io::Result<Self>
	where
		I: BlockImport<Block, Error = ConsensusError> + Clone + Send + Sync + 'static,
		C: ChainClient,
	{
		let metrics = sealer.metrics().clone();
		let datasets = Arc::new(Datasets::new(sealer.chain().clone(), folder, metrics));
		let throttle = Arc::new(Throttle::new(limit));
		let start = {
			let datasets = datasets.clone();
			move |index: usize, stop: Arc<AtomicBool>| {
				let (sealer, datasets) = (sealer.clone(), datasets.clone());
				let throttle = throttle.clone();
				std::thread::Builder::new()
					.name(format!("miner-{index}"))
					.spawn(move || mine(&sealer, &datasets, &throttle, &stop))
			}
		};
		let miner = Self {
			threads: Mutex::default(),
			start: Box::new(start),
			datasets: Box::new(datasets),
		};
		miner.set_threads(threads)?;
		Ok(miner)
	}

	/// Returns the number of threads.
	pub fn threads(&self) -> usize {
		self.threads.lock().len()
	}

	/// Changes the number of threads, to at most [`MAX_THREADS`]. Returns when those that are too many have
	/// stopped.
	///
	/// # Errors
	///
	/// Returns the operating system's error if a thread cannot be started.
	pub fn set_threads(&self, threads: usize) -> io::Result<()> {
		let wanted = threads.min(MAX_THREADS);
		let mut threads = self.threads.lock();
		self.datasets.set_threads(wanted);
		for thread in threads.iter().skip(wanted) {
			thread.stop.store(true, Ordering::Relaxed);
		}
		threads.truncate(wanted);
		while threads.len() < wanted {
			let stop = Arc::<AtomicBool>::default();
			let handle = Some((self.start)(threads.len(), stop.clone())?);
			threads.push(Thread { stop, handle });
		}
		Ok(())
	}

	/// Stops the threads for good, also the one that prepares a dataset.
	pub fn stop(&self) {
		// The threads may be waiting for a dataset that is being prepared.
		self.datasets.stop();
		let mut threads = self.threads.lock();
		for thread in threads.iter() {
			thread.stop.store(true, Ordering::Relaxed);
		}
		threads.clear();
	}
}

impl Drop for CpuMiner {
	fn drop(&mut self) {
		self.stop();
	}
}

fn mine<I, C>(
	sealer: &Sealer<I, C>,
	datasets: &Arc<Datasets<Chain<C>>>,
	throttle: &Throttle,
	stop: &AtomicBool,
) where
	I: BlockImport<Block, Error = ConsensusError> + Clone + Send + Sync + 'static,
	C: ChainClient,
{
	while !stop.load(Ordering::Relaxed) {
		let Some(job) = sealer.wait_for_job(PATIENCE) else {
			continue;
		};
		datasets.follow(job.number);
		let dataset = match datasets.get(job.number, stop) {
			Ok(dataset) => dataset,
			Err(isthmus_ethash::Error::Stopped) => return,
			Err(error) => {
				log::error!(target: LOG_TARGET, "cannot mine block #{}: {error}", job.number);
				std::thread::sleep(PATIENCE);
				continue;
			}
		};
		if let Some(seal) = search(&job, &dataset, throttle, sealer.hash_rate(), stop) {
			match futures::executor::block_on(sealer.submit(job.seal_hash, seal)) {
				Ok(_) => {}
				// Another thread was faster, or a block arrived from the network.
				Err(error @ SubmitError::UnknownWork(_)) => {
					log::debug!(target: LOG_TARGET, "{error}")
				}
				Err(error) => log::warn!(target: LOG_TARGET, "lost a mined block: {error}"),
			}
		}
	}
}

/// Searches from a random nonce until the job is stale, the miner stops, or a seal is found.
fn search(
	job: &Job,
	dataset: &Dataset,
	throttle: &Throttle,
	hash_rate: &HashRate,
	stop: &AtomicBool,
) -> Option<Seal> {
	let boundary = job.boundary();
	let ended = || job.stale.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);
	let mut first: u64 = rand::random();
	while throttle.wait(ended) {
		let round = throttle.round();
		let nonces = first..first.saturating_add(round);
		first = first.wrapping_add(round);
		let searched = dataset.search(&job.seal_hash.0, &boundary, nonces, &job.stale);
		throttle.spend(searched.hashes);
		hash_rate.add(searched.hashes);
		if let Some(Found { nonce, output }) = searched.found {
			return Some(Seal {
				mix_hash: output.mix_hash.into(),
				nonce,
			});
		}
	}
	None
}
