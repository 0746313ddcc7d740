// SPDX-License-Identifier: Apache-2.0
//! The runtime's own transaction extension.

use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	impl_tx_ext_default,
	traits::{AsSystemOriginSigner, DispatchInfoOf, TransactionExtension, ValidateResult},
	transaction_validity::{InvalidTransaction, TransactionSource, ValidTransaction},
};

/// Which calls need more than a signature.
pub trait RootCalls: frame_system::Config {
	/// Returns why a call, or a call that it carries out, fails whenever this account signs it: it needs the origin of the
	/// superuser or of the verifiers' council, or that council would refuse it.
	fn refusal(signer: &Self::AccountId, call: &Self::RuntimeCall) -> Option<InvalidTransaction>;
}

/// Rejects a signed transaction whose call no signature is enough for, before it takes a place in a block.
///
/// Otherwise anyone could fill blocks with such calls, for example with `system.set_storage` of a mebibyte: they
/// would be included and only then fail. The extension adds no bytes to a transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, Eq, PartialEq, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckRootCalls<T>(PhantomData<T>);

impl<T> CheckRootCalls<T> {
	/// Returns the extension, which has no settings.
	pub fn new() -> Self {
		Self(PhantomData)
	}
}

impl<T> Default for CheckRootCalls<T> {
	fn default() -> Self {
		Self::new()
	}
}

impl<T> core::fmt::Debug for CheckRootCalls<T> {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str("CheckRootCalls")
	}
}

impl<T: RootCalls + Send + Sync> TransactionExtension<T::RuntimeCall> for CheckRootCalls<T>
where
	T::RuntimeOrigin: AsSystemOriginSigner<T::AccountId>,
{
	const IDENTIFIER: &'static str = "CheckRootCalls";
	type Implicit = ();
	type Val = ();
	type Pre = ();

	fn weight(&self, _: &T::RuntimeCall) -> Weight {
		// At most five entries are read: the superuser's key, the lists of verifiers in the council and in the pallet, a
		// restart of finality, and an account's proxies.
		T::DbWeight::get().reads(5)
	}

	fn validate(
		&self,
		origin: T::RuntimeOrigin,
		call: &T::RuntimeCall,
		_info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
		_self_implicit: Self::Implicit,
		_inherited_implication: &impl Encode,
		_source: TransactionSource,
	) -> ValidateResult<Self::Val, T::RuntimeCall> {
		let signer = origin.as_system_origin_signer();
		match signer.and_then(|signer| T::refusal(signer, call)) {
			Some(refusal) => Err(refusal.into()),
			None => Ok((ValidTransaction::default(), (), origin)),
		}
	}

	impl_tx_ext_default!(T::RuntimeCall; prepare);
}
