// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the reader of folder lists. A folder list names a folder's files; its owner writes it, and a
//! reader creates files with these names.
//!
//! - If a list can be read, writing it again returns the same bytes.
//! - Its paths are in order and stay inside the folder, on every system.

#![no_main]

use isthmus_sharing::{
	folder::{from_bytes, to_bytes, LABEL, MAX_PATH},
	text::is_format,
};
use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};

fn check(data: &[u8]) {
	let Ok(files) = from_bytes(data) else {
		return;
	};
	assert_eq!(to_bytes(&files).as_deref(), Ok(data));
	assert!(files.is_sorted_by(|a, b| a.path < b.path));
	for file in &files {
		let path = Path::new(&file.path);
		assert!(path
			.components()
			.all(|part| matches!(part, Component::Normal(_))));
		let joined: Vec<_> = path
			.iter()
			.map(|part| part.to_str().expect("it is UTF-8"))
			.collect();
		assert_eq!(joined.join("/"), file.path);
		assert!(!file.path.is_empty() && file.path.len() <= MAX_PATH);
		assert!(!file
			.path
			.contains(|c: char| matches!(c, '\\' | ':') || c.is_control() || is_format(c)));
	}
}

fuzz_target!(|data: &[u8]| {
	check(data);
	check(&[&LABEL[..], data].concat());
});
