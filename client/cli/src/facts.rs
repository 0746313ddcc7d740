// SPDX-License-Identifier: Apache-2.0
//! `isthmus facts`: reports facts about the world outside the chain, issues credentials, and evaluates conditions on
//! them.

mod listed;

use crate::{
	context::Context,
	error::Error,
	input::read_at_most,
	options::Options,
	report::Report,
	text::{account, amount, condition, date, time},
	uses::{Uses, KEY, NODE, SENDS_AND_ENDS},
};
use isthmus_sdk::{
	conditions::{Age, Condition, Name, SyntaxError, Value},
	facts::{response_hash, Observation, SourceTerms, Subject},
	now, to_hex, AccountId, Balance, BlockNumber, Call, DatasetId, Identity, Included, Seconds,
};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
A source has a name, and one or several accounts that report for it. Conditions name the source: who
uses one trusts its accounts and its owner. Deposits are held for sources, reports and credentials.

Values are written as in a condition: 75, -12.5, '\"clear\"' (a text, in double quotes) or 0x and 64
hexadecimal digits (a hash).

Examples:
  isthmus facts create weather/beijing --fresh 2h --key station.key
  isthmus facts report weather/beijing pm25 80 --key station.key
  isthmus facts evaluate 'fact(weather/beijing, pm25) > 75 and before(2027-01-01)'")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		use Command::{Credentials, Evaluate, List};
		match self.command {
			List { .. } | Evaluate(_) | Credentials { account: Some(_) } => NODE,
			Credentials { account: None } => NODE | KEY,
			_ => SENDS_AND_ENDS,
		}
	}
}

#[derive(clap::Subcommand)]
enum Command {
	/// Create a source of facts
	Create(SourceOpts),
	/// Change a source's reporters, quorum and freshness, or open a closed source again
	Change(SourceOpts),
	/// Close a source: it has no facts any more, and its name stays taken
	Close {
		/// Name of the source
		#[arg(value_parser = name)]
		source: Name,
	},
	/// Report what you observed about a topic
	Report(ReportOpts),
	/// Withdraw your report about a topic, and get its deposit back
	Withdraw {
		/// Name of the source
		#[arg(value_parser = name)]
		source: Name,

		/// What the report is about
		#[arg(value_parser = name)]
		topic: Name,
	},
	/// List the sources, or the facts and reports of one
	List {
		/// Name of the source whose facts to list [default: list the sources]
		#[arg(value_parser = name)]
		source: Option<Name>,
	},
	/// Issue a credential about an account, or change its end
	Issue {
		/// Account that gets the credential
		#[arg(value_parser = account)]
		account: AccountId,

		/// Kind of the credential, such as hospital.accredited
		#[arg(value_parser = name)]
		kind: Name,

		/// When it ends, in UTC, such as 2027-01-31 or 2027-01-31T08:30:00Z
		#[arg(long, value_name = "TIME", value_parser = time)]
		until: Seconds,
	},
	/// Revoke a credential that you issued, and get its deposit back
	Revoke {
		/// Account that has the credential
		#[arg(value_parser = account)]
		account: AccountId,

		/// Kind of the credential
		#[arg(value_parser = name)]
		kind: Name,
	},
	/// List an account's credentials
	Credentials {
		/// Account [default: that of --key]
		#[arg(value_parser = account)]
		account: Option<AccountId>,
	},
	/// Evaluate a condition on the finalized state, and show what each of its tests amounts to
	Evaluate(EvaluateOpts),
}

#[derive(clap::Args)]
struct SourceOpts {
	/// Name of the source: lowercase letters, digits, and . _ - /
	#[arg(value_parser = name)]
	source: Name,

	/// Accounts that report for it, separated by commas [default: your own]
	#[arg(long, value_name = "ACCOUNTS", value_delimiter = ',', value_parser = account)]
	reporters: Vec<AccountId>,

	/// How many of them must have reported lately, and agree [default: more than half]
	#[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
	quorum: Option<u32>,

	/// How long a report counts: 90s, 10m, 2h or 7d
	#[arg(long, value_name = "AGE", default_value = "1h", value_parser = age)]
	fresh: Age,
}

#[derive(clap::Args)]
struct ReportOpts {
	/// Name of the source
	#[arg(value_parser = name)]
	source: Name,

	/// What the report is about
	#[arg(value_parser = name)]
	topic: Name,

	/// What you observed, written as in a condition
	#[arg(value_parser = value)]
	value: Value,

	/// When you observed it, in UTC, such as 2027-01-01T08:30:00Z [default: now]
	#[arg(long, value_name = "TIME", value_parser = time)]
	observed: Option<Seconds>,

