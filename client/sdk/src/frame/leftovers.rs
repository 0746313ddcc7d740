// SPDX-License-Identifier: Apache-2.0
//! Finds what frames have left in the store whose programs were killed.

use super::{end::Ended, error::at, read_mark, seen::salt_of, FrameError, Leaves};
use crate::{
	account::Identity, client::Client, error::Error, object::Locations, sharing::epoch_id,
	state::every, types::*, upload::own_locations,
};
use isthmus_envelope::EpochKeys;
use isthmus_objects::{Location, Mark};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::SystemTime,
};

/// Objects of a frame that no record names. The frame's programs were killed, or are still at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
	leaves: Leaves,
	/// How many objects there are, whole or in part.
	pub objects: usize,
	/// How many bytes they have.
	pub bytes: u64,
	/// When the last one of them was written.
	pub modified: SystemTime,
}

impl Leftover {
	/// Returns what the names of the objects begin with, in hexadecimal digits.
	pub fn mark(&self) -> String {
		hex::encode(self.leaves.mark)
	}

	/// Returns the location.
	pub fn location(&self) -> &str {
		&self.leaves.location
	}

	/// Returns the leaf of the frame's first part, and how many parts were planned.
	pub fn leaves(&self) -> (Leaf, u16) {
		(self.leaves.first, self.leaves.parts)
	}

	/// Gives the frame up, as [`Frame::abort`](super::Frame::abort) does. If its programs are still at work, they can no longer
	/// commit it.
	///
	/// # Errors
	///
	/// Returns the errors of [`Frame::abort`](super::Frame::abort).
	pub async fn give_up(&self, client: &Client, owner: &Identity) -> Result<Ended, FrameError> {
		self.leaves.end(client, owner, None).await
	}
}

/// Returns what frames of a dataset have left at its locations: objects that have a mark of this owner, and that no record
/// names. Only the owner can tell those from objects of others. Which records there are is the node's word:
/// [`Leftover::give_up`] deletes only what is proven to have none.
///
/// # Errors
///
/// Returns [`Error::NoSuchDataset`], [`Error::Sending`] if a location does not list its objects, and the errors of
/// [`Client::proven`].
pub async fn frames_left(
	client: &Client,
	owner: &Identity,
	dataset: DatasetId,
) -> Result<Vec<Leftover>, FrameError> {
	let urls = own_locations(client, owner.id(), dataset).await?;
	let best = client.best().await?;
	let owned = *owner.id();
	let entry = best.dataset(&owned, dataset).await?;
	let none = Error::NoSuchDataset {
		owner: owned,
		dataset,
	};
	let now = entry.ok_or(none)?.epoch;
	// An epoch whose keys are gone has no frame that could be ended.
	let epochs: Vec<(Epoch, EpochKeys)> = (0..=now)
		.filter_map(|epoch| {
			let id = epoch_id(client, owner.id(), dataset, epoch);
			Some((epoch, owner.epoch_keys(&id).ok()?))
		})
		.collect();
	let records = every(|after| best.records(owner.id(), after)).await?;
	let known: BTreeSet<[u8; 32]> = records
		.iter()
		.filter_map(|entry| salt_of(entry.key, &entry.record))
		.collect();
	let mut left = Vec::new();
	let usable = Locations::open(urls).usable.into_iter();
	for location in usable.filter(Location::takes_objects) {
		left.extend(left_at(&location, dataset, &epochs, &known).await?);
	}
	Ok(left)
}

/// Returns what frames have left at a location.
async fn left_at(
	location: &Location,
	dataset: DatasetId,
	epochs: &[(Epoch, EpochKeys)],
	known: &BTreeSet<[u8; 32]>,
) -> Result<Vec<Leftover>, Error> {
	let found = location.marked(&[], &[]).await;
	let found = found.map_err(|failure| at(location.url(), failure))?;
	let mut frames: BTreeMap<Mark, Option<Leftover>> = BTreeMap::new();
	for object in found {
		if known.contains(&object.salt) {
			continue;
		}
		let mark = object.mark();
		let frame = frames.entry(mark).or_insert_with(|| {
			let mut read = epochs.iter().filter_map(|(epoch, keys)| {
				let (first, parts) = read_mark(keys, &mark)?;
				Some((*epoch, first, parts))
			});
			let (epoch, first, parts) = read.next()?;
			let leaves = Leaves {
				dataset,
				epoch,
				first,
				parts,
				mark,
				location: location.url().to_owned(),
			};
			Some(Leftover {
				leaves,
				objects: 0,
				bytes: 0,
				modified: object.modified,
			})
		});
		if let Some(frame) = frame {
			// The mark alone is no object.
			frame.objects += usize::from(object.length > 0);
			frame.bytes = frame.bytes.saturating_add(object.length);
			frame.modified = frame.modified.max(object.modified);
		}
	}
	Ok(frames.into_values().flatten().collect())
}
