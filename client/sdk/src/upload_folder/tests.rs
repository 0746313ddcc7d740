// SPDX-License-Identifier: Apache-2.0
//! Tests of local folders: what is stored can be fetched again.

use super::{
	local::{entry, not_read},
	*,
};
use crate::{
	fetch_file::{lock_part, part_name},
	fetch_folder::place::{make_folder, place},
	folder::{self, File as Entry},
	shapes::{self, Shape},
};
use isthmus_envelope::on_disk;
use proptest::prelude::*;
use std::{fs, io::Write, path::Path};

/// Lists a folder, and makes another one from the list and the files' bytes, as if they had been stored
/// and fetched.
async fn copy(from: &Path, shape: &Shape, to: &Path) {
	let opened = LocalFolder::open(from).unwrap();
	let entries = opened.files.iter().zip(0u8..).map(|(file, number)| Entry {
		executable: is_executable(&fs::metadata(&file.at).unwrap()),
		key: [number; 32].into(),
		..entry(&file.path)
	});
	let list = folder::from_bytes(&opened.list(entries).unwrap()).unwrap();
	for file in list {
		let at = place(to, &file.path).unwrap();
		if file.folder {
			make_folder(&at).unwrap();
			continue;
		}
		let part = to.join(part_name(&at, &file.key.0));
		let mut written = lock_part(&part, file.executable, || {}).await.unwrap();
		let (bytes, _) = shape[&file.path].as_ref().unwrap();
		written.write_all(bytes).unwrap();
		on_disk::move_new(&part, &at).unwrap();
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(200))]

	/// What is stored can be fetched again, whatever its names, kinds and places are.
	#[test]
	fn a_folder_of_any_shape_is_listed_and_made_again(shape in shapes::shape(12)) {
		let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
		shapes::make(from.path(), &shape);
		let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
		runtime.block_on(copy(from.path(), &shape, to.path()));
		prop_assert_eq!(&shapes::read(from.path()), &shape);
		prop_assert_eq!(&shapes::read(to.path()), &shape);
	}
}

#[cfg(unix)]
#[test]
fn all_names_that_cannot_be_listed_are_reported_at_once() {
	use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
	let folder = tempfile::tempdir().unwrap();
	let names = [&b"bad\xff"[..], b"a:b", b"a\\b", "a\u{200d}b".as_bytes()];
	for name in names {
		fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
	}
	fs::write(folder.path().join("good"), "").unwrap();
	let refused = LocalFolder::open(folder.path()).unwrap_err();
	let UploadFolderError::Names(refused) = &refused else {
		panic!("{refused}");
	};
	assert_eq!(refused.len(), names.len());
	assert!(!refused.iter().any(|path| path.ends_with("good")));
	let many = vec![folder.path().to_owned(); 25];
	let shown = UploadFolderError::Names(many).to_string();
	assert!(shown.contains(" and 5 more. A name is UTF-8"), "{shown}");
}

#[test]
fn a_file_that_is_gone_since_its_folder_was_listed_is_told_from_an_absent_folder() {
	use std::io::{Error, ErrorKind};
	let folder = Path::new("folder");
	let of = |found: &[(&str, ErrorKind)]| {
		let found = found.iter();
		let found = found.map(|(at, kind)| (at.into(), Error::from(*kind)));
		not_read(folder, found.collect())
	};
	let gone = ("folder/a", ErrorKind::NotFound);
	let denied = ("folder/b", ErrorKind::PermissionDenied);
	assert!(matches!(of(&[gone]), UploadFolderError::Io { .. }));
	for found in [&[("folder", ErrorKind::NotFound)][..], &[denied, gone]] {
		let error = of(found);
		let UploadFolderError::Unreadable(shown) = &error else {
			panic!("{error}");
		};
		assert_eq!(shown.len(), found.len());
		assert!(shown.is_sorted_by_key(|(at, _)| at.as_path()));
	}
}

