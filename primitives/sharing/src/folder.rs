// SPDX-License-Identifier: Apache-2.0
//! Reads and writes the list of a folder's files. To share a folder, its owner stores each file as a record
//! of its own, and the list as one more record. The list is encrypted like any other record, so only readers
//! see the names, the sizes and the shape of the folder tree. It begins with a label:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 17 | `"isthmus/folder/v2"` |
//!
//! The label is followed by one entry per file and per empty folder, sorted by the bytes of their paths:
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 2 | length of the path, *p*, at most 4096; big-endian |
//! | 2 | *p* | path in UTF-8: names separated by `/`, none of them empty, `.` or `..`; no `\`, no `:`, no control characters and none that hide or reverse text |
//! | 2 + *p* | 1 | flags: 1 if the file is executable, 2 if it is an empty folder, else 0 |
//! | 3 + *p* | 8 | length of the file; big-endian. 0 for a folder |
//! | 11 + *p* | 32 | key of the file's record. Zeros for a folder, which has none |
//! | 43 + *p* | 32 | SHA-256 of the file's bytes. Zeros for a folder |
//!
//! No path leads through another entry. A path has at most 256 names, and all paths together lead through at most 2^20
//! folders, so that a list that a stranger made is checked, and its folders are made, in a time that its length bounds.
//!
//! The list binds the files' contents, so it is a snapshot: a reader notices a file that was stored again under the
//! same key, and a file that it has already needs no fetching.

use crate::{ids::RecordKey, text::is_format};
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// The first bytes of every list: the format and its version.
pub const LABEL: &[u8; 17] = b"isthmus/folder/v2";
/// The maximum length of a file's path, in bytes.
pub const MAX_PATH: usize = 4096;
/// The maximum number of names in a path: deeper than folders are in practice. Making a folder takes longer the deeper it is.
pub const MAX_DEPTH: usize = 256;
/// The maximum number of folders that the paths of a list lead through. An entry of 100 bytes can name 50 new ones, which a
/// reader has to make on its disk.
pub const MAX_FOLDERS: usize = 1 << 20;
/// The maximum length of a list, in bytes: 256 MiB. This bounds how much memory a reader needs.
pub const MAX_LENGTH: usize = 256 << 20;
/// The length of an entry without its path.
const ENTRY: usize = 2 + 1 + 8 + 32 + 32;
/// The flag of an executable file.
const EXECUTABLE: u8 = 1;
/// The flag of an empty folder.
const FOLDER: u8 = 2;

/// A file in a folder, or an empty folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
	/// Its path in the folder: names separated by `/`, none of them empty, `.` or `..`, without `\`, `:`, control
	/// characters and [those](is_format) that hide or reverse text.
	pub path: String,
	/// Whether it is executable.
	pub executable: bool,
	/// Whether it is an empty folder. It has no record: its length is 0, and its key and hash are zero.
	pub folder: bool,
	/// Its length in bytes.
	pub length: u64,
	/// The key of its record.
	pub key: RecordKey,
	/// SHA-256 of its bytes.
	pub hash: [u8; 32],
}

/// Why bytes are not a list of files, or why a list cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
	/// The bytes do not begin with [`LABEL`].
	#[error("the record is not a folder")]
	NotAFolder,
	/// The bytes end within an entry.
	#[error("the folder's list of files is cut short, or something follows it")]
	Length,
	/// A path leads out of the folder, or is not valid on every system.
	#[error(
		"the path {0:?} cannot be in a folder: it must lead to a file inside it, have no \\, no : and no control \
		 or invisible character, and at most {MAX_PATH} bytes"
	)]
	Path(String),
	/// A path has more than [`MAX_DEPTH`] names.
	#[error("the path {0:?} has more than {MAX_DEPTH} names")]
	TooDeep(String),
	/// The paths lead through more than [`MAX_FOLDERS`] folders.
	#[error("the folder has more than {MAX_FOLDERS} folders in it")]
	TooManyFolders,
	/// Two files have the same path, or the files are not in order.
	#[error("the path {0:?} is in the folder twice, or out of order")]
	Order(String),
	/// The list would be longer than [`MAX_LENGTH`].
	#[error("the folder's list of files would be longer than {MAX_LENGTH} bytes")]
	TooLong,
	/// A path leads through a file, or through a folder that is said to be empty.
	#[error("the path {0:?} is inside something that is a file or empty")]
	Inside(String),
	/// An entry has unknown flags, or those of a folder and what only a file has.
	#[error("the file {0:?} is of an unknown kind")]
	Flags(String),
	/// The keys of a [packed](crate::packed) folder's packs are out of order, or one is there twice.
	#[error("the folder's packs are out of order, or one is listed twice")]
	PackOrder,
	/// A packed folder lists a pack of which no file is a part.
	#[error("the folder lists a pack that none of its files is in")]
	PackUnused,
	/// A file of a packed folder is not within one of its packs.
	#[error("the file {0:?} is not in the pack that the folder's list names")]
	Outside(String),
}

