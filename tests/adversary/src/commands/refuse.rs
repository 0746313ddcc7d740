// SPDX-License-Identifier: Apache-2.0

//! `refuse`: offers a node blocks that break one rule each, and checks that the node refuses them.

use super::print;
use clap::Args;
use isthmus_adversary::{
	forge::Miner,
	maker::Maker,
	refuse::{carry_out, cases, sync, Stage},
	victim::Victim,
	AttackError,
};
use std::{path::PathBuf, time::Duration};

/// How long the node may take to mine its next block at the end.
const NEXT_BLOCK: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Options {
	/// The node's RPC, ws://…
	#[arg(long, required_unless_present = "list", default_value = "")]
	rpc: String,

	/// The node's log file.
	#[arg(long, required_unless_present = "list", default_value = "")]
	log: PathBuf,

	/// Carry out only the case with this name. May be given more than once.
	#[arg(long)]
	case: Vec<String>,

	/// Set this if the node mines. At the end, wait for its next block.
	#[arg(long)]
	mines: bool,

	/// The chain that the node runs: `dev` or a chain specification file. With this option and `--base-path`, also carry
	/// out the cases in which the node's sync fetches blocks from the future.
	#[arg(long, requires = "base_path")]
	chain: Option<String>,

	/// A folder for the adversary's own database of the chain.
	#[arg(long, requires = "chain")]
	base_path: Option<PathBuf>,

	/// Print the names of the cases and exit.
	#[arg(long)]
	list: bool,
}

/// Carries out the cases. Returns whether the node did what it must in all of them.
pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	if options.list {
		names().for_each(|name| println!("{name}"));
		return Ok(true);
	}
	if let Some(name) = options
		.case
		.iter()
		.find(|name| !names().any(|known| known == **name))
	{
		return Err(AttackError::UnknownCase(name.clone()));
	}
	let victim = Victim::attach(&options.rpc).await?;
	let miner = Miner::new(victim.params())?;
	let mut held = true;
	for case in cases() {
		if !options.case.is_empty() && !options.case.iter().any(|name| name == case.name) {
			continue;
		}
		let stage = Stage::read(&victim, &miner).await?;
		if let Some(outcome) = carry_out(&victim, &options.log, &stage, case).await? {
			held &= outcome.held;
			print(&outcome);
		}
	}
	if let (Some(chain), Some(base_path)) = (&options.chain, &options.base_path) {
		let maker = Maker::open(chain, base_path)?;
		for case in sync::CASES {
			if !options.case.is_empty() && !options.case.iter().any(|name| name == case.name) {
				continue;
			}
			let stage = Stage::read(&victim, &miner).await?;
			let outcome = sync::carry_out(&victim, &options.log, &stage, case, &maker).await?;
			held &= outcome.held;
			print(&outcome);
		}
	}
	if options.mines {
		let best = victim.best().await?;
		victim.best_above(best.number, NEXT_BLOCK).await?;
	}
	Ok(held)
}

/// Returns the names of all cases.
fn names() -> impl Iterator<Item = &'static str> {
	let synced = sync::CASES.iter().map(|case| case.name);
	cases().map(|case| case.name).chain(synced)
}
