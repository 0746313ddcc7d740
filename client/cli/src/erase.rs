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
	erasure::{Erasure, MAX_ERASED},
	DatasetId, Epoch, Error as SdkError, Identity, Scope,
};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// What the help of `isthmus dataset erase` ends with.
pub(crate) const HELP: &str = "\
The keys of an erasable epoch are in one file beside the key file, with .erasable after its name.
What is erased there opens nothing any more: neither for its owner nor for anyone who gets that
file and the seed. Readers who fetched their keys before keep them, and so do copies of the file.
`isthmus remove NAME --erase` removes a record and erases its key at once. For a range with an erased
leaf, `isthmus authorize` gives a grant for each range that is left.

Example:
  isthmus dataset erase 0 --leaves 4..5 --key school.key";

/// A dataset whose epochs from one on are noted as erasable, before the transaction that makes the dataset or the epoch: no
/// program can then store under other keys.
pub(crate) struct Marked<'a> {
	file: &'a ErasableFile,
	genesis: [u8; 32],
	dataset: DatasetId,
	was_erasable: bool,
}

impl<'a> Marked<'a> {
	/// Notes it.
	pub(crate) fn new(
		context: &Context,
		identity: &'a Identity,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<Self, Error> {
		let (file, genesis) = (identity.erasable_file()?, context.client.genesis());
		let was_erasable = file
			.first(genesis, dataset)
			.map_err(SdkError::from)?
			.is_some();
		if !context.client.is_dry_run() {
			file.begin(genesis, dataset, epoch)
				.map_err(SdkError::from)?;
		}
		Ok(Self {
			file,
			genesis,
			dataset,
			was_erasable,
		})
	}

	/// Goes on when the transaction is included, with the dataset that it made. Returns the file with the keys. If the
	/// transaction was refused, the note is taken back, but not if it may still be included.
	pub(crate) fn done(self, made: Result<DatasetId, &Error>) -> Result<PathBuf, Error> {
		match made {
			Ok(dataset) if dataset == self.dataset => {}
			Ok(dataset) => {
				self.file
					.begin(self.genesis, dataset, 0)
					.map_err(SdkError::from)?;
				self.take_back()?;
			}
			Err(error) if error.has_no_effect() => self.take_back()?,
			Err(_) => {}
		}
		Ok(self.file.path().to_owned())
	}

	fn take_back(&self) -> Result<(), Error> {
		match self.was_erasable {
			true => Ok(()),
			false => Ok(self
				.file
				.end(self.genesis, self.dataset)
				.map_err(SdkError::from)?),
		}
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

/// Keys that were erased.
#[derive(Serialize)]
pub(crate) struct Erased {
	dataset: DatasetId,
	epoch: Epoch,
	keys: usize,
}

impl fmt::Display for Erased {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			epoch,
			keys,
		} = self;
		let keys = count(*keys as u64, "key");
		write!(f, "erased {keys} of epoch {epoch} of dataset {dataset}")
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
	confirm(&question, yes || client.is_dry_run())?;
	let keys = match client.is_dry_run() {
		true => 0,
		false => erasure.run(client, identity)?,
	};
	Ok(Erased {
		dataset,
		epoch,
		keys,
	})
}
