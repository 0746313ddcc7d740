// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state between calls, for tests and `try-runtime`.

use crate::{
	pallet::{
		AgreedRestart, AgreedUpgrade, Applicants, BalanceOf, Config, CurrencyOf, HoldReason,
		KnownSet, LastChange, Pallet, SessionLength, StartedRestart, Unbonding, Verifiers,
		VoterSets, VotingKeys,
	},
	types::Finality,
};
use alloc::collections::BTreeSet;
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Contains, Get, ValidatorRegistration},
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
		let session = pallet_session::CurrentIndex::<T>::get();
		for (who, bond) in Unbonding::<T>::iter() {
			ensure!(!bond.deposit.is_zero(), "nothing is unbonding");
			ensure!(bond.until > session, "a deposit was not released");
			let applied = Applicants::<T>::get(&who).unwrap_or_default();
			let bonded = verifiers.get(&who).copied().unwrap_or_default();
			Self::check_held(&who, applied.saturating_add(bonded))?;
		}
		ensure!(
			LastChange::<T>::get().is_none_or(|last| last <= session),
			"the verifiers have changed in a session that is yet to come"
		);
		Self::check_voting_keys()?;
		Self::check_voter_sets()?;
		Self::check_decisions()
	}

	/// Checks the keys that vote, or voted lately.
	fn check_voting_keys() -> Result<(), TryRuntimeError> {
		let session = pallet_session::CurrentIndex::<T>::get();
		let mut voting = BTreeSet::new();
		for (_, voter) in VotingKeys::<T>::iter() {
			ensure!(voter.last <= session, "a key votes in a session to come");
			let is_late = voter.last.saturating_add(T::UnbondingSessions::get()) < session;
			match voter.reported {
				None => ensure!(!is_late, "a key that voted long ago is remembered"),
				Some(set) => ensure!(
					set <= T::Finality::current_set(),
					"a key voted twice in a set that is yet to come"
				),
			}
			if voter.last == session {
				voting.insert(voter.account);
			}
		}
		// A chain that was upgraded knows the keys from its next session on.
		let voters = pallet_session::Validators::<T>::get();
		ensure!(
			voting.is_empty() || voters.iter().all(|who| voting.contains(who)),
			"the key of an account that votes on blocks is not known"
		);
		Ok(())
	}

	/// Checks the sets of voters that are remembered.
	fn check_voter_sets() -> Result<(), TryRuntimeError> {
		let sets = VoterSets::<T>::get();
		let now = frame_system::Pallet::<T>::block_number();
		for (before, set) in sets.iter().zip(sets.iter().skip(1)) {
			ensure!(
				before.id.checked_add(1) == Some(set.id),
				"the sets of voters are not numbered one after the other"
			);
			ensure!(
				before.since <= set.since,
				"a set of voters was announced before the one before it"
			);
		}
		let known = KnownSet::<T>::get();
		ensure!(
			known <= Some(T::Finality::current_set()),
			"a set of voters is known that GRANDPA does not have yet"
		);
		ensure!(
			sets.last().map(|set| set.id) <= known && sets.is_empty() == known.is_none(),
			"the last set of voters is not the one that is known"
		);
		ensure!(
			sets.iter().all(|set| set.since <= now),
			"a set of voters was announced in a block that is yet to come"
		);
		Ok(())
	}

	/// Checks what the verifiers agreed to.
	fn check_decisions() -> Result<(), TryRuntimeError> {
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(
			AgreedUpgrade::<T>::get().is_none_or(|upgrade| upgrade.due >= now),
			"an upgrade is overdue"
		);
		let (agreed, started) = (AgreedRestart::<T>::get(), StartedRestart::<T>::get());
		ensure!(
			agreed.is_none() || started.is_none(),
			"two restarts of finality are under way"
		);
		if let Some(restart) = agreed {
			ensure!(restart.due >= now, "a restart of finality is overdue");
			ensure!(restart.finalized <= now, "a block to come is finalized");
			let absent: BTreeSet<_> = restart.absent.iter().collect();
			ensure!(
				absent.len() == restart.absent.len(),
				"a verifier is absent twice"
			);
		}
		ensure!(
			started.is_none_or(|restart| restart.finalized <= now),
			"a block to come is finalized"
		);
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
