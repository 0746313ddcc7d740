// SPDX-License-Identifier: Apache-2.0
//! Tracks the hash rates of this node's miners. The built-in miner's rate is measured, and other miners
//! report their own.

use isthmus_primitives::Hash;
use parking_lot::Mutex;
use std::{
	collections::{HashMap, VecDeque},
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// How long a rate that a miner submits is valid. ethminer submits its rate once a minute, so that one report
/// may be lost. (geth forgets a rate after ten seconds.)
pub const SUBMITTED_FOR: Duration = Duration::from_secs(150);
/// The maximum number of miners whose rates are remembered.
pub const MAX_MINERS: usize = 1024;

/// How often the counter of hashes is sampled.
pub(crate) const SAMPLE_PERIOD: Duration = Duration::from_secs(5);
/// The number of periods that the built-in miner's rate is averaged over: a minute.
const SAMPLES: usize = 12;

/// The hash rates of the built-in miner and of the miners that submit theirs.
#[derive(Debug)]
pub struct HashRate {
	/// How many hashes the built-in miner has tried.
	tried: AtomicU64,
	/// Samples of `tried` with their times, oldest first.
	samples: Mutex<VecDeque<(Instant, u64)>>,
	/// Hashes per second, with the time at which they were submitted, by the miner's own identifier.
	submitted: Mutex<HashMap<Hash, (u64, Instant)>>,
}

impl Default for HashRate {
	fn default() -> Self {
		Self {
			tried: AtomicU64::new(0),
			samples: Mutex::new([(Instant::now(), 0)].into()),
			submitted: Mutex::default(),
		}
	}
}

impl HashRate {
	/// Counts hashes that the built-in miner tried.
	pub(crate) fn add(&self, hashes: u64) {
		self.tried.fetch_add(hashes, Ordering::Relaxed);
	}

	/// Returns how many hashes the built-in miner tried since it started.
	pub fn tried(&self) -> u64 {
		self.tried.load(Ordering::Relaxed)
	}

	/// Returns the built-in miner's hashes per second, averaged over the last minute or since its start. This
	/// is zero in its first second.
	pub fn built_in(&self, now: Instant) -> u64 {
		let samples = self.samples.lock();
		let Some((since, before)) = samples.front() else {
			return 0;
		};
		let elapsed = now.saturating_duration_since(*since);
		if elapsed < Duration::from_secs(1) {
			return 0;
		}
		let tried = self.tried().saturating_sub(*before);
		(tried as f64 / elapsed.as_secs_f64()).round() as u64
	}

	/// Returns the hashes per second of all other miners, as they submitted them in the last
	/// [`SUBMITTED_FOR`].
	pub fn submitted(&self, now: Instant) -> u64 {
		let mut submitted = self.submitted.lock();
		forget_old(&mut submitted, now);
		submitted
			.values()
			.fold(0, |sum, (rate, _)| sum.saturating_add(*rate))
	}

	/// Remembers the rate that the miner `id` submits, in hashes per second, in place of its last rate.
	/// Returns false if there are already [`MAX_MINERS`] others.
	pub fn submit(&self, id: Hash, rate: u64, now: Instant) -> bool {
		let mut submitted = self.submitted.lock();
		forget_old(&mut submitted, now);
		if submitted.len() >= MAX_MINERS && !submitted.contains_key(&id) {
			return false;
		}
		submitted.insert(id, (rate, now));
		true
	}

	/// Takes a sample of the counter.
	pub(crate) fn sample(&self, now: Instant) {
		let mut samples = self.samples.lock();
		samples.push_back((now, self.tried()));
		if samples.len() > SAMPLES {
			samples.pop_front();
		}
	}
}

fn forget_old(submitted: &mut HashMap<Hash, (u64, Instant)>, now: Instant) {
	submitted.retain(|_, (_, at)| now.saturating_duration_since(*at) <= SUBMITTED_FOR);
}

#[cfg(test)]
mod tests {
	use super::*;

	const SECOND: Duration = Duration::from_secs(1);

	#[test]
	fn the_built_in_rate_is_the_last_minutes() {
		let rate = HashRate::default();
		let start = rate.samples.lock()[0].0;
		rate.add(1_000);
		assert_eq!(rate.built_in(start), 0);
		assert_eq!(rate.built_in(start + 2 * SECOND), 500);
		// No more hashes are tried. The first minute's hashes count as long as they are in the window.
		for period in 1..SAMPLES as u32 {
			rate.sample(start + period * SAMPLE_PERIOD);
		}
		assert_eq!(rate.built_in(start + 50 * SECOND), 20);
		rate.sample(start + 60 * SECOND);
		assert_eq!(rate.built_in(start + 60 * SECOND), 0);
		assert_eq!(rate.samples.lock().len(), SAMPLES);
		rate.add(5_500);
		assert_eq!(rate.built_in(start + 60 * SECOND), 100);
		assert_eq!(rate.tried(), 6_500);
	}

	#[test]
	fn submitted_rates_are_kept_by_miner_until_two_reports_are_missing() {
		let rate = HashRate::default();
		let start = Instant::now();
		let [first, second] = [1, 2].map(Hash::repeat_byte);
		assert!(rate.submit(first, 100, start));
		assert!(rate.submit(second, 30, start + 5 * SECOND));
		assert!(rate.submit(second, 40, start + 60 * SECOND));
		// ethminer reports every minute.
		assert_eq!(rate.submitted(start + 125 * SECOND), 140);
		assert_eq!(rate.submitted(start + SUBMITTED_FOR + SECOND), 40);
		assert_eq!(rate.submitted(start + SUBMITTED_FOR + 61 * SECOND), 0);
		assert!(rate.submit(first, u64::MAX, start));
		assert!(rate.submit(second, u64::MAX, start));
		assert_eq!(rate.submitted(start), u64::MAX);
	}

	#[test]
	fn no_more_miners_are_remembered_than_there_is_room_for() {
		let rate = HashRate::default();
		let start = Instant::now();
		for id in 0..MAX_MINERS as u64 {
			assert!(rate.submit(Hash::from_low_u64_be(id), 1, start));
		}
		assert!(!rate.submit(Hash::repeat_byte(9), 1, start));
		// A known miner may renew its rate, and old miners make room.
		assert!(rate.submit(Hash::zero(), 2, start));
		assert_eq!(rate.submitted(start), MAX_MINERS as u64 + 1);
		assert!(rate.submit(Hash::repeat_byte(9), 1, start + SUBMITTED_FOR + SECOND));
		assert_eq!(rate.submitted(start + SUBMITTED_FOR + SECOND), 1);
	}
}
