// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of the calls, with the longest object and the longest location.

use crate::{pallet::*, Draw, Objects, Stored};
use alloc::{vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	Get,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use isthmus_sharing::{location::MAX_LOCATION_SIZE, object::MAX_LENGTH};
use isthmus_storage_proof::{
	periods::{drawn_by, Period},
	root_of, MAX_PATH, PIECE,
};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::traits::Zero;

const DATASET: u32 = 0;
/// The period in which the keepers come.
const CAME: Period = 1;

/// Returns an account with funds.
fn rich<T: Config>(index: u32) -> T::AccountId {
	let who: T::AccountId = account("account", index, 0);
	let least = T::Currency::minimum_balance();
	T::Currency::set_balance(
		&who,
		T::Deposit::get() * 10u32.into() + least * 1_000u32.into(),
	);
	who
}

/// Returns a location of the maximum length.
fn location() -> Url {
	let mut location = b"s3://bucket/".to_vec();
	location.resize(MAX_LOCATION_SIZE as usize, b'x');
	Url::truncate_from(location)
}

/// Goes on to the first block of a period.
fn to_period<T: Config>(period: Period) {
	let block = period.saturating_mul(PeriodLength::<T>::get());
	frame_system::Pallet::<T>::set_block_number(block.into());
	let drawn_by = BlockNumberFor::<T>::from(drawn_by(period, PeriodLength::<T>::get()));
	let hash = T::Hash::filled_with(1);
	frame_system::BlockHash::<T>::insert(drawn_by, hash);
}

/// Makes a hash that is not that of a forgotten block.
trait SomeHash {
	/// Returns a hash of this byte.
	fn filled_with(byte: u8) -> Self;
}

impl<Hash: AsMut<[u8]> + Default> SomeHash for Hash {
	fn filled_with(byte: u8) -> Self {
		let mut hash = Hash::default();
		hash.as_mut().fill(byte);
		hash
	}
}

/// Makes a dataset with one object, and one keeper in it of the maximum number. Returns the owner and the keeper.
fn keeper<T: Config>(root: [u8; 32]) -> Result<(T::AccountId, T::AccountId), BenchmarkError> {
	let (owner, keeper) = (rich::<T>(0), rich::<T>(1));
	to_period::<T>(CAME);
	let (length, block) = (MAX_LENGTH, 0);
	T::Objects::make(
		&owner,
		DATASET,
		Stored {
			length,
			root,
			block,
		},
	);
	for index in 2..=T::MaxKeepers::get() {
		Pallet::<T>::do_keep(owner.clone(), DATASET, rich::<T>(index), location())?;
	}
	Pallet::<T>::do_keep(owner.clone(), DATASET, keeper.clone(), location())?;
	let amount = T::Deposit::get();
	Pallet::<T>::do_fund(owner.clone(), DATASET, owner.clone(), amount)?;
	Ok((owner, keeper))
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn keep() {
		let (owner, keeper) = (rich::<T>(0), rich::<T>(1));
		to_period::<T>(CAME);
		let (length, root, block) = (MAX_LENGTH, [0; 32], 0);
		T::Objects::make(
			&owner,
			DATASET,
			Stored {
				length,
				root,
				block,
			},
		);
		let (of, by) = (owner.clone(), keeper.clone());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET, location());

		assert!(Keepers::<T>::contains_key((owner, DATASET, keeper)));
	}

	/// The deposit goes into the pot.
	#[benchmark]
	fn leave() -> Result<(), BenchmarkError> {
		let (owner, keeper) = keeper::<T>([0; 32])?;
		to_period::<T>(CAME + T::MaxMissed::get() + 1);
		let (of, by) = (owner.clone(), keeper.clone());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET);

		assert!(!Keepers::<T>::contains_key((owner, DATASET, keeper)));
		Ok(())
	}

	/// The longest path, and the first payment of a period.
	#[benchmark]
	fn prove() -> Result<(), BenchmarkError> {
		let period = CAME + 1;
		let (owner, keeper) = (rich::<T>(0), rich::<T>(1));
		to_period::<T>(period);
		let block = drawn_by(period, PeriodLength::<T>::get());
		let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::from(block)).encode();
		let hash = <[u8; 32]>::try_from(&hash[..])
			.map_err(|_| BenchmarkError::Stop("a hash has not 32 bytes"))?;
		let draw = Draw::new(&hash, &keeper, &owner, DATASET, period);
		let piece = vec![7; PIECE as usize];
		let path = vec![[9; 32]; MAX_PATH as usize];
		let index = draw.piece(MAX_LENGTH);
		let root = root_of(MAX_LENGTH, index, &piece, &path)
			.map_err(|_| BenchmarkError::Stop("the longest path has another length"))?;
		self::keeper::<T>(root)?;
		to_period::<T>(period);
		let path: Vec<_> = path.into_iter().map(H256).collect();
		let (piece, path) = (Piece::truncate_from(piece), Path::truncate_from(path));
		let (of, by) = (owner.clone(), keeper.clone());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET, piece, path);

		let entry = Keepers::<T>::get((owner.clone(), DATASET, keeper));
		assert_eq!(entry.map(|entry| entry.kept), Some(1));
		assert!(!Pots::<T>::get(owner, DATASET).share.is_zero());
		Ok(())
	}

	/// The keeper loses its place.
	#[benchmark]
	fn report_missed() -> Result<(), BenchmarkError> {
		let (owner, keeper) = keeper::<T>([0; 32])?;
		to_period::<T>(CAME + T::MaxMissed::get() + 1);
		let (of, whom, by) = (owner.clone(), keeper.clone(), owner.clone());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET, whom);

		assert!(!Keepers::<T>::contains_key((owner, DATASET, keeper)));
		Ok(())
	}

	#[benchmark]
	fn fund() {
		let owner = rich::<T>(0);
		let (length, root, block) = (MAX_LENGTH, [0; 32], 0);
		T::Objects::make(
			&owner,
			DATASET,
			Stored {
				length,
				root,
				block,
			},
		);
		let (of, by, amount) = (owner.clone(), owner.clone(), T::Deposit::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET, amount);

		assert_eq!(Pots::<T>::get(owner, DATASET).amount, amount);
	}
	/// Everything in the pot is burnt.
	#[benchmark]
	fn clear_pot() -> Result<(), BenchmarkError> {
		let (owner, by, amount) = (rich::<T>(0), rich::<T>(1), T::Deposit::get());
		Pallet::<T>::put(&owner, DATASET, &by, amount)?;
		let of = owner.clone();

		#[extrinsic_call]
		_(RawOrigin::Signed(by), of, DATASET);

		assert!(!Pots::<T>::contains_key(owner, DATASET));
		Ok(())
	}
}
