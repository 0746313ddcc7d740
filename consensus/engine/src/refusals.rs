// SPDX-License-Identifier: Apache-2.0
//! Counts the announcements and blocks that were refused, by the rule that they violate.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refused {
	/// An announced header.
	Announcement,
	/// A block.
	Block,
}

/// How many announcements and blocks each rule refused since the node started.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<(Refused, &'static str), u64>>);

impl Refusals {
	/// Counts a refusal. The kinds are the rules' names, so there are few.
	pub(crate) fn count(&self, what: Refused, rule: &'static str) {
		let mut counts = self.0.lock();
		let count = counts.entry((what, rule)).or_default();
		*count = count.saturating_add(1);
	}

	/// Returns all counts: what was refused, the rule's name, and how often.
	pub fn all(&self) -> Vec<(Refused, &'static str, u64)> {
		let counts = self.0.lock();
		let all = counts.iter();
		all.map(|((what, rule), count)| (*what, *rule, *count))
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn refusals_are_counted_by_what_and_rule() {
		let refusals = Refusals::default();
		refusals.count(Refused::Block, "a");
		refusals.count(Refused::Announcement, "a");
		refusals.count(Refused::Block, "a");
		assert_eq!(
			refusals.all(),
			[(Refused::Announcement, "a", 1), (Refused::Block, "a", 2)]
		);
	}
}
