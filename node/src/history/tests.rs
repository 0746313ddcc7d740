// SPDX-License-Identifier: Apache-2.0
//! Tests that the history follows the best chain, and forgets what lost or is too old.

use super::{
	mock::{Chain, Column},
	*,
};
use codec::Encode;
use isthmus_primitives::digest::{Receipts, RECEIPTS_ENGINE_ID};
use isthmus_sharing::history::Receipt;
use sp_runtime::{Digest, DigestItem};
use std::sync::atomic::{AtomicU32, Ordering};

/// A chain with its history.
struct Node {
	chain: Arc<Chain>,
	/// The first block of the node's history.
	start: Arc<AtomicU32>,
	events: Column,
	history: History<Chain, Column>,
}

impl Node {
	/// Returns a node with the first block.
	fn new(keep: Option<BlockNumber>) -> Self {
		let (chain, events) = (Arc::new(Chain::default()), Column::default());
		chain.import(header(Hash::zero(), 0, 0, None), true);
		let start = Arc::new(AtomicU32::new(0));
		let known = start.clone();
		let first = move || Ok(known.load(Ordering::Relaxed));
		let history = History::new(chain.clone(), Box::new(first), events.clone(), keep);
		Self {
			chain,
			start,
			events,
			history,
		}
	}

	/// Imports a best block with an event about each of these accounts, and writes its events as the client does.
	fn import(&mut self, parent: Hash, salt: u8, accounts: &[u8]) -> Hash {
		self.import_as(parent, salt, accounts, true)
	}

	fn import_as(&mut self, parent: Hash, salt: u8, accounts: &[u8], best: bool) -> Hash {
		let number = self.chain.number(parent).unwrap().unwrap() + 1;
		let receipts = Receipts {
			count: accounts.len() as u32,
			// The history does not look into the tree.
			root: sp_crypto_hashing::sha2_256(accounts).into(),
		};
		let entries: Vec<_> = accounts
			.iter()
			.map(|account| Entry {
				receipt: Receipt {
					transaction: Some(0),
					event: vec![*account],
				},
				subjects: vec![subject(*account)],
			})
			.collect();
		if !entries.is_empty() {
			let key = block_key(&parent.0, &receipts.root.0);
			self.events.set(STORAGE_PREFIX, &key, &entries.encode());
		}
		self.chain
			.import(header(parent, number, salt, Some(receipts)), best)
	}

	fn blocks(&self, account: u8) -> Vec<BlockNumber> {
		let found = self
			.history
			.find(Some(&subject(account)), 0, BlockNumber::MAX, 100);
		found.unwrap().blocks
	}

	/// Returns the accounts of a block's events.
	fn events(&self, number: BlockNumber) -> Option<Vec<u8>> {
		let block = self.history.block(number).unwrap()?;
		Some(
			block
				.entries
				.iter()
				.map(|entry| entry.receipt.event[0])
				.collect(),
		)
	}

	fn best(&self) -> Hash {
		self.chain.info().best_hash
	}
}

/// Returns a header. The salt distinguishes brothers.
fn header(parent: Hash, number: BlockNumber, salt: u8, receipts: Option<Receipts>) -> Header {
	let item =
		receipts.map(|receipts| DigestItem::Consensus(RECEIPTS_ENGINE_ID, receipts.encode()));
	Header::new(
		number,
		Hash::zero(),
		Hash::repeat_byte(salt),
		parent,
		Digest {
			logs: item.into_iter().collect(),
		},
	)
}

fn subject(account: u8) -> Subject<AccountId> {
	Subject::Account([account; 32].into())
}

#[test]
fn a_subjects_blocks_are_found() {
	let mut node = Node::new(None);
	for accounts in [&[1][..], &[], &[1, 2, 1], &[2]] {
		node.import(node.best(), 0, accounts);
	}
	assert_eq!(node.blocks(1), [1, 3]);
	assert_eq!(node.blocks(2), [3, 4]);
	assert!(node.blocks(3).is_empty());
	let all = node.history.find(None, 0, BlockNumber::MAX, 100).unwrap();
	assert_eq!(
		(all.since, all.until, &all.blocks[..]),
		(1, 4, &[1, 3, 4][..])
	);
	let some = node.history.find(None, 2, 3, 100).unwrap();
	assert_eq!((some.until, &some.blocks[..]), (3, &[3][..]));
	assert_eq!(node.events(3), Some(vec![1, 2, 1]));
	assert_eq!(node.events(2), Some(vec![]));
	assert_eq!(node.events(5), None);
}

