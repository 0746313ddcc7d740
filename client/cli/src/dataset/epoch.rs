// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset create` and `epoch`: begin an epoch, the first of a dataset or the next one, whose keys may be erasable.

use super::own::own;
use crate::{
	context::Context,
	erase::{self, InFile, Marked},
	error::Error,
	report::Lines,
	text::json_path,
};
use isthmus_sdk::{BlockNumber, Call, DatasetId, Epoch, Event, Identity};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// A dataset that was created.
#[derive(Serialize)]
pub(super) struct Created {
	block: BlockNumber,
	dataset: DatasetId,
	/// The file with the keys of its epochs, if they are erasable.
	#[serde(skip_serializing_if = "Option::is_none", serialize_with = "json_path")]
	keys: Option<PathBuf>,
}

impl fmt::Display for Created {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { block, dataset, .. } = self;
		write!(
			f,
			"block {block}: created dataset {dataset}{}",
			InFile(&self.keys)
		)
	}
}

pub(super) async fn create(
	context: &Context,
	identity: &Identity,
	name: &str,
	erasable: bool,
) -> Result<Created, Error> {
	let client = &context.client;
	let call = client.create_dataset(name).await?;
	let marked = match erasable {
		true => {
			let alone = erase::alone(context, identity).await?;
			let next = client.best().await?.next_dataset(identity.id()).await?;
			Some(Marked::new(context, identity, alone, (next, 0))?)
		}
		false => None,
	};
	let made = make(context, identity, &call).await;
	let first = made.as_ref().map(|(_, dataset)| (*dataset, 0));
	let keys = marked
		.map(|marked| marked.done(context, first))
		.transpose()?;
	let (block, dataset) = made?;
	if let (false, Some(file)) = (erasable, &identity.erasable) {
		erase::not_erasable(file, client.genesis(), (dataset, 0))?;
	}
	Ok(Created {
		block,
		dataset,
		keys,
	})
}

/// Makes a dataset. Returns its block and its number.
async fn make(
	context: &Context,
	identity: &Identity,
	call: &Call,
) -> Result<(BlockNumber, DatasetId), Error> {
	let included = context.send(identity, call).await?;
	let created = included.events.iter().find_map(|event| match event {
		Event::DatasetCreated { dataset, .. } => Some(*dataset),
		_ => None,
	});
	let dataset =
		created.ok_or_else(|| Error::failed("the block has no event with the dataset's number"))?;
	Ok((included.number(), dataset))
}

/// An epoch that was started.
#[derive(Serialize)]
pub(super) struct Started {
	block: BlockNumber,
	dataset: DatasetId,
	epoch: Epoch,
	/// The file with its keys, if it is erasable.
	#[serde(skip_serializing_if = "Option::is_none", serialize_with = "json_path")]
	keys: Option<PathBuf>,
}

impl fmt::Display for Started {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			epoch,
			keys,
		} = self;
		let keys = InFile(keys);
		write!(
			f,
			"block {block}: dataset {dataset} is now in epoch {epoch}{keys}"
		)
	}
}

pub(super) async fn start_epoch(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	erasable: bool,
) -> Result<Lines<Started>, Error> {
	let client = &context.client;
	let call = client.start_epoch(dataset).await?;
	let marked = match erasable {
		true => {
			let alone = erase::alone(context, identity).await?;
			let entry = own(&client.best().await?, identity.id(), dataset).await?;
			let next = entry.epoch.saturating_add(1);
			Some(Marked::new(context, identity, alone, (dataset, next))?)
		}
		false => None,
	};
	let made = started(context, identity, &call).await;
	let next = made.as_ref().map(|(_, epoch)| (dataset, *epoch));
	let keys = marked
		.map(|marked| marked.done(context, next))
		.transpose()?;
	let (block, epoch) = made?;
	if let (false, Some(file)) = (erasable, &identity.erasable) {
		erase::not_erasable(file, client.genesis(), (dataset, epoch))?;
	}
	Ok(Lines(vec![Started {
		block,
		dataset,
		epoch,
		keys,
	}]))
}

/// Starts an epoch. Returns its block and its number.
async fn started(
	context: &Context,
	identity: &Identity,
	call: &Call,
) -> Result<(BlockNumber, Epoch), Error> {
	let included = context.send(identity, call).await?;
	let epoch = included.events.iter().find_map(|event| match event {
		Event::EpochStarted { epoch, .. } => Some(*epoch),
		_ => None,
	});
	let epoch =
		epoch.ok_or_else(|| Error::failed("the block has no event with the epoch's number"))?;
	Ok((included.number(), epoch))
}
