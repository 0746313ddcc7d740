// SPDX-License-Identifier: Apache-2.0
//! The types stored in the pallet's state: the protocol's types, with bounds on text and keys, and a few
//! that only the pallet uses. Nothing here reads or writes the state.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use isthmus_conditions::Name as FactName;
use isthmus_keys::PublicKey;
use isthmus_sharing::{
	location::{MAX_LOCATIONS, MAX_LOCATION_SIZE},
	terms::*,
};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_core::H256;

pub use isthmus_sharing::{
	Answered, Attached, ConsumerKinds, Control, DatasetId, Epoch, GrantId, GrantState, Held, Leaf,
	LeafUse, Object, ObjectCount, Payload, Policy, ProducerKind, PurposeCode, PurposeCodes, Record,
	RecordKey, RequestId, Scope, Seconds, TakenLeaf, Verdict,
};

/// The name of a producer or dataset, in UTF-8.
pub type Name = BoundedVec<u8, ConstU32<MAX_NAME_SIZE>>;
/// A request's purpose, or the reason for rejecting a request, in UTF-8.
pub type Text = BoundedVec<u8, ConstU32<MAX_TEXT_SIZE>>;
/// A public encryption key: the suite's number (two bytes) and the key in that suite's encoding. The chain
/// stores it without interpreting it.
pub type EncryptionKey = BoundedVec<u8, ConstU32<MAX_ENCRYPTION_KEY_SIZE>>;
/// A range's keys, sealed to the grantee's encryption key. The chain opens them only to decide a dispute.
pub type SealedKeys = BoundedVec<u8, ConstU32<MAX_SEALED_KEYS_SIZE>>;

/// The address of a store: see [`location`](isthmus_sharing::location).
pub type Url = BoundedVec<u8, ConstU32<MAX_LOCATION_SIZE>>;
/// The addresses of the stores of a dataset's objects.
pub type Urls = BoundedVec<Url, ConstU32<MAX_LOCATIONS>>;

/// A producer, with a bounded name.
pub type Producer<Balance> = isthmus_sharing::Producer<Balance, Name>;
/// A registered encryption key of bounded length.
pub type RegisteredKey<Balance> = isthmus_sharing::RegisteredKey<Balance, EncryptionKey>;
/// A dataset, with a bounded name.
pub type Dataset<Balance> = isthmus_sharing::Dataset<Balance, Name>;
/// The locations of a dataset's objects, with bounds.
pub type DatasetLocations<Balance> = isthmus_sharing::Locations<Balance, Urls>;
/// A request, with a bounded purpose and key.
pub type Request<AccountId, Balance, BlockNumber> =
	isthmus_sharing::Request<AccountId, Balance, BlockNumber, Text, EncryptionKey>;
/// A grant, with sealed keys of bounded length.
pub type Grant<AccountId, Balance, BlockNumber> =
	isthmus_sharing::Grant<AccountId, Balance, BlockNumber, SealedKeys>;

/// Who acts as the owner of datasets. It is the origin of a call that [`act_for`](crate::Call::act_for) carries out.
#[derive(
	Clone, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen, Debug,
)]
pub struct Acting<AccountId> {
	/// The account in the datasets' addresses.
	pub owner: AccountId,
	/// The account that signed, and that must control the dataset.
	pub by: AccountId,
}

/// Whose deposit something takes.
pub(crate) enum Payer<'a, AccountId> {
	/// This account's.
	Account(&'a AccountId),
	/// That of the account that controls this dataset of an owner.
	Controller(&'a AccountId, DatasetId),
}

/// The count of an account's datasets.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct DatasetCounter<Balance> {
	/// The number of the account's next dataset.
	pub next: DatasetId,
	/// The deposit held for this entry. It is never released.
	pub deposit: Balance,
}

/// A dataset's policy as stored in the state.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct StandingPolicy<Balance, BlockNumber> {
	/// The policy.
	pub policy: Policy<Balance, BlockNumber>,
	/// The deposit held for this entry.
	pub deposit: Balance,
	/// The condition that a request must meet, if there is one.
	pub condition: Option<Attached<Balance>>,
}

/// A reader's place in the authorization list: its grants on one epoch of a dataset.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug, Default)]
pub struct ReaderEntry {
	/// The grants, in the order in which they were given.
	pub grants: BoundedVec<GrantId, ConstU32<MAX_GRANTS_PER_READER>>,
	/// How many of the reader's requests for the epoch are open. Each has a place among the grants, so that the
	/// answer to it needs no room that another grant has.
	pub asked: u32,
}

