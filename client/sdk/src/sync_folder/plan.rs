// SPDX-License-Identifier: Apache-2.0
//! Decides what of a folder has to be sent: which of its files are in a stored pack, by their hashes, and how the others
//! are packed.
//!
//! The decision depends on nothing but the stored list and the files, so an interrupted run comes to the same packs again.

use crate::folder::{
	packed::{List, Pack, Packed},
	File, FolderError,
};
use crate::types::{Epoch, RecordKey};
use ring::digest::{Context, SHA256};
use std::{
	collections::{BTreeSet, HashMap},
	path::PathBuf,
};

/// The maximum length of a pack with several files, in bytes. A longer file is a pack of its own.
pub(super) const PACK: u64 = 16 << 20;
/// A pack that is shorter than this, in bytes, is small.
const SMALL: u64 = 1 << 20;
/// When there are this many small packs, they are packed again, together.
const MANY: usize = 16;

/// A file of the folder on this machine, as it is at present.
#[derive(Clone, Debug)]
pub(super) struct Local {
	pub(super) path: String,
	pub(super) at: PathBuf,
	pub(super) executable: bool,
	pub(super) length: u64,
	pub(super) hash: [u8; 32],
}

/// A pack to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewPack {
	/// The numbers of its files, in their order.
	pub(super) files: Vec<usize>,
	/// The length of its value in bytes.
	pub(super) length: u64,
	/// The hash of its files' hashes.
	pub(super) id: [u8; 32],
}

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
	/// In a pack of the stored list, by its number there.
	Stored(usize, u64),
	/// In a new pack.
	New(usize, u64),
}

/// What has to be done.
#[derive(Debug)]
pub(super) struct Plan {
	/// Where each content is, by its hash.
	at: HashMap<[u8; 32], At>,
	/// The numbers of the stored packs that stay.
	kept: BTreeSet<usize>,
	/// The packs to be stored.
	pub(super) new: Vec<NewPack>,
}

impl Plan {
	/// Compares the files of a folder with the list that is stored. The packs of the list with the numbers in `lost` have no
	/// record any more: what was in them is sent again.
	pub(super) fn new(old: &List, lost: &BTreeSet<usize>, files: &[Local]) -> Self {
		let mut at = HashMap::new();
		let mut used = vec![0u64; old.packs.len()];
		let stored = stored(old, lost);
		// Each content once, in the order of the paths.
		let mut contents = Vec::new();
		for (number, file) in files.iter().enumerate() {
			if file.length > 0 && !at.contains_key(&file.hash) {
				let there = stored.get(&file.hash).copied();
				if let Some((pack, _)) = there {
					used[pack] = used[pack].saturating_add(file.length);
				}
				at.insert(file.hash, there);
				contents.push(number);
			}
		}
		let again = packed_again(old, &used);
		let kept = |pack: &usize| used[*pack] > 0 && !again.contains(pack);
		let kept: BTreeSet<usize> = (0..old.packs.len()).filter(kept).collect();
		let is_kept = |number: &usize| {
			let there = at.get(&files[*number].hash).copied().flatten();
			there.is_some_and(|(pack, _)| kept.contains(&pack))
		};
		contents.retain(|number| !is_kept(number));
		let new = packs(files, &contents);
		let mut places: HashMap<[u8; 32], At> = at
			.into_iter()
			.filter_map(|(hash, there)| {
				there.map(|(pack, offset)| (hash, At::Stored(pack, offset)))
			})
			.collect();
		for (number, pack) in new.iter().enumerate() {
			let mut offset = 0;
			for file in &pack.files {
				let Local { hash, length, .. } = &files[*file];
				places.insert(*hash, At::New(number, offset));
				offset += length;
			}
		}
		Self {
			at: places,
			kept,
			new,
		}
	}

	/// Returns the packs of the stored list that are not needed any more.
	pub(super) fn unused<'a>(&'a self, old: &'a List) -> impl Iterator<Item = &'a Pack> {
		let packs = old.packs.iter().enumerate();
		packs
			.filter(|(number, _)| !self.kept.contains(number))
			.map(|(_, pack)| pack)
	}

