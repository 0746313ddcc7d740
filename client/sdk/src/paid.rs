// SPDX-License-Identifier: Apache-2.0
//! Records that cannot be removed because a reader has paid for them.

use crate::{
	error::Error,
	state::{Sold, State},
	types::*,
};
use std::collections::BTreeMap;

/// A record that stays on the chain because a reader has paid for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidFor {
	/// Its key.
	pub key: RecordKey,
	/// Its dataset.
	pub dataset: DatasetId,
	/// Its epoch.
	pub epoch: Epoch,
	/// Its leaf.
	pub leaf: Leaf,
	/// The path of the file in it, if it is known.
	pub path: Option<String>,
	/// The block at which the last of the terms that were paid for is over; `None` if it is not known.
	pub until: Option<BlockNumber>,
}

/// What was paid for on an owner's epochs, as far as it was asked for.
pub(crate) struct Sales<'a> {
	state: &'a State,
	owner: &'a AccountId,
	known: BTreeMap<(DatasetId, Epoch), Option<Sold>>,
}

impl<'a> Sales<'a> {
	pub(crate) fn new(state: &'a State, owner: &'a AccountId) -> Self {
		Self {
			state,
			owner,
			known: BTreeMap::new(),
		}
	}

	/// Returns until which block a record is paid for; `None` if it is not.
	pub(crate) async fn until(&mut self, record: &Record) -> Result<Option<BlockNumber>, Error> {
		let place = (record.dataset, record.epoch);
		let sold = match self.known.get(&place) {
			Some(sold) => *sold,
			None => {
				let sold = self.state.sold(self.owner, place).await?;
				self.known.insert(place, sold);
				sold
			}
		};
		let now = self.state.block().number;
		Ok(sold.and_then(|sold| until(&sold, record, now)))
	}
}

/// Returns until which block a record is paid for by a sale on its epoch. One that was not complete when the last reader paid
/// is not.
fn until(sold: &Sold, record: &Record, now: BlockNumber) -> Option<BlockNumber> {
	let (_, complete) = record.payload.blocks();
	let is_paid = record.payload.is_complete()
		&& now < sold.until
		&& complete <= sold.paid
		&& (sold.from..sold.to).contains(&u64::from(record.leaf));
	is_paid.then_some(sold.until)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_record_is_paid_for_that_was_there_and_whose_term_is_not_over() {
		let sold = Sold {
			from: 3,
			to: 5,
			paid: 20,
			until: 100,
		};
		let at = |leaf: Leaf, block: BlockNumber| Record {
			dataset: 0,
			epoch: 0,
			leaf,
			payload: Payload::Value {
				content_hash: [7; 32].into(),
				length: 9,
				block,
				extrinsic: 1,
			},
			deposit: 1,
		};
		for (leaf, block, now, expected) in [
			(3, 20, 50, Some(100)),
			(4, 1, 99, Some(100)),
			(4, 1, 100, None),
			(4, 21, 50, None),
			(2, 1, 50, None),
			(5, 1, 50, None),
		] {
			assert_eq!(
				until(&sold, &at(leaf, block), now),
				expected,
				"{leaf} {block} {now}"
			);
		}
	}
}
