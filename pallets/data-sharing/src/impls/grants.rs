// SPDX-License-Identifier: Apache-2.0
//! The start and end of grants, and what of an epoch was sold.

use super::*;

/// The key of a reader's entry in the authorization list.
type ReaderKey<'a, AccountId> = (&'a AccountId, DatasetId, Epoch, &'a AccountId);

/// Grants.
impl<T: Config> Pallet<T> {
	/// Changes a reader's entry in the authorization list, and removes it if nothing is left in it.
	pub(super) fn amend_reader(
		key: ReaderKey<'_, T::AccountId>,
		change: impl FnOnce(&mut ReaderEntry),
	) {
		AuthorizationList::<T>::mutate_exists(key, |stored| {
			let mut entry = stored.take().unwrap_or_default();
			change(&mut entry);
			*stored = Some(entry).filter(|entry| entry.asked > 0 || !entry.grants.is_empty());
		});
	}

	/// Reserves a place among the reader's grants for the answer to a request.
	pub(crate) fn reserve_place(
		owner: &T::AccountId,
		scope: &Scope,
		consumer: &T::AccountId,
	) -> Result<(), Error<T>> {
		let key = (owner, scope.dataset, scope.epoch, consumer);
		Self::look_for_room(&AuthorizationList::<T>::get(key))?;
		Self::amend_reader(key, |entry| entry.asked = entry.asked.saturating_add(1));
		Ok(())
	}

	/// Checks that a reader can have one more active grant or open request. Returns whether its grants had to be
	/// read for that.
	fn look_for_room(entry: &ReaderEntry) -> Result<bool, Error<T>> {
		let taken = entry.asked as usize;
		let most = MAX_GRANTS_PER_READER as usize;
		if taken.saturating_add(entry.grants.len()) < most {
			return Ok(false);
		}
		ensure!(
			taken.saturating_add(Self::active(entry)) < most,
			Error::<T>::TooManyGrants
		);
		Ok(true)
	}

	/// Returns how many of a reader's grants need their places.
	pub(crate) fn active(entry: &ReaderEntry) -> usize {
		let grants = entry.grants.iter().filter_map(Grants::<T>::get);
		grants.filter(|grant| !Self::may_forget(grant)).count()
	}

	/// Returns whether a grant's place can be given to another: it has ended, and its keys are not kept for a dispute.
	fn may_forget(grant: &GrantOf<T>) -> bool {
		let (now, time) = (frame_system::Pallet::<T>::block_number(), Self::time());
		match grant.state.has_ended() {
			true => grant.sealed_keys.is_empty(),
			false => grant.state_at(&now, time).has_ended(),
		}
	}

	/// Prepares a grant that no one requested: checks that the reader has room for it, and holds its deposit.
	/// Returns whether the reader's grants had to be read for that.
	pub(crate) fn give(grant: &mut GrantOf<T>) -> Result<bool, DispatchError> {
		let Scope { dataset, epoch, .. } = grant.scope;
		ensure!(
			EncryptionKeys::<T>::contains_key(&grant.grantee),
			Error::<T>::NoEncryptionKey
		);
		let key = (&grant.owner, dataset, epoch, &grant.grantee);
		let looked_for_room = Self::look_for_room(&AuthorizationList::<T>::get(key))?;
		grant.deposit = Self::deposit(Footprint::grant(grant.sealed_keys.len()));
		Self::hold_from(HoldReason::Grant, Self::payer_of(grant), grant.deposit)?;
		Ok(looked_for_room)
	}

	/// Puts a new grant under a condition, if there is one, and holds the deposit for it. Returns whether it is met.
	pub(crate) fn put_under_condition(
		grant: &mut GrantOf<T>,
		condition: Option<Condition>,
	) -> Result<Option<Truth>, DispatchError> {
		let Some(condition) = condition else {
			return Ok(None);
		};
		let payer = Payer::Controller(&grant.owner, grant.scope.dataset);
		let attached = Self::attach(condition, &grant.grantee, payer, 0)?;
		let (truth, changes) = Self::truth(&attached.condition, &grant.grantee);
		grant.state = Self::state_by(truth);
		grant.due = Self::due(grant.expiry, grant.until, changes);
		grant.condition = Some(attached);
		Ok(Some(truth))
	}

