// SPDX-License-Identifier: Apache-2.0
//! # Data sharing
//!
//! The paper's Protocol 1, data circulation: producers, their datasets and records, requests for
//! access, and the authorization list.
//!
//! ## A worked example
//!
//! 1. A school: `register(School, "High School No. 1")`, `create_dataset("grades")` (dataset 0, epoch 0),
//!    then `store(key, 0, 0, 7, ciphertext)` for leaf 7.
//! 2. A company, with a key that it made for this request:
//!    `request_access(school, {dataset: 0, epoch: 0, from: 0, to: 100}, "a study", Research, 1000, 0, false, key)`.
//! 3. The school seals the keys of leaves 0 to 99 to that key: `add_authorize(company, {dataset: 0, epoch: 0, from: 0,
//!    to: 100}, expiry, None, sealed_keys, {request, digest})`.
//! 4. The company asks `query(company, school, key)`, fetches the value by its content hash, opens the
//!    sealed keys and decrypts.
//!
//! ## Overview
//!
//! A **producer** registers, and its account becomes its contract's address. It has **datasets**; each
//! dataset has a current **epoch**, and each epoch has its own key tree. A **record** is an encrypted value
//! under a 32-byte key; it takes one **leaf** of its dataset's epoch. A consumer's **request** (T_q) asks
//! for a range of leaves, states a purpose and a term, and may offer a payment. A **grant** is the owner's
//! answer: an entry in the authorization list with the range's keys sealed to the grantee. The runtime API
//! `query` returns a record's location and the caller's sealed keys to authorised callers.
//!
//! A record's bytes are in a block's body and never in the state: `store` tells the client to index them
//! (see [`extension`]). A large value is stored in chunks, in order: `open_record` stores its **manifest**,
//! which lists the hashes of the chunks, and `store_chunk` stores each chunk. A large value takes no more
//! of the state than a small one. The bytes of an **object** are not on the chain at all: `store_object` stores its length and
//! BLAKE3 hash, and `set_locations` publishes where a dataset's objects are. Nothing on a chain is private, so values are encrypted before they get
//! here. The envelope crate defines the keys and formats; this pallet interprets them only to
//! decide a dispute.
//!
//! Each entry in the state takes a deposit, which is released when the entry is removed. One entry is never
//! removed: the count of an account's datasets. It ensures that no dataset number, and so no key derived
//! from it, is used twice.
//!
//! A dataset's **policy** says which requests its owner offers to grant. The owner's own program honours
//! it; the chain publishes the policy and shows whether each request meets it. If the policy has a condition that a
//! request is known not to meet, the chain refuses the request.
//!
//! A grant can have a **condition** and is suspended while it is not met. A **trigger** is a condition that does one thing
//! when it is met: it takes back the offer of a request, or lifts the embargo on a record.
//!
//! Requests and grants expire automatically. The work for that is bounded per block; an expired request or
//! grant is refused even if this work is late, and anyone can have it done with `settle`.
//!
//! ## What revoking and expiry can and cannot do
//!
//! A chain cannot take knowledge back. Once a grant's keys are sealed to a reader, they open every value in
//! its scope that the reader can obtain, and block bodies are public. Revoking removes the sealed keys from
//! the state, makes `query` refuse, and starts a new epoch of the dataset: records stored from then on are
//! encrypted under keys that the reader never had, although the later chunks of a large record that was
//! already open still use the old keys. Expiry does the first two; an owner who also wants the third calls
//! `start_epoch`. The other readers then need new grants for the new epoch, sent in a batch that one
//! reader's failure does not undo.
//!
//! ## What a payment buys
//!
//! An answer reveals the sealed keys to the reader even if the call fails, because blocks and transaction
//! pools are public. So the reader must have no way to make it fail. A cancelled request with an offer
//! stays open for a notice period, the answer succeeds even if the reader removes its encryption key, and
//! the request holds the grant's deposit and a place among the reader's grants. The owner checks the rest
//! beforehand: that the request is final, and how long it remains open. An answer names its request's digest,
//! because on another branch of the chain the request's number may belong to another request.
//!
//! A payment buys a term, which begins in the block that grants access. The reader's money stays held for half of the
//! term, between `DisputeWindow` and `LongestWindow` blocks, and is then paid to the owner. If the owner revokes
//! the grant before the term is over, the share for the rest of the term is moved back in the same call, or all of it if the
//! owner was not paid yet. Only a
//! firm term, which the dataset's policy must offer, cannot be revoked. The records that were in the range when it was
//! paid for stay until the term is over or the grant is revoked.
//!
//! Until the owner is paid, the reader can reveal the secret of the key in its request (`dispute`). The chain then opens the
//! grant, and if it does not open, or its keys are not those that a record's header commits to, the reader gets its money
//! back, and a bounded part of the dataset's deposit is burned. The chain does not look at ciphertext: it does not know whether the
//! values are what the owner said. For that, readers pay owners they trust, or pay in small steps; an
//! owner's actions stay in the chain's history, with its signature.
//!
//! ## Who controls a dataset
//!
//! The account that creates a dataset controls it, and its account and the dataset's number are the dataset's address for ever. It
//! can offer the dataset to another producer, who accepts it (`offer_dataset`, `accept_dataset`): then that account acts as the
//! owner, with `act_for`, has all deposits for the dataset, and gets what readers pay. The address stays, so that records,
//! grants and keys are where they were. A new epoch starts, since the new controller cannot derive the old one's keys.
//! [`Controls`] says who controls a dataset. Where this page says what an owner does, the controller does it.
//!
//! ## Where to find what
//!
//! The protocol's types, formats, limits and deposits are in `isthmus-sharing`; [`types`] adds the bounds
//! that the state needs. [`runtime_api`] declares `query` and the lists, and `queries` implements them.
//! [`extension`] is the transaction extension that `store` needs. `config`, `storage`, `events`, `errors`
//! and `calls` are the pallet's parts of the same names. `exchange` holds payments and decides disputes. `control` creates
//! and removes datasets, and hands them over to other accounts. `conditions` and `triggers` carry
//! out conditions. `receipts` commits each block's header to its events. `records` stores and removes records, `objects`
//! stores those whose bytes are elsewhere, `impls`
//! contains what the other calls share, `migrations` brings the state of an earlier runtime up to date, and `try_state`
//! checks the state's invariants.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod calls;
pub mod conditions;
mod config;
mod control;
mod errors;
mod events;
mod exchange;
pub mod extension;
mod impls;
pub mod migrations;
#[cfg(test)]
mod mock;
mod objects;
mod queries;
mod receipts;
mod records;
pub mod runtime_api;
mod storage;
#[cfg(test)]
mod tests;
mod triggers;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
pub mod types;
pub mod weights;

