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
use isthmus_envelope::{Decryptor, ObjectCipher, ObjectHeader, RecordError, TreeError};
use std::{
	collections::BTreeSet,
	sync::{MutexGuard, PoisonError},
};

impl Client {
	/// Checks an owner's master secret with the smallest record on the first page of an epoch's records. Once it is
	/// checked, this asks nothing. If the epoch has none, any secret will do; if the epoch is erasable, its keys are drawn
	/// now.
	///
	/// # Errors
	///
	/// Returns [`Error::OtherSecret`] if that record is encrypted under another master secret.
	pub(crate) async fn check_secret(
		&self,
		owner: &Identity,
		dataset: DatasetId,
		epoch: Epoch,
	) -> Result<(), Error> {
		let checked = (owner.id().0, dataset, epoch);
		if self.own_epochs().contains(&checked) {
			return Ok(());
		}
		let scope = Scope {
			dataset,
			epoch,
			from: 0,
			to: LEAVES_PER_EPOCH,
		};
		let best = self.best().await?;
		let page = best.records_in(owner.id(), scope, None).await?;
		let smallest = page
			.items
			.into_iter()
			.min_by_key(|entry| to_fetch(&entry.record.payload));
		let id = epoch_id(self, owner.id(), dataset, epoch);
		let Some(RecordEntry { key, record }) = smallest else {
			return owner.start_epoch(&id);
		};
		let leaf = match owner.epoch_keys(&id)?.leaf_key(record.leaf) {
			Ok(leaf) => leaf,
			// A record whose key was erased, and that is still on the chain, tells nothing.
			Err(TreeError::Erased { .. }) => return Ok(()),
			Err(error) => return Err(error.into()),
		};
		let place = context(self, owner.id(), key);
		let opened = match &record.payload {
			Payload::Object { object, .. } => match ObjectHeader::read(&object.header) {
				Ok(header) => ObjectCipher::open(&leaf, &place, &header).map(|_| ()),
				// What is not an object tells nothing.
				Err(_) => return Ok(()),
			},
			Payload::Value { .. } | Payload::Chunks { .. } => {
				match header_of(self, key, &record).await {
					Ok(Some(header)) => Decryptor::new(&leaf, &place, header).map(|_| ()),
					// What is not a record, and what this node has pruned, tells nothing.
					Ok(None) | Err(Error::Rpc { .. }) => return Ok(()),
					Err(error) => return Err(error),
				}
			}
		};
		if let Err(RecordError::WrongKey) = opened {
			let proven = self.proven().await?.record(owner.id(), key).await?;
			// A node can make up a record, but not prove it.
			return match proven.as_ref() == Some(&record) {
				true => Err(Error::OtherSecret { dataset, epoch }),
				false => Ok(()),
			};
		}
		self.own_epochs().insert(checked);
		Ok(())
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
