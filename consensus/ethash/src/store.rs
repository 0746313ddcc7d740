// SPDX-License-Identifier: Apache-2.0
//! Keeps the most recently used caches, and shares them between threads.

use crate::{cache::Cache, error::Error, sizes::Sizes};
use std::{
	collections::VecDeque,
	sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The number of caches that a store keeps: for the current, the previous and the next epoch, and for one
/// older epoch.
pub const KEPT_CACHES: usize = 4;

/// A cache that is made once, by the first thread that asks for it; other threads wait for it.
type Slot = Arc<OnceLock<Result<Arc<Cache>, Error>>>;

/// Keeps the [`KEPT_CACHES`] most recently used caches. Clones share them.
///
/// ```
/// use isthmus_ethash::{CacheStore, Sizes};
///
/// let store = CacheStore::new(Sizes::DEVELOPMENT);
/// store.prepare(1); // in the background
/// let cache = store.get(0)?;
/// assert_eq!(cache.epoch(), 0);
/// # Ok::<(), isthmus_ethash::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CacheStore {
	sizes: Sizes,
	/// Epochs and caches, with the most recently used cache at the back.
	slots: Arc<Mutex<VecDeque<(u64, Slot)>>>,
}

impl CacheStore {
	/// Returns an empty store.
	pub fn new(sizes: Sizes) -> Self {
		Self {
			sizes,
			slots: Arc::default(),
		}
	}

	/// Returns the sizes of the store's caches.
	pub fn sizes(&self) -> Sizes {
		self.sizes
	}

	/// Returns the epoch's cache. Makes it on the caller's thread if it is missing, or waits if another
	/// thread is making it. Caches of other epochs stay available meanwhile.
	///
	/// # Errors
	///
	/// Returns the errors of [`Cache::new`]. A later call tries again.
	pub fn get(&self, epoch: u64) -> Result<Arc<Cache>, Error> {
		let slot = self.slot(epoch);
		let cache = slot
			.get_or_init(|| Cache::new(self.sizes, epoch).map(Arc::new))
			.clone();
		if cache.is_err() {
			// There may be enough memory next time.
			self.with_slots(|slots| slots.retain(|(_, kept)| !Arc::ptr_eq(kept, &slot)));
		}
		cache
	}

	/// Returns true if the epoch's cache is ready, so that [`CacheStore::get`] returns at once.
	pub fn is_ready(&self, epoch: u64) -> bool {
		self.with_slots(|slots| {
			slots
				.iter()
				.any(|(kept, slot)| *kept == epoch && matches!(slot.get(), Some(Ok(_))))
		})
	}

	/// Makes the epoch's cache in the background, unless it is ready or being made. [`CacheStore::get`]
	/// returns the error if that fails.
	pub fn prepare(&self, epoch: u64) {
		let known = self.with_slots(|slots| slots.iter().any(|(kept, _)| *kept == epoch));
		if known || self.sizes.cache_bytes(epoch).is_err() {
			return;
		}
		// Takes the slot here, so that a second call does not start a second thread.
		let slot = self.slot(epoch);
		let store = self.clone();
		let spawned = std::thread::Builder::new()
			.name("ethash-cache".into())
			.spawn(move || {
				slot.get_or_init(|| Cache::new(store.sizes, epoch).map(Arc::new));
			});
		// If no thread could be started, `get` makes the cache.
		drop(spawned);
	}

	/// Returns the epoch's slot and moves it to the back. A new slot evicts the least recently used one.
	fn slot(&self, epoch: u64) -> Slot {
		self.with_slots(|slots| {
			let slot = match slots.iter().position(|(kept, _)| *kept == epoch) {
				Some(position) => slots
					.remove(position)
					.map(|(_, slot)| slot)
					.unwrap_or_default(),
				None => Slot::default(),
			};
			slots.push_back((epoch, slot.clone()));
			if slots.len() > KEPT_CACHES {
				slots.pop_front();
			}
			slot
		})
	}

	/// Locks the list. A thread that panics while it holds the lock leaves the list intact, because each
	/// change is a single step.
	fn with_slots<T>(&self, change: impl FnOnce(&mut VecDeque<(u64, Slot)>) -> T) -> T {
		change(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_cache_is_made_once_for_all_threads() {
		let store = CacheStore::new(Sizes::DEVELOPMENT);
		let caches: Vec<Arc<Cache>> = std::thread::scope(|scope| {
			let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| store.get(1))).collect();
			threads
				.into_iter()
				.map(|thread| thread.join().unwrap().unwrap())
				.collect()
		});
		assert!(caches.iter().all(|cache| Arc::ptr_eq(cache, &caches[0])));
		assert_eq!(caches[0].epoch(), 1);
	}

	#[test]
	fn the_caches_used_last_are_kept() {
		let store = CacheStore::new(Sizes::DEVELOPMENT);
		let first = store.get(0).unwrap();
		for epoch in 1..KEPT_CACHES as u64 {
			store.get(epoch).unwrap();
		}
		// 0 is used again, so 1 is evicted.
		assert!(Arc::ptr_eq(&first, &store.get(0).unwrap()));
		store.get(KEPT_CACHES as u64).unwrap();
		assert!(store.is_ready(0) && !store.is_ready(1) && store.is_ready(2));
	}

	#[test]
	fn an_absurd_epoch_is_refused_and_not_kept() {
		let store = CacheStore::new(Sizes::FULL);
		let error = Error::EpochTooHigh {
			epoch: 143_165,
			max: 32_639,
		};
		assert_eq!(store.get(143_165).unwrap_err(), error);
		store.prepare(143_165);
		assert!(store.slots.lock().unwrap().is_empty());
	}

	#[test]
	fn a_prepared_cache_is_the_one_returned() {
		let store = CacheStore::new(Sizes::DEVELOPMENT);
		store.prepare(3);
		let slot = store.slot(3);
		let cache = store.get(3).unwrap();
		assert!(Arc::ptr_eq(slot.get().unwrap().as_ref().unwrap(), &cache));
	}
}
