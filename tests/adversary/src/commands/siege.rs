// SPDX-License-Identifier: Apache-2.0

//! `siege`: offers a node large honest blocks while other peers lie to it, and prints one report per lie.

use super::print;
use clap::{Args, ValueEnum};
use isthmus_adversary::{
	maker::Maker,
	siege::{Extent, Lie, Siege},
	victim::Victim,
	AttackError,
};
use std::{path::PathBuf, time::Duration};

#[derive(Args)]
pub(crate) struct Options {
	/// The node's RPC, ws://…
	#[arg(long)]
	rpc: String,

	/// The id of the node's process.
	#[arg(long)]
	pid: u32,

	/// The node's log file.
	#[arg(long)]
	log: PathBuf,

	/// The chain that the node runs: `dev` or a chain specification file. The node must not mine.
	#[arg(long)]
	chain: String,

	/// A folder for the adversary's own database of the chain.
	#[arg(long)]
	base_path: PathBuf,

	/// The port of this machine through which the honest peer reaches the node, for example a slow link's. By
	/// default, it is the node's own.
	#[arg(long)]
	honest_port: Option<u16>,

	/// What the liars do. May be given more than once. By default, all kinds, one after the other.
	#[arg(long)]
	lie: Vec<Lie>,

	/// The number of honest blocks under each lie.
	#[arg(long, default_value = "6")]
	blocks: usize,

	/// The number of bytes of transactions in each honest block. By default, 6 MiB less what these transactions' signatures
	/// take: a block has room for no more.
	#[arg(long, default_value = "6290000")]
	body_bytes: usize,

	/// How long the node may take to import the honest blocks under each lie, in seconds.
	#[arg(long, default_value = "60")]
	seconds: u64,

	/// How many times as long as undisturbed the node may take under each lie. It is measured undisturbed before each of
	/// them. By default, once, and the time is not judged.
	#[arg(long)]
	slower: Option<f64>,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let victim = Victim::attach(&options.rpc).await?;
	let maker = Maker::open(&options.chain, &options.base_path)?;
	let extent = Extent {
		blocks: options.blocks,
		body_bytes: options.body_bytes,
		patience: Duration::from_secs(options.seconds),
		slower: options.slower,
	};
	let process = (options.pid, options.log);
	let mut siege = Siege::begin(victim, maker, options.honest_port, process, extent).await?;
	let mut undisturbed = siege.undisturbed().await?;
	let lies = if options.lie.is_empty() {
		Lie::value_variants()
	} else {
		&options.lie
	};
	let mut held = true;
	for (index, lie) in lies.iter().enumerate() {
		if index > 0 && options.slower.is_some() {
			undisturbed = siege.undisturbed().await?;
		}
		let report = siege.under(*lie, undisturbed).await?;
		held &= report.held;
		print(&report);
	}
	Ok(held)
}
