// SPDX-License-Identifier: Apache-2.0
//! Erasable epochs: begins them, and erases the keys of their leaves.

use crate::{
	confirm::confirm,
	context::Context,
	error::Error,
	text::{count, path},
};
use isthmus_sdk::{
	envelope::ErasableFile,
	erasure::{Alone, Erasure, MAX_ERASED},
	DatasetId, Epoch, Error as SdkError, Identity, Scope,
};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// What the help of `isthmus dataset erase` ends with.
pub(crate) const HELP: &str = "\
The keys of an erasable epoch are in one file beside the key file, with .erasable after its name.
What is erased there opens nothing any more: neither for its owner nor for anyone who gets that
file and the seed. Who was granted the keys before, or has a copy of the file, can still use them.
`isthmus remove NAME --erase` removes a record and erases its key at once. For a range with an erased
leaf, `isthmus authorize` gives a grant for each range that is left.

Example:
  isthmus dataset erase 0 --leaves 4..5 --key school.key";

/// A dataset whose epochs from one on are noted as erasable, before the transaction that makes the dataset or the epoch: no
/// program can then store under other keys. Until it is dropped, other programs on this machine note none.
pub(crate) struct Marked<'a> {
	note: Note<'a>,
	_alone: Option<Alone>,
}

/// Waits until no other program on this machine makes an erasable dataset or epoch of the account. What is noted afterwards is
/// looked up afterwards, too. A dry run notes nothing, and waits for no one.
pub(crate) async fn alone(context: &Context, identity: &Identity) -> Result<Option<Alone>, Error> {
	identity.erasable_file()?;
	Ok(match context.client.is_dry_run() {
		true => None,
		false => Alone::wait(&context.client, identity).await,
	})
}

impl<'a> Marked<'a> {
	/// Notes it.
	pub(crate) fn new(
		context: &Context,
		identity: &'a Identity,
		alone: Option<Alone>,
		(dataset, epoch): (DatasetId, Epoch),
	) -> Result<Self, Error> {
		let note = Note {
			file: identity.erasable_file()?,
			genesis: context.client.genesis(),
			dataset,
			epoch,
			is_ours: false,
		};
		Ok(Self {
			note: match context.client.is_dry_run() {
				true => note,
				false => note.begin(alone.is_some())?,
			},
			_alone: alone,
		})
	}

	/// Goes on when the transaction is included, with the dataset and the epoch that it made. Returns the file with the keys.
	/// If nothing was sent, the note is taken back. If the transaction was refused later, it stays: the block that says so
	/// may be reverted.
	pub(crate) fn done(
		self,
		context: &Context,
		made: Result<(DatasetId, Epoch), &Error>,
	) -> Result<PathBuf, Error> {
		let made = made.map_err(|error| match context.last_sent() {
			None if error.has_no_effect() => Outcome::NotSent,
			_ => Outcome::Unknown,
		});
		self.note.done(made)?;
		Ok(self.note.file.path().to_owned())
	}
}

/// What became of a transaction that is not in a block, or not as it should be.
#[derive(Clone, Copy)]
enum Outcome {
	/// It was not sent.
	NotSent,
	/// It may still take effect.
	Unknown,
}

/// A note that the epochs of a dataset are erasable from one on.
struct Note<'a> {
	file: &'a ErasableFile,
	genesis: [u8; 32],
	dataset: DatasetId,
	epoch: Epoch,
	/// Whether surely no one else counts on the note: it was not there before, and others are kept from making it.
	is_ours: bool,
}

