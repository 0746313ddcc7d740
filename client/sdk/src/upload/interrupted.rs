// SPDX-License-Identifier: Apache-2.0
//! Finds the leaves for which interrupted or abandoned uploads of this machine's user have encrypted something. A store may have it,
//! and no record names it.

use super::{abandoned, place_note::noted_place};
use crate::{error::Error, file, lock, sync_folder::journal as packs, types::*};
use isthmus_envelope::NewerFile;
use isthmus_objects as objects;
use std::{
	collections::BTreeSet,
	fs, io,
	path::{Path, PathBuf},
	time::Duration,
};
use subxt::utils::H256;

/// The extension of the journal of an object's upload.
const JOURNAL: &str = "upload";
/// That of the journal of a packed folder.
const PACKS: &str = "packs";
/// That of what was [abandoned].
const LEFT: &str = "left";
/// How often a journal is read that another program may be beginning.
const TRIES: u32 = 3;
/// The time between that.
const RETRY: Duration = Duration::from_millis(20);

/// Those leaves. The journals do not say of which chain they are, so there may be some of other chains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Interrupted(BTreeSet<(DatasetId, Epoch, Leaf)>);

impl Interrupted {
	/// Reads the journals of an owner's uploads, in all folders where they can be.
	///
	/// # Errors
	///
	/// Returns [`Error::Io`] if a folder or a journal cannot be read, and [`Error::Newer`] if a newer release wrote one.
	pub(crate) async fn of(owner: &AccountId) -> Result<Self, Error> {
		let (home, name) = (lock::lasting(), format!("isthmus-{owner}-"));
		let mut started = Self::default();
		for folder in lock::folders() {
			let is_shared = home.as_ref() != Some(&folder);
			for journal in journals(&folder, &name, is_shared)? {
				started.add(&journal).await?;
			}
		}
		Ok(started)
	}

	/// Returns whether a place has one of the leaves.
	pub(crate) fn has(&self, place: &Place) -> bool {
		self.0.contains(&(place.dataset, place.epoch, place.leaf))
	}

	/// Adds the leaves of a journal.
	async fn add(&mut self, journal: &Path) -> Result<(), Error> {
		match journal.extension().and_then(|kind| kind.to_str()) {
			Some(PACKS) => {
				let leaves = packs::leaves_in(journal).map_err(|error| match error {
					Error::Io(error) => named(journal, error).into(),
					error => error,
				});
				self.0.extend(leaves?);
				return Ok(());
			}
			Some(LEFT) => {
				let leaves = abandoned::leaves_in(journal);
				let leaves = leaves.map_err(|error| named(journal, error))?;
				self.0.extend(leaves);
				return Ok(());
			}
			_ => {}
		}
		let mut tries = 1;
		loop {
			match upload(journal) {
				Ok(place) => {
					self.0.extend(place);
					return Ok(());
				}
				Err(_) if tries < TRIES => tries += 1,
				Err(error) => return Err(named(journal, error).into()),
			}
			tokio::time::sleep(RETRY).await;
		}
	}
}

/// Returns the journals in a folder. In one that users share, only this user's count.
fn journals(folder: &Path, name: &str, is_shared: bool) -> io::Result<Vec<PathBuf>> {
	let entries = match fs::read_dir(folder) {
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
		// It is another user's.
		Err(error) if is_shared && error.kind() == io::ErrorKind::PermissionDenied => {
			return Ok(Vec::new());
		}
		entries => entries.map_err(|error| named(folder, error))?,
	};
	let mut found = Vec::new();
	for entry in entries {
		let entry = entry.map_err(|error| named(folder, error))?;
		let file = entry.file_name();
		let file = file.to_string_lossy();
		let kind = file.rsplit_once('.').map_or("", |(_, kind)| kind);
		let is_journal = [JOURNAL, PACKS, LEFT].contains(&kind);
		if is_journal && file.starts_with(name) && (!is_shared || is_own(&entry.path())) {
			found.push(entry.path());
		}
	}
	Ok(found)
}

#[cfg(unix)]
fn is_own(path: &Path) -> bool {
	use std::os::unix::fs::MetadataExt;
	let user = rustix::process::geteuid().as_raw();
	fs::symlink_metadata(path).is_ok_and(|there| there.is_file() && there.uid() == user)
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
	true
}

