// SPDX-License-Identifier: Apache-2.0
//! Tests the fork choice, including ties and finality: the heaviest chain wins, not the longest.

use super::mock::*;
use crate::{Chain, HeaviestChain, PowBlockImport};
use codec::Encode;
use futures::executor::block_on;
use isthmus_primitives::{params::ChainParameters, Block, Hash, Header, TotalDifficulty};
use polkadot_sdk::*;
use sc_client_api::{
	backend::{AuxStore, Backend as _, NewBlockState},
	in_mem,
};
use sc_consensus::{
	BlockCheckParams, BlockImport, BlockImportParams, ForkChoiceStrategy, ImportResult,
};
use sp_blockchain::HeaderBackend;
use sp_consensus::{BlockOrigin, Error as ConsensusError, SelectChain};
use std::sync::Arc;

/// The end of the import pipeline: puts the block into the in-memory database.
#[derive(Clone)]
pub(super) struct Database(pub(super) Arc<Chain<TestClient>>);

#[async_trait::async_trait]
impl BlockImport<Block> for Database {
	type Error = ConsensusError;

	async fn check_block(&self, _: BlockCheckParams<Block>) -> Result<ImportResult, Self::Error> {
		Ok(ImportResult::imported(false))
	}

	async fn import_block(
		&self,
		block: BlockImportParams<Block>,
	) -> Result<ImportResult, Self::Error> {
		let best = block.fork_choice == Some(ForkChoiceStrategy::Custom(true));
		let client = self.0.client();
		client.note(&block.post_header());
		for (key, value) in &block.auxiliary {
			client
				.insert_aux(&[(&key[..], &value.clone().unwrap()[..])], &[])
				.unwrap();
		}
		let state = if best {
			NewBlockState::Best
		} else {
			NewBlockState::Normal
		};
		client
			.backend
			.blockchain()
			.insert(
				block.post_hash(),
				block.post_header(),
				None,
				block.body,
				state,
				true,
			)
			.unwrap();
		Ok(ImportResult::imported(best))
	}
}

/// Returns the selection among a chain's leaves.
pub(super) fn select_chain(
	chain: &Arc<Chain<TestClient>>,
) -> HeaviestChain<in_mem::Backend<Block>, TestClient> {
	HeaviestChain::new(chain.client().backend.clone(), chain.clone())
}

pub(super) type TestImport = PowBlockImport<Database, in_mem::Backend<Block>, TestClient>;

/// Returns the import pipeline of `chain`.
pub(super) fn pipeline(chain: &Arc<Chain<TestClient>>) -> TestImport {
	PowBlockImport::new(Database(chain.clone()), select_chain(chain))
}

fn import(chain: &Arc<Chain<TestClient>>, header: &Header) -> Result<bool, ConsensusError> {
	import_from(chain, BlockOrigin::NetworkBroadcast, header)
}

/// Imports a block and returns whether it became the best one.
fn import_from(
	chain: &Arc<Chain<TestClient>>,
	origin: BlockOrigin,
	header: &Header,
) -> Result<bool, ConsensusError> {
	let import = pipeline(chain);
	let mut unsealed = header.clone();
	let mut block = {
		let seal = unsealed.digest.pop().unwrap();
		let mut block = BlockImportParams::new(origin, unsealed);
		block.post_digests.push(seal);
		block
	};
	block.body = Some(vec![]);
	match block_on(import.import_block(block))? {
		ImportResult::Imported(aux) => Ok(aux.is_new_best),
		other => panic!("{other:?}"),
	}
}

fn genesis(chain: &Chain<TestClient>) -> Hash {
	chain.client().info().genesis_hash
}

