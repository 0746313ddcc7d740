// SPDX-License-Identifier: Apache-2.0
//! Decides when to log a condition that lasts: at once, and then rarely, so that it is neither missed nor
//! fills the log.

use std::{
	collections::HashMap,
	hash::Hash,
	time::{Duration, Instant},
};

/// The time between two lines about the same condition.
const REPEAT_AFTER: Duration = Duration::from_secs(600);

/// Remembers when each condition was logged.
pub struct Reminder<K> {
	logged: HashMap<K, Instant>,
}

impl<K> Default for Reminder<K> {
	fn default() -> Self {
		Self {
			logged: HashMap::new(),
		}
	}
}

impl<K: Clone + Eq + Hash> Reminder<K> {
	/// Returns which of the conditions that hold now are to be logged: those that did not hold before, and
	/// those whose last line is ten minutes old.
	pub fn due(&mut self, holding: &[K], now: Instant) -> Vec<K> {
		self.logged.retain(|key, _| holding.contains(key));
		let mut due = Vec::new();
		for key in holding {
			let is_due = self
				.logged
				.get(key)
				.is_none_or(|logged| now.duration_since(*logged) >= REPEAT_AFTER);
			if is_due {
				self.logged.insert(key.clone(), now);
				due.push(key.clone());
			}
		}
		due
	}
}
