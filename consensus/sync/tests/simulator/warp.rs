// SPDX-License-Identifier: Apache-2.0
//! Drives the state machine of the warp sync through simulated networks: honest peers that come and go and prune old
//! states, and liars. Everything follows from a seed.

use isthmus_primitives::{BlockNumber, Hash};
use isthmus_sync::{
	machine::{Failure, Offence},
	warp::{Action, Phase, ProofStep, StateStep, Target, Warning, Warp},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BinaryHeap},
	time::Duration,
};

type Name = u32;

/// Liars' names begin with this number.
const LIARS: Name = 1000;
/// The number of schedules that are run if nothing else is asked for.
const SCHEDULES: u64 = 20_000;
/// Seeds that found faults, with what they found.
const FOUND: &[(u64, &str)] = &[
	(
		13,
		"a peer that had proved the target was asked for its state although it was slow",
	),
	(
		2419,
		"silent peers were tried first in each round, until the state counted as stalled",
	),
	(
		3571,
		"a slow peer sent the state of an old target for ever, which no other peer had",
	),
	(
		8459,
		"peers that had failed once came after one that was slow",
	),
];
/// Seeds of networks with silent and late peers that found faults, with what they found.
const STALLED: &[(u64, &str)] = &[
	(
		0,
		"no target was chosen while a peer left and came back before its proof was due, or proved without end",
	),
	(
		820,
		"a silent peer that came back under new names was asked for the target's foot before one that had been there for long",
	),
	(
		7215,
		"the wait for late peers grew until those that prune no longer had the target's state",
	),
];
/// The network's limit for a request, in milliseconds.
const TIMEOUT: u64 = 40_000;
/// The time between two ticks of Substrate's sync engine, in milliseconds.
const TICK: u64 = 1_100;
/// The time between two final blocks, in milliseconds.
const FINALITY: u64 = 5_000;
/// How many states below the last final block a pruned peer keeps.
const KEPT: BlockNumber = 64;
/// A node must be ready after this time, in milliseconds.
const END: u64 = 3_600_000;

/// How a liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
	/// It never answers.
	Silent,
	/// Its proofs are wrong.
	BadProof,
	/// It proves an old final block.
	OldTarget,
	/// It says that nothing is final.
	Nothing,
	/// Its headers below the target are wrong.
	BadFoot,
	/// Its parts of the state are wrong.
	BadState,
	/// Its parts of the state are as small as can be, and late.
	Trickle,
	/// It sends everything but the state.
	NoState,
	/// It leaves whenever it is asked for something.
	Leaves,
	/// It answers nothing, and leaves and comes back before its time is up.
	Returns,
	/// Its proof never ends: one late step follows the other.
	SlowProof,
}

const LIES: [Lie; 9] = [
	Lie::Silent,
	Lie::BadProof,
	Lie::OldTarget,
	Lie::Nothing,
	Lie::BadFoot,
	Lie::BadState,
	Lie::Trickle,
	Lie::NoState,
	Lie::Leaves,
];

/// How to hold up the choice of the target.
const STALLS: [Lie; 3] = [Lie::Silent, Lie::Returns, Lie::SlowProof];

enum Event {
	Tick,
	Connect(Name),
	Leave(Name),
	Proof(Name, u64, Result<ProofStep, Failure>),
	Foot(Name, u64, Target, Result<(), Failure>),
	State(Name, u64, Target, Result<u64, Failure>),
	Imported(bool),
}

struct Schedule {
	seed: u64,
	random: ChaCha8Rng,
	now: u64,
	order: u64,
	events: BinaryHeap<Reverse<(u64, u64)>>,
	waiting: BTreeMap<u64, Event>,
	warp: Warp<Name>,
	/// The peers, with the numbers of their connections and how many steps of its proof each has made.
	peers: BTreeMap<Name, (u64, u32)>,
	connections: u64,
	honest: u32,
	/// Whether honest peers come late, and some leave.
	restless: bool,
	lies: Vec<Lie>,
	/// The last final block at the start, and how many sets of verifiers a proof must go through.
	first: BlockNumber,
	changes: u32,
	/// The size of the state, how much has arrived, and of which target.
	size: u64,
	arrived: u64,
	of: Option<Target>,
	pruned: bool,
	hiccups: u32,
	best_proved: Option<Target>,
}

