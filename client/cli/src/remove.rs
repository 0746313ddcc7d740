//! `isthmus remove`: removes a record, or a folder with its files, or gives up one whose storing was not
//! finished.

use crate::{
	context::{key_name, record_key, Bar, Context},
	error::{Error, Kind},
};
use isthmus_sdk::{to_hex, RecordKey, Removal, Removed};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Of a folder the files' records are removed first, and then the one that names them: interrupted
and run again, it goes on. A record's deposit comes back, and its leaf's where its epoch is over;
else by `isthmus dataset free` when it is. The bytes stay with nodes that keep old blocks.

Example: isthmus remove marks-2025.csv --key school.key")]
pub(crate) struct Opts {
	/// The record's name.
	#[arg(value_parser = record_key)]
	name: RecordKey,

	/// Only this record, without a look at its bytes: the files of a folder stay.
	#[arg(long)]
	alone: bool,
}

/// Removes.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let name = key_name(&opts.name);
	let removal = match opts.alone {
		true => Removal::alone(opts.name),
		false => Removal::find(&context.client, &identity, opts.name, &mut Bar::new())
			.await
			.map_err(|error| match Error::from(error) {
				error if error.kind() == Kind::Unreachable => error,
				error => error.hint(format!(
					"whether it is a folder cannot be told; to remove this record and no files: \
					 isthmus remove {name} --alone"
				)),
			})?,
	};
	let Removed { last, files } = removal.run(&context.client, &identity).await?;
	context.settle(last.block).await?;
	let block = last.number();
	let with = match files {
		Some(files) => format!(" with {files} files"),
		None => String::new(),
	};
	context.answer(
		format!("block {block}: {name} is removed{with}"),
		json!({"block": block, "key": to_hex(&opts.name.0), "files": files}),
	);
	Ok(())
}
