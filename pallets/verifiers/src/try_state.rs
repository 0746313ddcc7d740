// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state between calls, for tests and `try-runtime`.

use crate::pallet::{
	Applicants, BalanceOf, Config, CurrencyOf, HoldReason, Pallet, SessionLength, Unbonding,
	Verifiers,
};
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Contains, ValidatorRegistration},
};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

impl<T: Config> Pallet<T> {
	/// Checks the invariants of the state.
	///
	/// # Errors
	///
	/// Returns a sentence about the first invariant that is violated.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let verifiers = Verifiers::<T>::get();
		ensure!(!verifiers.is_empty(), "there is no verifier");
		ensure!(
			!SessionLength::<T>::get().is_zero(),
			"a session has no blocks"
		);
		for (who, deposit) in verifiers.iter() {
			ensure!(
				!Applicants::<T>::contains_key(who),
				"a verifier is also an applicant"
			);
			Self::check_account(who, *deposit)?;
		}
		for (who, deposit) in Applicants::<T>::iter() {
			ensure!(
				T::Producers::contains(&who),
				"an applicant is not a producer"
			);
			Self::check_account(&who, deposit)?;
		}
		for (who, bond) in Unbonding::<T>::iter() {
			ensure!(!bond.deposit.is_zero(), "nothing is unbonding");
			let applied = Applicants::<T>::get(&who).unwrap_or_default();
			let bonded = verifiers.get(&who).copied().unwrap_or_default();
			Self::check_held(&who, applied.saturating_add(bonded))?;
		}
		Ok(())
	}

	/// Checks the keys and the deposit of a verifier or applicant.
	fn check_account(who: &T::AccountId, deposit: BalanceOf<T>) -> Result<(), TryRuntimeError> {
		ensure!(
			pallet_session::Pallet::<T>::is_registered(who),
			"a verifier or applicant has no session keys"
		);
		Self::check_held(who, deposit)
	}

	/// Checks that an account's held funds are this deposit and the one that is unbonding.
	fn check_held(who: &T::AccountId, deposit: BalanceOf<T>) -> Result<(), TryRuntimeError> {
		let unbonding = Unbonding::<T>::get(who).map_or(Zero::zero(), |bond| bond.deposit);
		ensure!(
			CurrencyOf::<T>::balance_on_hold(&HoldReason::Verifier.into(), who)
				== deposit.saturating_add(unbonding),
			"the deposit held differs from the one recorded"
		);
		Ok(())
	}
}
