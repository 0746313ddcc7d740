// SPDX-License-Identifier: Apache-2.0
//! `isthmus serve`: grants requests automatically, as the datasets' policies allow.

mod metrics;

use crate::{
	authorize,
	context::Context,
	dataset,
	error::Error,
	metrics::MetricsFile,
	options::Options,
	output::check_folder,
	retry::{Retry, Trouble},
	service::Service,
	stderr::tell,
	stop::{on_signals, Stop},
	text::{amount, count, Amount, Range},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::on_disk,
	every,
	serve::{self, serve_until, Limits, Look, Memory, MemoryError, Served, Watch},
	AccountId, Balance, BlockNumber, Client, DatasetId, Depth, Error as SdkError, Identity,
	OperatorError, PalletError, RequestId,
};
use metrics::Metrics;
use serde::Serialize;
use std::{
	convert::Infallible,
	fmt,
	future::pending,
	path::{Path, PathBuf},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
A request is granted when its block is finalized: the keys in an answer are public, and a request
that is not final may yet disappear with its offer. The reader pays the deposit of its grant, and
the policy's price; a grant can be revoked at any time unless the policy sells firm terms.

The command runs until SIGINT or SIGTERM ends it: it then answers nothing more, and waits for the
answers in flight; a second one ends it at once. After a lost connection, or any other error, it
tries again. It ends if it can sign nothing until it is started again: FalseMetadata, Outdated.
It can be stopped and started again at any time: the chain removes a request in the same step that
grants it, so nothing is granted twice. With --memory, its limits hold over restarts. A grant may
last up to 16 blocks longer than its request asks, because its block is not known beforehand.

Only the current epoch of a dataset is granted, and nothing to a reader whose grant on the dataset
was revoked in the last week: those requests are left for you to answer. A policy can select
consumers by their kind, which is what they declared when they registered.

A request for a range with erased leaves is left for you, too: answer it with `isthmus authorize`.

With --for, an operator serves the owner's requests, with keys that the owner granted to it, and
pays the fees. Requests outside of their range and epoch are left to the owner, and said once.
--reserve is about the operator's funds (isthmus operator --help).

Examples:
  isthmus dataset policy 0 --longest-term 10000 --key school.key
  isthmus serve --key school.key
  isthmus serve --for 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --key operator.key")]
pub(crate) struct Opts {
	/// Datasets to serve, separated by commas [default: all that have a policy]
	#[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
	datasets: Option<Vec<DatasetId>>,

	/// Stop after this number of grants
	#[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
	grants: Option<u64>,

	/// Answer at most this number of requests in any hour
	#[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
	per_hour: Option<u64>,

	/// Answer at most this number of requests of one reader in any hour
	#[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
	reader_per_hour: Option<u64>,

	/// Answer nothing that would take the account's funds below this amount, in IST
	#[arg(long, value_name = "IST", default_value = "0", hide_default_value = true, value_parser = amount)]
	reserve: Balance,

	/// Keep what counts for the limits in this file, so that they hold over restarts
	#[arg(long, value_name = "FILE")]
	memory: Option<PathBuf>,

	/// Write metrics to this file, in the text format of Prometheus, at each block
	#[arg(long, value_name = "FILE")]
	metrics: Option<PathBuf>,

	/// Grant a request after this number of blocks, not when it is finalized: for chains without verifiers
	#[arg(long, value_name = "BLOCKS")]
	confirmations: Option<BlockNumber>,

	/// Also grant epochs before the current one
	#[arg(long)]
	earlier_epochs: bool,

	/// Also grant to readers whose grant on the dataset was revoked
	#[arg(long)]
	revoked_readers: bool,
}

/// A request that was granted.
#[derive(Serialize)]
struct Granted {
	block: BlockNumber,
	consumer: AccountId,
	paid: Amount,
	request: RequestId,
	scope: Range,
}

impl fmt::Display for Granted {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			consumer,
			paid,
			request,
			scope,
		} = self;
		write!(
			f,
			"block {block}: granted request {request}: {scope} to {consumer}, for {paid}"
		)
	}
}

