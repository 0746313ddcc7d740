//! The race, run: many attacks by the toss of a coin, and how many of them succeed.
//!
//! A trial is section IV.B's random walk. The honest miners find their z blocks while the attacker finds
//! k ([`Model`] says how k comes about); from z − k behind, each next block is the attacker's with
//! probability q, and either the attacker draws level or it is so far behind that it is given up.
//!
//! Giving up is what a simulation cannot do without, as the true walk has no end, and it is what makes the
//! count too low: an attacker who is given up d blocks behind would have caught up with (q/p)^d. [`Race`]
//! chooses d so that this is [`MISSED`] successes over all trials, at the most, and an [`Outcome`]'s
//! interval reaches up by as much.
//!
//! Not here: chains and nodes. This is the walk alone.

use crate::{Confidence, Interval, Model, Share};
use rand::{distributions::Open01, Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::{error::Error, fmt};

/// How many successes giving up may cost, in the mean over all trials of a race.
pub const MISSED: f64 = 0.01;

/// The most blocks that an attacker falls behind before it is given up: with a share that calls for
/// more, about 0.498, a single trial takes some million tosses.
pub const MAX_BEHIND: u32 = 4096;

/// Trials that share one stream of random numbers. A constant, so that the outcome depends on the seed and
/// not on the threads.
const BATCH: u64 = 512;

/// Why a race cannot be run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum RaceError {
	/// The attacker has half of the hash power or more: it always catches up, and there is nothing to
	/// count.
	HalfOrMore(Share),
	/// The attacker is so near to half that it cannot be given up [`MAX_BEHIND`] blocks behind.
	TooNearHalf(Share),
	/// There are no trials.
	NoTrials,
}

impl fmt::Display for RaceError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::HalfOrMore(share) => write!(
				f,
				"an attacker with a share of {} always catches up: there is no race to simulate",
				share.attacker()
			),
			Self::TooNearHalf(share) => write!(
				f,
				"a race against a share of {} takes too long to simulate: take one further from one half",
				share.attacker()
			),
			Self::NoTrials => write!(f, "a simulation takes one trial at least"),
		}
	}
}

impl Error for RaceError {}

/// A race to be run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Race {
	model: Model,
	share: Share,
	z: u32,
	trials: u64,
	give_up_behind: u32,
}

impl Race {
	/// A race from z blocks behind, `trials` times.
	///
	/// # Errors
	///
	/// [`RaceError`], where there is nothing to count or it would not end in time.
	pub fn new(model: Model, share: Share, z: u32, trials: u64) -> Result<Self, RaceError> {
		if trials == 0 {
			return Err(RaceError::NoTrials);
		}
		if share.is_half_or_more() {
			return Err(RaceError::HalfOrMore(share));
		}
		// trials·(q/p)^d ≤ MISSED
		let per_block = (share.honest() / share.attacker()).ln();
		let behind = ((trials as f64 / MISSED).ln() / per_block).ceil().max(1.0);
		if behind > f64::from(MAX_BEHIND) {
			return Err(RaceError::TooNearHalf(share));
		}
		Ok(Self {
			model,
			share,
			z,
			trials,
			give_up_behind: behind as u32,
		})
	}

	/// d: so many blocks behind, an attacker is given up.
	pub fn give_up_behind(self) -> u32 {
		self.give_up_behind
	}

	/// How often to expect a success among those that were given up, in parts of all trials, at the most:
	/// (q/p)^d.
	pub fn bias(self) -> f64 {
		let ratio = self.share.attacker() / self.share.honest();
		ratio.powf(f64::from(self.give_up_behind))
	}

	/// Runs the trials, on all threads of the current rayon pool. `progress` hears, from any of them, how
	/// many more are done.
	///
	/// The outcome depends on the seed and on nothing else: each batch of trials has a stream of ChaCha8
	/// of its own. ([`Model::Paper`] takes logarithms, whose last digit may be another on another
	/// platform.)
	pub fn run(self, seed: u64, progress: impl Fn(u64) + Sync) -> Outcome {
		let seeded = ChaCha8Rng::seed_from_u64(seed);
		let successes = (0..self.trials.div_ceil(BATCH))
			.into_par_iter()
			.map(|batch| {
				let mut random = seeded.clone();
				random.set_stream(batch);
				let size = BATCH.min(self.trials - batch * BATCH);
				let successes = (0..size).filter(|_| self.trial(&mut random)).count();
				progress(size);
				successes as u64
			})
			.sum();
		Outcome {
			trials: self.trials,
			successes,
			bias: self.bias(),
		}
	}

	/// Whether the attacker catches up, once.
	fn trial(self, random: &mut ChaCha8Rng) -> bool {
		// The toss: a number of 64 bits is under q·2^64. (q is under one half, so it fits.)
		let boundary = (self.share.attacker() * 2f64.powi(64)) as u64;
		let attacker_finds = |random: &mut ChaCha8Rng| random.next_u64() < boundary;
		let mut behind = match self.model {
			Model::Exact => self.z - self.tossed(random, attacker_finds),
			Model::Paper => self.z - self.poisson(random),
		};
		while behind > 0 {
			if behind >= self.give_up_behind {
				return false;
			}
			if attacker_finds(random) {
				behind -= 1;
			} else {
				behind += 1;
			}
		}
		true
	}

	/// k, or z if that is less, by tosses for each block until the honest miners have z.
	fn tossed(
		self,
		random: &mut ChaCha8Rng,
		attacker_finds: impl Fn(&mut ChaCha8Rng) -> bool,
	) -> u32 {
		let (mut honest, mut attacker) = (0, 0);
		while honest < self.z && attacker < self.z {
			if attacker_finds(random) {
				attacker += 1;
			} else {
				honest += 1;
			}
		}
		attacker
	}

	/// k, or z if that is less, as Eq. 3 has it: the attacker finds blocks at random for exactly as long
	/// as the honest miners' z take in the mean, in which it finds λ = z·q/p in the mean.
	fn poisson(self, random: &mut ChaCha8Rng) -> u32 {
		let until = f64::from(self.z) * self.share.attacker() / self.share.honest();
		let (mut time, mut attacker) = (0.0, 0);
		while attacker < self.z {
			let uniform: f64 = random.sample(Open01);
			time -= uniform.ln();
			if time > until {
				break;
			}
			attacker += 1;
		}
		attacker
	}
}

/// What a race came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
	/// How many attacks there were.
	pub trials: u64,
	/// How many of them succeeded.
	pub successes: u64,
	/// By how much giving up may have lowered the rate, in the mean ([`Race::bias`]).
	pub bias: f64,
}

impl Outcome {
	/// The part of the attacks that succeeded.
	pub fn rate(self) -> f64 {
		self.successes as f64 / self.trials as f64
	}

	/// Where P_z lies: [`Interval::wilson`], and [`Outcome::bias`] more at the upper end.
	pub fn interval(self, confidence: Confidence) -> Interval {
		let Interval { low, high } = Interval::wilson(self.successes, self.trials, confidence);
		Interval {
			low,
			high: (high + self.bias).min(1.0),
		}
	}
}
