// SPDX-License-Identifier: Apache-2.0
//! The objects that a keeper is copying: how many at a time, and what came of each.

use crate::types::*;
use isthmus_objects::{CopyError, Left};
use std::{
	collections::{BTreeMap, HashMap},
	future::Future,
};
use tokio::task::{self, JoinSet};

/// How many objects are copied at a time, at most: small ones, whose store is waited for most of the time.
const COPIES: usize = 8;
/// How many bytes of objects are being copied at a time, at most, unless it is one object alone. A copy takes no more memory
/// than its object has bytes.
const COPIED_AT_ONCE: u64 = 64 << 20;
/// What came of copying an object: the locations that were left for another one, or `None` if there was nothing to copy.
pub(super) type Outcome = Result<Option<Vec<Left>>, CopyError>;
/// The same; `None` if the task failed, which is a fault of this program.
pub(super) type Copied = Option<Outcome>;

/// The objects that are being copied. The tasks end when this value is dropped.
#[derive(Default)]
pub(super) struct Copying {
	tasks: JoinSet<Outcome>,
	/// The object of each task.
	keys: HashMap<task::Id, RecordKey>,
	/// The lengths of the objects.
	in_flight: BTreeMap<RecordKey, u64>,
}

impl Copying {
	/// Returns whether an object of this length may be copied besides those that are being copied.
	pub(super) fn has_room(&self, length: u64) -> bool {
		may_begin(&self.in_flight, length)
	}

	/// Begins to copy an object of this length.
	pub(super) fn begin(
		&mut self,
		key: RecordKey,
		length: u64,
		copy: impl Future<Output = Outcome> + Send + 'static,
	) {
		let task = self.tasks.spawn(copy);
		self.keys.insert(task.id(), key);
		self.in_flight.insert(key, length);
	}

	/// Waits for the next object of which nothing more is copied, however its task ended. Returns `None` if there is none.
	/// Nothing is lost if the wait is dropped.
	pub(super) async fn next(&mut self) -> Option<(RecordKey, Copied)> {
		loop {
			let (task, copied) = match self.tasks.join_next_with_id().await? {
				Ok((task, copied)) => (task, Some(copied)),
				Err(error) => (error.id(), None),
			};
			if let Some(key) = self.keys.remove(&task) {
				self.in_flight.remove(&key);
				return Some((key, copied));
			}
		}
	}

	pub(super) fn is_empty(&self) -> bool {
		self.tasks.is_empty()
	}

	pub(super) fn has(&self, key: &RecordKey) -> bool {
		self.in_flight.contains_key(key)
	}
}

/// Returns whether an object of this length may be copied besides those that are being copied.
fn may_begin(in_flight: &BTreeMap<RecordKey, u64>, length: u64) -> bool {
	let bytes = in_flight.values().copied();
	let bytes = bytes.fold(length, u64::saturating_add);
	in_flight.is_empty() || (in_flight.len() < COPIES && bytes <= COPIED_AT_ONCE)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn small_objects_are_copied_together_and_a_large_one_alone() {
		let copying = |lengths: &[u64]| -> BTreeMap<RecordKey, u64> {
			let keys = (0..).map(|number| [number; 32].into());
			keys.zip(lengths.iter().copied()).collect()
		};
		assert!(may_begin(&copying(&[]), 1 << 40));
		assert!(!may_begin(&copying(&[1 << 40]), 1));
		assert!(!may_begin(&copying(&[1]), 1 << 40));
		assert!(may_begin(&copying(&[16 << 20; 3]), 16 << 20));
		assert!(!may_begin(&copying(&[16 << 20; 4]), 1));
		assert!(may_begin(&copying(&[1; 7]), 1) && !may_begin(&copying(&[1; 8]), 1));
		assert!(!may_begin(&copying(&[u64::MAX]), u64::MAX));
	}

	#[tokio::test]
	async fn an_object_whose_task_failed_is_not_taken_for_one_that_is_being_copied() {
		let key = |number: u8| RecordKey::from([number; 32]);
		let mut copying = Copying::default();
		copying.begin(key(1), 1 << 40, async { panic!("a fault") });
		assert!(copying.has(&key(1)) && !may_begin(&copying.in_flight, 1));
		let failed = copying.next().await;
		assert!(matches!(failed, Some((of, None)) if of == key(1)));
		assert!(!copying.has(&key(1)) && may_begin(&copying.in_flight, 1 << 40));
		assert!(copying.is_empty() && copying.keys.is_empty());
		// It can be copied again.
		copying.begin(key(1), 1, async { Ok(None) });
		let copied = copying.next().await;
		assert!(matches!(copied, Some((of, Some(Ok(None)))) if of == key(1)));
		assert!(copying.next().await.is_none());
	}
}
