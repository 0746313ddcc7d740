// SPDX-License-Identifier: Apache-2.0
//! Tests blocks where the rules change: those of the chain's genesis, and those of the node's own table.

use super::mock::*;
use crate::{BlockError, BlockTree, Chain, CheckError, PeerCheck};
use isthmus_primitives::{
	params::{ChainParameters, ChangesError, Miners, RuleChange},
	AccountId, BlockNumber, Hash, Header,
};
use isthmus_rules::{GotExpected, HeaderError, Rejection, RuleError, UncleError};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sp_blockchain::HeaderBackend;
use std::sync::Arc;

/// The first block with the higher minimum, [`HIGHER`].
const FROM: BlockNumber = 3;
/// D_0 from block [`FROM`] on. Before, it is 64.
const HIGHER: u64 = 128;

fn change() -> RuleChange {
	RuleChange {
		from_block: FROM,
		minimum_difficulty: Some(HIGHER.into()),
		..Default::default()
	}
}

/// Returns a chain with these changes in its genesis.
fn changing(changes: &[RuleChange]) -> Arc<Chain<TestClient>> {
	chain(ChainParameters {
		changes: changes.to_vec().try_into().unwrap(),
		..parameters()
	})
}

fn rule(result: Result<impl Sized, BlockError>) -> RuleError {
	match result {
		Err(BlockError::Rejected(Rejection::Invalid(rule))) => rule,
		Err(other) => panic!("{other}"),
		Ok(_) => panic!("it is valid"),
	}
}

/// Mines a block on a chain's best block, and imports it.
fn mine(chain: &Chain<TestClient>) -> Header {
	let header = Draft::on(chain, chain.client().info().best_hash, 13).mine();
	insert(chain, &header, vec![], NewBlockState::Best);
	header
}

#[test]
fn a_chain_with_a_change_verifies_and_a_node_without_it_refuses_its_first_block() {
	let (ours, unaware) = (changing(&[change()]), chain(parameters()));
	for number in 1..=FROM + 1 {
		let best = ours.client().info().best_hash;
		let draft = Draft::on(&ours, best, 13);
		let expected = if number < FROM { 64 } else { HIGHER };
		assert_eq!(draft.pre.difficulty, expected.into(), "{number}");
		let header = draft.mine();
		assert!(ours.check_header(&header, u64::MAX).is_ok(), "{number}");
		if number < FROM {
			assert!(unaware.check_header(&header, u64::MAX).is_ok());
			insert(&unaware, &header, vec![], NewBlockState::Best);
		} else if number == FROM {
			let wrong = HeaderError::Difficulty(GotExpected {
				got: HIGHER.into(),
				expected: 64.into(),
			});
			let refused = rule(unaware.check_header(&header, u64::MAX));
			assert_eq!(refused, wrong.into());
			// Nor is the other one's block valid here.
			let other = Draft::on(&unaware, best, 13).mine();
			let too_low = HeaderError::DifficultyTooLow {
				got: 64.into(),
				minimum: HIGHER.into(),
			};
			assert_eq!(rule(ours.check_header(&other, u64::MAX)), too_low.into());
		}
		insert(&ours, &header, vec![], NewBlockState::Best);
	}
}

#[test]
fn headers_that_sync_proves_have_the_rules_of_their_heights() {
	let (ours, unaware) = (changing(&[change()]), chain(parameters()));
	let genesis = ours.client().info().genesis_hash;
	let headers: Vec<_> = (0..FROM + 1).map(|_| mine(&ours)).collect();
	let prove = |chain: &Arc<Chain<TestClient>>| {
		PeerCheck::new(chain.clone()).headers(Err(genesis), &headers)
	};
	let proved = prove(&changing(&[change()]));
	assert!(proved.error.is_none());
	assert_eq!(proved.proved.len(), headers.len());
	let refused = prove(&unaware);
	assert_eq!(refused.proved.len(), FROM as usize - 1);
	assert!(refused.error.is_some());
}

#[test]
fn a_block_after_a_change_names_an_uncle_from_before() {
	let chain = changing(&[change()]);
	let parent = mine(&chain).hash();
	// Block 2, and a brother of it.
	mine(&chain);
	let uncle = Draft::on(&chain, parent, 13).variant(1).mine();
	insert(&chain, &uncle, vec![], NewBlockState::Normal);
	let best = mine(&chain).hash();
	let named = Draft::on(&chain, best, 13).naming(vec![uncle]);
	let header = named.mine();
	assert_eq!(named.pre.difficulty, HIGHER.into());
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let body = named.body();
	assert!(chain
		.check_body(&header, &checked, Some(&body), u64::MAX)
		.is_ok());

	// A brother of block 3 by the rules of block 2 is no uncle.
	let block2 = chain.client().hash(2).unwrap().unwrap();
	let mut easy = Draft::on(&chain, block2, 13).variant(2);
	easy.pre.difficulty = 64.into();
	let named = Draft::on(&chain, best, 13).naming(vec![easy.mine()]);
	let header = named.mine();
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let body = named.body();
	let error = HeaderError::DifficultyTooLow {
		got: 64.into(),
		minimum: HIGHER.into(),
	};
	assert_eq!(
		rule(chain.check_body(&header, &checked, Some(&body), u64::MAX)),
		UncleError::Header { index: 0, error }.into()
	);
}

