// SPDX-License-Identifier: Apache-2.0
//! Who the producer is that this node registers: its name, its kind and its account's key.

use isthmus_primitives::AccountId;
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
	/// The account, if it is named.
	pub account: Option<AccountId>,
}

/// Finds the producer's key in the keystore: the key of `account` if it is given. If the keystore has none and
/// `development_seed` is given, that development account's key is used. Of several keys, the first whose
/// account is a producer is used, according to `is_registered`.
///
/// # Errors
///
/// Returns a message if the keystore does not contain the key, and there is no development seed, if the
/// account cannot be told among several keys, or if the development account's key cannot be derived.
pub fn find_key(
	keystore: &KeystorePtr,
	account: Option<&AccountId>,
	development_seed: Option<&str>,
	is_registered: impl Fn(&AccountId) -> bool,
) -> Result<sr25519::Public, KeyError> {
	let keys = keystore.sr25519_public_keys(PRODUCER_KEY);
	if let Some(account) = account {
		let mut of_account = keys.iter().filter(|key| account_of(key) == *account);
		return of_account
			.next()
			.copied()
			.ok_or_else(|| KeyError::NoneOf(account.clone()));
	}
	match (&keys[..], development_seed) {
		([key], _) => Ok(*key),
		([], Some(_)) => keystore
			.sr25519_generate_new(PRODUCER_KEY, development_seed)
			.map_err(|e| KeyError::Development(e.to_string())),
		([], None) => Err(KeyError::None),
		(keys, _) => {
			let mut registered = keys.iter().filter(|key| is_registered(&account_of(key)));
			registered
				.next()
				.copied()
				.ok_or(KeyError::Several(keys.len()))
		}
	}
}

fn account_of(key: &sr25519::Public) -> AccountId {
	AccountId::from(key.0)
}

/// Why the producer's key is not found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
	/// The keystore has no such key.
	#[error(
		"`--producer-name` needs the key of the producer's account: insert it into the keystore with \
		 `isthmus-node key insert --key-type prod --scheme sr25519`, and the same `--chain` and `--base-path`"
	)]
	None,
	/// The keystore has keys, but not the one of the chosen account.
	#[error("`--producer-account`: the keystore has no `prod` key of {0}")]
	NoneOf(AccountId),
	/// The keystore has several keys, and none of their accounts is a producer.
	#[error(
		"the keystore has {0} `prod` keys, and none of their accounts is a producer: name the account with \
		 `--producer-account ACCOUNT`"
	)]
	Several(usize),
	/// The development account's key cannot be derived.
	#[error("the development account's key cannot be made: {0}")]
	Development(String),
}
