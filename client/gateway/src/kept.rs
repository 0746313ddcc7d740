// SPDX-License-Identifier: Apache-2.0
//! What is kept of records: the bytes of those that were opened, and which cannot be opened.

use crate::source::{Readable, Refusal};
use schnellru::{ByLength, Limiter, LruMap};
use std::{
	future::Future,
	hash::Hash,
	ops::Range,
	sync::{
		atomic::{AtomicBool, Ordering},
		Mutex, PoisonError,
	},
	time::{Duration, Instant},
};

/// The values that were used last. Clones of them are handed out.
pub(crate) struct Recent<Key, Value, Limit = ByLength>(Mutex<LruMap<Key, Value, Limit>>)
where
	Limit: Limiter<Key, Value>;

impl<Key: Hash + PartialEq, Value: Clone> Recent<Key, Value> {
	pub(crate) fn new(most: u32) -> Self {
		Self(Mutex::new(LruMap::new(ByLength::new(most))))
	}
}

impl<Key: Hash + PartialEq, Value: Clone> Recent<Key, Value, ByMemory<Value>> {
	/// Keeps values that take at most this many bytes of memory in all.
	pub(crate) fn in_memory(most: usize, memory: fn(&Value) -> usize) -> Self {
		let used = 0;
		Self(Mutex::new(LruMap::new(ByMemory { most, used, memory })))
	}
}

impl<Key: Hash + PartialEq, Value: Clone, Limit> Recent<Key, Value, Limit>
where
	Limit: for<'a> Limiter<Key, Value, KeyToInsert<'a> = Key>,
{
	pub(crate) fn get(&self, key: &Key) -> Option<Value> {
		let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		map.get(key).map(|value| value.clone())
	}

	pub(crate) fn keep(&self, key: Key, value: Value) -> Value {
		let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		map.insert(key, value.clone());
		value
	}
}

impl<Key: Clone + Hash + PartialEq, Value: Clone + Default> Recent<Key, Value> {
	/// Returns the value that is kept, or keeps a new one.
	pub(crate) fn or_default(&self, key: &Key) -> Value {
		let kept = self.get(key);
		kept.unwrap_or_else(|| self.keep(key.clone(), Value::default()))
	}
}

/// Limits values by the bytes of memory that they take. One that takes more than all may is not kept.
pub(crate) struct ByMemory<Value> {
	most: usize,
	used: usize,
	memory: fn(&Value) -> usize,
}

impl<Key, Value> Limiter<Key, Value> for ByMemory<Value> {
	type KeyToInsert<'a> = Key;
	type LinkType = u32;

	fn is_over_the_limit(&self, _: usize) -> bool {
		self.used > self.most
	}

	fn on_insert(&mut self, _: usize, key: Key, value: Value) -> Option<(Key, Value)> {
		let memory = (self.memory)(&value);
		if memory > self.most {
			return None;
		}
		self.used = self.used.saturating_add(memory);
		Some((key, value))
	}

	fn on_replace(
		&mut self,
		_: usize,
		_: &mut Key,
		_: Key,
		old: &mut Value,
		new: &mut Value,
	) -> bool {
		let memory = (self.memory)(new);
		if memory > self.most {
			// The old value is removed.
			return false;
		}
		self.used = self
			.used
			.saturating_sub((self.memory)(old))
			.saturating_add(memory);
		true
	}

	fn on_removed(&mut self, _: &mut Key, value: &mut Value) {
		self.used = self.used.saturating_sub((self.memory)(value));
	}

	fn on_cleared(&mut self) {
		self.used = 0;
	}

	fn on_grow(&mut self, _: usize) -> bool {
		true
	}
}

/// What is known of records once they were opened, and which cannot be opened. The latter is forgotten after a time: an
/// embargo ends, and a node gets bytes that it did not have.
pub(crate) struct Known<Key, Value> {
	opened: Recent<Key, Value, ByMemory<Value>>,
	failed: Recent<Key, Instant>,
	/// How long a record that cannot be opened is not tried again.
	rest: Duration,
}

impl<Key: Clone + Hash + PartialEq, Value: Clone> Known<Key, Value> {
	/// Keeps what takes at most this many bytes of memory in all, and up to `most` records that cannot be opened.
	pub(crate) fn new(
		bytes: usize,
		memory: fn(&Value) -> usize,
		most: u32,
		rest: Duration,
	) -> Self {
		Self {
			opened: Recent::in_memory(bytes, memory),
			failed: Recent::new(most),
			rest,
		}
	}

	/// Returns what is known of a record, or opens it; `None` if it cannot be opened, because of an error that
	/// `is_of_record`.
	pub(crate) async fn get_or_open<Error>(
		&self,
		key: &Key,
		open: impl Future<Output = Result<Value, Error>>,
		is_of_record: impl FnOnce(&Error) -> bool,
	) -> Result<Option<Value>, Error> {
		if let Some(known) = self.opened.get(key) {
			return Ok(Some(known));
		}
		if self
			.failed
			.get(key)
			.is_some_and(|at| at.elapsed() < self.rest)
		{
			return Ok(None);
		}
		match open.await {
			Ok(value) => Ok(Some(self.opened.keep(key.clone(), value))),
			Err(error) if is_of_record(&error) => {
				self.failed.keep(key.clone(), Instant::now());
				Ok(None)
			}
			Err(error) => Err(error),
		}
	}
}

