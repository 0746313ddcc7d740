// SPDX-License-Identifier: Apache-2.0
//! Which tables the files of a dataset are. The Parquet files of a folder are one table, and each Parquet file that is in no
//! folder is a table of its own. Folders such as `year=2025` are parts of the table above them, as in Hive.

use super::names::{clean, folded};
use crate::source::File;
use percent_encoding::percent_decode_str;
use ring::digest::{digest, Context, SHA256};
use std::{
	borrow::Cow,
	collections::{BTreeMap, BTreeSet},
};

const END: &str = ".parquet";
/// What Hive writes for a value that is missing.
const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";
/// How many bytes of a hash tell tables of the same name apart.
const APART: usize = 4;

/// How many columns of a table may be in the names of its folders. What has more is no table.
pub(super) const MOST_PARTITIONS: usize = 64;
/// How many tables a dataset may have.
pub(super) const MOST_TABLES: usize = 10_000;
/// How many files a table may have.
pub(super) const MOST_FILES: usize = 100_000;

/// Why tables are not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMany {
	/// The dataset has more tables than can be listed.
	#[error("the dataset has more than {MOST_TABLES} tables: read its files by S3's protocol")]
	Tables,
	/// A table has more files than can be listed.
	#[error("the table {0} has more than {MOST_FILES} files: read them by S3's protocol")]
	Files(String),
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<'a> {
	pub(super) name: String,
	/// The path of its folder, or of its only file.
	pub(super) path: String,
	/// The columns whose values are in the names of folders.
	pub(super) partitions: BTreeSet<String>,
	/// Its files, in the order of their paths.
	pub(super) parts: Vec<Part<'a>>,
}

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
	pub(super) file: Cow<'a, File>,
}

impl Part<'_> {
	/// Returns the values in the names of its folders. An empty one is missing.
	pub(super) fn values(&self) -> BTreeMap<String, String> {
		place(&self.file.path).map_or_else(BTreeMap::new, |(_, values)| values)
	}
}

impl Table<'_> {
	/// Returns the table with its files, without the list from which they are.
	///
	/// # Errors
	///
	/// Returns [`TooMany::Files`] if there are too many.
	pub(super) fn taken(self) -> Result<Table<'static>, TooMany> {
		if self.parts.len() > MOST_FILES {
			return Err(TooMany::Files(self.name));
		}
		let taken = |part: Part<'_>| Part {
			file: Cow::Owned(part.file.into_owned()),
		};
		Ok(Table {
			name: self.name,
			path: self.path,
			partitions: self.partitions,
			parts: self.parts.into_iter().map(taken).collect(),
		})
	}

	/// Returns the hash of all that its files are.
	pub(super) fn mark(&self) -> [u8; 32] {
		let mut context = Context::new(&SHA256);
		for Part { file } in &self.parts {
			context.update(&(file.path.len() as u64).to_le_bytes());
			context.update(file.path.as_bytes());
			context.update(&file.hash);
		}
		let mut mark = [0; 32];
		mark.copy_from_slice(context.finish().as_ref());
		mark
	}

	/// Returns the file that was stored last.
	pub(super) fn newest(&self) -> Option<&File> {
		let files = self.parts.iter().map(|part| &*part.file);
		files.max_by_key(|file| (file.date, &file.path))
	}
}

/// What is found at a path: the columns in the names of folders, and the files.
type Found<'a> = (BTreeSet<String>, Vec<Part<'a>>);