	/// Writes a new grant, for which there is room among the active ones. If the reader's list is full, the
	/// oldest ended grant is removed. Returns the grant's number, and whether the list was full.
	pub(crate) fn open_grant(grant: &GrantOf<T>) -> Result<(GrantId, bool), DispatchError> {
		let Scope { dataset, epoch, .. } = grant.scope;
		let id = NextGrant::<T>::get();
		NextGrant::<T>::put(id.checked_add(1).ok_or(ArithmeticError::Overflow)?);
		let key = (&grant.owner, dataset, epoch, &grant.grantee);
		let list = AuthorizationList::<T>::get(key).grants;
		let is_full = list.is_full();
		if is_full {
			// The list is in the order in which the grants were given.
			let ended = list.iter().find_map(|id| {
				Grants::<T>::get(id)
					.filter(Self::may_forget)
					.map(|grant| (*id, grant))
			});
			let (other, mut ended) = ended.ok_or(Error::<T>::TooManyGrants)?;
			if !ended.state.has_ended() {
				Self::expire_grant(other, &mut ended);
			}
			Self::remember_no_longer(other, ended);
		}
		Self::amend_reader(key, |entry| {
			if entry.grants.try_push(id).is_err() {
				defensive!("a full list has no room for a grant");
			}
		});
		Self::amend_dataset(&grant.owner, dataset, |dataset| {
			dataset.grants = dataset.grants.saturating_add(1);
		});
		Self::note_sold(grant);
		if let Some(Attached { condition, .. }) = &grant.condition {
			Self::wait(Waiter::Grant(id), condition, &grant.grantee);
		}
		GrantsTo::<T>::insert(&grant.grantee, id, ());
		Agenda::<T>::insert(grant.due, Due::Grant(id), ());
		Grants::<T>::insert(id, grant);
		Ok((id, is_full))
	}

	/// Deposits the event that a grant was given, by who controls its dataset.
	pub(crate) fn tell_authorized(
		id: GrantId,
		grant: &GrantOf<T>,
		request: Option<RequestId>,
		controller: T::AccountId,
	) {
		let attached = grant.condition.as_ref();
		Self::deposit_event(Event::Authorized {
			grant: id,
			owner: grant.owner.clone(),
			grantee: grant.grantee.clone(),
			scope: grant.scope,
			expiry: grant.expiry,
			until: grant.until,
			request,
			agreement: grant.agreement,
			code: grant.code,
			paid: grant.paid,
			firm: grant.firm,
			condition: attached.map(|attached| attached.condition.clone()),
			controller,
		});
	}

	/// Pays back to the reader the share of its payment for the rest of a grant's term. Returns the amount.
	///
	/// # Errors
	///
	/// Returns an error if the owner has less.
	pub(crate) fn refund(
		grant: &GrantOf<T>,
		now: BlockNumberFor<T>,
	) -> Result<BalanceOf<T>, DispatchError> {
		let blocks = |from: BlockNumberFor<T>| {
			grant
				.paid_until
				.saturating_sub(from)
				.saturated_into::<u64>()
		};
		let refund = refund(
			grant.paid.saturated_into(),
			blocks(now),
			blocks(grant.paid_from),
		);
		let refund: BalanceOf<T> = refund.saturated_into();
		if !refund.is_zero() {
			let controller = Self::controller(&grant.owner, grant.scope.dataset);
			T::Currency::transfer(&controller, &grant.grantee, refund, Preservation::Preserve)?;
		}
		Ok(refund)
	}

	/// Ends a grant: removes its keys, or keeps them as evidence as long as it can be disputed. The rest of the grant is
	/// removed `GrantMemory` blocks later.
	pub(crate) fn end_grant(id: GrantId, grant: &mut GrantOf<T>, state: GrantState) {
		// Choose the next block at the earliest, because this block's agenda may already be finished.
		let mut due = frame_system::Pallet::<T>::block_number()
			.saturating_add(T::GrantMemory::get().max(One::one()));
		Self::take_condition(id, grant);
		grant.condition = None;
		grant.state = state;
		match Payments::<T>::get(id) {
			Some(payment) => due = due.max(payment.until),
			None => Self::drop_keys(grant),
		}
		Self::put_off(id, grant, due);
	}

