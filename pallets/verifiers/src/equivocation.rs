// SPDX-License-Identifier: Apache-2.0
//! Checks a report that a verifier voted twice, and draws the consequences.

use crate::{
	pallet::{
		Applicants, BalanceOf, Config, CurrencyOf, EquivocationProofOf, Error, Event, HoldReason,
		Pallet, SessionIndex, Unbonding, Verifiers, VotingKeys,
	},
	types::{Finality, Voter},
};
use frame_support::{
	ensure,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision},
	},
	weights::Weight,
};
use polkadot_sdk::*;
use sp_consensus_grandpa::{check_equivocation_proof, AuthorityId, KEY_TYPE};
use sp_runtime::{
	traits::{OpaqueKeys, Saturating, Zero},
	transaction_validity::{
		InvalidTransaction, TransactionPriority, TransactionValidityError, ValidTransaction,
	},
	DispatchResult,
};

/// For how many blocks a report may wait in the pool. A node sends the report again if it sees the votes again.
const LONGEVITY: u64 = 256;

impl<T: Config> Pallet<T> {
	/// Returns whether a key votes or voted lately, so that an equivocation of it can be reported.
	pub fn can_be_reported(key: &AuthorityId) -> bool {
		VotingKeys::<T>::contains_key(key)
	}

	/// Decides whether a report may enter the pool or a block. Unlike a report by GRANDPA's own pallet, it may come from
	/// any peer: miners need not run verifiers, and an invalid report costs only the check of two signatures.
	pub(crate) fn authorize_report(
		proof: &EquivocationProofOf<T>,
	) -> Result<(ValidTransaction, Weight), TransactionValidityError> {
		match Self::accused(proof) {
			Ok(_) => ValidTransaction::with_tag_prefix("VerifiersEquivocation")
				.priority(TransactionPriority::MAX)
				.and_provides(proof.offender())
				.longevity(LONGEVITY)
				.propagate(true)
				.build()
				.map(|valid| (valid, Weight::zero())),
			Err(Error::AlreadyReported) => Err(InvalidTransaction::Stale.into()),
			Err(_) => Err(InvalidTransaction::BadProof.into()),
		}
	}

	/// Burns the offender's deposit, and takes it off the list of verifiers.
	pub(crate) fn do_report_equivocation(proof: &EquivocationProofOf<T>) -> DispatchResult {
		let voter = Self::accused(proof)?;
		let reported = Some(proof.set_id());
		let who = voter.account.clone();
		VotingKeys::<T>::insert(proof.offender(), Voter { reported, ..voter });

		let unbonding = Unbonding::<T>::take(&who).map_or(Zero::zero(), |bond| bond.deposit);
		let applied = Applicants::<T>::take(&who).unwrap_or_default();
		let (bonded, session) = Self::expel(&who);
		let burned = unbonding.saturating_add(applied).saturating_add(bonded);
		if !burned.is_zero() {
			CurrencyOf::<T>::burn_held(
				&HoldReason::Verifier.into(),
				&who,
				burned,
				Precision::Exact,
				Fortitude::Force,
			)?;
		}
		Self::deposit_event(Event::Equivocated {
			who,
			set: proof.set_id(),
			round: proof.round(),
			burned,
			session,
		});
		Ok(())
	}

	/// Returns whether an equivocation of an account's present key was reported.
	pub(crate) fn has_reported_key(who: &T::AccountId) -> bool {
		pallet_session::NextKeys::<T>::get(who)
			.and_then(|keys| keys.get::<AuthorityId>(KEY_TYPE))
			.and_then(VotingKeys::<T>::get)
			.is_some_and(|voter| voter.reported.is_some())
	}

	/// Checks a report, and returns whom it accuses.
	fn accused(proof: &EquivocationProofOf<T>) -> Result<Voter<T::AccountId>, Error<T>> {
		let voter = VotingKeys::<T>::get(proof.offender()).ok_or(Error::UnknownKey)?;
		ensure!(
			voter.reported.is_none_or(|set| set < proof.set_id()),
			Error::AlreadyReported
		);
		// A report for a set to come would make all later ones count as old.
		ensure!(
			proof.set_id() <= T::Finality::current_set(),
			Error::InvalidEvidence
		);
		ensure!(
			check_equivocation_proof(proof.clone()),
			Error::InvalidEvidence
		);
		Ok(voter)
	}

	/// Takes an account off the list of verifiers, if it is on it and not alone. Returns its deposit, which the list no
	/// longer contains, and the first session without it.
	fn expel(who: &T::AccountId) -> (BalanceOf<T>, Option<SessionIndex>) {
		Verifiers::<T>::mutate(|verifiers| {
			let alone = verifiers.len() == 1;
			if let (true, Some(deposit)) = (alone, verifiers.get_mut(who)) {
				return (core::mem::take(deposit), None);
			}
			let Some(deposit) = verifiers.remove(who) else {
				return (Zero::zero(), None);
			};
			Self::change_members(verifiers, &[], core::slice::from_ref(who));
			(deposit, Some(Self::next_change()))
		})
	}
}
