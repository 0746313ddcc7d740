// SPDX-License-Identifier: Apache-2.0
//! Tests that a dataset is loaded from its file exactly as it was saved, and that every other file is
//! rejected.

use isthmus_ethash::{Cache, Dataset, FileError, Progress, Sizes};
use std::{fs, hash::Hasher, ops::ControlFlow, path::PathBuf};

/// Returns a path that only the test with this name writes to.
fn path(name: &str) -> PathBuf {
	PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ethash-{name}-{}", std::process::id()))
}

fn cache(epoch: u64) -> Cache {
	Cache::new(Sizes::DEVELOPMENT, epoch).unwrap()
}

/// Saves a dataset under the name, and returns it with the path and the file's bytes.
fn saved(name: &str) -> (Dataset, PathBuf, Vec<u8>) {
	let dataset = Dataset::generate(&cache(0), 1, |_| ControlFlow::Continue(())).unwrap();
	let path = path(name);
	dataset.save(&path).unwrap();
	let bytes = fs::read(&path).unwrap();
	(dataset, path, bytes)
}

fn load(path: &PathBuf, epoch: u64) -> Result<Dataset, FileError> {
	let loaded = Dataset::load(&cache(epoch), path, |_| ControlFlow::Continue(()));
	fs::remove_file(path).unwrap();
	loaded
}

#[test]
fn a_saved_dataset_is_loaded() {
	let (dataset, path, bytes) = saved("back");
	assert_eq!(bytes.len(), 64 + 8191 * 128);
	assert_eq!(bytes[64..128], cache(0).dataset_item(0).bytes());
	assert!(!path.with_added_extension("partial").exists());
	let mut reports = Vec::new();
	let loaded = Dataset::load(&cache(0), &path, |progress| {
		reports.push(progress);
		ControlFlow::Continue(())
	})
	.unwrap();
	assert_eq!(
		reports,
		[Progress {
			done: 8191,
			total: 8191
		}]
	);
	assert!(loaded.pages() == dataset.pages());
	assert_eq!(loaded.epoch(), 0);
	assert_eq!(loaded.full(&[1; 32], 2), dataset.full(&[1; 32], 2));
	fs::remove_file(path).unwrap();
}

#[test]
fn any_changed_page_is_detected() {
	let (_, path, bytes) = saved("changed");
	for at in [64, 12_345, bytes.len() - 1] {
		let mut changed = bytes.clone();
		changed[at] ^= 1;
		fs::write(&path, &changed).unwrap();
		assert!(matches!(load(&path, 0), Err(FileError::Checksum { .. })));
	}
}

#[test]
fn a_right_checksum_over_wrong_items_is_detected() {
	let (_, path, mut bytes) = saved("wrong");
	bytes[64..].fill(7);
	let mut checksum = twox_hash::XxHash3_64::new();
	checksum.write(&bytes[64..]);
	bytes[24..32].copy_from_slice(&checksum.finish().to_le_bytes());
	fs::write(&path, &bytes).unwrap();
	assert!(matches!(load(&path, 0), Err(FileError::Item { index: 0 })));
}

#[test]
fn a_truncated_or_overlong_file_is_rejected() {
	let (_, path, bytes) = saved("length");
	let expected = bytes.len() as u64;
	fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
	assert!(matches!(
		load(&path, 0),
		Err(FileError::Length { got, expected: e }) if got == expected - 1 && e == expected
	));
	fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
	assert!(matches!(load(&path, 0), Err(FileError::Length { got, .. }) if got == expected + 1));
	fs::write(&path, &bytes[..63]).unwrap();
	assert!(matches!(load(&path, 0), Err(FileError::Format)));
}

#[test]
fn another_epoch_or_format_is_rejected() {
	let (_, path, bytes) = saved("other");
	assert!(matches!(
		load(&path, 1),
		Err(FileError::Other {
			got_epoch: 0,
			got_pages: 8191,
			epoch: 1,
			pages: 8191
		})
	));
	// The name, the version and the zeros are all checked.
	for at in [0, 8, 63] {
		let mut changed = bytes.clone();
		changed[at] ^= 1;
		fs::write(&path, &changed).unwrap();
		assert!(matches!(load(&path, 0), Err(FileError::Format)));
	}
}

#[test]
fn a_missing_file_is_an_io_error_and_loading_can_be_stopped() {
	let missing = Dataset::load(&cache(0), &path("missing"), |_| ControlFlow::Continue(()));
	assert!(
		matches!(missing, Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound)
	);
	let (_, path, _) = saved("stopped");
	let stopped = Dataset::load(&cache(0), &path, |_| ControlFlow::Break(()));
	assert!(matches!(stopped, Err(FileError::Stopped)));
	fs::remove_file(path).unwrap();
}

#[test]
fn a_dataset_generated_into_a_file_is_the_one_generated_in_memory() {
	let (_, saved, bytes) = saved("memory");
	let path = path("file");
	let last = std::sync::Mutex::new(0);
	Dataset::generate_file(&cache(0), 2, &path, |Progress { done, total }| {
		assert_eq!(total, 8191);
		let mut last = last.lock().unwrap();
		*last = done.max(*last);
		ControlFlow::Continue(())
	})
	.unwrap();
	assert_eq!(*last.lock().unwrap(), 8191);
	assert!(fs::read(&path).unwrap() == bytes);
	fs::remove_file(saved).unwrap();
	assert_eq!(load(&path, 0).unwrap().epoch(), 0);

	let stopped = Dataset::generate_file(&cache(0), 1, &path, |_| ControlFlow::Break(()));
	assert!(matches!(stopped, Err(FileError::Stopped)));
	assert!(!path.exists());
	assert!(!path.with_added_extension("partial").exists());
}
