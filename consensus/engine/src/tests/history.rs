// SPDX-License-Identifier: Apache-2.0
//! Tests a node whose history begins with a finalized block instead of genesis.

use super::{fork_choice::select_chain, mock::*};
use crate::{BlockTree, Chain, CheckError, HistoryStart, PowBlockImport, PowVerifier};
use codec::Encode;
use futures::executor::block_on;
use isthmus_primitives::{digest::PowHeader, Block, Hash, Header};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::{backend::NewBlockState, KeyValueStates};
use sc_consensus::{
	BlockCheckParams, BlockImport, BlockImportParams, ForkChoiceStrategy, ImportResult,
	ImportedState, StateAction, StorageChanges, Verifier,
};
use sp_blockchain::HeaderBackend;
use sp_consensus::{BlockOrigin, Error as ConsensusError};
use sp_consensus_grandpa::{ConsensusLog, ScheduledChange, GRANDPA_ENGINE_ID};
use sp_runtime::DigestItem;
use std::sync::Arc;

/// The number of the block with which the history begins.
const START: usize = 8;

/// Returns a chain of 10 blocks, and these blocks, genesis first.
fn chain_of_ten() -> (Arc<Chain<TestClient>>, Vec<Hash>) {
	let chain = chain(parameters());
	let mut blocks = vec![chain.client().info().genesis_hash];
	for _ in 0..10 {
		blocks.push(extend(&chain, blocks[blocks.len() - 1], 13));
	}
	(chain, blocks)
}

/// Removes the blocks below the first one of the history, except genesis.
fn forget(chain: &Chain<TestClient>, blocks: &[Hash]) -> HistoryStart {
	let below = blocks[1..START].iter().rev();
	let below = below.map(|hash| chain.client().header(*hash).unwrap().unwrap());
	let start = HistoryStart {
		hash: blocks[START],
		below: below.collect(),
	};
	chain.client().gone.lock().extend(&blocks[1..START]);
	start
}

fn verify(
	chain: &Arc<Chain<TestClient>>,
	block: BlockImportParams<Block>,
) -> Result<BlockImportParams<Block>, String> {
	block_on(PowVerifier::new(chain.clone()).verify(block))
}

#[test]
fn uncles_from_below_the_history_are_checked_by_the_headers_that_are_kept() {
	let (chain, blocks) = chain_of_ten();
	// A brother of the block below the first one.
	let uncle = Draft::on(&chain, blocks[START - 2], 13).variant(9).mine();
	let draft = Draft::on(&chain, blocks[10], 13).naming(vec![uncle]);
	let false_uncle = Draft::on(&chain, blocks[START - 2], 13).variant(8);
	let mut false_uncle = false_uncle.mine();
	false_uncle.extrinsics_root = Hash::repeat_byte(3);
	let false_draft = Draft::on(&chain, blocks[10], 13).naming(vec![false_uncle]);
	let start = forget(&chain, &blocks);
	let offered = |draft: &Draft| {
		let header = PowHeader::read(&draft.mine()).unwrap();
		let checked = chain.check_uncles(&header, Some(&draft.body()), u64::MAX);
		checked.map_err(|error| error.to_string())
	};
	let missing = offered(&draft).unwrap_err();
	assert!(missing.contains("is unknown"), "{missing}");
	chain.begin_history(start).unwrap();
	assert_eq!(offered(&draft), Ok(()));
	let refused = offered(&false_draft).unwrap_err();
	assert!(!refused.contains("is unknown"), "{refused}");
	// Its own blocks name only uncles whose parents it has.
	let candidates = chain.uncle_candidates(blocks[10], |block| chain.client().children(block));
	assert_eq!(candidates.unwrap(), []);
}

#[test]
fn the_first_block_of_a_history_weighs_nothing_and_the_others_more() {
	let (chain, blocks) = chain_of_ten();
	let start = forget(&chain, &blocks);
	assert_eq!(chain.history_start().unwrap(), 0);
	chain.begin_history(start.clone()).unwrap();
	assert_eq!(chain.history_start().unwrap(), START as u32);
	let standings: Vec<_> = blocks[START..]
		.iter()
		.map(|hash| chain.standing(*hash).unwrap())
		.collect();
	assert_eq!(standings[0].weight.0, 0.into());
	assert!(standings[1].is_better_than(&standings[0]));
	assert!(standings[2].is_better_than(&standings[1]));
	// It is read again after a restart.
	let again = Chain::new(chain.client().clone()).unwrap();
	assert_eq!(again.history_start().unwrap(), START as u32);
	assert_eq!(
		again.parent(start.below[0].hash()).unwrap().number,
		START as u32 - 1
	);
}

#[test]
fn a_warp_sync_that_was_interrupted_does_not_matter_to_a_node_that_began_with_genesis() {
	let (chain, blocks) = chain_of_ten();
	let before = chain.standing(blocks[START]).unwrap();
	let start = forget(&chain, &blocks);
	chain.begin_history(start).unwrap();
	chain.client().gone.lock().clear();
	assert_eq!(chain.history_start().unwrap(), 0);
	assert_eq!(chain.standing(blocks[START]).unwrap(), before);
}

