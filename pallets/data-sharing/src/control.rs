// SPDX-License-Identifier: Apache-2.0
//! Who controls a dataset: creates and removes datasets, hands them over to other accounts, and holds their deposits from
//! who controls them.
//!
//! A dataset's address never changes: what belongs to the dataset is found by it, and its keys are derived from it. So a
//! handover changes one entry, however much belongs to the dataset. The entry has the sum of the deposits by their reasons,
//! which move to the new controller at once.

use crate::{pallet::*, types::*};
use alloc::vec::Vec;
use frame_support::{
	defensive,
	dispatch::{
		extract_actual_weight, DispatchResultWithPostInfo, GetDispatchInfo, PostDispatchInfo,
	},
	ensure,
	traits::OriginTrait,
	weights::Weight,
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use isthmus_sharing::terms::Footprint;
use polkadot_sdk::*;
use sp_runtime::{
	traits::{Dispatchable, Saturating, Zero},
	DispatchError, DispatchResult,
};

/// Returns the sum for a reason among the deposits that are held for a dataset.
fn sum_of<Balance>(held: &mut Held<Balance>, reason: HoldReason) -> Option<&mut Balance> {
	match reason {
		HoldReason::Dataset => Some(&mut held.dataset),
		HoldReason::Record => Some(&mut held.records),
		HoldReason::Grant => Some(&mut held.grants),
		HoldReason::Condition => Some(&mut held.conditions),
		HoldReason::Producer
		| HoldReason::EncryptionKey
		| HoldReason::Request
		| HoldReason::Offer => None,
	}
}

/// Returns the deposits that are held for a dataset, with their reasons.
pub(crate) fn by_reason<Balance: Copy>(held: &Held<Balance>) -> [(HoldReason, Balance); 4] {
	[
		(HoldReason::Dataset, held.dataset),
		(HoldReason::Record, held.records),
		(HoldReason::Grant, held.grants),
		(HoldReason::Condition, held.conditions),
	]
}

/// Who may act.
impl<T: Config> Pallet<T> {
	/// Returns who acts as the owner of which datasets: an account for itself, or another one that `act_for` names.
	pub(crate) fn acting(origin: OriginFor<T>) -> Result<Acting<T::AccountId>, DispatchError> {
		if let Ok(acting) = origin.caller().clone().try_into() {
			return Ok(acting);
		}
		let owner = ensure_signed(origin)?;
		Ok(Acting {
			by: owner.clone(),
			owner,
		})
	}

	/// Checks that who acts controls a dataset. Of one of its own that does not exist, the caller must say so.
	pub(crate) fn ensure_controls(
		acting: &Acting<T::AccountId>,
		dataset: DatasetId,
	) -> Result<(), Error<T>> {
		let control = Controls::<T>::get(&acting.owner, dataset);
		ensure!(
			match control {
				Some(control) => control.controller == acting.by,
				None => acting.owner == acting.by,
			},
			Error::<T>::NotController
		);
		Ok(())
	}

	/// Checks that a dataset is not offered to another account. That account looked at what it takes over, and must not
	/// get grants with it that it did not see. An answer that is refused because it accepted meanwhile would show its keys.
	pub(crate) fn ensure_not_offered(
		owner: &T::AccountId,
		dataset: DatasetId,
	) -> Result<(), Error<T>> {
		let control = Controls::<T>::get(owner, dataset);
		ensure!(
			control.is_none_or(|control| control.offered_to.is_none()),
			Error::<T>::DatasetIsOffered
		);
		Ok(())
	}

	/// Returns who acts as the owner of a dataset, after a check that it controls the dataset.
	pub(crate) fn ensure_controller(
		origin: OriginFor<T>,
		dataset: DatasetId,
	) -> Result<Acting<T::AccountId>, DispatchError> {
		let acting = Self::acting(origin)?;
		Self::ensure_controls(&acting, dataset)?;
		Ok(acting)
	}

	/// Returns the owner of a dataset, after a check that who acts controls it.
	pub(crate) fn ensure_owner(
		origin: OriginFor<T>,
		dataset: DatasetId,
	) -> Result<T::AccountId, DispatchError> {
		Self::ensure_controller(origin, dataset).map(|acting| acting.owner)
	}

	/// Returns the owner of the record with this key, after a check that who acts controls its dataset.
	///
	/// # Errors
	///
	/// Returns [`Error::UnknownRecord`] if there is no such record.
	pub(crate) fn ensure_owner_of_record(
		origin: OriginFor<T>,
		key: RecordKey,
	) -> Result<T::AccountId, DispatchError> {
		let acting = Self::acting(origin)?;
		let record = Records::<T>::get(&acting.owner, key).ok_or(Error::<T>::UnknownRecord)?;
		Self::ensure_controls(&acting, record.dataset)?;
		Ok(acting.owner)
	}

	/// Returns who sets or lifts an embargo on a key for a dataset: who controls the dataset, whether it has a record with this
	/// key or not. Who set an embargo may lift it, also when another account controls the dataset by then.
	///
	/// # Errors
	///
	/// Returns [`Error::KeyTaken`] if another dataset has a record with this key, or an embargo on it.
	pub(crate) fn ensure_may_embargo(
		origin: OriginFor<T>,
		dataset: DatasetId,
		key: RecordKey,
		lifts: bool,
	) -> Result<Acting<T::AccountId>, DispatchError> {
		let acting = Self::acting(origin)?;
		let Acting { owner, by } = &acting;
		let embargo = Self::embargo_on(owner, &key);
		let is_own = |set_by: &T::AccountId| lifts && set_by == by;
		if !embargo.as_ref().is_some_and(|(_, set_by)| is_own(set_by)) {
			Self::ensure_controls(&acting, dataset)?;
			Self::own_dataset(owner, dataset)?;
		}
		let taken_by = match embargo {
			Some((dataset, _)) => Some(dataset),
			None => Records::<T>::get(owner, key).map(|record| record.dataset),
		};
		ensure!(
			taken_by.is_none_or(|other| other == dataset),
			Error::<T>::KeyTaken
		);
		Ok(acting)
	}

	/// Returns the account that controls a dataset. If there is no such dataset, it is the owner.
	pub fn controller(owner: &T::AccountId, dataset: DatasetId) -> T::AccountId {
		Controls::<T>::get(owner, dataset).map_or_else(|| owner.clone(), |entry| entry.controller)
	}

	/// Carries out a call of an account that acts as the owner of another account's datasets.
	pub(crate) fn do_act_for(
		origin: OriginFor<T>,
		owner: T::AccountId,
		call: T::Carried,
		own_weight: Weight,
	) -> DispatchResultWithPostInfo {
		let by = ensure_signed(origin.clone())?;
		let info = call.get_dispatch_info();
		// What the signer may not call stays forbidden, if it is a proxy.
		let mut acting = origin;
		acting.set_caller(Origin::<T>::from(Acting { owner, by }).into());
		let result = call.dispatch(acting);
		let weight = own_weight.saturating_add(extract_actual_weight(&result, &info));
		let post_info: PostDispatchInfo = Some(weight).into();
		match result {
			Ok(_) => Ok(post_info),
			Err(mut failed) => {
				failed.post_info = post_info;
				Err(failed)
			}
		}
	}
}

/// Deposits.
impl<T: Config> Pallet<T> {
	/// Holds an amount from who pays it, unless it is zero.
	pub(crate) fn hold_from(
		reason: HoldReason,
		payer: Payer<'_, T::AccountId>,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		let (owner, dataset) = match payer {
			Payer::Account(who) => return Self::hold(reason, who, amount),
			Payer::Controller(owner, dataset) => (owner, dataset),
		};
		if amount.is_zero() {
			return Ok(());
		}
		Controls::<T>::try_mutate(owner, dataset, |stored| {
			let control = stored.as_mut().ok_or(Error::<T>::UnknownDataset)?;
			Self::hold(reason, &control.controller, amount)?;
			match sum_of(&mut control.held, reason) {
				Some(sum) => sum.saturating_accrue(amount),
				None => {
					defensive!("no dataset takes a deposit for this reason");
				}
			}
			Ok(())
		})
	}

	/// Releases a held amount to who paid it.
	pub(crate) fn release_to(
		reason: HoldReason,
		payer: Payer<'_, T::AccountId>,
		amount: BalanceOf<T>,
	) {
		let (owner, dataset) = match payer {
			Payer::Account(who) => return Self::release(reason, who, amount),
			Payer::Controller(owner, dataset) => (owner, dataset),
		};
		if amount.is_zero() {
			return;
		}
		Controls::<T>::mutate(owner, dataset, |stored| {
			let Some(control) = stored else {
				defensive!("a deposit is held for a dataset that no one controls");
				return;
			};
			Self::release(reason, &control.controller, amount);
			Self::count_released(control, reason, amount);
		});
	}

	/// Counts a deposit of a dataset no longer.
	pub(crate) fn count_released(
		control: &mut ControlOf<T>,
		reason: HoldReason,
		amount: BalanceOf<T>,
	) {
		match sum_of(&mut control.held, reason) {
			Some(sum) if *sum >= amount => sum.saturating_reduce(amount),
			_ => {
				defensive!("less was held for a dataset than this pallet counted");
			}
		}
	}

	/// Returns who has the deposit of a grant: its reader or, if no one requested it, who controls its dataset.
	pub(crate) fn payer_of(grant: &GrantOf<T>) -> Payer<'_, T::AccountId> {
		match grant.depositor == grant.owner {
			true => Payer::Controller(&grant.owner, grant.scope.dataset),
			false => Payer::Account(&grant.depositor),
		}
	}
}

