// SPDX-License-Identifier: Apache-2.0
//! Notes which leaves frames have, so that no program of this machine stores anything else there: the tasks of a frame have
//! the keys of its leaves.
//!
//! The notes are in the file `isthmus-OWNER.frames`, beside the account's [lock](crate::turn). A frame's note stays
//! until nothing can take its leaves any more, whatever happens to the programs. So it outlasts a program that was killed,
//! and also a frame whose leaves cannot be spent.

use crate::{client::Client, error::Error, lock, types::*, wait::Wait};
use isthmus_envelope::on_disk::sync_name;
use isthmus_objects::Mark;
use serde::{Deserialize, Serialize};
use std::{
	fs,
	io::{self, Write},
	path::Path,
};

/// The note of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reserved {
	/// The hash of its chain's first block.
	genesis: [u8; 32],
	dataset: DatasetId,
	epoch: Epoch,
	first: Leaf,
	/// How many parts it may have. The leaf after theirs is that of the list.
	parts: u16,
	mark: Mark,
	/// The last block that may include a transaction that commits it; `None` if none was made.
	until: Option<BlockNumber>,
	/// Whether it was given up, so that it is not committed any more.
	is_ended: bool,
}

impl Reserved {
	/// Makes the note of a frame from the place of its first part on.
	pub(crate) fn new(genesis: [u8; 32], place: &Place, parts: u16, mark: Mark) -> Self {
		Self {
			genesis,
			dataset: place.dataset,
			epoch: place.epoch,
			first: place.leaf,
			parts,
			mark,
			until: None,
			is_ended: false,
		}
	}

	/// Returns whether it was given up, so that it is not committed any more.
	pub(crate) fn is_ended(&self) -> bool {
		self.is_ended
	}

	/// Returns whether a place has one of the leaves.
	pub(crate) fn has(&self, place: &Place) -> bool {
		let offset = place.leaf.checked_sub(self.first);
		(self.dataset, self.epoch) == (place.dataset, place.epoch)
			&& offset.is_some_and(|offset| offset <= self.parts.into())
	}

	/// Returns whether no transaction can commit the frame after a finalized block, if no program commits it now.
	pub(crate) fn is_safe_after(&self, block: BlockNumber) -> bool {
		self.until.is_none_or(|until| block > until)
	}

	/// Returns the last block that may include a transaction that commits the frame.
	pub(crate) fn until(&self) -> Option<BlockNumber> {
		self.until
	}

	fn is_of(&self, genesis: [u8; 32], mark: &Mark) -> bool {
		(self.genesis, &self.mark) == (genesis, mark)
	}
}

/// Returns the notes of all frames of an owner on a chain, but the one with this mark.
pub(crate) fn others(
	genesis: [u8; 32],
	owner: &AccountId,
	mark: Option<&Mark>,
) -> Result<Vec<Reserved>, Error> {
	let mut all = all(owner)?;
	all.retain(|noted| noted.genesis == genesis && mark.is_none_or(|mark| noted.mark != *mark));
	Ok(all)
}

/// Returns the note of a frame; `None` if its leaves are not noted on this machine.
pub(crate) fn of(
	client: &Client,
	owner: &AccountId,
	mark: &Mark,
) -> Result<Option<Reserved>, Error> {
	let genesis = client.genesis();
	let mut all = all(owner)?.into_iter();
	Ok(all.find(|noted| noted.is_of(genesis, mark)))
}

/// Notes a frame's leaves. Forgets frames of the dataset's earlier epochs, in which nothing is stored any more.
pub(crate) async fn reserve(
	client: &Client,
	owner: &AccountId,
	noted: Reserved,
) -> Result<(), Error> {
	change(client, owner, |all| {
		all.retain(|other| {
			(other.genesis, other.dataset) != (noted.genesis, noted.dataset)
				|| other.epoch >= noted.epoch
		});
		all.push(noted);
	})
	.await
}

/// Notes that a transaction may commit the frame until a block.
pub(crate) async fn sent(
	client: &Client,
	owner: &AccountId,
	mark: &Mark,
	until: BlockNumber,
) -> Result<(), Error> {
	let genesis = client.genesis();
	change(client, owner, |all| {
		for noted in all.iter_mut().filter(|noted| noted.is_of(genesis, mark)) {
			noted.until = noted.until.max(Some(until));
		}
	})
	.await
}

