// SPDX-License-Identifier: Apache-2.0

//! Attacks on real nodes, for tests. The attacker is either a hostile peer that sends bad messages, or a
//! miner with much hash power.
//!
//! - [`wire`]: a peer that nodes accept as one of their own;
//! - [`forge`]: valid blocks, which a test then changes to break one rule;
//! - [`victim`]: the node under attack, as its operator sees it;
//! - [`refuse`]: for each rule, a block that breaks only that rule;
//! - [`flood`]: more bad messages of one kind than a node should accept;
//! - [`siege`]: peers that lie about the chain while an honest peer offers large blocks;
//! - [`justify`]: the votes that finalize a chain of the program's own;
//! - [`maker`], [`filler`] and [`chain`]: blocks and whole chains, made in this process as fast as they execute;
//! - [`race`], [`selfish`] and [`back_dating`]: attacks with hash power on a [`network`] of nodes.
//!
//! The `isthmus-adversary` program runs these attacks; it is not part of the node. The rules themselves are in
//! `isthmus-rules`, with tests that do not need a node.

#![forbid(unsafe_code)]
// The framework's errors are large, and we cannot shrink them.
#![allow(clippy::result_large_err)]

pub mod back_dating;
pub mod chain;
mod error;
pub mod filler;
pub mod flood;
pub mod forge;
pub mod justify;
pub mod maker;
pub mod network;
pub mod race;
pub mod refuse;
pub mod report;
pub mod selfish;
pub mod siege;
pub mod victim;
pub mod wire;

pub use error::AttackError;

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in seconds since the Unix epoch, or 0 if the clock is before 1970.
pub fn now() -> u64 {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.unwrap_or_default()
		.as_secs()
}
