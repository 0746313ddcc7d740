// SPDX-License-Identifier: Apache-2.0
//! Stores a folder in packs, for `isthmus store --object` and `isthmus sync`.

use crate::{
	context::Context,
	error::Error,
	fetch::with_check,
	progress::Bar,
	remove::{left_behind, with_left},
	text::{bytes, count, shown, Called, Key},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	sharing::readers, BlockNumber, DatasetId, Epoch, Identity, Leaf, LocalFolder, PaidFor,
	RecordKey, SyncFolder, SyncedFolder, UploadFolderError,
};
use serde::Serialize;
use std::fmt;

/// A folder that is stored in packs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Synced {
	added: usize,
	/// The block; `None` if nothing has changed and nothing was sent.
	block: Option<BlockNumber>,
	bytes: u64,
	changed: usize,
	dataset: DatasetId,
	/// What became of objects that are not used any more, by location.
	deleted: Vec<Deleted>,
	epoch: Epoch,
	files: usize,
	/// The packs that are not used any more, and stay.
	kept: Vec<Kept>,
	key: Key,
	leaf: Leaf,
	location: String,
	name: String,
	packs: usize,
	/// How many other accounts have a grant that covers the leaf of the list; `None` if the node did not tell.
	readers: Option<usize>,
	removed: usize,
	removed_packs: usize,
	resumed: bool,
	sent_bytes: u64,
	sent_packs: usize,
	/// What was left out of the folder, because it is not a file.
	skipped: Vec<String>,
	transactions: u32,
}

/// A pack that is not used any more, and stays: a reader has paid for it.
#[derive(Serialize)]
pub(crate) struct Kept {
	epoch: Epoch,
	key: Key,
	leaf: Leaf,
	/// The block at which the term is over; `None` if it is not known.
	until: Option<BlockNumber>,
}

impl From<&PaidFor> for Kept {
	fn from(paid: &PaidFor) -> Self {
		Self {
			epoch: paid.epoch,
			key: Key(paid.key),
			leaf: paid.leaf,
			until: paid.until,
		}
	}
}

impl fmt::Display for Kept {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			epoch,
			key,
			leaf,
			until,
		} = self;
		write!(f, "{key}, at leaf {leaf} of epoch {epoch}")?;
		match until {
			Some(until) => write!(f, ", is paid for until block {until}"),
			None => Ok(()),
		}
	}
}

/// What became of objects at a location.
#[derive(Serialize)]
struct Deleted {
	/// Why one was not deleted there; `None` if all are gone.
	failure: Option<String>,
	gone: usize,
	/// The names of those that are left there.
	#[serde(skip_serializing_if = "Vec::is_empty")]
	left: Vec<String>,
	location: String,
}

impl Synced {
	/// Says what was removed and deleted.
	fn tidied(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		if self.removed_packs > 0 {
			let unused = count(self.removed_packs as u64, "unused pack");
			write!(f, "\n  removed {unused}")?;
		}
		if !self.kept.is_empty() {
			let unused = count(self.kept.len() as u64, "unused pack");
			write!(
				f,
				"\n  left {unused} for which a reader may have paid, until a later isthmus sync"
			)?;
		}
		for kept in &self.kept {
			write!(f, "\n    {kept}")?;
		}
		for Deleted {
			location,
			gone,
			failure,
			left,
		} in &self.deleted
		{
			let (location, gone) = (shown(location), count(*gone as u64, "object"));
			let failure = failure
				.as_ref()
				.map(|failure| shown(with_left(failure, left)));
			match failure {
				None => write!(f, "\n  {location}: {gone} gone")?,
				Some(failure) => write!(f, "\n  {location}: {gone} gone, and not all: {failure}")?,
			}
		}
		Ok(())
	}
}

impl fmt::Display for Synced {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let size = bytes(self.bytes);
		let files = count(self.files as u64, "file");
		let packs = count(self.packs as u64, "pack");
		let name = &self.name;
		let Some(block) = self.block else {
			write!(f, "{files} ({size}) in {packs} already stored as {name}")?;
			return self.tidied(f);
		};
		write!(
			f,
			"block {block}: stored {files} ({size}) in {packs} as {name}"
		)?;
		let (leaf, dataset, epoch) = (self.leaf, self.dataset, self.epoch);
		write!(f, ", up to leaf {leaf} of dataset {dataset}, epoch {epoch}")?;
		let (added, changed, removed) = (self.added, self.changed, self.removed);
		write!(f, "\n  {added} added, {changed} changed, {removed} removed")?;
		let (sent, size) = (
			count(self.sent_packs as u64, "pack"),
			bytes(self.sent_bytes),
		);
		let transactions = count(self.transactions, "transaction");
		write!(
			f,
			"\n  sent {sent} and the list ({size}) to {} in {transactions}",
			shown(&self.location)
		)?;
		self.tidied(f)?;
		match self.readers {
			None => Ok(()),
			Some(0) => f.write_str("\n  no one else can read it yet"),
			Some(readers) => {
				let readers = count(readers as u64, "reader");
				write!(
					f,
					"\n  the list is readable by {readers}: isthmus list given"
				)
			}
		}
	}
}

/// Returns the paths of what was left out of a folder.
pub(crate) fn skipped_in(folder: &LocalFolder) -> Vec<String> {
	let paths = folder.skipped().iter().chain(folder.own());
	paths.map(|path| path.shown().to_string()).collect()
}

/// Stores a folder in packs.
pub(crate) async fn store(
	context: &Context,
	identity: &Identity,
	(called, key): (Called, RecordKey),
	sync: SyncFolder<'_>,
	folder: &LocalFolder,
) -> Result<Synced, Error> {
	let dataset = sync.dataset();
	let sync = sync.until_finalized(context.is_finalized());
	let mut bar = Bar::new();
	let synced = sync.run(folder, &mut bar).await;
	let failed = |error: UploadFolderError| {
		let is_of_object =
			matches!(&error, UploadFolderError::Client(error) if error.is_of_object());
		let error = Error::from(error).interrupted(bar.arrived());
		let error = error.naming(key, called);
		with_check(error, is_of_object, (identity.id(), dataset))
	};
	let synced: SyncedFolder = synced.map_err(failed)?;
	let place = synced.list.place;
	// The connection may have been lost just after the list was sent.
	let is_new = synced.list.done.now().is_some() || synced.sent_bytes > 0;
	let synced = Synced {
		block: is_new.then(|| synced.list.done.block().number),
		added: synced.added,
		bytes: synced.bytes,
		changed: synced.changed,
		dataset: place.dataset,
		deleted: synced
			.deleted
			.into_iter()
			.map(|deleted| Deleted {
				location: deleted.location,
				gone: deleted.gone,
				failure: deleted.failure,
				left: deleted.left,
			})
			.collect(),
		epoch: place.epoch,
		files: synced.files,
		kept: synced.kept.iter().map(Kept::from).collect(),
		key: Key(key),
		leaf: place.leaf,
		location: synced.location,
		name: called.shown().to_string(),
		packs: synced.packs,
		readers: readers(&context.client, identity.id(), &place).await.ok(),
		removed: synced.removed,
		removed_packs: synced.removed_packs,
		resumed: synced.list.resumed,
		sent_bytes: synced.sent_bytes,
		sent_packs: synced.sent_packs,
		skipped: skipped_in(folder),
		transactions: synced.list.transactions,
	};
	let deleted = synced.deleted.iter();
	let left = left_behind(
		"the folder is stored, and not all objects that it does not use any more are deleted",
		deleted.map(|at| (at.location.as_str(), at.failure.as_deref(), &at.left[..])),
	);
	context.with_error(synced, left)
}
