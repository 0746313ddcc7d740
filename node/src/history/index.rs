// SPDX-License-Identifier: Apache-2.0
//! Keeps, for each subject, the numbers of the blocks that have events about it, so that a subject's history is
//! found without reading the blocks between.
//!
//! The index names blocks by number only. A number may stay after a reorganisation although the new block has no
//! event about the subject: a reader of the block sees that. So the index never has to be undone, and writing
//! the same block twice changes nothing.
//!
//! The numbers of a subject are in buckets of [`BUCKET`] blocks, each a sorted list, and a sorted list names the
//! buckets that are not empty. All of it is in the database's auxiliary column, where several entries can be
//! written at once.

use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use isthmus_sharing::history::Subject;
use polkadot_sdk::*;
use sc_client_api::AuxStore;
use sp_blockchain::{Error, Result};
use sp_crypto_hashing::blake2_256;
use std::{
	collections::{BTreeMap, BTreeSet},
	ops::RangeInclusive,
	sync::Arc,
};

/// How many block numbers share a bucket.
const BUCKET: BlockNumber = 4096;
/// The first bytes of the index's keys.
const PREFIX: &[u8] = b"isthmus:history:";
/// The key of [`Progress`].
const PROGRESS: &[u8] = b"isthmus:history_progress";

/// What is looked up: the hash of a subject, or of none, which stands for every event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Topic([u8; 32]);

impl Topic {
	pub(super) fn of(subject: Option<&Subject<AccountId>>) -> Self {
		Self(blake2_256(&subject.encode()))
	}

	fn key(&self) -> Vec<u8> {
		[PREFIX, &self.0].concat()
	}

	fn bucket_key(&self, bucket: u32) -> Vec<u8> {
		[PREFIX, &self.0, &bucket.to_be_bytes()].concat()
	}
}

/// How far the index has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Progress {
	/// The last block that is in the index.
	pub(super) number: BlockNumber,
	/// Its hash.
	pub(super) hash: Hash,
	/// The first block from which on this node has all events.
	pub(super) first: BlockNumber,
}

/// Numbers to add to the index or to remove from it.
#[derive(Default)]
pub(super) struct Changes(BTreeMap<Topic, BTreeMap<BlockNumber, bool>>);

impl Changes {
	/// Adds a block to a topic, or removes it.
	pub(super) fn set(&mut self, topic: Topic, number: BlockNumber, present: bool) {
		self.0.entry(topic).or_default().insert(number, present);
	}
}

/// The index, in a database.
pub(super) struct Index<S>(Arc<S>);

impl<S: AuxStore> Index<S> {
	pub(super) fn new(store: Arc<S>) -> Self {
		Self(store)
	}

	/// Returns how far the index has come; `None` if it is empty.
	pub(super) fn progress(&self) -> Result<Option<Progress>> {
		self.read(PROGRESS)
	}

	/// Writes the changes and the progress, in one transaction of the database.
	pub(super) fn write(&self, changes: Changes, progress: &Progress) -> Result<()> {
		let (mut sets, mut deletes) = (vec![(PROGRESS.to_vec(), progress.encode())], Vec::new());
		let mut put = |key: Vec<u8>, numbers: BTreeSet<u32>| match numbers.is_empty() {
			true => deletes.push(key),
			false => sets.push((key, numbers.into_iter().collect::<Vec<_>>().encode())),
		};
		for (topic, numbers) in changes.0 {
			let before = self.numbers(&topic.key())?;
			let mut buckets = before.clone();
			let mut by_bucket: BTreeMap<u32, Vec<(BlockNumber, bool)>> = BTreeMap::new();
			for (number, present) in numbers {
				let bucket = by_bucket.entry(number / BUCKET).or_default();
				bucket.push((number, present));
			}
			for (bucket, changes) in by_bucket {
				let key = topic.bucket_key(bucket);
				let mut numbers = self.numbers(&key)?;
				for (number, present) in changes {
					match present {
						true => numbers.insert(number),
						false => numbers.remove(&number),
					};
				}
				match numbers.is_empty() {
					true => buckets.remove(&bucket),
					false => buckets.insert(bucket),
				};
				put(key, numbers);
			}
			if buckets != before {
				put(topic.key(), buckets);
			}
		}
		let sets: Vec<_> = sets
			.iter()
			.map(|(key, value)| (&key[..], &value[..]))
			.collect();
		let deletes: Vec<_> = deletes.iter().map(|key| &key[..]).collect();
		self.0.insert_aux(&sets, &deletes)
	}

