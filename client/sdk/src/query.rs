// SPDX-License-Identifier: Apache-2.0
//! Bytes from a node: a record's chunks, by a [signed query](isthmus_sharing::signed) that serves once,
//! and content by its hash.

use crate::{account::Account, client::Client, error::Error, text::to_hex, types::*};
use base64::{engine::general_purpose::STANDARD, Engine};
use cid::{multihash::Multihash, CidGeneric};
use isthmus_envelope::random_bytes;
use isthmus_sharing::signed::{Message, Method};
use serde::Deserialize;
use subxt::rpcs::rpc_params;

/// The number of an sr25519 signature among the chain's kinds of signatures.
const SR25519: u8 = 1;

/// Asks a node for a page of a record's chunks: at least one, at most `count`. The node checks that the
/// caller may read the record. The caller checks what the node returns.
///
/// # Errors
///
/// Returns [`Error::Rpc`] with the node's code and sentence where it refuses.
pub async fn chunks(
	client: &Client,
	caller: &Account,
	owner: &AccountId,
	key: RecordKey,
	block: BlockNumber,
	first: u32,
	count: u32,
) -> Result<Vec<Vec<u8>>, Error> {
	#[derive(Deserialize)]
	struct Page {
		chunks: Vec<String>,
	}
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
	let request = serde_json::json!({
		"genesis": to_hex(&genesis), "caller": caller.id(), "owner": owner, "key": to_hex(&key.0),
		"block": block, "nonce": to_hex(&nonce), "signature": to_hex(&signature),
		"first": first, "count": count,
	});
	let page: Page = client
		.request("sharing_chunks", rpc_params![request])
		.await?;
	page.chunks
		.iter()
		.map(|chunk| STANDARD.decode(chunk))
		.collect::<Result<_, _>>()
		.map_err(|_| Error::Incompatible("a chunk is not in base64".into()))
}

/// Asks a node for bytes by their BLAKE2b-256 hash. The caller checks them.
pub async fn content(client: &Client, hash: &[u8; 32]) -> Result<Vec<u8>, Error> {
	let answer: String = client
		.request("bitswap_v1_get", rpc_params![content_id(hash)])
		.await?;
	hex::decode(answer.trim_start_matches("0x"))
		.map_err(|_| Error::Incompatible("content is not in hex".into()))
}

/// The code of BLAKE2b-256 among hash functions, and that of raw bytes among formats
/// (<https://github.com/multiformats/multicodec>).
const BLAKE2B_256: u64 = 0xb220;
const RAW: u64 = 0x55;

/// Returns the content identifier of bytes with this BLAKE2b-256 hash: version 1, in lower-case base32.
fn content_id(hash: &[u8; 32]) -> String {
	let hash = Multihash::<32>::wrap(BLAKE2B_256, hash).expect("the hash has 32 bytes");
	CidGeneric::new_v1(RAW, hash).to_string()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_content_identifier_is_the_one_that_others_make() {
		// By `cidOf` of scripts/lib/sharing.mjs.
		assert_eq!(
			content_id(&[0; 32]),
			"bafk2bzaceaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		);
		assert_eq!(
			content_id(&core::array::from_fn(|i| i as u8)),
			"bafk2bzaceaaacaqdaqcqmbyibefawdanbyhraeiscmkbkfqxdamrugy4dupb6"
		);
	}
}
