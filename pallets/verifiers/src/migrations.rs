// SPDX-License-Identifier: Apache-2.0
//! Migrations of the pallet's state, each from one storage version to the next.

use crate::{
	pallet::{Config, Delays, Pallet},
	types::GovernmentDelays,
};
use core::marker::PhantomData;
use frame_support::traits::Get;
use frame_support::{
	migrations::VersionedMigration, traits::UncheckedOnRuntimeUpgrade, weights::Weight,
};
use polkadot_sdk::*;

/// From version 0, of chains whose verifiers decided on themselves alone, to version 1.
pub type ToVersion1<T> = VersionedMigration<
	0,
	1,
	WriteDelays<T>,
	Pallet<T>,
	<T as polkadot_sdk::frame_system::Config>::DbWeight,
>;

/// Writes the default delays of the verifiers' decisions, unless there are some.
pub struct WriteDelays<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for WriteDelays<T> {
	fn on_runtime_upgrade() -> Weight {
		if !Delays::<T>::exists() {
			Delays::<T>::put(GovernmentDelays::default());
		}
		T::DbWeight::get().reads_writes(1, 1)
	}
}
