//! What a caller signs who asks a node for a record: the bytes, and nothing else. Pure.
//!
//! The signature binds the question to this chain, to one method, caller, record and page, to a time
//! (a recent block), and to itself (the nonce): what was signed for one question serves no other, and
//! serves that one once.
//!
//! | offset | length | content |
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
//! | 169 | 4 | `sharing_chunks` only: how many chunks at most, big-endian |

use alloc::vec::Vec;

/// The first bytes of every message: what this is, and its version.
pub const LABEL: &[u8; 16] = b"isthmus/query/v1";
/// What wallets put around bytes before they sign them, so that no transaction is signed unawares.
const WRAPPED: (&[u8], &[u8]) = (b"<Bytes>", b"</Bytes>");

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
	/// `sharing_query`: where the record is, and the caller's keys.
	Query,
	/// `sharing_chunks`: a page of its bytes.
	Chunks {
		/// The first chunk.
		first: u32,
		/// How many at most.
		count: u32,
	},
}

/// What is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
	/// The hash of the chain's first block.
	pub genesis: [u8; 32],
	/// What is asked.
	pub method: Method,
	/// Who asks, and signs.
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
	/// The bytes to sign.
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

	/// The same as a wallet signs them: between `<Bytes>` and `</Bytes>`.
	pub fn to_wrapped_bytes(&self) -> Vec<u8> {
		[WRAPPED.0, &self.to_bytes(), WRAPPED.1].concat()
	}
}
