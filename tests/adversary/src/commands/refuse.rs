//! `refuse`: every broken rule, one by one.

use super::print;
use clap::Args;
use isthmus_adversary::{
	forge::Miner,
	refuse::{carry_out, cases, Stage},
	report::{figures, Report},
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

	/// Print the cases' names, and attack nobody.
	#[arg(long)]
	list: bool,
}

pub(crate) async fn run(options: Options) -> Result<(), AttackError> {
	if options.list {
		cases().for_each(|case| println!("{}", case.name));
		return Ok(());
	}
	if let Some(name) = options
		.case
		.iter()
		.find(|name| !cases().any(|case| case.name == **name))
	{
		return Err(AttackError::UnknownCase(name.clone()));
	}
	let victim = Victim::attach(&options.rpc).await?;
	let miner = Miner::new(victim.params())?;
	let (mut carried_out, mut held, mut disconnected) = (0u64, 0u64, 0u64);
	let mut not_held = Vec::new();
	for case in cases() {
		if !options.case.is_empty() && !options.case.iter().any(|name| name == case.name) {
			continue;
		}
		let stage = Stage::read(&victim, &miner).await?;
		if let Some(outcome) = carry_out(&victim, &options.log, &stage, case).await? {
			carried_out += 1;
			held += u64::from(outcome.held);
			disconnected += u64::from(outcome.disconnected);
			if !outcome.held {
				not_held.push(case.name);
			}
			print(&outcome);
		}
	}
	if options.mines {
		let best = victim.best().await?;
		victim.best_above(best.number, NEXT_BLOCK).await?;
	}
	print(&Report {
		attack: "forged-block",
		title: "Blocks that break one rule each",
		promise: "a forged block does not pass the verification by the other nodes (section IV.A)",
		observed: match not_held[..] {
			[] => format!("all {carried_out} were refused, each for its own rule"),
			_ => format!("not as they must be: {}", not_held.join(", ")),
		},
		figures: figures([
			("cases", carried_out.into()),
			("refused_as_they_must_be", held.into()),
			("senders_disconnected", disconnected.into()),
		]),
		held: not_held.is_empty(),
	});
	Ok(())
}
