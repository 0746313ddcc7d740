// SPDX-License-Identifier: Apache-2.0
//! Files that a program keeps for itself, and that a newer release has written in a format which this one does not
//! know. Such a file is neither ignored nor replaced: what it says still holds. It is not a damaged one, which the
//! program may get over.

use crate::paths::ShowPath;
use std::{
	io::{self, ErrorKind},
	path::{Path, PathBuf},
};

/// Says that a newer release wrote a file, in an error of kind [`ErrorKind::Unsupported`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} was written by a newer release of this program, in a format that this one does not know: use that release. If you move the file away, {lost}", path.shown())]
pub struct NewerFile {
	/// The file.
	pub path: PathBuf,
	/// What happens without it.
	pub lost: &'static str,
}

impl NewerFile {
	/// Names a file, and what happens without it.
	pub fn new(path: &Path, lost: &'static str) -> Self {
		let path = path.to_owned();
		Self { path, lost }
	}

	/// Returns what an error says about a file of a newer release, if it is about one.
	pub fn in_error(error: &io::Error) -> Option<&Self> {
		error.get_ref()?.downcast_ref()
	}
}

impl From<NewerFile> for io::Error {
	fn from(error: NewerFile) -> Self {
		Self::new(ErrorKind::Unsupported, error)
	}
}

/// Returns whether bytes begin with the label of a format, and a number after it that is higher than the known one.
pub fn is_newer(bytes: &[u8], label: &str, known: u32) -> bool {
	let Some(rest) = bytes.strip_prefix(label.as_bytes()) else {
		return false;
	};
	let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
	let number = std::str::from_utf8(&rest[..digits]);
	number.is_ok_and(|number| number.parse().is_ok_and(|number: u32| number > known))
}

/// Returns whether text is whole JSON of another form than the one that was read: a file that is cut short or damaged
/// is not JSON.
pub fn is_other_form(error: &serde_json::Error) -> bool {
	error.classify() == serde_json::error::Category::Data
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_higher_number_is_a_newer_format_and_damage_is_not() {
		for (bytes, newer) in [
			("label-2 a", true),
			("label-10", true),
			("label-1 a", false),
			("label-", false),
			("label-x", false),
			("label", false),
			("other-2", false),
			("", false),
		] {
			assert_eq!(is_newer(bytes.as_bytes(), "label-", 1), newer, "{bytes}");
		}
	}

	#[test]
	fn a_torn_line_is_not_of_another_form() {
		#[derive(Debug, serde::Deserialize)]
		#[serde(deny_unknown_fields)]
		struct Line {
			#[allow(dead_code)]
			leaf: u32,
		}
		let read = |text: &str| serde_json::from_str::<Line>(text).unwrap_err();
		for text in [
			"",
			"{",
			"{\"leaf\":",
			"{\"leaf\":1",
			"\0\0",
			"{\"leaf\":1}x",
		] {
			assert!(!is_other_form(&read(text)), "{text}");
		}
		for text in ["{\"leaf\":1,\"new\":0}", "{\"leaf\":\"1\"}", "{}"] {
			assert!(is_other_form(&read(text)), "{text}");
		}
	}

	#[test]
	fn an_error_still_says_which_file_it_is_about() {
		let file = NewerFile::new(Path::new("/a/journal"), "the upload begins again");
		let error = io::Error::from(file.clone());
		assert_eq!(NewerFile::in_error(&error), Some(&file));
		assert!(error
			.to_string()
			.starts_with("/a/journal was written by a newer release"));
		assert_eq!(NewerFile::in_error(&ErrorKind::Unsupported.into()), None);
	}
}
