//! `isthmus dataset`: a producer's datasets, their epochs and policies.

use crate::{
	context::{amount, ist, key_name, Context},
	error::{Error, Kind},
};
use isthmus_sdk::{
	every, AccountId, Balance, ConsumerKinds, Dataset, DatasetId, Event, Identity, LeafUse, Policy,
	State,
};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus dataset create marks --key school.key
  isthmus dataset policy 0 --price 2 --longest-range 100 --longest-term 10000 --consumers business,school")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
	/// Opens a dataset, and answers with its number.
	Create {
		/// What it is called; everybody can read it.
		name: String,
	},
	/// Lists the datasets, with their policies.
	List,
	/// Says which requests `isthmus serve` grants by itself, or takes that back.
	Policy(PolicyOpts),
	/// Begins a new epoch: what is stored from now on is closed to all readers until they are given new
	/// grants.
	Epoch {
		/// The dataset's number.
		dataset: DatasetId,
	},
	/// Frees the leaves of removed records, where their epoch is over. Their deposits come back.
	Free {
		/// The dataset's number.
		dataset: DatasetId,
	},
	/// Removes a dataset that has no records, open requests or grants any more; leaves of removed
	/// records are freed first. The deposits come back.
	Remove {
		/// The dataset's number.
		dataset: DatasetId,
	},
}

#[derive(clap::Args)]
struct PolicyOpts {
	/// The dataset's number.
	dataset: DatasetId,

	/// The least offer, in IST; 0 where it is free.
	#[arg(long, default_value = "0", value_parser = amount)]
	price: Balance,

	/// The most leaves that a request may ask for.
	#[arg(long, default_value_t = 1 << 32)]
	longest_range: u64,

	/// The longest term, in blocks, that a request may ask for.
	#[arg(long, required_unless_present = "clear")]
	longest_term: Option<u32>,

	/// Whose requests: kinds of producers, and `unregistered`, with commas between them; or `all`.
	#[arg(long, value_delimiter = ',', default_value = "all")]
	consumers: Vec<Consumers>,

	/// Take the policy back.
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

/// A policy in a person's words.
pub(crate) fn words(policy: &Policy) -> String {
	let ConsumerKinds {
		school,
		government,
		business,
		other,
		unregistered,
	} = policy.consumers;
	let kinds = [
		(school, "schools"),
		(government, "government"),
		(business, "businesses"),
		(other, "others"),
		(unregistered, "unregistered"),
	];
	let whose: Vec<&str> = kinds
		.iter()
		.filter(|(on, _)| *on)
		.map(|(_, name)| *name)
		.collect();
	let whose = match whose.len() {
		5 => "all".to_owned(),
		_ => whose.join(", "),
	};
	let (price, range, term) = (ist(policy.price), policy.longest_range, policy.longest_term);
	format!("{price} for up to {range} leaves and {term} blocks, for {whose}")
}

/// Does what the command says.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let client = &context.client;
	let (call, what) = match opts.command {
		Command::List => {
			return crate::list::datasets(&context, identity.id()).await;
		}
		Command::Create { name } => {
			let call = client.create_dataset(&name).await?;
			let included = context.send(&identity, &call).await?;
			let created = included.events.iter().find_map(|event| match event {
				Event::DatasetCreated { dataset, .. } => Some(*dataset),
				_ => None,
			});
			let dataset =
				created.ok_or_else(|| Error::failed("the chain does not say which dataset"))?;
			let block = included.number();
			context.answer(
				format!("block {block}: dataset {dataset} is open"),
				json!({"block": block, "dataset": dataset}),
			);
			return Ok(());
		}
		Command::Policy(PolicyOpts {
			dataset,
			clear: true,
			..
		}) => (
			client.clear_policy(dataset).await?,
			format!("dataset {dataset} has no policy any more"),
		),
		Command::Policy(opts) => {
			let policy = Policy {
				price: opts.price,
				longest_range: opts.longest_range,
				longest_term: opts.longest_term.unwrap_or_default(),
				consumers: kinds(&opts.consumers),
			};
			let call = client.set_policy(opts.dataset, policy).await?;
			(
				call,
				format!("dataset {}: {}", opts.dataset, words(&policy)),
			)
		}
		Command::Epoch { dataset } => {
			let call = client.start_epoch(dataset).await?;
			let included = context.send(&identity, &call).await?;
			let block = included.number();
			for event in &included.events {
				if let Event::EpochStarted { epoch, .. } = event {
					context.answer(
						format!("block {block}: dataset {dataset} is in epoch {epoch}"),
						json!({"block": block, "dataset": dataset, "epoch": epoch}),
					);
				}
			}
			return Ok(());
		}
		Command::Free { dataset } => return free(&context, &identity, dataset).await,
		Command::Remove { dataset } => return remove(&context, &identity, dataset).await,
	};
	let block = context.send(&identity, &call).await?.number();
	context.answer(format!("block {block}: {what}"), json!({"block": block}));
	Ok(())
}

