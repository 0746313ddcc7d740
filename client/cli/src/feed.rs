// SPDX-License-Identifier: Apache-2.0
//! `isthmus feed`: asks HTTPS endpoints for values, and reports them for a source of facts.

mod config;
mod https;
mod pace;
mod pick;

use crate::{
	context::Context,
	error::{Error, Kind},
	facts::{now, Reported},
	options::Options,
	stderr::tell,
};
use config::{Config, Topic};
use https::{shown, Https, HttpsError};
use isthmus_sdk::{
	conditions::{Age, Name, Value},
	envelope::random_bytes,
	facts::{response_hash, Observation},
	Error as SdkError, Identity, PalletError, Seconds,
};
use pace::{due, Due, Pace};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
	sync::watch::{self, Receiver},
	task::JoinSet,
	time::sleep,
};

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
SIGINT and SIGTERM end it after the report that is in flight.

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
	every: Duration,
	/// After how many seconds a value is reported again.
	again: u32,
	once: bool,
}

/// A topic, and what was reported about it.
struct Line {
	topic: Topic,
	/// The last report that is in a block.
	last: Option<(Value, Seconds)>,
	/// What was observed and could not be reported yet.
	pending: Option<Observation>,
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	let config = Config::read(&opts.file)?;
	let https = Https::new(&config)?;
	let context = Context::connect(options).await?;
	let identity = context.identity().await?;
	let (again, lines) = begin(&context, &identity, &config).await?;
	let topics = lines.len();
	tell(format_args!(
		"reporting for {} as {}, every {}",
		config.source,
		identity.id(),
		config.every
	));
	let feed = Arc::new(Feed {
		context,
		identity,
		https,
		source: config.source,
		every: Duration::from_secs(config.every.0.into()),
		again,
		once: opts.once,
	});
	let (stop, stopped) = watch::channel(false);
	let mut running = JoinSet::new();
	for line in lines {
		running.spawn(line.run(feed.clone(), stopped.clone()));
	}
	let mut failed = 0;
	loop {
		tokio::select! {
			ended = running.join_next() => match ended {
				Some(Ok(true)) => {}
				Some(_) => failed += 1,
				None => break,
			},
			() = signal() => {
				// A second signal does not wait for the reports that are in flight.
				if stop.send_replace(true) {
					break;
				}
				tell("ending");
			}
		}
	}
	match failed {
		0 => Ok(()),
		failed => Err(Error::failed(format!("{failed} of {topics} topics failed"))),
	}
}

/// Waits for a signal that asks the program to end.
async fn signal() {
	#[cfg(unix)]
	{
		use tokio::signal::unix::{signal, SignalKind};
		if let Ok(mut terminate) = signal(SignalKind::terminate()) {
			tokio::select! {
				_ = terminate.recv() => return,
				_ = tokio::signal::ctrl_c() => return,
			}
		}
	}
	let _ = tokio::signal::ctrl_c().await;
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
	let me = identity.id();
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
	if config.every.0 >= source.fresh {
		tell(format_args!(
			"warning: reports for {name} count for {fresh}, and the endpoints are asked every {}: in between there is no fact",
			config.every
		));
	}
	let mut lines = Vec::new();
	for topic in &config.topics {
		let reports = proven.reports(name, &topic.name).await?;
		let mine = reports.into_iter().find(|report| report.reporter == *me);
		lines.push(Line {
			topic: topic.clone(),
			last: mine.map(|report| (report.value, report.observed)),
			pending: None,
		});
	}
	Ok((again, lines))
}

impl Line {
	/// Asks and reports until the command ends. Returns whether the last attempt succeeded.
	async fn run(mut self, feed: Arc<Feed>, mut stop: Receiver<bool>) -> bool {
		let mut pace = Pace::new(feed.every);
		loop {
			let response = tokio::select! {
				_ = stop.wait_for(|stop| *stop) => return true,
				response = feed.https.get(&self.topic.url) => response,
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
			tokio::select! {
				_ = stop.wait_for(|stop| *stop) => return true,
				() = sleep(wait) => {}
			}
		}
	}

	fn log(&self, feed: &Feed, what: &str) {
		tell(format_args!("{}, {}: {what}", feed.source, self.topic.name));
	}

	/// Takes the value out of a response and reports it, if that is due. Without a value, reports what could not be
	/// reported before.
	async fn take(
		&mut self,
		feed: &Feed,
		response: Result<Vec<u8>, HttpsError>,
	) -> Result<(), String> {
		let failure = match self.observe(response) {
			Ok(observation) => {
				self.pending = Some(observation);
				None
			}
			Err(error) => Some(error),
		};
		if let Some(observation) = self.pending.take() {
			if let Err(error) = self.report(feed, &observation).await {
				if !is_over(&error) {
					self.pending = Some(observation);
				}
				let error = error.to_string();
				return Err(failure.map_or(error.clone(), |failure| format!("{failure}; {error}")));
			}
		}
		failure.map_or(Ok(()), Err)
	}

	/// Returns what a response shows.
	fn observe(&self, response: Result<Vec<u8>, HttpsError>) -> Result<Observation, String> {
		let response = response.map_err(|error| error.to_string())?;
		let value = pick::pick(&self.topic, &response)
			.map_err(|error| format!("{error} ({})", shown(&self.topic.url)))?;
		Ok(Observation {
			value,
			observed: now(),
			response: response_hash(&response),
		})
	}

	/// Reports an observation, if that is due.
	async fn report(&mut self, feed: &Feed, observation: &Observation) -> Result<(), SdkError> {
		let value = &observation.value;
		match due(self.last.as_ref(), observation, feed.again) {
			Due::Not(age) => {
				self.log(feed, &format!("{value}, as reported {age} s ago"));
				return Ok(());
			}
			Due::TooSoon => {
				self.log(feed, &format!("{value}, too soon after the last report"));
				return Ok(());
			}
			Due::First => self.log(feed, &format!("{value}, the first value")),
			Due::Changed => self.log(feed, &format!("{value}, a new value")),
			Due::Again => self.log(feed, &format!("{value}, as before, reported again")),
		}
		let (client, topic) = (&feed.context.client, &self.topic.name);
		let call = client.report(&feed.source, topic, observation).await?;
		let pending = client.submit(&feed.identity.account, &call).await?;
		let included = feed.context.included(pending).await?;
		self.last = Some((value.clone(), observation.observed));
		let report = Reported::new(&feed.source, topic, observation, &included);
		// It is reported already, so a full disk under the log does not stop the command.
		if let Err(error) = feed.context.output.print(&report) {
			error.report();
		}
		Ok(())
	}
}

/// Returns whether the chain will never take an observation: a later one has to be made.
fn is_over(error: &SdkError) -> bool {
	use PalletError::{NotNewer, ObservedTooLongAgo};
	matches!(error.refusal(), Some(NotNewer | ObservedTooLongAgo))
}
