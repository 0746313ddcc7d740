// SPDX-License-Identifier: Apache-2.0
//! Tests what the node says about itself when it waits.

use isthmus_node::service::watch::{Look, VoteKeys, Wait};
use std::time::Duration;

const NOW: u64 = 1_800_000_000;

/// A verifier's node in good order.
fn healthy() -> Look {
	Look {
		clock: NOW,
		best: 1000,
		best_time: NOW - 12,
		finalized: 996,
		target: None,
		unchanged: Duration::from_secs(20),
		alone: Duration::ZERO,
		waiting: (3, 8192),
		waiting_bytes: (900, 20 << 20),
		gaps: (3, 8192),
		gap_bytes: (900, 20 << 20),
		votes: Some(VoteKeys::Current),
		mines: true,
		needs_no_peers: false,
	}
}

/// Returns the only line about a node.
fn line(look: Look) -> String {
	match &look.waits()[..] {
		[wait] => wait.to_string(),
		waits => panic!("expected one line, not {waits:?}"),
	}
}

#[test]
fn a_healthy_node_says_nothing() {
	assert_eq!(healthy().waits(), []);
	// A block may be 15 s ahead, 128 blocks may wait for finality, and a node that does not vote needs no key.
	let look = Look {
		best_time: NOW + 15,
		finalized: 1000 - 128,
		alone: Duration::from_secs(59),
		votes: None,
		..healthy()
	};
	assert_eq!(look.waits(), []);
	let alone = Look {
		alone: Duration::from_secs(600),
		needs_no_peers: true,
		..healthy()
	};
	assert_eq!(alone.waits(), []);
}

#[test]
fn a_clock_behind_the_chain_is_logged_with_both_times() {
	let behind = line(Look {
		best_time: NOW + 3600,
		..healthy()
	});
	assert!(
		behind.contains("clock says 2027-01-15T08:00:00Z"),
		"{behind}"
	);
	assert!(
		behind.contains("#1000 was made at 2027-01-15T09:00:00Z"),
		"{behind}"
	);
	assert!(
		behind.contains("3585 s") && behind.contains("NTP"),
		"{behind}"
	);

	let early = line(Look {
		best: 0,
		finalized: 0,
		best_time: NOW + 60,
		..healthy()
	});
	assert!(
		early.starts_with("the chain starts at 2027-01-15T08:01:00Z"),
		"{early}"
	);
	// Times that no calendar has.
	let far = line(Look {
		best_time: u64::MAX,
		..healthy()
	});
	assert!(
		far.contains(&format!("second {} of the Unix clock", u64::MAX)),
		"{far}"
	);
}

#[test]
fn missing_finality_is_logged_before_clients_lose_the_chain() {
	let stalled = line(Look {
		finalized: 1000 - 129,
		..healthy()
	});
	assert!(
		stalled.contains("129 blocks wait, from #872 to #1000"),
		"{stalled}"
	);
	assert!(
		stalled.contains("before 4096") && stalled.contains("chainHead"),
		"{stalled}"
	);
}

#[test]
fn a_node_without_peers_says_what_it_does_not_do() {
	let alone = |mines| {
		line(Look {
			alone: Duration::from_secs(60),
			mines,
			..healthy()
		})
	};
	assert!(alone(true).contains("does not mine (`--force-authoring` mines alone)"));
	assert!(alone(false).starts_with("no peers: the node receives no blocks. "));
}

#[test]
fn a_stalled_sync_is_logged() {
	let syncing = Look {
		target: Some(5000),
		..healthy()
	};
	assert_eq!(syncing.waits(), []);
	let stands_still = Look {
		unchanged: Duration::from_secs(180),
		..syncing
	};
	let wait = Wait::Sync {
		best: 1000,
		target: 5000,
	};
	assert_eq!(stands_still.waits(), [wait]);
	// Between blocks, a node that has all of them waits, too.
	let waiting = Look {
		target: Some(1000),
		..stands_still
	};
	assert_eq!(waiting.waits(), []);
}

#[test]
fn a_full_transaction_pool_is_logged() {
	for look in [
		Look {
			waiting: (8192, 8192),
			..healthy()
		},
		Look {
			waiting_bytes: ((20 << 20) - 1000, 20 << 20),
			..healthy()
		},
	] {
		let full = line(look);
		assert!(
			full.contains("pool is full") && full.contains("--pool-kbytes"),
			"{full}"
		);
	}
}

#[test]
fn a_full_queue_of_transactions_with_gaps_is_told() {
	for look in [
		Look {
			gaps: (8192, 8192),
			..healthy()
		},
		Look {
			gap_bytes: ((20 << 20) - 1000, 20 << 20),
			..healthy()
		},
	] {
		let full = line(look);
		assert!(full.contains("earlier nonce is full"), "{full}");
	}
}

#[test]
fn a_verifiers_node_that_cannot_vote_says_so() {
	let votes = |keys| {
		line(Look {
			votes: Some(keys),
			..healthy()
		})
	};
	assert!(votes(VoteKeys::None).contains("key insert --key-type gran --scheme ed25519"));
	let unreadable = votes(VoteKeys::Unreadable("/data/keystore".into()));
	assert!(unreadable.starts_with("the keystore in /data/keystore cannot be read"));
	assert!(unreadable.contains("need not be inserted again"));
	assert!(votes(VoteKeys::Foreign).contains("none of the vote keys in its keystore"));
}
