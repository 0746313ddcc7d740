// SPDX-License-Identifier: Apache-2.0
//! Proofs of the state: nodes of its Merkle trie, from the root in a header to the entries.

use alloc::vec::Vec;
use codec::{Decode, DecodeAll};
use isthmus_primitives::Hash;
use polkadot_sdk::*;
use sp_core::Blake2Hasher;
use sp_trie::{
	trie_types::{TrieDB, TrieDBBuilder, TrieError},
	HashDBT, LayoutV1, MemoryDB, RandomState, Recorder, Trie, TrieDBKeyIterator, EMPTY_PREFIX,
};

/// Why a proof does not tell what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
	/// A part of the trie on the way to the entry is missing.
	#[error("BadProof: the proof lacks a part of the state")]
	Incomplete,
	/// A part of the trie is not one.
	#[error("BadProof: a part of the proof is not a part of a state")]
	Malformed,
	/// The entry is there, but its value does not have the expected type.
	#[error("BadProof: a proven entry does not have the type that this program knows")]
	UnknownType,
}

impl From<TrieError<Hash>> for ProofError {
	fn from(error: TrieError<Hash>) -> Self {
		match error {
			TrieError::InvalidStateRoot(_) | TrieError::IncompleteDatabase(_) => Self::Incomplete,
			_ => Self::Malformed,
		}
	}
}

/// A part of the state after a block: whatever can be read from it is proven by the root.
#[derive(Clone)]
pub struct Proof {
	root: Hash,
	nodes: MemoryDB<Blake2Hasher>,
}

impl core::fmt::Debug for Proof {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "Proof({:?})", self.root)
	}
}

impl Proof {
	/// Makes a proof against a state root that proves nothing yet.
	pub fn new(root: Hash) -> Self {
		Self {
			root,
			nodes: MemoryDB::with_hasher(RandomState::default()),
		}
	}

	/// Adds nodes of the trie, in any order. They are found by their hash, so a wrong one proves nothing.
	pub fn add(&mut self, nodes: impl IntoIterator<Item = Vec<u8>>) {
		for node in nodes {
			self.nodes.insert(EMPTY_PREFIX, &node);
		}
	}

	fn trie(&self) -> TrieDB<'_, '_, Blake2Hasher> {
		TrieDBBuilder::new(&self.nodes, &self.root).build()
	}

	/// Returns the value of an entry, or `None` if it is proven that the state has no such entry.
	///
	/// # Errors
	///
	/// Returns [`ProofError::Incomplete`] if neither is proven.
	pub fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ProofError> {
		self.trie().get(key).map_err(|error| (*error).into())
	}

	/// Returns the decoded value of an entry, or `None` if it is proven that the state has no such entry.
	///
	/// # Errors
	///
	/// Returns [`ProofError::Incomplete`] if neither is proven, and [`ProofError::UnknownType`] if the value
	/// is not exactly one of this type.
	pub fn get<Value: Decode>(&self, key: &[u8]) -> Result<Option<Value>, ProofError> {
		let Some(value) = self.value(key)? else {
			return Ok(None);
		};
		let value = Value::decode_all(&mut &value[..]);
		value.map(Some).map_err(|_| ProofError::UnknownType)
	}

	/// Returns the nodes that prove the values of these entries, or that there are none, in the order of their bytes. Without
	/// any one of them, it would not be proven.
	///
	/// # Errors
	///
	/// Returns [`ProofError::Incomplete`] unless all of it is proven.
	pub fn needed(&self, keys: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, ProofError> {
		let mut recorder = Recorder::<LayoutV1<Blake2Hasher>>::new();
		{
			let builder = TrieDBBuilder::new(&self.nodes, &self.root);
			let trie = builder.with_recorder(&mut recorder).build();
			for key in keys {
				trie.get(key).map_err(|error| ProofError::from(*error))?;
			}
		}
		let read = recorder.drain().into_iter().map(|node| node.data);
		let mut needed: Vec<Vec<u8>> = read.collect();
		needed.sort_unstable();
		needed.dedup();
		Ok(needed)
	}

	/// Returns all keys of the state that begin with `prefix`, in order.
	///
	/// # Errors
	///
	/// Returns [`ProofError::Incomplete`] unless it is proven that there are no others.
	pub fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, ProofError> {
		let trie = self.trie();
		TrieDBKeyIterator::new_prefixed(&trie, prefix)
			.map_err(|error| ProofError::from(*error))?
			.map(|key| key.map_err(|error| (*error).into()))
			.collect()
	}
}
