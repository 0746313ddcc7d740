// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset`: manages a producer's datasets, their epochs and their policies.

mod changed;
mod epoch;
mod listed;
mod own;
mod policy;
mod remove;
mod renew;

pub(crate) use listed::list;
pub(crate) use own::{only, own};
pub(crate) use policy::{policy_json, PolicyText};

use crate::{
	context::Context,
	describe, erase,
	error::Error,
	handover::{self, AcceptOpts, TransferOpts},
	options::Options,
	recount,
	report::Report,
	text::{account, shown},
	uses::{Uses, DRY_RUN, KEY, NODE, OPENS, OWNER, SENDS_AND_ENDS},
};
use changed::Changed;
use isthmus_sdk::{
	objects::{self, FolderFault},
	sharing::Readers,
	AccountId, BlockNumber, DatasetId, Epoch, Identity, Leaves, Location,
};
use policy::PolicyOpts;
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus dataset create marks --key school.key
  isthmus dataset policy 0 --price 2 --longest-term 10000 --consumers school --key school.key")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		let sends = match &self.command {
			Command::List => return NODE | KEY | OWNER,
			// It has a dry run, and sends nothing.
			Command::Erase { .. } => NODE | KEY | DRY_RUN,
			Command::Describe(opts) if opts.is_for_anyone() => return NODE,
			Command::Describe(opts) if !opts.spends() => NODE | KEY,
			Command::Close { .. } | Command::Open { .. } | Command::Locate { .. } => {
				return SENDS_AND_ENDS | OWNER
			}
			_ => SENDS_AND_ENDS,
		};
		sends | OWNER | OPENS
	}
}

