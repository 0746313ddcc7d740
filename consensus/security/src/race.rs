// SPDX-License-Identifier: Apache-2.0
//! Simulates the race between the attacker and the honest miners: runs many attacks as random walks, and
//! counts the successful ones.
//!
//! A trial is the random walk of section IV.B. The honest miners find their z blocks while the attacker
//! finds k ([`Model`] says how k is drawn). From z − k blocks behind, each next block is the attacker's
//! with probability q, until the attacker draws level, or is so far behind that the trial gives up.
//!
//! A simulation must give up at some point, as the true walk has no end, and this makes the count too low:
//! an attacker that is given up d blocks behind would have caught up with probability (q/p)^d. [`Race`]
//! chooses d so that this costs at most [`MISSED`] successes over all trials, and an [`Outcome`]'s interval
//! is widened upwards accordingly.
//!
//! This simulates only the walk, without chains or nodes.

use crate::{Confidence, Interval, Model, Share};
use rand::{distributions::Open01, Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The mean number of successes that giving up may cost over all trials of a race.
pub const MISSED: f64 = 0.01;

/// The maximum number of blocks behind at which a trial gives up. A share that requires more, from about
/// 0.498 on, would take millions of tosses for a single trial.
pub const MAX_BEHIND: u32 = 4096;

/// The number of trials that share one stream of random numbers. It is a constant, so that the outcome
/// depends on the seed and not on the threads.
const BATCH: u64 = 512;

/// Why a race cannot be run.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum RaceError {
	/// The attacker has half of the hash power or more: it always catches up.
	#[error(
		"an attacker with a share of {} always catches up: there is no race to simulate",
		.0.attacker()
	)]
	HalfOrMore(Share),
	/// The attacker's share is so close to one half that a trial cannot give up [`MAX_BEHIND`] blocks
	/// behind.
	#[error(
		"a race against a share of {} takes too long to simulate: choose one further from one half",
		.0.attacker()
	)]
	TooNearHalf(Share),
	/// The number of trials is zero.
	#[error("a simulation needs at least one trial")]
	NoTrials,
}

/// A race to simulate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Race {
	model: Model,
	share: Share,
	z: u32,
	trials: u64,
	give_up_behind: u32,
}

impl Race {
	/// Prepares `trials` attacks from z blocks behind.
	///
	/// # Errors
	///
	/// Returns a [`RaceError`] if there is nothing to simulate, or the simulation would take too long.
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

	/// Returns d, the number of blocks behind at which a trial gives up.
	pub fn give_up_behind(self) -> u32 {
		self.give_up_behind
	}

	/// Returns an upper bound of the success rate that giving up hides: (q/p)^d.
	pub fn bias(self) -> f64 {
		let ratio = self.share.attacker() / self.share.honest();
		ratio.powf(f64::from(self.give_up_behind))
	}

	/// Runs the trials on all threads of the current rayon pool. Calls `progress`, from any of them, with
	/// the number of trials done since the last call.
	///
	/// The outcome depends only on the seed: each batch of trials has its own stream of ChaCha8.
	/// ([`Model::Paper`] takes logarithms, whose last digit may differ between platforms.)
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

	/// Runs one trial, and returns whether the attacker catches up.
	fn trial(self, random: &mut ChaCha8Rng) -> bool {
		// The toss: a random 64-bit number is below q·2^64. (q is below one half, so it fits.)
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

	/// Draws min(k, z) with one toss per block, until the honest miners have found z blocks.
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

	/// Draws min(k, z) as Eq. 3 assumes: the attacker finds blocks for exactly the mean time of the honest
	/// miners' z, in which it finds λ = z·q/p on average.
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

/// The outcome of a race.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
	/// The number of attacks.
	pub trials: u64,
	/// The number of attacks that succeeded.
	pub successes: u64,
	/// How much giving up may have lowered the rate, on average ([`Race::bias`]).
	pub bias: f64,
}

impl Outcome {
	/// Returns the share of the attacks that succeeded.
	pub fn rate(self) -> f64 {
		self.successes as f64 / self.trials as f64
	}

	/// Returns the interval of P_z: [`Interval::wilson`], with [`Outcome::bias`] added to the upper end.
	pub fn interval(self, confidence: Confidence) -> Interval {
		let Interval { low, high } = Interval::wilson(self.successes, self.trials, confidence);
		Interval {
			low,
			high: (high + self.bias).min(1.0),
		}
	}
}