impl Note<'_> {
	/// Makes the note. Others may make the same one, unless this program is alone.
	fn begin(self, is_alone: bool) -> Result<Self, Error> {
		let Self {
			genesis,
			dataset,
			epoch,
			..
		} = self;
		let first = self.file.first(genesis, dataset).map_err(SdkError::from)?;
		let noted = self.file.begin(genesis, dataset, epoch);
		noted.map_err(SdkError::from)?;
		Ok(Self {
			is_ours: is_alone && first.is_none(),
			..self
		})
	}

	/// Corrects the note when it is known what was made.
	fn done(&self, made: Result<(DatasetId, Epoch), Outcome>) -> Result<(), Error> {
		let Self { file, genesis, .. } = *self;
		match made {
			Ok((dataset, epoch)) => {
				// Whatever others did to the note meanwhile, it is there now.
				let noted = file.begin(genesis, dataset, epoch);
				noted.map_err(SdkError::from)?;
				if dataset != self.dataset {
					self.take_back()?;
				} else if self.is_ours && epoch > self.epoch {
					let postponed = file.postpone(genesis, dataset, epoch);
					postponed.map_err(SdkError::from)?;
				}
				Ok(())
			}
			Err(Outcome::NotSent) => self.take_back(),
			Err(Outcome::Unknown) => Ok(()),
		}
	}

	fn take_back(&self) -> Result<(), Error> {
		match self.is_ours {
			true => Ok(self
				.file
				.end(self.genesis, self.dataset)
				.map_err(SdkError::from)?),
			false => Ok(()),
		}
	}
}

/// Takes back what an interrupted or refused command with `--erasable` may have noted for an epoch that was now made without.
/// A dataset with earlier erasable epochs stays as it is.
pub(crate) fn not_erasable(
	file: &ErasableFile,
	genesis: [u8; 32],
	(dataset, epoch): (DatasetId, Epoch),
) -> Result<(), Error> {
	match file.first(genesis, dataset).map_err(SdkError::from)? {
		Some(first) if first == epoch => Ok(file.end(genesis, dataset).map_err(SdkError::from)?),
		_ => Ok(()),
	}
}

/// Says where an erasable epoch's keys are.
pub(crate) struct InFile<'a>(pub(crate) &'a Option<PathBuf>);

impl fmt::Display for InFile<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.0 {
			Some(file) => write!(
				f,
				"\n  its keys are in {} only: keep a copy that you can erase, too. The 24 words do not bring them back",
				path(file)
			),
			None => Ok(()),
		}
	}
}

/// Keys that were erased or, in a dry run, would be.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Erased {
	dataset: DatasetId,
	/// Whether nothing was erased; left out if it was.
	#[serde(skip_serializing_if = "std::ops::Not::not")]
	dry_run: bool,
	epoch: Epoch,
	keys: usize,
}

impl fmt::Display for Erased {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			dry_run,
			epoch,
			keys,
		} = self;
		let erased = match dry_run {
			true => "dry run, nothing was erased: would erase",
			false => "erased",
		};
		let keys = count(*keys as u64, "key");
		write!(f, "{erased} {keys} of epoch {epoch} of dataset {dataset}")
	}
}

