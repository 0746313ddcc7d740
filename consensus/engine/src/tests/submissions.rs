// SPDX-License-Identifier: Apache-2.0
//! Tests the sealer with seals that miners submit.

use super::{
	fork_choice::{pipeline, TestImport},
	mock::*,
};
use crate::{CpuMiner, Job, Mined, MiningMetrics, Sealer, SubmitError};
use futures::{executor::block_on, FutureExt, StreamExt};
use isthmus_ethash::Boundary;
use isthmus_primitives::{
	digest::{self, Seal},
	Block, Hash,
};
use polkadot_sdk::*;
use sc_consensus::{BlockCheckParams, BlockImport, BlockImportParams, ImportResult, StateAction};
use sp_blockchain::HeaderBackend;
use sp_consensus::{BlockOrigin, Error as ConsensusError, Proposal};
use std::{
	num::NonZeroU64,
	sync::{atomic::Ordering, Arc},
	time::Duration,
};

pub(super) type TestSealer = Sealer<TestImport, TestClient>;

/// Returns a sealer on a chain that has only its genesis block.
pub(super) fn sealer() -> TestSealer {
	let chain = chain(parameters());
	let import = pipeline(&chain);
	Sealer::new(chain, import, MiningMetrics::new(None).unwrap())
}

/// Publishes a template on the best block, and returns its seal hash.
fn publish<I>(sealer: &Sealer<I, TestClient>, variant: u8) -> Hash
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
{
	let chain = sealer.chain();
	let parent = chain.client().info().best_hash;
	let draft = Draft::on(chain, parent, 13).variant(variant);
	let header = draft.unsealed();
	let seal_hash = digest::seal_hash(&header);
	let job = Job::new(seal_hash, parent, draft.number, draft.pre.difficulty, 0);
	let block = Block {
		header,
		extrinsics: vec![],
	};
	sealer.publish(
		job,
		Proposal {
			block,
			storage_changes: Default::default(),
		},
	);
	seal_hash
}

pub(super) fn good_seal(seal_hash: Hash) -> Seal {
	let found = find_seal(seal_hash, 64.into());
	Seal {
		mix_hash: found.output.mix_hash.into(),
		nonce: found.nonce,
	}
}

#[test]
fn a_good_seal_makes_a_block_once() {
	let sealer = sealer();
	let seal_hash = publish(&sealer, 1);
	let job = sealer.current().unwrap();
	assert_eq!(job.seal_hash, seal_hash);
	let mined = block_on(sealer.submit(seal_hash, good_seal(seal_hash))).unwrap();
	let hash = sealer.chain().client().info().best_hash;
	assert_eq!(
		mined,
		Mined {
			hash,
			number: 1,
			is_new_best: true
		}
	);
	assert!(sealer.current().is_none());
	assert!(job.stale.load(Ordering::Relaxed));
	assert!(matches!(
		block_on(sealer.submit(seal_hash, good_seal(seal_hash))),
		Err(SubmitError::UnknownWork(hash)) if hash == seal_hash
	));
	let metrics = sealer.metrics();
	assert_eq!((metrics.templates.get(), metrics.best_blocks.get()), (1, 1));
	assert_eq!(metrics.unknown_seals.get(), 1);
}

/// An import that waits until the test releases its lock.
#[derive(Clone)]
struct GatedImport(TestImport, Arc<futures::lock::Mutex<()>>);

#[async_trait::async_trait]
impl BlockImport<Block> for GatedImport {
	type Error = ConsensusError;

	async fn check_block(
		&self,
		block: BlockCheckParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		self.0.check_block(block).await
	}

	async fn import_block(
		&self,
		block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		let _gate = self.1.lock().await;
		self.0.import_block(block).await
	}
}

#[test]
fn a_block_is_imported_even_if_its_miner_disconnects() {
	let chain = chain(parameters());
	let gate = Arc::new(futures::lock::Mutex::new(()));
	let import = GatedImport(pipeline(&chain), gate.clone());
	let sealer = Sealer::new(chain, import, MiningMetrics::new(None).unwrap());
	let seal_hash = publish(&sealer, 1);
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(1)
		.enable_time()
		.build()
		.unwrap();
	runtime.block_on(async {
		let closed = gate.lock().await;
		let submission = sealer.submit(seal_hash, good_seal(seal_hash));
		let patience = Duration::from_millis(30);
		assert!(tokio::time::timeout(patience, submission).await.is_err());
		drop(closed);
		for _ in 0..1200 {
			if sealer.metrics().best_blocks.get() == 1 {
				break;
			}
			tokio::time::sleep(Duration::from_millis(100)).await;
		}
	});
	assert_eq!(sealer.chain().client().info().best_number, 1);
	assert_eq!(sealer.metrics().best_blocks.get(), 1);
	assert!(!sealer.is_importing());
}

