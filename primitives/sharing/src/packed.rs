// SPDX-License-Identifier: Apache-2.0
//! Reads and writes the list of a packed folder. The files of such a folder are put together into packs, and each pack
//! is one record, so that a small file costs no record of its own. The list is a record, too, encrypted like any other,
//! and says where in which pack each file is. It begins with a label and the number of packs:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 17 | `"isthmus/folder/v3"` |
//! | 17 | 4 | number of packs |
//!
//! One entry per pack follows, in the order of their keys, each key once:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 32 | key of the pack's record |
//! | 32 | 32 | identifier of the pack, from which its owner derives the key |
//! | 64 | 4 | epoch of the pack's record |
//! | 68 | 8 | length of the pack |
//!
//! Then follows one entry per file and per empty folder, as in a [folder's list](crate::folder) with two fields in place
//! of the record's key:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 2 | length of the path, *p*, at most 4096 |
//! | 2 | *p* | path in UTF-8 |
//! | 2 + *p* | 1 | flags: 1 if the file is executable, 2 if it is an empty folder, else 0 |
//! | 3 + *p* | 8 | length of the file; 0 for a folder |
//! | 11 + *p* | 4 | number of the file's pack, from 0 on; 0 for a folder and an empty file |
//! | 15 + *p* | 8 | offset of the file in the pack; 0 for a folder and an empty file |
//! | 23 + *p* | 32 | SHA-256 of the file's bytes; zeros for a folder |
//!
//! Integers are big-endian. Each pack has a file. Files may share bytes of a pack, and bytes of a pack may belong to no
//! file any more.

use crate::{
	folder::{field, Beginning, File, FolderError, Order, MAX_LENGTH},
	ids::{Epoch, RecordKey},
};
use alloc::{vec, vec::Vec};

/// The first bytes of every list of a packed folder: the format and its version.
pub const LABEL: &[u8; 17] = b"isthmus/folder/v3";
/// The length of a pack's entry.
const PACK: usize = 32 + 32 + 4 + 8;
/// The length of a file's entry without its path.
const ENTRY: usize = 2 + 1 + 8 + 4 + 8 + 32;

/// A record that contains files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
	/// The key of the record.
	pub key: RecordKey,
	/// What the pack was made of: its owner derives the record's key from it.
	pub id: [u8; 32],
	/// The epoch in which the record is stored.
	pub epoch: Epoch,
	/// The length of its value in bytes.
	pub length: u64,
}

/// A file in a packed folder, or an empty folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
	/// The file. Its key is that of its pack's record; an empty file has none, like a folder.
	pub file: File,
	/// The number of its pack.
	pub pack: u32,
	/// Where it begins in the pack, in bytes.
	pub offset: u64,
}

/// The list of a packed folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
	/// The packs, in the order of their keys.
	pub packs: Vec<Pack>,
	/// The files and the empty folders, in the order of their paths.
	pub files: Vec<Packed>,
}

/// Rejects a file that is not within its pack. Notes that the pack has one.
fn check_part(packs: &[Pack], used: &mut [bool], packed: &Packed) -> Result<(), FolderError> {
	let Packed { file, pack, offset } = packed;
	let outside = || FolderError::Outside(file.path.clone());
	if file.length == 0 {
		let is_nowhere = *pack == 0 && *offset == 0 && file.key == RecordKey::zero();
		return is_nowhere.then_some(()).ok_or_else(outside);
	}
	let number = *pack as usize;
	let there = packs.get(number).ok_or_else(outside)?;
	let end = offset.checked_add(file.length).ok_or_else(outside)?;
	if end > there.length || file.key != there.key {
		return Err(outside());
	}
	if let Some(used) = used.get_mut(number) {
		*used = true;
	}
	Ok(())
}

/// Rejects packs that are out of order.
fn check_packs(packs: &[Pack]) -> Result<(), FolderError> {
	match packs.is_sorted_by(|a, b| a.key < b.key) {
		true => Ok(()),
		false => Err(FolderError::PackOrder),
	}
}

