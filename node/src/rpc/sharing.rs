// SPDX-License-Identifier: Apache-2.0
//! The RPC methods `sharing_query` and `sharing_chunks`, which implement the paper's `query(key)` for
//! authorised callers only. The caller signs each query (see [`isthmus_sharing::signed`]) and receives the
//! record's location, the keys sealed to the caller, and the record's bytes in pages.
//!
//! [`Refusal`] lists the reasons for refusing a query. The node answers each query only once: see
//! `nonces.rs`.

pub mod dto;
pub mod nonces;

use crate::client::FullClient;
use codec::{DecodeAll, Encode};
use dto::{Base64, ChunkPage, QueryAnswer, SignedPage, SignedQuery};
use isthmus_primitives::{AccountId, Balance, Block, BlockNumber, Hash};
use isthmus_sharing::{
	chunk_length,
	signed::{Message, Method},
	terms::{MAX_VALUE_SIZE, QUERY_BLOCKS_AFTER, QUERY_BLOCKS_BEFORE},
	Answer, Manifest, Payload, QueryError,
};
use jsonrpsee::{
	proc_macros::rpc,
	types::{
		error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
		ErrorObjectOwned,
	},
};
use nonces::{NonceError, Nonces};
use pallet_data_sharing::runtime_api::DataSharingApi;
use parking_lot::Mutex;
use polkadot_sdk::*;
use sc_client_api::{AuxStore, BlockBackend, HeaderBackend};
use serde::Serialize;
use sp_api::ProvideRuntimeApi;
use sp_runtime::{traits::Verify, MultiSignature};
use std::sync::Arc;

/// The maximum number of chunk bytes in one response: eight chunks of the maximum size. If a single chunk
/// is larger than this, it is still sent. In base64 this is 11 MiB; the RPC server limits a response to 15
/// MiB.
const PAGE_SIZE: u64 = 8 * MAX_VALUE_SIZE as u64;

/// The database key for the newest block named in an answered query.
const NEWEST_KEY: &[u8] = b"isthmus:newest_question";

/// The RPC methods.
#[rpc(server)]
pub trait SharingApi {
	/// Returns what the caller, who signed the request, is allowed to learn about a record.
	#[method(name = "sharing_query", blocking)]
	fn query(&self, request: SignedQuery) -> Result<QueryAnswer, Refusal>;

	/// Returns a page of a record's bytes, if the caller may read the record and signed the request.
	#[method(name = "sharing_chunks", blocking)]
	fn chunks(&self, request: SignedPage) -> Result<ChunkPage, Refusal>;
}

