// SPDX-License-Identifier: Apache-2.0
//! Errors of files and folders that are stored or fetched.

use super::{
	is_too_long, missing_hint,
	sdk::{OTHER_NAME, STEADY},
	Error, Hint, Kind, DELETED,
};
use isthmus_sdk::{folder::FolderError, FetchError, NotFetched, QueryRefusal, UploadFolderError};
use std::{
	io::{self, ErrorKind},
	path::PathBuf,
};

impl From<UploadFolderError> for Error {
	fn from(error: UploadFolderError) -> Self {
		let listing = error.listing();
		let error = match error {
			UploadFolderError::Client(error) => error.into(),
			// It was there when the folder was looked at.
			UploadFolderError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
				Self::file(&path, &source).hint(STEADY)
			}
			UploadFolderError::Io { path, source } => Self::file(&path, &source),
			UploadFolderError::Changed { key, .. } => Self {
				hints: vec![Hint::remove(OTHER_FOLDER, Some(key))],
				..Self::failed(error)
			},
			UploadFolderError::ChangedWhileRead(_) => Self::failed(error).hint(STEADY),
			UploadFolderError::Deleted(_) => Self::failed(error).hint(DELETED),
			UploadFolderError::Names(_) => Self::failed(error).hint(OTHER_NAMES),
			UploadFolderError::Unreadable(ref files) if files.iter().any(is_denied) => {
				Self::failed(error).hint(ONLY_READABLE)
			}
			UploadFolderError::Unreadable(ref files) if files.iter().any(is_too_deep) => {
				Self::failed(error).hint(SHORTER_PATH)
			}
			UploadFolderError::Unreadable(ref files) if !files.iter().all(is_missing) => {
				Self::failed(error).hint(THE_OTHERS)
			}
			// All of them are gone, or never were there.
			UploadFolderError::Unreadable(ref files) => {
				let hint = files.iter().find_map(|(path, _)| missing_hint(path));
				let failed = Self::failed(error);
				match hint {
					Some(hint) => failed.hint(hint),
					None => failed,
				}
			}
			UploadFolderError::NotAFolder(_) => {
				Self::failed(error).hint("one file, or a stream, is stored with `isthmus store`")
			}
			UploadFolderError::NotPacked { key } => Self {
				hints: vec![Hint::remove(OTHER_NAME, Some(key))],
				..Self::refused(error)
			},
			UploadFolderError::Differs { .. } => {
				Self::refused(error).hint("store what has changed: isthmus sync FOLDER")
			}
			UploadFolderError::Emptied => {
				Self::failed(error).hint("if all of them are to go, pass --allow-empty")
			}
			UploadFolderError::OtherDataset { dataset } => {
				Self::refused(error).hint(format!("name it: --dataset {dataset}"))
			}
			error => Self::failed(error),
		};
		error.listing_all(listing)
	}
}

impl From<FetchError> for Error {
	fn from(error: FetchError) -> Self {
		match error {
			FetchError::Client(error) => error.into(),
			FetchError::File { path, source } => {
				let mut error = Self::from(source);
				error.message = format!("{path}: {}", error.message);
				error
			}
			FetchError::Io { path, source }
				if is_of_name(&source) && !is_too_long(&path, &source) =>
			{
				Self::file(&path, &source).hint(OTHER_DISK)
			}
			FetchError::Io { path, source } => Self::file(&path, &source),
			FetchError::Exists(_) => Self::failed(error)
				.hint("choose another --output, or replace the file with --force"),
			FetchError::Differs(_) => Self::failed(error)
				.hint("choose another --output, or replace files that differ with --force"),
			FetchError::NotAFile(_) | FetchError::NotAFolder(_) => {
				Self::failed(error).hint("choose another --output")
			}
			FetchError::Foreign(_) => {
				Self::failed(error).hint("remove what is in the way, or choose another --output")
			}
			FetchError::List(FolderError::NotAFolder) => Self::usage(error).hint(AS_A_FILE),
			FetchError::IsAFolder(_) => Self::usage(error)
				.hint("name one of its files, as --file FOLDER/FILE, or fetch all files with --folder"),
			FetchError::ListTooLong => Self::new(Kind::NotAuthentic, error)
				.hint(format!("a record of this length is not a folder: {AS_A_FILE}")),
			FetchError::List(_) => Self::new(Kind::NotAuthentic, error)
				.hint("fetch the record's bytes as they are with --raw"),
			FetchError::TooManyCopies { .. } => Self::failed(error)
				.hint("if you trust its owner, choose an --output on a disk with more space, or fetch single files with --file PATH"),
			FetchError::NoSpace { .. } => {
				Self::failed(error).hint("choose an --output on a disk with more space")
			}
			FetchError::Incomplete { failed, files } => incomplete(failed, files),
			FetchError::NoSuchFile(_) => Self::refused(error)
				.hint("list its files: isthmus list files RECORD --owner OWNER"),
			FetchError::WrongLength(_)
			| FetchError::CompressedFile(_)
			| FetchError::NotListed(_) => {
				Self::new(Kind::NotAuthentic, error)
			}
			error => Self::failed(error),
		}
	}
}

