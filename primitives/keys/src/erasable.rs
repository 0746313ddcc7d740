// SPDX-License-Identifier: Apache-2.0
//! A key tree from which leaves can be erased: its root is drawn at random, and once a leaf is erased, only the keys
//! beside its path are kept. What is left opens every other leaf, and no one can derive the erased one again: a GGM tree
//! is puncturable (Boneh and Waters, "Constrained pseudorandom functions and their applications", 2013).

use crate::{
	derive::{self, redacted_debug, Secret},
	epoch::EpochId,
	tree::{
		descend, KeySet, LeafKey, Position, Range, TreeError, FILE_KEY_LABEL, HEIGHT, NODE_KEY_LEN,
	},
};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Length of one node in [`ErasableTree::to_bytes`]: its depth, its index and its key.
const NODE_LEN: usize = 1 + 4 + NODE_KEY_LEN;

/// What is left of an epoch's key tree whose root is not derived from a master secret.
#[derive(Clone)]
pub struct ErasableTree {
	id: EpochId,
	/// From it the keys of folders' files are derived. It opens no leaf.
	files: Secret,
	/// The topmost nodes that are left, from left to right.
	nodes: Vec<(Position, Secret)>,
}

redacted_debug!(ErasableTree);

/// The bytes are not what [`ErasableTree::to_bytes`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not what is left of a key tree")]
pub struct NoTree;

impl ErasableTree {
	/// Creates the tree of an epoch from a root, which must have been drawn uniformly at random.
	pub fn new(id: EpochId, root: [u8; 32]) -> Self {
		let root = Secret::new(root);
		let prk = derive::extract(FILE_KEY_LABEL, &root);
		Self {
			id,
			files: derive::expand(&prk, &[b"erasable"]),
			nodes: alloc::vec![(Position::ROOT, root)],
		}
	}

	/// Draws the root of an epoch's tree.
	///
	/// # Errors
	///
	/// Returns [`derive::RandomError`] if the system provides no randomness.
	#[cfg(feature = "std")]
	pub fn generate(id: EpochId) -> Result<Self, derive::RandomError> {
		derive::random_bytes().map(|root| Self::new(id, root))
	}

	/// Returns the epoch that this tree belongs to.
	pub fn id(&self) -> &EpochId {
		&self.id
	}

	/// Derives the key of a leaf.
	///
	/// # Errors
	///
	/// Returns [`TreeError::Erased`] if the leaf was erased.
	pub fn leaf_key(&self, leaf: u32) -> Result<LeafKey, TreeError> {
		let (at, key) = self.above(leaf).ok_or(TreeError::Erased { leaf })?;
		Ok(LeafKey::new(descend(key, leaf.into(), HEIGHT - at.depth())))
	}

	/// Derives the record key under which a folder's file is stored, as
	/// [`EpochRoot::file_key`](crate::EpochRoot::file_key) does.
	pub fn file_key(&self, folder: &[u8; 32], path: &str) -> [u8; 32] {
		let prk = derive::extract(FILE_KEY_LABEL, &self.files);
		*derive::expand(&prk, &[folder, path.as_bytes()])
	}

	/// Derives the keys that open `range` and nothing else.
	///
	/// # Errors
	///
	/// Returns [`TreeError::Erased`] with the first leaf of the range that was erased.
	pub fn key_set(&self, range: Range) -> Result<KeySet, TreeError> {
		if let Some(leaf) = self.first_erased(&range) {
			return Err(TreeError::Erased { leaf });
		}
		let key = |at: Position| {
			// Nothing below this node is erased. So no node that is left lies below it, and one is above its first leaf.
			let (above, key) = self.above_node(at)?;
			Some(descend(key, at.index(), at.depth() - above.depth()))
		};
		let cover = range.cover();
		let keys: Vec<_> = cover.iter().filter_map(|at| key(*at)).collect();
		KeySet::new(range, keys)
	}

	/// Erases a leaf. Returns whether it was still there.
	pub fn erase(&mut self, leaf: u32) -> bool {
		let Some(found) = self
			.nodes
			.iter()
			.position(|(at, _)| at.leaves().contains(leaf))
		else {
			return false;
		};
		let (top, mut key) = self.nodes.remove(found);
		let (mut left, mut right) = (Vec::new(), Vec::new());
		let mut at = top;
		while at.depth() < HEIGHT {
			let [first, second] = at.children();
			let [one, other] = [first, second].map(|child| descend(&key, child.index(), 1));
			match first.leaves().contains(leaf) {
				true => {
					right.push((second, other));
					(at, key) = (first, one);
				}
				false => {
					left.push((first, one));
					(at, key) = (second, other);
				}
			}
		}
		// On the way down, the nodes to the right of the path come from the right.
		let kept = left.into_iter().chain(right.into_iter().rev());
		self.nodes.splice(found..found, kept);
		true
	}

	/// Returns the first leaf of a range that was erased.
	fn first_erased(&self, range: &Range) -> Option<u32> {
		let mut next = range.start();
		for (at, _) in &self.nodes {
			let leaves = at.leaves();
			if leaves.end() <= next {
				continue;
			}
			if leaves.start() > next {
				break;
			}
			next = leaves.end();
		}
		match next < range.end() {
			true => u32::try_from(next).ok(),
			false => None,
		}
	}

	/// Returns the node that is left above a leaf.
	fn above(&self, leaf: u32) -> Option<&(Position, Secret)> {
		self.nodes.iter().find(|(at, _)| at.leaves().contains(leaf))
	}

	/// Returns the node that is left at or above a node.
	fn above_node(&self, node: Position) -> Option<&(Position, Secret)> {
		let leaves = node.leaves();
		self.nodes.iter().find(|(at, _)| {
			at.leaves().start() <= leaves.start() && leaves.end() <= at.leaves().end()
		})
	}

	/// Returns what is left, to be kept in a safe place: the secret of files' keys, then each node's depth in one byte, its
	/// index in four (big-endian) and its key.
	pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
		// The buffer never grows, so no copy of a key is left behind.
		let length = NODE_KEY_LEN + self.nodes.len() * NODE_LEN;
		let mut bytes = Zeroizing::new(Vec::with_capacity(length));
		bytes.extend_from_slice(&self.files[..]);
		for (at, key) in &self.nodes {
			bytes.push(at.depth() as u8);
			bytes.extend_from_slice(&(at.index() as u32).to_be_bytes());
			bytes.extend_from_slice(&key[..]);
		}
		bytes
	}

	/// Reads what [`Self::to_bytes`] wrote.
	///
	/// # Errors
	///
	/// Returns [`NoTree`] if the bytes are anything else, for example nodes that overlap.
	pub fn from_bytes(id: EpochId, bytes: &[u8]) -> Result<Self, NoTree> {
		let (files, nodes) = bytes.split_first_chunk::<NODE_KEY_LEN>().ok_or(NoTree)?;
		let (nodes, rest) = nodes.as_chunks::<NODE_LEN>();
		if !rest.is_empty() {
			return Err(NoTree);
		}
		let mut tree = Self {
			id,
			files: Secret::new(*files),
			nodes: Vec::with_capacity(nodes.len()),
		};
		let mut end = 0;
		for [depth, a, b, c, d, key @ ..] in nodes {
			let index = u32::from_be_bytes([*a, *b, *c, *d]);
			let at = Position::new((*depth).into(), index.into()).ok_or(NoTree)?;
			if at.leaves().start() < end {
				return Err(NoTree);
			}
			end = at.leaves().end();
			tree.nodes.push((at, Secret::new(*key)));
		}
		Ok(tree)
	}
}

#[cfg(test)]
mod tests;
