// SPDX-License-Identifier: Apache-2.0
//! `isthmus revoke`: ends a grant and renews the grants of the dataset's other readers.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	report,
	stderr::tell,
	text::{Amount, Range},
};
use isthmus_sdk::{
	revoke,
	sharing::{Renewal, Revocation},
	AccountId, BlockNumber, Epoch, Error as SdkError, GrantId,
};
use serde::Serialize;
use std::fmt;

/// What to do if a revocation cannot be resumed.
const GONE: &str = "use a node that runs with --state-pruning archive, or give the other readers their grants: isthmus dataset renew DATASET";

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Revoking a grant on the dataset's current epoch starts a new epoch, with keys that the revoked
reader never had, and renews the other readers' grants for it. The revoked reader keeps its other
grants on earlier epochs, and the command lists them. If a reader's grant cannot be renewed, for
example because the reader has no encryption key, the command names the reader and skips it. Run
the command again to retry, or to resume after an interruption. Once the node no longer has the
state of that time, `isthmus dataset renew` does that.

If the reader paid for a term that is not over, your account pays back the rest of the term in the
same step. As long as the reader can dispute the grant, the payment is held, and all of it goes back.
A grant with a firm term cannot be revoked before the term ends; `isthmus list given` shows when
that is. `isthmus dataset epoch` closes what you store later to such a reader, too.

Revoking does not recall what was delivered: a reader may have kept keys and data. The upload of a
large record that started earlier continues under its old keys.

Example:
  isthmus revoke 5 --key school.key")]
pub(crate) struct Opts {
	/// Number of the grant, as `isthmus list given` shows it
	grant: GrantId,
}

/// A grant that was revoked.
#[derive(Serialize)]
struct Revoked {
	/// The block of the revocation; `None` if an earlier run revoked the grant.
	block: Option<BlockNumber>,
	epoch: Option<Epoch>,
	grant: GrantId,
	left: Vec<GrantId>,
	overtaken: bool,
	refunded: Amount,
	renewed: usize,
	skipped: Vec<Skipped>,
	#[serde(skip)]
	reader: AccountId,
}

/// A grant that was not renewed.
#[derive(Serialize)]
pub(crate) struct Skipped {
	grantee: AccountId,
	reason: String,
	/// What the grant was for: a reader may have several.
	#[serde(skip)]
	scope: Range,
}

/// Returns the grants that were not renewed.
pub(crate) fn skipped(renewal: &Renewal) -> Vec<Skipped> {
	let skipped = renewal.skipped.iter();
	let skipped = skipped.map(|(terms, reason)| Skipped {
		grantee: terms.grantee,
		reason: reason.to_string(),
		scope: (&terms.scope).into(),
	});
	skipped.collect()
}

impl Skipped {
	/// Prints why the grant was not renewed to stderr.
	pub(crate) fn warn(&self) {
		let Self {
			grantee,
			reason,
			scope,
		} = self;
		tell(format_args!(
			"skipped the grant of {scope} to {grantee}: {reason}"
		));
	}
}

impl Revoked {
	fn new(grant: GrantId, revocation: &Revocation) -> Self {
		let renewal = revocation.renewal.as_ref();
		Self {
			block: revocation.included.as_ref().map(|block| block.number()),
			epoch: renewal.map(|renewal| renewal.epoch),
			grant,
			left: revocation.left.clone(),
			overtaken: revocation.overtaken,
			refunded: Amount(revocation.refunded()),
			renewed: renewal.map_or(0, |renewal| renewal.renewed.len()),
			skipped: renewal.map_or_else(Vec::new, skipped),
			reader: revocation.grant.grantee,
		}
	}

	/// Prints what needs the owner's attention to stderr.
	fn warn(&self) {
		for skipped in &self.skipped {
			skipped.warn();
		}
		if self.overtaken {
			tell(format_args!(
				"another program started a new epoch of the dataset at the same time: if it granted {} \
				 access to that epoch, revoke that grant, too: isthmus list given",
				self.reader
			));
		}
	}
}

impl fmt::Display for Revoked {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			grant,
			renewed,
			reader,
			..
		} = self;
		match self.block {
			Some(block) => write!(f, "block {block}: revoked grant {grant}")?,
			None => write!(f, "grant {grant} was already revoked")?,
		}
		if self.refunded.0 > 0 {
			write!(f, "; paid {} back", self.refunded)?;
		}
		if let Some(epoch) = self.epoch {
			write!(
				f,
				"; started epoch {epoch}, renewed grants of other readers: {renewed}"
			)?;
		}
		if !self.left.is_empty() {
			let numbers: Vec<String> = self.left.iter().map(GrantId::to_string).collect();
			let numbers = numbers.join(", ");
			write!(f, "; other grants of {reader} on this dataset: {numbers}")?;
		}
		Ok(())
	}
}

/// Runs the command, and prints the revocation before it waits for finality and reports what went wrong
/// afterwards.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let revocation = revoke(&context.client, &identity, opts.grant).await;
	let revocation = revocation.map_err(|error| match error {
		gone @ SdkError::StateGone(_) => Error::from(gone).hint(GONE),
		error => error.into(),
	})?;
	let revoked = Revoked::new(opts.grant, &revocation);
	revoked.warn();
	let printed = context.output.print(&revoked);
	let printed = printed
		.map_err(|error| report::unreported(error, &revoked.to_string(), context.last_sent()));
	context.settle(revocation.last).await?;
	match revocation.renewal.and_then(|renewal| renewal.ended) {
		Some(error) => Err(Error::from(error).hint(
			"the grant is revoked; run the same command again to renew the grants of the other readers",
		)),
		None => printed,
	}
}