/// Returns the leaf of an object's upload; `None` if its journal was removed meanwhile.
fn upload(journal: &Path) -> io::Result<Option<(DatasetId, Epoch, Leaf)>> {
	let Some(noted) = objects::noted(journal)? else {
		return Ok(None);
	};
	let place = noted_place(&noted.note, H256::zero()).ok_or(io::ErrorKind::InvalidData)?;
	Ok(Some((place.dataset, place.epoch, place.leaf)))
}

fn named(path: &Path, error: io::Error) -> io::Error {
	if NewerFile::in_error(&error).is_some() {
		return error;
	}
	let words = "it says for which leaf an interrupted upload has stored something, and must not be planned";
	let way_out = lock::if_denied(path, &error).unwrap_or_else(|| {
		"let this user read it or, if it is damaged, begin a new epoch of the dataset, and then remove it".to_owned()
	});
	let error = file::named(path)(error);
	io::Error::new(error.kind(), format!("{error}: {words}: {way_out}"))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::upload::Abandoned;

	/// Returns a place in epoch 2 of dataset 1.
	fn at(leaf: Leaf) -> Place {
		Place {
			key: H256::zero(),
			dataset: 1,
			epoch: 2,
			leaf,
		}
	}

	/// Returns the line of an object for a place.
	fn left(place: &Place) -> String {
		let object = Abandoned::new([0; 32], "a".into(), "07".into(), place);
		object.to_line().unwrap()
	}

	#[tokio::test]
	async fn leaves_of_interrupted_uploads_are_found() {
		let folder = tempfile::tempdir().unwrap();
		let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
		let mut header = [0; isthmus_sharing::object::HEADER_SIZE];
		header[0] = isthmus_envelope::object::VERSION;
		header[1..5].copy_from_slice(&(isthmus_envelope::object::CHUNK as u32).to_be_bytes());
		let upload = |boot: &str, note: &str| {
			let (header, note) = (hex::encode(header), hex::encode(note));
			format!("isthmus-upload-1 {boot} {header} u - 1 n{note}\nwhole\n")
		};
		// Of an earlier start of the machine: the store has it all the same.
		write("isthmus-a-1.upload", &upload("earlier", "1 2 7"));
		write("isthmus-b-2.upload", &upload("earlier", "1 2 8"));
		let sent = r#"{"key":"07","header":"","length":4,"root":"","sent":{"location":"a","dataset":1,"epoch":2,"leaf":9}}"#;
		let unused = r#"{"key":"07","header":"","length":4,"root":""}"#;
		write(
			"isthmus-a-3.packs",
			&format!("\n{sent}\n{unused}\n{}", &sent[..40]),
		);
		write("isthmus-a-4.lock", "");
		// What an upload has left that is not resumed.
		write("isthmus-a-uploads.left", &format!("{}\n", left(&at(11))));
		let found = journals(folder.path(), "isthmus-a-", true).unwrap();
		assert_eq!(found.len(), 3);
		let mut started = Interrupted::default();
		for journal in &found {
			started.add(journal).await.unwrap();
		}
		assert_eq!(
			[6, 7, 8, 9, 10, 11].map(|leaf| started.has(&at(leaf))),
			[false, true, false, true, false, true]
		);
		started
			.add(&folder.path().join("gone.upload"))
			.await
			.unwrap();
		for damaged in ["", "isthmus-upload-1", &upload("earlier", "one")] {
			write("isthmus-a-1.upload", damaged);
			let refused = started.add(&folder.path().join("isthmus-a-1.upload")).await;
			assert!(refused.unwrap_err().to_string().contains("new epoch"));
		}
		for (name, text) in [
			("isthmus-a-1.upload", "isthmus-upload-2 whatever\n"),
			("isthmus-a-3.packs", "{\"isthmus-packs\":2}"),
			("isthmus-a-uploads.left", "{\"kept\":{\"leaf\":12}}\n"),
		] {
			write(name, text);
			let refused = started.add(&folder.path().join(name)).await;
			assert!(matches!(refused, Err(Error::Newer(_))), "{name}");
		}
	}

	#[test]
	fn a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one() {
		let folder = tempfile::tempdir().unwrap();
		let none = folder.path().join("none");
		assert_eq!(journals(&none, "a", false).unwrap(), [] as [PathBuf; 0]);
		let file = folder.path().join("file");
		fs::write(&file, "").unwrap();
		assert!(journals(&file, "a", false).is_err());
	}
}
