// SPDX-License-Identifier: Apache-2.0
//! Keeps the blocks that are asked for, have arrived or are being imported, and counts their bytes.

use super::{
	peer::Peer,
	types::{Arrival, Time, MAX_ANSWER},
};
use isthmus_primitives::Hash;
use std::collections::HashMap;

/// The size of a block that is assumed before any has arrived, in bytes.
const FIRST_GUESS: u64 = 256 * 1024;

/// What is being done to get a block.
pub(super) enum Body<P, B> {
	/// These peers were asked for it, at these times.
	Asked(Vec<(P, Time)>),
	/// It is here.
	Arrived { block: B, size: u64, from: P },
	/// It is being imported.
	Importing { size: u64, from: P },
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

	/// Returns the average size of the blocks that arrived lately, in bytes.
	pub(super) fn average(&self) -> u64 {
		self.average
	}

	/// Returns whether nothing is being done to get a block.
	pub(super) fn is_missing(&self, hash: &Hash) -> bool {
		!self.blocks.contains_key(hash)
	}

	/// Returns whether a block is here.
	pub(super) fn is_held(&self, hash: &Hash) -> bool {
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

	/// Notes that a peer is asked for blocks.
	pub(super) fn ask(&mut self, peer: P, hashes: &[Hash], now: Time) {
		self.requests = self.requests.saturating_add(1);
		for hash in hashes {
			let body = self.blocks.entry(*hash).or_insert(Body::Asked(Vec::new()));
			if let Body::Asked(peers) = body {
				peers.push((peer, now));
			}
		}
	}

	/// Notes that a peer's request for blocks ended.
	pub(super) fn answered(&mut self, peer: &P, hashes: &[Hash]) {
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

	/// Adds a block.
	pub(super) fn arrive(&mut self, arrival: Arrival<B>, from: P) {
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
				self.blocks.insert(*hash, Body::Importing { size, from });
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

	/// Notes that the import of a block ended, and returns which peer sent it.
	pub(super) fn done(&mut self, hash: &Hash) -> Option<P> {
		match self.blocks.remove(hash)? {
			Body::Importing { size, from } => {
				self.held = self.held.saturating_sub(size);
				self.importing = self.importing.saturating_sub(1);
				self.importing_bytes = self.importing_bytes.saturating_sub(size);
				Some(from)
			}
			other => {
				self.blocks.insert(*hash, other);
				None
			}
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
