// SPDX-License-Identifier: Apache-2.0

//! Defines a case: what a peer offers to a node, what the node must do with it, and the outcome.

use super::{offer::Offer, stage::Stage};
use crate::error::AttackError;
use serde::Serialize;
use std::time::Duration;

/// How long a node may take to refuse a block.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// The result of [`Case::make`]: the offer, or `None` if the case does not apply to the chain.
pub type Offered = Result<Option<Offer>, AttackError>;

/// What the node must do with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
	/// Refuse the block, log this rule and this text, and close the connection.
	Refused(&'static str, &'static str),
	/// Close the connection. The offer is not a block, so there is no rule to name.
	Closed,
	/// Log this text and keep the connection: the peer is not at fault.
	Ignored(&'static str),
	/// Refuse the block at execution, log this text, and close the connection when the peer repeats it.
	NotExecuted(&'static str),
}

/// One attack: its name, what the peer offers, and what the node must do.
pub struct Case {
	/// The name, in snake case.
	pub name: &'static str,
	/// What the node must do.
	pub expected: Expected,
	/// Makes the offer. Returns `None` if the case does not apply to the chain. For example, no difficulty
	/// can be below the required one, D(H), but not below the minimum, D_0, on a chain where every block
	/// requires D_0.
	pub make: fn(&Stage<'_>) -> Offered,
}

impl Case {
	/// Makes a case in which the node must refuse the block, and name this rule and this text in its log.
	pub(super) const fn refused(
		name: &'static str,
		rule: &'static str,
		text: &'static str,
		make: fn(&Stage<'_>) -> Offered,
	) -> Self {
		Self {
			name,
			expected: Expected::Refused(rule, text),
			make,
		}
	}

	/// Makes a case in which the node must refuse the block at execution, with this text in its log.
	pub(super) const fn not_executed(
		name: &'static str,
		text: &'static str,
		make: fn(&Stage<'_>) -> Offered,
	) -> Self {
		Self {
			name,
			expected: Expected::NotExecuted(text),
			make,
		}
	}

	/// Makes a case in which the node must ignore the offer and keep the peer, with this text in its log.
	pub(super) const fn ignored(
		name: &'static str,
		text: &'static str,
		make: fn(&Stage<'_>) -> Offered,
	) -> Self {
		Self {
			name,
			expected: Expected::Ignored(text),
			make,
		}
	}

	/// Makes a case in which the node must close the connection without naming a rule.
	pub(super) const fn closed(name: &'static str, make: fn(&Stage<'_>) -> Offered) -> Self {
		Self {
			name,
			expected: Expected::Closed,
			make,
		}
	}
}

/// The result of a case.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
	/// The case's name.
	pub case: &'static str,
	/// The rule that the node must name, if any.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub rule: Option<&'static str>,
	/// The matching line of the node's log.
	pub logged: Option<String>,
	/// Whether the node closed the connection.
	pub disconnected: bool,
	/// Whether the node did what it must.
	pub held: bool,
}
