// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset renew`: gives the readers of an earlier epoch their grants again, for the current one.

use crate::{
	context::Context,
	describe::no_epoch,
	error::Error,
	revoke::{skipped, Skipped},
	text::count,
};
use isthmus_sdk::{
	sharing::{renew, Readers, Renewal},
	AccountId, DatasetId, Epoch, GrantId, Identity,
};
use serde::Serialize;
use std::fmt;

/// What to know before grants are renewed.
pub(crate) const HELP: &str = "\
`isthmus revoke` renews the grants of the other readers. Use this if it was interrupted and cannot
be resumed, because its node no longer has the state of that time, or after `isthmus dataset epoch`.
Grants that a reader has on the current epoch already are not given again. Readers with a revoked
grant on the earlier epoch or on one since then get none. The chain forgets a revocation after a
week: name such a reader with --except, if it has other grants. `isthmus list given` shows them.

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

/// Renews the grants. Prints those that were given before it reports what stopped it.
pub(super) async fn run(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	from: Option<Epoch>,
	except: Vec<AccountId>,
) -> Result<Renewed, Error> {
	let best = context.client.best().await?;
	let current = super::own(&best, identity.id(), dataset).await?.epoch;
	if let Some(from) = from.filter(|from| *from >= current) {
		return Err(match from == current {
			true => Error::refused(format!(
				"dataset {dataset} is in epoch {current}: the grants on it need no renewal"
			))
			.hint("name an earlier epoch, or none for the one before"),
			false => no_epoch(dataset, from, current),
		});
	}
	let readers = Readers { from, except };
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
