// SPDX-License-Identifier: Apache-2.0
//! Tests how often a condition that lasts is logged.

use isthmus_node::reminder::Reminder;
use std::time::{Duration, Instant};

#[test]
fn a_condition_is_due_once_then_rarely_and_again_when_it_returns() {
	let mut reminder = Reminder::default();
	let start = Instant::now();
	let at = |seconds| start + Duration::from_secs(seconds);
	assert_eq!(reminder.due(&["clock"], at(0)), ["clock"]);
	assert!(reminder.due(&["clock"], at(5)).is_empty());
	assert_eq!(reminder.due(&["clock", "peers"], at(10)), ["peers"]);
	assert!(reminder.due(&["clock", "peers"], at(599)).is_empty());
	assert_eq!(reminder.due(&["clock", "peers"], at(600)), ["clock"]);
	assert!(reminder.due(&["peers"], at(605)).is_empty());
	assert_eq!(reminder.due(&["clock", "peers"], at(609)), ["clock"]);
}
