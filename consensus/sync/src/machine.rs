// SPDX-License-Identifier: Apache-2.0
//! Decides what to ask which peer for, and what to import. This is a pure state machine: events go in, actions
//! come out. It has no clock, no randomness and no input or output, so that a simulator can drive it.

mod bodies;
mod failed;
mod headers;
mod imports;
mod peer;
mod store;
mod tree;
mod types;

pub use types::{
	Action, Arrival, Base, Census, Checked, Direction, Failure, Head, Ledger, Limits, Link,
	Offence, Outcome, Place, Problem, Proved, Time, HEADERS_AHEAD, HEADERS_PER_REQUEST, MAX_ANSWER,
	MIN_BUDGET,
};

use failed::FailedBlocks;
use isthmus_primitives::{BlockNumber, Hash};
use peer::{Claim, Job, Peer};
use std::{
	collections::{BTreeMap, HashSet, VecDeque},
	time::Duration,
};
use store::Bodies;
use tree::{Lane, Tree};

/// The node counts as catching up if the best proved header is more than this many blocks above its best block.
const CATCHING_UP: BlockNumber = 5;
/// Blocks that are not heavier than our best block are fetched if they are at most this many blocks below it:
/// they may become uncles.
const UNCLES_BELOW: BlockNumber = 7;
/// How many blocks of one number are fetched although no chain that is heavier than ours has them. The database keeps 32
/// blocks of a number, and those that make a chain the heaviest need places too.
const MAX_BROTHERS: usize = 12;
/// The maximum number of side chains that are fetched at once.
const MAX_SIDE_LANES: usize = 16;
/// The maximum number of blocks that GRANDPA waits for.
const MAX_WANTED: usize = 64;
/// For this long after the start, a claim that was not looked into yet counts as if it were true, so that a node
/// does not begin to mine in the moment before its peers prove their chains.
const GRACE: Duration = Duration::from_secs(30);
/// The maximum number of headers on dead forks that are remembered.
const MAX_DEAD: usize = 1024;
/// After this many finalized blocks, headers that no peer has are removed, although no chain was given up meanwhile. A
/// node that syncs finalizes many blocks a second, and has thousands of headers.
const SWEEP_EVERY: BlockNumber = 64;

type PeerOf<L> = Peer<<L as Ledger>::Header, <L as Ledger>::Facts>;

/// The state of the sync.
pub struct Machine<L: Ledger> {
	ledger: L,
	limits: Limits,
	now: Time,
	peers: BTreeMap<L::Peer, PeerOf<L>>,
	/// The proved headers whose blocks are not in the database yet.
	tree: Tree<L::Facts, L::Weight>,
	/// The heaviest proved chain, if it is at least as heavy as our best block's.
	main: Lane,
	/// Counts the changes of `main` that are not mere additions.
	main_version: u64,
	/// All blocks of `main` below this number have arrived, so that a search for the missing ones begins here.
	held_below: BlockNumber,
	/// Other chains whose blocks are needed: possible uncles, and blocks that GRANDPA waits for.
	sides: Vec<Lane>,
	/// How many blocks of a number were imported that are on no chain heavier than ours.
	brothers: BTreeMap<BlockNumber, usize>,
	bodies: Bodies<L::Peer, L::Block>,
	failed: FailedBlocks,
	/// The blocks that are being imported silently, and the last one that was.
	silent: HashSet<Hash>,
	unheard: Option<Hash>,
	/// Blocks that GRANDPA waits for.
	wanted: VecDeque<Hash>,
	/// Headers whose chains leave ours below the finalized block.
	dead: HashSet<Hash>,
	/// The same headers, oldest first.
	dead_queue: VecDeque<Hash>,
	/// Whether the lanes must be laid again.
	stale: bool,
	/// Whether headers were removed, so that there may be bodies without a header.
	swept: bool,
	/// The number of the finalized block when that was done last.
	swept_at: BlockNumber,
	actions: Vec<Action<L>>,
}

impl<L: Ledger> Machine<L> {
	/// Makes a state machine without peers.
	pub fn new(ledger: L, limits: Limits) -> Self {
		let budget = limits.budget.max(MIN_BUDGET);
		Self {
			ledger,
			limits: Limits { budget, ..limits },
			now: Time::ZERO,
			peers: BTreeMap::new(),
			tree: Tree::new(),
			main: Lane::default(),
			main_version: 0,
			held_below: 0,
			sides: Vec::new(),
			brothers: BTreeMap::new(),
			bodies: Bodies::new(),
			failed: FailedBlocks::new(),
			silent: HashSet::new(),
			unheard: None,
			wanted: VecDeque::new(),
			dead: HashSet::new(),
			dead_queue: VecDeque::new(),
			stale: false,
			swept: false,
			swept_at: 0,
			actions: Vec::new(),
		}
	}