/// The bytes of a record that was opened, and what they were opened with. An object's reader does not go back to a location
/// that it left, so after an error the record has to be opened again.
#[derive(Debug)]
pub struct Kept<Bytes, Locations> {
	bytes: Bytes,
	locations: Locations,
	has_failed: AtomicBool,
}

impl<Bytes, Locations: PartialEq> Kept<Bytes, Locations> {
	pub(crate) fn new(bytes: Bytes, locations: Locations) -> Self {
		Self {
			bytes,
			locations,
			has_failed: AtomicBool::new(false),
		}
	}

	/// Returns whether it can still be used: reading never failed, and the dataset's locations are the same.
	pub(crate) fn is_good(&self, locations: &Locations) -> bool {
		!self.has_failed.load(Ordering::Relaxed) && self.locations == *locations
	}

	pub(crate) fn bytes(&self) -> &Bytes {
		&self.bytes
	}
}

impl<Bytes: Readable, Locations: 'static> Readable for Kept<Bytes, Locations> {
	async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Refusal> {
		let read = self.bytes.read(range).await;
		if read.is_err() {
			self.has_failed.store(true, Ordering::Relaxed);
		}
		read
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tests::Memory;
	use std::cell::Cell;

	#[tokio::test]
	async fn what_failed_once_or_has_moved_is_opened_again() {
		let kept = Kept::new(Memory::failing(vec![5; 100], 40), "s3://a");
		assert!(kept.read(0..40).await.is_ok());
		assert!(kept.is_good(&"s3://a") && !kept.is_good(&"s3://b"));
		assert!(kept.read(30..50).await.is_err());
		assert!(!kept.is_good(&"s3://a"));
	}

	#[tokio::test]
	async fn what_cannot_be_opened_is_not_tried_again_for_a_time() {
		let tries = Cell::new(0);
		let open = |result: Result<u8, &'static str>| {
			let tries = &tries;
			async move {
				tries.set(tries.get() + 1);
				result
			}
		};
		let is_of_record = |error: &&str| *error == "embargoed";
		let known = Known::new(8, |_| 1, 8, Duration::from_secs(3600));
		for _ in 0..3 {
			let got = known.get_or_open(&1, open(Err("embargoed")), is_of_record);
			assert_eq!(got.await, Ok(None));
		}
		assert_eq!(tries.get(), 1);
		// A node that is gone is no property of the record.
		for _ in 0..2 {
			let got = known.get_or_open(&2, open(Err("no node")), is_of_record);
			assert_eq!(got.await, Err("no node"));
		}
		assert_eq!(tries.get(), 3);
		let short = Known::new(8, |_| 1, 8, Duration::ZERO);
		let failed = short.get_or_open(&1, open(Err("embargoed")), is_of_record);
		assert_eq!(failed.await, Ok(None));
		for _ in 0..2 {
			let got = short.get_or_open(&1, open(Ok(7)), is_of_record);
			assert_eq!(got.await, Ok(Some(7)));
		}
		assert_eq!(tries.get(), 5);
	}

	#[test]
	fn values_are_kept_by_the_memory_that_they_take() {
		let recent: Recent<u8, Vec<u8>, _> = Recent::in_memory(10, Vec::len);
		let keep = |key, length| recent.keep(key, vec![key; length]).len();
		assert_eq!((keep(1, 4), keep(2, 4)), (4, 4));
		assert!(recent.get(&1).is_some());
		// The one that was not used for the longest time makes room, and then the next ones until there is enough.
		keep(3, 4);
		assert!(recent.get(&2).is_none() && recent.get(&1).is_some() && recent.get(&3).is_some());
		keep(4, 9);
		assert!(recent.get(&1).is_none() && recent.get(&3).is_none() && recent.get(&4).is_some());
		// A replaced value counts once, and one that is too large is handed out all the same.
		keep(4, 3);
		keep(5, 7);
		assert!(recent.get(&4).is_some() && recent.get(&5).is_some());
		assert_eq!(keep(6, 11), 11);
		assert!(recent.get(&6).is_none() && recent.get(&5).is_some());
		assert_eq!(keep(5, 11), 11);
		assert!(recent.get(&5).is_none() && recent.get(&4).is_some());
		keep(7, 7);
		assert!(recent.get(&4).is_some() && recent.get(&7).is_some());
	}

	#[test]
	fn each_dataset_has_a_turn_of_its_own() {
		let turns: Recent<u8, std::sync::Arc<Mutex<()>>> = Recent::new(8);
		let (one, other) = (turns.or_default(&1), turns.or_default(&2));
		let _turn = one.lock().unwrap();
		assert!(turns.or_default(&1).try_lock().is_err());
		assert!(other.try_lock().is_ok());
	}
}
