//! `isthmus-adversary`: one subcommand an attack. What came of it goes to stdout, a JSON object a line,
//! which says whether the node did what it must (`held`). The exit code is 1 where it did not, and 2
//! where the attack could not be carried out.

// The framework's errors are large, and not ours to shrink.
#![allow(clippy::result_large_err)]

use clap::{Parser, Subcommand};
use isthmus_adversary::AttackError;
use std::process::ExitCode;

mod commands;

/// Attacks on the nodes of an Isthmus chain, for tests.
#[derive(Parser)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Send a node as much of one bad thing as it takes, and measure what that costs it.
	Flood(commands::flood::Options),

	/// Make a chain with forks and uncles, for a node to serve.
	MakeChain(commands::make_chain::Options),

	/// Mine a private fork and publish it when it is heavier, time and again.
	Race(commands::race::Options),

	/// Offer a node blocks that break one rule each.
	Refuse(commands::refuse::Options),

	/// Withhold blocks to waste the honest miners' work.
	Selfish(commands::selfish::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
	let done: Result<bool, AttackError> = match Cli::parse().command {
		Command::Flood(options) => commands::flood::run(options).await,
		Command::MakeChain(options) => commands::make_chain::run(options).await,
		Command::Race(options) => commands::race::run(options).await,
		Command::Refuse(options) => commands::refuse::run(options).await,
		Command::Selfish(options) => commands::selfish::run(options).await,
	};
	match done {
		Ok(true) => ExitCode::SUCCESS,
		Ok(false) => ExitCode::from(1),
		Err(error) => {
			eprintln!("isthmus-adversary: {error}");
			ExitCode::from(2)
		}
	}
}
