// SPDX-License-Identifier: Apache-2.0
//! Compares the simulation with the formulas. The counts agree with the computed odds, for the paper's model
//! and for the true one, and the two models can be told apart.

use isthmus_security::{
	equation_3, exact, Confidence, Interval, Model, Outcome, Race, RaceError, Share, MAX_BEHIND,
	MISSED,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Any seed would do; a fixed one makes every run the same.
const SEED: u64 = 2017;

fn share(q: f64) -> Share {
	Share::new(q).expect("the tests' shares are shares")
}

fn run(model: Model, q: f64, z: u32, trials: u64) -> Outcome {
	let race = Race::new(model, share(q), z, trials).expect("the tests' races can be run");
	race.run(SEED, |_| ())
}

fn interval(model: Model, q: f64, z: u32, trials: u64) -> Interval {
	run(model, q, z, trials).interval(Confidence::P999)
}

#[test]
fn the_counts_agree_with_both_formulas() {
	for (q, z, trials) in [
		(0.1, 1, 40_000),
		(0.1, 2, 40_000),
		(0.2, 3, 40_000),
		(0.3, 2, 40_000),
		(0.3, 5, 40_000),
		(0.4, 10, 10_000),
		(0.45, 5, 5_000),
	] {
		for model in [Model::Exact, Model::Paper] {
			let expected = model.probability(share(q), z);
			let got = interval(model, q, z, trials);
			assert!(
				got.contains(expected),
				"{model:?}, q = {q}, z = {z}: {expected} is not in {got:?}"
			);
		}
	}
}

#[test]
fn eq_3_is_too_low_and_it_shows() {
	// The figure in the crate's documentation: 2.4 times at q = 0.1 and z = 6.
	for (q, z, trials) in [(0.1, 2, 100_000), (0.1, 6, 300_000), (0.3, 5, 40_000)] {
		let (paper, truth) = (equation_3(share(q), z), exact(share(q), z));
		let tossed = interval(Model::Exact, q, z, trials);
		assert!(tossed.contains(truth), "q = {q}, z = {z}: {tossed:?}");
		assert!(paper < tossed.low, "q = {q}, z = {z}: {paper}, {tossed:?}");
	}
	// Conversely, if blocks were found as Eq. 3 assumes, the exact odds would be wrong.
	let drawn = interval(Model::Paper, 0.1, 6, 300_000);
	assert!(drawn.contains(equation_3(share(0.1), 6)), "{drawn:?}");
	assert!(drawn.high < exact(share(0.1), 6), "{drawn:?}");
}

#[test]
fn a_seed_gives_the_same_race_on_any_number_of_threads() {
	let race = Race::new(Model::Exact, share(0.3), 3, 10_000).expect("a race");
	let on = |threads, seed| {
		rayon::ThreadPoolBuilder::new()
			.num_threads(threads)
			.build()
			.expect("threads can be had")
			.install(|| race.run(seed, |_| ()))
	};
	let one = on(1, SEED);
	assert_eq!(on(2, SEED), one);
	assert_eq!(on(7, SEED), one);
	assert_ne!(on(1, SEED + 1), one);
	// The known count detects a change of the generator or its streams.
	assert_eq!(one.successes, KNOWN);
}

/// The number of successes with [`SEED`] for q = 0.3, z = 3 and 10,000 trials.
const KNOWN: u64 = 3266;

#[test]
fn progress_adds_up_to_the_number_of_trials() {
	for trials in [1, 511, 512, 513, 5000] {
		let race = Race::new(Model::Exact, share(0.1), 1, trials).expect("a race");
		let done = AtomicU64::new(0);
		let outcome = race.run(SEED, |more| {
			done.fetch_add(more, Ordering::Relaxed);
		});
		assert_eq!(done.into_inner(), trials);
		assert_eq!(outcome.trials, trials);
	}
}

#[test]
fn no_hash_power_never_wins_and_no_blocks_always_do() {
	for model in [Model::Exact, Model::Paper] {
		assert_eq!(run(model, 0.0, 1, 1000).successes, 0);
		assert_eq!(run(model, 0.4, 0, 1000).successes, 1000);
	}
}

#[test]
fn giving_up_costs_less_than_its_bound() {
	for (q, trials) in [
		(0.01, 1),
		(0.1, 1000),
		(0.3, 1_000_000),
		(0.45, 1_000_000_000),
	] {
		let race = Race::new(Model::Exact, share(q), 6, trials).expect("a race");
		let (ratio, d) = (q / (1.0 - q), race.give_up_behind());
		assert!(race.bias() * trials as f64 <= MISSED * (1.0 + 1e-9));
		// One block less would not be enough.
		assert!(d == 1 || ratio.powi(d as i32 - 1) * trials as f64 > MISSED);
	}
	// The bias widens the interval, which shows most with a single trial.
	let race = Race::new(Model::Exact, share(0.3), 9, 1).expect("a race");
	let outcome = Outcome {
		trials: 1000,
		successes: 10,
		bias: race.bias(),
	};
	let (plain, wider) = (
		Interval::wilson(10, 1000, Confidence::P99),
		outcome.interval(Confidence::P99),
	);
	assert_eq!(wider.low, plain.low);
	assert_eq!(wider.high, plain.high + race.bias());
	assert_eq!(outcome.rate(), 0.01);
}

#[test]
fn a_race_that_cannot_be_run_is_rejected() {
	let race = |q, trials| Race::new(Model::Exact, share(q), 6, trials);
	assert_eq!(race(0.1, 0), Err(RaceError::NoTrials));
	assert_eq!(race(0.5, 1), Err(RaceError::HalfOrMore(share(0.5))));
	assert_eq!(race(1.0, 1), Err(RaceError::HalfOrMore(share(1.0))));
	assert_eq!(
		race(0.4999, 1_000_000),
		Err(RaceError::TooNearHalf(share(0.4999)))
	);
	let near = race(0.49, u64::MAX).expect("the share is far enough from one half");
	assert!(near.give_up_behind() <= MAX_BEHIND);
}
