// SPDX-License-Identifier: Apache-2.0
//! Looks up many records together.

use crate::{client::Client, error::Error, state::State, types::*};
use isthmus_light::storage;

/// Returns an owner's records under these keys, in their order, complete or not. Asks for all of them together.
pub(crate) async fn records(
	client: &Client,
	state: &State,
	owner: &AccountId,
	keys: &[RecordKey],
) -> Result<Vec<Option<Record>>, Error> {
	let entries: Vec<_> = keys
		.iter()
		.map(|key| storage::record(&owner.0, *key))
		.collect();
	client.load(state, &entries).await?;
	let mut records = Vec::new();
	for key in keys {
		records.push(state.record(owner, *key).await?);
	}
	Ok(records)
}
