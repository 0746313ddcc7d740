// SPDX-License-Identifier: Apache-2.0
//! Asks for the bodies of proved headers, lowest first, within a budget in bytes.

use super::{
	peer::{Asked, Peer},
	store::{Bodies, Body},
	tree::Lane,
	types::{Action, Arrival, Failure, Ledger, Offence, Time, MAX_ANSWER},
	Machine,
};
use isthmus_primitives::{BlockNumber, Hash};
use std::{collections::VecDeque, time::Duration};

/// How far above the lowest missing block a body may be asked for, in blocks.
const LOOKAHEAD: BlockNumber = 2048;
/// A block that was asked for this long ago is asked for from another peer, too.
const PATIENCE: Duration = Duration::from_secs(1);
/// A request that fails within this time was refused, and one that takes longer was not answered.
const REFUSAL: Duration = Duration::from_secs(5);
/// The part of the budget that only the next block may use, so that blocks above a gap cannot keep it open.
const RESERVE: u64 = 2 * MAX_ANSWER;
/// Every node keeps the bodies of at least this number of blocks below its finalized one.
const KEPT: BlockNumber = 64;

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
				// A refusal comes at once. If the question cannot be made another one, it is put again when a minute is over.
				let is_refusal = self.now.saturating_sub(asked.since) < REFUSAL;
				if let ([hash], true) = (&asked.hashes[..], is_refusal) {
					peer.note_lack(*hash, self.now);
				}
				if peer.bodies.failed(self.now) {
					self.drop_peer(name, Offence::Unanswered);
				}
				return;
			}
			Err(Failure::Nonsense) => return self.drop_peer(name, Offence::Nonsense),
			Err(Failure::Invalid) => return self.drop_peer(name, Offence::Invalid),
		};
		if arrivals.is_empty() {
			let number = |hash: &Hash| self.tree.get(hash).map(|node| node.number);
			let asked = asked.hashes.first();
			let above = peer.tips.iter().filter_map(number).max();
			if let (Some(old), Some(top)) = (asked.and_then(number), above) {
				if top >= old.saturating_add(KEPT) {
					peer.note_pruned(old, self.now);
					return;
				}
			}
			if let Some(hash) = asked {
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
		self.held_below = 0;
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
		self.note_held();
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

	/// Notes up to which block all bodies of the heaviest chain have arrived.
	fn note_held(&mut self) {
		let mut number = self.held_below.max(self.main.first());
		let is_held = |number| {
			let hash = self.main.at(number);
			hash.is_some_and(|hash| self.bodies.is_held(hash))
		};
		while is_held(number) {
			number = number.saturating_add(1);
		}
		self.held_below = number;
	}

	/// Returns the lowest block of the heaviest chain that has not arrived.
	fn next_missing(&self) -> Option<&Hash> {
		let mut rest = self.main.from(self.held_below);
		rest.find(|hash| !self.bodies.is_held(hash))
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
			let hashes = self.missing(peer, &self.main, self.held_below, reach);
			if !hashes.is_empty() {
				return hashes;
			}
			if let Some(hash) = self.overdue(name, peer, reach) {
				return vec![hash];
			}
		}
		for lane in &self.sides {
			if let Some(reach) = peer.reaches(lane, &self.tree) {
				let hashes = self.missing(peer, lane, lane.first(), reach);
				if !hashes.is_empty() {
					return hashes;
				}
			}
		}
		Vec::new()
	}

	/// Returns the lowest blocks of a lane that are missing and that this peer has, if the budget allows it. All blocks
	/// below `from` have arrived.
	fn missing(
		&self,
		peer: &Peer<L::Header, L::Facts>,
		lane: &Lane,
		from: BlockNumber,
		reach: BlockNumber,
	) -> Vec<Hash> {
		let top = reach.min(lane.first().saturating_add(LOOKAHEAD));
		let most = peer.blocks_to_ask(self.bodies.average(), self.limits.blocks_per_request);
		let floor = peer.bodies_from(self.now);
		let mut hashes = Vec::new();
		let mut is_next = true;
		let from = from.max(lane.first());
		let blocks = (from..=top).map_while(|number| Some((number, lane.at(number)?)));
		for (number, hash) in blocks {
			let may_have = number >= floor && !peer.lacks(hash, self.now);
			if may_have && self.bodies.is_missing(hash) {
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
		let next = self.next_missing()?;
		let Some(Body::Asked(askers)) = self.bodies.get(next) else {
			return None;
		};
		let number = self.tree.get(next)?.number;
		if number > reach
			|| number < peer.bodies_from(self.now)
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

	/// Returns the number of the next block to import, if all peers that have proved it are known to keep no body that
	/// old.
	pub fn lost(&self) -> Option<BlockNumber> {
		let next = self.next_missing()?;
		let number = self.tree.get(next)?.number;
		let is_above = |peer: &&Peer<L::Header, L::Facts>| {
			let reach = peer.reach.and_then(|(_, reach)| reach);
			reach.is_some_and(|reach| reach >= number)
		};
		let mut above = self.peers.values().filter(is_above).peekable();
		above.peek()?;
		above
			.all(|peer| number < peer.bodies_from(self.now))
			.then_some(number)
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
