// SPDX-License-Identifier: Apache-2.0
//! The folder that a command stores, and what is left out of it.

use crate::{error::Error, options::Options, stderr::tell, tip::Tip};
use isthmus_sdk::{Exclude, LocalFolder};
use std::path::{Path, PathBuf};

/// Why what isthmus itself writes is left out.
const OWN: &str = "it is a key file, or this program keeps it for itself";

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

	/// Adds them to a command.
	pub(crate) fn on(&self, tip: Tip) -> Tip {
		let patterns = self.patterns.iter().map(ToString::to_string);
		patterns.fold(tip, |tip, pattern| tip.option("--exclude", &pattern))
	}

	/// Finds the files of a folder, and names what is none, and what this program keeps for itself.
	///
	/// # Errors
	///
	/// Returns the errors of [`LocalFolder::open`].
	pub(crate) fn open(&self, path: &Path, options: &Options) -> Result<LocalFolder, Error> {
		let folder = self.open_quietly(path, options)?;
		let not_files = folder.skipped().iter();
		let not_files = not_files.map(|path| (path, "it is not a file"));
		let own = folder.own().iter();
		let own = own.map(|path| (path, OWN));
		for (path, why) in not_files.chain(own) {
			let path = path.display();
			tell(format_args!("skipped, because {why}: {path}"));
		}
		for unused in folder.unused() {
			tell(not_matched(unused, path));
		}
		Ok(folder)
	}

	/// Does the same without a word.
	///
	/// # Errors
	///
	/// Returns the errors of [`LocalFolder::open`].
	pub(crate) fn open_quietly(
		&self,
		path: &Path,
		options: &Options,
	) -> Result<LocalFolder, Error> {
		let own = options.own_files();
		let own: Vec<&Path> = own.iter().map(PathBuf::as_path).collect();
		let mut unused = Vec::new();
		let opened = LocalFolder::open_noting(path, &own, &self.patterns, &mut unused);
		opened.map_err(|error| {
			let noted = unused.iter().map(|unused| not_matched(unused, path));
			noted.fold(Error::from(error), Error::also_known)
		})
	}
}

/// Says that nothing in a folder matches a pattern.
fn not_matched(unused: &Exclude, path: &Path) -> String {
	let path = path.display();
	format!("nothing matches --exclude {unused}: names are compared, or paths from {path} on")
}
