// SPDX-License-Identifier: Apache-2.0
//! Tests which key the node uses to register its producer.

use isthmus_node::producer::identity::{find_key, PRODUCER_KEY};
use polkadot_sdk::*;
use sp_keyring::Sr25519Keyring::{Alice, Eve};
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
		Err("the keystore has 2 `prod` keys, but a node registers only one producer: keep one of them".into())
	);
}
