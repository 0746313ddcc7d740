// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset list` and `isthmus list datasets`: lists the datasets of a producer.

use super::policy::{policy_json, PolicyText};
use crate::{
	context::Context,
	error::Error,
	report::Lines,
	stderr::tell,
	text::{count, only_if, shown},
};
use isthmus_sdk::{
	every, keepers::Kept, AccountId, BlockNumber, DatasetEntry, DatasetId, Epoch, Policy, State,
	Text,
};
use serde::Serialize;
use std::{collections::BTreeSet, fmt};

/// A dataset in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
	closed: bool,
	/// The condition that requests have to meet.
	condition: Option<String>,
	dataset: DatasetId,
	epoch: Epoch,
	grants: u64,
	/// How many accounts keep a copy of its objects.
	keepers: usize,
	/// The newest block with a proof of one of them.
	last_proven: Option<BlockNumber>,
	leaves: u64,
	locations: Vec<String>,
	name: String,
	objects: u32,
	/// The account that controls it, if that is another one than the owner.
	controller: Option<AccountId>,
	/// The account that it is offered to.
	offered_to: Option<AccountId>,
	owner: AccountId,
	/// Whether it is another account's that the listed one took over.
	#[serde(skip)]
	is_taken_over: bool,
	#[serde(serialize_with = "policy_json")]
	policy: Option<Policy>,
	requests: u64,
}

impl fmt::Display for Listed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.is_taken_over {
			true => writeln!(
				f,
				"dataset {} of {}: {}",
				self.dataset, self.owner, self.name
			)?,
			false => writeln!(f, "dataset {}: {}", self.dataset, self.name)?,
		}
		let Self {
			epoch,
			leaves,
			requests,
			grants,
			..
		} = self;
		write!(
			f,
			"  epoch {epoch}; in all epochs: leaves taken {leaves}, open requests {requests}, grants {grants}"
		)?;
		if self.is_taken_over {
			write!(f, "\n  taken over: --for {}", self.owner)?;
		} else if let Some(controller) = &self.controller {
			write!(f, "\n  controlled by {controller}")?;
		}
		if let Some(to) = &self.offered_to {
			write!(f, "\n  offered to {to}")?;
		}
		if self.closed {
			write!(f, "\n  takes no more requests")?;
		}
		if self.objects > 0 || !self.locations.is_empty() {
			let at = match self.locations.is_empty() {
				true => "no location is published".to_owned(),
				false => format!("at {}", shown(self.locations.join(", "))),
			};
			write!(f, "\n  {}, {at}", count(self.objects, "object"))?;
		}
		if self.keepers > 0 {
			let proven = match self.last_proven {
				Some(block) => format!("last proven in block {block}"),
				None => "not proven yet".to_owned(),
			};
			let keepers = count(self.keepers as u64, "account");
			write!(f, "\n  kept by {keepers}, {proven}")?;
		}
		match &self.policy {
			Some(policy) => {
				let condition = only_if(self.condition.as_ref());
				write!(f, "\n  policy: {}{condition}", PolicyText(policy))
			}
			None => Ok(()),
		}
	}
}

/// Lists the datasets of a producer, and those of others that it took over.
pub(crate) async fn list(context: &Context, owner: &AccountId) -> Result<Lines<Listed>, Error> {
	let best = context.client.best().await?;
	let mut listed = Vec::new();
	let entries = every(|after| best.datasets(owner, after)).await?;
	let kept = keepers_of(context, owner, &entries).await?;
	for entry in entries {
		listed.push(listed_as(&best, owner, owner, entry, &kept).await?);
	}
	let taken_over = best.controlled(owner).await?;
	let owners: BTreeSet<_> = taken_over.iter().map(|(owner, _)| owner.0).collect();
	for of in owners.into_iter().map(AccountId::from) {
		let mut entries = every(|after| best.datasets(&of, after)).await?;
		entries.retain(|entry| taken_over.contains(&(of, entry.id)));
		let kept = keepers_of(context, &of, &entries).await?;
		for entry in entries {
			listed.push(listed_as(&best, owner, &of, entry, &kept).await?);
		}
	}
	listed.sort_by_key(|entry| (entry.is_taken_over, entry.owner.0, entry.dataset));
	if listed.is_empty() {
		tell("no datasets");
	}
	Ok(Lines(listed))
}

/// Returns the keepers of an owner's datasets, proven, if one of these has objects: otherwise there is nothing to keep.
async fn keepers_of(
	context: &Context,
	owner: &AccountId,
	datasets: &[DatasetEntry],
) -> Result<Vec<Kept>, Error> {
	match datasets.iter().any(|entry| entry.objects > 0) {
		true => Ok(context.client.proven().await?.keepers(owner).await?),
		false => Ok(Vec::new()),
	}
}

/// Returns a dataset of an owner as it is listed for an account. `kept` are the keepers of the owner's datasets.
async fn listed_as(
	best: &State,
	account: &AccountId,
	owner: &AccountId,
	entry: DatasetEntry,
	kept: &[Kept],
) -> Result<Listed, Error> {
	let DatasetEntry {
		id,
		dataset,
		policy,
		condition,
		objects,
		locations,
	} = entry;
	let control = best.control(owner, id).await?;
	let controller = control.as_ref().map(|control| control.controller);
	let keepers = || kept.iter().filter(move |kept| kept.dataset == id);
	Ok(Listed {
		dataset: id,
		closed: dataset.closed,
		condition: condition.as_ref().map(ToString::to_string),
		controller: controller.filter(|controller| controller != owner),
		epoch: dataset.epoch,
		grants: dataset.grants,
		is_taken_over: account != owner,
		keepers: keepers().count(),
		last_proven: keepers().filter_map(|kept| kept.keeper.proven).max(),
		leaves: dataset.leaves,
		locations: locations
			.into_iter()
			.map(|url| Text(url).to_string())
			.collect(),
		name: dataset.name.to_string(),
		objects,
		offered_to: control.and_then(|control| control.offered_to),
		owner: *owner,
		policy,
		requests: dataset.requests,
	})
}