/// Returns the tables of some files, which are sorted by their paths, sorted by their names.
///
/// # Errors
///
/// Returns [`TooMany::Tables`] if there are too many.
pub(super) fn tables(files: &[File]) -> Result<Vec<Table<'_>>, TooMany> {
	let mut found: BTreeMap<&str, Found<'_>> = BTreeMap::new();
	for file in files {
		if let Some((path, values)) = place(&file.path) {
			let (partitions, parts) = found.entry(path).or_default();
			if partitions.len() <= MOST_PARTITIONS {
				partitions.extend(values.into_keys());
			}
			let file = Cow::Borrowed(file);
			parts.push(Part { file });
		}
		if found.len() > MOST_TABLES {
			return Err(TooMany::Tables);
		}
	}
	found.retain(|_, (partitions, _)| partitions.len() <= MOST_PARTITIONS);
	let name = |path: &str| {
		let short = path.strip_suffix(END).unwrap_or(path);
		clean(short, "files")
	};
	let mut count: BTreeMap<String, usize> = BTreeMap::new();
	for path in found.keys() {
		*count.entry(folded(&name(path))).or_default() += 1;
	}
	let table = |(path, (partitions, parts)): (&str, _)| {
		let mut name = name(path);
		if count.get(&folded(&name)).is_some_and(|count| *count > 1) {
			let hash = digest(&SHA256, path.as_bytes());
			let apart = hash.as_ref().get(..APART).unwrap_or_default();
			name = format!("{name}_{}", hex::encode(apart));
		}
		Table {
			name,
			path: path.to_owned(),
			partitions,
			parts,
		}
	};
	let mut tables: Vec<_> = found.into_iter().map(table).collect();
	tables.sort_by_key(|table| folded(&table.name));
	Ok(tables)
}

