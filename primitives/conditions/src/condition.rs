// SPDX-License-Identifier: Apache-2.0
//! Defines a condition as a tree of bounded size, and its encoding.

use crate::{name::Name, value::Value};
use alloc::{boxed::Box, vec::Vec};
use codec::{Compact, Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::mem::size_of;
use scale_info::TypeInfo;

/// The maximum number of levels of a condition. A single test has one level.
pub const MAX_DEPTH: usize = 4;
/// The maximum number of nodes of a condition: of tests, and of `and`, `or` and `not`.
pub const MAX_NODES: usize = 32;
/// The latest time that a condition can name, the last second of the year 9999, in seconds since 1970-01-01 UTC.
pub const LATEST: u64 = 253_402_300_799;

/// An account, by its 32 bytes.
pub type Account = [u8; 32];

/// A node of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub enum Node {
	/// Met if all parts are met. At least two parts.
	#[codec(index = 0)]
	All(Vec<Node>),
	/// Met if at least one part is met. At least two parts.
	#[codec(index = 1)]
	Any(Vec<Node>),
	/// Met if the part is known not to be met.
	#[codec(index = 2)]
	Not(Box<Node>),
	/// Met before this time, in seconds since 1970-01-01 UTC like a block's timestamp H_s; at most [`LATEST`].
	#[codec(index = 3)]
	Before(u64),
	/// Met at this time and after it; in the same unit.
	#[codec(index = 4)]
	After(u64),
	/// Met if a fact compares with a constant as stated.
	#[codec(index = 5)]
	Fact(FactTest),
	/// Met if the account has a credential that has not ended.
	#[codec(index = 6)]
	Credential {
		/// The account that issued it.
		issuer: Account,
		/// Its kind.
		kind: Name,
	},
	/// Met if the account has a grant in force on the dataset's current epoch.
	#[codec(index = 7)]
	Granted {
		/// The owner of the dataset.
		owner: Account,
		/// The dataset's number among its owner's.
		dataset: u32,
	},
	/// Met if the account pays at least this much, in the currency's smallest unit.
	#[codec(index = 8)]
	PaidAtLeast(u128),
	/// Met if the chain keeps fewer grants than this on the dataset that the condition stands for, ended ones included.
	#[codec(index = 9)]
	CountBelow(u32),
}

/// The comparison of a fact with a constant.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub struct FactTest {
	/// The source of the fact.
	pub source: Name,
	/// What the fact is about.
	pub topic: Name,
	/// How old a report may be to count, in seconds: at least 1. `None`: as old as the source says.
	pub oldest: Option<u32>,
	/// The comparison.
	pub comparison: Comparison,
	/// What the fact is compared with.
	pub constant: Value,
}

/// How a fact is compared with a constant.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub enum Comparison {
	/// The fact equals the constant.
	#[codec(index = 0)]
	Equal,
	/// The fact differs from the constant.
	#[codec(index = 1)]
	NotEqual,
	/// The fact is less than the constant.
	#[codec(index = 2)]
	Less,
	/// The fact is less than the constant, or equal to it.
	#[codec(index = 3)]
	LessOrEqual,
	/// The fact is greater than the constant.
	#[codec(index = 4)]
	Greater,
	/// The fact is greater than the constant, or equal to it.
	#[codec(index = 5)]
	GreaterOrEqual,
}

/// Why a tree of nodes is not a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
	/// The tree has more than [`MAX_DEPTH`] levels.
	#[error("a condition has at most 4 levels")]
	TooDeep,
	/// The tree has more than [`MAX_NODES`] nodes.
	#[error("a condition has at most 32 nodes")]
	TooManyNodes,
	/// An `and` or `or` has fewer than two parts.
	#[error("`and` and `or` have at least two parts")]
	TooFewParts,
	/// A time is after [`LATEST`].
	#[error("a time is at most the year 9999")]
	TooLate,
	/// A fact must be no older than 0 seconds.
	#[error("the age of a fact is at least one second")]
	NoAge,
	/// A text or hash is compared by `<`, `<=`, `>` or `>=`.
	#[error("texts and hashes compare only by `=` and `!=`")]
	NotOrdered,
}

/// A condition: a tree of nodes within the bounds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub struct Condition(Node);

impl Condition {
	/// Returns the condition with this root.
	///
	/// # Errors
	///
	/// Returns the first bound that the tree violates.
	pub fn new(root: Node) -> Result<Self, BoundsError> {
		root.check(MAX_DEPTH, &mut { MAX_NODES })?;
		Ok(Self(root))
	}

	/// Returns the root.
	pub fn root(&self) -> &Node {
		&self.0
	}

