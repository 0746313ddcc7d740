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
	defensive, ensure,
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
use isthmus_sharing::Manifest;
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
		// The window may have been shorter when the request was made. While there is a payment, the grant must not end.
		let until = grant
			.paid_from
			.saturating_add(T::DisputeWindow::get())
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

	/// Removes the note of a payment. Returns whether there was one. The caller must pay it or give it back.
	fn take_payment(id: GrantId) -> bool {
		let Some(payment) = Payments::<T>::take(id) else {
			return false;
		};
		Agenda::<T>::remove(payment.until, Due::Payment(id));
		true
	}

	/// Pays the owner of a grant, if it was not paid yet.
	pub(crate) fn pay_owner(id: GrantId, grant: &GrantOf<T>) {
		if !Self::take_payment(id) {
			return;
		}
		let Grant {
			owner,
			grantee,
			scope,
			paid,
			..
		} = grant.clone();
		Self::move_held(HoldReason::Offer, &grantee, &owner, paid);
		Self::deposit_event(Event::OfferPaid {
			grant: id,
			owner,
			grantee,
			scope,
			paid,
		});
	}

	/// Gives the payment for a grant back to its reader, if the owner was not paid yet. Returns the amount.
	pub(crate) fn pay_back(id: GrantId, grant: &GrantOf<T>) -> Option<BalanceOf<T>> {
		Self::take_payment(id).then(|| {
			Self::release(HoldReason::Offer, &grant.grantee, grant.paid);
			grant.paid
		})
	}

	/// Moves a held amount to another account. This cannot fail, because the pallet keeps track of what it holds, and both
	/// accounts are there: something is held from the one, and the other has a dataset or a grant.
	fn move_held(reason: HoldReason, from: &T::AccountId, to: &T::AccountId, amount: BalanceOf<T>) {
		if amount.is_zero() {
			return;
		}
		let moved = T::Currency::transfer_on_hold(
			&reason.into(),
			from,
			to,
			amount,
			Precision::Exact,
			Restriction::Free,
			// A freeze of the balance must not prevent a payment that was promised.
			Fortitude::Force,
		);
		if moved != Ok(amount) {
			defensive!("a held amount could not be moved", moved);
		}
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
	) -> DispatchResult {
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
		if is_good {
			Self::deposit_event(Event::DisputeLost {
				grant: id,
				owner,
				grantee,
				scope,
				leaf,
			});
			return Ok(());
		}
		let refunded = Self::pay_back(id, &grant).unwrap_or_else(Zero::zero);
		let slashed = Self::slash(&owner, scope.dataset, &grantee);
		Self::end_grant(id, &mut grant, GrantState::Revoked);
		Self::deposit_event(Event::DisputeWon {
			grant: id,
			owner,
			grantee,
			scope,
			leaf,
			refunded,
			slashed,
		});
		Ok(())
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

	/// Takes a bounded part of the deposit for a dataset from its owner, and gives it to a reader. Returns the amount.
	fn slash(owner: &T::AccountId, dataset: DatasetId, to: &T::AccountId) -> BalanceOf<T> {
		let taken = Datasets::<T>::mutate(owner, dataset, |entry| {
			let Some(entry) = entry else {
				defensive!("a grant has no dataset");
				return Zero::zero();
			};
			let taken = entry.deposit.min(T::DisputeSlash::get());
			entry.deposit = entry.deposit.saturating_sub(taken);
			taken
		});
		Self::move_held(HoldReason::Dataset, owner, to, taken);
		taken
	}
}
