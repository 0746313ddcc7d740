// SPDX-License-Identifier: Apache-2.0
//! Looks at what has a frame's leaves.

use super::{exposed::Exposed, Leaves};
use crate::{error::Error, object::of_entry, proven::Proven, state::State, types::*};
use isthmus_light::storage;
use std::collections::BTreeSet;
use subxt::utils::H256;

/// The chain after a block: as the node says, or with proofs.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
	Best(&'a State),
	Proven(&'a Proven),
}

/// What a view shows at the leaves of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
	/// Whether the frame's list is there.
	pub(super) is_stored: bool,
	/// The salts of the frame's objects there.
	pub(super) salts: BTreeSet<[u8; 32]>,
	/// Other records at the parts' leaves.
	pub(super) exposed: Vec<Exposed>,
	/// Whether a record can still take a part's leaf.
	pub(super) is_free: bool,
	/// Whether nothing can commit the frame any more: something has the leaf of its list, or the epoch is over.
	pub(super) is_fenced: bool,
}

impl Seen {
	/// Returns whether only records of the frame have, or ever can have, a leaf of a part.
	pub(super) fn is_spent(&self) -> bool {
		!self.is_free && self.exposed.is_empty()
	}

	/// Counts in what is at a leaf.
	fn add(&mut self, place: &Place, is_list: bool, taken: Option<Taken>, can_be_stored: bool) {
		self.is_fenced |= is_list && taken.is_some();
		match taken {
			None => self.is_free |= !is_list && can_be_stored,
			Some(Taken::Own(salt)) => {
				self.is_stored |= is_list;
				self.salts.insert(salt);
			}
			Some(Taken::Foreign(_)) if is_list => {}
			Some(Taken::Foreign(key)) => self.exposed.push(Exposed {
				leaf: place.leaf,
				key,
			}),
			Some(Taken::Spent) => {}
		}
	}
}

/// What has a leaf.
enum Taken {
	/// An object of the frame.
	Own([u8; 32]),
	Foreign(RecordKey),
	Spent,
}

impl View<'_> {
	async fn dataset(
		self,
		owner: &AccountId,
		dataset: DatasetId,
	) -> Result<Option<Dataset>, Error> {
		match self {
			Self::Best(state) => state.dataset(owner, dataset).await,
			Self::Proven(proven) => proven.dataset(owner, dataset).await,
		}
	}

	/// Fetches the proofs of leaves at once.
	async fn load(
		self,
		owner: &AccountId,
		places: impl Iterator<Item = Place>,
	) -> Result<(), Error> {
		let Self::Proven(proven) = self else {
			return Ok(());
		};
		let keys = places.map(|place| {
			let Place {
				dataset,
				epoch,
				leaf,
				..
			} = place;
			storage::leaf(&owner.0, dataset, epoch, leaf)
		});
		proven.load(&keys.collect::<Vec<_>>()).await
	}

	async fn leaf(self, owner: &AccountId, place: &Place) -> Result<Option<TakenLeaf>, Error> {
		let Place {
			dataset,
			epoch,
			leaf,
			..
		} = *place;
		match self {
			Self::Best(state) => state.leaf(owner, dataset, epoch, leaf).await,
			Self::Proven(proven) => proven.leaf(owner, dataset, epoch, leaf).await,
		}
	}

	async fn record(self, owner: &AccountId, key: RecordKey) -> Result<Option<Record>, Error> {
		match self {
			Self::Best(state) => state.record(owner, key).await,
			Self::Proven(proven) => proven.record(owner, key).await,
		}
	}
}

impl Leaves {
	/// Looks at the frame's leaves. A record is the frame's if its object has the mark and, for the list, this key. A frame
	/// that was found in the store has no key.
	pub(super) async fn seen(
		&self,
		view: View<'_>,
		owner: &AccountId,
		list: Option<RecordKey>,
	) -> Result<Seen, Error> {
		let now = view.dataset(owner, self.dataset).await?;
		let is_over = now.is_none_or(|now| now.epoch != self.epoch);
		let mut seen = Seen {
			is_fenced: is_over,
			..Seen::default()
		};
		let places = (0..=self.parts).map(|number| self.place(H256::zero(), number));
		view.load(owner, places).await?;
		for number in 0..=self.parts {
			let is_list = number == self.parts;
			let place = self.place(H256::zero(), number);
			let taken = match view.leaf(owner, &place).await?.map(|taken| taken.by) {
				None => None,
				Some(LeafUse::Spent) => Some(Taken::Spent),
				Some(LeafUse::Record(key)) => {
					let record = view.record(owner, key).await?;
					let is_named = !is_list || list.is_none_or(|list| list == key);
					Some(self.taken(key, record.as_ref(), is_named))
				}
			};
			seen.add(&place, is_list, taken, !is_over);
		}
		Ok(seen)
	}

	fn taken(&self, key: RecordKey, record: Option<&Record>, is_named: bool) -> Taken {
		let salt = record.and_then(|record| salt_of(key, record));
		match salt.filter(|salt| is_named && salt.starts_with(&self.mark)) {
			Some(salt) => Taken::Own(salt),
			None => Taken::Foreign(key),
		}
	}
}

/// Returns the salt of a record's object; `None` if it is no object.
pub(super) fn salt_of(key: RecordKey, record: &Record) -> Option<[u8; 32]> {
	match &record.payload {
		Payload::Object { object, .. } => Some(*of_entry(key, object).ok()?.header().salt()),
		Payload::Value { .. } | Payload::Chunks { .. } => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn seen(leaves: [Option<Taken>; 3], can_be_stored: bool) -> Seen {
		let mut seen = Seen::default();
		for (leaf, taken) in (7..).zip(leaves) {
			let place = Place {
				key: H256::zero(),
				dataset: 4,
				epoch: 5,
				leaf,
			};
			seen.add(&place, leaf == 9, taken, can_be_stored);
		}
		seen
	}

	#[test]
	fn a_frame_is_stored_if_its_list_is() {
		let stored = || {
			[
				Some(Taken::Own([1; 32])),
				Some(Taken::Spent),
				Some(Taken::Own([2; 32])),
			]
		};
		let whole = seen(stored(), true);
		assert!(whole.is_stored && whole.is_fenced && whole.is_spent());
		assert_eq!(whole.salts, [[1; 32], [2; 32]].into());
		let key = RecordKey::from([3; 32]);
		let mut other = stored();
		other[2] = Some(Taken::Foreign(key));
		let other = seen(other, true);
		assert!(!other.is_stored && other.is_fenced && other.exposed.is_empty());
	}

	#[test]
	fn another_record_at_a_parts_leaf_is_exposed() {
		let key = RecordKey::from([3; 32]);
		let seen = seen(
			[
				Some(Taken::Foreign(key)),
				Some(Taken::Spent),
				Some(Taken::Spent),
			],
			true,
		);
		assert!(!seen.is_stored && !seen.is_spent() && !seen.is_free);
		assert_eq!(seen.exposed, [Exposed { leaf: 7, key }]);
		assert!(seen.exposed[0].to_string().ends_with("0303 at leaf 7"));
	}

	#[test]
	fn a_leaf_that_can_be_taken_is_not_spent_and_a_free_list_is_no_fence() {
		let free = seen([Some(Taken::Spent), None, None], true);
		assert!(free.is_free && !free.is_spent() && !free.is_fenced);
		// Nothing is stored any more in an epoch that is over.
		assert!(seen([None, None, None], false).is_spent());
	}
}
