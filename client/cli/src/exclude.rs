// SPDX-License-Identifier: Apache-2.0
//! The folder that a command stores, and what is left out of it.

use crate::{error::Error, options::Options, stderr::tell, tip::Tip};
use isthmus_sdk::envelope::paths::ShowPath;
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
	/// Returns the errors of [`LocalFolder::open`], and one if nothing is left that could be stored, unless `may_be_empty`.
	pub(crate) fn open(
		&self,
		path: &Path,
		options: &Options,
		may_be_empty: bool,
	) -> Result<LocalFolder, Error> {
		let folder = self.open_stored(path, options)?;
		let is_nothing_left = folder.is_all_excluded() && folder.empty_folders().next().is_none();
		if is_nothing_left && !may_be_empty {
			let path = path.shown();
			return Err(
				Error::failed(format!("--exclude leaves out all files of {path}"))
					.hint("change the patterns: what matches one of them is left out"),
			);
		}
		let not_files = folder.skipped().iter();
		let not_files = not_files.map(|path| (path, "it is not a file"));
		let own = folder.own().iter();
		let own = own.map(|path| (path, OWN));
		for (path, why) in not_files.chain(own) {
			let path = path.shown();
			tell(format_args!("skipped, because {why}: {path}"));
		}
		Ok(folder)
	}

	/// Finds the files of a folder that was stored, and names only the patterns that match nothing.
	///
	/// # Errors
	///
	/// Returns the errors of [`LocalFolder::open`].
	pub(crate) fn open_stored(&self, path: &Path, options: &Options) -> Result<LocalFolder, Error> {
		let own = options.own_files();
		let own: Vec<&Path> = own.iter().map(PathBuf::as_path).collect();
		let mut unused = Vec::new();
		let opened = LocalFolder::open_noting(path, &own, &self.patterns, &mut unused);
		let folder = opened.map_err(|error| {
			let noted = unused.iter();
			let noted = noted.map(|one| self.not_matched(one, path, unused.len()));
			noted.fold(Error::from(error), Error::also_known)
		})?;
		for unused in folder.unused() {
			tell(self.not_matched(unused, path, folder.unused().len()));
		}
		Ok(folder)
	}

	/// Says that nothing in a folder matches a pattern, as one of `unused`. If another one matches, it may have left out what this
	/// one is for.
	fn not_matched(&self, pattern: &Exclude, path: &Path, unused: usize) -> String {
		let path = path.shown();
		let words = format!(
			"nothing matches --exclude {pattern}: names are compared, or paths from {path} on"
		);
		match self.patterns.len() > unused {
			true => words + "; what is in a folder that is left out is not looked at",
			false => words,
		}
	}
}
