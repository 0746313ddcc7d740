// SPDX-License-Identifier: Apache-2.0
//! The transaction extension that tells `store`, `open_record` and `store_chunk` whether they are a
//! transaction's own call or are wrapped in another call. What this page says about `store` applies to all
//! three.
//!
//! `store` asks the client to index the last `size` bytes of the extrinsic. A transaction ends with its
//! call, and `store` ends with the value. So these bytes are the value, but only if `store` itself is the
//! transaction's call. Inside a batch, a proxy or a scheduled call, the last bytes can be anything, and the
//! client would store them under the value's hash.
//!
//! Only an extension sees the call before any wrapper unwraps it. If the call is `store`, [`DirectCall`]
//! leaves a note (the storage entry `DirectStore`), and `store` fails unless it finds the note. In a
//! runtime without the extension, `store` always fails.

use crate::{pallet::DirectStore, weights::WeightInfo, Call, Config};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::traits::IsSubType;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	impl_tx_ext_default,
	traits::{DispatchInfoOf, DispatchOriginOf, PostDispatchInfoOf, TransactionExtension},
	transaction_validity::TransactionValidityError,
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
	matches!(
		call.is_sub_type(),
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

	impl_tx_ext_default!(T::RuntimeCall; validate);
}
