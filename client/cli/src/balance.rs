// SPDX-License-Identifier: Apache-2.0
//! `isthmus balance`: shows an account's funds.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	text::{account, Amount},
	uses::{Uses, KEY, NODE},
};
use isthmus_sdk::AccountId;
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  isthmus balance //Alice")]
pub(crate) struct Opts {
	/// Account to show [default: that of --key]
	#[arg(value_parser = account)]
	account: Option<AccountId>,
}

impl Opts {
	/// Returns whether the command needs a key.
	fn needs_key(&self) -> bool {
		self.account.is_none()
	}

	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match self.needs_key() {
			true => NODE | KEY,
			false => NODE,
		}
	}
}

/// An account's funds.
#[derive(Serialize)]
pub(crate) struct Balance {
	account: AccountId,
	free: Amount,
	held: Amount,
}

impl fmt::Display for Balance {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			account,
			free,
			held,
		} = self;
		write!(
			f,
			"{account}\nfree  {free}\nheld  {held}, for deposits and offers"
		)
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Balance, Error> {
	let context = &Context::connect_as(options, opts.needs_key()).await?;
	let account = match opts.account {
		Some(account) => account,
		None => *context.identity().await?.account.id(),
	};
	let funds = context.client.best().await?.funds(&account).await?;
	Ok(Balance {
		account,
		free: Amount(funds.free),
		held: Amount(funds.held),
	})
}
