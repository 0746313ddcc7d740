//! `isthmus requests`: the open requests.

use crate::{
	context::{ist, Context},
	error::Error,
};
use isthmus_sdk::{every, RequestEntry, Scope, Verdict};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "Example: isthmus requests --key school.key")]
pub(crate) struct Opts {
	/// Those that this account made, and not those made to it.
	#[arg(long)]
	mine: bool,
}

/// Lists them.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	let mut requests = match opts.mine {
		true => every(|after| best.requests_from(identity.id(), after)).await?,
		false => every(|after| best.requests_to(identity.id(), after)).await?,
	};
	requests.sort_by_key(|entry| entry.id);
	for RequestEntry {
		id,
		request,
		verdict,
	} in requests
	{
		let meets = match verdict {
			Verdict::NoPolicy => "the dataset has no policy",
			Verdict::Meets => "meets the policy",
			Verdict::ConsumerNotAllowed => "the policy does not allow this kind of consumer",
			Verdict::RangeTooLong => "asks for more leaves than the policy allows",
			Verdict::TermTooLong => "asks for longer than the policy allows",
			Verdict::OfferTooLow => "offers less than the policy's price",
		};
		let (who, word) = match opts.mine {
			true => (&request.owner, "to"),
			false => (&request.consumer, "from"),
		};
		context.answer(
			format!(
				"request {id} {word} {who}\n  for {}, {} blocks, offers {}, until block {}\n  purpose: {}\n  {meets}",
				words(&request.scope), request.term, ist(request.offer), request.valid_until, request.purpose,
			),
			json!({
				"request": id, "owner": request.owner, "consumer": request.consumer,
				"scope": scope(&request.scope), "purpose": request.purpose.to_string(),
				"term": request.term, "offer": request.offer.to_string(),
				"validUntil": request.valid_until, "verdict": format!("{verdict:?}"),
			}),
		);
	}
	Ok(())
}

/// A scope in a person's words.
pub(crate) fn words(scope: &Scope) -> String {
	let Scope {
		dataset,
		epoch,
		from,
		to,
	} = scope;
	format!("leaves {from}..{to} of dataset {dataset}, epoch {epoch}")
}

/// A scope for a program.
pub(crate) fn scope(scope: &Scope) -> serde_json::Value {
	json!({"dataset": scope.dataset, "epoch": scope.epoch, "from": scope.from, "to": scope.to})
}
