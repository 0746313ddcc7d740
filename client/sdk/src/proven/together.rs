// SPDX-License-Identifier: Apache-2.0
//! Proves what a caller may know about many records, in few requests.

use super::*;
use std::collections::BTreeSet;

impl Client {
	/// Asks what a caller may know about records of an owner, as [`query`](Self::query) does for each of them, and proves it.
	///
	/// `None` stands for a record that has to be asked about alone: the last finalized state does not let the caller read it,
	/// the node shows something else in its best block, or it does not prove what was asked.
	pub(crate) async fn query_together(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		keys: &[RecordKey],
	) -> Vec<Option<Answer>> {
		if keys.is_empty() {
			return Vec::new();
		}
		// Who asks about each alone finds out what went wrong.
		match self.answers(caller, owner, keys).await {
			Ok(answers) => answers,
			Err(_) => vec![None; keys.len()],
		}
	}

	async fn answers(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		keys: &[RecordKey],
	) -> Result<Vec<Option<Answer>>, Error> {
		let tip = self.best().await?;
		let proven = self.proven().await?;
		let of_record = |key: &RecordKey| {
			[
				storage::record(&owner.0, *key),
				storage::embargo(&owner.0, *key),
			]
		};
		let records: Vec<_> = keys.iter().flat_map(of_record).collect();
		proven
			.load(&[&records[..], &[storage::now()]].concat())
			.await?;
		let shared = proven.shared(caller, owner, keys).await?;
		let shown = [&records[..], &shared].concat();
		self.load(&tip, &shown).await?;
		let mut answers = Vec::new();
		let is_newest = proven.agrees(&tip, &shared).await;
		for key in keys {
			if !is_newest || !proven.agrees(&tip, &of_record(key)).await {
				answers.push(None);
				continue;
			}
			// All that the answer follows from is there already, so that there is nothing to hint at.
			let no_hint = Err(QueryRefusal::UnknownRecord);
			let answer = proven.prove_query(caller, owner, *key, &no_hint).await?;
			answers.push(answer.ok());
		}
		Ok(answers)
	}
}

impl Proven {
	/// Has proven what answers about several records have in common: who controls their datasets, where the objects are, and
	/// the caller's grants. Returns the keys of these entries.
	async fn shared(
		&self,
		caller: &AccountId,
		owner: &AccountId,
		keys: &[RecordKey],
	) -> Result<Vec<Vec<u8>>, Error> {
		let (mut datasets, mut epochs) = (BTreeSet::new(), BTreeSet::new());
		for key in keys {
			if let Some(record) = self.record(owner, *key).await? {
				datasets.insert(record.dataset);
				epochs.insert((record.dataset, record.epoch));
			}
		}
		let of_dataset = |dataset: &DatasetId| {
			[
				storage::control(&owner.0, *dataset),
				storage::locations(&owner.0, *dataset),
			]
		};
		let list = |(dataset, epoch): &(DatasetId, Epoch)| {
			storage::grants_on(&owner.0, *dataset, *epoch, &caller.0)
		};
		let lists: Vec<_> = epochs.iter().map(list).collect();
		let mut shared: Vec<_> = datasets.iter().flat_map(of_dataset).collect();
		shared.extend_from_slice(&lists);
		self.load(&shared).await?;
		let mut grants = Vec::new();
		for list in lists {
			let ids = self.reader_entry(list).await?;
			grants.extend(ids.into_iter().map(storage::grant));
		}
		self.load(&grants).await?;
		shared.extend(grants);
		Ok(shared)
	}

	/// Returns whether the node shows these entries in a state as they are proven here.
	async fn agrees(&self, tip: &State, keys: &[Vec<u8>]) -> bool {
		let proof = self.proof.lock().await;
		keys.iter()
			.all(|key| match (proof.value(key), tip.known(key)) {
				(Ok(proven), Some(shown)) => proven == shown,
				_ => false,
			})
	}
}
