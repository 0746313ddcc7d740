// SPDX-License-Identifier: Apache-2.0
//! Objects that are found by how their names begin, so that what an interrupted program has left can be deleted although
//! no program knows its headers any more.

use crate::{
	failure::Failure,
	location::{gone, Location},
	upload::patiently,
};
use isthmus_envelope::object::MARK_LEN;
use object_store::ObjectStoreExt;
use std::{collections::BTreeMap, time::SystemTime};

/// What the names of objects that belong together begin with. It is half of an object's salt.
pub type Mark = [u8; MARK_LEN];

/// What the names of an object's files end with: the object itself, its list, and one that a program is writing, or was
/// interrupted at.
const ENDINGS: [&str; 3] = ["", ".b3", ".unfinished"];

/// An object that a location has, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
	/// The salt in its header, which makes its name.
	pub salt: [u8; 32],
	/// How many bytes it and its list have.
	pub length: u64,
	/// When the store last changed it.
	pub modified: SystemTime,
}

impl Marked {
	/// Returns the mark.
	pub fn mark(&self) -> Mark {
		let mut mark = Mark::default();
		mark.copy_from_slice(&self.salt[..MARK_LEN]);
		mark
	}
}

/// Returns the salt in the name of one of an object's files; `None` for a file of something else.
fn salt_of(file: &str) -> Option<[u8; 32]> {
	let (name, ending) = file.split_at_checked(64)?;
	let mut salt = [0; 32];
	hex::decode_to_slice(name, &mut salt).ok()?;
	// Names are in lower case.
	(ENDINGS.contains(&ending) && hex::encode(salt) == name).then_some(salt)
}

impl Location {
	/// Returns the objects here whose marks are wanted, in the order of their names. Asks the store for all names in the
	/// location's folder. Parts of an unfinished object that a bucket keeps for it are not listed: buckets have rules that
	/// delete those.
	///
	/// # Errors
	///
	/// Returns why the store did not list them.
	pub async fn marked(&self, wanted: impl Fn(&Mark) -> bool) -> Result<Vec<Marked>, Failure> {
		let list = async {
			let folder = self.folder();
			match self.store().list_with_delimiter(Some(folder)).await {
				Ok(listed) => Ok(listed.objects),
				Err(error) => match Failure::from(error) {
					// There is no such folder yet.
					Failure::Missing => Ok(Vec::new()),
					failure => Err(failure),
				},
			}
		};
		let mut found: BTreeMap<[u8; 32], Marked> = BTreeMap::new();
		for meta in patiently(0, list).await? {
			let Some(salt) = meta.location.filename().and_then(salt_of) else {
				continue;
			};
			let modified = SystemTime::from(meta.last_modified);
			let entry = found.entry(salt).or_insert(Marked {
				salt,
				length: 0,
				modified,
			});
			entry.length = entry.length.saturating_add(meta.size);
			entry.modified = entry.modified.max(modified);
		}
		let all = found.into_values();
		Ok(all.filter(|object| wanted(&object.mark())).collect())
	}

	/// Writes an empty file here whose name begins with a mark, so that [`marked`](Self::marked) finds the mark before there
	/// is an object with it. No object has this name: the rest of it is zeros.
	///
	/// # Errors
	///
	/// Returns why the store does not take it.
	pub async fn set_mark(&self, mark: &Mark) -> Result<(), Failure> {
		self.parts()?;
		let path = self.path(&hex::encode(salt_of_mark(mark)));
		let put = async {
			let put = self.store().put(&path, Vec::new().into()).await;
			Ok(put.map(|_| ())?)
		};
		patiently(0, put).await
	}

	/// Deletes all that is here of the object with this salt.
	///
	/// # Errors
	///
	/// Returns why the store did not delete it.
	pub async fn delete_marked(&self, salt: &[u8; 32]) -> Result<(), Failure> {
		self.parts()?;
		let name = hex::encode(salt);
		for ending in ENDINGS {
			gone(
				self.store()
					.delete(&self.path(&format!("{name}{ending}")))
					.await,
			)?;
		}
		Ok(())
	}
}

/// Returns the salt that stands for a mark alone.
fn salt_of_mark(mark: &Mark) -> [u8; 32] {
	let mut salt = [0; 32];
	salt[..MARK_LEN].copy_from_slice(mark);
	salt
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn only_the_files_of_objects_have_a_salt() {
		let name = "0a".repeat(32);
		for ending in ENDINGS {
			assert_eq!(salt_of(&format!("{name}{ending}")), Some([10; 32]));
		}
		let upper = name.to_uppercase();
		let longer = format!("{name}0");
		let other = format!("{name}.txt");
		for file in ["", "marks.csv", &name[1..], &upper, &longer, &other, "é"] {
			assert_eq!(salt_of(file), None, "{file}");
		}
	}
}