	/// Returns the number of nodes, at most [`MAX_NODES`].
	pub fn nodes(&self) -> usize {
		let mut nodes = 0_usize;
		let mut left = alloc::vec![self.root()];
		while let Some(node) = left.pop() {
			nodes = nodes.saturating_add(1);
			match node {
				Node::All(parts) | Node::Any(parts) => left.extend(parts),
				Node::Not(part) => left.push(part),
				_ => {}
			}
		}
		nodes
	}

	/// Returns the tests: the nodes without parts, in the order in which they are written.
	pub fn tests(&self) -> Vec<&Node> {
		let mut tests = Vec::new();
		let mut left = alloc::vec![self.root()];
		while let Some(node) = left.pop() {
			match node {
				Node::All(parts) | Node::Any(parts) => left.extend(parts.iter().rev()),
				Node::Not(part) => left.push(part),
				test => tests.push(test),
			}
		}
		tests
	}
}

impl Node {
	/// Checks the tree below this node, which may have `levels` levels and `left` nodes.
	fn check(&self, levels: usize, left: &mut usize) -> Result<(), BoundsError> {
		let levels = levels.checked_sub(1).ok_or(BoundsError::TooDeep)?;
		*left = left.checked_sub(1).ok_or(BoundsError::TooManyNodes)?;
		match self {
			Self::All(parts) | Self::Any(parts) => {
				if parts.len() < 2 {
					return Err(BoundsError::TooFewParts);
				}
				parts.iter().try_for_each(|part| part.check(levels, left))
			}
			Self::Not(part) => part.check(levels, left),
			test => test.check_test(),
		}
	}

	/// Checks a node without parts.
	pub(crate) fn check_test(&self) -> Result<(), BoundsError> {
		match self {
			Self::Before(time) | Self::After(time) if *time > LATEST => Err(BoundsError::TooLate),
			Self::Fact(test) if test.oldest == Some(0) => Err(BoundsError::NoAge),
			Self::Fact(test) if test.comparison.is_order() && !test.constant.is_number() => {
				Err(BoundsError::NotOrdered)
			}
			_ => Ok(()),
		}
	}

	/// Decodes a node that may have `levels` levels, and `left` nodes.
	fn decode<I: Input>(input: &mut I, levels: usize, left: &mut usize) -> Result<Self, Error> {
		let levels = levels.checked_sub(1).ok_or("a condition is too deep")?;
		*left = left
			.checked_sub(1)
			.ok_or("a condition has too many nodes")?;
		let node = match input.read_byte()? {
			0 => Self::All(Self::decode_parts(input, levels, left)?),
			1 => Self::Any(Self::decode_parts(input, levels, left)?),
			2 => {
				input.on_before_alloc_mem(size_of::<Self>())?;
				Self::Not(Box::new(Self::decode(input, levels, left)?))
			}
			3 => Self::Before(Decode::decode(input)?),
			4 => Self::After(Decode::decode(input)?),
			5 => Self::Fact(Decode::decode(input)?),
			6 => Self::Credential {
				issuer: Decode::decode(input)?,
				kind: Decode::decode(input)?,
			},
			7 => Self::Granted {
				owner: Decode::decode(input)?,
				dataset: Decode::decode(input)?,
			},
			8 => Self::PaidAtLeast(Decode::decode(input)?),
			9 => Self::CountBelow(Decode::decode(input)?),
			_ => return Err("a condition has a node of an unknown type".into()),
		};
		node.check_test()
			.map_err(|_| Error::from("a test of a condition is out of bounds"))?;
		Ok(node)
	}

	/// Decodes the parts of an `and` or `or`.
	fn decode_parts<I: Input>(
		input: &mut I,
		levels: usize,
		left: &mut usize,
	) -> Result<Vec<Self>, Error> {
		let count = Compact::<u32>::decode(input)?.0 as usize;
		if count < 2 || count > *left {
			return Err("a condition has too few or too many parts".into());
		}
		input.on_before_alloc_mem(count * size_of::<Self>())?;
		(0..count)
			.map(|_| Self::decode(input, levels, left))
			.collect()
	}
}

impl Comparison {
	/// Returns whether only numbers can be compared so.
	pub fn is_order(self) -> bool {
		!matches!(self, Self::Equal | Self::NotEqual)
	}
}

impl Decode for Condition {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		Node::decode(input, MAX_DEPTH, &mut { MAX_NODES }).map(Self)
	}
}

impl DecodeWithMemTracking for Condition {}

impl MaxEncodedLen for Condition {
	/// Returns a bound: as if each node were the longest test. An `and`, `or` or `not` is shorter.
	fn max_encoded_len() -> usize {
		MAX_NODES * (1 + FactTest::max_encoded_len())
	}
}
