// SPDX-License-Identifier: Apache-2.0
//! `isthmus`: the program for people and scripts that use an Isthmus chain.
//!
//! Each subcommand is a file with `Opts` and `run`, a thin layer over [`isthmus_sdk`]. `run` returns a
//! [`Report`], which is printed here; `revoke`, `serve`, `watch`, `gateway` and `feed` print before they end. Results go
//! to stdout and everything else to stderr, and `-` is stdin or stdout.

#![forbid(unsafe_code)]
// These panic if the output is closed or full: `report::write` and `stderr::tell` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod access;
mod arguments;
mod authorize;
mod balance;
mod catalog;
mod check;
mod completions;
mod confirm;
mod context;
mod cost;
mod dataset;
mod describe;
mod dispute;
mod embargo;
mod erase;
mod error;
mod exclude;
mod facts;
mod feed;
mod fetch;
mod gateway;
mod handover;
mod input;
mod keep;
mod keepers;
mod key;
mod key_file;
mod leaf_names;
mod list;
mod man;
mod metrics;
mod operator;
mod options;
mod output;
mod packed;
mod paid;
mod passphrase;
mod plot;
mod progress;
mod receipt;
mod recount;
mod recovery;
mod register;
mod reject;
mod remove;
mod renounce;
mod report;
mod request;
mod requests;
mod retry;
mod revoke;
mod risk;
mod runtime;
mod secret;
mod serve;
#[cfg(unix)]
mod service;
#[cfg(not(unix))]
#[path = "no_service.rs"]
mod service;
mod settle;
mod status;
mod stderr;
mod stop;
mod store;
mod sync;
mod text;
mod tip;
mod trace;
mod transfer;
mod uses;
mod verify;
mod watch;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use cost::Planned;
use error::Error;
use isthmus_sdk::{AccountId, Budget};
use options::Options;
use report::{Output, Report};
use std::{
	ffi::OsString,
	io::{self, Write},
	process::ExitCode,
	time::Duration,
};
use uses::{Uses, DISPUTES, KEY, NODE, OPENS, OWNER, PROOF, SENDS, SENDS_AND_ENDS, WAITS};

/// Store encrypted data on an Isthmus chain, and share it range by range
#[derive(Parser)]
#[command(name = "isthmus", version, propagate_version = true, after_help = error::EXIT_CODES)]
struct Isthmus {
	#[command(flatten)]
	options: Options,

	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Create, show and publish keys
	Key(key::Opts),
	/// Register as a producer, or leave
	Register(register::Opts),
	/// Create, list and remove datasets, set their policies, start epochs
	Dataset(dataset::Opts),
	/// Encrypt and store a file, a folder or stdin
	Store(store::Opts),
	/// Store what has changed in a folder
	Sync(sync::Opts),
	/// Keep a record from its readers until a condition is met
	Embargo(embargo::Opts),
	/// Remove a record or a folder, or give up an unfinished one
	Remove(remove::Opts),
	/// Request access to a range of a producer's data
	Request(request::Opts),
	/// List open requests
	Requests(requests::Opts),
	/// Grant a reader access to a range
	Authorize(authorize::Opts),
	/// Reject a request
	Reject(reject::Opts),
	/// End a grant, and renew those of the other readers
	Revoke(revoke::Opts),
	/// Give up a grant, and get its deposit back
	Renounce(renounce::Opts),
	/// Get the payment back for a grant that does not open what you paid for
	Dispute(dispute::Opts),
	/// Check each grant that you pay for, and dispute it if its keys are wrong
	Watch(watch::Opts),
	/// End requests and grants that are overdue, and release what is held for them
	Settle(settle::Opts),
	/// Grant requests automatically, as the datasets' policies allow
	Serve(serve::Opts),
	/// Name accounts that answer requests for you, without your secrets
	Operator(operator::Opts),
	/// Report facts, issue credentials, and evaluate conditions on them
	Facts(facts::Opts),
	/// Ask HTTPS endpoints for values, and report them as facts
	Feed(feed::Opts),
	/// Fetch and decrypt a record or a folder
	Fetch(fetch::Opts),
	/// Let programs of S3, Delta Sharing or HTTP read what the account may read
	Gateway(gateway::Opts),
	/// Check what the locations of a dataset have of its objects
	Check(check::Opts),
	/// Keep a copy of a dataset's objects, and prove it to the chain
	Keep(keep::Opts),
	/// List datasets, records, grants or keepers
	List(list::Opts),
	/// List the datasets of all producers with their cards, search them, or export them
	Catalog(catalog::Opts),
	/// Show the history of a record, a dataset or a reader
	Trace(trace::Opts),
	/// Write a file that proves an event to anyone, without a node
	Receipt(receipt::Opts),
	/// Check a receipt, without a node
	Verify(verify::Opts),
	/// Show an account's funds
	Balance(balance::Opts),
	/// Send funds to an account
	Transfer(transfer::Opts),
	/// Show the node and its chain, or who verified a block
	Status(status::Opts),
	/// Compute the odds that a forged chain overtakes the true one
	Risk(risk::Opts),
	/// Print a completion script for a shell
	Completions(completions::Opts),
	/// Print the manual page, or write the pages of all commands
	Man(man::Opts),
}

