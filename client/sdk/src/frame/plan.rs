// SPDX-License-Identifier: Apache-2.0
//! Chooses the leaves of a frame.

use super::{
	error::{at, FrameError},
	mark_of, part_id, Frame, Leaves, MAX_PARTS,
};
use crate::{
	account::Identity,
	client::Client,
	error::{Error, UploadError},
	sharing::epoch_id,
	sync_folder::pack_key,
	turn::Turn,
	types::*,
	upload::{free_place, location_to_write, next_leaf, settled},
};
use isthmus_envelope::{random_bytes, KeySet};
use subxt::utils::H256;

/// A frame that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAsked {
	/// The key of the record that will list the parts.
	pub key: RecordKey,
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The leaf of the first part; `None` for the next one from which on enough leaves are free.
	pub leaf: Option<Leaf>,
	/// How many parts the frame may have.
	pub parts: u16,
}

impl Frame {
	/// Plans a frame in the dataset's current epoch. Also returns the keys of its parts' leaves. Sends nothing to the chain,
	/// so another program may take a leaf meanwhile: then the frame cannot be committed.
	///
	/// Leaves the frame's mark in the store, so that it is known that tasks may have those keys.
	///
	/// # Errors
	///
	/// Returns [`FrameError::Parts`] for too many parts or none, [`UploadError::AlreadyStored`] if there is a record with the
	/// key, [`UploadError::LeafTaken`] if leaves from the given one on are taken, [`Error::Cost`] if the account cannot, or may
	/// not, pay for the entries, and the errors of [`location_to_write`].
	pub async fn plan(
		client: &Client,
		owner: &Identity,
		asked: FrameAsked,
	) -> Result<(Self, KeySet), FrameError> {
		let FrameAsked {
			key,
			dataset,
			parts: got,
			..
		} = asked;
		if !(1..=MAX_PARTS).contains(&got) {
			let most = MAX_PARTS;
			return Err(FrameError::Parts { most, got });
		}
		settled(client, owner.account.id()).await?;
		let best = client.best().await?;
		if best.record(owner.id(), key).await?.is_some() {
			return Err(Error::from(UploadError::AlreadyStored(key)).into());
		}
		let owned = *owner.id();
		let entry = best.dataset(&owned, dataset).await?;
		let none = Error::NoSuchDataset {
			owner: owned,
			dataset,
		};
		let epoch = entry.ok_or(none)?.epoch;
		client.check_secret(owner, dataset, epoch).await?;
		let location = location_to_write(client, owner.id(), dataset).await?;
		let first = free_leaves(client, owner, (dataset, epoch), asked).await?;
		let id = epoch_id(client, owner.id(), dataset, epoch);
		let keys = owner.epoch_keys(&id)?;
		let random = random_bytes().map_err(Error::from)?;
		let [a, b, c, d, ..] = random;
		let mark = mark_of(&keys, first, got, [a, b, c, d]);
		let leaves = Leaves {
			dataset,
			epoch,
			first,
			parts: got,
			mark,
			location: location.url().to_owned(),
		};
		let frame = Self {
			genesis: client.genesis(),
			owner: owned,
			list: key,
			parts: (0..got)
				.map(|number| pack_key(&keys, &key, &part_id(&mark, number)))
				.collect(),
			leaves,
		};
		let opened = keys.key_set(frame.leaves.range()?).map_err(Error::from)?;
		frame.check_cost(client, owner).await?;
		let marked = location.set_mark(&mark).await;
		marked.map_err(|failure| at(location.url(), failure))?;
		Ok((frame, opened))
	}

	/// Checks that the account can, and may, pay for the entries of all parts and the list. Each costs the same.
	async fn check_cost(&self, client: &Client, owner: &Identity) -> Result<(), Error> {
		let any = Object {
			header: [0; object::HEADER_SIZE],
			length: 0,
			root: H256::zero(),
		};
		let entries = self.leaves.parts.saturating_add(1);
		let entries: Vec<(Place, Object)> = (0..entries)
			.map(|number| (self.leaves.place(self.list, number), any.clone()))
			.collect();
		let cost = client.cost(&client.store_objects(&entries).await?).await?;
		client.check_cost(owner.account.id(), cost).await
	}
}

/// Returns the first leaf from which on there is a free one for each part, and for the list.
async fn free_leaves(
	client: &Client,
	owner: &Identity,
	(dataset, epoch): (DatasetId, Epoch),
	asked: FrameAsked,
) -> Result<Leaf, Error> {
	let best = client.best().await?;
	let turn = Turn::take(client, owner.account.id()).await?;
	let at = |leaf| Place {
		key: asked.key,
		dataset,
		epoch,
		leaf,
	};
	let mut first = match asked.leaf {
		Some(leaf) => leaf,
		None => best.free_leaf(owner.id(), dataset, epoch).await?,
	};
	loop {
		let end = first.checked_add(asked.parts.into());
		let end = end.ok_or(Error::NoFreeLeaf { dataset, epoch })?;
		let mut taken = None;
		for leaf in first..=end {
			let place = (at(leaf), false);
			match free_place(client, owner, &best, turn.notes(), place).await {
				Ok(_) => {}
				Err(Error::Upload(UploadError::LeafTaken(place))) if asked.leaf.is_none() => {
					taken = Some(place);
				}
				Err(error) => return Err(error),
			}
		}
		match taken {
			None => return Ok(first),
			Some(last) => first = next_leaf(&last)?,
		}
	}
}
