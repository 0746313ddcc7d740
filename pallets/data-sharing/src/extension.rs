// SPDX-License-Identifier: Apache-2.0
//! The transaction extension that tells `store`, `open_record` and `store_chunk` whether they are a
//! transaction's own call or are wrapped in another call. What this page says about `store` applies to all
//! three. `act_for` counts as the call that it carries out: that is its last argument.
//!
//! `store` asks the client to index the last `size` bytes of the extrinsic. A transaction ends with its
//! call, and `store` ends with the value. So these bytes are the value, but only if `store` itself is the
//! transaction's call. Inside a batch, a proxy or a scheduled call, the last bytes can be anything, and the
//! client would store them under the value's hash.
//!
//! The extension also rejects a transaction of these calls that can never succeed, before it takes a place in a
//! block: one for an epoch that is over, a dataset that is gone, or a leaf that is taken. Such a transaction would not only
//! cost its fee. Its ciphertext would be public, and a reader who was revoked when the epoch ended, or one who may read what
//! took the leaf, can open it. No block with such a transaction is valid. A chunk of a record that
//! was removed or is complete is included, and fails for its fee: the pool has to keep it, because a transaction before it
//! may open the record, and what a pool keeps but no block takes would fill it for nothing. What an account sends after a
//! rejected transaction waits for its nonce, and is not included either.
//!
//! Only an extension sees the call before any wrapper unwraps it. If the call is `store`, [`DirectCall`]
//! leaves a note (the storage entry `DirectStore`), and `store` fails unless it finds the note. In a
//! runtime without the extension, `store` always fails.

use crate::{pallet::DirectStore, weights::WeightInfo, Call, Config, Error, Pallet};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::traits::IsSubType;
use frame_system::ensure_signed;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{
		DispatchInfoOf, DispatchOriginOf, PostDispatchInfoOf, TransactionExtension, ValidateResult,
	},
	transaction_validity::{
		InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
	},
	DispatchResult, Weight,
};

/// Leaves a note if a transaction's own call is one that indexes its bytes. The extension adds no bytes to
/// a transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, Eq, PartialEq, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct DirectCall<T>(PhantomData<T>);

impl<T> DirectCall<T> {
	/// Returns the extension, which has no settings.
	pub fn new() -> Self {
		Self(PhantomData)
	}
}

impl<T> Default for DirectCall<T> {
	fn default() -> Self {
		Self::new()
	}
}

impl<T> core::fmt::Debug for DirectCall<T> {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str("DirectCall")
	}
}

fn indexes<T: Config>(call: &T::RuntimeCall) -> bool
where
	T::RuntimeCall: IsSubType<Call<T>>,
{
	let own = match call.is_sub_type() {
		// Its last argument is the call that it carries out, so that the bytes are the transaction's last.
		Some(Call::act_for { call, .. }) => call.is_sub_type(),
		own => own,
	};
	matches!(
		own,
		Some(Call::store { .. } | Call::open_record { .. } | Call::store_chunk { .. })
	)
}

impl<T: Config + Send + Sync> TransactionExtension<T::RuntimeCall> for DirectCall<T>
where
	T::RuntimeCall: IsSubType<Call<T>>,
{
	const IDENTIFIER: &'static str = "DirectCall";
	type Implicit = ();
	type Val = ();
	/// Whether `prepare` left a note.
	type Pre = bool;

	fn weight(&self, call: &T::RuntimeCall) -> Weight {
		if indexes::<T>(call) {
			T::WeightInfo::direct_call()
		} else {
			Weight::zero()
		}
	}

	fn validate(
		&self,
		origin: DispatchOriginOf<T::RuntimeCall>,
		call: &T::RuntimeCall,
		_info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
		_self_implicit: Self::Implicit,
		_inherited_implication: &impl Encode,
		_source: TransactionSource,
	) -> ValidateResult<Self::Val, T::RuntimeCall> {
		if let (Ok(owner), Some(call)) = (ensure_signed(origin.clone()), call.is_sub_type()) {
			let (owner, call) = match call {
				Call::act_for { owner, call } => (owner, call.is_sub_type()),
				call => (&owner, Some(call)),
			};
			if let Some(call) = call {
				Pallet::<T>::check_in_time(owner, call).map_err(reason)?;
			}
		}
		Ok((ValidTransaction::default(), (), origin))
	}

	fn prepare(
		self,
		_val: Self::Val,
		_origin: &DispatchOriginOf<T::RuntimeCall>,
		call: &T::RuntimeCall,
		_info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
	) -> Result<Self::Pre, TransactionValidityError> {
		let noted = indexes::<T>(call);
		if noted {
			DirectStore::<T>::put(());
		}
		Ok(noted)
	}

	/// Removes the note if the call did not take it. That is the case if the call failed too early, or if
	/// the note was restored when the failed call's changes were rolled back.
	fn post_dispatch_details(
		noted: Self::Pre,
		_info: &DispatchInfoOf<T::RuntimeCall>,
		_post_info: &PostDispatchInfoOf<T::RuntimeCall>,
		_len: usize,
		_result: &DispatchResult,
	) -> Result<Weight, TransactionValidityError> {
		if noted {
			DirectStore::<T>::kill();
		}
		Ok(Weight::zero())
	}
}

/// Returns a rejection's reason: the index of the error that the call would return, in the pallet's metadata.
fn reason<T: Config>(error: Error<T>) -> InvalidTransaction {
	InvalidTransaction::Custom(error.encode().first().copied().unwrap_or_default())
}
