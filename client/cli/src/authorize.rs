// SPDX-License-Identifier: Apache-2.0
//! `isthmus authorize`: grants a reader access to a range, in answer to a request or without one.

use crate::{
	confirm::confirm,
	context::Context,
	dataset,
	describe::{self, no_epoch},
	error::Error,
	options::Options,
	report::Lines,
	stderr::tell,
	text::{
		account, condition, digest_start, end, good_while, short_digest, stated, time, Amount,
		Range,
	},
	tip::Tip,
};
use isthmus_sdk::{
	sharing::{self, Given},
	to_hex, AccountId, BlockNumber, Condition, DatasetId, Depth, Epoch, Error as SdkError, Event,
	GrantId, Identity, LeafNames, Leaves, Request, RequestId, Scope, Seconds, State, Terms,
};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(override_usage = "\
isthmus authorize [OPTIONS] <REQUEST>
       isthmus authorize [OPTIONS] --to <READER> --leaves <FROM..TO>")]
#[command(after_help = "\
If leaves of the range were erased, each range that is left gets a grant of its own. A request for
such a range is rejected in the same step, with a reason that names the leaves and its purpose, and
the grants are sealed to the key that its reader has registered. A request that offers a payment or
asks for a firm term is refused instead: only its answer gets them. So is one that is not final.

With --for, an operator of the owner answers: with keys that the owner granted to it, within their
range and epoch. It pays the fee (isthmus operator --help).

The number of a request that is not final can change hands: with --digest, this request is granted,
or none. At a terminal, what is about to be granted is shown first, unless --digest or --yes says
that it was seen.

Examples:
  isthmus authorize 3 --key school.key
  isthmus authorize 3 --digest 6f1e0c5a93b7d248 --key school.key
  isthmus authorize 3 --for 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --key operator.key
  isthmus authorize --to //Charlie --leaves 0..12 --term 1000 --until 2027-01-31 --key school.key
  isthmus authorize --to //Charlie --leaves 0..12 --key school.key --when 'fact(weather/beijing, pm25) > 75'")]
pub(crate) struct Opts {
	/// Number of the request to grant, exactly as it asks
	#[arg(required_unless_present = "to")]
	request: Option<RequestId>,

	/// Grant only the request whose digest begins with these digits, at least 16: isthmus requests prints them
	#[arg(long, value_name = "DIGITS", value_parser = digest_start, conflicts_with = "to")]
	digest: Option<String>,

	/// Do not ask on the terminal whether to grant the request
	#[arg(long, short, conflicts_with = "to")]
	yes: bool,

	/// Grant the request after this number of blocks, not when it is finalized: for chains without verifiers
	#[arg(long, value_name = "BLOCKS", conflicts_with = "to")]
	confirmations: Option<BlockNumber>,

	/// Reader to grant access to, without a request
	#[arg(long, value_name = "READER", value_parser = account, requires = "leaves", conflicts_with = "request")]
	to: Option<AccountId>,

	/// Leaves to open, without a request: by numbers, the first and one past the last; or by names or dates, the first and
	/// the last. Names are those of records or, with --card, of leaves
	#[arg(long, value_name = "FROM..TO", conflicts_with = "request")]
	leaves: Option<Leaves>,

	/// Card of the dataset, for what it calls leaves, also those of a request: the one whose hash is on the chain
	#[arg(long, value_name = "FILE")]
	card: Option<PathBuf>,

	/// Open also the other records between two that --leaves names
	#[arg(long, requires = "leaves", conflicts_with = "request")]
	all_between: bool,

	/// Dataset, without a request [default: the owner's only one]
	#[arg(long, value_name = "NUMBER", conflicts_with = "request")]
	dataset: Option<DatasetId>,

	/// Epoch, without a request. Records from before a revocation are in an earlier epoch [default: the
	/// current one]
	#[arg(long, value_name = "NUMBER", conflicts_with = "request")]
	epoch: Option<Epoch>,

	/// Number of blocks that the grant lasts, without a request
	#[arg(
		long,
		value_name = "BLOCKS",
		default_value_t = 10_000,
		value_parser = clap::value_parser!(u32).range(1..),
		conflicts_with = "request"
	)]
	term: u32,

	/// When the grant ends if its term is not over, in UTC, without a request: for example 2027-01-31, or
	/// 2027-01-31T08:30:00Z
	#[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "request")]
	until: Option<Seconds>,

	/// Condition under which the grant is good, without a request. It is suspended while the condition is not met
	#[arg(long, value_name = "CONDITION", value_parser = condition, conflicts_with = "request")]
	when: Option<Condition>,
}

