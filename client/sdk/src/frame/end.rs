// SPDX-License-Identifier: Apache-2.0
//! Ends a frame: spends the leaves that no part took, and deletes the objects that no record names.

use super::{
	error::{at, FrameError},
	Frame, Leaves,
};
use crate::{
	account::Identity, call::Call, client::Client, error::Error, object::of_entry,
	refusal::PalletError, state::State, types::*, upload::settled,
};
use isthmus_envelope::random_bytes;
use isthmus_objects::Location;
use std::collections::BTreeSet;
use subxt::utils::H256;

/// How often leaves are spent again that another program took meanwhile.
const TRIES: u32 = 3;

/// How a frame that was not committed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
	/// Whether the frame is on the chain after all: then nothing of it was deleted.
	pub is_stored: bool,
	/// Whether no later record can have a leaf whose key tasks had. A reader's payment for the range prevents it.
	pub is_spent: bool,
}

impl Frame {
	/// Ends a frame that is not to be committed, or whose commit failed. Spends its leaves, and then deletes all that its
	/// tasks have stored. If its commit took effect all the same, because only the answer was lost, the frame stays.
	///
	/// # Errors
	///
	/// Returns [`FrameError::OtherOwner`] if the frame is another account's, and the errors of
	/// [`Client::send`](crate::Client::send) and of the store. Then it can be ended again, also as a
	/// [leftover](super::Leftover).
	pub async fn abort(&self, client: &Client, owner: &Identity) -> Result<Ended, FrameError> {
		self.check_owner(client, owner)?;
		self.leaves.end(client, owner).await
	}

	/// Checks that a frame is of this account and chain.
	pub(super) fn check_owner(&self, client: &Client, owner: &Identity) -> Result<(), FrameError> {
		match (self.genesis, &self.owner) == (client.genesis(), owner.id()) {
			true => Ok(()),
			false => Err(FrameError::OtherOwner),
		}
	}
}

impl Leaves {
	/// Spends the leaves, and then deletes all objects with the mark that no record names.
	pub(super) async fn end(&self, client: &Client, owner: &Identity) -> Result<Ended, FrameError> {
		// A commit whose answer was lost has to be in a block, or gone.
		settled(client, owner.account.id()).await?;
		let location = Location::open(&self.location)?;
		let is_spent = self.spend(client, owner).await?;
		let best = client.best().await?;
		let kept = self.stored(&best, owner.id()).await?;
		self.clean(&location, &kept).await?;
		Ok(Ended {
			is_stored: !kept.is_empty(),
			is_spent,
		})
	}

	/// Spends the leaves that are free, and waits until that is final: what is deleted then must not come onto the chain in another
	/// fork. Returns whether none is left.
	async fn spend(&self, client: &Client, owner: &Identity) -> Result<bool, Error> {
		let mut tries = 0;
		loop {
			let best = client.best().await?;
			let calls = self
				.spending(client, owner, &best, &BTreeSet::new())
				.await?;
			if calls.is_empty() {
				return Ok(true);
			}
			let all = client.batch(&calls).await?;
			let sent = async { client.submit(&owner.account, &all).await?.finalized().await };
			match sent.await {
				Ok(_) => return Ok(true),
				Err(error) if is_paid_for(&error) => return Ok(false),
				Err(error) if is_taken(&error) && tries < TRIES => tries += 1,
				Err(error) => return Err(error),
			}
		}
	}

	/// Makes the calls that spend the leaves that are free: a record is put there and removed again, and the leaf stays taken
	/// until its epoch is over. After that, nothing is stored in it. Leaves out those of parts that are committed now.
	pub(super) async fn spending(
		&self,
		client: &Client,
		owner: &Identity,
		best: &State,
		committed: &BTreeSet<Leaf>,
	) -> Result<Vec<Call>, Error> {
		let mut calls = Vec::new();
		let entry = best.dataset(owner.id(), self.dataset).await?;
		if entry.is_none_or(|entry| entry.epoch != self.epoch) {
			return Ok(calls);
		}
		for number in 0..self.parts {
			let place = self.place(random_bytes()?.into(), number);
			let Place { key, leaf, .. } = place;
			let is_used = committed.contains(&leaf);
			if is_used || is_taken_leaf(best, owner.id(), &place).await? {
				continue;
			}
			let any = Object {
				header: [0; object::HEADER_SIZE],
				length: object::TAG_SIZE.into(),
				root: H256::zero(),
			};
			calls.push(client.store_object(&place, &any).await?);
			calls.push(client.remove_record(key).await?);
		}
		Ok(calls)
	}

	/// Returns the salts of the objects at these leaves.
	pub(super) async fn stored(
		&self,
		best: &State,
		owner: &AccountId,
	) -> Result<BTreeSet<[u8; 32]>, Error> {
		let mut salts = BTreeSet::new();
		for number in 0..=self.parts {
			let Place { leaf, .. } = self.place(H256::zero(), number);
			let taken = best.leaf(owner, self.dataset, self.epoch, leaf).await?;
			let Some(LeafUse::Record(key)) = taken.map(|taken| taken.by) else {
				continue;
			};
			let record = best.record(owner, key).await?;
			salts.extend(record.and_then(|record| salt_of(key, &record)));
		}
		Ok(salts)
	}

	/// Deletes all objects with the mark but those that are kept. The mark itself goes last: while it is there, what another
	/// attempt has to delete is found.
	pub(super) async fn clean(
		&self,
		location: &Location,
		kept: &BTreeSet<[u8; 32]>,
	) -> Result<(), Error> {
		let failed = |failure| at(location.url(), failure);
		let found = location.marked(|mark| *mark == self.mark).await;
		let found = found.map_err(failed)?;
		// It is the first one by its name, which ends with zeros.
		for object in found.iter().rev() {
			if !kept.contains(&object.salt) {
				let deleted = location.delete_marked(&object.salt).await;
				deleted.map_err(failed)?;
			}
		}
		Ok(())
	}
}

/// Returns the salt of a record's object; `None` if it is no object.
pub(super) fn salt_of(key: RecordKey, record: &Record) -> Option<[u8; 32]> {
	match &record.payload {
		Payload::Object { object, .. } => Some(*of_entry(key, object).ok()?.header().salt()),
		Payload::Value { .. } | Payload::Chunks { .. } => None,
	}
}

async fn is_taken_leaf(best: &State, owner: &AccountId, place: &Place) -> Result<bool, Error> {
	let Place {
		dataset,
		epoch,
		leaf,
		..
	} = *place;
	Ok(best.leaf(owner, dataset, epoch, leaf).await?.is_some())
}

/// Returns whether a reader has paid for the range, so that no record in it can be removed.
pub(super) fn is_paid_for(error: &Error) -> bool {
	matches!(error.refusal(), Some(PalletError::RecordPaidFor))
}

/// Returns whether another program took a leaf, or began an epoch, meanwhile.
fn is_taken(error: &Error) -> bool {
	use PalletError::{LeafTaken, NotCurrentEpoch};
	matches!(error.refusal(), Some(LeafTaken | NotCurrentEpoch))
		|| matches!(error, Error::NotIncluded(_))
}