/// What readers have paid for on one epoch of a dataset, as long as one of the grants is active. The entry takes
/// no deposit: each of the grants has one.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Sold<BlockNumber> {
	/// The number of active grants that were paid for.
	pub grants: u64,
	/// The first of the leaves that these grants cover.
	pub from: u64,
	/// One past the last of these leaves.
	pub to: u64,
	/// The block of the latest payment. Records that were stored later were not there to be paid for.
	pub paid: BlockNumber,
	/// The block at which the last of the terms that were paid for is over.
	pub until: BlockNumber,
}

/// A payment that its reader can still dispute. The amount, which is what the grant says was paid, is held from the
/// reader until then; nothing is if the owner has revoked the grant, which gives the payment back. The entry takes no deposit: the grant has one.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Payment<BlockNumber> {
	/// The block in which the owner is paid. Before it, the reader can dispute.
	pub until: BlockNumber,
	/// The number of the suite and the identifier of the request's key, as they are encoded in the key.
	pub prefix: [u8; PublicKey::PREFIX_LEN],
	/// The BLAKE2b-256 hash of the request's key.
	pub key: H256,
}

/// Something that happens automatically at a block.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Debug,
)]
pub enum Due {
	/// The request expires.
	#[codec(index = 0)]
	Request(RequestId),
	/// The grant expires or, if it has already ended, is removed.
	#[codec(index = 1)]
	Grant(GrantId),
	/// The trigger's condition may be met now.
	#[codec(index = 2)]
	Trigger(TriggerId),
	/// The time in which the payment for the grant can be disputed is over: the owner is paid.
	#[codec(index = 3)]
	Payment(GrantId),
}

/// The number of a trigger, counted from 0 over the whole chain.
pub type TriggerId = u64;

/// What a trigger is set on.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum Target<AccountId> {
	/// An open request, which is cancelled when the condition is met.
	#[codec(index = 0)]
	Request(RequestId),
	/// A record, stored already or not, which others can read when the condition is met. No other dataset can take the
	/// key meanwhile.
	#[codec(index = 1)]
	Record {
		/// The account in the address of its dataset.
		owner: AccountId,
		/// Its dataset.
		dataset: DatasetId,
		/// Its key.
		key: RecordKey,
	},
}

/// A condition that does one thing when it is met, and is removed then.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Trigger<AccountId, Balance, BlockNumber> {
	/// The request or record on which it is set.
	pub target: Target<AccountId>,
	/// The account that set it and has its deposit. Its credentials are those that the condition tests.
	pub by: AccountId,
	/// The condition.
	pub attached: Attached<Balance>,
	/// The block in which the agenda looks at the condition next; `None` if time alone does not change it.
	pub due: Option<BlockNumber>,
}

/// What a condition depends on, other than time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum Cause<AccountId> {
	/// Any fact of this source: its accounts, its quorum or its time can change.
	#[codec(index = 0)]
	Source(FactName),
	/// The fact of this source on this topic.
	#[codec(index = 1)]
	Fact(FactName, FactName),
	/// A credential.
	#[codec(index = 2)]
	Credential {
		/// The account that has it.
		account: AccountId,
		/// The account that issues it.
		issuer: AccountId,
		/// Its kind.
		kind: FactName,
	},
}

/// What has a condition that is looked at when what it depends on changes.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub enum Waiter {
	/// A grant, which is good while its condition is met.
	#[codec(index = 0)]
	Grant(GrantId),
	/// A trigger, which fires when its condition is met.
	#[codec(index = 1)]
	Trigger(TriggerId),
}

/// What waits for one cause. The entry takes no deposit: each of those that wait has one.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug, Default)]
pub struct Crowd {
	/// How many wait.
	pub waiting: u32,
	/// How many of them are still to be looked at since the last change.
	pub left: u32,
	/// The one that was looked at last.
	pub last: Option<Waiter>,
	/// Whether the cause is in the queue of those that take turns.
	pub queued: bool,
}

/// The place that a new record takes.
pub(crate) struct RecordPlace {
	/// The record's key.
	pub(crate) key: RecordKey,
	/// The owner's dataset.
	pub(crate) dataset: DatasetId,
	/// The dataset's epoch.
	pub(crate) epoch: Epoch,
	/// The leaf of that epoch.
	pub(crate) leaf: Leaf,
}
