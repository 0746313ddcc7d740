//! `make-chain`: a database with a chain in it.

use super::print;
use clap::Args;
use isthmus_adversary::{
	chain::{make, Order},
	maker::Maker,
	AttackError,
};
use std::path::PathBuf;

/// Progress is told every so many blocks.
const PROGRESS_EVERY: u32 = 500;

#[derive(Args)]
pub(crate) struct Options {
	/// The chain: `dev`, `local`, or the file of a specification.
	#[arg(long)]
	chain: String,

	/// Where the database goes, as a node's.
	#[arg(long)]
	base_path: PathBuf,

	/// Blocks of the best chain, on top of what the database holds.
	#[arg(long)]
	blocks: u32,

	/// A fork of 1 to 3 blocks leaves the best chain every so many blocks, and is named as uncles; 0 for
	/// no forks.
	#[arg(long, default_value = "10")]
	fork_every: u32,

	/// Seconds between blocks, by their timestamps.
	#[arg(long, default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
	interval: u64,

	/// Decides how long each fork is.
	#[arg(long, default_value = "1")]
	seed: u64,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let maker = Maker::open(&options.chain, &options.base_path)?;
	let order = Order {
		blocks: options.blocks,
		fork_every: options.fork_every,
		interval: options.interval,
		seed: options.seed,
	};
	let summary = make(&maker, order, |number| {
		if number % PROGRESS_EVERY == 0 {
			eprintln!("{number} of {} blocks", options.blocks);
		}
	})
	.await?;
	print(&summary);
	Ok(true)
}
