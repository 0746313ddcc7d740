// SPDX-License-Identifier: Apache-2.0
//! What the calls share: argument checks, deposits, the start and end of requests and grants, and the
//! agenda. The agenda lists what will happen automatically at each block.
//!
//! These functions do not check the origin, because the calls have checked it.

mod agenda;
mod grants;

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
	defensive, ensure,
	traits::{
		fungible::{Mutate, MutateHold},
		tokens::{Precision, Preservation},
		Get, UnixTime,
	},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_conditions::{Condition, Truth, MAX_NODES};
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
	/// Checks that a dataset's policy offers firm terms for this payment, if the request asks for one, and that the request
	/// is not known to fail the policy's condition. Returns whether there is such a condition.
	pub(crate) fn check_policy(
		owner: &T::AccountId,
		scope: &Scope,
		consumer: &T::AccountId,
		offer: &BalanceOf<T>,
		firm: bool,
	) -> Result<bool, Error<T>> {
		let standing = Policies::<T>::get(owner, scope.dataset);
		if firm {
			let verdict = standing
				.as_ref()
				.map(|standing| standing.policy.judge_firm(offer));
			ensure!(verdict == Some(Verdict::Meets), Error::<T>::FirmNotOffered);
		}
		let Some(attached) = standing.and_then(|standing| standing.condition) else {
			return Ok(false);
		};
		let grants = Datasets::<T>::get(owner, scope.dataset).map_or(0, |dataset| dataset.grants);
		let truth = Self::truth_for(&attached.condition, consumer, offer, grants);
		ensure!(truth != Truth::False, Error::<T>::RequestRefused);
		Ok(true)
	}

	/// Sets a dataset's policy, in place of the one that it has, and holds its deposit.
	pub(crate) fn put_policy(
		owner: &T::AccountId,
		dataset: DatasetId,
		policy: Policy<BalanceOf<T>, BlockNumberFor<T>>,
		condition: Option<Condition>,
	) -> DispatchResult {
		let deposit = match Policies::<T>::get(owner, dataset) {
			Some(old) => {
				Self::release_condition(owner, dataset, &old);
				old.deposit
			}
			None => {
				let deposit = Self::deposit(Footprint::ENTRY);
				let payer = Payer::Controller(owner, dataset);
				Self::hold_from(HoldReason::Dataset, payer, deposit)?;
				deposit
			}
		};
		let attached = condition.map(|condition| {
			Self::check_reads(&condition)?;
			// Nothing waits for it: it is evaluated when a request is made.
			let deposit = Self::deposit(Footprint::condition(0, condition.encoded_size()));
			let payer = Payer::Controller(owner, dataset);
			Self::hold_from(HoldReason::Condition, payer, deposit)?;
			Ok::<_, DispatchError>(Attached { condition, deposit })
		});
		let standing = StandingPolicy {
			policy,
			deposit,
			condition: attached.transpose()?,
		};
		Policies::<T>::insert(owner, dataset, standing);
		Ok(())
	}

	/// Removes a dataset's policy, and releases its deposits. Returns whether it had one.
	pub(crate) fn drop_policy(owner: &T::AccountId, dataset: DatasetId) -> bool {
		let Some(old) = Policies::<T>::take(owner, dataset) else {
			return false;
		};
		Self::release_condition(owner, dataset, &old);
		let payer = Payer::Controller(owner, dataset);
		Self::release_to(HoldReason::Dataset, payer, old.deposit);
		true
	}

	/// Releases the deposit for the condition of a policy, if it has one.
	fn release_condition(
		owner: &T::AccountId,
		dataset: DatasetId,
		policy: &StandingPolicy<BalanceOf<T>, BlockNumberFor<T>>,
	) {
		if let Some(attached) = &policy.condition {
			let payer = Payer::Controller(owner, dataset);
			Self::release_to(HoldReason::Condition, payer, attached.deposit);
		}
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
		Self::drop_trigger(&Target::Request(id));
		Self::release(HoldReason::Request, &request.consumer, request.deposit);
	}

	/// Closes the request that a grant answers: checks that the grant is as requested, and makes the request's deposit the
	/// grant's. Returns the request's key if there is an offer. The offer stays held: the caller must keep it as a payment.
	///
	/// Nothing here depends on what the reader does after it has requested: its sealed keys are public already.
	pub(crate) fn fulfil(
		answered: &Answered,
		grant: &mut GrantOf<T>,
	) -> Result<Option<EncryptionKey>, DispatchError> {
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
		grant.code = request.code;
		Self::hold(HoldReason::Grant, &grant.depositor, grant.deposit)?;
		if request.offer.is_zero() {
			return Ok(None);
		}
		Self::restore_deposit(&grant.owner, grant.scope.dataset)?;
		grant.paid = request.offer;
		grant.paid_until = term_ends;
		grant.firm = request.firm;
		Ok(Some(request.key))
	}
}
