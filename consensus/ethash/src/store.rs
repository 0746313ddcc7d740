//! The caches of the last epochs, kept at hand.

use crate::{cache::Cache, error::Error, sizes::Sizes};
use std::{
	collections::VecDeque,
	sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// How many caches a store keeps: this epoch's, the one before and the one to come, and one for a look
/// further back.
pub const KEPT_CACHES: usize = 4;

/// A cache that is made once, by whoever asks first; who asks meanwhile waits.
type Slot = Arc<OnceLock<Result<Arc<Cache>, Error>>>;

/// Keeps the caches that were used last. Clones share them.
#[derive(Clone, Debug)]
pub struct CacheStore {
	sizes: Sizes,
	/// By epoch, the one used last at the back.
	slots: Arc<Mutex<VecDeque<(u64, Slot)>>>,
}

impl CacheStore {
	/// An empty store.
	pub fn new(sizes: Sizes) -> Self {
		Self {
			sizes,
			slots: Arc::default(),
		}
	}

	/// The sizes of the caches in it.
	pub fn sizes(&self) -> Sizes {
		self.sizes
	}

	/// The epoch's cache. Makes it on the caller's thread if it is not there; while someone else makes
	/// it, waits for that. Other epochs' caches can be had meanwhile.
	pub fn get(&self, epoch: u64) -> Result<Arc<Cache>, Error> {
		let slot = self.slot(epoch);
		let cache = slot
			.get_or_init(|| Cache::new(self.sizes, epoch).map(Arc::new))
			.clone();
		if cache.is_err() {
			// Memory may be there again next time.
			self.with_slots(|slots| slots.retain(|(_, kept)| !Arc::ptr_eq(kept, &slot)));
		}
		cache
	}

	/// Whether the epoch's cache is there, so that [`CacheStore::get`] returns at once.
	pub fn is_ready(&self, epoch: u64) -> bool {
		self.with_slots(|slots| {
			slots
				.iter()
				.any(|(kept, slot)| *kept == epoch && matches!(slot.get(), Some(Ok(_))))
		})
	}

	/// Has the epoch's cache made in the background, if it is neither there nor being made. What goes
	/// wrong there is told to who asks for the cache.
	pub fn prepare(&self, epoch: u64) {
		let known = self.with_slots(|slots| slots.iter().any(|(kept, _)| *kept == epoch));
		if known || self.sizes.cache_bytes(epoch).is_err() {
			return;
		}
		// The slot is taken here, so that a second call starts no second thread.
		let slot = self.slot(epoch);
		let store = self.clone();
		let spawned = std::thread::Builder::new()
			.name("ethash-cache".into())
			.spawn(move || {
				slot.get_or_init(|| Cache::new(store.sizes, epoch).map(Arc::new));
			});
		// Without a thread the cache is made by who asks for it.
		drop(spawned);
	}

	/// The epoch's slot, now the one used last. The one unused for the longest time makes room for a new
	/// one.
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

	/// A thread that panicked while it held the lock left the list whole: each change is one step.
	fn with_slots<T>(&self, change: impl FnOnce(&mut VecDeque<(u64, Slot)>) -> T) -> T {
		change(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_cache_is_made_once_for_all_who_ask() {
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
		// 0 is used again, so 1 makes room.
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
	fn a_prepared_cache_is_the_one_that_is_got() {
		let store = CacheStore::new(Sizes::DEVELOPMENT);
		store.prepare(3);
		let slot = store.slot(3);
		let cache = store.get(3).unwrap();
		assert!(Arc::ptr_eq(slot.get().unwrap().as_ref().unwrap(), &cache));
	}
}
