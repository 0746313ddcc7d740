// SPDX-License-Identifier: Apache-2.0
//! `isthmus receipt`: writes a file that proves an event, or what an account keeps, to anyone, without a node.

use crate::{
	context::Context,
	error::Error,
	keepers::ListedKeeper,
	options::Options,
	output::{open_through, Output},
	progress::Bar,
	report,
	text::{account, bytes, count, shown},
	trace::text,
	uses::{Uses, KEY, NODE},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	file,
	history::{history, ProvenEvent},
	keepers::Kept,
	receipt::{keeper_receipt, kept, receipt},
	AccountId, BlockNumber, DatasetId,
};
use serde::Serialize;
use std::{
	fmt,
	fs::File,
	io::{self, Write},
	path::{Path, PathBuf},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Commands that change the chain print the block, and `isthmus trace` shows the blocks of earlier
events. The receipt contains the event, the block's header, and the verifiers' votes from the
chain's first block on. Anyone checks it with `isthmus verify`.

With --keeper, it proves what the newest finalized state says of an account that keeps a copy of a
dataset's objects: where, since when, and the block of its last proof.

Examples:
  isthmus receipt 1042
  isthmus receipt 1042 --event 2 --output grant.receipt
  isthmus receipt --keeper 5DAAnr... --owner 5FHneW46... --dataset 0")]
pub(crate) struct Opts {
	/// Block of the event
	#[arg(required_unless_present = "keeper")]
	block: Option<BlockNumber>,

	/// Number of the event among the data-sharing events of the block, from 0 [default: the only one]
	#[arg(long, value_name = "NUMBER")]
	event: Option<u32>,

	/// Account that keeps a copy, which is proven in place of an event
	#[arg(long, value_name = "ACCOUNT", value_parser = account, conflicts_with_all = ["block", "event"])]
	keeper: Option<AccountId>,

	/// Owner of the dataset that it keeps [default: your own account]
	#[arg(long, value_name = "ACCOUNT", value_parser = account, requires = "keeper", conflicts_with = "block")]
	owner: Option<AccountId>,

	/// Number of the dataset that it keeps [default: the only one]
	#[arg(long, requires = "keeper", conflicts_with = "block")]
	dataset: Option<DatasetId>,

	/// File to write, an existing folder to write the file into, or - for stdout [default: BLOCK-EVENT.receipt, or
	/// keeper-DATASET-BLOCK.receipt]
	#[arg(long, short, value_name = "FILE")]
	output: Option<PathBuf>,

	/// Replace the file if it exists
	#[arg(long)]
	force: bool,
}

impl Opts {
	/// Returns whether the command needs a key.
	fn needs_key(&self) -> bool {
		self.keeper.is_some() && self.owner.is_none()
	}

	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match self.needs_key() {
			true => NODE | KEY,
			false => NODE,
		}
	}
}

/// A receipt that was written.
#[derive(Serialize)]
pub(crate) struct Written {
	block: BlockNumber,
	bytes: u64,
	/// The event's number; `None` if the receipt is a keeper's.
	event: Option<u32>,
	output: String,
	#[serde(skip)]
	text: String,
}

impl fmt::Display for Written {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { output, text, .. } = self;
		write!(f, "{}: {}: {text}", shown(output), bytes(self.bytes))
	}
}

/// Runs the command. Returns `None` if the receipt was written to stdout.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Option<Written>, Error> {
	let named = opts.output.as_deref();
	let named = named.filter(|output| !output.as_os_str().is_empty());
	// An output that cannot be written is reported before the command connects.
	if let Some(output) = named {
		let name = file_name(
			opts.block.unwrap_or_default(),
			opts.event.unwrap_or_default(),
		);
		target(output, &name, opts.force)?;
	}
	let context = Context::connect_as(options, opts.needs_key()).await?;
	let made = match (&opts.keeper, opts.block) {
		(Some(keeper), _) => of_keeper(&context, &opts, keeper).await?,
		(None, Some(block)) => of_event(&context, block, opts.event).await?,
		(None, None) => return Err(Error::usage("missing block")),
	};
	let named = named.unwrap_or(Path::new(&made.name));
	let output = match target(named, &made.name, opts.force)? {
		Output::Stdout => {
			report::write(&made.receipt)?;
			return Ok(None);
		}
		Output::Through(path) => write(&path, &made.receipt, open_through(&path))?,
		Output::File(path) => {
			// Neither a full disk nor a crash leaves a part of a file, or the part of an old one.
			let written = match opts.force {
				true => file::publish(&path, &made.receipt),
				false => file::publish_new(&path, &made.receipt),
			};
			written.map_err(|error| Error::file(&path, &error))?;
			path.shown().to_string()
		}
	};
	Ok(Some(Written {
		block: made.block,
		bytes: made.receipt.len() as u64,
		event: made.event,
		output,
		text: made.text,
	}))
}

