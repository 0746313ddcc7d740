// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset`: manages a producer's datasets, their epochs and their policies.

use crate::{
	context::Context,
	describe,
	erase::{self, InFile, Marked},
	error::Error,
	handover::{self, AcceptOpts, TransferOpts},
	options::Options,
	recount,
	report::{Lines, Report},
	stderr::tell,
	text::{amount, condition, count, only_if, operand, shown, Amount, Key},
};
use isthmus_sdk::{
	every, AccountId, Balance, BlockNumber, Call, Condition, ConsumerKinds, Dataset, DatasetEntry,
	DatasetId, Epoch, Error as SdkError, Event, Identity, LeafUse, Leaves, Location, Names, Policy,
	PurposeCode, PurposeCodes, State, Text, LEAVES_PER_EPOCH,
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeSet, fmt, path::PathBuf};

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
	/// Returns whether the command sends a transaction.
	pub(crate) fn spends(&self) -> bool {
		match &self.command {
			Command::List => false,
			Command::Describe(opts) => opts.spends(),
			_ => true,
		}
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

#[derive(clap::Args)]
struct PolicyOpts {
	/// Number of the dataset
	dataset: DatasetId,

	/// Lowest offer to accept, in IST
	#[arg(long, value_name = "IST", default_value = "0", value_parser = amount)]
	price: Balance,

	/// Lowest offer for a firm term, which you cannot revoke, in IST [default: no firm terms]
	#[arg(long, value_name = "IST", value_parser = amount)]
	firm_price: Option<Balance>,

	/// Largest number of leaves that a request may ask for [default: no limit]
	#[arg(
		long,
		value_name = "LEAVES",
		default_value_t = LEAVES_PER_EPOCH,
		hide_default_value = true,
		value_parser = clap::value_parser!(u64).range(1..=LEAVES_PER_EPOCH)
	)]
	longest_range: u64,

	/// Longest term that a request may ask for
	#[arg(
		long,
		value_name = "BLOCKS",
		required_unless_present = "clear",
		value_parser = clap::value_parser!(u32).range(1..)
	)]
	longest_term: Option<u32>,

	/// Kinds of consumers to accept, separated by commas
	#[arg(
		long,
		value_name = "KINDS",
		value_delimiter = ',',
		default_value = "all"
	)]
	consumers: Vec<Consumers>,

	/// Purposes to accept, by their codes, separated by commas [default: any]. Requests for another wait for you
	#[arg(long, value_name = "CODES", value_delimiter = ',')]
	purposes: Vec<PurposeCode>,

	/// Condition that a request has to meet: about its reader, what it pays, facts and time. The chain refuses a request
	/// that is known not to meet it
	#[arg(long, value_name = "CONDITION", value_parser = condition)]
	when: Option<Condition>,

	/// Remove the policy
	#[arg(long)]
	clear: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Consumers {
	All,
	School,
	Government,
	Business,
	Other,
	Unregistered,
}

fn kinds(named: &[Consumers]) -> ConsumerKinds {
	let has = |kind| named.contains(&Consumers::All) || named.contains(&kind);
	ConsumerKinds {
		school: has(Consumers::School),
		government: has(Consumers::Government),
		business: has(Consumers::Business),
		other: has(Consumers::Other),
		unregistered: has(Consumers::Unregistered),
	}
}

/// A policy as text.
pub(crate) struct PolicyText<'a>(pub(crate) &'a Policy);

impl fmt::Display for PolicyText<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Policy {
			price,
			firm_price,
			longest_range,
			longest_term,
			consumers,
			purposes,
		} = self.0;
		let kinds = [
			(consumers.school, "schools"),
			(consumers.government, "government"),
			(consumers.business, "businesses"),
			(consumers.other, "others"),
			(consumers.unregistered, "unregistered"),
		];
		let named: Vec<&str> = kinds
			.iter()
			.filter(|(on, _)| *on)
			.map(|(_, name)| *name)
			.collect();
		let named = match named.len() == kinds.len() {
			true => "all".to_owned(),
			false => named.join(", "),
		};
		let price = Amount(*price);
		let firm =
			firm_price.map_or_else(String::new, |price| format!(", firm for {}", Amount(price)));
		match *longest_range < LEAVES_PER_EPOCH {
			true => write!(f, "{price} for up to {}", count(*longest_range, "leaf"))?,
			false => write!(f, "{price} for any number of leaves")?,
		}
		let term = count(*longest_term, "block");
		write!(f, " and up to {term}{firm}, for {named}")?;
		match *purposes == PurposeCodes::ALL {
			true => Ok(()),
			false => write!(f, "; purposes: {purposes}"),
		}
	}
}

