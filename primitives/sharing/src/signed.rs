// SPDX-License-Identifier: Apache-2.0
//! Defines the bytes that a caller signs to request a record from a node, over its RPC methods
//! `sharing_query` and `sharing_chunks`.
//!
//! The bytes name the chain, the method, the caller, the record and the page, so a signature for one query is
//! not valid for any other. They also contain the number of a recent block, so that the signature soon
//! expires, and a random nonce, so that it is valid only once.
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 16 | `"isthmus/query/v1"` |
//! | 16 | 32 | hash of the chain's first block |
//! | 48 | 1 | method: 0 `sharing_query`, 1 `sharing_chunks` |
//! | 49 | 32 | caller's account |
//! | 81 | 32 | owner's account |
//! | 113 | 32 | record's key |
//! | 145 | 4 | number of a recent block, big-endian |
//! | 149 | 16 | nonce: random |
//! | 165 | 4 | `sharing_chunks` only: number of the first chunk, big-endian |
//! | 169 | 4 | `sharing_chunks` only: maximum number of chunks, big-endian |

use alloc::vec::Vec;

/// The first bytes of every message: the format and its version.
pub const LABEL: &[u8; 16] = b"isthmus/query/v1";
/// What wallets put around bytes before signing them, so that signed bytes can never pass for a
/// transaction.
const WRAPPED: (&[u8], &[u8]) = (b"<Bytes>", b"</Bytes>");

/// What the query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
	/// `sharing_query`: where the record is, and the caller's keys.
	Query,
	/// `sharing_chunks`: a page of its bytes.
	Chunks {
		/// The first chunk.
		first: u32,
		/// The maximum number of chunks.
		count: u32,
	},
}

/// A query to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
	/// The hash of the chain's first block.
	pub genesis: [u8; 32],
	/// What the query asks for.
	pub method: Method,
	/// The account that makes the query and signs it.
	pub caller: [u8; 32],
	/// The record's owner.
	pub owner: [u8; 32],
	/// The record's key.
	pub key: [u8; 32],
	/// The number of a recent block.
	pub block: u32,
	/// Random bytes.
	pub nonce: [u8; 16],
}

impl Message {
	/// Returns the bytes to sign: 165, or 173 for a page.
	pub fn to_bytes(&self) -> Vec<u8> {
		let method = match self.method {
			Method::Query => 0,
			Method::Chunks { .. } => 1,
		};
		let mut bytes = [
			&LABEL[..],
			&self.genesis,
			&[method],
			&self.caller,
			&self.owner,
			&self.key,
			&self.block.to_be_bytes(),
			&self.nonce,
		]
		.concat();
		if let Method::Chunks { first, count } = self.method {
			bytes.extend(first.to_be_bytes());
			bytes.extend(count.to_be_bytes());
		}
		bytes
	}

	/// Returns the bytes that a wallet signs: the message between `<Bytes>` and `</Bytes>`.
	pub fn to_wrapped_bytes(&self) -> Vec<u8> {
		[WRAPPED.0, &self.to_bytes(), WRAPPED.1].concat()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::test::{bytes, hash, list, number, vectors};

	#[test]
	fn the_vectors_pass() {
		let vectors = vectors("primitives/sharing/vectors.json");
		let queries = list(&vectors["queries"]);
		assert!(!queries.is_empty());
		for vector in queries {
			let array = |name: &str| hash(&vector[name]);
			let method = match vector["method"].as_str() {
				Some("sharing_query") => Method::Query,
				Some("sharing_chunks") => Method::Chunks {
					first: number(&vector["first"]),
					count: number(&vector["count"]),
				},
				other => panic!("unknown method: {other:?}"),
			};
			let message = Message {
				genesis: array("genesis"),
				method,
				caller: array("caller"),
				owner: array("owner"),
				key: array("key"),
				block: number(&vector["block"]),
				nonce: bytes(&vector["nonce"]).try_into().expect("16 bytes"),
			};
			assert_eq!(message.to_bytes(), bytes(&vector["message"]));
			let wrapped = [b"<Bytes>", &message.to_bytes()[..], b"</Bytes>"].concat();
			assert_eq!(message.to_wrapped_bytes(), wrapped);
		}
	}
}
