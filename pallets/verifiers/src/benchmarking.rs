// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of the calls, each with the maximum number of verifiers.

use crate::{
	pallet::*,
	types::{Voter, VoterSet},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{Mutate, MutateHold},
		Get,
	},
	BoundedVec,
};
use frame_system::RawOrigin;
use polkadot_sdk::*;
use sp_runtime::traits::{TrailingZeroInput, Zero};

/// Two prevotes for block 7 in round 1 of set 0, with valid signatures, for a runtime with 32-bit block numbers.
/// A runtime cannot sign.
const EQUIVOCATION: &[u8] = include_bytes!("benchmarking/equivocation.bin");

/// What the benchmarks need from the runtime.
pub trait BenchmarkHelper<AccountId> {
	/// Makes the account a registered producer.
	fn register(who: &AccountId);
}

/// Returns a producer with funds and session keys. The keys are not unique, which does not matter here.
fn producer<T: Config>(index: u32) -> Result<T::AccountId, BenchmarkError>
where
	CurrencyOf<T>: Mutate<T::AccountId>,
{
	let who: T::AccountId = account("producer", index, 0);
	// This is more than the registry, this pallet and the session hold together.
	let funds = <T as Config>::Deposit::get() * 1_000u32.into();
	CurrencyOf::<T>::set_balance(&who, funds);
	T::BenchmarkHelper::register(&who);
	let keys = T::Keys::decode(&mut TrailingZeroInput::zeroes())
		.map_err(|_| BenchmarkError::Stop("zeros do not decode as keys"))?;
	pallet_session::NextKeys::<T>::insert(&who, keys);
	<T as pallet_session::Config>::Currency::hold(
		&pallet_session::HoldReason::Keys.into(),
		&who,
		T::KeyDeposit::get(),
	)?;
	frame_system::Pallet::<T>::inc_consumers(&who)?;
	Ok(who)
}

/// Makes `count` accounts the verifiers.
fn verifiers<T: Config>(count: u32) {
	let list: BTreeMap<_, _> = (0..count)
		.map(|index| (account("verifier", index, 0), Zero::zero()))
		.collect();
	// The list fits, because `count` is at most the maximum.
	if let Ok(list) = VerifiersOf::<T>::try_from(list) {
		Verifiers::<T>::put(list);
	}
}

/// Fills the list of verifiers and returns the last verifier, which has a deposit.
fn verifier<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	CurrencyOf<T>: Mutate<T::AccountId>,
{
	verifiers::<T>(T::MaxVerifiers::get() - 1);
	let who = producer::<T>(0)?;
	Pallet::<T>::apply(RawOrigin::Signed(who.clone()).into())?;
	Pallet::<T>::do_admit(who.clone())?;
	// It was admitted in an earlier session: there is one change in each.
	LastChange::<T>::kill();
	Ok(who)
}

/// Fills the list of verifiers, lets finality stand, and returns half of the verifiers.
fn half_absent<T: Config>() -> AccountsOf<T> {
	let count = T::MaxVerifiers::get();
	verifiers::<T>(count);
	frame_system::Pallet::<T>::set_block_number(Delays::<T>::get().stalled * 2u32.into());
	let sets = (0..KEPT_SETS).map(|index| VoterSet {
		id: index.into(),
		since: index.into(),
	});
	VoterSets::<T>::put(BoundedVec::truncate_from(sets.collect::<Vec<_>>()));
	let absent: Vec<_> = (0..count / 2)
		.map(|index| account("verifier", index, 0))
		.collect();
	AccountsOf::<T>::truncate_from(absent)
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

	/// Measures `do_admit` instead of the call, because the check of the origin costs almost nothing.
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

	/// Includes the check of the two signatures.
	#[benchmark]
	fn report_equivocation() -> Result<(), BenchmarkError> {
		let who = verifier::<T>()?;
		let proof = EquivocationProofOf::<T>::decode(&mut &EQUIVOCATION[..])
			.map_err(|_| BenchmarkError::Stop("the votes are not for this runtime's blocks"))?;
		let account = who.clone();
		let (last, reported) = (0, None);
		VotingKeys::<T>::insert(
			proof.offender(),
			Voter {
				account,
				last,
				reported,
			},
		);

		#[extrinsic_call]
		_(RawOrigin::Authorized, Box::new(proof));

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

	#[benchmark]
	fn authorize_upgrade() {
		let code_hash = T::Hash::default();

		#[block]
		{
			Pallet::<T>::do_authorize_upgrade(code_hash);
		}

		assert!(AgreedUpgrade::<T>::exists());
	}

	#[benchmark]
	fn cancel_upgrade() -> Result<(), BenchmarkError> {
		Pallet::<T>::do_authorize_upgrade(T::Hash::default());

		#[block]
		{
			Pallet::<T>::do_cancel_upgrade()?;
		}

		assert!(!AgreedUpgrade::<T>::exists());
		Ok(())
	}

	/// Half of the verifiers are absent.
	#[benchmark]
	fn restart_finality() -> Result<(), BenchmarkError> {
		let absent = half_absent::<T>();

		#[block]
		{
			Pallet::<T>::do_restart_finality(u32::MAX, 0, Zero::zero(), absent)?;
		}

		assert!(AgreedRestart::<T>::exists());
		Ok(())
	}

	#[benchmark]
	fn object() -> Result<(), BenchmarkError> {
		let absent = half_absent::<T>();
		let who = absent.last().cloned();
		let who = who.ok_or(BenchmarkError::Stop("there is one verifier only"))?;
		Pallet::<T>::do_restart_finality(u32::MAX, 0, Zero::zero(), absent)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who));

		assert!(!AgreedRestart::<T>::exists());
		Ok(())
	}

	#[benchmark]
	fn cancel_restart() -> Result<(), BenchmarkError> {
		let absent = half_absent::<T>();
		Pallet::<T>::do_restart_finality(u32::MAX, 0, Zero::zero(), absent)?;

		#[block]
		{
			Pallet::<T>::do_cancel_restart(u32::MAX)?;
		}

		assert!(!AgreedRestart::<T>::exists());
		Ok(())
	}

	#[benchmark]
	fn enact_upgrade() {
		Pallet::<T>::do_authorize_upgrade(T::Hash::default());
		let now = Delays::<T>::get().upgrade * 2u32.into();

		#[block]
		{
			Pallet::<T>::carry_out(now);
		}

		assert!(!AgreedUpgrade::<T>::exists());
	}

	/// The absent verifiers have deposits.
	#[benchmark]
	fn start_restart() -> Result<(), BenchmarkError> {
		let absent = half_absent::<T>();
		Pallet::<T>::do_restart_finality(u32::MAX, 0, Zero::zero(), absent)?;
		Verifiers::<T>::mutate(|verifiers| {
			for (_, deposit) in verifiers.iter_mut() {
				*deposit = T::Deposit::get();
			}
		});
		let now = AgreedRestart::<T>::get().map_or(Zero::zero(), |restart| restart.due);

		#[block]
		{
			Pallet::<T>::carry_out(now);
		}

		assert!(StartedRestart::<T>::exists());
		Ok(())
	}
}
