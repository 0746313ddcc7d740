// SPDX-License-Identifier: Apache-2.0
//! Fetches a folder: first its list of files, then each file that is missing.

mod failures;
mod packed_files;
pub(crate) mod place;
mod records;

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	fetch_file::{is_folder, is_packed_folder, target, FetchError},
	folder::{self, packed},
	overlap,
	progress::Progress,
	reading::Reading,
	types::{AccountId, RecordKey},
};
use packed_files::Fetch;
use place::private_folder;
pub use place::FetchedFolder;
use records::Records;
use std::{
	io::{ErrorKind, Write},
	path::Path,
};

/// A file of a stored folder, or an empty folder in it, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
	/// The file. Its key is that of the record with its bytes. An empty file of a packed folder is in no pack, and so a part of
	/// the list.
	pub file: folder::File,
	/// Where it begins in its record, if the folder is packed; else the record is the file.
	pub offset: Option<u64>,
}

/// A folder's list.
enum Listing {
	/// Each file is a record.
	Records(Vec<folder::File>),
	/// The files are in packs.
	Packed(packed::List),
}

impl Listing {
	/// Fetches and reads a list.
	async fn read(list: &Reading, progress: &mut impl Progress) -> Result<Self, FetchError> {
		if list.length() > folder::MAX_LENGTH as u64 {
			return Err(FetchError::ListTooLong);
		}
		let mut bytes = Vec::new();
		list.run(&mut bytes, 0, progress).await?;
		Ok(match bytes.starts_with(packed::LABEL) {
			true => Self::Packed(packed::from_bytes(&bytes)?),
			false => Self::Records(folder::from_bytes(&bytes)?),
		})
	}

	/// Returns the file at a path, and where it begins in its record.
	///
	/// # Errors
	///
	/// Returns [`FetchError::NoSuchFile`] if there is nothing, and [`FetchError::IsAFolder`] if there is a folder.
	fn find(&self, path: &str) -> Result<(&folder::File, u64), FetchError> {
		let found = match self {
			Self::Records(files) => files
				.iter()
				.find(|file| file.path == path)
				.map(|file| (file, 0)),
			Self::Packed(list) => {
				let mut files = list.files.iter();
				let found = files.find(|packed| packed.file.path == path);
				found.map(|packed| (&packed.file, packed.offset))
			}
		};
		match found.filter(|(file, _)| !file.folder) {
			Some(found) => Ok(found),
			None if self.has_folder(path) => Err(FetchError::IsAFolder(path.to_owned())),
			None => Err(FetchError::NoSuchFile(path.to_owned())),
		}
	}

	/// Returns the files, and the empty folders. `list` is the key of the list's record.
	fn listed(self, list: RecordKey) -> Vec<Listed> {
		match self {
			Self::Records(files) => {
				let record = |file| Listed { file, offset: None };
				files.into_iter().map(record).collect()
			}
			Self::Packed(packed) => {
				let part = |packed: packed::Packed| {
					let mut file = packed.file;
					if file.length == 0 && !file.folder {
						file.key = list;
					}
					let offset = Some(packed.offset);
					Listed { file, offset }
				};
				packed.files.into_iter().map(part).collect()
			}
		}
	}

	/// Returns whether a path is that of a folder: an empty one, or one with files.
	fn has_folder(&self, path: &str) -> bool {
		let path = path.trim_end_matches('/');
		let is_in = |file: &folder::File| match file.path.strip_prefix(path) {
			Some("") => file.folder,
			Some(rest) => rest.starts_with('/'),
			None => false,
		};
		match self {
			Self::Records(files) => files.iter().any(is_in),
			Self::Packed(list) => list.files.iter().any(|packed| is_in(&packed.file)),
		}
	}
}

/// Returns the files of a folder, and the empty folders in it, as its list has them. `list` is the opened record that lists
/// them. Nothing of the files themselves is fetched.
///
/// # Errors
///
/// Returns [`FetchError::List`] or [`FetchError::ListTooLong`] if the record is not a folder's list, and the errors of
/// [`Reading::run`].
pub async fn list_files(
	list: &Reading,
	progress: &mut impl Progress,
) -> Result<Vec<folder::File>, FetchError> {
	Ok(match Listing::read(list, progress).await? {
		Listing::Records(files) => files,
		Listing::Packed(list) => list.files.into_iter().map(|packed| packed.file).collect(),
	})
}

/// Returns the files of a folder, packed or not, and where their bytes are, so that parts of them can be read; `None` if the
/// record is not a folder. Of an object that is not one, at most a MiB is fetched.
///
/// # Errors
///
/// Returns [`FetchError::List`] if the list is damaged, and the errors of [`Reading::run`].
pub async fn listed(record: &Reading) -> Result<Option<Vec<Listed>>, FetchError> {
	let is_short = record.length() <= folder::MAX_LENGTH as u64;
	if !is_short || !(is_folder(record).await? || is_packed_folder(record).await?) {
		return Ok(None);
	}
	let listing = Listing::read(record, &mut ()).await?;
	Ok(Some(listing.listed(record.key())))
}

/// Fetches a folder's list. Returns one of its files, and where that begins in its record.
async fn file_in(
	list: &Reading,
	path: &str,
	progress: &mut impl Progress,
) -> Result<(folder::File, u64), FetchError> {
	let listing = Listing::read(list, progress).await?;
	let (file, offset) = listing.find(path)?;
	Ok((file.clone(), offset))
}

