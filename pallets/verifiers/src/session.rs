// SPDX-License-Identifier: Apache-2.0
//! Connects this pallet to the session, which needs the verifiers, and to the registry of producers, which
//! must keep them registered.

use crate::pallet::{Applicants, Config, Pallet, SessionIndex, SessionLength, Verifiers};
use alloc::vec::Vec;
use core::marker::PhantomData;
use frame_support::traits::{Contains, Get};
use frame_system::pallet_prelude::BlockNumberFor;
use polkadot_sdk::*;
use sp_runtime::traits::One;

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
	/// are the same: returning the same verifiers would start a new GRANDPA set needlessly.
	fn new_session(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		let verifiers = Verifiers::<T>::get();
		let current = pallet_session::Validators::<T>::get();
		let unchanged = current.len() == verifiers.len()
			&& current.iter().all(|who| verifiers.contains_key(who));
		// There is always a verifier. If there were none, an empty set would stop the chain, so keep the
		// old one.
		if unchanged || verifiers.is_empty() {
			return None;
		}
		Some(verifiers.into_inner().into_keys().collect())
	}

	/// Returns `None`: the session's own genesis keys name the first verifiers.
	fn new_session_genesis(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		None
	}

	fn end_session(_: SessionIndex) {}

	fn start_session(_: SessionIndex) {}
}
