// SPDX-License-Identifier: Apache-2.0
//! Folders of this machine that lie in one another: one that is stored or written, and one where a dataset's objects
//! are, or where programs keep their own files.
//!
//! A folder that contains the place of its own objects would grow with each run, because the objects of one run are
//! files of the next one. What lies in such a place is meant for others to read, and files there are not encrypted.
//!
//! Folders are compared by what the system calls them, and not by their paths: links, `..` and mounts may give one
//! folder several. Links inside a folder that is stored are not followed, and so what they lead to is not in it.

use isthmus_envelope::paths::ShowPath;
use isthmus_objects::Location;
use std::{
	collections::BTreeSet,
	fs,
	path::{Path, PathBuf},
};

/// Two folders lie in one another that must not. Nothing was read or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Overlap {
	/// A folder that is to be stored contains a location of the dataset.
	#[error("{} contains the location {location}, so each run would store the objects of the runs before, too", folder.shown())]
	LocationInFolder {
		/// The folder.
		folder: PathBuf,
		/// The location's address.
		location: String,
	},
	/// A folder that is to be stored is in a location of the dataset.
	#[error("{} is in the location {location}, whose files are for everyone who reads objects there: those in the folder are not encrypted", folder.shown())]
	FolderInLocation {
		/// The folder.
		folder: PathBuf,
		/// The location's address.
		location: String,
	},
	/// What is fetched would be written into a location of the dataset.
	#[error("{} is in the location {location}, whose files are for everyone who reads objects there: what is fetched is not encrypted", output.shown())]
	OutputInLocation {
		/// Where it would be written.
		output: PathBuf,
		/// The location's address.
		location: String,
	},
	/// A folder that is to be stored is one where programs keep their own files, or is in one.
	#[error("{} is in {}, where this program keeps files of its own, which change while it runs and are of no use elsewhere", folder.shown(), own.shown())]
	OwnFolder {
		/// The folder.
		folder: PathBuf,
		/// The program's folder.
		own: PathBuf,
	},
}

/// What the system calls a file or a folder, whatever path leads to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] PathBuf);

impl Id {
	/// Returns what is at a path, behind links; `None` if nothing is, or this user may not see it.
	#[cfg(unix)]
	pub(crate) fn of(path: &Path) -> Option<Self> {
		use std::os::unix::fs::MetadataExt;
		let there = fs::metadata(path).ok()?;
		Some(Self((there.dev(), there.ino())))
	}

	#[cfg(not(unix))]
	pub(crate) fn of(path: &Path) -> Option<Self> {
		fs::canonicalize(path).ok().map(Self)
	}
}

/// Checks that a folder and the locations of a dataset do not lie in one another. `ids` are those of the folder and of all
/// that are inside it.
///
/// # Errors
///
/// Returns [`Overlap`] if they do.
pub(crate) fn check_source<Url: AsRef<str>>(
	folder: &Path,
	ids: &BTreeSet<Id>,
	locations: &[Url],
) -> Result<(), Overlap> {
	for (url, at) in local(locations) {
		let Some((there, is_there)) = nearest(&at) else {
			continue;
		};
		// One that is not there yet would be made in the nearest folder that is.
		if ids.contains(&there) {
			return Err(Overlap::LocationInFolder {
				folder: folder.to_owned(),
				location: url.to_owned(),
			});
		}
		if is_there && is_in(folder, &there) {
			return Err(Overlap::FolderInLocation {
				folder: folder.to_owned(),
				location: url.to_owned(),
			});
		}
	}
	Ok(())
}

/// Checks that a folder into which files are fetched is not in a location of the dataset, and that none of the files,
/// by their paths in the folder, comes to lie in one.
///
/// # Errors
///
/// Returns [`Overlap::OutputInLocation`] if they do.
pub(crate) fn check_output<'a, Url: AsRef<str>>(
	output: &Path,
	files: impl Iterator<Item = &'a str> + Clone,
	locations: &[Url],
) -> Result<(), Overlap> {
	let refused = |output: PathBuf, url: &str| Overlap::OutputInLocation {
		output,
		location: url.to_owned(),
	};
	for (url, at) in local(locations) {
		let Some(there) = Id::of(&at) else {
			continue;
		};
		if is_in(output, &there) {
			return Err(refused(output.to_owned(), url));
		}
		let (Ok(output_at), Ok(at)) = (fs::canonicalize(output), fs::canonicalize(&at)) else {
			continue;
		};
		if let Ok(inside) = at.strip_prefix(&output_at) {
			let mut files = files.clone();
			if let Some(file) = files.find(|file| Path::new(file).starts_with(inside)) {
				return Err(refused(output.join(file), url));
			}
		}
	}
	Ok(())
}

/// Does the same for one file that is fetched.
///
/// # Errors
///
/// Returns [`Overlap::OutputInLocation`] if it would be in a location.
pub(crate) fn check_file<Url: AsRef<str>>(output: &Path, locations: &[Url]) -> Result<(), Overlap> {
	check_output(output, std::iter::empty(), locations)
}

/// Checks that a folder is not one of a program's own, and not in one.
///
/// # Errors
///
/// Returns [`Overlap::OwnFolder`] if it is.
pub(crate) fn check_own(folder: &Path, own: &[&Path]) -> Result<(), Overlap> {
	let is_around = |own: &&&Path| Id::of(own).is_some_and(|id| is_in(folder, &id));
	match own.iter().find(is_around) {
		None => Ok(()),
		Some(own) => Err(Overlap::OwnFolder {
			folder: folder.to_owned(),
			own: own.to_path_buf(),
		}),
	}
}

