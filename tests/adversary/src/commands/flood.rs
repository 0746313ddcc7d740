//! `flood`: one report a kind.

use super::print;
use clap::{Args, ValueEnum};
use isthmus_adversary::{
	flood::{flood, Extent, Kind},
	victim::Victim,
	AttackError,
};
use std::{path::PathBuf, time::Duration};

#[derive(Args)]
pub(crate) struct Options {
	/// The node's RPC, ws://…
	#[arg(long)]
	rpc: String,

	/// The node's process.
	#[arg(long)]
	pid: u32,

	/// The file that the node's log goes to, to count its refusals in.
	#[arg(long)]
	log: Option<PathBuf>,

	/// What to send; all kinds, one after the other, if not given. May be given more than once.
	#[arg(long)]
	kind: Vec<Kind>,

	/// Messages of a kind.
	#[arg(long, default_value = "10000")]
	messages: u64,

	/// The most seconds of a kind.
	#[arg(long, default_value = "60")]
	seconds: u64,
}

pub(crate) async fn run(options: Options) -> Result<bool, AttackError> {
	let victim = Victim::attach(&options.rpc).await?;
	let kinds = if options.kind.is_empty() {
		Kind::value_variants()
	} else {
		&options.kind
	};
	let extent = Extent {
		messages: options.messages,
		limit: Duration::from_secs(options.seconds),
	};
	let mut held = true;
	for kind in kinds {
		let log = options.log.as_deref();
		let report = flood(&victim, options.pid, log, *kind, extent).await?;
		held &= report.held;
		print(&report);
	}
	Ok(held)
}
