// SPDX-License-Identifier: Apache-2.0
//! Keeps decrypted chunks in memory, up to a number of bytes: tools read a file piece by piece, and a chunk has many
//! pieces. Nothing is written to disk.

use crate::source::{Opened, Readable, Refusal};
use bytes::Bytes;
use schnellru::{LruMap, UnlimitedCompact};
use std::{
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};
use tokio::sync::OwnedMutexGuard;

/// How many chunks are kept at most, however small.
const MOST: usize = 1 << 16;
/// How many chunks are fetched together at most.
const TOGETHER: u64 = 4;

/// A record by its owner, its key and its hash, which changes when it is stored again; and the number of a chunk in it.
type ChunkId = ([u8; 32], [u8; 32], [u8; 32], u64);
/// A chunk; `None` until it is fetched. It is locked while it is fetched, so that others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Bytes>>>;

/// The chunks that were read last.
pub(crate) struct Cache {
	/// How many bytes it may have.
	limit: u64,
	slots: Mutex<Slots>,
	hits: AtomicU64,
	fetched: AtomicU64,
}

struct Slots {
	/// The slots, with the number of bytes in each, from the one that was used last on.
	map: LruMap<ChunkId, (Slot, u64), UnlimitedCompact>,
	bytes: u64,
}

impl Cache {
	/// Makes an empty cache for this number of bytes.
	pub(crate) fn new(limit: u64) -> Self {
		let map = LruMap::new(UnlimitedCompact);
		Self {
			limit,
			slots: Mutex::new(Slots { map, bytes: 0 }),
			hits: AtomicU64::new(0),
			fetched: AtomicU64::new(0),
		}
	}

	/// Returns how many chunks were in memory when they were asked for, and how many were fetched.
	pub(crate) fn counts(&self) -> (u64, u64) {
		let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
		(count(&self.hits), count(&self.fetched))
	}

	/// Returns the ranges in which a part of a record is read, one after another: of a few chunks each.
	pub(crate) fn pieces(part: Range<u64>, chunk: u64) -> impl Iterator<Item = Range<u64>> {
		let together = chunk.max(1).saturating_mul(TOGETHER);
		let mut at = part.start;
		std::iter::from_fn(move || {
			let start = at;
			let end = (start / together + 1)
				.saturating_mul(together)
				.min(part.end);
			at = end;
			(start < end).then_some(start..end)
		})
	}

	/// Returns the bytes of a file's record in one of the [pieces](Self::pieces): for each chunk, those that are in it.
	pub(crate) async fn read<File: Readable>(
		&self,
		opened: &Opened<File>,
		piece: Range<u64>,
	) -> Result<Vec<Bytes>, Refusal> {
		let chunk = opened.chunk.max(1);
		let numbers = piece.start / chunk..piece.end.div_ceil(chunk);
		let (owner, file) = (opened.place.owner, &opened.file);
		let id = |number: u64| (owner, file.key.0, file.stored(), number);
		// In order, so that two readers do not wait for each other.
		let mut locked = Vec::new();
		for number in numbers.clone() {
			locked.push(self.slot(id(number)).lock_owned().await);
		}
		let missing = |slot: &OwnedMutexGuard<Option<Bytes>>| slot.is_none();
		let first = locked.iter().position(missing);
		let last = locked.iter().rposition(missing);
		if let (Some(first), Some(last)) = (first, last) {
			let start = (numbers.start + first as u64).saturating_mul(chunk);
			let end = (numbers.start + last as u64 + 1).saturating_mul(chunk);
			let end = end.min(opened.size);
			let fetched = opened.bytes.read(start..end).await?;
			if fetched.len() as u64 != end.saturating_sub(start) {
				let words = format!("{} was not read to its end", file.path);
				return Err(Refusal::Failed(words));
			}
			let fetched = Bytes::from(fetched);
			let pieces = (start..end).step_by(chunk as usize).map(|at| {
				let end = (at + chunk).min(end);
				// Copied, so that a chunk does not keep its neighbours in memory.
				Bytes::copy_from_slice(&fetched[(at - start) as usize..(end - start) as usize])
			});
			let slots = locked.iter_mut().skip(first);
			for ((slot, bytes), number) in slots.zip(pieces).zip(numbers.start + first as u64..) {
				self.fetched.fetch_add(1, Ordering::Relaxed);
				let kept = OwnedMutexGuard::mutex(slot).clone();
				self.filled(id(number), kept, bytes.len() as u64);
				**slot = Some(bytes);
			}
		}
		let hits = locked.len() - last.map_or(0, |last| last + 1 - first.unwrap_or(0));
		self.hits.fetch_add(hits as u64, Ordering::Relaxed);
		let parts = locked.iter().zip(numbers).filter_map(|(slot, number)| {
			let bytes = slot.as_ref()?;
			let start = number * chunk;
			let within = |at: u64| (at.saturating_sub(start) as usize).min(bytes.len());
			Some(bytes.slice(within(piece.start)..within(piece.end)))
		});
		Ok(parts.collect())
	}

