// SPDX-License-Identifier: Apache-2.0
//! Builds the Merkle tree over a large record's chunks, and checks proofs against its root. With a proof,
//! each chunk can be checked on its own as it arrives. The events of a block are the leaves of such a tree, too
//! (see [`history`](crate::history)).
//!
//! This is the tree of RFC 6962, section 2.1, with SHA-256. A node without a sibling moves up unchanged, so
//! no leaf is counted twice. Leaves and inner nodes are hashed with different prefixes, so neither can pass
//! for the other:
//!
//! ```text
//! leaf  = SHA-256(00 ‖ entry)
//! inner = SHA-256(01 ‖ left ‖ right)
//! ```
//!
//! With *n* leaves, the left subtree contains the first 2^k of them, where 2^k is the largest power of two
//! below *n*. The root of an empty tree is the SHA-256 of the empty string. A proof lists the sibling hashes
//! from the bottom up (section 2.1.1).
//!
//! The caller passes in the hash function, because a runtime uses its host's function and a client its own.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Domain-separation prefix of a leaf (RFC 6962, section 2.1).
pub const LEAF_PREFIX: u8 = 0;
/// Domain-separation prefix of an inner node (RFC 6962, section 2.1).
pub const NODE_PREFIX: u8 = 1;

const HASH_LEN: usize = 32;

/// Why a chunk is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
	/// There is no chunk with this number.
	#[error("there is no chunk {index} among {count}")]
	NoSuchChunk {
		/// The chunk's number, from 0.
		index: u64,
		/// The number of chunks.
		count: u64,
	},
	/// The proof is too short or too long. It must have one hash for each level at which the node on the
	/// chunk's path has a sibling.
	#[error("the proof has {got} hashes, expected {expected}")]
	ProofLength {
		/// The number of hashes that the chunk's position requires.
		expected: usize,
		/// The number of hashes in the proof.
		got: usize,
	},
	/// The proof does not lead to the root, because the chunk, its position or a hash in the proof is wrong.
	#[error("the chunk does not belong to this root")]
	WrongRoot,
}

/// Returns the leaf hash of an entry. On a chain, the entry is the BLAKE2b-256 hash of the chunk.
pub fn leaf_hash(sha256: impl Fn(&[u8]) -> Hash, entry: &[u8]) -> Hash {
	match <&Hash>::try_from(entry) {
		// The common case is a chunk's hash. A record has up to 32,768 of them, so avoid a heap allocation.
		Ok(entry) => {
			let mut input = [LEAF_PREFIX; 1 + HASH_LEN];
			input[1..].copy_from_slice(entry);
			sha256(&input)
		}
		Err(_) => sha256(&[&[LEAF_PREFIX], entry].concat()),
	}
}

/// Returns the hash of the inner node above two nodes.
pub fn node_hash(sha256: impl Fn(&[u8]) -> Hash, left: &Hash, right: &Hash) -> Hash {
	let mut input = [NODE_PREFIX; 1 + 2 * HASH_LEN];
	input[1..=HASH_LEN].copy_from_slice(left);
	input[1 + HASH_LEN..].copy_from_slice(right);
	sha256(&input)
}

/// Returns the root of the tree over these leaves, each computed by [`leaf_hash`]. It keeps only one hash per
/// level of the tree in memory.
pub fn root(sha256: impl Fn(&[u8]) -> Hash, leaves: impl IntoIterator<Item = Hash>) -> Hash {
	let mut peaks = Peaks::default();
	for leaf in leaves {
		peaks.push(&sha256, leaf);
	}
	peaks.root(sha256)
}

/// A tree that leaves are appended to. It keeps only the roots of its full subtrees, one hash per level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Peaks {
	/// The number of leaves.
	count: u64,
	/// The roots of the full subtrees, largest first. Their sizes are the powers of two in the binary
	/// representation of the number of leaves.
	peaks: Vec<Hash>,
}

impl Peaks {
	/// Returns the number of leaves.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// Appends a leaf, computed by [`leaf_hash`].
	pub fn push(&mut self, sha256: impl Fn(&[u8]) -> Hash, leaf: Hash) {
		let mut node = leaf;
		// This works like a carry in binary addition: two subtrees of the same size make one of the next
		// size.
		for _ in 0..self.count.trailing_ones() {
			if let Some(left) = self.peaks.pop() {
				node = node_hash(&sha256, &left, &node);
			}
		}
		self.peaks.push(node);
		self.count = self.count.saturating_add(1);
	}

