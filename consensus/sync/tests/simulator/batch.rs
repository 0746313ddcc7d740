// SPDX-License-Identifier: Apache-2.0
//! What happens between the import of a batch's first block and the report of its results.

use crate::chain::{Database, Fault, SimBlock, SimLedger, Store};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{Action, Checked, Limits, Machine, Outcome, Proved, MIN_BUDGET};
use std::{rc::Rc, time::Duration};

const PEER: u32 = 1;

/// A machine that has proved a peer's chain and handed its first blocks to the import.
struct Importing {
	machine: Machine<SimLedger>,
	store: Rc<Store>,
	database: Rc<Database>,
	batch: Vec<SimBlock>,
}

/// Makes a chain of `length` blocks above genesis, and a machine that knows only genesis.
fn chain_and_machine(length: usize) -> (Rc<Store>, Rc<Database>, Vec<Hash>, Machine<SimLedger>) {
	let (store, genesis) = Store::new();
	let mut chain = vec![genesis];
	for number in 0..length {
		chain.push(store.child(chain[number], 10, 1000, Fault::None));
	}
	let database = Database::new(store.clone(), genesis);
	let limits = Limits {
		budget: MIN_BUDGET,
		blocks_per_request: 64,
		parallel: 3,
	};
	let machine = Machine::new(SimLedger(database.clone()), limits);
	(store, database, chain, machine)
}

impl Importing {
	fn start() -> Self {
		let (store, database, chain, mut machine) = chain_and_machine(16);
		machine.add_peer(PEER, chain[16], 16);
		let block = |hash: &Hash| store.get(hash).unwrap();
		let mut batch = Vec::new();
		while batch.is_empty() {
			for action in machine.poll(Duration::ZERO) {
				match action {
					Action::AskHeaders { .. } => {
						let headers = chain.iter().rev().map(block).collect();
						machine.headers_arrived(PEER, Ok(headers));
					}
					Action::Check { headers, .. } => machine.headers_checked(PEER, pass(&headers)),
					Action::AskBodies { hashes, .. } => {
						let bodies = hashes.iter().map(block).map(crate::arrival).collect();
						machine.bodies_arrived(PEER, Ok(bodies));
					}
					Action::Import { blocks, .. } => {
						batch.extend(blocks.into_iter().map(|(block, _)| block));
					}
					Action::Drop { why, .. } => panic!("{why:?}"),
				}
			}
		}
		Self {
			machine,
			store,
			database,
			batch,
		}
	}
}

fn pass(headers: &[SimBlock]) -> Checked<SimBlock, (), u64> {
	let proved = headers.iter().map(|header| Proved {
		hash: header.hash,
		parent: header.parent,
		number: header.number,
		weight: header.weight,
		facts: (),
	});
	Checked {
		proved: proved.collect(),
		problem: None,
		left: Vec::new(),
	}
}

#[test]
fn a_chain_stays_proved_when_a_block_of_the_batch_is_finalized() {
	let Importing {
		mut machine,
		database,
		batch,
		..
	} = Importing::start();
	for block in &batch[..5] {
		database.insert(block);
	}
	database.finalize(3);
	machine.finalized();
	assert_eq!((machine.headers(), machine.target()), (16, Some(16)));
}

#[test]
fn a_chain_goes_when_another_block_is_finalized() {
	let Importing {
		mut machine,
		store,
		database,
		batch,
	} = Importing::start();
	database.insert(&batch[0]);
	let mut tip = batch[0].hash;
	for _ in 0..3 {
		tip = store.child(tip, 10, 1000, Fault::None);
		database.insert(&store.get(&tip).unwrap());
	}
	database.finalize(3);
	machine.finalized();
	assert_eq!((machine.headers(), machine.target()), (0, None));
}

#[test]
fn a_peer_that_grandpa_names_is_not_blamed_for_a_block_it_never_claimed() {
	let Importing {
		mut machine, batch, ..
	} = Importing::start();
	let parent = batch[0].parent;
	machine.add_peer(2, parent, 0);
	machine.want(&[2], batch[9].hash, 10);
	machine.poll(Duration::ZERO);
	machine.imported([(batch[0].hash, Outcome::Invalid)]);
	let actions = machine.poll(Duration::ZERO);
	let dropped = actions.iter().filter_map(|action| match action {
		Action::Drop { peer, .. } => Some(*peer),
		_ => None,
	});
	assert_eq!(dropped.collect::<Vec<_>>(), [PEER]);
}

#[test]
fn a_block_that_is_finalized_while_its_headers_are_asked_for_is_not_taken_for_dead() {
	let (store, database, chain, mut machine) = chain_and_machine(4);
	let block = |hash: &Hash| store.get(hash).unwrap();
	machine.add_peer(PEER, chain[3], 3);
	machine.poll(Duration::ZERO);
	for hash in &chain[1..4] {
		database.insert(&block(hash));
	}
	database.finalize(3);
	machine.finalized();
	machine.headers_arrived(PEER, Ok(chain[..4].iter().rev().map(block).collect()));
	machine.announced(PEER, block(&chain[4]), true);
	let actions = machine.poll(Duration::ZERO);
	assert!(matches!(actions[..], [Action::Check { .. }]));
}
