// SPDX-License-Identifier: Apache-2.0
//! What `isthmus remove` answers.

use crate::{
	error::Error,
	text::{count, shown, Key},
};
use isthmus_sdk::{object, objects::Location, BlockNumber, Removal};
use serde::Serialize;
use std::fmt;

/// A record that was removed.
#[derive(Serialize)]
pub(crate) struct Removed {
	/// `None` if nothing was on the chain: the upload of an object was given up.
	pub(super) block: Option<BlockNumber>,
	#[serde(flatten)]
	pub(super) counts: Counts,
	/// Whether the record itself stays, because only what an unfinished upload has left of its files was removed.
	#[serde(skip_serializing_if = "std::ops::Not::not")]
	pub(super) stays: bool,
	pub(super) key: Key,
	pub(super) name: String,
	/// What became of the record's object, by location, and of another one that was sent under its key and is not deleted.
	pub(super) objects: Vec<Deleted>,
	/// How many keys were erased; `None` if none had to be.
	pub(super) erased: Option<usize>,
}

/// What was removed with a folder.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Counts {
	/// How many files; `None` if the record was not a folder.
	pub(super) files: Option<usize>,
	/// How many packs with these files; `None` if it was not a packed folder.
	pub(super) packs: Option<usize>,
}

impl From<&Removal> for Counts {
	fn from(removal: &Removal) -> Self {
		Self {
			files: removal.files(),
			packs: removal.packs(),
		}
	}
}

/// Says what is removed: the name, and how many files go with a folder, and in how many packs they are.
pub(super) fn with_files(name: &str, Counts { files, packs }: Counts, stays: bool) -> String {
	let Some(files) = files else {
		return name.to_owned();
	};
	let files = count(files as u64, "file");
	match packs {
		_ if stays => format!("{files} that an unfinished upload of {name} has left"),
		Some(packs) => format!("{name} with {files} in {}", count(packs as u64, "pack")),
		None => format!("{name} with {files}"),
	}
}

/// What became of the objects at a location.
#[derive(Serialize)]
pub(super) struct Deleted {
	pub(super) location: String,
	pub(super) gone: usize,
	/// Why one was not deleted there; `None` if all are gone.
	pub(super) failure: Option<String>,
	/// The names of those that are left there.
	#[serde(skip_serializing_if = "Vec::is_empty")]
	pub(super) left: Vec<String>,
}

impl fmt::Display for Removed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.block {
			Some(block) => write!(f, "block {block}: removed ")?,
			None => write!(f, "gave up the unfinished upload of ")?,
		}
		f.write_str(&with_files(&self.name, self.counts, self.stays))?;
		for Deleted {
			location,
			gone,
			failure,
			left,
		} in &self.objects
		{
			let (location, gone) = (shown(location), count(*gone as u64, "object"));
			let failure = failure
				.as_ref()
				.map(|failure| shown(with_left(failure, left)));
			match (self.block, failure) {
				(None, None) => write!(f, "\n  {location}: deleted what had arrived")?,
				(None, Some(failure)) => {
					write!(f, "\n  {location}: what had arrived stays there: {failure}")?
				}
				(Some(_), None) => write!(f, "\n  {location}: {gone} gone")?,
				(Some(_), Some(failure)) => {
					write!(f, "\n  {location}: {gone} gone, and not all: {failure}")?
				}
			}
		}
		if let Some(erased) = self.erased {
			write!(f, "\n  erased {}", count(erased as u64, "key"))?;
		}
		Ok(())
	}
}

impl Removed {
	/// Returns an error if objects of the record are left.
	pub(super) fn left_behind(&self) -> Option<Error> {
		let objects = self.objects.iter();
		left_behind(
			"the record is removed, and not all of its objects are deleted",
			objects.map(|at| (at.location.as_str(), at.failure.as_deref(), &at.left[..])),
		)
	}
}

