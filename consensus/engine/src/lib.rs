// SPDX-License-Identifier: Apache-2.0
//! Adapts Ethash and the header rules to Substrate: verifies, imports, chooses and makes blocks.
//!
//! The rules themselves are in `isthmus-rules` and the proof of work in `isthmus-ethash`. Nothing in this
//! crate decides what a valid header is. It adds what needs a client, a clock or a network:
//!
//! - [`Chain`]: the chain's parameters, a parent's facts, and the check of one header or one block;
//! - [`PowVerifier`] and [`PowAnnounceValidator`]: the check of blocks and of announcements from peers;
//! - [`PowBlockImport`] and [`HeaviestChain`]: the fork choice, which [`Standing`] defines;
//! - [`Author`], [`Sealer`] and [`CpuMiner`]: templates, seals and the built-in miner, with its
//!   [`HashRate`] and [`MiningMetrics`];
//! - [`VoteGuard`]: keeps a verifier's node from voting twice in a round;
//! - [`Executed`]: what the verifiers say that they have executed.
//!
//! # A block's journey
//!
//! ```text
//!      announced header               requested block             template and seal
//!             │                              │                            │
//!   ┌─────────▼──────────┐                   │                            │
//!   │ announce.rs        │           ┌───────▼────────┐           ┌───────▼────────┐
//!   │ digest, known?,    │           │ verifier.rs    │           │ sealer.rs      │
//!   │ static rules,      │           │ finality,      │           │ submit:        │
//!   │ quick half of seal,│  sync     │ digest, static │           │ static rules,  │
//!   │ finality, then     │ requests  │ rules, parent, │           │ parent, seal,  │
//!   │  parent known:     │ the body  │ seal, clock,   │           │ clock          │
//!   │   parent, clock,   ├──────────►│ H_t, uncles    │           │                │
//!   │   epoch near, seal │           └───────┬────────┘           └───────┬────────┘
//!   │  parent unknown:   │                   │                            │
//!   │   clock, not too   │                   │                            │
//!   │   easy             │                   │                            │
//!   └────────────────────┘                   │                            │
//!                                            │ checked, or marked         │
//!                                            │ "unchecked"                │
//!                                    ┌───────▼────────────────────────────▼───────┐
//!                                    │ import.rs, import_block:                   │
//!                                    │ unchecked? parent's state? execution, then │
//!                                    │ one at a time: total difficulty, fork      │
//!                                    │ choice                                     │
//!                                    └───────┬────────────────────────────────────┘
//!                                            │
//!                                    ┌───────▼────────┐
//!                                    │ the client     │  best, if it is the heaviest block above
//!                                    │ stores it      │  the finalized one; restore_best (import.rs)
//!                                    │                │  decides again when finality moves
//!                                    └────────────────┘
//! ```
//!
//! # Penalties
//!
//! A peer is penalised only if its block shows that the peer is at fault. "Penalised" means a lower
//! reputation and usually a lost connection.
//!
//! | finding | decided in | the peer is | the block is |
//! |---|---|---|---|
//! | an announced header violates a rule | `announce.rs` | penalised | ignored |
//! | an announcement has extra data | `announce.rs` | penalised | ignored |
//! | bytes are not an announcement | `consensus/sync`, `announcements.rs` | penalised | |
//! | an announced header is from the future, too easy, behind finality, or could not be checked | `announce.rs` | not penalised | ignored |
//! | a header or a body that sync asked for violates a rule | `peer_check.rs` | penalised | rejected |
//! | a block, or an uncle of it, violates a rule | `verifier.rs` | penalised | rejected |
//! | a block is long behind finality (8 blocks or more) | `verifier.rs` | penalised | rejected |
//! | a block is just behind finality | `verifier.rs` | not penalised | rejected by import |
//! | a block is from the future | `verifier.rs` marks it, `import.rs` returns the error | not penalised | retried later |
//! | a block could not be checked | `verifier.rs` marks it, `import.rs` returns the error | not penalised | retried later |
//! | the parent's state is pruned | `import.rs` | not penalised | skipped |
//! | the parent was removed to make room (`room.rs`) | `import.rs` | not penalised | skipped, and its chain proved again |
//! | the first block of this node's history comes with a state that is not the header's | `import.rs` | not penalised: sync has checked the state's proofs | rejected |
//! | a block restarts finality after a block below this node's history | `import.rs` | not penalised | not imported |
//! | execution or import fails for the first time | sync | not penalised | retried after a second |
//! | it fails again | sync | disconnected, if it has sent no good block yet and no chain was built on the block | retried after a minute, then less and less often |
//!
//! This crate's warnings that a peer can trigger are rate-limited (`rate_limit.rs`).

#![forbid(unsafe_code)]

mod announce;
mod author;
mod chain;
mod check;
mod choices;
mod clock;
mod datasets;
mod error;
mod executed;
mod execution;
mod fork_choice;
mod hash_rate;
mod hash_rate_report;
mod history;
mod import;
mod metrics;
mod miner;
mod parameters;
mod peer_check;
mod rate_limit;
mod refusals;
mod room;
mod seal_memo;
mod sealer;
mod select_chain;
#[cfg(test)]
mod tests;
mod throttle;
mod unchecked;
mod verifier;
mod vote_guard;

pub use announce::PowAnnounceValidator;
pub use author::{Author, AuthorConfig, AuthorParts, BlockTree, Pace, Pool};
pub use chain::{Chain, ChainClient};
pub use choices::MinerChoices;
pub use error::{BlockError, CheckError, SubmitError};
pub use executed::{Executed, Heard, Statement, Window};
pub use execution::Execute;
pub use fork_choice::{Arrival, Standing};
pub use hash_rate::{HashRate, MAX_MINERS, SUBMITTED_FOR};
pub use hash_rate_report::report as report_hash_rate;
pub use history::{HistoryStart, HEADERS_BELOW};
pub use import::PowBlockImport;
pub use metrics::MiningMetrics;
pub use miner::{CpuMiner, MAX_THREADS};
pub use peer_check::{PeerCheck, ProvedChain, ProvedHeader};
pub use rate_limit::RateLimitedLog;
pub use refusals::{Refusals, Refused};
pub use room::VOTER_STATE;
pub use seal_memo::SEALS_KEPT;
pub use sealer::{Job, Mined, Sealer};
pub use select_chain::HeaviestChain;
pub use verifier::PowVerifier;
pub use vote_guard::{Place, VoteGuard, VoteGuardError};

/// The target of this crate's log lines.
const LOG_TARGET: &str = "pow";
