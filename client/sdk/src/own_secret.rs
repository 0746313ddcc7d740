// SPDX-License-Identifier: Apache-2.0
//! Checks that an owner's master secret is the one that an epoch's records are encrypted with, before anything is
//! stored or granted under it.
//!
//! The same account may be in two key files with different seeds, for example after it was imported twice. Records of
//! both in one epoch would look alike, and a reader's grant would open only those of one.

use crate::{
	account::Identity, client::Client, error::Error, names::header_of, reading::context,
	sharing::epoch_id, types::*,
};
use isthmus_envelope::{Decryptor, LeafKey, ObjectCipher, ObjectHeader, RecordError, TreeError};
use std::{
	collections::BTreeSet,
	sync::{MutexGuard, PoisonError},
};

/// How many epochs before an empty one are looked at for a record.
const LOOK_BACK: usize = 4;

impl Client {
	/// Checks an owner's master secret with the smallest record on the first page of an epoch's records. Once it is
	/// checked, this asks nothing. If the epoch has none, the epochs before it are asked; if the epoch is erasable, its keys
	/// are drawn now.
	///
	/// # Errors
	///
	/// Returns [`Error::OtherSecret`] if that record is encrypted under another master secret, and [`Error::Erasable`] if
	/// the keys of an erasable epoch are not there.
	pub(crate) async fn check_secret(
		&self,
		owner: &Identity,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<(), Error> {
		if self.check_records(owner, dataset, epoch).await? {
			return Ok(());
		}
		let first = match &owner.erasable {
			Some(file) => file.first(self.genesis(), dataset)?,
			None => None,
		};
		// The epoch may be erasable, and the file that says so may be on another machine, or an older or a newer one.
		if first.is_none_or(|first| first > epoch) {
			// What was stored before the account took the dataset over is encrypted under another secret.
			let control = self.best().await?.control(owner.id(), dataset).await?;
			let since = control.map_or(0, |control| control.since);
			for earlier in (since..epoch).rev().take(LOOK_BACK) {
				if self.check_records(owner, dataset, earlier).await? {
					break;
				}
			}
		}
		owner.start_epoch(&epoch_id(self, owner.id(), dataset, epoch))
	}

	/// Checks an owner's master secret with a record of this epoch. Returns whether it has one.
	async fn check_records(
		&self,
		owner: &Identity,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<bool, Error> {
		let checked = (owner.id().0, dataset, epoch);
		if self.own_epochs().contains(&checked) {
			return Ok(true);
		}
		let scope = Scope {
			dataset,
			epoch,
			from: 0,
			to: LEAVES_PER_EPOCH,
		};
		let best = self.best().await?;
		let page = best.records_in(owner.id(), scope, None).await?;
		if page.items.is_empty() {
			return Ok(false);
		}
		let keys = owner.epoch_keys(&epoch_id(self, owner.id(), dataset, epoch))?;
		let leaf_key = |leaf| keys.leaf_key(leaf);
		match self.opens(owner.id(), page.items, leaf_key).await? {
			Some(false) => return Err(Error::OtherSecret { dataset, epoch }),
			Some(true) => {
				self.own_epochs().insert(checked);
			}
			None => {}
		}
		Ok(true)
	}

	/// Returns whether keys open the smallest of an owner's records; `None` if none of them tells it.
	pub(crate) async fn opens(
		&self,
		owner: &AccountId,
		records: Vec<RecordEntry>,
		leaf_key: impl Fn(Leaf) -> Result<LeafKey, TreeError>,
	) -> Result<Option<bool>, Error> {
		// A record whose key was erased, and that is still on the chain, tells nothing.
		let smallest = records
			.into_iter()
			.filter(|entry| leaf_key(entry.record.leaf).is_ok())
			.min_by_key(|entry| to_fetch(&entry.record.payload));
		let Some(RecordEntry { key, record }) = smallest else {
			return Ok(None);
		};
		let leaf = leaf_key(record.leaf)?;
		let opened = self.opened(owner, (key, &record), &leaf).await?;
		let Some(RecordError::WrongKey) = opened else {
			return Ok(Some(true));
		};
		let proven = self.proven().await?.record(owner, key).await?;
		// A node can make up a record, but not prove it.
		Ok((proven.as_ref() == Some(&record)).then_some(false))
	}

	/// Opens a record with a leaf's key, and returns why it does not open.
	async fn opened(
		&self,
		owner: &AccountId,
		(key, record): (RecordKey, &Record),
		leaf: &LeafKey,
	) -> Result<Option<RecordError>, Error> {
		let place = context(self, owner, key);
		Ok(match &record.payload {
			Payload::Object { object, .. } => match ObjectHeader::read(&object.header) {
				Ok(header) => ObjectCipher::open(leaf, &place, &header).err(),
				// What is not an object tells nothing.
				Err(_) => None,
			},
			Payload::Value { .. } | Payload::Chunks { .. } => {
				match header_of(self, key, record).await {
					Ok(Some(header)) => Decryptor::new(leaf, &place, header).err(),
					// What is not a record, and what this node has pruned, tells nothing.
					Ok(None) | Err(Error::Rpc { .. }) => None,
					Err(error) => return Err(error),
				}
			}
		})
	}

	fn own_epochs(&self) -> MutexGuard<'_, BTreeSet<([u8; 32], DatasetId, Epoch)>> {
		let known = self.0.own_epochs.lock();
		known.unwrap_or_else(PoisonError::into_inner)
	}
}

/// Returns about how many bytes have to be fetched for a record's header.
pub(crate) fn to_fetch(payload: &Payload) -> u64 {
	match payload {
		Payload::Value { .. } => payload.length(),
		Payload::Chunks { .. } => 32 * u64::from(payload.chunks()),
		// Its header is in its entry.
		Payload::Object { .. } => 0,
	}
}
