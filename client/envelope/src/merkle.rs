//! The Merkle root over a record's encrypted chunks, by which a chunk is checked alone.
//!
//! The tree is RFC 6962's (section 2.1) with SHA-256: leaves and inner nodes are hashed under
//! different prefixes, so that neither passes for the other, and no leaf is counted twice.

use ring::digest::{Context, SHA256};

/// Goes before a chunk when it is hashed.
pub const LEAF_PREFIX: u8 = 0;
/// Goes before two hashes when they are hashed together.
pub const NODE_PREFIX: u8 = 1;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Why a chunk is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
	/// There is no such chunk.
	#[error("there is no chunk {index} among {count}")]
	NoSuchChunk {
		/// The chunk's number, from 0.
		index: u64,
		/// How many chunks there are.
		count: u64,
	},
	/// A proof has one hash for each level at which the chunk has a neighbour.
	#[error("the proof has {got} hashes; this chunk's has {expected}")]
	ProofLength {
		/// How many hashes the chunk's place asks for.
		expected: usize,
		/// How many there are.
		got: usize,
	},
	/// The chunk, its place or its proof is not the one that the root was made of.
	#[error("the chunk does not belong to this root")]
	WrongRoot,
}

fn hash(prefix: u8, parts: [&[u8]; 2]) -> Hash {
	let mut context = Context::new(&SHA256);
	context.update(&[prefix]);
	for part in parts {
		context.update(part);
	}
	let mut out = Hash::default();
	out.copy_from_slice(context.finish().as_ref());
	out
}

/// The hash of a chunk: a leaf of the tree.
pub fn leaf_hash(chunk: &[u8]) -> Hash {
	hash(LEAF_PREFIX, [chunk, &[]])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
	hash(NODE_PREFIX, [left, right])
}

/// Makes a root of chunk after chunk, keeping one hash for each level and no chunk.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
	/// Roots of full subtrees, the largest first; their sizes are the ones in `count`'s binary form.
	peaks: Vec<Hash>,
	count: u64,
}

impl RootBuilder {
	/// Adds the next chunk's [`leaf_hash`].
	pub fn push(&mut self, leaf: Hash) {
		let mut node = leaf;
		// As in binary addition: two subtrees of one size make one of the next.
		for _ in 0..self.count.trailing_ones() {
			if let Some(left) = self.peaks.pop() {
				node = node_hash(&left, &node);
			}
		}
		self.peaks.push(node);
		self.count += 1;
	}

	/// The root of all that was added; of nothing it is the hash of nothing.
	pub fn root(&self) -> Hash {
		let mut peaks = self.peaks.iter().rev();
		match peaks.next() {
			Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
			None => {
				let mut out = Hash::default();
				out.copy_from_slice(ring::digest::digest(&SHA256, &[]).as_ref());
				out
			}
		}
	}
}

/// The root of these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
	let mut builder = RootBuilder::default();
	leaves.iter().for_each(|leaf| builder.push(*leaf));
	builder.root()
}

/// The hashes that lead from leaf `index` to the root, the lowest first; none for a leaf that is not
/// there (RFC 6962, section 2.1.1).
pub fn proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
	if index >= leaves.len() {
		return None;
	}
	let (mut leaves, mut index, mut path) = (leaves, index, Vec::new());
	while leaves.len() > 1 {
		// The largest power of two below the number of leaves.
		let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
		if index < left.len() {
			path.push(root(right));
			leaves = left;
		} else {
			path.push(root(left));
			index -= left.len();
			leaves = right;
		}
	}
	path.reverse();
	Some(path)
}

/// All levels of a tree: proofs for many of its leaves, each in as many steps as the tree has levels.
/// [`proof`] would make the whole tree again for each.
#[derive(Debug, Clone)]
pub struct Tree {
	/// The leaves, then each level above; the last has the root alone. Of no leaves there are no levels.
	levels: Vec<Vec<Hash>>,
}

impl Tree {
	/// The tree of these leaves.
	pub fn new(leaves: Vec<Hash>) -> Self {
		let mut levels = Vec::new();
		let mut level = leaves;
		while level.len() > 1 {
			let above = level
				.chunks(2)
				.map(|nodes| match nodes {
					[left, right] => node_hash(left, right),
					// A last node without a neighbour moves up as it is.
					nodes => nodes[0],
				})
				.collect();
			levels.push(std::mem::replace(&mut level, above));
		}
		if !level.is_empty() {
			levels.push(level);
		}
		Self { levels }
	}

	/// The root; of nothing it is the hash of nothing.
	pub fn root(&self) -> Hash {
		match self.levels.last() {
			Some(top) => top[0],
			None => RootBuilder::default().root(),
		}
	}

	/// As [`proof`].
	pub fn proof(&self, index: usize) -> Option<Vec<Hash>> {
		let leaves = self.levels.first()?;
		if index >= leaves.len() {
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

/// Checks that the chunk with hash `leaf` is number `index` of the `count` under `root`.
pub fn verify(
	root: &Hash,
	count: u64,
	index: u64,
	leaf: Hash,
	proof: &[Hash],
) -> Result<(), MerkleError> {
	if index >= count {
		return Err(MerkleError::NoSuchChunk { index, count });
	}
	// For each level from the leaf up, whether its neighbour there is on the left.
	let mut sides = Vec::new();
	let (mut at, mut last) = (index, count - 1);
	while last > 0 {
		// The last node of a level, when its number is even, has no neighbour and moves up as it is.
		if at % 2 == 1 || at < last {
			sides.push(at % 2 == 1);
		}
		(at, last) = (at / 2, last / 2);
	}
	if proof.len() != sides.len() {
		return Err(MerkleError::ProofLength {
			expected: sides.len(),
			got: proof.len(),
		});
	}
	let found = sides
		.iter()
		.zip(proof)
		.fold(leaf, |node, (on_left, neighbour)| {
			if *on_left {
				node_hash(neighbour, &node)
			} else {
				node_hash(&node, neighbour)
			}
		});
	if found != *root {
		return Err(MerkleError::WrongRoot);
	}
	Ok(())
}

#[cfg(test)]
mod tests;
