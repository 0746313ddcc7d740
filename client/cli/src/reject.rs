// SPDX-License-Identifier: Apache-2.0
//! `isthmus reject`: rejects a request.

use crate::{
	authorize::as_seen, context::Context, error::Error, options::Options, text::digest_start,
};
use clap::builder::NonEmptyStringValueParser;
use isthmus_sdk::{sharing, BlockNumber, RequestId};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The consumer gets its deposit and its offer back.

The number of a request that is not final can change hands: with --digest, this request is
rejected, or none, and not before it is final. On a chain without verifiers, leave --digest out.

Examples:
  isthmus reject 3 --reason \"not without a contract\" --key school.key
  isthmus reject 3 --digest 6f1e0c5a93b7d248 --key school.key")]
pub(crate) struct Opts {
	/// Number of the request
	request: RequestId,

	/// Reject this request or none: its digest begins with these digits, at least 16. isthmus requests prints them
	#[arg(long, value_name = "DIGITS", value_parser = digest_start)]
	digest: Option<String>,

	/// Reason, which is public
	#[arg(long, value_parser = NonEmptyStringValueParser::new())]
	reason: Option<String>,
}

/// A request that was rejected.
#[derive(Serialize)]
pub(crate) struct Rejected {
	block: BlockNumber,
	request: RequestId,
}

impl fmt::Display for Rejected {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "block {}: rejected request {}", self.block, self.request)
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Rejected, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let Opts {
		request,
		digest,
		reason,
	} = opts;
	let asked = match digest.as_deref() {
		Some(digest) => {
			let (asked, _) = as_seen(request, Some(digest), context, &identity).await?;
			sharing::check_final(&context.client, request, &asked).await?;
			Some(asked)
		}
		None => context.client.best().await?.request(request).await?,
	};
	let identity = match asked {
		Some(asked) => {
			let dataset = asked.scope.dataset;
			context.client.acting_on(identity, dataset).await?
		}
		// The chain says that there is none.
		None => identity,
	};
	let reason = reason.unwrap_or_default();
	let call = context.client.reject_request(request, &reason).await?;
	let block = context.send(&identity, &call).await?.number();
	Ok(Rejected { block, request })
}
