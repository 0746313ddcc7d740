// SPDX-License-Identifier: Apache-2.0
//! Remembers for which leaves a store may have something that no journal names any more: an upload was given up, or began again
//! at another leaf, and its store did not delete what it had. Anyone who gets the key of such a leaf could open that.
//!
//! The file `isthmus-OWNER-uploads.left` has a line for each, like those of a packed folder's journal, so that
//! [`Interrupted`](super::Interrupted) finds them. It is written before the journal is forgotten. A line is removed when its
//! store has deleted the object, or when nothing gets the key of its leaf any more, because that is taken or its epoch is over.

use super::place_note::noted_place;
use crate::{client::Client, error::Error, file, lock, types::*, wait::Wait};
use isthmus_envelope::{
	newer::{is_other_form, NewerFile},
	on_disk,
};
use isthmus_light::storage;
use isthmus_objects as objects;
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeSet,
	io,
	path::{Path, PathBuf},
};
use subxt::utils::H256;

/// The maximum length of the file in bytes.
const LONGEST: u64 = 64 << 20;

/// What happens without the file of a newer release.
const LOST: &str =
	"what uploads have left at their locations stays there, under leaves that may be used again";

/// What a store may have. The order of the fields is that in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Abandoned {
	/// The hash of the first block of the chain that it was meant for, in hexadecimal digits; empty in lines of earlier versions.
	#[serde(default, skip_serializing_if = "String::is_empty")]
	chain: String,
	location: String,
	/// The object's name there.
	object: String,
	dataset: DatasetId,
	epoch: Epoch,
	leaf: Leaf,
}

impl Abandoned {
	/// Names an object at a location, which is encrypted for a place.
	pub(crate) fn new(genesis: [u8; 32], location: String, object: String, place: &Place) -> Self {
		let Place {
			dataset,
			epoch,
			leaf,
			..
		} = *place;
		Self {
			chain: hex::encode(genesis),
			location,
			object,
			dataset,
			epoch,
			leaf,
		}
	}

	pub(super) fn to_line(&self) -> io::Result<String> {
		let sent = self.clone();
		Ok(serde_json::to_string(&Line { sent })?)
	}

	/// Reads a line; `None` if it is not one of this release.
	fn of_line(line: &str) -> Option<Self> {
		let Line { sent } = serde_json::from_str(line).ok()?;
		Some(sent)
	}
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
	sent: Abandoned,
}

/// Returns the leaves for which stores may have something, by such a file.
///
/// # Errors
///
/// Returns the error of the file, and one about a [`NewerFile`] if it has a line that this release does not know.
pub(super) fn leaves_in(path: &Path) -> io::Result<Vec<(DatasetId, Epoch, Leaf)>> {
	let leaf = |sent: Abandoned| (sent.dataset, sent.epoch, sent.leaf);
	let lines = read(path)?;
	let leaves = lines.iter().map(|line| read_line(path, line).map(leaf));
	leaves.collect()
}

/// Reads a line. The file is replaced as a whole, so none is cut short.
fn read_line(path: &Path, line: &str) -> io::Result<Abandoned> {
	match serde_json::from_str(line) {
		Ok(Line { sent }) => Ok(sent),
		Err(error) if is_other_form(&error) => Err(NewerFile::new(path, LOST).into()),
		Err(error) => Err(file::named(path)(error.into())),
	}
}

/// Forgets the journal of an upload that is not resumed, if there is one, and notes before that what its store may have.
///
/// # Errors
///
/// Returns [`Error::Io`] if that cannot be noted: then the journal stays.
pub(crate) async fn abandon(
	client: &Client,
	owner: &AccountId,
	journal: &Path,
) -> Result<(), Error> {
	let noted = match objects::noted(journal) {
		Ok(None) => return Ok(()),
		// It does not say for which leaf.
		Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
		noted => noted?,
	};
	if let Some(objects::Noted { note, url, object }) = noted {
		if let Some(place) = noted_place(&note, H256::zero()) {
			let left = Abandoned::new(client.genesis(), url, object, &place);
			note_all(client, owner, &[left]).await?;
		}
	}
	Ok(objects::forget(journal)?)
}

