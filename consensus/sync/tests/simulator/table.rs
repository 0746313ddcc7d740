// SPDX-License-Identifier: Apache-2.0
//! The schedules: many by number, and those that found faults.

use crate::network::{Network, Plan};

/// The number of schedules that are run if nothing else is asked for.
const SCHEDULES: u64 = 2_000;

/// Seeds that found faults, with what they found.
const FOUND: &[(u64, &str)] = &[];

fn run(seed: u64) {
	Network::new(Plan::of(seed)).run();
}

#[test]
fn many_schedules_end_with_one_chain_within_the_budget_and_without_blame() {
	let schedules = std::env::var("SCHEDULES").ok().and_then(|n| n.parse().ok());
	let first = std::env::var("FIRST").ok().and_then(|n| n.parse().ok());
	let first = first.unwrap_or(0);
	for seed in first..first + schedules.unwrap_or(SCHEDULES) {
		run(seed);
	}
}

#[test]
fn seeds_that_found_faults_hold() {
	for (seed, _) in FOUND {
		run(*seed);
	}
}
