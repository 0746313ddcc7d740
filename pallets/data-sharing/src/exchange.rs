// SPDX-License-Identifier: Apache-2.0
//! Fair exchange: holds what readers pay until they had time to look at what they got, and gives it back to those who show
//! that they were cheated.
//!
//! A reader shows it with the secret of the key in its request. The chain opens the grant as the reader's program does, with
//! the same code, and derives the key of one leaf. The header of a record commits to its leaf's key, so an honest
//! owner's keys always fit. An owner's program that seals in other formats than `docs/formats.md` has can lose disputes.

use crate::{pallet::*, types::*};
use codec::Encode;
use frame_support::{
	defensive,
	dispatch::{DispatchResultWithPostInfo, Pays},
	ensure,
	storage::with_storage_layer,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
		Get,
	},
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_keys::{
	header, open_grant, EncryptionKeyPair, EpochId, GrantScope, KeyId, KeySet, LeafKey, PublicKey,
	Range, Suite,
};
use isthmus_sharing::{terms::Footprint, Manifest};
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::{
	traits::{SaturatedConversion, Saturating, Zero},
	DispatchResult,
};

/// Returns an account as formats contain it: 32 bytes. A shorter one, as in tests, is filled up with zeros.
pub(crate) fn account_bytes(who: &impl Encode) -> [u8; 32] {
	let mut bytes = [0; 32];
	for (to, from) in bytes.iter_mut().zip(who.encode()) {
		*to = from;
	}
	bytes
}

/// Payments.
impl<T: Config> Pallet<T> {
	/// Keeps the offer that a new grant answers, which stays held from the reader, until it can no longer be disputed.
	/// `key` is that of the request; none if nothing is paid.
	pub(crate) fn keep_payment(id: GrantId, grant: &GrantOf<T>, key: Option<EncryptionKey>) {
		let Some(key) = key else {
			return;
		};
		// The window may have been shorter when the request was made. While there is a payment, the grant must not expire.
		let term = grant.paid_until.saturating_sub(grant.paid_from);
		let window = (term / 2u32.into()).min(Self::longest_window());
		let until = grant
			.paid_from
			.saturating_add(window.max(T::DisputeWindow::get()))
			.min(grant.paid_until);
		let mut prefix = [0; PublicKey::PREFIX_LEN];
		for (to, from) in prefix.iter_mut().zip(key.iter()) {
			*to = *from;
		}
		Agenda::<T>::insert(until, Due::Payment(id), ());
		Payments::<T>::insert(
			id,
			Payment {
				until,
				prefix,
				key: blake2_256(&key).into(),
			},
		);
	}

	/// Returns the number of blocks that no payment can be disputed for longer than.
	pub(crate) fn longest_window() -> BlockNumberFor<T> {
		LongestWindow::<T>::get().max(T::DisputeWindow::get())
	}

	/// Removes the note of a payment. Returns whether there was one. The caller must pay it or give it back.
	pub(crate) fn take_payment(id: GrantId) -> bool {
		let Some(payment) = Payments::<T>::take(id) else {
			return false;
		};
		Agenda::<T>::remove(payment.until, Due::Payment(id));
		true
	}

	/// Pays the owner of a grant, or who controls its dataset, if it was not paid yet and did not give the payment back.
	pub(crate) fn pay_owner(id: GrantId, grant: &GrantOf<T>) {
		if !Self::take_payment(id) || grant.state.has_ended() {
			return;
		}
		let Grant {
			owner,
			grantee,
			scope,
			paid,
			..
		} = grant.clone();
		let controller = Self::controller(&owner, scope.dataset);
		if !Self::move_offer(&grantee, &controller, paid) {
			// No later block would do better, and the payment must not stay held without a note of it.
			Self::release(HoldReason::Offer, &grantee, paid);
			return;
		}
		Self::deposit_event(Event::OfferPaid {
			grant: id,
			owner,
			grantee,
			scope,
			paid,
			controller,
		});
	}

	/// Gives the payment for a grant back to its reader, if the owner was not paid yet. Returns the amount: nothing if it was
	/// given back before. The note of it stays.
	pub(crate) fn pay_back(id: GrantId, grant: &GrantOf<T>) -> Option<BalanceOf<T>> {
		Payments::<T>::contains_key(id).then(|| {
			if grant.state.has_ended() {
				return Zero::zero();
			}
			Self::release(HoldReason::Offer, &grant.grantee, grant.paid);
			grant.paid
		})
	}