	/// Returns the first `limit` blocks of a topic in this range.
	pub(super) fn blocks(
		&self,
		topic: &Topic,
		range: RangeInclusive<BlockNumber>,
		limit: usize,
	) -> Result<Vec<BlockNumber>> {
		let mut found = Vec::new();
		if range.is_empty() {
			return Ok(found);
		}
		let buckets = range.start() / BUCKET..=range.end() / BUCKET;
		for bucket in self.numbers(&topic.key())?.range(buckets) {
			let numbers = self.numbers(&topic.bucket_key(*bucket))?;
			found.extend(numbers.range(range.clone()).take(limit - found.len()));
			if found.len() == limit {
				break;
			}
		}
		Ok(found)
	}

	fn numbers(&self, key: &[u8]) -> Result<BTreeSet<u32>> {
		let numbers: Vec<u32> = self.read(key)?.unwrap_or_default();
		Ok(numbers.into_iter().collect())
	}

	fn read<T: Decode>(&self, key: &[u8]) -> Result<Option<T>> {
		let bytes = self.0.get_aux(key)?;
		bytes
			.map(|bytes| T::decode_all(&mut &bytes[..]))
			.transpose()
			.map_err(|error| Error::Backend(format!("the index of the history: {error}")))
	}
}

#[cfg(test)]
mod tests {
	use super::{super::mock::Column, *};

	fn topic(byte: u8) -> Topic {
		Topic::of(Some(&Subject::Account([byte; 32].into())))
	}

	fn progress(number: BlockNumber) -> Progress {
		Progress {
			number,
			hash: Hash::repeat_byte(number as u8),
			first: 1,
		}
	}

	fn changes(topic: Topic, numbers: &[BlockNumber], present: bool) -> Changes {
		let mut changes = Changes::default();
		for number in numbers {
			changes.set(topic, *number, present);
		}
		changes
	}

	#[test]
	fn a_topics_blocks_are_found_in_order_and_in_pages() {
		let index = Index::new(Arc::new(Column::default()));
		assert_eq!(index.progress().unwrap(), None);
		let numbers = [1, 4095, 4096, 4097, 70_000, BlockNumber::MAX];
		// The order of writing does not matter, nor does writing twice.
		for number in [4096, 1, BlockNumber::MAX, 4097, 70_000, 4095, 1] {
			index
				.write(changes(topic(1), &[number], true), &progress(number))
				.unwrap();
		}
		assert_eq!(index.progress().unwrap(), Some(progress(1)));
		let found = |range, limit| index.blocks(&topic(1), range, limit).unwrap();
		assert_eq!(found(0..=BlockNumber::MAX, 10), numbers);
		assert_eq!(found(0..=BlockNumber::MAX, 2), [1, 4095]);
		assert_eq!(found(4096..=70_000, 10), [4096, 4097, 70_000]);
		assert!(found(4098..=69_999, 10).is_empty());
		#[allow(clippy::reversed_empty_ranges)] // A caller may ask for it.
		let none = found(5..=4, 10);
		assert!(none.is_empty());
		assert!(index
			.blocks(&topic(2), 0..=BlockNumber::MAX, 10)
			.unwrap()
			.is_empty());
	}

	#[test]
	fn what_is_removed_leaves_nothing_behind() {
		let column = Arc::new(Column::default());
		let index = Index::new(column.clone());
		index
			.write(changes(topic(1), &[1, 2, 5000], true), &progress(5000))
			.unwrap();
		index
			.write(changes(topic(1), &[1, 5000], false), &progress(5000))
			.unwrap();
		assert_eq!(
			index.blocks(&topic(1), 0..=BlockNumber::MAX, 10).unwrap(),
			[2]
		);
		index
			.write(changes(topic(1), &[2], false), &progress(5000))
			.unwrap();
		assert_eq!(column.keys(), [PROGRESS]);
	}
}
