// SPDX-License-Identifier: Apache-2.0
//! The key tree, from which the keys of an epoch's records are derived: a GGM tree (Goldreich,
//! Goldwasser, Micali: "How to construct random functions", 1986) of height 32 over HMAC-SHA256.
//!
//! From a node's key, the keys of its two children can be derived and, through them, those of all
//! leaves below it. A node's key reveals nothing about any other node. The few nodes that cover a range
//! of leaves therefore open this range, and readers who pool the nodes of several ranges can open those
//! ranges and nothing else.

use crate::{
	derive::{self, redacted_debug, Secret},
	epoch::EpochId,
};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Height of the tree: a leaf is this many steps below the root.
pub const HEIGHT: u32 = 32;
/// Number of leaves, 2^32. A leaf's index is a `u32`, but a range may end at this number.
pub const LEAVES: u64 = 1 << HEIGHT;
/// Maximum number of nodes in a range's cover: two on each of 31 levels.
pub const MAX_COVER: usize = 62;
/// Length of a node's key, in bytes.
pub const NODE_KEY_LEN: usize = 32;
/// Label that follows the bit in the HMAC message for a child's key.
pub const CHILD_LABEL: &[u8] = b"isthmus/tree/v1";
/// HKDF salt for the record keys of a folder's files.
pub const FILE_KEY_LABEL: &[u8] = b"isthmus/folder-file/v1";

/// Why a range, a leaf or a list of keys is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
	/// The range contains no leaf.
	#[error("the range of leaves {start}..{end} is empty")]
	EmptyRange {
		/// First leaf.
		start: u64,
		/// One past the last leaf.
		end: u64,
	},
	/// The range ends beyond the tree's last leaf.
	#[error("the range ends at leaf {end}, but an epoch has {LEAVES} leaves")]
	RangeBeyondTree {
		/// One past the last leaf.
		end: u64,
	},
	/// The available keys do not open this leaf.
	#[error("leaf {leaf} is outside the range {range} that the keys open")]
	LeafOutsideRange {
		/// The requested leaf.
		leaf: u32,
		/// The range that the keys open.
		range: Range,
	},
	/// The leaf was erased: its key exists no more.
	#[error(
		"leaf {leaf} was erased, and no one can make its key again: leave it out of the range"
	)]
	Erased {
		/// The leaf.
		leaf: u32,
	},
	/// The list of keys is shorter or longer than its range's cover requires.
	#[error("the keys of this range must have {expected} bytes, got {got}")]
	KeysLength {
		/// Length in bytes that the range requires.
		expected: usize,
		/// Length in bytes of the given list.
		got: usize,
	},
}

/// A range of leaves from `start` up to, but not including, `end`. It is never empty and never ends
/// beyond the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
	start: u64,
	end: u64,
}

impl core::fmt::Display for Range {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "[{}, {})", self.start, self.end)
	}
}

impl Range {
	/// All leaves of the tree.
	pub const ALL: Self = Self {
		start: 0,
		end: LEAVES,
	};

	/// Creates the range from `start` up to, but not including, `end`.
	///
	/// # Errors
	///
	/// Returns [`TreeError::EmptyRange`] if the range contains no leaf, and
	/// [`TreeError::RangeBeyondTree`] if it ends beyond the last leaf.
	pub fn new(start: u64, end: u64) -> Result<Self, TreeError> {
		if end > LEAVES {
			return Err(TreeError::RangeBeyondTree { end });
		}
		if start >= end {
			return Err(TreeError::EmptyRange { start, end });
		}
		Ok(Self { start, end })
	}

	/// Returns the first leaf.
	pub fn start(&self) -> u64 {
		self.start
	}

	/// Returns one past the last leaf.
	pub fn end(&self) -> u64 {
		self.end
	}

	/// Returns whether `leaf` is in the range.
	pub fn contains(&self, leaf: u32) -> bool {
		(self.start..self.end).contains(&u64::from(leaf))
	}

