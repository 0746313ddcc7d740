// SPDX-License-Identifier: Apache-2.0
//! # Keepers
//!
//! Accounts that keep copies of a dataset's objects, and prove it.
//!
//! ## Overview
//!
//! The bytes of an object are outside the chain, in stores of its owner's choice. A **keeper** is an account that keeps a
//! copy of all objects of a dataset, in a store of its own. It has a place among the dataset's keepers, for which it pays a
//! deposit.
//!
//! Time is divided in **periods** of a number of blocks. In each, the chain draws for each keeper one object of the dataset
//! and one piece of it, of 1 KiB ([`Draw`]). The keeper sends that piece with its path in
//! the object's BLAKE3 tree, and the chain compares it with the object's root. Who has lost a part of the bytes
//! fails as often as a lost piece is drawn. The first draw is by a block after the one in which the keeper came.
//!
//! A dataset's **pot** pays for proofs: in each period at most a fixed part of it, in equal shares for all keepers. Anyone can
//! fund it; nothing can be taken out of it otherwise, until the dataset is gone. A keeper that has missed too many periods in a row loses its
//! place, and its deposit goes into the pot.
//!
//! A proof shows that someone could produce those bytes in time. It does not show where they were, nor that two keepers have
//! two disks.
//!
//! ## A worked example
//!
//! 1. Bob: `keep(alice, 0, "s3://bob/copy")`, in period 4. 10 IST are held from him.
//! 2. Charlie: `fund(alice, 0, 100 IST)`.
//! 3. In period 5, Bob sends the piece that was drawn for him: `prove(alice, 0, piece, path)`. He is paid one IST, a
//!    hundredth of the pot.
//! 4. He misses the periods 6, 7 and 8. In period 9, anyone calls `report_missed(alice, 0, bob)`: Bob's place is free, and
//!    his 10 IST are in the pot.
//!
//! ## No work at the start of blocks
//!
//! No block does anything automatically. Missed periods are counted when the keeper proves or leaves, or when anyone reports them.
//!
//! ## What the runtime must do
//!
//! - Keep the hashes of enough blocks: a period's draw needs one from before the period, until it ends.
//! - Give the pots an account that no one else uses ([`Config::PotsId`]).
//!
//! ## Files
//!
//! `impls`: what the calls do. `objects`: what this pallet asks of the one that has the objects. `try_state`: the
//! invariants of the state. [`weights`]: the costs of the calls. `isthmus_storage_proof` defines the draw, the proofs and
//! the entries.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
mod objects;
#[cfg(test)]
mod tests;
mod try_state;
pub mod weights;

pub use isthmus_storage_proof::{Draw, Keeper, Pot};
pub use objects::{Objects, Stored};
pub use pallet::*;
pub use weights::WeightInfo;

