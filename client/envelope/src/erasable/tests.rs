// SPDX-License-Identifier: Apache-2.0
use super::*;
use std::fs;

const GENESIS: [u8; 32] = [1; 32];
const OWNER: [u8; 32] = [2; 32];

fn id(dataset: u32, epoch: u32) -> EpochId {
	EpochId {
		genesis: GENESIS,
		owner: OWNER,
		dataset,
		epoch,
	}
}

fn file(folder: &tempfile::TempDir) -> ErasableFile {
	let master = MasterSecret::from_bytes([7; 32]);
	ErasableFile::beside(&folder.path().join("school.key"), &master, OWNER)
}

fn leaf(file: &ErasableFile, id: &EpochId, leaf: u32) -> Result<[u8; 32], TreeError> {
	let tree = file.keys(id).unwrap().unwrap();
	tree.leaf_key(leaf).map(|key| *key.expose_secret())
}

#[test]
fn keys_are_drawn_kept_and_erased() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	let (old, now, later, other) = (id(3, 0), id(3, 1), id(3, 2), id(4, 1));
	// Reading writes nothing.
	assert!(file.keys(&now).unwrap().is_none());
	file.start(&now).unwrap();
	assert!(!file.path().exists());

	file.begin(GENESIS, 3, 1).unwrap();
	for epoch in [old, other] {
		file.start(&epoch).unwrap();
		assert!(file.keys(&epoch).unwrap().is_none());
		assert!(matches!(
			file.erase(&epoch, &[0]),
			Err(ErasableError::NotErasable { .. })
		));
	}
	assert!(matches!(
		file.keys(&now),
		Err(ErasableError::Missing {
			dataset: 3,
			epoch: 1,
			..
		})
	));
	file.start(&now).unwrap();
	file.start(&later).unwrap();
	let before = leaf(&file, &now, 5).unwrap();
	assert_ne!(leaf(&file, &later, 5).unwrap(), before);
	// Starting again draws no other keys.
	file.start(&now).unwrap();
	assert_eq!(leaf(&file, &now, 5).unwrap(), before);

	// An interrupted removal is remembered until its leaves are erased.
	file.intend(&now, &[7, 5]).unwrap();
	assert_eq!(file.intended(GENESIS).unwrap(), [(now, 5), (now, 7)]);
	assert_eq!(file.intended([9; 32]).unwrap(), []);
	// Counting erases nothing, and writes nothing.
	assert_eq!(file.count(&now, &[5, 7, 5]).unwrap(), 2);
	assert_eq!(file.intended(GENESIS).unwrap(), [(now, 5), (now, 7)]);
	assert_eq!(leaf(&file, &now, 5).unwrap(), before);
	assert_eq!(file.erase(&now, &[5, 7, 5]).unwrap(), 2);
	assert_eq!(file.count(&now, &[5, 6]).unwrap(), 1);
	assert_eq!(file.intended(GENESIS).unwrap(), []);
	assert_eq!(leaf(&file, &now, 5), Err(TreeError::Erased { leaf: 5 }));
	assert!(leaf(&file, &now, 6).is_ok());
	assert!(leaf(&file, &later, 5).is_ok());
}

#[test]
fn what_was_not_begun_after_all_is_taken_back() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	file.end(GENESIS, 3).unwrap();
	assert!(!file.path().exists());
	file.begin(GENESIS, 3, 1).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), Some(1));
	file.end(GENESIS, 3).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), None);
	// Not if it is in use.
	file.begin(GENESIS, 3, 1).unwrap();
	file.start(&id(3, 1)).unwrap();
	file.end(GENESIS, 3).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), Some(1));
}

#[test]
fn an_epoch_that_became_a_later_one_leaves_those_before_as_they_are() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	file.postpone(GENESIS, 3, 2).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), None);
	file.begin(GENESIS, 3, 1).unwrap();
	file.postpone(GENESIS, 3, 2).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), Some(2));
	file.postpone(GENESIS, 3, 1).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), Some(2));
	// Not if it is in use.
	file.start(&id(3, 2)).unwrap();
	file.postpone(GENESIS, 3, 4).unwrap();
	assert_eq!(file.first(GENESIS, 3).unwrap(), Some(2));
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_the_file() {
	use std::os::unix::fs::PermissionsExt;
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	file.begin(GENESIS, 0, 0).unwrap();
	let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
	assert_eq!(mode(file.path()), 0o600);
	file.start(&id(0, 0)).unwrap();
	assert_eq!(mode(file.path()), 0o600);
	// There is one file, and no copy of an earlier one, even if a program was killed while it wrote.
	let left = folder.path().join("school.key.erasable.new");
	fs::write(&left, "the keys of yesterday").unwrap();
	file.erase(&id(0, 0), &[1]).unwrap();
	assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
	assert_eq!(mode(file.path()), 0o600);
}

