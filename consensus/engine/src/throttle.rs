// SPDX-License-Identifier: Apache-2.0
//! Limits how many hashes per second the built-in miner's threads try together. Each thread works in rounds:
//! it waits until it may start, tries a number of nonces, and counts their hashes.

use parking_lot::Mutex;
use std::{
	num::NonZeroU64,
	time::{Duration, Instant},
};

/// How long a round of a limited miner takes at the limit. It is short, so that the pace is steady.
const ROUND_TIME: Duration = Duration::from_millis(50);
/// The maximum number of nonces in a round, whatever the limit. Any processor tries them in a fraction of a
/// second.
const MAX_ROUND: u64 = 1 << 14;
/// How much lost time a delayed miner may make up for at full speed.
const CREDIT: Duration = Duration::from_millis(200);
/// The maximum time that a thread sleeps before it checks again whether to stop.
const NAP: Duration = Duration::from_millis(20);

/// Makes threads wait before a round until the hashes of earlier rounds are within the limit.
///
/// A round's hashes are counted after the round, so that each hash is counted once, even if the round ends
/// early because it found a seal.
#[derive(Debug)]
pub(crate) struct Throttle {
	/// Hashes per second; no limit if `None`.
	limit: Option<NonZeroU64>,
	/// The time by which the limit allows all hashes counted so far.
	paid_until: Mutex<Instant>,
}

impl Throttle {
	/// Creates a throttle with a `limit` in hashes per second.
	pub(crate) fn new(limit: Option<NonZeroU64>) -> Self {
		Self {
			limit,
			paid_until: Mutex::new(Instant::now()),
		}
	}

	/// Returns how many nonces to try before the next wait.
	pub(crate) fn round(&self) -> u64 {
		match self.limit {
			None => MAX_ROUND,
			Some(limit) => {
				let rounds_a_second = Duration::from_secs(1).div_duration_f64(ROUND_TIME) as u64;
				(limit.get() / rounds_a_second).clamp(1, MAX_ROUND)
			}
		}
	}

	/// Sleeps until the next round may begin. Returns false if `ended` became true before that.
	pub(crate) fn wait(&self, ended: impl Fn() -> bool) -> bool {
		if self.limit.is_some() {
			loop {
				let wait = self
					.paid_until
					.lock()
					.saturating_duration_since(Instant::now());
				if wait.is_zero() {
					break;
				}
				if ended() {
					return false;
				}
				std::thread::sleep(wait.min(NAP));
			}
		}
		!ended()
	}

	/// Counts the hashes of a round.
	pub(crate) fn spend(&self, hashes: u64) {
		if let Some(limit) = self.limit {
			let mut paid_until = self.paid_until.lock();
			*paid_until = pay(*paid_until, Instant::now(), hashes, limit);
		}
	}
}

/// Returns the new `paid_until` after `hashes` more were tried at `now`: the time by which the limit allows
/// them.
fn pay(paid_until: Instant, now: Instant, hashes: u64, limit: NonZeroU64) -> Instant {
	// Unused time is lost, except for a short time that makes up for waking late.
	let from = now
		.checked_sub(CREDIT)
		.map_or(paid_until, |earliest| paid_until.max(earliest));
	let nanos = u128::from(hashes) * 1_000_000_000 / u128::from(limit.get());
	from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Returns the hashes in 100 simulated seconds of `threads` threads, on a machine with `speed` hashes
	/// per second whose sleeps end up to 15 ms late.
	fn simulate(limit: u64, speed: u64, threads: u32) -> u64 {
		let limit = NonZeroU64::new(limit).unwrap();
		let throttle = Throttle::new(Some(limit));
		let start = Instant::now();
		let (mut now, mut paid_until, mut hashes, mut step) = (start, start, 0, 0);
		while now < start + Duration::from_secs(100) {
			step += 1;
			if now < paid_until {
				now = paid_until + Duration::from_millis(step * 7 % 16);
			}
			// The threads wake together, and each runs a round.
			now += Duration::from_secs_f64(throttle.round() as f64 / speed as f64);
			for _ in 0..threads {
				hashes += throttle.round();
				paid_until = pay(paid_until, now, throttle.round(), limit);
			}
		}
		hashes
	}

	#[test]
	fn the_limit_is_kept_to_a_hundredth_whatever_its_size() {
		for limit in [20, 333, 2_000, 20_000, 150_000] {
			for threads in [1, 4] {
				let hashes = simulate(limit, 1_000_000, threads);
				let (least, most) = (limit * 99, limit * 101);
				assert!(
					(least..=most).contains(&hashes),
					"{hashes} for {limit} and {threads} threads"
				);
			}
		}
	}

	#[test]
	fn a_machine_slower_than_the_limit_is_not_delayed() {
		let hashes = simulate(1_000_000, 50_000, 1);
		assert!((4_900_000..=5_100_000).contains(&hashes), "{hashes}");
	}

	#[test]
	fn rounds_are_short_at_any_limit() {
		let round = |limit| Throttle::new(NonZeroU64::new(limit)).round();
		assert_eq!(round(1), 1);
		assert_eq!(round(2_000), 100);
		assert_eq!(round(u64::MAX), MAX_ROUND);
		assert_eq!(round(0), MAX_ROUND);
	}

	#[test]
	fn time_that_was_not_used_is_not_made_up_for() {
		let limit = NonZeroU64::new(1_000).unwrap();
		let start = Instant::now();
		let now = start + Duration::from_secs(3600);
		assert_eq!(
			pay(start, now, 500, limit),
			now - CREDIT + Duration::from_millis(500)
		);
		// Hashes that were already tried still count.
		assert_eq!(
			pay(now, start, 500, limit),
			now + Duration::from_millis(500)
		);
	}

	#[test]
	fn a_miner_that_stops_does_not_wait_for_its_turn() {
		let throttle = Throttle::new(NonZeroU64::new(1));
		assert!(throttle.wait(|| false));
		throttle.spend(1_000_000);
		assert!(!throttle.wait(|| true));
		let unlimited = Throttle::new(None);
		unlimited.spend(1_000_000);
		assert!(unlimited.wait(|| false));
		assert!(!unlimited.wait(|| true));
	}
}
