//! Benchmarks of every call, each with as many verifiers as there may be.

use crate::pallet::*;
use alloc::collections::BTreeMap;
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Mutate, MutateHold},
	Get,
};
use frame_system::RawOrigin;
use polkadot_sdk::*;
use sp_runtime::traits::{TrailingZeroInput, Zero};

/// What benchmarks need of the runtime.
pub trait BenchmarkHelper<AccountId> {
	/// Makes the account a registered producer.
	fn register(who: &AccountId);
}

/// A producer with means and session keys, which are not unique: nothing here asks.
fn producer<T: Config>(index: u32) -> Result<T::AccountId, BenchmarkError>
where
	CurrencyOf<T>: Mutate<T::AccountId>,
{
	let who: T::AccountId = account("producer", index, 0);
	// More than any registry, this pallet and the session hold together.
	let means = <T as Config>::Deposit::get() * 1_000u32.into();
	CurrencyOf::<T>::set_balance(&who, means);
	T::BenchmarkHelper::register(&who);
	let keys = T::Keys::decode(&mut TrailingZeroInput::zeroes())
		.map_err(|_| BenchmarkError::Stop("no keys of zeros"))?;
	pallet_session::NextKeys::<T>::insert(&who, keys);
	<T as pallet_session::Config>::Currency::hold(
		&pallet_session::HoldReason::Keys.into(),
		&who,
		T::KeyDeposit::get(),
	)?;
	frame_system::Pallet::<T>::inc_consumers(&who)?;
	Ok(who)
}

/// Makes so many accounts verifiers, and nobody else.
fn verifiers<T: Config>(count: u32) {
	let list: BTreeMap<_, _> = (0..count)
		.map(|index| (account("verifier", index, 0), Zero::zero()))
		.collect();
	// It fits: no more are asked for than there may be.
	if let Ok(list) = VerifiersOf::<T>::try_from(list) {
		Verifiers::<T>::put(list);
	}
}

/// The last of as many verifiers as there may be, with its deposit.
fn verifier<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	CurrencyOf<T>: Mutate<T::AccountId>,
{
	verifiers::<T>(T::MaxVerifiers::get() - 1);
	let who = producer::<T>(0)?;
	Pallet::<T>::apply(RawOrigin::Signed(who.clone()).into())?;
	Pallet::<T>::do_admit(who.clone())?;
	Ok(who)
}

#[benchmarks(where CurrencyOf<T>: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn apply() -> Result<(), BenchmarkError> {
		verifiers::<T>(T::MaxVerifiers::get());
		let who = producer::<T>(0)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Applicants::<T>::get(&who), Some(T::Deposit::get()));
		Ok(())
	}

	#[benchmark]
	fn withdraw() -> Result<(), BenchmarkError> {
		verifiers::<T>(T::MaxVerifiers::get());
		let who = producer::<T>(0)?;
		Pallet::<T>::apply(RawOrigin::Signed(who.clone()).into())?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Applicants::<T>::get(&who), None);
		Ok(())
	}

	/// Who may admit is asked of the origin alone, and costs nothing to speak of.
	#[benchmark]
	fn admit() -> Result<(), BenchmarkError> {
		verifiers::<T>(T::MaxVerifiers::get() - 1);
		let who = producer::<T>(0)?;
		Pallet::<T>::apply(RawOrigin::Signed(who.clone()).into())?;

		#[block]
		{
			Pallet::<T>::do_admit(who.clone())?;
		}

		assert!(Verifiers::<T>::get().contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn remove() -> Result<(), BenchmarkError> {
		let who = verifier::<T>()?;

		#[block]
		{
			Pallet::<T>::do_remove(who.clone())?;
		}

		assert!(!Verifiers::<T>::get().contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn leave() -> Result<(), BenchmarkError> {
		let who = verifier::<T>()?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!Verifiers::<T>::get().contains_key(&who));
		Ok(())
	}

	#[benchmark]
	fn remove_keys() -> Result<(), BenchmarkError> {
		verifiers::<T>(T::MaxVerifiers::get());
		let who = producer::<T>(0)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(!pallet_session::NextKeys::<T>::contains_key(&who));
		Ok(())
	}
}
