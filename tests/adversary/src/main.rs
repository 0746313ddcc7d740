//! `isthmus-adversary`: one subcommand an attack. What came of it goes to stdout, a JSON object a line,
//! which says whether the node did what it must (`held`). The exit code is 1 where the attack could not
//! be carried out.

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

	/// Offer a node blocks that break one rule each.
	Refuse(commands::refuse::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
	let done: Result<(), AttackError> = match Cli::parse().command {
		Command::Flood(options) => commands::flood::run(options).await,
		Command::MakeChain(options) => commands::make_chain::run(options).await,
		Command::Refuse(options) => commands::refuse::run(options).await,
	};
	match done {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("isthmus-adversary: {error}");
			ExitCode::FAILURE
		}
	}
}
