// SPDX-License-Identifier: Apache-2.0
//! Who the producer is: name, kind and account key.

use pallet_data_sharing::ProducerKind;
use polkadot_sdk::*;
use sp_core::{crypto::KeyTypeId, sr25519};
use sp_keystore::KeystorePtr;

/// The keystore's type of a producer's account key, an sr25519 one.
pub(crate) const PRODUCER_KEY: KeyTypeId = KeyTypeId(*b"prod");

/// What the producer calls itself, and what kind it is.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
	/// 1 to 64 bytes.
	pub(crate) name: String,
	/// School, government, business or other.
	pub(crate) kind: ProducerKind,
}

/// Finds the producer's key in the keystore. Where there is none, a development account's key takes its
/// place, if `development_seed` gives one.
///
/// # Errors
///
/// Returns a sentence if the keystore has no such key, or more than one.
pub(crate) fn find_key(
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

#[cfg(test)]
mod tests {
	use super::*;
	use sp_keyring::Sr25519Keyring::{Alice, Eve};
	use sp_keystore::{testing::MemoryKeystore, Keystore};
	use std::sync::Arc;

	fn keystore(seeds: &[&str]) -> KeystorePtr {
		let keystore = MemoryKeystore::new();
		for seed in seeds {
			let made = keystore.sr25519_generate_new(PRODUCER_KEY, Some(seed));
			made.expect("a development account's seed");
		}
		Arc::new(keystore)
	}

	#[test]
	fn the_keystores_key_comes_before_the_development_accounts() {
		assert_eq!(
			find_key(&keystore(&["//Eve"]), Some("//Alice")),
			Ok(Eve.public())
		);
		assert_eq!(find_key(&keystore(&["//Eve"]), None), Ok(Eve.public()));
		assert_eq!(
			find_key(&keystore(&[]), Some("//Alice")),
			Ok(Alice.public())
		);
	}

	#[test]
	fn no_key_and_two_keys_are_told() {
		let none = find_key(&keystore(&[]), None).expect_err("no key");
		assert!(none.contains("key insert --key-type prod"), "{none}");
		let two = find_key(&keystore(&["//Eve", "//Ferdie"]), Some("//Alice"));
		assert_eq!(
			two,
			Err("the keystore has 2 keys of type `prod`, but a node registers one producer: keep one of them".into())
		);
	}
}