pub use conditions::{Fact, Outside};
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
// The macros make a function of each call, with its arguments.
#[allow(clippy::too_many_arguments)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::{boxed::Box, vec::Vec};
	use frame_support::{
		dispatch::{GetDispatchInfo, PostDispatchInfo},
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, InspectHold, Mutate, MutateHold},
			Contains, IsSubType, OriginTrait, UnixTime,
		},
	};
	use frame_system::pallet_prelude::*;
	use isthmus_conditions::{Condition, Truth, MAX_NODES};
	use isthmus_sharing::{
		history::Entry,
		merkle::Peaks,
		terms::{
			Footprint, MAX_CHUNKS, MAX_GRANTS_PER_READER, MAX_NAME_SIZE, MAX_PROOF,
			MAX_SEALED_KEYS_SIZE, MAX_SERVED_SIZE, MAX_TEXT_SIZE,
		},
	};
	use sp_core::H256;
	use sp_runtime::{
		traits::{Dispatchable, Saturating, Zero},
		ArithmeticError,
	};

	/// An amount of the currency.
	pub type BalanceOf<T> =
		<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// [`types::Request`] on this chain.
	pub type RequestOf<T> =
		Request<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
	/// [`types::Grant`] on this chain.
	pub type GrantOf<T> =
		Grant<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
	/// [`types::Control`] on this chain.
	pub type ControlOf<T> = Control<<T as frame_system::Config>::AccountId, BalanceOf<T>>;
	/// [`types::Payment`] on this chain.
	pub type PaymentOf<T> = Payment<BlockNumberFor<T>>;
	/// [`types::Trigger`] on this chain.
	pub type TriggerOf<T> =
		Trigger<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
	/// [`types::Record`] on this chain.
	pub type RecordOf<T> = Record<BalanceOf<T>, BlockNumberFor<T>>;

	/// The maximum number of entries that one `settle` call ends.
	pub const MAX_SETTLED: u32 = 64;
	/// The maximum number of grants in a call of `recount_sold`.
	pub const MAX_RECOUNTED: u32 = 256;

	/// The layout of the storage: 1 since requests hold what their grants will take.
	pub(crate) const STORAGE_VERSION: StorageVersion =
		StorageVersion::new(isthmus_sharing::terms::STORAGE_VERSION);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// The origin of the calls that `act_for` carries out.
	#[pallet::origin]
	pub type Origin<T> = Acting<<T as frame_system::Config>::AccountId>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Ends requests and grants that are due: as many as every block has room for.
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::begin_agenda(now)
		}

		/// Ends more of them, if some are overdue, and looks at more of what waits for facts that have changed, if the block
		/// has room left.
		fn on_idle(now: BlockNumberFor<T>, room: Weight) -> Weight {
			// The agenda leaves half of the room, so that overdue entries, which cost no one a fee, do not hold up the
			// rounds.
			let used = Self::catch_up_agenda(now, room / 2);
			used.saturating_add(Self::carry_out_rest(room.saturating_sub(used)))
		}

		/// Commits the header to the block's events.
		fn on_finalize(_: BlockNumberFor<T>) {
			Self::seal_receipts();
		}

		fn integrity_test() {
			// With a limit of one per block, a late agenda would never catch up.
			assert!(
				T::MaxEndingsPerBlock::get() >= 2,
				"MaxEndingsPerBlock is less than 2"
			);
			assert!(T::MaxCarriedOut::get() >= 1, "MaxCarriedOut is zero");
			// If this were 0, a request would be put on the agenda of its own block, which has already been
			// processed.
			assert!(
				!T::RequestLifetime::get().is_zero(),
				"RequestLifetime is zero"
			);
			assert!(!T::DisputeWindow::get().is_zero(), "DisputeWindow is zero");
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
