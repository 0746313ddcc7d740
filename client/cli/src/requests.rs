// SPDX-License-Identifier: Apache-2.0
//! `isthmus requests`: lists open requests.

use crate::{
	context::Context,
	error::Error,
	leaf_names::FromCards,
	options::Options,
	report::Lines,
	stderr::tell,
	text::{short_digest, stated, Amount, Range},
};
use isthmus_sdk::{
	every, sharing::digest, to_hex, AccountId, BlockNumber, PurposeCode, RequestEntry, RequestId,
	State, Verdict,
};
use serde::Serialize;
use std::{collections::HashSet, fmt};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus requests --key school.key
  isthmus requests --cards marks.jsonld --key school.key")]
pub(crate) struct Opts {
	/// List the requests that this account made, instead of those made to it
	#[arg(long)]
	mine: bool,

	#[command(flatten)]
	cards: FromCards,
}

/// An open request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
	#[serde(serialize_with = "code")]
	code: PurposeCode,
	consumer: AccountId,
	/// What `isthmus authorize --digest` takes, so that it grants this request or none.
	digest: String,
	/// Whether the node has finalized it. Otherwise a reorganisation may take it back.
	r#final: bool,
	firm: bool,
	offer: Amount,
	owner: AccountId,
	purpose: String,
	request: RequestId,
	scope: Range,
	term: BlockNumber,
	valid_until: BlockNumber,
	#[serde(serialize_with = "name")]
	verdict: Verdict,
	/// Whether the account that lists the requests made this one.
	#[serde(skip)]
	mine: bool,
}

/// Writes a code by its name.
pub(crate) fn code<S: serde::Serializer>(
	code: &PurposeCode,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	serializer.serialize_str(code.name())
}

/// Writes a verdict by its name.
fn name<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
	serializer.collect_str(&format_args!("{verdict:?}"))
}

impl fmt::Display for Open {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			request,
			scope,
			term,
			offer,
			..
		} = self;
		match self.mine {
			true => write!(f, "request {request} to {}", self.owner)?,
			false => write!(f, "request {request} from {}", self.consumer)?,
		}
		writeln!(f, ", digest {}", short_digest(&self.digest))?;
		let until = self.valid_until;
		let firm = if self.firm { " firm" } else { "" };
		writeln!(
			f,
			"  for {scope}, {term} blocks{firm}, offers {offer}; open until block {until}"
		)?;
		writeln!(f, "  purpose: {}{}", self.purpose, stated(self.code))?;
		if !self.r#final {
			writeln!(
				f,
				"  not final yet: a reorganisation may give its number to another"
			)?;
		}
		write!(f, "  {}", in_words(self.verdict))
	}
}

/// Returns what a policy says of a request.
pub(crate) fn in_words(verdict: Verdict) -> &'static str {
	match verdict {
		Verdict::NoPolicy => "the dataset has no policy",
		Verdict::Meets => "meets the policy",
		Verdict::ConsumerNotAllowed => "the policy does not allow this kind of consumer",
		Verdict::PurposeNotAllowed => "the policy does not allow this purpose",
		Verdict::RangeTooLong => "asks for more leaves than the policy allows",
		Verdict::TermTooLong => "asks for a longer term than the policy allows",
		Verdict::OfferTooLow => "offers less than the policy's price",
		Verdict::FirmNotOffered => "asks for a firm term, which the policy does not offer",
		Verdict::ConditionNotMet => {
			"does not meet the condition of the policy, or a fact is missing"
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Lines<Open>, Error> {
	let mut names = opts.cards.read()?;
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	let in_state = async |state: &State| match opts.mine {
		true => every(|after| state.requests_from(identity.account.id(), after)).await,
		false => every(|after| state.requests_to(identity.id(), after)).await,
	};
	let mut requests = in_state(&best).await?;
	requests.sort_by_key(|entry| entry.id);
	let named = |entry: &RequestEntry| (entry.id, digest(&entry.request).0);
	let mut is_final = HashSet::new();
	match requests.is_empty() {
		true => tell("no open requests"),
		false => {
			let finalized = in_state(&context.client.finalized().await?).await?;
			is_final.extend(finalized.iter().map(named));
		}
	}
	let mut open = Vec::new();
	for entry in requests {
		let named = named(&entry);
		let RequestEntry {
			id,
			request,
			verdict,
		} = entry;
		let scope = names.range(context, &request.owner, &request.scope).await?;
		open.push(Open {
			code: request.code,
			consumer: request.consumer,
			digest: to_hex(&named.1),
			r#final: is_final.contains(&named),
			firm: request.firm,
			offer: Amount(request.offer),
			owner: request.owner,
			purpose: request.purpose.to_string(),
			request: id,
			scope,
			term: request.term,
			valid_until: request.valid_until,
			verdict,
			mine: opts.mine,
		});
	}
	names.tell_unused();
	Ok(Lines(open))
}