/// A receipt that was made.
struct Made {
	receipt: Vec<u8>,
	/// What its file is called by default.
	name: String,
	block: BlockNumber,
	event: Option<u32>,
	text: String,
}

/// Makes the receipt of what the state says of a keeper.
async fn of_keeper(context: &Context, opts: &Opts, keeper: &AccountId) -> Result<Made, Error> {
	let client = &context.client;
	let owner = match opts.owner {
		Some(owner) => owner,
		None => *context.identity().await?.id(),
	};
	let best = client.best().await?;
	let (dataset, _) = best.dataset_of(&owner, opts.dataset).await?;
	let keepers = client.proven().await?.keepers(&owner).await?;
	let is_it = |kept: &Kept| (kept.dataset, kept.account) == (dataset, *keeper);
	if !keepers.iter().any(is_it) {
		return Err(Error::refused(format!(
			"{keeper} keeps no copy of dataset {dataset} of {owner} in the finalized state"
		))
		.hint(format!("list them: isthmus list keepers --owner {owner}")));
	}
	let receipt = keeper_receipt(client, &owner, dataset, keeper).await?;
	// What the receipt says: the state may have changed since the look above.
	let proved = receipt.clone().verify(client.genesis().into());
	let listed = ListedKeeper::from(kept(&proved.map_err(isthmus_sdk::Error::from)?)?);
	let block = receipt.steps.last().map_or(0, |step| step.header.number);
	Ok(Made {
		receipt: receipt.to_bytes(),
		name: format!("keeper-{dataset}-{block}.receipt"),
		block,
		event: None,
		text: format!("{} {}", listed.account(), listed.standing()),
	})
}

/// Makes the receipt of an event.
async fn of_event(
	context: &Context,
	block: BlockNumber,
	number: Option<u32>,
) -> Result<Made, Error> {
	let client = &context.client;
	let found = history(client, None, block, block, &mut Bar::new()).await?;
	if found.since > block {
		return Err(isthmus_sdk::Error::HistoryGone { since: found.since }.into());
	}
	let event = choose(block, found.events, number)?;
	Ok(Made {
		receipt: receipt(client, &event).await?.to_bytes(),
		name: file_name(block, event.index),
		block,
		event: Some(event.index),
		text: text(&event.event),
	})
}

fn file_name(block: BlockNumber, event: u32) -> String {
	format!("{block}-{event}.receipt")
}

fn target(output: &Path, name: &str, force: bool) -> Result<Output, Error> {
	Output::at(output.to_owned(), Some(Path::new(name)), force)
}

/// Writes a file, and returns its path as text.
fn write(path: &Path, bytes: &[u8], file: io::Result<File>) -> Result<String, Error> {
	let written = file.and_then(|mut file| {
		file.write_all(bytes)?;
		file.flush()
	});
	written.map_err(|error| Error::file(path, &error))?;
	Ok(path.shown().to_string())
}

/// Returns the event with this number, or the only one.
fn choose(
	block: BlockNumber,
	events: Vec<ProvenEvent>,
	number: Option<u32>,
) -> Result<ProvenEvent, Error> {
	if events.is_empty() {
		return Err(Error::refused(format!(
			"nothing about shared data happened in block {block}"
		))
		.hint("find the block: isthmus trace account ACCOUNT"));
	}
	let listed: Vec<String> = events
		.iter()
		.map(|event| format!("{}: {}", event.index, text(&event.event)))
		.collect();
	let total = count(events.len() as u64, "event");
	let mut events = events.into_iter();
	match number {
		Some(number) => events.find(|event| event.index == number).ok_or_else(|| {
			Error::refused(format!("block {block} has no event {number}, but {total}:"))
				.listing(listed)
		}),
		None => match (events.next(), events.next()) {
			(Some(only), None) => Ok(only),
			_ => Err(Error::usage(format!("block {block} has {total}:"))
				.listing(listed)
				.hint("choose one: --event NUMBER")),
		},
	}
}