#[test]
fn the_heavier_chain_wins_although_it_is_shorter() {
	// From a genesis difficulty of 4096, a slow block takes 99 steps off and a quick one adds one. So
	// eight slow blocks weigh 28,412, and seven quick ones 28,728.
	let chain = chain(ChainParameters {
		genesis_difficulty: 4096.into(),
		..parameters()
	});
	let mine = |count, seconds| {
		let mut tip = genesis(&chain);
		let mut became_best = Vec::new();
		for _ in 0..count {
			let header = Draft::on(&chain, tip, seconds).mine();
			became_best.push(import(&chain, &header).unwrap());
			tip = header.hash();
		}
		(tip, became_best)
	};
	let (slow, became_best) = mine(8, 10_000);
	assert_eq!(became_best, [true; 8]);
	assert_eq!(
		chain.total_difficulty(slow).unwrap(),
		TotalDifficulty((4096 + 28_412).into())
	);
	let (quick, became_best) = mine(7, 1);
	assert_eq!(
		became_best,
		[false, false, false, false, false, false, true]
	);
	assert_eq!(
		chain.total_difficulty(quick).unwrap(),
		TotalDifficulty((4096 + 28_728).into())
	);
	let info = chain.client().info();
	assert_eq!((info.best_hash, info.best_number), (quick, 7));
}

/// Returns the block that a node with this database mines on after a restart.
fn best_after_restart(chain: &Arc<Chain<TestClient>>) -> Hash {
	let chain = Arc::new(Chain::new(chain.client().clone()).unwrap());
	block_on(select_chain(&chain).best_chain()).unwrap().hash()
}

#[test]
fn of_equal_blocks_the_first_seen_stays_in_any_order() {
	for swap in [false, true] {
		let chain = chain(parameters());
		let mut pair =
			[1, 2].map(|byte| Draft::on(&chain, genesis(&chain), 13).variant(byte).mine());
		if swap {
			pair.reverse();
		}
		assert!(import(&chain, &pair[0]).unwrap());
		assert!(!import(&chain, &pair[1]).unwrap());
		assert_eq!(chain.client().info().best_hash, pair[0].hash());
		assert_eq!(best_after_restart(&chain), pair[0].hash());
	}
}

#[test]
fn a_brother_with_an_earlier_timestamp_is_not_better() {
	// From 4096 the difficulty rises by 2 for a block that takes less than 10 s, and falls by 2 after 20 s.
	let chain = chain(ChainParameters {
		genesis_difficulty: 4096.into(),
		..parameters()
	});
	let honest = Draft::on(&chain, genesis(&chain), 25).mine();
	let back_dated = Draft::on(&chain, genesis(&chain), 1).mine();
	assert!(import(&chain, &honest).unwrap());
	assert!(!chain.check_announced(&back_dated, u64::MAX / 2).unwrap());
	assert!(!import(&chain, &back_dated).unwrap());
	let total = |header: &Header| chain.total_difficulty(header.hash()).unwrap();
	assert!(total(&back_dated) > total(&honest));
	assert_eq!(best_after_restart(&chain), honest.hash());
	// The next block decides, on whichever of the two it is.
	let next = Draft::on(&chain, back_dated.hash(), 13).mine();
	assert!(chain.check_announced(&next, u64::MAX / 2).unwrap());
	assert!(import(&chain, &next).unwrap());
}

#[test]
fn an_own_block_comes_before_an_equal_one_that_was_seen_earlier() {
	let chain = chain(parameters());
	let mut blocks =
		[1, 2, 3, 4].map(|byte| Draft::on(&chain, genesis(&chain), 13).variant(byte).mine());
	// Let the hashes speak against each block that must win.
	blocks.sort_by_key(|block| std::cmp::Reverse(block.hash()));
	assert!(import(&chain, &blocks[3]).unwrap());
	assert!(import_from(&chain, BlockOrigin::Own, &blocks[0]).unwrap());
	assert!(!import_from(&chain, BlockOrigin::Own, &blocks[1]).unwrap());
	assert!(!import(&chain, &blocks[2]).unwrap());
	assert_eq!(best_after_restart(&chain), blocks[0].hash());
}

