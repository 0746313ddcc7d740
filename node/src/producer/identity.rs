// SPDX-License-Identifier: Apache-2.0
//! Who the producer is: name, kind and account key.

use isthmus_sharing::ProducerKind;
use polkadot_sdk::*;
use sp_core::{crypto::KeyTypeId, sr25519};
use sp_keystore::KeystorePtr;

/// The keystore's type of a producer's account key, an sr25519 one.
pub const PRODUCER_KEY: KeyTypeId = KeyTypeId(*b"prod");

/// What the producer calls itself, and what kind it is.
#[derive(Clone, Debug)]
pub struct Profile {
	/// 1 to 64 bytes.
	pub name: String,
	/// School, government, business or other.
	pub kind: ProducerKind,
}

/// Finds the producer's key in the keystore. Where there is none, a development account's key takes its
/// place, if `development_seed` gives one.
///
/// # Errors
///
/// Returns a sentence if the keystore has no such key, or more than one.
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
			"the keystore has {} keys of type `prod`, but a node registers one producer: keep one of them",
			keys.len()
		)),
	}
}
