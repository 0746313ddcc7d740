// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset recount`: counts again what readers have paid for on an epoch.

use crate::{context::Context, error::Error, text::count};
use isthmus_sdk::{every, BlockNumber, DatasetId, Epoch, Grant, Identity};
use serde::Serialize;
use std::fmt;

/// The largest number of grants that the chain counts with one call.
const MOST: usize = 256;

/// What to know before something is counted.
pub(crate) const HELP: &str = "\
The chain keeps one range of leaves for all grants on an epoch that were paid for. It stays as it is
when one of several such grants ends, so that records which only that one covered cannot be removed.
This narrows the range to the grants that are left.

Example:
  isthmus dataset recount 0 --key school.key";

/// What was counted again.
#[derive(Serialize)]
pub(crate) struct Recounted {
	block: BlockNumber,
	dataset: DatasetId,
	epoch: Epoch,
	grants: usize,
}

impl fmt::Display for Recounted {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			epoch,
			grants,
		} = self;
		let grants = count(*grants as u64, "grant");
		write!(
			f,
			"block {block}: counted {grants} on dataset {dataset}, epoch {epoch}"
		)
	}
}

/// Returns whether a grant counts: it was paid for, and is active or can still be disputed.
fn counts(grant: &Grant, epoch: Epoch) -> bool {
	grant.scope.epoch == epoch && !grant.sealed_keys.is_empty() && (grant.firm || grant.paid > 0)
}

/// Counts again what is sold on an epoch, the current one if none is named.
pub(crate) async fn run(
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	epoch: Option<Epoch>,
) -> Result<Recounted, Error> {
	let best = context.client.best().await?;
	let now = best.dataset_of(identity.id(), Some(dataset)).await?.1.epoch;
	let epoch = epoch.unwrap_or(now);
	let all = every(|after| best.grants_on(identity.id(), dataset, None, after)).await?;
	let sold = all.into_iter().filter(|entry| counts(&entry.grant, epoch));
	let mut grants: Vec<_> = sold.map(|entry| entry.id).collect();
	grants.sort_unstable();
	if grants.is_empty() {
		return Err(Error::refused(format!(
			"nothing is sold on dataset {dataset}, epoch {epoch}"
		)));
	}
	if grants.len() > MOST {
		return Err(Error::refused(format!(
			"{} are sold on dataset {dataset}, epoch {epoch}, and the chain counts at most {MOST} at once",
			count(grants.len() as u64, "grant")
		))
		.hint("wait until some of them have ended"));
	}
	let call = context.client.recount_sold(dataset, epoch, &grants).await?;
	Ok(Recounted {
		block: context.send(identity, &call).await?.number(),
		dataset,
		epoch,
		grants: grants.len(),
	})
}