#[test]
fn a_mined_block_does_not_wait_until_another_is_executed() {
	let chain = chain(parameters());
	let import = pipeline(&chain);
	let sealer = Sealer::new(
		chain.clone(),
		import.clone(),
		MiningMetrics::new(None).unwrap(),
	);
	let genesis = chain.client().info().genesis_hash;
	let mut header = Draft::on(&chain, genesis, 13).variant(9).mine();
	let seal_hash = publish(&sealer, 1);
	let (sender, mined) = std::sync::mpsc::channel();
	*chain.client().while_executing.lock() = Some(Box::new(move || {
		// If import held its lock here, this would not be ready.
		let submission = sealer.submit(seal_hash, good_seal(seal_hash));
		let mined = submission.now_or_never().map(|mined| mined.unwrap());
		sender.send(mined).unwrap();
	}));
	let seal = header.digest.pop();
	let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header);
	block.post_digests.extend(seal);
	block.body = Some(vec![]);
	block.state_action = StateAction::Execute;
	block_on(import.import_block(block)).unwrap();
	let mined = mined.recv().unwrap().unwrap();
	assert!(mined.is_new_best);
}

#[test]
fn an_invalid_seal_is_rejected_and_the_work_is_kept() {
	let sealer = sealer();
	let seal_hash = publish(&sealer, 1);
	let good = good_seal(seal_hash);
	for seal in [
		Seal {
			nonce: good.nonce ^ 1,
			..good
		},
		Seal {
			nonce: good.nonce ^ 1,
			mix_hash: Hash::zero(),
		},
	] {
		assert!(matches!(
			block_on(sealer.submit(seal_hash, seal)),
			Err(SubmitError::Refused(_))
		));
	}
	assert_eq!(
		sealer.current().map(|job: Arc<Job>| job.seal_hash),
		Some(seal_hash)
	);
	assert!(block_on(sealer.submit(seal_hash, good_seal(seal_hash))).is_ok());
}

#[test]
fn a_wrong_mix_does_not_lose_the_block_of_a_good_nonce() {
	let sealer = sealer();
	let seal_hash = publish(&sealer, 1);
	let seal = Seal {
		mix_hash: Hash::zero(),
		..good_seal(seal_hash)
	};
	assert!(
		block_on(sealer.submit(seal_hash, seal))
			.unwrap()
			.is_new_best
	);
	assert_eq!(sealer.chain().client().info().best_number, 1);
}

#[test]
fn a_late_seal_still_makes_a_block_until_its_template_is_too_old() {
	let sealer = sealer();
	let old = publish(&sealer, 1);
	let old_job = sealer.current().unwrap();
	let new = publish(&sealer, 2);
	assert!(old_job.stale.load(Ordering::Relaxed));
	assert!(block_on(sealer.submit(new, good_seal(new))).is_ok());
	// The late block is a sibling of the block that was just mined.
	assert!(block_on(sealer.submit(old, good_seal(old))).is_ok());
	assert_eq!(sealer.chain().client().info().best_number, 1);

	// Templates of seven heights are kept, however many there are of each: here two of height 2, and then one
	// of each height up to 8.
	let [first, kept] = [3, 4].map(|variant| publish(&sealer, variant));
	let mut seal_hash = kept;
	for variant in 5..11 {
		block_on(sealer.submit(seal_hash, good_seal(seal_hash))).unwrap();
		seal_hash = publish(&sealer, variant);
	}
	assert_eq!(sealer.current().unwrap().number, 8);
	assert!(block_on(sealer.submit(first, good_seal(first))).is_ok());
}

#[test]
fn a_template_seven_heights_below_the_newest_is_forgotten() {
	let sealer = sealer();
	let first = publish(&sealer, 1);
	let mut seal_hash = publish(&sealer, 2);
	for variant in 3..10 {
		block_on(sealer.submit(seal_hash, good_seal(seal_hash))).unwrap();
		seal_hash = publish(&sealer, variant);
	}
	assert_eq!(sealer.current().unwrap().number, 8);
	assert!(matches!(
		block_on(sealer.submit(first, good_seal(first))),
		Err(SubmitError::UnknownWork(_))
	));
}

