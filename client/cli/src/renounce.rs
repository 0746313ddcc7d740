// SPDX-License-Identifier: Apache-2.0
//! `isthmus renounce`: gives up a grant.

use crate::{context::Context, error::Error, options::Options};
use isthmus_sdk::{BlockNumber, GrantId};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The grant's deposit is released, and its place is free for another grant. Nothing that was paid for
it is paid back: if the payment could still be disputed, it is made.

Example:
  isthmus renounce 5 --key company.key")]
pub(crate) struct Opts {
	/// Number of the grant, as `isthmus list received` shows it
	grant: GrantId,
}

/// A grant that was given up.
#[derive(Serialize)]
pub(crate) struct Renounced {
	block: BlockNumber,
	grant: GrantId,
}

impl fmt::Display for Renounced {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "block {}: gave up grant {}", self.block, self.grant)
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Renounced, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let grant = opts.grant;
	let call = context.client.renounce(grant).await?;
	let block = context.send(&identity, &call).await?.number();
	Ok(Renounced { block, grant })
}
