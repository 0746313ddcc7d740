// SPDX-License-Identifier: Apache-2.0
//! Notes which leaves frames have, so that no program of this machine stores anything else there: the tasks of a frame have
//! the keys of its leaves.
//!
//! The notes are in the file `isthmus-OWNER.frames` in `$HOME/.local/state/isthmus`, and nowhere else: whether that folder can be
//! written to does not change which notes are read. A frame's note stays until nothing can take its leaves any more,
//! whatever happens to the programs. So it outlasts a program that was killed, and also a frame whose leaves cannot be spent.

use crate::{
	client::Client,
	error::{Error, UploadError},
	file, lock,
	types::*,
	wait::Wait,
};
use isthmus_envelope::paths::ShowPath;
use isthmus_envelope::{
	input,
	newer::{is_other_form, NewerFile},
	on_disk,
};
use isthmus_objects::Mark;
use serde::{Deserialize, Serialize};
use std::{
	fs,
	io::{self, Read},
	path::{Path, PathBuf},
};

/// What happens without the notes of a newer release.
const LOST: &str =
	"the leaves of data frames may be used for something else, so first commit or abort the frames";

/// The note of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
		Ok(())
	})
	.await
}

/// Notes that a transaction may commit the frame until a block.
///
/// # Errors
///
/// Returns [`UploadError::FrameEnded`] if the frame was given up, or is not noted. Then the transaction must not be sent.
pub(crate) async fn sent(
	client: &Client,
	owner: &AccountId,
	mark: &Mark,
	until: BlockNumber,
) -> Result<(), Error> {
	let genesis = client.genesis();
	change(client, owner, |all| {
		let mut all = all.iter_mut();
		let noted = all.find(|noted| noted.is_of(genesis, mark));
		Ok(note_sent(noted, until)?)
	})
	.await
}

fn note_sent(noted: Option<&mut Reserved>, until: BlockNumber) -> Result<(), UploadError> {
	let noted = noted.filter(|noted| !noted.is_ended);
	let noted = noted.ok_or(UploadError::FrameEnded)?;
	noted.until = noted.until.max(Some(until));
	Ok(())
}

/// Notes that the frame is not committed any more, and returns its note. `None` if there is none, or the file is damaged, which
/// then stays as it is.
pub(crate) async fn end(
	client: &Client,
	owner: &AccountId,
	mark: &Mark,
) -> Result<Option<Reserved>, Error> {
	let genesis = client.genesis();
	let ended = change(client, owner, |all| {
		for noted in all.iter_mut().filter(|noted| noted.is_of(genesis, mark)) {
			noted.is_ended = true;
		}
		Ok(())
	});
	match ended.await.and_then(|()| of(client, owner, mark)) {
		Err(error) if is_damaged(&error) => Ok(None),
		noted => noted,
	}
}

/// Forgets a frame whose leaves nothing can take any more, or whose keys no task got.
pub(crate) async fn release(client: &Client, owner: &AccountId, mark: &Mark) -> Result<(), Error> {
	let genesis = client.genesis();
	change(client, owner, |all| {
		all.retain(|noted| !noted.is_of(genesis, mark));
		Ok(())
	})
	.await
}

/// Changes the notes of an owner's frames. When this returns, they are on disk.
async fn change(
	client: &Client,
	owner: &AccountId,
	make: impl FnOnce(&mut Vec<Reserved>) -> Result<(), Error>,
) -> Result<(), Error> {
	let name = format!("isthmus-{owner}-frames.lock");
	let Some(_held) = client.hold(Wait::OtherSender, &name).await else {
		return Err(unlocked(&name));
	};
	let before = all(owner)?;
	let mut after = before.clone();
	make(&mut after)?;
	if after != before {
		let path = file_of(owner).ok_or_else(no_home)?;
		write(&path, &after).map_err(|error| named(&path, error))?;
	}
	Ok(())
}

/// Checks that the user has a folder for the notes, without which no frame is planned.
///
/// # Errors
///
/// Returns [`Error::Io`] if not.
pub(crate) fn check_home(owner: &AccountId) -> Result<(), Error> {
	file_of(owner).map(drop).ok_or_else(no_home)
}

fn no_home() -> Error {
	let words = "this user has no home folder of its own, and data frames are planned in $HOME/.local/state/isthmus: set HOME to a \
		folder of this user that stays, the same for what plans, commits and aborts a frame";
	io::Error::other(words).into()
}

/// Returns the error of a lock that has to be held and cannot be.
pub(crate) fn unlocked(name: &str) -> Error {
	let why = lock::why_not(name, lock::path(name).as_deref());
	let way_out = lock::way_out();
	io::Error::other(format!(
		"{why}, so another program may change the same data frame: {way_out}"
	))
	.into()
}

/// Returns the path of the file with the notes. `None` if the user has no home of its own: then none is ever written.
fn file_of(owner: &AccountId) -> Option<PathBuf> {
	let home = std::env::home_dir()?;
	let folder = is_own(&home).then(lock::lasting)??;
	Some(folder.join(format!("isthmus-{owner}.frames")))
}

