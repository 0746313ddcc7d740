//! # Proof of work
//!
//! The paper's header fields inside the runtime.
//!
//! ## Overview
//!
//! A block's miner fixes H_c, H_d, H_l, H_s, H_o and H_x before the block is executed, in the
//! header's `pow_` pre-runtime item ([`isthmus_primitives::digest::PreDigest`]). This pallet
//!
//! - reads that item when the block begins and holds it against the parent's facts ([`header`]);
//! - holds the timestamp inherent against H_s;
//! - takes the uncles, B_U, from an inherent and holds them against H_o and the ancestry
//!   ([`uncles`]);
//! - refuses a transaction that the block's own gas limit has no room for ([`CheckGasLimit`]), and
//!   writes H_g, the gas that the block's transactions used, when the block ends ([`gas`]);
//! - mints the rewards of the miner and of the uncles' miners;
//! - answers who mined the block ([`Pallet::beneficiary`]).
//!
//! What is not here: the seal, the time of the node's clock and an uncle's full header validity need
//! what a runtime has not. They are the engine's, which checks them, and everything about the header
//! that is checked here too, before a block is executed. The formulas are in `isthmus-rules`.
//!
//! ## Refusing a block
//!
//! A hook cannot return an error, so a block is refused there as every FRAME pallet does it: by a
//! panic, which traps the runtime's instance and makes the block invalid, and nothing else. The
//! engine's verifier has refused such a header before it is executed; to reach the panic, a block
//! must contradict itself (its body against its header), or the node skip the verifier. An inherent
//! that is refused returns its [`Error`], and FRAME refuses a block whose mandatory call failed.
//!
//! ## Example
//!
//! A block 7 with H_d = D(H), one uncle of number 6, and a reward of 32 units: `on_initialize` takes
//! the pre-runtime item, `timestamp.set` is held against H_s, `set_uncles` against H_o; at the end
//! the beneficiary is minted 32 + 32/32 = 33 units, the uncle's 32 · (8 + 6 − 7)/8 = 28, and H_g is
//! deposited.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod gas;
pub mod header;
pub mod types;
pub mod uncles;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

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
	use frame_support::{
		pallet_prelude::*,
		traits::{fungible, OnTimestampSet},
	};
	use frame_system::pallet_prelude::*;
	use isthmus_primitives::{
		digest::{read_pre_digest, uncles_hash, GasUsed, POW_ENGINE_ID},
		inherents::{UnclesInherentData, UnclesInherentError, UNCLES_INHERENT_IDENTIFIER},
		params::{ChainParameters, MAX_UNCLES},
		AccountId, Balance, Hash, Header,
	};
	use isthmus_rules::{miner_reward, uncle_reward};
	use sp_inherents::{InherentData, InherentIdentifier};
	use sp_runtime::{DigestItem, SaturatedConversion};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

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
		/// Where rewards are minted.
		type Currency: fungible::Mutate<AccountId, Balance = Balance>;

		/// The weights of this pallet's hooks, call and transaction extension.
		type WeightInfo: WeightInfo;
	}

	/// The chain's consensus parameters, fixed at genesis. The engine reads them from the genesis
	/// state only, so to change them here would stop the chain, not change its rules.
	#[pallet::storage]
	pub type Parameters<T> = StorageValue<_, ChainParameters, ValueQuery>;

	/// H_c, H_d, H_l, H_s and H_o of the block in execution; between blocks, of the last one.
	#[pallet::storage]
	pub type CurrentHead<T> = StorageValue<_, Head, ValueQuery>;

	/// The uncles that the block in execution names, until they are rewarded when it ends.
	#[pallet::storage]
	pub type BlockUncles<T> = StorageValue<_, BoundedVec<Uncle, ConstU32<MAX_UNCLES>>, ValueQuery>;

	/// The uncles named by the last blocks, each with the number of the block that named it. No
	/// uncle is named twice.
	#[pallet::storage]
	pub type RecentUncles<T> =
		StorageValue<_, BoundedVec<(u32, Hash), ConstU32<{ uncles::MAX_RECENT }>>, ValueQuery>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// The block's miner earned its reward: the block's, and 1/32 of it for each uncle named.
		BlockRewarded {
			/// H_c of the block.
			beneficiary: AccountId,
			/// What was minted.
			amount: Balance,
		},
		/// The miner of an uncle earned its reward: (8 + U_i − H_i)/8 of the block's.
		UncleRewarded {
			/// H_c of the uncle.
			beneficiary: AccountId,
			/// U_i: the uncle's number.
			number: u32,
			/// What was minted.
			amount: Balance,
		},
		/// A reward could not be minted, and is lost: it was less than an account must hold, or the
		/// beneficiary's balance or the total issuance would have overflowed.
		RewardLost {
			/// Who would have earned it.
			beneficiary: AccountId,
			/// What would have been minted.
			amount: Balance,
			/// Why it was not.
			reason: DispatchError,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The uncles inherent is empty. A block without uncles has none.
		NoUncles,
		/// The block has a second uncles inherent.
		UnclesAlreadySet,
		/// The block names more than two uncles.
		TooManyUncles,
		/// H_o is not the hash of the uncles in the block's body.
		UnclesHashMismatch,
		/// The uncle is not a sealed header with the paper's fields in its digest.
		UncleMalformed,
		/// The uncle is not of one of the last six generations before this block.
		UncleOutOfRange,
		/// The uncle is an ancestor of this block.
		UncleIsAncestor,
		/// The uncle's parent is not an ancestor of this block.
		UncleParentNotAncestor,
		/// The uncle is named twice in this block, or was by an ancestor.
		UncleAlreadyIncluded,
	}

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The chain's consensus parameters.
		pub parameters: ChainParameters,
		/// Names the runtime. Holds nothing.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		/// Panics, which refuses the chain spec, where the genesis block would break the rules that
		/// every later block must keep.
		fn build(&self) {
			if let Err(error) = header::check_genesis(&self.parameters) {
				refuse(error);
			}
			Parameters::<T>::put(&self.parameters);
			CurrentHead::<T>::put(Head::genesis(&self.parameters));
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			let pre = match read_pre_digest(&frame_system::Pallet::<T>::digest()) {
				Ok(pre) => pre,
				Err(error) => refuse(error),
			};
			let parent = CurrentHead::<T>::get();
			let head = Head::from(pre.clone());
			let parent_hash = frame_system::Pallet::<T>::parent_hash();
			if let Err(error) = header::check(
				&Parameters::<T>::get(),
				&parent,
				parent_hash,
				Self::number(),
				pre,
			) {
				refuse(error);
			}
			CurrentHead::<T>::put(head);
			T::WeightInfo::on_initialize().saturating_add(T::WeightInfo::on_finalize(MAX_UNCLES))
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			let head = CurrentHead::<T>::get();
			let uncles = BlockUncles::<T>::take();
			if uncles.is_empty() && head.uncles_hash != uncles_hash(&[]) {
				refuse("the header commits to uncles (H_o) that the block's body does not name");
			}
			Self::reward(head.beneficiary, &uncles);
			let gas_used = GasUsed(Self::gas_used());
			frame_system::Pallet::<T>::deposit_log(DigestItem::Consensus(
				POW_ENGINE_ID,
				gas_used.encode(),
			));
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Names the block's uncles, B_U: headers of stale blocks whose miners are to be rewarded.
		///
		/// An inherent: the block's miner puts it into the block, nobody can send it.
		#[pallet::call_index(0)]
		#[pallet::weight((
			T::WeightInfo::set_uncles(uncles.len().saturated_into()),
			DispatchClass::Mandatory,
		))]
		pub fn set_uncles(origin: OriginFor<T>, uncles: Vec<Header>) -> DispatchResult {
			ensure_none(origin)?;
			Self::name_uncles(uncles)
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

	impl<T: Config> Pallet<T> {
		/// H_c: who mined the block in execution; between blocks, the last one. The genesis block's
		/// is the zero account.
		pub fn beneficiary() -> AccountId {
			CurrentHead::<T>::get().beneficiary
		}

		/// The fields of the header of the block in execution; between blocks, of the last one.
		pub fn current_head() -> Head {
			CurrentHead::<T>::get()
		}

		/// H_i of the block in execution.
		pub(crate) fn number() -> u32 {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}

		/// Mints R_b · (1 + ‖B_U‖/32) to the block's miner and R_b · (8 + U_i − H_i)/8 to each
		/// uncle's (yellow paper, section 11.3).
		fn reward(beneficiary: AccountId, uncles: &[Uncle]) {
			let block_reward = Parameters::<T>::get().block_reward;
			let number = Self::number();
			for uncle in uncles {
				// Named uncles are of the last six generations, so that the formula has an answer.
				let amount = uncle_reward(block_reward, uncle.number, number).unwrap_or_default();
				let beneficiary = uncle.beneficiary.clone();
				Self::mint(beneficiary.clone(), amount, |amount| Event::UncleRewarded {
					beneficiary,
					number: uncle.number,
					amount,
				});
			}
			let amount = miner_reward(block_reward, uncles.len().saturated_into());
			Self::mint(beneficiary.clone(), amount, |amount| Event::BlockRewarded {
				beneficiary,
				amount,
			});
		}

		/// Mints one reward and says what became of it.
		fn mint(
			beneficiary: AccountId,
			amount: Balance,
			rewarded: impl FnOnce(Balance) -> Event<T>,
		) {
			use fungible::Mutate;
			if amount == 0 {
				return;
			}
			Self::deposit_event(match T::Currency::mint_into(&beneficiary, amount) {
				Ok(minted) => rewarded(minted),
				Err(reason) => Event::RewardLost {
					beneficiary,
					amount,
					reason,
				},
			});
		}
	}

	impl<T: Config> OnTimestampSet<u64> for Pallet<T> {
		/// H_s is the timestamp inherent's time in whole seconds.
		fn on_timestamp_set(milliseconds: u64) {
			let expected = CurrentHead::<T>::get().timestamp;
			let got = milliseconds / header::MILLISECONDS_PER_SECOND;
			if got != expected {
				refuse(format_args!(
					"the timestamp inherent says {got} s, and the header (H_s) {expected} s"
				));
			}
		}
	}

	/// The uncles in inherent data. Data that does not decode counts as none: only the node itself
	/// provides it, and a block needs no uncles.
	fn uncles_in(data: &InherentData) -> UnclesInherentData {
		data.get_data(&UNCLES_INHERENT_IDENTIFIER)
			.ok()
			.flatten()
			.unwrap_or_default()
	}

	/// Refuses the block (or, at genesis, the chain spec): see the crate's documentation.
	fn refuse(reason: impl core::fmt::Display) -> ! {
		panic!("{reason}")
	}
}