/// Notes that the frame is not committed any more.
pub(crate) async fn end(client: &Client, owner: &AccountId, mark: &Mark) -> Result<(), Error> {
	let genesis = client.genesis();
	change(client, owner, |all| {
		for noted in all.iter_mut().filter(|noted| noted.is_of(genesis, mark)) {
			noted.is_ended = true;
		}
	})
	.await
}

/// Forgets a frame whose leaves nothing can take any more, or whose keys no task got.
pub(crate) async fn release(client: &Client, owner: &AccountId, mark: &Mark) -> Result<(), Error> {
	let genesis = client.genesis();
	change(client, owner, |all| {
		all.retain(|noted| !noted.is_of(genesis, mark));
	})
	.await
}

/// Changes the notes of an owner's frames. When this returns, they are on disk.
async fn change(
	client: &Client,
	owner: &AccountId,
	make: impl FnOnce(&mut Vec<Reserved>),
) -> Result<(), Error> {
	let name = format!("isthmus-{owner}-frames.lock");
	let _held = client.hold(Wait::OtherSender, &name).await;
	let before = all(owner)?;
	let mut after = before.clone();
	make(&mut after);
	if after != before {
		write(&lock::needed(&file_of(owner))?, &after)?;
	}
	Ok(())
}

/// Returns the name of the file with the notes.
fn file_of(owner: &AccountId) -> String {
	format!("isthmus-{owner}.frames")
}

fn all(owner: &AccountId) -> Result<Vec<Reserved>, Error> {
	// Where no folder takes the file, no frame is planned.
	let path = lock::path(&file_of(owner));
	Ok(path.map_or_else(|| Ok(Vec::new()), |path| read(&path))?)
}

fn read(path: &Path) -> io::Result<Vec<Reserved>> {
	let bytes = match fs::read(path) {
		Ok(bytes) => bytes,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
		Err(error) => return Err(error),
	};
	serde_json::from_slice(&bytes).map_err(|_| {
		let words = "does not say which leaves frames have: give the frames up that frames_left shows, and remove the file";
		io::Error::new(io::ErrorKind::InvalidData, format!("{} {words}", path.display()))
	})
}

/// Replaces the file, so that a crash leaves either the old or the new one.
fn write(path: &Path, notes: &[Reserved]) -> io::Result<()> {
	if notes.is_empty() {
		fs::remove_file(path)?;
		return sync_name(path);
	}
	let folder = path.parent().unwrap_or(Path::new("."));
	let mut new = tempfile::NamedTempFile::new_in(folder)?;
	new.write_all(&serde_json::to_vec(notes)?)?;
	new.as_file().sync_all()?;
	new.persist(path).map_err(|error| error.error)?;
	sync_name(path)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn noted() -> Reserved {
		Reserved {
			genesis: [1; 32],
			dataset: 4,
			epoch: 5,
			first: 7,
			parts: 3,
			mark: [9; 16],
			until: None,
			is_ended: false,
		}
	}

	#[test]
	fn a_frame_has_the_leaves_of_its_parts_and_of_its_list() {
		let at = |dataset, epoch, leaf| Place {
			key: RecordKey::from([0; 32]),
			dataset,
			epoch,
			leaf,
		};
		for (place, has) in [
			(at(4, 5, 6), false),
			(at(4, 5, 7), true),
			(at(4, 5, 10), true),
			(at(4, 5, 11), false),
			(at(3, 5, 7), false),
			(at(4, 6, 7), false),
		] {
			assert_eq!(noted().has(&place), has, "{place:?}");
		}
	}

	#[test]
	fn a_transaction_that_may_be_on_its_way_is_waited_for() {
		let mut noted = noted();
		assert!(noted.is_safe_after(0));
		noted.until = Some(40);
		assert!(!noted.is_safe_after(40));
		assert!(noted.is_safe_after(41));
	}

	#[test]
	fn notes_are_read_again_and_a_damaged_file_is_not_taken_for_an_empty_one() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("frames");
		assert_eq!(read(&path).unwrap(), []);
		let notes = [
			noted(),
			Reserved {
				is_ended: true,
				..noted()
			},
		];
		write(&path, &notes).unwrap();
		assert_eq!(read(&path).unwrap(), notes);
		write(&path, &notes[..1]).unwrap();
		assert_eq!(read(&path).unwrap(), notes[..1]);
		fs::write(&path, "[{").unwrap();
		let refused = read(&path).unwrap_err();
		assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
		assert!(refused.to_string().contains("remove the file"));
		write(&path, &[]).unwrap();
		assert!(!path.exists());
	}
}
