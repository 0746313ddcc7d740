//! `isthmus transfer`: sends funds.

use crate::{
	context::{account, amount, ist, Context},
	error::Error,
};
use isthmus_sdk::{AccountId, Balance};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(
	after_help = "Example: isthmus transfer 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty 100 --key //Alice"
)]
pub(crate) struct Opts {
	/// Who gets it.
	#[arg(value_parser = account)]
	to: AccountId,

	/// How much, in IST.
	#[arg(value_parser = amount)]
	amount: Balance,
}

/// Sends it.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let call = context.client.transfer(&opts.to, opts.amount).await?;
	let block = context.send(&identity, &call).await?.number();
	context.answer(
		format!("block {block}: {} to {}", ist(opts.amount), opts.to),
		json!({
			"block": block, "from": identity.id(), "to": opts.to, "amount": opts.amount.to_string(),
		}),
	);
	Ok(())
}
