// SPDX-License-Identifier: Apache-2.0
//! The node of an Isthmus chain, as a library: a proof-of-work chain for sharing encrypted data.
//!
//! The program `isthmus-node` only calls [`run`]. The rest of the public interface serves tools and tests
//! that need the parts of a node in their own process: [`configuration`] parses a command line, and
//! [`service::Parts::new`] opens that chain with the same checks as the program.
//!
//! The consensus rules and the consensus engine are in `isthmus-rules` and `isthmus-engine`, and the
//! runtime is in `isthmus-runtime`.

#![forbid(unsafe_code)]
// Substrate's errors are large. That does not matter here, because a process returns at most one.
#![allow(clippy::result_large_err)]

mod blocks;
pub mod chain_spec;
pub mod changes;
pub mod check_state;
pub mod client;
mod command;
mod database;
mod equivocations;
mod explain;
mod export;
mod files;
mod history;
mod import;
mod output;
mod ports;
mod progress;
mod runner;
pub mod service;

// Public only for `tests/`.
#[doc(hidden)]
pub mod arguments;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod genesis;
#[doc(hidden)]
pub mod keys;
#[doc(hidden)]
pub mod logging;
#[doc(hidden)]
pub mod miners;
#[doc(hidden)]
pub mod pool;
#[doc(hidden)]
pub mod producer;
#[doc(hidden)]
pub mod proposer;
#[doc(hidden)]
pub mod reminder;
#[doc(hidden)]
pub mod rpc;
mod stratum;
#[doc(hidden)]
pub mod verifiers;

pub use command::{configuration, run};
pub use explain::explain;
pub use polkadot_sdk::sc_cli::Error;