/// Datasets.
impl<T: Config> Pallet<T> {
	/// Creates a dataset of a producer.
	pub(crate) fn do_create_dataset(owner: T::AccountId, name: Vec<u8>) -> DispatchResult {
		let mut producer = Producers::<T>::get(&owner).ok_or(Error::<T>::NotRegistered)?;
		let name = Self::checked_name(name)?;
		ensure!(
			!DatasetNames::<T>::contains_key(&owner, &name),
			Error::<T>::DatasetNameTaken
		);
		let mut counter = match NextDataset::<T>::get(&owner) {
			Some(counter) => counter,
			None => {
				let deposit = Self::deposit(Footprint::ENTRY);
				Self::hold(HoldReason::Dataset, &owner, deposit)?;
				DatasetCounter { next: 0, deposit }
			}
		};
		let dataset = counter.next;
		counter.next = dataset
			.checked_add(1)
			.ok_or(Error::<T>::DatasetsExhausted)?;
		let deposit = Self::deposit(Footprint::dataset(name.len()));
		Self::hold(HoldReason::Dataset, &owner, deposit)?;
		NextDataset::<T>::insert(&owner, counter);
		producer.datasets = producer.datasets.saturating_add(1);
		Producers::<T>::insert(&owner, producer);
		DatasetNames::<T>::insert(&owner, &name, dataset);
		Datasets::<T>::insert(
			&owner,
			dataset,
			Dataset {
				name: name.clone(),
				epoch: 0,
				leaves: 0,
				requests: 0,
				grants: 0,
				closed: false,
				deposit,
			},
		);
		Controls::<T>::insert(&owner, dataset, Self::own_control(&owner, deposit));
		Self::deposit_event(Event::DatasetCreated {
			owner,
			dataset,
			name,
		});
		Ok(())
	}

