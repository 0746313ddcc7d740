//! `isthmus reject`: refuses a request.

use crate::{context::Context, error::Error};
use isthmus_sdk::RequestId;
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(
	after_help = "Example: isthmus reject 3 --reason \"not without a contract\" --key school.key"
)]
pub(crate) struct Opts {
	/// The request's number. Its deposit and its offer go back to whoever asked.
	request: RequestId,

	/// Why; everybody can read it.
	#[arg(long, default_value = "")]
	reason: String,
}

/// Rejects.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let Opts { request, reason } = opts;
	let call = context.client.reject_request(request, &reason).await?;
	let block = context.send(&identity, &call).await?.number();
	context.answer(
		format!("block {block}: request {request} is rejected"),
		json!({"block": block, "request": request}),
	);
	Ok(())
}
