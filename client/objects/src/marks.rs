// SPDX-License-Identifier: Apache-2.0
//! Objects that are found by how their names begin, so that what an interrupted program has left can be deleted although
//! no program knows its headers any more.

use crate::{failure::Failure, folder::FolderFault, location::Location, patience::patiently};
use futures::{
	stream::{self, BoxStream},
	StreamExt, TryStreamExt,
};
use isthmus_envelope::object::MARK_LEN;
use object_store::{path::Path, ObjectMeta, ObjectStoreExt};
use std::{collections::BTreeMap, time::SystemTime};

/// What the names of objects that belong together begin with. It is half of an object's salt.
pub type Mark = [u8; MARK_LEN];

/// What the names of an object's files end with: the object itself, its list, and one that a program is writing, or was
/// interrupted at.
const ENDINGS: [&str; 3] = ["", ".b3", ".unfinished"];

/// A list of files.
type Listed<'a> = BoxStream<'a, object_store::Result<ObjectMeta>>;

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
	/// Returns the objects here whose salts begin with what is from `first` to `last`, in the order of their names: with one
	/// mark, if it is both, and all of them, if both are empty. Buckets that list names in order are asked for these alone. Waits for each page
	/// of a list as long as for a small object. Parts of an unfinished object that a bucket keeps for it are not listed: buckets have
	/// rules that delete those.
	///
	/// # Errors
	///
	/// Returns why the store did not list them.
	pub async fn marked(&self, first: &[u8], last: &[u8]) -> Result<Vec<Marked>, Failure> {
		let mut found: BTreeMap<[u8; 32], Marked> = BTreeMap::new();
		// Digits and the dot of an ending come before this letter.
		let end = self.path(&format!("{}g", hex::encode(last)));
		let mut listed = self.listed(first);
		loop {
			let meta = match patiently(0, next(&mut listed)).await {
				Ok(Some(meta)) => meta,
				Ok(None) => break,
				Err(failure) => return Err(self.why(self.meant(failure)).await),
			};
			if self.lists_in_order() && !last.is_empty() && meta.location > end {
				break;
			}
			let Some(salt) = self.salt_at(&meta.location) else {
				continue;
			};
			if salt[..].cmp(first).is_lt() || salt[..].iter().take(last.len()).cmp(last).is_gt() {
				continue;
			}
			let modified = SystemTime::from(meta.last_modified);
			let entry = found.entry(salt).or_insert(Marked {
				salt,
				length: 0,
				modified,
			});
			entry.length = entry.length.saturating_add(meta.size);
			entry.modified = entry.modified.max(modified);
		}
		if !found.is_empty() {
			return Ok(found.into_values().collect());
		}
		if self.is_web() {
			return Err(Failure::Unlisted);
		}
		match self.looked_at().await {
			// There is no such folder yet.
			None | Some(FolderFault::Absent) => Ok(Vec::new()),
			Some(fault) => Err(Failure::Folder(fault)),
		}
	}

	/// Lists the files here, from those on whose names begin with what `first` is in digits, if the store can begin there.
	fn listed(&self, first: &[u8]) -> Listed<'_> {
		let folder = Some(self.folder());
		if self.is_folder() {
			// Other folders inside this one may be closed to this program.
			let listed = async move {
				let listed = self.store().list_with_delimiter(folder).await;
				listed.map(|listed| stream::iter(listed.objects.into_iter().map(Ok)))
			};
			return stream::once(listed).try_flatten().boxed();
		}
		match first {
			[] => self.store().list(folder),
			first => {
				let offset = self.path(&hex::encode(first));
				self.store().list_with_offset(folder, &offset)
			}
		}
	}

	/// Returns the salt in the name of a file, if it is an object's in this folder itself.
	fn salt_at(&self, path: &Path) -> Option<[u8; 32]> {
		let name = path.filename()?;
		salt_of(name).filter(|_| self.path(name) == *path)
	}

	/// Returns whether the store lists names in order. Folders of this machine do not, nor do directory buckets of S3.
	fn lists_in_order(&self) -> bool {
		match self.url().split_once("://") {
			Some(("s3", rest)) => {
				let bucket = rest.split('/').next().unwrap_or_default();
				!bucket.ends_with("--x-s3")
			}
			Some(("gs" | "az", _)) => true,
			_ => false,
		}
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
			self.delete_at(&self.path(&format!("{name}{ending}")))
				.await?;
		}
		Ok(())
	}
}

/// Returns the next file of a list; `None` at its end.
async fn next(listed: &mut Listed<'_>) -> Result<Option<ObjectMeta>, Failure> {
	match listed.next().await.transpose() {
		Ok(meta) => Ok(meta),
		Err(error) => match Failure::from(error) {
			// There is no such folder yet.
			Failure::Missing => Ok(None),
			failure => Err(failure),
		},
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
