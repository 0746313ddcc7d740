//! Adapts Ethash and the header rules to Substrate: what verifies, imports, chooses and makes blocks.
//!
//! The rules themselves are in `isthmus-rules`, the proof of work in `isthmus-ethash`; nothing here
//! decides what a valid header is. What this crate adds is everything that needs a client, a clock
//! or a network:
//!
//! - [`Chain`]: the chain's parameters, a parent's facts, and the check of one header or one block;
//! - [`PowVerifier`] and [`PowAnnounceValidator`]: the doors that blocks and announcements come in by;
//! - [`PowBlockImport`] and [`HeaviestChain`]: fork choice by total difficulty;
//! - [`Author`], [`Work`] and [`CpuMiner`]: templates, seals, and the built-in miner.

#![forbid(unsafe_code)]

mod announce;
mod author;
mod chain;
mod error;
mod import;
mod miner;
mod select_chain;
#[cfg(test)]
mod tests;
mod verifier;
mod work;

pub use announce::PowAnnounceValidator;
pub use author::{Author, AuthorConfig, Pace};
pub use chain::{Chain, ChainClient};
pub use error::{BlockError, CheckError, SubmitError};
pub use import::PowBlockImport;
pub use miner::CpuMiner;
pub use select_chain::HeaviestChain;
pub use verifier::PowVerifier;
pub use work::{Job, Work};

/// The target of this crate's log lines.
const LOG_TARGET: &str = "pow";
