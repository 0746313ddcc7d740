// SPDX-License-Identifier: Apache-2.0
//! # Proof of work
//!
//! Checks and stores the paper's header fields inside the runtime, and rewards miners.
//!
//! ## Overview
//!
//! Before a block is executed, its miner fixes its beneficiary (H_c), difficulty (H_d), gas limit (H_l),
//! timestamp (H_s), uncles hash (H_o) and extra data (H_x), in the header's `pow_` pre-runtime item
//! ([`isthmus_primitives::digest::PreDigest`]). This pallet
//!
//! - reads that item when the block begins, and checks all of it but H_d against the parent ([`header`]);
//! - checks the timestamp inherent against H_s;
//! - takes the uncles (B_U, orphaned blocks whose miners are rewarded) from an inherent, and checks
//!   them against H_o and the block's ancestors ([`uncles`]);
//! - rejects a transaction that exceeds the block's own gas limit ([`CheckGasLimit`]), and when the block
//!   ends, writes the gas that its transactions used (H_g) ([`gas`]);
//! - mints the rewards of the miner and of the uncles' miners;
//! - reports who mined the block ([`Pallet::beneficiary`]).
//!
//! The seal, the difficulty, the node's clock and the full validity of an uncle's header need information that
//! a runtime lacks. The engine checks them, together with everything about the header that is checked here, before
//! a block is executed. The formulas are in `isthmus-rules`.
//!
//! ## Example
//!
//! Block 7 has the required difficulty (H_d = D(H)), one uncle with number 6, and a reward of 32 units.
//! `on_initialize` reads the pre-runtime item. `timestamp.set` is checked against H_s, and `set_uncles`
//! against H_o. At the end, 32 + 32/32 = 33 units are minted for the beneficiary and 32 · (8 + 6 − 7)/8 =
//! 28 for the uncle's miner, and H_g is written to the digest.
//!
//! ## Rejecting a block
//!
//! A hook cannot return an error, so it rejects a block as every FRAME pallet does: with a panic, which
//! traps the runtime instance, makes the block invalid and has no other effect. The engine's verifier
//! rejects such a header before the block is executed. The panic is only reached if a block's body
//! contradicts its header, or if the node skips the verifier. A rejected inherent returns its [`Error`],
//! and FRAME rejects a block if a mandatory call fails.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod gas;
pub mod header;
pub mod migrations;
pub mod types;
pub mod uncles;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;

pub use gas::CheckGasLimit;
pub use pallet::*;
pub use types::{Head, Uncle};
pub use weights::WeightInfo;