/// Rejects packs that no file is in.
fn check_used(used: &[bool]) -> Result<(), FolderError> {
	match used.iter().all(|used| *used) {
		true => Ok(()),
		false => Err(FolderError::PackUnused),
	}
}

/// Writes the list of a packed folder.
///
/// # Errors
///
/// Returns [`FolderError::PackOrder`] or [`FolderError::PackUnused`] if the packs are not as a list has them,
/// [`FolderError::Outside`] if a file is not within its pack, [`FolderError::TooLong`] if the list would be too long, and the
/// errors of [`folder::to_bytes`](crate::folder::to_bytes).
pub fn to_bytes(list: &List) -> Result<Vec<u8>, FolderError> {
	let List { packs, files } = list;
	let count = u32::try_from(packs.len()).map_err(|_| FolderError::TooLong)?;
	if packs.len() > MAX_LENGTH / PACK {
		return Err(FolderError::TooLong);
	}
	check_packs(packs)?;
	let mut bytes = LABEL.to_vec();
	bytes.extend(count.to_be_bytes());
	for pack in packs {
		bytes.extend(pack.key.0);
		bytes.extend(pack.id);
		bytes.extend(pack.epoch.to_be_bytes());
		bytes.extend(pack.length.to_be_bytes());
	}
	let mut used = vec![false; packs.len()];
	let mut order = Order::default();
	for packed in files {
		let Packed { file, pack, offset } = packed;
		order.next(file)?;
		check_part(packs, &mut used, packed)?;
		file.begin(&mut bytes, ENTRY)?;
		bytes.extend(pack.to_be_bytes());
		bytes.extend(offset.to_be_bytes());
		bytes.extend(file.hash);
	}
	check_used(&used)?;
	Ok(bytes)
}

/// Reads a pack's entry.
fn pack_in(bytes: &[u8]) -> Result<(Pack, &[u8]), FolderError> {
	let (key, rest) = field::<32>(bytes)?;
	let (id, rest) = field(rest)?;
	let (epoch, rest) = field(rest)?;
	let (length, rest) = field(rest)?;
	let pack = Pack {
		key: key.into(),
		id,
		epoch: Epoch::from_be_bytes(epoch),
		length: u64::from_be_bytes(length),
	};
	Ok((pack, rest))
}

/// Reads a file's entry.
fn file_in<'a>(bytes: &'a [u8], packs: &[Pack]) -> Result<(Packed, &'a [u8]), FolderError> {
	let (beginning, rest) = Beginning::read(bytes)?;
	let (pack, rest) = field(rest)?;
	let (offset, rest) = field(rest)?;
	let (hash, rest) = field(rest)?;
	let pack = u32::from_be_bytes(pack);
	let key = match packs.get(pack as usize) {
		Some(there) if beginning.length > 0 => there.key,
		_ => RecordKey::zero(),
	};
	let file = beginning.file(key, hash)?;
	let offset = u64::from_be_bytes(offset);
	Ok((Packed { file, pack, offset }, rest))
}

