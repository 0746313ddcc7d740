// SPDX-License-Identifier: Apache-2.0
//! An object's BLAKE3 tree (BLAKE3 paper, section 2.1): its leaves are pieces of 1 KiB, and the left child of a node over
//! `n` leaves has the largest power of two of them that leaves one for the right child.
//!
//! The library `blake3` computes every value here. The shape alone is followed by hand.

use alloc::vec::Vec;
use blake3::{
	hazmat::{merge_subtrees_non_root, merge_subtrees_root, HasherExt, Mode},
	Hasher,
};

/// The value of a node of the tree: its chaining value, or the root.
pub type Value = [u8; 32];

/// The length of a piece in bytes, except the last one of an object: that of BLAKE3's chunks.
pub const PIECE: u32 = 1 << 10;
/// The length of a group of pieces in bytes: 1 MiB, an object's encrypted chunk. Each is an aligned subtree.
pub const GROUP: u32 = 1 << 20;
/// The number of pieces of a group.
const PIECES_OF_GROUP: u64 = (GROUP / PIECE) as u64;
/// The maximum number of values in a path: those of an object of 1 TiB.
pub const MAX_PATH: u32 = 30;

/// A piece of an object, and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
	/// The piece's bytes.
	pub piece: Vec<u8>,
	/// The values of the nodes beside the path, from the piece upwards.
	pub path: Vec<Value>,
}

/// Why a proof is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
	/// The object is shorter.
	#[error("there is no piece {index} in an object of {length} bytes")]
	NoPiece {
		/// The piece's number.
		index: u64,
		/// The object's length in bytes.
		length: u64,
	},
	/// The piece has another length.
	#[error("the piece has {expected} bytes, not {got}")]
	PieceLength {
		/// The piece's length in bytes.
		expected: usize,
		/// The given length in bytes.
		got: usize,
	},
	/// The path has another length.
	#[error("the piece's path has {expected} values, not {got}")]
	PathLength {
		/// The number of values of the path.
		expected: u32,
		/// The given number of values.
		got: usize,
	},
	/// The piece and its path do not amount to the root.
	#[error("the piece or its path is not the object's")]
	WrongBytes,
}

/// Returns the number of pieces of an object of this length: at least one.
pub const fn pieces(length: u64) -> u64 {
	match length.div_ceil(PIECE as u64) {
		0 => 1,
		pieces => pieces,
	}
}

/// Returns the length of a piece of an object of this length, in bytes; `None` if there is no such piece.
pub fn piece_len(length: u64, index: u64) -> Option<usize> {
	if index >= pieces(length) {
		return None;
	}
	let begin = index.checked_mul(PIECE.into())?;
	let rest = length.checked_sub(begin)?;
	usize::try_from(rest.min(PIECE.into())).ok()
}

/// Checks that a piece is that of the object with this root and length.
///
/// # Errors
///
/// Returns the [`ProofError`] that says what is wrong.
pub fn verify(
	root: &Value,
	length: u64,
	index: u64,
	piece: &[u8],
	path: &[Value],
) -> Result<(), ProofError> {
	match root_of(length, index, piece, path)? == *root {
		true => Ok(()),
		false => Err(ProofError::WrongBytes),
	}
}

/// Returns the root of the object of this length that has this piece with this path.
///
/// # Errors
///
/// Returns an error if no object of this length has a piece and a path of these lengths there.
pub fn root_of(length: u64, index: u64, piece: &[u8], path: &[Value]) -> Result<Value, ProofError> {
	let expected = piece_len(length, index).ok_or(ProofError::NoPiece { index, length })?;
	if piece.len() != expected {
		let got = piece.len();
		return Err(ProofError::PieceLength { expected, got });
	}
	let (mut sides, depth) = sides(pieces(length), index);
	if path.len() != depth as usize {
		let (expected, got) = (depth, path.len());
		return Err(ProofError::PathLength { expected, got });
	}
	// `piece_len` has multiplied the same.
	let offset = index.saturating_mul(PIECE.into());
	let mut value = subtree(offset, path.is_empty(), piece);
	let mut rest = path.iter();
	while let Some(beside) = rest.next() {
		let (left, right) = match sides & 1 {
			0 => (&value, beside),
			_ => (beside, &value),
		};
		value = match rest.len() {
			0 => *merge_subtrees_root(left, right, Mode::Hash).as_bytes(),
			_ => merge_subtrees_non_root(left, right, Mode::Hash),
		};
		sides >>= 1;
	}
	Ok(value)
}

