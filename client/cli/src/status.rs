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
		context.answer(verification(&said), said);
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

/// What the node says of a block's verification, for people.
fn verification(said: &Value) -> String {
	let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
	let mut lines = vec![
		format!("block      {} {}", said["number"], text(&said["hash"])),
		text(&said["statement"]),
	];
	for (title, verifiers) in [
		("verified", &said["verifiedBy"]),
		("not seen", &said["notSeen"]),
	] {
		for verifier in verifiers.as_array().into_iter().flatten() {
			// A verifier of genesis may be known by its vote key alone.
			let account = verifier["account"].as_str();
			let name = account.map_or_else(|| text(&verifier["grandpaKey"]), Into::into);
			lines.push(format!("{title:10} {name}"));
		}
	}
	lines.join("\n")
}
