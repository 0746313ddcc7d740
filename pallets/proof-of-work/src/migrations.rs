// SPDX-License-Identifier: Apache-2.0
//! Migrations of the pallet's state, each from one storage version to the next.

use crate::{Config, Pallet, Parameters, ParametersHash};
use codec::Encode;
use core::marker::PhantomData;
use frame_support::traits::Get;
use frame_support::{
	migrations::VersionedMigration, traits::UncheckedOnRuntimeUpgrade, weights::Weight,
};
use polkadot_sdk::*;

/// From version 1 to version 2, which has the hash of the parameters.
pub type ToVersion2<T> = VersionedMigration<
	1,
	2,
	WriteHash<T>,
	Pallet<T>,
	<T as polkadot_sdk::frame_system::Config>::DbWeight,
>;

/// Writes the hash of the parameters.
pub struct WriteHash<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for WriteHash<T> {
	fn on_runtime_upgrade() -> Weight {
		ParametersHash::<T>::put(Pallet::<T>::hash_of(&Parameters::<T>::get()));
		T::DbWeight::get().reads_writes(1, 1)
	}
}

/// From version 2 to version 3, whose parameters have a list of changes.
pub type ToVersion3<T> = VersionedMigration<
	2,
	3,
	WriteChanges<T>,
	Pallet<T>,
	<T as polkadot_sdk::frame_system::Config>::DbWeight,
>;

/// Writes the parameters with an empty list of changes, so that clients can read them, and their hash.
pub struct WriteChanges<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for WriteChanges<T> {
	fn on_runtime_upgrade() -> Weight {
		let parameters = Parameters::<T>::get();
		// Without the empty list, which is one byte, they must be those that genesis wrote.
		let mut old = parameters.encode();
		old.pop();
		if ParametersHash::<T>::get() == Some(Pallet::<T>::hash_of_bytes(&old)) {
			ParametersHash::<T>::put(Pallet::<T>::hash_of(&parameters));
		}
		Parameters::<T>::put(parameters);
		T::DbWeight::get().reads_writes(2, 2)
	}
}