	/// File with the response in which you observed it, whose hash is reported [default: the value]
	#[arg(long, value_name = "FILE")]
	response: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = "\
What is not known makes a test unknown, and its `not` too. A condition is met only if it is true.

Examples:
  isthmus facts evaluate 'fact(weather/beijing, pm25, 10m) > 75 or after(2027-01-01)'
  isthmus facts evaluate 'paid >= 2000000000000' --paid 2")]
struct EvaluateOpts {
	/// The condition
	#[arg(value_parser = condition)]
	condition: Condition,

	/// Account whose credentials and grants count [default: unknown]
	#[arg(long, value_name = "ACCOUNT", value_parser = account)]
	account: Option<AccountId>,

	/// What the account pays, in IST [default: unknown]
	#[arg(long, value_name = "IST", value_parser = amount)]
	paid: Option<Balance>,

	/// Dataset whose grants are counted [default: unknown]
	#[arg(long, value_name = "NUMBER", requires = "owner")]
	dataset: Option<DatasetId>,

	/// Owner of the dataset
	#[arg(long, value_name = "ACCOUNT", value_parser = account, requires = "dataset")]
	owner: Option<AccountId>,
}

/// Reads the name of a source, a topic or a kind of credential.
pub(crate) fn name(text: &str) -> Result<Name, String> {
	Name::new(text).map_err(|error| error.to_string())
}

/// Reads an age, such as 10m.
pub(crate) fn age(text: &str) -> Result<Age, String> {
	text.parse().map_err(|error| format!("{error}"))
}

/// Reads a value, written as in a condition.
fn value(text: &str) -> Result<Value, String> {
	text.parse()
		.map_err(|error: SyntaxError| error.expected.to_string())
}

/// A source that was created or changed.
#[derive(Serialize)]
struct SourceSet {
	block: BlockNumber,
	fresh: u32,
	quorum: u32,
	reporters: Vec<AccountId>,
	source: String,
	#[serde(skip)]
	verb: &'static str,
}

impl fmt::Display for SourceSet {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			fresh,
			quorum,
			reporters,
			source,
			verb,
		} = self;
		let terms = listed::terms(*quorum, reporters.len(), *fresh);
		write!(f, "block {block}: {verb} the source {source}: {terms}")
	}
}

/// A report that is in a block.
#[derive(Serialize)]
pub(crate) struct Reported {
	block: BlockNumber,
	fact: Option<String>,
	observed: Seconds,
	response: String,
	source: String,
	topic: String,
	value: String,
}

impl Reported {
	/// Returns what became of a report that is in a block.
	pub(crate) fn new(
		source: &Name,
		topic: &Name,
		observation: &Observation,
		included: &Included,
	) -> Self {
		let reported = included.reports.first();
		let fact = reported.and_then(|reported| reported.fact.as_ref());
		Self {
			block: included.number(),
			fact: fact.map(Value::to_string),
			observed: observation.observed,
			response: to_hex(&observation.response),
			source: source.to_string(),
			topic: topic.to_string(),
			value: observation.value.to_string(),
		}
	}
}

impl fmt::Display for Reported {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			fact,
			source,
			topic,
			value,
			..
		} = self;
		write!(f, "block {block}: reported {value} for {source}, {topic}; ")?;
		match fact {
			Some(fact) => write!(f, "the fact is {fact}"),
			None => write!(
				f,
				"no fact: too few accounts reported lately, or they do not agree"
			),
		}
	}
}

/// Something that was done to a source, a report or a credential.
#[derive(Serialize)]
struct Done {
	#[serde(skip_serializing_if = "Option::is_none")]
	account: Option<AccountId>,
	block: BlockNumber,
	#[serde(skip_serializing_if = "Option::is_none")]
	kind: Option<String>,
	#[serde(skip_serializing_if = "Option::is_none")]
	source: Option<String>,
	#[serde(skip_serializing_if = "Option::is_none")]
	topic: Option<String>,
	#[serde(skip_serializing_if = "Option::is_none")]
	until: Option<Seconds>,
	#[serde(skip)]
	what: String,
}

impl fmt::Display for Done {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "block {}: {}", self.block, self.what)
	}
}

