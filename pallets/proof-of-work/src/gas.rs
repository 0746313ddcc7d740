// SPDX-License-Identifier: Apache-2.0
//! Gas measures execution, and every block states its own limit on the gas of its transactions.
//!
//! 1 gas is 100 ns of `ref_time` ([`REF_TIME_PER_GAS`]). A byte of a transaction's call is [`GAS_PER_BYTE`] gas
//! (as the yellow paper's G_txdatanonzero), because bytes, which every node receives and keeps, are scarcer than
//! time: so H_g, H_l and the fees' multiplier all count them. H_g, the gas used, is what the block's
//! transactions used (yellow paper, section 4.3: "the total gas used in transactions in this block"): the
//! weight of the normal and operational classes. H_l is the gas limit.
//!
//! The mandatory class, a block's own work (hooks and inherents), does not count. The runtime bounds it,
//! and no one pays for it, as with Ethereum's rewards and uncles. It must not count: it cannot be refused,
//! and the session pallet books the weight of a whole block at the end of a session, so H_g ≤ H_l would
//! fail for a valid block.

use crate::{Config, CurrentHead, Pallet, WeightInfo};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::{
	dispatch::{DispatchClass, DispatchInfo, PostDispatchInfo},
	ensure,
	traits::Get,
	weights::Weight,
};
use isthmus_primitives::params::{GAS_PER_BYTE, REF_TIME_PER_GAS};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{DispatchInfoOf, Dispatchable, TransactionExtension, ValidateResult},
	transaction_validity::{
		InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
		ValidTransaction,
	},
};

/// Returns the gas of a weight, rounded up.
pub fn gas_of(weight: Weight) -> u64 {
	weight.ref_time().div_ceil(REF_TIME_PER_GAS)
}

/// Returns the weight of a call's bytes.
pub fn weight_of_bytes(call: &impl Encode) -> Weight {
	let bytes = call.encoded_size() as u64;
	let gas = bytes.saturating_mul(GAS_PER_BYTE);
	Weight::from_parts(gas.saturating_mul(REF_TIME_PER_GAS), 0)
}

impl<T: Config> Pallet<T> {
	/// Returns H_g: the gas that the block's transactions have used so far.
	pub fn gas_used() -> u64 {
		let consumed = frame_system::Pallet::<T>::block_weight();
		gas_of(
			consumed
				.get(DispatchClass::Normal)
				.saturating_add(*consumed.get(DispatchClass::Operational)),
		)
	}

	/// Returns H_l (the gas limit) of the block in execution or, between blocks, of the last block.
	pub fn gas_limit() -> u64 {
		CurrentHead::<T>::get().gas_limit
	}
}

/// The transaction extension that makes the bytes of a transaction's call gas, and rejects a transaction that
/// would exceed the block's gas limit (H_l), so that H_g ≤ H_l holds for every block the runtime builds.
///
/// It must follow `CheckWeight`, which books the transaction's weight before this extension reads the sum.
/// The pool rejects a transaction that would not fit into an empty block; it uses the last block's H_l,
/// which changes by at most 1/1024 per block.
///
/// It adds no bytes to a transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, PartialEq, Eq, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckGasLimit<T>(PhantomData<T>);

impl<T> CheckGasLimit<T> {
	/// Returns the extension, which has no settings.
	pub fn new() -> Self {
		Self(PhantomData)
	}
}

impl<T> Default for CheckGasLimit<T> {
	fn default() -> Self {
		Self::new()
	}
}

impl<T> core::fmt::Debug for CheckGasLimit<T> {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str("CheckGasLimit")
	}
}

impl<T: Config> CheckGasLimit<T>
where
	T::RuntimeCall: Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
{
	/// Checks that the transaction on its own fits the limit.
	fn ensure_fits_empty_block(info: &DispatchInfo) -> Result<(), TransactionValidityError> {
		let base = T::BlockWeights::get().get(info.class).base_extrinsic;
		let gas = gas_of(info.total_weight().saturating_add(base));
		Self::ensure_within_limit(info, gas)
	}

	/// Checks that the transaction, whose weight is already booked, fits into the rest of the block.
	fn ensure_fits_this_block(info: &DispatchInfo) -> Result<(), TransactionValidityError> {
		Self::ensure_within_limit(info, Pallet::<T>::gas_used())
	}

	fn ensure_within_limit(info: &DispatchInfo, gas: u64) -> Result<(), TransactionValidityError> {
		let counts = info.class != DispatchClass::Mandatory;
		ensure!(
			!counts || gas <= Pallet::<T>::gas_limit(),
			InvalidTransaction::ExhaustsResources
		);
		Ok(())
	}
}

impl<T: Config + Send + Sync> TransactionExtension<T::RuntimeCall> for CheckGasLimit<T>
where
	T::RuntimeCall: Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
{
	const IDENTIFIER: &'static str = "CheckGasLimit";
	type Implicit = ();
	type Val = ();
	type Pre = ();

	fn weight(&self, call: &T::RuntimeCall) -> Weight {
		T::WeightInfo::check_gas_limit().saturating_add(weight_of_bytes(call))
	}

	fn validate(
		&self,
		origin: T::RuntimeOrigin,
		_call: &T::RuntimeCall,
		info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
		_self_implicit: Self::Implicit,
		_inherited_implication: &impl Encode,
		_source: TransactionSource,
	) -> ValidateResult<Self::Val, T::RuntimeCall> {
		Self::ensure_fits_empty_block(info)?;
		Ok((ValidTransaction::default(), (), origin))
	}

	fn prepare(
		self,
		_val: Self::Val,
		_origin: &T::RuntimeOrigin,
		_call: &T::RuntimeCall,
		info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
	) -> Result<Self::Pre, TransactionValidityError> {
		Self::ensure_fits_this_block(info)
	}

	fn bare_validate(
		_call: &T::RuntimeCall,
		info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
	) -> TransactionValidity {
		Self::ensure_fits_empty_block(info)?;
		Ok(ValidTransaction::default())
	}

	fn bare_validate_and_prepare(
		_call: &T::RuntimeCall,
		info: &DispatchInfoOf<T::RuntimeCall>,
		_len: usize,
	) -> Result<(), TransactionValidityError> {
		Self::ensure_fits_this_block(info)
	}
}