#[test]
fn after_a_reorganisation_the_blocks_of_the_other_fork_are_found() {
	let mut node = Node::new(None);
	let first = node.import(node.best(), 0, &[1]);
	node.import(first, 0, &[2]);
	assert_eq!(node.blocks(2), [2]);
	let other = node.import(first, 1, &[3]);
	node.import(other, 1, &[2]);
	assert_eq!(node.blocks(3), [2]);
	// Block 2 is still named, but its events are those of the other fork.
	assert_eq!(node.blocks(2), [2, 3]);
	assert_eq!(node.events(2), Some(vec![3]));
	assert_eq!(node.blocks(1), [1]);
}

#[test]
fn more_blocks_than_a_batch_are_indexed_step_by_step() {
	let mut node = Node::new(None);
	for _ in 0..BATCH + 1 {
		node.import(node.best(), 0, &[1]);
	}
	let found = node.history.find(None, 0, BlockNumber::MAX, 1).unwrap();
	assert_eq!(found.until, BATCH);
	let found = node.history.find(None, 0, BlockNumber::MAX, 1).unwrap();
	assert_eq!(found.until, BATCH + 1);
}

#[test]
fn the_history_begins_after_the_last_block_without_its_events() {
	let mut node = Node::new(None);
	let old = header(node.best(), 1, 0, None);
	let old = node.chain.import(old, true);
	let second = node.import(old, 0, &[1]);
	node.import(second, 0, &[1]);
	let found = node.history.find(None, 0, BlockNumber::MAX, 100).unwrap();
	assert_eq!((found.since, found.blocks), (2, vec![2, 3]));
}

/// A node that began with the state of a finalized block has no blocks below it, and did not execute it.
#[test]
fn after_a_warp_sync_the_history_begins_above_the_first_block() {
	let mut node = Node::new(None);
	// While it looks for that block, the node has genesis only.
	let found = node.history.find(None, 0, BlockNumber::MAX, 100).unwrap();
	assert_eq!((found.since, found.until), (1, 0));
	let receipts = Receipts {
		count: 1,
		root: Hash::repeat_byte(1),
	};
	let target = header(Hash::repeat_byte(9), 700, 0, Some(receipts));
	let target = node.chain.import(target, true);
	node.start.store(700, Ordering::Relaxed);
	let first = node.import(target, 0, &[1]);
	node.import(first, 0, &[2]);
	let found = node.history.find(None, 0, BlockNumber::MAX, 100).unwrap();
	assert_eq!((found.since, found.until), (701, 702));
	assert_eq!(found.blocks, [701, 702]);
	assert_eq!(node.blocks(2), [702]);
	assert_eq!(node.events(701), Some(vec![1]));
	assert_eq!(node.events(700), None);
}

#[test]
fn the_events_of_a_block_that_lost_are_removed_unless_its_brother_shares_them() {
	let mut node = Node::new(None);
	let genesis = node.best();
	node.import(genesis, 0, &[1]);
	let alike = node.import_as(genesis, 1, &[1], false);
	let unlike = node.import_as(genesis, 2, &[2], false);
	assert_eq!(node.events.keys().len(), 2);
	node.history.forget([alike, unlike]).unwrap();
	assert_eq!(node.events(1), Some(vec![1]));
	assert_eq!(node.events.keys().len(), 1);
}

#[test]
fn events_are_removed_with_the_bodies_of_their_blocks() {
	let mut node = Node::new(Some(2));
	for _ in 0..5 {
		node.import(node.best(), 0, &[1]);
	}
	assert_eq!(node.blocks(1), [1, 2, 3, 4, 5]);
	// Of the finalized blocks, 3 and 4 keep their bodies.
	node.history.prune(4).unwrap();
	let found = node.history.find(None, 0, BlockNumber::MAX, 100).unwrap();
	assert_eq!((found.since, found.blocks), (3, vec![3, 4, 5]));
	assert_eq!(node.events.keys().len(), 3);
	// What is removed stays removed, and nothing is left in the index.
	node.history.prune(4).unwrap();
	node.history.prune(7).unwrap();
	assert!(node.blocks(1).is_empty());
	assert!(node.events.keys().is_empty());
	assert_eq!(node.chain.aux.keys().len(), 1);
}

#[test]
fn an_archive_forgets_nothing() {
	let mut node = Node::new(None);
	node.import(node.best(), 0, &[1]);
	assert_eq!(node.blocks(1), [1]);
	node.history.prune(1000).unwrap();
	assert_eq!(node.blocks(1), [1]);
}
