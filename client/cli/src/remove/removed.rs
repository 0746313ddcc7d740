// SPDX-License-Identifier: Apache-2.0
//! What `isthmus remove` answers.

use crate::text::{count, shown, Key};
use isthmus_sdk::{object, BlockNumber};
use serde::Serialize;
use std::fmt;

/// A record that was removed.
#[derive(Serialize)]
pub(crate) struct Removed {
	/// `None` if nothing was on the chain: the upload of an object was given up.
	pub(super) block: Option<BlockNumber>,
	/// How many files were removed with a folder; `None` if the record was not a folder.
	pub(super) files: Option<usize>,
	pub(super) key: Key,
	pub(super) name: String,
	/// What became of the record's object, by location, and of another one that was sent under its key and is not deleted.
	pub(super) objects: Vec<Deleted>,
	/// How many keys were erased; `None` if none had to be.
	pub(super) erased: Option<usize>,
}

/// What became of the objects at a location.
#[derive(Serialize)]
pub(super) struct Deleted {
	pub(super) location: String,
	pub(super) gone: usize,
	/// Why one was not deleted there; `None` if all are gone.
	pub(super) failure: Option<String>,
}

impl fmt::Display for Removed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.block {
			Some(block) => write!(f, "block {block}: removed {}", self.name)?,
			None => write!(f, "gave up the unfinished upload of {}", self.name)?,
		}
		if let Some(files) = self.files {
			write!(f, " with {}", count(files as u64, "file"))?;
		}
		for Deleted {
			location,
			gone,
			failure,
		} in &self.objects
		{
			let (location, gone) = (shown(location), count(*gone as u64, "object"));
			match (self.block, failure.as_ref().map(shown)) {
				(None, None) => write!(f, "\n  {location}: deleted what had arrived")?,
				(None, Some(failure)) => {
					write!(f, "\n  {location}: what had arrived stays there: {failure}")?
				}
				(Some(_), None) => write!(f, "\n  {location}: deleted {gone}")?,
				(Some(_), Some(failure)) => {
					write!(f, "\n  {location}: deleted {gone}, and not all: {failure}")?
				}
			}
		}
		if let Some(erased) = self.erased {
			write!(f, "\n  erased {}", count(erased as u64, "key"))?;
		}
		Ok(())
	}
}

impl From<object::Deleted> for Deleted {
	fn from(deleted: object::Deleted) -> Self {
		let object::Deleted {
			location,
			gone,
			failure,
		} = deleted;
		Self {
			location,
			gone,
			failure,
		}
	}
}
