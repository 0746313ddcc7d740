//! How fast this node's miners are: the built-in one, measured, and others, as they say themselves.

use crate::{chain::ChainClient, Sealer, LOG_TARGET};
use futures_timer::Delay;
use isthmus_primitives::{Block, Hash};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_consensus::BlockImport;
use sp_consensus::Error as ConsensusError;
use std::{
	collections::{HashMap, VecDeque},
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// What a miner said of its rate holds this long, as in geth.
pub const SUBMITTED_FOR: Duration = Duration::from_secs(10);
/// The most miners whose rates are remembered at a time.
pub const MAX_MINERS: usize = 1024;

/// How often the counter is read.
const SAMPLE_PERIOD: Duration = Duration::from_secs(5);
/// The built-in miner's rate is the mean of as many periods: a minute.
const SAMPLES: usize = 12;
/// The log has a line of the rate every so many periods.
const LOG_EVERY: u64 = 6;

/// The hash rates of the built-in miner and of those that submit theirs.
#[derive(Debug)]
pub struct HashRate {
	/// All hashes that the built-in miner tried.
	tried: AtomicU64,
	/// What `tried` was at times, oldest first.
	samples: Mutex<VecDeque<(Instant, u64)>>,
	/// By the miner's own identifier: hashes a second, and when it said so.
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
	/// Counts what the built-in miner tried.
	pub(crate) fn add(&self, hashes: u64) {
		self.tried.fetch_add(hashes, Ordering::Relaxed);
	}

	/// How many hashes the built-in miner tried since it began.
	pub fn tried(&self) -> u64 {
		self.tried.load(Ordering::Relaxed)
	}

	/// Hashes a second of the built-in miner, over the last minute or what there was of it. Zero in its
	/// first second.
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

	/// Hashes a second of all other miners, by what they submitted in the last [`SUBMITTED_FOR`].
	pub fn submitted(&self, now: Instant) -> u64 {
		let mut submitted = self.submitted.lock();
		forget_old(&mut submitted, now);
		submitted
			.values()
			.fold(0, |sum, (rate, _)| sum.saturating_add(*rate))
	}

	/// Remembers what the miner `id` says of its own rate, in hashes a second, in place of what it
	/// said before. False where there are [`MAX_MINERS`] already.
	pub fn submit(&self, id: Hash, rate: u64, now: Instant) -> bool {
		let mut submitted = self.submitted.lock();
		forget_old(&mut submitted, now);
		if submitted.len() >= MAX_MINERS && !submitted.contains_key(&id) {
			return false;
		}
		submitted.insert(id, (rate, now));
		true
	}

	fn sample(&self, now: Instant) {
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

/// Keeps the metrics of the hash rate up to date, and logs a line of it every half a minute in which
/// somebody mined. Runs for ever.
pub async fn report<I, C>(sealer: Sealer<I, C>)
where
	I: BlockImport<Block, Error = ConsensusError> + Send + Sync,
	C: ChainClient,
{
	let mut tried_before = 0;
	for period in 1u64.. {
		Delay::new(SAMPLE_PERIOD).await;
		let (now, rate, metrics) = (Instant::now(), sealer.hash_rate(), sealer.metrics());
		rate.sample(now);
		let (tried, built_in, submitted) = (rate.tried(), rate.built_in(now), rate.submitted(now));
		metrics.hashes.inc_by(tried.saturating_sub(tried_before));
		tried_before = tried;
		metrics.hash_rate_built_in.set(built_in);
		metrics.hash_rate_submitted.set(submitted);
		if period % LOG_EVERY == 0 && built_in.saturating_add(submitted) > 0 {
			log::info!(
				target: LOG_TARGET,
				"⛏️  {} here, {} submitted by other miners; {} blocks mined, {} late",
				Readable(built_in),
				Readable(submitted),
				metrics.best_blocks.get(),
				metrics.side_blocks.get(),
			);
		}
	}
}

/// A hash rate for people.
struct Readable(u64);

impl std::fmt::Display for Readable {
	fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		const UNITS: [(u64, &str); 4] = [
			(1_000_000_000_000, "TH/s"),
			(1_000_000_000, "GH/s"),
			(1_000_000, "MH/s"),
			(1_000, "kH/s"),
		];
		match UNITS.into_iter().find(|(unit, _)| self.0 >= *unit) {
			Some((unit, name)) => {
				write!(formatter, "{:.1} {name}", self.0 as f64 / unit as f64)
			}
			None => write!(formatter, "{} H/s", self.0),
		}
	}
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
		// Nothing more is tried. As long as the first minute's hashes are in the window they count.
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
	fn submitted_rates_are_kept_by_miner_and_forgotten_after_ten_seconds() {
		let rate = HashRate::default();
		let start = Instant::now();
		let [first, second] = [1, 2].map(Hash::repeat_byte);
		assert!(rate.submit(first, 100, start));
		assert!(rate.submit(second, 30, start + 5 * SECOND));
		assert!(rate.submit(second, 40, start + 6 * SECOND));
		assert_eq!(rate.submitted(start + 10 * SECOND), 140);
		assert_eq!(rate.submitted(start + 11 * SECOND), 40);
		assert_eq!(rate.submitted(start + 17 * SECOND), 0);
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
		// One that is known may renew its rate, and old ones make room.
		assert!(rate.submit(Hash::zero(), 2, start));
		assert_eq!(rate.submitted(start), MAX_MINERS as u64 + 1);
		assert!(rate.submit(Hash::repeat_byte(9), 1, start + 11 * SECOND));
		assert_eq!(rate.submitted(start + 11 * SECOND), 1);
	}

	#[test]
	fn rates_are_shown_with_their_unit() {
		let shown = [0, 999, 1_000, 123_456, 2_500_000, u64::MAX].map(|r| Readable(r).to_string());
		assert_eq!(
			shown,
			[
				"0 H/s",
				"999 H/s",
				"1.0 kH/s",
				"123.5 kH/s",
				"2.5 MH/s",
				"18446744.1 TH/s"
			]
		);
	}
}
