// SPDX-License-Identifier: Apache-2.0
//! What the calls share: argument checks, deposits, the start and end of requests and grants, and the
//! agenda. The agenda lists what will happen automatically at each block.
//!
//! These functions do not check the origin, because the calls have checked it.

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::vec::Vec;
use frame_support::{
	defensive, ensure,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
		Get, UnixTime,
	},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::{
	terms::{Footprint, Rates},
	ScopeError,
};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{One, SaturatedConversion, Saturating, Zero},
	DispatchError, DispatchResult,
};

/// Arguments.
impl<T: Config> Pallet<T> {
	/// Returns the length, capped at `u32::MAX`. The cap does not matter, because all limits here are
	/// lower.
	pub(crate) fn len(bytes: &[u8]) -> u32 {
		u32::try_from(bytes.len()).unwrap_or(u32::MAX)
	}

	/// Checks that text is safe to show: valid UTF-8 without control characters.
	pub(crate) fn text<S: Get<u32>>(
		bytes: Vec<u8>,
		too_long: Error<T>,
	) -> Result<BoundedVec<u8, S>, DispatchError> {
		let bytes = BoundedVec::try_from(bytes).map_err(|_| too_long)?;
		let text = core::str::from_utf8(&bytes).map_err(|_| Error::<T>::NotText)?;
		ensure!(!text.chars().any(char::is_control), Error::<T>::NotText);
		Ok(bytes)
	}

	/// Checks the name of a producer or dataset.
	pub(crate) fn checked_name(bytes: Vec<u8>) -> Result<Name, DispatchError> {
		ensure!(!bytes.is_empty(), Error::<T>::NameEmpty);
		Self::text(bytes, Error::<T>::NameTooLong)
	}

	/// Checks that a scope names a range of an epoch that the dataset has reached.
	pub(crate) fn check_scope(
		scope: &Scope,
		dataset: &Dataset<BalanceOf<T>>,
	) -> Result<(), Error<T>> {
		scope.check(dataset.epoch).map_err(|error| match error {
			ScopeError::UnknownEpoch => Error::<T>::UnknownEpoch,
			ScopeError::EmptyRange => Error::<T>::EmptyRange,
			ScopeError::InvertedRange => Error::<T>::InvertedRange,
			ScopeError::RangeTooHigh => Error::<T>::RangeTooHigh,
		})
	}

	/// Returns one of the caller's datasets. If the account is not a producer, the error says so.
	pub(crate) fn own_dataset(
		owner: &T::AccountId,
		dataset: DatasetId,
	) -> Result<Dataset<BalanceOf<T>>, Error<T>> {
		Datasets::<T>::get(owner, dataset).ok_or_else(|| {
			if Producers::<T>::contains_key(owner) {
				Error::<T>::UnknownDataset
			} else {
				Error::<T>::NotRegistered
			}
		})
	}

	/// Changes a dataset. It must exist, because a dataset with open requests or grants cannot be removed.
	fn amend_dataset(
		owner: &T::AccountId,
		id: DatasetId,
		change: impl FnOnce(&mut Dataset<BalanceOf<T>>),
	) {
		Datasets::<T>::mutate(owner, id, |dataset| {
			if let Some(dataset) = dataset {
				change(dataset);
			} else {
				defensive!("a request or grant has no dataset");
			}
		});
	}

	/// Starts a dataset's next epoch. The caller must write the dataset back.
	pub(crate) fn next_epoch(
		owner: &T::AccountId,
		id: DatasetId,
		dataset: &mut Dataset<BalanceOf<T>>,
	) -> Result<(), Error<T>> {
		dataset.epoch = dataset
			.epoch
			.checked_add(1)
			.ok_or(Error::<T>::EpochsExhausted)?;
		Self::deposit_event(Event::EpochStarted {
			owner: owner.clone(),
			dataset: id,
			epoch: dataset.epoch,
		});
		Ok(())
	}
}

/// The block's time.
impl<T: Config> Pallet<T> {
	/// Returns this block's timestamp (H_s), once it is set.
	pub(crate) fn time() -> Seconds {
		T::Time::now().as_secs()
	}
}

/// Deposits.
impl<T: Config> Pallet<T> {
	/// Returns the deposit for an entry with this footprint in the state.
	pub(crate) fn deposit(footprint: Footprint) -> BalanceOf<T> {
		let rates = Rates {
			per_item: T::DepositPerItem::get().saturated_into(),
			per_byte: T::DepositPerByte::get().saturated_into(),
		};
		footprint.deposit(&rates).saturated_into()
	}

	/// Holds an amount, unless it is zero.
	pub(crate) fn hold(
		reason: HoldReason,
		who: &T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		if amount.is_zero() {
			return Ok(());
		}
		T::Currency::hold(&reason.into(), who, amount)
	}

	/// Releases a held amount. This cannot fail, because the pallet keeps track of what it holds.
	pub(crate) fn release(reason: HoldReason, who: &T::AccountId, amount: BalanceOf<T>) {
		if amount.is_zero() {
			return;
		}
		let released = T::Currency::release(&reason.into(), who, amount, Precision::BestEffort);
		if released != Ok(amount) {
			defensive!("less was held than this pallet counted", released);
		}
	}
}