use polkadot_sdk::*;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, InspectHold, Mutate, MutateHold},
		PalletId,
	};
	use frame_system::pallet_prelude::*;
	use isthmus_sharing::{location::MAX_LOCATION_SIZE, DatasetId};
	use isthmus_storage_proof::{
		periods::{Period, DEPTH},
		state, MAX_PATH, PIECE,
	};
	use sp_core::H256;

	/// An amount of the currency.
	pub type BalanceOf<T> =
		<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// The address of a store: see [`isthmus_sharing::location`].
	pub type Url = BoundedVec<u8, ConstU32<MAX_LOCATION_SIZE>>;
	/// [`Keeper`] on this chain.
	pub type KeeperOf<T> = Keeper<BalanceOf<T>, Url>;
	/// [`Pot`] on this chain.
	pub type PotOf<T> = Pot<BalanceOf<T>>;
	/// The bytes of a piece.
	pub type Piece = BoundedVec<u8, ConstU32<PIECE>>;
	/// The values beside the path from a piece to the root, from the piece upwards.
	pub type Path = BoundedVec<H256, ConstU32<MAX_PATH>>;

	/// The pallet's parameters.
	#[pallet::config]
	pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// The currency of deposits and pots.
		type Currency: Mutate<Self::AccountId>
			+ InspectHold<Self::AccountId, Reason: From<HoldReason>>
			+ MutateHold<Self::AccountId>;

		/// What the account of the pots is derived from.
		#[pallet::constant]
		type PotsId: Get<PalletId>;

		/// The deposit for a keeper's place.
		#[pallet::constant]
		type Deposit: Get<BalanceOf<Self>>;

		/// The least amount that can be put into a pot: the deposit of the entry that it may make.
		#[pallet::constant]
		type LeastFund: Get<BalanceOf<Self>>;

		/// The maximum number of keepers of a dataset. At least 1.
		#[pallet::constant]
		type MaxKeepers: Get<u32>;

		/// A keeper that has missed this many periods in a row loses its place. At least 1.
		#[pallet::constant]
		type MaxMissed: Get<u32>;

		/// In one period, the keepers of a dataset are paid the pot divided by this number. At least 1.
		#[pallet::constant]
		type PotPeriods: Get<u32>;

		/// The length of periods in blocks, unless the genesis sets another one. At least 1.
		#[pallet::constant]
		type DefaultPeriod: Get<u32>;

		/// The datasets and their objects.
		type Objects: Objects<Self::AccountId>;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's funds are held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposits for places among the keepers of datasets.
		#[codec(index = 0)]
		Keeper,
	}

	/// The version of the pallet's state.
	const STORAGE_VERSION: StorageVersion = StorageVersion::new(state::STORAGE_VERSION);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// The length of periods, in blocks.
	#[pallet::storage]
	pub type PeriodLength<T: Config> = StorageValue<_, u32, ValueQuery, T::DefaultPeriod>;

	/// The keepers, by the dataset's owner and number, and the keeper's account.
	#[pallet::storage]
	pub type Keepers<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
			NMapKey<Blake2_128Concat, T::AccountId>,
		),
		KeeperOf<T>,
	>;

	/// The pots, by the dataset's owner and number.
	#[pallet::storage]
	pub type Pots<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		PotOf<T>,
		ValueQuery,
	>;

	/// The genesis of the pallet.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The length of periods, in blocks; 0 for the default. The chain has to know the hashes of more blocks than that.
		pub period_length: u32,
		/// Not used.
		#[serde(skip)]
		pub _config: PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			if self.period_length > 0 {
				assert!(
					Pallet::<T>::remembers(self.period_length),
					"keepers.periodLength is {}: the chain forgets the hash of a block before such a period ends",
					self.period_length
				);
				PeriodLength::<T>::put(self.period_length);
			}
		}
	}

	/// The pallet's events.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An account keeps a dataset's objects from now on.
		KeeperCame {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// Where its copy is.
			location: Url,
		},
		/// A keeper's copy is at another location.
		KeeperMoved {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// Where its copy is.
			location: Url,
		},
		/// A keeper gave up its place, and got its deposit back, less what it lost of it.
		KeeperLeft {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// The part of its deposit that is in the pot now, because it missed periods.
			lost: BalanceOf<T>,
			/// Its share of the pot of a dataset that is gone.
			share: BalanceOf<T>,
		},
		/// A keeper lost its place, because it missed too many periods in a row.
		KeeperLost {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// Its deposit, which is in the pot now.
			deposit: BalanceOf<T>,
		},
		/// A keeper proved the piece that was drawn for it.
		Proven {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// The period.
			period: Period,
			/// The place of the object in the dataset's list.
			object: u32,
			/// The piece of that object.
			piece: u64,
			/// What the keeper was paid from the pot.
			paid: BalanceOf<T>,
		},
		/// A keeper missed periods.
		Missed {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// How many, since they were last counted.
			periods: u32,
			/// How many since its last proof.
			in_a_row: u32,
		},
		/// The object that was drawn for a keeper was stored too late for this period, so the keeper has nothing to prove.
		Excused {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// The keeper.
			keeper: T::AccountId,
			/// The period.
			period: Period,
			/// The place of the object in the dataset's list.
			object: u32,
		},
		/// The pot of a dataset without objects and keepers was cleared.
		PotCleared {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// What was in it, and is burnt.
			amount: BalanceOf<T>,
		},
		/// Money was put into a pot.
		PotFunded {
			/// The dataset's owner.
			owner: T::AccountId,
			/// The dataset.
			dataset: DatasetId,
			/// Who put it there.
			by: T::AccountId,
			/// The amount.
			amount: BalanceOf<T>,
		},
	}

	/// Why a call fails. A call that fails changes nothing.
	#[pallet::error]
	pub enum Error<T> {
		/// There is no such dataset: check its owner and its number.
		UnknownDataset,
		/// The dataset has the maximum number of keepers: wait until one leaves, or report one that misses its periods.
		TooManyKeepers,
		/// A location must be s3://, gs://, az://, https:// or file:// with a bucket, host or folder, without user, query or
		/// fragment.
		LocationInvalid,
		/// The account does not keep this dataset: it can ask for a place.
		NotKeeper,
		/// Nothing is due from this keeper in this period: it has proven already, or came after this period's draw.
		NotDue,
		/// The dataset has no objects, so there is nothing to prove.
		NothingToProve,
		/// The keeper has missed too many periods in a row: it can only leave, without its deposit, and come again.
		MissedTooMany,
		/// There is no missed period that is not counted yet.
		NothingMissed,
		/// The chain no longer knows the hash of the block that draws for this period. Wait for the next period.
		DrawUnknown,
		/// The piece has another length than the drawn one: prove the piece that is drawn in this period.
		PieceLengthWrong,
		/// The path has another length than that of the drawn piece: prove the piece that is drawn in this period.
		PathLengthWrong,
		/// The piece and its path do not amount to the object's root: the bytes are wrong, or those of another piece.
		ProofWrong,
		/// The amount is less than the least one for a pot: give at least the constant `LeastFund`.
		TooLittle,
		/// There is no money in this pot: check the dataset's owner and its number.
		NoPot,
		/// The pot is still needed, because its dataset has objects or keepers.
		PotNeeded,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxKeepers::get() > 0, "MaxKeepers is zero");
			assert!(T::MaxMissed::get() > 0, "MaxMissed is zero");
			assert!(T::PotPeriods::get() > 0, "PotPeriods is zero");
			let period = T::DefaultPeriod::get();
			assert!(period > 0, "DefaultPeriod is zero");
			assert!(
				Self::remembers(period),
				"DefaultPeriod and {DEPTH} are more blocks than BlockHashCount"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Returns the place of the object and the piece of it that a keeper has to prove in this period; `None` if nothing
		/// is due from it. If the object was stored after the block that draws, `prove` needs no piece.
		pub fn drawn(
			owner: T::AccountId,
			dataset: DatasetId,
			keeper: T::AccountId,
		) -> Option<(u32, u64)> {
			Self::due_from(&owner, dataset, &keeper)
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Keep a copy of all objects of a dataset, or move the copy to another location.
		///
		/// The first time, this takes a deposit and, once on a chain, the least balance of the pots' account. The keeper has
		/// to prove from the next period on.
		///
		/// - `owner`, `dataset`: the dataset's owner and its number.
		/// - `location`: where the copy is. Others may read there; nothing depends on it.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::keep())]
		pub fn keep(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
			location: Url,
		) -> DispatchResult {
			let keeper = ensure_signed(origin)?;
			Self::do_keep(owner, dataset, keeper, location)
		}

		/// Give up the caller's place among a dataset's keepers, and get the deposit back.
		///
		/// For each period missed in a row, an equal part of the deposit goes into the pot instead: all of it if the caller
		/// has missed too many. If the dataset is gone and the caller has proven at least once, it gets its share of the pot.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::leave())]
		pub fn leave(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
		) -> DispatchResult {
			let keeper = ensure_signed(origin)?;
			Self::do_leave(owner, dataset, keeper)
		}

		/// Prove the piece that is drawn for the caller in this period, and be paid the period's share of the pot.
		///
		/// If the drawn object was stored after the block that draws, there is nothing to prove: whatever is sent, the period
		/// counts neither as kept nor as missed, and nothing is paid.
		///
		/// - `piece`: the piece's bytes.
		/// - `path`: the values beside its path in the object's BLAKE3 tree, from the piece upwards.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::prove())]
		pub fn prove(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
			piece: Piece,
			path: Path,
		) -> DispatchResult {
			let keeper = ensure_signed(origin)?;
			Self::do_prove(owner, dataset, keeper, &piece, path)
		}

		/// Count the periods that a keeper has missed. One that has missed too many in a row loses its place and deposit.
		///
		/// Anyone may call this.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::report_missed())]
		pub fn report_missed(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
			keeper: T::AccountId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_report_missed(owner, dataset, keeper)
		}

		/// Put money into the pot of a dataset with objects, from which its keepers are paid. It cannot be taken out again.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::fund())]
		pub fn fund(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
			amount: BalanceOf<T>,
		) -> DispatchResult {
			let by = ensure_signed(origin)?;
			Self::do_fund(owner, dataset, by, amount)
		}

		/// Clear the pot of a dataset that has no objects and no keepers, or is gone. The money in it is burnt.
		///
		/// Anyone may call this.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::clear_pot())]
		pub fn clear_pot(
			origin: OriginFor<T>,
			owner: T::AccountId,
			dataset: DatasetId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_clear_pot(owner, dataset)
		}
	}
}
