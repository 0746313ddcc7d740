// SPDX-License-Identifier: Apache-2.0

//! `flood`: sends a node many bad messages of each kind, and prints one report per kind.

use super::print;
use clap::{Args, ValueEnum};
use isthmus_adversary::{
	flood::{flood, Kind, Limits},
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

	/// The node's log file. If given, count the node's refusals in it.
	#[arg(long)]
	log: Option<PathBuf>,

	/// What to send. May be given more than once. By default, all kinds are sent, one after the other.
	#[arg(long)]
	kind: Vec<Kind>,

	/// The number of messages of each kind.
	#[arg(long, default_value = "10000")]
	messages: u64,

	/// The maximum duration for each kind, in seconds.
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
	let limits = Limits {
		messages: options.messages,
		time: Duration::from_secs(options.seconds),
	};
	let mut held = true;
	for kind in kinds {
		let log = options.log.as_deref();
		let report = flood(&victim, options.pid, log, *kind, limits).await?;
		held &= report.held;
		print(&report);
	}
	Ok(held)
}