/// A grant.
#[derive(Serialize)]
pub(crate) struct Granted {
	block: BlockNumber,
	/// The condition under which it is good.
	condition: Option<String>,
	expiry: BlockNumber,
	grant: GrantId,
	grantee: AccountId,
	paid: Amount,
	scope: Range,
	until: Option<Seconds>,
}

impl fmt::Display for Granted {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			grant,
			grantee,
			scope,
			..
		} = self;
		let end = end(self.expiry, self.until);
		write!(
			f,
			"block {block}: grant {grant} opens {scope} to {grantee}, {end}{}",
			good_while(self.condition.as_ref())
		)?;
		match self.paid {
			Amount(0) => Ok(()),
			paid => write!(f, ", for {paid}"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Lines<Granted>, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	let (identity, Given { call, cut, .. }, names) = match opts.request {
		Some(id) => answer(id, &opts, context, identity).await?,
		None => unasked(&opts, context, &best, identity).await?,
	};
	let included = context.send(&identity, &call).await?;
	if opts.request.is_none() && identity.account.is_operator() {
		let owner = identity.id();
		tell(format_args!(
			"the deposit for this grant is held from {owner}"
		));
	}
	if let Some(cut) = cut {
		match opts.request {
			Some(id) => tell(format_args!(
				"{cut}: request {id} is rejected for this reason, and what is left is granted"
			)),
			None => tell(format_args!("{cut}: what is left is granted")),
		}
	}
	let block = included.number();
	let granted = included.events.iter().filter_map(Event::granted);
	let granted = granted.map(|granted| Granted {
		block,
		condition: granted.terms.condition.as_ref().map(ToString::to_string),
		expiry: granted.terms.expiry,
		grant: granted.grant,
		grantee: granted.terms.grantee,
		paid: Amount(granted.paid),
		scope: range(&granted.terms.scope, names.as_ref()),
		until: granted.terms.until,
	});
	Ok(Lines(granted.collect()))
}

/// Returns leaves with what the card calls them, if it was given.
fn range(scope: &Scope, names: Option<&LeafNames>) -> Range {
	Range::from(scope).called(names.and_then(|names| names.text(scope)))
}

/// Returns how deep in the chain a request has to be before it is answered.
pub(crate) fn depth(confirmations: Option<BlockNumber>) -> Depth {
	confirmations.map_or(Depth::Final, Depth::Blocks)
}

/// Prepares the grant that a request asks for, once the request is settled. Also returns who sends it, and what the card calls
/// the leaves. What was seen of the request is what is granted: if its number belongs to another one meanwhile, nothing is.
async fn answer(
	id: RequestId,
	opts: &Opts,
	context: &Context,
	identity: Identity,
) -> Result<(Identity, Given, Option<LeafNames>), Error> {
	let seen = opts.digest.as_deref();
	let (request, digest) = as_seen(id, seen, context, &identity).await?;
	let (card, owner) = (opts.card.as_deref(), identity.id());
	let names = describe::leaf_names(context, card, owner, request.scope.dataset).await?;
	if opts.digest.is_none() {
		let yes = opts.yes || context.client.is_dry_run();
		confirm(&question(id, &request, &digest, names.as_ref()), yes)?;
	}
	let (client, depth) = (&context.client, depth(opts.confirmations));
	let identity = client.acting_on(identity, request.scope.dataset).await?;
	let given = sharing::authorize_left(client, &identity, id, &request, depth).await;
	let given = given.map_err(|error| match &error {
		SdkError::PartlyErased(cut) => {
			let reason = format!("{} were erased", cut.erased_leaves());
			let reject = Tip::new(format_args!("isthmus reject {id}")).option("--reason", &reason);
			Error::from(error).hint(format!(
				"reject it, so that its reader can ask for what is left: {reject}"
			))
		}
		_ => Error::from(error).knowing(&[("READER", request.consumer.to_string())]),
	})?;
	Ok((identity, given, names))
}

/// Returns an open request and its digest.
///
/// # Errors
///
/// Returns an error if the number belongs to another request than the one whose digest begins with the digits that were seen.
pub(crate) async fn as_seen(
	id: RequestId,
	seen: Option<&str>,
	context: &Context,
	identity: &Identity,
) -> Result<(Request, String), Error> {
	let best = context.client.best().await?;
	let request = best.request_to(identity.id(), id).await;
	let request = request.map_err(|error| no_request(error, "isthmus requests"))?;
	let digest = to_hex(&sharing::digest(&request).0);
	match seen {
		Some(seen) if !digest["0x".len()..].starts_with(seen) => {
			Err(SdkError::RequestGone(id).into())
		}
		_ => Ok((request, digest)),
	}
}

/// Asks whether to grant a request, and says what it asks for.
fn question(id: RequestId, request: &Request, digest: &str, names: Option<&LeafNames>) -> String {
	let Request {
		consumer,
		scope,
		term,
		offer,
		purpose,
		code,
		..
	} = request;
	let (scope, offer, firm) = (
		range(scope, names),
		Amount(*offer),
		if request.firm { " firm" } else { "" },
	);
	format!(
		"Request {id}, digest {}: open {scope} to {consumer} for {term} blocks{firm}, for {offer}? Purpose: {purpose}{}.",
		short_digest(digest),
		stated(*code)
	)
}

/// Says how to find the open requests if there is no such request.
pub(crate) fn no_request(error: SdkError, list: &str) -> Error {
	let is_none = matches!(error, SdkError::NoSuchRequest { .. });
	match (Error::from(error), is_none) {
		(error, true) => error.hint(format!("list the open requests: {list}")),
		(error, false) => error,
	}
}

/// Prepares a grant that no one asked for. Also returns who sends it.
async fn unasked(
	opts: &Opts,
	context: &Context,
	best: &State,
	identity: Identity,
) -> Result<(Identity, Given, Option<LeafNames>), Error> {
	let (Some(grantee), Some(leaves)) = (&opts.to, &opts.leaves) else {
		return Err(Error::usage("missing --to and --leaves"));
	};
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => dataset::only(context, identity.id()).await?,
	};
	let entry = dataset::own(best, identity.id(), dataset).await?;
	if let Some(epoch) = opts.epoch.filter(|epoch| *epoch > entry.epoch) {
		return Err(no_epoch(dataset, epoch, entry.epoch));
	}
	let card = opts.card.as_deref();
	let names = describe::leaf_names(context, card, identity.id(), dataset).await?;
	let asked = describe::Asked {
		owner: identity.id(),
		dataset,
		epoch: opts.epoch,
		current: entry.epoch,
		leaves,
		names: names.as_ref(),
		all_between: opts.all_between,
	};
	let scope = describe::scope(context, &identity, &asked).await?;
	if matches!(leaves, Leaves::Named { .. }) {
		let Scope {
			epoch, from, to, ..
		} = scope;
		tell(format_args!(
			"granting leaves {from}..{to} of epoch {epoch} of dataset {dataset} to {grantee}"
		));
	}
	let terms = Terms {
		grantee: *grantee,
		scope,
		expiry: sharing::expiry(best, opts.term),
		until: opts.until,
		request: None,
		condition: opts.when.clone(),
	};
	let client = &context.client;
	let identity = client.acting_on(identity, dataset).await?;
	let given = sharing::grant_left(client, best, &identity, &terms).await?;
	Ok((identity, given, names))
}
