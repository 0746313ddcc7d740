// SPDX-License-Identifier: Apache-2.0
//! What this pallet asks of the one that has the objects.

use isthmus_sharing::DatasetId;
use isthmus_storage_proof::Value;

/// An object, as far as a proof needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
	/// Its length in bytes.
	pub length: u64,
	/// Its BLAKE3 hash, the root of its tree.
	pub root: Value,
	/// The block in which it was stored.
	pub block: u32,
}

/// The datasets, and the list of the objects of each: without gaps, so that one can be drawn by a number.
pub trait Objects<AccountId> {
	/// Returns whether an owner has this dataset.
	fn has_dataset(owner: &AccountId, dataset: DatasetId) -> bool;

	/// Returns how many objects a dataset has.
	fn count(owner: &AccountId, dataset: DatasetId) -> u32;

	/// Returns the block in which a dataset's first object was stored since it had none; 0 if it has none.
	fn since(owner: &AccountId, dataset: DatasetId) -> u32;

	/// Returns the object at a place of a dataset's list; `None` if the list is shorter.
	fn at(owner: &AccountId, dataset: DatasetId, place: u32) -> Option<Stored>;

	/// Makes a dataset with one object, in the cheapest way.
	#[cfg(feature = "runtime-benchmarks")]
	fn make(owner: &AccountId, dataset: DatasetId, object: Stored);
}
