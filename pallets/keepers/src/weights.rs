// SPDX-License-Identifier: Apache-2.0
//! The weights (the maximum costs) of the calls.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;

/// The maximum weight of each call.
pub trait WeightInfo {
	/// The weight of `keep`.
	fn keep() -> Weight;
	/// The weight of `leave`.
	fn leave() -> Weight;
	/// The weight of `prove`.
	fn prove() -> Weight;
	/// The weight of `report_missed`.
	fn report_missed() -> Weight;
	/// The weight of `fund`.
	fn fund() -> Weight;
	/// The weight of `clear_pot`.
	fn clear_pot() -> Weight;
}

// Bounds by hand until `scripts/weights pallet_keepers` has measured them on an idle machine. The call `withdraw` of
// pallet-verifiers, which releases one deposit, was measured at 46 µs. A proof of an object of 1 TiB takes 46 of BLAKE3's
// compressions, of which each takes about a microsecond in Wasm, and moves money once.

/// Weights for a runtime with the database of its `frame_system::Config`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn keep() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(300_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn leave() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn prove() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(400_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn report_missed() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn fund() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn clear_pot() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}

/// Weights for tests, without the cost of a database.
impl WeightInfo for () {
	fn keep() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(300_000_000, 0)
	}
	fn leave() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
	}
	fn prove() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(400_000_000, 0)
	}
	fn report_missed() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
	}
	fn fund() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
	}
	fn clear_pot() -> Weight {
		// Not measured yet: a bound.
		Weight::from_parts(250_000_000, 0)
	}
}
