// SPDX-License-Identifier: Apache-2.0
//! What nodes ask of one another, and how requests are answered, headers checked and blocks imported.

use super::{Event, Network, LIARS, TIMEOUT};
use crate::{
	chain::{Fault, Name, SimBlock},
	liars::Liar,
};
use isthmus_primitives::Hash;
use isthmus_sync::machine::{
	Arrival, Checked, Direction, Failure, Outcome, Problem, Proved, MAX_ANSWER,
};
use rand::Rng;
use std::time::Duration;

/// How many blocks' bodies a pruned node keeps, below its best block.
const KEPT: u32 = 64;

impl Network {
	/// Checks that a request is not one that cannot help: the same as one before, without a pause.
	pub(super) fn note_request(
		&mut self,
		name: Name,
		peer: Name,
		bodies: bool,
		from: Hash,
		count: usize,
	) {
		let connection = self.connection(name, peer);
		let asked = &mut self.nodes[name as usize].asked;
		let (times, in_vain) = asked.entry((connection, bodies, from, count)).or_default();
		*times += 1;
		let again = in_vain.is_some_and(|last| self.now < last + 900);
		*in_vain = Some(self.now);
		// A liar's new claim may lead to the same question.
		let is_new_lie = !bodies && peer >= LIARS;
		assert!(
			(!again && *times < 40) || is_new_lie,
			"node {name} asks {peer} for the same {} again at {}: {:?}",
			if bodies { "bodies" } else { "headers" },
			self.now,
			self.plan
		);
	}

	/// Returns the number of the connection to a peer.
	pub(super) fn connection(&self, name: Name, peer: Name) -> u64 {
		self.nodes[name as usize].peers[&peer]
	}

	pub(super) fn liar(&self, name: Name) -> Option<&Liar> {
		let (_, liar) = self.liars.iter().find(|(liar, _)| *liar == name)?;
		Some(liar)
	}

	pub(super) fn ask_headers(
		&mut self,
		name: Name,
		peer: Name,
		from: Hash,
		direction: Direction,
		max: u32,
	) {
		let connection = self.connection(name, peer);
		let (answer, delay) = match self.liar(peer) {
			Some(liar) => (
				liar.delay(false)
					.map(|_| liar.headers(from, direction, max)),
				liar.delay(false).unwrap_or(0),
			),
			None => (Some(self.headers_of(peer, from, direction, max)), 0),
		};
		let is_lost = self.random.gen_range(0..1000) < self.plan.loss && peer < LIARS;
		let (when, answer) = match answer.filter(|_| !is_lost) {
			Some(headers) => (self.now + delay + 2 * self.latency(name, peer), Ok(headers)),
			None => (self.now + TIMEOUT, Err(Failure::Unanswered)),
		};
		self.at(when, Event::Headers(name, peer, connection, answer));
	}

	pub(super) fn headers_of(
		&self,
		peer: Name,
		from: Hash,
		direction: Direction,
		max: u32,
	) -> Vec<SimBlock> {
		let database = &self.nodes[peer as usize].database;
		let known = |hash: Hash| self.store.get(&hash).filter(|b| database.has(&b.hash));
		let mut headers = Vec::new();
		let mut next = known(from);
		while let Some(block) = next.filter(|_| headers.len() < max as usize) {
			next = match direction {
				Direction::Down => known(block.parent),
				Direction::Up => database.at(block.number + 1).and_then(known),
			};
			headers.push(block);
		}
		headers
	}

	pub(super) fn ask_bodies(&mut self, name: Name, peer: Name, hashes: Vec<Hash>) {
		let connection = self.connection(name, peer);
		let answer = match self.liar(peer) {
			Some(liar) => liar.delay(true).map(|delay| (liar.bodies(&hashes), delay)),
			None => {
				let bodies = self.bodies_of(name, peer, &hashes);
				Some((bodies.ok_or(Failure::Unanswered), 0))
			}
		};
		let is_lost = self.random.gen_range(0..1000) < self.plan.loss && peer < LIARS;
		let (when, answer) = match answer.filter(|_| !is_lost) {
			Some((answer, delay)) => {
				let bytes: u64 = answer.iter().flatten().map(|a| a.size).sum();
				// 8 MB/s.
				let took = delay + bytes / 8_000 + 2 * self.latency(name, peer);
				match took < TIMEOUT {
					true => (self.now + took, answer),
					false => (self.now + TIMEOUT, Err(Failure::Unanswered)),
				}
			}
			None => (self.now + TIMEOUT, Err(Failure::Unanswered)),
		};
		self.at(when, Event::Bodies(name, peer, connection, answer));
	}

