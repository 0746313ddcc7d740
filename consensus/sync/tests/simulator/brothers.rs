// SPDX-License-Identifier: Apache-2.0
//! Many blocks of one number. The database keeps 32 of them above the finalized block, so the state machine must leave
//! places to the blocks of heavier chains.

use crate::chain::{Database, Fault, SimBlock, SimLedger, Store};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{
	Action, Checked, Direction, Limits, Machine, Outcome, Proved, MIN_BUDGET,
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
	/// How many blocks of each number are in the database.
	levels: HashMap<u32, usize>,
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
			now: Duration::ZERO,
		};
		(node, genesis)
	}

	/// Connects a peer with a chain of its own of this length, and answers until nothing more is asked.
	fn meet(&mut self, peer: u32, genesis: Hash, length: usize) {
		let mut chain = vec![genesis];
		for number in 0..length {
			chain.push(self.store.child(chain[number], 10, 1000, Fault::None));
		}
		self.machine.add_peer(peer, chain[length], length as u32);
		self.chains.insert(peer, chain);
		for _ in 0..200 {
			self.now += Duration::from_millis(100);
			for action in self.machine.poll(self.now) {
				self.act(action);
			}
		}
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
				let bodies = hashes.iter().map(|hash| crate::arrival(self.block(hash)));
				let bodies = bodies.collect();
				self.machine.bodies_arrived(peer, Ok(bodies));
			}
			Action::Import { blocks, .. } => {
				let mut results = Vec::new();
				for (block, _) in blocks {
					let level = self.levels.entry(block.number).or_default();
					*level += 1;
					assert!(*level <= PLACES, "#{} is full", block.number);
					self.database.insert(&block);
					results.push((block.hash, Outcome::Imported));
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
	for _ in 0..200 {
		node.now += Duration::from_millis(100);
		for action in node.machine.poll(node.now) {
			node.act(action);
		}
	}
	assert!(node.database.has(&brother));
}
