// SPDX-License-Identifier: Apache-2.0
//! Many blocks of one number. The database keeps 32 of them above the finalized block, so the state machine must leave
//! places to the blocks of heavier chains.

use crate::chain::{Database, Fault, SimBlock, SimLedger, Store};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{
	Action, Checked, Direction, Limits, Machine, Outcome, Proved, MAX_ANSWER, MIN_BUDGET,
};
use std::{collections::HashMap, rc::Rc, time::Duration};

/// How many blocks of one number the database keeps.
const PLACES: usize = 32;
/// How many brothers the liars make.
const BROTHERS: u32 = 100;
/// The honest peer's name, which no liar has.
const HONEST: u32 = BROTHERS + 1;

/// A node, and the peers that answer it truthfully, each with a chain of its own from genesis on.
struct Node {
	machine: Machine<SimLedger>,
	store: Rc<Store>,
	database: Rc<Database>,
	chains: HashMap<u32, Vec<Hash>>,
	/// How many blocks of each number were imported.
	levels: HashMap<u32, usize>,
	/// The blocks in the database, the oldest first.
	kept: Vec<SimBlock>,
	/// Whether the database removes its lightest fork if a number has no place left. Otherwise that must not be necessary.
	makes_room: bool,
	now: Duration,
}

impl Node {
	fn new() -> (Self, Hash) {
		let (store, genesis) = Store::new();
		let database = Database::new(store.clone(), genesis);
		let limits = Limits {
			budget: MIN_BUDGET,
			blocks_per_request: 64,
			parallel: 3,
		};
		let node = Self {
			machine: Machine::new(SimLedger(database.clone()), limits),
			store,
			database,
			chains: HashMap::new(),
			levels: HashMap::new(),
			kept: Vec::new(),
			makes_room: false,
			now: Duration::ZERO,
		};
		(node, genesis)
	}

	/// Connects a peer with a chain of its own of this length, and answers until nothing more is asked.
	fn meet(&mut self, peer: u32, genesis: Hash, length: usize) {
		self.meet_with(peer, genesis, length, 10, 1000);
	}

	/// Does the same, with blocks of this much work and of this size.
	fn meet_with(&mut self, peer: u32, genesis: Hash, length: usize, work: u64, size: u64) {
		let mut chain = vec![genesis];
		for number in 0..length {
			chain.push(self.store.child(chain[number], work, size, Fault::None));
		}
		self.machine.add_peer(peer, chain[length], length as u32);
		self.chains.insert(peer, chain);
		self.answer();
	}

	/// Answers until nothing more is asked.
	fn answer(&mut self) {
		for _ in 0..200 {
			self.now += Duration::from_millis(100);
			for action in self.machine.poll(self.now) {
				self.act(action);
			}
			let bytes = self.machine.bytes();
			assert!(bytes <= MIN_BUDGET, "{bytes} bytes");
		}
	}

	/// Imports a block as the database does.
	fn import(&mut self, block: &SimBlock) -> Outcome {
		if !self.database.has(&block.parent) {
			return Outcome::Skipped;
		}
		let brothers = self.kept.iter().filter(|kept| kept.number == block.number);
		if brothers.count() == PLACES {
			assert!(self.makes_room, "#{} is full", block.number);
			self.make_room(block.number);
		}
		*self.levels.entry(block.number).or_default() += 1;
		self.database.insert(block);
		self.kept.push(block.clone());
		Outcome::Imported
	}

	/// Removes the lightest fork from this number on, but neither the best chain nor the newest fork.
	fn make_room(&mut self, number: u32) {
		let store = self.store.clone();
		let root = |block: &SimBlock| {
			let mut next = block.clone();
			while next.number > number {
				next = store.get(&next.parent).unwrap();
			}
			next.hash
		};
		let above = |block: &&SimBlock| block.number >= number;
		let mut weights = HashMap::<Hash, u64>::new();
		for block in self.kept.iter().filter(above) {
			let weight = weights.entry(root(block)).or_default();
			*weight = block.weight.max(*weight);
		}
		let head = self.database.head();
		let newest = self.kept.iter().rev().find(above);
		for stays in [Some(&head).filter(above), newest].into_iter().flatten() {
			weights.remove(&root(stays));
		}
		let lightest = weights
			.iter()
			.min_by_key(|(hash, weight)| (**weight, **hash));
		let lightest = *lightest.unwrap().0;
		let is_removed = |block: &SimBlock| block.number >= number && root(block) == lightest;
		for block in self.kept.iter().filter(|block| is_removed(block)) {
			self.database.remove(&block.hash);
		}
		self.kept.retain(|block| !is_removed(block));
	}

