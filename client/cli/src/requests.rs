//! `isthmus requests`: the open requests.

use crate::{
	context::{ist, Context},
	error::Error,
};
use isthmus_sdk::{every, BlockNumber, RequestEntry, Scope, Seconds, Verdict};
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
	if requests.is_empty() {
		eprintln!("no open requests");
	}
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
				"request {id} {word} {who}\n  for {}, {} blocks, offers {}; open until block {}\n  purpose: {}\n  {meets}",
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

/// When a grant ends, in a person's words: at a block, or at a date if that comes first.
pub(crate) fn end(expiry: BlockNumber, until: Option<Seconds>) -> String {
	match until {
		Some(until) => format!(
			"until block {expiry} or {}, whichever is first",
			date(until)
		),
		None => format!("until block {expiry}"),
	}
}

/// A date in UTC, with its time where it is not the day's beginning.
fn date(seconds: Seconds) -> String {
	// Howard Hinnant, "chrono-compatible low-level date algorithms": days since 1970 to a date of the
	// Gregorian calendar, in years that begin in March.
	let (days, rest) = (seconds / 86_400, seconds % 86_400);
	let shifted = days + 719_468;
	let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
	let year_of_era =
		(day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
	let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	let march_month = (5 * day_of_year + 2) / 153;
	let day = day_of_year - (153 * march_month + 2) / 5 + 1;
	let month = if march_month < 10 {
		march_month + 3
	} else {
		march_month - 9
	};
	let year = year_of_era + era * 400 + u64::from(month <= 2);
	let time = match rest {
		0 => String::new(),
		_ => format!(" {:02}:{:02} UTC", rest / 3_600, rest / 60 % 60),
	};
	format!("{year}-{month:02}-{day:02}{time}")
}

/// A scope for a program.
pub(crate) fn scope(scope: &Scope) -> serde_json::Value {
	json!({"dataset": scope.dataset, "epoch": scope.epoch, "from": scope.from, "to": scope.to})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_grants_end_is_told_by_block_and_date() {
		// By `date -u -d @SECONDS`.
		for (seconds, expected) in [
			(0, "1970-01-01"),
			(951_782_400, "2000-02-29"),
			(951_868_800, "2000-03-01"),
			(1_801_353_600, "2027-01-31"),
			(4_107_542_399, "2100-02-28 23:59 UTC"),
			(7_258_118_400, "2200-01-01"),
		] {
			assert_eq!(date(seconds), expected);
		}
		assert_eq!(end(7, None), "until block 7");
		assert_eq!(
			end(7, Some(0)),
			"until block 7 or 1970-01-01, whichever is first"
		);
	}
}