/// Returns an error if objects that should be gone are left at locations that this program can write to. A location that is only
/// read keeps what it has.
pub(crate) fn left_behind<'a>(
	what: &str,
	deleted: impl Iterator<Item = (&'a str, Option<&'a str>, &'a [String])>,
) -> Option<Error> {
	let is_writable =
		|url: &str| Location::open(url).is_ok_and(|location| location.takes_objects());
	let mut lines = Vec::new();
	for (url, failure, left) in deleted {
		let Some(failure) = failure.filter(|_| is_writable(url)) else {
			continue;
		};
		lines.push(format!("{url}: {}", with_left(failure, left)));
		if left.len() > MOST_IN_LINE {
			lines.extend(left.iter().map(|name| format!("{url}: left there: {name}")));
		}
	}
	(!lines.is_empty()).then(|| {
		Error::failed(format!("{what}:"))
			.listing(lines)
			.hint("delete them there yourself: the chain does not name them any more")
	})
}

/// The most names of objects in one line.
const MOST_IN_LINE: usize = 20;

/// Adds to the failure of a location the names of the objects that are left there; of many, their number.
pub(crate) fn with_left(failure: &str, left: &[String]) -> String {
	match left.len() {
		0 => failure.to_owned(),
		1..=MOST_IN_LINE => format!("{failure}; left there: {}", left.join(", ")),
		many => format!("{failure}; left there: {many} objects"),
	}
}

impl From<object::Deleted> for Deleted {
	fn from(deleted: object::Deleted) -> Self {
		let object::Deleted {
			location,
			gone,
			failure,
			left,
		} = deleted;
		Self {
			location,
			gone,
			failure,
			left,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn files_are_counted_and_packs_are_called_so() {
		let with = |files, packs| with_files("a", Counts { files, packs }, false);
		assert_eq!(with(None, None), "a");
		assert_eq!(with(Some(1), None), "a with 1 file");
		assert_eq!(with(Some(1_000), Some(3)), "a with 1000 files in 3 packs");
		assert_eq!(with(Some(0), Some(0)), "a with 0 files in 0 packs");
		let (files, packs) = (Some(2), None);
		let left = with_files("a", Counts { files, packs }, true);
		assert_eq!(left, "2 files that an unfinished upload of a has left");
		let removed = Removed {
			block: Some(7),
			counts: Counts {
				files: Some(5),
				packs: Some(1),
			},
			stays: false,
			key: Key([7; 32].into()),
			name: "photos".into(),
			objects: Vec::new(),
			erased: None,
		};
		let line = "block 7: removed photos with 5 files in 1 pack";
		assert_eq!(removed.to_string(), line);
		// It may have been gone before.
		let deleted = Removed {
			objects: vec![Deleted {
				location: "file:///srv".into(),
				gone: 1,
				failure: None,
				left: Vec::new(),
			}],
			..removed
		};
		let shown = deleted.to_string();
		assert_eq!(shown, format!("{line}\n  file:///srv: 1 object gone"));
		let json = serde_json::to_value(&deleted).unwrap();
		assert_eq!((&json["files"], &json["packs"]), (&5.into(), &1.into()));
		assert!(json["stays"].is_null());
	}

	#[test]
	fn objects_that_are_left_are_an_error_unless_the_location_is_only_read() {
		let names = |count: usize| vec!["0f".to_owned(); count];
		let of = |location, failure, names: &[String]| {
			left_behind("removed", [(location, failure, names)].into_iter())
		};
		let left = |location, failure| of(location, failure, &[]);
		let error = of("file:///srv/records", Some("denied"), &names(1)).unwrap();
		assert_eq!(error.kind(), crate::error::Kind::Failed);
		let shown = format!("{error:?}");
		assert!(shown.contains("file:///srv/records: denied; left there: 0f"));
		// Programs get the names of all.
		let error = of("file:///srv/records", Some("denied"), &names(30)).unwrap();
		let shown = format!("{error:?}");
		assert!(shown.contains("file:///srv/records: denied; left there: 30 objects"));
		assert_eq!(
			shown.matches("file:///srv/records: left there: 0f").count(),
			30
		);
		for (location, failure) in [
			("file:///srv/records", None),
			(
				"https://mirror.example.org/a",
				Some("nothing can be written there"),
			),
			("not an address", Some("unusable")),
		] {
			assert!(left(location, failure).is_none(), "{location}");
		}
	}
}