/// A dataset that was created.
#[derive(Serialize)]
struct Created {
	block: BlockNumber,
	dataset: DatasetId,
	/// The file with the keys of its epochs, if they are erasable.
	#[serde(skip_serializing_if = "Option::is_none")]
	keys: Option<PathBuf>,
}

impl fmt::Display for Created {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { block, dataset, .. } = self;
		write!(
			f,
			"block {block}: created dataset {dataset}{}",
			InFile(&self.keys)
		)
	}
}

/// A policy that was set or removed, or a dataset that was removed.
#[derive(Serialize)]
struct Changed {
	/// The block; `None` if nothing had to be changed.
	block: Option<BlockNumber>,
	/// What changed, for a person.
	#[serde(skip)]
	change: String,
}

impl fmt::Display for Changed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.block {
			Some(block) => write!(f, "block {block}: {}", self.change),
			None => write!(f, "unchanged: {}", self.change),
		}
	}
}

/// An epoch that was started.
#[derive(Serialize)]
struct Started {
	block: BlockNumber,
	dataset: DatasetId,
	epoch: Epoch,
	/// The file with its keys, if it is erasable.
	#[serde(skip_serializing_if = "Option::is_none")]
	keys: Option<PathBuf>,
}

impl fmt::Display for Started {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			epoch,
			keys,
		} = self;
		let keys = InFile(keys);
		write!(
			f,
			"block {block}: dataset {dataset} is now in epoch {epoch}{keys}"
		)
	}
}

/// Leaves that were freed.
#[derive(Serialize)]
struct Freed {
	/// The last transaction's block; `None` if there was nothing to free.
	block: Option<BlockNumber>,
	freed: usize,
	/// How many leaves can be freed once the current epoch is over.
	wait: usize,
	#[serde(skip)]
	dataset: DatasetId,
	#[serde(skip)]
	epoch: Epoch,
}

impl fmt::Display for Freed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { dataset, epoch, .. } = self;
		let freed = count(self.freed as u64, "leaf");
		match self.block {
			Some(block) => write!(f, "block {block}: freed {freed} of dataset {dataset}")?,
			None => write!(f, "no leaf of dataset {dataset} to free")?,
		}
		match self.wait {
			0 => Ok(()),
			wait => write!(
				f,
				"; {wait} more after epoch {epoch} is over: isthmus dataset epoch {dataset}"
			),
		}
	}
}

/// A dataset in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
	closed: bool,
	/// The condition that requests have to meet.
	condition: Option<String>,
	dataset: DatasetId,
	epoch: Epoch,
	grants: u64,
	/// How many accounts keep a copy of its objects.
	keepers: usize,
	/// The newest block with a proof of one of them.
	last_proven: Option<BlockNumber>,
	leaves: u64,
	locations: Vec<String>,
	name: String,
	objects: u32,
	/// The account that controls it, if that is another one than the owner.
	controller: Option<AccountId>,
	/// The account that it is offered to.
	offered_to: Option<AccountId>,
	owner: AccountId,
	/// Whether it is another account's that the listed one took over.
	#[serde(skip)]
	is_taken_over: bool,
	#[serde(serialize_with = "policy_json")]
	policy: Option<Policy>,
	requests: u64,
}