fn target(number: BlockNumber) -> Target {
	Target {
		number,
		hash: Hash::from_low_u64_be(number.into()),
	}
}

impl Schedule {
	fn of(seed: u64) -> Self {
		let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x3a2b);
		let liars = *[0, 1, 1, 2, 4].get(random.gen_range(0..5)).unwrap();
		let lies = (0..liars).map(|_| LIES[random.gen_range(0..LIES.len())]);
		let lies = lies.collect();
		Self {
			seed,
			now: 0,
			order: 0,
			events: BinaryHeap::new(),
			waiting: BTreeMap::new(),
			warp: Warp::default(),
			peers: BTreeMap::new(),
			connections: 0,
			honest: random.gen_range(1..5),
			restless: true,
			lies,
			first: random.gen_range(1..5_000),
			changes: random.gen_range(0..4),
			size: random.gen_range(1..400_000_000),
			arrived: 0,
			of: None,
			pruned: random.gen_bool(0.5),
			hiccups: *[0, 0, 100].get(random.gen_range(0..3)).unwrap(),
			best_proved: None,
			random,
		}
	}

	fn at(&mut self, time: u64, event: Event) {
		self.order += 1;
		self.events.push(Reverse((time, self.order)));
		self.waiting.insert(self.order, event);
	}

	/// Returns the last final block.
	fn last(&self) -> BlockNumber {
		self.first + (self.now / FINALITY) as BlockNumber
	}

	fn lie(&self, peer: Name) -> Option<Lie> {
		let index = peer.checked_sub(LIARS)? as usize;
		self.lies.get(index % self.lies.len()).copied()
	}

	/// Returns whether a peer has the state of a block.
	fn has_state(&self, target: Target) -> bool {
		target.number <= self.last() && (!self.pruned || target.number + KEPT >= self.last())
	}

	fn run(&mut self) {
		for name in 0..self.honest {
			let when = match self.restless {
				true => self.random.gen_range(0..20_000),
				false => 0,
			};
			self.at(when, Event::Connect(name));
			if self.restless && self.random.gen_bool(0.2) {
				let leaves = when + self.random.gen_range(0..60_000);
				self.at(leaves, Event::Leave(name));
			}
		}
		for index in 0..self.lies.len() {
			let when = self.random.gen_range(0..5_000);
			self.at(when, Event::Connect(LIARS + index as Name));
		}
		self.at(0, Event::Tick);
		while let Some(Reverse((time, order))) = self.events.pop() {
			self.now = time;
			assert!(time < END, "seed {}: {}", self.seed, self.describe());
			if let Some(event) = self.waiting.remove(&order) {
				self.happen(event);
				self.poll();
			}
			if let Phase::Done(done) = self.warp.phase() {
				assert_eq!(self.of, Some(done), "the state is the target's");
				return;
			}
		}
		panic!("seed {}: nothing happens any more", self.seed);
	}

	fn describe(&self) -> String {
		format!(
			"{} honest peers ({}), liars {:?}, phase {:?}, peers {:?}, final #{}, {} of {} bytes",
			self.honest,
			if self.pruned { "pruned" } else { "archives" },
			self.lies,
			self.warp.phase(),
			self.peers.keys(),
			self.last(),
			self.arrived,
			self.size,
		)
	}

	fn happen(&mut self, event: Event) {
		match event {
			Event::Tick => self.at(self.now + TICK, Event::Tick),
			Event::Connect(name) => self.connect(name),
			Event::Leave(name) => self.leave(name),
			Event::Proof(name, connection, step) if self.is_connected(name, connection) => {
				self.warp.proved(name, step);
			}
			Event::Foot(name, connection, of, result) if self.is_connected(name, connection) => {
				self.warp.foot(name, of, result);
			}
			Event::State(name, connection, of, result) if self.is_connected(name, connection) => {
				self.state(name, of, result);
			}
			Event::Imported(success) => self.warp.imported(success),
			Event::Proof(..) | Event::Foot(..) | Event::State(..) => {}
		}
	}

	fn is_connected(&self, name: Name, connection: u64) -> bool {
		self.peers
			.get(&name)
			.is_some_and(|peer| peer.0 == connection)
	}

	fn connect(&mut self, name: Name) {
		self.connections += 1;
		self.peers.insert(name, (self.connections, 0));
		self.warp.add_peer(name);
	}

	fn leave(&mut self, name: Name) {
		if self.peers.remove(&name).is_some() {
			self.warp.remove_peer(&name);
			// A liar comes back under another name.
			let again = match name {
				0..LIARS => name,
				_ => name + self.lies.len() as Name,
			};
			let when = match self.lie(name) {
				Some(Lie::Returns) => self.now + 1,
				_ => self.now + self.random.gen_range(1_000..30_000),
			};
			self.at(when, Event::Connect(again));
		}
	}

	fn state(&mut self, name: Name, of: Target, result: Result<u64, Failure>) {
		let step = result.map(|bytes| {
			assert_eq!(self.of, Some(of), "only the target's state is asked for");
			self.arrived = (self.arrived + bytes).min(self.size);
			match self.arrived == self.size {
				true => StateStep::Complete,
				false => StateStep::More(bytes),
			}
		});
		self.warp.state(name, of, step);
	}

	fn poll(&mut self) {
		for action in self.warp.poll(Duration::from_millis(self.now)) {
			self.act(action);
		}
	}

	fn act(&mut self, action: Action<Name>) {
		match action {
			Action::Restart(name) => self.peers.get_mut(&name).unwrap().1 = 0,
			Action::AskProof(name) => self.ask_proof(name),
			Action::AskFoot(name, of) => self.ask_foot(name, of),
			Action::BeginState(of) => {
				if self.of != Some(of) {
					(self.of, self.arrived) = (Some(of), 0);
				}
			}
			Action::AskState(name, of) => self.ask_state(name, of),
			Action::Import(of) => {
				assert_eq!((self.of, self.arrived), (Some(of), self.size));
				let success = self.random.gen_range(0..1000) >= self.hiccups;
				self.at(self.now + 3_000, Event::Imported(success));
			}
			Action::Drop(name, why) => {
				assert!(
					name >= LIARS,
					"seed {}: honest peer {name}: {why:?}",
					self.seed
				);
				assert_ne!(why, Offence::Unanswered, "seed {}", self.seed);
				self.leave(name);
			}
			Action::Warn(Warning::TwoFinalBlocks(..)) => panic!("seed {}", self.seed),
			Action::Warn(_) => {}
		}
	}

	/// Answers a question of a peer, unless the peer leaves.
	fn answer(&mut self, name: Name, took: u64, event: impl Fn(Name, u64, bool) -> Event) {
		let (connection, _) = self.peers[&name];
		match self.lie(name) {
			Some(Lie::Silent) => {
				self.at(self.now + TIMEOUT, event(name, connection, true));
			}
			Some(Lie::Leaves) => self.at(self.now + 1, Event::Leave(name)),
			Some(Lie::Returns) => self.at(self.now + TIMEOUT - 1, Event::Leave(name)),
			_ => {
				let latency = self.random.gen_range(1..200);
				self.at(self.now + latency + took, event(name, connection, false));
			}
		}
	}

	fn ask_proof(&mut self, name: Name) {
		let lie = self.lie(name);
		let (_, steps) = self.peers.get_mut(&name).unwrap();
		*steps += 1;
		let is_last = *steps > self.changes;
		let last = self.last();
		let step = match lie {
			Some(Lie::BadProof) => Err(Failure::Invalid),
			Some(Lie::Nothing) => Ok(ProofStep::Nothing),
			Some(Lie::OldTarget) => Ok(ProofStep::Target(target(last / 3 + 1))),
			Some(Lie::SlowProof) => Ok(ProofStep::More),
			_ if is_last => Ok(ProofStep::Target(target(last))),
			_ => Ok(ProofStep::More),
		};
		if let (Ok(ProofStep::Target(proved)), true) = (step, name < LIARS) {
			self.best_proved = self.best_proved.max(Some(proved));
		}
		let took = match lie {
			Some(Lie::SlowProof) => TIMEOUT - 200,
			_ => 10,
		};
		self.answer(name, took, |name, connection, lost| {
			let step = if lost { Err(Failure::Unanswered) } else { step };
			Event::Proof(name, connection, step)
		});
	}

	fn ask_foot(&mut self, name: Name, of: Target) {
		let result = match self.lie(name) {
			Some(Lie::BadFoot) => Err(Failure::Invalid),
			_ if of.number > self.last() => Err(Failure::Unanswered),
			_ => Ok(()),
		};
		self.answer(name, 50, |name, connection, lost| {
			let result = if lost {
				Err(Failure::Unanswered)
			} else {
				result
			};
			Event::Foot(name, connection, of, result)
		});
	}

	fn ask_state(&mut self, name: Name, of: Target) {
		assert_eq!(self.of, Some(of));
		let (result, took) = match self.lie(name) {
			Some(Lie::BadState) => (Err(Failure::Invalid), 0),
			Some(Lie::NoState) => (Err(Failure::Unanswered), 0),
			Some(Lie::Trickle) => (Ok(100), 30_000),
			_ if !self.has_state(of) => (Err(Failure::Unanswered), 0),
			_ => (Ok(2_000_000), 250),
		};
		self.answer(name, took, |name, connection, lost| {
			let result = if lost {
				Err(Failure::Unanswered)
			} else {
				result
			};
			Event::State(name, connection, of, result)
		});
	}
}

