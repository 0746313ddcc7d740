// SPDX-License-Identifier: Apache-2.0
//! The events of the data-sharing pallet. Together they are the whole history of every record, request
//! and grant.

mod about;
mod json;
mod reported;

pub use about::Granted;
pub use reported::Reported;

use crate::{error::Error, types::*};
use codec::{Decode, DecodeAll};
use json::{as_hex, as_name, as_text, as_text_if_any, as_texts, PolicyJson, ScopeJson};
use serde::Serialize;
use serde_json::Value;
use subxt::{config::SubstrateConfig, ext::scale_decode::DecodeAsType, utils::H256};

/// The runtime's event type, with only the variant that is read here.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
enum RuntimeEvent {
	DataSharing(Event),
}

/// An event of the data-sharing pallet. The chain's metadata explains the fields. The order of the variants and of their
/// fields is the pallet's, so that a receipt can be read without metadata.
#[derive(Decode, DecodeAsType, Serialize, Clone, Debug, PartialEq, Eq)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[serde(tag = "event", rename_all_fields = "camelCase")]
#[allow(missing_docs)]
pub enum Event {
	/// A producer registered.
	Registered {
		producer: AccountId,
		#[serde(serialize_with = "as_name")]
		kind: ProducerKind,
		#[serde(serialize_with = "as_text")]
		name: Text,
	},
	/// A producer deregistered.
	Deregistered { producer: AccountId },
	/// An account registered an encryption key, or replaced the one it had.
	EncryptionKeySet {
		account: AccountId,
		#[serde(serialize_with = "as_hex")]
		key: Vec<u8>,
	},
	/// An account removed its encryption key.
	EncryptionKeyRemoved { account: AccountId },
	/// A producer created a dataset.
	DatasetCreated {
		owner: AccountId,
		dataset: DatasetId,
		#[serde(serialize_with = "as_text")]
		name: Text,
	},
	/// A producer removed an empty dataset.
	DatasetRemoved {
		owner: AccountId,
		dataset: DatasetId,
	},
	/// A dataset started a new epoch.
	EpochStarted {
		owner: AccountId,
		dataset: DatasetId,
		epoch: Epoch,
	},
	/// An owner set a dataset's policy.
	PolicySet {
		owner: AccountId,
		dataset: DatasetId,
		#[serde(flatten, with = "PolicyJson")]
		policy: Policy,
		#[serde(serialize_with = "as_text_if_any")]
		condition: Option<Condition>,
	},
	/// An owner removed a dataset's policy.
	PolicyCleared {
		owner: AccountId,
		dataset: DatasetId,
	},
	/// An owner closed a dataset to requests, or opened it again.
	DatasetClosed {
		owner: AccountId,
		dataset: DatasetId,
		closed: bool,
	},
	/// T_s: a record was stored.
	Stored {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
		content_hash: H256,
		length: u32,
	},
	/// T_s: an owner stored the manifest of a large record.
	RecordOpened {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
		manifest: H256,
		length: u64,
		chunks: u32,
	},
	/// A chunk of a large record was stored.
	ChunkStored {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
		index: u32,
		content_hash: H256,
	},
	/// A large record has all its chunks.
	RecordCompleted {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
	},
	/// An owner abandoned a large record that did not have all its chunks.
	RecordAbandoned {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
		arrived: u32,
	},
	/// A record was removed from the state.
	RecordRemoved {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
	},
	/// The leaf of a removed record was freed.
	LeafFreed {
		owner: AccountId,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
	},
	/// T_q: a consumer asked for access.
	AccessRequested {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_text")]
		purpose: Text,
		#[serde(serialize_with = "as_text")]
		code: PurposeCode,
		term: BlockNumber,
		#[serde(serialize_with = "as_text")]
		offer: Balance,
		firm: bool,
		valid_until: BlockNumber,
	},
	/// The consumer cancelled a request.
	RequestCancelled {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		valid_until: BlockNumber,
	},
	/// The owner rejected a request.
	RequestRejected {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_text")]
		reason: Text,
		controller: AccountId,
	},
	/// A request expired unanswered.
	RequestLapsed {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
	},
	/// An owner authorised a reader.
	Authorized {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		expiry: BlockNumber,
		until: Option<Seconds>,
		request: Option<RequestId>,
		agreement: Option<H256>,
		#[serde(serialize_with = "as_text")]
		code: PurposeCode,
		#[serde(serialize_with = "as_text")]
		paid: Balance,
		firm: bool,
		#[serde(serialize_with = "as_text_if_any")]
		condition: Option<Condition>,
		controller: AccountId,
	},
	/// An owner revoked a grant, and paid back what was left of its term.
	Revoked {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_text")]
		refunded: Balance,
		controller: AccountId,
	},
	/// A reader gave a grant up.
	Renounced {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
	},
	/// An ended grant was removed from the state.
	GrantForgotten {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
	},
	/// A grant expired.
	GrantExpired {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
	},
	/// A grant was suspended: its condition is not met, or that is not known.
	GrantSuspended {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_name")]
		truth: Truth,
	},
	/// A grant was resumed: its condition is met again.
	GrantResumed {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
	},
	/// A consumer said on which condition it takes the offer of its request back, or that the offer stands.
	WithdrawalSet {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_text_if_any")]
		condition: Option<Condition>,
	},
	/// The condition on which an offer is taken back was met: the request was cancelled.
	OfferReleased {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		valid_until: BlockNumber,
	},
	/// An owner put a record under an embargo.
	Embargoed {
		owner: AccountId,
		key: RecordKey,
		#[serde(serialize_with = "as_text")]
		condition: Condition,
		dataset: DatasetId,
		by: AccountId,
	},
	/// An embargo ended: its condition was met, or its owner ended it.
	EmbargoLifted {
		owner: AccountId,
		key: RecordKey,
		met: bool,
		dataset: DatasetId,
		by: AccountId,
	},
	/// T_s: a record was stored whose bytes are an object, outside the chain.
	ObjectStored {
		owner: AccountId,
		key: RecordKey,
		dataset: DatasetId,
		epoch: Epoch,
		leaf: Leaf,
		length: u64,
		root: H256,
	},
	/// An owner published where a dataset's objects are, or withdrew it.
	LocationsSet {
		owner: AccountId,
		dataset: DatasetId,
		#[serde(serialize_with = "as_texts")]
		locations: Vec<Text>,
	},
	/// A payment can no longer be disputed, or its reader gave the grant up: the owner was paid.
	OfferPaid {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		#[serde(serialize_with = "as_text")]
		paid: Balance,
		controller: AccountId,
	},
	/// A reader showed that a grant does not open what it paid for, and got its payment back.
	DisputeWon {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		leaf: Leaf,
		#[serde(serialize_with = "as_text")]
		refunded: Balance,
		#[serde(serialize_with = "as_text")]
		slashed: Balance,
		controller: AccountId,
	},
	/// A reader disputed a grant that opens what it paid for.
	DisputeLost {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		#[serde(with = "ScopeJson")]
		scope: Scope,
		leaf: Leaf,
		controller: AccountId,
	},
	/// The controller of a dataset offered it to another account.
	DatasetOffered {
		owner: AccountId,
		dataset: DatasetId,
		from: AccountId,
		to: AccountId,
	},
	/// The controller of a dataset withdrew the offer of it.
	DatasetOfferWithdrawn {
		owner: AccountId,
		dataset: DatasetId,
		from: AccountId,
		to: AccountId,
	},
	/// Another account took a dataset over, with its deposits.
	DatasetAccepted {
		owner: AccountId,
		dataset: DatasetId,
		from: AccountId,
		to: AccountId,
		#[serde(serialize_with = "as_text")]
		held: Balance,
		epoch: Epoch,
	},
}

impl Event {
	/// Reads an event of a block. Returns `None` for an event of another pallet.
	///
	/// # Errors
	///
	/// Returns an error if the event cannot be decoded with the chain's metadata.
	pub(crate) fn read(
		event: &subxt::events::Event<'_, SubstrateConfig>,
	) -> Result<Option<Self>, Error> {
		if event.pallet_name() != PALLET {
			return Ok(None);
		}
		let RuntimeEvent::DataSharing(event) = event.decode_as()?;
		Ok(Some(event))
	}

	/// Reads an event without the chain's metadata, in the layout that this program knows. Returns `None` if it has another
	/// layout.
	pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
		Self::decode_all(&mut &*bytes).ok()
	}

	/// Returns the event as JSON, with its name under `event` and each field under its own name. Amounts are
	/// strings, in the smallest unit.
	pub fn to_json(&self) -> Value {
		serde_json::to_value(self).expect("an event has only names, numbers and text")
	}
}

#[cfg(test)]
mod tests;
