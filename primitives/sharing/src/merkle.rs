// SPDX-License-Identifier: Apache-2.0
//! The Merkle tree over a large record's chunks, by which a chunk is checked alone when it arrives.
//!
//! The tree is that of RFC 6962, section 2.1, with SHA-256. Leaves and inner nodes are hashed under
//! different prefixes, so that neither passes for the other, and no leaf is counted twice:
//!
//! ```text
//! leaf  = SHA-256(00 ‖ entry)
//! inner = SHA-256(01 ‖ left ‖ right)
//! ```
//!
//! Of *n* leaves the left subtree has the largest power of two below *n*. The root of no leaves is
//! SHA-256 of nothing. A proof is the list of neighbours, the lowest first (section 2.1.1).
//!
//! The hash function is handed in: a runtime has its host's, a client has its own.

use alloc::vec::Vec;

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
	/// A proof has one hash for each level at which the chunk has a neighbour.
	#[error("the proof has {got} hashes, and this chunk's has {expected}")]
	ProofLength {
		/// The number of hashes that the chunk's position calls for.
		expected: usize,
		/// The number of hashes in the proof.
		got: usize,
	},
	/// The chunk, its position or its proof differs from what the root was made of.
	#[error("the chunk does not belong to this root")]
	WrongRoot,
}

/// Returns the leaf of an entry. On a chain the entry is BLAKE2b-256 of the chunk.
pub fn leaf_hash(sha256: impl Fn(&[u8]) -> Hash, entry: &[u8]) -> Hash {
	match <&Hash>::try_from(entry) {
		// A chunk's hash, of which a record has up to 32,768: without the heap.
		Ok(entry) => {
			let mut input = [LEAF_PREFIX; 1 + HASH_LEN];
			input[1..].copy_from_slice(entry);
			sha256(&input)
		}
		Err(_) => sha256(&[&[LEAF_PREFIX], entry].concat()),
	}
}

/// Returns the inner node above two nodes.
pub fn node_hash(sha256: impl Fn(&[u8]) -> Hash, left: &Hash, right: &Hash) -> Hash {
	let mut input = [NODE_PREFIX; 1 + 2 * HASH_LEN];
	input[1..=HASH_LEN].copy_from_slice(left);
	input[1 + HASH_LEN..].copy_from_slice(right);
	sha256(&input)
}

/// Returns the root over these leaves, each made by [`leaf_hash`]. It keeps one hash for each level of
/// the tree, and no leaf.
pub fn root(sha256: impl Fn(&[u8]) -> Hash, leaves: impl IntoIterator<Item = Hash>) -> Hash {
	// Roots of full subtrees, the largest first. Their sizes are the powers of two in the binary form of
	// the number of leaves so far.
	let mut peaks: Vec<Hash> = Vec::new();
	for (count, leaf) in (0u64..).zip(leaves) {
		let mut node = leaf;
		// As a carry in binary addition: two subtrees of one size make one of the next.
		for _ in 0..count.trailing_ones() {
			if let Some(left) = peaks.pop() {
				node = node_hash(&sha256, &left, &node);
			}
		}
		peaks.push(node);
	}
	peaks
		.into_iter()
		.rev()
		.reduce(|right, left| node_hash(&sha256, &left, &right))
		.unwrap_or_else(|| sha256(&[]))
}

/// All levels of a tree, which give the proof of any leaf in one step for each level.
#[derive(Clone, Debug)]
pub struct Tree {
	/// The leaves, then each level above; the last has the root alone. A tree without leaves has no levels.
	levels: Vec<Vec<Hash>>,
	root: Hash,
}

impl Tree {
	/// Makes the tree of these leaves, each made by [`leaf_hash`].
	pub fn new(sha256: impl Fn(&[u8]) -> Hash, leaves: Vec<Hash>) -> Self {
		let mut levels = Vec::new();
		let mut level = leaves;
		while level.len() > 1 {
			let above = level
				.chunks(2)
				.map(|nodes| match nodes {
					[left, right] => node_hash(&sha256, left, right),
					// A last node without a neighbour moves up as it is.
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

	/// Returns the hashes that lead from leaf `index` to the root, the lowest first; `None` for a leaf
	/// that is not there.
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

/// The way from a leaf up to the root: for each level at which the node has a neighbour, whether that
/// neighbour is on the left.
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
			// The last node of a level, when its number is even, has no neighbour and moves up as it is.
			if at % 2 == 1 || at < last {
				return Some(at % 2 == 1);
			}
		}
		None
	}
}

/// Checks that `leaf` is number `index` of the `count` leaves under `root`. The proof must be exactly as
/// long as the leaf's position calls for.
///
/// # Errors
///
/// Returns [`MerkleError::NoSuchChunk`] for an index beyond the last leaf,
/// [`MerkleError::ProofLength`] for a proof that is too short or too long, and
/// [`MerkleError::WrongRoot`] where the proof leads elsewhere.
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