	/// Returns the entry of a dataset that no other account took over, and for which nothing else is held than this.
	pub(crate) fn own_control(owner: &T::AccountId, deposit: BalanceOf<T>) -> ControlOf<T> {
		Control {
			controller: owner.clone(),
			since: 0,
			offered_to: None,
			offers: 0,
			held: Held {
				dataset: deposit,
				..Default::default()
			},
		}
	}

	/// Removes a dataset to which nothing belongs any more but its policy and its locations.
	pub(crate) fn do_remove_dataset(owner: T::AccountId, dataset: DatasetId) -> DispatchResult {
		let entry = Self::own_dataset(&owner, dataset)?;
		ensure!(
			entry.leaves == 0 && entry.requests == 0 && entry.grants == 0,
			Error::<T>::DatasetInUse
		);
		Self::drop_policy(&owner, dataset);
		let locations = Locations::<T>::take(&owner, dataset)
			.map(|entry| entry.deposit)
			.unwrap_or_else(Zero::zero);
		let deposit = entry.deposit.saturating_add(locations);
		let payer = Payer::Controller(&owner, dataset);
		Self::release_to(HoldReason::Dataset, payer, deposit);
		Datasets::<T>::remove(&owner, dataset);
		DatasetNames::<T>::remove(&owner, &entry.name);
		let controller = match Controls::<T>::take(&owner, dataset) {
			Some(control) => control.controller,
			None => owner.clone(),
		};
		Controlled::<T>::remove((&controller, &owner, dataset));
		Self::amend_producer(&controller, |producer| producer.datasets.saturating_dec());
		Self::deposit_event(Event::DatasetRemoved { owner, dataset });
		Ok(())
	}

