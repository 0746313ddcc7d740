// SPDX-License-Identifier: Apache-2.0
//! Explains why a record cannot be read, and how to get access to it.

use crate::{context::Context, error::Error};
use isthmus_sdk::{AccountId, Error as SdkError, QueryRefusal, RecordKey};

/// Returns the error with a hint that fits the record: how to request access to it, or how to find it.
pub(crate) async fn explain(
	context: &Context,
	owner: &AccountId,
	key: RecordKey,
	error: SdkError,
) -> Error {
	use QueryRefusal::*;
	let hint = match error {
		SdkError::Query(UnknownRecord) => {
			format!(
				"list the owner's records: isthmus list records --owner {owner}; only those who may read a record find it by a \
				 name that is not public, others by its key"
			)
		}
		SdkError::Query(NotAuthorised | OutOfRange | Expired | Revoked) => {
			match request(context, owner, key).await {
				Ok(Some(request)) => format!("request access: {request}"),
				_ => return error.into(),
			}
		}
		error => return error.into(),
	};
	Error::from(error).hint(hint)
}

/// Returns the command that requests access to a record.
async fn request(
	context: &Context,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<String>, SdkError> {
	let record = context.client.best().await?.record(owner, key).await?;
	Ok(record.map(|record| {
		let (dataset, epoch) = (record.dataset, record.epoch);
		let from = u64::from(record.leaf);
		let to = from.saturating_add(1);
		format!(
			"isthmus request {owner} --dataset {dataset} --epoch {epoch} --leaves {from}..{to} --purpose TEXT"
		)
	}))
}
