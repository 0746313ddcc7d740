//! `isthmus request`: asks a producer for access (T_q), or takes a request back.

use crate::{
	context::{account, amount, Context, Leaves},
	dataset,
	error::Error,
};
use isthmus_sdk::{AccountId, Balance, DatasetId, Epoch, Event, RequestId, Scope};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus request 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --leaves 0..12 --term 1000 --purpose \"a study\" --key company.key
  isthmus request --cancel 3 --key company.key")]
pub(crate) struct Opts {
	/// Who is asked.
	#[arg(value_parser = account, required_unless_present = "cancel")]
	owner: Option<AccountId>,

	/// For which leaves: the first, and one past the last.
	#[arg(long, required_unless_present = "cancel")]
	leaves: Option<Leaves>,

	/// What for; everybody can read it.
	#[arg(long, required_unless_present = "cancel", default_value = "")]
	purpose: String,

	/// The owner's dataset; not needed where there is only one.
	#[arg(long)]
	dataset: Option<DatasetId>,

	/// The dataset's epoch [default: the current one].
	#[arg(long)]
	epoch: Option<Epoch>,

	/// For how many blocks, from the one that authorises it.
	#[arg(long, default_value_t = 10_000)]
	term: u32,

	/// What the owner is paid upon authorisation, in IST. It is held until the request is answered.
	#[arg(long, default_value = "0", value_parser = amount)]
	offer: Balance,

	/// Takes back the request with this number instead.
	#[arg(long, value_name = "REQUEST", conflicts_with_all = ["owner", "leaves"])]
	cancel: Option<RequestId>,
}

/// Asks, or takes a request back.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let client = &context.client;
	if let Some(request) = opts.cancel {
		let call = client.cancel_request(request).await?;
		let block = context.send(&identity, &call).await?.number();
		// Where something is offered, an answer may be on its way already.
		let open = client.best().await?.request(request).await?;
		let until = open.map(|request| request.valid_until);
		let notice = until.map_or_else(String::new, |until| {
			format!("; the offer comes back at block {until}, unless it is answered before")
		});
		context.answer(
			format!("block {block}: request {request} is taken back{notice}"),
			json!({"block": block, "request": request, "openUntil": until}),
		);
		return Ok(());
	}
	let (Some(owner), Some(leaves)) = (opts.owner, opts.leaves) else {
		return Err(Error::usage("who is asked, and for which leaves?"));
	};
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => dataset::only(&context, &owner).await?,
	};
	let epoch = match opts.epoch {
		Some(epoch) => epoch,
		None => {
			let best = client.best().await?;
			let dataset = best.dataset(&owner, dataset).await?;
			dataset
				.ok_or_else(|| Error::usage("the owner has no such dataset"))?
				.epoch
		}
	};
	let scope = Scope {
		dataset,
		epoch,
		from: leaves.from,
		to: leaves.to,
	};
	let call = client
		.request_access(&owner, scope, &opts.purpose, opts.term, opts.offer)
		.await?;
	let included = context.send(&identity, &call).await?;
	let request = included.events.iter().find_map(|event| match event {
		Event::AccessRequested { request, .. } => Some(*request),
		_ => None,
	});
	let request = request.ok_or_else(|| Error::failed("the chain does not say which request"))?;
	let block = included.number();
	context.answer(
		format!("block {block}: request {request} waits for {owner}"),
		json!({"block": block, "request": request}),
	);
	Ok(())
}
