// SPDX-License-Identifier: Apache-2.0
//! Locations that did not work a short while ago. Those who read or copy other objects ask them last: otherwise each would
//! wait for them.

use isthmus_objects::{Left, Location};
use std::{
	collections::BTreeMap,
	sync::{Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};

/// How long such a location is asked last.
const WHILE: Duration = Duration::from_secs(60);

/// When locations did not work, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Broken(Mutex<BTreeMap<String, Instant>>);

impl Broken {
	fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Notes the locations that were left, but those that may have other objects.
	pub(crate) fn note(&self, left: &[Left], now: Instant) {
		let broken = left.iter().filter(|left| !left.failure.is_of_object());
		self.lock()
			.extend(broken.map(|left| (left.url.clone(), now)));
	}

	/// Notes a location, unless it was noted a short while ago. Returns whether it was not.
	pub(crate) fn is_new(&self, url: &str, now: Instant) -> bool {
		let mut noted = self.lock();
		let at = noted.get(url);
		let is_new = at.is_none_or(|at| now.saturating_duration_since(*at) >= WHILE);
		if is_new {
			noted.insert(url.to_owned(), now);
		}
		is_new
	}

	/// Puts the locations that did not work last. The others keep their order.
	pub(crate) fn put_last(&self, locations: &mut [Location], now: Instant) {
		let broken = self.lock();
		locations.sort_by_key(|location| {
			let at = broken.get(location.url());
			at.is_some_and(|at| now.saturating_duration_since(*at) < WHILE)
		});
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_objects::Failure;

	#[test]
	fn a_location_that_does_not_work_is_asked_last_for_a_while() {
		let broken = Broken::default();
		let now = Instant::now();
		let left = |url: &str, failure| Left {
			url: url.into(),
			failure,
		};
		let urls = ["file:///a", "file:///b", "file:///c"];
		let order = |now| {
			let mut locations: Vec<_> = urls
				.iter()
				.map(|url| Location::open(url).unwrap())
				.collect();
			broken.put_last(&mut locations, now);
			let urls = locations.iter().map(|location| location.url().to_owned());
			urls.collect::<Vec<_>>()
		};
		broken.note(&[left("file:///b", Failure::Missing)], now);
		assert_eq!(order(now), urls);
		broken.note(&[left("file:///a", Failure::Unreachable)], now);
		assert_eq!(order(now), ["file:///b", "file:///c", "file:///a"]);
		assert_eq!(order(now + WHILE), urls);
	}

	#[test]
	fn a_location_is_new_again_after_a_while() {
		let (broken, now) = (Broken::default(), Instant::now());
		let is_new = |url, at| broken.is_new(url, at);
		assert!(is_new("file:///a", now) && is_new("file:///b", now));
		assert!(!is_new("file:///a", now + WHILE / 2));
		assert!(is_new("file:///a", now + WHILE) && !is_new("file:///a", now + WHILE));
	}
}
