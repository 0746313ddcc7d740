// SPDX-License-Identifier: Apache-2.0
//! Fetches bytes from a node: a record's chunks, with a [signed query](isthmus_sharing::signed) that can be
//! used only once, or any content by its hash.

use crate::{
	account::Account,
	client::Client,
	error::Error,
	manifest::content_hash,
	text::{bytes_from_hex, to_hex},
	types::*,
};
use base64::{engine::general_purpose::STANDARD, Engine};
use cid::{multihash::Multihash, Cid};
use isthmus_envelope::random_bytes;
use isthmus_sharing::signed::{Message, Method};
use serde::Deserialize;
use subxt::rpcs::rpc_params;

/// The index of sr25519 among the chain's signature types.
const SR25519: u8 = 1;
/// The multicodec numbers for raw bytes and BLAKE2b-256
/// (<https://github.com/multiformats/multicodec/blob/master/table.csv>).
const RAW: u64 = 0x55;
const BLAKE2B_256: u64 = 0xb220;

/// A query for a page of a record's chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkQuery<'a> {
	/// The record's owner.
	pub owner: &'a AccountId,
	/// The record's key.
	pub key: RecordKey,
	/// A recent block, to which the signature is bound.
	pub block: BlockNumber,
	/// The number of the first chunk.
	pub first: u32,
	/// The maximum number of chunks to return.
	pub count: u32,
}

impl ChunkQuery<'_> {
	/// Signs the query and sends it to a node, which checks that the caller may read the record. Returns at
	/// least one chunk. The caller has to check the bytes.
	///
	/// # Errors
	///
	/// Returns [`Error::Rpc`] if the node refuses.
	pub async fn send(self, client: &Client, caller: &Account) -> Result<Vec<Vec<u8>>, Error> {
		#[derive(Deserialize)]
		struct Page {
			chunks: Vec<String>,
		}
		let Self {
			owner,
			key,
			block,
			first,
			count,
		} = self;
		let mut nonce = [0; 16];
		nonce.copy_from_slice(&random_bytes()?[..16]);
		let genesis = client.genesis();
		let message = Message {
			genesis,
			method: Method::Chunks { first, count },
			caller: caller.id().0,
			owner: owner.0,
			key: key.0,
			block,
			nonce,
		};
		let signature = [&[SR25519][..], &caller.sign(&message.to_bytes())].concat();
		let query = serde_json::json!({
			"genesis": to_hex(&genesis), "caller": caller.id(), "owner": owner,
			"key": to_hex(&key.0), "block": block, "nonce": to_hex(&nonce),
			"signature": to_hex(&signature), "first": first, "count": count,
		});
		let page: Page = client.request("sharing_chunks", rpc_params![query]).await?;
		page.chunks
			.iter()
			.map(|chunk| STANDARD.decode(chunk))
			.collect::<Result<_, _>>()
			.map_err(|_| Error::Incompatible("a chunk is not in base64".into()))
	}
}

/// Requests bytes from a node by their BLAKE2b-256 hash, and checks them. `what` names them in the error.
pub(crate) async fn checked_content(
	client: &Client,
	hash: &[u8; 32],
	what: &'static str,
) -> Result<Vec<u8>, Error> {
	let bytes = content(client, hash).await?;
	match content_hash(&bytes) == *hash {
		true => Ok(bytes),
		false => Err(Error::WrongContent(what.into())),
	}
}

/// Requests bytes from a node by their BLAKE2b-256 hash. The caller has to check them.
pub async fn content(client: &Client, hash: &[u8; 32]) -> Result<Vec<u8>, Error> {
	let answer: String = client
		.request("bitswap_v1_get", rpc_params![cid(hash).to_string()])
		.await?;
	bytes_from_hex(&answer).ok_or_else(|| Error::Incompatible("content is not in hex".into()))
}

/// Returns the content identifier of bytes with this BLAKE2b-256 hash: CIDv1 of raw bytes, which is printed
/// in lower-case base32 (<https://github.com/multiformats/cid>).
fn cid(hash: &[u8; 32]) -> Cid {
	let hash = Multihash::wrap(BLAKE2B_256, hash).expect("32 bytes fit a multihash of 64");
	Cid::new_v1(RAW, hash)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_content_identifier_is_the_one_that_others_make() {
		// Computed with `cidOf` in scripts/lib/sharing.mjs.
		assert_eq!(
			cid(&[0; 32]).to_string(),
			"bafk2bzaceaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		);
		assert_eq!(
			cid(&core::array::from_fn(|i| i as u8)).to_string(),
			"bafk2bzaceaaacaqdaqcqmbyibefawdanbyhraeiscmkbkfqxdamrugy4dupb6"
		);
	}
}