	/// Returns the smallest set of nodes whose leaves are exactly this range's, from left to right.
	///
	/// Each step takes the largest node that starts where the previous one ended and does not pass
	/// `end`.
	pub fn cover(&self) -> Vec<Position> {
		let mut nodes = Vec::new();
		let mut start = self.start;
		while start < self.end {
			// A node with 2^k leaves starts at a multiple of its size and has to fit into the rest.
			let k = start.trailing_zeros().min((self.end - start).ilog2());
			nodes.push(Position {
				depth: HEIGHT - k,
				index: start >> k,
			});
			start += 1 << k;
		}
		nodes
	}
}

/// A node's position in the tree: the leaves below it are those whose first `depth` bits are `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
	depth: u32,
	index: u64,
}

impl Position {
	/// The root.
	pub(crate) const ROOT: Self = Self { depth: 0, index: 0 };

	/// Returns the position with this depth and index; `None` if the tree has no such node.
	pub(crate) fn new(depth: u32, index: u64) -> Option<Self> {
		(depth <= HEIGHT && index < 1 << depth).then_some(Self { depth, index })
	}

	/// Returns the two children of an inner node.
	pub(crate) fn children(&self) -> [Self; 2] {
		[2 * self.index, 2 * self.index + 1].map(|index| Self {
			depth: self.depth + 1,
			index,
		})
	}

	/// Returns the number of steps from the root, 0 to [`HEIGHT`].
	pub fn depth(&self) -> u32 {
		self.depth
	}

	/// Returns the index among the nodes of the same depth, counted from the left.
	pub fn index(&self) -> u64 {
		self.index
	}

	/// Returns the leaves below this node.
	pub fn leaves(&self) -> Range {
		let k = HEIGHT - self.depth;
		Range {
			start: self.index << k,
			end: (self.index + 1) << k,
		}
	}
}

/// Derives the key `steps` levels below the node whose key is `key`, along the last `steps` bits of
/// `path`.
pub(crate) fn descend(key: &Secret, path: u64, steps: u32) -> Secret {
	let mut key = key.clone();
	let mut message = [0; 1 + CHILD_LABEL.len()];
	message[1..].copy_from_slice(CHILD_LABEL);
	for level in (0..steps).rev() {
		message[0] = u8::from(path >> level & 1 == 1);
		key = derive::hmac_sha256(&key, &message);
	}
	key
}

/// The root of an epoch's tree. Its holder can read all records of the epoch and grant access to
/// them.
#[derive(Clone)]
pub struct EpochRoot {
	id: EpochId,
	key: Secret,
}

redacted_debug!(EpochRoot);

impl EpochRoot {
	pub(crate) fn new(id: EpochId, key: Secret) -> Self {
		Self { id, key }
	}

	/// Returns the epoch that this root belongs to.
	pub fn id(&self) -> &EpochId {
		&self.id
	}

	/// Derives the key of a leaf.
	pub fn leaf_key(&self, leaf: u32) -> LeafKey {
		LeafKey(descend(&self.key, leaf.into(), HEIGHT))
	}

	/// Derives the record key under which a folder's file is stored. The owner gets the same key each
	/// time; to everyone else it looks like random bytes, so it does not reveal the file's name.
	pub fn file_key(&self, folder: &[u8; 32], path: &str) -> [u8; 32] {
		let prk = derive::extract(FILE_KEY_LABEL, &self.key);
		*derive::expand(&prk, &[folder, path.as_bytes()])
	}

	/// Derives the keys that open `range` and nothing else.
	pub fn key_set(&self, range: Range) -> KeySet {
		let mut keys = Vec::with_capacity(MAX_COVER);
		cover_keys(&self.key, Position::ROOT, &range, &mut keys);
		KeySet { range, keys }
	}
}

/// Adds the keys of the nodes at or below `at` that cover its part of `range`, from left to right. Only
/// the nodes on the paths to the range's two ends are derived, each once.
fn cover_keys(key: &Secret, at: Position, range: &Range, keys: &mut Vec<Secret>) {
	let leaves = at.leaves();
	if leaves.end <= range.start || range.end <= leaves.start {
		return;
	}
	if range.start <= leaves.start && leaves.end <= range.end {
		keys.push(key.clone());
		return;
	}
	// A leaf is either inside the range or outside it, so `at` is an inner node and has children.
	for child in at.children() {
		cover_keys(&descend(key, child.index, 1), child, range, keys);
	}
}

/// The key of one leaf, under which one record is encrypted.
#[derive(Clone)]
pub struct LeafKey(Secret);

