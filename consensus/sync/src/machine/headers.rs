// SPDX-License-Identifier: Apache-2.0
//! Proves what peers claim to have: asks for headers until they reach a block that we know, and has them checked.
//!
//! There are two walks. *Down* follows the hashes from the claimed block to its ancestors. It finds a block on any
//! fork, but keeps headers that nothing speaks for yet, so it ends after [`DEEP`] of them. *Up* asks for the
//! descendants of a block of ours in the peer's best chain. Each answer connects, so it is for chains that are far
//! ahead. If the peer does not have our block, the walk steps back, twice as far each time.

use super::{
	peer::{Claim, Job, Peer},
	types::{
		Action, Base, Checked, Direction, Failure, Ledger, Link, Offence, Place, Problem,
		HEADERS_AHEAD, HEADERS_PER_REQUEST,
	},
	Machine,
};
use isthmus_primitives::{BlockNumber, Hash};
use std::time::Duration;

/// The maximum number of a peer's headers that are kept before they reach a block that we know.
const DEEP: usize = 1024;
/// A claim at most this far above what we know of the peer's chain is proved by walking down.
const NEAR: BlockNumber = HEADERS_PER_REQUEST;
/// The maximum time for which a header from the future is kept.
const PATIENCE: Duration = Duration::from_secs(45);

