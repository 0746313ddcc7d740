// SPDX-License-Identifier: Apache-2.0
//! Decides which lines of the log to hold back, and counts them.

use parking_lot::Mutex;
use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

/// How many lines a place in the code may write per [`WINDOW`].
pub const LINES: u32 = 10;
/// The time for which lines are counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How many places are counted separately. All others share one count.
const MAX_PLACES: usize = 1024;
/// How many targets a summary names.
const NAMED: usize = 5;

/// A place in the code that writes lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
	/// The target of its lines.
	pub target: &'a str,
	/// Its source file.
	pub file: &'a str,
	/// The number of its line in the source file.
	pub line: u32,
}

/// Bounds the lines of each place in the code.
#[derive(Default)]
pub struct Bound(Mutex<State>);

#[derive(Default)]
struct State {
	places: HashMap<Place, Window>,
	/// How many lines of each target were held back since the last summary.
	held_back: HashMap<String, u64>,
}

/// A [`Key`] that outlives its line. The places are in the program, so there are few.
type Place = (String, String, u32);

struct Window {
	since: Instant,
	written: u32,
}

impl Bound {
	/// Returns whether this place may write a line now. If not, the line counts as held back.
	pub fn may_write(&self, key: Key, now: Instant) -> bool {
		let mut state = self.0.lock();
		let State { places, held_back } = &mut *state;
		let mut place = (key.target.into(), key.file.into(), key.line);
		if places.len() >= MAX_PLACES && !places.contains_key(&place) {
			place = Place::default();
		}
		let window = places.entry(place).or_insert(Window {
			since: now,
			written: 0,
		});
		if now.saturating_duration_since(window.since) >= WINDOW {
			*window = Window {
				since: now,
				written: 0,
			};
		}
		if window.written < LINES {
			window.written += 1;
			return true;
		}
		let count = held_back.entry(key.target.into()).or_default();
		*count = count.saturating_add(1);
		false
	}

	/// Returns how many lines were held back since the last summary, in a sentence, or `None` if there were
	/// none.
	pub fn summary(&self) -> Option<String> {
		let held_back = std::mem::take(&mut self.0.lock().held_back);
		let total = held_back
			.values()
			.fold(0, |sum: u64, count| sum.saturating_add(*count));
		if total == 0 {
			return None;
		}
		let mut targets: Vec<_> = held_back.into_iter().collect();
		targets.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
		targets.truncate(NAMED);
		let targets: Vec<_> = targets
			.iter()
			.map(|(target, count)| format!("{count} of {target}"))
			.collect();
		Some(format!(
			"held back {total} lines that peers or callers caused: {}; each kind may write {LINES} a minute",
			targets.join(", ")
		))
	}
}
