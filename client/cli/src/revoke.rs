//! `isthmus revoke`: ends a grant, and keeps the dataset's other readers.

use crate::{context::Context, error::Error};
use isthmus_sdk::{revoke, GrantId};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
If the grant is on the dataset's current epoch, a new epoch begins, under keys that its reader
never had, and the other readers' grants are given anew for it. The revoked reader gets nothing
of the new epoch; further grants that it has on earlier ones stay good, and are named. A reader
who cannot be given its grant, having no encryption key say, is named and left out. Run it
again to try those anew, or to go on where it was interrupted.

A grant that the reader paid for cannot be revoked until the term paid for is over:
`isthmus list given` says when. `isthmus dataset epoch` closes what comes later to it all the same.

What was delivered cannot be recalled: whoever kept keys or bytes has them. A large record that
was begun before goes on under its old keys.

Example: isthmus revoke 5 --key school.key")]
pub(crate) struct Opts {
	/// The grant's number; `isthmus list given` has them.
	grant: GrantId,
}

/// Revokes.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let revocation = revoke(&context.client, &identity, opts.grant).await?;
	let (grant, reader) = (opts.grant, revocation.grant.grantee);
	let block = revocation
		.included
		.as_ref()
		.map(|included| included.number());
	let renewal = revocation.renewal.as_ref();
	let (epoch, renewed) = (
		renewal.map(|renewal| renewal.epoch),
		renewal.map_or(0, |renewal| renewal.renewed.len()),
	);
	for (terms, reason) in renewal.iter().flat_map(|renewal| &renewal.skipped) {
		eprintln!(
			"the grant of {} was not given anew: {reason}",
			terms.grantee
		);
	}
	if revocation.overtaken {
		eprintln!(
			"the dataset moved on to a new epoch in the meantime, without this revocation: if {reader} was \
			 given a grant of it, revoke that too: isthmus list given"
		);
	}
	let mut said = match block {
		Some(block) => format!("block {block}: grant {grant} is revoked"),
		None => format!("grant {grant} was revoked before"),
	};
	if let Some(epoch) = epoch {
		said +=
			&format!("; epoch {epoch} has begun, other readers are given theirs anew: {renewed}");
	}
	if !revocation.left.is_empty() {
		let numbers: Vec<String> = revocation.left.iter().map(GrantId::to_string).collect();
		said += &format!(
			"; {reader} still has, on this dataset: {}",
			numbers.join(", ")
		);
	}
	let skipped: Vec<_> = renewal
		.iter()
		.flat_map(|renewal| &renewal.skipped)
		.map(|(terms, reason)| json!({"grantee": terms.grantee, "reason": reason.to_string()}))
		.collect();
	context.answer(
		said,
		json!({
			"block": block, "grant": grant, "epoch": epoch, "renewed": renewed, "skipped": skipped,
			"left": revocation.left, "overtaken": revocation.overtaken,
		}),
	);
	let last = renewal.and_then(|renewal| renewal.last.as_ref());
	if let Some(included) = last.or(revocation.included.as_ref()) {
		context.settle(included.block).await?;
	}
	match revocation.renewal.and_then(|renewal| renewal.ended) {
		Some(error) => Err(Error::from(error).hint(
			"the grant is revoked; run the same command again to give the others theirs anew",
		)),
		None => Ok(()),
	}
}
