// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of packed folders' lists. The owner of a folder writes its list, and a reader fetches what it names
//! and creates files.
//!
//! - If a list can be read, writing it again returns the same bytes.
//! - Its paths are in order and stay inside the folder.
//! - Each file is in the pack that it names, and each pack has a file.

#![no_main]

use isthmus_sharing::packed::{from_bytes, to_bytes, LABEL};
use libfuzzer_sys::fuzz_target;
use std::{
	collections::HashSet,
	path::{Component, Path},
};

fn check(data: &[u8]) {
	let Ok(list) = from_bytes(data) else {
		return;
	};
	assert_eq!(to_bytes(&list).as_deref(), Ok(data));
	assert!(list.packs.is_sorted_by(|a, b| a.key < b.key));
	let files = &list.files;
	assert!(files.is_sorted_by(|a, b| a.file.path < b.file.path));
	let mut used = HashSet::new();
	for packed in files {
		let mut parts = Path::new(&packed.file.path).components();
		assert!(parts.all(|part| matches!(part, Component::Normal(_))));
		if packed.file.length > 0 {
			let pack = &list.packs[packed.pack as usize];
			assert!(packed.offset + packed.file.length <= pack.length);
			assert_eq!(packed.file.key, pack.key);
			used.insert(packed.pack);
		}
	}
	assert_eq!(used.len(), list.packs.len());
}

fuzz_target!(|data: &[u8]| {
	check(data);
	check(&[&LABEL[..], data].concat());
});