/// Requests.
impl<T: Config> Pallet<T> {
	/// Writes a new request.
	pub(crate) fn open_request(id: RequestId, request: &RequestOf<T>) {
		Self::amend_dataset(&request.owner, request.scope.dataset, |dataset| {
			dataset.requests = dataset.requests.saturating_add(1);
		});
		RequestsTo::<T>::insert(&request.owner, id, ());
		RequestsFrom::<T>::insert((&request.consumer, &request.owner, &request.scope), id);
		Agenda::<T>::insert(request.valid_until, Due::Request(id), ());
		Requests::<T>::insert(id, request);
	}

	/// Removes a request and releases its deposit and offer.
	pub(crate) fn close_request(id: RequestId, request: &RequestOf<T>) {
		Self::forget_request(id, request);
		Self::release(HoldReason::Offer, &request.consumer, request.offer);
	}

	/// Makes a request expire `CancelNotice` blocks from now, unless it expires earlier.
	pub(crate) fn shorten_request(id: RequestId, request: &mut RequestOf<T>) {
		let notice_ends =
			frame_system::Pallet::<T>::block_number().saturating_add(T::CancelNotice::get());
		Agenda::<T>::remove(request.valid_until, Due::Request(id));
		request.valid_until = request.valid_until.min(notice_ends);
		Agenda::<T>::insert(request.valid_until, Due::Request(id), ());
		Requests::<T>::insert(id, &*request);
	}

	/// Removes a request and releases its deposit. The caller must release or pay the offer.
	fn forget_request(id: RequestId, request: &RequestOf<T>) {
		Requests::<T>::remove(id);
		RequestsTo::<T>::remove(&request.owner, id);
		RequestsFrom::<T>::remove((&request.consumer, &request.owner, &request.scope));
		Agenda::<T>::remove(request.valid_until, Due::Request(id));
		Self::amend_dataset(&request.owner, request.scope.dataset, |dataset| {
			dataset.requests = dataset.requests.saturating_sub(1);
		});
		Self::release(HoldReason::Request, &request.consumer, request.deposit);
	}

	/// Closes a request with a grant: checks that the grant is as requested, and pays the offer to the
	/// owner. Returns the payment, and the first block at which the owner may revoke the grant.
	pub(crate) fn fulfil(
		id: RequestId,
		owner: &T::AccountId,
		grantee: &T::AccountId,
		scope: &Scope,
		expiry: BlockNumberFor<T>,
		now: BlockNumberFor<T>,
	) -> Result<(BalanceOf<T>, BlockNumberFor<T>), DispatchError> {
		let request = Requests::<T>::get(id)
			.filter(|request| request.owner == *owner)
			.ok_or(Error::<T>::UnknownRequest)?;
		ensure!(
			request.consumer == *grantee && request.scope == *scope,
			Error::<T>::NotAsRequested
		);
		// The agenda may be late, so an expired request can still be stored.
		ensure!(now < request.valid_until, Error::<T>::RequestExpired);
		let term_ends = now.saturating_add(request.term);
		ensure!(expiry >= term_ends, Error::<T>::ShorterThanRequested);
		Self::forget_request(id, &request);
		if request.offer.is_zero() {
			return Ok((request.offer, now));
		}
		T::Currency::transfer_on_hold(
			&HoldReason::Offer.into(),
			&request.consumer,
			owner,
			request.offer,
			Precision::Exact,
			Restriction::Free,
			Fortitude::Polite,
		)?;
		Ok((request.offer, term_ends))
	}
}

/// Grants.
impl<T: Config> Pallet<T> {
	/// Writes a new grant. If the reader's list is full, the oldest ended grant is removed to make room. If
	/// none has ended and the reader requested this grant (`asked`), the grant that would expire first is
	/// removed.
	pub(crate) fn open_grant(id: GrantId, grant: &GrantOf<T>, asked: bool) -> DispatchResult {
		let Scope { dataset, epoch, .. } = grant.scope;
		let place = (&grant.owner, dataset, epoch, &grant.grantee);
		let list = AuthorizationList::<T>::get(place);
		if list.is_full() {
			let (now, time) = (frame_system::Pallet::<T>::block_number(), Self::time());
			// The list is in the order in which the grants were given.
			let mut grants: Vec<_> = list
				.into_iter()
				.filter_map(|id| Some((id, Grants::<T>::get(id)?)))
				.collect();
			let ended =
				|(_, grant): &(_, GrantOf<T>)| grant.state_at(&now, time) != GrantState::Active;
			let place = grants.iter().position(ended).or_else(|| {
				let first = grants
					.iter()
					.enumerate()
					.min_by_key(|(_, (_, grant))| grant.expiry);
				first.map(|(place, _)| place).filter(|_| asked)
			});
			let (other, gives_way) = grants.swap_remove(place.ok_or(Error::<T>::TooManyGrants)?);
			Self::forget_grant(other, &gives_way);
			if gives_way.state == GrantState::Active {
				Self::expired(other, gives_way);
			}
		}
		AuthorizationList::<T>::try_mutate(place, |list| {
			list.try_push(id).map_err(|_| Error::<T>::TooManyGrants)
		})?;
		Self::amend_dataset(&grant.owner, dataset, |dataset| {
			dataset.grants = dataset.grants.saturating_add(1);
		});
		GrantsTo::<T>::insert(&grant.grantee, id, ());
		Agenda::<T>::insert(grant.due, Due::Grant(id), ());
		Grants::<T>::insert(id, grant);
		Ok(())
	}