/// Runs the command, and prints each grant as it happens.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	let service = &Service::from_env().map_err(Error::usage)?;
	if let Some(memory) = &opts.memory {
		let target = on_disk::target(memory).map_err(|error| Error::file(memory, &error))?;
		check_folder(&target)?;
	}
	let metrics = opts.metrics.map(|path| MetricsFile::new(path, "serve"));
	let metrics = metrics.transpose()?;
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let limits = Limits {
		datasets: opts.datasets,
		grants: opts.grants,
		per_hour: opts.per_hour,
		reader_per_hour: opts.reader_per_hour,
		reserve: opts.reserve,
		depth: authorize::depth(opts.confirmations),
		earlier_epochs: opts.earlier_epochs,
		revoked_readers: opts.revoked_readers,
	};
	let memory = match &opts.memory {
		Some(path) => Memory::in_file(path, &context.client.genesis(), identity.id())
			.map_err(|error| of_memory(path, error))?,
		None => Memory::default(),
	};
	let reporter = Reporter {
		context,
		metrics: metrics.map(|file| Metrics::new(file, identity.id())),
		service,
		trouble: Trouble::default(),
	};
	serve::check(&context.client, &identity).await?;
	check_datasets(&context.client, identity.id(), limits.datasets.as_deref()).await?;
	let (identity, limits) = (&identity, &limits);
	on_signals(|stop| async move {
		tell(format_args!("serving requests to {}", identity.id()));
		tokio::select! {
			served = serve_for_ever(reporter, identity, limits, memory, &stop) => {
				service.ends();
				served
			}
			never = service.stay_alive() => match never {},
			never = watch_finality(&context.client, limits.depth) => match never {},
		}
	})
	.await
}

/// Says when nothing is finalized, if requests have to be. Never ends.
async fn watch_finality(client: &Client, depth: Depth) -> Infallible {
	match depth {
		Depth::Final => client.watch_finality().await,
		Depth::Blocks(_) => pending().await,
	}
}

/// Returns why a file cannot be the memory.
fn of_memory(path: &Path, error: MemoryError) -> Error {
	match error {
		MemoryError::Io(error) => Error::file(path, &error),
		MemoryError::Newer(newer) => Error::failed(newer),
		error @ MemoryError::Malformed => Error::usage(format!("{}: {error}", path.shown())).hint(
			"name another file; if it is damaged, bring a copy back, or remove it: then the limits count from the beginning, and refused answers are tried again",
		),
		error => Error::usage(format!("{}: {error}", path.shown())).hint(
			"each account on each chain needs a memory of its own, for one command at a time",
		),
	}
}

/// Returns an error if a dataset to serve does not exist, and warns of those for which nothing is granted.
async fn check_datasets(
	client: &Client,
	owner: &AccountId,
	named: Option<&[DatasetId]>,
) -> Result<(), Error> {
	let best = client.best().await?;
	for dataset in named.into_iter().flatten() {
		dataset::own(&best, owner, *dataset).await?;
	}
	let datasets = every(|after| best.datasets(owner, after)).await?;
	let mut without = datasets.iter().filter(|entry| entry.policy.is_none());
	match named {
		None if without.clone().count() == datasets.len() => tell(
			"no dataset of this account has a policy, so nothing is granted: see isthmus dataset policy --help",
		),
		None => {}
		Some(named) => without.by_ref().filter(|entry| named.contains(&entry.id)).for_each(|entry| {
			tell(format_args!("dataset {} has no policy, so nothing of it is granted", entry.id));
		}),
	}
	Ok(())
}

/// Serves until the limits are reached or the command is asked to end; then the answers in flight are waited for. After an error, tries again after a wait that doubles with each attempt: a node
/// that was lost, lies or lags may do better later, and so may a disk that was full. Ends if nothing can be signed until the
/// command is started again.
async fn serve_for_ever(
	mut reporter: Reporter<'_>,
	identity: &Identity,
	limits: &Limits,
	mut memory: Memory,
	stop: &Stop,
) -> Result<(), Error> {
	let mut retry = Retry::begin();
	loop {
		let (client, asked) = (&reporter.context.client, stop.asked());
		let served = serve_until(asked, client, identity, limits, &mut memory, &mut reporter);
		let error = match served.await {
			Ok(()) => return Ok(()),
			Err(error) if error.ends_signing() => {
				reporter.failed(&error.to_string());
				return Err(error.into());
			}
			Err(error) => retry.tell(&error.into()),
		};
		reporter.failed(&error);
		if !retry.again(stop).await {
			return Ok(());
		}
	}
}

/// Prints what is served, and counts it.
struct Reporter<'a> {
	context: &'a Context,
	metrics: Option<Metrics>,
	service: &'a Service,
	trouble: Trouble,
}

impl Reporter<'_> {
	/// Counts an error that ended the serving for a while.
	fn failed(&mut self, error: &str) {
		self.service.is_at(error);
		self.trouble.begins();
		if let Some(metrics) = &mut self.metrics {
			metrics.failed();
		}
	}
}

