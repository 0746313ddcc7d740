// SPDX-License-Identifier: Apache-2.0
//! Says which of two blocks the node builds on. Import, [`HeaviestChain`](crate::HeaviestChain) and the check of
//! announcements all ask [`Standing::is_better_than`].

use codec::{Decode, Encode, Error, Input};
use isthmus_primitives::{Hash, TotalDifficulty};

/// When a block came to this node, and from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Arrival {
	/// Whether a miner of this node made the block.
	pub own: bool,
	/// How many blocks the node had imported before, or 0 if it did not count yet.
	pub number: u64,
}

impl Arrival {
	/// The arrival of a block that has not been imported: after every other.
	pub const LAST: Self = Self {
		own: false,
		number: u64::MAX,
	};

	/// The arrival of a block that an older version imported, which kept no arrivals.
	pub const UNKNOWN: Self = Self {
		own: false,
		number: 0,
	};
}

/// What the database keeps beside each block for the fork choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode)]
pub(crate) struct Record {
	/// The total difficulty: the sum of H_d over the block and all its ancestors.
	pub(crate) total: TotalDifficulty,
	pub(crate) arrival: Arrival,
}

/// Reads a record of an older version too, which is the total difficulty alone.
impl Decode for Record {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		let total = Decode::decode(input)?;
		let arrival = match input.remaining_len()? {
			Some(0) => Arrival::UNKNOWN,
			_ => Decode::decode(input)?,
		};
		Ok(Self { total, arrival })
	}
}

/// A block's place in the fork choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
	/// The block's weight: see [`isthmus_rules::weight`].
	pub weight: TotalDifficulty,
	/// When the block arrived.
	pub arrival: Arrival,
	/// The block's hash.
	pub hash: Hash,
}

impl Standing {
	/// Returns whether this block is better than `other`: heavier or, among equals, made by this node, or else seen
	/// earlier. The smaller hash decides between two blocks that an older version imported.
	pub fn is_better_than(&self, other: &Self) -> bool {
		let rank = |standing: &Self| {
			let Arrival { own, number } = standing.arrival;
			(!own, number, standing.hash)
		};
		self.weight > other.weight || (self.weight == other.weight && rank(self) < rank(other))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn standing(weight: u64, own: bool, number: u64, hash: u8) -> Standing {
		Standing {
			weight: TotalDifficulty(weight.into()),
			arrival: Arrival { own, number },
			hash: Hash::repeat_byte(hash),
		}
	}

	#[test]
	fn weight_comes_first_then_the_own_block_then_the_earlier_one() {
		// From the best to the worst.
		let order = [
			standing(9, false, 7, 9),
			standing(8, true, 3, 8),
			standing(8, true, 4, 1),
			standing(8, false, 0, 6),
			standing(8, false, 0, 7),
			standing(8, false, 1, 2),
			standing(8, false, 2, 1),
			standing(7, true, 1, 1),
		];
		for (place, better) in order.iter().enumerate() {
			assert!(!better.is_better_than(better));
			for worse in &order[place + 1..] {
				assert!(better.is_better_than(worse), "{better:?} {worse:?}");
				assert!(!worse.is_better_than(better), "{worse:?} {better:?}");
			}
		}
	}

	#[test]
	fn a_record_of_an_older_version_is_read() {
		let total = TotalDifficulty(77.into());
		let old = Record::decode(&mut &total.encode()[..]).unwrap();
		assert_eq!(old.total, total);
		assert_eq!(old.arrival, Arrival::UNKNOWN);
		let arrival = Arrival {
			own: true,
			number: 5,
		};
		let record = Record { total, arrival };
		assert_eq!(Record::decode(&mut &record.encode()[..]), Ok(record));
		assert!(Record::decode(&mut &record.encode()[..34]).is_err());
	}
}
