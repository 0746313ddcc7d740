//! `isthmus list`: datasets, records and grants.

use crate::{
	context::{account, bytes, key_name, Context},
	dataset::words,
	error::Error,
	requests,
};
use isthmus_sdk::{every, AccountId, DatasetEntry, GrantEntry, RecordEntry};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus list records --key school.key
  isthmus list received --key company.key
  isthmus list datasets --owner //Bob")]
pub(crate) struct Opts {
	/// What is listed.
	what: What,

	/// Whose [default: the key's].
	#[arg(long, value_parser = account)]
	owner: Option<AccountId>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
	/// The datasets of a producer, with their policies.
	Datasets,
	/// The records of a producer.
	Records,
	/// The grants that a producer gave.
	Given,
	/// The grants that a reader has.
	Received,
}

/// Lists.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let whose = match opts.owner {
		Some(whose) => whose,
		None => *context.identity().await?.id(),
	};
	match opts.what {
		What::Datasets => datasets(&context, &whose).await,
		What::Records => records(&context, &whose).await,
		What::Given => grants(&context, &whose, true).await,
		What::Received => grants(&context, &whose, false).await,
	}
}

/// Lists a producer's datasets.
pub(crate) async fn datasets(context: &Context, owner: &AccountId) -> Result<(), Error> {
	let best = context.client.best().await?;
	let mut datasets = every(|after| best.datasets(owner, after)).await?;
	datasets.sort_by_key(|entry| entry.id);
	if datasets.is_empty() {
		eprintln!("no datasets");
	}
	for DatasetEntry {
		id,
		dataset,
		policy,
	} in datasets
	{
		let standing = match &policy {
			Some(policy) => format!("\n  policy: {}", words(policy)),
			None => String::new(),
		};
		context.answer(
			format!(
				"dataset {id}: {}\n  epoch {}, {} leaves taken in all epochs, open requests: {}, grants: {}{standing}",
				dataset.name, dataset.epoch, dataset.leaves, dataset.requests, dataset.grants,
			),
			json!({
				"dataset": id, "name": dataset.name.to_string(), "epoch": dataset.epoch,
				"leaves": dataset.leaves, "requests": dataset.requests, "grants": dataset.grants,
				"policy": policy.map(|policy| json!({
					"price": policy.price.to_string(), "longestRange": policy.longest_range,
					"longestTerm": policy.longest_term, "words": words(&policy),
				})),
			}),
		);
	}
	Ok(())
}

async fn records(context: &Context, owner: &AccountId) -> Result<(), Error> {
	let best = context.client.best().await?;
	let mut records = every(|after| best.records(owner, after)).await?;
	records.sort_by_key(|entry| {
		let record = &entry.record;
		(record.dataset, record.epoch, record.leaf)
	});
	if records.is_empty() {
		eprintln!("no records");
	}
	for RecordEntry { key, record } in records {
		let payload = &record.payload;
		let (first, last) = payload.blocks();
		let blocks = match first == last {
			true => format!("block {first}"),
			false => format!("blocks {first} to {last}"),
		};
		let complete = match payload.is_complete() {
			true => String::new(),
			false => format!(
				", {} of {} chunks so far",
				payload.arrived(),
				payload.chunks()
			),
		};
		context.answer(
			format!(
				"{}\n  leaf {} of dataset {}, epoch {}; {} encrypted, in {blocks}{complete}",
				key_name(&key),
				record.leaf,
				record.dataset,
				record.epoch,
				bytes(payload.length()),
			),
			json!({
				"key": format!("0x{}", hex::encode(key.0)), "name": key_name(&key),
				"dataset": record.dataset, "epoch": record.epoch, "leaf": record.leaf,
				"bytes": payload.length(), "chunks": payload.chunks(), "arrived": payload.arrived(),
				"firstBlock": first, "lastBlock": last,
			}),
		);
	}
	Ok(())
}

async fn grants(context: &Context, whose: &AccountId, given: bool) -> Result<(), Error> {
	let best = context.client.best().await?;
	let mut grants = match given {
		true => every(|after| best.grants_of(whose, None, after)).await?,
		false => every(|after| best.grants_to(whose, None, after)).await?,
	};
	grants.sort_by_key(|entry| entry.id);
	let now = best.block().number;
	if grants.is_empty() {
		eprintln!("no grants");
	}
	for GrantEntry { id, grant } in grants {
		let (other, word) = match given {
			true => (&grant.grantee, "to"),
			false => (&grant.owner, "from"),
		};
		let state = format!("{:?}", grant.state).to_lowercase();
		let paid = match grant.paid_until > now {
			true => format!("; paid for until block {}", grant.paid_until),
			false => String::new(),
		};
		context.answer(
			format!(
				"grant {id} {word} {other}: {state}\n  {}, {}{paid}",
				requests::words(&grant.scope),
				requests::end(grant.expiry, grant.until),
			),
			json!({
				"grant": id, "owner": grant.owner, "grantee": grant.grantee, "state": state,
				"scope": requests::scope(&grant.scope), "expiry": grant.expiry, "until": grant.until,
				"paidUntil": grant.paid_until,
			}),
		);
	}
	Ok(())
}