use polkadot_sdk::*;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use codec::Encode;
	use frame_support::{pallet_prelude::*, traits::fungible};
	use frame_system::pallet_prelude::*;
	use isthmus_primitives::{
		digest::{read_pre_digest, uncles_hash, GasUsed, POW_ENGINE_ID},
		inherents::{UnclesInherentData, UnclesInherentError, UNCLES_INHERENT_IDENTIFIER},
		params::{ChainParameters, MAX_UNCLES},
		AccountId, Balance, Hash, Header,
	};
	use sp_inherents::{InherentData, InherentIdentifier};
	use sp_runtime::{DigestItem, SaturatedConversion};

	/// The version of the pallet's state. Version 2 has the hash of the parameters, and version 3 the list of their
	/// changes.
	const STORAGE_VERSION: StorageVersion = StorageVersion::new(3);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config:
		polkadot_sdk::frame_system::Config<
		AccountId = AccountId,
		Hash = Hash,
		RuntimeEvent: From<Event<Self>>,
	>
	{
		/// The currency in which rewards are minted.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>;

		/// The weights of this pallet's hooks, call and transaction extension.
		type WeightInfo: WeightInfo;
	}

	/// The chain's consensus parameters, fixed at genesis with their changes by height. The engine reads them only from the genesis
	/// state, so changing them here would stop the chain, not change its rules.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, ChainParameters, ValueQuery>;

	/// The BLAKE2b-256 hash of [`Parameters`] as genesis has them, so that a change of the parameters is found.
	#[pallet::storage]
	pub type ParametersHash<T> = StorageValue<_, Hash, OptionQuery>;

	/// The beneficiary (H_c), difficulty (H_d), gas limit (H_l), timestamp (H_s) and uncles hash (H_o) of
	/// the block in execution or, between blocks, of the last one.
	#[pallet::storage]
	pub type CurrentHead<T> = StorageValue<_, Head, ValueQuery>;

	/// The uncles named by the block in execution, until they are rewarded at its end.
	#[pallet::storage]
	pub type BlockUncles<T> = StorageValue<_, BoundedVec<Uncle, ConstU32<MAX_UNCLES>>, ValueQuery>;

	/// The uncles named by recent blocks, each with the number of the block that named it. No uncle can be
	/// named twice.
	#[pallet::storage]
	pub type RecentUncles<T> = StorageValue<
		_,
		BoundedVec<(u32, Hash), ConstU32<{ types::MAX_RECENT_UNCLES }>>,
		ValueQuery,
	>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// The block's miner earned its reward: the block reward, and 1/32 of it for each uncle named.
		BlockRewarded {
			/// The block's beneficiary (H_c).
			beneficiary: AccountId,
			/// The amount minted.
			amount: Balance,
		},
		/// The miner of an uncle earned its reward: (8 + U_i − H_i)/8 of the block reward, where U_i is the
		/// uncle's number and H_i the block's.
		UncleRewarded {
			/// The uncle's beneficiary (H_c).
			beneficiary: AccountId,
			/// U_i: the uncle's number.
			number: u32,
			/// The amount minted.
			amount: Balance,
		},
		/// A reward could not be minted and is lost: it was below the existential deposit of a new
		/// account, or the beneficiary's balance or the total issuance would have overflowed.
		RewardLost {
			/// The account that would have earned it.
			beneficiary: AccountId,
			/// The amount that would have been minted.
			amount: Balance,
			/// Why the reward could not be minted.
			reason: DispatchError,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The uncles inherent is empty. A block without uncles has no such inherent.
		NoUncles,
		/// The block has a second uncles inherent.
		UnclesAlreadySet,
		/// The block names more than two uncles.
		TooManyUncles,
		/// H_o is not the hash of the uncles in the block's body.
		UnclesHashMismatch,
		/// The uncle is not a sealed header with the paper's fields in its digest.
		UncleMalformed,
		/// The uncle does not belong to one of the six generations before this block.
		UncleOutOfRange,
		/// The uncle is an ancestor of this block.
		UncleIsAncestor,
		/// The uncle's parent is not an ancestor of this block.
		UncleParentNotAncestor,
		/// The uncle is named twice in this block, or was named by an ancestor.
		UncleAlreadyIncluded,
	}

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The chain's consensus parameters.
		pub parameters: ChainParameters,
		/// Binds the type to the runtime. Contains no data.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		/// Builds the genesis state. Panics, which rejects the chain spec, if the genesis block would
		/// violate the rules of every later block.
		fn build(&self) {
			if let Err(error) = header::check_genesis(&self.parameters) {
				reject(error);
			}
			if let Err(error) = self.parameters.check_changes() {
				reject(error);
			}
			Parameters::<T>::put(&self.parameters);
			ParametersHash::<T>::put(Pallet::<T>::hash_of(&self.parameters));
			CurrentHead::<T>::put(Head::genesis(&self.parameters));
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			let pre = match read_pre_digest(&frame_system::Pallet::<T>::digest()) {
				Ok(pre) => pre,
				Err(error) => reject(error),
			};
			let parent = CurrentHead::<T>::get();
			let head = Head::from(pre.clone());
			let parent_hash = frame_system::Pallet::<T>::parent_hash();
			if let Err(error) = header::check(&parent, parent_hash, Self::number(), pre) {
				reject(error);
			}
			CurrentHead::<T>::put(head);
			T::WeightInfo::on_initialize().saturating_add(T::WeightInfo::on_finalize(MAX_UNCLES))
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			let head = CurrentHead::<T>::get();
			let uncles = BlockUncles::<T>::take();
			if uncles.is_empty() && head.uncles_hash != uncles_hash(&[]) {
				reject("the header commits to uncles (H_o) that the block's body does not name");
			}
			Self::do_reward(head.beneficiary, &uncles);
			let gas_used = GasUsed(Self::gas_used());
			frame_system::Pallet::<T>::deposit_log(DigestItem::Consensus(
				POW_ENGINE_ID,
				gas_used.encode(),
			));
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Name the block's uncles, B_U: headers of orphaned blocks whose miners are rewarded.
		///
		/// This is an inherent: only the block's miner can put it into the block.
		///
		/// - `uncles`: one or two sealed headers.
		#[pallet::call_index(0)]
		#[pallet::weight((
			T::WeightInfo::set_uncles(uncles.len().saturated_into()),
			DispatchClass::Mandatory,
		))]
		pub fn set_uncles(origin: OriginFor<T>, uncles: Vec<Header>) -> DispatchResult {
			ensure_none(origin)?;
			Self::do_set_uncles(uncles)
		}
	}

	#[pallet::inherent]
	impl<T: Config> ProvideInherent for Pallet<T> {
		type Call = Call<T>;
		type Error = UnclesInherentError;
		const INHERENT_IDENTIFIER: InherentIdentifier = UNCLES_INHERENT_IDENTIFIER;

		fn create_inherent(data: &InherentData) -> Option<Self::Call> {
			let uncles = uncles_in(data);
			(!uncles.is_empty()).then_some(Call::set_uncles { uncles })
		}

		fn is_inherent_required(data: &InherentData) -> Result<Option<Self::Error>, Self::Error> {
			Ok((!uncles_in(data).is_empty()).then_some(UnclesInherentError::Missing))
		}

		fn is_inherent(call: &Self::Call) -> bool {
			matches!(call, Call::set_uncles { .. })
		}
	}

	/// Reads the uncles from inherent data. Data that does not decode counts as no uncles: only the node
	/// itself provides the data, and a block does not need uncles.
	fn uncles_in(data: &InherentData) -> UnclesInherentData {
		data.get_data(&UNCLES_INHERENT_IDENTIFIER)
			.ok()
			.flatten()
			.unwrap_or_default()
	}

	/// Rejects the block (or, at genesis, the chain spec): see the crate's documentation.
	pub(crate) fn reject(reason: impl core::fmt::Display) -> ! {
		panic!("{reason}")
	}
}