/// Why a query is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
	#[error("the signature is not the caller's, or not over this query: sign the bytes that docs/formats.md lists")]
	Forged,
	#[error("this query has already been answered: sign a new query with another nonce")]
	Replayed,
	#[error(
		"the query was signed at block {signed}, and this node accepts those signed from block {oldest} to \
		 {newest}: sign it at a recent block"
	)]
	Stale {
		signed: BlockNumber,
		oldest: BlockNumber,
		newest: BlockNumber,
	},
	#[error("the query is for the chain with genesis {asked}, and this chain's genesis is {here}")]
	WrongChain { asked: Hash, here: Hash },
	#[error("{0}")]
	NotAllowed(QueryError),
	#[error("there is no chunk {first}, counted from 0; stored chunks of this record: {arrived}")]
	NoSuchChunk { first: u32, arrived: u32 },
	#[error(
		"this node does not have the bytes of {0}: it pruned the block that has them, or has not reached \
		 it; ask another node"
	)]
	BytesGone(Hash),
	#[error(
		"the record is an object: its bytes are not on the chain, but at the locations that `sharing_query` returns"
	)]
	Elsewhere,
	#[error("too many queries at once: continue in {QUERY_BLOCKS_BEFORE} blocks")]
	TooManyQueries,
	#[error("{0}")]
	Malformed(&'static str),
	#[error("the bytes of {0} are not a valid manifest, although the chain checked them")]
	Corrupt(Hash),
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// The data of a refusal's JSON-RPC error, for programs.
#[derive(Serialize)]
struct Reason {
	reason: &'static str,
}

impl Refusal {
	/// Returns the JSON-RPC code and the reason's name. docs/operations.md lists them.
	pub fn code(&self) -> (i32, &'static str) {
		match self {
			Self::Forged => (7101, "Forged"),
			Self::Replayed => (7102, "Replayed"),
			Self::Stale { .. } => (7103, "Stale"),
			Self::WrongChain { .. } => (7104, "WrongChain"),
			Self::NotAllowed(QueryError::UnknownRecord) => (7105, "UnknownRecord"),
			Self::NotAllowed(QueryError::NotAuthorised) => (7106, "NotAuthorised"),
			Self::NotAllowed(QueryError::OutOfRange) => (7107, "OutOfRange"),
			Self::NotAllowed(QueryError::Expired) => (7108, "Expired"),
			Self::NotAllowed(QueryError::Revoked) => (7109, "Revoked"),
			Self::NotAllowed(QueryError::Incomplete) => (7110, "Incomplete"),
			Self::NotAllowed(QueryError::Suspended) => (7114, "Suspended"),
			Self::NotAllowed(QueryError::Embargoed) => (7115, "Embargoed"),
			Self::NoSuchChunk { .. } => (7111, "NoSuchChunk"),
			Self::BytesGone(_) => (7112, "BytesGone"),
			Self::TooManyQueries => (7113, "TooManyQueries"),
			Self::Elsewhere => (7116, "Elsewhere"),
			Self::Malformed(_) => (INVALID_PARAMS_CODE, "Malformed"),
			Self::Corrupt(_) => (INTERNAL_ERROR_CODE, "Corrupt"),
			Self::Runtime(_) | Self::Database(_) => (INTERNAL_ERROR_CODE, "Internal"),
		}
	}
}

impl From<Refusal> for ErrorObjectOwned {
	fn from(refusal: Refusal) -> Self {
		let (code, reason) = refusal.code();
		Self::owned(code, refusal.to_string(), Some(Reason { reason }))
	}
}

impl From<NonceError> for Refusal {
	fn from(error: NonceError) -> Self {
		match error {
			NonceError::Used => Self::Replayed,
			NonceError::TooMany => Self::TooManyQueries,
		}
	}
}

/// Returns whether this is the caller's signature over the message, either plain or as wallets wrap it.
pub fn signed(signature: &MultiSignature, message: &Message, caller: &AccountId) -> bool {
	signature.verify(&message.to_bytes()[..], caller)
		|| signature.verify(&message.to_wrapped_bytes()[..], caller)
}

/// Answers queries from a client. Clones share the nonces, because a node has several RPC servers.
#[derive(Clone)]
pub struct Sharing {
	client: Arc<FullClient>,
	nonces: Arc<Mutex<Nonces>>,
}

impl Sharing {
	/// Creates an instance that answers from this client's best block and refuses queries that were
	/// answered before the node started.
	///
	/// # Errors
	///
	/// Returns an error if the database cannot be read.
	pub fn new(client: Arc<FullClient>) -> Result<Self, sp_blockchain::Error> {
		let newest = client
			.get_aux(NEWEST_KEY)?
			.map(|bytes| BlockNumber::decode_all(&mut &bytes[..]))
			.transpose()
			.map_err(|error| {
				sp_blockchain::Error::Backend(format!("the newest query's block: {error}"))
			})?;
		let nonces = Arc::new(Mutex::new(Nonces::new(newest)));
		Ok(Self { client, nonces })
	}

	/// Checks the signature and queries the chain. Returns the answer, and the number and hash of the block
	/// whose state was queried.
	fn ask(
		&self,
		query: &SignedQuery,
		method: Method,
	) -> Result<(Answer<BlockNumber>, BlockNumber, Hash), Refusal> {
		let info = self.client.info();
		if query.genesis != info.genesis_hash {
			return Err(Refusal::WrongChain {
				asked: query.genesis,
				here: info.genesis_hash,
			});
		}
		let nonce = <[u8; 16]>::try_from(&query.nonce[..])
			.map_err(|_| Refusal::Malformed("the nonce must be 16 bytes"))?;
		let signature = MultiSignature::decode_all(&mut &query.signature[..]).map_err(|_| {
			Refusal::Malformed(
				"the signature must be one byte for its kind (01: sr25519), followed by its bytes",
			)
		})?;
		let message = Message {
			genesis: query.genesis.0,
			method,
			caller: query.caller.clone().into(),
			owner: query.owner.clone().into(),
			key: query.key.0,
			block: query.block,
			nonce,
		};
		if !signed(&signature, &message, &query.caller) {
			return Err(Refusal::Forged);
		}
		let oldest = {
			let nonces = self.nonces.lock();
			let oldest = nonces.oldest(info.best_number.saturating_sub(QUERY_BLOCKS_BEFORE));
			let newest = info.best_number.saturating_add(QUERY_BLOCKS_AFTER);
			if !(oldest..=newest).contains(&query.block) {
				return Err(Refusal::Stale {
					signed: query.block,
					oldest,
					newest,
				});
			}
			if nonces.is_used(&query.caller, &nonce) {
				return Err(Refusal::Replayed);
			}
			oldest
		};
		let answer = DataSharingApi::<Block, AccountId, Balance, BlockNumber>::query(
			&*self.client.runtime_api(),
			info.best_hash,
			query.caller.clone(),
			query.owner.clone(),
			query.key,
		)?
		.map_err(Refusal::NotAllowed)?;
		// Record the nonce only after the query was found to be allowed, so that unauthorised callers
		// cannot fill the memory. If the same query arrives twice at once, one copy is refused here.
		let mut nonces = self.nonces.lock();
		nonces.take(&query.caller, nonce, query.block, oldest)?;
		nonces.before_answer(query.block, |block| {
			self.client
				.insert_aux(&[(NEWEST_KEY, &block.encode()[..])], &[])
		})?;
		Ok((answer, info.best_number, info.best_hash))
	}

	/// Returns the bytes that the chain indexed under this hash.
	fn bytes(&self, hash: Hash) -> Result<Vec<u8>, Refusal> {
		self.client
			.indexed_transaction(hash)?
			.ok_or(Refusal::BytesGone(hash))
	}
}

impl SharingApiServer for Sharing {
	fn query(&self, request: SignedQuery) -> Result<QueryAnswer, Refusal> {
		let (answer, block, block_hash) = self.ask(&request, Method::Query)?;
		let manifest = match &answer.payload {
			Payload::Value { .. } | Payload::Object { .. } => None,
			Payload::Chunks { manifest, .. } => Some(self.bytes(*manifest)?),
		};
		Ok(QueryAnswer::new(block, block_hash, answer, manifest))
	}

	fn chunks(&self, request: SignedPage) -> Result<ChunkPage, Refusal> {
		let SignedPage {
			query,
			first,
			count,
		} = request;
		if count == 0 {
			return Err(Refusal::Malformed("`count` must be at least 1"));
		}
		let (answer, ..) = self.ask(&query, Method::Chunks { first, count })?;
		let payload = answer.payload;
		let arrived = payload.arrived();
		if first >= arrived {
			return Err(Refusal::NoSuchChunk { first, arrived });
		}
		let chunks = match payload {
			Payload::Value { content_hash, .. } => vec![Base64(self.bytes(content_hash)?)],
			Payload::Chunks {
				manifest,
				length,
				chunk_size,
				..
			} => {
				let bytes = self.bytes(manifest)?;
				let read = Manifest::read(&bytes, payload.chunks())
					.map_err(|_| Refusal::Corrupt(manifest))?;
				let (mut chunks, mut size) = (Vec::new(), 0);
				for index in first..arrived.min(first.saturating_add(count)) {
					size += chunk_length(length, chunk_size, index);
					if size > PAGE_SIZE && !chunks.is_empty() {
						break;
					}
					let hash = read.hash_of(index).ok_or(Refusal::Corrupt(manifest))?;
					chunks.push(Base64(self.bytes(hash.into())?));
				}
				chunks
			}
			Payload::Object { .. } => return Err(Refusal::Elsewhere),
		};
		Ok(ChunkPage { first, chunks })
	}
}