/// Returns how many schedules to run.
fn schedules() -> u64 {
	let asked = std::env::var("SCHEDULES").ok().and_then(|n| n.parse().ok());
	asked.unwrap_or(SCHEDULES)
}

#[test]
fn warp_syncs_end_with_a_state_that_honest_peers_have_and_without_blame() {
	for seed in 0..schedules() {
		Schedule::of(seed).run();
	}
}

/// Returns the schedule of a seed, with more liars, which hold up what they can.
fn stalled(seed: u64) -> Schedule {
	let mut schedule = Schedule::of(seed);
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let stalls = random.gen_range(1..4);
	let stalls = (0..stalls).map(|_| STALLS[random.gen_range(0..STALLS.len())]);
	schedule.lies.extend(stalls);
	schedule
}

#[test]
fn no_peer_holds_up_the_choice_of_the_target() {
	for seed in (0..schedules() / 4).chain(STALLED.iter().map(|(seed, _)| *seed)) {
		stalled(seed).run();
	}
}

#[test]
fn seeds_of_the_warp_sync_that_found_faults_hold() {
	for (seed, _) in FOUND {
		Schedule::of(*seed).run();
	}
}

#[test]
fn the_highest_final_block_is_the_target_whatever_liars_prove() {
	for seed in 0..2_000 {
		let mut schedule = Schedule::of(seed);
		schedule.honest = 3;
		schedule.restless = false;
		schedule.lies = vec![Lie::OldTarget, Lie::Nothing];
		schedule.pruned = false;
		schedule.hiccups = 0;
		schedule.run();
		let done = schedule.of.unwrap();
		assert!(done.number >= schedule.first, "seed {seed}: {done:?}");
	}
}

