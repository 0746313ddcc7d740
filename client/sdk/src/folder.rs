//! A folder on the chain: each file a record of its own, and one record that names them all. It is
//! encrypted like any other, so that names, sizes and the shape of the tree are the readers' alone. The
//! layout is in `docs/formats.md`.

use crate::types::RecordKey;

/// The first bytes of every folder: what this is, and its version.
pub const LABEL: &[u8; 17] = b"isthmus/folder/v1";
/// The most bytes that a file's path may have.
pub const MAX_PATH: usize = 4096;
/// The most bytes that a folder may have, which bounds what a reader keeps in memory.
pub const MAX_LENGTH: usize = 256 << 20;
/// Bytes of an entry besides its path.
const ENTRY: usize = 2 + 1 + 8 + 32;
/// Set where the file is a program.
const EXECUTABLE: u8 = 1;

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
	/// Where in the folder it is: names with `/` between them, none of them empty, `.` or `..`, and no
	/// `\` or control character in them.
	pub path: String,
	/// Whether it is a program.
	pub executable: bool,
	/// How many bytes it has.
	pub length: u64,
	/// The key of its record.
	pub key: RecordKey,
}

/// Why bytes are no folder, or a path cannot be in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
	/// They do not begin as a folder does.
	#[error("the record is no folder")]
	NotAFolder,
	/// They end within an entry, or go on after the last.
	#[error("the folder is cut short, or something follows it")]
	Length,
	/// A path leads out of the folder, or to a place that not every system has.
	#[error(
		"the path {0:?} cannot be in a folder: it has to lead to a file inside it, without a \\ or a \
		 control character in it, in at most {MAX_PATH} bytes"
	)]
	Path(String),
	/// Two files have the same path, or they are not in order.
	#[error("the path {0:?} is twice in the folder, or not in order")]
	Order(String),
	/// Too many files.
	#[error("the folder's list of files would be longer than {MAX_LENGTH} bytes")]
	TooLong,
	/// A flag is not known here.
	#[error("the file {0:?} is of a kind that is not known here")]
	Flags(String),
}

/// Refuses a path that would lead elsewhere than into the folder.
fn check_path(path: &str) -> Result<(), FolderError> {
	let good = path.len() <= MAX_PATH
		&& path.split('/').all(|name| !matches!(name, "" | "." | ".."))
		&& !path.contains(|c: char| c == '\\' || c.is_control());
	match good {
		true => Ok(()),
		false => Err(FolderError::Path(path.to_owned())),
	}
}

/// Writes a folder down. The files come in the order of their paths' bytes.
///
/// # Errors
///
/// [`FolderError::Path`], [`FolderError::Order`] and [`FolderError::TooLong`].
pub fn to_bytes(files: &[File]) -> Result<Vec<u8>, FolderError> {
	let mut bytes = LABEL.to_vec();
	let mut last: Option<&str> = None;
	for file in files {
		check_path(&file.path)?;
		if last.is_some_and(|last| last >= file.path.as_str()) {
			return Err(FolderError::Order(file.path.clone()));
		}
		last = Some(&file.path);
		if bytes.len() + ENTRY + file.path.len() > MAX_LENGTH {
			return Err(FolderError::TooLong);
		}
		// At most MAX_PATH, so the conversion keeps every bit.
		bytes.extend((file.path.len() as u16).to_be_bytes());
		bytes.extend(file.path.as_bytes());
		bytes.push(if file.executable { EXECUTABLE } else { 0 });
		bytes.extend(file.length.to_be_bytes());
		bytes.extend(file.key.0);
	}
	Ok(bytes)
}