/// Runs `isthmus dataset erase`.
pub(crate) fn run(
	context: &Context,
	identity: &Identity,
	scope: &Scope,
	yes: bool,
) -> Result<Erased, Error> {
	let client = &context.client;
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = *scope;
	if to.saturating_sub(from) > MAX_ERASED {
		return Err(Error::usage(format!(
			"at most {MAX_ERASED} leaves can be erased at a time"
		)));
	}
	let erasure = Erasure::leaves(client, identity, scope)?;
	let question = format!("Erase what opens leaves {from}..{to} of dataset {dataset} for ever?");
	let dry_run = client.is_dry_run();
	confirm(&question, yes || dry_run)?;
	let keys = match dry_run {
		true => erasure.count(client, identity)?,
		false => erasure.run(client, identity)?,
	};
	Ok(Erased {
		dataset,
		dry_run,
		epoch,
		keys,
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::envelope::MasterSecret;

	const GENESIS: [u8; 32] = [7; 32];

	fn file(folder: &tempfile::TempDir) -> ErasableFile {
		let secret = MasterSecret::from_bytes([1; 32]);
		ErasableFile::beside(&folder.path().join("school.key"), &secret, [2; 32])
	}

	/// Notes an epoch.
	fn note(file: &ErasableFile, place: (DatasetId, Epoch), is_alone: bool) -> Note<'_> {
		let (dataset, epoch) = place;
		let note = Note {
			file,
			genesis: GENESIS,
			dataset,
			epoch,
			is_ours: false,
		};
		note.begin(is_alone).unwrap()
	}

	fn first(file: &ErasableFile, dataset: DatasetId) -> Option<Epoch> {
		file.first(GENESIS, dataset).unwrap()
	}

	#[test]
	fn a_dry_run_says_what_it_would_erase() {
		let erased = |dry_run| Erased {
			dataset: 0,
			dry_run,
			epoch: 2,
			keys: 5,
		};
		let shown = [true, false].map(|dry_run| erased(dry_run).to_string());
		assert_eq!(
			shown,
			[
				"dry run, nothing was erased: would erase 5 keys of epoch 2 of dataset 0",
				"erased 5 keys of epoch 2 of dataset 0",
			]
		);
		let json = [true, false].map(|dry_run| serde_json::to_string(&erased(dry_run)).unwrap());
		assert_eq!(
			json,
			[
				r#"{"dataset":0,"dryRun":true,"epoch":2,"keys":5}"#,
				r#"{"dataset":0,"epoch":2,"keys":5}"#,
			]
		);
	}

	#[test]
	fn a_program_does_not_take_back_the_note_of_another_one() {
		let folder = tempfile::tempdir().unwrap();
		let file = file(&folder);
		// Both expect dataset 5, without a lock.
		for other in [Err(Outcome::NotSent), Ok((6, 0))] {
			let [ours, theirs] = [(5, 0), (5, 0)].map(|place| note(&file, place, false));
			ours.done(other).unwrap();
			assert_eq!(first(&file, 5), Some(0));
			theirs.done(Ok((5, 0))).unwrap();
			assert_eq!(first(&file, 5), Some(0));
		}
		assert_eq!(first(&file, 6), Some(0));
	}

	#[test]
	fn what_was_made_is_noted_although_the_note_was_lost() {
		let folder = tempfile::tempdir().unwrap();
		let file = file(&folder);
		let made = note(&file, (5, 0), true);
		file.end(GENESIS, 5).unwrap();
		made.done(Ok((5, 0))).unwrap();
		assert_eq!(first(&file, 5), Some(0));
	}

	#[test]
	fn a_note_is_taken_back_only_if_nothing_was_sent() {
		let folder = tempfile::tempdir().unwrap();
		let file = file(&folder);
		note(&file, (5, 0), true)
			.done(Err(Outcome::NotSent))
			.unwrap();
		assert_eq!(first(&file, 5), None);
		note(&file, (5, 0), true)
			.done(Err(Outcome::Unknown))
			.unwrap();
		assert_eq!(first(&file, 5), Some(0));
		// The first transaction may still be included, so the next one that is not sent leaves the note.
		note(&file, (5, 0), true)
			.done(Err(Outcome::NotSent))
			.unwrap();
		assert_eq!(first(&file, 5), Some(0));
	}

	#[test]
	fn what_got_another_number_is_noted_under_that() {
		let folder = tempfile::tempdir().unwrap();
		let file = file(&folder);
		note(&file, (5, 0), true).done(Ok((6, 0))).unwrap();
		assert_eq!((first(&file, 5), first(&file, 6)), (None, Some(0)));
		// The records of epoch 3 are stored under keys from the seed.
		note(&file, (7, 3), true).done(Ok((7, 4))).unwrap();
		assert_eq!(first(&file, 7), Some(4));
	}

	#[test]
	fn an_epoch_that_is_made_without_is_not_erasable_because_of_an_old_note() {
		let folder = tempfile::tempdir().unwrap();
		let file = file(&folder);
		file.begin(GENESIS, 5, 3).unwrap();
		not_erasable(&file, GENESIS, (5, 4)).unwrap();
		assert_eq!(first(&file, 5), Some(3));
		not_erasable(&file, GENESIS, (5, 3)).unwrap();
		assert_eq!(first(&file, 5), None);
	}
}
