// SPDX-License-Identifier: Apache-2.0
//! Pages of a list of files, as S3 makes them: by prefix, with folders by a delimiter.

use crate::source::File;

/// The most entries of a page.
pub(crate) const MOST: usize = 1000;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
	/// How the paths begin.
	pub(crate) prefix: &'a str,
	/// What ends the name of a folder; empty for a list without folders.
	pub(crate) delimiter: &'a str,
	/// The entry after which the page begins; empty for the first page.
	pub(crate) after: &'a str,
	/// How many entries it may have.
	pub(crate) most: usize,
}

/// A page. Files and folders count as entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page<'a> {
	pub(crate) files: Vec<&'a File>,
	/// The common prefixes of paths that contain the delimiter.
	pub(crate) folders: Vec<&'a str>,
	/// The last entry, if there are more.
	pub(crate) next: Option<&'a str>,
}

impl Page<'_> {
	/// Returns how many entries it has.
	pub(crate) fn entries(&self) -> usize {
		self.files.len() + self.folders.len()
	}
}

/// Returns a page of files that are sorted by their paths.
pub(crate) fn page<'a>(files: &'a [File], wanted: Wanted) -> Page<'a> {
	let Wanted {
		prefix,
		delimiter,
		after,
		most,
	} = wanted;
	let mut page = Page::default();
	let mut last = None;
	let begin = files.partition_point(|file| file.path.as_str() < prefix);
	let with_prefix = files.get(begin..).unwrap_or_default().iter();
	for file in with_prefix.take_while(|file| file.path.starts_with(prefix)) {
		let folder = folder(&file.path, prefix, delimiter);
		let entry = folder.unwrap_or(&file.path);
		// A folder comes once. The page after a folder begins with what is not in it.
		let is_before = file.path.as_str() <= after || folder == Some(after);
		if is_before || last == folder && folder.is_some() {
			continue;
		}
		if page.entries() >= most {
			page.next = last_of(&page);
			break;
		}
		last = folder;
		match folder {
			Some(_) => page.folders.push(entry),
			None => page.files.push(file),
		}
	}
	page
}

/// Returns a path up to the first delimiter after the prefix; `None` if there is none.
fn folder<'a>(path: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
	if delimiter.is_empty() {
		return None;
	}
	let at = path.get(prefix.len()..)?.find(delimiter)?;
	path.get(..prefix.len() + at + delimiter.len())
}

/// Returns the later one of the last file and the last folder; `None` on an empty page.
fn last_of<'a>(page: &Page<'a>) -> Option<&'a str> {
	let file = page.files.last().map(|file| file.path.as_str());
	file.max(page.folders.last().copied())
}

#[cfg(test)]
mod tests {
	use super::*;

	fn files(paths: &[&str]) -> Vec<File> {
		let file = |path: &&str| File {
			path: (*path).to_owned(),
			length: 1,
			hash: [0; 32],
			date: 0,
			key: [0; 32].into(),
			pack: None,
		};
		paths.iter().map(file).collect()
	}

	fn names(page: &Page) -> Vec<String> {
		let files = page.files.iter().map(|file| file.path.clone());
		let mut names: Vec<String> = files
			.chain(page.folders.iter().map(|name| (*name).to_owned()))
			.collect();
		names.sort();
		names
	}

	const PATHS: [&str; 7] = ["a.csv", "b/1", "b/2", "b/c/3", "b0", "d/1", "é/ü"];

	#[test]
	fn a_page_has_files_and_folders_by_prefix() {
		let files = files(&PATHS);
		let most = MOST;
		let list = |prefix, delimiter| {
			let wanted = Wanted {
				prefix,
				delimiter,
				most,
				..Wanted::default()
			};
			names(&page(&files, wanted))
		};
		assert_eq!(list("", ""), PATHS);
		assert_eq!(list("", "/"), ["a.csv", "b/", "b0", "d/", "é/"]);
		assert_eq!(list("b", "/"), ["b/", "b0"]);
		assert_eq!(list("b/", "/"), ["b/1", "b/2", "b/c/"]);
		assert_eq!(list("b/", ""), ["b/1", "b/2", "b/c/3"]);
		assert_eq!(list("x", "/"), [""; 0]);
		assert_eq!(list("é", "ü"), ["é/ü"]);
	}

	#[test]
	fn pages_follow_each_other_without_gap_or_repetition() {
		let files = files(&PATHS);
		for delimiter in ["", "/"] {
			let most = MOST;
			let all = names(&page(
				&files,
				Wanted {
					delimiter,
					most,
					..Wanted::default()
				},
			));
			for most in 1..=all.len() {
				let (mut seen, mut after) = (Vec::new(), String::new());
				loop {
					let wanted = Wanted {
						delimiter,
						after: &after,
						most,
						..Wanted::default()
					};
					let page = page(&files, wanted);
					assert!(page.entries() <= most);
					seen.extend(names(&page));
					match page.next {
						Some(next) => after = next.to_owned(),
						None => break,
					}
				}
				assert_eq!(seen, all, "{most} at once, delimiter {delimiter:?}");
			}
		}
	}

	#[test]
	fn a_page_begins_after_any_name() {
		let files = files(&PATHS);
		let from = |after, delimiter| {
			let most = MOST;
			names(&page(
				&files,
				Wanted {
					after,
					delimiter,
					most,
					..Wanted::default()
				},
			))
		};
		assert_eq!(from("b/1", ""), PATHS[2..]);
		// The rest of the folder is still there.
		assert_eq!(from("b/1", "/"), ["b/", "b0", "d/", "é/"]);
		assert_eq!(from("b/", "/"), ["b0", "d/", "é/"]);
		assert_eq!(from("zzz", ""), ["é/ü"]);
		assert_eq!(from("ÿ", ""), [""; 0]);
		let none = page(&files, Wanted::default());
		assert_eq!((none.entries(), none.next), (0, None));
	}
}