	/// Ends a grant: removes its keys and releases their part of the deposit. The rest of the grant is
	/// removed `GrantMemory` blocks later.
	pub(crate) fn end_grant(id: GrantId, grant: &mut GrantOf<T>, state: GrantState) {
		Agenda::<T>::remove(grant.due, Due::Grant(id));
		// The deposit's rates may have changed since the grant was given, so never keep more than is held.
		let kept = grant.deposit.min(Self::deposit(Footprint::grant(0)));
		Self::release(
			HoldReason::Grant,
			&grant.owner,
			grant.deposit.saturating_sub(kept),
		);
		grant.state = state;
		grant.sealed_keys = BoundedVec::new();
		grant.deposit = kept;
		// Choose the next block at the earliest, because this block's agenda may already be finished.
		grant.due = frame_system::Pallet::<T>::block_number()
			.saturating_add(T::GrantMemory::get().max(One::one()));
		Agenda::<T>::insert(grant.due, Due::Grant(id), ());
		Grants::<T>::insert(id, &*grant);
	}

	/// Deposits the event that a grant expired.
	fn expired(id: GrantId, grant: GrantOf<T>) {
		let Grant {
			owner,
			grantee,
			scope,
			..
		} = grant;
		Self::deposit_event(Event::GrantExpired {
			grant: id,
			owner,
			grantee,
			scope,
		});
	}

	/// Removes what is left of an ended grant, and releases its deposit.
	fn forget_grant(id: GrantId, grant: &GrantOf<T>) {
		let Scope { dataset, epoch, .. } = grant.scope;
		AuthorizationList::<T>::mutate_exists(
			(&grant.owner, dataset, epoch, &grant.grantee),
			|entry| {
				if let Some(list) = entry {
					list.retain(|other| *other != id);
					if list.is_empty() {
						*entry = None;
					}
				}
			},
		);
		Self::amend_dataset(&grant.owner, dataset, |dataset| {
			dataset.grants = dataset.grants.saturating_sub(1);
		});
		GrantsTo::<T>::remove(&grant.grantee, id);
		Agenda::<T>::remove(grant.due, Due::Grant(id));
		Grants::<T>::remove(id);
		Self::release(HoldReason::Grant, &grant.owner, grant.deposit);
	}
}

/// The agenda.
impl<T: Config> Pallet<T> {
	/// Processes up to `MaxEndingsPerBlock` agenda entries that are due by this block, oldest first.
	pub(crate) fn work_off_agenda(now: BlockNumberFor<T>) -> Weight {
		let backlog = Backlog::<T>::get();
		let mut block = backlog.unwrap_or(now);
		let mut weight = T::WeightInfo::on_initialize_idle();
		// Processing an entry removes it from the agenda. It may add an entry, but only for a later block.
		let mut agenda = Agenda::<T>::iter_key_prefix(block);
		for _ in 0..T::MaxEndingsPerBlock::get() {
			match agenda.next() {
				Some(due) => weight.saturating_accrue(Self::on_due(block, due)),
				None if block < now => {
					block.saturating_inc();
					agenda = Agenda::<T>::iter_key_prefix(block);
					weight.saturating_accrue(T::WeightInfo::on_initialize_idle());
				}
				None => {
					if backlog.is_some() {
						Backlog::<T>::kill();
					}
					return weight;
				}
			}
		}
		Backlog::<T>::put(block);
		weight
	}

	/// Processes one due entry and removes it from the agenda.
	fn on_due(block: BlockNumberFor<T>, due: Due) -> Weight {
		match due {
			Due::Request(id) => {
				if let Some(request) = Requests::<T>::get(id) {
					Self::close_request(id, &request);
					let Request {
						owner,
						consumer,
						scope,
						..
					} = request;
					Self::deposit_event(Event::RequestLapsed {
						request: id,
						owner,
						consumer,
						scope,
					});
				} else {
					defensive!("the agenda has a request that does not exist");
					Agenda::<T>::remove(block, due);
				}
				T::WeightInfo::lapse_request()
			}
			Due::Grant(id) => match Grants::<T>::get(id) {
				Some(mut grant) if grant.state == GrantState::Active => {
					Self::end_grant(id, &mut grant, GrantState::Expired);
					Self::expired(id, grant);
					T::WeightInfo::expire_grant()
				}
				Some(grant) => {
					Self::forget_grant(id, &grant);
					T::WeightInfo::forget_grant()
				}
				None => {
					defensive!("the agenda has a grant that does not exist");
					Agenda::<T>::remove(block, due);
					T::WeightInfo::forget_grant()
				}
			},
		}
	}
}
