// SPDX-License-Identifier: Apache-2.0
//! Reads the list of the folder as it is stored, and what the chain has of its packs.

use super::left::object_in;
use crate::{
	account::Identity,
	client::Client,
	error::Error,
	fetch_file::is_packed_folder,
	folder::packed::{self, List},
	reading::Reading,
	state::State,
	types::*,
	upload::complete,
	upload_folder::UploadFolderError,
};
use futures::{stream, StreamExt};
use std::collections::BTreeSet;

/// How many records are looked up at a time.
const LOOKED_UP: usize = 16;

/// Returns the list that is stored, its record, and a state that has this record.
pub(super) async fn stored_list(
	client: &Client,
	owner: &Identity,
	(key, dataset): (RecordKey, DatasetId),
) -> Result<(State, Option<Record>, List), UploadFolderError> {
	let mut best = client.best().await?;
	loop {
		let stored = complete(&best, owner.id(), key).await?;
		let list = match &stored {
			None => List::default(),
			Some(record) if record.dataset != dataset => {
				let dataset = record.dataset;
				return Err(UploadFolderError::OtherDataset { dataset });
			}
			Some(_) => read_list(client, owner, key).await?,
		};
		// A program on another machine may have stored another one meanwhile.
		best = client.best().await?;
		let now = complete(&best, owner.id(), key).await?;
		if now.as_ref().map(version) == stored.as_ref().map(version) {
			return Ok((best, stored, list));
		}
	}
}

/// Reads the list that is stored under a key.
async fn read_list(
	client: &Client,
	owner: &Identity,
	key: RecordKey,
) -> Result<List, UploadFolderError> {
	let reading = Reading::open(client, owner, owner.id(), key).await?;
	if !is_packed_folder(&reading).await? {
		return Err(UploadFolderError::NotPacked { key });
	}
	let mut bytes = Vec::new();
	reading.run(&mut bytes, 0, &mut ()).await?;
	Ok(packed::from_bytes(&bytes)?)
}

/// Returns the numbers of a list's packs that have no record any more.
pub(super) async fn lost(
	best: &State,
	owner: &AccountId,
	list: &List,
) -> Result<BTreeSet<usize>, Error> {
	let mut looked = stream::iter(list.packs.iter().enumerate())
		.map(|(number, pack)| async move {
			let record = complete(best, owner, pack.key).await?;
			let is_there = record.is_some_and(|record| record.epoch == pack.epoch);
			Ok::<_, Error>((!is_there).then_some(number))
		})
		.buffered(LOOKED_UP)
		.boxed_local();
	let mut lost = BTreeSet::new();
	while let Some(number) = looked.next().await {
		lost.extend(number?);
	}
	Ok(lost)
}

/// Returns a dataset's current epoch.
pub(super) async fn epoch_now(
	best: &State,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Epoch, Error> {
	let owner = *owner.id();
	let entry = best.dataset(&owner, dataset).await?;
	let entry = entry.ok_or(Error::NoSuchDataset { owner, dataset })?;
	Ok(entry.epoch)
}

/// Returns what tells a version of a record from others. Its number among the objects of its dataset does not: that changes
/// with them.
pub(super) fn version(record: &Record) -> (DatasetId, Epoch, Leaf, Option<Object>) {
	let object = object_in(record).cloned();
	(record.dataset, record.epoch, record.leaf, object)
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt::utils::H256;

	#[test]
	fn a_list_that_another_machine_has_stored_is_another_version() {
		let record = |leaf, ordinal, root| Record {
			dataset: 1,
			epoch: 2,
			leaf,
			payload: Payload::Object {
				object: Object {
					header: [0; isthmus_sharing::object::HEADER_SIZE],
					length: 4,
					root: H256([root; 32]),
				},
				ordinal,
				block: 6,
			},
			deposit: 5,
		};
		let stored = version(&record(3, 7, 8));
		assert_ne!(stored, version(&record(4, 7, 8)));
		assert_ne!(stored, version(&record(3, 7, 9)));
		// Its number among the dataset's objects changes when another one is removed.
		assert_eq!(stored, version(&record(3, 6, 8)));
	}
}