	/// Returns the folder's new list. `keys` are those of the new packs, which are stored in the epoch.
	///
	/// # Errors
	///
	/// Returns the errors of a file that no list can contain.
	pub(super) fn list(
		&self,
		old: &List,
		files: &[Local],
		empty: impl Iterator<Item = String>,
		(keys, epoch): (&[RecordKey], Epoch),
	) -> Result<List, FolderError> {
		let kept = self.kept.iter().filter_map(|number| {
			let pack = old.packs.get(*number)?;
			Some((At::Stored(*number, 0), pack.clone()))
		});
		let new = self.new.iter().zip(keys).enumerate();
		let new = new.map(|(number, (pack, key))| {
			let NewPack { length, id, .. } = pack;
			let pack = Pack {
				key: *key,
				id: *id,
				epoch,
				length: *length,
			};
			(At::New(number, 0), pack)
		});
		let mut packs: Vec<(At, Pack)> = kept.chain(new).collect();
		packs.sort_by_key(|(_, pack)| pack.key);
		let numbers: HashMap<At, u32> = (0u32..)
			.zip(&packs)
			.map(|(at, (was, _))| (*was, at))
			.collect();
		let mut entries: Vec<Packed> = empty
			.map(|path| Packed {
				file: File::empty_folder(path),
				pack: 0,
				offset: 0,
			})
			.collect();
		for file in files {
			let there = self.at.get(&file.hash).filter(|_| file.length > 0);
			let (pack, offset) = match there {
				None => (0, 0),
				Some(at) => {
					let (first, offset) = at.split();
					let number = numbers.get(&first).copied();
					let outside = || FolderError::Outside(file.path.clone());
					(number.ok_or_else(outside)?, offset)
				}
			};
			let key = packs.get(pack as usize).filter(|_| file.length > 0);
			entries.push(Packed {
				file: File {
					path: file.path.clone(),
					executable: file.executable,
					folder: false,
					length: file.length,
					key: key.map_or(RecordKey::zero(), |(_, pack)| pack.key),
					hash: file.hash,
				},
				pack,
				offset,
			});
		}
		entries.sort_by(|a, b| a.file.path.cmp(&b.file.path));
		Ok(List {
			packs: packs.into_iter().map(|(_, pack)| pack).collect(),
			files: entries,
		})
	}
}

impl At {
	/// Returns the place of the pack's first byte, and the offset in it.
	fn split(self) -> (Self, u64) {
		match self {
			Self::Stored(pack, offset) => (Self::Stored(pack, 0), offset),
			Self::New(pack, offset) => (Self::New(pack, 0), offset),
		}
	}
}

impl std::hash::Hash for At {
	fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
		match self {
			Self::Stored(pack, offset) => (0, pack, offset).hash(state),
			Self::New(pack, offset) => (1, pack, offset).hash(state),
		}
	}
}

/// Returns where the stored contents are: the numbers of their packs, and their offsets in them.
fn stored(old: &List, lost: &BTreeSet<usize>) -> HashMap<[u8; 32], (usize, u64)> {
	let mut stored = HashMap::new();
	for Packed { file, pack, offset } in old.files.iter().filter(|packed| packed.file.length > 0) {
		let pack = *pack as usize;
		if !lost.contains(&pack) {
			stored.entry(file.hash).or_insert((pack, *offset));
		}
	}
	stored
}

/// Returns the packs whose files are packed again: those of which less than half is used, and all small ones if there are
/// many.
fn packed_again(old: &List, used: &[u64]) -> BTreeSet<usize> {
	let in_use = || {
		old.packs
			.iter()
			.zip(used)
			.enumerate()
			.filter(|(_, (_, used))| **used > 0)
	};
	let mut again: BTreeSet<usize> = in_use()
		.filter(|(_, (pack, used))| **used < pack.length / 2)
		.map(|(number, _)| number)
		.collect();
	let small: Vec<usize> = in_use()
		.filter(|(_, (pack, _))| pack.length < SMALL)
		.map(|(number, _)| number)
		.collect();
	if small.len() >= MANY {
		again.extend(small);
	}
	again
}

/// Puts files together into packs.
fn packs(files: &[Local], contents: &[usize]) -> Vec<NewPack> {
	let mut packs: Vec<NewPack> = Vec::new();
	let mut open: Option<NewPack> = None;
	for number in contents {
		let length = files[*number].length;
		let alone = || NewPack {
			files: vec![*number],
			length,
			id: [0; 32],
		};
		match &mut open {
			_ if length >= PACK => packs.push(alone()),
			Some(pack) if pack.length + length <= PACK => {
				pack.files.push(*number);
				pack.length += length;
			}
			full => packs.extend(full.replace(alone())),
		}
	}
	packs.extend(open);
	for pack in &mut packs {
		let mut context = Context::new(&SHA256);
		for file in &pack.files {
			context.update(&files[*file].hash);
		}
		pack.id.copy_from_slice(context.finish().as_ref());
	}
	packs
}

#[cfg(test)]
mod tests {
	use super::*;

