// SPDX-License-Identifier: Apache-2.0
//! What is wrong with the folder of a location as a whole, and not with an object in it.

use isthmus_envelope::{input, paths::ShowPath};
use std::{
	fs,
	io::ErrorKind,
	path::{Path, PathBuf},
};

/// Why the folder of a location cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderFault {
	/// There is nothing.
	#[error("the whole folder is not there: is its disk mounted on this machine?")]
	Absent,
	/// Something else is in its place, or in that of a folder above it.
	#[error("{} is a {kind}, not a folder: move it away, or correct the location", path.shown())]
	NoFolder {
		/// What is there instead.
		path: PathBuf,
		/// A word for it, such as `file`.
		kind: &'static str,
	},
	/// A link that leads to nothing is in its place, or in that of a folder above it.
	#[error("{} is a link that leads to nothing: mount the disk that it leads to, or correct the link", .0.shown())]
	Link(PathBuf),
	/// The user may not look into it, or into a folder above it.
	#[error("this user may not look into {}: check the owner and the permissions of that folder", .0.shown())]
	Denied(PathBuf),
	/// The system does not say what is there.
	#[error("{} cannot be looked into: {kind}", path.shown())]
	Other {
		/// What the system was asked about.
		path: PathBuf,
		/// Its answer.
		kind: ErrorKind,
	},
}

/// Returns what is wrong with a folder; `None` if this program can look into it.
pub(crate) fn fault(folder: &Path) -> Option<FolderFault> {
	let mut down: Vec<&Path> = folder.ancestors().collect();
	down.reverse();
	down.into_iter().find_map(fault_at)
}

/// Does the same for a folder that is in one without a fault.
fn fault_at(folder: &Path) -> Option<FolderFault> {
	// Only who may look into a folder finds the dot.
	let error = fs::metadata(folder.join(".")).err()?;
	let path = folder.to_owned();
	Some(match error.kind() {
		ErrorKind::NotFound if path.is_symlink() => FolderFault::Link(path),
		ErrorKind::NotFound => FolderFault::Absent,
		ErrorKind::NotADirectory => FolderFault::NoFolder {
			kind: kind_of(&path),
			path,
		},
		ErrorKind::PermissionDenied => FolderFault::Denied(path),
		kind => FolderFault::Other { path, kind },
	})
}

/// Returns a word for what is there instead of a folder.
fn kind_of(path: &Path) -> &'static str {
	let there = fs::metadata(path).ok();
	let kind = there.and_then(|there| input::kind(there.file_type()));
	kind.unwrap_or("file")
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::os::unix::{fs::symlink, net::UnixListener};

	#[test]
	fn what_is_in_the_place_of_a_folder_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let at = |name: &str| folder.path().join(name);
		fs::write(at("file"), "").unwrap();
		fs::create_dir(at("folder")).unwrap();
		symlink("nowhere", at("dangling")).unwrap();
		symlink("folder", at("link")).unwrap();
		let _socket = UnixListener::bind(at("socket")).unwrap();
		let none = |name: &str, kind| {
			let path = at(name);
			Some(FolderFault::NoFolder { path, kind })
		};
		let device = Path::new("/dev/null");
		assert_eq!(fault(folder.path()), None);
		assert_eq!(fault(&at("link")), None);
		for absent in ["absent", "absent/below", "folder/absent"] {
			assert_eq!(fault(&at(absent)), Some(FolderFault::Absent), "{absent}");
		}
		for below in ["file", "file/below", "file/below/more"] {
			assert_eq!(fault(&at(below)), none("file", "file"), "{below}");
		}
		assert_eq!(fault(&at("socket")), none("socket", "socket"));
		for below in ["dangling", "dangling/below"] {
			let link = Some(FolderFault::Link(at("dangling")));
			assert_eq!(fault(&at(below)), link, "{below}");
		}
		let (path, kind) = (device.to_owned(), "device");
		assert_eq!(fault(device), Some(FolderFault::NoFolder { path, kind }));
	}

	#[test]
	fn a_folder_that_is_closed_to_this_user_is_named() {
		use std::os::unix::fs::PermissionsExt;
		let folder = tempfile::tempdir().unwrap();
		let (closed, below) = (folder.path().join("a"), folder.path().join("a/b"));
		fs::create_dir_all(&below).unwrap();
		let permit = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
		permit(0o600);
		// The superuser may look into all.
		let is_open = fs::metadata(&below).is_ok();
		let expected = (!is_open).then(|| FolderFault::Denied(closed.clone()));
		assert_eq!(fault(&below), expected);
		assert_eq!(fault(&closed), expected);
		permit(0o700);
	}
}
