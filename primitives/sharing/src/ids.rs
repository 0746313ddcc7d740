// SPDX-License-Identifier: Apache-2.0
//! Defines the numbers and names that identify datasets, epochs, leaves, records, requests and grants, and
//! the kinds of producers.

use alloc::{borrow::ToOwned, string::String};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

pub use primitive_types::H256;

/// A dataset's number among its owner's datasets, counted from 0. It is never reused, because keys are
/// derived from it.
pub type DatasetId = u32;
/// The number of an epoch of a dataset, which is how many times the dataset's keys have been rotated. Each
/// epoch has its own key tree.
pub type Epoch = u32;
/// A record's place in an epoch of its dataset. The leaf at this place in the epoch's key tree is the key
/// that the record is encrypted under.
pub type Leaf = u32;
/// A request's number, never reused on a chain.
pub type RequestId = u64;
/// A grant's number, never reused on a chain.
pub type GrantId = u64;
/// The name under which an owner stores a record, chosen by the owner and unique among its records (the
/// paper's `bytes32 key`). It is not an encryption key.
pub type RecordKey = H256;
/// A date in seconds since 1970-01-01 UTC, like a block's timestamp H_s.
pub type Seconds = u64;

/// The kind of a producer (paper, figure 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum ProducerKind {
	/// A school, with data about students.
	#[codec(index = 0)]
	School,
	/// A government body, with data about citizens.
	#[codec(index = 1)]
	Government,
	/// A business, with data about users.
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

/// A word that does not name any kind of producer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of producer `{0}`: expected school, government, business or other")]
pub struct UnknownKind(pub String);
