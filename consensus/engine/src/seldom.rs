//! Log lines that strangers can cause: one of a kind each minute, and the number of those held back.

use parking_lot::Mutex;
use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

/// The least time between two lines of one kind.
const BETWEEN: Duration = Duration::from_secs(60);

/// When a line of each kind was written last. The kinds are the rules' names, so they are few.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<HashMap<&'static str, Last>>);

struct Last {
	written: Instant,
	held_back: u64,
}

impl Seldom {
	/// Where a line of this kind may be written now, what to put at its end: how many were held back
	/// since the last one. `None` where it must be held back.
	pub(crate) fn may_write(&self, kind: &'static str, now: Instant) -> Option<String> {
		let mut kinds = self.0.lock();
		let Some(last) = kinds.get_mut(kind) else {
			let last = Last {
				written: now,
				held_back: 0,
			};
			kinds.insert(kind, last);
			return Some(String::new());
		};
		if now.saturating_duration_since(last.written) < BETWEEN {
			last.held_back = last.held_back.saturating_add(1);
			return None;
		}
		last.written = now;
		Some(match std::mem::take(&mut last.held_back) {
			0 => String::new(),
			more => format!(" (and {more} more of the kind since the last such line)"),
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn of_each_kind_one_line_a_minute_is_written_and_the_others_are_counted() {
		let (seldom, start) = (Seldom::default(), Instant::now());
		assert_eq!(seldom.may_write("a", start), Some(String::new()));
		assert_eq!(seldom.may_write("b", start), Some(String::new()));
		for _ in 0..1000 {
			assert_eq!(seldom.may_write("a", start), None);
		}
		let later = start + BETWEEN;
		let line = seldom.may_write("a", later).unwrap();
		assert!(line.contains("1000 more"), "{line}");
		assert_eq!(seldom.may_write("a", later), None);
		assert_eq!(seldom.may_write("b", later), Some(String::new()));
	}
}