#[derive(clap::Subcommand)]
enum Command {
	/// Create a dataset, and print its number
	Create {
		/// Public name of the dataset
		name: String,

		/// Draw the keys of its epochs at random, so that the keys of single records can be erased
		#[arg(long)]
		erasable: bool,
	},
	/// List your datasets and their policies
	List,
	/// Set which requests `isthmus serve` grants automatically, or remove the policy
	Policy(Box<PolicyOpts>),
	/// Start a new epoch: readers need new grants for what is stored from now on
	Epoch {
		/// Number of the dataset
		dataset: DatasetId,

		/// Draw its keys and those of later epochs at random, so that the keys of single records can
		/// be erased
		#[arg(long)]
		erasable: bool,
	},
	/// Give readers of an earlier epoch their grants again, for the current one
	#[command(after_help = renew::HELP)]
	Renew {
		/// Number of the dataset
		dataset: DatasetId,

		/// Epoch whose grants are given again [default: the one before the current epoch]
		#[arg(long, value_name = "EPOCH")]
		from: Option<Epoch>,

		/// Reader who gets no grant; may be repeated
		#[arg(long, value_name = "ACCOUNT", value_parser = account)]
		except: Vec<AccountId>,

		/// Do not ask on the terminal, and renew also if the chain may have forgotten a revocation
		#[arg(long, short)]
		yes: bool,
	},
	/// Erase the keys of leaves of an erasable epoch: no one can open what is stored there any more
	#[command(after_help = erase::HELP)]
	Erase {
		/// Number of the dataset
		dataset: DatasetId,

		/// Leaves whose keys are erased: by numbers, the first and one past the last; or by names or dates, the first
		/// and the last. Names are those of records or, with --card, of leaves
		#[arg(long, value_name = "FROM..TO")]
		leaves: Leaves,

		/// Card of the dataset, for what it calls leaves: the one whose hash is on the chain
		#[arg(long, value_name = "FILE")]
		card: Option<PathBuf>,

		/// Erase also the keys of the other records between two that --leaves names
		#[arg(long)]
		all_between: bool,

		/// Epoch of the leaves [default: the current one]
		#[arg(long)]
		epoch: Option<Epoch>,

		/// Do not ask on the terminal whether to erase them
		#[arg(long, short)]
		yes: bool,
	},
	/// Take no more requests
	Close {
		/// Number of the dataset
		dataset: DatasetId,
	},
	/// Take requests again
	Open {
		/// Number of the dataset
		dataset: DatasetId,
	},
	/// Publish where the dataset's objects lie, in place of what was published before
	#[command(after_help = "\
Large values are then stored there, encrypted, and the chain has only their checksums. A location is
a folder in a store: readers try one after the other, and check each MiB against the chain. Everyone
sees the addresses: s3://, gs:// and az:// with a bucket, file:// with a folder of this machine, and
https:// with a web server, which is only read. Credentials are in the variables of the store's own
tools, or in AWS_PROFILE: see docs/cli.md.

Examples:
  isthmus dataset locate 0 file:///srv/records --key school.key
  isthmus dataset locate 0 s3://grades/2026 https://mirror.example.org/grades --key school.key
  isthmus dataset locate 0 --clear --key school.key")]
	Locate {
		/// Number of the dataset
		dataset: DatasetId,
		/// Addresses, the one to try first at the beginning, such as s3://BUCKET/FOLDER or file:///FOLDER
		#[arg(value_name = "URL", required_unless_present = "clear", value_parser = location)]
		locations: Vec<String>,
		/// Withdraw what was published
		#[arg(long, conflicts_with = "locations")]
		clear: bool,
	},
	/// Offer a dataset to another producer, who takes it over with its deposits
	#[command(after_help = handover::TRANSFER_HELP)]
	Transfer(TransferOpts),
	/// Take over a dataset that is offered to you
	#[command(after_help = handover::ACCEPT_HELP)]
	Accept(AcceptOpts),
	/// Count again what readers paid for, after one of several sold grants has ended
	#[command(after_help = recount::HELP)]
	Recount {
		/// Number of the dataset
		dataset: DatasetId,

		/// Epoch whose grants are counted [default: the current one]
		#[arg(long)]
		epoch: Option<Epoch>,
	},
	/// Make the card of a dataset, put its hash on the chain, or compare a card with that
	#[command(after_help = describe::HELP)]
	Describe(describe::Opts),
	/// Free the leaves of removed records whose epoch is over, and get their deposits back
	Free {
		/// Number of the dataset
		dataset: DatasetId,
	},
	/// Remove a dataset without records, open requests and grants, and get the deposits back
	Remove {
		/// Number of the dataset
		dataset: DatasetId,
	},
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let needs_key = opts.uses() & KEY != 0;
	let context = &Context::connect_as(options, needs_key).await?;
	let command = match opts.command {
		Command::Describe(opts) if opts.is_for_anyone() => {
			return describe::check(context, None, opts).await;
		}
		command => command,
	};
	let identity = &context.identity().await?;
	Ok(match command {
		Command::List => Box::new(list(context, identity.id()).await?),
		Command::Create { name, erasable } => {
			Box::new(epoch::create(context, identity, &name, erasable).await?)
		}
		Command::Policy(opts) => Box::new(policy::set_policy(context, identity, *opts).await?),
		Command::Epoch { dataset, erasable } => {
			Box::new(epoch::start_epoch(context, identity, dataset, erasable).await?)
		}
		Command::Renew {
			dataset,
			from,
			except,
			yes,
		} => {
			let readers = Readers {
				from,
				except,
				all: yes,
			};
			Box::new(renew::run(context, identity, dataset, readers).await?)
		}
		Command::Erase {
			dataset,
			leaves,
			card,
			all_between,
			epoch,
			yes,
		} => {
			let owner = identity.id();
			let now = own(&context.client.best().await?, owner, dataset).await?;
			let names = describe::leaf_names(context, card.as_deref(), owner, dataset).await?;
			let asked = describe::Asked {
				owner,
				dataset,
				epoch,
				current: now.epoch,
				leaves: &leaves,
				names: names.as_ref(),
				all_between,
			};
			let scope = describe::scope(context, identity, &asked).await?;
			Box::new(erase::run(context, identity, &scope, yes)?)
		}
		Command::Close { dataset } => Box::new(set_closed(context, identity, dataset, true).await?),
		Command::Open { dataset } => Box::new(set_closed(context, identity, dataset, false).await?),
		Command::Locate {
			dataset, locations, ..
		} => Box::new(locate(context, identity, dataset, locations).await?),
		Command::Transfer(opts) => Box::new(handover::transfer(context, identity, opts).await?),
		Command::Accept(opts) => Box::new(handover::accept(context, identity, opts).await?),
		Command::Recount { dataset, epoch } => {
			Box::new(recount::run(context, identity, dataset, epoch).await?)
		}
		Command::Describe(opts) => describe::run(context, identity, opts).await?,
		Command::Free { dataset } => Box::new(remove::free(context, identity, dataset).await?),
		Command::Remove { dataset } => Box::new(remove::remove(context, identity, dataset).await?),
	})
}

