//! `isthmus`: what a person or a script does with an Isthmus chain.
//!
//! A subcommand is a file with `Opts` and `run`, thin over [`isthmus_sdk`]. Data goes to stdout and
//! all else to stderr; `-` is stdin or stdout; with `--json` answers are JSON, one object a line.

#![forbid(unsafe_code)]

mod authorize;
mod balance;
mod context;
mod dataset;
mod error;
mod fetch;
mod key;
mod keyfile;
mod list;
mod plot;
mod register;
mod reject;
mod remove;
mod request;
mod requests;
mod revoke;
mod risk;
mod serve;
mod status;
mod store;
mod trace;
mod transfer;

use clap::{Parser, Subcommand};
use error::Error;
use std::process::ExitCode;

/// Store data on an Isthmus chain, encrypted, and share it range by range.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = error::EXIT_CODES)]
struct Isthmus {
	#[command(flatten)]
	options: context::Options,

	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Make, show and publish keys.
	Key(key::Opts),
	/// Join as a producer, or leave.
	Register(register::Opts),
	/// Open, list and remove datasets; set their policies; begin epochs.
	Dataset(dataset::Opts),
	/// Encrypt and store a file, a folder, or stdin.
	Store(store::Opts),
	/// Remove a record, or give up one that was not finished.
	Remove(remove::Opts),
	/// Ask a producer for access to a range of its data.
	Request(request::Opts),
	/// List the open requests.
	Requests(requests::Opts),
	/// Open a range to a reader.
	Authorize(authorize::Opts),
	/// Refuse a request.
	Reject(reject::Opts),
	/// End a grant, and keep the other readers.
	Revoke(revoke::Opts),
	/// Grant by itself what the datasets' policies allow.
	Serve(serve::Opts),
	/// Read a record, or a folder.
	Fetch(fetch::Opts),
	/// List datasets, records and grants.
	List(list::Opts),
	/// Tell the history of a record, a dataset or a reader.
	Trace(trace::Opts),
	/// Show what an account has.
	Balance(balance::Opts),
	/// Send funds to an account.
	Transfer(transfer::Opts),
	/// Show the node and its chain, and who verified a block.
	Status(status::Opts),
	/// The odds that a forged chain overtakes the true one, and the depth a risk calls for.
	Risk(risk::Opts),
}

fn main() -> ExitCode {
	let Isthmus { options, command } = Isthmus::parse();
	let json = options.json;
	let done = match command {
		Command::Risk(opts) => risk::run(opts, options),
		command => on_the_chain(options, command),
	};
	match done {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => error.report(json),
	}
}

#[tokio::main(worker_threads = 2)]
async fn on_the_chain(options: context::Options, command: Command) -> Result<(), Error> {
	// Not all that `key` does needs a chain: it connects by itself.
	if let Command::Key(opts) = command {
		return key::run(opts, options).await;
	}
	let context = options.connect().await?;
	match command {
		Command::Key(_) | Command::Risk(_) => Ok(()),
		Command::Register(opts) => register::run(opts, context).await,
		Command::Dataset(opts) => dataset::run(opts, context).await,
		Command::Store(opts) => store::run(opts, context).await,
		Command::Remove(opts) => remove::run(opts, context).await,
		Command::Request(opts) => request::run(opts, context).await,
		Command::Requests(opts) => requests::run(opts, context).await,
		Command::Authorize(opts) => authorize::run(opts, context).await,
		Command::Reject(opts) => reject::run(opts, context).await,
		Command::Revoke(opts) => revoke::run(opts, context).await,
		Command::Serve(opts) => serve::run(opts, context).await,
		Command::Fetch(opts) => fetch::run(opts, context).await,
		Command::List(opts) => list::run(opts, context).await,
		Command::Trace(opts) => trace::run(opts, context).await,
		Command::Balance(opts) => balance::run(opts, context).await,
		Command::Transfer(opts) => transfer::run(opts, context).await,
		Command::Status(opts) => status::run(opts, context).await,
	}
}
