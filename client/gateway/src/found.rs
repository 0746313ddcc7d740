// SPDX-License-Identifier: Apache-2.0
//! Which files a dataset has: its records, and the files of its folders.

use crate::source::{File, Pack, Record};
use isthmus_sdk::{from_hex, Listed, RecordKey};
use std::{
	collections::{BTreeMap, HashSet},
	sync::Arc,
};

/// How many files of folders a dataset has at most.
const MOST_LISTED: usize = 1 << 20;
/// What is needed to know a record, besides its path and the files that it lists.
const ENTRY: usize = 512;

/// What is known of a record once it was opened.
pub(crate) struct Details {
	pub(crate) path: String,
	pub(crate) length: u64,
	/// The files of a stored folder.
	pub(crate) folder: Option<Vec<Listed>>,
}

impl Details {
	/// Returns about how many bytes of memory it takes.
	pub(crate) fn memory(&self) -> usize {
		let file = |listed: &Listed| size_of::<Listed>().saturating_add(listed.file.path.len());
		let files = self.folder.iter().flatten().map(file);
		files
			.fold(self.path.len(), usize::saturating_add)
			.saturating_add(ENTRY)
	}
}

/// The files of a dataset that were found so far. Of two with the same path, the first one is there.
pub(crate) struct Found {
	files: BTreeMap<String, File>,
	/// The keys of the records that are files of folders, or contain some.
	inside: HashSet<[u8; 32]>,
	/// How many files of folders may be added.
	left: usize,
}

impl Default for Found {
	fn default() -> Self {
		Self::with_at_most(MOST_LISTED)
	}
}

impl Found {
	/// Makes an empty one that takes up to this number of files of folders.
	fn with_at_most(left: usize) -> Self {
		let (files, inside) = Default::default();
		Self {
			files,
			inside,
			left,
		}
	}

	/// Returns whether a record is one of a folder, so that it is not shown.
	pub(crate) fn is_inside(&self, key: &RecordKey) -> bool {
		self.inside.contains(&key.0)
	}

	/// Adds a record or, if it is a folder's list, the folder's files. One with too many files is shown as its list. `stored`
	/// returns the hash of a record that the account may read: others of a folder's files may be outside of its grant.
	pub(crate) fn add(
		&mut self,
		details: &Details,
		key: RecordKey,
		stored: impl Fn(&RecordKey) -> Option<[u8; 32]>,
	) {
		let Some(hash) = stored(&key) else {
			return;
		};
		let folder = details.folder.as_ref();
		let Some(files) = folder.filter(|files| files.len() <= self.left) else {
			self.insert(File {
				path: details.path.clone(),
				length: details.length,
				hash,
				date: 0,
				key,
				pack: None,
			});
			return;
		};
		let list = Arc::new(Record { key, hash });
		self.left = self.left.saturating_sub(files.len());
		for Listed { file, offset } in files.iter().filter(|listed| !listed.file.folder) {
			self.inside.insert(file.key.0);
			let Some(record) = stored(&file.key) else {
				continue;
			};
			let pack = offset.map(|offset| Pack {
				hash: record,
				offset,
				list: list.clone(),
			});
			self.insert(File {
				path: format!("{}/{}", details.path, file.path),
				length: file.length,
				hash: pack.as_ref().map_or(record, |_| file.hash),
				date: 0,
				key: file.key,
				pack,
			});
		}
	}

	fn insert(&mut self, file: File) {
		self.files.entry(file.path.clone()).or_insert(file);
	}

