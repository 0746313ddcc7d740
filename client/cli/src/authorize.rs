//! `isthmus authorize`: opens a range of a dataset to a reader, in answer to a request or without one.

use crate::{
	context::{account, ist, Context, Leaves},
	dataset,
	error::Error,
	requests::words,
};
use isthmus_sdk::{
	authorize, sharing, AccountId, Call, DatasetId, Epoch, Event, Identity, RequestId, Scope,
	State, Terms,
};
use serde_json::json;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus authorize 3 --key school.key
  isthmus authorize --to //Charlie --leaves 0..12 --term 1000 --until 2027-01-31 --key school.key")]
pub(crate) struct Opts {
	/// The request that is granted, just as it asks.
	#[arg(required_unless_present = "to")]
	request: Option<RequestId>,

	/// Without a request: who shall read.
	#[arg(long, value_parser = account, requires = "leaves", conflicts_with = "request")]
	to: Option<AccountId>,

	/// Without a request: which leaves.
	#[arg(long)]
	leaves: Option<Leaves>,

	/// Without a request: the dataset; not needed where there is only one.
	#[arg(long)]
	dataset: Option<DatasetId>,

	/// Without a request: the dataset's epoch; what was stored before a revocation is in an earlier one
	/// [default: the current one].
	#[arg(long)]
	epoch: Option<Epoch>,

	/// Without a request: for how many blocks.
	#[arg(long, default_value_t = 10_000)]
	term: u32,

	/// Without a request: a day, as 2027-01-31, from whose beginning in UTC on it is no longer good.
	#[arg(long, value_parser = day)]
	until: Option<u64>,
}

/// Authorises.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	let call = match opts.request {
		Some(id) => {
			let request = best
				.request(id)
				.await?
				.filter(|request| request.owner == *identity.id())
				.ok_or_else(|| {
					Error::usage(format!(
						"there is no open request {id} to {}",
						identity.id()
					))
					.hint("isthmus requests")
				})?;
			authorize(&context.client, &best, &identity, id, &request).await?
		}
		None => unasked(&opts, &context, &best, &identity).await?,
	};
	let included = context.send(&identity, &call).await?;
	let block = included.number();
	for event in &included.events {
		if let Event::Authorized {
			grant,
			grantee,
			scope,
			expiry,
			until,
			paid,
			..
		} = event
		{
			let paid_words = match paid {
				0 => String::new(),
				paid => format!(", for {}", ist(*paid)),
			};
			context.answer(
				format!(
					"block {block}: grant {grant} opens {} to {grantee}, {}{paid_words}",
					words(scope),
					crate::requests::end(*expiry, *until),
				),
				json!({
					"block": block, "grant": grant, "grantee": grantee, "expiry": expiry,
					"until": until,
					"scope": crate::requests::scope(scope), "paid": paid.to_string(),
				}),
			);
		}
	}
	Ok(())
}

/// A grant that nobody asked for.
async fn unasked(
	opts: &Opts,
	context: &Context,
	best: &State,
	identity: &Identity,
) -> Result<Call, Error> {
	let (Some(grantee), Some(leaves)) = (&opts.to, opts.leaves) else {
		return Err(Error::usage("who shall read, and which leaves?"));
	};
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => dataset::only(context, identity.id()).await?,
	};
	let entry = best.dataset(identity.id(), dataset).await?;
	let entry = entry
		.ok_or_else(|| Error::usage("there is no such dataset").hint("isthmus dataset list"))?;
	let terms = Terms {
		grantee: *grantee,
		scope: Scope {
			dataset,
			epoch: opts.epoch.unwrap_or(entry.epoch),
			from: leaves.from,
			to: leaves.to,
		},
		expiry: sharing::expiry(best, opts.term),
		until: opts.until,
		request: None,
	};
	Ok(sharing::grant(&context.client, best, identity, &terms).await?)
}

/// The beginning of a day, in seconds since 1970-01-01 UTC.
fn day(text: &str) -> Result<u64, String> {
	let refused = || format!("`{text}` is no day after 1970: 2027-01-31 say");
	let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
	let (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) =
		(parts.next(), parts.next(), parts.next(), parts.next())
	else {
		return Err(refused());
	};
	let leap = |year: u64| {
		year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
	};
	let length = |month: u64| match month {
		2 if leap(year) => 29,
		2 => 28,
		4 | 6 | 9 | 11 => 30,
		_ => 31,
	};
	if !(1970..=9999).contains(&year)
		|| !(1..=12).contains(&month)
		|| !(1..=length(month)).contains(&day)
	{
		return Err(refused());
	}
	let years: u64 = (1970..year)
		.map(|year| if leap(year) { 366 } else { 365 })
		.sum();
	let months: u64 = (1..month).map(length).sum();
	Ok((years + months + day - 1) * 86_400)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn days_are_those_of_the_calendar() {
		// By `date -u -d DAY +%s`.
		assert_eq!(day("1970-01-01"), Ok(0));
		assert_eq!(day("2000-03-01"), Ok(951_868_800));
		assert_eq!(day("2027-01-31"), Ok(1_801_353_600));
		for text in [
			"2027-02-29",
			"2027-13-01",
			"2027-00-01",
			"2027-01-00",
			"1969-12-31",
			"2027-1",
			"x",
		] {
			assert!(day(text).is_err(), "{text}");
		}
	}
}
