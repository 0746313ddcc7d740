// SPDX-License-Identifier: Apache-2.0
//! `isthmus request`: requests access (T_q in the paper), or cancels a request.

use crate::{
	authorize::no_request,
	context::Context,
	dataset, describe,
	error::Error,
	options::Options,
	paid::{self, Disputes},
	report::Report,
	requests::in_words,
	stderr::tell,
	text::{account, amount, condition},
};
use isthmus_sdk::{
	dispute, every,
	sharing::{self, Ask},
	AccountId, Balance, BlockNumber, Condition, DatasetId, Epoch, Error as SdkError, Event,
	Identity, Included, Leaves, PurposeCode, RequestId, State, Verdict,
};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// The arguments that say what a new request asks for. With `--cancel`, they would mean nothing.
const ABOUT_A_NEW_ONE: [&str; 10] = [
	"owner", "leaves", "card", "purpose", "code", "dataset", "epoch", "term", "offer", "firm",
];

/// Arguments of the command.
#[derive(clap::Args)]
#[command(override_usage = "\
isthmus request [OPTIONS] <OWNER> --leaves <FROM..TO> --purpose <TEXT>
       isthmus request [OPTIONS] --cancel <REQUEST>")]
#[command(after_help = "\
Examples:
  isthmus request //Bob --leaves 0..12 --purpose \"a study\" --code research --key company.key
  isthmus request //Bob --leaves 0..12 --purpose \"a study\" --offer 5 --wait --key company.key
  isthmus request //Bob --leaves 2025-03..2025-05 --card marks.jsonld --purpose \"a study\"
  isthmus request --cancel 3 --key company.key")]
pub(crate) struct Opts {
	/// Owner of the data
	#[arg(value_parser = account, required_unless_present = "cancel")]
	owner: Option<AccountId>,

	/// Leaves to read: by numbers, the first and one past the last; or by names or dates, the first and the last. Names are
	/// those of records or, with --card, of leaves
	#[arg(long, value_name = "FROM..TO", required_unless_present = "cancel")]
	leaves: Option<Leaves>,

	/// Card of the dataset, for what it calls leaves: the one whose hash is on the chain
	#[arg(long, value_name = "FILE", requires = "leaves")]
	card: Option<PathBuf>,

	/// Purpose in words, which is public
	#[arg(
		long,
		value_name = "TEXT",
		required_unless_present = "cancel",
		default_value = "",
		hide_default_value = true
	)]
	purpose: String,

	/// The same as one of the codes that policies understand: research, statistics, service, compliance, education,
	/// health, security, journalism, public-policy, commercial or marketing. Both are in what the owner agrees to
	#[arg(
		long,
		value_name = "CODE",
		default_value = "unspecified",
		hide_default_value = true
	)]
	code: PurposeCode,

	/// Dataset of the owner [default: its only one]
	#[arg(long, value_name = "NUMBER")]
	dataset: Option<DatasetId>,

	/// Epoch of the dataset [default: the current one]
	#[arg(long, value_name = "NUMBER")]
	epoch: Option<Epoch>,

	/// Number of blocks that the grant has to last
	#[arg(
		long,
		value_name = "BLOCKS",
		default_value_t = 10_000,
		value_parser = clap::value_parser!(u32).range(1..)
	)]
	term: u32,

	/// Amount in IST that the owner gets for the grant. It is held until it can no longer be disputed: for half of
	/// the term, at least 24 blocks and at most a day. The term must be at least 24 blocks
	#[arg(long, value_name = "IST", default_value = "0", value_parser = amount)]
	offer: Balance,

	/// Ask for a firm term, before whose end the owner cannot revoke the grant: the policy has to offer it
	#[arg(long)]
	firm: bool,

	/// Condition on which the request is cancelled and its offer released, with the notice of a cancelled request
	#[arg(long, value_name = "CONDITION", value_parser = condition, conflicts_with = "cancel")]
	withdraw_when: Option<Condition>,

	/// Wait for the answer, and check that the grant opens what was paid for. If it does not, it is disputed, which gets
	/// the payment back
	#[arg(long, conflicts_with = "cancel")]
	wait: bool,

	#[command(flatten)]
	disputes: Disputes,

	/// Cancel the request with this number instead
	#[arg(long, value_name = "REQUEST", conflicts_with_all = ABOUT_A_NEW_ONE)]
	cancel: Option<RequestId>,
}

/// A request that was made.
#[derive(Serialize)]
struct Requested {
	block: BlockNumber,
	/// The condition on which it is cancelled.
	condition: Option<String>,
	request: RequestId,
	#[serde(skip)]
	owner: AccountId,
}

impl fmt::Display for Requested {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			request,
			owner,
			..
		} = self;
		write!(f, "block {block}: request {request} waits for {owner}")?;
		match &self.condition {
			Some(condition) => write!(f, ", until {condition}"),
			None => Ok(()),
		}
	}
}

/// A request that was cancelled.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled {
	block: BlockNumber,
	/// The first block in which the request has expired, if it made an offer. A cancelled request with an
	/// offer stays open for a notice period, in which it can still be granted.
	open_until: Option<BlockNumber>,
	request: RequestId,
}

