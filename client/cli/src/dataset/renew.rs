// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset renew`: gives the readers of an earlier epoch their grants again, for the current one.

use crate::{
	confirm::confirm,
	context::Context,
	describe::no_epoch,
	error::Error,
	revoke::{skipped, Skipped},
	stderr::tell,
	text::{count, Range},
};
use isthmus_sdk::{
	sharing::{renew, renewable, Readers, Renewable, Renewal},
	AccountId, DatasetId, Epoch, Error as SdkError, GrantId, Identity,
};
use serde::Serialize;
use std::{collections::HashSet, fmt};

/// What to know before grants are renewed.
pub(crate) const HELP: &str = "\
`isthmus revoke` renews the grants of the other readers. Use this if it was interrupted and cannot
be resumed, because its node no longer has the state of that time, or after `isthmus dataset epoch`.
Grants that a reader has on the current epoch already are not given again. Readers with a revoked
grant on the earlier epoch or on one since then get none.

The chain forgets a revocation after a week. If the node cannot show that the earlier epoch ended
later than that, as a node that prunes states cannot, the command lists the readers and refuses:
name those who may not read any more with --except, or pass --yes if all of them may.

Examples:
  isthmus dataset renew 0 --key school.key
  isthmus dataset renew 0 --from 2 --except 5DAAnr... --key school.key";

/// Grants that were renewed.
#[derive(Serialize)]
pub(super) struct Renewed {
	dataset: DatasetId,
	epoch: Epoch,
	renewed: Vec<Given>,
	skipped: Vec<Skipped>,
}

/// A grant that was given.
#[derive(Serialize)]
struct Given {
	grant: GrantId,
	grantee: AccountId,
}

impl Renewed {
	fn new(dataset: DatasetId, renewal: &Renewal) -> Self {
		let given = renewal.renewed.iter().map(|(grant, terms)| Given {
			grant: *grant,
			grantee: terms.grantee,
		});
		Self {
			dataset,
			epoch: renewal.epoch,
			renewed: given.collect(),
			skipped: skipped(renewal),
		}
	}
}

impl fmt::Display for Renewed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { dataset, epoch, .. } = self;
		let grants = count(self.renewed.len() as u64, "grant");
		write!(f, "dataset {dataset}, epoch {epoch}: renewed {grants}")?;
		for Given { grant, grantee } in &self.renewed {
			write!(f, "\ngrant {grant} to {grantee}")?;
		}
		Ok(())
	}
}

/// Lists the readers who are due, and asks whether they get grants. Refuses if the chain may have forgotten that one of them had
/// a grant revoked, and nothing on the command line says that this was looked into.
fn ask(
	context: &Context,
	dataset: DatasetId,
	due: &Renewable,
	readers: &Readers,
) -> Result<(), Error> {
	if due.terms.is_empty() || readers.all {
		return Ok(());
	}
	for terms in &due.terms {
		let (range, reader) = (Range::from(&terms.scope), terms.grantee);
		tell(format_args!("due: {range} to {reader}"));
	}
	if due.may_have_forgotten && readers.except.is_empty() {
		let epoch = due.before;
		return Err(SdkError::RevocationsForgotten { dataset, epoch }.into());
	}
	let named: HashSet<[u8; 32]> = due.terms.iter().map(|terms| terms.grantee.0).collect();
	let (named, epoch) = (count(named.len() as u64, "reader"), due.epoch);
	let question = format!("give {named} grants on epoch {epoch} of dataset {dataset}?");
	confirm(&question, context.client.is_dry_run())
}

/// Renews the grants. Prints those that were given before it reports what stopped it.
pub(super) async fn run(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	readers: Readers,
) -> Result<Renewed, Error> {
	let best = context.client.best().await?;
	let current = super::own(&best, identity.id(), dataset).await?.epoch;
	if let Some(from) = readers.from.filter(|from| *from >= current) {
		return Err(match from == current {
			true => Error::refused(format!(
				"dataset {dataset} is in epoch {current}: the grants on it need no renewal"
			))
			.hint("name an earlier epoch, or none for the one before"),
			false => no_epoch(dataset, from, current),
		});
	}
	let due = renewable(&context.client, identity, dataset, &readers).await?;
	// What was asked about is renewed, also if another epoch began meanwhile.
	let readers = Readers {
		from: Some(due.before),
		..readers
	};
	ask(context, dataset, &due, &readers)?;
	let renewal = renew(&context.client, identity, dataset, &readers).await?;
	let renewed = Renewed::new(dataset, &renewal);
	for skipped in &renewed.skipped {
		skipped.warn();
	}
	let Some(error) = renewal.ended else {
		context.settle(renewal.last).await?;
		return Ok(renewed);
	};
	context.output.print(&renewed)?;
	Err(Error::from(error).hint("run the same command again to renew the other grants"))
}