	/// Removes the note of a payment that was given back, and the keys that were kept as evidence for a dispute.
	pub(crate) fn close_payment(id: GrantId, grant: &mut GrantOf<T>) {
		Self::take_payment(id);
		Self::drop_keys(grant);
		Grants::<T>::insert(id, &*grant);
	}

	/// Moves an offer to an owner. Returns whether that was done: an account may not be able to take it.
	fn move_offer(from: &T::AccountId, to: &T::AccountId, amount: BalanceOf<T>) -> bool {
		with_storage_layer(|| {
			T::Currency::transfer_on_hold(
				&HoldReason::Offer.into(),
				from,
				to,
				amount,
				Precision::Exact,
				Restriction::Free,
				// A freeze of the balance must not prevent a payment that was promised.
				Fortitude::Force,
			)
		})
		.is_ok()
	}

	/// Holds again what disputes took of the deposit for a dataset: who sells must have something to lose.
	pub(crate) fn restore_deposit(owner: &T::AccountId, id: DatasetId) -> DispatchResult {
		let mut dataset = Self::own_dataset(owner, id)?;
		let full = Self::deposit(Footprint::dataset(dataset.name.len()));
		if dataset.deposit < full {
			let lacking = full.saturating_sub(dataset.deposit);
			let payer = Payer::Controller(owner, id);
			Self::hold_from(HoldReason::Dataset, payer, lacking)?;
			dataset.deposit = full;
			Datasets::<T>::insert(owner, id, dataset);
		}
		Ok(())
	}
}

/// Disputes.
impl<T: Config> Pallet<T> {
	/// Decides a reader's dispute about a grant.
	pub(crate) fn do_dispute(
		reader: T::AccountId,
		id: GrantId,
		leaf: Leaf,
		secret: [u8; 32],
		shown: &[u8],
	) -> DispatchResultWithPostInfo {
		let mut grant = Grants::<T>::get(id)
			.filter(|grant| grant.grantee == reader)
			.ok_or(Error::<T>::UnknownGrant)?;
		// The agenda may be late.
		let now = frame_system::Pallet::<T>::block_number();
		let payment = Payments::<T>::get(id)
			.filter(|payment| now < payment.until)
			.ok_or(Error::<T>::NothingToDispute)?;
		ensure!(grant.scope.covers(leaf), Error::<T>::LeafOutsideGrant);
		let pair = Self::revealed(&payment, secret)?;
		let is_good = match Self::open(&grant, &pair) {
			Some(keys) => Self::opens(&grant, &keys, leaf, shown)?,
			None => false,
		};
		let Grant {
			owner,
			grantee,
			scope,
			..
		} = grant.clone();
		let controller = Self::controller(&owner, scope.dataset);
		// The secret is public now, and with it the keys of the range.
		Self::leave_epoch(&owner, &scope);
		if is_good {
			Self::deposit_event(Event::DisputeLost {
				grant: id,
				owner,
				grantee,
				scope,
				leaf,
				controller,
			});
			return Ok(().into());
		}
		let refunded = Self::pay_back(id, &grant).unwrap_or_else(Zero::zero);
		let slashed = Self::slash(&owner, scope.dataset);
		if grant.state.has_ended() {
			Self::close_payment(id, &mut grant);
		} else {
			Self::take_payment(id);
			Self::end_grant(id, &mut grant, GrantState::Revoked);
		}
		Self::deposit_event(Event::DisputeWon {
			grant: id,
			owner,
			grantee,
			scope,
			leaf,
			refunded,
			slashed,
			controller,
		});
		// What the reader had to show is not its fault.
		Ok(Pays::No.into())
	}

	/// Returns the pair of keys with a revealed secret, if it is the one that the request named.
	fn revealed(payment: &PaymentOf<T>, secret: [u8; 32]) -> Result<EncryptionKeyPair, Error<T>> {
		let [hi, lo, id @ ..] = payment.prefix;
		let id: KeyId = id;
		let suite =
			Suite::from_id(u16::from_be_bytes([hi, lo])).map_err(|_| Error::<T>::SuiteUnknown)?;
		let pair = EncryptionKeyPair::from_seed(suite, id, secret);
		let key = H256(blake2_256(&pair.public_key().to_bytes()));
		ensure!(key == payment.key, Error::<T>::WrongSecret);
		Ok(pair)
	}

