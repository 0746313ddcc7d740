//! `isthmus remove`: removes a record, or gives up one whose storing was not finished.

use crate::{
	context::{key_name, record_key, Context},
	error::Error,
};
use isthmus_sdk::RecordKey;
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "Example: isthmus remove marks-2025.csv --key school.key")]
pub(crate) struct Opts {
	/// The record's name. Its deposit comes back; the bytes stay with nodes that keep old blocks.
	#[arg(value_parser = record_key)]
	name: RecordKey,
}

/// Removes.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let call = context.client.remove_record(opts.name).await?;
	let block = context.send(&identity, &call).await?.number();
	context.answer(
		format!("block {block}: {} is removed", key_name(&opts.name)),
		json!({"block": block, "key": format!("0x{}", hex::encode(opts.name.0))}),
	);
	Ok(())
}
