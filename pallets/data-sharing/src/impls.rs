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
		fungible::{Mutate, MutateHold},
		tokens::{Fortitude, Precision, Preservation, Restriction},
		Get, UnixTime,
	},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_conditions::{Condition, Truth};
use isthmus_sharing::{
	terms::{refund, Footprint, Rates, MAX_GRANTS_PER_READER, MIN_ENCRYPTION_KEY_SIZE},
	text::is_format,
	ScopeError,
};
use polkadot_sdk::*;
use sp_io::hashing::blake2_256;
use sp_runtime::{
	traits::{One, SaturatedConversion, Saturating, Zero},
	ArithmeticError, DispatchError, DispatchResult,
};

/// Returns whether text contains a space that is not the usual one.
fn has_odd_space(text: &[u8]) -> bool {
	core::str::from_utf8(text).is_ok_and(|text| {
		let is_odd = |c: char| c.is_whitespace() && c != ' ';
		text.chars().any(is_odd)
	})
}

/// Arguments.
impl<T: Config> Pallet<T> {
	/// Returns the length, capped at `u32::MAX`. The cap does not matter, because all limits here are
	/// lower.
	pub(crate) fn len(bytes: &[u8]) -> u32 {
		u32::try_from(bytes.len()).unwrap_or(u32::MAX)
	}

	/// Checks that text is safe to show: valid UTF-8 without control characters, and without marks that are
	/// invisible or change the direction of other text.
	pub(crate) fn text<S: Get<u32>>(
		bytes: Vec<u8>,
		too_long: Error<T>,
	) -> Result<BoundedVec<u8, S>, DispatchError> {
		let bytes = BoundedVec::try_from(bytes).map_err(|_| too_long)?;
		let text = core::str::from_utf8(&bytes).map_err(|_| Error::<T>::NotText)?;
		ensure!(
			!text.chars().any(|c| c.is_control() || is_format(c)),
			Error::<T>::NotText
		);
		Ok(bytes)
	}

	/// Checks the length of a public encryption key.
	pub(crate) fn checked_key(bytes: Vec<u8>) -> Result<EncryptionKey, Error<T>> {
		ensure!(
			bytes.len() >= MIN_ENCRYPTION_KEY_SIZE as usize,
			Error::<T>::EncryptionKeyTooShort
		);
		bytes
			.try_into()
			.map_err(|_| Error::<T>::EncryptionKeyTooLong)
	}