/// Fetches one file of a folder into a local file. `list` is the opened record that lists the folder's files. Of a pack,
/// only the part with the file is fetched. If `replace` is set, a file that is there is replaced as
/// [`FetchFile::replace`](crate::FetchFile::replace) says.
///
/// # Errors
///
/// Returns [`FetchError::List`] if the record is not a folder's list, [`FetchError::NoSuchFile`] or
/// [`FetchError::IsAFolder`] if it has no such file, [`FetchError::NotListed`] if the bytes are not what the list says, and the errors of [`FetchFile::run`](crate::FetchFile::run).
pub async fn fetch_file_of(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	(list, path): (&Reading, &str),
	output: &Path,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<FetchedFolder, FetchError> {
	let output = &target(output, replace)?;
	overlap::check_file(output, &list.locations()).map_err(Error::from)?;
	let (file, offset) = file_in(list, path, progress).await?;
	let fetch = Fetch::new(client, reader, owner, replace);
	fetch.one(&file, offset, output, progress).await?;
	Ok(FetchedFolder {
		files: 1,
		bytes: file.length,
	})
}

/// Fetches one file of a folder and writes its bytes to something that stays, as [`fetch_file_of`] writes them to a local
/// file. Only bytes that were checked against the chain are written, even if an error follows. Those of a file of up to
/// 16 MiB are also compared with the folder's list before they are written, and those of a longer one after that.
///
/// # Errors
///
/// Returns the errors of [`fetch_file_of`] that are not about a local file, and [`Error::Io`] in
/// [`FetchError::Client`] if the bytes cannot be written.
pub async fn write_file_of(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	(list, path): (&Reading, &str),
	out: &mut impl Write,
	progress: &mut impl Progress,
) -> Result<(), FetchError> {
	let (file, offset) = file_in(list, path, progress).await?;
	let fetch = Fetch::new(client, reader, owner, false);
	fetch.one_to(&file, offset, out, progress).await
}

/// Creates the folder to fetch into, unless it is there.
fn make_output(output: &Path) -> Result<(), FetchError> {
	let created = private_folder().recursive(true).create(output);
	created.map_err(|error| match error.kind() {
		ErrorKind::AlreadyExists => FetchError::NotAFolder(output.to_owned()),
		_ => FetchError::io(output)(error),
	})
}

/// Fetches the files of a folder into a local folder. `list` is the opened record that lists them. Existing
/// files with the right bytes are not fetched again, and others are replaced if `replace` is set; interrupted
/// downloads are resumed. A file that cannot be fetched does not stop the others.
///
/// # Errors
///
/// Returns [`Error::Overlap`] in [`FetchError::Client`] if a file would be written into a location of the dataset's
/// objects, [`FetchError::List`] if the record is not a folder's list, [`FetchError::NotAFolder`] if a file is where
/// the folder has to be, and the errors of [`FetchFile::run`](crate::FetchFile::run) that are about more than one file,
/// for example about the connection, a full disk, or an output that cannot be written to. Returns
/// [`FetchError::Incomplete`] with the errors about single files when all others are there: [`FetchError::Differs`] if
/// a file exists with different bytes and is not replaced, [`FetchError::NotAFile`] if something else is where a file
/// has to be, [`FetchError::NotAFolder`] if a link or a file is where a folder has to be, and the other errors of
/// [`FetchFile::run`](crate::FetchFile::run).
pub async fn fetch_folder(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	list: &Reading,
	output: &Path,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<FetchedFolder, FetchError> {
	overlap::check_file(output, &list.locations()).map_err(Error::from)?;
	let files = match Listing::read(list, progress).await? {
		Listing::Packed(listed) => {
			let paths = listed.files.iter().map(|packed| packed.file.path.as_str());
			overlap::check_output(output, paths, &list.locations()).map_err(Error::from)?;
			make_output(output)?;
			let fetch = Fetch::new(client, reader, owner, replace);
			let hash = list.content_hash();
			return fetch.all(&listed, &hash, output, progress).await;
		}
		Listing::Records(files) => files,
	};
	make_output(output)?;
	let of = (client, reader, owner);
	Records::new(of, output, replace)
		.all(&files, progress)
		.await
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_empty_file_of_a_packed_folder_is_a_part_of_the_list() {
		let file = |path: &str, length: u64, key: [u8; 32]| folder::File {
			folder: false,
			length,
			key: key.into(),
			..folder::File::empty_folder(path.into())
		};
		let packed = |file: folder::File, offset| packed::Packed {
			file,
			pack: 0,
			offset,
		};
		let empty_folder = folder::File::empty_folder("c".into());
		let files = vec![
			packed(file("a", 4, [1; 32]), 7),
			packed(file("b", 0, [0; 32]), 0),
			packed(empty_folder.clone(), 0),
		];
		let packs = Vec::new();
		let listing = Listing::Packed(packed::List { packs, files });
		let part = |file, offset| Listed {
			file,
			offset: Some(offset),
		};
		let expected = [
			part(file("a", 4, [1; 32]), 7),
			part(file("b", 0, [9; 32]), 0),
			part(empty_folder, 0),
		];
		assert_eq!(listing.listed([9; 32].into()), expected);
		let records = Listing::Records(vec![file("a", 4, [1; 32])]);
		let record = Listed {
			file: file("a", 4, [1; 32]),
			offset: None,
		};
		assert_eq!(records.listed([9; 32].into()), [record]);
	}
}
