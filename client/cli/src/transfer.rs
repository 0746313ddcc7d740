// SPDX-License-Identifier: Apache-2.0
//! `isthmus transfer`: sends funds.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	text::{account, amount, Amount},
};
use isthmus_sdk::{AccountId, Balance, BlockNumber};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(
	after_help = "Example:\n  isthmus transfer 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty 100 --key //Alice"
)]
pub(crate) struct Opts {
	/// Account to send to
	#[arg(value_parser = account)]
	to: AccountId,

	/// Amount in IST, for example 0.25
	#[arg(value_parser = positive)]
	amount: Balance,
}

/// Parses an amount above zero.
fn positive(text: &str) -> Result<Balance, String> {
	match amount(text)? {
		0 => Err("expected more than 0".to_owned()),
		amount => Ok(amount),
	}
}

/// A transfer.
#[derive(Serialize)]
pub(crate) struct Transferred {
	amount: Amount,
	block: BlockNumber,
	from: AccountId,
	to: AccountId,
}

impl fmt::Display for Transferred {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"block {}: sent {} to {}",
			self.block, self.amount, self.to
		)
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Transferred, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let call = context.client.transfer(&opts.to, opts.amount).await?;
	let block = context.send(&identity, &call).await?.number();
	Ok(Transferred {
		amount: Amount(opts.amount),
		block,
		from: *identity.account.id(),
		to: opts.to,
	})
}