/// Returns whether a home folder is this user's, or can become so. That of another user, as in a container, has no notes of this
/// one, and `/dev/null` has none at all.
fn is_own(home: &Path) -> bool {
	match fs::metadata(home) {
		Ok(there) => there.is_dir() && is_owned(&there),
		Err(error) => error.kind() == io::ErrorKind::NotFound,
	}
}

#[cfg(unix)]
fn is_owned(there: &fs::Metadata) -> bool {
	use std::os::unix::fs::MetadataExt;
	there.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_owned(_: &fs::Metadata) -> bool {
	true
}

fn all(owner: &AccountId) -> Result<Vec<Reserved>, Error> {
	let path = file_of(owner);
	Ok(path.map_or_else(|| Ok(Vec::new()), |path| read(&path))?)
}

/// Returns whether the file is there and does not say which frames there are.
fn is_damaged(error: &Error) -> bool {
	matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::InvalidData)
}

fn named(path: &Path, error: io::Error) -> io::Error {
	let way_out = lock::if_denied(path, &error)
		.unwrap_or_else(|| "let this user read and write it in its folder".to_owned());
	let words = "this file says which leaves data frames have";
	io::Error::new(
		error.kind(),
		format!("{}: {error}: {words}: {way_out}", path.shown()),
	)
}

fn read(path: &Path) -> io::Result<Vec<Reserved>> {
	let mut bytes = Vec::new();
	match input::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
		Ok(_) => {}
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			on_disk::check_absent(path).map_err(file::named(path))?;
			return Ok(Vec::new());
		}
		// The notes may be there all the same.
		Err(error) => return Err(named(path, error)),
	}
	serde_json::from_slice(&bytes).map_err(|error| {
		if is_other_form(&error) {
			return NewerFile::new(path, LOST).into();
		}
		let words = "does not say which leaves frames have: give the frames up that frames_left shows, and remove the file";
		io::Error::new(io::ErrorKind::InvalidData, format!("{} {words}", path.shown()))
	})
}

/// Replaces the file, so that a crash leaves either the old or the new one.
fn write(path: &Path, notes: &[Reserved]) -> io::Result<()> {
	if notes.is_empty() {
		fs::remove_file(path)?;
		return on_disk::sync_name(path);
	}
	file::replace(path, &serde_json::to_vec(notes)?)
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
	fn a_frame_that_was_given_up_is_not_sent() {
		let mut noted = noted();
		note_sent(Some(&mut noted), 40).unwrap();
		note_sent(Some(&mut noted), 30).unwrap();
		assert_eq!(noted.until, Some(40));
		noted.is_ended = true;
		let refused = note_sent(Some(&mut noted), 50);
		assert_eq!(refused, Err(UploadError::FrameEnded));
		assert_eq!(noted.until, Some(40));
		assert_eq!(note_sent(None, 50), Err(UploadError::FrameEnded));
	}

	#[test]
	fn notes_that_cannot_be_read_are_not_taken_for_none() {
		let folder = tempfile::tempdir().unwrap();
		let file = folder.path().join("file");
		fs::write(&file, "").unwrap();
		let refused = read(&file.join("frames")).unwrap_err();
		assert!(!is_damaged(&refused.into()));
		fs::create_dir(folder.path().join("frames")).unwrap();
		let refused = read(&folder.path().join("frames")).unwrap_err();
		assert!(refused.to_string().contains("let this user read"));
		let denied = named(&file, io::ErrorKind::PermissionDenied.into()).to_string();
		let words = format!(
			"let this user own it and its folder, {}: ",
			folder.path().shown()
		);
		assert!(denied.contains(&words), "{denied}");
		assert_eq!(read(&folder.path().join("none/frames")).unwrap(), []);
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
		assert!(refused.to_string().contains("remove the file"));
		assert!(is_damaged(&refused.into()));
		write(&path, &[]).unwrap();
		assert!(!path.exists());
		#[cfg(unix)]
		{
			let there = folder.path().join("there");
			std::os::unix::fs::symlink("there", &path).unwrap();
			let refused = read(&path).unwrap_err();
			assert!(refused.to_string().contains("Mount its disk"), "{refused}");
			fs::write(&there, "[]").unwrap();
			write(&path, &notes).unwrap();
			assert_eq!(read(&there).unwrap(), notes);
		}
	}

	#[test]
	fn notes_of_a_newer_release_are_neither_damaged_nor_ignored() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("frames");
		let known = serde_json::to_string(&[noted()]).unwrap();
		for newer in [
			known.replace("\"parts\"", "\"lists\":1,\"parts\""),
			"{\"version\":2}".to_owned(),
		] {
			fs::write(&path, &newer).unwrap();
			let refused = Error::from(read(&path).unwrap_err());
			assert!(!is_damaged(&refused));
			assert!(
				matches!(refused, Error::Newer(file) if file.path == path),
				"{newer}"
			);
		}
	}
}
