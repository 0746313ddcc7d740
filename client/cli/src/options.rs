// SPDX-License-Identifier: Apache-2.0
//! The options that all commands have in common.

use crate::{error::Error, report::Output, text::amount};
use isthmus_sdk::{from_hex, trust, Balance, Trust};
use std::path::PathBuf;

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

	/// Hash of the chain's first block [default: $ISTHMUS_GENESIS, or the chain that was at the address when it
	/// was first used]
	#[arg(long, global = true, value_name = "HASH", value_parser = genesis, conflicts_with = "chain_spec")]
	genesis: Option<Genesis>,

	/// Raw specification of the chain, instead of --genesis
	#[arg(long, global = true, value_name = "FILE")]
	chain_spec: Option<PathBuf>,

	/// Believe the node without proofs. Only for your own node on this machine
	#[arg(long, global = true)]
	trust_node: bool,

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

	/// Returns what to believe of the node.
	pub(crate) fn trust(&self) -> Result<Trust, Error> {
		let named = match (&self.genesis, &self.chain_spec) {
			(Some(genesis), _) => Some(genesis.0),
			(None, Some(path)) => {
				let spec = std::fs::read(path).map_err(|error| Error::file(path, &error))?;
				Some(trust::genesis_of(&spec).map_err(|error| {
					Error::usage(format!("{}: {error}", path.display()))
						.hint("make it with `isthmus-node build-spec --raw`")
				})?)
			}
			(None, None) => match variable("ISTHMUS_GENESIS") {
				Some(text) => Some(genesis(&text).map_err(Error::usage)?.0),
				None => None,
			},
		};
		Ok(Trust {
			genesis: named,
			memory: memory(),
			node: self.trust_node,
		})
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

/// The hash of a chain's first block.
#[derive(Clone)]
struct Genesis([u8; 32]);

/// Reads the hash of a chain's first block.
fn genesis(text: &str) -> Result<Genesis, &'static str> {
	let genesis = from_hex(text).map(Genesis);
	genesis.ok_or("expected the hash of a block: 0x and 64 hexadecimal digits")
}

/// Returns the folder in which chains are remembered; `None` if the user has no folder for settings.
fn memory() -> Option<PathBuf> {
	let settings = variable("XDG_CONFIG_HOME").map(PathBuf::from);
	let settings = settings.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
	Some(settings?.join("isthmus"))
}