#[test]
fn an_error_names_its_file_once() {
	let folder = tempfile::tempdir().unwrap();
	let missing = folder.path().join("missing");
	let name = missing.display().to_string();
	let source = || std::io::Error::other("broken");
	let unreadable = LocalFolder::open(&missing).unwrap_err();
	assert!(matches!(unreadable, UploadFolderError::Unreadable(_)));
	let broken = UploadFolderError::of_file(source().into(), &missing, RecordKey::zero());
	assert!(matches!(broken, UploadFolderError::Io { .. }));
	for error in [unreadable, broken] {
		assert_eq!(error.to_string().matches(&name).count(), 1, "{error}");
	}
}

/// Without this check, the list would be rejected only after all files were stored and paid for.
#[cfg(unix)]
#[test]
fn names_that_no_list_can_have_are_rejected_before_anything_is_stored() {
	for name in ["a\\b", "a\nb", "\u{1b}[2J", "a:b", "\u{202e}fdp.exe"] {
		let folder = tempfile::tempdir().unwrap();
		std::fs::write(folder.path().join("good"), "").unwrap();
		assert_eq!(LocalFolder::open(folder.path()).unwrap().len(), 1);
		std::fs::write(folder.path().join(name), "").unwrap();
		let refused = LocalFolder::open(folder.path()).unwrap_err();
		assert!(matches!(refused, UploadFolderError::Names(_)), "{name:?}");
	}
}