	/// Removes the keys of a grant and releases their part of the deposit. The caller must write the grant.
	pub(crate) fn drop_keys(grant: &mut GrantOf<T>) {
		// The deposit's rates may have changed since the grant was given, so never keep more than is held.
		let kept = grant.deposit.min(Self::deposit(Footprint::grant(0)));
		let back = grant.deposit.saturating_sub(kept);
		Self::release_to(HoldReason::Grant, Self::payer_of(grant), back);
		Self::note_no_longer_sold(grant);
		grant.sealed_keys = BoundedVec::new();
		grant.deposit = kept;
	}

	/// Takes the condition from a grant that ends, if it has one.
	fn take_condition(id: GrantId, grant: &GrantOf<T>) {
		if let Some(attached) = &grant.condition {
			let payer = Payer::Controller(&grant.owner, grant.scope.dataset);
			Self::detach(Waiter::Grant(id), attached, &grant.grantee, payer);
		}
	}

	/// Ends a grant that has expired.
	pub(crate) fn expire_grant(id: GrantId, grant: &mut GrantOf<T>) {
		// If the agenda is late. A term that is paid for is longer than the time for disputes.
		Self::pay_owner(id, grant);
		Self::end_grant(id, grant, GrantState::Expired);
		Self::deposit_event(Event::GrantExpired {
			grant: id,
			owner: grant.owner.clone(),
			grantee: grant.grantee.clone(),
			scope: grant.scope,
		});
	}

	/// Writes a grant, and moves it to another block of the agenda.
	pub(crate) fn put_off(id: GrantId, grant: &mut GrantOf<T>, due: BlockNumberFor<T>) {
		Agenda::<T>::remove(grant.due, Due::Grant(id));
		grant.due = due;
		Agenda::<T>::insert(grant.due, Due::Grant(id), ());
		Grants::<T>::insert(id, &*grant);
	}

	/// Returns when the agenda has to look at a grant that has not ended: at its expiry, or earlier at about its date, or
	/// on the way to the time at which its condition may change. Blocks come at random intervals, so it looks
	/// there more often as that time comes nearer: each time when half of what is left should be over.
	pub(crate) fn due(
		expiry: BlockNumberFor<T>,
		until: Option<Seconds>,
		changes: Option<Seconds>,
	) -> BlockNumberFor<T> {
		let ends = until.map(|until| Self::block_after(Self::blocks_to(until)));
		let looks = ends.into_iter().chain(Self::look_after(changes));
		looks.min().unwrap_or(expiry).min(expiry)
	}

	/// Returns when the agenda has to look at a condition that may change at this time: when half of the blocks until then
	/// should be over.
	pub(crate) fn look_after(changes: Option<Seconds>) -> Option<BlockNumberFor<T>> {
		changes.map(|changes| Self::block_after(Self::blocks_to(changes) / 2))
	}

	/// Returns about how many blocks come until a time.
	fn blocks_to(time: Seconds) -> u64 {
		let seconds = time.saturating_sub(Self::time());
		seconds.div_ceil(T::BlockInterval::get().max(1))
	}

	/// Returns the block that comes after this many, and the next one at the earliest.
	fn block_after(blocks: u64) -> BlockNumberFor<T> {
		frame_system::Pallet::<T>::block_number().saturating_add(blocks.max(1).saturated_into())
	}

	/// Removes a grant, and releases what is held for it.
	pub(crate) fn forget_grant(id: GrantId, grant: &GrantOf<T>) {
		let Scope { dataset, epoch, .. } = grant.scope;
		if !grant.sealed_keys.is_empty() {
			// There may be a note of a payment that was given back.
			Self::take_payment(id);
		}
		Self::note_no_longer_sold(grant);
		Self::take_condition(id, grant);
		Self::amend_reader((&grant.owner, dataset, epoch, &grant.grantee), |entry| {
			entry.grants.retain(|other| *other != id);
		});
		Self::amend_dataset(&grant.owner, dataset, |dataset| {
			dataset.grants = dataset.grants.saturating_sub(1);
		});
		GrantsTo::<T>::remove(&grant.grantee, id);
		Agenda::<T>::remove(grant.due, Due::Grant(id));
		Grants::<T>::remove(id);
		Self::release_to(HoldReason::Grant, Self::payer_of(grant), grant.deposit);
	}
}

/// What was sold.
impl<T: Config> Pallet<T> {
	/// Returns whether a grant has not ended, or can still be disputed, and its reader paid for it. What was paid for a firm
	/// grant of an earlier runtime is not known.
	pub(crate) fn is_sold(grant: &GrantOf<T>) -> bool {
		!grant.sealed_keys.is_empty() && (grant.firm || !grant.paid.is_zero())
	}

