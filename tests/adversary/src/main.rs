// SPDX-License-Identifier: Apache-2.0

//! `isthmus-adversary`: the program that attacks real nodes, with one subcommand per attack. It prints the
//! outcomes to stdout, one JSON object per line; the field `held` is true if the node did what it must. The
//! exit code is 1 if a node did not, and 2 if the attack could not be carried out.

// The framework's errors are large, and we cannot shrink them.
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
	/// Replace late blocks by brothers with earlier timestamps.
	BackDate(commands::Drawn),

	/// Flood a node with bad messages of each kind, and measure what that costs it.
	Flood(commands::flood::Options),

	/// Lie to a node about the chain until this program is ended.
	Harass(commands::harass::Options),

	/// Make a chain with forks and uncles, for a node to serve.
	MakeChain(commands::make_chain::Options),

	/// Mine private forks, and publish each that becomes heavier than the public chain.
	Race(commands::race::Options),

	/// Offer a node blocks that break one rule each.
	Refuse(commands::refuse::Options),

	/// Withhold blocks to waste the honest miners' work.
	Selfish(commands::Drawn),

	/// Offer a node large honest blocks while other peers lie to it, and measure how long it takes.
	Siege(commands::siege::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
	let held: Result<bool, AttackError> = match Cli::parse().command {
		Command::BackDate(options) => commands::back_date::run(options).await,
		Command::Flood(options) => commands::flood::run(options).await,
		Command::Harass(options) => commands::harass::run(options).await,
		Command::MakeChain(options) => commands::make_chain::run(options).await,
		Command::Race(options) => commands::race::run(options).await,
		Command::Refuse(options) => commands::refuse::run(options).await,
		Command::Selfish(options) => commands::selfish::run(options).await,
		Command::Siege(options) => commands::siege::run(options).await,
	};
	match held {
		Ok(true) => ExitCode::SUCCESS,
		Ok(false) => ExitCode::from(1),
		Err(error) => {
			eprintln!("isthmus-adversary: {error}");
			ExitCode::from(2)
		}
	}
}
