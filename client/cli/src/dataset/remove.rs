// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset free` and `remove`: free the leaves of removed records, and remove an empty dataset.

use super::{changed::Changed, own::own};
use crate::{
	context::Context,
	error::Error,
	text::{count, Key},
	tip::Tip,
};
use isthmus_sdk::{BlockNumber, Call, Dataset, DatasetId, Epoch, Identity, LeafUse, Names, State};
use serde::Serialize;
use std::fmt;

/// Leaves that were freed.
#[derive(Serialize)]
pub(super) struct Freed {
	/// The last transaction's block; `None` if there was nothing to free.
	block: Option<BlockNumber>,
	freed: usize,
	/// How many leaves can be freed once the current epoch is over.
	wait: usize,
	#[serde(skip)]
	dataset: DatasetId,
	#[serde(skip)]
	epoch: Epoch,
}

impl fmt::Display for Freed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { dataset, epoch, .. } = self;
		let freed = count(self.freed as u64, "leaf");
		match self.block {
			Some(block) => write!(f, "block {block}: freed {freed} of dataset {dataset}")?,
			None => write!(f, "no leaf of dataset {dataset} to free")?,
		}
		match self.wait {
			0 => Ok(()),
			wait => write!(
				f,
				"; {wait} more after epoch {epoch} is over: isthmus dataset epoch {dataset}"
			),
		}
	}
}

/// Frees the leaves of removed records whose epoch is over.
pub(super) async fn free(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
) -> Result<Freed, Error> {
	let best = context.client.best().await?;
	let epoch = own(&best, identity.id(), dataset).await?.epoch;
	let (mut calls, mut wait) = (Vec::new(), 0);
	for (of, leaf, by) in best.leaves(identity.id(), dataset).await? {
		match by {
			LeafUse::Spent if of < epoch => {
				calls.push(context.client.free_leaf(dataset, of, leaf).await?);
			}
			LeafUse::Spent => wait += 1,
			LeafUse::Record(_) => {}
		}
	}
	let last = context.send_all(identity, &calls).await?;
	Ok(Freed {
		block: last.map(|last| last.number()),
		freed: calls.len(),
		wait,
		dataset,
		epoch,
	})
}

/// Frees the leaves of a dataset's removed records, and then removes the dataset.
pub(super) async fn remove(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
) -> Result<Changed, Error> {
	let best = context.client.best().await?;
	let entry = own(&best, identity.id(), dataset).await?;
	check_unused(&best, &entry, dataset)?;
	let calls = removal(context, &best, identity, dataset, entry.epoch).await?;
	let last = context.send_all(identity, &calls).await?;
	let block = last.map(|last| last.number());
	let change = format!("removed dataset {dataset}");
	Ok(Changed { block, change })
}

/// Returns an error if a dataset has open requests or grants.
fn check_unused(best: &State, entry: &Dataset, dataset: DatasetId) -> Result<(), Error> {
	if entry.requests > 0 {
		let requests = count(entry.requests, "open request");
		return Err(in_use(dataset, &requests)
			.hint("list and reject them: isthmus requests, isthmus reject NUMBER"));
	}
	if entry.grants > 0 {
		let memory: BlockNumber = best.constant("GrantMemory")?;
		return Err(in_use(dataset, &count(entry.grants, "grant")).hint(format!(
			"list and revoke them: isthmus list given, isthmus revoke NUMBER; the chain forgets a grant {memory} blocks after its end"
		)));
	}
	Ok(())
}

fn in_use(dataset: DatasetId, what: &str) -> Error {
	Error::refused(format!("dataset {dataset} still has {what}"))
}

/// Returns the calls that free a dataset's leaves and remove it.
async fn removal(
	context: &Context,
	best: &State,
	identity: &Identity,
	dataset: DatasetId,
	current: Epoch,
) -> Result<Vec<Call>, Error> {
	let client = &context.client;
	let leaves = best.leaves(identity.id(), dataset).await?;
	let names = Names::new(client, identity);
	let mut calls = Vec::new();
	// A leaf can be freed only when its epoch is over.
	if leaves.iter().any(|(epoch, ..)| *epoch == current) {
		calls.push(client.start_epoch(dataset).await?);
	}
	for (epoch, leaf, by) in leaves {
		if let LeafUse::Record(key) = by {
			let name = Key(names.name(&key).unwrap_or(key));
			return Err(in_use(dataset, &format!("the record {name}")).hint(format!(
				"remove it first: {}",
				Tip::new("isthmus remove").operand(&name.to_string())
			)));
		}
		calls.push(client.free_leaf(dataset, epoch, leaf).await?);
	}
	calls.push(client.remove_dataset(dataset).await?);
	Ok(calls)
}