impl File {
	/// Returns the entry of an empty folder.
	pub fn empty_folder(path: String) -> Self {
		Self {
			path,
			executable: false,
			folder: true,
			length: 0,
			key: RecordKey::zero(),
			hash: [0; 32],
		}
	}

	fn flags(&self) -> u8 {
		let of = |is_set, flag| if is_set { flag } else { 0 };
		of(self.executable, EXECUTABLE) | of(self.folder, FOLDER)
	}

	/// Appends the beginning of an entry, which all lists share: the path, the flags and the length. `entry` is the length of
	/// the entry without its path.
	///
	/// # Errors
	///
	/// Returns [`FolderError::TooLong`] if the list would be longer than [`MAX_LENGTH`] with this entry.
	pub(crate) fn begin(&self, bytes: &mut Vec<u8>, entry: usize) -> Result<(), FolderError> {
		let length = bytes.len().saturating_add(entry);
		if length.saturating_add(self.path.len()) > MAX_LENGTH {
			return Err(FolderError::TooLong);
		}
		// The length is at most MAX_PATH, so it fits in 16 bits.
		bytes.extend((self.path.len() as u16).to_be_bytes());
		bytes.extend(self.path.as_bytes());
		bytes.push(self.flags());
		bytes.extend(self.length.to_be_bytes());
		Ok(())
	}

	/// Sets what an entry's flags say.
	///
	/// # Errors
	///
	/// Returns [`FolderError::Flags`] if there are others.
	fn flagged(mut self, flags: u8) -> Result<Self, FolderError> {
		if flags & !(EXECUTABLE | FOLDER) != 0 {
			return Err(FolderError::Flags(self.path));
		}
		self.executable = flags & EXECUTABLE != 0;
		self.folder = flags & FOLDER != 0;
		Ok(self)
	}

	/// Returns whether an empty folder has nothing that only a file has.
	fn is_consistent(&self) -> bool {
		!self.folder || *self == Self::empty_folder(self.path.clone())
	}
}

/// Rejects a path that does not lead to a file in the folder.
fn check_path(path: &str) -> Result<(), FolderError> {
	let good = path.len() <= MAX_PATH
		&& path.split('/').all(|name| !matches!(name, "" | "." | ".."))
		&& !path.contains(|c: char| matches!(c, '\\' | ':') || c.is_control() || is_format(c));
	if !good {
		return Err(FolderError::Path(path.to_owned()));
	}
	match path.split('/').count() > MAX_DEPTH {
		true => Err(FolderError::TooDeep(path.to_owned())),
		false => Ok(()),
	}
}

/// Checks the entries of a list one after the other. The time that this takes grows with the length of the list alone.
///
/// What is sorted between `a` and `a/b` begins with `a`. So an entry can only be inside those that the path before it begins
/// with, and it is enough to remember these, by their lengths.
#[derive(Default)]
pub(crate) struct Order {
	/// The path of the last entry; empty before the first one.
	last: String,
	/// The lengths of the paths of entries that the last path begins with, itself included, in ascending order.
	beginnings: Vec<usize>,
	/// How many folders the paths lead through.
	folders: usize,
}

impl Order {
	/// Rejects an entry that cannot follow those before it.
	pub(crate) fn next(&mut self, next: &File) -> Result<(), FolderError> {
		let path = next.path.as_str();
		check_path(path)?;
		if self.last.as_str() >= path {
			return Err(FolderError::Order(path.to_owned()));
		}
		if !next.is_consistent() {
			return Err(FolderError::Flags(path.to_owned()));
		}
		let pairs = self.last.bytes().zip(path.bytes());
		let common = pairs.take_while(|(last, next)| last == next).count();
		let kept = self.beginnings.partition_point(|length| *length <= common);
		self.beginnings.truncate(kept);
		let is_parent = |length: &usize| path.as_bytes().get(*length) == Some(&b'/');
		if self.beginnings.iter().any(is_parent) {
			return Err(FolderError::Inside(path.to_owned()));
		}
		// Those that the last path leads through are counted already.
		let new = path.bytes().skip(common).filter(|byte| *byte == b'/');
		self.folders = self.folders.saturating_add(new.count());
		if self.folders > MAX_FOLDERS {
			return Err(FolderError::TooManyFolders);
		}
		self.beginnings.push(path.len());
		self.last.clear();
		self.last.push_str(path);
		Ok(())
	}
}