/// Notes what stores may have. When this returns, it is on the disk.
///
/// # Errors
///
/// Returns [`Error::Io`] if it cannot be noted.
pub(crate) async fn note_all(
	client: &Client,
	owner: &AccountId,
	abandoned: &[Abandoned],
) -> Result<(), Error> {
	change(client, owner, lines_of(abandoned)?, with).await
}

/// Forgets what stores have deleted.
///
/// # Errors
///
/// Returns [`Error::Io`] if the file cannot be changed.
pub(crate) async fn forget_all(
	client: &Client,
	owner: &AccountId,
	deleted: &[Abandoned],
) -> Result<(), Error> {
	change(client, owner, lines_of(deleted)?, without).await
}

/// Forgets what nothing gets the key of any more: in the finalized state of this chain, its leaf is taken, or its epoch or its
/// dataset is over. Only frames have keys of leaves that are free.
///
/// # Errors
///
/// Returns [`Error::Io`] if the file cannot be read or changed, and the errors of [`Client::proven`].
pub(crate) async fn forget_taken(client: &Client, owner: &AccountId) -> Result<(), Error> {
	let lines = read(&path_of(owner)?)?;
	let noted = of_chain(client.genesis(), &lines);
	if noted.is_empty() {
		return Ok(());
	}
	let proven = client.proven().await?;
	let keys = noted.iter().flat_map(|(_, left)| {
		let Abandoned {
			dataset,
			epoch,
			leaf,
			..
		} = *left;
		[
			storage::dataset(&owner.0, dataset),
			storage::leaf(&owner.0, dataset, epoch, leaf),
		]
	});
	let keys: BTreeSet<Vec<u8>> = keys.collect();
	proven.load(&Vec::from_iter(keys)).await?;
	let mut taken = Vec::new();
	for (line, left) in noted {
		let Abandoned {
			dataset,
			epoch,
			leaf,
			..
		} = left;
		let current = proven.dataset(owner, dataset).await?;
		let entry = proven.leaf(owner, dataset, epoch, leaf).await?;
		if entry.is_some() || current.is_none_or(|current| current.epoch > epoch) {
			taken.push(line.clone());
		}
	}
	change(client, owner, taken, without).await
}

/// Returns the lines that are of a chain, with what they say.
fn of_chain(genesis: [u8; 32], lines: &[String]) -> Vec<(&String, Abandoned)> {
	let chain = hex::encode(genesis);
	let noted = lines
		.iter()
		.filter_map(|line| Some((line, Abandoned::of_line(line)?)));
	noted.filter(|(_, left)| left.chain == chain).collect()
}

fn lines_of(abandoned: &[Abandoned]) -> io::Result<Vec<String>> {
	abandoned.iter().map(Abandoned::to_line).collect()
}

/// Returns the path of an owner's file.
fn path_of(owner: &AccountId) -> io::Result<PathBuf> {
	lock::needed(&format!("isthmus-{owner}-uploads.left"))
}

/// Changes the lines of an owner's file by others.
async fn change(
	client: &Client,
	owner: &AccountId,
	by: Vec<String>,
	make: fn(Vec<String>, &[String]) -> Vec<String>,
) -> Result<(), Error> {
	if by.is_empty() {
		return Ok(());
	}
	let lock = format!("isthmus-{owner}-left.lock");
	// A lock that cannot be taken has no place to be, and neither does the file.
	let _held = client.hold(Wait::OtherSender, &lock).await;
	let path = path_of(owner)?;
	let before = read(&path)?;
	let after = make(before.clone(), &by);
	if after != before {
		write(&path, &after)?;
	}
	Ok(())
}

fn with(mut lines: Vec<String>, new: &[String]) -> Vec<String> {
	for line in new {
		if !lines.contains(line) {
			lines.push(line.clone());
		}
	}
	lines
}

fn without(mut lines: Vec<String>, gone: &[String]) -> Vec<String> {
	lines.retain(|line| !gone.contains(line));
	lines
}

