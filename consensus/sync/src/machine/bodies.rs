// SPDX-License-Identifier: Apache-2.0
//! Asks for the bodies of proved headers, lowest first, within a budget in bytes.

use super::{
	peer::{Asked, Peer},
	tree::{Lane, Tree},
	types::{Action, Arrival, Failure, Ledger, Offence, Time, MAX_ANSWER},
	Machine,
};
use isthmus_primitives::{BlockNumber, Hash};
use std::{
	collections::{HashMap, VecDeque},
	time::Duration,
};

/// How far above the lowest missing block a body may be asked for, in blocks.
const LOOKAHEAD: BlockNumber = 2048;
/// A block that was asked for this long ago is asked for from another peer, too.
const PATIENCE: Duration = Duration::from_secs(1);
/// The part of the budget that only the next block may use, so that blocks above a gap cannot keep it open.
const RESERVE: u64 = 2 * MAX_ANSWER;
/// The size of a block that is assumed before any has arrived, in bytes.
const FIRST_GUESS: u64 = 256 * 1024;

/// What is being done to get a block.
pub(super) enum Body<P, B> {
	/// These peers were asked for it, at these times.
	Asked(Vec<(P, Time)>),
	/// It is here.
	Arrived { block: B, size: u64, from: P },
	/// It is being imported.
	Importing { size: u64 },
}

/// The blocks that are asked for, have arrived or are being imported.
pub(super) struct Bodies<P, B> {
	blocks: HashMap<Hash, Body<P, B>>,
	requests: u64,
	/// The bytes that have arrived or are being imported.
	held: u64,
	importing: usize,
	importing_bytes: u64,
	/// The average size of the blocks that arrived lately, in bytes.
	average: u64,
	arrived: usize,
}

impl<P: Copy + Ord, B> Bodies<P, B> {
	/// Makes an empty collection.
	pub(super) fn new() -> Self {
		Self {
			blocks: HashMap::new(),
			requests: 0,
			held: 0,
			importing: 0,
			importing_bytes: 0,
			average: FIRST_GUESS,
			arrived: 0,
		}
	}

	/// Returns the bytes that count for the budget: an answer may be of any size up to the network's limit.
	pub(super) fn bytes(&self) -> u64 {
		self.held
			.saturating_add(self.requests.saturating_mul(MAX_ANSWER))
	}

	/// Returns how many blocks are being imported.
	pub(super) fn importing(&self) -> usize {
		self.importing
	}

	/// Returns how many bytes are being imported.
	pub(super) fn importing_bytes(&self) -> u64 {
		self.importing_bytes
	}

	/// Returns how many blocks have arrived since the start.
	pub(super) fn arrived(&self) -> usize {
		self.arrived
	}

	/// Returns what is being done to get a block.
	pub(super) fn get(&self, hash: &Hash) -> Option<&Body<P, B>> {
		self.blocks.get(hash)
	}

	fn is_missing(&self, hash: &Hash) -> bool {
		!self.blocks.contains_key(hash)
	}

	fn is_held(&self, hash: &Hash) -> bool {
		matches!(
			self.blocks.get(hash),
			Some(Body::Arrived { .. } | Body::Importing { .. })
		)
	}

	/// Forgets what a peer was asked for.
	pub(super) fn release<H, F>(&mut self, name: &P, peer: &Peer<H, F>) {
		if let Some(asked) = &peer.asked {
			self.answered(name, &asked.hashes);
		}
	}

	fn ask(&mut self, peer: P, hashes: &[Hash], now: Time) {
		self.requests = self.requests.saturating_add(1);
		for hash in hashes {
			let body = self.blocks.entry(*hash).or_insert(Body::Asked(Vec::new()));
			if let Body::Asked(peers) = body {
				peers.push((peer, now));
			}
		}
	}

	fn answered(&mut self, peer: &P, hashes: &[Hash]) {
		self.requests = self.requests.saturating_sub(1);
		for hash in hashes {
			if let Some(Body::Asked(peers)) = self.blocks.get_mut(hash) {
				peers.retain(|(name, _)| name != peer);
				if peers.is_empty() {
					self.blocks.remove(hash);
				}
			}
		}
	}

	fn arrive(&mut self, arrival: Arrival<B>, from: P) {
		if self.is_held(&arrival.hash) {
			return;
		}
		let Arrival { hash, size, block } = arrival;
		self.average = (self.average.saturating_mul(3).saturating_add(size) / 4).max(1);
		self.arrived = self.arrived.saturating_add(1);
		self.held = self.held.saturating_add(size);
		self.blocks
			.insert(hash, Body::Arrived { block, size, from });
	}

