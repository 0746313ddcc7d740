//! What clients may ask: `query`, the paper's constant function, and lists in pages. Here are the
//! words and the signatures; the answers are made by functions of [`Pallet`](crate::Pallet) of the same
//! names.

use crate::{
	policy::{Policy, Verdict},
	types::{
		Dataset, DatasetId, Epoch, Grant, GrantId, GrantState, Leaf, Payload, Record, RecordKey,
		Request, RequestId, Scope, Seconds,
	},
};
use alloc::vec::Vec;
use codec::{Codec, Decode, Encode};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_core::H256;

/// The grant that opens a record, with what its holder needs to use it.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
#[scale_info(capture_docs = "always")]
pub struct OpeningGrant<BlockNumber> {
	/// Its number.
	pub grant: GrantId,
	/// What it opens.
	pub scope: Scope,
	/// The first block at which it is no longer good.
	pub expiry: BlockNumber,
	/// The date from which on it is no longer good, if it has one.
	pub until: Option<Seconds>,
	/// The scope's keys, sealed to the grantee's encryption key.
	pub sealed_keys: Vec<u8>,
}

/// What an authorised caller is told about a record.
///
/// The bytes are not in it: they are in a block's body, and any node serves them by their hash.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
#[scale_info(capture_docs = "always")]
pub struct Answer<BlockNumber> {
	/// The record's dataset.
	pub dataset: DatasetId,
	/// The dataset's epoch that the record belongs to.
	pub epoch: Epoch,
	/// The record's leaf in that epoch.
	pub leaf: Leaf,
	/// Where the record's bytes are.
	pub payload: Payload<BlockNumber>,
	/// The grant that opens it; `None` for the owner, who needs none.
	pub grant: Option<OpeningGrant<BlockNumber>>,
}

/// Why a query is refused.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
// In the runtime's metadata too: they are what a caller reads.
#[scale_info(capture_docs = "always")]
pub enum QueryError {
	/// The owner has no record with this key.
	#[codec(index = 0)]
	UnknownRecord,
	/// The caller has no grant on the record's epoch of its dataset, or had one that the chain forgot:
	/// after a while, or to make room for others.
	#[codec(index = 1)]
	NotAuthorised,
	/// The caller has a grant on the record's epoch of its dataset, and the record's leaf is outside
	/// its range.
	#[codec(index = 2)]
	OutOfRange,
	/// The caller's grant that covered the record has expired.
	#[codec(index = 3)]
	Expired,
	/// The caller's grant that covered the record was revoked by the owner.
	#[codec(index = 4)]
	Revoked,
	/// The record does not have all its chunks yet. Only its owner may see how far it is.
	#[codec(index = 5)]
	Incomplete,
}

impl core::fmt::Display for QueryError {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str(match self {
			QueryError::UnknownRecord => "the owner has no record with this key",
			QueryError::NotAuthorised => {
				"the caller has no grant on the record's epoch of its dataset"
			}
			QueryError::OutOfRange => "the record is outside the range of the caller's grant",
			QueryError::Expired => "the caller's grant has expired",
			QueryError::Revoked => "the caller's grant was revoked",
			QueryError::Incomplete => "the record does not have all its chunks yet",
		})
	}
}

impl core::error::Error for QueryError {}

/// One page of a list. The order is the state's own: neither by time nor by number.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
#[scale_info(capture_docs = "always")]
pub struct Page<Item> {
	/// The entries.
	pub items: Vec<Item>,
	/// What to give as `after` for the next page; `None` if this is the last. A page that looked at
	/// entries of other states or ranges only has no items, and may still not be the last.
	pub next: Option<Vec<u8>>,
}

/// A dataset in a list.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct DatasetEntry<Balance, BlockNumber> {
	/// Its number.
	pub id: DatasetId,
	/// The dataset.
	pub dataset: Dataset<Balance>,
	/// Its policy, if it has one.
	pub policy: Option<Policy<Balance, BlockNumber>>,
}

/// A record in a list.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct RecordEntry<Balance, BlockNumber> {
	/// Its key.
	pub key: RecordKey,
	/// The record.
	pub record: Record<Balance, BlockNumber>,
}

/// An open request in a list.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct RequestEntry<AccountId, Balance, BlockNumber> {
	/// Its number.
	pub id: RequestId,
	/// The request.
	pub request: Request<AccountId, Balance, BlockNumber>,
	/// What the dataset's policy says of it.
	pub verdict: Verdict,
}

/// A grant in a list.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct GrantEntry<AccountId, Balance, BlockNumber> {
	/// Its number.
	pub id: GrantId,
	/// The grant; `Expired` also where the chain has not come to its end yet, but its date has passed.
	pub grant: Grant<AccountId, Balance, BlockNumber>,
}

sp_api::decl_runtime_apis! {
	/// Questions about shared data.
	///
	/// Lists come in pages: `after` is `None` for the first page and the page's `next` for the one after
	/// it; `limit` is how many entries of the state are looked at, 1 to 256.
	pub trait DataSharingApi<AccountId, Balance, BlockNumber>
	where
		AccountId: Codec,
		Balance: Codec,
		BlockNumber: Codec,
	{
		/// What `caller` may know about the record `key` of `owner` in this block's state: where its
		/// bytes are and, unless the caller is the owner, the keys sealed to the caller.
		///
		/// It says what the chain's state says, to anybody who asks in anybody's name: sealed keys
		/// are of use to the grantee alone, and everything else is public. A node that serves queries
		/// to strangers checks the caller's signature first.
		fn query(
			caller: AccountId,
			owner: AccountId,
			key: H256,
		) -> Result<Answer<BlockNumber>, QueryError>;

		/// The datasets of `owner`, with their policies.
		fn datasets(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<DatasetEntry<Balance, BlockNumber>>;

		/// All records of `owner`.
		fn records(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>>;

		/// The records of `owner` in a range of one epoch of a dataset.
		fn records_in(
			owner: AccountId,
			scope: Scope,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RecordEntry<Balance, BlockNumber>>;

		/// The open requests to `owner`, with what the policies say of them.
		fn requests_to(
			owner: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>>;

		/// The open requests of `consumer`, with what the policies say of them.
		fn requests_from(
			consumer: AccountId,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<RequestEntry<AccountId, Balance, BlockNumber>>;

		/// The grants that `owner` gave: those in this state, or all. A page may have up to 15 more than
		/// `limit`: it ends with a reader's last.
		fn grants_of(
			owner: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>>;

		/// The grants that `grantee` has: those in this state, or all.
		fn grants_to(
			grantee: AccountId,
			state: Option<GrantState>,
			after: Option<Vec<u8>>,
			limit: u32,
		) -> Page<GrantEntry<AccountId, Balance, BlockNumber>>;
	}
}
