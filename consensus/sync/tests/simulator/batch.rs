// SPDX-License-Identifier: Apache-2.0
//! What happens between the import of a batch's first block and the report of its results.

use crate::chain::{Database, Fault, SimBlock, SimLedger, Store};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{
	Action, Checked, Direction, Limits, Machine, Outcome, Proved, MIN_BUDGET,
};
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
					Action::Announce(hash) => panic!("{hash} is announced"),
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

	/// Starts, and inserts the first five blocks of the batch. Their results have not been reported.
	fn with_five_inserted() -> Self {
		let importing = Self::start();
		for block in &importing.batch[..5] {
			importing.database.insert(block);
		}
		importing
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
		..
	} = Importing::with_five_inserted();
	database.finalize(3);
	machine.finalized();
	assert_eq!((machine.headers(), machine.target()), (16, Some(16)));
}

#[test]
fn a_chain_stays_proved_when_the_import_finalizes_more_meanwhile() {
	// Whether the results of the finalized blocks are here or not.
	for landed in [0, 3] {
		let Importing {
			mut machine,
			database,
			batch,
			..
		} = Importing::with_five_inserted();
		machine.imported(batch[..landed].iter().map(|b| (b.hash, Outcome::Imported)));
		database.finalize(3);
		database.finalize_soon(5);
		machine.finalized();
		assert_eq!(
			(machine.headers(), machine.target()),
			(16 - landed, Some(16)),
			"{landed} have landed"
		);
	}
}

#[test]
fn a_chain_stays_proved_while_its_blocks_are_finalized_one_by_one() {
	let Importing {
		mut machine,
		database,
		batch,
		..
	} = Importing::start();
	assert_eq!(batch.len(), 16);
	for block in &batch {
		database.insert(block);
		machine.imported([(block.hash, Outcome::Imported)]);
		database.finalize(block.number);
		machine.finalized();
		machine.poll(Duration::ZERO);
		let target = (block.number < 16).then_some(16);
		let headers = 16 - block.number as usize;
		assert_eq!((machine.headers(), machine.target()), (headers, target));
	}
}

#[test]
fn blocks_whose_import_was_skipped_are_asked_for_again() {
	let Importing {
		mut machine, batch, ..
	} = Importing::start();
	machine.imported(batch.iter().map(|block| (block.hash, Outcome::Skipped)));
	let actions = machine.poll(Duration::ZERO);
	let asked = actions.iter().find_map(|action| match action {
		Action::AskBodies { hashes, .. } => hashes.first().copied(),
		_ => None,
	});
	assert_eq!(asked, Some(batch[0].hash));
}

