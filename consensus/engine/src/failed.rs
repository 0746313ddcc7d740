//! Blocks that keep every rule and fail in execution: which were tried, and are not to be tried again.
//!
//! An error of import says nothing of the peer (it may be our own database that failed), so sync asks the
//! same peer for the same block at once. Without a memory of it, one proof of work would buy as many
//! executions as the network has time for. Import answers "known bad" for what is remembered here, and
//! that costs the peer its connection and reputation.

use isthmus_primitives::Hash;
use std::{
	collections::VecDeque,
	time::{Duration, Instant},
};

/// How often a block may fail: more than once, as the first time may have been our own fault.
const TRIES: u32 = 2;
/// How long a block is known as bad. Should the fault have been ours after all, it is tried again then.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How many blocks are remembered. Each took its maker a proof of work.
const REMEMBERED: usize = 256;

/// The blocks that failed of late, those that failed last at the end.
#[derive(Default)]
pub(crate) struct Failed(VecDeque<Failure>);

struct Failure {
	block: Hash,
	times: u32,
	last: Instant,
}

impl Failed {
	/// The block failed in execution.
	pub(crate) fn note(&mut self, block: Hash, now: Instant) {
		let before = self.0.iter().position(|failure| failure.block == block);
		let times = before
			.and_then(|place| self.0.remove(place))
			.filter(|failure| !failure.is_forgotten(now))
			.map_or(0, |failure| failure.times);
		if self.0.len() == REMEMBERED {
			self.0.pop_front();
		}
		self.0.push_back(Failure {
			block,
			times: times.saturating_add(1),
			last: now,
		});
	}

	/// Whether the block failed too often to be tried now.
	pub(crate) fn is_bad(&self, block: Hash, now: Instant) -> bool {
		self.0.iter().any(|failure| {
			failure.block == block && failure.times >= TRIES && !failure.is_forgotten(now)
		})
	}
}

impl Failure {
	fn is_forgotten(&self, now: Instant) -> bool {
		now.saturating_duration_since(self.last) >= KNOWN_FOR
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_block_is_bad_from_its_second_failure_until_it_is_forgotten() {
		let (mut failed, start) = (Failed::default(), Instant::now());
		let (block, other) = (Hash::repeat_byte(1), Hash::repeat_byte(2));
		failed.note(block, start);
		assert!(!failed.is_bad(block, start));
		failed.note(block, start);
		assert!(failed.is_bad(block, start));
		assert!(!failed.is_bad(other, start));
		let later = start + KNOWN_FOR;
		assert!(!failed.is_bad(block, later));
		failed.note(block, later);
		assert!(
			!failed.is_bad(block, later),
			"a forgotten failure does not count"
		);
	}

	#[test]
	fn the_memory_is_bounded_and_keeps_the_newest() {
		let (mut failed, now) = (Failed::default(), Instant::now());
		for number in 0..=REMEMBERED as u64 {
			let block = Hash::from_low_u64_be(number);
			failed.note(block, now);
			failed.note(block, now);
		}
		assert_eq!(failed.0.len(), REMEMBERED);
		assert!(!failed.is_bad(Hash::from_low_u64_be(0), now));
		assert!(failed.is_bad(Hash::from_low_u64_be(REMEMBERED as u64), now));
	}
}
