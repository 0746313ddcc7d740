//! `isthmus serve`: grants by itself what the datasets' policies allow.

use crate::{
	context::{ist, Context},
	error::{Error, Kind},
	requests::words,
};
use isthmus_sdk::{
	every,
	serve::{serve, Limits, Memory, Served},
	Client, DatasetId,
};
use serde_json::json;
use std::time::Duration;

/// How long is waited before a lost connection is tried again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
It runs until it is ended, and goes on after a lost connection. Ended and started again it
grants nothing twice: the chain takes a request away in the step that grants it. A grant may
run up to 16 blocks longer than was asked for, as its block is not known beforehand.

Only the dataset's current epoch is granted, and to nobody of whom a grant on the dataset was
revoked in the last week: those requests are left to be answered by hand. Mind that a consumer's
kind, which a policy may go by, is what it called itself when it registered.

Example: isthmus dataset policy 0 --longest-term 10000 && isthmus serve --key school.key")]
pub(crate) struct Opts {
	/// Only these datasets, with commas between them [default: all that have a policy].
	#[arg(long, value_delimiter = ',')]
	datasets: Option<Vec<DatasetId>>,

	/// End after so many grants.
	#[arg(long)]
	grants: Option<u64>,

	/// Grant epochs before the dataset's current one too.
	#[arg(long)]
	earlier_epochs: bool,

	/// Grant also to readers of whom a grant on the dataset was revoked.
	#[arg(long)]
	revoked_readers: bool,
}

/// Serves.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let url = context.url();
	let mut client: Client = context.client.clone();
	let limits = Limits {
		datasets: opts.datasets,
		grants: opts.grants,
		earlier_epochs: opts.earlier_epochs,
		revoked_readers: opts.revoked_readers,
	};
	let mut memory = Memory::default();
	eprintln!("serving the requests to {}", identity.id());
	let best = client.best().await?;
	let datasets = every(|after| best.datasets(identity.id(), after)).await?;
	if datasets.iter().all(|entry| entry.policy.is_none()) {
		eprintln!("no dataset of this account has a policy yet, so nothing is granted: isthmus dataset policy --help");
	}
	let mut wait = FIRST_WAIT;
	loop {
		let ended = tokio::select! {
			ended = serve(&client, &identity, &limits, &mut memory, |served| {
				wait = FIRST_WAIT;
				tell(&context, served);
			}) => ended,
			_ = tokio::signal::ctrl_c() => return Ok(()),
		};
		let error = match ended {
			Ok(()) => return Ok(()),
			Err(
				error
				@ (isthmus_sdk::Error::Connection(_) | isthmus_sdk::Error::Unreachable { .. }),
			) => error,
			Err(error) => return Err(error.into()),
		};
		eprintln!("{error}; trying again");
		loop {
			tokio::select! {
				_ = tokio::time::sleep(wait) => {}
				_ = tokio::signal::ctrl_c() => return Ok(()),
			}
			wait = (wait * 2).min(LONGEST_WAIT);
			match Client::connect(&url).await {
				Ok(again) if again.genesis() == client.genesis() => {
					client = again;
					break;
				}
				Ok(_) => {
					return Err(Error::new(
						Kind::Refused,
						"the node is of another chain now",
					));
				}
				Err(error) => eprintln!("{error}"),
			}
		}
	}
}

fn tell(context: &Context, served: Served) {
	let Served {
		request,
		asked,
		outcome,
	} = served;
	match outcome {
		Ok(included) => {
			let block = included.number();
			context.answer(
				format!(
					"block {block}: request {request} granted: {} to {}, for {}",
					words(&asked.scope),
					asked.consumer,
					ist(asked.offer),
				),
				json!({
					"block": block, "request": request, "consumer": asked.consumer,
					"scope": crate::requests::scope(&asked.scope), "paid": asked.offer.to_string(),
				}),
			);
		}
		Err(error) => eprintln!("request {request} of {}: {error}", asked.consumer),
	}
}
