// SPDX-License-Identifier: Apache-2.0
//! `isthmus embargo`: keeps a record from its readers until a condition is met.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	store::dataset_of,
	text::{called, condition, Called, Key},
};
use isthmus_sdk::{BlockNumber, Condition, DatasetId};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
While a record is under an embargo, queries for it are refused to everyone but its owner, and
`isthmus serve` answers no request whose range includes it. The embargo ends for good when its
condition is met. A reader whose grant was given before has the keys already, and the bytes are
public: use isthmus store --when to put a record under an embargo from the start.

Examples:
  isthmus embargo exam-2027.pdf --when 'after(2027-06-01)' --key school.key
  isthmus embargo exam-2027.pdf --lift --key school.key")]
pub(crate) struct Opts {
	/// Name of the record, or 0x and 64 hexadecimal digits
	#[arg(value_parser = called)]
	name: Called,

	/// Condition that ends the embargo, in place of what did before
	#[arg(long, value_name = "CONDITION", value_parser = condition, required_unless_present = "lift")]
	when: Option<Condition>,

	/// End the embargo now
	#[arg(long, conflicts_with = "when")]
	lift: bool,

	/// Dataset of a record that is not stored yet [default: the only one]
	#[arg(long, value_name = "NUMBER")]
	dataset: Option<DatasetId>,
}

/// An embargo that was set, or ended.
#[derive(Serialize)]
pub(crate) struct Embargoed {
	block: BlockNumber,
	/// The condition that ends it; `None` if it was lifted.
	condition: Option<String>,
	key: Key,
	name: String,
}

impl fmt::Display for Embargoed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { block, name, .. } = self;
		match &self.condition {
			Some(condition) => write!(
				f,
				"block {block}: {name} is under an embargo until {condition}"
			),
			None => write!(f, "block {block}: lifted the embargo on {name}"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Embargoed, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let condition = opts.when.as_ref().map(ToString::to_string);
	let key = opts
		.name
		.find(&context.client, &identity, identity.id())
		.await?;
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => {
			let best = context.client.best().await?;
			match best.record(identity.id(), key).await? {
				Some(record) => record.dataset,
				None => dataset_of(None, context, &identity).await?,
			}
		}
	};
	let call = context.client.embargo(key, dataset, opts.when).await?;
	let block = context.send(&identity, &call).await?.number();
	Ok(Embargoed {
		block,
		condition,
		key: Key(key),
		name: opts.name.shown().to_string(),
	})
}