/// A dataset of this owner's.
async fn own(best: &State, owner: &AccountId, dataset: DatasetId) -> Result<Dataset, Error> {
	best.dataset(owner, dataset).await?.ok_or_else(|| {
		Error::usage(format!("{owner} has no dataset {dataset}")).hint("isthmus dataset list")
	})
}

/// Frees the leaves of removed records whose epoch is over.
async fn free(context: &Context, identity: &Identity, dataset: DatasetId) -> Result<(), Error> {
	let best = context.client.best().await?;
	let now = own(&best, identity.id(), dataset).await?.epoch;
	let (mut calls, mut wait) = (Vec::new(), 0);
	for (epoch, leaf, by) in best.leaves(identity.id(), dataset).await? {
		match by {
			LeafUse::Spent if epoch < now => {
				calls.push(context.client.free_leaf(dataset, epoch, leaf).await?);
			}
			LeafUse::Spent => wait += 1,
			LeafUse::Record(_) => {}
		}
	}
	let last = context.send_all(identity, &calls).await?;
	let block = last.map(|last| last.number());
	let freed = calls.len();
	let begun = match block {
		Some(block) => format!("block {block}: "),
		None => String::new(),
	};
	let waiting = match wait {
		0 => String::new(),
		wait => format!(
			"; {wait} more can be when epoch {now} is over: isthmus dataset epoch {dataset}"
		),
	};
	context.answer(
		format!("{begun}{freed} leaves of dataset {dataset} are freed{waiting}"),
		json!({"block": block, "freed": freed, "wait": wait}),
	);
	Ok(())
}

/// Removes a dataset, with the leaves that its removed records left taken.
async fn remove(context: &Context, identity: &Identity, dataset: DatasetId) -> Result<(), Error> {
	let client = &context.client;
	let best = client.best().await?;
	let entry = own(&best, identity.id(), dataset).await?;
	let in_use = |what: String| Error::new(Kind::Refused, format!("dataset {dataset} has {what}"));
	if entry.requests > 0 {
		return Err(in_use(format!("{} open requests", entry.requests))
			.hint("isthmus requests; isthmus reject NUMBER"));
	}
	if entry.grants > 0 {
		let memory: u32 = best.constant("GrantMemory")?;
		return Err(in_use(format!("{} grants", entry.grants)).hint(format!(
			"isthmus revoke NUMBER ends one; what ended is remembered for {memory} blocks: isthmus list given"
		)));
	}
	let leaves = best.leaves(identity.id(), dataset).await?;
	let mut calls = Vec::new();
	// A leaf is freed when its epoch is over.
	if leaves.iter().any(|(epoch, ..)| *epoch == entry.epoch) {
		calls.push(client.start_epoch(dataset).await?);
	}
	for (epoch, leaf, by) in leaves {
		if let LeafUse::Record(key) = by {
			let name = key_name(&key);
			return Err(in_use(format!("the record {name}")).hint(format!("isthmus remove {name}")));
		}
		calls.push(client.free_leaf(dataset, epoch, leaf).await?);
	}
	calls.push(client.remove_dataset(dataset).await?);
	let last = context.send_all(identity, &calls).await?;
	let block = last.map_or(0, |last| last.number());
	context.answer(
		format!("block {block}: dataset {dataset} is gone"),
		json!({"block": block}),
	);
	Ok(())
}

/// The only dataset of an owner, where none was named.
pub(crate) async fn only(context: &Context, owner: &AccountId) -> Result<DatasetId, Error> {
	let best = context.client.best().await?;
	let datasets = every(|after| best.datasets(owner, after)).await?;
	match &datasets[..] {
		[only] => Ok(only.id),
		[] => Err(Error::usage("the owner has no dataset").hint("isthmus dataset create NAME")),
		_ => Err(Error::usage("the owner has several datasets: which?")
			.hint("--dataset NUMBER; isthmus dataset list")),
	}
}
