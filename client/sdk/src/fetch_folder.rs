// SPDX-License-Identifier: Apache-2.0
//! Fetches a folder: first its list of files, then each file that is missing.

mod packed_files;

use crate::{
	account::Identity,
	client::Client,
	fetch_file::{FetchError, FetchFile},
	folder::{self, packed},
	progress::Progress,
	reading::Reading,
	stamp::Stamp,
	types::AccountId,
};
use packed_files::Fetch;
use std::{
	fs,
	io::ErrorKind,
	path::{Component, Path, PathBuf},
};

/// A folder that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedFolder {
	/// The number of files.
	pub files: usize,
	/// The total size of the files in bytes.
	pub bytes: u64,
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

	/// Returns the file at a path, and where it begins in its record; `None` if there is none.
	fn find(&self, path: &str) -> Option<(&folder::File, u64)> {
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
		found.filter(|(file, _)| !file.folder)
	}
}

/// Fetches one file of a folder into a local file. `list` is the opened record that lists the folder's files. Of a pack,
/// only the part with the file is fetched.
///
/// # Errors
///
/// Returns [`FetchError::List`] if the record is not a folder's list, [`FetchError::NoSuchFile`] if it has no such file,
/// [`FetchError::NotListed`] if the bytes are not what the list says, and the errors of [`FetchFile::run`].
pub async fn fetch_file_of(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	(list, path): (&Reading, &str),
	output: &Path,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<FetchedFolder, FetchError> {
	let listing = Listing::read(list, progress).await?;
	let (file, offset) = listing
		.find(path)
		.ok_or_else(|| FetchError::NoSuchFile(path.to_owned()))?;
	let fetch = Fetch {
		client,
		reader,
		owner,
		replace,
	};
	fetch.one(file, offset, output, progress).await?;
	Ok(FetchedFolder {
		files: 1,
		bytes: file.length,
	})
}

/// Creates the folder to fetch into, unless it is there.
fn make_output(output: &Path) -> Result<(), FetchError> {
	fs::create_dir_all(output).map_err(|error| match error.kind() {
		ErrorKind::AlreadyExists => FetchError::NotAFolder(output.to_owned()),
		_ => FetchError::io(output)(error),
	})
}

/// Fetches the files of a folder into a local folder. `list` is the opened record that lists them. Existing
/// files with the right bytes are not fetched again, and others are replaced if `replace` is set; interrupted
/// downloads are resumed.
///
/// # Errors
///
/// Returns [`FetchError::List`] if the record is not a folder's list, [`FetchError::Differs`] if a file
/// exists with different bytes and is not replaced, [`FetchError::NotAFile`] if something else is where a file has to be,
/// [`FetchError::NotAFolder`] if a link or a file is where a folder has to be, and the errors of [`FetchFile::run`].
pub async fn fetch_folder(
	client: &Client,
	reader: &Identity,
	owner: &AccountId,
	list: &Reading,
	output: &Path,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<FetchedFolder, FetchError> {
	let files = match Listing::read(list, progress).await? {
		Listing::Packed(listed) => {
			make_output(output)?;
			let fetch = Fetch {
				client,
				reader,
				owner,
				replace,
			};
			let hash = list.content_hash();
			return fetch.all(&listed, &hash, output, progress).await;
		}
		Listing::Records(files) => files,
	};
	make_output(output)?;
	for file in &files {
		progress.file(&file.path);
		let path = place(output, &file.path)?;
		let Some(differs) = is_missing(&path, file, replace)? else {
			continue;
		};
		let reading = Reading::open(client, reader, owner, file.key)
			.await
			.map_err(FetchError::of_file(&file.path))?;
		if reading.length() != file.length {
			return Err(FetchError::WrongLength(file.path.clone()));
		}
		FetchFile::new(&reading, &path)
			.part_in(output)
			.executable(file.executable)
			.replace(differs)
			.expecting(file.hash)
			.run(progress)
			.await?;
	}
	Ok(FetchedFolder {
		files: files.iter().filter(|file| !file.folder).count(),
		bytes: files.iter().map(|file| file.length).sum(),
	})
}

/// Makes an empty folder of a list, and looks at a file: returns `None` if it has the right bytes, and otherwise whether
/// another file is there.
///
/// # Errors
///
/// Returns [`FetchError::Differs`] if another file is there and may not be replaced.
fn is_missing(
	path: &Path,
	listed: &folder::File,
	replace: bool,
) -> Result<Option<bool>, FetchError> {
	if listed.folder {
		make_folder(path)?;
		return Ok(None);
	}
	let differs = exists(path)?;
	match differs && is_fetched(path, listed)? {
		true => Ok(None),
		false if differs && !replace => Err(FetchError::Differs(path.to_owned())),
		false => Ok(Some(differs)),
	}
}

/// Returns whether a regular file exists. Anything else there is an error: a link could lead elsewhere, and
/// opening a FIFO waits for another program.
fn exists(path: &Path) -> Result<bool, FetchError> {
	match fs::symlink_metadata(path) {
		Ok(there) if there.is_file() => Ok(true),
		Ok(_) => Err(FetchError::NotAFile(path.to_owned())),
		Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
		Err(error) => Err(FetchError::io(path)(error)),
	}
}

/// Returns whether a file contains what the folder's list says.
fn is_fetched(path: &Path, listed: &folder::File) -> Result<bool, FetchError> {
	let Ok((file, stamp)) = Stamp::open(path) else {
		return Ok(false);
	};
	let hash = || folder::content_hash(&file).map_err(FetchError::io(path));
	Ok(stamp.length() == listed.length && hash()? == listed.hash)
}

/// Returns the local path for a folder's file, and creates the folders along it. None of them may be a link,
/// because a link could lead elsewhere.
pub(crate) fn place(output: &Path, path: &str) -> Result<PathBuf, FetchError> {
	let mut at = output.to_owned();
	let mut names = path.split('/').peekable();
	while let Some(name) = names.next() {
		// On some systems a name such as `C:x` is more than a name, and leads elsewhere.
		let mut parts = Path::new(name).components();
		if !matches!(
			(parts.next(), parts.next()),
			(Some(Component::Normal(_)), None)
		) {
			return Err(FetchError::Name(path.to_owned()));
		}
		at.push(name);
		if names.peek().is_none() {
			break;
		}
		make_folder(&at)?;
	}
	Ok(at)
}

/// Creates a folder, unless it is there.
pub(crate) fn make_folder(at: &Path) -> Result<(), FetchError> {
	match fs::symlink_metadata(at) {
		Ok(there) if there.is_dir() => Ok(()),
		Ok(_) => Err(FetchError::NotAFolder(at.to_owned())),
		Err(_) => match fs::create_dir(at) {
			// Another program that fetches the same folder was faster.
			Err(error) if error.kind() == ErrorKind::AlreadyExists => make_folder(at),
			created => created.map_err(FetchError::io(at)),
		},
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[cfg(unix)]
	#[test]
	fn only_a_regular_file_is_compared() {
		use std::os::unix::{fs::symlink, net::UnixListener};
		let folder = tempfile::tempdir().unwrap();
		let at = |name: &str| folder.path().join(name);
		assert!(!exists(&at("missing")).unwrap());
		fs::write(at("file"), "").unwrap();
		assert!(exists(&at("file")).unwrap());
		symlink("file", at("link")).unwrap();
		symlink("missing", at("dangling")).unwrap();
		let _socket = UnixListener::bind(at("socket")).unwrap();
		fs::create_dir(at("folder")).unwrap();
		for name in ["link", "dangling", "socket", "folder"] {
			let refused = exists(&at(name));
			assert!(matches!(refused, Err(FetchError::NotAFile(_))), "{name}");
		}
	}

	#[cfg(unix)]
	#[test]
	fn a_link_does_not_lead_out_of_the_folder() {
		let folder = tempfile::tempdir().unwrap();
		let out = folder.path().join("out");
		fs::create_dir(&out).unwrap();
		std::os::unix::fs::symlink(folder.path(), out.join("link")).unwrap();
		let refused = place(&out, "link/file");
		assert!(matches!(refused, Err(FetchError::NotAFolder(_))));
		assert_eq!(place(&out, "a/b/file").unwrap(), out.join("a/b/file"));
		assert!(out.join("a/b").is_dir());
	}
}