#[test]
fn a_database_of_an_older_version_is_read() {
	let chain = chain(parameters());
	let mut pair = [1, 2].map(|byte| Draft::on(&chain, genesis(&chain), 13).variant(byte).mine());
	pair.sort_by_key(Header::hash);
	let [smaller, larger] = &pair;
	assert!(import(&chain, larger).unwrap());
	assert!(!import(&chain, smaller).unwrap());
	// Older versions kept the total difficulty alone, and of equal blocks preferred the smaller hash.
	for header in &pair {
		let key = [
			b"isthmus:total_difficulty:".as_slice(),
			header.hash().as_bytes(),
		]
		.concat();
		let total = chain.total_difficulty(header.hash()).unwrap().encode();
		assert_eq!(total.len(), 32);
		let entry = (&key[..], &total[..]);
		chain.client().insert_aux(&[entry], &[]).unwrap();
	}
	// Nor did the parameters say who may mine, nor how they change.
	let parameters = chain.parameters().encode();
	let old = &parameters[..parameters.len() - 2];
	let entry = (&b"isthmus:parameters"[..], old);
	chain.client().insert_aux(&[entry], &[]).unwrap();
	assert_eq!(best_after_restart(&chain), smaller.hash());
	// A new block is seen later than all of them.
	let third = Draft::on(&chain, genesis(&chain), 13).variant(3).mine();
	assert!(!import(&chain, &third).unwrap());
	let next = Draft::on(&chain, larger.hash(), 13).mine();
	assert!(import(&chain, &next).unwrap());
}

#[test]
fn a_heavier_fork_without_the_finalized_block_is_kept_but_not_best() {
	let chain = chain(parameters());
	let fork = Draft::on(&chain, genesis(&chain), 13).variant(1).mine();
	let mut fork = insert(&chain, &fork, vec![], NewBlockState::Normal);
	let header = Draft::on(&chain, genesis(&chain), 13).mine();
	let finalized = insert(&chain, &header, vec![], NewBlockState::Final);
	for byte in 2..4 {
		let header = Draft::on(&chain, fork, 13).variant(byte).mine();
		assert!(!import(&chain, &header).unwrap());
		fork = header.hash();
	}
	assert!(chain.client().header(fork).unwrap().is_some());
	assert_eq!(chain.client().info().best_hash, finalized);
	assert_eq!(
		block_on(select_chain(&chain).best_chain()).unwrap().hash(),
		finalized
	);
	// A block that is not higher than the finalized one is not even imported.
	let late = Draft::on(&chain, genesis(&chain), 13).variant(9).mine();
	let error = import(&chain, &late).unwrap_err().to_string();
	assert!(error.contains("finality has ruled out"), "{error}");
	assert!(chain.client().header(late.hash()).unwrap().is_none());
}

#[test]
fn a_block_descends_from_itself_and_its_ancestors_alone() {
	let chain = chain(parameters());
	// A tree of many forks. The best chain moves from one to the other.
	let mut blocks = vec![genesis(&chain)];
	let mut ancestors = vec![vec![blocks[0]]];
	for number in 1..30_usize {
		let parent = (number * 7 + 3) % number;
		let header = Draft::on(&chain, blocks[parent], 13)
			.variant(number as u8)
			.mine();
		let state = match number % 4 {
			0 => NewBlockState::Best,
			_ => NewBlockState::Normal,
		};
		blocks.push(insert(&chain, &header, vec![], state));
		let of_it = [&ancestors[parent][..], &[blocks[number]]].concat();
		ancestors.push(of_it);
	}
	for (block, ancestors) in blocks.iter().zip(&ancestors) {
		for base in &blocks {
			let descends = chain.descends_from(*block, *base).unwrap();
			assert_eq!(descends, ancestors.contains(base), "{block} from {base}");
		}
	}
}

