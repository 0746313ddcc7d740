//! # Data sharing
//!
//! The paper's Protocol 1, data circulation: producers, their datasets and records, requests for
//! access, and the authorization list.
//!
//! ## Overview
//!
//! A **producer** registers, and its account is its contract's address. It has **datasets**; a
//! dataset has a current **epoch**, with a key tree of its own. A **record** is an encrypted value
//! under a 32-byte key; it takes one **leaf** of its dataset's epoch. A consumer's **request** (T_q)
//! asks for a range of leaves, says what for and for how long, and may offer a payment. A **grant**
//! is the owner's answer: an entry of the authorization list with the range's keys sealed to the
//! grantee. `query` (a runtime API) tells the authorised where a record's bytes are and gives them
//! their sealed keys.
//!
//! A record's bytes are in a block's body and never in the state: `store` has the client index them
//! (see [`extension`]). A large value goes out in chunks, in order: `open_record` stores its
//! **manifest**, which names the chunks by their hashes (see [`manifest`]), and `store_chunk` each
//! chunk; the state keeps as little of it as of a small one. Nothing on a chain is private, so values are encrypted before they get here;
//! keys and formats are the envelope crate's, and this pallet never looks inside them.
//!
//! What stays in the state costs a deposit, which comes back when it goes. One entry never goes: the
//! count of an account's datasets, so that no number, and no key made from it, is used twice.
//!
//! An owner may say which requests it will grant: a dataset's **policy**. The owner's own program
//! honours it; the chain shows it and says of each request whether it meets it.
//!
//! A request lapses and a grant expires by itself; the work of that is bounded per block, and what is
//! late is refused by its own date all the same.
//!
//! ## What revoking and expiry can and cannot do
//!
//! A chain cannot make anybody forget. A grant's keys, once sealed to a reader, open every value in
//! its scope that the reader can get hold of, and block bodies are public. Revoking removes the sealed
//! keys from the state, makes `query` refuse, and moves the dataset on to a new epoch: records from
//! then on are under keys that the reader never had, though a large one that was open already gets its
//! later chunks under the old. Expiry does the first two; an owner who wants the third as well calls
//! `start_epoch`. Readers who stay need their grants sealed anew for the new epoch, in a batch that one
//! reader's failure does not undo.
//!
//! ## What a payment buys
//!
//! An answer shows the sealed keys to their reader even if it fails, as blocks and pools are public. So
//! its reader has no way to make it fail: an offer that is taken back stays for a notice, a key may be
//! gone, and a full list makes room. The rest is the owner's to look at before: its own deposit, and how
//! long the request is still open.
//!
//! What is bought is the owner's promise, with the reader's money moved in the block that grants access and the grant
//! safe from `revoke` until the term paid for is over. The chain cannot look into sealed keys or
//! ciphertext: it does not know whether the keys open anything, whether the values are what the owner
//! said, or whether the owner will remove the records. Readers pay those whom they trust, or little
//! at a time; what an owner did stands in the chain's history, with its signature.
//!
//! ## A worked example
//!
//! 1. A school: `register(School, "High School No. 1")`, `create_dataset("grades")` (its number is 0,
//!    its epoch 0), then `store(key, 0, 0, 7, ciphertext)` for leaf 7.
//! 2. A company: `set_encryption_key(..)`, then
//!    `request_access(school, {dataset: 0, epoch: 0, from: 0, to: 100}, "research", 1000, 0)`.
//! 3. The school seals the keys of leaves 0 to 99 to the company's key:
//!    `add_authorize(company, {dataset: 0, epoch: 0, from: 0, to: 100}, expiry, sealed_keys, request)`.
//! 4. The company asks `query(company, school, key)`, fetches the value by its content hash, opens the
//!    sealed keys and decrypts.
//!
//! ## What is where
//!
//! [`types`]: the words. [`policy`]: standing policies. [`manifest`]: that of a large record.
//! [`signed_query`]: what a caller signs who asks a node. [`runtime_api`]: `query` and the lists, with
//! `questions`, which answers them. [`extension`]: the transaction extension that `store` needs.
//! `config`, `storage`, `events`, `errors`, `calls`: the pallet's parts of those names. `records`:
//! storing and removing. `functions`: what the calls share. `checks`: the state's invariants.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod calls;
mod config;
mod errors;
mod events;
pub mod extension;
mod impls;
#[cfg(test)]
mod mock;
mod queries;
mod records;
pub mod runtime_api;
mod storage;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

pub use extension::DirectCall;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use frame_support::pallet_macros::import_section;
use polkadot_sdk::*;

#[import_section(config::config)]
#[import_section(storage::storage)]
#[import_section(events::events)]
#[import_section(errors::errors)]
#[import_section(calls::calls)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::records::RecordPlace;
	use alloc::vec::Vec;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, InspectHold, MutateHold},
			Contains, UnixTime,
		},
	};
	use frame_system::pallet_prelude::*;
	use isthmus_sharing::terms::{
		Footprint, MAX_CHUNKS, MAX_GRANTS_PER_READER, MAX_NAME_SIZE, MAX_SEALED_KEYS_SIZE,
		MAX_SERVED_SIZE, MAX_TEXT_SIZE, MIN_ENCRYPTION_KEY_SIZE,
	};
	use sp_core::H256;
	use sp_runtime::{
		traits::{Saturating, Zero},
		ArithmeticError,
	};

	/// The currency's amounts.
	pub type BalanceOf<T> =
		<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// [`types::Request`] on this chain.
	pub type RequestOf<T> =
		Request<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
	/// [`types::Grant`] on this chain.
	pub type GrantOf<T> =
		Grant<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
	/// [`types::Record`] on this chain.
	pub type RecordOf<T> = Record<BalanceOf<T>, BlockNumberFor<T>>;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Ends the requests and grants whose time has come.
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::work_off_agenda(now)
		}

		fn integrity_test() {
			// With one a block, the agenda would never catch up once it is late.
			assert!(
				T::MaxEndingsPerBlock::get() >= 2,
				"MaxEndingsPerBlock is less than 2"
			);
			// A request would go on the agenda of its own block, which is worked off already.
			assert!(
				!T::RequestLifetime::get().is_zero(),
				"RequestLifetime is zero"
			);
			assert!(
				T::MaxValueSize::get() <= MAX_SERVED_SIZE,
				"MaxValueSize is more than 2 MiB"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}
}
