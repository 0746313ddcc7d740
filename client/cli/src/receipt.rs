// SPDX-License-Identifier: Apache-2.0
//! `isthmus receipt`: writes a file that proves an event to anyone, without a node.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	output::Output,
	progress::Bar,
	report,
	text::{bytes, count, shown},
	trace::text,
};
use isthmus_sdk::{
	history::{history, ProvenEvent},
	receipt::receipt,
	BlockNumber,
};
use serde::Serialize;
use std::{
	fmt,
	fs::File,
	io::Write,
	path::{Path, PathBuf},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Commands that change the chain print the block, and `isthmus trace` shows the blocks of earlier
events. The receipt contains the event, the block's header, and the verifiers' votes from the
chain's first block on. Anyone checks it with `isthmus verify`.

Examples:
  isthmus receipt 1042
  isthmus receipt 1042 --event 2 --output grant.receipt")]
pub(crate) struct Opts {
	/// Block of the event
	block: BlockNumber,

	/// Number of the event among the data-sharing events of the block, from 0 [default: the only one]
	#[arg(long, value_name = "NUMBER")]
	event: Option<u32>,

	/// File to write, an existing folder to write the file into, or - for stdout [default: BLOCK-EVENT.receipt]
	#[arg(long, short, value_name = "FILE")]
	output: Option<PathBuf>,

	/// Replace the file if it exists
	#[arg(long)]
	force: bool,
}

/// A receipt that was written.
#[derive(Serialize)]
pub(crate) struct Written {
	block: BlockNumber,
	bytes: u64,
	event: u32,
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
	let named = opts.output.filter(|output| !output.as_os_str().is_empty());
	// An output that cannot be written is reported before the command connects.
	if let Some(output) = &named {
		target(
			output,
			opts.block,
			opts.event.unwrap_or_default(),
			opts.force,
		)?;
	}
	let context = Context::connect(options).await?;
	let client = &context.client;
	let block = opts.block;
	let found = history(client, None, block, block, &mut Bar::new()).await?;
	if found.since > block {
		return Err(isthmus_sdk::Error::HistoryGone { since: found.since }.into());
	}
	let event = choose(block, found.events, opts.event)?;
	let named = named.unwrap_or_else(|| file_name(block, event.index).into());
	let target = target(&named, block, event.index, opts.force)?;
	let written = receipt(client, &event).await?.to_bytes();
	let output = match target {
		Output::Stdout => {
			report::write(&written)?;
			return Ok(None);
		}
		Output::Through(path) => write(&path, &written, File::options().write(true))?,
		Output::File(path) => {
			let mut options = File::options();
			options.write(true).create(true).truncate(true);
			write(&path, &written, options.create_new(!opts.force))?
		}
	};
	Ok(Some(Written {
		block,
		bytes: written.len() as u64,
		event: event.index,
		output,
		text: text(&event.event),
	}))
}

fn file_name(block: BlockNumber, event: u32) -> String {
	format!("{block}-{event}.receipt")
}

fn target(output: &Path, block: BlockNumber, event: u32, force: bool) -> Result<Output, Error> {
	let name = file_name(block, event);
	Output::at(output.to_owned(), Some(Path::new(&name)), force)
}

/// Writes a file, and returns its path as text.
fn write(path: &Path, bytes: &[u8], options: &std::fs::OpenOptions) -> Result<String, Error> {
	let written = options.open(path).and_then(|mut file| {
		file.write_all(bytes)?;
		file.flush()
	});
	written.map_err(|error| Error::file(path, &error))?;
	Ok(path.display().to_string())
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
