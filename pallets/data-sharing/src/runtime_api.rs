//! `query`, the paper's constant function, as a runtime API: its words and its signature. The
//! implementation is [`Pallet::query`](crate::Pallet::query).

use crate::types::{DatasetId, Epoch, GrantId, Leaf, Payload, Scope};
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
		})
	}
}

impl core::error::Error for QueryError {}

sp_api::decl_runtime_apis! {
	/// Questions about shared data.
	pub trait DataSharingApi<AccountId, BlockNumber>
	where
		AccountId: Codec,
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
	}
}
