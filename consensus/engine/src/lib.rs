//! Adapts Ethash and the header rules to Substrate: what verifies, imports, chooses and makes blocks.
//!
//! The rules themselves are in `isthmus-rules`, the proof of work in `isthmus-ethash`; nothing here
//! decides what a valid header is. What this crate adds is everything that needs a client, a clock
//! or a network:
//!
//! - [`Chain`]: the chain's parameters, a parent's facts, and the check of one header or one block;
//! - [`PowVerifier`] and [`PowAnnounceValidator`]: the doors that blocks and announcements come in by;
//! - [`PowBlockImport`] and [`HeaviestChain`]: fork choice by total difficulty;
//! - [`Author`], [`Sealer`] and [`CpuMiner`]: templates, seals, and the built-in miner, with its
//!   [`HashRate`] and [`MiningMetrics`].

#![forbid(unsafe_code)]

mod announce;
mod author;
mod chain;
mod error;
mod failed;
mod hash_rate;
mod import;
mod metrics;
mod miner;
mod sealer;
mod seldom;
mod select_chain;
#[cfg(test)]
mod tests;
mod throttle;
mod verifier;

pub use announce::PowAnnounceValidator;
pub use author::{Author, AuthorConfig, BlockTree, Pace, Pool};
pub use chain::{Chain, ChainClient};
pub use error::{BlockError, CheckError, SubmitError};
pub use hash_rate::{report as report_hash_rate, HashRate, MAX_MINERS, SUBMITTED_FOR};
pub use import::PowBlockImport;
pub use metrics::MiningMetrics;
pub use miner::CpuMiner;
pub use sealer::{Job, Mined, Sealer};
pub use select_chain::HeaviestChain;
pub use verifier::PowVerifier;

/// The target of this crate's log lines.
const LOG_TARGET: &str = "pow";
