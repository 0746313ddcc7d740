// SPDX-License-Identifier: Apache-2.0
//! What the pallet's calls do once their origin has been checked.

use crate::{
	pallet::{
		Applicants, BalanceOf, Config, CurrencyOf, Error, Event, HoldReason, LastChange, Pallet,
		SessionIndex, Unbonding, Verifiers, VerifiersOf,
	},
	session::MustStay,
	types::Bond,
};
use alloc::vec::Vec;
use core::slice::from_ref;
use frame_support::{
	ensure,
	traits::{
		fungible::MutateHold, tokens::Precision, ChangeMembers, Contains, Get,
		ValidatorRegistration,
	},
};
use frame_system::RawOrigin;
use polkadot_sdk::*;
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchResult,
};

impl<T: Config> Pallet<T> {
	/// Makes a producer an applicant and holds its deposit.
	pub(crate) fn do_apply(who: T::AccountId) -> DispatchResult {
		ensure!(
			!Verifiers::<T>::get().contains_key(&who),
			Error::<T>::AlreadyVerifier
		);
		ensure!(
			!Applicants::<T>::contains_key(&who),
			Error::<T>::AlreadyApplicant
		);
		ensure!(T::Producers::contains(&who), Error::<T>::NotProducer);
		ensure!(
			pallet_session::Pallet::<T>::is_registered(&who),
			Error::<T>::NoSessionKeys
		);
		ensure!(!Self::has_reported_key(&who), Error::<T>::ReportedKey);
		let deposit = T::Deposit::get();
		CurrencyOf::<T>::hold(&HoldReason::Verifier.into(), &who, deposit)?;
		Applicants::<T>::insert(&who, deposit);
		Self::deposit_event(Event::Applied { who, deposit });
		Ok(())
	}

	/// Withdraws an application and releases the deposit.
	pub(crate) fn do_withdraw(who: T::AccountId) -> DispatchResult {
		let deposit = Applicants::<T>::take(&who).ok_or(Error::<T>::NotApplicant)?;
		Self::release(&who, deposit)?;
		Self::deposit_event(Event::Withdrawn { who });
		Ok(())
	}

	/// Makes an applicant a verifier.
	pub(crate) fn do_admit(who: T::AccountId) -> DispatchResult {
		Self::note_change()?;
		let deposit = Applicants::<T>::take(&who).ok_or(Error::<T>::NotApplicant)?;
		ensure!(T::Producers::contains(&who), Error::<T>::NotProducer);
		Verifiers::<T>::try_mutate(|verifiers| {
			verifiers
				.try_insert(who.clone(), deposit)
				.map_err(|_| Error::<T>::TooManyVerifiers)?;
			Self::change_members(verifiers, from_ref(&who), &[]);
			Ok::<_, Error<T>>(())
		})?;
		Self::deposit_event(Event::Admitted {
			who,
			session: Self::next_change(),
		});
		Ok(())
	}

	/// Removes a verifier.
	pub(crate) fn do_remove(who: T::AccountId) -> DispatchResult {
		Self::note_change()?;
		Self::retire(from_ref(&who))?;
		Self::deposit_event(Event::Removed {
			who,
			session: Self::next_change(),
		});
		Ok(())
	}

	/// Removes a verifier at its own request.
	pub(crate) fn do_leave(who: T::AccountId) -> DispatchResult {
		Self::retire(from_ref(&who))?;
		Self::deposit_event(Event::Left {
			who,
			session: Self::next_change(),
		});
		Ok(())
	}

	/// Removes an account's session keys if no session needs them.
	pub(crate) fn do_remove_keys(who: T::AccountId) -> DispatchResult {
		let voting = pallet_session::Validators::<T>::get().contains(&who);
		let queued = pallet_session::QueuedKeys::<T>::get()
			.iter()
			.any(|(queued, _)| *queued == who);
		ensure!(
			!voting && !queued && !MustStay::<T>::contains(&who),
			Error::<T>::KeysInUse
		);
		pallet_session::Pallet::<T>::purge_keys(RawOrigin::Signed(who.clone()).into())?;
		Self::deposit_event(Event::KeysRemoved { who });
		Ok(())
	}

	/// Returns the first session in which a change to the verifiers takes effect. That is not the next
	/// session, because its set was chosen when the current session began.
	pub(crate) fn next_change() -> SessionIndex {
		pallet_session::CurrentIndex::<T>::get().saturating_add(2)
	}

	/// Notes that the verifiers admit or remove one, unless they did so in this session already.
	fn note_change() -> DispatchResult {
		let session = pallet_session::CurrentIndex::<T>::get();
		ensure!(
			LastChange::<T>::get() != Some(session),
			Error::<T>::OneChangeASession
		);
		LastChange::<T>::put(session);
		Ok(())
	}

	/// Takes verifiers off the list. Their deposits stay held until the sets in which they vote are over, and some
	/// sessions more.
	pub(crate) fn retire(leaving: &[T::AccountId]) -> DispatchResult {
		let deposits = Verifiers::<T>::try_mutate(|verifiers| {
			let deposit = |who| verifiers.remove(who).ok_or(Error::<T>::NotVerifier);
			let deposits = leaving.iter().map(deposit).collect::<Result<Vec<_>, _>>()?;
			ensure!(!verifiers.is_empty(), Error::<T>::LastVerifier);
			Self::change_members(verifiers, &[], leaving);
			Ok::<_, Error<T>>(deposits)
		})?;
		for (who, deposit) in leaving.iter().zip(deposits) {
			if deposit.is_zero() {
				continue;
			}
			let before = Unbonding::<T>::get(who).map_or(Zero::zero(), |bond| bond.deposit);
			let until = Self::next_change().saturating_add(T::UnbondingSessions::get());
			let deposit = before.saturating_add(deposit);
			Unbonding::<T>::insert(who, Bond { deposit, until });
		}
		Ok(())
	}

	/// Passes a change to the set of verifiers on to the collective, in which the verifiers vote.
	pub(crate) fn change_members(
		verifiers: &VerifiersOf<T>,
		incoming: &[T::AccountId],
		outgoing: &[T::AccountId],
	) {
		let members: Vec<_> = verifiers.keys().cloned().collect();
		T::Members::change_members_sorted(incoming, outgoing, &members);
	}

	/// Releases a deposit.
	pub(crate) fn release(who: &T::AccountId, deposit: BalanceOf<T>) -> DispatchResult {
		if deposit.is_zero() {
			return Ok(());
		}
		CurrencyOf::<T>::release(&HoldReason::Verifier.into(), who, deposit, Precision::Exact)?;
		Ok(())
	}
}
