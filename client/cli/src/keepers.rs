// SPDX-License-Identifier: Apache-2.0
//! How commands show the keepers of datasets.

use crate::text::{count, shown};
use isthmus_sdk::{keepers::Kept, AccountId, BlockNumber, DatasetId};
use serde::Serialize;
use std::fmt;

/// A keeper of a dataset.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedKeeper {
	dataset: DatasetId,
	/// How many periods in a row it has missed, as far as they are counted.
	in_a_row: u32,
	/// In how many periods it proved.
	kept: u32,
	keeper: AccountId,
	location: String,
	/// In how many periods it did not, as far as they are counted.
	missed: u32,
	/// The block of its last proof.
	proven: Option<BlockNumber>,
	/// The last period that is counted.
	settled: u32,
	since: BlockNumber,
}

impl From<Kept> for ListedKeeper {
	fn from(kept: Kept) -> Self {
		let Kept {
			dataset,
			account,
			keeper,
		} = kept;
		Self {
			dataset,
			in_a_row: keeper.in_a_row,
			kept: keeper.kept,
			keeper: account,
			location: keeper.location.to_string(),
			missed: keeper.missed,
			proven: keeper.proven,
			settled: keeper.settled,
			since: keeper.since,
		}
	}
}

impl ListedKeeper {
	/// Returns what it keeps, and when it proved that, without its account.
	pub(crate) fn standing(&self) -> String {
		let Self {
			dataset,
			kept,
			location,
			missed,
			proven,
			since,
			..
		} = self;
		let location = shown(location);
		let proofs = match proven {
			Some(block) => format!("{}, the last in block {block}", count(*kept, "proof")),
			None => "no proof yet".to_owned(),
		};
		let missed = match missed {
			0 => String::new(),
			missed => format!("; missed {}", count(*missed, "period")),
		};
		format!("keeps dataset {dataset} at {location} since block {since}; {proofs}{missed}")
	}

	/// Returns the last period that is counted.
	pub(crate) fn settled(&self) -> u32 {
		self.settled
	}

	/// Returns the account.
	pub(crate) fn account(&self) -> &AccountId {
		&self.keeper
	}
}

impl fmt::Display for ListedKeeper {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}\n  {}", self.keeper, self.standing())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{Keeper, Text};

	#[test]
	fn a_keeper_is_shown_with_its_last_proof_and_what_it_missed() {
		let account = AccountId::from([1; 32]);
		let keeper = |proven, kept, missed| Kept {
			dataset: 3,
			account,
			keeper: Keeper {
				location: Text(b"s3://copies".to_vec()),
				deposit: 10,
				since: 12,
				proven,
				settled: 0,
				objects: 1,
				kept,
				missed,
				in_a_row: 0,
			},
		};
		let shown = |kept: Kept| ListedKeeper::from(kept).to_string();
		assert_eq!(
			shown(keeper(None, 0, 0)),
			format!("{account}\n  keeps dataset 3 at s3://copies since block 12; no proof yet")
		);
		assert_eq!(
			shown(keeper(Some(60), 2, 1)),
			format!("{account}\n  keeps dataset 3 at s3://copies since block 12; 2 proofs, the last in block 60; missed 1 period")
		);
		let json = serde_json::to_value(ListedKeeper::from(keeper(Some(60), 2, 1))).unwrap();
		assert_eq!(json["proven"], 60);
		assert_eq!(json["kept"], 2);
	}
}