	/// Returns the database.
	pub fn ledger(&self) -> &L {
		&self.ledger
	}

	/// Adds a peer, which says that this is its best block.
	pub fn add_peer(&mut self, peer: L::Peer, hash: Hash, number: BlockNumber) {
		self.peers.insert(peer, Peer::new(hash, number));
	}

	/// Removes a peer.
	pub fn remove_peer(&mut self, peer: &L::Peer) {
		if let Some(removed) = self.peers.remove(peer) {
			self.bodies.release(peer, &removed);
			self.sweep();
		}
	}

	/// Notes that a peer has a block, and whether that is its best one. `header` has passed the check of
	/// announcements.
	pub fn announced(&mut self, peer: L::Peer, header: L::Header, is_best: bool) {
		let claim = Claim {
			is_best,
			..Claim::new(header.hash(), header.number())
		};
		if let Some(peer) = self.peers.get_mut(&peer) {
			peer.claim(Claim {
				header: Some(header),
				..claim
			});
		}
	}

	/// Asks for a block whatever its weight, because GRANDPA waits for it. If `peers` is empty, any peer is asked
	/// that may have it.
	pub fn want(&mut self, peers: &[L::Peer], hash: Hash, number: BlockNumber) {
		if self.ledger.place(&hash) != Place::Unknown {
			return;
		}
		if !self.wanted.contains(&hash) {
			if self.wanted.len() == MAX_WANTED {
				self.wanted.pop_front();
			}
			self.wanted.push_back(hash);
			self.stale = true;
		}
		for (name, peer) in &mut self.peers {
			let may_have = peers.is_empty() && peer.last_claim.1 >= number;
			if may_have || peers.contains(name) {
				peer.claim(Claim {
					is_own_word: false,
					..Claim::new(hash, number)
				});
			}
		}
	}

	/// Notes that our best block changed.
	pub fn best_changed(&mut self) {
		self.stale = true;
	}

	/// Notes that a block was finalized: chains without it can never be ours.
	pub fn finalized(&mut self) {
		let finalized = self.ledger.finalized();
		let main_is_live = self.main_is_live(finalized);
		let is_live = |tip: &Hash| {
			let number = self.tree.get(tip).map(|node| node.number);
			match number.filter(|number| self.main.has(*number, tip)) {
				Some(_) => main_is_live,
				None => self.is_live(tip, finalized),
			}
		};
		let tips = self.peers.values().flat_map(|peer| &peer.tips);
		let dead: HashSet<Hash> = tips.filter(|tip| !is_live(tip)).copied().collect();
		let waits = self.wanted.len();
		let ledger = &self.ledger;
		self.wanted
			.retain(|hash| ledger.place(hash) == Place::Unknown);
		self.stale |= self.wanted.len() != waits;
		for peer in self.peers.values_mut() {
			let before = peer.tips.len();
			peer.tips.retain(|tip| !dead.contains(tip));
			if peer.tips.len() != before {
				peer.reach = None;
			}
		}
		if !dead.is_empty() || finalized >= self.swept_at.saturating_add(SWEEP_EVERY) {
			self.swept_at = finalized;
			self.sweep();
		}
	}

	/// Returns whether a chain of the tree can still be ours when this block is finalized.
	fn is_live(&self, tip: &Hash, finalized: BlockNumber) -> bool {
		let mut below = None;
		for (hash, node) in self.tree.chain(tip) {
			if node.number <= finalized {
				// The finalized block stays in the tree until the results of its batch are here.
				return node.number == finalized && self.is_ours(&hash, node.number);
			}
			below = Some((node.parent, node.number.saturating_sub(1)));
		}
		below.is_some_and(|(parent, number)| self.may_carry(&parent, number))
	}

	/// Returns the same for the chain `main`, without a walk down to its first block.
	fn main_is_live(&self, finalized: BlockNumber) -> bool {
		let first = self.main.first();
		if finalized >= first {
			let block = self.main.at(finalized);
			return block.is_some_and(|hash| self.is_ours(hash, finalized));
		}
		let lowest = self.main.at(first).and_then(|hash| self.tree.get(hash));
		lowest.is_some_and(|node| self.may_carry(&node.parent, first.saturating_sub(1)))
	}

