// SPDX-License-Identifier: Apache-2.0
//! Hands blocks to the import in order, and judges the results.

use super::{
	bodies::Body,
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
			self.bodies.done(&hash);
			match outcome {
				Outcome::Imported => {
					self.failed.forget(&hash);
					self.landed(&hash);
				}
				Outcome::Invalid => self.import_failed(hash, true),
				Outcome::Failed => self.import_failed(hash, false),
				Outcome::Unusable => {
					self.failed.note(hash, true, self.now);
				}
				Outcome::Skipped => {}
			}
		}
		self.stale = true;
	}

	/// Notes that a block is in the database.
	fn landed(&mut self, hash: &Hash) {
		self.tree.remove(hash);
		self.main.pass(hash);
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
		if !is_invalid && tries < 2 {
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
				if self.failed.may_drop(self.now) {
					self.drop_peer(name, Offence::BadBlock);
				}
			}
		}
	}

	/// Hands over the blocks that have arrived and whose parents are imported or handed over.
	pub(super) fn import(&mut self) {
		let catching_up = self.is_catching_up();
		loop {
			let blocks = self.next_batch();
			if blocks.is_empty() {
				return;
			}
			self.actions.push(Action::Import {
				blocks,
				catching_up,
			});
		}
	}

	fn next_batch(&mut self) -> Vec<(L::Block, L::Peer)> {
		let room = MAX_BLOCKS.saturating_sub(self.bodies.importing());
		if room == 0 || self.bodies.importing_bytes() >= MAX_BYTES {
			return Vec::new();
		}
		let ready = |lane: &Lane| -> Vec<Hash> {
			lane.iter()
				.skip_while(|hash| matches!(self.bodies.get(hash), Some(Body::Importing { .. })))
				.take_while(|hash| matches!(self.bodies.get(hash), Some(Body::Arrived { .. })))
				.take(room.min(BATCH))
				.copied()
				.collect()
		};
		let hashes = self.lanes().into_iter().map(ready).find(|h| !h.is_empty());
		let mut blocks = Vec::new();
		for hash in hashes.unwrap_or_default() {
			if self.bodies.importing_bytes() >= MAX_BYTES {
				break;
			}
			blocks.extend(self.bodies.take(&hash));
		}
		blocks
	}
}
