// SPDX-License-Identifier: Apache-2.0
//! What the chain's state has of keepers.

use crate::periods::Period;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The version of the keepers' entries in the state.
pub const STORAGE_VERSION: u16 = 0;

/// An account that keeps a copy of a dataset's objects.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Keeper<Balance, Url> {
	/// Where its copy is, as it says.
	pub location: Url,
	/// The deposit held for its place.
	pub deposit: Balance,
	/// The block since which it keeps.
	pub since: u32,
	/// The block with its last proof.
	pub proven: Option<u32>,
	/// The last period that counts as kept or missed. What came later is not counted yet.
	pub settled: Period,
	/// From how many objects its next piece is drawn: as many as there were at its last proof; 0 for all that there are.
	pub objects: u32,
	/// In how many periods it proved.
	pub kept: u32,
	/// In how many periods it did not.
	pub missed: u32,
	/// In how many periods it did not since its last proof.
	pub in_a_row: u32,
}

/// What a dataset's keepers are paid from. There is an entry as long as there are keepers, or money.
#[derive(
	Clone,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
)]
pub struct Pot<Balance> {
	/// The money.
	pub amount: Balance,
	/// The number of keepers.
	pub keepers: u32,
	/// The period to which the share belongs.
	pub period: Period,
	/// What each keeper is paid for its proof in that period.
	pub share: Balance,
}

impl<Balance, Url> Keeper<Balance, Url> {
	/// Counts the periods before this one that are not counted yet as missed, and returns how many these are. `count` is
	/// the number of the dataset's objects, and `first` the first period in which one of them could be drawn, since there
	/// were none. The periods before that do not count, and none if there are no objects.
	pub fn settle(&mut self, period: Period, count: u32, first: Period) -> u32 {
		let over = period.saturating_sub(1);
		let from = self.settled.max(first.saturating_sub(1));
		let periods = match count {
			0 => 0,
			_ => over.saturating_sub(from),
		};
		if self.objects == 0 || count == 0 {
			self.objects = count;
		}
		self.settled = self.settled.max(over);
		self.missed = self.missed.saturating_add(periods);
		self.in_a_row = self.in_a_row.saturating_add(periods);
		periods
	}

	/// Lets a period pass in which the drawn object was stored too late to be proven.
	pub fn excuse(&mut self, period: Period) {
		self.settled = self.settled.max(period);
	}

	/// Counts a proof.
	pub fn prove(&mut self, block: u32, period: Period, count: u32) {
		self.proven = Some(block);
		self.settled = period;
		self.objects = count;
		self.kept = self.kept.saturating_add(1);
		self.in_a_row = 0;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn keeper(settled: Period, objects: u32) -> Keeper<u64, ()> {
		Keeper {
			location: (),
			deposit: 0,
			since: 0,
			proven: None,
			settled,
			objects,
			kept: 0,
			missed: 0,
			in_a_row: 0,
		}
	}

	#[test]
	fn each_period_counts_once() {
		let mut keeper = keeper(3, 5);
		// The period in which it came, and the next one, which is not over.
		assert_eq!([keeper.settle(3, 5, 1), keeper.settle(4, 5, 1)], [0, 0]);
		assert_eq!([keeper.settle(6, 5, 1), keeper.settle(6, 5, 1)], [2, 0]);
		keeper.prove(60, 6, 7);
		assert_eq!((keeper.kept, keeper.missed, keeper.in_a_row), (1, 2, 0));
		assert_eq!(
			(keeper.settled, keeper.objects, keeper.proven),
			(6, 7, Some(60))
		);
		assert_eq!([keeper.settle(7, 7, 1), keeper.settle(8, 7, 1)], [0, 1]);
		assert_eq!((keeper.missed, keeper.in_a_row), (3, 1));
		// A block before does not count back.
		assert_eq!((keeper.settle(0, 7, 1), keeper.settled), (0, 7));
		// Nor does an excuse, and it is no proof.
		keeper.excuse(8);
		assert_eq!((keeper.settle(9, 7, 1), keeper.settled), (0, 8));
		assert_eq!((keeper.kept, keeper.missed, keeper.in_a_row), (1, 3, 1));
	}

	#[test]
	fn periods_without_objects_do_not_count() {
		let mut keeper = keeper(3, 0);
		assert_eq!((keeper.settle(9, 0, 0), keeper.settled), (0, 8));
		// The first one could be drawn in period 11.
		assert_eq!((keeper.settle(12, 4, 11), keeper.objects), (1, 4));
		assert_eq!(keeper.settle(13, 4, 11), 1);
		// They were removed at some time since period 12.
		assert_eq!((keeper.settle(20, 0, 0), keeper.objects), (0, 0));
		// They were removed and others were stored, while no one looked.
		keeper.prove(200, 20, 4);
		assert_eq!((keeper.settle(90, 4, 89), keeper.missed), (1, 3));
	}
}