/// Reads the list of a packed folder.
///
/// # Errors
///
/// Returns a [`FolderError`] for anything that [`to_bytes`] does not write. It never returns
/// [`FolderError::TooLong`]: the caller must bound the length before reading.
pub fn from_bytes(bytes: &[u8]) -> Result<List, FolderError> {
	let rest = bytes.strip_prefix(LABEL).ok_or(FolderError::NotAFolder)?;
	let (count, mut rest) = field(rest)?;
	let mut list = List::default();
	// The count is what a stranger wrote: no memory is taken for it before the entries are seen.
	for _ in 0..u32::from_be_bytes(count) {
		let (pack, after) = pack_in(rest)?;
		list.packs.push(pack);
		rest = after;
	}
	check_packs(&list.packs)?;
	let mut used = vec![false; list.packs.len()];
	let mut order = Order::default();
	while !rest.is_empty() {
		let (packed, after) = file_in(rest, &list.packs)?;
		order.next(&packed.file)?;
		check_part(&list.packs, &mut used, &packed)?;
		list.files.push(packed);
		rest = after;
	}
	check_used(&used)?;
	Ok(list)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::test::{bytes, hash, list, vectors};
	use alloc::{format, string::String};
	use proptest::prelude::*;

	fn pack(number: u8, length: u64) -> Pack {
		Pack {
			key: [number; 32].into(),
			id: [number + 100; 32],
			epoch: number.into(),
			length,
		}
	}

	fn packed(path: &str, length: u64, pack: u32, offset: u64) -> Packed {
		let key = match length {
			0 => RecordKey::zero(),
			_ => [pack as u8 + 1; 32].into(),
		};
		let file = File {
			path: path.into(),
			executable: path.ends_with(".sh"),
			folder: false,
			length,
			key,
			hash: [8; 32],
		};
		Packed { file, pack, offset }
	}

	/// Two packs, of which one has bytes that belong to no file and bytes that belong to two.
	fn sample() -> List {
		let empty = File::empty_folder("c".into());
		List {
			packs: vec![pack(1, 30), pack(2, u64::MAX)],
			files: vec![
				packed("a", 10, 0, 0),
				packed("a.sh", 10, 0, 20),
				packed("b/again", 10, 0, 20),
				packed("b/empty", 0, 0, 0),
				Packed {
					file: empty,
					pack: 0,
					offset: 0,
				},
				packed("d", u64::MAX, 1, 0),
			],
		}
	}

	#[test]
	fn a_list_is_read_as_it_was_written() {
		for list in [List::default(), sample()] {
			let bytes = to_bytes(&list).unwrap();
			assert_eq!(from_bytes(&bytes), Ok(list));
		}
		let bytes = to_bytes(&sample()).unwrap();
		for cut in 0..bytes.len() {
			assert!(from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
		}
	}

	#[test]
	fn a_file_is_within_its_pack() {
		let outside = |change: &dyn Fn(&mut Packed)| {
			let mut list = sample();
			change(&mut list.files[0]);
			let path = list.files[0].file.path.clone();
			assert_eq!(to_bytes(&list), Err(FolderError::Outside(path)));
		};
		outside(&|file| file.pack = 2);
		outside(&|file| file.offset = 21);
		outside(&|file| file.offset = u64::MAX);
		outside(&|file| file.file.length = 31);
		outside(&|file| file.file.key = [2; 32].into());
		outside(&|file| file.file.length = 0);
	}

	#[test]
	fn packs_are_in_order_and_used() {
		let mut list = sample();
		list.packs.swap(0, 1);
		assert_eq!(to_bytes(&list), Err(FolderError::PackOrder));
		list.packs[1] = list.packs[0].clone();
		assert_eq!(to_bytes(&list), Err(FolderError::PackOrder));
		let mut list = sample();
		list.files.pop();
		assert_eq!(to_bytes(&list), Err(FolderError::PackUnused));
	}

	/// A list of strangers that would keep its reader busy for minutes.
	#[test]
	fn a_deep_list_is_refused_by_name() {
		let deep = ["a"; 2000].join("/");
		let mut list = List {
			packs: Vec::new(),
			files: vec![packed(&deep, 0, 0, 0)],
		};
		assert_eq!(to_bytes(&list), Err(FolderError::TooDeep(deep.clone())));
		let entry = [
			&(deep.len() as u16).to_be_bytes()[..],
			deep.as_bytes(),
			&[0; 53],
		];
		let bytes = [&LABEL[..], &[0; 4], &entry.concat()].concat();
		assert_eq!(from_bytes(&bytes), Err(FolderError::TooDeep(deep)));
		// A path as deep as it may be, many times, is read.
		let deep = ["a"; 255].join("/");
		let paths = (0..2000).map(|number| format!("{deep}/{number:04}"));
		list.files = paths.map(|path| packed(&path, 0, 0, 0)).collect();
		let bytes = to_bytes(&list).unwrap();
		assert_eq!(from_bytes(&bytes), Ok(list));
	}

	#[test]
	fn many_packs_that_are_not_there_take_no_memory() {
		let bytes = [&LABEL[..], &[0xff; 4]].concat();
		assert_eq!(from_bytes(&bytes), Err(FolderError::Length));
	}

	fn of_vector(case: &serde_json::Value) -> List {
		let number = |value: &serde_json::Value| value.as_u64().unwrap();
		let packs: Vec<Pack> = list(&case["packs"])
			.iter()
			.map(|pack| Pack {
				key: hash(&pack["key"]).into(),
				id: hash(&pack["id"]),
				epoch: number(&pack["epoch"]) as u32,
				length: number(&pack["length"]),
			})
			.collect();
		let files = list(&case["files"]).iter().map(|file| {
			let (length, at) = (number(&file["length"]), number(&file["pack"]) as u32);
			Packed {
				file: File {
					path: file["path"].as_str().unwrap().into(),
					executable: file["executable"].as_bool().unwrap(),
					folder: file["folder"].as_bool().unwrap(),
					length,
					key: match length {
						0 => RecordKey::zero(),
						_ => packs[at as usize].key,
					},
					hash: hash(&file["hash"]),
				},
				pack: at,
				offset: number(&file["offset"]),
			}
		});
		let files = files.collect();
		List { packs, files }
	}

	#[test]
	fn the_vectors_pass() {
		let vectors = vectors("client/envelope/vectors-files.json");
		for case in list(&vectors["packedFolders"]) {
			let list = of_vector(case);
			assert_eq!(to_bytes(&list), Ok(bytes(&case["bytes"])));
			assert_eq!(from_bytes(&bytes(&case["bytes"])), Ok(list));
		}
		for case in list(&vectors["refusedPackedFolders"]) {
			let error = format!("{:?}", from_bytes(&bytes(&case["bytes"])).unwrap_err());
			let name = case["error"].as_str().unwrap();
			assert!(error.starts_with(name), "{}: {error}", case["case"]);
		}
	}

	proptest! {
		/// Checks that no bytes make the reader panic. If it accepts them, writing the list again yields the same bytes.
		#[test]
		fn any_bytes_are_read_or_rejected(
			files in prop::collection::vec(("[a-c/.]{0,4}", 0..3u8, 0..4u64, 0..3u32, 0..4u64), 0..4),
			packs in prop::collection::vec((0..3u8, 0..9u64), 0..3),
			noise in prop::collection::vec(any::<u8>(), 0..3),
		) {
			let mut bytes = [&LABEL[..], &(packs.len() as u32).to_be_bytes()].concat();
			for (key, length) in packs {
				bytes.extend([key; 68]);
				bytes.extend(length.to_be_bytes());
			}
			for (path, flags, length, pack, offset) in files {
				let path: String = path;
				bytes.extend((path.len() as u16).to_be_bytes());
				bytes.extend(path.as_bytes());
				bytes.push(flags);
				bytes.extend(length.to_be_bytes());
				bytes.extend(pack.to_be_bytes());
				bytes.extend(offset.to_be_bytes());
				bytes.extend([0; 32]);
			}
			bytes.extend(noise);
			if let Ok(list) = from_bytes(&bytes) {
				prop_assert_eq!(to_bytes(&list), Ok(bytes));
			}
		}

		#[test]
		fn any_noise_is_read_or_rejected(noise in prop::collection::vec(any::<u8>(), 0..200)) {
			let bytes = [&LABEL[..], &noise].concat();
			if let Ok(list) = from_bytes(&bytes) {
				prop_assert_eq!(to_bytes(&list), Ok(bytes));
			}
		}
	}
}
