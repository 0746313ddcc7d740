// SPDX-License-Identifier: Apache-2.0
//! Simulates a network, event by event, and checks what must hold.

mod requests;

use crate::{
	chain::{Database, Fault, Name, SimBlock, SimLedger, Store},
	liars::{Liar, LIES},
	plan::{is_pardonable, Plan},
};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{Action, Arrival, Checked, Failure, Limits, Machine, Outcome};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque},
	rc::Rc,
	time::Duration,
};

/// The network's limit for a request, in milliseconds.
const TIMEOUT: u64 = 20_000;
/// The time between two ticks of Substrate's sync engine, in milliseconds.
const TICK: u64 = 1_100;
/// How long the nodes may take to agree after the last block was mined, in milliseconds.
const SETTLE: u64 = 3_600_000;
/// Liars' names begin with this number.
const LIARS: Name = 1000;

enum Event {
	Tick(Name),
	Mine(Name),
	Announced(Name, Name, SimBlock, bool),
	Headers(Name, Name, u64, Result<Vec<SimBlock>, Failure>),
	Bodies(Name, Name, u64, Result<Vec<Arrival<SimBlock>>, Failure>),
	Checked(Name, Name, u64, Checked<SimBlock, (), u64>),
	Imported(Name),
	Connect(Name, Name),
	Split,
	Heal,
	Finalize,
	Lie(usize),
}

/// The number of a connection, whether bodies are asked for, from which block on, and how many.
type Question = (u64, bool, Hash, usize);

struct Node {
	machine: Machine<SimLedger>,
	database: Rc<Database>,
	/// The peers, with the numbers of their connections.
	peers: BTreeMap<Name, u64>,
	/// The blocks to import, and whether each is the last one of its batch.
	queue: VecDeque<(SimBlock, bool)>,
	/// The results of the batch so far. They are reported at its end.
	results: Vec<(Hash, Outcome)>,
	announce: HashSet<Hash>,
	is_importing: bool,
	/// How often a peer was asked for what, by the number of the connection, and when it was asked in vain.
	asked: HashMap<Question, (u32, Option<u64>)>,
	/// When this node was asked for the same bodies by whom. It refuses the third time within a minute.
	served: HashMap<(Name, Hash, usize), Vec<u64>>,
}

/// A network.
pub(crate) struct Network {
	plan: Plan,
	random: ChaCha8Rng,
	now: u64,
	order: u64,
	events: BinaryHeap<Reverse<(u64, u64)>>,
	waiting: HashMap<u64, Event>,
	store: Rc<Store>,
	nodes: Vec<Node>,
	liars: Vec<(Name, Liar)>,
	connections: u64,
	next_liar: Name,
	/// When the last announcement from one node to another arrives.
	sent: HashMap<(Name, Name), u64>,
	is_split: bool,
}

impl Network {
	/// Builds the network of a plan.
	pub(crate) fn new(plan: Plan) -> Self {
		let (store, genesis) = Store::new();
		let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
		let mut history = vec![];
		let mut parent = genesis;
		for _ in 0..plan.history {
			let size = random.gen_range(0..=plan.body);
			parent = store.child(parent, random.gen_range(8..12), size, Fault::None);
			history.extend(store.get(&parent));
		}
		let nodes = (0..plan.nodes).map(|index| {
			let database = Database::new(store.clone(), genesis);
			if index > 0 || !plan.late {
				history.iter().for_each(|block| database.insert(block));
			}
			let limits = Limits {
				budget: plan.budget,
				blocks_per_request: 64,
				parallel: 3,
			};
			Node {
				machine: Machine::new(SimLedger(database.clone()), limits),
				database,
				peers: BTreeMap::new(),
				queue: VecDeque::new(),
				results: Vec::new(),
				announce: HashSet::new(),
				is_importing: false,
				asked: HashMap::new(),
				served: HashMap::new(),
			}
		});
		let nodes = nodes.collect();
		Self {
			plan,
			random,
			now: 0,
			order: 0,
			events: BinaryHeap::new(),
			waiting: HashMap::new(),
			store,
			nodes,
			liars: Vec::new(),
			connections: 0,
			next_liar: LIARS,
			sent: HashMap::new(),
			is_split: false,
		}
	}

	fn at(&mut self, time: u64, event: Event) {
		self.order += 1;
		self.events.push(Reverse((time, self.order)));
		self.waiting.insert(self.order, event);
	}

