// SPDX-License-Identifier: Apache-2.0
//! Folders of all shapes, for tests: odd names, deep and empty folders, files of all kinds. The tests in
//! `tests/node` use this file, too.

use proptest::prelude::*;
use std::{collections::BTreeMap, fs, io::Write, path::Path};

/// What is at a path: the bytes of a file and whether it is executable; `None` for an empty folder.
pub(crate) type Shape = BTreeMap<String, Option<(Vec<u8>, bool)>>;

/// Names of files and folders, up to the longest.
fn name() -> impl Strategy<Value = String> {
	let fixed = |names: &'static [&str]| prop::sample::select(names).prop_map(str::to_owned);
	prop_oneof![
		4 => "[a-c]{1,2}",
		2 => fixed(&["A", "my marks.csv", " a", "a ", "a.", "...", "-", "--help", ".hidden", "0xab", "CON", "B"]),
		2 => fixed(&["é", "e\u{301}", "É", "\u{212b}", "\u{c5}", "A\u{30a}", "ﬁ", "fi", "…", "a\u{a0}b", "'$(x)'", "a\"b", "~", "*?"]),
		1 => (1..=255usize).prop_map(|length| "x".repeat(length)),
		1 => (1..=127usize).prop_map(|length| "ä".repeat(length)),
		1 => "[^/\\\\:\0-\u{1f}\u{7f}-\u{9f}\\p{Cf}\\p{Zl}\\p{Zp}]{1,20}",
	]
	.prop_filter("a name leads elsewhere or is too long", |name| {
		!matches!(name.as_str(), "." | "..") && name.len() <= 255
	})
}

/// A folder with at most `most` entries.
pub(crate) fn shape(most: usize) -> impl Strategy<Value = Shape> {
	let path = prop_oneof![
		8 => prop::collection::vec(name(), 1..5),
		1 => prop::collection::vec("[ab]", 1..20),
	];
	let path = path.prop_map(|names| names.join("/"));
	let bytes = prop_oneof![
		4 => prop::collection::vec(any::<u8>(), 0..40),
		// Files with the same contents, and files that end with a hole.
		1 => Just(b"twice".to_vec()),
		1 => (0..100_000usize).prop_map(|length| vec![0; length]),
	];
	let entry = prop::option::weighted(0.8, (bytes, any::<bool>()));
	prop::collection::vec((path, entry), 0..=most).prop_map(|entries| {
		let mut shape = Shape::new();
		for (path, entry) in entries {
			let inside = |outer: &str, inner: &str| {
				let rest = inner.strip_prefix(outer);
				rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
			};
			let fits = |there: &String| !inside(there, &path) && !inside(&path, there);
			if shape.keys().all(fits) {
				shape.insert(path, entry);
			}
		}
		shape
	})
}

/// Makes a folder of this shape. Files with the same contents become hard links, and zeros at the end of a file
/// become a hole.
pub(crate) fn make(folder: &Path, shape: &Shape) {
	let mut made = BTreeMap::new();
	for (path, entry) in shape {
		let at = folder.join(path);
		let Some((bytes, executable)) = entry else {
			fs::create_dir_all(at).unwrap();
			continue;
		};
		fs::create_dir_all(at.parent().unwrap()).unwrap();
		if let Some(same) = made.insert(entry, at.clone()) {
			fs::hard_link(same, &at).unwrap();
			continue;
		}
		let end = bytes
			.iter()
			.rposition(|byte| *byte != 0)
			.map_or(0, |last| last + 1);
		let mut file = fs::File::create(&at).unwrap();
		file.write_all(&bytes[..end]).unwrap();
		file.set_len(bytes.len() as u64).unwrap();
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = if *executable { 0o700 } else { 0o600 };
			fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
		}
	}
}

/// Returns the shape of a folder.
pub(crate) fn read(folder: &Path) -> Shape {
	let mut shape = Shape::new();
	for entry in walkdir::WalkDir::new(folder).min_depth(1) {
		let entry = entry.unwrap();
		let path = entry.path().strip_prefix(folder).unwrap();
		let path = path.to_str().unwrap().to_owned();
		if let Some((parent, _)) = path.rsplit_once('/') {
			shape.remove(parent);
		}
		let file = entry.file_type().is_file().then(|| {
			#[cfg(unix)]
			use std::os::unix::fs::PermissionsExt;
			let mode = entry.metadata().unwrap().permissions().mode();
			(fs::read(entry.path()).unwrap(), mode & 0o100 != 0)
		});
		shape.insert(path, file);
	}
	shape
}
