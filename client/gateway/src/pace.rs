// SPDX-License-Identifier: Apache-2.0
//! How slowly a program may read, and how often it is asked whether it may go on.

use std::time::Duration;

/// Limits of time while a file is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
	/// How long a program may take for a chunk, and how long it may take in all besides what [`slowest`](Self::slowest)
	/// allows.
	pub(crate) stalled: Duration,
	/// The slowest program that is waited for, in bytes a second.
	pub(crate) slowest: u64,
	/// How long a file is sent until the source is asked again whether it may be read.
	pub(crate) asking: Duration,
}

impl Default for Limits {
	fn default() -> Self {
		Self {
			stalled: Duration::from_secs(60),
			slowest: 32 << 10,
			asking: Duration::from_secs(10),
		}
	}
}

/// How fast a program has read so far. Only the time counts in which it was waited for.
#[derive(Debug, Default)]
pub(crate) struct Pace {
	bytes: u64,
	waited: Duration,
}

impl Pace {
	/// Counts bytes that the program took, and how long it was waited for.
	pub(crate) fn took(&mut self, bytes: u64, waited: Duration) {
		self.bytes = self.bytes.saturating_add(bytes);
		self.waited = self.waited.saturating_add(waited);
	}

	/// Returns how long the program is waited for until it takes more.
	pub(crate) fn patience(&self, limits: &Limits) -> Duration {
		let earned = Duration::from_secs(self.bytes / limits.slowest.max(1));
		let all = limits.stalled.saturating_add(earned);
		all.saturating_sub(self.waited).min(limits.stalled)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const SECOND: Duration = Duration::from_secs(1);

	#[test]
	fn a_program_that_takes_a_chunk_now_and_then_is_cut_off() {
		let (limits, mut pace) = (Limits::default(), Pace::default());
		let almost = limits.stalled - SECOND;
		// Chunks of 64 KiB, each after 59 seconds.
		pace.took(64 << 10, almost);
		assert_eq!(pace.patience(&limits), 3 * SECOND);
		pace.took(64 << 10, 3 * SECOND);
		pace.took(0, 2 * SECOND);
		assert_eq!(pace.patience(&limits), Duration::ZERO);
	}

	#[test]
	fn a_program_that_was_fast_may_pause_but_not_longer_than_any_other() {
		let (limits, mut pace) = (Limits::default(), Pace::default());
		pace.took(1 << 30, SECOND);
		assert_eq!(pace.patience(&limits), limits.stalled);
		for _ in 0..100 {
			// At the slowest rate it goes on for ever.
			pace.took(limits.slowest, SECOND);
			assert_eq!(pace.patience(&limits), limits.stalled);
		}
	}
}
