// SPDX-License-Identifier: Apache-2.0
//! Evaluates conditions.

use crate::{
	condition::{Account, Comparison, Condition, FactTest, Node},
	name::Name,
	value::Value,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::cmp::Ordering;
use scale_info::TypeInfo;

/// Whether a condition is met.
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
pub enum Truth {
	/// It is known not to be met.
	#[codec(index = 0)]
	False,
	/// That depends on something that is missing. The condition counts as not met.
	#[codec(index = 1)]
	Unknown,
	/// It is met.
	#[codec(index = 2)]
	True,
}

impl Truth {
	/// Returns whether the condition is met.
	pub fn is_met(self) -> bool {
		self == Self::True
	}

	/// Returns the truth of the negation.
	fn negated(self) -> Self {
		match self {
			Self::False => Self::True,
			Self::Unknown => Self::Unknown,
			Self::True => Self::False,
		}
	}
}

impl From<bool> for Truth {
	fn from(is_true: bool) -> Self {
		if is_true {
			Self::True
		} else {
			Self::False
		}
	}
}

impl From<Option<bool>> for Truth {
	fn from(is_true: Option<bool>) -> Self {
		is_true.map_or(Self::Unknown, Self::from)
	}
}

/// What a condition is evaluated on: facts, the time, and what is known about one account.
///
/// Each function returns `None` for what is missing, and so do the defaults.
pub trait World {
	/// Returns the block's timestamp H_s, in seconds since 1970-01-01 UTC.
	fn now(&self) -> u64;

	/// Returns a source's fact about a topic by the reports that are at most this old, in seconds; and, in any case, no
	/// older than the source says.
	fn fact(&self, source: &Name, topic: &Name, oldest: Option<u32>) -> Option<Value>;

	/// Returns whether the account has a credential of this kind by this issuer that has not ended.
	fn has_credential(&self, _issuer: &Account, _kind: &Name) -> Option<bool> {
		None
	}

	/// Returns whether the account has a grant in force on the current epoch of this dataset of this owner.
	fn has_grant(&self, _owner: &Account, _dataset: u32) -> Option<bool> {
		None
	}

	/// Returns how much the account pays, in the currency's smallest unit.
	fn paid(&self) -> Option<u128> {
		None
	}

	/// Returns how many grants the chain keeps on the dataset that the condition stands for, ended ones included.
	fn grants(&self) -> Option<u32> {
		None
	}
}

impl Condition {
	/// Evaluates the condition. It is met only if the result is [`Truth::True`].
	pub fn evaluate(&self, world: &impl World) -> Truth {
		evaluate(self.root(), world)
	}
}

fn evaluate(node: &Node, world: &impl World) -> Truth {
	match node {
		Node::All(parts) => until(parts, Truth::False, world),
		Node::Any(parts) => until(parts, Truth::True, world),
		Node::Not(part) => evaluate(part, world).negated(),
		Node::Before(time) => (world.now() < *time).into(),
		Node::After(time) => (world.now() >= *time).into(),
		Node::Fact(test) => compare(test, world).into(),
		Node::Credential { issuer, kind } => world.has_credential(issuer, kind).into(),
		Node::Granted { owner, dataset } => world.has_grant(owner, *dataset).into(),
		Node::PaidAtLeast(amount) => world.paid().map(|paid| paid >= *amount).into(),
		Node::CountBelow(number) => world.grants().map(|grants| grants < *number).into(),
	}
}

/// Evaluates parts until one of them decides the whole.
fn until(parts: &[Node], decisive: Truth, world: &impl World) -> Truth {
	let mut result = decisive.negated();
	for part in parts {
		let truth = evaluate(part, world);
		if truth == decisive {
			return decisive;
		}
		if truth == Truth::Unknown {
			result = Truth::Unknown;
		}
	}
	result
}

/// Compares a fact with a constant. Returns `None` if the fact is missing, or of another type than the constant.
fn compare(test: &FactTest, world: &impl World) -> Option<bool> {
	let fact = world.fact(&test.source, &test.topic, test.oldest)?;
	let order = || fact.compare_numbers(&test.constant);
	match test.comparison {
		Comparison::Equal => fact.equals(&test.constant),
		Comparison::NotEqual => fact.equals(&test.constant).map(|equals| !equals),
		Comparison::Less => order().map(Ordering::is_lt),
		Comparison::LessOrEqual => order().map(Ordering::is_le),
		Comparison::Greater => order().map(Ordering::is_gt),
		Comparison::GreaterOrEqual => order().map(Ordering::is_ge),
	}
}
