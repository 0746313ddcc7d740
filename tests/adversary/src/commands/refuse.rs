//! `refuse`: every broken rule, one by one.

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

/// How long the node may take for its next block when all is over.
const NEXT_BLOCK: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Options {
	/// The node's RPC, ws://…
	#[arg(long, required_unless_present = "list", default_value = "")]
	rpc: String,

	/// The file that the node's log goes to.
	#[arg(long, required_unless_present = "list", default_value = "")]
	log: PathBuf,

	/// Only the case of this name. May be given more than once.
	#[arg(long)]
	case: Vec<String>,

	/// The node mines: wait for a block of its own at the end.
	#[arg(long)]
	mines: bool,

	/// The chain that the node runs: `dev`, or the file of a specification. With it, and `--base-path`,
	/// the cases are carried out too in which sync fetches blocks while an honest one comes.
	#[arg(long, requires = "base_path")]
	chain: Option<String>,

	/// A folder for a database of the chain.
	#[arg(long, requires = "chain")]
	base_path: Option<PathBuf>,

	/// Print the cases' names, and attack nobody.
	#[arg(long)]
	list: bool,
}

/// Carries out the cases, and says whether the node did what it must in all of them.
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

/// The names of all cases.
fn names() -> impl Iterator<Item = &'static str> {
	let synced = sync::CASES.iter().map(|case| case.name);
	cases().map(|case| case.name).chain(synced)
}
