// SPDX-License-Identifier: Apache-2.0
//! The pallet's storage: every entry that it keeps in the state.

use polkadot_sdk::*;

/// The pallet's storage.
#[frame_support::pallet_macros::pallet_section]
mod storage {
	/// The registered producers.
	#[pallet::storage]
	pub type Producers<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, Producer<BalanceOf<T>>>;

	/// The number of the next dataset of each account that ever had one. The entry and its deposit remain
	/// when a producer deregisters, so that if the same account registers again, no number, and so no key
	/// derived from it, is used twice.
	#[pallet::storage]
	pub type NextDataset<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, DatasetCounter<BalanceOf<T>>>;

	/// The accounts' public encryption keys.
	#[pallet::storage]
	pub type EncryptionKeys<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, RegisteredKey<BalanceOf<T>>>;

	/// The datasets, by owner and number.
	#[pallet::storage]
	pub type Datasets<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		Dataset<BalanceOf<T>>,
	>;

	/// Who controls each dataset, by owner and number. The dataset's deposit covers the entry.
	#[pallet::storage]
	pub type Controls<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		Control<T::AccountId, BalanceOf<T>>,
	>;

	/// The datasets of other accounts that an account took over, for listing: by controller, owner and number. The dataset's
	/// deposit covers its one entry here.
	#[pallet::storage]
	pub type Controlled<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
		),
		(),
	>;

	/// The datasets' numbers, by owner and name.
	#[pallet::storage]
	pub type DatasetNames<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Blake2_128Concat, Name, DatasetId>;

	/// The datasets' policies, by owner and number.
	#[pallet::storage]
	pub type Policies<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		StandingPolicy<BalanceOf<T>, BlockNumberFor<T>>,
	>;

	/// The records, by owner and key (the paper's `data[key]`). Their bytes are in block bodies, or in stores outside the
	/// chain.
	#[pallet::storage]
	pub type Records<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Blake2_128Concat,
		RecordKey,
		RecordOf<T>,
	>;

	/// The leaves that are taken, by owner, dataset, epoch and leaf.
	#[pallet::storage]
	pub type Leaves<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
			NMapKey<Twox64Concat, Epoch>,
			NMapKey<Twox64Concat, Leaf>,
		),
		TakenLeaf<BalanceOf<T>>,
	>;

	/// The records that are objects, by owner, dataset and their place in the dataset's list. The places of a dataset go
	/// from 0 without gaps, so that an object can be drawn by a number.
	#[pallet::storage]
	pub type Objects<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
			NMapKey<Twox64Concat, u32>,
		),
		RecordKey,
	>;

	/// How many objects a dataset has, and since when it has any, if it has any. The entry takes no deposit: each of the objects has one.
	#[pallet::storage]
	pub type ObjectCounts<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		ObjectCount<BlockNumberFor<T>>,
		ValueQuery,
	>;

	/// Where a dataset's objects are, by owner and dataset.
	#[pallet::storage]
	pub type Locations<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		T::AccountId,
		Twox64Concat,
		DatasetId,
		DatasetLocations<BalanceOf<T>>,
	>;

	/// The open requests.
	#[pallet::storage]
	pub type Requests<T: Config> = StorageMap<_, Twox64Concat, RequestId, RequestOf<T>>;

	/// The open requests by owner, for listing.
	#[pallet::storage]
	pub type RequestsTo<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, RequestId, ()>;

	/// The open requests by consumer, then by owner and scope, for listing and to prevent duplicate
	/// requests.
	#[pallet::storage]
	pub type RequestsFrom<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Blake2_128Concat, Scope>,
		),
		RequestId,
	>;

	/// The number of the next request.
	#[pallet::storage]
	pub type NextRequest<T: Config> = StorageValue<_, RequestId, ValueQuery>;

	/// The grants, both active grants and ended grants that are not yet removed.
	#[pallet::storage]
	pub type Grants<T: Config> = StorageMap<_, Twox64Concat, GrantId, GrantOf<T>>;

	/// The authorization list (the paper's `AuthoList[user]`): the reader's grants and the number of its open
	/// requests, by owner, dataset, epoch and reader.
	#[pallet::storage]
	pub type AuthorizationList<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
			NMapKey<Twox64Concat, Epoch>,
			NMapKey<Blake2_128Concat, T::AccountId>,
		),
		ReaderEntry,
		ValueQuery,
	>;

	/// The grants by grantee, for listing.
	#[pallet::storage]
	pub type GrantsTo<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, GrantId, ()>;

	/// What readers have paid for, by owner, dataset and epoch.
	#[pallet::storage]
	pub type SoldRanges<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Twox64Concat, DatasetId>,
			NMapKey<Twox64Concat, Epoch>,
		),
		Sold<BlockNumberFor<T>>,
	>;

	/// The payments that can still be disputed, by the grants that they are for.
	#[pallet::storage]
	pub type Payments<T: Config> = StorageMap<_, Twox64Concat, GrantId, Payment<BlockNumberFor<T>>>;

	/// The largest number of blocks in which a payment can be disputed.
	#[pallet::storage]
	pub type LongestWindow<T: Config> =
		StorageValue<_, BlockNumberFor<T>, ValueQuery, T::DefaultLongestWindow>;

	/// The genesis of the pallet.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The largest number of blocks in which a payment can be disputed; 0 for the default.
		pub longest_window: BlockNumberFor<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			if !self.longest_window.is_zero() {
				LongestWindow::<T>::put(self.longest_window);
			}
		}
	}

	/// The number of the next grant.
	#[pallet::storage]
	pub type NextGrant<T: Config> = StorageValue<_, GrantId, ValueQuery>;

	/// What will happen automatically, by the block at which it is due.
	#[pallet::storage]
	pub type Agenda<T: Config> =
		StorageDoubleMap<_, Twox64Concat, BlockNumberFor<T>, Twox64Concat, Due, ()>;

	/// The oldest block whose agenda is not finished, if it is older than the next block.
	#[pallet::storage]
	pub type Backlog<T: Config> = StorageValue<_, BlockNumberFor<T>>;

	/// The triggers: conditions that do one thing when they are met.
	#[pallet::storage]
	pub type Triggers<T: Config> = StorageMap<_, Twox64Concat, TriggerId, TriggerOf<T>>;

	/// The triggers that take back the offers of requests, by request.
	#[pallet::storage]
	pub type Withdrawals<T: Config> = StorageMap<_, Twox64Concat, RequestId, TriggerId>;

	/// The triggers that lift the embargoes on records, by owner and key. While there is one, no one but the owner can
	/// query the record.
	#[pallet::storage]
	pub type Embargoes<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Blake2_128Concat, RecordKey, TriggerId>;

	/// The number of the next trigger.
	#[pallet::storage]
	pub type NextTrigger<T: Config> = StorageValue<_, TriggerId, ValueQuery>;

	/// What waits for a fact, a source or a credential.
	#[pallet::storage]
	pub type Waiting<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, Cause<T::AccountId>, Twox64Concat, Waiter, ()>;

	/// How many wait for each cause, and how far the look at them has come.
	#[pallet::storage]
	pub type Crowds<T: Config> = StorageMap<_, Blake2_128Concat, Cause<T::AccountId>, Crowd>;

	/// The causes of which some that wait are still to be looked at, in the order of their turns.
	#[pallet::storage]
	pub type Queue<T: Config> = StorageMap<_, Twox64Concat, u64, Cause<T::AccountId>>;

	/// The first place of the queue, and one past the last.
	#[pallet::storage]
	pub type QueueEnds<T: Config> = StorageValue<_, (u64, u64), ValueQuery>;

	/// How far the migration of entries that an earlier runtime wrote has come. Removed when it is complete.
	#[pallet::storage]
	#[pallet::unbounded]
	pub type Migrating<T: Config> = StorageValue<_, migrations::Cursor>;

	/// The tree over this block's events so far. Removed at the end of the block.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	#[pallet::unbounded]
	pub(crate) type ReceiptTree<T: Config> = StorageValue<_, Peaks, ValueQuery>;

	/// This block's events so far. Removed at the end of the block.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	#[pallet::unbounded]
	pub(crate) type ReceiptEntries<T: Config> = StorageValue<_, Vec<Entry<T::AccountId>>>;

	/// Whether the current transaction's own call is one that indexes its bytes: `store`, `open_record` or
	/// `store_chunk`. Never set between transactions.
	#[pallet::storage]
	pub(crate) type DirectStore<T: Config> = StorageValue<_, ()>;
}
