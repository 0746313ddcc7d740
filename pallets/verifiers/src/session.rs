// SPDX-License-Identifier: Apache-2.0
//! Connects this pallet to the session, which needs the verifiers, and to the registry of producers, which
//! must keep them registered.

use crate::{
	pallet::{
		Applicants, Config, Event, Pallet, SessionIndex, SessionLength, Unbonding, Verifiers,
		VotingKeys,
	},
	types::{Finality, Motions, Voter},
};
use alloc::vec::Vec;
use core::marker::PhantomData;
use frame_support::traits::{Contains, Get};
use frame_system::pallet_prelude::BlockNumberFor;
use polkadot_sdk::*;
use sp_consensus_grandpa::{AuthorityId, KEY_TYPE};
use sp_runtime::traits::{One, OpaqueKeys};

/// The number of blocks in a session, for [`pallet_session::PeriodicSessions`], which divides by it: at
/// least 1.
pub struct SessionBlocks<T>(PhantomData<T>);

impl<T: Config> Get<BlockNumberFor<T>> for SessionBlocks<T> {
	fn get() -> BlockNumberFor<T> {
		SessionLength::<T>::get().max(One::one())
	}
}

/// The accounts that must stay registered producers: verifiers and applicants.
pub struct MustStay<T>(PhantomData<T>);

impl<T: Config> Contains<T::AccountId> for MustStay<T> {
	fn contains(who: &T::AccountId) -> bool {
		Applicants::<T>::contains_key(who) || Verifiers::<T>::get().contains_key(who)
	}
}

impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
	/// Returns the verifiers if they differ from the set in the session that begins now, and `None` if they
	/// are the same: returning the same verifiers would start a new GRANDPA set needlessly. While GRANDPA waits for a
	/// forced change, it ignores all others, so the verifiers are returned again until it has taken them.
	fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		let verifiers = Verifiers::<T>::get();
		let current = pallet_session::Validators::<T>::get();
		let unchanged = current.len() == verifiers.len()
			&& current.iter().all(|who| verifiers.contains_key(who));
		// There is always a verifier. If there were none, an empty set would stop the chain, so keep the
		// old one.
		if (unchanged && !T::Finality::is_changing()) || verifiers.is_empty() {
			return None;
		}
		Some(verifiers.into_inner().into_keys().collect())
	}

	/// Returns `None`: the session's own genesis keys name the first verifiers.
	fn new_session_genesis(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		None
	}

	fn end_session(_: SessionIndex) {}

	/// Tells GRANDPA of a restart of finality, notes whose keys vote in the session, releases the deposits that are due, and
	/// forgets the motions that are closed. The session pallet registers a whole
	/// block's weight for the first block of a session.
	fn start_session(session: SessionIndex) {
		Self::finish_restart(session);
		Self::note_voters(session);
		Self::release_due(session);
		T::Motions::forget_closed();
	}
}

impl<T: Config> Pallet<T> {
	/// Notes the keys of a session that starts, and forgets keys that voted too long ago to be reported.
	fn note_voters(session: SessionIndex) {
		// The session pallet replaces these keys by those of the next session only after this call.
		for (account, keys) in pallet_session::QueuedKeys::<T>::get() {
			let Some(key) = keys.get::<AuthorityId>(KEY_TYPE) else {
				continue;
			};
			let reported = VotingKeys::<T>::get(&key).and_then(|voter| voter.reported);
			let last = session;
			VotingKeys::<T>::insert(
				key,
				Voter {
					account,
					last,
					reported,
				},
			);
		}
		// A key that was reported is kept, so that old evidence is never used again.
		let old = |voter: &Voter<_>| {
			voter.reported.is_none()
				&& voter.last.saturating_add(T::UnbondingSessions::get()) < session
		};
		let forgotten: Vec<_> = VotingKeys::<T>::iter()
			.filter_map(|(key, voter)| old(&voter).then_some(key))
			.collect();
		for key in forgotten {
			VotingKeys::<T>::remove(key);
		}
	}

	/// Releases the deposits that were held until this session.
	fn release_due(session: SessionIndex) {
		let due: Vec<_> = Unbonding::<T>::iter()
			.filter(|(_, bond)| bond.until <= session)
			.collect();
		for (who, bond) in due {
			let deposit = bond.deposit;
			// The deposit is on hold, so releasing it cannot fail. If it did, the next session would try again.
			if Self::release(&who, deposit).is_ok() {
				Unbonding::<T>::remove(&who);
				Self::deposit_event(Event::Released { who, deposit });
			}
		}
	}
}
