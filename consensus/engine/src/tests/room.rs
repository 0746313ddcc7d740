// SPDX-License-Identifier: Apache-2.0
//! Tests which branch makes room for a block at a height that is full.

use super::{fork_choice::select_chain, mock::*};
use crate::{Chain, VOTER_STATE};
use codec::{Compact, Encode};
use isthmus_primitives::Hash;
use polkadot_sdk::*;
use sc_client_api::backend::{AuxStore, NewBlockState};
use sp_blockchain::HeaderBackend;
use sp_consensus_grandpa::{ConsensusLog, ScheduledChange, GRANDPA_ENGINE_ID};
use sp_runtime::DigestItem;
use std::sync::Arc;

/// How many blocks of one number the database keeps.
const PLACES: u8 = 32;

/// Puts a child of `parent` into the database, which may announce a change of GRANDPA's voters.
fn child(chain: &Chain<TestClient>, parent: Hash, variant: u8, announces: bool) -> Hash {
	let draft = Draft::on(chain, parent, 13).variant(variant);
	let mut header = draft.unsealed();
	if announces {
		let change = ScheduledChange {
			next_authorities: vec![],
			delay: 0u32,
		};
		let log = ConsensusLog::ScheduledChange(change).encode();
		let item = DigestItem::Consensus(GRANDPA_ENGINE_ID, log);
		header.digest.push(item);
	}
	let state = match variant {
		0 => NewBlockState::Best,
		_ => NewBlockState::Normal,
	};
	let sealed = seal(header, draft.pre.difficulty);
	insert(chain, &sealed, vec![], state)
}

/// Fills the first height. `announces` says which blocks announce a change.
fn full(announces: impl Fn(u8) -> bool) -> (Arc<Chain<TestClient>>, Vec<Hash>) {
	let chain = chain(parameters());
	let genesis = chain.client().info().genesis_hash;
	let brothers = (0..PLACES).map(|variant| {
		assert_eq!(removed(&chain), None);
		child(&chain, genesis, variant, announces(variant))
	});
	let brothers = brothers.collect();
	(chain, brothers)
}

/// Returns which block of the first height would be removed.
fn removed(chain: &Arc<Chain<TestClient>>) -> Option<Hash> {
	let removable = select_chain(chain).removable(1).unwrap();
	removable.map(|(root, _)| root)
}

#[test]
fn the_lightest_branch_goes_but_not_the_newest_or_the_best() {
	let (chain, brothers) = full(|_| false);
	assert_eq!(removed(&chain), Some(brothers[30]));
	// A block that another one is built on is heavier than its brothers.
	let newest = child(&chain, brothers[30], 100, false);
	assert_eq!(removed(&chain), Some(brothers[31]));
	child(&chain, newest, 101, false);
	child(&chain, brothers[31], 102, false);
	assert_eq!(removed(&chain), Some(brothers[29]));
}

/// GRANDPA looks for these blocks whenever one is imported or finalized. If one were gone, all of these would fail.
#[test]
fn a_branch_that_announces_other_voters_stays() {
	let (chain, brothers) = full(|variant| variant == 30);
	assert_eq!(removed(&chain), Some(brothers[29]));
	// If the only other one gets such a block higher up, none goes.
	let (chain, brothers) = full(|variant| variant != 29);
	assert_eq!(removed(&chain), Some(brothers[29]));
	child(&chain, brothers[29], 100, true);
	child(&chain, brothers[31], 101, false);
	assert_eq!(removed(&chain), None);
}

/// Returns what GRANDPA's rounds are like if they name these blocks.
fn keep_votes(chain: &Chain<TestClient>, targets: &[Hash]) {
	// A hash begins anywhere.
	let state = (0u8, Compact(1u32), 7u64, targets).encode();
	let entry = (VOTER_STATE, &state[..]);
	chain.client().insert_aux(&[entry], &[]).unwrap();
}

/// A vote counts for nothing where its block is missing, and its voter may not vote for another one.
#[test]
fn a_branch_with_a_vote_goes_last() {
	let (chain, brothers) = full(|_| false);
	let lightest = child(&chain, brothers[29], 100, false);
	for brother in &brothers[..29] {
		let heavier = child(&chain, *brother, 101, false);
		child(&chain, heavier, 102, false);
	}
	child(&chain, brothers[31], 103, false);
	assert_eq!(removed(&chain), Some(brothers[30]));
	keep_votes(&chain, &[brothers[30]]);
	assert_eq!(removed(&chain), Some(brothers[29]));
	// The vote is for a block above.
	keep_votes(&chain, &[brothers[30], lightest]);
	assert_eq!(removed(&chain), Some(brothers[28]));
	// If all have votes, the lightest goes all the same: voters cannot keep a heavier chain out.
	keep_votes(&chain, &brothers);
	assert_eq!(removed(&chain), Some(brothers[30]));
}

/// Such a database has room for any number of blocks.
#[test]
fn a_node_that_keeps_all_states_removes_no_branch() {
	let (chain, _) = full(|_| false);
	let keeping = select_chain(&chain).keeping_all();
	assert!(keeping.removable(1).unwrap().is_none());
}
