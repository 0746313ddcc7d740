// SPDX-License-Identifier: Apache-2.0
//! Chooses where a value is stored: in which epoch, and at which leaf.

use super::interrupted::Interrupted;
use crate::{
	account::{Erased, Identity},
	claim::Claim,
	client::Client,
	error::{Error, UploadError},
	note::Notes,
	reading::context,
	reserved::{self, Reserved},
	sharing::epoch_id,
	state::State,
	types::*,
};
use isthmus_envelope::{LeafKey, RecordContext};
use isthmus_light::storage;
use isthmus_objects::Mark;

/// Where a value may be stored.
pub(super) struct Choice<'a> {
	/// Where it is stored if nothing else was asked for.
	pub(super) place: Place,
	/// Whether the next leaf is taken if the place's is not free.
	pub(super) any_leaf: bool,
	/// Whether it is stored in the dataset's current epoch if the place's is over.
	pub(super) current_epoch: bool,
	/// The keys of this record and of those that are stored next, at the leaves behind the place's. Empty if it is the only
	/// one.
	pub(super) ahead: &'a [RecordKey],
}

impl Choice<'_> {
	/// Chooses where to store the value, by the transactions in flight and the best block's state that these notes are of.
	///
	/// # Errors
	///
	/// Returns [`Error::Upload`] if the key or the leaf is taken or the epoch is over, and
	/// [`Error::NoSuchDataset`].
	pub(super) async fn choose(
		&self,
		client: &Client,
		identity: &Identity,
		notes: &Notes,
	) -> Result<Place, Error> {
		let owner = identity.id();
		let mut place = self.place;
		let Place { key, dataset, .. } = place;
		let best = match &notes.best {
			Some(best) => best.clone(),
			None => client.best().await?,
		};
		self.look_ahead(client, owner, &best).await?;
		if let Some(record) = best.record(owner, key).await? {
			return Err(match record.payload.is_complete() {
				true => UploadError::AlreadyStored(key).into(),
				false => UploadError::Overtaken.into(),
			});
		}
		let entry = best.dataset(owner, dataset).await?;
		let owned = *owner;
		let now = entry
			.ok_or(Error::NoSuchDataset {
				owner: owned,
				dataset,
			})?
			.epoch;
		if now != place.epoch {
			if !self.current_epoch {
				let epoch = place.epoch;
				return Err(UploadError::NotCurrentEpoch {
					dataset,
					epoch,
					now,
				}
				.into());
			}
			place.epoch = now;
			place.leaf = best.free_leaf(owner, dataset, now).await?;
		}
		free_place(client, identity, &best, notes, (place, self.any_leaf)).await
	}

	/// Asks for what the choice of several places looks at together, unless it is known for this one.
	async fn look_ahead(
		&self,
		client: &Client,
		owner: &AccountId,
		best: &State,
	) -> Result<(), Error> {
		if self.ahead.is_empty() {
			return Ok(());
		}
		let Place {
			key,
			dataset,
			epoch,
			leaf,
		} = self.place;
		// An epoch has 2^32 leaves.
		let end = leaf.saturating_add(self.ahead.len() as u32);
		let leaves = (leaf..end).map(|leaf| storage::leaf(&owner.0, dataset, epoch, leaf));
		let leaves: Vec<_> = leaves.collect();
		let record = |key: &RecordKey| storage::record(&owner.0, *key);
		let mut own = leaves.iter().take(1).cloned().chain([record(&key)]);
		if own.any(|key| best.known(&key).is_none()) {
			let mut keys = vec![storage::dataset(&owner.0, dataset)];
			keys.extend(self.ahead.iter().map(record));
			keys.extend_from_slice(&leaves);
			client.load(best, &keys).await?;
		}
		let mut proven = leaves;
		proven.push(storage::dataset(&owner.0, dataset));
		client.prove_ahead(&proven).await
	}
}

/// Returns a place if its leaf is free by a state and the transactions in flight, and not [planned](crate::frame) for a
/// frame; otherwise, if `any_leaf` is set, the next one whose leaf is.
///
/// # Errors
///
/// Returns [`UploadError::LeafTaken`] if the leaf is taken and no other one may be used.
pub(crate) async fn free_place(
	client: &Client,
	identity: &Identity,
	best: &State,
	notes: &Notes,
	asked: (Place, bool),
) -> Result<Place, Error> {
	let (Place { dataset, epoch, .. }, _) = asked;
	let not_free = NotFree::read(client, identity, notes, None, (dataset, epoch))?;
	free_place_by(client, identity, best, &not_free, asked).await
}

/// What is noted on this machine about the leaves of an epoch.
pub(crate) struct NotFree<'a> {
	notes: &'a Notes,
	planned: Vec<Reserved>,
	erased: Erased,
	/// What interrupted uploads have started, if a leaf must not be one of theirs.
	interrupted: Option<Interrupted>,
}

impl<'a> NotFree<'a> {
	/// Reads which leaves are planned or erased. The frame with the mark may have those that are planned for it.
	pub(crate) fn read(
		client: &Client,
		identity: &Identity,
		notes: &'a Notes,
		frame: Option<&Mark>,
		(dataset, epoch): (DatasetId, Epoch),
	) -> Result<Self, Error> {
		let id = epoch_id(client, identity.id(), dataset, epoch);
		Ok(Self {
			notes,
			planned: reserved::others(client.genesis(), identity.id(), frame)?,
			erased: identity.erased_leaves(&id)?,
			interrupted: None,
		})
	}

	/// Also takes leaves out that may have a record some time, or something in a store: for leaves whose keys others get.
	pub(crate) fn or_interrupted(mut self, interrupted: Interrupted) -> Self {
		self.interrupted = Some(interrupted);
		self
	}

	fn has(&self, place: &Place) -> bool {
		let claims = [Claim::leaf(place)];
		let is_used = match &self.interrupted {
			None => self.notes.claimed(&claims).is_some(),
			Some(interrupted) => interrupted.has(place) || self.notes.may_be_claimed(&claims),
		};
		is_used
			|| self.erased.has(place.leaf)
			|| self.planned.iter().any(|planned| planned.has(place))
	}
}

/// Does the same as [`free_place`] with what was read before, for several places of an epoch.
pub(crate) async fn free_place_by(
	client: &Client,
	identity: &Identity,
	best: &State,
	not_free: &NotFree<'_>,
	(mut place, any_leaf): (Place, bool),
) -> Result<Place, Error> {
	let owner = identity.id();
	let Place { dataset, epoch, .. } = place;
	while not_free.has(&place)
		|| best
			.leaf(owner, dataset, epoch, place.leaf)
			.await?
			.is_some()
	{
		if !any_leaf {
			return Err(UploadError::LeafTaken(place).into());
		}
		place.leaf = next_leaf(&place)?;
	}
	client.check_place(best, owner, &place).await?;
	Ok(place)
}

impl Place {
	pub(crate) fn context(&self, client: &Client, owner: &AccountId) -> RecordContext {
		context(client, owner, self.key)
	}

	pub(crate) fn leaf_key(&self, client: &Client, owner: &Identity) -> Result<LeafKey, Error> {
		let id = epoch_id(client, owner.id(), self.dataset, self.epoch);
		Ok(owner.epoch_keys(&id)?.leaf_key(self.leaf)?)
	}
}

/// Returns the leaf after a place's leaf.
pub(crate) fn next_leaf(place: &Place) -> Result<Leaf, Error> {
	let Place { dataset, epoch, .. } = *place;
	let next = place.leaf.checked_add(1);
	next.ok_or(Error::NoFreeLeaf { dataset, epoch })
}
