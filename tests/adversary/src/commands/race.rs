// SPDX-License-Identifier: Apache-2.0

//! `race`: mines private forks that would revert a block that a merchant trusts.

use super::{print, Nodes};
use clap::Args;
use isthmus_adversary::{
	race::{race, RaceOptions},
	AttackError,
};
use isthmus_security::Share;

/// How many attacks to carry out between two progress reports.
const PROGRESS_EVERY: u64 = 20;

#[derive(Args)]
pub(crate) struct Options {
	#[command(flatten)]
	nodes: Nodes,

	/// The attacker's share of the hash power, above 0 and below 0.5.
	#[arg(long)]
	q: f64,

	/// The number of blocks that the merchant waits for.
	#[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
	z: u32,

	/// The number of attacks.
	#[arg(long, default_value = "200")]
	trials: u64,

	/// The seed that determines who finds each block.
	#[arg(long, default_value = "1")]
	seed: u64,

	/// Set this if the nodes finalize blocks. The merchant then waits for that too.
	#[arg(long = "final")]
	finality: bool,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let network = options.nodes.join().await?;
	let race_options = RaceOptions {
		share: Share::new(options.q)?,
		z: options.z,
		trials: options.trials,
		seed: options.seed,
		finality: options.finality,
	};
	let report = race(&network, race_options, |trial| {
		if trial % PROGRESS_EVERY == 0 {
			eprintln!("{trial} of {} attacks", options.trials);
		}
	})
	.await?;
	print(&report);
	Ok(report.held)
}
