// SPDX-License-Identifier: Apache-2.0
//! Finds what one owner granted to a reader. Anyone may grant something to a reader, so the list of all its grants is as long
//! as others want. The entries that are read here begin with the owner, and only who controls its datasets adds to them.

use crate::{
	client::Client,
	error::Error,
	proven::Proven,
	state::{every, State},
	types::*,
};
use isthmus_light::storage;

/// How many epochs later than the finalized one a node's best block may be in. A node that says more could have
/// entries read without an end.
const AHEAD: Epoch = 1024;

/// A dataset, and one of its epochs.
type InEpoch = (DatasetId, Epoch);

impl Client {
	/// Returns the grants that a reader has from an owner in a state, on one dataset or on all of them. They are not proven.
	///
	/// # Errors
	///
	/// Returns connection errors, and the errors of [`Client::proven`].
	pub async fn grants_from(
		&self,
		state: &State,
		(owner, dataset): (&AccountId, Option<DatasetId>),
		reader: &AccountId,
	) -> Result<Vec<GrantEntry>, Error> {
		let datasets = match dataset {
			Some(id) => {
				let dataset = state.dataset(owner, id).await?;
				Vec::from_iter(dataset.map(|dataset| (id, dataset.epoch)))
			}
			None => {
				let all = every(|after| state.datasets(owner, after)).await?;
				Vec::from_iter(all.iter().map(|entry| (entry.id, entry.dataset.epoch)))
			}
		};
		let places = self.proven().await?.up_to(owner, &datasets).await?;
		self.load(state, &lists(owner, &places, reader)).await?;
		let mut ids = Vec::new();
		for (dataset, epoch) in places {
			ids.extend(state.reader_entry(owner, dataset, epoch, reader).await?);
		}
		let mut grants: Vec<_> = ids.iter().map(|id| storage::grant(*id)).collect();
		grants.push(storage::now());
		self.load(state, &grants).await?;
		let mut entries = Vec::new();
		for id in ids {
			entries.extend(state.entry(id).await?);
		}
		Ok(entries)
	}
}

impl Proven {
	/// Returns the grants that a reader has from an owner, on one dataset or on all of them: those in one state, or in any.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proofs are wrong, and connection errors.
	pub async fn grants_from(
		&self,
		(owner, dataset): (&AccountId, Option<DatasetId>),
		reader: &AccountId,
		state: Option<GrantState>,
	) -> Result<Vec<GrantEntry>, Error> {
		let datasets = match dataset {
			Some(dataset) => vec![dataset],
			None => self.dataset_numbers(owner).await?,
		};
		let entries = datasets.iter().map(|id| storage::dataset(&owner.0, *id));
		self.load(&entries.collect::<Vec<_>>()).await?;
		let mut places = Vec::new();
		for id in datasets {
			if let Some(dataset) = self.dataset(owner, id).await? {
				places.extend(epochs(id, dataset.epoch));
			}
		}
		let lists = lists(owner, &places, reader);
		self.load(&lists).await?;
		let mut ids = Vec::new();
		for list in lists {
			ids.extend(self.reader_entry(list).await?);
		}
		self.grants(&ids, state).await
	}

	/// Returns the numbers of an owner's datasets.
	async fn dataset_numbers(&self, owner: &AccountId) -> Result<Vec<DatasetId>, Error> {
		let prefix = storage::datasets_of(&owner.0);
		let keys = self.keys(prefix.clone()).await?;
		let number = |key: &Vec<u8>| storage::counted(&mut &key[prefix.len()..]);
		Ok(keys.iter().filter_map(number).collect())
	}

	/// Returns the epochs of datasets up to those that a node says they are in, as far as that can be.
	async fn up_to(&self, owner: &AccountId, said: &[InEpoch]) -> Result<Vec<InEpoch>, Error> {
		let entries = said.iter().map(|(id, _)| storage::dataset(&owner.0, *id));
		self.load(&entries.collect::<Vec<_>>()).await?;
		let mut places = Vec::new();
		for (id, said) in said {
			let proven = self.dataset(owner, *id).await?;
			let proven = proven.map_or(0, |dataset| dataset.epoch);
			places.extend(epochs(*id, bounded(*said, proven)));
		}
		Ok(places)
	}
}

/// Returns the epoch that a dataset is in as a node says, or the latest one that it can be in after the one that is proven.
fn bounded(said: Epoch, proven: Epoch) -> Epoch {
	said.min(proven.saturating_add(AHEAD))
}

/// Returns the epochs of a dataset up to its current one.
fn epochs(dataset: DatasetId, current: Epoch) -> impl Iterator<Item = InEpoch> {
	(0..=current).map(move |epoch| (dataset, epoch))
}

/// Returns the keys of the lists of a reader's grants.
fn lists(owner: &AccountId, places: &[InEpoch], reader: &AccountId) -> Vec<Vec<u8>> {
	let list =
		|(dataset, epoch): &InEpoch| storage::grants_on(&owner.0, *dataset, *epoch, &reader.0);
	places.iter().map(list).collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_epoch_is_looked_at_and_no_more_than_there_can_be() {
		assert_eq!(Vec::from_iter(epochs(3, 0)), [(3, 0)]);
		assert_eq!(Vec::from_iter(epochs(3, 2)), [(3, 0), (3, 1), (3, 2)]);
		assert_eq!(bounded(5, 3), 5);
		assert_eq!(bounded(2, 3), 2);
		assert_eq!(bounded(Epoch::MAX, 3), 3 + AHEAD);
		assert_eq!(bounded(Epoch::MAX, Epoch::MAX), Epoch::MAX);
	}
}
