// SPDX-License-Identifier: Apache-2.0
//! What a transaction claims: something that only one transaction can have, for example a free leaf or the
//! right to answer a request. Two transactions in flight with the same claim would not both succeed.

use crate::types::*;
use serde::{Deserialize, Serialize};

/// Something of an account that only one transaction can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Claim {
	/// The account's registration as a producer.
	Producer,
	/// The account's encryption key.
	EncryptionKey,
	/// The name of a new dataset.
	DatasetName(String),
	/// A dataset: its policy, its epoch, and whether it exists.
	Dataset(DatasetId),
	/// The start of a dataset's next epoch. What is stored in the dataset waits for it.
	NewEpoch(DatasetId),
	/// A leaf of a dataset's epoch.
	Leaf(DatasetId, Epoch, Leaf),
	/// A record's key.
	Record([u8; 32]),
	/// A request for a range of an owner's dataset: only one for the same range can be open.
	Ask([u8; 32], DatasetId, Epoch, u64, u64),
	/// The end of a request: an answer, or its cancellation.
	Request(RequestId),
	/// The end of a grant.
	Grant(GrantId),
	/// The name of a source of facts, or its end.
	Source(String),
	/// The end of a report for a source about a topic.
	Report(String, String),
	/// The end of a credential of an account.
	Credential([u8; 32], String),
	/// The place among the keepers of an owner's dataset.
	Keeper([u8; 32], DatasetId),
}

impl Claim {
	/// Returns the claim to a place's leaf.
	pub(crate) fn leaf(place: &Place) -> Self {
		Self::Leaf(place.dataset, place.epoch, place.leaf)
	}
}
