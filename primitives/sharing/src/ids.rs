// SPDX-License-Identifier: Apache-2.0
//! Numbers and names of what is shared: datasets, epochs, leaves, records, requests, grants, and the
//! kinds of producers.

use alloc::{borrow::ToOwned, string::String};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

pub use primitive_types::H256;

/// The number of a dataset among those of its owner, counted from 0 and never used twice: keys are
/// derived from it.
pub type DatasetId = u32;
/// How often a dataset's keys were rotated. Each epoch has a key tree of its own.
pub type Epoch = u32;
/// A record's place in its dataset's epoch: the leaf of the key tree that is the record's key.
pub type Leaf = u32;
/// The number of a request, never used twice on a chain.
pub type RequestId = u64;
/// The number of a grant, never used twice on a chain.
pub type GrantId = u64;
/// The name of a record among those of its owner, chosen by the owner (the paper's `bytes32 key`).
pub type RecordKey = H256;
/// A date: seconds since 1970-01-01 UTC, as a block's timestamp H_s counts them.
pub type Seconds = u64;

/// What a producer is (paper, figure 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub enum ProducerKind {
	/// A school: data of students.
	#[codec(index = 0)]
	School,
	/// A government body: data of citizens.
	#[codec(index = 1)]
	Government,
	/// A business: data of users.
	#[codec(index = 2)]
	Business,
	/// Anything else.
	#[codec(index = 3)]
	Other,
}

impl core::str::FromStr for ProducerKind {
	type Err = UnknownKind;

	fn from_str(name: &str) -> Result<Self, Self::Err> {
		match name {
			"school" => Ok(Self::School),
			"government" => Ok(Self::Government),
			"business" => Ok(Self::Business),
			"other" => Ok(Self::Other),
			_ => Err(UnknownKind(name.to_owned())),
		}
	}
}

/// A word that does not name a kind of producer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of producer `{0}`: expected school, government, business or other")]
pub struct UnknownKind(pub String);
