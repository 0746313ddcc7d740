//! Attacks on real nodes, for tests: what a hostile peer sends, and what a rich one mines.
//!
//! - [`wire`]: a peer that a node takes for one of its kind;
//! - [`forge`]: blocks that keep every rule, and can be broken in one;
//! - [`victim`]: the node under attack, as its operator sees it;
//! - [`refuse`]: a block for each rule, broken in it alone.
//!
//! Nothing of this is part of the node. The rules themselves, and their tests without a node, are
//! `isthmus-rules`'.

#![forbid(unsafe_code)]

mod error;
pub mod forge;
pub mod refuse;
pub mod victim;
pub mod wire;

pub use error::AttackError;
