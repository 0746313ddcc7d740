// SPDX-License-Identifier: Apache-2.0
//! Tests which blocks the next block may name as its uncles.

use super::mock::*;
use crate::{BlockTree, Chain, PeerCheck};
use isthmus_primitives::{
	params::{ChainParameters, Miners},
	AccountId, Hash, Header,
};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sp_blockchain::HeaderBackend;
use sp_runtime::OpaqueExtrinsic;

fn candidates(chain: &Chain<TestClient>, parent: Hash) -> Vec<Header> {
	chain
		.uncle_candidates(parent, |block| chain.client().children(block))
		.unwrap()
}

/// Puts another child of `parent` into the database, as a sibling of the best chain's block.
fn brother(chain: &Chain<TestClient>, parent: Hash, byte: u8) -> Header {
	let header = Draft::on(chain, parent, 13).variant(byte).mine();
	insert(chain, &header, vec![], NewBlockState::Normal);
	header
}

/// Extends the genesis block by `length` blocks, and returns all of them, genesis first.
fn blocks(chain: &Chain<TestClient>, length: usize) -> Vec<Hash> {
	let mut blocks = vec![chain.client().info().genesis_hash];
	for _ in 0..length {
		blocks.push(extend(chain, blocks[blocks.len() - 1], 13));
	}
	blocks
}

#[test]
fn the_nearest_brothers_of_ancestors_are_named_first_and_at_most_two() {
	let chain = chain(parameters());
	let blocks = blocks(&chain, 4);
	assert_eq!(candidates(&chain, blocks[4]), []);
	let oldest = brother(&chain, blocks[0], 1);
	assert_eq!(candidates(&chain, blocks[4]), std::slice::from_ref(&oldest));
	let older = brother(&chain, blocks[1], 2);
	let newest = brother(&chain, blocks[3], 3);
	assert_eq!(
		candidates(&chain, blocks[4]),
		[newest.clone(), older.clone()]
	);
	// A child of the parent is the next block's own sibling, and not an uncle.
	assert_eq!(candidates(&chain, blocks[3]), [older, oldest]);
}

#[test]
fn an_uncle_is_not_named_again_on_the_same_fork() {
	let chain = chain(parameters());
	let blocks = blocks(&chain, 2);
	let uncle = brother(&chain, blocks[0], 1);
	let draft = Draft::on(&chain, blocks[2], 13).naming(vec![uncle.clone()]);
	let nephew = draft.mine();
	insert(&chain, &nephew, draft.body(), NewBlockState::Best);
	assert_eq!(candidates(&chain, nephew.hash()), []);
	// The nephew is the block that named the uncle. A block on a fork without it may still name the uncle,
	// and the nephew too.
	let other = brother(&chain, blocks[2], 4);
	assert_eq!(candidates(&chain, other.hash()), [nephew, uncle]);
}

#[test]
fn a_brother_is_a_candidate_for_six_generations_as_the_rules_allow() {
	for length in 1..=8 {
		let chain = chain(parameters());
		let blocks = blocks(&chain, length);
		let uncle = brother(&chain, blocks[0], 1);
		let found = candidates(&chain, blocks[length]);
		assert_eq!(found.len(), usize::from(length <= 6), "{length}");
		let nephew = Draft::on(&chain, blocks[length], 13).naming(vec![uncle]);
		let header = nephew.mine();
		let checked = chain.check_header(&header, u64::MAX).unwrap();
		let judged = chain.check_body(&header, &checked, Some(&nephew.body()), u64::MAX);
		assert_eq!(judged.is_ok(), length <= 6, "{length}");
	}
}

#[test]
fn only_bare_extrinsics_are_decoded_to_find_uncles() {
	let chain = chain(parameters());
	let blocks = blocks(&chain, 2);
	let uncle = brother(&chain, blocks[0], 1);
	let mut body = Draft::on(&chain, blocks[2], 13)
		.naming(vec![uncle.clone()])
		.body();
	// A signed and a general extrinsic.
	for kind in [0x84, 0x45] {
		body.push(OpaqueExtrinsic::from_blob(vec![kind, 1, 2, 3]));
	}
	assert_eq!(chain.uncles(blocks[2], &body).unwrap(), [uncle]);
}

#[test]
fn on_a_bound_chain_blocks_and_uncles_have_an_admitted_beneficiary() {
	let chain = chain(ChainParameters {
		miners: Miners::Verifiers,
		..parameters()
	});
	let draft = |parent, byte| {
		let mut draft = Draft::on(&chain, parent, 13);
		draft.pre.beneficiary = AccountId::new([byte; 32]);
		draft
	};
	*chain.client().miner.lock() = Some(AccountId::new([1; 32]));
	let genesis = chain.client().info().genesis_hash;
	let [admitted, stranger] = [1, 2].map(|byte| draft(genesis, byte).mine());
	assert!(chain.check_header(&admitted, u64::MAX).is_ok());
	let refused = chain
		.check_header(&stranger, u64::MAX)
		.unwrap_err()
		.to_string();
	assert!(refused.contains("only verifiers may mine"), "{refused}");

	let parent = insert(&chain, &admitted, vec![], NewBlockState::Best);
	insert(&chain, &stranger, vec![], NewBlockState::Normal);
	assert_eq!(candidates(&chain, parent), []);
	let nephew = draft(parent, 1).naming(vec![stranger]);
	let header = nephew.mine();
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let judged = chain.check_body(&header, &checked, Some(&nephew.body()), u64::MAX);
	let refused = judged.unwrap_err().to_string();
	assert!(refused.contains("only verifiers may mine"), "{refused}");
}

#[test]
fn uncles_that_were_hashed_ahead_are_not_hashed_when_their_block_is_checked() {
	let chain = chain(parameters());
	let blocks = blocks(&chain, 8);
	let check = PeerCheck::new(chain.clone());
	let hash = |draft: &Draft, header: &Header| check.hash_uncles([(header, &draft.body()[..])]);
	let uncles = vec![brother(&chain, blocks[6], 1), brother(&chain, blocks[7], 2)];
	let nephew = Draft::on(&chain, blocks[8], 13).naming(uncles.clone());
	let header = nephew.mine();
	hash(&nephew, &header);
	assert_eq!(chain.light_hashes(), 2);
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	assert_eq!(chain.light_hashes(), 3);
	chain
		.check_body(&header, &checked, Some(&nephew.body()), u64::MAX)
		.unwrap();
	assert_eq!(chain.light_hashes(), 3);

	// No work is done for what can be seen to be invalid: a body that is not the header's, too many uncles, one that is too
	// old, one without a seal, and none.
	let other = Draft::on(&chain, blocks[8], 13).naming(vec![brother(&chain, blocks[5], 3)]);
	hash(&other, &header);
	let many = (4..7).map(|byte| brother(&chain, blocks[7], byte));
	let many = Draft::on(&chain, blocks[8], 13).naming(many.collect());
	let old = Draft::on(&chain, blocks[8], 13).naming(vec![brother(&chain, blocks[0], 7)]);
	let mut unsealed = brother(&chain, blocks[7], 8);
	unsealed.digest.pop();
	let unsealed = Draft::on(&chain, blocks[8], 13).naming(vec![unsealed]);
	let none = Draft::on(&chain, blocks[8], 13);
	for draft in [many, old, unsealed, none] {
		hash(&draft, &draft.mine());
	}
	assert_eq!(chain.light_hashes(), 3);
}
