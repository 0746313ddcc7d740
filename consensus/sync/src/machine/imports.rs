// SPDX-License-Identifier: Apache-2.0
//! Hands blocks to the import in order, and judges the results.

use super::{
	store::Body,
	tree::Lane,
	types::{Action, Ledger, Offence, Outcome, Place},
	Machine,
};
use isthmus_primitives::{BlockNumber, Hash};

/// The maximum number of blocks that are being imported.
const MAX_BLOCKS: usize = 64;
/// No more blocks are handed over while this many bytes are being imported.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The maximum number of blocks that are handed over at once.
const BATCH: usize = 16;
/// If peers have proved this many headers above a block that we cannot import, the fault is more likely ours.
const BUILT_ON: BlockNumber = 3;

impl<L: Ledger> Machine<L> {
	/// Takes the results of imports, in their order.
	pub fn imported(&mut self, results: impl IntoIterator<Item = (Hash, Outcome)>) {
		for (hash, outcome) in results {
			let sender = self.bodies.done(&hash);
			let was_silent = self.silent.remove(&hash);
			if outcome != Outcome::Imported {
				// Its body is gone, and it may be tried again.
				self.held_below = 0;
			}
			match outcome {
				Outcome::Imported => {
					self.unheard = was_silent.then_some(hash);
					if let Some(peer) = sender.and_then(|name| self.peers.get_mut(&name)) {
						peer.has_proved_good = true;
					}
					self.failed.forget(&hash);
					self.count_brother(&hash);
					self.landed(&hash);
				}
				Outcome::Invalid => self.import_failed(hash, true),
				Outcome::Failed => self.import_failed(hash, false),
				Outcome::Unusable => {
					self.failed.note(hash, true, self.now);
				}
				Outcome::Skipped => self.forget_orphans(&hash),
			}
		}
		self.stale = true;
	}

	/// Counts a block that was imported, unless it is on our best chain or on one that is heavier.
	fn count_brother(&mut self, hash: &Hash) {
		let Some(number) = self.tree.get(hash).map(|node| node.number) else {
			return;
		};
		let best = self.ledger.best();
		let leads = self.target().is_some() || self.main.has(best.number, &best.hash);
		if !(leads && self.main.has(number, hash)) {
			let brothers = self.brothers.entry(number).or_default();
			*brothers = brothers.saturating_add(1);
		}
	}

	/// Forgets the chains with this block if its parent is gone: the database has removed it because it had no room for more
	/// blocks of a number. Their peers prove them again when they announce the next block.
	fn forget_orphans(&mut self, block: &Hash) {
		let parent = self.tree.get(block).map(|node| node.parent);
		let is_gone = |parent: &Hash| {
			!self.tree.contains(parent) && self.ledger.place(parent) == Place::Unknown
		};
		if !parent.as_ref().is_some_and(is_gone) {
			return;
		}
		let tree = &self.tree;
		for peer in self.peers.values_mut() {
			let before = peer.tips.len();
			peer.tips
				.retain(|tip| !tree.chain(tip).any(|(hash, _)| hash == *block));
			if peer.tips.len() != before {
				peer.reach = None;
			}
		}
		self.sweep();
	}

	/// Notes that a block is in the database.
	fn landed(&mut self, hash: &Hash) {
		let number = self.tree.get(hash).map(|node| node.number);
		self.tree.remove(hash);
		self.main.pass(hash);
		if number.is_some_and(|number| self.main.has(number, hash)) {
			self.held_below = 0;
		}
		for peer in self.peers.values_mut() {
			let before = peer.tips.len();
			peer.tips.retain(|tip| tip != hash);
			if peer.tips.len() != before {
				peer.reach = None;
			}
		}
	}

	/// Judges a block whose import failed. Only peers that proved its header can be at fault, and even they only
	/// if it cannot be our own fault.
	fn import_failed(&mut self, block: Hash, is_invalid: bool) {
		if self.ledger.place(&block) != Place::Unknown {
			return self.landed(&block);
		}
		let tries = self.failed.note(block, is_invalid, self.now);
		let Some(number) = self.tree.get(&block).map(|node| node.number) else {
			return;
		};
		// A block that finality has overtaken is refused, too, but that is not the fault of those who sent it.
		if (!is_invalid && tries < 2) || number <= self.ledger.finalized() {
			return;
		}
		let mut guilty = Vec::new();
		let mut highest = number;
		for (name, peer) in &self.peers {
			for tip in &peer.tips {
				let has = self
					.tree
					.chain(tip)
					.take_while(|(_, node)| node.number >= number)
					.any(|(hash, _)| hash == block);
				if has {
					guilty.push(*name);
					highest = self
						.tree
						.get(tip)
						.map_or(highest, |n| n.number.max(highest));
				}
			}
		}
		guilty.dedup();
		let built_on = highest.saturating_sub(number);
		if is_invalid {
			for name in guilty {
				self.drop_peer(name, Offence::Invalid);
			}
		} else if built_on < BUILT_ON {
			for name in guilty {
				let Some(peer) = self.peers.get_mut(&name) else {
					continue;
				};
				// A peer whose blocks were good so far gets the benefit of the doubt.
				let is_over = !peer.has_proved_good || peer.bodies.failed(self.now);
				if is_over && self.failed.may_drop(self.now) {
					self.drop_peer(name, Offence::BadBlock);
				}
			}
		}
	}

	/// Hands over the blocks that have arrived and whose parents are imported or handed over.
	pub(super) fn import(&mut self) {
		while let Some(batch) = self.next_batch() {
			self.actions.push(batch);
		}
	}

	/// Announces our best block if it was imported silently on the way to a better one, which we do not get after all.
	pub(super) fn announce(&mut self) {
		let Some(unheard) = self.unheard.filter(|_| self.bodies.importing() == 0) else {
			return;
		};
		let best = self.ledger.best();
		if !self.is_far_below_target(best.number) {
			self.unheard = None;
			if best.hash == unheard {
				self.actions.push(Action::Announce(unheard));
			}
		}
	}

	fn next_batch(&mut self) -> Option<Action<L>> {
		let room = MAX_BLOCKS.saturating_sub(self.bodies.importing());
		let ready = |lane: &Lane| -> Vec<Hash> {
			lane.iter()
				.skip_while(|hash| matches!(self.bodies.get(hash), Some(Body::Importing { .. })))
				.take_while(|hash| matches!(self.bodies.get(hash), Some(Body::Arrived { .. })))
				.take(room.min(BATCH))
				.copied()
				.collect()
		};
		let hashes = self
			.lanes()
			.into_iter()
			.map(ready)
			.find(|h| !h.is_empty())?;
		// The last blocks before the target are announced to others, so that they learn of the chain.
		let is_silent = |hash: &Hash| {
			let number = self.tree.get(hash).map(|node| node.number);
			number.is_some_and(|number| self.is_far_below_target(number))
		};
		let catching_up = is_silent(hashes.first()?);
		let alike = hashes
			.iter()
			.take_while(|hash| is_silent(hash) == catching_up)
			.count();
		let mut blocks = Vec::new();
		for hash in &hashes[..alike] {
			if self.bodies.importing_bytes() >= MAX_BYTES {
				break;
			}
			blocks.extend(self.bodies.take(hash));
		}
		if catching_up {
			self.silent.extend(&hashes[..blocks.len()]);
		}
		(!blocks.is_empty()).then_some(Action::Import {
			blocks,
			catching_up,
		})
	}
}