#[test]
fn empty_folders_are_kept() {
	let folder = tempfile::tempdir().unwrap();
	for path in ["a/b/c", "a/d", "e/f"] {
		std::fs::create_dir_all(folder.path().join(path)).unwrap();
	}
	std::fs::write(folder.path().join("a/d/file"), "").unwrap();
	let opened = LocalFolder::open(folder.path()).unwrap();
	assert_eq!(opened.len(), 1);
	let empty: Vec<&str> = opened.empty_folders().collect();
	assert_eq!(empty, ["a/b/c", "e/f"]);
	let nothing = tempfile::tempdir().unwrap();
	let opened = LocalFolder::open(nothing.path()).unwrap();
	assert_eq!(opened.empty_folders().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_read() {
	use std::os::unix::fs::PermissionsExt;
	let folder = tempfile::tempdir().unwrap();
	let inside = folder.path().join("inside");
	std::fs::create_dir(&inside).unwrap();
	std::fs::write(inside.join("file"), "1").unwrap();
	let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
	set(&inside.join("file"), 0o400).unwrap();
	set(&inside, 0o500).unwrap();
	let opened = LocalFolder::open(folder.path());
	set(&inside, 0o700).unwrap();
	let opened = opened.unwrap();
	let paths: Vec<_> = opened.files.iter().map(|file| file.path.as_str()).collect();
	assert_eq!(paths, ["inside/file"]);
}

#[cfg(unix)]
#[test]
fn links_are_skipped() {
	let folder = tempfile::tempdir().unwrap();
	let link = folder.path().join("link");
	std::os::unix::fs::symlink("/", &link).unwrap();
	let opened = LocalFolder::open(folder.path()).unwrap();
	assert!(opened.is_empty());
	assert_eq!(opened.skipped(), [link]);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_folder_is_followed() {
	let folder = tempfile::tempdir().unwrap();
	let (there, link) = (folder.path().join("there"), folder.path().join("link"));
	std::fs::create_dir(&there).unwrap();
	std::fs::write(there.join("a"), "a").unwrap();
	std::os::unix::fs::symlink(&there, &link).unwrap();
	let opened = LocalFolder::open(&link).unwrap();
	assert_eq!((opened.len(), opened.skipped()), (1, &[][..]));
}

#[test]
fn what_is_no_folder_is_not_taken_for_an_empty_one() {
	let folder = tempfile::tempdir().unwrap();
	let file = folder.path().join("file");
	std::fs::write(&file, "a").unwrap();
	for path in [file.as_path(), std::path::Path::new("/dev/null")] {
		let refused = LocalFolder::open(path).unwrap_err();
		assert!(matches!(refused, UploadFolderError::NotAFolder(at) if at == path));
	}
}

#[cfg(unix)]
#[test]
fn what_a_program_keeps_for_itself_is_left_out_and_named() {
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	for name in ["a", "state/deep"] {
		std::fs::create_dir_all(at(name)).unwrap();
	}
	for name in [
		"a/school.key",
		"a/marks",
		"state/journal",
		"state/deep/more",
	] {
		std::fs::write(at(name), name).unwrap();
	}
	// Another name of the file, which a link leads to.
	std::os::unix::fs::symlink(at("a/school.key"), at("key")).unwrap();
	let (key, state) = (at("key"), at("a/../state"));
	let own = [key.as_path(), state.as_path()];
	let opened = LocalFolder::open_without(folder.path(), &own, &[]).unwrap();
	let paths: Vec<_> = opened.files.iter().map(|file| file.path.as_str()).collect();
	assert_eq!(paths, ["a/marks"]);
	let mut left_out = opened.own().to_vec();
	left_out.sort();
	assert_eq!(left_out, [at("a/school.key"), at("state")]);
	assert_eq!(LocalFolder::open(folder.path()).unwrap().len(), 4);
	let refused = LocalFolder::open_without(&at("state"), &own, &[]).unwrap_err();
	assert!(matches!(
		refused,
		UploadFolderError::Client(Error::Overlap(_))
	));
}

#[cfg(unix)]
#[test]
fn what_matches_a_pattern_is_left_out_whatever_it_is() {
	use std::{
		ffi::OsStr,
		os::unix::{ffi::OsStrExt, fs::symlink},
	};
	let folder = tempfile::tempdir().unwrap();
	let at = |name: &str| folder.path().join(name);
	for name in ["a/build/deep", "build", "c"] {
		fs::create_dir_all(at(name)).unwrap();
		fs::write(at(name).join("file"), "a").unwrap();
	}
	// None of these could be stored.
	fs::write(at("c/12:30"), "").unwrap();
	fs::write(folder.path().join(OsStr::from_bytes(b"bad\xff")), "").unwrap();
	symlink("nowhere", at("link")).unwrap();
	let patterns = ["/build/", "1?:*", "bad*", "link", "*.tmp", "c/nothing"];
	let excludes = patterns.map(|pattern| pattern.parse::<Exclude>().unwrap());
	let opened = LocalFolder::open_without(folder.path(), &[], &excludes).unwrap();
	let paths: Vec<_> = opened.files.iter().map(|file| file.path.as_str()).collect();
	assert_eq!(paths, ["a/build/deep/file", "c/file"]);
	assert!(opened.skipped().is_empty() && opened.empty_folders().next().is_none());
	assert_eq!(opened.unused(), &excludes[4..]);
	assert!(!opened.is_all_excluded());
	let all = ["*".parse::<Exclude>().unwrap()];
	let none = LocalFolder::open_without(folder.path(), &[], &all).unwrap();
	assert!(none.is_all_excluded());
	let empty = LocalFolder::open_without(tempfile::tempdir().unwrap().path(), &[], &all).unwrap();
	assert!(!empty.is_all_excluded());
	// They are also known where the folder is refused.
	let mut unused = Vec::new();
	let refused = LocalFolder::open_noting(folder.path(), &[], &excludes[2..], &mut unused);
	assert!(matches!(refused, Err(UploadFolderError::Names(_))));
	assert_eq!(unused, &excludes[4..]);
	// But not of a folder that is not there.
	unused.clear();
	let absent = LocalFolder::open_noting(&folder.path().join("x"), &[], &excludes, &mut unused);
	assert!(matches!(absent, Err(UploadFolderError::Unreadable(_))));
	assert!(unused.is_empty());
}
