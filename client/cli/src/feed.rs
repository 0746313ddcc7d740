// SPDX-License-Identifier: Apache-2.0
//! `isthmus feed`: asks HTTPS endpoints for values, and reports them for a source of facts.

mod config;
mod https;
mod pace;
mod pick;

use crate::{
	context::Context,
	error::{Error, Kind},
	facts::Reported,
	options::Options,
	service::Service,
	stderr::tell,
	stop::{on_signals, Stop},
};
use config::{Config, Topic};
use https::{shown, Https, HttpsError};
use isthmus_sdk::{
	conditions::{Age, Name, Value},
	envelope::random_bytes,
	facts::{response_hash, LastReport, Observation},
	now, BlockNumber, Client, Error as SdkError, Identity, PalletError, Seconds,
};
use pace::{due, Due, Pace};
use std::{
	path::PathBuf,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The file names a source, for which the account has to be a reporter, and one or several topics:

  source = \"weather/beijing\"
  every = \"5m\"             # how long to wait between two requests [default: 5m]
  again = \"30m\"            # when to repeat a value that did not change [default: half the time for
                           # which the source's reports count]
  timeout = \"10s\"          # how long a response may take [default: 10s, at most 300s]
  max-bytes = 1048576      # how long it may be [default: 1 MiB, at most 16 MiB]
  redirects = 0            # how many redirects to follow, to https only [default: 0, at most 5]
  ca = \"authorities.pem\"   # whom to trust [default: the system's authorities]

  [[topic]]
  name = \"pm25\"
  url = \"https://air.example/v1/beijing\"
  pointer = \"/data/0/pm25\" # where the value is in the response: a JSON pointer
  type = \"decimal\"         # or integer, text, hash
  decimals = 1             # for a decimal: how many digits after the point to keep

A value is reported with the hash of the response if it changed, or if its last report is older than
`again`. After an error the command goes on: it waits twice as long as after the error before, up to
5 minutes, less a random part. What it does is logged on stderr, and reports are printed on stdout.
SIGINT and SIGTERM end it after the report that is in flight; a second one ends it at once.

Example:
  isthmus feed weather.toml --key station.key")]
pub(crate) struct Opts {
	/// File that names the source, its topics and their endpoints
	file: PathBuf,

	/// Ask each endpoint once, and end; with an error if a value could not be taken or reported
	#[arg(long)]
	once: bool,
}

/// What all topics have in common.
struct Feed {
	context: Context,
	identity: Identity,
	https: Https,
	source: Name,
	every: Age,
	/// After how many seconds a value is reported again.
	again: u32,
	once: bool,
	service: Service,
	/// Held while a response is parsed: that can take dozens of times its length of memory, so one is parsed after another.
	parsing: Mutex<()>,
}

/// A topic, and what was reported about it.
struct Line {
	topic: Topic,
	/// The last report that is in a block.
	last: Option<(Value, Seconds)>,
	/// What was observed and could not be reported yet.
	pending: Option<Observation>,
	/// A report that was sent and of which it is not known whether it is in a block.
	unsure: Option<Unsure>,
}

/// A report that was sent, and whose outcome is not known.
struct Unsure {
	observation: Observation,
	/// The last block that may include it; `None` if it was in a block already.
	last: Option<BlockNumber>,
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	let service = Service::from_env().map_err(Error::usage)?;
	let config = Config::read(&opts.file)?;
	let https = Https::new(&config)?;
	let context = Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let (again, lines) = begin(&context, &identity, &config).await?;
	let feed = Arc::new(Feed {
		context,
		identity,
		https,
		source: config.source,
		every: config.every,
		again,
		once: opts.once,
		service,
		parsing: Mutex::new(()),
	});
	on_signals(|stop| async move {
		tokio::select! {
			reported = report(feed.clone(), lines, stop) => {
				feed.service.ends();
				reported
			}
			never = feed.service.stay_alive() => match never {},
		}
	})
	.await
}

/// Reports all topics until the command ends.
async fn report(feed: Arc<Feed>, lines: Vec<Line>, stop: Stop) -> Result<(), Error> {
	let topics = lines.len();
	let started = format!(
		"reporting for {} as {}, every {}",
		feed.source,
		feed.identity.account.id(),
		feed.every
	);
	tell(&started);
	feed.service.is_ready(&started);
	let mut running = JoinSet::new();
	for line in lines {
		running.spawn(line.run(feed.clone(), stop.clone()));
	}
	let mut failed = 0;
	while let Some(ended) = running.join_next().await {
		match ended {
			Ok(true) => {}
			Ok(false) => failed += 1,
			// The topic would be silent from now on, so what started the command has to see it.
			Err(error) => return Err(Error::failed(error)),
		}
	}
	match failed {
		0 => Ok(()),
		failed => Err(Error::failed(format!("{failed} of {topics} topics failed"))),
	}
}

/// Checks that the account can report for the source, and reads its last reports. Returns after how many seconds a value
/// is reported again, and the topics.
async fn begin(
	context: &Context,
	identity: &Identity,
	config: &Config,
) -> Result<(u32, Vec<Line>), Error> {
	let name = &config.source;
	let proven = context.client.proven().await?;
	let Some(source) = proven.source(name).await? else {
		let block = proven.block().number;
		return Err(
			Error::refused(format!("no source is called {name} in block {block}"))
				.hint(format!("create it: isthmus facts create {name}")),
		);
	};
	let me = identity.account.id();
	if !source.reporters.contains(me) {
		return Err(
			Error::new(Kind::Refused, format!("{me} does not report for {name}")).hint(format!(
				"its owner can add the account: isthmus facts change {name} --reporters ACCOUNTS"
			)),
		);
	}
	let fresh = Age(source.fresh);
	let again = config.again.map_or(source.fresh / 2, |again| again.0);
	if again >= source.fresh {
		return Err(Error::usage(format!(
			"reports for {name} count for {fresh}, so `again` has to be shorter"
		)));
	}
	if again.saturating_add(config.every.0) >= source.fresh {
		tell(format_args!(
			"warning: reports for {name} count for {fresh}, and one that stays the same is repeated after {}, or up to {} later: in between there may be no fact",
			Age(again),
			config.every
		));
	}
	let mut lines = Vec::new();
	for topic in &config.topics {
		// Also a report that is not finalized yet is not made twice.
		let last = context.client.last_report(me, name, &topic.name).await?;
		lines.push(Line {
			topic: topic.clone(),
			last: last.report.map(|report| (report.value, report.observed)),
			pending: None,
			unsure: None,
		});
	}
	Ok((again, lines))
}

impl Line {
	/// Asks and reports until the command ends. Returns whether the last attempt succeeded.
	async fn run(mut self, feed: Arc<Feed>, stop: Stop) -> bool {
		let mut pace = Pace::new(Duration::from_secs(feed.every.0.into()));
		loop {
			let Some(response) = stop.or(feed.https.get(&self.topic.url)).await else {
				// The one attempt that was asked for was not made.
				return !feed.once;
			};
			let done = self.take(&feed, response).await;
			if feed.once {
				if let Err(error) = &done {
					self.log(&feed, error);
				}
				return done.is_ok();
			}
			let wait = match done {
				Ok(()) => pace.succeeded(),
				Err(error) => {
					let random = random_bytes().map_or(0, |bytes| bytes[0]);
					let wait = pace.failed(random);
					let again = wait.as_secs_f64();
					self.log(&feed, &format!("{error}; next attempt in {again:.1} s"));
					wait
				}
			};
			if stop.or(sleep(wait)).await.is_none() {
				return true;
			}
		}
	}

	fn log(&self, feed: &Feed, what: &str) {
		let line = format!("{}, {}: {what}", feed.source, self.topic.name);
		tell(&line);
		feed.service.is_at(&line);
	}

	/// Takes the value out of a response and reports it, if that is due. Without a value, reports what could not be
	/// reported before.
	async fn take(
		&mut self,
		feed: &Feed,
		response: Result<Vec<u8>, HttpsError>,
	) -> Result<(), String> {
		let failure = match self.observe(feed, response) {
			Ok(observation) => {
				self.pending = Some(observation);
				None
			}
			Err(error) => Some(error),
		};
		match (self.report_pending(feed).await, failure) {
			(Ok(()), None) => Ok(()),
			(Err(error), None) => Err(error),
			(Ok(()), Some(failure)) => Err(failure),
			(Err(error), Some(failure)) => Err(format!("{failure}; {error}")),
		}
	}

	/// Reports what was observed and could not be reported yet.
	async fn report_pending(&mut self, feed: &Feed) -> Result<(), String> {
		self.settle(feed).await.map_err(|error| error.to_string())?;
		let Some(observation) = self.pending.take() else {
			return Ok(());
		};
		let reported = self.report(feed, &observation).await;
		if let Err(Failure::Chain(error)) = &reported {
			match outcome_of(error) {
				Outcome::Over => {}
				Outcome::NotSent => self.pending = Some(observation),
				Outcome::Unsure(last) => self.unsure = Some(Unsure { observation, last }),
			}
		}
		reported.map_err(|error| error.words())
	}

	/// Finds out about a report whose outcome is not known: it is in the best chain, it can be in no block any more, or
	/// it may still be included.
	async fn settle(&mut self, feed: &Feed) -> Result<(), SdkError> {
		let Some(Unsure { observation, last }) = &self.unsure else {
			return Ok(());
		};
		let (client, me): (&Client, _) = (&feed.context.client, feed.identity.account.id());
		let LastReport { block, report } = client
			.last_report(me, &feed.source, &self.topic.name)
			.await?;
		let found = report.filter(|report| report.observed >= observation.observed);
		if let Some(report) = found {
			self.log(feed, &format!("{}, found in the chain", report.value));
			self.last = Some((report.value, report.observed));
			self.unsure = None;
		} else if last.is_none_or(|last| block > last) {
			let lost = self.unsure.take().map(|unsure| unsure.observation);
			self.pending = self.pending.take().or(lost);
		}
		Ok(())
	}

	/// Returns what a response shows.
	fn observe(
		&self,
		feed: &Feed,
		response: Result<Vec<u8>, HttpsError>,
	) -> Result<Observation, String> {
		let response = response.map_err(|error| error.to_string())?;
		let parsing = feed.parsing.lock().unwrap_or_else(PoisonError::into_inner);
		let picked = pick::pick(&self.topic, &response);
		drop(parsing);
		let value = picked.map_err(|error| format!("{error} ({})", shown(&self.topic.url)))?;
		Ok(Observation {
			value,
			observed: now(),
			response: response_hash(&response),
		})
	}

	/// Reports an observation, if that is due.
	async fn report(&mut self, feed: &Feed, observation: &Observation) -> Result<(), Failure> {
		let value = &observation.value;
		// A report that may be in a block counts, as it is paid for then.
		let unsure = self
			.unsure
			.as_ref()
			.map(|Unsure { observation, .. }| (observation.value.clone(), observation.observed));
		match due(
			unsure.as_ref().or(self.last.as_ref()),
			observation,
			feed.again,
		) {
			Due::Not(age) => {
				self.log(feed, &format!("{value}, as reported {age} s ago"));
				return Ok(());
			}
			Due::TooSoon => return Err(Failure::TooSoon(value.clone())),
			Due::First => self.log(feed, &format!("{value}, the first value")),
			Due::Changed => self.log(feed, &format!("{value}, a new value")),
			Due::Again => self.log(feed, &format!("{value}, as before, reported again")),
		}
		let (client, topic) = (&feed.context.client, &self.topic.name);
		let call = client.report(&feed.source, topic, observation).await?;
		let pending = client.submit(&feed.identity.account, &call).await?;
		let included = feed.context.included(pending).await?;
		self.last = Some((value.clone(), observation.observed));
		self.unsure = None;
		let report = Reported::new(&feed.source, topic, observation, &included);
		// It is reported already, so a full disk under the log does not stop the command.
		if let Err(error) = feed.context.output.print(&report) {
			feed.context.output.fail(&error);
		}
		Ok(())
	}
}

/// Why an observation is not reported.
#[derive(Debug, thiserror::Error)]
enum Failure {
	/// It is another value, observed no later than the one that is reported.
	#[error("TooSoon: {0} was observed no later than the value that is reported: was this machine's clock set back?")]
	TooSoon(Value),
	/// The node or the chain did not take it.
	#[error(transparent)]
	Chain(#[from] SdkError),
}

impl Failure {
	/// Returns what to tell about it.
	fn words(&self) -> String {
		use PalletError::{NotNewer, ObservedInFuture, ObservedTooLongAgo};
		let refusal = match self {
			Self::Chain(error) => error.refusal(),
			Self::TooSoon(_) => None,
		};
		match refusal {
			Some(ObservedInFuture | ObservedTooLongAgo | NotNewer) => {
				format!("{self} (this machine's clock may be wrong)")
			}
			_ => self.to_string(),
		}
	}
}

/// What became of an observation that could not be reported.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
	/// The chain will never take it: a later one has to be made.
	Over,
	/// It is in no block, and can be sent again.
	NotSent,
	/// It was sent, and may get into a block up to this one; or was in one, which may yet be replaced.
	Unsure(Option<BlockNumber>),
}

fn outcome_of(error: &SdkError) -> Outcome {
	use PalletError::{NotNewer, ObservedTooLongAgo};
	match error {
		SdkError::Unconfirmed { last, .. } | SdkError::Behind { last, .. } => {
			Outcome::Unsure(Some(*last))
		}
		SdkError::NotFinal { .. } => Outcome::Unsure(None),
		error => match error.refusal() {
			Some(NotNewer | ObservedTooLongAgo) => Outcome::Over,
			_ => Outcome::NotSent,
		},
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::Refusal;

	#[test]
	fn a_time_that_is_not_taken_points_to_the_clock() {
		let refused = |name| {
			let refusal = Refusal {
				error: PalletError::new("Facts", name),
				docs: "no.".into(),
			};
			Failure::Chain(SdkError::Refused(refusal)).words()
		};
		for name in ["ObservedInFuture", "ObservedTooLongAgo", "NotNewer"] {
			let words = refused(name);
			assert_eq!(
				words,
				format!("Facts.{name}: no. (this machine's clock may be wrong)")
			);
		}
		assert_eq!(refused("NotReporter"), "Facts.NotReporter: no.");
	}
}
