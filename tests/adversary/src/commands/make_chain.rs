// SPDX-License-Identifier: Apache-2.0

//! `make-chain`: makes a chain with forks and uncles in a node's database.

use super::print;
use clap::Args;
use isthmus_adversary::{
	chain::{make, ChainOptions},
	maker::Maker,
	AttackError,
};
use std::path::PathBuf;

/// How many blocks to make between two progress reports.
const PROGRESS_EVERY: u32 = 500;

#[derive(Args)]
pub(crate) struct Options {
	/// The chain: `dev`, `local` or a chain specification file.
	#[arg(long)]
	chain: String,

	/// The node's base path, for the database.
	#[arg(long)]
	base_path: PathBuf,

	/// How many blocks to add to the best chain of the database.
	#[arg(long)]
	blocks: u32,

	/// Start a fork of 1 to 3 blocks, later named as uncles, each time the best chain has grown by this number of
	/// blocks; 0 for no forks.
	#[arg(long, default_value = "10")]
	fork_every: u32,

	/// The number of seconds between the timestamps of two consecutive blocks.
	#[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
	interval: u64,

	/// The seed that determines the length of each fork.
	#[arg(long, default_value = "1")]
	seed: u64,

	/// The number of bytes of transactions in each block of the best chain. Alice of the development accounts signs
	/// and pays for them.
	#[arg(long, default_value = "0")]
	body_bytes: usize,

	/// Finalize the best chain each time it has grown by this number of blocks; 0 for never. Alice of the development
	/// accounts must be the chain's only verifier.
	#[arg(long, default_value = "0")]
	finalize_every: u32,

	/// Change the vote key of the only verifier, Alice, each time the best chain has grown by this number of blocks; 0 for
	/// never. A new set of voters begins two sessions later. The database must have no blocks yet.
	#[arg(long, default_value = "0")]
	change_every: u32,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let maker = Maker::open(&options.chain, &options.base_path)?;
	let chain = ChainOptions {
		blocks: options.blocks,
		fork_every: options.fork_every,
		interval: options.interval,
		seed: options.seed,
		body_bytes: options.body_bytes,
		finalize_every: options.finalize_every,
		change_every: options.change_every,
	};
	let summary = make(&maker, chain, |number| {
		if number % PROGRESS_EVERY == 0 {
			eprintln!("{number} of {} blocks", options.blocks);
		}
	})
	.await?;
	print(&summary);
	Ok(true)
}