	/// Returns whether a chain on this block of the database can be ours.
	///
	/// The import may finalize further blocks meanwhile, below which no block is live any more. Those of our best chain
	/// stay in it.
	fn may_carry(&self, parent: &Hash, number: BlockNumber) -> bool {
		self.ledger.place(parent) == Place::Live || self.is_ours(parent, number)
	}

	fn is_ours(&self, hash: &Hash, number: BlockNumber) -> bool {
		self.ledger.canonical(number) == Some(*hash)
	}

	/// Goes on to this time, and returns what is to be done.
	pub fn poll(&mut self, now: Time) -> Vec<Action<L>> {
		if self.failed.any_due(self.now, now) {
			self.stale = true;
		}
		self.now = now;
		self.ask_for_headers();
		if self.stale {
			self.stale = false;
			self.lay_lanes();
		}
		self.ask_for_bodies();
		self.import();
		self.announce();
		std::mem::take(&mut self.actions)
	}

	/// Returns the number of peers.
	pub fn peers(&self) -> usize {
		self.peers.len()
	}

	/// Returns whether a peer says that it has a block with this number.
	pub fn peer_may_have(&self, peer: &L::Peer, number: BlockNumber) -> bool {
		self.peers
			.get(peer)
			.is_some_and(|peer| peer.last_claim.1 >= number)
	}

