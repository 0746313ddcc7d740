// SPDX-License-Identifier: Apache-2.0
//! The weights (the maximum costs) of the calls.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;

/// The maximum weight of each call.
pub trait WeightInfo {
	/// The weight of `create_source`.
	fn create_source() -> Weight;
	/// The weight of `change_source`.
	fn change_source() -> Weight;
	/// The weight of `close_source`.
	fn close_source() -> Weight;
	/// The weight of `report`.
	fn report() -> Weight;
	/// The weight of `withdraw_report`.
	fn withdraw_report() -> Weight;
	/// The weight of `issue_credential`.
	fn issue_credential() -> Weight;
	/// The weight of `revoke_credential`.
	fn revoke_credential() -> Weight;
}

// Bounds by hand until `scripts/weights pallet_facts` has measured them on an idle machine. The call `withdraw`
// of pallet-verifiers, which releases one deposit, was measured at 46 µs. A `report` takes one deposit, and releases
// those of 16 former reporters at most; each reads and writes an account and its holds.

/// Weights for a runtime with the database of its `frame_system::Config`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn create_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn change_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn close_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn report() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(1_500_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(36))
			.saturating_add(T::DbWeight::get().writes(35))
	}
	fn withdraw_report() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn issue_credential() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn revoke_credential() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}

/// Weights for tests, without the cost of a database.
impl WeightInfo for () {
	fn create_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
	fn change_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
	fn close_source() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
	fn report() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(1_500_000_000, 0)
	}
	fn withdraw_report() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
	fn issue_credential() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
	fn revoke_credential() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(150_000_000, 0)
	}
}
