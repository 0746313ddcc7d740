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
//! No path leads through another entry.
//!
//! The list binds the files' contents, so it is a snapshot: a reader notices a file that was stored again under the
//! same key, and a file that it has already needs no fetching.

use crate::{ids::RecordKey, text::is_format};
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// The first bytes of every list: the format and its version.
pub const LABEL: &[u8; 17] = b"isthmus/folder/v2";
/// The maximum length of a file's path, in bytes.
pub const MAX_PATH: usize = 4096;
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

impl AsRef<File> for File {
	fn as_ref(&self) -> &File {
		self
	}
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

	pub(crate) fn flags(&self) -> u8 {
		let of = |is_set, flag| if is_set { flag } else { 0 };
		of(self.executable, EXECUTABLE) | of(self.folder, FOLDER)
	}

	/// Sets what an entry's flags say.
	///
	/// # Errors
	///
	/// Returns [`FolderError::Flags`] if there are others.
	pub(crate) fn flagged(mut self, flags: u8) -> Result<Self, FolderError> {
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
	match good {
		true => Ok(()),
		false => Err(FolderError::Path(path.to_owned())),
	}
}

/// Rejects an entry that cannot follow the others, which are in order.
pub(crate) fn check_next<Entry: AsRef<File>>(
	files: &[Entry],
	next: &File,
) -> Result<(), FolderError> {
	check_path(&next.path)?;
	let is_late = |last: &Entry| last.as_ref().path >= next.path;
	if files.last().is_some_and(is_late) {
		return Err(FolderError::Order(next.path.clone()));
	}
	if !next.is_consistent() {
		return Err(FolderError::Flags(next.path.clone()));
	}
	let is_entry = |path: &str| {
		let found = files.binary_search_by(|file| file.as_ref().path.as_str().cmp(path));
		found.is_ok()
	};
	let mut parents = next.path.match_indices('/').map(|(at, _)| &next.path[..at]);
	match parents.any(is_entry) {
		true => Err(FolderError::Inside(next.path.clone())),
		false => Ok(()),
	}
}

/// Writes the list of a folder's files, which must be sorted by the bytes of their paths.
///
/// # Errors
///
/// Returns [`FolderError::Path`] if a path cannot be in a folder, [`FolderError::Order`] if the files are
/// not sorted or a path occurs twice, [`FolderError::Inside`] if a path leads through another entry, and
/// [`FolderError::TooLong`] if the list would be too long.
pub fn to_bytes(files: &[File]) -> Result<Vec<u8>, FolderError> {
	let mut bytes = LABEL.to_vec();
	for (before, file) in files.iter().enumerate() {
		check_next(&files[..before], file)?;
		if bytes.len() + ENTRY + file.path.len() > MAX_LENGTH {
			return Err(FolderError::TooLong);
		}
		// The length is at most MAX_PATH, so it fits in 16 bits.
		bytes.extend((file.path.len() as u16).to_be_bytes());
		bytes.extend(file.path.as_bytes());
		bytes.push(file.flags());
		bytes.extend(file.length.to_be_bytes());
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
	while !rest.is_empty() {
		let (path, after) = path_in(rest)?;
		let (flags, after) = after.split_first().ok_or(FolderError::Length)?;
		let (length, after) = after.split_first_chunk::<8>().ok_or(FolderError::Length)?;
		let (key, after) = after.split_first_chunk::<32>().ok_or(FolderError::Length)?;
		let (hash, after) = after.split_first_chunk::<32>().ok_or(FolderError::Length)?;
		rest = after;
		let file = File {
			path: text(path)?,
			executable: false,
			folder: false,
			length: u64::from_be_bytes(*length),
			key: (*key).into(),
			hash: *hash,
		};
		let file = file.flagged(*flags)?;
		check_next(&files, &file)?;
		files.push(file);
	}
	Ok(files)
}

/// Splits the path of an entry from what follows it.
///
/// # Errors
///
/// Returns [`FolderError::Length`] if the bytes end within it.
pub(crate) fn path_in(entry: &[u8]) -> Result<(&[u8], &[u8]), FolderError> {
	let (length, after) = entry.split_first_chunk::<2>().ok_or(FolderError::Length)?;
	after
		.split_at_checked(u16::from_be_bytes(*length).into())
		.ok_or(FolderError::Length)
}

/// Returns a path as text.
///
/// # Errors
///
/// Returns [`FolderError::Path`] if it is not UTF-8.
pub(crate) fn text(path: &[u8]) -> Result<String, FolderError> {
	let text = core::str::from_utf8(path);
	text.map(ToOwned::to_owned)
		.map_err(|_| FolderError::Path(String::from_utf8_lossy(path).into_owned()))
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

	proptest! {
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
