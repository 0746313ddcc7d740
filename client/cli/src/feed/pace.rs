// SPDX-License-Identifier: Apache-2.0
//! Decides when an endpoint is asked, and when a value is reported.

use isthmus_sdk::{conditions::Value, facts::Observation, Seconds};
use std::time::Duration;

/// The wait after the first failure, unless the endpoint is asked more often than this.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait after failures, unless the endpoint is asked less often than this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// When to ask an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
	every: Duration,
	/// How many attempts have failed since the last one that did not.
	failures: u32,
}

impl Pace {
	/// Asks at this interval.
	pub(super) fn new(every: Duration) -> Self {
		Self { every, failures: 0 }
	}

	/// Returns how long to wait after an attempt that succeeded.
	pub(super) fn succeeded(&mut self) -> Duration {
		self.failures = 0;
		self.every
	}

	/// Returns how long to wait after an attempt that failed: twice as long as after the one before, less a random part
	/// of up to a half, so that many programs do not ask a server at the same moment when it comes back.
	///
	/// `random` is a number from 0 to 255.
	pub(super) fn failed(&mut self, random: u8) -> Duration {
		let first = self.every.min(FIRST_WAIT);
		let longest = self.every.max(LONGEST_WAIT);
		let wait = first.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
		self.failures = self.failures.saturating_add(1);
		let wait = wait.min(longest);
		wait - wait * u32::from(random) / 512
	}
}

/// Why a value is reported, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
	/// Nothing was reported before.
	First,
	/// It is another value than the last one.
	Changed,
	/// It is the last value, which will soon be too old.
	Again,
	/// It is another value, observed in the same second as the last one or before: the chain would not take it.
	TooSoon,
	/// It is the last value, which was reported this many seconds ago.
	Not(Seconds),
}

/// Returns whether an observation is reported after the `last` one, of which the value and the time are given.
pub(super) fn due(last: Option<&(Value, Seconds)>, new: &Observation, again: u32) -> Due {
	let Some((value, observed)) = last else {
		return Due::First;
	};
	let age = new.observed.saturating_sub(*observed);
	match *value == new.value {
		false if new.observed <= *observed => Due::TooSoon,
		false => Due::Changed,
		true if age >= again.max(1).into() => Due::Again,
		true => Due::Not(age),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_wait_doubles_with_each_failure_up_to_a_bound() {
		let seconds = |pace: &mut Pace, random| pace.failed(random).as_secs_f64();
		let mut pace = Pace::new(Duration::from_secs(60));
		let waits: Vec<_> = (0..9).map(|_| seconds(&mut pace, 0)).collect();
		assert_eq!(waits, [5., 10., 20., 40., 80., 160., 300., 300., 300.]);
		assert_eq!(pace.succeeded(), Duration::from_secs(60));
		assert_eq!(seconds(&mut pace, 0), 5.);
		// A random part of up to a half is left out.
		let wait = seconds(&mut pace, 255);
		assert!((5.0..5.1).contains(&wait), "{wait}");
		let mut seldom = Pace::new(Duration::from_secs(3600));
		let longest = (0..100).map(|_| seconds(&mut seldom, 0)).last();
		assert_eq!(longest, Some(3600.));
		let mut often = Pace::new(Duration::from_secs(1));
		assert_eq!(seconds(&mut often, 0), 1.);
	}

	#[test]
	fn a_value_is_reported_if_it_changed_or_becomes_old() {
		let new = |value, observed| Observation {
			value: Value::Integer(value),
			observed,
			response: [0; 32],
		};
		let last = (Value::Integer(80), 1_000);
		assert_eq!(due(None, &new(80, 1), 60), Due::First);
		assert_eq!(due(Some(&last), &new(81, 1_001), 60), Due::Changed);
		assert_eq!(due(Some(&last), &new(80, 1_059), 60), Due::Not(59));
		assert_eq!(due(Some(&last), &new(80, 1_060), 60), Due::Again);
		assert_eq!(due(Some(&last), &new(81, 1_000), 60), Due::TooSoon);
		assert_eq!(due(Some(&last), &new(81, 900), 60), Due::TooSoon);
		// The same value in the same second is no news, however often it is reported.
		assert_eq!(due(Some(&last), &new(80, 1_000), 0), Due::Not(0));
	}
}
