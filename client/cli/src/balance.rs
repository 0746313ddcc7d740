//! `isthmus balance`: what an account has.

use crate::{
	context::{account, ist, Context},
	error::Error,
};
use isthmus_sdk::AccountId;
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "Example: isthmus balance //Alice")]
pub(crate) struct Opts {
	/// Whose [default: the key's].
	#[arg(value_parser = account)]
	account: Option<AccountId>,
}

/// Shows it.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let account = match opts.account {
		Some(account) => account,
		None => *context.identity().await?.id(),
	};
	let funds = context.client.best().await?.funds(&account).await?;
	context.answer(
		format!(
			"{account}\nfree  {}\nheld  {}, for deposits and offers",
			ist(funds.free),
			ist(funds.held)
		),
		json!({"account": account, "free": funds.free.to_string(), "held": funds.held.to_string()}),
	);
	Ok(())
}
