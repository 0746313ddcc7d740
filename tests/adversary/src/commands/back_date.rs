// SPDX-License-Identifier: Apache-2.0

//! `back-date`: replaces late blocks by brothers with earlier timestamps, on a network of nodes.

use super::{print, Nodes};
use clap::Args;
use isthmus_adversary::{back_dating::back_dating, AttackError};
use isthmus_security::Share;

#[derive(Args)]
pub(crate) struct Options {
	#[command(flatten)]
	nodes: Nodes,

	/// The adversary's share of the hash power, above 0 and below 0.5.
	#[arg(long)]
	q: f64,

	/// The number of blocks to mine, including wasted ones.
	#[arg(long, default_value = "300")]
	blocks: u32,

	/// The seed that determines who finds each block.
	#[arg(long, default_value = "1")]
	seed: u64,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let network = options.nodes.join().await?;
	let share = Share::new(options.q)?;
	let report = back_dating(&network, share, options.blocks, options.seed).await?;
	print(&report);
	Ok(report.held)
}