	/// Takes a block that arrived, to import it. Returns it with its sender.
	pub(super) fn take(&mut self, hash: &Hash) -> Option<(B, P)> {
		match self.blocks.remove(hash)? {
			Body::Arrived { block, size, from } => {
				self.blocks.insert(*hash, Body::Importing { size });
				self.importing = self.importing.saturating_add(1);
				self.importing_bytes = self.importing_bytes.saturating_add(size);
				Some((block, from))
			}
			other => {
				self.blocks.insert(*hash, other);
				None
			}
		}
	}

	/// Notes that the import of a block ended.
	pub(super) fn done(&mut self, hash: &Hash) {
		match self.blocks.remove(hash) {
			Some(Body::Importing { size }) => {
				self.held = self.held.saturating_sub(size);
				self.importing = self.importing.saturating_sub(1);
				self.importing_bytes = self.importing_bytes.saturating_sub(size);
			}
			Some(other) => {
				self.blocks.insert(*hash, other);
			}
			None => {}
		}
	}

	/// Drops the blocks that arrived and are not needed any more. Those whose headers are still proved may be needed
	/// again soon, so they stay if they have no more than `spare` bytes.
	pub(super) fn keep(
		&mut self,
		is_needed: impl Fn(&Hash) -> bool,
		is_proved: impl Fn(&Hash) -> bool,
		spare: u64,
	) {
		let mut unneeded: u64 = 0;
		for (hash, body) in &self.blocks {
			if let Body::Arrived { size, .. } = body {
				if !is_needed(hash) {
					unneeded = unneeded.saturating_add(*size);
				}
			}
		}
		let mut freed: u64 = 0;
		self.blocks.retain(|hash, body| {
			let Body::Arrived { size, .. } = body else {
				return true;
			};
			let stays = is_needed(hash) || (unneeded <= spare && is_proved(hash));
			if !stays {
				freed = freed.saturating_add(*size);
			}
			stays
		});
		self.held = self.held.saturating_sub(freed);
	}
}

