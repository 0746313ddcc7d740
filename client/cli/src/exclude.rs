// SPDX-License-Identifier: Apache-2.0
//! The folder that a command stores, and what is left out of it.

use crate::{error::Error, options::settings, stderr::tell, text::quoted};
use isthmus_sdk::{Exclude, LocalFolder};
use std::path::{Path, PathBuf};

/// What is left out of a folder.
#[derive(clap::Args)]
pub(crate) struct Excludes {
	/// Leave out what matches: names, such as *.tmp, or paths in the folder, such as /build/*.o. With a / at the end, only
	/// folders. May be repeated
	#[arg(long = "exclude", value_name = "GLOB", value_parser = str::parse::<Exclude>)]
	patterns: Vec<Exclude>,
}

impl Excludes {
	/// Returns whether nothing is left out.
	pub(crate) fn is_empty(&self) -> bool {
		self.patterns.is_empty()
	}

	/// Returns the options with which a shell passes them to another command, each with a space before it.
	pub(crate) fn options(&self) -> String {
		let option = |pattern: &Exclude| format!(" --exclude {}", quoted(&pattern.to_string()));
		self.patterns.iter().map(option).collect()
	}

	/// Finds the files of a folder, and names what is none. What commands write while they run is left out, too.
	///
	/// # Errors
	///
	/// Returns the errors of [`LocalFolder::open`].
	pub(crate) fn open(&self, path: &Path) -> Result<LocalFolder, Error> {
		let folder = self.open_quietly(path)?;
		for skipped in folder.skipped() {
			let skipped = skipped.display();
			tell(format_args!("skipped, because it is not a file: {skipped}"));
		}
		for own in folder.own() {
			let own = own.display();
			tell(format_args!(
				"skipped, because isthmus itself writes to it: {own}"
			));
		}
		for unused in folder.unused() {
			let path = path.display();
			tell(format_args!(
				"nothing matches --exclude {unused}: names are compared, or paths from {path} on"
			));
		}
		Ok(folder)
	}

	/// Does the same without a word.
	///
	/// # Errors
	///
	/// Returns the errors of [`LocalFolder::open`].
	pub(crate) fn open_quietly(&self, path: &Path) -> Result<LocalFolder, Error> {
		let own: Vec<PathBuf> = settings().into_iter().collect();
		Ok(LocalFolder::open_without(path, &own, &self.patterns)?)
	}
}