/// Writes the list of a folder's files, which must be sorted by the bytes of their paths.
///
/// # Errors
///
/// Returns [`FolderError::Path`] or [`FolderError::TooDeep`] if a path cannot be in a folder, [`FolderError::Order`] if the
/// files are not sorted or a path occurs twice, [`FolderError::Inside`] if a path leads through another entry, and
/// [`FolderError::TooManyFolders`] or [`FolderError::TooLong`] if the list would be too long.
pub fn to_bytes(files: &[File]) -> Result<Vec<u8>, FolderError> {
	let mut bytes = LABEL.to_vec();
	let mut order = Order::default();
	for file in files {
		order.next(file)?;
		file.begin(&mut bytes, ENTRY)?;
		bytes.extend(file.key.0);
		bytes.extend(file.hash);
	}
	Ok(bytes)
}

/// Reads the list of a folder's files.
///
/// # Errors
///
/// Returns a [`FolderError`] for anything that [`to_bytes`] does not write. It never returns
/// [`FolderError::TooLong`]: the caller must bound the length before reading.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<File>, FolderError> {
	let mut rest = bytes.strip_prefix(LABEL).ok_or(FolderError::NotAFolder)?;
	let mut files: Vec<File> = Vec::new();
	let mut order = Order::default();
	while !rest.is_empty() {
		let (beginning, after) = Beginning::read(rest)?;
		let (key, after) = field::<32>(after)?;
		let (hash, after) = field(after)?;
		let file = beginning.file(key.into(), hash)?;
		order.next(&file)?;
		files.push(file);
		rest = after;
	}
	Ok(files)
}

/// The beginning of an entry, as [`File::begin`] writes it.
pub(crate) struct Beginning<'a> {
	path: &'a [u8],
	flags: u8,
	/// The length of the file in bytes.
	pub(crate) length: u64,
}

impl<'a> Beginning<'a> {
	/// Splits the beginning of an entry from what follows it.
	///
	/// # Errors
	///
	/// Returns [`FolderError::Length`] if the bytes end within it.
	pub(crate) fn read(entry: &'a [u8]) -> Result<(Self, &'a [u8]), FolderError> {
		let (length, rest) = field(entry)?;
		let (path, rest) = rest
			.split_at_checked(u16::from_be_bytes(length).into())
			.ok_or(FolderError::Length)?;
		let ([flags], rest) = field(rest)?;
		let (length, rest) = field(rest)?;
		let length = u64::from_be_bytes(length);
		Ok((
			Self {
				path,
				flags,
				length,
			},
			rest,
		))
	}

	/// Returns the file.
	///
	/// # Errors
	///
	/// Returns [`FolderError::Path`] if the path is not UTF-8, and [`FolderError::Flags`] if there are unknown flags.
	pub(crate) fn file(self, key: RecordKey, hash: [u8; 32]) -> Result<File, FolderError> {
		let not_text = |_| FolderError::Path(String::from_utf8_lossy(self.path).into_owned());
		let file = File {
			path: core::str::from_utf8(self.path)
				.map_err(not_text)?
				.to_owned(),
			executable: false,
			folder: false,
			length: self.length,
			key,
			hash,
		};
		file.flagged(self.flags)
	}
}