impl Command {
	/// Returns what the command does.
	fn uses(&self) -> Uses {
		match self {
			Self::Key(opts) => opts.uses(),
			Self::Dataset(opts) => opts.uses(),
			Self::Operator(opts) => opts.uses(),
			Self::Facts(opts) => opts.uses(),
			Self::Keep(opts) => opts.uses(),
			Self::Risk(opts) => opts.uses(),
			Self::Store(_)
			| Self::Sync(_)
			| Self::Embargo(_)
			| Self::Remove(_)
			| Self::Authorize(_)
			| Self::Revoke(_) => SENDS_AND_ENDS | OWNER | OPENS,
			Self::Reject(_) => SENDS_AND_ENDS | OWNER,
			Self::Request(_) | Self::Dispute(_) => SENDS_AND_ENDS | OPENS,
			Self::Register(_) | Self::Renounce(_) | Self::Settle(_) | Self::Transfer(_) => {
				SENDS_AND_ENDS
			}
			Self::Fetch(_) => DISPUTES | OWNER | OPENS,
			Self::Watch(_) => DISPUTES | OPENS,
			Self::Serve(_) => NODE | KEY | SENDS | OWNER | OPENS,
			Self::Feed(_) => NODE | KEY | SENDS | WAITS,
			Self::List(opts) => opts.uses(),
			Self::Requests(_) => NODE | KEY | OWNER,
			Self::Gateway(_) | Self::Trace(_) => NODE | KEY | OPENS,
			Self::Receipt(opts) => opts.uses(),
			Self::Balance(opts) => opts.uses(),
			Self::Check(_) | Self::Catalog(_) | Self::Status(_) => NODE,
			Self::Verify(_) => PROOF,
			Self::Completions(_) | Self::Man(_) => 0,
		}
	}
}

/// Checks that a command has a use for the options of all commands that it is given.
fn check_options(command: &Command, options: &Options) -> Result<(), Error> {
	let checked = uses::check(command.uses(), &options.given);
	checked.map_err(|error| match command {
		Command::Serve(_) if options.budget() != Budget::default() => {
			error.hint("to keep funds back, use --reserve")
		}
		_ => error,
	})
}

/// Checks that what a command prints can be printed, before it does anything: otherwise it might pay for something and then
/// be run again.
fn check_output(command: &Command) -> Result<(), Error> {
	match command {
		Command::Man(opts) if opts.is_for_files() => Ok(()),
		_ => report::check_open(),
	}
}

/// The output to print after a command has succeeded, if any.
type Answer = Option<Box<dyn Report>>;