#[test]
fn two_final_blocks_of_one_height_are_not_chosen_between() {
	let mut warp = Warp::default();
	let now = Duration::from_secs(1);
	for peer in 0..3 {
		warp.add_peer(peer);
	}
	let other = Target {
		hash: Hash::repeat_byte(9),
		..target(7)
	};
	assert_eq!(warp.poll(now).len(), 6);
	for (peer, proved) in [(0, target(7)), (1, other), (2, target(5))] {
		warp.proved(peer, Ok(ProofStep::Target(proved)));
	}
	let warning = Warning::TwoFinalBlocks(other, target(7));
	assert_eq!(warp.poll(now), [Action::Warn(warning)]);
	assert_eq!(warp.phase(), Phase::Waiting);
	assert!(warp.poll(now + Duration::from_secs(59)).is_empty());
	assert_eq!(warp.poll(now + Duration::from_secs(60)).len(), 6);
}

/// Adds three peers, of which the first two prove their final blocks.
fn two_of_three_proved(warp: &mut Warp<Name>) {
	for peer in 1..=3 {
		warp.add_peer(peer);
	}
	warp.poll(Duration::ZERO);
	for peer in [1, 2] {
		warp.proved(peer, Ok(ProofStep::Target(target(7))));
	}
	assert!(warp.poll(Duration::from_secs(59)).is_empty());
}

