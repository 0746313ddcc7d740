// SPDX-License-Identifier: Apache-2.0
//! `isthmus trace`: shows who stored, requested and granted what, when, in which block, and for how much.

use crate::{
	context::Context,
	dataset::PolicyText,
	error::Error,
	options::Options,
	progress::Bar,
	report::{Lines, Output},
	stderr::tell,
	text::{account, bytes, end, record_key, Amount, Key, Range},
};
use isthmus_sdk::{
	trace::{trace, Happening, Subject},
	AccountId, BlockNumber, DatasetId, Event, RecordKey,
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The history is read from the events of the blocks, so the node must have their states: run it with
--state-pruning archive.

Examples:
  isthmus trace record 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty marks-2025.csv
  isthmus trace reader //Charlie --from 1000")]
pub(crate) struct Opts {
	#[command(subcommand)]
	subject: Of,

	/// First block to search
	#[arg(long, global = true, value_name = "BLOCK", default_value_t = 1)]
	from: BlockNumber,

	/// Last block to search [default: the last finalized one]
	#[arg(long, global = true, value_name = "BLOCK")]
	to: Option<BlockNumber>,
}

#[derive(clap::Subcommand)]
enum Of {
	/// History of a record, with every request and grant whose range includes it
	Record {
		/// Owner of the record
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Name of the record, or 0x and 64 hexadecimal digits
		#[arg(value_parser = record_key)]
		name: RecordKey,
	},
	/// History of a dataset
	Dataset {
		/// Owner of the dataset
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Number of the dataset
		dataset: DatasetId,
	},
	/// What a reader requested and was granted
	Reader {
		/// Reader
		#[arg(value_parser = account)]
		account: AccountId,
	},
	/// Everything that an account did or took part in
	Account {
		/// Account
		#[arg(value_parser = account)]
		account: AccountId,
	},
}

/// An event in a block.
pub(crate) struct Line(Happening);

impl Serialize for Line {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		let Happening {
			block,
			transaction,
			event,
		} = &self.0;
		let mut json = event.to_json();
		if let Value::Object(fields) = &mut json {
			fields.insert("block".into(), block.number.into());
			fields.insert("transaction".into(), (*transaction).into());
		}
		json.serialize(serializer)
	}
}

impl fmt::Display for Line {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Happening { block, event, .. } = &self.0;
		write!(f, "block {:<8} {}", block.number, text(event))
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Lines<Line>, Error> {
	let context = &Context::connect(options).await?;
	let subject = match opts.subject {
		Of::Record { owner, name } => Subject::Record { owner, key: name },
		Of::Dataset { owner, dataset } => Subject::Dataset { owner, dataset },
		Of::Reader { account } => Subject::Reader(account),
		Of::Account { account } => Subject::Account(account),
	};
	let to = last_block(context, opts.from, opts.to).await?;
	let happenings = trace(&context.client, &subject, opts.from, to, &mut Bar::new()).await?;
	if context.output == Output::Text {
		if happenings.is_empty() {
			tell("nothing found");
		}
		if opts.to.is_none() {
			tell(format_args!(
				"searched up to block {to}, the last finalized one"
			));
		}
	}
	Ok(Lines(happenings.into_iter().map(Line).collect()))
}

/// Returns the last block to search, which exists and is not before the first.
async fn last_block(
	context: &Context,
	from: BlockNumber,
	to: Option<BlockNumber>,
) -> Result<BlockNumber, Error> {
	if to.is_some_and(|to| to < from) {
		return Err(Error::usage("no block to search: --to is before --from"));
	}
	let best = context.client.best().await?.block().number;
	let last = to.unwrap_or(from).max(from);
	// A chain without blocks has an empty history, which is not an error.
	if last > best.max(1) {
		return Err(Error::usage(format!(
			"no block {last} yet: the best block is {best}"
		)));
	}
	if let Some(to) = to {
		return Ok(to);
	}
	let finalized = context.client.finalized().await?.block().number;
	if from > finalized.max(1) {
		return Err(Error::usage(format!(
			"block {from} is not finalized yet: the last finalized block is {finalized}"
		))
		.hint(format!(
			"to include blocks that may still be reverted: --to {best}"
		)));
	}
	Ok(finalized)
}

/// Returns an event as text.
fn text(event: &Event) -> String {
	use Event::*;
	match event {
		Registered { producer, kind, name } => {
			format!("{producer} registers as a producer ({kind:?}): {name}")
		}
		Deregistered { producer } => format!("{producer} leaves"),
		EncryptionKeySet { account, .. } => format!("{account} registers an encryption key"),
		EncryptionKeyRemoved { account } => format!("{account} removes its encryption key"),
		DatasetCreated { owner, dataset, name } => {
			format!("{owner} creates dataset {dataset}, {name}")
		}
		DatasetRemoved { owner, dataset } => format!("{owner} removes dataset {dataset}"),
		EpochStarted { dataset, epoch, .. } => format!("dataset {dataset}: epoch {epoch} starts"),
		PolicySet { dataset, policy, .. } => {
			format!("dataset {dataset}: policy: {}", PolicyText(policy))
		}
		PolicyCleared { dataset, .. } => format!("dataset {dataset}: policy removed"),
		Stored { owner, key, dataset, epoch, leaf, length, .. } => format!(
			"{owner} stores {}, {}, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
			Key(*key),
			bytes((*length).into())
		),
		RecordOpened { owner, key, dataset, epoch, leaf, length, chunks, .. } => format!(
			"{owner} starts to store {}, {} in {chunks} chunks, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
			Key(*key),
			bytes(*length)
		),
		ChunkStored { key, index, .. } => format!("{}: chunk {index} stored", Key(*key)),
		RecordCompleted { key, .. } => format!("{} complete", Key(*key)),
		RecordAbandoned { key, arrived, .. } => {
			format!("{} given up after {arrived} chunks", Key(*key))
		}
		RecordRemoved { key, .. } => format!("{} removed", Key(*key)),
		LeafFreed { dataset, epoch, leaf, .. } => {
			format!("leaf {leaf} of dataset {dataset}, epoch {epoch}, freed")
		}
		AccessRequested { request, consumer, scope, purpose, term, offer, .. } => format!(
			"{consumer} asks for {} (request {request}), {term} blocks, offers {}: {purpose}",
			Range::from(scope),
			Amount(*offer)
		),
		RequestCancelled { request, consumer, .. } => {
			format!("{consumer} cancels request {request}")
		}
		RequestRejected { request, owner, reason, .. } => {
			format!("{owner} rejects request {request}: {reason}")
		}
		RequestLapsed { request, .. } => format!("request {request} expires without an answer"),
		Authorized { grant, owner, grantee, scope, expiry, until, request, paid, .. } => {
			let answers = request.map_or_else(String::new, |id| format!(" upon request {id}"));
			format!(
				"{owner} opens {} to {grantee}{answers}, {} (grant {grant}), paid {}",
				Range::from(scope),
				end(*expiry, *until),
				Amount(*paid)
			)
		}
		Revoked { grant, owner, grantee, .. } => {
			format!("{owner} revokes grant {grant} of {grantee}")
		}
		GrantExpired { grant, grantee, .. } => format!("grant {grant} of {grantee} expires"),
	}
}