/// How long the threads of a command that has ended may still wait for files.
const LAST_READS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
	let line: Vec<OsString> = std::env::args_os().collect();
	let Isthmus { options, command } = match parse_from(line) {
		Ok(parsed) => parsed,
		Err(error) => return explain(&arguments::in_words::<Isthmus>(error)),
	};
	let output = options.output();
	let sent = options.sent.clone();
	let checked = options::check_variables()
		.and_then(|()| check_options(&command, &options))
		.and_then(|()| check_output(&command));
	let (answered, runtime) = match checked.and_then(|()| runtime::start()) {
		Ok(runtime) => (runtime.block_on(run(command, options)), Some(runtime)),
		Err(error) => (Err(error), None),
	};
	let answered = answered.or_else(|error| match error.cost() {
		Some(cost) => Ok(report(Planned::from(cost))),
		None => Err(error),
	});
	let printed = answered.and_then(|answer| match answer {
		Some(report) => output
			.print(&*report)
			.map_err(|error| report::unreported(error, &report.to_string(), sent.last())),
		None => Ok(()),
	});
	let code = match printed {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => output.fail(&error),
	};
	// A thread may wait for ever for a disk that does not answer: what the command did is done, and said.
	if let Some(runtime) = runtime {
		runtime.shutdown_timeout(LAST_READS);
	}
	code
}

/// Reads a command line.
fn parse_from(line: impl IntoIterator<Item = OsString> + Clone) -> Result<Isthmus, clap::Error> {
	let (matches, apart) = arguments::read(Isthmus::command(), line)?;
	let mut parsed = Isthmus::from_arg_matches(&matches)?;
	parsed.options.take_urls(arguments::levels(&apart));
	parsed.options.given = uses::given(&apart);
	parsed.options.development = development_accounts(&matches);
	Ok(parsed)
}

/// Returns the development accounts that arguments name, besides the one to act as. Their secrets are public.
fn development_accounts(matches: &ArgMatches) -> Vec<String> {
	let named = |id: &clap::Id| {
		let is_account = matches!(matches.try_get_many::<AccountId>(id.as_str()), Ok(Some(_)));
		let raw = matches.try_get_raw(id.as_str()).ok().flatten();
		let raw = raw.filter(|_| is_account).into_iter().flatten();
		raw.map(|text| text.to_string_lossy().trim().to_owned())
			.filter(|text| text.starts_with("//"))
			.collect::<Vec<_>>()
	};
	let mut accounts: Vec<_> = matches.ids().flat_map(named).collect();
	if let Some((_, matches)) = matches.subcommand() {
		accounts.extend(development_accounts(matches));
	}
	accounts
}

/// Prints the help that was asked for, or what is wrong with the arguments, and returns the program's exit code.
fn explain(error: &clap::Error) -> ExitCode {
	let output = match std::env::args_os().any(|arg| arg == "--json") {
		true => Output::Json,
		false => Output::Text,
	};
	if error.use_stderr() && output == Output::Json {
		return output.fail(&Error::from(error));
	}
	if let (false, Err(closed)) = (error.use_stderr(), report::check_open()) {
		return output.fail(&closed);
	}
	match error.print().and_then(|()| io::stdout().flush()) {
		Err(failed) if !error.use_stderr() && failed.kind() != io::ErrorKind::BrokenPipe => {
			output.fail(&report::stdout(&failed))
		}
		_ => ExitCode::from(error.exit_code() as u8),
	}
}

