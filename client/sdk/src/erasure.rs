// SPDX-License-Identifier: Apache-2.0
//! Erases the keys of records, so that no one can open them any more, except those who have a copy of these keys.

use crate::{
	account::Identity, client::Client, error::Error, lock::Held, proven::Proven, removal::Removal,
	sharing::epoch_id, state::State, types::*, wait::Wait,
};
use isthmus_envelope::ErasableError;
use std::collections::BTreeMap;

/// The maximum number of leaves whose keys are erased at a time.
pub const MAX_ERASED: u64 = 1 << 20;

/// Keeps other programs of the same user on this machine from making erasable datasets and epochs of the same owner, until it
/// is dropped. Who makes one notes its number in the file of erasable keys before, and holds this until the transaction's
/// outcome is known: otherwise two programs may note the same number, and one of them takes the note of both back.
#[derive(Debug)]
pub struct Alone {
	_held: Held,
}

impl Alone {
	/// Waits until no other program does so. Returns `None`, and tells the user, if no lock file can be made or locked: then
	/// no note can safely be taken back.
	pub async fn wait(client: &Client, owner: &Identity) -> Option<Self> {
		let name = format!("isthmus-{}-erasable.lock", owner.id());
		let held = client.hold(Wait::OtherErasable, &name).await;
		held.map(|held| Self { _held: held })
	}
}

/// Returns the key of the record that has a leaf, if one has.
pub(crate) fn record_at(taken: Option<TakenLeaf>) -> Option<RecordKey> {
	match taken?.by {
		LeafUse::Record(key) => Some(key),
		LeafUse::Spent => None,
	}
}

/// Waits until the node says that a block is finalized, or a later one.
async fn finalized(client: &Client, tip: &State) -> Result<(), Error> {
	let finalized = async {
		let mut heads = client.final_heads().await?;
		while client.finalized().await?.block().number < tip.block().number {
			heads.next().await?;
		}
		Ok(())
	};
	client.patiently(Wait::Finality, finalized).await
}

/// Leaves whose keys are going to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure(BTreeMap<(DatasetId, Epoch), Vec<Leaf>>);

impl Erasure {
	/// Erases the keys of records whose removal was interrupted, if they are removed now. Returns how many there were. It waits
	/// until that is final: a removal that a reorganisation undoes would leave a record that no one can open, and a node could
	/// say that a record is removed that is not.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the file of erasable keys cannot be read or written, and the errors of
	/// [`Client::proven`].
	pub async fn settle(client: &Client, owner: &Identity) -> Result<usize, Error> {
		let file = owner.erasable_file()?;
		let best = client.best().await?;
		let (mut erased, mut proven) = (0, None);
		for (id, leaf) in file.intended(client.genesis())? {
			let taken = best.leaf(owner.id(), id.dataset, id.epoch, leaf).await?;
			if record_at(taken).is_some() {
				continue;
			}
			let proven: &Proven = match &mut proven {
				Some(proven) => proven,
				none => {
					// Who trusts the node has the best block for what is proven. Without that trust, what the node says is
					// final may not be, and an earlier state may be from before the record was stored.
					finalized(client, &best).await?;
					none.insert(client.proven_since(best.block().number).await?)
				}
			};
			let taken = proven.leaf(owner.id(), id.dataset, id.epoch, leaf).await?;
			if record_at(taken).is_none() {
				erased += file.erase(&id, &[leaf])?;
			}
		}
		Ok(erased)
	}

	/// Prepares to erase the keys of the records that are going to be removed. The chain forgets their leaves, so this has
	/// to be called before they are.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if an epoch of one of them is not erasable, or the file of erasable keys cannot be read.
	pub async fn of(client: &Client, owner: &Identity, removal: &Removal) -> Result<Self, Error> {
		let best = client.best().await?;
		let mut leaves: BTreeMap<_, Vec<_>> = BTreeMap::new();
		for key in removal.keys() {
			if let Some(record) = best.record(owner.id(), key).await? {
				let epoch = (record.dataset, record.epoch);
				leaves.entry(epoch).or_default().push(record.leaf);
			}
		}
		Self(leaves).checked(client, owner)
	}

	/// Notes the leaves in the file of erasable keys, before their records are removed. If the removal is interrupted,
	/// [`Self::settle`] erases them.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the file cannot be read or written.
	pub fn intend(&self, client: &Client, owner: &Identity) -> Result<(), Error> {
		for ((dataset, epoch), leaves) in &self.0 {
			let id = epoch_id(client, owner.id(), *dataset, *epoch);
			owner.erasable_file()?.intend(&id, leaves)?;
		}
		Ok(())
	}

	/// Prepares to erase the keys of a range of leaves, whatever is stored there.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the epoch is not erasable, or the file of erasable keys cannot be read, and
	/// [`Error::Range`] for an empty range and for one with more than [`MAX_ERASED`] leaves.
	pub fn leaves(client: &Client, owner: &Identity, scope: &Scope) -> Result<Self, Error> {
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = *scope;
		let range = isthmus_envelope::Range::new(from, to.min(from.saturating_add(MAX_ERASED)))?;
		let leaves = (range.start()..range.end()).filter_map(|leaf| Leaf::try_from(leaf).ok());
		Self([((dataset, epoch), leaves.collect())].into()).checked(client, owner)
	}

	/// Returns an error if keys of these epochs cannot be erased.
	fn checked(self, client: &Client, owner: &Identity) -> Result<Self, Error> {
		let file = owner.erasable_file()?;
		for (dataset, epoch) in self.0.keys() {
			let (dataset, epoch) = (*dataset, *epoch);
			let id = epoch_id(client, owner.id(), dataset, epoch);
			if file.keys(&id)?.is_none() {
				return Err(ErasableError::NotErasable { dataset, epoch }.into());
			}
		}
		Ok(self)
	}

	/// Returns how many keys [`Self::run`] would erase, and erases none.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the file cannot be read.
	pub fn count(&self, client: &Client, owner: &Identity) -> Result<usize, Error> {
		let file = owner.erasable_file()?;
		let mut keys = 0;
		for ((dataset, epoch), leaves) in &self.0 {
			let id = epoch_id(client, owner.id(), *dataset, *epoch);
			keys += file.count(&id, leaves)?;
		}
		Ok(keys)
	}

	/// Erases the keys. Returns how many there were. When this returns, the new file is on disk.
	///
	/// # Errors
	///
	/// Returns [`Error::Erasable`] if the file cannot be read or written.
	pub fn run(self, client: &Client, owner: &Identity) -> Result<usize, Error> {
		let file = owner.erasable_file()?;
		let mut erased = 0;
		for ((dataset, epoch), leaves) in self.0 {
			let id = epoch_id(client, owner.id(), dataset, epoch);
			erased += file.erase(&id, &leaves)?;
		}
		Ok(erased)
	}
}