/// Names the files of a folder that were not fetched. The code is that of the first one, unless bytes are wrong.
fn incomplete(failed: Vec<NotFetched>, files: usize) -> Error {
	let mut lines = Vec::new();
	let mut hints = Vec::new();
	let mut kind = None;
	for NotFetched { paths, error } in failed {
		let is_gone = matches!(&error, FetchError::Client(error) if error.query_refusal() == Some(QueryRefusal::UnknownRecord));
		let is_in_the_way = matches!(&error, FetchError::NotAFile(_) | FetchError::NotAFolder(_));
		let has_appeared = matches!(&error, FetchError::Exists(_));
		let error = match Error::from(error) {
			error if is_gone => error
				.hint("ask the owner to store the folder again: the record of a file was removed"),
			error if is_in_the_way => error.hint(IN_THE_WAY),
			// It was not there when it was looked for.
			error if has_appeared => error.hint("another program writes files there: let it end"),
			error => error,
		};
		kind = match error.kind {
			Kind::NotAuthentic => Some(Kind::NotAuthentic),
			first => kind.or(Some(first)),
		};
		let line = |path: &String| format!("{path}: {}", error.message());
		lines.extend(paths.iter().map(line));
		for hint in error.hints {
			if !hints.contains(&hint) && hints.len() < MOST_HINTS {
				hints.push(hint);
			}
		}
	}
	let failed = lines.len();
	let error = Error {
		hints,
		..Error::new(
			kind.unwrap_or(Kind::Failed),
			format!("{failed} of {} not fetched", were(files)),
		)
	};
	error
		.listing(lines)
		.also("the same command again fetches only what is missing")
}

/// Returns whether this user may not read a file.
fn is_denied((_, error): &(PathBuf, io::Error)) -> bool {
	error.kind() == ErrorKind::PermissionDenied
}

/// Returns whether a file is gone, or never was there.
fn is_missing((_, error): &(PathBuf, io::Error)) -> bool {
	error.kind() == ErrorKind::NotFound
}

/// Returns whether a file cannot be read because its whole path is too long: its folder lists its name.
fn is_too_deep((_, error): &(PathBuf, io::Error)) -> bool {
	error.kind() == ErrorKind::InvalidFilename
}

/// Returns whether a file system may not have such a name.
fn is_of_name(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		ErrorKind::InvalidInput | ErrorKind::InvalidFilename
	)
}

/// Returns a number of files with the verb.
fn were(files: usize) -> String {
	match files {
		1 => "1 file was".into(),
		files => format!("{files} files were"),
	}
}

/// The hint for what is in the way of a folder's files or folders, and stays there.
const IN_THE_WAY: &str =
	"choose another --output, or move away what is there: --force replaces only files by files";

/// How many hints are shown about files that were not fetched.
const MOST_HINTS: usize = 3;

/// The hint for a record that is not a folder.
const AS_A_FILE: &str = "fetch it as one file: isthmus fetch OWNER RECORD --output FILE";

/// The hint for names that cannot be in a folder.
const OTHER_NAMES: &str =
	"rename them, leave them out with --exclude, or store an archive: tar c FOLDER | isthmus store - --name NAME";

/// The hint for files of a folder that this user may not read.
const ONLY_READABLE: &str = "let this user read them, or leave them out with --exclude";

/// The hint for files of a folder whose whole paths are too long.
const SHORTER_PATH: &str =
	"from the root on, their paths are longer than the system takes: move the folder to a shorter one, or leave these out with --exclude";

/// The hint for files of a folder that the disk does not give.
const THE_OTHERS: &str =
	"see whether the disk is faulty; to store the others, leave these out with --exclude";

/// The hint for a name that a file system does not take.
const OTHER_DISK: &str =
	"the file system there may not take such a name: choose an --output on another one";

/// The same for a file of a folder.
const OTHER_FOLDER: &str =
	"store the folder under another --name, or remove the file's record first: ";
