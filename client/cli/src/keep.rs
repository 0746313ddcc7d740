// SPDX-License-Identifier: Apache-2.0
//! `isthmus keep`: keeps a copy of a dataset's objects, and proves it to the chain.

mod metrics;

use crate::{
	context::Context,
	dataset::location,
	error::Error,
	metrics::MetricsFile,
	options::Options,
	retry::{Retry, Trouble},
	service::Service,
	stderr::tell,
	stop::{on_signals, Stop},
	text::{account, amount, bytes, shown, Amount, Key},
	uses::{Uses, KEY, NODE, SENDS, SENDS_AND_ENDS},
};
use isthmus_sdk::{
	keepers::{keep, keep_until, Keeping, Look, Period, Step, Watch},
	AccountId, Balance, BlockNumber, Call, DatasetId, Error as SdkError, Identity,
};
use metrics::Metrics;
use serde::Serialize;
use std::{
	fmt,
	path::PathBuf,
	time::{Duration, Instant},
};

/// What is done in place of keeping a copy.
const IN_PLACE_OF_A_COPY: [&str; 3] = ["leave", "fund", "report"];

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
With --at, the command copies the dataset's objects from its owner's locations, MiB by MiB, and
checks each. It copies what is encrypted: it needs no grant, and cannot read it. Then it takes a
place among the dataset's keepers, for a deposit. It copies what is stored later, and deletes
what is removed. Once in each period the chain draws a piece of 1 KiB, and the command proves
that the copy has it. A copy that is damaged is copied again. Each period missed in a row costs a
part of the deposit: if what is drawn is at no location, or the copy cannot be read, the command
gives the place up while half of it is left.

For each proof, a keeper is paid from the dataset's pot, if there is something in it. One that
misses too many periods in a row loses its place, and its deposit goes into the pot.

The command runs until SIGINT or SIGTERM ends it: it waits for a transaction in flight, and copies
the rest when it is started again; a second one ends it at once. After a lost connection, or any
other error, it tries again. It can be stopped and started again at any time.

Examples:
  isthmus keep //Bob 0 --at file:///srv/copies --key keeper.key
  isthmus keep //Bob 0 --at s3://copies --metrics keep.prom --key keeper.key
  isthmus keep //Bob 0 --fund 100 --key reader.key
  isthmus keep //Bob 0 --leave --key keeper.key
  isthmus list keepers --owner //Bob")]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Opts {
	/// Owner of the dataset
	#[arg(value_parser = account)]
	owner: AccountId,

	/// Number of the dataset
	dataset: DatasetId,

	/// Keep the copy below this folder of a store, such as file:///FOLDER. Everyone sees the address
	#[arg(long, value_name = "URL", group = "what", value_parser = location)]
	at: Option<String>,

	/// Copy everything, prove what is due, and end
	#[arg(long, requires = "at", conflicts_with_all = IN_PLACE_OF_A_COPY)]
	once: bool,

	/// Write metrics to this file, in the text format of Prometheus, at each block
	#[arg(long, value_name = "FILE", requires = "at", conflicts_with_all = IN_PLACE_OF_A_COPY)]
	metrics: Option<PathBuf>,

	/// Give up the place among the keepers, and get the deposit back, less a part for each period missed in a row. The
	/// copy stays where it is
	#[arg(long, group = "what")]
	leave: bool,

	/// Put this amount, in IST, into the pot from which the keepers are paid. It cannot be taken out again
	#[arg(long, value_name = "IST", group = "what", value_parser = amount)]
	fund: Option<Balance>,

	/// Count the periods that this keeper has missed. It loses its place if there are too many in a row
	#[arg(long, value_name = "KEEPER", group = "what", value_parser = account)]
	report: Option<AccountId>,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match self.at {
			// It waits for blocks, but never until they are final.
			Some(_) => NODE | KEY | SENDS,
			None => SENDS_AND_ENDS,
		}
	}
}

/// What a keeper did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "did")]
pub(crate) enum Did {
	/// It copied an object.
	Copied { again: bool, bytes: u64, key: Key },
	/// It deleted the copy of an object that was removed.
	Deleted { key: Key },
	/// It deleted the copy of an object that was removed when it did not run.
	Tidied { object: String },
	/// It took its place, or moved its copy.
	Came {
		block: BlockNumber,
		dataset: DatasetId,
		location: String,
	},
	/// It proved a piece.
	Proved {
		block: BlockNumber,
		key: Key,
		period: Period,
		piece: u64,
	},
	/// It had nothing to prove, because the drawn object was stored too late.
	Excused { block: BlockNumber },
	/// It gave up its place.
	Left {
		block: BlockNumber,
		dataset: DatasetId,
	},
	/// It put money into a pot.
	Funded {
		amount: Amount,
		block: BlockNumber,
		dataset: DatasetId,
	},
	/// It reported a keeper.
	Reported {
		block: BlockNumber,
		dataset: DatasetId,
		keeper: AccountId,
	},
}

