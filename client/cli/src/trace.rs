//! `isthmus trace`: who asked, who allowed, what range, when, in which block, paid how much.

use crate::{
	context::{account, bytes, ist, key_name, record_key, Bar, Context},
	error::Error,
	requests::{end, words},
};
use isthmus_sdk::{
	trace::{trace, Happening, Subject},
	AccountId, BlockNumber, DatasetId, Event, RecordKey,
};
use serde_json::Value;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
The history is read from the blocks' events, so the node must still have their states: an
archive node has them all.

Examples:
  isthmus trace record 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty marks-2025.csv
  isthmus trace reader //Charlie --from 1000")]
pub(crate) struct Opts {
	#[command(subcommand)]
	subject: Of,

	/// The first block that is looked at.
	#[arg(long, global = true, default_value_t = 1)]
	from: u32,

	/// The last block that is looked at [default: the last final one].
	#[arg(long, global = true)]
	to: Option<u32>,
}

#[derive(clap::Subcommand)]
enum Of {
	/// A record: its own history, and every request and grant that has it in its range.
	Record {
		/// Its owner.
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Its name.
		#[arg(value_parser = record_key)]
		name: RecordKey,
	},
	/// All of a dataset.
	Dataset {
		/// Its owner.
		#[arg(value_parser = account)]
		owner: AccountId,
		/// Its number.
		dataset: DatasetId,
	},
	/// All that a reader asked for and was given.
	Reader {
		/// The reader.
		#[arg(value_parser = account)]
		account: AccountId,
	},
	/// All that an account did or was part of.
	Account {
		/// The account.
		#[arg(value_parser = account)]
		account: AccountId,
	},
}

/// Traces.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let subject = match opts.subject {
		Of::Record { owner, name } => Subject::Record { owner, key: name },
		Of::Dataset { owner, dataset } => Subject::Dataset { owner, dataset },
		Of::Reader { account } => Subject::Reader(account),
		Of::Account { account } => Subject::Account(account),
	};
	let to = range(&context, opts.from, opts.to).await?;
	let happenings = trace(&context.client, &subject, opts.from, to, &mut Bar::new()).await?;
	if !context.json {
		if happenings.is_empty() {
			eprintln!("nothing found");
		}
		if opts.to.is_none() {
			eprintln!("up to block {to}, the last final one");
		}
	}
	for happening in happenings {
		let Happening {
			block,
			transaction,
			event,
		} = &happening;
		let mut program = event.to_json();
		if let Value::Object(fields) = &mut program {
			fields.insert("block".into(), block.number.into());
			fields.insert("transaction".into(), (*transaction).into());
		}
		context.answer(
			format!("block {:<8} {}", block.number, tell(event)),
			program,
		);
	}
	Ok(())
}

/// The last block that is looked at: of those that there are, and not before the first.
async fn range(
	context: &Context,
	from: BlockNumber,
	to: Option<BlockNumber>,
) -> Result<BlockNumber, Error> {
	if to.is_some_and(|to| to < from) {
		return Err(Error::usage(
			"--to is before --from, and no block is in between",
		));
	}
	let best = context.client.best().await?.block().number;
	let last = to.unwrap_or(from).max(from);
	// A chain without blocks has no history, which is nothing wrong.
	if last > best.max(1) {
		return Err(Error::usage(format!(
			"there is no block {last} yet: the best one is {best}"
		)));
	}
	if let Some(to) = to {
		return Ok(to);
	}
	let finalized = context.client.finalized().await?.block().number;
	if from > finalized.max(1) {
		return Err(Error::usage(format!(
			"block {from} is not final yet: the last final one is {finalized}"
		))
		.hint(format!(
			"--to {best} looks at blocks that may still give way, too"
		)));
	}
	Ok(finalized)
}

/// An event in a person's words.
fn tell(event: &Event) -> String {
	use Event::*;
	match event {
		Registered { producer, kind, name } => {
			format!("{producer} joins as a producer ({kind:?}): {name}")
		}
		Deregistered { producer } => format!("{producer} leaves"),
		EncryptionKeySet { account, .. } => format!("{account} registers an encryption key"),
		EncryptionKeyRemoved { account } => format!("{account} takes its encryption key back"),
		DatasetCreated { owner, dataset, name } => {
			format!("{owner} opens dataset {dataset}, {name}")
		}
		DatasetRemoved { owner, dataset } => format!("{owner} removes dataset {dataset}"),
		EpochStarted { dataset, epoch, .. } => format!("dataset {dataset}: epoch {epoch} begins"),
		PolicySet { dataset, policy, .. } => {
			format!("dataset {dataset}: policy: {}", crate::dataset::words(policy))
		}
		PolicyCleared { dataset, .. } => format!("dataset {dataset}: no policy any more"),
		Stored { owner, key, dataset, epoch, leaf, length, .. } => format!(
			"{owner} stores {}, {}, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
			key_name(key),
			bytes((*length).into())
		),
		RecordOpened { owner, key, dataset, epoch, leaf, length, chunks, .. } => format!(
			"{owner} begins to store {}, {} in {chunks} chunks, at leaf {leaf} of dataset {dataset}, epoch {epoch}",
			key_name(key),
			bytes(*length)
		),
		ChunkStored { key, index, .. } => format!("{}: chunk {index} is stored", key_name(key)),
		RecordCompleted { key, .. } => format!("{} is complete", key_name(key)),
		RecordAbandoned { key, arrived, .. } => {
			format!("{} is given up, with {arrived} chunks stored", key_name(key))
		}
		RecordRemoved { key, .. } => format!("{} is removed", key_name(key)),
		LeafFreed { dataset, epoch, leaf, .. } => {
			format!("leaf {leaf} of dataset {dataset}, epoch {epoch}, is free")
		}
		AccessRequested { request, consumer, scope, purpose, term, offer, .. } => format!(
			"{consumer} asks for {} (request {request}), {term} blocks, offers {}: {purpose}",
			words(scope),
			ist(*offer)
		),
		RequestCancelled { request, consumer, .. } => {
			format!("{consumer} takes request {request} back")
		}
		RequestRejected { request, owner, reason, .. } => {
			format!("{owner} rejects request {request}: {reason}")
		}
		RequestLapsed { request, .. } => format!("request {request} was not answered in time"),
		Authorized { grant, owner, grantee, scope, expiry, until, request, paid, .. } => {
			let answers = request.map_or_else(String::new, |id| format!(" upon request {id}"));
			format!(
				"{owner} opens {} to {grantee}{answers}, {} (grant {grant}), paid {}",
				words(scope),
				end(*expiry, *until),
				ist(*paid)
			)
		}
		Revoked { grant, owner, grantee, .. } => {
			format!("{owner} revokes grant {grant} of {grantee}")
		}
		GrantExpired { grant, grantee, .. } => format!("grant {grant} of {grantee} expires"),
	}
}
