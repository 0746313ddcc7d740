// SPDX-License-Identifier: Apache-2.0
//! The first block's hash, from a chain's specification.

use alloc::vec::Vec;
use isthmus_primitives::{Hash, Header};
use polkadot_sdk::*;
use sp_core::Blake2Hasher;
use sp_runtime::{traits::Header as _, Digest};
use sp_trie::{LayoutV1, TrieConfiguration};

/// Returns the hash of the first block of a chain whose state begins with these entries.
pub fn genesis_hash(entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Hash {
	let root = |entries| LayoutV1::<Blake2Hasher>::trie_root(entries);
	let nothing = root(Vec::new());
	let state = root(entries.into_iter().collect());
	Header::new(0, nothing, state, Hash::default(), Digest::default()).hash()
}
