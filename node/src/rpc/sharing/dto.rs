// SPDX-License-Identifier: Apache-2.0
//! The JSON types of `sharing_query` and `sharing_chunks`. docs/operations.md shows examples.

use base64::{engine::general_purpose::STANDARD, Engine};
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use isthmus_sharing::{object, Answer, OpeningGrant, Payload, Scope};
use polkadot_sdk::*;
use serde::{Deserialize, Serialize, Serializer};
use sp_core::Bytes;

/// A query about a record, signed by the caller.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedQuery {
	/// The hash of the chain's first block.
	pub genesis: Hash,
	/// The caller's account.
	pub caller: AccountId,
	/// The record's owner.
	pub owner: AccountId,
	/// The record's key.
	pub key: Hash,
	/// The number of a recent block.
	pub block: BlockNumber,
	/// 16 random bytes.
	pub nonce: Bytes,
	/// The caller's signature, a SCALE-encoded `MultiSignature`.
	pub signature: Bytes,
}

/// A query for a page of a record's bytes, signed by the caller.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedPage {
	/// The record, and the caller.
	#[serde(flatten)]
	pub query: SignedQuery,
	/// The number of the first chunk.
	pub first: u32,
	/// The maximum number of chunks.
	pub count: u32,
}

/// Bytes, in base64 (RFC 4648, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.serialize_str(&STANDARD.encode(&self.0))
	}
}

/// A range of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ScopeJson {
	dataset: u32,
	epoch: u32,
	from: u64,
	to: u64,
}

impl From<Scope> for ScopeJson {
	fn from(scope: Scope) -> Self {
		let Scope {
			dataset,
			epoch,
			from,
			to,
		} = scope;
		Self {
			dataset,
			epoch,
			from,
			to,
		}
	}
}

/// The grant that opens a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct GrantJson {
	grant: u64,
	scope: ScopeJson,
	expiry: BlockNumber,
	until: Option<u64>,
	sealed_keys: Base64,
}

impl From<OpeningGrant<BlockNumber>> for GrantJson {
	fn from(grant: OpeningGrant<BlockNumber>) -> Self {
		Self {
			grant: grant.grant,
			scope: grant.scope.into(),
			expiry: grant.expiry,
			until: grant.until,
			sealed_keys: Base64(grant.sealed_keys),
		}
	}
}

/// Where a record's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum PayloadJson {
	#[serde(rename_all = "camelCase")]
	Value {
		content_hash: Hash,
		block: BlockNumber,
		extrinsic: u32,
	},
	#[serde(rename_all = "camelCase")]
	Chunks {
		manifest_hash: Hash,
		root: Hash,
		chunk_size: u32,
		block: BlockNumber,
		extrinsic: u32,
		last_block: BlockNumber,
	},
	#[serde(rename_all = "camelCase")]
	Object {
		/// The record's header.
		header: Bytes,
		root: Hash,
		chunk_size: u32,
		block: BlockNumber,
		/// Where the owner says that the object is.
		locations: Vec<String>,
	},
}

/// The response to an authorised caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryAnswer {
	/// The block whose state was queried.
	block: BlockNumber,
	block_hash: Hash,
	dataset: u32,
	epoch: u32,
	leaf: u32,
	/// The record's length, in bytes of ciphertext.
	length: u64,
	/// How many chunks it has.
	chunks: u32,
	/// How many of its chunks are stored so far.
	arrived: u32,
	payload: PayloadJson,
	/// A large record's manifest.
	manifest: Option<Base64>,
	/// `None` for the owner.
	grant: Option<GrantJson>,
}

impl QueryAnswer {
	/// Builds the JSON of a response.
	pub fn new(
		block: BlockNumber,
		block_hash: Hash,
		answer: Answer<BlockNumber>,
		manifest: Option<Vec<u8>>,
	) -> Self {
		let Answer {
			dataset,
			epoch,
			leaf,
			payload,
			locations,
			grant,
		} = answer;
		Self {
			block,
			block_hash,
			dataset,
			epoch,
			leaf,
			length: payload.length(),
			chunks: payload.chunks(),
			arrived: payload.arrived(),
			payload: match payload {
				Payload::Value {
					content_hash,
					block,
					extrinsic,
					..
				} => PayloadJson::Value {
					content_hash,
					block,
					extrinsic,
				},
				Payload::Chunks {
					manifest,
					root,
					chunk_size,
					block,
					extrinsic,
					last_block,
					..
				} => PayloadJson::Chunks {
					manifest_hash: manifest,
					root,
					chunk_size,
					block,
					extrinsic,
					last_block,
				},
				Payload::Object { object, block, .. } => PayloadJson::Object {
					header: object.header.to_vec().into(),
					root: object.root,
					chunk_size: object::CHUNK_SIZE,
					block,
					// The chain takes only visible ASCII.
					locations: locations
						.iter()
						.map(|url| String::from_utf8_lossy(url).into_owned())
						.collect(),
				},
			},
			manifest: manifest.map(Base64),
			grant: grant.map(Into::into),
		}
	}
}

/// A page of a record's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkPage {
	/// The first chunk's number.
	pub first: u32,
	/// The chunks, at least one.
	pub chunks: Vec<Base64>,
}
