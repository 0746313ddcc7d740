//! Gas: the block's own limit on its transactions.
//!
//! 1 gas is 100 ns of `ref_time` ([`REF_TIME_PER_GAS`]). H_g is the gas that the block's
//! transactions used (yellow paper, section 4.3: "the total gas used in transactions in this
//! block"): the weight of the normal and operational classes. The mandatory class, the work that a
//! block does by itself (hooks, inherents), is bounded by the runtime and paid by nobody, as
//! Ethereum's rewards and uncles are. It must not count: it cannot be refused, and the session
//! pallet books a whole block's weight where a session ends, so that H_g ≤ H_l would then fail for
//! a block that did nothing wrong.

use crate::{Config, CurrentHead, Pallet, WeightInfo};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::{
	dispatch::{DispatchClass, DispatchInfo, PostDispatchInfo},
	ensure,
	traits::Get,
	weights::Weight,
};
use isthmus_primitives::params::REF_TIME_PER_GAS;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{DispatchInfoOf, Dispatchable, TransactionExtension, ValidateResult},
	transaction_validity::{
		InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
		ValidTransaction,
	},
};

/// The gas of a weight, rounded up.
pub fn gas_of(weight: Weight) -> u64 {
	weight.ref_time().div_ceil(REF_TIME_PER_GAS)
}

impl<T: Config> Pallet<T> {
	/// H_g: the gas that the block's transactions used so far.
	pub fn gas_used() -> u64 {
		let consumed = frame_system::Pallet::<T>::block_weight();
		gas_of(
			consumed
				.get(DispatchClass::Normal)
				.saturating_add(*consumed.get(DispatchClass::Operational)),
		)
	}

	/// H_l of the block in execution; between blocks, of the last one.
	pub fn gas_limit() -> u64 {
		CurrentHead::<T>::get().gas_limit
	}
}

/// Refuses a transaction that the block's gas limit (H_l) has no room for, so that H_g ≤ H_l holds
/// of every block the runtime makes.
///
/// It must stand after `CheckWeight`, which books the transaction's weight before this reads the
/// sum. A transaction that would not fit an empty block is refused by the pool too; H_l moves by
/// 1/1024 a block at most, so the last block's is used there.
///
/// It puts no bytes into a transaction.
#[derive(Encode, Decode, DecodeWithMemTracking, Clone, PartialEq, Eq, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckGasLimit<T>(PhantomData<T>);

impl<T> CheckGasLimit<T> {
	/// The extension, which has no content.
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
	/// The transaction alone fits the limit.
	fn ensure_fits_empty_block(info: &DispatchInfo) -> Result<(), TransactionValidityError> {
		let base = T::BlockWeights::get().get(info.class).base_extrinsic;
		let gas = gas_of(info.total_weight().saturating_add(base));
		Self::ensure_within_limit(info, gas)
	}

	/// The transaction, whose weight is booked, fits what the block has left.
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

	fn weight(&self, _: &T::RuntimeCall) -> Weight {
		T::WeightInfo::check_gas_limit()
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