/// Reads the lines.
fn read(path: &Path) -> io::Result<Vec<String>> {
	let bytes = file::read(path, LONGEST).map_err(file::named(path))?;
	let bytes = bytes.unwrap_or_default();
	let text = String::from_utf8(bytes);
	let text = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
	let lines: Vec<String> = text.lines().map(str::to_owned).collect();
	for line in &lines {
		read_line(path, line)?;
	}
	Ok(lines)
}

/// Replaces the file, so that a crash leaves either the old or the new one.
fn write(path: &Path, lines: &[String]) -> io::Result<()> {
	match lines {
		[] => {
			std::fs::remove_file(path)?;
			on_disk::sync_name(path)
		}
		lines => file::replace(path, format!("{}\n", lines.join("\n")).as_bytes()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn line(object: &str, leaf: Leaf) -> String {
		line_of([0xab; 32], object, leaf)
	}

	fn line_of(genesis: [u8; 32], object: &str, leaf: Leaf) -> String {
		let place = Place {
			key: H256::zero(),
			dataset: 1,
			epoch: 2,
			leaf,
		};
		let abandoned = Abandoned::new(genesis, "file:///a\nb".into(), object.into(), &place);
		abandoned.to_line().unwrap()
	}

	#[test]
	fn what_is_noted_stays_until_it_is_deleted() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("left");
		assert_eq!(read(&path).unwrap(), [] as [String; 0]);
		// Another object for the same leaf.
		let other = line("09", 1);
		let lines = with(vec![other.clone()], &[line("07", 3), line("08", 3)]);
		assert_eq!(with(lines.clone(), &lines), lines);
		write(&path, &lines).unwrap();
		assert_eq!(read(&path).unwrap(), lines);
		let left = without(lines, &[line("07", 3), line("07", 4)]);
		assert_eq!(left, [other.clone(), line("08", 3)]);
		write(&path, &left).unwrap();
		assert_eq!(read(&path).unwrap(), left);
		write(&path, &without(left, &[line("08", 3), other])).unwrap();
		assert!(!path.exists());
		std::fs::write(&path, [0xff]).unwrap();
		assert!(read(&path).is_err());
	}

	#[test]
	fn a_line_of_a_newer_release_is_an_error_and_stays() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("left");
		let known = line("07", 3);
		for newer in [
			known.replacen("\"leaf\"", "\"later\":0,\"leaf\"", 1),
			known.replacen("\"sent\"", "\"kept\"", 1),
		] {
			let text = format!("{known}\n{newer}\n");
			std::fs::write(&path, &text).unwrap();
			for refused in [read(&path).map(drop), leaves_in(&path).map(drop)] {
				let refused = refused.unwrap_err();
				assert!(NewerFile::in_error(&refused).is_some(), "{refused}");
			}
		}
		// One that is damaged is none of those, and no leaf is taken for a free one.
		std::fs::write(&path, &known[..20]).unwrap();
		let damaged = leaves_in(&path).unwrap_err();
		assert!(NewerFile::in_error(&damaged).is_none());
	}

	#[test]
	fn a_line_is_one_and_has_its_fields_in_order() {
		let chain = "ab".repeat(32);
		assert_eq!(
			line("07", 3),
			format!(
				r#"{{"sent":{{"chain":"{chain}","location":"file:///a\nb","object":"07","dataset":1,"epoch":2,"leaf":3}}}}"#
			)
		);
	}

	#[test]
	fn only_lines_of_the_same_chain_are_compared_with_it() {
		let older = r#"{"sent":{"location":"a","object":"07","dataset":1,"epoch":2,"leaf":9}}"#;
		let lines = [
			line("07", 3),
			line_of([1; 32], "07", 4),
			older.to_owned(),
			"{".to_owned(),
			line("08", 5),
		];
		let found = of_chain([0xab; 32], &lines);
		let leaves: Vec<_> = found.iter().map(|(_, left)| left.leaf).collect();
		assert_eq!(leaves, [3, 5]);
		assert_eq!(found[0].0, &lines[0]);
		assert_eq!(found[0].1.to_line().unwrap(), lines[0]);
	}
}