impl fmt::Display for Did {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Copied {
				again,
				bytes: length,
				key,
			} => {
				let again = if *again { " again" } else { "" };
				write!(f, "copied {key}{again} ({})", bytes(*length))
			}
			Self::Deleted { key } => write!(f, "deleted the copy of {key}, which was removed"),
			Self::Tidied { object } => write!(
				f,
				"deleted the copy of object {object}, whose record was removed"
			),
			Self::Came {
				block,
				dataset,
				location,
			} => {
				let location = shown(location);
				write!(f, "block {block}: keeps dataset {dataset} at {location}")
			}
			Self::Proved {
				block,
				key,
				period,
				piece,
			} => write!(
				f,
				"block {block}: proved piece {piece} of {key}, for period {period}"
			),
			Self::Excused { block } => write!(
				f,
				"block {block}: nothing to prove, because the drawn object was stored too late for this period"
			),
			Self::Left { block, dataset } => {
				write!(f, "block {block}: no longer a keeper of dataset {dataset}")
			}
			Self::Funded {
				amount,
				block,
				dataset,
			} => write!(
				f,
				"block {block}: {amount} more for the keepers of dataset {dataset}"
			),
			Self::Reported {
				block,
				dataset,
				keeper,
			} => write!(
				f,
				"block {block}: counted what {keeper} missed of dataset {dataset}"
			),
		}
	}
}

/// Runs the command. Prints what a keeper does as it happens.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Option<Did>, Error> {
	let keeping = opts.at.as_deref();
	let keeping = keeping.map(|at| open(at, &opts)).transpose()?;
	let metrics = opts.metrics.clone();
	let metrics = metrics.map(|path| MetricsFile::new(path, "keep"));
	let metrics = metrics.transpose()?;
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let Opts { owner, dataset, .. } = opts;
	let client = &context.client;
	let send = async |call: Call| Ok::<_, Error>(context.send(&identity, &call).await?.number());
	Ok(Some(match (keeping, opts.fund, opts.report) {
		(Some(keeping), ..) => {
			let keeping = if opts.once { keeping.once() } else { keeping };
			run_keeper(context, &identity, keeping, metrics, &opts).await?;
			return Ok(None);
		}
		(None, Some(amount), _) => Did::Funded {
			block: send(client.fund_keepers(&owner, dataset, amount).await?).await?,
			amount: Amount(amount),
			dataset,
		},
		(None, None, Some(keeper)) => Did::Reported {
			block: send(client.report_missed(&owner, dataset, &keeper).await?).await?,
			dataset,
			keeper,
		},
		(None, None, None) => Did::Left {
			block: send(client.stop_keeping(&owner, dataset).await?).await?,
			dataset,
		},
	}))
}

/// Opens the folder of the copies.
fn open(at: &str, opts: &Opts) -> Result<Keeping, Error> {
	let keeping = Keeping::open(opts.owner, opts.dataset, at).map_err(Error::usage)?;
	let url = keeping.location().url();
	location(url).map_err(|error| Error::usage(format!("{url}: {error}")))?;
	match keeping.location().takes_objects() {
		true => Ok(keeping),
		false => Err(Error::usage(format!("{url}: nothing can be written there"))),
	}
}

/// Checks that copies can be written, before anything is copied. A store that does not answer now may do so later.
async fn check_writable(keeping: &Keeping) -> Result<(), Error> {
	match keeping.location().check_writable().await {
		Err(failure) if !failure.is_passing() => {
			let url = shown(keeping.location().url());
			Err(Error::failed(format!("{url}: {failure}")))
		}
		_ => Ok(()),
	}
}

/// Keeps until a signal ends the command, or once.
async fn run_keeper(
	context: &Context,
	identity: &Identity,
	mut keeping: Keeping,
	metrics: Option<MetricsFile>,
	opts: &Opts,
) -> Result<(), Error> {
	check_writable(&keeping).await?;
	let service = Service::from_env().map_err(Error::usage)?;
	let metrics =
		metrics.map(|file| Metrics::new(file, identity.account.id(), (&opts.owner, opts.dataset)));
	let mut reporter = Reporter {
		context,
		metrics,
		service: &service,
		trouble: Trouble::default(),
		opts,
		location: keeping.location().url().to_owned(),
		silence: Silence::begin(Instant::now()),
		not_copied: false,
		not_deleted: false,
		not_proven: false,
	};
	if opts.once {
		keep(&context.client, identity, &mut keeping, &mut reporter).await?;
		return match reporter.not_copied || reporter.not_deleted || reporter.not_proven {
			false => Ok(()),
			true => Err(Error::failed(
				"not everything could be copied, deleted and proven",
			)),
		};
	}
	let (reporter, keeping, service) = (&mut reporter, &mut keeping, &service);
	on_signals(|stop| async move {
		tell(format_args!(
			"keeping dataset {} of {} as {}",
			opts.dataset,
			opts.owner,
			identity.account.id()
		));
		tokio::select! {
			kept = keep_for_ever(reporter, identity, keeping, &stop) => {
				service.ends();
				kept
			}
			never = service.stay_alive() => match never {},
			never = context.client.watch_finality() => match never {},
		}
	})
	.await
}