/// Returns the path of the table in which a file is, and the values in the names of its folders; `None` if it is in none, or
/// if too many names of folders have values.
fn place(path: &str) -> Option<(&str, BTreeMap<String, String>)> {
	let end = path.len().checked_sub(END.len())?;
	if !path.get(end..)?.eq_ignore_ascii_case(END) {
		return None;
	}
	// Such as `_delta_log`, and `.part-0.parquet` that is not finished.
	let is_hidden = |name: &str| name.starts_with(['_', '.']) && !name.contains('=');
	if path.split('/').any(is_hidden) {
		return None;
	}
	let mut values = BTreeMap::new();
	let Some((mut folder, _)) = path.rsplit_once('/') else {
		return Some((path, values));
	};
	loop {
		let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
		let Some((key, value)) = last.split_once('=') else {
			return Some((folder, values));
		};
		let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
		let value = if value == MISSING { "" } else { value };
		values.entry(decoded(key)).or_insert_with(|| decoded(value));
		if values.len() > MOST_PARTITIONS {
			return None;
		}
		folder = above;
		if folder.is_empty() {
			return Some((folder, values));
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn files(paths: &[&str]) -> Vec<File> {
		let file = |(number, path): (usize, &&str)| File {
			path: (*path).to_owned(),
			length: 1,
			hash: [number as u8; 32],
			date: 100_u64.saturating_sub(number as u64),
			key: [0; 32].into(),
			pack: None,
		};
		paths.iter().enumerate().map(file).collect()
	}

	fn shown<'a>(tables: &'a [Table<'_>]) -> Vec<(&'a str, &'a str, usize)> {
		tables
			.iter()
			.map(|table| (table.name.as_str(), table.path.as_str(), table.parts.len()))
			.collect()
	}

	#[test]
	fn folders_and_single_files_are_tables() {
		let files = files(&[
			"Schools.PARQUET",
			"a/_delta_log/0.checkpoint.parquet",
			"a/.part.parquet",
			"a/deeper/1.parquet",
			"a/1.parquet",
			"a/2 é.parquet",
			"a/list.csv",
			"b.parquet",
			"c",
			".parquet",
		]);
		let found = tables(&files).unwrap();
		let expected = [
			("a", "a", 2),
			("a_deeper", "a/deeper", 1),
			("b", "b.parquet", 1),
			("Schools_PARQUET", "Schools.PARQUET", 1),
		];
		assert_eq!(shown(&found), expected);
		assert_eq!(found[0].parts[1].file.path, "a/2 é.parquet");
		assert_eq!(found[0].newest().unwrap().path, "a/1.parquet");
	}

	#[test]
	fn folders_with_values_are_parts_of_the_table_above() {
		let files = files(&[
			"m/year=2025/kind=a%2Fb/1.parquet",
			"m/year=2026/kind=__HIVE_DEFAULT_PARTITION__/1.parquet",
			"m/year=2027/1.parquet",
			"year=2025/1.parquet",
		]);
		let found = tables(&files).unwrap();
		assert_eq!(shown(&found), [("files", "", 1), ("m", "m", 3)]);
		let marks = &found[1];
		assert!(marks.partitions.iter().eq(["kind", "year"]));
		let value = |part: usize, key: &str| marks.parts[part].values().remove(key);
		let some = |value: &str| Some(value.to_owned());
		assert_eq!(
			(value(0, "year"), value(0, "kind")),
			(some("2025"), some("a/b"))
		);
		assert_eq!((value(1, "kind"), value(2, "kind")), (some(""), None));
	}

	#[test]
	fn what_has_too_many_columns_tables_or_files_is_not_shown() {
		let folders = |of: std::ops::Range<usize>| -> String {
			of.map(|number| format!("k{number}=v/")).collect()
		};
		let most = MOST_PARTITIONS;
		// Too many in one path, and too many in two together. The others are tables all the same.
		let paths = [
			format!("a/{}1.parquet", folders(0..most)),
			format!("b/{}1.parquet", folders(0..most + 1)),
			format!("c/{}1.parquet", folders(0..most)),
			format!("c/{}1.parquet", folders(1..most + 1)),
			"d/1.parquet".to_owned(),
		];
		let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
		let some = files(&paths);
		let found = tables(&some).unwrap();
		assert_eq!(shown(&found), [("a", "a", 1), ("d", "d", 1)]);
		assert_eq!(found[0].parts[0].values().len(), most);

		let many = |count: usize, path: fn(usize) -> String| {
			let paths: Vec<String> = (0..count).map(path).collect();
			let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
			files(&paths)
		};
		let alone = |number| format!("{number:06}.parquet");
		assert_eq!(
			tables(&many(MOST_TABLES, alone)).unwrap().len(),
			MOST_TABLES
		);
		assert_eq!(tables(&many(MOST_TABLES + 1, alone)), Err(TooMany::Tables));
		let together = |number| format!("t/{number:06}.parquet");
		let taken = |count| tables(&many(count, together)).unwrap().remove(0).taken();
		assert_eq!(taken(MOST_FILES).unwrap().parts.len(), MOST_FILES);
		assert_eq!(taken(MOST_FILES + 1), Err(TooMany::Files("t".into())));
	}

	#[test]
	fn tables_of_the_same_name_are_told_apart() {
		let files = files(&[
			"A.parquet",
			"a/1.parquet",
			"b c.parquet",
			"b_c.parquet",
			"d.parquet",
		]);
		let found = tables(&files).unwrap();
		let names: Vec<_> = found.iter().map(|table| folded(&table.name)).collect();
		let distinct: std::collections::BTreeSet<_> = names.iter().collect();
		assert_eq!(distinct.len(), 5, "{names:?}");
		assert!(names.contains(&"d".to_owned()) && !names.contains(&"a".to_owned()));
		// They have the same name whatever else is there.
		let fewer = [files[0].clone(), files[1].clone()];
		let fewer = tables(&fewer).unwrap();
		assert!(fewer
			.iter()
			.all(|table| names.contains(&folded(&table.name))));
	}

	#[test]
	fn a_mark_changes_with_each_file() {
		let mark = |paths: &[&str]| tables(&files(paths)).unwrap()[0].mark();
		let one = mark(&["a/1.parquet"]);
		assert_eq!(one, mark(&["a/1.parquet", "b.csv"]));
		assert_ne!(one, mark(&["a/1.parquet", "a/2.parquet"]));
		let mut stored_again = files(&["a/1.parquet"]);
		stored_again[0].hash = [9; 32];
		assert_ne!(one, tables(&stored_again).unwrap()[0].mark());
	}
}
