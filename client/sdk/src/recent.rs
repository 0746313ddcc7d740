// SPDX-License-Identifier: Apache-2.0
//! A value that is used again until it is too old.

use std::time::{Duration, Instant};

/// A value and when it was set.
pub(crate) struct Recent<T>(Option<(T, Instant)>);

impl<T> Default for Recent<T> {
	fn default() -> Self {
		Self(None)
	}
}

impl<T: Clone> Recent<T> {
	/// Returns the value, unless `max_age` has passed since it was set.
	pub(crate) fn get(&self, max_age: Duration, now: Instant) -> Option<T> {
		let (value, set) = self.0.as_ref()?;
		(now.saturating_duration_since(*set) < max_age).then(|| value.clone())
	}

	/// Sets the value.
	pub(crate) fn set(&mut self, value: T, now: Instant) {
		self.0 = Some((value, now));
	}

	/// Forgets the value.
	pub(crate) fn forget(&mut self) {
		self.0 = None;
	}
}
