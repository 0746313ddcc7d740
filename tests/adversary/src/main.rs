//! `isthmus-adversary`: one subcommand an attack. What came of it goes to stdout, a JSON object a line;
//! the exit code is 1 where a node did not do what it must, and 2 where the attack could not be carried
//! out.

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
	/// Offer a node blocks that break one rule each.
	Refuse(commands::refuse::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
	let done: Result<bool, AttackError> = match Cli::parse().command {
		Command::Refuse(options) => commands::refuse::run(options).await,
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
