// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of every call, of the work that happens automatically, and of the transaction
//! extension. Each benchmark sets up the most expensive case: names, texts and keys of maximum length, an
//! offer to pay, an epoch to start.

mod setup;

use crate::{extension::DirectCall, pallet::*, types::*};
use alloc::{boxed::Box, vec};
use frame_benchmarking::v2::*;
use frame_support::{
	dispatch::{DispatchInfo, PostDispatchInfo},
	traits::{fungible::Mutate, Get, IsSubType},
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use isthmus_conditions::Truth;
use isthmus_keys::header;
use isthmus_sharing::terms::{MAX_ENCRYPTION_KEY_SIZE, MAX_GRANTS_PER_READER, MAX_WATCHED};
use polkadot_sdk::*;
use setup::*;
use sp_core::H256;
use sp_runtime::traits::{AsTransactionAuthorizedOrigin, DispatchTransaction, Dispatchable, Zero};

#[benchmarks(
	where
		T: Send + Sync,
		T::Currency: Mutate<T::AccountId>,
		T::RuntimeCall: From<Call<T>>
			+ IsSubType<Call<T>>
			+ Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
		T::RuntimeOrigin: AsTransactionAuthorizedOrigin,
)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register() {
		let caller = wealthy::<T>("owner");
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			ProducerKind::School,
			name(),
		);
		assert!(Producers::<T>::contains_key(&caller));
	}

	#[benchmark]
	fn deregister() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::remove_dataset(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()));
		assert!(!Producers::<T>::contains_key(&caller));
		Ok(())
	}

	#[benchmark]
	fn set_encryption_key() -> Result<(), BenchmarkError> {
		let caller = consumer::<T>()?;
		let key = vec![1; MAX_ENCRYPTION_KEY_SIZE as usize];
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), key.clone());
		assert_eq!(
			EncryptionKeys::<T>::get(&caller).map(|entry| entry.key.into_inner()),
			Some(key)
		);
		Ok(())
	}

	#[benchmark]
	fn remove_encryption_key() -> Result<(), BenchmarkError> {
		let caller = consumer::<T>()?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()));
		assert!(!EncryptionKeys::<T>::contains_key(&caller));
		Ok(())
	}

	#[benchmark]
	fn create_dataset() -> Result<(), BenchmarkError> {
		let caller = wealthy::<T>("owner");
		Pallet::<T>::register(signed::<T>(&caller), ProducerKind::School, name())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), name());
		assert!(Datasets::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn remove_dataset() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_policy(
			signed::<T>(&caller),
			0,
			policy::<T>(),
			Some(largest_condition()?),
		)?;
		Pallet::<T>::set_locations(signed::<T>(&caller), 0, locations('a'))?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert!(!Datasets::<T>::contains_key(&caller, 0));
		assert!(!Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn start_epoch() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert_eq!(
			Datasets::<T>::get(&caller, 0).map(|dataset| dataset.epoch),
			Some(1)
		);
		Ok(())
	}

	#[benchmark]
	fn store(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let value = vec![0; l as usize];
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, 0, 0, 0, value);
		assert!(Records::<T>::contains_key(&caller, KEY));
		Ok(())
	}

	#[benchmark]
	fn remove_record() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		super::store::<T>(&caller)?;
		buy::<T>(&caller, &consumer)?;
		pass_window::<T>(1);
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY);
		assert!(!Records::<T>::contains_key(&caller, KEY));
		assert!(!Leaves::<T>::contains_key((&caller, 0, 0, 0)));
		Ok(())
	}

	/// Measures an object of a dataset that already has one.
	#[benchmark]
	fn store_object() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store_object::<T>(&caller, 1)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, 0, 0, 0, object());
		assert_eq!(Pallet::<T>::object_count(&caller, 0), 2);
		Ok(())
	}

	/// Measures the most expensive case: the last of the dataset's objects takes the place of the removed one.
	#[benchmark]
	fn remove_object() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		for number in 1..=3 {
			super::store_object::<T>(&caller, number)?;
		}
		buy::<T>(&caller, &consumer)?;
		pass_window::<T>(1);
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		let key = H256::repeat_byte(1);
		#[extrinsic_call]
		remove_record(RawOrigin::Signed(caller.clone()), key);
		assert!(!Records::<T>::contains_key(&caller, key));
		assert_eq!(
			Objects::<T>::get((&caller, 0, 0)),
			Some(H256::repeat_byte(3))
		);
		Ok(())
	}

	/// Measures the most and longest locations, which replace others.
	#[benchmark]
	fn set_locations() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_locations(signed::<T>(&caller), 0, locations('a'))?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0, locations('b'));
		assert_eq!(Pallet::<T>::locations(&caller, 0), locations('b'));
		Ok(())
	}

	#[benchmark]
	fn free_leaf() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store::<T>(&caller)?;
		Pallet::<T>::remove_record(signed::<T>(&caller), KEY)?;
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0, 0, 0);
		assert!(!Leaves::<T>::contains_key((&caller, 0, 0, 0)));
		Ok(())
	}

	/// Measures the most expensive case: the reader's list is full, and one grant on it has ended.
	#[benchmark]
	fn request_access() -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		full_list::<T>(&owner, &caller)?;
		let offer = T::DepositPerItem::get();
		let policy = Policy {
			firm_price: Some(offer),
			..policy::<T>()
		};
		Pallet::<T>::set_policy(signed::<T>(&owner), 0, policy, None)?;
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			owner,
			scope(),
			text(),
			PurposeCode::Research,
			term::<T>(),
			offer,
			true,
			encryption_key(),
		);
		assert_eq!(held::<T>(HoldReason::Offer, &caller), offer);
		Ok(())
	}

	/// Measures a request that is closed at once, because that costs more than shortening it.
	#[benchmark]
	fn cancel_request() -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		request_for::<T>(&owner, &caller, Zero::zero())?;
		let id = NextRequest::<T>::get() - 1;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id);
		assert!(!Requests::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn reject_request() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&caller, &consumer)?;
		let id = NextRequest::<T>::get() - 1;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id, text());
		assert!(!Requests::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn add_authorize() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&caller, &consumer)?;
		let (answered, sealed_keys) = answer::<T>();
		// The deposit of the dataset is held again.
		Datasets::<T>::mutate(&caller, 0, |entry| {
			if let Some(entry) = entry {
				entry.deposit = Zero::zero();
			}
		});
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller),
			consumer.clone(),
			scope(),
			expiry::<T>(),
			None,
			sealed_keys,
			Some(answered),
			None,
		);
		assert!(!Requests::<T>::contains_key(answered.id));
		Ok(())
	}

	/// Measures an answer for which an ended grant is removed: the last of the reader's list.
	#[benchmark]
	fn add_authorize_to_full_list() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		let ended = full_list::<T>(&caller, &consumer)?;
		request::<T>(&caller, &consumer)?;
		let (answered, sealed_keys) = answer::<T>();
		// The deposit of the dataset is held again.
		Datasets::<T>::mutate(&caller, 0, |entry| {
			if let Some(entry) = entry {
				entry.deposit = Zero::zero();
			}
		});
		#[extrinsic_call]
		add_authorize(
			RawOrigin::Signed(caller),
			consumer.clone(),
			scope(),
			expiry::<T>(),
			None,
			sealed_keys,
			Some(answered),
			None,
		);
		assert!(!Grants::<T>::contains_key(ended));
		assert_eq!(
			GrantsTo::<T>::iter_key_prefix(&consumer).count(),
			MAX_GRANTS_PER_READER as usize
		);
		Ok(())
	}

	/// Measures the revocation of a grant that was paid for, with a refund and a new epoch.
	#[benchmark]
	fn revoke() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&caller, &consumer)?;
		// A payment that was made costs more to give back than one that is held.
		pass_window::<T>(0);
		Pallet::<T>::settle_one(Due::Payment(id));
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), id);
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Revoked)
		);
		assert_eq!(
			Datasets::<T>::get(&caller, 0).map(|dataset| dataset.epoch),
			Some(1)
		);
		Ok(())
	}

	/// Measures the dispute of a grant that opens, with the most keys, of which the one that is tried is wrong.
	#[benchmark]
	fn dispute(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		let shown = vec![header::RECORD_VERSION; l as usize];
		DirectStore::<T>::put(());
		Pallet::<T>::store(signed::<T>(&owner), KEY, 0, 0, 1, shown.clone())?;
		let secret = [5; 32];
		let id = buy_sealed::<T>(&owner, &caller, secret)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), id, 1, secret, shown);
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Revoked)
		);
		assert_eq!(held::<T>(HoldReason::Offer, &caller), Zero::zero());
		Ok(())
	}

	#[benchmark]
	fn pay_owner() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&owner, &consumer)?;
		pass_window::<T>(0);
		let block = frame_system::Pallet::<T>::block_number();
		Backlog::<T>::put(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Payments::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn open_record(n: Linear<1, { most_chunks::<T>() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let manifest = manifest_of(n, H256::zero());
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			KEY,
			0,
			0,
			0,
			n.into(),
			1,
			manifest,
		);
		assert_eq!(
			Records::<T>::get(&caller, KEY).map(|record| record.payload.chunks()),
			Some(n)
		);
		Ok(())
	}

	#[benchmark]
	fn store_chunk(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let bytes = vec![7; l as usize];
		// The proof is longest for the largest power of two of chunks that fits.
		let height = most_chunks::<T>().ilog2();
		let chunks = 1u32 << height;
		let manifest = manifest_of(chunks, sp_io::hashing::blake2_256(&bytes).into());
		DirectStore::<T>::put(());
		Pallet::<T>::open_record(
			signed::<T>(&caller),
			KEY,
			0,
			0,
			0,
			u64::from(chunks) * u64::from(l),
			l,
			manifest,
		)?;
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			KEY,
			0,
			first_proof(height),
			bytes,
		);
		assert_eq!(
			Records::<T>::get(&caller, KEY).map(|record| record.payload.arrived()),
			Some(1)
		);
		Ok(())
	}

	#[benchmark]
	fn set_policy() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let condition = Some(largest_condition()?);
		Pallet::<T>::set_policy(signed::<T>(&caller), 0, policy::<T>(), condition.clone())?;
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			0,
			policy::<T>(),
			condition,
		);
		assert!(Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn clear_policy() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_policy(
			signed::<T>(&caller),
			0,
			policy::<T>(),
			Some(largest_condition()?),
		)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert!(!Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn on_initialize_idle() {
		let block: BlockNumberFor<T> = 1_000u32.into();
		Backlog::<T>::put(block);
		frame_system::Pallet::<T>::set_block_number(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Backlog::<T>::exists());
	}

	#[benchmark]
	fn lapse_request() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&owner, &consumer)?;
		let due = Due::Request(NextRequest::<T>::get() - 1);
		let block = T::RequestLifetime::get() + 1u32.into();
		Backlog::<T>::put(block);
		frame_system::Pallet::<T>::set_block_number(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Agenda::<T>::contains_key(block, due));
		Ok(())
	}

	#[benchmark]
	fn expire_grant() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&owner, &consumer)?;
		Backlog::<T>::put(expiry::<T>());
		frame_system::Pallet::<T>::set_block_number(expiry::<T>());
		#[block]
		{
			Pallet::<T>::begin_agenda(expiry::<T>());
		}
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Expired)
		);
		Ok(())
	}

	#[benchmark]
	fn forget_grant() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		for _ in 0..MAX_GRANTS_PER_READER {
			grant::<T>(&owner, &consumer)?;
		}
		let id = NextGrant::<T>::get() - 1;
		Pallet::<T>::revoke(signed::<T>(&owner), id)?;
		let due = T::GrantMemory::get() + 1u32.into();
		Backlog::<T>::put(due);
		frame_system::Pallet::<T>::set_block_number(due);
		#[block]
		{
			Pallet::<T>::begin_agenda(due);
		}
		assert!(!Grants::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn attach(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		grant::<T>(&owner, &consumer)?;
		let id = NextGrant::<T>::get() - 1;
		let mut grant =
			Grants::<T>::get(id).ok_or(BenchmarkError::Stop("the grant was not made"))?;
		meet::<T>()?;
		let condition = Some(condition_of(n)?);
		#[block]
		{
			Pallet::<T>::put_under_condition(&mut grant, condition)?;
			let attached = grant.condition.as_ref().expect("it was attached");
			Pallet::<T>::wait(Waiter::Grant(id), &attached.condition, &consumer);
		}
		assert_eq!(Waiting::<T>::iter_keys().count(), 2 * MAX_WATCHED as usize);
		Ok(())
	}

	#[benchmark]
	fn carry_out(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = grant_while::<T>(&owner, &consumer, condition_of(n)?)?;
		meet::<T>()?;
		let (source, topic) = watched()?.remove(0);
		let cause = Cause::Fact(source, topic);
		#[block]
		{
			Pallet::<T>::changed(&cause);
		}
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Active)
		);
		Ok(())
	}

	#[benchmark]
	fn detach() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = grant_while::<T>(&owner, &consumer, largest_condition()?)?;
		let grant = Grants::<T>::get(id).ok_or(BenchmarkError::Stop("the grant was not made"))?;
		let attached = grant.condition.expect("it has one");
		#[block]
		{
			let payer = Payer::Controller(&owner, 0);
			Pallet::<T>::detach(Waiter::Grant(id), &attached, &consumer, payer);
		}
		assert_eq!(Waiting::<T>::iter_keys().count(), 0);
		Ok(())
	}

	#[benchmark]
	fn judge() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let condition = largest_of_grants::<T>(&owner, &consumer)?;
		let truth;
		#[block]
		{
			truth = Pallet::<T>::truth_for(&condition, &consumer, &Zero::zero(), 0);
		}
		assert_eq!(truth, Truth::False);
		Ok(())
	}

	#[benchmark]
	fn fire(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		request_for::<T>(&owner, &consumer, Zero::zero())?;
		let request = NextRequest::<T>::get() - 1;
		let condition = Some(condition_of(n)?);
		Pallet::<T>::withdraw_when(signed::<T>(&consumer), request, condition)?;
		meet::<T>()?;
		let (source, topic) = watched()?.remove(0);
		let cause = Cause::Fact(source, topic);
		#[block]
		{
			Pallet::<T>::changed(&cause);
		}
		assert!(!Requests::<T>::contains_key(request));
		Ok(())
	}

	#[benchmark]
	fn withdraw_when(
		n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>,
	) -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&owner, &caller)?;
		let id = NextRequest::<T>::get() - 1;
		meet::<T>()?;
		make::<T>(others()?)?;
		let before = Some(unmet(others()?, MAX_CONDITION)?);
		Pallet::<T>::withdraw_when(signed::<T>(&caller), id, before)?;
		let condition = Some(unmet(watched()?, n)?);
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id, condition);
		assert_eq!(Withdrawals::<T>::get(id), Some(1));
		Ok(())
	}

	#[benchmark]
	fn embargo(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store::<T>(&caller)?;
		meet::<T>()?;
		make::<T>(others()?)?;
		let before = Some(unmet(others()?, MAX_CONDITION)?);
		Pallet::<T>::embargo(signed::<T>(&caller), KEY, 0, before)?;
		let condition = Some(unmet(watched()?, n)?);
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, 0, condition);
		assert_eq!(Embargoes::<T>::get(&caller, KEY), Some(1));
		Ok(())
	}

	/// Measures the most expensive case: the dataset has been offered before.
	#[benchmark]
	fn offer_dataset() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let (before, to) = (wealthy::<T>("before"), wealthy::<T>("to"));
		Pallet::<T>::offer_dataset(signed::<T>(&caller), 0, before)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0, to.clone());
		let control = Controls::<T>::get(&caller, 0);
		assert_eq!(control.and_then(|control| control.offered_to), Some(to));
		Ok(())
	}

	#[benchmark]
	fn withdraw_dataset_offer() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::offer_dataset(signed::<T>(&caller), 0, wealthy::<T>("to"))?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		let control = Controls::<T>::get(&caller, 0);
		assert_eq!(control.and_then(|control| control.offered_to), None);
		Ok(())
	}

	/// Measures the most expensive case: there are deposits for each reason, and the dataset was taken over before.
	#[benchmark]
	fn accept_dataset() -> Result<(), BenchmarkError> {
		let (first, consumer) = (owner::<T>()?, consumer::<T>()?);
		super::store::<T>(&first)?;
		grant_while::<T>(&first, &consumer, largest_condition()?)?;
		let (second, caller) = (producer::<T>("second")?, producer::<T>("third")?);
		let most = held::<T>(HoldReason::Dataset, &first) * 100u32.into();
		Pallet::<T>::offer_dataset(signed::<T>(&first), 0, second.clone())?;
		Pallet::<T>::accept_dataset(signed::<T>(&second), first.clone(), 0, 1, most)?;
		let offer = Call::<T>::offer_dataset {
			dataset: 0,
			to: caller.clone(),
		};
		let offer = Box::new(offer.into());
		Pallet::<T>::act_for(signed::<T>(&second), first.clone(), offer)
			.map_err(|failed| failed.error)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), first.clone(), 0, 2, most);
		assert_eq!(Pallet::<T>::controller(&first, 0), caller);
		Ok(())
	}

	/// Measures a call that fails at once, so that what it adds to others is left.
	#[benchmark]
	fn act_for() -> Result<(), BenchmarkError> {
		let (caller, owner) = (wealthy::<T>("caller"), wealthy::<T>("owner"));
		let call: T::Carried = Call::<T>::start_epoch { dataset: 0 }.into();
		#[block]
		{
			let origin = signed::<T>(&caller);
			let _ = Pallet::<T>::do_act_for(origin, owner, call, Default::default());
		}
		Ok(())
	}

	#[benchmark]
	fn direct_call() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let call: T::RuntimeCall = Call::<T>::store {
			key: KEY,
			dataset: 0,
			epoch: 0,
			leaf: 0,
			value: vec![0],
		}
		.into();
		let info = DispatchInfo::default();
		#[block]
		{
			DirectCall::<T>::new()
				.test_run(signed::<T>(&caller), &call, &info, 0, 0, |_| {
					assert!(DirectStore::<T>::exists());
					Ok(().into())
				})
				.map_err(|_| BenchmarkError::Stop("the extension rejects nothing"))?
				.map_err(|_| BenchmarkError::Stop("the substitute does not fail"))?;
		}
		assert!(!DirectStore::<T>::exists());
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
