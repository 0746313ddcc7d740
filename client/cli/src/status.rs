//! `isthmus status`: the node and its chain, and who verified a block.

use crate::{context::Context, error::Error};
use serde_json::{json, Value};

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus status
  isthmus status --block 120")]
pub(crate) struct Opts {
	/// Which verifiers signed for this block, and whether more than half did.
	#[arg(long)]
	block: Option<u32>,
}

/// Shows it.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	if let Some(block) = opts.block {
		let params = isthmus_sdk::rpc_params![block];
		let said: Value = context
			.client
			.request("isthmus_verification", params)
			.await?;
		let statement = said["statement"]
			.as_str()
			.unwrap_or("the node makes no statement");
		context.answer(statement.to_owned(), said.clone());
		return Ok(());
	}
	let status = context.client.status().await?;
	let syncing = if status.syncing {
		", still behind its peers"
	} else {
		""
	};
	context.answer(
		format!(
			"chain      {} (genesis {:?})\nnode       {}, {} peers{syncing}\nbest       {} {:?}\nfinalized  {} {:?}",
			status.chain, status.genesis, status.node, status.peers,
			status.best.number, status.best.hash, status.finalized.number, status.finalized.hash,
		),
		json!({
			"chain": status.chain, "genesis": format!("{:?}", status.genesis), "node": status.node,
			"peers": status.peers, "syncing": status.syncing,
			"best": {"number": status.best.number, "hash": format!("{:?}", status.best.hash)},
			"finalized": {"number": status.finalized.number, "hash": format!("{:?}", status.finalized.hash)},
		}),
	);
	Ok(())
}
