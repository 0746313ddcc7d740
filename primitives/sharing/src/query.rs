// SPDX-License-Identifier: Apache-2.0
//! Defines what the chain returns to a query and to a request for a page of a list. A query asks where a
//! record is and which sealed keys open it (`query`, the paper's constant function).
//!
//! There are two ways to query. The runtime API `query` does not verify who the caller is, because sealed
//! keys are useful only to the grantee and everything else is public. A node's `sharing_query` serves
//! strangers over the network, and verifies a [signed message](crate::signed) first.

use crate::{
	ids::{DatasetId, Epoch, GrantId, Leaf, RecordKey, RequestId, Seconds},
	payload::Payload,
	policy::{Policy, Verdict},
	request::Request,
	scope::Scope,
	state::{Dataset, Grant, Producer, Record},
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use isthmus_conditions::Condition;
use scale_info::TypeInfo;

/// The grant that opens a record, with what its holder needs to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct OpeningGrant<BlockNumber> {
	/// The grant's number.
	pub grant: GrantId,
	/// The range that it opens.
	pub scope: Scope,
	/// The first block at which the grant has expired.
	pub expiry: BlockNumber,
	/// The date at which the grant expires, if it has one.
	pub until: Option<Seconds>,
	/// The scope's keys, sealed to the grantee's encryption key.
	pub sealed_keys: Vec<u8>,
}

/// What an authorised caller learns about a record.
///
/// This does not contain the record's bytes. They are in a block's body, and any node serves them by their
/// hash; or they are an object, in stores outside the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
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
	/// If the record is an object, the locations of the dataset's objects. They are addresses in the form that
	/// [`location`](crate::location) describes.
	pub locations: Vec<Vec<u8>>,
	/// The grant that opens the record; `None` for the owner, who does not need one.
	pub grant: Option<OpeningGrant<BlockNumber>>,
}

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo, thiserror::Error)]
// These sentences are in the runtime's metadata too, where callers read them.
#[scale_info(capture_docs = "always")]
pub enum QueryError {
	/// The owner has no record with this key.
	#[error("the owner has no record with this key")]
	#[codec(index = 0)]
	UnknownRecord,
	/// The caller has no grant on the record's epoch of its dataset, or the chain has removed the grant,
	/// after a while or to make room for others.
	#[error("the caller has no grant on the record's epoch of its dataset")]
	#[codec(index = 1)]
	NotAuthorised,
	/// The caller has a grant on the record's epoch of its dataset, and the record's leaf is outside
	/// its range.
	#[error("the record is outside the range of the caller's grant")]
	#[codec(index = 2)]
	OutOfRange,
	/// The caller's grant that covered the record has expired.
	#[error("the caller's grant has expired")]
	#[codec(index = 3)]
	Expired,
	/// The caller's grant that covered the record was revoked by the owner.
	#[error("the caller's grant was revoked")]
	#[codec(index = 4)]
	Revoked,
	/// The record does not have all its chunks yet. Only its owner may see how many have arrived.
	#[error("the record does not have all its chunks yet")]
	#[codec(index = 5)]
	Incomplete,
	/// The caller's grant that covers the record is suspended: its condition is not met, or depends on a fact that is
	/// missing or too old.
	#[error(
		"the caller's grant is suspended: its condition is not met, or a fact that it depends on is missing or too old"
	)]
	#[codec(index = 6)]
	Suspended,
	/// The record is under an embargo: its owner said on which condition others can read it, and that is not met yet.
	#[error("the record is under an embargo whose condition is not met yet")]
	#[codec(index = 7)]
	Embargoed,
}

/// One page of a list. The entries are in the order in which the state stores them, which is neither by time
/// nor by number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Page<Item> {
	/// The entries.
	pub items: Vec<Item>,
	/// What to pass as `after` to get the next page; `None` if this is the last page. A page can be empty
	/// without being the last, because the chain reads a limited number of entries per page, and all of them
	/// may be in another state or range than requested.
	pub next: Option<Vec<u8>>,
}

/// A producer in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct ProducerEntry<AccountId, Balance, Name> {
	/// Its account.
	pub account: AccountId,
	/// The producer.
	pub producer: Producer<Balance, Name>,
}

/// A dataset in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct DatasetEntry<Balance, BlockNumber, Name> {
	/// Its number.
	pub id: DatasetId,
	/// The dataset.
	pub dataset: Dataset<Balance, Name>,
	/// Its policy, if it has one.
	pub policy: Option<Policy<Balance, BlockNumber>>,
	/// The condition that requests must meet by the policy, if it has one.
	pub condition: Option<Condition>,
	/// How many of its records are objects.
	pub objects: u32,
	/// The locations of its objects.
	pub locations: Vec<Vec<u8>>,
}

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct RecordEntry<Balance, BlockNumber> {
	/// Its key.
	pub key: RecordKey,
	/// The record.
	pub record: Record<Balance, BlockNumber>,
}

/// An embargo in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct EmbargoEntry {
	/// The record's key.
	pub key: RecordKey,
	/// The condition that ends the embargo.
	pub condition: Condition,
	/// The record's dataset, epoch and leaf; `None` if it is not stored yet.
	pub place: Option<(DatasetId, Epoch, Leaf)>,
}

/// An open request in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct RequestEntry<AccountId, Balance, BlockNumber, Text, Key> {
	/// Its number.
	pub id: RequestId,
	/// The request.
	pub request: Request<AccountId, Balance, BlockNumber, Text, Key>,
	/// The verdict of the dataset's policy.
	pub verdict: Verdict,
}

/// A grant in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct GrantEntry<AccountId, Balance, BlockNumber, SealedKeys> {
	/// Its number.
	pub id: GrantId,
	/// The grant. Once its date has passed, its state here is `Expired`, even if the chain has not ended it
	/// yet.
	pub grant: Grant<AccountId, Balance, BlockNumber, SealedKeys>,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_refusal_keeps_its_index_and_has_a_sentence() {
		use QueryError::*;
		let refusals = [
			UnknownRecord,
			NotAuthorised,
			OutOfRange,
			Expired,
			Revoked,
			Incomplete,
			Suspended,
			Embargoed,
		];
		let mut sentences = Vec::new();
		for (index, refusal) in (0u8..).zip(refusals) {
			assert_eq!(refusal.encode(), [index]);
			assert_eq!(QueryError::decode(&mut &[index][..]), Ok(refusal));
			sentences.push(refusal.to_string());
		}
		sentences.dedup();
		assert_eq!(sentences.len(), refusals.len());
		assert!(QueryError::decode(&mut &[8][..]).is_err());
	}
}
