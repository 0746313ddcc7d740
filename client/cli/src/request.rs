//! `isthmus request`: asks a producer for access (T_q), or takes a request back.

use crate::{
	context::{account, amount, Context, Leaves},
	dataset,
	error::{Error, Kind},
};
use isthmus_sdk::{
	every, AccountId, Balance, BlockNumber, DatasetId, Epoch, Event, Identity, RequestId, Scope,
};
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
		return cancel(&context, &identity, request).await;
	}
	let (Some(owner), Some(leaves)) = (opts.owner, opts.leaves) else {
		return Err(Error::usage("who is asked, and for which leaves?"));
	};
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => {
			// The hint of `only` is for the owner, who does not ask itself.
			let best = client.best().await?;
			if best.datasets(&owner, None).await?.items.is_empty() {
				return Err(Error::usage(format!("{owner} has no dataset")));
			}
			dataset::only(&context, &owner).await?
		}
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
	let best = client.best().await?;
	let mine = every(|after| best.requests_from(identity.id(), after)).await?;
	let open = mine
		.iter()
		.find(|entry| (entry.request.owner, entry.request.scope) == (owner, scope));
	if let Some(open) = open {
		let id = open.id;
		return Err(Error::new(
			Kind::Refused,
			format!("a request for these leaves is open: number {id}"),
		)
		.hint(format!("isthmus request --cancel {id}")));
	}
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

/// Takes a request back.
async fn cancel(context: &Context, identity: &Identity, request: RequestId) -> Result<(), Error> {
	let client = &context.client;
	let refused = |what: String| Error::new(Kind::Refused, what);
	let best = client.best().await?;
	let open = best
		.request(request)
		.await?
		.filter(|open| open.consumer == *identity.id())
		.ok_or_else(|| {
			refused(format!("this account has no open request {request}"))
				.hint("isthmus requests --mine")
		})?;
	let notice: BlockNumber = best.constant("CancelNotice")?;
	let next = best.block().number.saturating_add(1);
	if open.offer > 0 && open.valid_until <= next.saturating_add(notice) {
		return Err(refused(format!(
			"request {request} ends at block {} anyway, and may be granted until then: taking it back changes nothing",
			open.valid_until
		)));
	}
	let call = client.cancel_request(request).await?;
	let block = context.send(identity, &call).await?.number();
	// Where something is offered, an answer may be on its way already.
	let open = client.best().await?.request(request).await?;
	let until = open.map(|request| request.valid_until);
	let what = match until {
		None => format!("request {request} is taken back"),
		Some(until) => format!(
			"request {request} is being taken back: it may still be granted, and its offer paid, until block {until}"
		),
	};
	context.answer(
		format!("block {block}: {what}"),
		json!({"block": block, "request": request, "openUntil": until}),
	);
	Ok(())
}