	/// Returns whether a record was there when a reader paid for a range with it, and a term is not over.
	///
	/// The state keeps one range for all grants on an epoch, so that the cost does not grow with their number.
	pub(crate) fn is_paid_for(owner: &T::AccountId, record: &RecordOf<T>) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		let (_, complete) = record.payload.blocks();
		record.payload.is_complete()
			&& SoldRanges::<T>::get((owner, record.dataset, record.epoch)).is_some_and(|sold| {
				now < sold.until
					&& complete <= sold.paid
					&& (sold.from..sold.to).contains(&record.leaf.into())
			})
	}

	/// Returns whether a record may be evidence: there may be a payment for a range with it that can still be disputed.
	///
	/// The state has the last sale on an epoch only, so that this is asked of the longest time for disputes.
	pub(crate) fn is_evidence(owner: &T::AccountId, record: &RecordOf<T>) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		SoldRanges::<T>::get((owner, record.dataset, record.epoch)).is_some_and(|sold| {
			let until = sold.paid.saturating_add(Self::longest_window());
			now < until.min(sold.until) && (sold.from..sold.to).contains(&record.leaf.into())
		})
	}

	/// Counts a new grant, if it was paid for.
	pub(crate) fn note_sold(grant: &GrantOf<T>) {
		if !Self::is_sold(grant) {
			return;
		}
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = grant.scope;
		SoldRanges::<T>::mutate((&grant.owner, dataset, epoch), |sold| {
			let sold = sold.get_or_insert(Sold {
				grants: 0,
				from,
				to,
				paid: Zero::zero(),
				until: Zero::zero(),
			});
			sold.grants.saturating_inc();
			sold.from = sold.from.min(from);
			sold.to = sold.to.max(to);
			sold.paid = frame_system::Pallet::<T>::block_number();
			sold.until = sold.until.max(grant.paid_until);
		});
	}

	/// Narrows what is sold on an epoch to what these grants cover, if they are all that count there.
	pub(crate) fn do_recount_sold(
		owner: T::AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		grants: &[GrantId],
	) -> DispatchResult {
		let is_ascending = grants.windows(2).all(|pair| pair[0] < pair[1]);
		let place = (&owner, dataset, epoch);
		let counted = SoldRanges::<T>::get(place)
			.filter(|sold| is_ascending && sold.grants == grants.len() as u64)
			.ok_or(Error::<T>::NotAllSold)?;
		let mut narrow: Option<Sold<_>> = None;
		for id in grants {
			let grant = Grants::<T>::get(id).ok_or(Error::<T>::NotAllSold)?;
			let is_here = (&grant.owner, grant.scope.dataset, grant.scope.epoch) == place;
			ensure!(is_here && Self::is_sold(&grant), Error::<T>::NotAllSold);
			let Scope { from, to, .. } = grant.scope;
			let sold = narrow.get_or_insert(Sold {
				grants: counted.grants,
				from,
				to,
				paid: grant.paid_from,
				until: grant.paid_until,
			});
			sold.from = sold.from.min(from);
			sold.to = sold.to.max(to);
			sold.paid = sold.paid.max(grant.paid_from);
			sold.until = sold.until.max(grant.paid_until);
		}
		// It never widens. A grant of an earlier runtime says that it was paid for when its term ends.
		if let Some(narrow) = &mut narrow {
			narrow.paid = narrow.paid.min(counted.paid);
			narrow.until = narrow.until.min(counted.until);
		}
		SoldRanges::<T>::set(place, narrow);
		Ok(())
	}

	/// Counts a grant no longer, if it was paid for. The caller is about to end or remove it.
	fn note_no_longer_sold(grant: &GrantOf<T>) {
		if !Self::is_sold(grant) {
			return;
		}
		let Scope { dataset, epoch, .. } = grant.scope;
		SoldRanges::<T>::mutate_exists((&grant.owner, dataset, epoch), |stored| {
			if stored.is_none() {
				defensive!("a grant that was paid for was not counted");
			}
			*stored = stored.take().and_then(|mut sold| {
				sold.grants.saturating_dec();
				(sold.grants > 0).then_some(sold)
			});
		});
	}
}