impl Watch for &mut Reporter<'_> {
	fn served(&mut self, served: Served) {
		if let Some(metrics) = &mut self.metrics {
			metrics.served(&served);
		}
		print(self.context, served);
	}

	fn looked(&mut self, look: &Look) {
		let Look {
			block,
			open,
			in_flight,
			..
		} = look;
		let (open, in_flight) = (
			count(*open as u64, "open request"),
			count(*in_flight as u64, "answer"),
		);
		let status = format!("block {block}: {open}, {in_flight} in flight");
		self.service.is_ready(&status);
		self.trouble.ends(&status);
		if let Some(metrics) = &mut self.metrics {
			metrics.looked(*look);
		}
	}
}

fn print(context: &Context, served: Served) {
	let Served {
		request,
		asked,
		outcome,
	} = served;
	match outcome {
		Ok(included) => {
			let granted = Granted {
				block: included.number(),
				consumer: asked.consumer,
				paid: Amount(asked.offer),
				request,
				scope: (&asked.scope).into(),
			};
			// The request is granted already, so a full disk under the log does not stop the command.
			if let Err(error) = context.output.print(&granted) {
				context.output.fail(&error);
			}
		}
		Err(error) => tell(refused(request, &asked.consumer, &error)),
	}
}

/// Returns why a request was not granted.
fn refused(request: RequestId, consumer: &AccountId, error: &SdkError) -> String {
	// Another program of the account, or the reader, was faster.
	let is_gone = matches!(error, SdkError::RequestGone(_))
		|| error.refusal() == Some(&PalletError::UnknownRequest);
	match error {
		_ if is_gone => {
			format!("request {request} of {consumer} was answered by another program, or cancelled")
		}
		SdkError::PartlyErased(cut) => {
			let erased = cut.erased_leaves();
			format!("request {request} of {consumer}: {erased} were erased; answer it with isthmus authorize {request}")
		}
		SdkError::Operator(OperatorError::OutsideGrants { .. }) => {
			format!("request {request} of {consumer} is left to the owner: {error}")
		}
		_ => format!("request {request} of {consumer}: {error}"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{
		envelope::{EpochId, EpochKeys, ErasableTree, Range},
		Refusal, Scope,
	};

	#[test]
	fn a_request_that_another_program_answered_is_no_error() {
		let consumer = AccountId::from([7; 32]);
		let text = |error: SdkError| refused(3, &consumer, &error);
		let docs = "There is no such request.".to_owned();
		let unknown = Refusal {
			error: PalletError::UnknownRequest,
			docs: docs.clone(),
		};
		let expected =
			format!("request 3 of {consumer} was answered by another program, or cancelled");
		assert_eq!(text(SdkError::Refused(unknown)), expected);
		assert_eq!(text(SdkError::RequestGone(3)), expected);
		let error = PalletError::RequestExpired;
		let expired = text(SdkError::Refused(Refusal { error, docs }));
		assert!(expired.contains("RequestExpired"), "{expired}");
	}

	#[test]
	fn a_request_that_an_operator_cannot_answer_is_left_to_the_owner() {
		let (consumer, operator) = (AccountId::from([7; 32]), AccountId::from([8; 32]));
		let scope = Scope {
			dataset: 0,
			epoch: 1,
			from: 5,
			to: 12,
		};
		let held = Vec::new();
		let error = SdkError::Operator(OperatorError::OutsideGrants {
			operator,
			scope,
			held,
		});
		let text = refused(3, &consumer, &error);
		let start = format!("request 3 of {consumer} is left to the owner: OutsideGrants: ");
		assert!(
			text.starts_with(&start) && text.ends_with(" it has no grant"),
			"{text}"
		);
	}

	#[test]
	fn a_request_for_erased_leaves_names_the_command_that_answers_it() {
		let id = EpochId {
			genesis: [1; 32],
			owner: [2; 32],
			dataset: 0,
			epoch: 0,
		};
		let mut tree = ErasableTree::new(id, [3; 32]);
		tree.erase(1);
		let cut = EpochKeys::Erasable(tree).cut(Range::new(0, 4).unwrap());
		let consumer = AccountId::from([7; 32]);
		assert_eq!(
			refused(3, &consumer, &SdkError::PartlyErased(cut)),
			format!("request 3 of {consumer}: leaves 1..2 were erased; answer it with isthmus authorize 3")
		);
	}
}