#[test]
fn after_finality_moved_to_another_fork_blocks_compete_with_its_heaviest_leaf() {
	let chain = chain(parameters());
	let ours = extend(&chain, genesis(&chain), 13);
	// The other fork's blocks were imported as not best; then the first of them was finalized.
	let first = Draft::on(&chain, genesis(&chain), 13).variant(1).mine();
	let first_hash = insert(&chain, &first, vec![], NewBlockState::Normal);
	let mut leaf = first_hash;
	for byte in 2..4 {
		let header = Draft::on(&chain, leaf, 13).variant(byte).mine();
		leaf = insert(&chain, &header, vec![], NewBlockState::Normal);
	}
	insert(&chain, &first, vec![], NewBlockState::Final);
	assert_ne!(chain.client().info().best_hash, ours);
	let lighter = Draft::on(&chain, first_hash, 13).variant(7).mine();
	assert!(!import(&chain, &lighter).unwrap());
	let heavier = Draft::on(&chain, leaf, 13).variant(8).mine();
	assert!(import(&chain, &heavier).unwrap());
	assert_eq!(chain.client().info().best_hash, heavier.hash());
}

#[test]
fn after_finality_moved_to_another_fork_its_heaviest_leaf_becomes_the_best_block() {
	let chain = chain(parameters());
	let ours = extend(&chain, genesis(&chain), 13);
	let first = Draft::on(&chain, genesis(&chain), 13).variant(1).mine();
	let first_hash = insert(&chain, &first, vec![], NewBlockState::Normal);
	let mut leaves = Vec::new();
	for (byte, length) in [(2, 1), (3, 3), (4, 2)] {
		let mut leaf = first_hash;
		for _ in 0..length {
			let header = Draft::on(&chain, leaf, 13).variant(byte).mine();
			leaf = insert(&chain, &header, vec![], NewBlockState::Normal);
		}
		leaves.push(leaf);
	}
	let import = pipeline(&chain);
	let restore = || block_on(import.restore_best()).unwrap();
	// While finality agrees with the best block, there is nothing to restore.
	let mut tip = ours;
	for _ in 0..4 {
		tip = extend(&chain, tip, 13);
	}
	assert_eq!(restore(), None);

	// Finality makes the finalized block the client's best block, although three blocks descend from it.
	insert(&chain, &first, vec![], NewBlockState::Final);
	assert_eq!(chain.client().info().best_hash, first_hash);
	assert_eq!(restore(), Some(leaves[1]));
	let info = chain.client().info();
	assert_eq!((info.best_hash, info.best_number), (leaves[1], 4));
	assert_eq!(chain.client().hash(1).unwrap(), Some(first_hash));
	assert_eq!(restore(), None);
}

#[test]
fn a_missing_total_difficulty_is_an_error() {
	let chain = chain(parameters());
	let parent = extend(&chain, genesis(&chain), 13);
	let key = [b"isthmus:total_difficulty:".as_slice(), parent.as_bytes()].concat();
	chain.client().insert_aux(&[], &[&key[..]]).unwrap();
	let header = Draft::on(&chain, parent, 13).mine();
	let error = import(&chain, &header).unwrap_err().to_string();
	assert!(
		error.contains("total difficulty") && error.contains("purge-chain"),
		"{error}"
	);
}

#[test]
fn finality_follows_the_heaviest_chain_and_its_limit() {
	let chain = chain(parameters());
	let mut blocks = vec![genesis(&chain)];
	for _ in 0..4 {
		blocks.push(extend(&chain, blocks[blocks.len() - 1], 13));
	}
	let fork = Draft::on(&chain, blocks[1], 13).variant(5).mine();
	let fork = insert(&chain, &fork, vec![], NewBlockState::Normal);
	let select = select_chain(&chain);
	assert_eq!(block_on(select.best_chain()).unwrap().hash(), blocks[4]);
	let target = |base, limit| block_on(select.finality_target(base, limit)).unwrap();
	assert_eq!(target(blocks[0], None), blocks[4]);
	assert_eq!(target(blocks[1], Some(3)), blocks[3]);
	assert_eq!(target(fork, None), fork);
	assert_eq!(target(blocks[2], Some(1)), blocks[2]);
}
