//! The node of an Isthmus chain.
//!
//! `isthmus-node`, the program, is [`run`] and nothing else. What else is public is for tools and tests
//! that need a node's inside in their own process: [`configuration`] reads a command line, and
//! [`service::Parts::new`] opens that chain with the very checks that the program does.
//!
//! Not here: the rules and the engine (`isthmus-engine` and what it stands on), and the runtime.

#![forbid(unsafe_code)]
// The errors are the SDK's own, and made once in a process.
#![allow(clippy::result_large_err)]

pub mod chain_spec;
mod cli;
pub mod client;
mod command;
mod miners;
mod producer;
mod rpc;
pub mod service;
mod verifiers;

pub use command::{configuration, run};
pub use polkadot_sdk::sc_cli::Result;