async fn run(command: Command, options: Options) -> Result<Answer, Error> {
	match command {
		Command::Key(opts) => key::run(opts, options).await.map(Some),
		Command::Register(opts) => register::run(opts, options).await.map(report),
		Command::Dataset(opts) => dataset::run(opts, options).await.map(Some),
		Command::Store(opts) => store::run(opts, options).await.map(report),
		Command::Sync(opts) => sync::run(opts, options).await.map(report),
		Command::Embargo(opts) => embargo::run(opts, options).await.map(report),
		Command::Remove(opts) => remove::run(opts, options).await.map(report),
		Command::Request(opts) => request::run(opts, options).await.map(Some),
		Command::Requests(opts) => requests::run(opts, options).await.map(report),
		Command::Authorize(opts) => authorize::run(opts, options).await.map(report),
		Command::Reject(opts) => reject::run(opts, options).await.map(report),
		Command::Revoke(opts) => revoke::run(opts, options).await.map(nothing),
		Command::Renounce(opts) => renounce::run(opts, options).await.map(report),
		Command::Dispute(opts) => dispute::run(opts, options).await.map(report),
		Command::Watch(opts) => watch::run(opts, options).await.map(nothing),
		Command::Settle(opts) => settle::run(opts, options).await.map(report),
		Command::Serve(opts) => serve::run(opts, options).await.map(nothing),
		Command::Operator(opts) => operator::run(opts, options).await.map(Some),
		Command::Facts(opts) => facts::run(opts, options).await.map(Some),
		Command::Feed(opts) => feed::run(opts, options).await.map(nothing),
		Command::Fetch(opts) => Ok(fetch::run(opts, options).await?.and_then(report)),
		Command::Gateway(opts) => gateway::run(opts, options).await.map(nothing),
		Command::Check(opts) => check::run(opts, options).await.map(report),
		Command::Keep(opts) => Ok(keep::run(opts, options).await?.and_then(report)),
		Command::List(opts) => list::run(opts, options).await.map(Some),
		Command::Catalog(opts) => catalog::run(opts, options).await.map(Some),
		Command::Trace(opts) => trace::run(opts, options).await.map(report),
		Command::Receipt(opts) => Ok(receipt::run(opts, options).await?.and_then(report)),
		Command::Verify(opts) => verify::run(&opts, &options).map(report),
		Command::Balance(opts) => balance::run(opts, options).await.map(report),
		Command::Transfer(opts) => transfer::run(opts, options).await.map(report),
		Command::Status(opts) => status::run(opts, options).await.map(Some),
		Command::Risk(opts) => risk::run(opts, options).await,
		Command::Completions(opts) => completions::run(opts, Isthmus::command()).map(nothing),
		Command::Man(opts) => man::run(opts, Isthmus::command()).map(nothing),
	}
}

fn report(report: impl Report + 'static) -> Answer {
	Some(Box::new(report))
}

fn nothing((): ()) -> Answer {
	None
}

#[cfg(test)]
mod tests {
	use super::*;
	use arguments::as_people_write;

	/// Reads a command line as the program does.
	fn read(line: &str) -> Result<ArgMatches, clap::Error> {
		as_people_write(Isthmus::command()).try_get_matches_from(line.split_whitespace())
	}

	/// Splits a line into words as a shell does, as far as examples need it.
	fn words(line: &str) -> Vec<String> {
		let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
		for letter in line.chars() {
			match (letter, quote) {
				(open @ ('\'' | '"'), None) => {
					quote = Some(open);
					word.get_or_insert_default();
				}
				(letter, Some(open)) if letter == open => quote = None,
				(' ', None) => words.extend(word.take()),
				(letter, _) => word.get_or_insert_default().push(letter),
			}
		}
		words.extend(word);
		words
	}

	/// Returns the texts behind the options in the help of a command and of those below it.
	fn helps(command: &clap::Command) -> Vec<String> {
		let own = command.get_after_help().map(ToString::to_string);
		let below = command.get_subcommands().flat_map(helps);
		own.into_iter().chain(below).collect()
	}

	#[test]
	fn the_examples_in_the_help_are_commands() {
		let helps = helps(&Isthmus::command()).join("\n");
		let lines = helps.lines().filter(|line| line.starts_with("  "));
		let commands = lines.flat_map(|line| line.split(" | ")).map(str::trim);
		let mut count = 0;
		// Addresses that are shortened are none.
		for line in commands.filter(|line| line.starts_with("isthmus ") && !line.contains("...")) {
			let words = words(line).into_iter().take_while(|word| word != ">");
			let read = as_people_write(Isthmus::command()).try_get_matches_from(words);
			if let Err(error) = read {
				assert!(!error.use_stderr(), "{line}: {error}");
			}
			count += 1;
		}
		assert!(count > 50, "{count}");
	}