	/// Runs the network until all nodes agree.
	pub(crate) fn run(&mut self) {
		self.start();
		let end = self.plan.mining + SETTLE;
		while let Some(Reverse((time, order))) = self.events.pop() {
			self.now = time;
			assert!(time < end, "{:?}\n{}", self.plan, self.state());
			if let Some(event) = self.waiting.remove(&order) {
				let is_tick = matches!(event, Event::Tick(_));
				self.happen(event);
				if is_tick && time > self.plan.mining + TICK && self.is_settled() {
					break;
				}
			}
		}
		assert!(self.is_settled(), "{:?}\n{}", self.plan, self.state());
	}

	fn start(&mut self) {
		let nodes = self.plan.nodes as Name;
		for a in 0..nodes {
			for b in a + 1..nodes {
				let when = self.random.gen_range(0..1000);
				self.at(when, Event::Connect(a, b));
			}
			let first = self.random.gen_range(0..TICK);
			self.at(first, Event::Tick(a));
			self.mine_later(a);
		}
		if let Some((from, to)) = self.plan.split {
			self.at(from, Event::Split);
			self.at(to, Event::Heal);
		}
		if self.plan.finality {
			self.at(5_000, Event::Finalize);
		}
		for _ in 0..self.plan.liars {
			let lie = LIES[self.random.gen_range(0..LIES.len())];
			let honest = self.nodes[self.plan.nodes - 1].database.clone();
			let liar = Liar {
				lie,
				store: self.store.clone(),
				honest,
				tip: None,
			};
			self.liars.push((Name::MAX, liar));
			let when = self.random.gen_range(0..3_000);
			self.at(when, Event::Lie(self.liars.len() - 1));
		}
	}

	fn mine_later(&mut self, node: Name) {
		let mean = (self.plan.interval * self.plan.nodes as u64) as f64;
		let wait = -mean * self.random.gen_range(f64::MIN_POSITIVE..1.0).ln();
		let when = self.now + wait as u64;
		if when < self.plan.mining {
			self.at(when, Event::Mine(node));
		}
	}

	fn is_settled(&self) -> bool {
		let heaviest = self.nodes.iter().map(|n| n.database.head().weight).max();
		self.nodes.iter().all(|node| {
			Some(node.database.head().weight) == heaviest
				&& node.queue.is_empty()
				&& !node.machine.is_catching_up()
		})
	}

	fn state(&self) -> String {
		let mut lines = format!("at {} ms; liars:", self.now);
		for (name, liar) in &self.liars {
			lines += &format!(" {name} {:?}", liar.lie);
		}
		for (name, node) in self.nodes.iter().enumerate() {
			let head = node.database.head();
			lines += &format!(
				"\nnode {name}: best #{} of weight {}, finalized #{}, peers {:?}, target {:?}, {} bytes, {} \
				 headers, {} importing",
				head.number,
				head.weight,
				node.database.finalized_number(),
				node.peers.keys(),
				node.machine.target(),
				node.machine.bytes(),
				node.machine.headers(),
				node.queue.len(),
			);
		}
		lines
	}

	fn happen(&mut self, event: Event) {
		match &event {
			Event::Announced(node, from, block, _) => self.trace(*node, || {
				format!("hears of #{} {} from {from}", block.number, block.hash)
			}),
			Event::Headers(node, from, _, answer) => self.trace(*node, || {
				format!("gets {:?} headers of {from}", answer.as_ref().map(Vec::len))
			}),
			Event::Bodies(node, from, _, answer) => self.trace(*node, || {
				format!("gets {:?} bodies of {from}", answer.as_ref().map(Vec::len))
			}),
			Event::Mine(node) => self.trace(*node, || "mines".into()),
			_ => {}
		}
		let node = match event {
			Event::Tick(node) => {
				self.at(self.now + TICK, Event::Tick(node));
				node
			}
			Event::Mine(node) => {
				self.mine(node);
				node
			}
			Event::Announced(node, from, block, is_best) => {
				if !self.nodes[node as usize].peers.contains_key(&from) {
					return;
				}
				self.nodes[node as usize]
					.machine
					.announced(from, block, is_best);
				node
			}
			Event::Headers(node, from, connection, answer) => {
				let Some(machine) = self.answered(node, from, connection) else {
					return;
				};
				machine.headers_arrived(from, answer);
				node
			}
			Event::Bodies(node, from, connection, answer) => {
				let Some(machine) = self.answered(node, from, connection) else {
					return;
				};
				let is_useful = answer.as_ref().is_ok_and(|bodies| !bodies.is_empty());
				machine.bodies_arrived(from, answer);
				if is_useful {
					// They may be needed again, if the node drops them because another chain is heavier.
					for (key, (_, in_vain)) in &mut self.nodes[node as usize].asked {
						if key.0 == connection && key.1 {
							*in_vain = None;
						}
					}
				}
				node
			}
			Event::Checked(node, from, connection, checked) => {
				let Some(machine) = self.answered(node, from, connection) else {
					return;
				};
				machine.headers_checked(from, checked);
				node
			}
			Event::Imported(node) => {
				self.imported(node);
				node
			}
			Event::Connect(a, b) => return self.connect(a, b),
			Event::Split => return self.split(),
			Event::Heal => return self.heal(),
			Event::Finalize => return self.finalize(),
			Event::Lie(index) => return self.lie(index),
		};
		self.poll(node);
	}