impl<L: Ledger> Machine<L> {
	/// Takes a peer's answer to a request for headers.
	pub fn headers_arrived(&mut self, name: L::Peer, answer: Result<Vec<L::Header>, Failure>) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let job = std::mem::replace(&mut peer.job, Job::Idle);
		let headers = match answer {
			Ok(headers) => headers,
			Err(Failure::Unanswered) => return self.header_request_failed(name),
			Err(Failure::Nonsense) => return self.drop_peer(name, Offence::Nonsense),
			Err(Failure::Invalid) => return self.drop_peer(name, Offence::Invalid),
		};
		match job {
			Job::Down {
				claim,
				headers: before,
				next,
			} => self.went_down(name, claim, before, next, headers),
			Job::Up { claim, from, max } => self.went_up(name, claim, from, max, headers),
			other => {
				// Nothing was asked for.
				if let Some(peer) = self.peers.get_mut(&name) {
					peer.job = other;
				}
			}
		}
	}

	/// Takes the result of a check.
	pub fn headers_checked(
		&mut self,
		name: L::Peer,
		checked: Checked<L::Header, L::Facts, L::Weight>,
	) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let Job::Checking { rest, last, .. } = std::mem::replace(&mut peer.job, Job::Idle) else {
			return;
		};
		let first = checked.proved.first().map(|proved| proved.parent);
		if first.is_some_and(|parent| !self.may_grow(&parent)) {
			// Finality has removed the headers below.
			return;
		}
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let passed = checked.proved.len();
		let tip = checked.proved.last().map(|proved| proved.hash);
		for proved in checked.proved {
			// A block may have been imported while its header was checked.
			if self.ledger.place(&proved.hash) == Place::Unknown {
				self.tree.insert(proved);
			}
		}
		if let Some(tip) = tip.filter(|tip| self.tree.contains(tip)) {
			peer.add_tip(tip, &self.tree);
			self.stale = true;
		}
		if passed > 0 {
			peer.headers.succeeded();
		}
		match checked.problem {
			None => {
				let base = self.tree.base(last);
				self.check(name, base, rest);
			}
			Some(Problem::Invalid) => self.drop_peer(name, Offence::Invalid),
			Some(Problem::CouldNotCheck) => peer.headers.rest(self.now),
			Some(Problem::Future(wait)) if wait <= PATIENCE => {
				let mut headers = checked.left;
				headers.extend(rest);
				let parent = headers.first().map_or(last, Link::parent);
				let base = self.tree.base(parent);
				let until = self.now.saturating_add(wait);
				peer.job = Job::Waiting {
					until,
					base,
					headers,
				};
			}
			Some(Problem::Future(_)) => self.give_up(name),
		}
	}

	/// Gives every peer that does nothing something to prove.
	pub(super) fn ask_for_headers(&mut self) {
		let names: Vec<L::Peer> = self.peers.keys().copied().collect();
		for name in names {
			let Some(peer) = self.peers.get_mut(&name) else {
				continue;
			};
			match &peer.job {
				Job::Idle if peer.headers.is_open(self.now) => self.next_walk(name),
				Job::Waiting { until, .. } if self.now >= *until => {
					let job = std::mem::replace(&mut peer.job, Job::Idle);
					if let Job::Waiting { base, headers, .. } = job {
						self.check(name, base, headers);
					}
				}
				_ => {}
			}
		}
	}

	/// Begins the next walk of an idle peer, if it has a claim to prove.
	fn next_walk(&mut self, name: L::Peer) {
		let (best, finalized) = (self.ledger.best(), self.ledger.finalized());
		while let Some(peer) = self.peers.get_mut(&name) {
			let top = peer
				.tips
				.iter()
				.filter_map(|tip| Some((*tip, self.tree.get(tip)?.number)))
				.max_by_key(|(_, number)| *number);
			let Some(claim) = peer.newest_claim() else {
				return;
			};
			let (hash, number) = (claim.hash, claim.number);
			if self.tree.contains(&hash) {
				let is_own_word = claim.is_own_word;
				peer.forget(&hash);
				if is_own_word {
					peer.add_tip(hash, &self.tree);
					self.stale = true;
				}
				continue;
			}
			let is_settled = number <= finalized
				|| self.dead.contains(&hash)
				|| self.ledger.place(&hash) != Place::Unknown;
			if is_settled || (claim.tried_up && claim.tried_down) {
				let is_false = !is_settled && claim.is_broken;
				peer.forget(&hash);
				if is_false {
					return self.header_request_failed(name);
				}
				continue;
			}
			let known = top.map_or(best.number, |(_, number)| number.max(best.number));
			let is_far = number > known.saturating_add(NEAR);
			if claim.tried_down || (is_far && !claim.tried_up) {
				let from = top.filter(|(_, number)| *number >= best.number);
				return self.walk_up(name, hash, from, (best.hash, best.number));
			}
			return self.walk_down(name, hash);
		}
	}

	/// Begins a walk down from a claim.
	fn walk_down(&mut self, name: L::Peer, claim: Hash) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let announced = peer.claims.iter_mut().find(|c| c.hash == claim);
		let header = announced.and_then(|claim| claim.header.take());
		match header {
			Some(header) => self.descend(name, claim, vec![header], 0),
			None => self.ask_down(name, claim, Vec::new(), claim),
		}
	}

	fn ask_down(&mut self, name: L::Peer, claim: Hash, headers: Vec<L::Header>, next: Hash) {
		if let Some(peer) = self.peers.get_mut(&name) {
			peer.job = Job::Down {
				claim,
				headers,
				next,
			};
			self.actions.push(Action::AskHeaders {
				peer: name,
				from: next,
				direction: Direction::Down,
				max: HEADERS_PER_REQUEST,
			});
		}
	}

	/// Takes the answer to a step down.
	fn went_down(
		&mut self,
		name: L::Peer,
		claim: Hash,
		mut headers: Vec<L::Header>,
		next: Hash,
		more: Vec<L::Header>,
	) {
		let mut expected = next;
		for header in &more {
			if header.hash() != expected {
				return self.drop_peer(name, Offence::Nonsense);
			}
			expected = header.parent();
		}
		if more.is_empty() {
			// A peer that has a header has its parent, unless its history begins there. But it may have left a fork since
			// it told us of it.
			let next = self.ledger.best().number.saturating_add(1);
			let lowest = headers.last().map(Link::number);
			let is_broken = lowest.is_some_and(|lowest| lowest <= next);
			let is_short = lowest.is_some() && !is_broken;
			if let Some(peer) = self.peers.get_mut(&name).filter(|_| is_short) {
				peer.headers.failed(self.now);
			}
			self.walk_ended(name, claim, Direction::Down);
			if let Some(claim) = self.claim_of(name, &claim) {
				claim.is_broken = is_broken;
			}
			return;
		}
		let seen = headers.len();
		headers.extend(more);
		self.descend(name, claim, headers, seen);
	}

	/// Looks for a block that we know below these headers, highest first. Those before `seen` were looked at before.
	fn descend(&mut self, name: L::Peer, claim: Hash, mut headers: Vec<L::Header>, seen: usize) {
		let finalized = self.ledger.finalized();
		let is_known = |header: &L::Header| self.ledger.place(&header.hash()) != Place::Unknown;
		if headers.first().is_some_and(is_known) {
			// The block was imported in the meantime.
			if let Some(peer) = self.peers.get_mut(&name) {
				peer.forget(&claim);
			}
			return;
		}
		for index in seen..headers.len() {
			let (parent, number) = (headers[index].parent(), headers[index].number());
			let place = self.ledger.place(&parent);
			let is_dead = match place {
				Place::Live => false,
				Place::Dead => true,
				Place::Unknown => self.dead.contains(&parent) || number <= finalized,
			};
			if is_dead {
				for header in &headers[..=index] {
					self.note_dead(header.hash());
				}
				if let Some(peer) = self.peers.get_mut(&name) {
					peer.forget(&claim);
				}
				return;
			}
			if place == Place::Live || self.tree.contains(&parent) {
				headers.truncate(index + 1);
				headers.reverse();
				let base = self.tree.base(parent);
				return self.check(name, base, headers);
			}
		}
		if headers.len() >= DEEP {
			if let Some(peer) = self.peers.get_mut(&name) {
				// It cost the peer little, and may be an honest chain all the same: the next walk waits, longer each time.
				peer.headers.failed(self.now);
			}
			return self.walk_ended(name, claim, Direction::Down);
		}
		if let Some(next) = headers.last().map(Link::parent) {
			self.ask_down(name, claim, headers, next);
		}
	}

	/// Begins or resumes a walk up the peer's best chain.
	fn walk_up(
		&mut self,
		name: L::Peer,
		claim: Hash,
		top: Option<(Hash, BlockNumber)>,
		best: (Hash, BlockNumber),
	) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let ahead = match top {
			Some((_, number)) if number >= best.1.saturating_add(HEADERS_AHEAD as u32) => {
				HEADERS_AHEAD
			}
			Some((tip, number)) if self.main.has(number, &tip) => self.main.up_to(number),
			Some((tip, _)) => self.tree.chain(&tip).count(),
			None => 0,
		};
		if ahead >= HEADERS_AHEAD {
			// Go on when some of these blocks are in the database.
			return;
		}
		let (from, _) = *peer.up.get_or_insert(top.unwrap_or(best));
		let max = HEADERS_PER_REQUEST;
		peer.job = Job::Up { claim, from, max };
		self.actions.push(Action::AskHeaders {
			peer: name,
			from,
			direction: Direction::Up,
			max,
		});
	}

	/// Takes the answer to a step up.
	fn went_up(
		&mut self,
		name: L::Peer,
		claim: Hash,
		from: Hash,
		max: u32,
		headers: Vec<L::Header>,
	) {
		if headers.len() > max as usize || headers.first().is_some_and(|h| h.hash() != from) {
			return self.drop_peer(name, Offence::Nonsense);
		}
		let is_full = headers.len() == max as usize;
		let linked = headers
			.windows(2)
			.take_while(|pair| pair[1].parent() == pair[0].hash())
			.count();
		if headers.is_empty() || (linked == 0 && headers.len() > 1) {
			return self.step_back(name, claim);
		}
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		peer.step = 1;
		let reached = headers.get(linked).map(|h| (h.hash(), h.number()));
		// Only a full answer says that there may be more.
		peer.up = reached.filter(|_| is_full && linked + 1 == max as usize);
		let is_over = peer.up.is_none();
		let mut fresh: Vec<L::Header> = headers.into_iter().take(linked + 1).skip(1).collect();
		let known = fresh
			.iter()
			.take_while(|h| {
				self.tree.contains(&h.hash()) || self.ledger.place(&h.hash()) != Place::Unknown
			})
			.count();
		let fresh = fresh.split_off(known);
		if is_over {
			self.walk_ended(name, claim, Direction::Up);
		}
		match fresh.first().map(Link::parent) {
			Some(parent) if self.may_grow(&parent) => {
				let base = self.tree.base(parent);
				self.check(name, base, fresh);
			}
			Some(_) => self.give_up(name),
			None => {
				let tip = reached.filter(|(hash, _)| self.tree.contains(hash));
				if let (Some((hash, _)), Some(peer)) = (tip, self.peers.get_mut(&name)) {
					peer.add_tip(hash, &self.tree);
					self.stale = true;
				}
			}
		}
	}

	/// Returns whether a chain on this block can be ours.
	fn may_grow(&self, parent: &Hash) -> bool {
		self.tree.contains(parent) || self.ledger.place(parent) == Place::Live
	}

	/// Looks for a lower block that the peer has, too.
	fn step_back(&mut self, name: L::Peer, claim: Hash) {
		let (best, finalized) = (self.ledger.best(), self.ledger.finalized());
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let from = peer
			.up
			.map_or(best.number, |(_, number)| number.min(best.number));
		let to = from.saturating_sub(peer.step).max(finalized);
		peer.step = peer.step.saturating_mul(2);
		let lower = self.ledger.canonical(to).filter(|_| to < from);
		peer.up = lower.map(|hash| (hash, to));
		if lower.is_none() {
			peer.step = 1;
			self.walk_ended(name, claim, Direction::Up);
		}
	}

	/// Notes that a walk ended. If the claim is not proved by it, the other walk is next.
	fn walk_ended(&mut self, name: L::Peer, claim: Hash, direction: Direction) {
		if let Some(claim) = self.claim_of(name, &claim) {
			match direction {
				Direction::Down => claim.tried_down = true,
				Direction::Up => claim.tried_up = true,
			}
		}
	}

	fn claim_of(&mut self, name: L::Peer, claim: &Hash) -> Option<&mut Claim<L::Header>> {
		let claims = &mut self.peers.get_mut(&name)?.claims;
		claims.iter_mut().find(|c| c.hash == *claim)
	}

	/// Has headers checked, lowest first.
	fn check(&mut self, name: L::Peer, base: Base<L::Facts>, mut headers: Vec<L::Header>) {
		if !self.may_grow(&base.hash) {
			return;
		}
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		let most = headers.len().min(HEADERS_PER_REQUEST as usize);
		let rest = headers.split_off(most);
		let Some(last) = headers.last().map(Link::hash) else {
			peer.job = Job::Idle;
			return;
		};
		let below = base.hash;
		peer.job = Job::Checking {
			base: below,
			rest,
			last,
		};
		self.actions.push(Action::Check {
			peer: name,
			base,
			headers,
		});
	}

	/// Gives up the peer's newest claim, which counts as a failure.
	fn give_up(&mut self, name: L::Peer) {
		let Some(peer) = self.peers.get_mut(&name) else {
			return;
		};
		peer.up = None;
		peer.step = 1;
		if let Some(hash) = peer.newest_claim().map(|claim| claim.hash) {
			peer.forget(&hash);
		}
		self.header_request_failed(name);
	}

	fn header_request_failed(&mut self, name: L::Peer) {
		let now = self.now;
		let is_over = |peer: &mut Peer<L::Header, L::Facts>| peer.headers.failed(now);
		if self.peers.get_mut(&name).is_some_and(is_over) {
			self.drop_peer(name, Offence::Unanswered);
		}
	}
}