	#[test]
	fn development_accounts_are_noticed_wherever_an_account_is_named() {
		let address = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
		let balance = format!("isthmus balance {address}");
		let named = |line: &str| development_accounts(&read(line).expect(line));
		for (line, accounts) in [
			("isthmus transfer //Bob 1 --key school.key", vec!["//Bob"]),
			("isthmus authorize --to //Eve --leaves 0..1", vec!["//Eve"]),
			("isthmus list given --for //Bob", vec!["//Bob"]),
			(
				"isthmus keep //Bob 0 --report //Eve",
				vec!["//Bob", "//Eve"],
			),
			(
				"isthmus facts create air --reporters //Bob,//Eve",
				vec!["//Bob", "//Eve"],
			),
			// `is_development` is asked about this one when it acts.
			("isthmus balance --key //Alice", vec![]),
			("isthmus register //Bob", vec![]),
			("isthmus request --cancel 1", vec![]),
			(balance.as_str(), vec![]),
		] {
			let mut found = named(line);
			found.sort();
			found.dedup();
			assert_eq!(found, accounts, "{line}");
		}
	}

	#[test]
	fn arguments_that_would_mean_nothing_are_refused() {
		for line in [
			"isthmus authorize 3 --until 2027-01-31",
			"isthmus authorize 3 --term 5",
			"isthmus authorize 3 --leaves 0..1",
			"isthmus authorize 3 --dataset 1",
			"isthmus authorize 3 --epoch 1",
			"isthmus request --cancel 3 --offer 2",
			"isthmus request --cancel 3 --term 100",
			"isthmus request --cancel 3 --purpose study",
			"isthmus dataset policy 0 --clear --price 2",
			"isthmus dataset policy 0 --clear --consumers school",
			"isthmus dataset policy 0 --clear --longest-term 5",
			"isthmus register School --leave",
			"isthmus register --kind school --leave",
			"isthmus receipt 14 --owner //Bob",
			"isthmus receipt 14 --dataset 0",
			"isthmus keep //Bob 0 --leave --once",
			"isthmus keep //Bob 0 --fund 1 --metrics m",
			"isthmus keep //Bob 0 --report //Eve --once",
			"isthmus dataset describe 0 --card c --check --description d",
			"isthmus dataset describe 0 --card c --check --epoch 1",
			"isthmus dataset describe 0 --card c --guess a --owner //Bob",
		] {
			let refused = read(line).expect_err(line);
			let kind = clap::error::ErrorKind::ArgumentConflict;
			assert_eq!(refused.kind(), kind, "{line}");
		}
		for line in [
			"isthmus authorize 3 --card marks.jsonld --yes",
			"isthmus request --cancel 3",
			"isthmus dataset policy 0 --clear",
			"isthmus register --leave",
			"isthmus receipt --keeper //Bob --owner //Bob --dataset 0",
			"isthmus keep //Bob 0 --at file:///k --once --metrics m",
			"isthmus dataset describe 0 --card c --check --owner //Bob",
			"isthmus risk --risk 0.1 --interval 5",
		] {
			read(line).expect(line);
		}
		assert!(read("isthmus risk --interval 5").is_err());
	}

	#[test]
	fn an_empty_value_of_an_option_is_refused() {
		for line in [
			"catalog --search",
			"reject 3 --reason",
			"dataset describe 0 --card c --guess a --description",
			"dataset describe 0 --card c --guess a --license",
			"dataset describe 0 --card c --guess a --keyword",
		] {
			let line = ["isthmus"].into_iter().chain(line.split(' ')).chain([""]);
			let read = as_people_write(Isthmus::command()).try_get_matches_from(line.clone());
			assert!(read.is_err(), "{:?}", line.collect::<Vec<_>>());
		}
		read("isthmus catalog --search school marks").unwrap();
		read("isthmus reject 3").unwrap();
	}

	#[test]
	fn a_flag_may_be_repeated_and_a_value_may_not() {
		for line in [
			"isthmus --json fetch //Bob a --force --force --json",
			"isthmus remove a -y --yes --objects --objects",
			"isthmus store a --public-name --public-name",
			"isthmus list records --owner //Bob --names --names",
		] {
			read(line).expect(line);
		}
		assert!(read("isthmus balance --max-cost 1 --max-cost 2").is_err());
	}
}
