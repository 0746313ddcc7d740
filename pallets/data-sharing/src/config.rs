// SPDX-License-Identifier: Apache-2.0
//! The pallet's parameters, which a runtime sets, and the constants that clients read in the metadata.

use polkadot_sdk::*;

/// The pallet's parameters.
#[frame_support::pallet_macros::pallet_section]
mod config {
	/// Data sharing's parameters.
	#[pallet::config]
	pub trait Config:
		polkadot_sdk::frame_system::Config<
		RuntimeEvent: From<Event<Self>>,
		RuntimeOrigin: OriginTrait<PalletsOrigin: From<Origin<Self>> + TryInto<Origin<Self>>>,
	>
	{
		/// The runtime's calls, of which `act_for` carries out one.
		type Carried: Parameter
			+ Dispatchable<RuntimeOrigin = Self::RuntimeOrigin, PostInfo = PostDispatchInfo>
			+ GetDispatchInfo
			+ IsSubType<Call<Self>>
			+ From<Call<Self>>;

		/// The currency of deposits and offers.
		type Currency: Mutate<Self::AccountId>
			+ MutateHold<Self::AccountId>
			+ InspectHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The producers that must not deregister: verifiers, and applicants for that role.
		type MustStay: Contains<Self::AccountId>;

		/// The runtime's reasons for holding an account's funds.
		type RuntimeHoldReason: From<HoldReason>;

		/// The deposit for each entry in the state.
		#[pallet::constant]
		type DepositPerItem: Get<BalanceOf<Self>>;

		/// The additional deposit per byte, for entries whose size the caller chooses.
		#[pallet::constant]
		type DepositPerByte: Get<BalanceOf<Self>>;

		/// The maximum number of bytes in a value, a chunk or a manifest. An extrinsic that contains one of
		/// this size must fit the block's length. At most 2 MiB, since nodes do not serve larger values by
		/// their hash.
		#[pallet::constant]
		type MaxValueSize: Get<u32>;

		/// The number of blocks that a request waits for an answer before it expires. At least 1.
		#[pallet::constant]
		type RequestLifetime: Get<BlockNumberFor<Self>>;

		/// The number of blocks that a request with an offer stays open after its consumer cancels it. It
		/// must be at least as long as an answer can be in flight. Otherwise the reader could get the keys
		/// without paying.
		#[pallet::constant]
		type CancelNotice: Get<BlockNumberFor<Self>>;

		/// The least number of blocks in which a reader can dispute a grant that it pays for. The payment is held until then.
		/// A term that is paid for is at least as long, so that the keys are in the state. At least 1.
		#[pallet::constant]
		type DisputeWindow: Get<BlockNumberFor<Self>>;

		/// The largest number of blocks in which a reader can dispute a grant that it pays for, unless the genesis sets
		/// another one. Up to it, it is half of the term.
		#[pallet::constant]
		type DefaultLongestWindow: Get<BlockNumberFor<Self>>;

		/// The maximum amount that the owner loses with a dispute, besides the payment. It is burned from the deposit for
		/// the dataset.
		#[pallet::constant]
		type DisputeSlash: Get<BalanceOf<Self>>;

		/// The number of blocks that an expired or revoked grant is kept, so that a query can say why it is
		/// refused. The grant is removed earlier if the reader's list is full and a new grant needs its
		/// place.
		#[pallet::constant]
		type GrantMemory: Get<BlockNumberFor<Self>>;

		/// The maximum number of requests and grants that end automatically at the start of a block. The
		/// others end later in the block if it has room left, or wait for the next block; anyone can end them
		/// with `settle`. Moving on from one block's agenda to the next counts as one of them. At
		/// least 2. The work is mandatory, so it must fit in a block with the minimum gas limit.
		#[pallet::constant]
		type MaxEndingsPerBlock: Get<u32>;

		/// About how many seconds pass between two blocks. It only determines when the agenda looks at a
		/// grant that ends at a date.
		#[pallet::constant]
		type BlockInterval: Get<Seconds>;

		/// The facts and credentials that conditions test.
		type Outside: Outside<Self::AccountId>;

		/// The maximum number of conditions that wait for one fact, source or credential. The change of a fact is carried
		/// out for all of them within a number of blocks, so there must be a limit.
		#[pallet::constant]
		type MaxWaiting: Get<u32>;

		/// The maximum number of conditions that are evaluated in the weight of what brought a change, for example of a
		/// report. At least 1. The others are evaluated as blocks have room.
		#[pallet::constant]
		type MaxCarriedOut: Get<u32>;

		/// The source of the block's timestamp (H_s).
		type Time: UnixTime;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's funds are held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposit for being a producer.
		#[codec(index = 0)]
		Producer,
		/// The deposit for an encryption key.
		#[codec(index = 1)]
		EncryptionKey,
		/// The deposits for datasets, for their policies and locations, and for the count of an account's datasets.
		#[codec(index = 2)]
		Dataset,
		/// The deposits for records and for the leaves they take.
		#[codec(index = 3)]
		Record,
		/// The deposits for open requests and for the grants that will answer them.
		#[codec(index = 4)]
		Request,
		/// The payments offered in open requests, and those that can still be disputed.
		#[codec(index = 5)]
		Offer,
		/// The deposits for grants.
		#[codec(index = 6)]
		Grant,
		/// The deposits for conditions.
		#[codec(index = 7)]
		Condition,
	}

	#[pallet::extra_constants]
	impl<T: Config> Pallet<T> {
		/// The maximum number of bytes in the name of a producer or dataset.
		#[pallet::constant_name(MaxNameSize)]
		fn max_name_size() -> u32 {
			MAX_NAME_SIZE
		}

		/// The maximum number of bytes in a request's purpose or a rejection's reason.
		#[pallet::constant_name(MaxTextSize)]
		fn max_text_size() -> u32 {
			MAX_TEXT_SIZE
		}

		/// The maximum number of bytes in a grant's sealed keys.
		#[pallet::constant_name(MaxSealedKeysSize)]
		fn max_sealed_keys_size() -> u32 {
			MAX_SEALED_KEYS_SIZE
		}

		/// The maximum number of chunks in a large record.
		#[pallet::constant_name(MaxChunks)]
		fn max_chunks() -> u32 {
			MAX_CHUNKS
		}

		/// The maximum number of grants that one reader may have on one epoch of a dataset.
		#[pallet::constant_name(MaxGrantsPerReader)]
		fn max_grants_per_reader() -> u32 {
			MAX_GRANTS_PER_READER
		}
	}
}