	fn local(path: &str, content: u8, length: u64) -> Local {
		Local {
			path: path.into(),
			at: path.into(),
			executable: false,
			length,
			hash: [content; 32],
		}
	}

	/// Returns the list of a folder after these changes, and what was sent for it.
	fn sync(old: &List, files: &[Local]) -> (List, Vec<NewPack>) {
		let plan = Plan::new(old, &BTreeSet::new(), files);
		let keys: Vec<RecordKey> = plan.new.iter().map(|pack| pack.id.into()).collect();
		let list = plan
			.list(old, files, std::iter::empty(), (&keys, 3))
			.unwrap();
		// It is a list that readers accept.
		crate::folder::packed::to_bytes(&list).unwrap();
		(list, plan.new)
	}

	fn lengths(packs: &[NewPack]) -> Vec<u64> {
		packs.iter().map(|pack| pack.length).collect()
	}

	#[test]
	fn small_files_share_packs_and_long_ones_have_their_own() {
		let files = [
			local("a", 1, 9 << 20),
			local("b", 2, 7 << 20),
			local("c", 3, 1),
			local("d", 4, 40 << 20),
			local("e", 5, 0),
			local("f", 6, 2),
		];
		let (list, new) = sync(&List::default(), &files);
		assert_eq!(lengths(&new), [16 << 20, 40 << 20, 3]);
		assert_eq!(list.files.len(), 6);
		assert_eq!(list.files[4].file.key, RecordKey::zero());
		// The same files make the same packs.
		assert_eq!(sync(&List::default(), &files).1, new);
		assert!(sync(&list, &files).1.is_empty());
		assert_eq!(sync(&list, &files).0, list);
	}

	#[test]
	fn only_new_contents_are_sent() {
		let files = [local("a", 1, 10), local("b", 2, 10), local("c", 3, 10)];
		let (list, _) = sync(&List::default(), &files);
		// One is renamed, one is copied, one is changed.
		let files = [
			local("a", 1, 10),
			local("copy", 1, 10),
			local("d", 2, 10),
			local("c", 4, 5),
		];
		let (list, new) = sync(&list, &files);
		assert_eq!(lengths(&new), [5]);
		assert_eq!(list.packs.len(), 2);
		let places: Vec<_> = list
			.files
			.iter()
			.map(|file| (file.pack, file.offset))
			.collect();
		assert_eq!(places[0], places[2]);
	}

	#[test]
	fn a_pack_that_is_mostly_unused_is_packed_again() {
		let files: Vec<_> = (0..10)
			.map(|file| local(&format!("{file}"), file, 10))
			.collect();
		let (list, _) = sync(&List::default(), &files);
		let (half, new) = sync(&list, &files[5..]);
		assert!(new.is_empty());
		assert_eq!(half.packs, list.packs);
		let (less, new) = sync(&half, &files[6..]);
		assert_eq!(lengths(&new), [40]);
		assert_eq!(less.packs.len(), 1);
		assert_eq!(
			Plan::new(&half, &BTreeSet::new(), &files[6..])
				.unused(&half)
				.count(),
			1
		);
		let (none, _) = sync(&less, &[]);
		assert_eq!(none, List::default());
	}

	#[test]
	fn what_was_in_a_pack_without_a_record_is_sent_again() {
		let files = [local("a", 1, 9 << 20), local("b", 2, 9 << 20)];
		let (list, new) = sync(&List::default(), &files);
		assert_eq!(new.len(), 2);
		let lost = |number| {
			let plan = Plan::new(&list, &BTreeSet::from([number]), &files);
			let gone: Vec<_> = plan.unused(&list).map(|pack| pack.id).collect();
			(plan.new, gone)
		};
		for (number, pack) in list.packs.iter().enumerate() {
			let (again, gone) = lost(number);
			assert_eq!(again.len(), 1);
			assert_eq!((again[0].id, &gone[..]), (pack.id, &[pack.id][..]));
		}
		// The list would be the same, although a pack is missing.
		let plan = Plan::new(&list, &BTreeSet::from([0]), &files);
		let keys = [list.packs[0].key];
		let made = plan.list(&list, &files, std::iter::empty(), (&keys, 3));
		assert_eq!(made.unwrap(), list);
	}

	#[test]
	fn many_small_packs_become_one() {
		let mut list = List::default();
		let mut files = Vec::new();
		for file in 0..40u8 {
			files.push(local(&format!("{file:02}"), file, 10));
			let (next, new) = sync(&list, &files);
			assert!(new.len() == 1 && next.packs.len() <= MANY);
			list = next;
		}
	}
}
