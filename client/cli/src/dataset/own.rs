// SPDX-License-Identifier: Apache-2.0
//! An owner's dataset: the one that a command names, or the only one.

use crate::{context::Context, error::Error};
use isthmus_sdk::{AccountId, Dataset, DatasetId, Error as SdkError, State};

/// Returns an owner's dataset.
pub(crate) async fn own(
	best: &State,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Dataset, Error> {
	Ok(best.dataset_of(owner, Some(dataset)).await?.1)
}

/// Returns the only dataset of an owner.
pub(crate) async fn only(context: &Context, owner: &AccountId) -> Result<DatasetId, Error> {
	let best = context.client.best().await?;
	match best.dataset_of(owner, None).await {
		Ok((only, _)) => Ok(only),
		Err(SdkError::NoDataset(owner)) => Err(Error::refused(format!("{owner} has no dataset"))
			.hint("create one: isthmus dataset create NAME")),
		Err(SdkError::SeveralDatasets(owner)) => Err(Error::usage(format!(
			"{owner} has several datasets: pass --dataset"
		))
		.hint(format!("list them: isthmus list datasets --owner {owner}"))),
		Err(error) => Err(error.into()),
	}
}
