// SPDX-License-Identifier: Apache-2.0
//! Tests which key the node uses to register its producer.

use isthmus_node::producer::identity::{find_key, KeyError, PRODUCER_KEY};
use isthmus_primitives::AccountId;
use polkadot_sdk::*;
use sp_keyring::Sr25519Keyring::{Alice, Eve, Ferdie};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystorePtr};
use std::sync::Arc;

fn keystore(seeds: &[&str]) -> KeystorePtr {
	let keystore = MemoryKeystore::new();
	for seed in seeds {
		let made = keystore.sr25519_generate_new(PRODUCER_KEY, Some(seed));
		made.expect("a development account's seed");
	}
	Arc::new(keystore)
}

fn none_is(_: &AccountId) -> bool {
	false
}

#[test]
fn the_keystores_key_comes_before_the_development_accounts() {
	assert_eq!(
		find_key(&keystore(&["//Eve"]), None, Some("//Alice"), none_is),
		Ok(Eve.public())
	);
	assert_eq!(
		find_key(&keystore(&["//Eve"]), None, None, none_is),
		Ok(Eve.public())
	);
	assert_eq!(
		find_key(&keystore(&[]), None, Some("//Alice"), none_is),
		Ok(Alice.public())
	);
}

#[test]
fn a_keystore_without_a_key_is_an_error() {
	let none = find_key(&keystore(&[]), None, None, none_is);
	assert_eq!(none, Err(KeyError::None));
	let sentence = KeyError::None.to_string();
	assert!(
		sentence.contains("key insert --key-type prod"),
		"{sentence}"
	);
}

#[test]
fn of_several_keys_the_named_or_the_registered_account_counts() {
	let (eve, ferdie) = (Eve.to_account_id(), Ferdie.to_account_id());
	let both = keystore(&["//Eve", "//Ferdie"]);
	assert_eq!(
		find_key(&both, Some(&ferdie), None, none_is),
		Ok(Ferdie.public())
	);
	assert_eq!(
		find_key(&both, None, None, |account| *account == eve),
		Ok(Eve.public())
	);
	// A key that somebody else inserted does not keep the node from starting: see `service.rs`.
	assert_eq!(
		find_key(&both, None, Some("//Alice"), none_is),
		Err(KeyError::Several(2))
	);
	assert_eq!(
		find_key(&keystore(&["//Eve"]), Some(&ferdie), None, none_is),
		Err(KeyError::NoneOf(ferdie))
	);
}
