// SPDX-License-Identifier: Apache-2.0
//! `isthmus list files`: the files of a stored folder, without fetching them.

use crate::{
	context::Context, error::Error, fetch, progress::Bar, report::Lines, stderr::tell,
	text::Called, tip::quoted_path,
};
use isthmus_sdk::{folder, list_files, AccountId, Identity};
use serde::Serialize;
use std::fmt;

/// A file of a folder, or an empty folder in it.
#[derive(Serialize)]
pub(super) struct Listed {
	bytes: u64,
	executable: bool,
	/// Whether it is an empty folder.
	folder: bool,
	/// SHA-256 of its bytes; `None` for a folder.
	hash: Option<String>,
	path: String,
}

impl From<folder::File> for Listed {
	fn from(file: folder::File) -> Self {
		Self {
			bytes: file.length,
			executable: file.executable,
			folder: file.folder,
			hash: (!file.folder).then(|| isthmus_sdk::to_hex(&file.hash)),
			path: file.path,
		}
	}
}

impl fmt::Display for Listed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		// As a shell reads it, so that it can be passed to `fetch --file`.
		let end = if self.folder { "/" } else { "" };
		f.write_str(&quoted_path(format!("{}{end}", self.path)))
	}
}

/// Lists the files of a folder that the account may read.
pub(super) async fn list(
	reader: (&Context, &Identity),
	owner: &AccountId,
	called: Called,
) -> Result<Lines<Listed>, Error> {
	let opened = fetch::open(reader, owner, called).await;
	let reading = opened.map_err(fetch::Failed::error)?;
	let files = list_files(&reading, &mut Bar::new()).await;
	for left in reading.left() {
		tell(format_args!("left for another location: {left}"));
	}
	let files = files.map_err(|error| fetch::of_object(error, (owner, &reading), None))?;
	if files.is_empty() {
		tell("no files");
	}
	Ok(Lines(files.into_iter().map(Into::into).collect()))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_path_is_shown_as_a_shell_reads_it() {
		let listed = |path: &str, is_folder| {
			Listed::from(folder::File {
				path: path.into(),
				executable: false,
				folder: is_folder,
				length: 0,
				key: [0; 32].into(),
				hash: [7; 32],
			})
		};
		assert_eq!(
			listed("june/beach.jpg", false).to_string(),
			"june/beach.jpg"
		);
		assert_eq!(listed("my marks.csv", false).to_string(), "'my marks.csv'");
		assert_eq!(listed("$(x)", true).to_string(), "'$(x)/'");
		assert_eq!(listed("-x", false).to_string(), "./-x");
		assert_eq!(listed("a/-x", false).to_string(), "a/-x");
		assert_eq!(listed("a", true).hash, None);
		assert_eq!(
			listed("a", false).hash,
			Some(format!("0x{}", "07".repeat(32)))
		);
	}
}
