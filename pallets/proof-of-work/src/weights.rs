//! The weights of the pallet's hooks, call and transaction extension.
//!
//! Estimates, not yet benchmarked: reads and writes counted from the code, and generous times for
//! the rest.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;

/// The weights that the pallet needs.
pub trait WeightInfo {
	/// Reading the header's fields and holding them against the parent's.
	fn on_initialize() -> Weight;
	/// Ending a block that names `u` uncles.
	fn on_finalize(u: u32) -> Weight;
	/// Naming `u` uncles.
	fn set_uncles(u: u32) -> Weight;
	/// Holding a transaction against the gas limit.
	fn check_gas_limit() -> Weight;
}

/// Weights for a runtime with the database of its `frame_system::Config`.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Reads: digest, parameters, head. Writes: head.
	fn on_initialize() -> Weight {
		Weight::from_parts(15_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	/// Reads: head, uncles, parameters, digest, block weight, and the total issuance and an account
	/// for each reward. Writes: uncles, digest, and the same.
	fn on_finalize(u: u32) -> Weight {
		Weight::from_parts(40_000_000, 0)
			.saturating_add(Weight::from_parts(30_000_000, 0).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads_writes(7, 4))
			.saturating_add(
				T::DbWeight::get()
					.reads_writes(2, 2)
					.saturating_mul(u.into()),
			)
	}

	/// Reads: uncles, head, recent uncles, and two ancestors an uncle. Writes: uncles and recent
	/// uncles.
	fn set_uncles(u: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads_writes(3, 2))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(u.into()))
	}

	/// Reads: head, which every block has in its cache.
	fn check_gas_limit() -> Weight {
		Weight::from_parts(4_000_000, 0).saturating_add(T::DbWeight::get().reads(1))
	}
}

/// Weights for tests, without a database's.
impl WeightInfo for () {
	fn on_initialize() -> Weight {
		Weight::from_parts(15_000_000, 0)
	}
	fn on_finalize(u: u32) -> Weight {
		Weight::from_parts(40_000_000, 0)
			.saturating_add(Weight::from_parts(30_000_000, 0).saturating_mul(u.into()))
	}
	fn set_uncles(u: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(Weight::from_parts(20_000_000, 0).saturating_mul(u.into()))
	}
	fn check_gas_limit() -> Weight {
		Weight::from_parts(4_000_000, 0)
	}
}