	fn slots(&self) -> MutexGuard<'_, Slots> {
		self.slots.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns the slot of a chunk.
	fn slot(&self, id: ChunkId) -> Slot {
		let mut slots = self.slots();
		if let Some((slot, _)) = slots.map.get(&id) {
			return slot.clone();
		}
		let slot = Slot::default();
		slots.map.insert(id, (slot.clone(), 0));
		while slots.map.len() > MOST {
			slots.give_up_oldest();
		}
		slot
	}

	/// Counts the bytes of a chunk, and gives up the chunks that were not used for the longest time.
	fn filled(&self, id: ChunkId, slot: Slot, length: u64) {
		let mut slots = self.slots();
		// It may have been given up while it was fetched.
		let before = slots.map.get(&id).map_or(0, |(_, bytes)| *bytes);
		slots.map.insert(id, (slot, length));
		slots.bytes = slots.bytes.saturating_sub(before).saturating_add(length);
		while slots.bytes > self.limit {
			slots.give_up_oldest();
		}
	}
}

impl Slots {
	/// Gives up the chunk that was not used for the longest time.
	fn give_up_oldest(&mut self) {
		match self.map.pop_oldest() {
			Some((_, (_, bytes))) => self.bytes = self.bytes.saturating_sub(bytes),
			// Nothing is left, so no bytes are.
			None => self.bytes = 0,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tests::Memory;

	/// A file of 10 bytes in chunks of 3.
	fn file() -> Opened<Memory> {
		Memory::file("a", b"0123456789".to_vec(), 3)
	}

	async fn read(cache: &Cache, file: &Opened<Memory>, part: Range<u64>) -> Vec<u8> {
		let mut bytes = Vec::new();
		for piece in Cache::pieces(part, file.chunk) {
			bytes.extend(cache.read(file, piece).await.unwrap().concat());
		}
		bytes
	}

	#[test]
	fn pieces_end_at_the_same_chunks_wherever_they_begin() {
		let pieces = |part| Cache::pieces(part, 3).collect::<Vec<_>>();
		assert_eq!(pieces(0..30), [0..12, 12..24, 24..30]);
		assert_eq!(pieces(11..13), [11..12, 12..13]);
		assert!(pieces(5..5).is_empty());
		let at_the_end = u64::MAX - 1..u64::MAX;
		assert!(Cache::pieces(at_the_end.clone(), 0).eq([at_the_end]));
	}

	#[tokio::test]
	async fn every_part_is_read_and_each_chunk_fetched_once() {
		let (cache, file) = (Cache::new(100), file());
		for from in 0..10 {
			for to in from + 1..=10 {
				let expected = &b"0123456789"[from as usize..to as usize];
				assert_eq!(
					read(&cache, &file, from..to).await,
					expected,
					"{from}..{to}"
				);
			}
		}
		assert_eq!(cache.counts().1, 4);
		assert_eq!(file.bytes.read_bytes(), 10);
	}

	#[tokio::test]
	async fn files_in_one_pack_share_its_chunks() {
		let (cache, pack) = (Cache::new(100), file());
		let within = |path: &str, offset: u64, length: u64| {
			let mut opened = pack.clone();
			opened.file.path = path.into();
			opened.file.length = length;
			// Each file has a hash of its own.
			let own = [path.len() as u8 + 50; 32];
			let hash = std::mem::replace(&mut opened.file.hash, own);
			let list = Arc::new(crate::Record {
				key: [8; 32].into(),
				hash: [9; 32],
			});
			opened.file.pack = Some(crate::Pack { hash, offset, list });
			opened
		};
		let (first, second) = (within("a", 1, 4), within("bc", 5, 5));
		let all = |file: &Opened<Memory>| file.within(0..file.file.length);
		assert_eq!(read(&cache, &first, all(&first)).await, b"1234");
		// No chunk after the file is fetched.
		assert_eq!(pack.bytes.read_bytes(), 6);
		assert_eq!(read(&cache, &second, all(&second)).await, b"56789");
		assert_eq!(read(&cache, &second, second.within(3..5)).await, b"89");
		assert_eq!(pack.bytes.read_bytes(), 10);
	}

	#[tokio::test]
	async fn readers_at_the_same_time_fetch_a_chunk_once() {
		let (cache, file) = (Cache::new(100), file());
		let all = futures::future::join_all((0..8).map(|_| read(&cache, &file, 0..10))).await;
		assert!(all.iter().all(|bytes| bytes == b"0123456789"));
		assert_eq!(file.bytes.read_bytes(), 10);
	}

	#[tokio::test]
	async fn no_more_bytes_are_kept_than_allowed() {
		let (cache, file) = (Cache::new(6), file());
		assert_eq!(read(&cache, &file, 0..10).await, b"0123456789");
		assert!(cache.slots().bytes <= 6);
		// The last two chunks are still there, the first ones are not.
		read(&cache, &file, 6..10).await;
		assert_eq!(file.bytes.read_bytes(), 10);
		read(&cache, &file, 0..3).await;
		assert_eq!(file.bytes.read_bytes(), 13);
		let nothing = Cache::new(0);
		assert_eq!(read(&nothing, &file, 0..10).await, b"0123456789");
		assert_eq!(nothing.slots().bytes, 0);
	}
}
