// SPDX-License-Identifier: Apache-2.0
//! `isthmus register`: registers a producer, or removes it.

use crate::{context::Context, error::Error, options::Options};
use isthmus_sdk::{AccountId, BlockNumber, ProducerKind};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  isthmus register \"High School No. 1\" --kind school --key school.key")]
pub(crate) struct Opts {
	/// Public name of the producer
	#[arg(required_unless_present = "leave")]
	name: Option<String>,

	/// Kind of producer: school, government, business or other
	#[arg(long, default_value = "other", value_parser = kind)]
	kind: ProducerKind,

	/// Leave instead, and get the deposit back. Every dataset has to be removed first
	#[arg(long, conflicts_with_all = ["name", "kind"])]
	leave: bool,
}

fn kind(text: &str) -> Result<ProducerKind, &'static str> {
	text.parse()
		.map_err(|_| "expected school, government, business or other")
}

/// A producer that registered or left.
#[derive(Serialize)]
pub(crate) struct Registered {
	block: BlockNumber,
	producer: AccountId,
	#[serde(skip)]
	left: bool,
}

impl fmt::Display for Registered {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block, producer, ..
		} = self;
		match self.left {
			true => write!(f, "block {block}: {producer} left"),
			false => write!(f, "block {block}: {producer} registered"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Registered, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let client = &context.client;
	let call = match opts.leave {
		true => client.deregister().await?,
		false => {
			let name = opts.name.unwrap_or_default();
			client.register(opts.kind, &name).await?
		}
	};
	Ok(Registered {
		block: context.send(&identity, &call).await?.number(),
		producer: *identity.account.id(),
		left: opts.leave,
	})
}