#[test]
fn an_uncle_needs_a_right_to_mine_only_from_the_change_on() {
	let chain = changing(&[RuleChange {
		from_block: 2,
		miners: Some(Miners::Verifiers),
		..Default::default()
	}]);
	let (admitted, stranger) = (AccountId::new([1; 32]), AccountId::new([2; 32]));
	*chain.client().miner.lock() = Some(admitted.clone());
	let draft = |parent: Hash, beneficiary: &AccountId| {
		let mut draft = Draft::on(&chain, parent, 13);
		draft.pre.beneficiary = beneficiary.clone();
		draft
	};
	let genesis = chain.client().info().genesis_hash;
	let (first, uncle) = (draft(genesis, &admitted), draft(genesis, &stranger));
	let (first, uncle) = (first.mine(), uncle.mine());
	let parent = insert(&chain, &first, vec![], NewBlockState::Best);
	insert(&chain, &uncle, vec![], NewBlockState::Normal);
	assert!(chain
		.check_header(&draft(parent, &stranger).mine(), u64::MAX)
		.is_err());
	let named = draft(parent, &admitted).naming(vec![uncle.clone()]);
	let header = named.mine();
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let body = named.body();
	assert!(chain
		.check_body(&header, &checked, Some(&body), u64::MAX)
		.is_ok());
	let found = chain
		.uncle_candidates(parent, |block| chain.client().children(block))
		.unwrap();
	assert_eq!(found, [uncle]);
}

/// Opens the chain again, on a node with this table of its own.
fn reopen(
	chain: &Chain<TestClient>,
	planned: &[RuleChange],
) -> Result<Arc<Chain<TestClient>>, CheckError> {
	let client = chain.client().clone();
	let highest = client.info().best_number;
	Chain::with_planned(client, planned, highest).map(Arc::new)
}

#[test]
fn a_nodes_own_table_changes_the_rules_like_the_genesis() {
	let planned = reopen(&chain(parameters()), &[change()]).unwrap();
	let in_genesis = changing(&[change()]);
	for _ in 0..FROM + 1 {
		let header = mine(&planned);
		assert!(in_genesis.check_header(&header, u64::MAX).is_ok());
		insert(&in_genesis, &header, vec![], NewBlockState::Best);
	}
	assert_eq!(planned.parameters(), in_genesis.parameters());
}

#[test]
fn a_table_cannot_change_below_the_highest_block() {
	let chain = chain(parameters());
	for _ in 1..FROM {
		mine(&chain);
	}
	// The change is in the future, so it may be added, removed and added again.
	for table in [vec![change()], vec![], vec![change()]] {
		assert!(reopen(&chain, &table).is_ok());
	}
	let ours = reopen(&chain, &[change()]).unwrap();
	mine(&ours);
	assert!(reopen(&chain, &[change()]).is_ok());
	let later = RuleChange {
		from_block: 10,
		..change()
	};
	// What begins later may still be added.
	assert!(reopen(&chain, &[change(), later.clone()]).is_ok());
	let lower = RuleChange {
		minimum_difficulty: Some(100.into()),
		..change()
	};
	for table in [vec![], vec![lower], vec![later]] {
		let Err(CheckError::ChangedBelow {
			from_block,
			highest,
		}) = reopen(&chain, &table)
		else {
			panic!("the table was accepted");
		};
		assert_eq!((from_block, highest), (FROM, FROM));
	}
	// A fork may be higher than the best block.
	let client = chain.client().clone();
	let error = Chain::with_planned(client, &[change()], 20).err().unwrap();
	assert!(matches!(
		error,
		CheckError::ChangedBelow {
			from_block: 10,
			highest: 20
		}
	));
	let error = error.to_string();
	assert!(error.contains("`purge-chain`"), "{error}");
}

#[test]
fn faulty_tables_are_refused() {
	let error = |chain: &Chain<TestClient>, planned: &[RuleChange]| match reopen(chain, planned) {
		Err(CheckError::Changes(error)) => error,
		Err(other) => panic!("{other}"),
		Ok(_) => panic!("the table was accepted"),
	};
	assert_eq!(
		error(&chain(parameters()), &[RuleChange::default()]),
		ChangesError::AtGenesis
	);
	assert_eq!(
		error(&changing(&[change()]), &[change()]),
		ChangesError::PlannedTooEarly {
			last: FROM,
			from_block: FROM,
		}
	);
}
