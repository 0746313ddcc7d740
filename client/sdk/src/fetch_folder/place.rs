// SPDX-License-Identifier: Apache-2.0
//! Where the files of a folder are written, and what is there.

use crate::{
	fetch_file::FetchError,
	folder,
	progress::{Progress, Stage, Telling},
	stamp::Stamp,
};
use isthmus_envelope::{input, on_disk};
use std::{
	fs::{self, DirBuilder},
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

/// Makes an empty folder of a list, and looks at a file: returns `None` if it has the right bytes, and otherwise whether
/// another file is there. If files may be replaced, one with the right bytes becomes executable or not, as the list says.
///
/// # Errors
///
/// Returns [`FetchError::Differs`] if another file is there and may not be replaced, and [`FetchError::Io`] if that cannot be read, or
/// made executable.
pub(super) fn is_missing(
	path: &Path,
	listed: &folder::File,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<Option<bool>, FetchError> {
	if listed.folder {
		make_folder(path)?;
		return Ok(None);
	}
	let differs = exists(path)?;
	let is_fetched = match differs {
		true => is_fetched(path, listed, progress),
		false => Ok(false),
	};
	let is_fetched = match is_fetched {
		// What cannot be read can still be replaced.
		Err(_) if replace => false,
		is_fetched => is_fetched?,
	};
	match is_fetched {
		true => {
			if replace {
				let set = |file: fs::File| on_disk::set_executable(&file, listed.executable);
				input::open(path)
					.and_then(set)
					.map_err(FetchError::io(path))?;
			}
			Ok(None)
		}
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

/// Returns whether a file contains what the folder's list says. A long one takes a while.
fn is_fetched(
	path: &Path,
	listed: &folder::File,
	progress: &mut impl Progress,
) -> Result<bool, FetchError> {
	let (file, stamp) = Stamp::open(path).map_err(FetchError::io(path))?;
	let telling = Telling::new(&file, Stage::Checking, listed.length, progress);
	let hash = || folder::content_hash(telling).map_err(FetchError::io(path));
	Ok(stamp.length() == listed.length && hash()? == listed.hash)
}

/// Returns the local path for a folder's file, and creates the folders along it. None of them may be a link,
/// because a link could lead elsewhere.
pub(crate) fn place(output: &Path, path: &str) -> Result<PathBuf, FetchError> {
	place_after(output, path, "")
}

/// Does the same for a file that is looked at right after another one, whose path is `last`: the folders that both lie in
/// are not looked at again, so that a list of deep paths does not take long.
pub(crate) fn place_after(output: &Path, path: &str, last: &str) -> Result<PathBuf, FetchError> {
	let mut at = output.to_owned();
	let mut end = 0usize;
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
		// With the slash behind it.
		end = end.saturating_add(name.len()).saturating_add(1);
		let is_made = last.as_bytes().get(..end) == path.as_bytes().get(..end);
		if !is_made {
			make_folder(&at)?;
		}
	}
	Ok(at)
}

/// Returns what creates folders for this user only: names of files in them are no one else's business, either.
pub(super) fn private_folder() -> DirBuilder {
	let mut builder = DirBuilder::new();
	#[cfg(unix)]
	std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
	builder
}

/// Creates a folder, unless it is there.
pub(crate) fn make_folder(at: &Path) -> Result<(), FetchError> {
	match fs::symlink_metadata(at) {
		Ok(there) if there.is_dir() => Ok(()),
		Ok(_) => Err(FetchError::NotAFolder(at.to_owned())),
		Err(_) => match private_folder().create(at) {
			// Another program that fetches the same folder was faster.
			Err(error) if error.kind() == ErrorKind::AlreadyExists => make_folder(at),
			created => created.map_err(FetchError::io(at)),
		},
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::progress::tests::Reports;

	#[test]
	fn how_much_of_a_long_file_was_compared_is_reported() {
		let folder = tempfile::tempdir().unwrap();
		let (at, content) = (folder.path().join("a"), vec![7; 3 << 20]);
		fs::write(&at, &content).unwrap();
		let listed = folder::File {
			folder: false,
			length: 3 << 20,
			hash: folder::content_hash(&content[..]).unwrap(),
			..folder::File::empty_folder("a".into())
		};
		let mut reports = Reports::default();
		let found = is_missing(&at, &listed, false, &mut reports);
		assert_eq!(found.unwrap(), None);
		let expected = [1, 2, 3].map(|mib: u64| (Stage::Checking, mib << 20, 3 << 20));
		assert_eq!(reports.0, expected);
	}

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
		let mode = std::os::unix::fs::PermissionsExt::mode;
		for made in ["a", "a/b"] {
			let made = fs::metadata(out.join(made)).unwrap();
			assert!(made.is_dir() && mode(&made.permissions()) & 0o077 == 0);
		}
	}

	#[test]
	fn folders_of_the_path_before_are_not_looked_at_again() {
		let folder = tempfile::tempdir().unwrap();
		let out = folder.path();
		let is_made = |path: &str, last: &str| {
			place_after(out, path, last).unwrap();
			let made = out.join(path).parent().unwrap().is_dir();
			let _ = fs::remove_dir_all(out.join("a"));
			made
		};
		assert!(is_made("a/b/c", ""));
		assert!(is_made("a/b/c", "a"));
		assert!(is_made("a/b/c", "ab"));
		assert!(!is_made("a/b", "a/a"));
		assert!(!is_made("a/b/c", "a/b/a"));
		fs::create_dir(out.join("a")).unwrap();
		assert!(is_made("a/b/c", "a/bc"));
	}
}