	fn block(&self, hash: &Hash) -> SimBlock {
		self.store.get(hash).unwrap()
	}

	fn act(&mut self, action: Action<SimLedger>) {
		match action {
			Action::AskHeaders {
				peer,
				from,
				direction,
				max,
			} => {
				let chain = &self.chains[&peer];
				let at = chain.iter().position(|hash| *hash == from);
				// A peer that does not have the block sends nothing.
				let hashes: Vec<Hash> = match (at, direction) {
					(None, _) => Vec::new(),
					(Some(at), Direction::Down) => chain[..=at].iter().rev().copied().collect(),
					(Some(at), Direction::Up) => chain[at..].to_vec(),
				};
				let headers = hashes.iter().take(max as usize);
				let headers = headers.map(|hash| self.block(hash)).collect();
				self.machine.headers_arrived(peer, Ok(headers));
			}
			Action::Check { peer, headers, .. } => {
				let proved = headers.iter().map(|header| Proved {
					hash: header.hash,
					parent: header.parent,
					number: header.number,
					weight: header.weight,
					facts: (),
				});
				let checked = Checked {
					proved: proved.collect(),
					problem: None,
					left: Vec::new(),
				};
				self.machine.headers_checked(peer, checked);
			}
			Action::AskBodies { peer, hashes } => {
				let mut bytes = 0;
				let bodies = hashes.iter().map(|hash| crate::arrival(self.block(hash)));
				let bodies = bodies.take_while(|body| {
					bytes += body.size;
					bytes <= MAX_ANSWER
				});
				let bodies = bodies.collect();
				self.machine.bodies_arrived(peer, Ok(bodies));
			}
			Action::Import { blocks, .. } => {
				let mut results = Vec::new();
				for (block, _) in blocks {
					let outcome = self.import(&block);
					results.push((block.hash, outcome));
				}
				self.machine.imported(results);
			}
			Action::Announce(_) => {}
			Action::Drop { peer, why } => panic!("{peer}: {why:?}"),
		}
	}
}

#[test]
fn easy_brothers_leave_places_to_the_blocks_of_a_heavier_chain() {
	for length in 1..=3 {
		let (mut node, genesis) = Node::new();
		for liar in 0..BROTHERS {
			node.meet(liar, genesis, length);
		}
		// Some of them are fetched: they may become uncles.
		let fetched = node.levels[&1];
		assert!(
			(2..PLACES / 2).contains(&fetched),
			"{fetched} of length {length}"
		);
		node.meet(HONEST, genesis, 40);
		let tip = node.chains[&HONEST][40];
		assert_eq!(node.database.head().hash, tip, "length {length}");
	}
}

#[test]
fn brothers_have_places_again_higher_up() {
	let (mut node, genesis) = Node::new();
	for liar in 0..20 {
		node.meet(liar, genesis, 1);
	}
	node.meet(HONEST, genesis, 40);
	let parent = node.chains[&HONEST][39];
	let mut chain = node.chains[&HONEST].clone();
	let brother = node.store.child(parent, 10, 1000, Fault::None);
	chain[40] = brother;
	node.chains.insert(HONEST + 1, chain);
	node.machine.add_peer(HONEST + 1, brother, 40);
	node.answer();
	assert!(node.database.has(&brother));
}

/// Each of these chains leads when it is shown, so that all of them are fetched, and the database removes the lightest ones.
#[test]
fn the_heaviest_chain_is_reached_although_the_database_removes_others() {
	for (length, size) in [(1, 1000), (3, 6_000_000)] {
		let (mut node, genesis) = Node::new();
		node.makes_room = true;
		for liar in 0..BROTHERS {
			node.meet_with(liar, genesis, length, 10 + u64::from(liar), size);
		}
		assert_eq!(node.levels[&1], BROTHERS as usize, "of length {length}");
		assert!(!node.database.has(&node.chains[&0][1]));
		node.meet_with(HONEST, genesis, 40, 10, size);
		let tip = node.chains[&HONEST][40];
		assert_eq!(node.database.head().hash, tip, "length {length}");
	}
}

#[test]
fn a_chain_that_was_removed_is_fetched_again_once_it_is_the_heaviest() {
	let (mut node, genesis) = Node::new();
	node.makes_room = true;
	for liar in 0..BROTHERS {
		node.meet_with(liar, genesis, 2, 10 + u64::from(liar), 1000);
	}
	let first = node.chains[&0].clone();
	assert!(!node.database.has(&first[1]));
	let tip = node.store.child(first[2], 1000, 1000, Fault::None);
	node.chains.get_mut(&0).unwrap().push(tip);
	node.machine.announced(0, node.block(&tip), true);
	node.answer();
	assert_eq!(node.database.head().hash, tip);
}