#[test]
fn a_chain_goes_when_the_database_has_removed_the_block_that_it_grows_from() {
	let Importing {
		mut machine,
		database,
		batch,
		..
	} = Importing::with_five_inserted();
	machine.imported(batch[..5].iter().map(|b| (b.hash, Outcome::Imported)));
	database.remove(&batch[4].hash);
	let skipped = batch[5..].iter().map(|b| (b.hash, Outcome::Skipped));
	machine.imported(skipped);
	assert_eq!((machine.headers(), machine.target()), (0, None));
	let actions = machine.poll(Duration::ZERO);
	let asks = |action: &Action<SimLedger>| matches!(action, Action::AskBodies { .. });
	assert!(!actions.iter().any(asks));
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

/// Answers what the machine asks a peer that has this chain, but keeps no body below `kept` and no header below
/// `begins`. Returns from which blocks on bodies were asked for.
fn answer(
	machine: &mut Machine<SimLedger>,
	store: &Store,
	chain: &[Hash],
	(begins, kept): (u32, u32),
	now: Duration,
) -> Vec<u32> {
	let block = |hash: &Hash| store.get(hash).unwrap();
	let mut asked = Vec::new();
	for _ in 0..1000 {
		let actions = machine.poll(now);
		if actions.is_empty() {
			break;
		}
		for action in actions {
			match action {
				Action::AskHeaders {
					from,
					direction,
					max,
					..
				} => {
					let from = block(&from).number;
					let numbers: Vec<u32> = match direction {
						Direction::Down => (0..=from).rev().collect(),
						Direction::Up => (from..chain.len() as u32).collect(),
					};
					let has = |number: &u32| *number == 0 || *number >= begins;
					let headers = numbers.iter().take_while(|number| has(number));
					let headers = headers
						.take(max as usize)
						.map(|n| block(&chain[*n as usize]));
					machine.headers_arrived(PEER, Ok(headers.collect()));
				}
				Action::Check { headers, .. } => machine.headers_checked(PEER, pass(&headers)),
				Action::AskBodies { hashes, .. } => {
					let number = block(&hashes[0]).number;
					asked.push(number);
					let bodies = hashes.iter().map(block).take_while(|b| b.number >= kept);
					machine.bodies_arrived(PEER, Ok(bodies.map(crate::arrival).collect()));
				}
				Action::Import { .. } | Action::Announce(_) => {}
				Action::Drop { why, .. } => panic!("{why:?}"),
			}
		}
	}
	asked
}

#[test]
fn a_peer_that_prunes_is_asked_for_what_it_keeps_and_not_blamed() {
	let (store, _, chain, mut machine) = chain_and_machine(300);
	machine.add_peer(PEER, chain[300], 300);
	assert_eq!(machine.lost(), None);
	let kept = (0, 200);
	let asked = answer(&mut machine, &store, &chain, kept, Duration::ZERO);
	// Further up each time, until the peer has the body.
	assert_eq!(asked[..9], [1, 2, 4, 8, 16, 32, 64, 128, 256]);
	assert_eq!(machine.lost(), Some(1), "no peer has the next body");
	// It is not asked for what it lacks, until long after.
	let later = answer(&mut machine, &store, &chain, kept, Duration::from_secs(599));
	assert!(later.is_empty(), "{later:?}");
	let again = answer(&mut machine, &store, &chain, kept, Duration::from_secs(601));
	assert!(again.starts_with(&[1]), "{again:?}");
}

#[test]
fn a_peer_whose_history_begins_above_our_best_block_is_not_blamed() {
	let (store, _, chain, mut machine) = chain_and_machine(300);
	machine.add_peer(PEER, chain[300], 300);
	for seconds in 0..300 {
		let now = Duration::from_secs(seconds);
		assert!(answer(&mut machine, &store, &chain, (250, 250), now).is_empty());
		if seconds % 10 == 0 {
			machine.announced(PEER, store.get(&chain[300]).unwrap(), true);
		}
	}
	assert_eq!(machine.target(), None);
}

#[test]
fn headers_that_lead_nowhere_make_the_next_walk_wait() {
	let (store, _, chain, mut machine) = chain_and_machine(1);
	// A chain that does not connect, longer than a walk down.
	let mut tip = store.add(store.no_hash(), 10, 10, 10, Fault::None);
	let mut fork = vec![tip];
	for _ in 0..1100 {
		tip = store.child(tip, 10, 10, Fault::None);
		fork.push(tip);
	}
	machine.add_peer(PEER, chain[0], 0);
	let block = |hash: &Hash| store.get(hash).unwrap();
	let mut steps = 0;
	let mut walks = 0;
	for second in 0..60 {
		machine.announced(PEER, block(&tip), true);
		for _ in 0..20 {
			for action in machine.poll(Duration::from_secs(second)) {
				let Action::AskHeaders {
					from, direction, ..
				} = action
				else {
					panic!("only headers are asked for");
				};
				steps += 1;
				let headers: Vec<_> = match direction {
					Direction::Up => vec![block(&from)],
					Direction::Down => {
						walks += usize::from(from == block(&tip).parent);
						let at = fork.iter().position(|hash| *hash == from).unwrap();
						fork[..=at].iter().rev().take(128).map(block).collect()
					}
				};
				machine.headers_arrived(PEER, Ok(headers));
			}
		}
	}
	assert!(
		(2..8).contains(&walks),
		"{walks} walks of {steps} steps in a minute"
	);
}