	/// Changes a producer who controls a dataset, so that it must exist.
	fn amend_producer(who: &T::AccountId, change: impl FnOnce(&mut Producer<BalanceOf<T>>)) {
		Producers::<T>::mutate(who, |producer| match producer {
			Some(producer) => change(producer),
			None => {
				defensive!("a dataset has no producer");
			}
		});
	}
}

/// Handing over.
impl<T: Config> Pallet<T> {
	/// Offers a dataset to another account.
	pub(crate) fn do_offer_dataset(
		owner: T::AccountId,
		dataset: DatasetId,
		to: T::AccountId,
	) -> DispatchResult {
		let from = Self::amend_control(&owner, dataset, |control| {
			ensure!(to != control.controller, Error::<T>::AlreadyController);
			control.offered_to = Some(to.clone());
			control.offers = control.offers.wrapping_add(1);
			Ok(control.controller.clone())
		})?;
		Self::deposit_event(Event::DatasetOffered {
			owner,
			dataset,
			from,
			to,
		});
		Ok(())
	}

	/// Withdraws the offer of a dataset.
	pub(crate) fn do_withdraw_dataset(owner: T::AccountId, dataset: DatasetId) -> DispatchResult {
		let (from, to) = Self::amend_control(&owner, dataset, |control| {
			let to = control.offered_to.take().ok_or(Error::<T>::NotOffered)?;
			Ok((control.controller.clone(), to))
		})?;
		Self::deposit_event(Event::DatasetOfferWithdrawn {
			owner,
			dataset,
			from,
			to,
		});
		Ok(())
	}

	/// Changes who controls a dataset, or the offer of it.
	fn amend_control<R>(
		owner: &T::AccountId,
		dataset: DatasetId,
		change: impl FnOnce(&mut ControlOf<T>) -> Result<R, Error<T>>,
	) -> Result<R, DispatchError> {
		Self::own_dataset(owner, dataset)?;
		Controls::<T>::try_mutate(owner, dataset, |stored| {
			let control = stored.as_mut().ok_or(Error::<T>::UnknownDataset)?;
			Ok(change(control)?)
		})
	}

	/// Takes over a dataset that is offered to a producer, with the deposits for all that belongs to it.
	pub(crate) fn do_accept_dataset(
		to: T::AccountId,
		owner: T::AccountId,
		dataset: DatasetId,
		offer: u32,
		most: BalanceOf<T>,
	) -> DispatchResult {
		let mut entry = Datasets::<T>::get(&owner, dataset).ok_or(Error::<T>::UnknownDataset)?;
		let mut control = Controls::<T>::get(&owner, dataset)
			.filter(|control| control.offered_to.as_ref() == Some(&to) && control.offers == offer)
			.ok_or(Error::<T>::NotOffered)?;
		ensure!(Producers::<T>::contains_key(&to), Error::<T>::NotRegistered);
		let deposits = by_reason(&control.held);
		let held = deposits
			.iter()
			.fold(BalanceOf::<T>::zero(), |sum, (_, amount)| {
				sum.saturating_add(*amount)
			});
		ensure!(held <= most, Error::<T>::HoldsMore);
		let from = core::mem::replace(&mut control.controller, to.clone());
		for (reason, amount) in deposits {
			Self::release(reason, &from, amount);
			Self::hold(reason, &to, amount)?;
		}
		// The new controller cannot derive the keys of this epoch, and the old one must not be able to derive those of
		// what is stored from now on.
		Self::next_epoch(&owner, dataset, &mut entry)?;
		control.since = entry.epoch;
		control.offered_to = None;
		Self::amend_producer(&from, |producer| producer.datasets.saturating_dec());
		Self::amend_producer(&to, |producer| producer.datasets.saturating_inc());
		Controlled::<T>::remove((&from, &owner, dataset));
		if to != owner {
			Controlled::<T>::insert((&to, &owner, dataset), ());
		}
		let epoch = entry.epoch;
		Datasets::<T>::insert(&owner, dataset, entry);
		Controls::<T>::insert(&owner, dataset, control);
		Self::deposit_event(Event::DatasetAccepted {
			owner,
			dataset,
			from,
			to,
			held,
			epoch,
		});
		Ok(())
	}
}