/// Returns on which side of its parent each node of the path from a leaf to the root is (bit 0 for the leaf; 1 is right),
/// and the path's length.
fn sides(mut leaves: u64, mut at: u64) -> (u64, u32) {
	let (mut sides, mut depth) = (0, 0);
	while leaves > 1 {
		let left = left_len(leaves);
		sides <<= 1;
		depth += 1;
		if at < left {
			leaves = left;
		} else {
			sides |= 1;
			at -= left;
			leaves -= left;
		}
	}
	(sides, depth)
}

/// Returns how many of more than one leaves are under the left child.
fn left_len(leaves: u64) -> u64 {
	1 << (leaves - 1).ilog2()
}

/// Returns the value of the subtree over bytes that begin at an offset of the object: the root if they are all of it. The
/// offset and the bytes are those of a piece or of a group.
fn subtree(offset: u64, is_root: bool, bytes: &[u8]) -> Value {
	let mut hasher = Hasher::new();
	if is_root {
		return *hasher.update(bytes).finalize().as_bytes();
	}
	hasher.set_input_offset(offset);
	hasher.update(bytes).finalize_non_root()
}

/// Returns the value of group `number`. `only` says that the object has no other one: then it is the root.
pub fn group(number: u32, only: bool, bytes: &[u8]) -> Value {
	subtree(u64::from(number) * u64::from(GROUP), only, bytes)
}

/// Returns the root of the tree over these groups; `None` without any.
pub fn root(groups: &[Value]) -> Option<Value> {
	match groups {
		[] => None,
		[only] => Some(*only),
		groups => {
			let (left, right) = groups.split_at(left_len(groups.len() as u64) as usize);
			let root = merge_subtrees_root(&node(left), &node(right), Mode::Hash);
			Some(*root.as_bytes())
		}
	}
}

/// Returns the value of a node over at least one value, which is not the root.
fn node(values: &[Value]) -> Value {
	match values {
		[only] => *only,
		values => {
			let (left, right) = values.split_at(left_len(values.len() as u64) as usize);
			merge_subtrees_non_root(&node(left), &node(right), Mode::Hash)
		}
	}
}

/// Adds the values beside the path of the value `at` in the tree over these values, from there upwards.
fn path(values: &[Value], at: usize, beside: &mut Vec<Value>) {
	if values.len() < 2 {
		return;
	}
	let left_len = left_len(values.len() as u64) as usize;
	let (left, right) = values.split_at(left_len);
	match at.checked_sub(left_len) {
		None => {
			path(left, at, beside);
			beside.push(node(right));
		}
		Some(at) => {
			path(right, at, beside);
			beside.push(node(left));
		}
	}
}

/// Returns the number of the group in which a piece is; `None` if no object is so long.
pub fn group_of(index: u64) -> Option<u32> {
	u32::try_from(index / PIECES_OF_GROUP).ok()
}

/// Proves a piece, given the bytes of its group and the values of all the object's groups; `None` if there is no such
/// piece. Nothing is checked against a root.
pub fn prove(index: u64, bytes: &[u8], groups: &[Value]) -> Option<Proof> {
	let number = group_of(index)?;
	let first = u64::from(number) * PIECES_OF_GROUP;
	let within = usize::try_from(index - first).ok()?;
	let number = usize::try_from(number).ok()?;
	if number >= groups.len() {
		return None;
	}
	let pieces = || bytes.chunks(PIECE as usize);
	// An empty object has one piece, without bytes.
	let piece = match bytes {
		[] if within == 0 => bytes,
		_ => pieces().nth(within)?,
	};
	let value = |(at, piece)| subtree(at * u64::from(PIECE), false, piece);
	let values: Vec<Value> = (first..).zip(pieces()).map(value).collect();
	let mut beside = Vec::new();
	path(&values, within, &mut beside);
	path(groups, number, &mut beside);
	Some(Proof {
		piece: piece.to_vec(),
		path: beside,
	})
}
