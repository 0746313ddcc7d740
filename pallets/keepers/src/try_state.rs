// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state between calls, for tests and `try-runtime`.

use crate::pallet::{BalanceOf, Config, HoldReason, Keepers, Pallet, PeriodLength, Pots};
use alloc::collections::BTreeMap;
use frame_support::{
	ensure,
	traits::{
		fungible::{Inspect, InspectHold},
		Get,
	},
};
use isthmus_storage_proof::periods;
use polkadot_sdk::*;
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

/// The deposits that the entries record, by account.
type Deposits<T> = BTreeMap<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

impl<T: Config> Pallet<T> {
	/// Checks the invariants of the state.
	///
	/// # Errors
	///
	/// Returns a sentence about the first invariant that is violated.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let (now, _) = Self::now();
		let first = periods::first_drawn_after(now, PeriodLength::<T>::get());
		let mut deposits = Deposits::<T>::new();
		let mut counts = BTreeMap::new();
		for ((owner, dataset, keeper), entry) in Keepers::<T>::iter() {
			ensure!(entry.settled < first, "a keeper's period is in the future");
			ensure!(
				entry.in_a_row <= entry.missed,
				"a keeper missed more in a row than in all"
			);
			ensure!(
				entry.proven.is_some() == (entry.kept > 0),
				"a keeper's last proof does not fit their number"
			);
			let count = counts.entry((owner, dataset)).or_insert(0u32);
			*count = count.saturating_add(1);
			let sum = deposits.entry(keeper).or_insert_with(Zero::zero);
			*sum = sum.saturating_add(entry.deposit);
		}
		Self::check_pots(counts)?;
		let reason = HoldReason::Keeper.into();
		for who in frame_system::Account::<T>::iter_keys() {
			let deposit = deposits.remove(&who).unwrap_or_else(Zero::zero);
			ensure!(
				T::Currency::balance_on_hold(&reason, &who) == deposit,
				"the deposit held differs from the ones recorded"
			);
		}
		ensure!(deposits.is_empty(), "a keeper's account does not exist");
		Ok(())
	}

	/// Checks that each pot counts its keepers, and that the account of the pots has what is in them.
	fn check_pots(
		mut counts: BTreeMap<(T::AccountId, isthmus_sharing::DatasetId), u32>,
	) -> Result<(), TryRuntimeError> {
		let mut sum = BalanceOf::<T>::zero();
		for (owner, dataset, pot) in Pots::<T>::iter() {
			let count = counts.remove(&(owner, dataset)).unwrap_or_default();
			ensure!(
				count == pot.keepers,
				"a pot has another number of keepers than there are"
			);
			ensure!(
				count <= T::MaxKeepers::get(),
				"a dataset has too many keepers"
			);
			ensure!(
				count > 0 || !pot.amount.is_zero(),
				"an empty pot without keepers is stored"
			);
			sum = sum.saturating_add(pot.amount);
		}
		ensure!(counts.is_empty(), "a keeper's dataset has no pot");
		let least = T::Currency::minimum_balance();
		let has = T::Currency::balance(&Self::pots_account());
		ensure!(
			sum.is_zero() || has >= sum.saturating_add(least),
			"the account of the pots has less than is in them"
		);
		Ok(())
	}
}