	/// Checks the name of a producer or dataset. Two names that differ only in their spaces would look the same.
	pub(crate) fn checked_name(bytes: Vec<u8>) -> Result<Name, DispatchError> {
		ensure!(!bytes.is_empty(), Error::<T>::NameEmpty);
		let name: Name = Self::text(bytes, Error::<T>::NameTooLong)?;
		let mut words = name.split(|byte| *byte == b' ');
		ensure!(
			words.all(|word| !word.is_empty()) && !has_odd_space(&name),
			Error::<T>::NameSpaces
		);
		Ok(name)
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
	/// Checks that a dataset's policy offers firm terms for this payment.
	pub(crate) fn check_firm(
		owner: &T::AccountId,
		dataset: DatasetId,
		offer: &BalanceOf<T>,
	) -> Result<(), Error<T>> {
		let standing = Policies::<T>::get(owner, dataset).ok_or(Error::<T>::FirmNotOffered)?;
		ensure!(
			standing.policy.judge_firm(offer) == Verdict::Meets,
			Error::<T>::FirmNotOffered
		);
		Ok(())
	}

	/// Writes a new request, whose place among the reader's grants is reserved.
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

	/// Removes a request with its reserved place, and releases its deposit. The caller must release or pay the
	/// offer.
	fn forget_request(id: RequestId, request: &RequestOf<T>) {
		let Scope { dataset, epoch, .. } = request.scope;
		Requests::<T>::remove(id);
		RequestsTo::<T>::remove(&request.owner, id);
		RequestsFrom::<T>::remove((&request.consumer, &request.owner, &request.scope));
		Agenda::<T>::remove(request.valid_until, Due::Request(id));
		Self::amend_reader(
			(&request.owner, dataset, epoch, &request.consumer),
			|entry| {
				entry.asked = entry.asked.saturating_sub(1);
			},
		);
		Self::amend_dataset(&request.owner, dataset, |dataset| {
			dataset.requests = dataset.requests.saturating_sub(1);
		});
		Self::release(HoldReason::Request, &request.consumer, request.deposit);
	}

	/// Closes the request that a grant answers: checks that the grant is as requested, pays the offer to the
	/// owner, and makes the request's deposit the grant's.
	///
	/// Nothing here depends on what the reader does after it has requested: its sealed keys are public already.
	pub(crate) fn fulfil(answered: &Answered, grant: &mut GrantOf<T>) -> DispatchResult {
		let request = Requests::<T>::get(answered.id)
			.filter(|request| request.owner == grant.owner)
			.ok_or(Error::<T>::UnknownRequest)?;
		ensure!(
			request.consumer == grant.grantee
				&& request.scope == grant.scope
				&& request.digest(blake2_256) == answered.digest,
			Error::<T>::NotAsRequested
		);
		let now = grant.paid_from;
		// The agenda may be late, so an expired request can still be stored.
		ensure!(now < request.valid_until, Error::<T>::RequestExpired);
		let term_ends = now.saturating_add(request.term);
		ensure!(grant.expiry >= term_ends, Error::<T>::ShorterThanRequested);
		ensure!(
			request.offer.is_zero() || grant.until.is_none(),
			Error::<T>::DateOnPaidTerm
		);
		// The agreement is the request's digest, which says nothing of a condition.
		ensure!(grant.condition.is_none(), Error::<T>::ConditionNotRequested);
		Self::forget_request(answered.id, &request);
		// At other rates than the request's, the grant takes no more than the request held.
		let deposit = Self::deposit(Footprint::grant(grant.sealed_keys.len()));
		grant.deposit = deposit.min(request.deposit);
		grant.depositor = request.consumer.clone();
		grant.agreement = Some(answered.digest);
		Self::hold(HoldReason::Grant, &grant.depositor, grant.deposit)?;
		if request.offer.is_zero() {
			return Ok(());
		}
		T::Currency::transfer_on_hold(
			&HoldReason::Offer.into(),
			&request.consumer,
			&grant.owner,
			request.offer,
			Precision::Exact,
			Restriction::Free,
			// A freeze of the consumer's balance must not make the answer fail.
			Fortitude::Force,
		)?;
		grant.paid = request.offer;
		grant.paid_until = term_ends;
		grant.firm = request.firm;
		Ok(())
	}
}

/// The key of a reader's entry in the authorization list.
type ReaderKey<'a, AccountId> = (&'a AccountId, DatasetId, Epoch, &'a AccountId);

/// Grants.
impl<T: Config> Pallet<T> {
	/// Changes a reader's entry in the authorization list, and removes it if nothing is left in it.
	fn amend_reader(key: ReaderKey<'_, T::AccountId>, change: impl FnOnce(&mut ReaderEntry)) {
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

	/// Returns how many of a reader's grants have not ended.
	pub(crate) fn active(entry: &ReaderEntry) -> usize {
		let (now, time) = (frame_system::Pallet::<T>::block_number(), Self::time());
		let is_active = |grant: &GrantOf<T>| !grant.state_at(&now, time).has_ended();
		let grants = entry.grants.iter().filter_map(Grants::<T>::get);
		grants.filter(is_active).count()
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
		Self::hold(HoldReason::Grant, &grant.depositor, grant.deposit)?;
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
		let attached = Self::attach(condition, &grant.grantee, &grant.owner)?;
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
			let (now, time) = (frame_system::Pallet::<T>::block_number(), Self::time());
			// The list is in the order in which the grants were given.
			let ended = list.iter().find_map(|id| {
				Grants::<T>::get(id)
					.filter(|grant| grant.state_at(&now, time).has_ended())
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
		Self::wait(id, grant);
		GrantsTo::<T>::insert(&grant.grantee, id, ());
		Agenda::<T>::insert(grant.due, Due::Grant(id), ());
		Grants::<T>::insert(id, grant);
		Ok((id, is_full))
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
			T::Currency::transfer(&grant.owner, &grant.grantee, refund, Preservation::Preserve)?;
		}
		Ok(refund)
	}

	/// Ends a grant: removes its keys and releases their part of the deposit. The rest of the grant is
	/// removed `GrantMemory` blocks later.
	pub(crate) fn end_grant(id: GrantId, grant: &mut GrantOf<T>, state: GrantState) {
		// The deposit's rates may have changed since the grant was given, so never keep more than is held.
		let kept = grant.deposit.min(Self::deposit(Footprint::grant(0)));
		Self::release(
			HoldReason::Grant,
			&grant.depositor,
			grant.deposit.saturating_sub(kept),
		);
		Self::note_no_longer_sold(grant);
		Self::detach(id, grant);
		grant.condition = None;
		grant.state = state;
		grant.sealed_keys = BoundedVec::new();
		grant.deposit = kept;
		// Choose the next block at the earliest, because this block's agenda may already be finished.
		let due = frame_system::Pallet::<T>::block_number()
			.saturating_add(T::GrantMemory::get().max(One::one()));
		Self::put_off(id, grant, due);
	}

	/// Ends a grant that has expired.
	pub(crate) fn expire_grant(id: GrantId, grant: &mut GrantOf<T>) {
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
		let blocks_to = |time: Seconds| {
			let seconds = time.saturating_sub(Self::time());
			seconds.div_ceil(T::BlockInterval::get().max(1))
		};
		let ends = until.map(blocks_to);
		let half_way = changes.map(|changes| blocks_to(changes) / 2);
		let Some(blocks) = ends.into_iter().chain(half_way).min() else {
			return expiry;
		};
		frame_system::Pallet::<T>::block_number()
			.saturating_add(blocks.max(1).saturated_into())
			.min(expiry)
	}

	/// Removes a grant, and releases what is held for it.
	pub(crate) fn forget_grant(id: GrantId, grant: &GrantOf<T>) {
		let Scope { dataset, epoch, .. } = grant.scope;
		Self::note_no_longer_sold(grant);
		Self::detach(id, grant);
		Self::amend_reader((&grant.owner, dataset, epoch, &grant.grantee), |entry| {
			entry.grants.retain(|other| *other != id);
		});
		Self::amend_dataset(&grant.owner, dataset, |dataset| {
			dataset.grants = dataset.grants.saturating_sub(1);
		});
		GrantsTo::<T>::remove(&grant.grantee, id);
		Agenda::<T>::remove(grant.due, Due::Grant(id));
		Grants::<T>::remove(id);
		Self::release(HoldReason::Grant, &grant.depositor, grant.deposit);
	}
}

/// What was sold.
impl<T: Config> Pallet<T> {
	/// Returns whether a grant has not ended and its reader paid for it. What was paid for a firm grant of an earlier
	/// runtime is not known.
	pub(crate) fn is_sold(grant: &GrantOf<T>) -> bool {
		!grant.state.has_ended() && (grant.firm || !grant.paid.is_zero())
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

/// The agenda.
impl<T: Config> Pallet<T> {
	/// Processes up to `MaxEndingsPerBlock` agenda entries that are due by this block, oldest first.
	pub(crate) fn begin_agenda(now: BlockNumberFor<T>) -> Weight {
		if Migrating::<T>::exists() {
			// What is due may not be readable yet. It is overdue when it is.
			if !Backlog::<T>::exists() {
				Backlog::<T>::put(now);
			}
			return T::DbWeight::get().reads_writes(2, 1);
		}
		Self::work_off_agenda(now, T::MaxEndingsPerBlock::get())
	}

	/// Processes overdue agenda entries until this weight is used up.
	pub(crate) fn catch_up_agenda(now: BlockNumberFor<T>, room: Weight) -> Weight {
		let look = T::DbWeight::get().reads(1);
		if room.any_lt(look) || !Backlog::<T>::exists() {
			return look.min(room);
		}
		// The last entry begins when steps are left, and may be a grant with a condition.
		let last = T::WeightInfo::on_initialize_idle().saturating_add(Self::weight_of_settling(1));
		let room = room.saturating_sub(look.saturating_add(last));
		let steps = room.checked_div_per_component(&Self::weight_of_step());
		let steps = steps.unwrap_or(0).saturated_into::<u32>();
		if steps == 0 {
			return look;
		}
		look.saturating_add(Self::work_off_agenda(now, steps))
	}

	/// Returns the weight of processing this number of agenda entries, whatever they are.
	pub(crate) fn weight_of_settling(entries: u64) -> Weight {
		Self::weight_of_step()
			.saturating_add(Self::weight_of_condition())
			.saturating_mul(entries)
	}

	/// Returns the weight of processing an agenda entry without a condition.
	pub(crate) fn weight_of_step() -> Weight {
		T::WeightInfo::lapse_request()
			.max(T::WeightInfo::expire_grant())
			.max(T::WeightInfo::forget_grant())
			.max(T::WeightInfo::on_initialize_idle())
	}

	/// Returns the additional weight if the entry is a grant with a condition, which is evaluated or removed.
	fn weight_of_condition() -> Weight {
		T::WeightInfo::carry_out().max(T::WeightInfo::detach())
	}

	/// Processes agenda entries that are due by this block, oldest first. Moving on from one block's agenda to
	/// the next takes a step, too. A grant with a condition takes more weight, and so more than one step.
	fn work_off_agenda(now: BlockNumberFor<T>, steps: u32) -> Weight {
		let backlog = Backlog::<T>::get();
		let mut block = backlog.unwrap_or(now);
		let weight = T::WeightInfo::on_initialize_idle();
		// Processing an entry removes it from the agenda. It may add an entry, but only for a later block.
		let mut agenda = Agenda::<T>::iter_key_prefix(block);
		let most = Self::weight_of_step().saturating_mul(steps.into());
		let mut spent = Weight::zero();
		for _ in 0..steps {
			if spent.any_gt(most) {
				break;
			}
			match agenda.next() {
				Some(due) => spent.saturating_accrue(Self::on_due(block, due)),
				None if block < now => {
					block.saturating_inc();
					agenda = Agenda::<T>::iter_key_prefix(block);
					spent.saturating_accrue(T::WeightInfo::on_initialize_idle());
				}
				None => {
					if backlog.is_some() {
						Backlog::<T>::kill();
					}
					return weight.saturating_add(spent);
				}
			}
		}
		Backlog::<T>::put(block);
		weight.saturating_add(spent)
	}

	/// Processes one due entry and removes it from the agenda.
	fn on_due(block: BlockNumberFor<T>, due: Due) -> Weight {
		let weight = match due {
			Due::Grant(id) if Self::has_condition(id) => Self::weight_of_settling(1),
			_ => Self::weight_of_step(),
		};
		if !Self::settle_one(due) {
			match due {
				// The grant's condition was evaluated. Or it ends at a date, and blocks are faster than expected.
				Due::Grant(id) => match Grants::<T>::get(id) {
					Some(grant) if grant.due > block => {}
					Some(mut grant) => {
						let due = Self::due(grant.expiry, grant.until, None);
						Self::put_off(id, &mut grant, due);
					}
					None => {
						defensive!("the agenda has a grant that does not exist");
						Agenda::<T>::remove(block, due);
					}
				},
				Due::Request(_) => {
					defensive!("the agenda has a request that does not exist");
					Agenda::<T>::remove(block, due);
				}
			}
		}
		weight
	}

	fn has_condition(id: GrantId) -> bool {
		Grants::<T>::get(id).is_some_and(|grant| grant.condition.is_some())
	}

	/// Ends a request or grant, or removes an ended grant, if it is due; suspends or resumes a grant, if its condition says
	/// so. Returns whether anything was done.
	pub(crate) fn settle_one(due: Due) -> bool {
		let now = frame_system::Pallet::<T>::block_number();
		match due {
			Due::Request(id) => {
				let overdue = |request: &RequestOf<T>| now >= request.valid_until;
				let Some(request) = Requests::<T>::get(id).filter(overdue) else {
					return false;
				};
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
			}
			Due::Grant(id) => {
				let Some(mut grant) = Grants::<T>::get(id) else {
					return false;
				};
				match grant.state {
					GrantState::Active | GrantState::Suspended => {
						if !Self::is_over(&grant) {
							return Self::look_at(id, &mut grant);
						}
						Self::expire_grant(id, &mut grant);
					}
					_ if now < grant.due => return false,
					_ => Self::remember_no_longer(id, grant),
				}
			}
		}
		true
	}

	/// Removes an ended grant, whose time is over or whose place is needed.
	fn remember_no_longer(id: GrantId, grant: GrantOf<T>) {
		Self::forget_grant(id, &grant);
		let Grant {
			owner,
			grantee,
			scope,
			..
		} = grant;
		Self::deposit_event(Event::GrantForgotten {
			grant: id,
			owner,
			grantee,
			scope,
		});
	}
}