/// Reads a folder.
///
/// # Errors
///
/// [`FolderError`] for anything that [`to_bytes`] does not write.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<File>, FolderError> {
	let mut rest = bytes.strip_prefix(LABEL).ok_or(FolderError::NotAFolder)?;
	let mut files: Vec<File> = Vec::new();
	while !rest.is_empty() {
		let (length, after) = rest.split_first_chunk::<2>().ok_or(FolderError::Length)?;
		let (path, after) = after
			.split_at_checked(u16::from_be_bytes(*length).into())
			.ok_or(FolderError::Length)?;
		let (flags, after) = after.split_first().ok_or(FolderError::Length)?;
		let (length, after) = after.split_first_chunk::<8>().ok_or(FolderError::Length)?;
		let (key, after) = after.split_first_chunk::<32>().ok_or(FolderError::Length)?;
		rest = after;
		let path = std::str::from_utf8(path)
			.map_err(|_| FolderError::Path(String::from_utf8_lossy(path).into_owned()))?
			.to_owned();
		check_path(&path)?;
		if files.last().is_some_and(|last| last.path >= path) {
			return Err(FolderError::Order(path));
		}
		if *flags & !EXECUTABLE != 0 {
			return Err(FolderError::Flags(path));
		}
		files.push(File {
			path,
			executable: *flags == EXECUTABLE,
			length: u64::from_be_bytes(*length),
			key: (*key).into(),
		});
	}
	Ok(files)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn file(path: &str) -> File {
		File {
			path: path.into(),
			executable: path.ends_with(".sh"),
			length: path.len() as u64,
			key: [7; 32].into(),
		}
	}

	fn entry(path: &[u8], flags: u8) -> Vec<u8> {
		let length = (path.len() as u16).to_be_bytes();
		[&length[..], path, &[flags], &[0; 40]].concat()
	}

	#[test]
	fn a_folder_is_read_as_it_was_written() {
		for paths in [&[][..], &["a"], &["a/b.sh", "a/c", "ä", "…/x"]] {
			let mut files: Vec<File> = paths.iter().map(|path| file(path)).collect();
			files.sort_by(|a, b| a.path.cmp(&b.path));
			let bytes = to_bytes(&files).unwrap();
			assert_eq!(
				bytes.len(),
				17 + files.iter().map(|f| ENTRY + f.path.len()).sum::<usize>()
			);
			assert_eq!(from_bytes(&bytes), Ok(files));
			for end in 18..bytes.len().min(60) {
				if end != bytes.len() {
					assert_eq!(from_bytes(&bytes[..end]), Err(FolderError::Length));
				}
			}
		}
	}

	#[test]
	fn paths_that_lead_elsewhere_are_refused() {
		for path in [
			"", "/etc", "a//b", "..", "a/../b", "./a", "a/", "a\0", "a\\b", "a\nb", "a\x1b[2J",
			"a\u{85}",
		] {
			let refused = FolderError::Path(path.into());
			assert_eq!(to_bytes(&[file(path)]), Err(refused.clone()));
			let bytes = [&LABEL[..], &entry(path.as_bytes(), 0)].concat();
			assert_eq!(from_bytes(&bytes), Err(refused));
		}
	}

	#[test]
	fn the_vectors_pass() {
		use serde_json::Value;
		let vectors: Value =
			serde_json::from_str(include_str!("../../envelope/vectors-files.json")).unwrap();
		let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
		for case in vectors["folders"].as_array().unwrap() {
			let files: Vec<File> = case["files"]
				.as_array()
				.unwrap()
				.iter()
				.map(|file| File {
					path: file["path"].as_str().unwrap().into(),
					executable: file["executable"].as_bool().unwrap(),
					length: file["length"].as_u64().unwrap(),
					key: RecordKey::from_slice(&bytes(&file["key"])),
				})
				.collect();
			assert_eq!(to_bytes(&files), Ok(bytes(&case["bytes"])));
			assert_eq!(from_bytes(&bytes(&case["bytes"])), Ok(files));
		}
		for case in vectors["refusedFolders"].as_array().unwrap() {
			let error = format!("{:?}", from_bytes(&bytes(&case["bytes"])).unwrap_err());
			let name = case["error"].as_str().unwrap();
			assert!(error.starts_with(name), "{}: {error}", case["case"]);
		}
	}

	#[test]
	fn what_is_no_folder_is_refused() {
		assert_eq!(
			from_bytes(b"isthmus/folder/v2"),
			Err(FolderError::NotAFolder)
		);
		let twice = [&LABEL[..], &entry(b"a", 0), &entry(b"a", 0)].concat();
		assert_eq!(from_bytes(&twice), Err(FolderError::Order("a".into())));
		assert_eq!(
			to_bytes(&[file("b"), file("a")]),
			Err(FolderError::Order("a".into()))
		);
		let flags = [&LABEL[..], &entry(b"a", 2)].concat();
		assert_eq!(from_bytes(&flags), Err(FolderError::Flags("a".into())));
	}
}
