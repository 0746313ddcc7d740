// SPDX-License-Identifier: Apache-2.0
//! `isthmus serve`: grants requests automatically, as the datasets' policies allow.

use crate::{
	authorize,
	context::Context,
	dataset,
	error::Error,
	options::Options,
	stderr::tell,
	text::{Amount, Range},
};
use isthmus_sdk::{
	every,
	serve::{serve, Limits, Memory, Served},
	AccountId, BlockNumber, Client, DatasetId, Error as SdkError, Identity, PalletError, RequestId,
};
use serde::Serialize;
use std::{fmt, time::Duration};

/// The wait before the first attempt to reconnect.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between attempts to reconnect.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
A request is granted when its block is finalized: the keys in an answer are public, and a request
that is not final may yet disappear with its offer. The reader pays the deposit of its grant, and
the policy's price; a grant can be revoked at any time unless the policy sells firm terms.

The command runs until it is stopped, and reconnects if the connection is lost. It can be stopped
and started again at any time: the chain removes a request in the same step that grants it, so
nothing is granted twice. A grant may last up to 16 blocks longer than its request asks, because
its block is not known beforehand.

Only the current epoch of a dataset is granted, and nothing to a reader whose grant on the dataset
was revoked in the last week: those requests are left for you to answer. A policy can select
consumers by their kind, which is what they declared when they registered.

Example:
  isthmus dataset policy 0 --longest-term 10000 --key school.key
  isthmus serve --key school.key")]
pub(crate) struct Opts {
	/// Datasets to serve, separated by commas [default: all that have a policy]
	#[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
	datasets: Option<Vec<DatasetId>>,

	/// Stop after this number of grants
	#[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
	grants: Option<u64>,

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
	let context = &Context::connect(options).await?;
	let identity = context.identity().await?;
	let limits = Limits {
		datasets: opts.datasets,
		grants: opts.grants,
		depth: authorize::depth(opts.confirmations),
		earlier_epochs: opts.earlier_epochs,
		revoked_readers: opts.revoked_readers,
	};
	check_datasets(&context.client, identity.id(), limits.datasets.as_deref()).await?;
	tell(format_args!("serving requests to {}", identity.id()));
	serve_for_ever(context, &identity, &limits).await
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

/// Serves until the limits are reached. After a lost connection, connects again after a wait that doubles
/// with each attempt.
async fn serve_for_ever(
	context: &Context,
	identity: &Identity,
	limits: &Limits,
) -> Result<(), Error> {
	let mut memory = Memory::default();
	let mut wait = FIRST_WAIT;
	loop {
		let report = |served| {
			wait = FIRST_WAIT;
			print(context, served);
		};
		match serve(&context.client, identity, limits, &mut memory, report).await {
			Err(error) if error.is_connection() => tell(format_args!("{error}; reconnecting")),
			ended => return Ok(ended?),
		}
		tokio::time::sleep(wait).await;
		wait = (wait * 2).min(LONGEST_WAIT);
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
				error.report();
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
	match is_gone {
		true => {
			format!("request {request} of {consumer} was answered by another program, or cancelled")
		}
		false => format!("request {request} of {consumer}: {error}"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::Refusal;

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
}