	/// Returns the node's machine, if it is still connected as it was when it asked.
	fn answered(
		&mut self,
		node: Name,
		from: Name,
		connection: u64,
	) -> Option<&mut Machine<SimLedger>> {
		let node = &mut self.nodes[node as usize];
		(node.peers.get(&from) == Some(&connection)).then_some(&mut node.machine)
	}

	fn mine(&mut self, node: Name) {
		let size = self.random.gen_range(0..=self.plan.body);
		let work = self.random.gen_range(8..12);
		let database = self.nodes[node as usize].database.clone();
		let hash = self
			.store
			.child(database.head().hash, work, size, Fault::None);
		if let Some(block) = self.store.get(&hash) {
			database.insert(&block);
			self.nodes[node as usize].machine.best_changed();
			self.announce(node, &block);
		}
		self.mine_later(node);
	}

	fn announce(&mut self, node: Name, block: &SimBlock) {
		let peers: Vec<Name> = self.nodes[node as usize].peers.keys().copied().collect();
		let is_best = self.nodes[node as usize].database.head().hash == block.hash;
		for peer in peers.into_iter().filter(|peer| *peer < LIARS) {
			// Announcements arrive in their order.
			let before = self.sent.get(&(node, peer)).copied().unwrap_or(0);
			let when = before.max(self.now + self.latency(node, peer));
			self.sent.insert((node, peer), when);
			self.at(when, Event::Announced(peer, node, block.clone(), is_best));
		}
	}

	/// Returns how long a message takes, in milliseconds.
	fn latency(&mut self, a: Name, b: Name) -> u64 {
		let base = if a >= LIARS || b >= LIARS { 1 } else { 20 };
		base + self.random.gen_range(0..base * 3)
	}

	fn connect(&mut self, a: Name, b: Name) {
		let side = |name: Name| name as usize * 2 / self.plan.nodes;
		if self.is_split && side(a) != side(b) {
			return;
		}
		self.connections += 1;
		for (node, peer) in [(a, b), (b, a)] {
			let head = self.nodes[peer as usize].database.head();
			let node_ = &mut self.nodes[node as usize];
			if node_.peers.insert(peer, self.connections).is_some() {
				node_.machine.remove_peer(&peer);
			}
			node_.machine.add_peer(peer, head.hash, head.number);
			self.poll(node);
		}
	}

	fn disconnect(&mut self, a: Name, b: Name) {
		for (node, peer) in [(a, b), (b, a)] {
			if let Some(node) = self.nodes.get_mut(node as usize) {
				if node.peers.remove(&peer).is_some() {
					node.machine.remove_peer(&peer);
				}
			}
		}
	}

	fn split(&mut self) {
		self.is_split = true;
		let nodes = self.plan.nodes as Name;
		let side = |name: Name| name as usize * 2 / nodes as usize;
		for a in 0..nodes {
			for b in a + 1..nodes {
				if side(a) != side(b) {
					self.disconnect(a, b);
				}
			}
		}
	}

	fn heal(&mut self) {
		self.is_split = false;
		let nodes = self.plan.nodes as Name;
		for a in 0..nodes {
			for b in a + 1..nodes {
				if !self.nodes[a as usize].peers.contains_key(&b) {
					self.connect(a, b);
				}
			}
		}
	}

