// SPDX-License-Identifier: Apache-2.0
//! What the verifiers decide on beside themselves: upgrades of the runtime, and the restart of finality.
//!
//! A decision is a motion of the collective. It waits for a delay that everyone can see, and is carried out by
//! [`Pallet::carry_out`] in the first block in which it is due.

use crate::{
	pallet::{
		AccountsOf, AgreedRestart, AgreedUpgrade, Call, Config, Delays, Error, Event, KnownSet,
		Pallet, SessionIndex, StartedRestart, Verifiers, VoterSets, KEPT_SETS,
	},
	types::{Finality, Restart, Restarting, Upgrade, VoterSet},
	weights::WeightInfo,
};
use alloc::collections::BTreeSet;
use frame_support::{
	ensure,
	traits::{EnsureOrigin, Get},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::{BlockNumberFor, OriginFor};
use polkadot_sdk::*;
use sp_consensus_grandpa::SetId;
use sp_runtime::{
	traits::{CheckedSub, SaturatedConversion, Saturating, Zero},
	DispatchError, DispatchResult,
};

/// Returns whether `ayes` votes are more than two thirds of `of`.
fn more_than_two_thirds(ayes: u32, of: u32) -> bool {
	u64::from(ayes) * 3 > u64::from(of) * 2
}

impl<T: Config> Pallet<T> {
	/// Refuses a motion that not more than two thirds of the verifiers agreed to.
	pub(crate) fn ensure_two_thirds(origin: OriginFor<T>) -> DispatchResult {
		let (ayes, all) = T::Motion::ensure_origin(origin)?;
		ensure!(more_than_two_thirds(ayes, all), DispatchError::BadOrigin);
		Ok(())
	}

	/// Returns how many votes a motion with this call needs, with the verifiers of now: the fewest that are more than two
	/// thirds of those who decide on it. A motion whose threshold is another number can only do harm: it is refused when it
	/// is carried, or it holds the call's place although enough have agreed.
	pub fn votes_needed(call: &Call<T>) -> u32 {
		let none = AccountsOf::<T>::new();
		let (absent, least) = match call {
			Call::restart_finality { absent, .. } if !absent.is_empty() => (absent.clone(), 2),
			Call::cancel_restart {} => {
				let agreed = AgreedRestart::<T>::get();
				(agreed.map_or(none, |restart| restart.absent), 1)
			}
			_ => (none, 1),
		};
		let verifiers = Verifiers::<T>::get();
		// Strangers, and an account that is named twice, do not make fewer votes enough.
		let absent: BTreeSet<_> = absent
			.iter()
			.filter(|who| verifiers.contains_key(*who))
			.collect();
		let left: u32 = verifiers
			.len()
			.saturating_sub(absent.len())
			.saturated_into();
		(left.saturating_mul(2) / 3).saturating_add(1).max(least)
	}

	/// Notes an upgrade that is authorized after its delay.
	pub(crate) fn do_authorize_upgrade(code_hash: T::Hash) {
		let now = frame_system::Pallet::<T>::block_number();
		let due = now.saturating_add(Delays::<T>::get().upgrade);
		AgreedUpgrade::<T>::put(Upgrade { code_hash, due });
		Self::deposit_event(Event::UpgradeAgreed { code_hash, due });
	}

	/// Forgets the upgrade that waits.
	pub(crate) fn do_cancel_upgrade() -> DispatchResult {
		let Upgrade { code_hash, .. } =
			AgreedUpgrade::<T>::take().ok_or(Error::<T>::NothingAgreed)?;
		Self::deposit_event(Event::UpgradeCancelled { code_hash });
		Ok(())
	}

	/// Notes a restart of finality that begins after its delay, if the votes of `ayes` verifiers are enough for it.
	pub(crate) fn do_restart_finality(
		ayes: u32,
		set: SetId,
		finalized: BlockNumberFor<T>,
		absent: AccountsOf<T>,
	) -> DispatchResult {
		let under_way = AgreedRestart::<T>::exists() || StartedRestart::<T>::exists();
		ensure!(
			!under_way && !T::Finality::is_changing(),
			Error::<T>::RestartPending
		);
		let now = frame_system::Pallet::<T>::block_number();
		let delays = Delays::<T>::get();
		let stalled = now.checked_sub(&finalized).unwrap_or_default();
		ensure!(
			finalized <= now && stalled >= delays.stalled,
			Error::<T>::NotStalled
		);
		Self::ensure_in_set(set, finalized)?;

		let verifiers = Verifiers::<T>::get();
		let gone: BTreeSet<_> = absent.iter().collect();
		let known = gone.iter().all(|who| verifiers.contains_key(*who));
		ensure!(known && gone.len() == absent.len(), Error::<T>::NotVerifier);
		let left = Self::left_without(&absent).ok_or(Error::<T>::TooFewLeft)?;
		ensure!(more_than_two_thirds(ayes, left), DispatchError::BadOrigin);

		let due = now.saturating_add(delays.restart);
		AgreedRestart::<T>::put(Restart {
			finalized,
			absent: absent.clone(),
			due,
		});
		Self::deposit_event(Event::RestartAgreed {
			finalized,
			absent,
			due,
		});
		Ok(())
	}

	/// Forgets the restart that waits, because a verifier is not as absent as it says.
	pub(crate) fn do_object(who: T::AccountId) -> DispatchResult {
		let restart = AgreedRestart::<T>::get().ok_or(Error::<T>::NothingAgreed)?;
		ensure!(restart.absent.contains(&who), Error::<T>::NotAbsent);
		AgreedRestart::<T>::kill();
		Self::deposit_event(Event::RestartCancelled { by: Some(who) });
		Ok(())
	}

	/// Refuses a number that the last finalized block cannot have had while this set was the last one that voted.
	///
	/// If it were that of a later set's first block or higher, no node could import the block in which the new voters
	/// take over, as GRANDPA then waits for that later set. If it were lower than the set's own first block, new nodes
	/// would count the sets otherwise than old ones.
	fn ensure_in_set(set: SetId, finalized: BlockNumberFor<T>) -> DispatchResult {
		let sets = VoterSets::<T>::get();
		// Sets are announced also while nothing becomes final, and only the last of them are remembered; of a chain that was
		// upgraded, only the number on the chain is known, and nodes may count fewer sets.
		if let Some(first) = sets.first().filter(|first| set < first.id) {
			let is_before = first.since.is_zero() || finalized < first.since;
			ensure!(is_before, Error::<T>::NotOfSet);
			return Ok(());
		}
		let place = sets.iter().position(|known| known.id == set);
		let place = place.ok_or(Error::<T>::UnknownSet)?;
		let is_since = sets.get(place).is_some_and(|own| own.since <= finalized);
		let is_before = |next: &VoterSet<_>| finalized < next.since;
		let next = sets.get(place.saturating_add(1));
		ensure!(is_since && next.is_none_or(is_before), Error::<T>::NotOfSet);
		Ok(())
	}

	/// Remembers a set of voters that was announced in this block, and returns the weight of that.
	pub(crate) fn note_set(now: BlockNumberFor<T>) -> Weight {
		let weight = T::DbWeight::get().reads(2);
		let current = T::Finality::current_set();
		let known = KnownSet::<T>::get();
		if known == Some(current) {
			return weight;
		}
		// A forced change drops the sets that were announced after the last finalized block.
		let forced = T::Finality::forced_after();
		let mut sets = VoterSets::<T>::get().into_inner();
		sets.retain(|set| forced.is_none_or(|finalized| set.since <= finalized));
		let new = match sets.last() {
			Some(last) => VoterSet {
				id: last.id.saturating_add(1),
				since: forced.unwrap_or(now),
			},
			// The chain is new, or of a runtime that did not remember the sets.
			None => VoterSet {
				id: current,
				since: Zero::zero(),
			},
		};
		sets.push(new);
		sets.drain(..sets.len().saturating_sub(KEPT_SETS as usize));
		VoterSets::<T>::put(BoundedVec::truncate_from(sets));
		KnownSet::<T>::put(current);
		weight.saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	/// Forgets the restart that waits for its delay or for its session, if the votes of `ayes` verifiers are enough.
	pub(crate) fn do_cancel_restart(ayes: u32) -> DispatchResult {
		let agreed = AgreedRestart::<T>::get();
		ensure!(
			agreed.is_some() || StartedRestart::<T>::exists(),
			Error::<T>::NothingAgreed
		);
		// Of those whom the restart calls absent, each can object alone. Once it began, they are verifiers no more.
		let absent = agreed.map(|restart| restart.absent).unwrap_or_default();
		let left = Self::left_without(&absent).ok_or(Error::<T>::TooFewLeft)?;
		ensure!(more_than_two_thirds(ayes, left), DispatchError::BadOrigin);
		AgreedRestart::<T>::kill();
		StartedRestart::<T>::kill();
		Self::deposit_event(Event::RestartCancelled { by: None });
		Ok(())
	}

	/// Carries out what is due, and returns the weight of that.
	pub(crate) fn carry_out(now: BlockNumberFor<T>) -> Weight {
		let mut weight = T::DbWeight::get().reads(2);
		if let Some(upgrade) = AgreedUpgrade::<T>::get().filter(|upgrade| upgrade.due <= now) {
			AgreedUpgrade::<T>::kill();
			frame_system::Pallet::<T>::do_authorize_upgrade(upgrade.code_hash, true);
			weight.saturating_accrue(<T as Config>::WeightInfo::enact_upgrade());
		}
		if let Some(restart) = AgreedRestart::<T>::get().filter(|restart| restart.due <= now) {
			AgreedRestart::<T>::kill();
			Self::start_restart(restart);
			weight.saturating_accrue(<T as Config>::WeightInfo::start_restart());
			weight.saturating_accrue(T::MembersChangeWeight::get());
		}
		weight
	}

	/// Removes the absent verifiers, those who did not leave in the meantime.
	fn start_restart(restart: Restart<AccountsOf<T>, BlockNumberFor<T>>) {
		let verifiers = Verifiers::<T>::get();
		let mut removed = restart.absent;
		removed.retain(|who| verifiers.contains_key(who));
		if Self::left_without(&removed).is_none() || Self::retire(&removed).is_err() {
			return Self::deposit_event(Event::RestartCancelled { by: None });
		}
		let session = Self::next_change();
		StartedRestart::<T>::put(Restarting {
			finalized: restart.finalized,
			session,
		});
		Self::deposit_event(Event::RestartStarted { removed, session });
	}

	/// Tells GRANDPA to announce the voters of the session that starts now, if a restart waits for it.
	pub(crate) fn finish_restart(session: SessionIndex) {
		let Some(restart) = StartedRestart::<T>::get().filter(|restart| restart.session <= session)
		else {
			return;
		};
		let delay = Delays::<T>::get().forced;
		if T::Finality::note_stalled(delay, restart.finalized).is_err() {
			return;
		}
		StartedRestart::<T>::kill();
		let block = frame_system::Pallet::<T>::block_number().saturating_add(delay);
		Self::deposit_event(Event::FinalityRestarted { block });
	}

	/// Returns how many verifiers are left without some of them; `None` if they are fewer than half, or none.
	fn left_without(absent: &AccountsOf<T>) -> Option<u32> {
		let all = Verifiers::<T>::get().len();
		let left = all.saturating_sub(absent.len());
		(left > 0 && left * 2 >= all).then(|| left.saturated_into())
	}
}
