// SPDX-License-Identifier: Apache-2.0
//! Explains why a record cannot be read, and how to get access to it.

use crate::{context::Context, error::Error};
use isthmus_sdk::{
	AccountId, Error as SdkError, GrantState, Identity, QueryRefusal, Record, RecordKey, Scope,
};

/// Returns the error with a hint that fits the record: how to request access to it, or how to find it.
pub(crate) async fn explain(
	(context, reader): (&Context, &Identity),
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
			match request(context, reader, owner, key).await {
				Ok(Some(request)) => request,
				_ => return error.into(),
			}
		}
		error => return Error::from(error).knowing(&[("OWNER", owner.to_string())]),
	};
	Error::from(error).hint(hint)
}

/// Returns how to request access to a record.
async fn request(
	context: &Context,
	reader: &Identity,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<String>, SdkError> {
	let best = context.client.best().await?;
	let Some(record) = best.record(owner, key).await? else {
		return Ok(None);
	};
	let on = (owner, Some(record.dataset));
	let grants = context.client.grants_from(&best, on, reader.account.id());
	let grants = grants.await?.into_iter().map(|entry| entry.grant);
	let scopes = grants
		.filter(|grant| grant.state == GrantState::Active)
		.map(|grant| grant.scope);
	let gap = gap(&record, scopes);
	let Record {
		dataset,
		epoch,
		leaf,
		..
	} = record;
	let to = u64::from(leaf).saturating_add(1);
	let request = format!(
		"request access: isthmus request {owner} --dataset {dataset} --epoch {epoch} --leaves {leaf}..{to} --purpose TEXT"
	);
	Ok(Some(match gap {
		Some((before, after)) => format!(
			"your grants open the leaves up to {before} and from {after} on, and leave out leaf {leaf} of this record: an owner leaves \
			 out what it has erased. If it has not erased it, {request}"
		),
		None => request,
	}))
}

/// Returns where the grants below a record's leaf end and where those above it begin, if there are both.
fn gap(record: &Record, scopes: impl Iterator<Item = Scope>) -> Option<(u64, u64)> {
	let leaf = u64::from(record.leaf);
	let (mut before, mut after) = (None, None);
	for scope in scopes {
		if (scope.dataset, scope.epoch) != (record.dataset, record.epoch) {
			continue;
		}
		if scope.to <= leaf {
			before = before.max(Some(scope.to));
		} else if scope.from > leaf {
			after = Some(after.map_or(scope.from, |other: u64| other.min(scope.from)));
		}
	}
	before.zip(after)
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{Payload, H256};

	#[test]
	fn a_leaf_that_was_left_out_lies_between_grants_of_its_epoch() {
		let record = Record {
			dataset: 1,
			epoch: 2,
			leaf: 5,
			payload: Payload::Value {
				content_hash: H256([0; 32]),
				length: 1,
				block: 1,
				extrinsic: 1,
			},
			deposit: 0,
		};
		let gap_of = |scopes: &[(u32, u32, u64, u64)]| {
			let scope = |&(dataset, epoch, from, to)| Scope {
				dataset,
				epoch,
				from,
				to,
			};
			gap(&record, scopes.iter().map(scope))
		};
		assert_eq!(gap_of(&[(1, 2, 6, 9), (1, 2, 0, 5)]), Some((5, 6)));
		let several = [(1, 2, 0, 3), (1, 2, 1, 4), (1, 2, 9, 12), (1, 2, 8, 9)];
		assert_eq!(gap_of(&several), Some((4, 8)));
		for none in [
			&[][..],
			&[(1, 2, 0, 5)],
			&[(1, 2, 6, 9)],
			&[(1, 1, 0, 5), (1, 2, 6, 9)],
			&[(0, 2, 0, 5), (1, 2, 6, 9)],
		] {
			assert_eq!(gap_of(none), None, "{none:?}");
		}
	}
}
