//! The key tree: a GGM tree (Goldreich, Goldwasser, Micali: "How to construct random functions",
//! 1986) of height 32 over HMAC-SHA256.
//!
//! A node's key gives its two children's keys and, through them, those of all leaves below it; it
//! tells nothing of any other node. So a range of leaves is opened by the few nodes that cover it,
//! and holders of several ranges who pool their nodes open those ranges and nothing else.

use crate::{
	derive::{self, redacted_debug, Secret},
	master::EpochId,
};
use zeroize::Zeroizing;

/// Height of the tree: a leaf is this many steps below the root.
pub const HEIGHT: u32 = 32;
/// The number of leaves, 2^32. A leaf's index is a `u32`; the end of a range may be this number.
pub const LEAVES: u64 = 1 << HEIGHT;
/// The most nodes that the cover of a range has: two on each of 31 levels.
pub const MAX_COVER: usize = 62;
/// Length of a node's key, in bytes.
pub const NODE_KEY_LEN: usize = 32;
/// Follows the bit in the message of a child's derivation.
pub const CHILD_LABEL: &[u8] = b"isthmus/tree/v1";
/// HKDF salt of the record keys of a folder's files.
pub const FILE_KEY_LABEL: &[u8] = b"isthmus/folder-file/v1";

/// Why a range, a leaf or a list of keys is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
	/// A range has to hold at least one leaf.
	#[error("the range from {start} up to {end} is empty")]
	EmptyRange {
		/// First leaf.
		start: u64,
		/// One past the last leaf.
		end: u64,
	},
	/// A range cannot end beyond the last leaf.
	#[error("the range ends at {end}, beyond the tree's {LEAVES} leaves")]
	RangeBeyondTree {
		/// One past the last leaf.
		end: u64,
	},
	/// The keys at hand do not open this leaf.
	#[error("leaf {leaf} is outside the range {range}, which is all that the keys open")]
	LeafOutsideRange {
		/// The leaf that was asked for.
		leaf: u32,
		/// What the keys open.
		range: Range,
	},
	/// A list of keys has to have the length that its range's cover asks for.
	#[error("the keys of this range are {expected} bytes, not {got}")]
	KeysLength {
		/// Length in bytes that the range asks for.
		expected: usize,
		/// Length in bytes that was given.
		got: usize,
	},
}

/// A range of leaves: from `start` up to, and without, `end`. Never empty, never beyond the tree.
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

	/// The range from `start` up to, and without, `end`.
	pub fn new(start: u64, end: u64) -> Result<Self, TreeError> {
		if end > LEAVES {
			return Err(TreeError::RangeBeyondTree { end });
		}
		if start >= end {
			return Err(TreeError::EmptyRange { start, end });
		}
		Ok(Self { start, end })
	}

	/// First leaf.
	pub fn start(&self) -> u64 {
		self.start
	}

	/// One past the last leaf.
	pub fn end(&self) -> u64 {
		self.end
	}

	/// Whether `leaf` is in the range.
	pub fn contains(&self, leaf: u32) -> bool {
		(self.start..self.end).contains(&u64::from(leaf))
	}

	/// The fewest nodes whose leaves are exactly this range's, from left to right.
	///
	/// At each step the largest node that begins where the last one ended and does not pass `end`.
	pub fn cover(&self) -> Vec<Position> {
		let mut nodes = Vec::new();
		let mut start = self.start;
		while start < self.end {
			// Size 2^k: the node has to begin at a multiple of its size, and fit in what is left.
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

/// Where a node is in the tree: the leaves below it are those whose first `depth` bits are `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
	depth: u32,
	index: u64,
}

impl Position {
	/// Steps from the root, 0 to [`HEIGHT`].
	pub fn depth(&self) -> u32 {
		self.depth
	}

	/// Number among the nodes of its depth, from the left.
	pub fn index(&self) -> u64 {
		self.index
	}

	/// The leaves below this node.
	pub fn leaves(&self) -> Range {
		let k = HEIGHT - self.depth;
		Range {
			start: self.index << k,
			end: (self.index + 1) << k,
		}
	}
}

/// The key `steps` levels below the node with key `key`, along the last `steps` bits of `path`.
fn descend(key: &Secret, path: u64, steps: u32) -> Secret {
	let mut key = key.clone();
	let mut message = [0; 1 + CHILD_LABEL.len()];
	message[1..].copy_from_slice(CHILD_LABEL);
	for level in (0..steps).rev() {
		message[0] = u8::from(path >> level & 1 == 1);
		key = derive::hmac_sha256(&key, &message);
	}
	key
}

/// The root of an epoch's tree: with it, all the epoch's records can be read and granted.
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

	/// The epoch that this is the root of.
	pub fn id(&self) -> &EpochId {
		&self.id
	}

	/// The key of a leaf.
	pub fn leaf_key(&self, leaf: u32) -> LeafKey {
		LeafKey(descend(&self.key, leaf.into(), HEIGHT))
	}

	/// The key under which a folder's file is stored as a record: the same each time for the owner, and
	/// for everybody else not to be told from random bytes, so that it does not give the file's name away.
	pub fn file_key(&self, folder: &[u8; 32], path: &str) -> [u8; 32] {
		let prk = derive::extract(FILE_KEY_LABEL, &self.key);
		*derive::expand(&prk, &[folder, path.as_bytes()])
	}

	/// The keys that open `range` and nothing else.
	pub fn key_set(&self, range: Range) -> KeySet {
		let mut keys = Vec::with_capacity(MAX_COVER);
		let root = Position { depth: 0, index: 0 };
		cover_keys(&self.key, root, &range, &mut keys);
		KeySet { range, keys }
	}
}

/// Adds the keys of the nodes at or below `at` that cover what it has of `range`, from left to right.
/// Only the nodes on the way to the range's two ends are derived, each once.
fn cover_keys(key: &Secret, at: Position, range: &Range, keys: &mut Vec<Secret>) {
	let leaves = at.leaves();
	if leaves.end <= range.start || range.end <= leaves.start {
		return;
	}
	if range.start <= leaves.start && leaves.end <= range.end {
		keys.push(key.clone());
		return;
	}
	// A leaf is within the range or outside it, so `at` is none and has children.
	for index in [2 * at.index, 2 * at.index + 1] {
		let child = Position {
			depth: at.depth + 1,
			index,
		};
		cover_keys(&descend(key, index, 1), child, range, keys);
	}
}

/// The key of one leaf: what one record is encrypted under.
#[derive(Clone)]
pub struct LeafKey(Secret);

redacted_debug!(LeafKey);

impl LeafKey {
	pub(crate) fn secret(&self) -> &Secret {
		&self.0
	}
}

/// The keys of a range's cover: they open every leaf of the range and nothing else.
#[derive(Clone)]
pub struct KeySet {
	range: Range,
	/// One for each position of `range.cover()`, in its order.
	keys: Vec<Secret>,
}

redacted_debug!(KeySet);

impl KeySet {
	/// What these keys open.
	pub fn range(&self) -> Range {
		self.range
	}

	/// The key of a leaf of the range.
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

	/// The keys one after the other, in the order of the cover. Their places in the tree follow from
	/// the range and are not written.
	pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
		// Never grown, so that no copy is left behind.
		let mut bytes = Zeroizing::new(Vec::with_capacity(self.keys.len() * NODE_KEY_LEN));
		for key in &self.keys {
			bytes.extend_from_slice(&key[..]);
		}
		bytes
	}

	/// Reads what [`Self::to_bytes`] wrote for the same range.
	pub(crate) fn from_bytes(range: Range, bytes: &[u8]) -> Result<Self, TreeError> {
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