	/// Returns all peers.
	pub fn peer_names(&self) -> impl Iterator<Item = L::Peer> + '_ {
		self.peers.keys().copied()
	}

	/// Returns the number of the last block of the heaviest proved chain, if it is heavier than ours.
	pub fn target(&self) -> Option<BlockNumber> {
		let tip = self.tree.get(self.main.tip()?)?;
		(tip.weight > self.ledger.best().weight).then_some(tip.number)
	}

	/// Returns whether the best proved chain ends well above this block.
	fn is_far_below_target(&self, number: BlockNumber) -> bool {
		self.target()
			.is_some_and(|target| target > number.saturating_add(CATCHING_UP))
	}

	/// Returns whether the best proved chain is well above ours.
	pub fn is_catching_up(&self) -> bool {
		let best = self.ledger.best().number;
		let above = |number: BlockNumber| number > best.saturating_add(CATCHING_UP);
		self.is_far_below_target(best)
			|| (self.now < GRACE
				&& self
					.peers
					.values()
					.any(|peer| !peer.heard && above(peer.last_claim.1)))
	}

	/// Returns what the sync does now.
	pub fn census(&self) -> Census {
		let mut census = Census {
			used: self.bodies.bytes(),
			limit: self.limits.budget,
			headers: self.tree.len(),
			..Census::default()
		};
		for peer in self.peers.values() {
			let state = if !peer.tips.is_empty() {
				&mut census.sources
			} else if !matches!(peer.job, Job::Idle) {
				&mut census.proving
			} else if !(peer.headers.is_open(self.now) && peer.bodies.is_open(self.now)) {
				&mut census.pausing
			} else {
				&mut census.idle
			};
			*state += 1;
			let asks = matches!(peer.job, Job::Up { .. } | Job::Down { .. });
			census.header_requests += usize::from(asks);
			census.body_requests += usize::from(peer.asked.is_some());
		}
		census
	}

	/// Returns how many bytes of bodies are asked for, have arrived or are being imported.
	pub fn bytes(&self) -> u64 {
		self.bodies.bytes()
	}

	/// Returns how many blocks are being imported.
	pub fn importing(&self) -> usize {
		self.bodies.importing()
	}

	/// Returns the number of proved headers in memory.
	pub fn headers(&self) -> usize {
		self.tree.len()
	}

	/// Returns the number of blocks whose bodies arrived since the start.
	pub fn arrived(&self) -> usize {
		self.bodies.arrived()
	}

	/// Disconnects a peer. A reserved peer stays all the same; it is asked again after a pause.
	pub fn drop_peer(&mut self, name: L::Peer, why: Offence) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		self.bodies.release(&name, peer);
		let (hash, number) = peer.last_claim;
		let failures = (peer.headers.failures, peer.bodies.failures);
		*peer = Peer::new(hash, number);
		peer.heard = true;
		(peer.headers.failures, peer.bodies.failures) = failures;
		peer.headers.shut(self.now);
		peer.bodies.shut(self.now);
		self.actions.push(Action::Drop { peer: name, why });
		self.sweep();
	}

	/// Removes headers that no peer has, and bodies that are not needed any more.
	fn sweep(&mut self) {
		let ends = self.peers.values().flat_map(Peer::ends);
		self.tree.keep(ends);
		self.stale = true;
		self.swept = true;
	}

	/// Chooses the chains whose blocks are needed.
	fn lay_lanes(&mut self) {
		let best = self.ledger.best();
		let tips = self.weighed_tips();
		// Below these numbers, only a heavier chain's blocks are fetched.
		let lowest = best.number.saturating_sub(2 * UNCLES_BELOW);
		self.brothers = self.brothers.split_off(&lowest);
		let leads = |hash: &Hash, weight: L::Weight| {
			weight > best.weight || (weight == best.weight && self.has_places(hash, 0))
		};
		let heaviest = tips
			.iter()
			.filter(|(hash, weight, _)| leads(hash, *weight))
			.max_by_key(|(hash, weight, _)| (*weight, self.main.tip() == Some(hash), *hash));
		let is_longer = match heaviest {
			Some((hash, _, _)) => self.main.lead_to(hash, &self.tree),
			None => {
				let was_empty = self.main.tip().is_none();
				self.main = Lane::default();
				was_empty
			}
		};
		if !is_longer {
			self.main_version = self.main_version.wrapping_add(1);
			self.held_below = 0;
		}
		let had_sides = !self.sides.is_empty();
		self.lay_sides(&tips, best.number);
		if !is_longer || had_sides || std::mem::take(&mut self.swept) {
			self.drop_bodies(self.limits.budget / 4);
		}
	}

	/// Chooses the chains that are needed besides the heaviest one.
	fn lay_sides(&mut self, tips: &[(Hash, L::Weight, BlockNumber)], best: BlockNumber) {
		let uncles = best.saturating_sub(UNCLES_BELOW)..=best.saturating_add(1);
		let is_uncle = |tip: &Hash, number: BlockNumber| {
			uncles.contains(&number) && self.tree.chain(tip).nth(UNCLES_BELOW as usize).is_none()
		};
		let mut needed: Vec<(Hash, BlockNumber)> = Vec::new();
		for hash in &self.wanted {
			if let Some(node) = self.tree.get(hash).filter(|_| !self.is_excluded(hash)) {
				needed.push((*hash, node.number));
			}
		}
		for (hash, _, number) in tips {
			if !is_uncle(hash, *number) || self.wanted.contains(hash) {
				continue;
			}
			let chosen = needed.iter().filter(|(_, other)| other == number);
			if self.has_places(hash, chosen.count()) {
				needed.push((*hash, *number));
			}
		}
		needed.retain(|(hash, number)| !self.main.has(*number, hash));
		needed.truncate(MAX_SIDE_LANES);
		let lanes = needed.iter().map(|(hash, _)| Lane::to(hash, &self.tree));
		self.sides = lanes.collect();
	}

	/// Returns whether the blocks of a chain that is not heavier than ours may be fetched: few others of their numbers were,
	/// and this number of others is about to be.
	fn has_places(&self, tip: &Hash, chosen: usize) -> bool {
		let imported = |number| self.brothers.get(number).copied().unwrap_or_default();
		self.tree
			.chain(tip)
			.all(|(_, node)| imported(&node.number).saturating_add(chosen) < MAX_BROTHERS)
	}

	/// Returns whether a chain has a block whose import failed lately.
	fn is_excluded(&self, tip: &Hash) -> bool {
		let mut excluded = self.failed.excluded(self.now);
		excluded.any(|hash| self.tree.contains(hash))
			&& self
				.tree
				.chain(tip)
				.any(|(hash, _)| self.failed.excludes(&hash, self.now))
	}

	/// Returns the tips of all peers' proved chains, with their weights and numbers, except those with a block
	/// whose import failed lately.
	fn weighed_tips(&self) -> Vec<(Hash, L::Weight, BlockNumber)> {
		let mut tips: Vec<Hash> = Vec::new();
		for tip in self.peers.values().flat_map(|peer| &peer.tips) {
			if !tips.contains(tip) {
				tips.push(*tip);
			}
		}
		tips.retain(|tip| !self.is_excluded(tip));
		let weigh = |tip: Hash| {
			let node = self.tree.get(&tip)?;
			Some((tip, node.weight, node.number))
		};
		tips.into_iter().filter_map(weigh).collect()
	}

	/// Remembers that headers are on a dead fork.
	fn note_dead(&mut self, hash: Hash) {
		if !self.dead.insert(hash) {
			return;
		}
		self.dead_queue.push_back(hash);
		if self.dead_queue.len() > MAX_DEAD {
			if let Some(oldest) = self.dead_queue.pop_front() {
				self.dead.remove(&oldest);
			}
		}
	}
}
