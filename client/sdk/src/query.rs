// SPDX-License-Identifier: Apache-2.0
//! Bytes from a node: a record's chunks, by a [signed query](isthmus_sharing::signed) that serves once,
//! and content by its hash.

use crate::{account::Account, client::Client, error::Error, types::*};
use base64::{engine::general_purpose::STANDARD, Engine};
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
	let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
	let question = serde_json::json!({
		"genesis": hex(&genesis), "caller": caller.id(), "owner": owner, "key": hex(&key.0),
		"block": block, "nonce": hex(&nonce), "signature": hex(&signature),
		"first": first, "count": count,
	});
	let page: Page = client
		.request("sharing_chunks", rpc_params![question])
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
		.request("bitswap_v1_get", rpc_params![cid(hash)])
		.await?;
	hex::decode(answer.trim_start_matches("0x"))
		.map_err(|_| Error::Incompatible("content is not in hex".into()))
}

/// The content identifier of bytes with this BLAKE2b-256 hash: CIDv1, raw, in lower-case base32
/// (<https://github.com/multiformats/cid>).
fn cid(hash: &[u8; 32]) -> String {
	const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
	// Version 1, raw bytes 0x55, BLAKE2b-256 0xb220 as a varint, 32 bytes.
	let bytes = [&[0x01, 0x55, 0xa0, 0xe4, 0x02, 0x20][..], hash].concat();
	let mut cid = String::from("b");
	let (mut bits, mut have) = (0u32, 0);
	for byte in bytes {
		bits = bits << 8 | u32::from(byte);
		have += 8;
		while have >= 5 {
			have -= 5;
			cid.push(char::from(DIGITS[(bits >> have & 31) as usize]));
		}
		bits &= (1 << have) - 1;
	}
	if have > 0 {
		cid.push(char::from(DIGITS[(bits << (5 - have) & 31) as usize]));
	}
	cid
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_content_identifier_is_the_one_that_others_make() {
		// By `cidOf` of scripts/lib/sharing.mjs.
		assert_eq!(
			cid(&[0; 32]),
			"bafk2bzaceaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		);
		assert_eq!(
			cid(&core::array::from_fn(|i| i as u8)),
			"bafk2bzaceaaacaqdaqcqmbyibefawdanbyhraeiscmkbkfqxdamrugy4dupb6"
		);
	}
}
