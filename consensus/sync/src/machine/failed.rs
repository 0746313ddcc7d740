// SPDX-License-Identifier: Apache-2.0
//! Remembers blocks whose import failed, so that the node neither tries them without end nor gives them up for
//! good.
//!
//! An import error does not say whose fault it is: the block's, or that of our own disk, memory or runtime. So a
//! block is tried again after a pause, and the pause doubles. In the meantime its chain does not count.

use super::types::Time;
use isthmus_primitives::Hash;
use std::{collections::VecDeque, time::Duration};

/// The number of blocks that are remembered. Each of them cost its miner a proof of work.
const REMEMBERED: usize = 256;
/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The pause after the second failure. Each further one doubles it. A peer refuses to send the same block for the
/// third time within a minute.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest pause, and the pause after a block broke a rule.
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// How many peers may be disconnected at once because of such blocks.
const BURST: u32 = 8;
/// After how long one more peer may be disconnected.
const REFILL: Duration = Duration::from_secs(60);

struct Entry {
	block: Hash,
	tries: u32,
	until: Time,
}

/// The blocks whose import failed, in the order of their last failure.
pub(super) struct FailedBlocks {
	entries: VecDeque<Entry>,
	drops: u32,
	refilled: Time,
}

impl FailedBlocks {
	/// Returns an empty memory.
	pub(super) fn new() -> Self {
		Self {
			entries: VecDeque::new(),
			drops: BURST,
			refilled: Time::ZERO,
		}
	}

	/// Remembers a failure, and returns how often the block has failed.
	pub(super) fn note(&mut self, block: Hash, invalid: bool, now: Time) -> u32 {
		let before = self.entries.iter().position(|entry| entry.block == block);
		let tries = before
			.and_then(|index| self.entries.remove(index))
			.map_or(0, |entry| entry.tries)
			.saturating_add(1);
		let pause = match tries {
			_ if invalid => MAX_PAUSE,
			1 => FIRST_PAUSE,
			_ => PAUSE.saturating_mul(1 << (tries - 2).min(4)).min(MAX_PAUSE),
		};
		if self.entries.len() == REMEMBERED {
			self.entries.pop_front();
		}
		self.entries.push_back(Entry {
			block,
			tries,
			until: now.saturating_add(pause),
		});
		tries
	}

	/// Forgets a block, because its import succeeded.
	pub(super) fn forget(&mut self, block: &Hash) {
		self.entries.retain(|entry| entry.block != *block);
	}

	/// Returns the blocks that must not be tried now.
	pub(super) fn excluded(&self, now: Time) -> impl Iterator<Item = &Hash> {
		let is_due = move |entry: &&Entry| now < entry.until;
		self.entries.iter().filter(is_due).map(|entry| &entry.block)
	}

	/// Returns whether the block must not be tried now.
	pub(super) fn excludes(&self, block: &Hash, now: Time) -> bool {
		self.excluded(now).any(|excluded| excluded == block)
	}

	/// Returns whether a block's time has come within `since..=now`.
	pub(super) fn any_due(&self, since: Time, now: Time) -> bool {
		self.entries
			.iter()
			.any(|entry| entry.until > since && entry.until <= now)
	}

	/// Returns whether a peer may be disconnected because of such a block. If the fault is ours, all our peers
	/// have the block, and the node must not cut itself off.
	pub(super) fn may_drop(&mut self, now: Time) -> bool {
		let refills = now.saturating_sub(self.refilled).as_secs() / REFILL.as_secs();
		if refills > 0 {
			self.drops = self
				.drops
				.saturating_add(u32::try_from(refills).unwrap_or(BURST))
				.min(BURST);
			self.refilled = now;
		}
		let may = self.drops > 0;
		self.drops = self.drops.saturating_sub(1);
		may
	}
}