/// Reads a location. A slash at its end is left out, as the chain has it.
pub(crate) fn location(url: &str) -> Result<String, String> {
	let url = url.trim_end_matches('/');
	match Location::read(url.as_bytes()) {
		Ok(_) => Ok(url.to_owned()),
		// The error would repeat what may be a password.
		Err(_) if url.contains('@') => Err("a location is public: give credentials in the environment, and no user or password in it".into()),
		Err(error) => Err(match meant(url) {
			Some(meant) => format!("{error}; {meant}"),
			None => error.to_string(),
		}),
	}
}

/// Returns how what other programs take for a location is written here.
fn meant(text: &str) -> Option<String> {
	if text.starts_with('/') {
		return Some(format!("a folder of this machine is file://{text}"));
	}
	let (scheme, _) = text.split_once(':')?;
	Some(match scheme.to_ascii_lowercase().as_str() {
		"s3" => "write s3://BUCKET/FOLDER, and the address of a store of your own into $AWS_ENDPOINT_URL, which is not published".into(),
		scheme @ ("gs" | "az") => format!("write {scheme}://BUCKET/FOLDER"),
		_ => return None,
	})
}

/// What was published about a dataset's objects.
#[derive(Serialize)]
struct Located {
	block: BlockNumber,
	dataset: DatasetId,
	locations: Vec<String>,
}

impl fmt::Display for Located {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			locations,
		} = self;
		match &locations[..] {
			[] => write!(
				f,
				"block {block}: withdrew the locations of dataset {dataset}"
			),
			locations => {
				let locations = shown(locations.join(", "));
				write!(
					f,
					"block {block}: dataset {dataset} has its objects at {locations}"
				)
			}
		}
	}
}

/// Checks that no file is in the place of a folder of this machine. One that is not there yet is made by the first object.
fn check_folder(url: &str) -> Result<(), Error> {
	let fault = objects::Location::open(url)
		.ok()
		.and_then(|location| location.fault());
	match fault {
		Some(fault @ FolderFault::NoFolder { .. }) => Err(Error::failed(format!("{url}: {fault}"))),
		_ => Ok(()),
	}
}

async fn locate(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	locations: Vec<String>,
) -> Result<Located, Error> {
	let best = context.client.best().await?;
	own(&best, identity.id(), dataset).await?;
	locations.iter().try_for_each(|url| check_folder(url))?;
	let call = context.client.set_locations(dataset, &locations).await?;
	let block = context.send(identity, &call).await?.number();
	Ok(Located {
		block,
		dataset,
		locations,
	})
}

async fn set_closed(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	closed: bool,
) -> Result<Changed, Error> {
	let entry = own(&context.client.best().await?, identity.id(), dataset).await?;
	let change = match closed {
		true => format!("dataset {dataset} takes no more requests"),
		false => format!("dataset {dataset} takes requests"),
	};
	if entry.closed == closed {
		return Ok(Changed {
			block: None,
			change,
		});
	}
	let call = context.client.set_closed(dataset, closed).await?;
	let block = Some(context.send(identity, &call).await?.number());
	Ok(Changed { block, change })
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_other_programs_take_for_a_location_is_not_taken_without_a_word() {
		for (text, word) in [
			("/Srv/records", "file:///Srv/records"),
			("s3://minio:9000/grades/2026", "$AWS_ENDPOINT_URL"),
			("s3:http://127.0.0.1:9000/grades", "$AWS_ENDPOINT_URL"),
			("s3:https://minio.example/grades", "$AWS_ENDPOINT_URL"),
			("s3:grades/2026", "s3://BUCKET/FOLDER"),
			("gs:grades:/2026", "gs://BUCKET/FOLDER"),
		] {
			let refused = location(text).unwrap_err();
			assert!(refused.contains(word), "{text}: {refused}");
		}
		for text in ["srv/records", "ftp://a/x", "https://a:b:c/x"] {
			let refused = location(text).unwrap_err();
			assert!(!refused.contains("write s3"), "{text}: {refused}");
		}
		for text in ["s3://KEY:geheim@grades/x", "https://me:ge/heim@a.example"] {
			let refused = location(text).unwrap_err();
			assert!(refused.contains("in the environment"), "{refused}");
			assert!(!refused.contains("heim"), "{refused}");
		}
		for (text, taken) in [
			("s3://grades/a@b", "s3://grades/a@b"),
			("s3://grades/2026/", "s3://grades/2026"),
			("https://a.example:8443/x", "https://a.example:8443/x"),
			("file:///srv/records", "file:///srv/records"),
		] {
			assert_eq!(location(text).as_deref(), Ok(taken));
		}
	}
}
