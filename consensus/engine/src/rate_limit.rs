// SPDX-License-Identifier: Apache-2.0
//! Limits how often log lines that peers can trigger are written: one line of each kind per minute, with the
//! number of suppressed lines.

use crate::LOG_TARGET;
use isthmus_primitives::Header;
use parking_lot::Mutex;
use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

/// The minimum time between two lines of the same kind.
const INTERVAL: Duration = Duration::from_secs(60);

/// When a line of each kind was last written. The kinds are the rules' names, so there are few.
#[derive(Default)]
pub struct RateLimitedLog(Mutex<HashMap<&'static str, Last>>);

struct Last {
	written: Instant,
	suppressed: u64,
}

impl RateLimitedLog {
	/// Returns the end of a line of this kind if it may be written now: the number of lines suppressed
	/// since the last one. Returns `None` if this line must be suppressed.
	pub fn may_write(&self, kind: &'static str, now: Instant) -> Option<String> {
		let mut kinds = self.0.lock();
		let Some(last) = kinds.get_mut(kind) else {
			let last = Last {
				written: now,
				suppressed: 0,
			};
			kinds.insert(kind, last);
			return Some(String::new());
		};
		if now.saturating_duration_since(last.written) < INTERVAL {
			last.suppressed = last.suppressed.saturating_add(1);
			return None;
		}
		last.written = now;
		Some(match std::mem::take(&mut last.suppressed) {
			0 => String::new(),
			more => format!(" (and {more} more of this kind since the last such line)"),
		})
	}

	/// Writes a warning about a block.
	pub(crate) fn warn_of(&self, kind: &'static str, header: &Header, problem: &str) {
		let (number, hash) = (header.number, header.hash());
		match self.may_write(kind, Instant::now()) {
			Some(end) => {
				log::warn!(target: LOG_TARGET, "block #{number} ({hash}) {problem}{end}")
			}
			None => log::debug!(target: LOG_TARGET, "block #{number} ({hash}) {problem}"),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn one_line_of_each_kind_a_minute_is_written_and_the_others_are_counted() {
		let (log, start) = (RateLimitedLog::default(), Instant::now());
		assert_eq!(log.may_write("a", start), Some(String::new()));
		assert_eq!(log.may_write("b", start), Some(String::new()));
		for _ in 0..1000 {
			assert_eq!(log.may_write("a", start), None);
		}
		let later = start + INTERVAL;
		let line = log.may_write("a", later).unwrap();
		assert!(line.contains("1000 more"), "{line}");
		assert_eq!(log.may_write("a", later), None);
		assert_eq!(log.may_write("b", later), Some(String::new()));
	}
}
