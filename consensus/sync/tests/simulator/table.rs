// SPDX-License-Identifier: Apache-2.0
//! The schedules: many by number, and those that found faults.

use crate::{network::Network, plan::Plan};

/// The number of schedules that are run if nothing else is asked for.
const SCHEDULES: u64 = 2_000;

/// Seeds that found faults, with what they found.
const FOUND: &[(u64, &str)] = &[
	(
		200,
		"a body was dropped when another chain became the heaviest, and fetched again at once",
	),
	(
		547,
		"a chain that was imported silently was never announced",
	),
	(
		1017,
		"the claim that mattered was pushed out by claims of higher numbers",
	),
	(
		2138,
		"a peer's best block was pushed out by its other claims",
	),
	(
		6330,
		"headers were added above others that had gone with the peer that proved them",
	),
	(
		12963,
		"after an import that failed by our own fault, a peer was asked for the block a third time, and blamed for its refusal",
	),
	(
		13136,
		"a best block that was imported silently was never announced when the better one turned out to be invalid",
	),
];

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
