//! Attacks on real nodes, for tests: what a hostile peer sends, and what a rich one mines.
//!
//! - [`wire`]: a peer that a node takes for one of its kind;
//! - [`forge`]: blocks that keep every rule, and can be broken in one;
//! - [`victim`]: the node under attack, as its operator sees it;
//! - [`refuse`]: a block for each rule, broken in it alone;
//! - [`flood`]: as much of one bad thing as a node takes;
//! - [`maker`] and [`chain`]: blocks and whole chains made in this process, as fast as they execute;
//! - [`race`] and [`selfish`]: attacks by hash power on a [`network`] of nodes.
//!
//! Nothing of this is part of the node. The rules themselves, and their tests without a node, are
//! `isthmus-rules`'.

#![forbid(unsafe_code)]
// The framework's errors are large, and not ours to shrink.
#![allow(clippy::result_large_err)]

pub mod chain;
mod error;
pub mod flood;
pub mod forge;
pub mod maker;
pub mod network;
pub mod race;
pub mod refuse;
pub mod report;
pub mod selfish;
pub mod victim;
pub mod wire;

pub use error::AttackError;

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock, in seconds since the Unix epoch. A clock before 1970 reads as 1970.
pub fn now() -> u64 {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default()
		.as_secs()
}