impl fmt::Display for Cancelled {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { block, request, .. } = self;
		match self.open_until {
			None => write!(f, "block {block}: cancelled request {request}"),
			Some(until) => write!(
				f,
				"block {block}: cancelling request {request}; before block {until} it can still be granted and its offer paid"
			),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let client = &context.client;
	Ok(match opts.cancel {
		Some(request) => Box::new(cancel(context, &identity, request).await?),
		None => {
			let owner = opts.owner.iter().map(|owner| ("OWNER", owner.to_string()));
			let owner: Vec<_> = owner.collect();
			let asked = ask(&opts, context, &identity).await;
			let (included, requested) = asked.map_err(|error| error.knowing(&owner))?;
			match opts.wait {
				false => Box::new(requested),
				true => {
					tell(&requested);
					let request = requested.request;
					let asked = client.at(included.block.hash).await?;
					let answered = dispute::answered(client, &identity, &asked, request).await?;
					let given = answered.ok_or_else(|| unanswered(request, &identity))?;
					Box::new(paid::received(context, &identity, given, &opts.disputes).await?)
				}
			}
		}
	})
}

/// Returns the error of a request that ended without a grant.
fn unanswered(request: RequestId, identity: &Identity) -> Error {
	Error::refused(format!("request {request} ended without a grant")).hint(format!(
		"to see whether it was rejected, and why: isthmus trace reader {}",
		identity.account.id()
	))
}

async fn ask(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
) -> Result<(Included, Requested), Error> {
	let client = &context.client;
	let (Some(owner), Some(leaves)) = (opts.owner, &opts.leaves) else {
		return Err(Error::usage("missing owner and --leaves"));
	};
	let best = client.best().await?;
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => {
			// The hint in the error of `only` is for owners, so do not let it reach a consumer.
			if best.datasets(&owner, None).await?.items.is_empty() {
				return Err(SdkError::NoDataset(owner).into());
			}
			dataset::only(context, &owner).await?
		}
	};
	let names = describe::leaf_names(context, opts.card.as_deref(), &owner, dataset).await?;
	let asked = describe::Asked {
		owner: &owner,
		dataset,
		epoch: opts.epoch,
		current: dataset::own(&best, &owner, dataset).await?.epoch,
		leaves,
		names: names.as_ref(),
		all_between: false,
	};
	let ask = Ask {
		owner,
		scope: describe::scope(context, identity, &asked).await?,
		purpose: &opts.purpose,
		code: opts.code,
		term: opts.term,
		offer: opts.offer,
		firm: opts.firm,
	};
	warn_of_policy(&best, identity.account.id(), &ask).await?;
	let call = sharing::request(client, identity, &ask).await;
	let call = call.map_err(|error| match error {
		SdkError::AlreadyAsked(open) => Error::from(error).hint(format!(
			"to change it, cancel it first: isthmus request --cancel {open}"
		)),
		error => error.into(),
	})?;
	if let Some(condition) = &opts.withdraw_when {
		// The request has no number yet.
		let call = client.withdraw_when(0, Some(condition.clone())).await?;
		client.plan(&call).await?;
	}
	let included = context.send(identity, &call).await?;
	let request = included.events.iter().find_map(|event| match event {
		Event::AccessRequested { request, .. } => Some(*request),
		_ => None,
	});
	let request =
		request.ok_or_else(|| Error::failed("the block has no event with the request's number"))?;
	if let Some(condition) = &opts.withdraw_when {
		let call = client
			.withdraw_when(request, Some(condition.clone()))
			.await?;
		context.send(identity, &call).await.map_err(|error| {
			error.also(format!(
				"request {request} is open without the condition; to cancel it: isthmus request --cancel {request}"
			))
		})?;
	}
	let requested = Requested {
		block: included.number(),
		condition: opts.withdraw_when.as_ref().map(ToString::to_string),
		request,
		owner,
	};
	Ok((included, requested))
}

/// Warns if a request does not meet the dataset's policy: no program of the owner will grant it then.
async fn warn_of_policy(best: &State, reader: &AccountId, ask: &Ask<'_>) -> Result<(), SdkError> {
	let owner = &ask.owner;
	let mut datasets = every(|after| best.datasets(owner, after))
		.await?
		.into_iter();
	let asked = datasets.find(|entry| entry.id == ask.scope.dataset);
	let Some(policy) = asked.and_then(|entry| entry.policy) else {
		return Ok(());
	};
	let kind = best.producer(reader).await?.map(|reader| reader.kind);
	let verdict = policy.judge(kind, ask.code, &ask.scope, &ask.term, &ask.offer, ask.firm);
	if verdict != Verdict::Meets {
		tell(format_args!(
			"warning: this request does not meet the dataset's policy ({}), so only its owner itself can grant it. To see the \
			 policy: isthmus list datasets --owner {owner}",
			in_words(verdict)
		));
	}
	Ok(())
}

async fn cancel(
	context: &Context,
	identity: &Identity,
	request: RequestId,
) -> Result<Cancelled, Error> {
	let client = &context.client;
	let best = client.best().await?;
	let open = best.request_from(identity.account.id(), request).await;
	let open = open.map_err(|error| no_request(error, "isthmus requests --mine"))?;
	let notice: BlockNumber = best.constant("CancelNotice")?;
	let next = best.block().number.saturating_add(1);
	let is_overdue = open.valid_until <= next;
	if open.offer > 0 && !is_overdue && open.valid_until <= next.saturating_add(notice) {
		return Err(Error::refused(format!(
			"cancelling request {request} would change nothing: it ends at block {} anyway, and can be granted before that",
			open.valid_until
		)));
	}
	let call = client.cancel_request(request).await?;
	let block = context.send(identity, &call).await?.number();
	// With an offer the request stays open for a while, because an answer may be in flight.
	let open = client.best().await?.request(request).await?;
	Ok(Cancelled {
		block,
		open_until: open.map(|request| request.valid_until),
		request,
	})
}