impl<L: Ledger> Machine<L> {
	/// Takes a peer's answer to a request for bodies: the first of the blocks that it was asked for.
	pub fn bodies_arrived(
		&mut self,
		name: L::Peer,
		answer: Result<Vec<Arrival<L::Block>>, Failure>,
	) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let Some(asked) = peer.asked.take() else {
			return;
		};
		self.bodies.answered(&name, &asked.hashes);
		let arrivals = match answer {
			Ok(arrivals) => arrivals,
			Err(Failure::Unanswered) => {
				peer.stayed_silent(asked.hashes.len());
				if peer.bodies.failed(self.now) {
					self.drop_peer(name, Offence::Unanswered);
				}
				return;
			}
			Err(Failure::Nonsense) => return self.drop_peer(name, Offence::Nonsense),
			Err(Failure::Invalid) => return self.drop_peer(name, Offence::Invalid),
		};
		if arrivals.is_empty() {
			if let Some(hash) = asked.hashes.first() {
				peer.note_lack(*hash, self.now);
			}
			if peer.bodies.failed(self.now) {
				self.drop_peer(name, Offence::Unanswered);
			}
			return;
		}
		let bytes = arrivals.iter().map(|arrival| arrival.size).sum();
		let took = self.now.saturating_sub(asked.since);
		peer.delivered(bytes, took, MAX_ANSWER);
		for arrival in arrivals {
			// If it is not needed any more, it may be again soon.
			if self.tree.contains(&arrival.hash) {
				self.bodies.arrive(arrival, name);
			}
		}
	}

	/// Drops bodies that are not needed any more, if they have more than `spare` bytes.
	pub(super) fn drop_bodies(&mut self, spare: u64) {
		let mut bodies = std::mem::replace(&mut self.bodies, Bodies::new());
		bodies.keep(
			|hash| self.is_needed(hash),
			|hash| self.tree.contains(hash),
			spare,
		);
		self.bodies = bodies;
	}

	/// Returns whether a lane has this block.
	fn is_needed(&self, hash: &Hash) -> bool {
		let Some(node) = self.tree.get(hash) else {
			return false;
		};
		self.main.has(node.number, hash)
			|| self.sides.iter().any(|lane| lane.has(node.number, hash))
	}

	/// Asks the peers that do nothing for bodies, the best of them first.
	pub(super) fn ask_for_bodies(&mut self) {
		if self.main.last().is_none() && self.sides.is_empty() {
			return;
		}
		if !self.budget_allows(true) {
			self.drop_bodies(0);
		}
		let mut idle: Vec<L::Peer> = self
			.peers
			.iter()
			.filter(|(_, peer)| {
				peer.asked.is_none() && !peer.tips.is_empty() && peer.bodies.is_open(self.now)
			})
			.map(|(name, _)| *name)
			.collect();
		idle.sort_by_cached_key(|name| self.peers.get(name).map(Peer::rank));
		for name in idle {
			let hashes = self.next_bodies(name);
			if let (false, Some(peer)) = (hashes.is_empty(), self.peers.get_mut(&name)) {
				self.bodies.ask(name, &hashes, self.now);
				peer.asked = Some(Asked {
					hashes: hashes.clone(),
					since: self.now,
				});
				self.actions.push(Action::AskBodies { peer: name, hashes });
			}
		}
	}

	/// Returns what to ask a peer for.
	fn next_bodies(&mut self, name: L::Peer) -> Vec<Hash> {
		let Some(peer) = self.peers.get_mut(&name) else {
			return Vec::new();
		};
		let reach = match peer.reach {
			Some((version, reach)) if version == self.main_version => reach,
			_ => {
				let reach = peer.reaches(&self.main, &self.tree);
				peer.reach = Some((self.main_version, reach));
				reach
			}
		};
		let Some(peer) = self.peers.get(&name) else {
			return Vec::new();
		};
		if let Some(reach) = reach {
			let hashes = self.missing(peer, &self.main, reach);
			if !hashes.is_empty() {
				return hashes;
			}
			if let Some(hash) = self.overdue(name, peer, reach) {
				return vec![hash];
			}
		}
		for lane in &self.sides {
			if let Some(reach) = peer.reaches(lane, &self.tree) {
				let hashes = self.missing(peer, lane, reach);
				if !hashes.is_empty() {
					return hashes;
				}
			}
		}
		Vec::new()
	}

	/// Returns the lowest blocks of a lane that are missing and that this peer has, if the budget allows it.
	fn missing(
		&self,
		peer: &Peer<L::Header, L::Facts>,
		lane: &Lane,
		reach: BlockNumber,
	) -> Vec<Hash> {
		let top = reach.min(lane.first().saturating_add(LOOKAHEAD));
		let most = peer.blocks_to_ask(self.bodies.average, self.limits.blocks_per_request);
		let mut hashes = Vec::new();
		let mut is_next = true;
		for hash in (lane.first()..=top).map_while(|number| lane.at(number)) {
			if self.bodies.is_missing(hash) && !peer.lacks(hash, self.now) {
				if hashes.is_empty() && !self.budget_allows(is_next) {
					break;
				}
				hashes.push(*hash);
				if hashes.len() == most {
					break;
				}
			} else if !hashes.is_empty() {
				break;
			}
			is_next &= self.bodies.is_held(hash);
		}
		hashes
	}

	/// Returns the next block to import, if it was asked for from other peers and this one is to be asked, too.
	fn overdue(
		&self,
		name: L::Peer,
		peer: &Peer<L::Header, L::Facts>,
		reach: BlockNumber,
	) -> Option<Hash> {
		let next = self.main.iter().find(|hash| !self.bodies.is_held(hash))?;
		let Some(Body::Asked(askers)) = self.bodies.get(next) else {
			return None;
		};
		if self.tree.get(next)?.number > reach
			|| askers.len() >= self.limits.parallel
			|| askers.iter().any(|(asker, _)| *asker == name)
			|| peer.lacks(next, self.now)
			|| !self.budget_allows(true)
		{
			return None;
		}
		let is_late = |since: Time| self.now.saturating_sub(since) >= PATIENCE;
		// A peer that has not delivered yet, or has failed, is not trusted with a block that a better one has.
		let is_worse = |asker: &L::Peer| {
			self.peers.get(asker).is_none_or(|asker| {
				(asker.rank().0, asker.rank().1) > (peer.rank().0, peer.rank().1)
			})
		};
		askers
			.iter()
			.all(|(asker, since)| is_late(*since) || is_worse(asker))
			.then_some(*next)
	}

	/// Returns whether there is room for one more answer.
	fn budget_allows(&self, is_next: bool) -> bool {
		let reserve = if is_next { 0 } else { RESERVE };
		let needed = MAX_ANSWER.saturating_add(reserve);
		self.bodies.bytes().saturating_add(needed) <= self.limits.budget
	}

	/// Returns the lanes, the most important first.
	pub(super) fn lanes(&self) -> VecDeque<&Lane> {
		std::iter::once(&self.main).chain(&self.sides).collect()
	}
}

/// Returns the lane that ends with this tip.
pub(super) fn lane_to<F: Clone, W: Copy + Ord>(tip: &Hash, tree: &Tree<F, W>) -> Lane {
	let mut lane = Lane::default();
	lane.lead_to(tip, tree);
	lane
}