	/// Returns the files, sorted by their paths, without dates.
	pub(crate) fn files(self) -> Vec<File> {
		let Self { files, inside, .. } = self;
		// What was opened before the list of its folder was has its key for a path.
		files
			.into_values()
			.filter(|file| !inside.contains(&file.key.0) || from_hex(&file.path).is_none())
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{folder, to_hex};

	fn key(number: u8) -> RecordKey {
		[number; 32].into()
	}

	fn listed(path: &str, length: u64, record: u8, offset: Option<u64>) -> Listed {
		let file = folder::File {
			folder: false,
			length,
			key: key(record),
			hash: [path.len() as u8; 32],
			..folder::File::empty_folder(path.into())
		};
		Listed { file, offset }
	}

	fn record(path: &str, length: u64) -> Details {
		Details {
			path: path.into(),
			length,
			folder: None,
		}
	}

	/// A packed folder with this name: its list is record 9, and its packs are 1 and 2.
	fn packed(path: &str) -> Details {
		let empty_folder = folder::File::empty_folder("nothing".into());
		let folder = vec![
			listed("a.csv", 4, 1, Some(0)),
			listed("again.csv", 4, 1, Some(0)),
			listed("deep/b.parquet", 6, 1, Some(4)),
			listed("empty", 0, 9, Some(0)),
			Listed {
				file: empty_folder,
				offset: Some(0),
			},
			listed("other.csv", 3, 2, Some(5)),
		];
		Details {
			path: path.into(),
			length: 700,
			folder: Some(folder),
		}
	}

	/// The hash of each record but that of pack 2, which is not covered by the grant.
	fn stored(key: &RecordKey) -> Option<[u8; 32]> {
		let number = key.0[0];
		(number != 2).then_some([number + 100; 32])
	}

	#[test]
	fn the_files_of_a_packed_folder_are_shown_and_its_records_are_not() {
		let mut found = Found::default();
		// Opened together with the list.
		found.add(&record(&to_hex(&key(1).0), 10), key(1), stored);
		found.add(&packed("frame"), key(9), stored);
		assert!(found.is_inside(&key(1)) && found.is_inside(&key(2)));
		found.add(&record("z.csv", 5), key(3), stored);
		let files = found.files();
		let shown: Vec<_> = files
			.iter()
			.map(|file| {
				let start = file.pack.as_ref().map(|pack| pack.offset);
				(file.path.as_str(), file.length, file.key.0[0], start)
			})
			.collect();
		let expected = [
			("frame/a.csv", 4, 1, Some(0)),
			("frame/again.csv", 4, 1, Some(0)),
			("frame/deep/b.parquet", 6, 1, Some(4)),
			("frame/empty", 0, 9, Some(0)),
			("z.csv", 5, 3, None),
		];
		assert_eq!(shown, expected);
		// A file is known by what it contains, and its bytes by the record.
		assert_eq!((files[0].hash, files[0].stored()), ([5; 32], [101; 32]));
		assert_eq!((files[4].hash, files[4].stored()), ([103; 32], [103; 32]));
		let list = &files[0].pack.as_ref().unwrap().list;
		assert_eq!((list.key, list.hash), (key(9), [109; 32]));
	}

	#[test]
	fn a_file_that_is_a_record_has_the_hash_of_the_record() {
		let mut found = Found::default();
		let folder = Some(vec![
			listed("a.csv", 4, 1, None),
			listed("b.csv", 4, 2, None),
		]);
		let length = 300;
		let path = "marks".to_owned();
		let details = Details {
			path,
			length,
			folder,
		};
		found.add(&details, key(9), stored);
		let files = found.files();
		let [file] = files.as_slice() else {
			panic!("{files:?}");
		};
		assert_eq!((file.path.as_str(), &file.pack), ("marks/a.csv", &None));
		assert_eq!((file.hash, file.stored()), ([101; 32], [101; 32]));
	}

	#[test]
	fn a_folder_with_too_many_files_is_shown_as_its_list() {
		let mut found = Found::with_at_most(11);
		found.add(&packed("first"), key(9), stored);
		found.add(&packed("second"), key(8), stored);
		let files = found.files();
		let lists: Vec<_> = files.iter().filter(|file| file.pack.is_none()).collect();
		assert_eq!(files.len(), 5);
		assert_eq!(
			(lists[0].path.as_str(), lists[0].length, lists.len()),
			("second", 700, 1)
		);
	}

	#[test]
	fn what_is_known_of_a_folder_takes_memory_for_each_file() {
		let more = packed("frame").memory() - record("frame", 4).memory();
		assert!(more > 6 * size_of::<Listed>(), "{more}");
	}
}