	/// Returns the root.
	pub fn root(&self, sha256: impl Fn(&[u8]) -> Hash) -> Hash {
		self.peaks
			.iter()
			.rev()
			.copied()
			.reduce(|right, left| node_hash(&sha256, &left, &right))
			.unwrap_or_else(|| sha256(&[]))
	}
}

/// A tree with all its levels in memory, so that computing the proof of any leaf takes one step per level.
#[derive(Clone, Debug)]
pub struct Tree {
	/// The leaves, then each level above them; the last level holds only the root. A tree without leaves
	/// has no levels.
	levels: Vec<Vec<Hash>>,
	root: Hash,
}

impl Tree {
	/// Builds the tree over these leaves, each computed by [`leaf_hash`].
	pub fn new(sha256: impl Fn(&[u8]) -> Hash, leaves: Vec<Hash>) -> Self {
		let mut levels = Vec::new();
		let mut level = leaves;
		while level.len() > 1 {
			let above = level
				.chunks(2)
				.map(|nodes| match nodes {
					[left, right] => node_hash(&sha256, left, right),
					// A last node without a sibling moves up unchanged.
					nodes => nodes[0],
				})
				.collect();
			levels.push(core::mem::replace(&mut level, above));
		}
		let root = level.first().copied();
		levels.extend((!level.is_empty()).then_some(level));
		Self {
			levels,
			root: root.unwrap_or_else(|| sha256(&[])),
		}
	}

	/// Returns the root.
	pub fn root(&self) -> Hash {
		self.root
	}

	/// Returns the sibling hashes on the path from leaf `index` to the root, from the bottom up, or `None`
	/// if there is no such leaf.
	pub fn proof(&self, index: usize) -> Option<Vec<Hash>> {
		if index >= self.levels.first()?.len() {
			return None;
		}
		let mut at = index;
		let mut path = Vec::new();
		for level in &self.levels {
			path.extend(level.get(at ^ 1).filter(|_| level.len() > 1));
			at /= 2;
		}
		Some(path)
	}
}

/// The path from a leaf up to the root, as an iterator. For each level at which the node has a sibling, it
/// returns whether that sibling is on the left.
struct Path {
	at: u64,
	last: u64,
}

impl Iterator for Path {
	type Item = bool;

	fn next(&mut self) -> Option<bool> {
		while self.last > 0 {
			let (at, last) = (self.at, self.last);
			(self.at, self.last) = (at / 2, last / 2);
			// If the last node of a level has an even number, it has no sibling and moves up unchanged.
			if at % 2 == 1 || at < last {
				return Some(at % 2 == 1);
			}
		}
		None
	}
}

/// Checks that `leaf` is leaf number `index` of the tree that has `count` leaves and the root `root`. The
/// proof must be exactly as long as the leaf's position requires.
///
/// # Errors
///
/// Returns [`MerkleError::NoSuchChunk`] if the index is beyond the last leaf, [`MerkleError::ProofLength`]
/// if the proof is too short or too long, and [`MerkleError::WrongRoot`] if the proof leads to another
/// root.
pub fn verify<'a>(
	sha256: impl Fn(&[u8]) -> Hash,
	root: &Hash,
	count: u64,
	index: u64,
	leaf: Hash,
	proof: impl IntoIterator<Item = &'a Hash>,
) -> Result<(), MerkleError> {
	if index >= count {
		return Err(MerkleError::NoSuchChunk { index, count });
	}
	let path = || Path {
		at: index,
		last: count - 1,
	};
	let (mut proof, mut node, mut used) = (proof.into_iter(), leaf, 0);
	for on_left in path() {
		let Some(neighbour) = proof.next() else {
			break;
		};
		node = match on_left {
			true => node_hash(&sha256, neighbour, &node),
			false => node_hash(&sha256, &node, neighbour),
		};
		used += 1;
	}
	let (expected, got) = (path().count(), used + proof.count());
	if got != expected {
		return Err(MerkleError::ProofLength { expected, got });
	}
	if node != *root {
		return Err(MerkleError::WrongRoot);
	}
	Ok(())
}

#[cfg(test)]
mod tests;
