// SPDX-License-Identifier: Apache-2.0
//! Tests the response of `isthmus_risk`.

use isthmus_node::rpc::{
	block::Found,
	risk::{RiskReport, Wait, DEFAULT_RISK},
};
use isthmus_primitives::Hash;
use isthmus_security::{Risk, Share};

fn report(depth: Option<u32>, finalized: u32, q: f64, interval: Option<f64>) -> RiskReport {
	let block = Found {
		number: 100,
		hash: Hash::repeat_byte(1),
		depth,
	};
	let share = Share::new(q).expect("a share");
	let risk = Risk::new(DEFAULT_RISK).expect("a risk");
	RiskReport::new(block, finalized, share, risk, interval)
}

/// The Bitcoin paper's table for q = 0.1, which follows from Eq. 3.
#[test]
fn the_odds_are_those_of_the_bitcoin_paper() {
	for (z, odds) in [
		(0, 1.0),
		(1, 0.204_587_3),
		(5, 0.000_913_7),
		(10, 0.000_001_2),
	] {
		let found = report(Some(z), 0, 0.1, None)
			.equation3
			.expect("on the best chain");
		assert!((found - odds).abs() < 5e-8, "z = {z}: {found}");
	}
}

#[test]
fn a_recent_block_waits() {
	let report = report(Some(2), 99, 0.1, Some(15.0));
	assert!(!report.is_finalized);
	// By the exact formula, the odds are 0.059 % after six blocks and 0.178 % after five. The accepted risk
	// is 0.1 %.
	let wait = Wait {
		depth: 6,
		blocks: 4,
		seconds: Some(60.0),
	};
	assert_eq!(report.wait, Some(wait));
	assert_eq!(
		report.statement,
		"Not finalized, with 2 blocks on top of it: an attacker with 0.1 of the hash power overtakes the \
		 chain with odds of 5.600e-2; 4 more blocks reduce them to under 0.001."
	);
}

#[test]
fn a_deep_block_does_not_wait() {
	let report = report(Some(6), 99, 0.1, Some(15.0));
	let wait = Wait {
		depth: 6,
		blocks: 0,
		seconds: Some(0.0),
	};
	assert_eq!(report.wait, Some(wait));
	assert!(
		report.statement.ends_with(", under 0.001."),
		"{}",
		report.statement
	);
}

#[test]
fn a_finalized_block_is_out_of_reach() {
	let report = report(Some(0), 100, 0.9, None);
	assert!(report.is_finalized);
	assert_eq!((report.exact, report.wait), (Some(1.0), None));
	assert_eq!(
		report.statement,
		"Finalized: no node follows a fork without it, however heavy. Without finality, an attacker with \
		 0.9 of the hash power would overtake the 0 blocks on top of it with odds of 1.000e0."
	);
}

#[test]
fn half_of_the_power_always_overtakes() {
	let report = report(Some(50), 99, 0.5, Some(15.0));
	assert_eq!((report.exact, report.wait), (Some(1.0), None));
	assert_eq!(
		report.statement,
		"Not finalized, with 50 blocks on top of it: an attacker with 0.5 of the hash power overtakes the chain \
		 with odds of 1.000e0; an attacker with a share of 0.5 always catches up: no depth is \
		 enough."
	);
}

#[test]
fn a_block_of_another_fork_has_no_odds() {
	let report = report(None, 200, 0.1, None);
	assert!(!report.is_finalized && !report.on_best_chain);
	assert_eq!(
		(report.depth, report.equation3, report.exact),
		(None, None, None)
	);
}
