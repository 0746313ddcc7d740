// SPDX-License-Identifier: Apache-2.0
//! Tests the bound on the lines of the log.

use isthmus_node::logging::{is_bounded, is_end_of_task, Bound, Key, LINES, WINDOW};
use std::time::Instant;
use tracing::Level;

const HERE: Key = Key {
	target: "sync",
	file: "engine.rs",
	line: 827,
};

#[test]
fn each_place_writes_a_few_lines_a_minute() {
	let (bound, start) = (Bound::default(), Instant::now());
	let written = |key, now| (0..1000).filter(|_| bound.may_write(key, now)).count();
	assert_eq!(written(HERE, start), LINES as usize);
	let elsewhere = Key { line: 828, ..HERE };
	assert_eq!(written(elsewhere, start), LINES as usize);
	assert_eq!(written(HERE, start + WINDOW), LINES as usize);
}

#[test]
fn the_lines_that_are_held_back_are_counted() {
	let (bound, start) = (Bound::default(), Instant::now());
	assert_eq!(bound.summary(), None);
	for _ in 0..1000 {
		bound.may_write(HERE, start);
	}
	let summary = bound.summary().unwrap();
	let held_back = 1000 - LINES;
	assert!(summary.contains(&format!("{held_back} lines")), "{summary}");
	assert!(
		summary.contains(&format!("{held_back} of sync")),
		"{summary}"
	);
	assert_eq!(bound.summary(), None);
}

#[test]
fn places_are_bounded_in_number() {
	let (bound, start) = (Bound::default(), Instant::now());
	let written = (0..100_000).filter(|line| {
		bound.may_write(
			Key {
				line: *line,
				..HERE
			},
			start,
		)
	});
	assert!(written.count() < 2000);
}

#[test]
fn the_targets_of_what_peers_cause_are_bounded() {
	for target in [
		"sync",
		"sync::import-queue",
		"sub-libp2p",
		"sub-libp2p::peerset",
		"afg",
	] {
		assert!(is_bounded(target), "{target}");
	}
	for target in ["substrate", "syncing", "isthmus_node", "pow", "log"] {
		assert!(!is_bounded(target), "{target}");
	}
}

#[test]
fn the_ends_of_tasks_are_no_news_while_the_node_stops() {
	for target in [
		"sc_service::task_manager",
		"sc_service::client::client",
		"jsonrpsee-server",
		"grandpa",
	] {
		assert!(is_end_of_task(Level::ERROR, target), "{target}");
		assert!(!is_end_of_task(Level::WARN, target), "{target}");
	}
	// What may be lost when a node stops is written.
	for target in ["db", "parity-db", "isthmus_node::runner"] {
		assert!(!is_end_of_task(Level::ERROR, target), "{target}");
	}
}
