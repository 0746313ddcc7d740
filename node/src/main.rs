//! `isthmus-node`: the program that keeps an Isthmus chain.

#![forbid(unsafe_code)]
// The errors are the SDK's own, and made once in a process.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

use polkadot_sdk::*;

fn main() -> sc_cli::Result<()> {
	command::run()
}
