// SPDX-License-Identifier: Apache-2.0
//! The options that all commands have in common.

use crate::{error::Error, report::Output, text::amount};
use isthmus_sdk::Balance;

/// The node's address, unless an option or an environment variable sets another one.
const DEFAULT_URL: &str = "ws://127.0.0.1:9944";

/// Options of every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Options {
	/// WebSocket address of the node [default: $ISTHMUS_URL, or ws://127.0.0.1:9944]
	#[arg(long, global = true, value_name = "URL")]
	url: Option<String>,

	/// Account to act as: a key file, or a development account such as //Alice [default: $ISTHMUS_KEY]
	#[arg(long, global = true, value_name = "KEY")]
	key: Option<String>,

	/// Wait until the transaction is finalized, instead of only included in a block
	#[arg(long, global = true)]
	pub(crate) finalized: bool,

	/// Refuse to seal to, or to open, keys that a quantum computer could break
	#[arg(long, global = true)]
	pub(crate) pq_only: bool,

	/// Tip for the block's miner, in IST: buys an earlier place while blocks are full
	#[arg(long, global = true, value_name = "IST", default_value = "0", hide_default_value = true, value_parser = amount)]
	pub(crate) tip: Balance,

	/// Print JSON, one object a line: results to stdout, errors to stderr
	#[arg(long, global = true)]
	json: bool,
}

impl Options {
	/// Returns the key file, or the development account, to act as.
	pub(crate) fn key(&self) -> Result<String, Error> {
		let named = self.key.clone().or_else(|| variable("ISTHMUS_KEY"));
		named.ok_or_else(|| {
			Error::usage("this command needs a key: pass --key or set $ISTHMUS_KEY").hint(
				"create one with `isthmus key generate FILE`; on a development chain, use --key //Alice",
			)
		})
	}

	/// Returns the node's address.
	pub(crate) fn url(&self) -> String {
		let named = self.url.clone().or_else(|| variable("ISTHMUS_URL"));
		named.unwrap_or_else(|| DEFAULT_URL.to_owned())
	}

	/// Returns how reports are printed.
	pub(crate) fn output(&self) -> Output {
		match self.json {
			true => Output::Json,
			false => Output::Text,
		}
	}
}

/// Returns an environment variable, unless it is empty.
pub(crate) fn variable(name: &str) -> Option<String> {
	std::env::var(name).ok().filter(|value| !value.is_empty())
}