/// Writes a policy with its text beside its fields.
pub(crate) fn policy_json<S: Serializer>(
	policy: &Option<Policy>,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	#[derive(Serialize)]
	#[serde(rename_all = "camelCase")]
	struct Json {
		firm_price: Option<Amount>,
		longest_range: u64,
		longest_term: BlockNumber,
		price: Amount,
		/// Their codes.
		purposes: Vec<&'static str>,
		words: String,
	}
	let json = policy.as_ref().map(|policy| Json {
		firm_price: policy.firm_price.map(Amount),
		longest_range: policy.longest_range,
		longest_term: policy.longest_term,
		price: Amount(policy.price),
		purposes: policy
			.purposes
			.codes()
			.into_iter()
			.map(PurposeCode::name)
			.collect(),
		words: PolicyText(policy).to_string(),
	});
	json.serialize(serializer)
}

impl fmt::Display for Listed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.is_taken_over {
			true => writeln!(
				f,
				"dataset {} of {}: {}",
				self.dataset, self.owner, self.name
			)?,
			false => writeln!(f, "dataset {}: {}", self.dataset, self.name)?,
		}
		let Self {
			epoch,
			leaves,
			requests,
			grants,
			..
		} = self;
		write!(
			f,
			"  epoch {epoch}; in all epochs: leaves taken {leaves}, open requests {requests}, grants {grants}"
		)?;
		if self.is_taken_over {
			write!(f, "\n  taken over: --for {}", self.owner)?;
		} else if let Some(controller) = &self.controller {
			write!(f, "\n  controlled by {controller}")?;
		}
		if let Some(to) = &self.offered_to {
			write!(f, "\n  offered to {to}")?;
		}
		if self.closed {
			write!(f, "\n  takes no more requests")?;
		}
		if self.objects > 0 || !self.locations.is_empty() {
			let at = match self.locations.is_empty() {
				true => "no location is published".to_owned(),
				false => format!("at {}", shown(self.locations.join(", "))),
			};
			write!(f, "\n  {}, {at}", count(self.objects, "object"))?;
		}
		if self.keepers > 0 {
			let proven = match self.last_proven {
				Some(block) => format!("last proven in block {block}"),
				None => "not proven yet".to_owned(),
			};
			let keepers = count(self.keepers as u64, "account");
			write!(f, "\n  kept by {keepers}, {proven}")?;
		}
		match &self.policy {
			Some(policy) => {
				let condition = only_if(self.condition.as_ref());
				write!(f, "\n  policy: {}{condition}", PolicyText(policy))
			}
			None => Ok(()),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let context = &Context::connect(options).await?;
	let identity = &context.identity().await?;
	Ok(match opts.command {
		Command::List => Box::new(list(context, identity.id()).await?),
		Command::Create { name, erasable } => {
			Box::new(create(context, identity, &name, erasable).await?)
		}
		Command::Policy(opts) => Box::new(set_policy(context, identity, *opts).await?),
		Command::Epoch { dataset, erasable } => {
			Box::new(start_epoch(context, identity, dataset, erasable).await?)
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
			let asked = describe::Asked {
				owner,
				dataset,
				epoch,
				current: now.epoch,
				leaves: &leaves,
				card: card.as_deref(),
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
		Command::Free { dataset } => Box::new(free(context, identity, dataset).await?),
		Command::Remove { dataset } => Box::new(remove(context, identity, dataset).await?),
	})
}

/// Reads a location. A slash at its end is left out, as the chain has it.
pub(crate) fn location(url: &str) -> Result<String, String> {
	let url = url.trim_end_matches('/');
	Location::read(url.as_bytes()).map_err(|error| error.to_string())?;
	Ok(url.to_owned())
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

async fn locate(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	locations: Vec<String>,
) -> Result<Located, Error> {
	let best = context.client.best().await?;
	own(&best, identity.id(), dataset).await?;
	let call = context.client.set_locations(dataset, &locations).await?;
	let block = context.send(identity, &call).await?.number();
	Ok(Located {
		block,
		dataset,
		locations,
	})
}

/// Lists the datasets of a producer, and those of others that it took over.
pub(crate) async fn list(context: &Context, owner: &AccountId) -> Result<Lines<Listed>, Error> {
	let best = context.client.best().await?;
	let mut listed = Vec::new();
	let entries = every(|after| best.datasets(owner, after)).await?;
	let kept = keepers_of(context, owner, &entries).await?;
	for entry in entries {
		listed.push(listed_as(&best, owner, owner, entry, &kept).await?);
	}
	let taken_over = best.controlled(owner).await?;
	let owners: BTreeSet<_> = taken_over.iter().map(|(owner, _)| owner.0).collect();
	for of in owners.into_iter().map(AccountId::from) {
		let mut entries = every(|after| best.datasets(&of, after)).await?;
		entries.retain(|entry| taken_over.contains(&(of, entry.id)));
		let kept = keepers_of(context, &of, &entries).await?;
		for entry in entries {
			listed.push(listed_as(&best, owner, &of, entry, &kept).await?);
		}
	}
	listed.sort_by_key(|entry| (entry.is_taken_over, entry.owner.0, entry.dataset));
	if listed.is_empty() {
		tell("no datasets");
	}
	Ok(Lines(listed))
}

/// Returns the keepers of an owner's datasets, proven, if one of these has objects: otherwise there is nothing to keep.
async fn keepers_of(
	context: &Context,
	owner: &AccountId,
	datasets: &[DatasetEntry],
) -> Result<Vec<isthmus_sdk::keepers::Kept>, Error> {
	match datasets.iter().any(|entry| entry.objects > 0) {
		true => Ok(context.client.proven().await?.keepers(owner).await?),
		false => Ok(Vec::new()),
	}
}

/// Returns a dataset of an owner as it is listed for an account. `kept` are the keepers of the owner's datasets.
async fn listed_as(
	best: &State,
	account: &AccountId,
	owner: &AccountId,
	entry: DatasetEntry,
	kept: &[isthmus_sdk::keepers::Kept],
) -> Result<Listed, Error> {
	let DatasetEntry {
		id,
		dataset,
		policy,
		condition,
		objects,
		locations,
	} = entry;
	let control = best.control(owner, id).await?;
	let controller = control.as_ref().map(|control| control.controller);
	let keepers = || kept.iter().filter(move |kept| kept.dataset == id);
	Ok(Listed {
		dataset: id,
		closed: dataset.closed,
		condition: condition.as_ref().map(ToString::to_string),
		controller: controller.filter(|controller| controller != owner),
		epoch: dataset.epoch,
		grants: dataset.grants,
		is_taken_over: account != owner,
		keepers: keepers().count(),
		last_proven: keepers().filter_map(|kept| kept.keeper.proven).max(),
		leaves: dataset.leaves,
		locations: locations
			.into_iter()
			.map(|url| Text(url).to_string())
			.collect(),
		name: dataset.name.to_string(),
		objects,
		offered_to: control.and_then(|control| control.offered_to),
		owner: *owner,
		policy,
		requests: dataset.requests,
	})
}

async fn create(
	context: &Context,
	identity: &Identity,
	name: &str,
	erasable: bool,
) -> Result<Created, Error> {
	let client = &context.client;
	let call = client.create_dataset(name).await?;
	let marked = match erasable {
		true => {
			let alone = erase::alone(context, identity).await?;
			let next = client.best().await?.next_dataset(identity.id()).await?;
			Some(Marked::new(context, identity, alone, (next, 0))?)
		}
		false => None,
	};
	let made = make(context, identity, &call).await;
	let first = made.as_ref().map(|(_, dataset)| (*dataset, 0));
	let keys = marked
		.map(|marked| marked.done(context, first))
		.transpose()?;
	let (block, dataset) = made?;
	if let (false, Some(file)) = (erasable, &identity.erasable) {
		erase::not_erasable(file, client.genesis(), (dataset, 0))?;
	}
	Ok(Created {
		block,
		dataset,
		keys,
	})
}

/// Makes a dataset. Returns its block and its number.
async fn make(
	context: &Context,
	identity: &Identity,
	call: &Call,
) -> Result<(BlockNumber, DatasetId), Error> {
	let included = context.send(identity, call).await?;
	let created = included.events.iter().find_map(|event| match event {
		Event::DatasetCreated { dataset, .. } => Some(*dataset),
		_ => None,
	});
	let dataset =
		created.ok_or_else(|| Error::failed("the block has no event with the dataset's number"))?;
	Ok((included.number(), dataset))
}

async fn set_policy(
	context: &Context,
	identity: &Identity,
	opts: PolicyOpts,
) -> Result<Changed, Error> {
	let (client, dataset) = (&context.client, opts.dataset);
	let best = client.best().await?;
	own(&best, identity.id(), dataset).await?;
	let old = policy(&best, identity.id(), dataset).await?;
	let (call, change) = match (opts.clear, opts.longest_term) {
		(true, _) => {
			let change = format!("removed the policy of dataset {dataset}");
			if old.is_none() {
				return Err(Error::refused(format!("dataset {dataset} has no policy")));
			}
			(client.clear_policy(dataset).await?, change)
		}
		(false, Some(longest_term)) => {
			let policy = Policy {
				price: opts.price,
				firm_price: opts.firm_price,
				longest_range: opts.longest_range,
				longest_term,
				consumers: kinds(&opts.consumers),
				purposes: match opts.purposes.is_empty() {
					true => PurposeCodes::ALL,
					false => opts.purposes.into_iter().collect(),
				},
			};
			let change = format!(
				"policy of dataset {dataset}: {}{}",
				PolicyText(&policy),
				only_if(opts.when.as_ref())
			);
			if old.as_ref() == Some(&(policy, opts.when.clone())) {
				return Ok(Changed {
					block: None,
					change,
				});
			}
			let call = client.set_policy(dataset, policy, opts.when).await?;
			(call, change)
		}
		(false, None) => return Err(Error::usage("missing --longest-term or --clear")),
	};
	let block = Some(context.send(identity, &call).await?.number());
	Ok(Changed { block, change })
}

/// Returns the policy of a dataset, if it has one, and its condition.
async fn policy(
	best: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Option<(Policy, Option<Condition>)>, Error> {
	let datasets = every(|after| best.datasets(owner, after)).await?;
	let entry = datasets.into_iter().find(|entry| entry.id == dataset);
	Ok(entry.and_then(|entry| Some((entry.policy?, entry.condition))))
}

async fn start_epoch(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	erasable: bool,
) -> Result<Lines<Started>, Error> {
	let client = &context.client;
	let call = client.start_epoch(dataset).await?;
	let marked = match erasable {
		true => {
			let alone = erase::alone(context, identity).await?;
			let entry = own(&client.best().await?, identity.id(), dataset).await?;
			let next = entry.epoch.saturating_add(1);
			Some(Marked::new(context, identity, alone, (dataset, next))?)
		}
		false => None,
	};
	let made = started(context, identity, &call).await;
	let next = made.as_ref().map(|(_, epoch)| (dataset, *epoch));
	let keys = marked
		.map(|marked| marked.done(context, next))
		.transpose()?;
	let (block, epoch) = made?;
	if let (false, Some(file)) = (erasable, &identity.erasable) {
		erase::not_erasable(file, client.genesis(), (dataset, epoch))?;
	}
	Ok(Lines(vec![Started {
		block,
		dataset,
		epoch,
		keys,
	}]))
}

/// Starts an epoch. Returns its block and its number.
async fn started(
	context: &Context,
	identity: &Identity,
	call: &Call,
) -> Result<(BlockNumber, Epoch), Error> {
	let included = context.send(identity, call).await?;
	let epoch = included.events.iter().find_map(|event| match event {
		Event::EpochStarted { epoch, .. } => Some(*epoch),
		_ => None,
	});
	let epoch =
		epoch.ok_or_else(|| Error::failed("the block has no event with the epoch's number"))?;
	Ok((included.number(), epoch))
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

/// Returns an owner's dataset.
pub(crate) async fn own(
	best: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Dataset, Error> {
	Ok(best.dataset_of(owner, Some(dataset)).await?.1)
}

/// Frees the leaves of removed records whose epoch is over.
async fn free(context: &Context, identity: &Identity, dataset: DatasetId) -> Result<Freed, Error> {
	let best = context.client.best().await?;
	let epoch = own(&best, identity.id(), dataset).await?.epoch;
	let (mut calls, mut wait) = (Vec::new(), 0);
	for (of, leaf, by) in best.leaves(identity.id(), dataset).await? {
		match by {
			LeafUse::Spent if of < epoch => {
				calls.push(context.client.free_leaf(dataset, of, leaf).await?);
			}
			LeafUse::Spent => wait += 1,
			LeafUse::Record(_) => {}
		}
	}
	let last = context.send_all(identity, &calls).await?;
	Ok(Freed {
		block: last.map(|last| last.number()),
		freed: calls.len(),
		wait,
		dataset,
		epoch,
	})
}

/// Frees the leaves of a dataset's removed records, and then removes the dataset.
async fn remove(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
) -> Result<Changed, Error> {
	let best = context.client.best().await?;
	let entry = own(&best, identity.id(), dataset).await?;
	check_unused(&best, &entry, dataset)?;
	let calls = removal(context, &best, identity, dataset, entry.epoch).await?;
	let last = context.send_all(identity, &calls).await?;
	let block = last.map(|last| last.number());
	let change = format!("removed dataset {dataset}");
	Ok(Changed { block, change })
}

/// Returns an error if a dataset has open requests or grants.
fn check_unused(best: &State, entry: &Dataset, dataset: DatasetId) -> Result<(), Error> {
	if entry.requests > 0 {
		let requests = count(entry.requests, "open request");
		return Err(in_use(dataset, &requests)
			.hint("list and reject them: isthmus requests, isthmus reject NUMBER"));
	}
	if entry.grants > 0 {
		let memory: BlockNumber = best.constant("GrantMemory")?;
		return Err(in_use(dataset, &count(entry.grants, "grant")).hint(format!(
			"list and revoke them: isthmus list given, isthmus revoke NUMBER; the chain forgets a grant {memory} blocks after its end"
		)));
	}
	Ok(())
}

fn in_use(dataset: DatasetId, what: &str) -> Error {
	Error::refused(format!("dataset {dataset} still has {what}"))
}

/// Returns the calls that free a dataset's leaves and remove it.
async fn removal(
	context: &Context,
	best: &State,
	identity: &Identity,
	dataset: DatasetId,
	current: Epoch,
) -> Result<Vec<Call>, Error> {
	let client = &context.client;
	let leaves = best.leaves(identity.id(), dataset).await?;
	let names = Names::new(client, identity);
	let mut calls = Vec::new();
	// A leaf can be freed only when its epoch is over.
	if leaves.iter().any(|(epoch, ..)| *epoch == current) {
		calls.push(client.start_epoch(dataset).await?);
	}
	for (epoch, leaf, by) in leaves {
		if let LeafUse::Record(key) = by {
			let name = Key(names.name(&key).unwrap_or(key));
			return Err(in_use(dataset, &format!("the record {name}")).hint(format!(
				"remove it first: isthmus remove {}",
				operand(&name.to_string())
			)));
		}
		calls.push(client.free_leaf(dataset, epoch, leaf).await?);
	}
	calls.push(client.remove_dataset(dataset).await?);
	Ok(calls)
}

/// Returns the only dataset of an owner.
pub(crate) async fn only(context: &Context, owner: &AccountId) -> Result<DatasetId, Error> {
	let best = context.client.best().await?;
	match best.dataset_of(owner, None).await {
		Ok((only, _)) => Ok(only),
		Err(SdkError::NoDataset(owner)) => Err(Error::refused(format!("{owner} has no dataset"))
			.hint("create one: isthmus dataset create NAME")),
		Err(SdkError::SeveralDatasets(owner)) => Err(Error::usage(format!(
			"{owner} has several datasets: pass --dataset"
		))
		.hint(format!("list them: isthmus list datasets --owner {owner}"))),
		Err(error) => Err(error.into()),
	}
}
