// SPDX-License-Identifier: Apache-2.0
//! Ends a frame: spends its leaves, and deletes the objects that no record names.

use super::{
	error::{at, FrameError},
	exposed::Exposed,
	seen::View,
	Frame, Leaves,
};
use crate::{
	account::Identity, call::Call, client::Client, error::Error, lock::Held, refusal::PalletError,
	reserved, state::State, types::*, upload::settled, wait::Wait,
};
use isthmus_envelope::random_bytes;
use isthmus_objects::Location;
use std::collections::BTreeSet;
use subxt::utils::H256;

/// How often leaves are spent again that another program took meanwhile.
const TRIES: u32 = 3;

/// How a frame that was not committed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
	/// Whether the frame is on the chain after all: then nothing of it was deleted.
	pub is_stored: bool,
	/// Whether only records of the frame have, or ever can have, a leaf whose key tasks had. A reader's payment for the range
	/// prevents it, and another program that took one of the leaves. Programs of this machine do not take those that are left.
	pub is_spent: bool,
	/// The records of other programs that took such leaves: the frame's tasks could open them.
	pub exposed: Vec<Exposed>,
}

impl Frame {
	/// Ends a frame that is not to be committed, or whose commit failed. Spends its leaves, waits until it is proven that it
	/// cannot be committed any more, and then deletes all that its tasks have stored. If its commit took effect all the
	/// same, because only the answer was lost, the frame stays. Waits for a commit of this machine that is not done.
	///
	/// # Errors
	///
	/// Returns [`FrameError::OtherOwner`] if the frame is another account's, [`FrameError::MayBeStored`] if a commit may be on
	/// its way, and the errors of [`Client::send`](crate::Client::send), of [`Client::proven`] and of the store. Then it
	/// can be ended again, also as a [leftover](super::Leftover).
	pub async fn abort(&self, client: &Client, owner: &Identity) -> Result<Ended, FrameError> {
		self.check_owner(client, owner)?;
		self.leaves.end(client, owner, Some(self.list)).await
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
	/// Waits until no other program of this machine commits or ends the frame.
	pub(super) async fn alone(&self, client: &Client, owner: &AccountId) -> Option<Held> {
		let name = self.lock_name(owner);
		client.hold(Wait::OtherUpload, &name).await
	}

	/// Returns the name of the lock for that.
	pub(super) fn lock_name(&self, owner: &AccountId) -> String {
		format!("isthmus-{owner}-{}.frame.lock", hex::encode(self.mark))
	}

	/// Spends the leaves, and then deletes all objects with the mark that no record names. Deletes nothing before it is proven,
	/// by a finalized block, that the frame is not on the chain and cannot come onto it: something has the leaf of its list, or
	/// the epoch is over, or no commit of it was made, or none can be in a block any more.
	pub(super) async fn end(
		&self,
		client: &Client,
		owner: &Identity,
		list: Option<RecordKey>,
	) -> Result<Ended, FrameError> {
		let alone = self.alone(client, owner.id()).await;
		settled(client, owner.account.id()).await?;
		let location = Location::open(&self.location)?;
		let noted = reserved::end(client, owner.id(), &self.mark).await?;
		let spent = self.spend(client, owner).await?;
		let best = client.best().await?;
		let since = best.block().number.max(spent.unwrap_or_default());
		let proven = client.proven_since(since).await?;
		let seen = self.seen(View::Proven(&proven), owner.id(), list).await?;
		// Only the machine that planned it commits it.
		let known = noted.as_ref().filter(|_| alone.is_some());
		let is_safe = known.is_some_and(|noted| noted.is_safe_after(proven.block().number));
		if !seen.is_fenced && !is_safe {
			let until = known.and_then(|noted| noted.until());
			return Err(FrameError::MayBeStored { until });
		}
		let shown = self.seen(View::Best(&best), owner.id(), list).await?;
		let kept = seen.salts.union(&shown.salts).copied().collect();
		self.clean(&location, &kept).await?;
		if !seen.is_free && noted.is_some() {
			reserved::release(client, owner.id(), &self.mark).await?;
		}
		Ok(Ended {
			is_stored: seen.is_stored,
			is_spent: seen.is_spent(),
			exposed: seen.exposed,
		})
	}

	/// Spends the leaves that are free, also that of the list, and waits until that is final. Returns the block. Spends none if
	/// a reader has paid for one.
	async fn spend(&self, client: &Client, owner: &Identity) -> Result<Option<BlockNumber>, Error> {
		let mut tries = 0;
		loop {
			let best = client.best().await?;
			let calls = self
				.spending(client, owner, &best, &BTreeSet::new())
				.await?;
			if calls.is_empty() {
				return Ok(None);
			}
			let all = client.batch(&calls).await?;
			let sent = async { client.submit(&owner.account, &all).await?.finalized().await };
			match sent.await {
				Ok(done) => return Ok(Some(done.number())),
				Err(error) if is_paid_for(&error) => return Ok(None),
				Err(error) if is_taken(&error) && tries < TRIES => tries += 1,
				Err(error) => return Err(error),
			}
		}
	}

	/// Makes the calls that spend the leaves that are free: a record is put there and removed again, and the leaf stays taken
	/// until its epoch is over. After that, nothing is stored in it. Leaves out those of records that are committed now.
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
		for number in 0..=self.parts {
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

	/// Deletes all objects with the mark but those that are kept. The mark itself goes last: while it is there, what another
	/// attempt has to delete is found.
	pub(super) async fn clean(
		&self,
		location: &Location,
		kept: &BTreeSet<[u8; 32]>,
	) -> Result<(), Error> {
		let failed = |failure| at(location.url(), failure);
		let found = location.marked(&self.mark, &self.mark).await;
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
