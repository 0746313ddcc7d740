// SPDX-License-Identifier: Apache-2.0
//! Patterns of what is left out of a folder.

use glob::{MatchOptions, Pattern};
use std::{fmt, str::FromStr};

/// How names are matched: as `.gitignore` has it, a star does not reach into other folders.
const OPTIONS: MatchOptions = MatchOptions {
	case_sensitive: true,
	require_literal_separator: true,
	require_literal_leading_dot: false,
};

/// A pattern of files and folders that are left out when a folder is stored. One without a `/` is for names, at any
/// depth; one with a `/` is for paths from the folder's top on, and one that ends in `/` is for folders only. `*` and
/// `?` stand for any characters but `/`, `[ab]` for one of several, and `**` for any folders.
///
/// ```
/// use isthmus_sdk::Exclude;
///
/// let exclude: Exclude = "*.tmp".parse()?;
/// assert!(exclude.matches("june/a.tmp", false));
/// # Ok::<(), isthmus_sdk::ExcludeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclude {
	text: String,
	pattern: Pattern,
	/// Whether it is for paths, not for names.
	of_paths: bool,
	only_folders: bool,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the pattern of a name, such as *.tmp, or of a path in the folder, such as /build/**/*.o{0}")]
pub struct ExcludeError(String);

impl FromStr for Exclude {
	type Err = ExcludeError;

	fn from_str(text: &str) -> Result<Self, ExcludeError> {
		let (names, only_folders) = match text.strip_suffix('/') {
			Some(names) => (names, true),
			None => (text, false),
		};
		let of_paths = names.contains('/');
		let names = names.strip_prefix("./").unwrap_or(names);
		let names = names.strip_prefix('/').unwrap_or(names);
		if matches!(names, "" | "." | "..") {
			return Err(ExcludeError(String::new()));
		}
		let pattern = Pattern::new(names);
		let pattern = pattern.map_err(|error| ExcludeError(format!(": {}", error.msg)))?;
		Ok(Self {
			text: text.to_owned(),
			pattern,
			of_paths,
			only_folders,
		})
	}
}

impl fmt::Display for Exclude {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.text)
	}
}

impl Exclude {
	/// Returns whether a file or a folder is left out. `path` is its path in the folder, with `/` between the names. What is
	/// in a folder that is left out is not asked for.
	pub fn matches(&self, path: &str, is_folder: bool) -> bool {
		let matched = match (self.of_paths, path.rsplit_once('/')) {
			(false, Some((_, name))) => name,
			_ => path,
		};
		(is_folder || !self.only_folders) && self.pattern.matches_with(matched, OPTIONS)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_pattern_is_for_names_or_for_paths() {
		for (pattern, path, expected) in [
			("*.tmp", "a.tmp", true),
			("*.tmp", "a/b/.tmp", true),
			("*.tmp", "a.tmp.gz", false),
			("*", ".hidden", true),
			("cache", "a/cache", true),
			("cache", "a/Cache", false),
			("/cache", "cache", true),
			("/cache", "a/cache", false),
			("./cache", "cache", true),
			("./cache", "a/cache", false),
			("a/*.o", "a/b.o", true),
			("a/*.o", "a/b/c.o", false),
			("a/**/*.o", "a/b.o", true),
			("a/**/*.o", "a/b/c/d.o", true),
			("**/x", "x", true),
			("?.csv", "\u{e9}.csv", true),
			("[ab]", "c/b", true),
			("[*]", "*", true),
			("[*]", "a", false),
			("lost+found", "lost+found", true),
			("12:30", "a/12:30", true),
		] {
			let exclude: Exclude = pattern.parse().unwrap();
			assert_eq!(exclude.matches(path, false), expected, "{pattern} {path}");
			assert_eq!(exclude.to_string(), pattern);
		}
	}

	#[test]
	fn a_pattern_may_be_for_folders_only() {
		for pattern in ["build/", "/build/"] {
			let exclude: Exclude = pattern.parse().unwrap();
			assert!(exclude.matches("build", true));
			assert!(!exclude.matches("build", false));
			assert_eq!(exclude.matches("a/build", true), pattern == "build/");
		}
	}

	#[test]
	fn what_is_no_pattern_is_refused() {
		for text in ["", "/", ".", "./", "//", "../", "[a", "a**"] {
			let refused = text.parse::<Exclude>();
			let words = refused.map_err(|error| error.to_string()).unwrap_err();
			assert!(
				words.starts_with("expected the pattern of a name"),
				"{words}"
			);
		}
	}
}
