//! Seals that miners bring.

use super::{
	fork_choice::{select_chain, Database},
	mock::*,
};
use crate::{Job, PowBlockImport, SubmitError, Work};
use futures::executor::block_on;
use isthmus_primitives::{
	digest::{self, Seal},
	Block, Hash,
};
use polkadot_sdk::*;
use sc_client_api::in_mem;
use sp_blockchain::HeaderBackend;
use sp_consensus::Proposal;
use std::sync::{
	atomic::{AtomicBool, Ordering},
	Arc,
};

type TestWork = Work<PowBlockImport<Database, in_mem::Backend<Block>, TestClient>, TestClient>;

fn work() -> TestWork {
	let chain = chain(parameters());
	let import = PowBlockImport::new(Database(chain.clone()), select_chain(&chain));
	Work::new(chain, import)
}

/// Publishes a template on the best block, and gives its seal hash.
fn publish(work: &TestWork, variant: u8) -> Hash {
	let chain = work.chain();
	let parent = chain.client().info().best_hash;
	let draft = Draft::on(chain, parent, 13).variant(variant);
	let header = draft.unsealed();
	let seal_hash = digest::seal_hash(&header);
	let job = Job {
		seal_hash,
		parent,
		number: draft.number,
		difficulty: draft.pre.difficulty,
		stale: AtomicBool::new(false),
	};
	let block = Block {
		header,
		extrinsics: vec![],
	};
	work.publish(
		job,
		Proposal {
			block,
			storage_changes: Default::default(),
		},
	);
	seal_hash
}

fn good_seal(seal_hash: Hash) -> Seal {
	let found = find_seal(seal_hash, 64.into());
	Seal {
		mix_hash: found.output.mix_hash.into(),
		nonce: found.nonce,
	}
}

#[test]
fn a_good_seal_makes_a_block_once() {
	let work = work();
	let seal_hash = publish(&work, 1);
	let job = work.current().unwrap();
	assert_eq!(job.seal_hash, seal_hash);
	let result = block_on(work.submit(seal_hash, good_seal(seal_hash))).unwrap();
	assert!(result.is_new_best);
	assert_eq!(work.chain().client().info().best_number, 1);
	assert!(work.current().is_none());
	assert!(job.stale.load(Ordering::Relaxed));
	assert!(matches!(
		block_on(work.submit(seal_hash, good_seal(seal_hash))),
		Err(SubmitError::UnknownWork(hash)) if hash == seal_hash
	));
}

#[test]
fn a_bad_seal_is_refused_and_the_work_stays() {
	let work = work();
	let seal_hash = publish(&work, 1);
	let mut seal = good_seal(seal_hash);
	seal.mix_hash.0[0] ^= 1;
	assert!(matches!(
		block_on(work.submit(seal_hash, seal)),
		Err(SubmitError::Refused(_))
	));
	assert_eq!(
		work.current().map(|job: Arc<Job>| job.seal_hash),
		Some(seal_hash)
	);
	assert!(block_on(work.submit(seal_hash, good_seal(seal_hash))).is_ok());
}

#[test]
fn a_late_seal_still_makes_a_block_until_its_template_is_too_old() {
	let work = work();
	let old = publish(&work, 1);
	let old_job = work.current().unwrap();
	let new = publish(&work, 2);
	assert!(old_job.stale.load(Ordering::Relaxed));
	assert!(block_on(work.submit(new, good_seal(new))).is_ok());
	// The late one is a brother of the block just mined.
	assert!(block_on(work.submit(old, good_seal(old))).is_ok());
	assert_eq!(work.chain().client().info().best_number, 1);

	let first = publish(&work, 3);
	for variant in 4..12 {
		publish(&work, variant);
	}
	assert!(matches!(
		block_on(work.submit(first, good_seal(first))),
		Err(SubmitError::UnknownWork(_))
	));
}