redacted_debug!(LeafKey);

impl LeafKey {
	pub(crate) fn new(key: Secret) -> Self {
		Self(key)
	}

	/// Takes the bytes of [`expose_secret`](Self::expose_secret).
	pub fn from_bytes(bytes: &[u8; 32]) -> Self {
		Self(Secret::new(*bytes))
	}

	/// Returns the key itself. Anyone who has it can decrypt the leaf's record.
	pub fn expose_secret(&self) -> &[u8; 32] {
		&self.0
	}
}

/// The keys of a range's cover: they open every leaf of the range and nothing else.
#[derive(Clone)]
pub struct KeySet {
	range: Range,
	/// One key per position in `range.cover()`, in the same order.
	keys: Vec<Secret>,
}

redacted_debug!(KeySet);

impl KeySet {
	/// Creates the keys of a range from those of its cover.
	pub(crate) fn new(range: Range, keys: Vec<Secret>) -> Result<Self, TreeError> {
		let (expected, got) = (
			range.cover().len() * NODE_KEY_LEN,
			keys.len() * NODE_KEY_LEN,
		);
		match expected == got {
			true => Ok(Self { range, keys }),
			false => Err(TreeError::KeysLength { expected, got }),
		}
	}

	/// Returns the range that these keys open.
	pub fn range(&self) -> Range {
		self.range
	}

	/// Derives the key of a leaf of the range.
	///
	/// # Errors
	///
	/// Returns [`TreeError::LeafOutsideRange`] if the leaf is outside the range.
	pub fn leaf_key(&self, leaf: u32) -> Result<LeafKey, TreeError> {
		let cover = self.range.cover();
		let (at, key) = cover
			.iter()
			.zip(&self.keys)
			.find(|(at, _)| at.leaves().contains(leaf))
			.ok_or(TreeError::LeafOutsideRange {
				leaf,
				range: self.range,
			})?;
		Ok(LeafKey(descend(key, leaf.into(), HEIGHT - at.depth)))
	}

	/// Derives the keys that open a part of the range and nothing else. They are those that
	/// [`EpochRoot::key_set`] derives for it.
	///
	/// # Errors
	///
	/// Returns [`TreeError::LeafOutsideRange`] with the first leaf of `part` that these keys do not open.
	pub fn part(&self, part: Range) -> Result<Self, TreeError> {
		let outside = match part.start < self.range.start {
			true => Some(part.start),
			false => (self.range.end < part.end).then_some(part.start.max(self.range.end)),
		};
		if let Some(leaf) = outside {
			return Err(TreeError::LeafOutsideRange {
				// It is in `part`, so it is a leaf of the tree.
				leaf: leaf as u32,
				range: self.range,
			});
		}
		let mut keys = Vec::with_capacity(MAX_COVER);
		// Each node of the part's cover is at or below one of this cover.
		for (at, key) in self.range.cover().into_iter().zip(&self.keys) {
			cover_keys(key, at, &part, &mut keys);
		}
		Self::new(part, keys)
	}

	/// Returns the concatenated keys, in the order of the cover. Their positions in the tree follow
	/// from the range and are not encoded.
	pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
		// The buffer never grows, so no copy of a key is left behind.
		let mut bytes = Zeroizing::new(Vec::with_capacity(self.keys.len() * NODE_KEY_LEN));
		for key in &self.keys {
			bytes.extend_from_slice(&key[..]);
		}
		bytes
	}

	/// Reads what [`Self::to_bytes`] wrote for the same range.
	///
	/// # Errors
	///
	/// Returns [`TreeError::KeysLength`] if the bytes are too many or too few for the range.
	pub fn from_bytes(range: Range, bytes: &[u8]) -> Result<Self, TreeError> {
		let expected = range.cover().len() * NODE_KEY_LEN;
		if bytes.len() != expected {
			return Err(TreeError::KeysLength {
				expected,
				got: bytes.len(),
			});
		}
		let keys = bytes
			.chunks_exact(NODE_KEY_LEN)
			.map(|bytes| {
				let mut key = Secret::default();
				key.copy_from_slice(bytes);
				key
			})
			.collect();
		Ok(Self { range, keys })
	}
}

#[cfg(test)]
mod tests;
