// SPDX-License-Identifier: Apache-2.0
//! Tests what import does with blocks that fail, and with blocks that it must not accept.

use super::{fork_choice::select_chain, mock::*};
use crate::{unchecked, Chain, CheckError, PowBlockImport};
use futures::executor::block_on;
use isthmus_primitives::{Block, Header};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::in_mem;
use sc_consensus::{BlockCheckParams, BlockImport, BlockImportParams, ImportResult, StateAction};
use sp_api::ApiError;
use sp_blockchain::HeaderBackend;
use sp_consensus::{BlockOrigin, Error as ConsensusError};
use std::sync::Arc;

/// An import that fails with the test's error and counts its calls.
#[derive(Clone)]
struct Failing {
	error: String,
	tries: Arc<Mutex<u32>>,
}

#[async_trait::async_trait]
impl BlockImport<Block> for Failing {
	type Error = ConsensusError;

	async fn check_block(&self, _: BlockCheckParams<Block>) -> Result<ImportResult, Self::Error> {
		Ok(ImportResult::imported(false))
	}

	async fn import_block(&self, _: BlockImportParams<Block>) -> Result<ImportResult, Self::Error> {
		*self.tries.lock() += 1;
		Err(ConsensusError::ClientImport(self.error.clone()))
	}
}

type TestImport = PowBlockImport<Failing, in_mem::Backend<Block>, TestClient>;

/// Returns a chain, an import on it that fails with this error, and a valid block.
fn failing(error: impl ToString) -> (Arc<Chain<TestClient>>, TestImport, Arc<Mutex<u32>>, Header) {
	let chain = chain(parameters());
	let tries = Arc::new(Mutex::new(0));
	let inner = Failing {
		error: error.to_string(),
		tries: tries.clone(),
	};
	let import = PowBlockImport::new(inner, select_chain(&chain));
	let header = Draft::on(&chain, chain.client().info().genesis_hash, 13).mine();
	(chain, import, tries, header)
}

fn params(header: &Header) -> BlockImportParams<Block> {
	let mut unsealed = header.clone();
	let seal = unsealed.digest.pop().unwrap();
	let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, unsealed);
	block.post_digests.push(seal);
	block.body = Some(vec![]);
	block.state_action = StateAction::ExecuteIfPossible;
	block
}

/// Imports a block in the same way as the import queue, and returns the outcome.
fn offer(import: &TestImport, header: &Header) -> Result<ImportResult, String> {
	let check = BlockCheckParams {
		hash: header.hash(),
		number: header.number,
		parent_hash: header.parent_hash,
		allow_missing_state: true,
		allow_missing_parent: false,
		import_existing: false,
	};
	match block_on(import.check_block(check)) {
		Ok(ImportResult::Imported(_)) => {}
		other => return other.map_err(|e| e.to_string()),
	}
	block_on(import.import_block(params(header))).map_err(|e| e.to_string())
}

#[test]
fn a_block_that_fails_is_never_known_as_bad_and_sync_decides_when_to_retry_it() {
	for error in [
		sp_blockchain::Error::InvalidStateRoot.to_string(),
		"Error at calling runtime api: Execution failed: Execution aborted due to panic: no".into(),
		"Backend error: No space left on device".into(),
	] {
		let (_, import, tries, header) = failing(&error);
		for _ in 0..3 {
			let failed = offer(&import, &header).unwrap_err();
			assert!(failed.contains(&error), "{failed}");
		}
		assert_eq!(*tries.lock(), 3);
	}
}

#[test]
fn a_block_on_which_the_runtime_traps_before_it_is_executed_is_not_imported() {
	let (_, import, tries, header) = failing("");
	let mut block = params(&header);
	let trap = "Execution aborted due to trap: wasm trap: call stack exhausted";
	let error = CheckError::Runtime(ApiError::Application(trap.into()));
	unchecked::mark(&mut block, error);
	let error = block_on(import.import_block(block)).unwrap_err();
	assert!(error.to_string().contains(trap), "{error}");
	assert_eq!(*tries.lock(), 0);
}

#[test]
fn a_block_that_cannot_be_executed_is_not_imported_for_its_weight_alone() {
	let (chain, import, tries, header) = failing("");
	chain.client().pruned.lock().insert(header.parent_hash);
	for _ in 0..3 {
		assert!(matches!(
			offer(&import, &header),
			Ok(ImportResult::MissingState)
		));
	}
	assert_eq!(*tries.lock(), 0);
	assert_eq!(chain.client().info().best_number, 0);
}

#[test]
fn a_block_without_a_body_is_not_imported_for_its_weight_alone() {
	let (chain, import, tries, header) = failing("");
	let mut block = params(&header);
	block.body = None;
	let error = block_on(import.import_block(block)).unwrap_err();
	assert!(error.to_string().contains("body"), "{error}");
	assert_eq!(*tries.lock(), 0);
	assert_eq!(chain.client().info().best_number, 0);
}

/// Another import may have made room meanwhile. The block's sender is not at fault, and sync must ask for the parent, too.
#[test]
fn a_block_whose_parent_is_removed_meanwhile_is_not_taken_for_a_bad_one() {
	for executes in [true, false] {
		let (chain, import, tries, _) = failing("");
		let parent = extend(&chain, chain.client().info().genesis_hash, 13);
		let mut block = params(&Draft::on(&chain, parent, 13).mine());
		let client = chain.client().clone();
		let remove = move || {
			client.gone.lock().insert(parent);
		};
		if executes {
			*chain.client().while_executing.lock() = Some(Box::new(remove));
		} else {
			block.state_action = StateAction::Skip;
			remove();
		}
		let outcome = block_on(import.import_block(block));
		assert!(
			matches!(outcome, Ok(ImportResult::UnknownParent)),
			"executes: {executes}, {outcome:?}"
		);
		assert_eq!(*tries.lock(), 0);
	}
}

#[test]
fn a_block_that_cannot_be_checked_without_its_parent_is_not_taken_for_a_bad_one() {
	let (chain, import, _, _) = failing("");
	let parent = extend(&chain, chain.client().info().genesis_hash, 13);
	let mut block = params(&Draft::on(&chain, parent, 13).mine());
	chain.client().gone.lock().insert(parent);
	unchecked::mark(&mut block, CheckError::UnknownParent(parent));
	let outcome = block_on(import.import_block(block));
	assert!(
		matches!(outcome, Ok(ImportResult::UnknownParent)),
		"{outcome:?}"
	);
}