	/// Answers as Substrate does: from the first block up the best chain, until the answer is full. Returns `None` if
	/// the peer refuses to answer.
	pub(super) fn bodies_of(
		&mut self,
		name: Name,
		peer: Name,
		hashes: &[Hash],
	) -> Option<Vec<Arrival<SimBlock>>> {
		let now = self.now;
		let node = &mut self.nodes[peer as usize];
		let times = node
			.served
			.entry((name, hashes[0], hashes.len()))
			.or_default();
		if times.first().is_some_and(|first| now - first > 60_000) {
			times.clear();
		}
		times.push(now);
		if times.len() > 2 {
			return None;
		}
		let database = self.nodes[peer as usize].database.clone();
		let kept = match (peer as usize) < self.plan.pruned {
			true => database.head().number.saturating_sub(KEPT),
			false => 0,
		};
		let mut arrivals: Vec<Arrival<SimBlock>> = Vec::new();
		let mut bytes = 0;
		let mut next = Some(hashes[0]).filter(|hash| database.has(hash));
		for expected in hashes {
			let Some(block) = next.and_then(|hash| self.store.get(&hash)) else {
				break;
			};
			bytes += block.size;
			if bytes > MAX_ANSWER || block.hash != *expected || block.number < kept {
				break;
			}
			next = database.at(block.number + 1);
			arrivals.push(crate::arrival(block));
		}
		Some(arrivals)
	}

	pub(super) fn check(&mut self, name: Name, peer: Name, base: Hash, headers: Vec<SimBlock>) {
		let mut proved = Vec::new();
		let mut problem = None;
		let mut parent = base;
		for header in &headers {
			assert_eq!(
				header.parent, parent,
				"headers are checked on their parents"
			);
			parent = header.hash;
			problem = match header.fault {
				Fault::Header => Some(Problem::Invalid),
				Fault::Early(time) if time > self.now => {
					Some(Problem::Future(Duration::from_millis(time - self.now)))
				}
				_ => None,
			};
			if problem.is_some() {
				break;
			}
			proved.push(Proved {
				hash: header.hash,
				parent: header.parent,
				number: header.number,
				weight: header.weight,
				facts: (),
			});
		}
		let left = headers[proved.len()..].to_vec();
		let checked = Checked {
			proved,
			problem,
			left,
		};
		let connection = self.connection(name, peer);
		let when = self.now + 1 + headers.len() as u64 / 8;
		self.at(when, Event::Checked(name, peer, connection, checked));
	}

	/// Begins to import the next block of a node.
	pub(super) fn import(&mut self, name: Name) {
		let node = &mut self.nodes[name as usize];
		if node.is_importing {
			return;
		}
		if let Some((block, _)) = node.queue.front() {
			node.is_importing = true;
			let took = 2 + block.size / 40_000;
			self.at(self.now + took, Event::Imported(name));
		}
	}

	pub(super) fn imported(&mut self, name: Name) {
		let hiccup = self.random.gen_range(0..1000) < self.plan.hiccups;
		let node = &mut self.nodes[name as usize];
		node.is_importing = false;
		let Some((block, is_last)) = node.queue.pop_front() else {
			return;
		};
		let is_new = !node.database.has(&block.hash);
		let (hash, number) = (block.hash, block.number);
		let outcome = match block.fault {
			_ if !node.database.has(&block.parent) => Outcome::Skipped,
			Fault::Rule => Outcome::Invalid,
			Fault::Execution => Outcome::Failed,
			_ if hiccup => Outcome::Failed,
			_ => Outcome::Imported,
		};
		if outcome == Outcome::Imported && is_new {
			node.database.insert(&block);
			node.machine.best_changed();
		}
		node.results.push((block.hash, outcome));
		if is_last {
			node.machine.imported(std::mem::take(&mut node.results));
		}
		self.trace(name, || format!("imported #{number} {hash}: {outcome:?}"));
		let node = &mut self.nodes[name as usize];
		let announce = node.announce.remove(&block.hash);
		if outcome == Outcome::Imported && announce && is_new {
			self.announce(name, &block);
		}
		self.import(name);
	}
}
