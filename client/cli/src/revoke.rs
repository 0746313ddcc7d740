//! `isthmus revoke`: ends a grant, and keeps the dataset's other readers.

use crate::{context::Context, error::Error};
use isthmus_sdk::{revoke, Event, GrantId};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Revoking begins a new epoch of the dataset, under keys that the reader never had, and grants it
anew to all other readers. What was delivered cannot be recalled: whoever kept keys or bytes
has them.

Example: isthmus revoke 5 --key school.key")]
pub(crate) struct Opts {
	/// The grant's number; `isthmus list given` has them.
	grant: GrantId,
}

/// Revokes.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	let (mut block, mut renewed, mut epoch) = (0, 0, None);
	for call in revoke(&context.client, &best, &identity, opts.grant).await? {
		let included = context.send(&identity, &call).await?;
		block = included.number();
		for event in &included.events {
			match event {
				Event::Authorized { .. } => renewed += 1,
				Event::EpochStarted { epoch: started, .. } => epoch = Some(*started),
				_ => {}
			}
		}
	}
	let grant = opts.grant;
	let began = match epoch {
		Some(epoch) => format!("; epoch {epoch} has begun, granted anew to {renewed} readers"),
		None => String::new(),
	};
	context.answer(
		format!("block {block}: grant {grant} is revoked{began}"),
		json!({"block": block, "grant": grant, "epoch": epoch, "renewed": renewed}),
	);
	Ok(())
}