/// Splits a field of a known length from what follows it.
///
/// # Errors
///
/// Returns [`FolderError::Length`] if the bytes end within it.
pub(crate) fn field<const LENGTH: usize>(
	bytes: &[u8],
) -> Result<([u8; LENGTH], &[u8]), FolderError> {
	let (field, rest) = bytes
		.split_first_chunk::<LENGTH>()
		.ok_or(FolderError::Length)?;
	Ok((*field, rest))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::test::{bytes, hash, list, vectors};
	use proptest::prelude::*;

	fn file(path: &str) -> File {
		File {
			path: path.into(),
			executable: path.ends_with(".sh"),
			folder: false,
			length: path.len() as u64,
			key: [7; 32].into(),
			hash: [8; 32],
		}
	}

	fn entry(path: &[u8], flags: u8) -> Vec<u8> {
		let length = (path.len() as u16).to_be_bytes();
		[&length[..], path, &[flags], &[0; 72]].concat()
	}

	#[test]
	fn a_folder_is_read_as_it_was_written() {
		for paths in [&[][..], &["a"], &["a/b.sh", "a/c", "ä", "…/x"]] {
			let mut files: Vec<File> = paths.iter().map(|path| file(path)).collect();
			files.sort_by(|a, b| a.path.cmp(&b.path));
			let bytes = to_bytes(&files).unwrap();
			// A list that is cut off at the end of an entry is a valid list of the files up to there.
			let mut end = 17;
			let mut ends = vec![end];
			for file in &files {
				end += ENTRY + file.path.len();
				ends.push(end);
			}
			assert_eq!(bytes.len(), end);
			for cut in 17..=bytes.len() {
				let expected = match ends.iter().position(|end| *end == cut) {
					Some(count) => Ok(files[..count].to_vec()),
					None => Err(FolderError::Length),
				};
				assert_eq!(from_bytes(&bytes[..cut]), expected, "cut at {cut}");
			}
		}
	}

	#[test]
	fn paths_that_lead_elsewhere_are_rejected() {
		for path in [
			"",
			"/etc",
			"a//b",
			"..",
			"a/../b",
			"./a",
			"a/",
			"a\0",
			"a\\b",
			"a\nb",
			"a\x1b[2J",
			"a\u{85}",
			"C:x",
			"a/b:stream",
			"\u{202e}fdp.exe",
			"\u{feff}a",
			"a\u{200b}",
			"a\u{ad}b",
			"a\u{2028}",
		] {
			let refused = FolderError::Path(path.into());
			assert_eq!(to_bytes(&[file(path)]), Err(refused.clone()));
			let bytes = [&LABEL[..], &entry(path.as_bytes(), 0)].concat();
			assert_eq!(from_bytes(&bytes), Err(refused));
		}
	}

	#[test]
	fn the_vectors_pass() {
		// The vectors are in the envelope's folder, because its tests in Rust and JavaScript read the same
		// file.
		let vectors = vectors("client/envelope/vectors-files.json");
		for case in list(&vectors["folders"]) {
			let files: Vec<File> = list(&case["files"])
				.iter()
				.map(|file| File {
					path: file["path"].as_str().unwrap().into(),
					executable: file["executable"].as_bool().unwrap(),
					folder: file["folder"].as_bool().unwrap(),
					length: file["length"].as_u64().unwrap(),
					key: hash(&file["key"]).into(),
					hash: hash(&file["hash"]),
				})
				.collect();
			assert_eq!(to_bytes(&files), Ok(bytes(&case["bytes"])));
			assert_eq!(from_bytes(&bytes(&case["bytes"])), Ok(files));
		}
		for case in list(&vectors["refusedFolders"]) {
			let error = format!("{:?}", from_bytes(&bytes(&case["bytes"])).unwrap_err());
			let name = case["error"].as_str().unwrap();
			assert!(error.starts_with(name), "{}: {error}", case["case"]);
		}
	}

	#[test]
	fn what_is_not_a_folder_is_rejected() {
		assert_eq!(
			from_bytes(b"isthmus/folder/v1"),
			Err(FolderError::NotAFolder)
		);
		let twice = [&LABEL[..], &entry(b"a", 0), &entry(b"a", 0)].concat();
		assert_eq!(from_bytes(&twice), Err(FolderError::Order("a".into())));
		assert_eq!(
			to_bytes(&[file("b"), file("a")]),
			Err(FolderError::Order("a".into()))
		);
		for flags in [3, 4] {
			let flags = [&LABEL[..], &entry(b"a", flags)].concat();
			assert_eq!(from_bytes(&flags), Err(FolderError::Flags("a".into())));
		}
	}

	#[test]
	fn an_empty_folder_is_an_entry_without_a_record() {
		let folder = File::empty_folder("a/b".into());
		let bytes = [&LABEL[..], &entry(b"a/b", 2)].concat();
		assert_eq!(to_bytes(std::slice::from_ref(&folder)), Ok(bytes.clone()));
		assert_eq!(from_bytes(&bytes), Ok(vec![folder.clone()]));
		let refused = Err(FolderError::Flags("a/b".into()));
		for odd in [
			File {
				length: 1,
				..folder.clone()
			},
			File {
				key: [1; 32].into(),
				..folder.clone()
			},
			File {
				hash: [1; 32],
				..folder
			},
		] {
			assert_eq!(to_bytes(&[odd]), refused);
		}
	}

	#[test]
	fn nothing_is_inside_a_file_or_an_empty_folder() {
		let inside = |path: &str| Err(FolderError::Inside(path.into()));
		assert_eq!(
			to_bytes(&[file("a"), file("a.b"), file("a/b")]),
			inside("a/b")
		);
		let folder = File::empty_folder("a".into());
		assert_eq!(to_bytes(&[folder, file("a/b/c")]), inside("a/b/c"));
		let bytes = [&LABEL[..], &entry(b"a", 0), &entry(b"a/b", 0)].concat();
		assert_eq!(from_bytes(&bytes), Err(FolderError::Inside("a/b".into())));
		assert!(to_bytes(&[file("a.b"), file("a/b"), file("ab")]).is_ok());
	}

	/// Returns whether a path leads through another entry, or is there twice, in the plainest way.
	fn is_inside(paths: &[String], path: &str) -> bool {
		let mut entries = paths.iter();
		entries.any(|entry| path == entry || path.starts_with(&format!("{entry}/")))
	}

	#[test]
	fn a_path_that_is_too_deep_is_refused_by_name() {
		let deep = |names: usize| vec!["a"; names].join("/");
		assert!(to_bytes(&[file(&deep(MAX_DEPTH))]).is_ok());
		let path = deep(MAX_DEPTH + 1);
		let refused = FolderError::TooDeep(path.clone());
		assert_eq!(to_bytes(&[file(&path)]), Err(refused.clone()));
		let bytes = [&LABEL[..], &entry(path.as_bytes(), 0)].concat();
		assert_eq!(from_bytes(&bytes), Err(refused));
	}

	#[test]
	fn a_list_of_too_many_folders_is_refused_by_name() {
		// Each of these paths leads through 255 folders of its own.
		let deep = ["a"; MAX_DEPTH - 2].join("/");
		let paths = (0..).map(|number| format!("{number:06}/{deep}/a"));
		let fits = MAX_FOLDERS / (MAX_DEPTH - 1);
		let files: Vec<File> = paths.take(fits + 1).map(|path| file(&path)).collect();
		assert!(to_bytes(&files[..fits]).is_ok());
		assert_eq!(to_bytes(&files), Err(FolderError::TooManyFolders));
	}

	/// A list in which each path begins with all paths before it, and each could lie in each: looking up every folder above
	/// every entry takes a time that grows with the square of the list's length.
	#[test]
	fn an_entry_inside_another_one_is_found_behind_many_that_begin_alike() {
		let mut files: Vec<File> = (1..=2000).map(|length| file(&"x".repeat(length))).collect();
		let folder = "x".repeat(1500);
		let behind = format!("{}y/z", "x".repeat(1999));
		files.push(file(&behind));
		assert!(to_bytes(&files).is_ok());
		files.truncate(1500);
		files.extend((0..2000).map(|number| file(&format!("{folder}!{number:04}"))));
		assert!(to_bytes(&files).is_ok());
		let inside = format!("{folder}/a");
		files.push(file(&inside));
		assert_eq!(to_bytes(&files), Err(FolderError::Inside(inside)));
	}

	proptest! {
		/// Checks the order of entries against the plainest way to check it.
		#[test]
		fn what_is_inside_another_entry_is_found(
			mut paths in prop::collection::vec("[ab!]{1,2}(/[ab!]{1,2}){0,3}", 0..12),
		) {
			paths.sort();
			paths.dedup();
			let files: Vec<File> = paths.iter().map(|path| file(path)).collect();
			let first = (0..paths.len()).find(|at| is_inside(&paths[..*at], &paths[*at]));
			let expected = match first {
				Some(at) => Err(FolderError::Inside(paths[at].clone())),
				None => Ok(()),
			};
			prop_assert_eq!(to_bytes(&files).map(|_| ()), expected);
		}

		/// Checks that no bytes make the reader panic, because a stranger may store any bytes as a folder. If
		/// it accepts them, writing the list again yields the same bytes.
		#[test]
		fn any_bytes_are_read_or_rejected(entries in prop::collection::vec(
			("[a-c/.]{0,4}", 0..3u8, prop::array::uniform8(any::<u8>())), 0..4,
		), cut in 0..100usize) {
			let mut bytes = LABEL.to_vec();
			for (path, flags, length) in &entries {
				let entry = entry(path.as_bytes(), *flags);
				bytes.extend(&entry[..3 + path.len()]);
				bytes.extend(length);
				bytes.extend([0; 64]);
			}
			bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(60)));
			if let Ok(files) = from_bytes(&bytes) {
				prop_assert_eq!(to_bytes(&files), Ok(bytes));
			}
		}

		#[test]
		fn any_noise_is_read_or_rejected(noise in prop::collection::vec(any::<u8>(), 0..200)) {
			prop_assert!(from_bytes(&noise).is_err());
			let bytes = [&LABEL[..], &noise].concat();
			if let Ok(files) = from_bytes(&bytes) {
				prop_assert_eq!(to_bytes(&files), Ok(bytes));
			}
		}
	}
}