/// The end of an import that keeps the block.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<BlockImportParams<Block>>>>);

#[async_trait::async_trait]
impl BlockImport<Block> for Kept {
	type Error = ConsensusError;

	async fn check_block(&self, _: BlockCheckParams<Block>) -> Result<ImportResult, Self::Error> {
		Ok(ImportResult::imported(false))
	}

	async fn import_block(
		&self,
		block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		*self.0.lock() = Some(block);
		Ok(ImportResult::imported(true))
	}
}

fn with_state(header: &Header) -> BlockImportParams<Block> {
	let mut block = BlockImportParams::new(BlockOrigin::NetworkInitialSync, header.clone());
	block.body = Some(vec![]);
	block.state_action = StateAction::ApplyChanges(StorageChanges::Import(ImportedState {
		block: header.hash(),
		state: KeyValueStates(vec![]),
	}));
	block
}

#[test]
fn a_block_with_its_state_is_imported_only_as_the_first_one_of_the_history() {
	// Another node's chain, of which this one has genesis only.
	let (theirs, blocks) = chain_of_ten();
	let header = theirs.client().header(blocks[START]).unwrap().unwrap();
	let start = forget(&theirs, &blocks);
	let ours = chain(parameters());
	let kept = Kept::default();
	let import = PowBlockImport::new(kept.clone(), select_chain(&ours));

	let block = verify(&ours, with_state(&header)).unwrap();
	let error = block_on(import.import_block(block)).unwrap_err();
	let unknown = CheckError::UnknownParent(header.parent_hash).to_string();
	assert!(error.to_string().contains(&unknown), "{error}");
	assert!(kept.0.lock().is_none());

	ours.begin_history(start).unwrap();
	let block = verify(&ours, with_state(&header)).unwrap();
	block_on(import.import_block(block)).unwrap();
	let block = kept.0.lock().take().unwrap();
	assert_eq!(block.post_hash(), blocks[START]);
	assert_eq!(block.fork_choice, Some(ForkChoiceStrategy::Custom(true)));
	assert_eq!(block.auxiliary.len(), 2);

	// A body that is not the header's, and a header without work.
	let mut other_body = with_state(&header);
	other_body.body = Draft::on(&theirs, blocks[10], 13)
		.naming(vec![header.clone()])
		.body()
		.into();
	assert!(verify(&ours, other_body).is_err());
	let mut other = header;
	other.state_root = Hash::repeat_byte(7);
	assert!(verify(&ours, with_state(&other)).is_err());
}

/// GRANDPA would look for a block that this node does not have, and panic.
#[test]
fn a_restart_of_finality_from_below_the_history_is_not_imported() {
	let (chain, blocks) = chain_of_ten();
	let start = forget(&chain, &blocks);
	chain.begin_history(start).unwrap();
	let kept = Kept::default();
	let import = PowBlockImport::new(kept.clone(), select_chain(&chain));
	let offer = |finalized: u32| {
		let draft = Draft::on(&chain, blocks[10], 13);
		let mut header = draft.unsealed();
		let change = ScheduledChange {
			next_authorities: vec![],
			delay: 0,
		};
		let log = ConsensusLog::ForcedChange(finalized, change).encode();
		header
			.digest
			.push(DigestItem::Consensus(GRANDPA_ENGINE_ID, log));
		let header = seal(header, draft.pre.difficulty);
		let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header);
		block.body = Some(vec![]);
		block.state_action = StateAction::Skip;
		block_on(import.import_block(block)).map_err(|error| error.to_string())
	};
	for finalized in [0, START as u32 - 1] {
		let refused = offer(finalized).unwrap_err();
		let expected = format!("restarts finality after block {finalized}, and this node has no");
		assert!(refused.contains(&expected), "{refused}");
		assert!(kept.0.lock().is_none());
	}
	offer(START as u32).unwrap();
	assert!(kept.0.lock().take().is_some());
}

#[test]
fn the_headers_below_the_first_block_must_have_their_proof_of_work() {
	let (chain, blocks) = chain_of_ten();
	let mut headers: Vec<_> = blocks[..=START]
		.iter()
		.map(|hash| chain.client().header(*hash).unwrap().unwrap())
		.collect();
	let check = crate::PeerCheck::new(chain.clone());
	assert!(check.run(&headers).is_ok());
	assert!(check.run(&headers[3..]).is_ok());
	assert!(check.run(&[]).is_ok());
	headers[5].state_root = Hash::repeat_byte(7);
	assert!(check.run(&headers[3..]).is_err());
	assert!(check.run(&headers[6..]).is_ok());
	let unused = insert(
		&chain,
		&Draft::on(&chain, blocks[2], 13).variant(3).mine(),
		vec![],
		NewBlockState::Normal,
	);
	let stranger = chain.client().header(unused).unwrap().unwrap();
	assert!(check.run(&[stranger, headers[6].clone()]).is_err());
}