#[test]
fn a_template_that_equals_the_current_one_changes_nothing() {
	let sealer = sealer();
	let mut jobs = sealer.jobs();
	let seal_hash = publish(&sealer, 1);
	let job = sealer.current().unwrap();
	assert_eq!(publish(&sealer, 1), seal_hash);
	assert!(!job.stale.load(Ordering::Relaxed));
	assert!(jobs.next().now_or_never().is_some() && jobs.next().now_or_never().is_none());
	block_on(sealer.submit(seal_hash, good_seal(seal_hash))).unwrap();
	assert!(matches!(
		block_on(sealer.submit(seal_hash, good_seal(seal_hash))),
		Err(SubmitError::UnknownWork(_))
	));
}

#[test]
fn a_listener_receives_every_job() {
	let sealer = sealer();
	let mut jobs = sealer.jobs();
	drop(sealer.jobs());
	let published = [1, 2].map(|variant| publish(&sealer, variant));
	let received = [(); 2].map(|()| block_on(jobs.next()).map(|job| job.seal_hash));
	assert_eq!(received, published.map(Some));
}

#[test]
fn the_built_in_miner_mines_within_a_limit_and_counts_its_hashes() {
	let sealer = sealer();
	let mut jobs = sealer.jobs();
	let miner = CpuMiner::start(sealer.clone(), 1, NonZeroU64::new(1_000_000), None).unwrap();
	let mut number = 0;
	while number < 3 {
		publish(&sealer, number as u8);
		block_on(jobs.next()).unwrap();
		// Once the import has ended, the mined block is the best block.
		while sealer.current().is_some() || sealer.is_importing() {
			std::thread::yield_now();
		}
		number += 1;
		assert_eq!(sealer.chain().client().info().best_number, number);
	}
	drop(miner);
	assert!(sealer.hash_rate().tried() >= 3);
	assert_eq!(sealer.metrics().best_blocks.get(), 3);
}

#[test]
fn the_miner_keeps_its_dataset_and_generates_a_broken_one_again() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("ethash-epoch-0");
	let mine = || {
		let sealer = sealer();
		let mut jobs = sealer.jobs();
		let folder = Some(folder.path().to_path_buf());
		let miner = CpuMiner::start(sealer.clone(), 1, None, folder).unwrap();
		publish(&sealer, 0);
		block_on(jobs.next()).unwrap();
		while sealer.current().is_some() || sealer.is_importing() {
			std::thread::yield_now();
		}
		drop(miner);
		std::fs::read(&path).unwrap()
	};
	// Files of an earlier epoch are removed.
	let old = folder.path().join("ethash-epoch-7.partial");
	std::fs::write(&old, b"old").unwrap();
	std::fs::write(folder.path().join("other"), b"not ours").unwrap();
	let made = mine();
	assert!(!old.exists() && folder.path().join("other").exists());

	// An intact file is read and not written again.
	let written = std::fs::metadata(&path).unwrap().modified().unwrap();
	assert_eq!(mine(), made);
	assert_eq!(
		std::fs::metadata(&path).unwrap().modified().unwrap(),
		written
	);

	let mut broken = made.clone();
	broken[1_000] ^= 1;
	std::fs::write(&path, broken).unwrap();
	assert_eq!(mine(), made);
}

#[test]
fn a_miner_that_asks_between_two_jobs_gets_the_next_one_or_none_in_time() {
	let sealer = sealer();
	assert!(block_on(sealer.wait_for_current(Duration::ZERO)).is_none());
	let waiting = sealer.clone();
	let asked =
		std::thread::spawn(move || block_on(waiting.wait_for_current(Duration::from_secs(3600))));
	let first = publish(&sealer, 1);
	let got = asked.join().unwrap().map(|job| job.seal_hash);
	assert_eq!(got, Some(first));
	let now = block_on(sealer.wait_for_current(Duration::ZERO)).map(|job| job.seal_hash);
	assert_eq!(now, Some(first));
}

#[test]
fn a_job_has_its_boundary_and_epoch_as_miners_know_them() {
	let job = |number, difficulty: u64| {
		Job::new(Hash::zero(), Hash::zero(), number, difficulty.into(), 0)
	};
	let mut boundary = [0; 32];
	boundary[2] = 0x80;
	assert_eq!(job(1, 1 << 17).boundary().to_bytes(), boundary);
	assert_eq!(job(29_999, 1).boundary(), Boundary::MAX);
	assert_eq!(job(29_999, 1).epoch_seed(), [0; 32]);
	// The second epoch's seed is the KEC256 of 32 zero bytes.
	let second = "290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563";
	assert_eq!(
		job(30_000, 1).epoch_seed(),
		second.parse::<Hash>().unwrap().0
	);
}
