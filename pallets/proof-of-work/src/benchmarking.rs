// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of the hooks, the inherent and the transaction extension. Each benchmark sets up the
//! most expensive case: parameters with the maximum number of changes; uncles of maximum length, in different
//! generations, whose miners are new accounts; and a full list of recent uncles.

use crate::{gas::CheckGasLimit, pallet::*, types::MAX_RECENT_UNCLES, Head, Uncle};
use alloc::vec::Vec;
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
	dispatch::{DispatchInfo, PostDispatchInfo},
	pallet_prelude::*,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use isthmus_primitives::{
	digest::{
		uncles_hash, GasUsed, PreDigest, Seal, MAX_EXTRA_DATA, MAX_HEADER_BYTES, POW_ENGINE_ID,
	},
	params::{
		ChainParameters, DifficultyRule, RuleChange, DEFAULT_MINIMUM_DIFFICULTY, MAX_CHANGES,
		MAX_UNCLES,
	},
	AccountId, Hash, Header,
};
use isthmus_rules::Parent;
use polkadot_sdk::*;
use sp_runtime::{
	traits::{AsTransactionAuthorizedOrigin, DispatchTransaction, Dispatchable},
	Digest, DigestItem,
};

/// The number of the benchmarked block.
const NUMBER: u32 = 200_000;

fn miner(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

/// Returns the header fields that an honest miner fixes, 20 s after the parent.
fn pre_digest<T: Config>(uncles: &[Header]) -> PreDigest {
	let change = |from_block| RuleChange {
		from_block,
		minimum_difficulty: Some(DEFAULT_MINIMUM_DIFFICULTY.into()),
		..Default::default()
	};
	let changes: Vec<_> = (1..=MAX_CHANGES).map(change).collect();
	let parameters = ChainParameters {
		difficulty_rule: DifficultyRule::Homestead { bomb: true },
		changes: changes.try_into().unwrap_or_default(),
		..Default::default()
	};
	let head = Head::genesis(&parameters);
	Parameters::<T>::put(&parameters);
	CurrentHead::<T>::put(&head);
	let parent = Parent {
		hash: Hash::zero(),
		number: NUMBER - 1,
		difficulty: head.difficulty,
		gas_limit: head.gas_limit,
		timestamp: head.timestamp,
	};
	let timestamp = head.timestamp + 20;
	PreDigest {
		beneficiary: miner(0),
		difficulty: isthmus_rules::difficulty(&parameters, &parent, timestamp),
		gas_limit: head.gas_limit,
		timestamp,
		uncles_hash: uncles_hash(uncles),
		extra_data: alloc::vec![b'x'; MAX_EXTRA_DATA],
	}
}

fn digest(pre: &PreDigest) -> Digest {
	Digest {
		logs: alloc::vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
	}
}

/// Returns a distinct hash for each number.
fn hash(number: u64) -> Hash {
	let mut bytes = [0; 32];
	bytes[..8].copy_from_slice(&number.to_le_bytes());
	Hash::from(bytes)
}

fn ancestor(number: u32) -> Hash {
	hash(number.into())
}

/// Starts block [`NUMBER`] with these fields. The benchmarks run its hooks.
fn begin<T: Config>(pre: &PreDigest) {
	for number in NUMBER - 8..NUMBER {
		frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::from(number), ancestor(number));
	}
	// Set the number of the last block first, because the framework checks that numbers are consecutive.
	frame_system::Pallet::<T>::set_block_number((NUMBER - 1).into());
	frame_system::Pallet::<T>::initialize(&NUMBER.into(), &ancestor(NUMBER - 1), &digest(pre));
}

/// Returns the header of an orphaned block, of maximum length. The uncles' generations are two apart, so
/// that no two share an ancestor.
fn uncle<T: Config>(seed: u8) -> Header {
	let number = NUMBER + 1 - 2 * u32::from(seed);
	let pre = PreDigest {
		beneficiary: miner(seed),
		..pre_digest::<T>(&[])
	};
	let mut digest = digest(&pre);
	digest.push(DigestItem::Consensus(POW_ENGINE_ID, GasUsed(0).encode()));
	let seal = Seal {
		mix_hash: Hash::zero(),
		nonce: seed.into(),
	};
	digest.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	let root = Hash::repeat_byte(seed);
	let mut header = Header {
		parent_hash: ancestor(number - 1),
		number,
		state_root: root,
		extrinsics_root: root,
		digest,
	};
	// Subtract one byte for the item's kind and four for its length.
	let free = MAX_HEADER_BYTES - header.encoded_size() - 5;
	let padding = DigestItem::Other(alloc::vec![0; free]);
	header.digest.logs.insert(1, padding);
	header
}

fn uncles<T: Config>(count: u32) -> Vec<Header> {
	(1..=count).map(|seed| uncle::<T>(seed as u8)).collect()
}

#[benchmarks(
	where
		T: Send + Sync,
		T::RuntimeCall: Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>
			+ From<frame_system::Call<T>>,
		T::RuntimeOrigin: AsTransactionAuthorizedOrigin,
)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn on_initialize() {
		let pre = pre_digest::<T>(&[]);
		begin::<T>(&pre);
		#[block]
		{
			Pallet::<T>::on_initialize(NUMBER.into());
		}
		assert_eq!(CurrentHead::<T>::get(), Head::from(pre));
	}

	#[benchmark]
	fn on_finalize(u: Linear<0, MAX_UNCLES>) {
		let pre = pre_digest::<T>(&uncles::<T>(u));
		begin::<T>(&pre);
		Pallet::<T>::on_initialize(NUMBER.into());
		for seed in 1..=u {
			let uncle = Uncle {
				beneficiary: miner(seed as u8),
				number: NUMBER - 1,
			};
			assert!(BlockUncles::<T>::try_append(uncle).is_ok());
		}
		#[block]
		{
			Pallet::<T>::on_finalize(NUMBER.into());
		}
		assert!(!BlockUncles::<T>::exists());
		assert_eq!(frame_system::Pallet::<T>::digest().logs.len(), 2);
	}

	#[benchmark]
	fn set_uncles(u: Linear<1, MAX_UNCLES>) {
		let uncles = uncles::<T>(u);
		let pre = pre_digest::<T>(&uncles);
		begin::<T>(&pre);
		Pallet::<T>::on_initialize(NUMBER.into());
		for index in 0..MAX_RECENT_UNCLES - MAX_UNCLES {
			let named = (NUMBER - 1, hash(1 << 40 | u64::from(index)));
			assert!(RecentUncles::<T>::try_append(named).is_ok());
		}
		#[extrinsic_call]
		set_uncles(RawOrigin::None, uncles);
		assert_eq!(BlockUncles::<T>::get().len(), u as usize);
	}

	#[benchmark]
	fn check_gas_limit() -> Result<(), BenchmarkError> {
		let pre = pre_digest::<T>(&[]);
		begin::<T>(&pre);
		Pallet::<T>::on_initialize(NUMBER.into());
		let call: T::RuntimeCall = frame_system::Call::remark { remark: Vec::new() }.into();
		let caller: T::AccountId = whitelisted_caller();
		let info = DispatchInfo::default();
		#[block]
		{
			CheckGasLimit::<T>::new()
				.test_run(RawOrigin::Signed(caller).into(), &call, &info, 0, 0, |_| {
					Ok(().into())
				})
				.map_err(|_| BenchmarkError::Stop("a small transaction fits an empty block"))?
				.map_err(|_| BenchmarkError::Stop("the substitute does not fail"))?;
		}
		Ok(())
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::chain_with(crate::mock::parameters()),
		crate::mock::Test
	);
}
