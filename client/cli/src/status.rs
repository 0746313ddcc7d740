// SPDX-License-Identifier: Apache-2.0
//! `isthmus status`: shows the node and its chain, or who verified a block.

use crate::{context::Context, error::Error, options::Options, report::Report, text::count};
use isthmus_sdk::{to_hex, BlockId, BlockNumber, Shown};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus status
  isthmus status --block 120")]
pub(crate) struct Opts {
	/// Show which verifiers voted for this block, and whether they are more than half
	#[arg(long, value_name = "NUMBER")]
	block: Option<BlockNumber>,
}

/// The node and its chain.
#[derive(Serialize)]
struct Status {
	best: Block,
	chain: String,
	finalized: Block,
	genesis: String,
	node: String,
	peers: usize,
	syncing: bool,
}

/// A block.
#[derive(Serialize)]
struct Block {
	hash: String,
	number: BlockNumber,
}

impl From<BlockId> for Block {
	fn from(block: BlockId) -> Self {
		Self {
			hash: to_hex(&block.hash.0),
			number: block.number,
		}
	}
}

impl fmt::Display for Block {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{} {}", self.number, self.hash)
	}
}

impl fmt::Display for Status {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(
			f,
			"chain      {} (genesis {})",
			Shown(&self.chain),
			self.genesis
		)?;
		let syncing = if self.syncing { ", syncing" } else { "" };
		let peers = count(self.peers as u64, "peer");
		writeln!(f, "node       {}, {peers}{syncing}", Shown(&self.node))?;
		writeln!(f, "best       {}", self.best)?;
		write!(f, "finalized  {}", self.finalized)
	}
}

/// The node's report on a block's verification, which is passed on unchanged.
#[derive(Serialize)]
#[serde(transparent)]
struct Verification(Value);

impl fmt::Display for Verification {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let text = |value: &Value| Shown(value.as_str().unwrap_or("unknown")).to_string();
		let Self(answer) = self;
		writeln!(
			f,
			"block      {} {}",
			answer["number"],
			text(&answer["hash"])
		)?;
		f.write_str(&text(&answer["statement"]))?;
		for (title, verifiers) in [
			("verified", &answer["verifiedBy"]),
			("not seen", &answer["notSeen"]),
		] {
			for verifier in verifiers.as_array().into_iter().flatten() {
				// A verifier of the genesis block may have no account, only a vote key.
				let name = match &verifier["account"] {
					account @ Value::String(_) => text(account),
					_ => text(&verifier["grandpaKey"]),
				};
				write!(f, "\n{title:10} {name}")?;
			}
		}
		Ok(())
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let context = &Context::connect(options).await?;
	let client = &context.client;
	if let Some(block) = opts.block {
		let params = isthmus_sdk::rpc_params![block];
		let answer = client.request("isthmus_verification", params).await?;
		return Ok(Box::new(Verification(answer)));
	}
	let status = client.status().await?;
	Ok(Box::new(Status {
		best: status.best.into(),
		chain: status.chain,
		finalized: status.finalized.into(),
		genesis: to_hex(&status.genesis.0),
		node: status.node,
		peers: status.peers,
		syncing: status.syncing,
	}))
}