	/// Finalizes what all nodes have in common.
	fn finalize(&mut self) {
		let lowest = self.nodes.iter().map(|n| n.database.head().number).min();
		let common = (0..=lowest.unwrap_or(0)).rev().find(|number| {
			let first = self.nodes[0].database.at(*number);
			self.nodes.iter().all(|n| n.database.at(*number) == first)
		});
		for node in 0..self.nodes.len() {
			let number = common.unwrap_or(0).saturating_sub(3);
			self.nodes[node].database.finalize(number);
			self.nodes[node].machine.finalized();
			self.poll(node as Name);
		}
		self.at(self.now + 5_000, Event::Finalize);
	}

	/// Makes a liar connect, or announce its next lie.
	fn lie(&mut self, index: usize) {
		let (name, liar) = &mut self.liars[index];
		let (hash, number) = liar.claim(self.now, self.now < self.plan.mining);
		let victim = &mut self.nodes[0];
		if !victim.peers.contains_key(name) {
			self.next_liar += 1;
			*name = self.next_liar;
			self.connections += 1;
			victim.peers.insert(*name, self.connections);
			victim.machine.add_peer(*name, hash, number);
		} else if let Some(block) = self.store.get(&hash) {
			victim.machine.announced(*name, block, true);
		}
		let again = self.now + self.random.gen_range(500..3_000);
		self.at(again, Event::Lie(index));
		self.poll(0);
	}

	fn poll(&mut self, name: Name) {
		let now = Duration::from_millis(self.now);
		let actions = self.nodes[name as usize].machine.poll(now);
		for action in actions {
			self.act(name, action);
		}
		let node = &self.nodes[name as usize];
		let bytes = node.machine.bytes();
		assert!(bytes <= self.plan.budget, "{bytes} bytes: {:?}", self.plan);
		let most = node.peers.len() * (4096 + 256);
		let headers = node.machine.headers();
		assert!(headers <= most, "{headers} headers: {:?}", self.plan);
	}

	/// Writes what a node does, if `TRACE` names the node.
	fn trace(&self, name: Name, what: impl FnOnce() -> String) {
		if std::env::var("TRACE").is_ok_and(|traced| traced == name.to_string()) {
			eprintln!("{:>7} node {name}: {}", self.now, what());
		}
	}

	fn act(&mut self, name: Name, action: Action<SimLedger>) {
		self.trace(name, || match &action {
			Action::AskHeaders {
				peer,
				from,
				direction,
				..
			} => {
				format!("asks {peer} for headers {direction:?} from {from}")
			}
			Action::AskBodies { peer, hashes } => format!("asks {peer} for bodies {hashes:?}"),
			Action::Check { peer, headers, .. } => {
				let blocks: Vec<_> = headers
					.iter()
					.map(|h| (h.number, h.hash, h.weight))
					.collect();
				format!("checks headers of {peer}: {blocks:?}")
			}
			Action::Import { blocks, .. } => {
				let blocks: Vec<_> = blocks.iter().map(|(b, from)| (b.hash, from)).collect();
				format!("imports {blocks:?}")
			}
			Action::Announce(hash) => format!("announces {hash}"),
			Action::Drop { peer, why } => format!("disconnects {peer}: {why:?}"),
		});
		match action {
			Action::AskHeaders {
				peer,
				from,
				direction,
				max,
			} => {
				self.note_request(name, peer, false, from, max as usize);
				self.ask_headers(name, peer, from, direction, max);
			}
			Action::AskBodies { peer, hashes } => {
				self.note_request(name, peer, true, hashes[0], hashes.len());
				self.ask_bodies(name, peer, hashes);
			}
			Action::Check {
				peer,
				base,
				headers,
			} => self.check(name, peer, base.hash, headers),
			Action::Import {
				blocks,
				catching_up,
			} => {
				let node = &mut self.nodes[name as usize];
				let last = blocks.len().saturating_sub(1);
				for (index, (block, _)) in blocks.into_iter().enumerate() {
					if !catching_up {
						node.announce.insert(block.hash);
					}
					node.queue.push_back((block, index == last));
				}
				self.import(name);
			}
			Action::Announce(hash) => {
				let block = self.store.get(&hash).expect("a block of the network");
				self.announce(name, &block);
			}
			Action::Drop { peer, why } => {
				if peer < LIARS {
					let pardon = is_pardonable(&self.plan, why);
					assert!(
						pardon,
						"honest peer {peer}: {why:?}, {:?}\n{}",
						self.plan,
						self.state()
					);
					let again = self.now + 1_000;
					self.at(again, Event::Connect(name.min(peer), name.max(peer)));
				}
				self.disconnect(name, peer);
			}
		}
	}
}
