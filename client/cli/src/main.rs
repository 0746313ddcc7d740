//! `isthmus`: what a person or a script does with an Isthmus chain.
//!
//! A subcommand is a file with `Opts` and `run`, thin over [`isthmus_sdk`]. Data goes to stdout and
//! all else to stderr; `-` is stdin or stdout; with `--json` answers are JSON, one object a line.

#![forbid(unsafe_code)]

mod error;
mod plot;
mod risk;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Store data on an Isthmus chain, encrypted, and share it range by range.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = error::EXIT_CODES)]
struct Isthmus {
	/// Answer in JSON, one object a line.
	#[arg(long, global = true)]
	json: bool,

	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// The odds that a forged chain overtakes the true one, and the depth a risk calls for.
	Risk(risk::Opts),
}

fn main() -> ExitCode {
	let Isthmus { json, command } = Isthmus::parse();
	let done = match command {
		Command::Risk(opts) => risk::run(opts, json),
	};
	match done {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => error.report(json),
	}
}