#[test]
fn the_target_is_chosen_without_peers_that_do_not_answer() {
	let mut warp = Warp::default();
	two_of_three_proved(&mut warp);
	// It comes back, and is asked again. That does not give it more time.
	warp.remove_peer(&3);
	warp.add_peer(3);
	let asked = [Action::Restart(3), Action::AskProof(3)];
	assert_eq!(warp.poll(Duration::from_secs(59)), asked);
	let actions = warp.poll(Duration::from_secs(60));
	assert!(
		matches!(actions[..], [Action::AskFoot(1 | 2, _)]),
		"{actions:?}"
	);
	assert_eq!(warp.phase(), Phase::Foot(target(7)));
}

#[test]
fn a_proof_that_is_late_is_not_begun_again() {
	let mut warp = Warp::default();
	two_of_three_proved(&mut warp);
	let Some(Action::AskFoot(first, _)) = warp.poll(Duration::from_secs(60)).pop() else {
		panic!("a peer is asked for the target");
	};
	warp.proved(3, Ok(ProofStep::More));
	assert_eq!(warp.poll(Duration::from_secs(61)), [Action::AskProof(3)]);
	// No peer has the target, so all are asked for a newer one.
	warp.foot(first, target(7), Err(Failure::Unanswered));
	let asked = warp.poll(Duration::from_secs(62));
	assert_eq!(asked, [Action::AskFoot(3 - first, target(7))]);
	warp.foot(3 - first, target(7), Err(Failure::Unanswered));
	assert_eq!(
		warp.poll(Duration::from_secs(63)),
		[Action::Warn(Warning::NoState(target(7)))]
	);
	assert!(warp.poll(Duration::from_secs(72)).is_empty());
	let restarted: Vec<_> = warp
		.poll(Duration::from_secs(73))
		.into_iter()
		.filter(|action| matches!(action, Action::Restart(_)))
		.collect();
	assert_eq!(restarted, [Action::Restart(1), Action::Restart(2)]);
	warp.proved(3, Ok(ProofStep::Target(target(9))));
	for peer in [1, 2] {
		warp.proved(peer, Ok(ProofStep::Target(target(8))));
	}
	let actions = warp.poll(Duration::from_secs(74));
	let [Action::AskFoot(asked, of)] = actions[..] else {
		panic!("{actions:?}");
	};
	assert_eq!(of, target(9));
	// What arrives late of the target before is not taken for this one's.
	assert!(!warp.foot(asked, target(7), Ok(())));
	assert_eq!(warp.phase(), Phase::Foot(target(9)));
	assert!(warp.foot(asked, target(9), Ok(())));
	warp.state(asked, target(7), Ok(StateStep::Complete));
	assert_eq!(warp.phase(), Phase::State(target(9)));
	warp.state(asked, target(9), Ok(StateStep::Complete));
	assert_eq!(warp.phase(), Phase::Importing(target(9)));
}

#[test]
fn what_one_peer_has_sent_is_kept_when_another_lies() {
	let mut warp = Warp::default();
	warp.add_peer(1);
	warp.add_peer(2);
	warp.poll(Duration::ZERO);
	warp.poll(Duration::from_secs(10));
	for peer in [1, 2] {
		warp.proved(peer, Ok(ProofStep::Target(target(7))));
	}
	let now = Duration::from_secs(11);
	let Some(Action::AskFoot(first, _)) = warp.poll(now).pop() else {
		panic!("a peer is asked for the target");
	};
	assert!(warp.foot(first, target(7), Ok(())));
	let actions = warp.poll(now);
	assert!(matches!(
		actions[..],
		[Action::BeginState(_), Action::AskState(..)]
	));
	let Action::AskState(asked, _) = actions[1] else {
		panic!("a peer is asked for the state");
	};
	warp.state(asked, target(7), Err(Failure::Invalid));
	let actions = warp.poll(now);
	let other = 3 - asked;
	assert_eq!(
		actions,
		[
			Action::Drop(asked, Offence::Invalid),
			Action::AskState(other, target(7))
		]
	);
}
