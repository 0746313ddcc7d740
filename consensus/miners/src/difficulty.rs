// SPDX-License-Identifier: Apache-2.0
//! Adapts a worker's share difficulty, so that it submits a share every ten seconds or so, however fast it is.

use std::time::{Duration, Instant};

/// The difficulty of a worker's first shares, in hashes. A processor core takes minutes for one, a graphics
/// card seconds.
pub const START_DIFFICULTY: u64 = 1 << 26;
/// The time between two shares to aim at.
const SHARE_TIME: Duration = Duration::from_secs(10);
/// The difficulty is reconsidered after this many shares,
const SHARES: u32 = 8;
/// or after this time.
const WINDOW: Duration = Duration::from_secs(60);
/// The maximum factor of one change.
const STEP: u64 = 4;

/// A worker's share difficulty: the average number of hashes that one share takes.
#[derive(Clone, Debug)]
pub struct ShareDifficulty {
	difficulty: u64,
	/// When the current window began.
	since: Instant,
	/// The number of shares accepted in the window, and the sum of their difficulties.
	shares: u32,
	work: u128,
}

impl ShareDifficulty {
	/// Starts with this difficulty.
	pub fn new(start: u64, now: Instant) -> Self {
		Self {
			difficulty: start.max(1),
			since: now,
			shares: 0,
			work: 0,
		}
	}

	/// Returns the difficulty of the worker's next shares for a block of this difficulty: never more than the
	/// block's, so that no seal is kept back.
	pub fn for_block(&self, block: u64) -> u64 {
		self.difficulty.min(block).max(1)
	}

	/// Counts an accepted share.
	pub fn accepted(&mut self, difficulty: u64) {
		self.shares = self.shares.saturating_add(1);
		self.work = self.work.saturating_add(u128::from(difficulty));
	}

	/// Adapts the difficulty if a window has ended. Returns the worker's estimated hash rate in that window,
	/// in hashes per second.
	pub fn adapt(&mut self, now: Instant) -> Option<u64> {
		let elapsed = now.saturating_duration_since(self.since);
		if elapsed.is_zero() || (self.shares < SHARES && elapsed < WINDOW) {
			return None;
		}
		let millis = elapsed.as_millis().max(1);
		let rate = saturate(self.work.saturating_mul(1000) / millis);
		let ideal = saturate(self.work.saturating_mul(SHARE_TIME.as_millis()) / millis);
		let least = (self.difficulty / STEP).max(1);
		let most = self.difficulty.saturating_mul(STEP);
		let ideal = ideal.clamp(least, most);
		// A change of a quarter or less is noise.
		if ideal.abs_diff(self.difficulty) > self.difficulty / 4 {
			self.difficulty = ideal;
		}
		(self.since, self.shares, self.work) = (now, 0, 0);
		Some(rate)
	}
}

fn saturate(number: u128) -> u64 {
	u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	/// Simulates a worker of this speed for ten minutes on blocks of this difficulty, and returns the number
	/// of shares in the last five.
	fn shares_in_five_minutes(start: u64, speed: u64, block: u64) -> u32 {
		let begin = Instant::now();
		let mut difficulty = ShareDifficulty::new(start, begin);
		let (mut now, mut shares) = (Duration::ZERO, 0);
		while now < Duration::from_secs(600) {
			let share = difficulty.for_block(block);
			let takes = Duration::from_secs_f64(share as f64 / speed as f64);
			if takes > Duration::from_secs(60) {
				now += Duration::from_secs(60);
			} else {
				now += takes;
				difficulty.accepted(share);
				shares += u32::from(now > Duration::from_secs(300));
			}
			difficulty.adapt(begin + now);
		}
		shares
	}

	#[test]
	fn a_worker_of_any_speed_soon_submits_a_share_every_ten_seconds() {
		for speed in [20_000, 1_000_000, 30_000_000, 3_000_000_000_u64] {
			let shares = shares_in_five_minutes(START_DIFFICULTY, speed, u64::MAX);
			assert!((20..=45).contains(&shares), "{shares} at {speed}");
		}
	}

	#[test]
	fn a_share_is_never_harder_than_the_block() {
		let difficulty = ShareDifficulty::new(START_DIFFICULTY, Instant::now());
		assert_eq!(difficulty.for_block(1024), 1024);
		assert_eq!(difficulty.for_block(0), 1);
		assert_eq!(difficulty.for_block(u64::MAX), START_DIFFICULTY);
	}

	#[test]
	fn the_rate_is_estimated_from_the_shares() {
		let begin = Instant::now();
		let mut difficulty = ShareDifficulty::new(1000, begin);
		assert_eq!(difficulty.adapt(begin), None);
		for _ in 0..SHARES {
			difficulty.accepted(1000);
		}
		assert_eq!(difficulty.adapt(begin + Duration::from_secs(8)), Some(1000));
		assert_eq!(difficulty.adapt(begin + Duration::from_secs(9)), None);
		assert_eq!(difficulty.adapt(begin + Duration::from_secs(68)), Some(0));
	}

	proptest! {
		#[test]
		fn no_sequence_of_shares_leaves_the_range(
			start: u64,
			steps in prop::collection::vec((any::<u64>(), 0u64..10_000_000), 0..50),
		) {
			let begin = Instant::now();
			let (mut difficulty, mut now) = (ShareDifficulty::new(start, begin), begin);
			for (share, millis) in steps {
				let before = difficulty.for_block(u64::MAX);
				difficulty.accepted(share);
				now += Duration::from_millis(millis);
				difficulty.adapt(now);
				let after = difficulty.for_block(u64::MAX);
				prop_assert!(after >= 1);
				prop_assert!(after >= before / STEP && after <= before.saturating_mul(STEP));
			}
		}
	}
}