	/// Opens a grant as its reader's program does. Returns `None` if it does not open, whatever the reason: the
	/// reader's key is right, so it is the owner's fault.
	fn open(grant: &GrantOf<T>, pair: &EncryptionKeyPair) -> Option<KeySet> {
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = grant.scope;
		let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		let id = EpochId {
			genesis: account_bytes(&genesis),
			owner: account_bytes(&grant.owner),
			dataset,
			epoch,
		};
		let scope = GrantScope {
			grantee: account_bytes(&grant.grantee),
			range: Range::new(from, to).ok()?,
			expiry: grant.expiry.saturated_into(),
		};
		open_grant(pair, &id, &scope, &grant.sealed_keys).ok()
	}

	/// Returns whether keys open the record at a leaf, as far as its header says.
	fn opens(
		grant: &GrantOf<T>,
		keys: &KeySet,
		leaf: Leaf,
		shown: &[u8],
	) -> Result<bool, Error<T>> {
		let Scope { dataset, epoch, .. } = grant.scope;
		let key = match Leaves::<T>::get((&grant.owner, dataset, epoch, leaf)) {
			Some(TakenLeaf {
				by: LeafUse::Record(key),
				..
			}) => key,
			_ => return Err(Error::<T>::LeafNotTaken),
		};
		let record = Records::<T>::get(&grant.owner, key).ok_or(Error::<T>::UnknownRecord)?;
		let Ok(leaf) = keys.leaf_key(leaf) else {
			return Ok(false);
		};
		Self::is_under(&record, &leaf, shown)
	}

	/// Returns whether the header of a record commits to a leaf's key.
	fn is_under(record: &RecordOf<T>, leaf: &LeafKey, shown: &[u8]) -> Result<bool, Error<T>> {
		let check = |hash: &H256| {
			ensure!(blake2_256(shown) == hash.0, Error::<T>::NotTheRecord);
			Ok::<_, Error<T>>(())
		};
		Ok(match &record.payload {
			Payload::Value { content_hash, .. } => {
				check(content_hash)?;
				header::is_record_of(shown, leaf)
			}
			Payload::Chunks { manifest, .. } => {
				check(manifest)?;
				let read = Manifest::read(shown, record.payload.chunks());
				read.is_ok_and(|manifest| header::is_record_of(manifest.header, leaf))
			}
			Payload::Object { object, .. } => {
				ensure!(shown.is_empty(), Error::<T>::NotTheRecord);
				header::is_object_of(&object.header, leaf)
			}
		})
	}

	/// Burns a bounded part of the deposit for a dataset. Returns the amount.
	///
	/// The reader does not get it: it may be an account of the owner, or a friend of one who answers for the owner.
	fn slash(owner: &T::AccountId, dataset: DatasetId) -> BalanceOf<T> {
		Datasets::<T>::mutate(owner, dataset, |entry| {
			let Some(entry) = entry else {
				defensive!("a grant has no dataset");
				return Zero::zero();
			};
			let amount = entry.deposit.min(T::DisputeSlash::get());
			if amount.is_zero() {
				return amount;
			}
			let Some(mut control) = Controls::<T>::get(owner, dataset) else {
				defensive!("no one controls a dataset");
				return Zero::zero();
			};
			let burned = T::Currency::burn_held(
				&HoldReason::Dataset.into(),
				&control.controller,
				amount,
				Precision::BestEffort,
				Fortitude::Force,
			);
			if burned != Ok(amount) {
				defensive!("less was held than this pallet counted", burned);
			}
			let burned = burned.unwrap_or_else(|_| Zero::zero());
			entry.deposit = entry.deposit.saturating_sub(burned);
			Self::count_released(&mut control, HoldReason::Dataset, burned);
			Controls::<T>::insert(owner, dataset, control);
			burned
		})
	}

	/// Starts the next epoch of a dataset if a grant that is public now is on the current one.
	fn leave_epoch(owner: &T::AccountId, scope: &Scope) {
		let current = |dataset: &Dataset<_>| dataset.epoch == scope.epoch;
		let Some(mut dataset) = Datasets::<T>::get(owner, scope.dataset).filter(current) else {
			return;
		};
		// After the last epoch there is none.
		if Self::next_epoch(owner, scope.dataset, &mut dataset).is_ok() {
			Datasets::<T>::insert(owner, scope.dataset, dataset);
		}
	}
}
