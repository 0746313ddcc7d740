// SPDX-License-Identifier: Apache-2.0
//! What is kept of tables: which columns and how many rows files have, and which versions tables were given.

use super::tables;
use crate::{
	kept::{ByMemory, Recent},
	source::{File, Place},
};
use isthmus_tables::{parquet::Table, Column};
use std::sync::Arc;

/// How many bytes of memory are used for what columns files have.
const DESCRIBED: usize = 64 << 20;
/// What an entry takes besides the columns.
const ENTRY: usize = 256;
/// Of how many tables it is kept what files they have.
const VERSIONS: u32 = 1 << 12;

/// A file by its dataset, the key of its record, the hash of that on the chain, and where in it the file begins and how long it is.
type FileId = (Place, [u8; 32], [u8; 32], u64, u64);

/// Returns what a file is known by. Its own hash is not in it: of a file in a pack, that is what its owner says.
pub(super) fn file_id(place: Place, file: &File) -> FileId {
	let start = file.pack.as_ref().map_or(0, |pack| pack.offset);
	(place, file.key.0, file.stored(), start, file.length)
}

/// Returns about how many bytes of memory it takes to keep what a file says about itself.
fn memory(table: &Arc<Table>) -> usize {
	let columns = table.columns.iter().map(Column::memory);
	columns.sum::<usize>().saturating_add(ENTRY)
}

/// What is kept of tables.
pub(crate) struct Sharing {
	/// What files say about themselves.
	pub(super) described: Recent<FileId, Arc<Table>, ByMemory<Arc<Table>>>,
	/// The marks of tables, by their paths, and the versions that they were given.
	versions: Recent<(Place, String), ([u8; 32], u64)>,
}

impl Default for Sharing {
	fn default() -> Self {
		Self {
			described: Recent::in_memory(DESCRIBED, memory),
			versions: Recent::new(VERSIONS),
		}
	}
}

impl Sharing {
	/// Returns the version of a table: another and higher one when its files are others. It is the time at which they were
	/// first seen, so that it is higher, too, after the gateway was started again.
	pub(super) fn version(&self, place: Place, table: &tables::Table<'_>, now: u64) -> u64 {
		let (id, mark) = ((place, table.path.clone()), table.mark());
		let version = match self.versions.get(&id) {
			Some((known, version)) if known == mark => return version,
			Some((_, version)) => now.max(version.saturating_add(1)),
			None => now,
		};
		self.versions.keep(id, (mark, version)).1
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::source::{Pack, Record};
	use isthmus_sdk::AccountId;

	#[test]
	fn files_of_which_the_owner_says_that_they_are_the_same_are_told_apart() {
		let place = Place::new(&AccountId::from([1; 32]), 2);
		let list = Arc::new(Record {
			key: [9; 32].into(),
			hash: [8; 32],
		});
		let file = |offset, length, hash| File {
			path: "frame/a.parquet".into(),
			length,
			hash: [5; 32],
			date: 0,
			key: [1; 32].into(),
			pack: Some(Pack {
				hash,
				offset,
				list: list.clone(),
			}),
		};
		let id = |file: &File| file_id(place, file);
		let first = file(0, 4, [7; 32]);
		assert_eq!(id(&first), id(&first.clone()));
		for other in [
			file(4, 4, [7; 32]),
			file(0, 5, [7; 32]),
			file(0, 4, [6; 32]),
		] {
			assert_ne!(id(&first), id(&other), "{other:?}");
		}
	}
}