#[test]
fn a_file_that_was_changed_or_is_another_identitys_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	let ours = file(&folder);
	ours.begin(GENESIS, 0, 0).unwrap();
	ours.start(&id(0, 0)).unwrap();
	let key_file = folder.path().join("school.key");
	let (master, other) = (
		MasterSecret::from_bytes([7; 32]),
		MasterSecret::from_bytes([8; 32]),
	);
	for theirs in [
		ErasableFile::beside(&key_file, &other, OWNER),
		ErasableFile::beside(&key_file, &master, [9; 32]),
	] {
		assert!(matches!(
			theirs.keys(&id(0, 0)),
			Err(ErasableError::DoesNotOpen { .. })
		));
		// It is not overwritten, either.
		assert!(theirs.begin(GENESIS, 1, 0).is_err());
	}
	let whole = fs::read(ours.path()).unwrap();
	for at in 0..whole.len() {
		let mut changed = whole.clone();
		changed[at] ^= 1;
		fs::write(ours.path(), &changed).unwrap();
		assert!(ours.keys(&id(0, 0)).is_err(), "byte {at}");
		fs::write(ours.path(), &whole[..at]).unwrap();
		assert!(ours.keys(&id(0, 0)).is_err(), "cut at {at}");
	}
	fs::write(ours.path(), &whole).unwrap();
	assert!(ours.keys(&id(0, 0)).unwrap().is_some());
}

#[test]
fn a_file_in_which_nothing_is_left_is_removed() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	file.begin(GENESIS, 3, 0).unwrap();
	file.begin(GENESIS, 4, 0).unwrap();
	file.end(GENESIS, 3).unwrap();
	assert!(file.path().exists());
	file.end(GENESIS, 4).unwrap();
	assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
	file.end(GENESIS, 4).unwrap();
	assert_eq!(file.first(GENESIS, 4).unwrap(), None);
	// One with keys stays.
	file.begin(GENESIS, 3, 0).unwrap();
	file.start(&id(3, 0)).unwrap();
	file.end(GENESIS, 3).unwrap();
	assert!(file.keys(&id(3, 0)).unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn a_file_behind_a_link_is_not_removed() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	let far = folder.path().join("far");
	file.begin(GENESIS, 3, 0).unwrap();
	fs::rename(file.path(), &far).unwrap();
	std::os::unix::fs::symlink(&far, file.path()).unwrap();
	file.end(GENESIS, 3).unwrap();
	assert!(far.exists() && file.path().is_symlink());
	assert_eq!(file.first(GENESIS, 3).unwrap(), None);
}

#[test]
fn two_programs_may_change_it_at_the_same_time() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	std::thread::scope(|scope| {
		for dataset in 0..16 {
			let file = &file;
			scope.spawn(move || {
				file.begin(GENESIS, dataset, 0).unwrap();
				file.start(&id(dataset, 0)).unwrap();
				file.erase(&id(dataset, 0), &[dataset]).unwrap();
			});
		}
	});
	for dataset in 0..16 {
		let erased = TreeError::Erased { leaf: dataset };
		assert_eq!(leaf(&file, &id(dataset, 0), dataset), Err(erased));
	}
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_waited_for() {
	use rustix::fs::{mkfifoat, Mode, CWD};
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	mkfifoat(CWD, file.path(), Mode::RUSR | Mode::WUSR).unwrap();
	let refused = file.first(GENESIS, 3).unwrap_err();
	assert!(
		matches!(&refused, ErasableError::Io { path, error } if path == file.path() && error.kind() == ErrorKind::InvalidInput),
		"{refused:?}"
	);
}

#[test]
fn a_file_of_a_newer_release_is_neither_changed_nor_taken_for_another_ones() {
	let folder = tempfile::tempdir().unwrap();
	let file = file(&folder);
	file.begin(GENESIS, 3, 0).unwrap();
	let known = fs::read(file.path()).unwrap();
	assert!(has_keys(&known));
	let newer = [&b"isthmus/erasable/v2"[..], &known[LABEL.len()..]].concat();
	fs::write(file.path(), &newer).unwrap();
	assert!(has_keys(&newer) && !has_keys(b"isthmus/erasable/v"));
	for refused in [file.first(GENESIS, 3).map(drop), file.begin(GENESIS, 4, 0)] {
		let is_newer = |error: &ErasableError| matches!(error, ErasableError::Newer(newer) if newer.path == file.path());
		assert!(is_newer(&refused.unwrap_err()));
	}
	assert_eq!(fs::read(file.path()).unwrap(), newer);
}