/// Returns those locations that are folders of this machine.
fn local<Url: AsRef<str>>(locations: &[Url]) -> impl Iterator<Item = (&str, PathBuf)> {
	let folder = |url| Some((url, Location::folder_at(url)?));
	locations.iter().map(AsRef::as_ref).filter_map(folder)
}

/// Returns the nearest folder on the way to a path that is there, and whether it is the one that the path names.
fn nearest(path: &Path) -> Option<(Id, bool)> {
	let path = std::path::absolute(path).ok()?;
	let mut on_the_way = path.ancestors();
	on_the_way.find_map(|at| Some((Id::of(at)?, at == path)))
}

/// Returns whether a path leads to this file or folder, or to something inside it, also if there is nothing at the path
/// yet.
fn is_in(path: &Path, folder: &Id) -> bool {
	let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
	let there = path.ancestors().find_map(|at| fs::canonicalize(at).ok());
	let there = there.as_deref().unwrap_or(&path);
	there
		.ancestors()
		.any(|at| Id::of(at).as_ref() == Some(folder))
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::os::unix::fs::symlink;

	/// Makes folders in a new one.
	fn folders(names: &[&str]) -> tempfile::TempDir {
		let folder = tempfile::tempdir().unwrap();
		for name in names {
			fs::create_dir_all(folder.path().join(name)).unwrap();
		}
		folder
	}

	fn url(at: &Path) -> [String; 2] {
		["s3://bucket/a".into(), format!("file://{}", at.display())]
	}

	#[test]
	fn a_folder_and_the_place_of_its_objects_do_not_lie_in_one_another() {
		let folder = folders(&["a/b/store", "a/c", "other"]);
		let at = |name: &str| folder.path().join(name);
		symlink(at("a"), at("link")).unwrap();
		symlink(at("other"), at("a/out")).unwrap();
		let checked = |source: &str, location: &str| {
			let source = &at(source);
			let inside = walkdir::WalkDir::new(source).into_iter();
			let inside = inside.map(|entry| entry.unwrap());
			let folders = inside.filter(|entry| entry.depth() == 0 || entry.file_type().is_dir());
			let ids = folders.filter_map(|entry| Id::of(entry.path()));
			check_source(source, &ids.collect(), &url(&at(location)))
		};
		for (source, location) in [
			("a", "a"),
			("a", "a/b/store"),
			("a", "a/b/new/deep"),
			("a/c/..", "a/b/store"),
			("link", "a/b/store"),
			("a", "link/b/store"),
			("link", "link"),
		] {
			let refused = checked(source, location).unwrap_err();
			let expected = Overlap::LocationInFolder {
				folder: at(source),
				location: url(&at(location))[1].clone(),
			};
			assert_eq!(refused, expected, "{source} {location}");
		}
		for (source, location) in [("a/b", "a"), ("link/b", "a"), ("a/c/../b", "link")] {
			let refused = checked(source, location).unwrap_err();
			assert!(
				matches!(refused, Overlap::FolderInLocation { .. }),
				"{source} {location}"
			);
		}
		for (source, location) in [
			("a/c", "a/b/store"),
			("a/c", "other"),
			("a", "other/new"),
			// A link in the folder is not followed.
			("a", "a/out"),
			("a/b/store", "a/b/storehouse"),
		] {
			assert_eq!(checked(source, location), Ok(()), "{source} {location}");
		}
	}

	#[test]
	fn nothing_is_fetched_into_the_place_of_objects() {
		let folder = folders(&["out/store", "store/deep", "link-to"]);
		let at = |name: &str| folder.path().join(name);
		symlink(at("store"), at("link")).unwrap();
		let checked = |output: &str, location: &str, files: &[&str]| {
			check_output(&at(output), files.iter().copied(), &url(&at(location)))
		};
		for output in [
			"store",
			"store/deep",
			"store/new/deep",
			"link",
			"link/new",
			"out/../store",
		] {
			let refused = checked(output, "store", &[]).unwrap_err();
			let (output, location) = (at(output), url(&at("store"))[1].clone());
			assert_eq!(refused, Overlap::OutputInLocation { output, location });
		}
		assert!(check_file(&at("store/marks.csv"), &url(&at("store"))).is_err());
		// A location in the output is left alone.
		assert_eq!(
			checked("out", "out/store", &["a", "stores", "b/store"]),
			Ok(())
		);
		let refused = checked("out", "out/store", &["a", "store/b"]).unwrap_err();
		let is_inside = |output: &PathBuf| *output == at("out/store/b");
		assert!(matches!(&refused, Overlap::OutputInLocation { output, .. } if is_inside(output)));
		for output in ["out", "new", "storehouse", "link-to"] {
			assert_eq!(checked(output, "store", &["a"]), Ok(()), "{output}");
			assert_eq!(checked(output, "gone", &["a"]), Ok(()), "{output}");
		}
	}

	#[test]
	fn a_programs_own_folder_is_not_stored() {
		let folder = folders(&["home/state/deep", "home/docs"]);
		let at = |name: &str| folder.path().join(name);
		let (state, gone) = (at("home/state"), at("gone"));
		let own = [gone.as_path(), state.as_path()];
		for inside in ["home/state", "home/state/deep", "home/docs/../state"] {
			let refused = check_own(&at(inside), &own).unwrap_err();
			let (folder, own) = (at(inside), state.clone());
			assert_eq!(refused, Overlap::OwnFolder { folder, own });
		}
		assert_eq!(check_own(&at("home"), &own), Ok(()));
		assert_eq!(check_own(&at("home/docs"), &own), Ok(()));
	}
}
