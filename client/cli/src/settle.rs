// SPDX-License-Identifier: Apache-2.0
//! `isthmus settle`: ends what is overdue, and so releases what is held for it.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	text::{account, count},
};
use isthmus_sdk::{sharing::overdue, AccountId, BlockNumber};
use serde::Serialize;
use std::fmt;

/// The most entries that one call ends: the pallet's `MAX_SETTLED`.
const AT_ONCE: usize = 64;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The chain ends requests and grants on its own when their time is over, but only a bounded number in
each block. This command ends those that are late, and releases their deposits and offers. Anyone
may do it for anyone.

Example:
  isthmus settle --key company.key")]
pub(crate) struct Opts {
	/// Account whose requests and grants to end [default: your own]
	#[arg(long, value_name = "ACCOUNT", value_parser = account)]
	of: Option<AccountId>,
}

/// What was settled.
#[derive(Serialize)]
pub(crate) struct Settled {
	/// The last transaction's block; `None` if nothing was overdue.
	block: Option<BlockNumber>,
	settled: usize,
}

impl fmt::Display for Settled {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.block {
			Some(block) => {
				let settled = count(self.settled as u64, "overdue item");
				write!(f, "block {block}: settled {settled}")
			}
			None => write!(f, "nothing is overdue"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Settled, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let account = opts.of.unwrap_or(*identity.account.id());
	let due = overdue(&context.client.best().await?, &account).await?;
	let mut block = None;
	for part in due.chunks(AT_ONCE) {
		let call = context.client.settle(part).await?;
		block = Some(context.send(&identity, &call).await?.number());
	}
	Ok(Settled {
		block,
		settled: due.len(),
	})
}