impl Done {
	fn new(block: BlockNumber, what: String) -> Self {
		Self {
			account: None,
			block,
			kind: None,
			source: None,
			topic: None,
			until: None,
			what,
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let needs_key = opts.uses() & KEY != 0;
	let context = &Context::connect_as(options, needs_key).await?;
	Ok(match opts.command {
		Command::Create(opts) => Box::new(set(context, opts, true).await?),
		Command::Change(opts) => Box::new(set(context, opts, false).await?),
		Command::Close { source } => {
			let call = context.client.close_source(&source).await?;
			let block = act(context, call).await?;
			let what = format!("closed the source {source}");
			Box::new(Done {
				source: Some(source.to_string()),
				..Done::new(block, what)
			})
		}
		Command::Report(opts) => Box::new(report(context, opts).await?),
		Command::Withdraw { source, topic } => {
			let call = context.client.withdraw_report(&source, &topic).await?;
			let block = act(context, call).await?;
			let what = format!("withdrew the report for {source}, {topic}");
			Box::new(Done {
				source: Some(source.to_string()),
				topic: Some(topic.to_string()),
				..Done::new(block, what)
			})
		}
		Command::List { source: None } => Box::new(listed::sources(context).await?),
		Command::List { source: Some(name) } => Box::new(listed::facts(context, &name).await?),
		Command::Issue {
			account,
			kind,
			until,
		} => Box::new(issue(context, account, &kind, until).await?),
		Command::Revoke { account, kind } => Box::new(revoke(context, account, &kind).await?),
		Command::Credentials { account } => {
			let account = match account {
				Some(account) => account,
				None => *context.identity().await?.account.id(),
			};
			Box::new(listed::credentials(context, &account).await?)
		}
		Command::Evaluate(opts) => {
			let subject = Subject {
				account: opts.account,
				paid: opts.paid,
				dataset: opts.owner.zip(opts.dataset),
			};
			Box::new(listed::evaluate(context, &opts.condition, &subject).await?)
		}
	})
}

/// Signs and sends a call, and returns its block.
async fn act(context: &Context, call: Call) -> Result<BlockNumber, Error> {
	let identity = context.identity().await?;
	Ok(context.send(&identity, &call).await?.number())
}

async fn set(context: &Context, opts: SourceOpts, is_new: bool) -> Result<SourceSet, Error> {
	let identity = context.identity().await?;
	let terms = source_terms(&identity, &opts);
	let client = &context.client;
	let (verb, call) = match is_new {
		true => ("created", client.create_source(&opts.source, &terms).await?),
		false => ("changed", client.change_source(&opts.source, &terms).await?),
	};
	let block = context.send(&identity, &call).await?.number();
	Ok(SourceSet {
		block,
		fresh: terms.fresh,
		quorum: terms.quorum,
		reporters: terms.reporters,
		source: opts.source.to_string(),
		verb,
	})
}

fn source_terms(identity: &Identity, opts: &SourceOpts) -> SourceTerms {
	let mut reporters = opts.reporters.clone();
	if reporters.is_empty() {
		reporters.push(*identity.account.id());
	}
	let majority = u32::try_from(reporters.len() / 2 + 1).unwrap_or(u32::MAX);
	SourceTerms {
		quorum: opts.quorum.unwrap_or(majority),
		fresh: opts.fresh.0,
		reporters,
	}
}

/// The longest response that is read, in bytes.
const LONGEST_RESPONSE: u64 = 64 << 20;

async fn report(context: &Context, opts: ReportOpts) -> Result<Reported, Error> {
	let response = match &opts.response {
		Some(path) => read_at_most(path, LONGEST_RESPONSE, "a response")?,
		None => opts.value.to_string().into_bytes(),
	};
	let observation = Observation {
		value: opts.value,
		observed: opts.observed.unwrap_or_else(now),
		response: response_hash(&response),
	};
	let identity = context.identity().await?;
	let client = &context.client;
	let call = client
		.report(&opts.source, &opts.topic, &observation)
		.await?;
	let included = context.send(&identity, &call).await?;
	Ok(Reported::new(
		&opts.source,
		&opts.topic,
		&observation,
		&included,
	))
}

async fn issue(
	context: &Context,
	account: AccountId,
	kind: &Name,
	until: Seconds,
) -> Result<Done, Error> {
	let call = context
		.client
		.issue_credential(&account, kind, until)
		.await?;
	let block = act(context, call).await?;
	let what = format!(
		"issued the credential {kind} about {account}, until {}",
		date(until)
	);
	Ok(Done {
		account: Some(account),
		kind: Some(kind.to_string()),
		until: Some(until),
		..Done::new(block, what)
	})
}

async fn revoke(context: &Context, account: AccountId, kind: &Name) -> Result<Done, Error> {
	let call = context.client.revoke_credential(&account, kind).await?;
	let block = act(context, call).await?;
	let what = format!("revoked the credential {kind} about {account}");
	Ok(Done {
		account: Some(account),
		kind: Some(kind.to_string()),
		..Done::new(block, what)
	})
}
