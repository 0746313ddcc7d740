// SPDX-License-Identifier: Apache-2.0
//! Who the producer is that this node registers: its name, its kind and its account's key.

use isthmus_sharing::ProducerKind;
use polkadot_sdk::*;
use sp_core::{crypto::KeyTypeId, sr25519};
use sp_keystore::KeystorePtr;

/// The keystore's key type for a producer's account key, which is an sr25519 key.
pub const PRODUCER_KEY: KeyTypeId = KeyTypeId(*b"prod");

/// The producer's name and kind.
#[derive(Clone, Debug)]
pub struct Profile {
	/// The name, 1 to 64 bytes.
	pub name: String,
	/// The kind: school, government, business or other.
	pub kind: ProducerKind,
}

/// Finds the producer's key in the keystore. If there is none and `development_seed` is given, that
/// development account's key is used.
///
/// # Errors
///
/// Returns a message if the keystore contains no such key and there is no development seed, if it contains
/// more than one, or if the development account's key cannot be derived.
pub fn find_key(
	keystore: &KeystorePtr,
	development_seed: Option<&str>,
) -> Result<sr25519::Public, String> {
	match (&keystore.sr25519_public_keys(PRODUCER_KEY)[..], development_seed) {
		([key], _) => Ok(*key),
		([], Some(_)) => keystore
			.sr25519_generate_new(PRODUCER_KEY, development_seed)
			.map_err(|e| format!("the development account's key cannot be made: {e}")),
		([], None) => Err(
			"`--producer-name` needs the key of the producer's account: insert it into the keystore with \
			 `isthmus-node key insert --key-type prod --scheme sr25519`, and the same `--chain` and \
			 `--base-path`"
				.into(),
		),
		(keys, _) => Err(format!(
			"the keystore has {} `prod` keys, but a node registers only one producer: keep one of them",
			keys.len()
		)),
	}
}