/// Keeps until the place is lost or the command is asked to end; then a transaction in flight is waited for. After another error, tries again after a wait that doubles with each attempt.
async fn keep_for_ever(
	reporter: &mut Reporter<'_>,
	identity: &Identity,
	keeping: &mut Keeping,
	stop: &Stop,
) -> Result<(), Error> {
	let mut retry = Retry::begin();
	loop {
		let client = &reporter.context.client;
		let kept = keep_until(stop.asked(), client, identity, keeping, &mut *reporter);
		let error = match kept.await {
			Ok(()) => return Ok(()),
			// Only the user can decide what to do about it.
			Err(error @ (SdkError::Keeper(_) | SdkError::Refused(_) | SdkError::Newer(_))) => {
				return Err(error.into())
			}
			Err(error) => retry.tell(&error.into()),
		};
		reporter.service.is_at(&error);
		reporter.trouble.begins();
		if let Some(metrics) = &mut reporter.metrics {
			metrics.failed();
		}
		if !retry.again(stop).await {
			return Ok(());
		}
	}
}

/// After how long without a copied object it is said that there are more to copy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nothing was said of what goes on.
struct Silence {
	since: Instant,
	/// After how long that is said. Then it is said whenever twice as long has passed.
	next: Duration,
}

impl Silence {
	fn begin(since: Instant) -> Self {
		let next = PATIENCE;
		Self { since, next }
	}

	/// Returns whether it is time to say it.
	fn is_over(&mut self, now: Instant) -> bool {
		let is_over = now.duration_since(self.since) >= self.next;
		if is_over {
			self.next = self.next.saturating_mul(2);
		}
		is_over
	}
}

/// Prints what a keeper does.
struct Reporter<'a> {
	context: &'a Context,
	metrics: Option<Metrics>,
	service: &'a Service,
	trouble: Trouble,
	opts: &'a Opts,
	/// Where the copy is.
	location: String,
	/// How long no object was copied.
	silence: Silence,
	/// Whether an object could not be copied.
	not_copied: bool,
	/// Whether the copy of a removed object could not be deleted.
	not_deleted: bool,
	/// Whether the last piece that was drawn could not be proven.
	not_proven: bool,
}

impl Watch for &mut Reporter<'_> {
	fn did(&mut self, step: Step) {
		if let Some(metrics) = &mut self.metrics {
			metrics.did(&step);
		}
		let did = match step {
			Step::Copied { key, length, again } => {
				self.silence = Silence::begin(Instant::now());
				Did::Copied {
					again,
					bytes: length,
					key: Key(key),
				}
			}
			Step::Deleted { key } => Did::Deleted { key: Key(key) },
			Step::Tidied { object } => Did::Tidied { object },
			Step::Came { included } => Did::Came {
				block: included.number(),
				dataset: self.opts.dataset,
				location: self.location.clone(),
			},
			Step::Proven {
				challenge,
				included,
			} => {
				self.not_proven = false;
				Did::Proved {
					block: included.number(),
					key: Key(challenge.key),
					period: challenge.period,
					piece: challenge.piece,
				}
			}
			Step::Excused { included } => Did::Excused {
				block: included.number(),
			},
			Step::NotCopied { key, error } => {
				self.not_copied = true;
				return tell(format_args!("object {}: {error}", Key(key)));
			}
			Step::NotDeleted { failure } => {
				self.not_deleted = true;
				return tell(format_args!(
					"the copy of a removed object is not deleted: {failure}"
				));
			}
			Step::NotListed { failure } => {
				return tell(format_args!(
					"{} cannot be listed, so copies of removed objects may be left there: {failure}",
					shown(&self.location)
				));
			}
			Step::Unusable { key } => {
				return tell(format_args!(
					"object {}: what the chain has of it is not an object, and cannot be kept",
					Key(key)
				));
			}
			Step::NotProven {
				period,
				key,
				reason,
			} => {
				self.not_proven = true;
				return tell(format_args!(
					"period {period}: {} is not proven: {reason}",
					Key(key)
				));
			}
			_ => return,
		};
		// It is done already, so a full disk under the log does not stop the command.
		if let Err(error) = self.context.output.print(&did) {
			self.context.output.fail(&error);
		}
	}

	fn looked(&mut self, look: &Look) {
		if let Some(metrics) = &mut self.metrics {
			metrics.looked(look.clone());
		}
		let Look {
			block,
			copied,
			objects,
			..
		} = look;
		let status = format!("block {block}: {copied} of {objects} objects copied");
		self.service.is_ready(&status);
		self.trouble.ends(&status);
		let now = Instant::now();
		if copied == objects {
			self.silence = Silence::begin(now);
		} else if self.silence.is_over(now) {
			// A large object takes long.
			tell(status);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_takes_long_is_said_less_and_less_often() {
		let begin = Instant::now();
		let mut silence = Silence::begin(begin);
		for (seconds, is_over) in [
			(0, false),
			(29, false),
			(30, true),
			(59, false),
			(61, true),
			(119, false),
			(120, true),
		] {
			let now = begin + Duration::from_secs(seconds);
			assert_eq!(silence.is_over(now), is_over, "{seconds}");
		}
	}
}
