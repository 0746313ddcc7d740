// SPDX-License-Identifier: Apache-2.0
//! The events of the data-sharing pallet. Together they are the whole history of every record, request
//! and grant.

use crate::{error::Error, text::to_hex, types::*};
use codec::{Decode, DecodeAll};
use isthmus_conditions::{Name, Value as Fact};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt::{Debug, Display};
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

/// A grant, as the event of its authorisation tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
	/// The grant.
	pub grant: GrantId,
	/// Its terms.
	pub terms: Terms,
	/// How much the reader paid for it.
	pub paid: Balance,
}

/// A report in a block, as its event tells.
#[derive(Clone, Debug, PartialEq, Eq, Decode)]
pub struct Reported {
	/// The source.
	pub source: Name,
	/// What the report is about.
	pub topic: Name,
	/// The account that reported.
	pub reporter: AccountId,
	/// What it observed.
	pub value: Fact,
	/// When it observed that, in seconds since 1970.
	pub observed: Seconds,
	/// The hash of the response.
	pub response: H256,
	/// The fact after this report; `None` if too few accounts have reported lately, or they do not agree.
	pub fact: Option<Fact>,
}

impl Reported {
	/// Reads an event of a block. Returns `None` for other events, and if the chain lays the event out in another way.
	pub(crate) fn read(event: &subxt::events::Event<'_, SubstrateConfig>) -> Option<Self> {
		let is_report = event.pallet_name() == FACTS && event.event_name() == "Reported";
		let fields = is_report.then(|| event.field_bytes())?;
		Self::decode_all(&mut &*fields).ok()
	}
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

	/// Returns the owner's account or, for events without an owner, the account that the event is about.
	pub fn owner(&self) -> &AccountId {
		use Event::*;
		match self {
			Registered { producer, .. } | Deregistered { producer } => producer,
			EncryptionKeySet { account, .. } | EncryptionKeyRemoved { account } => account,
			DatasetCreated { owner, .. }
			| DatasetRemoved { owner, .. }
			| EpochStarted { owner, .. }
			| PolicySet { owner, .. }
			| PolicyCleared { owner, .. }
			| DatasetClosed { owner, .. }
			| Stored { owner, .. }
			| ObjectStored { owner, .. }
			| LocationsSet { owner, .. }
			| RecordOpened { owner, .. }
			| ChunkStored { owner, .. }
			| RecordCompleted { owner, .. }
			| RecordAbandoned { owner, .. }
			| RecordRemoved { owner, .. }
			| LeafFreed { owner, .. }
			| AccessRequested { owner, .. }
			| RequestCancelled { owner, .. }
			| RequestRejected { owner, .. }
			| RequestLapsed { owner, .. }
			| Authorized { owner, .. }
			| Revoked { owner, .. }
			| Renounced { owner, .. }
			| GrantForgotten { owner, .. }
			| GrantSuspended { owner, .. }
			| GrantResumed { owner, .. }
			| GrantExpired { owner, .. }
			| OfferPaid { owner, .. }
			| DisputeWon { owner, .. }
			| DisputeLost { owner, .. }
			| DatasetOffered { owner, .. }
			| DatasetOfferWithdrawn { owner, .. }
			| DatasetAccepted { owner, .. }
			| WithdrawalSet { owner, .. }
			| OfferReleased { owner, .. }
			| Embargoed { owner, .. }
			| EmbargoLifted { owner, .. } => owner,
		}
	}

	/// Returns the reader that the event is about, if any.
	pub fn reader(&self) -> Option<&AccountId> {
		use Event::*;
		match self {
			AccessRequested { consumer, .. }
			| RequestCancelled { consumer, .. }
			| RequestRejected { consumer, .. }
			| RequestLapsed { consumer, .. }
			| WithdrawalSet { consumer, .. }
			| OfferReleased { consumer, .. } => Some(consumer),
			Authorized { grantee, .. }
			| Revoked { grantee, .. }
			| Renounced { grantee, .. }
			| GrantForgotten { grantee, .. }
			| GrantSuspended { grantee, .. }
			| GrantResumed { grantee, .. }
			| GrantExpired { grantee, .. }
			| OfferPaid { grantee, .. }
			| DisputeWon { grantee, .. }
			| DisputeLost { grantee, .. } => Some(grantee),
			_ => None,
		}
	}

	/// Returns the key of the record that the event is about, if any.
	pub fn key(&self) -> Option<&RecordKey> {
		use Event::*;
		match self {
			Stored { key, .. }
			| ObjectStored { key, .. }
			| RecordOpened { key, .. }
			| ChunkStored { key, .. }
			| RecordCompleted { key, .. }
			| RecordAbandoned { key, .. }
			| RecordRemoved { key, .. }
			| Embargoed { key, .. }
			| EmbargoLifted { key, .. } => Some(key),
			_ => None,
		}
	}

	/// Returns the dataset that the event is about, if any.
	pub fn dataset(&self) -> Option<DatasetId> {
		use Event::*;
		match self {
			DatasetCreated { dataset, .. }
			| DatasetRemoved { dataset, .. }
			| EpochStarted { dataset, .. }
			| PolicySet { dataset, .. }
			| PolicyCleared { dataset, .. }
			| DatasetClosed { dataset, .. }
			| Stored { dataset, .. }
			| ObjectStored { dataset, .. }
			| LocationsSet { dataset, .. }
			| DatasetOffered { dataset, .. }
			| DatasetOfferWithdrawn { dataset, .. }
			| DatasetAccepted { dataset, .. }
			| RecordOpened { dataset, .. }
			| ChunkStored { dataset, .. }
			| RecordCompleted { dataset, .. }
			| RecordAbandoned { dataset, .. }
			| RecordRemoved { dataset, .. }
			| Embargoed { dataset, .. }
			| EmbargoLifted { dataset, .. }
			| LeafFreed { dataset, .. } => Some(*dataset),
			_ => self.scope().map(|scope| scope.dataset),
		}
	}

	/// Returns the range that the event is about, if any.
	pub fn scope(&self) -> Option<&Scope> {
		use Event::*;
		match self {
			AccessRequested { scope, .. }
			| RequestCancelled { scope, .. }
			| RequestRejected { scope, .. }
			| RequestLapsed { scope, .. }
			| WithdrawalSet { scope, .. }
			| OfferReleased { scope, .. }
			| Authorized { scope, .. }
			| Revoked { scope, .. }
			| Renounced { scope, .. }
			| GrantForgotten { scope, .. }
			| GrantSuspended { scope, .. }
			| GrantResumed { scope, .. }
			| GrantExpired { scope, .. }
			| OfferPaid { scope, .. }
			| DisputeWon { scope, .. }
			| DisputeLost { scope, .. } => Some(scope),
			_ => None,
		}
	}

	/// Returns the request that the event is about, if any.
	pub fn request(&self) -> Option<RequestId> {
		use Event::*;
		match self {
			AccessRequested { request, .. }
			| RequestCancelled { request, .. }
			| RequestRejected { request, .. }
			| RequestLapsed { request, .. }
			| WithdrawalSet { request, .. }
			| OfferReleased { request, .. } => Some(*request),
			Authorized { request, .. } => *request,
			_ => None,
		}
	}

	/// Returns the grant that the event is about, if an owner authorised a reader.
	pub fn granted(&self) -> Option<Granted> {
		match *self {
			Self::Authorized {
				grant,
				grantee,
				scope,
				expiry,
				until,
				request,
				agreement,
				paid,
				ref condition,
				..
			} => Some(Granted {
				grant,
				terms: Terms {
					grantee,
					scope,
					expiry,
					until,
					request: request
						.zip(agreement)
						.map(|(id, digest)| Answered { id, digest }),
					condition: condition.clone(),
				},
				paid,
			}),
			_ => None,
		}
	}

	/// Returns the event as JSON, with its name under `event` and each field under its own name. Amounts are
	/// strings, in the smallest unit.
	pub fn to_json(&self) -> Value {
		serde_json::to_value(self).expect("an event has only names, numbers and text")
	}
}

/// A scope in JSON.
#[derive(Serialize)]
#[serde(remote = "Scope")]
struct ScopeJson {
	dataset: DatasetId,
	epoch: Epoch,
	from: u64,
	to: u64,
}

/// A policy in JSON.
#[derive(Serialize)]
#[serde(remote = "Policy", rename_all = "camelCase")]
struct PolicyJson {
	#[serde(serialize_with = "as_text")]
	price: Balance,
	#[serde(serialize_with = "as_text_if_any")]
	firm_price: Option<Balance>,
	longest_range: u64,
	longest_term: BlockNumber,
	#[serde(skip)]
	#[allow(dead_code)] // Events show only the price, the limits and the purposes.
	consumers: ConsumerKinds,
	#[serde(serialize_with = "as_codes")]
	purposes: PurposeCodes,
}

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
	serializer.collect_str(value)
}

fn as_text_if_any<T: Display, S: Serializer>(
	value: &Option<T>,
	serializer: S,
) -> Result<S::Ok, S::Error> {
	let text = value.as_ref().map(ToString::to_string);
	text.serialize(serializer)
}

fn as_texts<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
	serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn as_codes<S: Serializer>(codes: &PurposeCodes, serializer: S) -> Result<S::Ok, S::Error> {
	as_texts(&codes.codes(), serializer)
}

fn as_name<T: Debug, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
	serializer.collect_str(&format_args!("{value:?}"))
}

fn as_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
	serializer.serialize_str(&to_hex(bytes))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	const KEY: H256 = H256([7; 32]);

	fn account(byte: u8) -> AccountId {
		[byte; 32].into()
	}

	/// Events that cover each kind of field.
	fn events() -> [(Event, Value); 15] {
		let (owner, consumer) = (account(1), account(2));
		let (key, hash) = (
			format!("0x{}", "07".repeat(32)),
			format!("0x{}", "09".repeat(32)),
		);
		let scope = Scope {
			dataset: 3,
			epoch: 4,
			from: 5,
			to: 1 << 32,
		};
		let scope_json = json!({"dataset": 3, "epoch": 4, "from": 5, "to": 4294967296u64});
		let policy = Policy {
			price: 1,
			firm_price: Some(u128::MAX),
			longest_range: 10,
			longest_term: 20,
			consumers: ConsumerKinds::ALL,
			purposes: [PurposeCode::Research, PurposeCode::PublicPolicy]
				.into_iter()
				.collect(),
		};
		[
			(
				Event::Registered {
					producer: owner,
					kind: ProducerKind::Government,
					name: Text(b"An office\n".to_vec()),
				},
				json!({"event": "Registered", "producer": owner, "kind": "Government", "name": "An office\\n"}),
			),
			(
				Event::EncryptionKeySet {
					account: owner,
					key: vec![0, 1, 255],
				},
				json!({"event": "EncryptionKeySet", "account": owner, "key": "0x0001ff"}),
			),
			(
				Event::PolicySet {
					owner,
					dataset: 3,
					policy,
					condition: Some("paid >= 3".parse().unwrap()),
				},
				json!({
					"event": "PolicySet", "owner": owner, "dataset": 3, "price": "1",
					"firmPrice": u128::MAX.to_string(), "longestRange": 10, "longestTerm": 20,
					"purposes": ["research", "public-policy"],
					"condition": "paid >= 3",
				}),
			),
			(
				Event::Stored {
					owner,
					key: KEY,
					dataset: 3,
					epoch: 4,
					leaf: 5,
					content_hash: H256([9; 32]),
					length: 6,
				},
				json!({
					"event": "Stored", "owner": owner, "key": key, "dataset": 3, "epoch": 4, "leaf": 5,
					"contentHash": hash, "length": 6,
				}),
			),
			(
				Event::RecordCompleted {
					owner,
					key: KEY,
					dataset: 3,
				},
				json!({"event": "RecordCompleted", "owner": owner, "key": key, "dataset": 3}),
			),
			(
				Event::AccessRequested {
					request: 8,
					owner,
					consumer,
					scope,
					purpose: Text(b"research".to_vec()),
					code: PurposeCode::Statistics,
					term: 9,
					offer: 10,
					firm: true,
					valid_until: 11,
				},
				json!({
					"event": "AccessRequested", "request": 8, "owner": owner, "consumer": consumer,
					"scope": scope_json, "purpose": "research", "code": "statistics", "term": 9, "offer": "10", "firm": true,
					"validUntil": 11,
				}),
			),
			(
				Event::Authorized {
					grant: 8,
					owner,
					grantee: consumer,
					scope,
					expiry: 9,
					until: None,
					request: Some(10),
					agreement: Some(H256([9; 32])),
					code: PurposeCode::Research,
					paid: 0,
					firm: false,
					condition: Some("after(2027-01-01)".parse().unwrap()),
					controller: consumer,
				},
				json!({
					"event": "Authorized", "grant": 8, "owner": owner, "grantee": consumer,
					"scope": scope_json, "expiry": 9, "until": null, "request": 10, "agreement": hash,
					"code": "research", "paid": "0", "firm": false, "condition": "after(2027-01-01)",
					"controller": consumer,
				}),
			),
			(
				Event::GrantSuspended {
					grant: 8,
					owner,
					grantee: consumer,
					scope,
					truth: Truth::Unknown,
				},
				json!({
					"event": "GrantSuspended", "grant": 8, "owner": owner, "grantee": consumer,
					"scope": scope_json, "truth": "Unknown",
				}),
			),
			(
				Event::OfferReleased {
					request: 8,
					owner,
					consumer,
					scope,
					valid_until: 9,
				},
				json!({
					"event": "OfferReleased", "request": 8, "owner": owner, "consumer": consumer,
					"scope": scope_json, "validUntil": 9,
				}),
			),
			(
				Event::Embargoed {
					owner,
					key: KEY,
					condition: "after(2027-01-01)".parse().unwrap(),
					dataset: 3,
					by: consumer,
				},
				json!({
					"event": "Embargoed", "owner": owner, "key": key, "condition": "after(2027-01-01)",
					"dataset": 3, "by": consumer,
				}),
			),
			(
				Event::ObjectStored {
					owner,
					key: KEY,
					dataset: 3,
					epoch: 4,
					leaf: 5,
					length: 1 << 40,
					root: H256([9; 32]),
				},
				json!({
					"event": "ObjectStored", "owner": owner, "key": key, "dataset": 3, "epoch": 4, "leaf": 5,
					"length": 1u64 << 40, "root": hash,
				}),
			),
			(
				Event::LocationsSet {
					owner,
					dataset: 3,
					locations: vec![Text(b"s3://grades".to_vec()), Text(b"file:///a".to_vec())],
				},
				json!({
					"event": "LocationsSet", "owner": owner, "dataset": 3,
					"locations": ["s3://grades", "file:///a"],
				}),
			),
			(
				Event::DatasetAccepted {
					owner,
					dataset: 3,
					from: owner,
					to: consumer,
					held: 7,
					epoch: 4,
				},
				json!({
					"event": "DatasetAccepted", "owner": owner, "dataset": 3, "from": owner, "to": consumer,
					"held": "7", "epoch": 4,
				}),
			),
			(
				Event::DisputeWon {
					grant: 8,
					owner,
					grantee: consumer,
					scope,
					leaf: 5,
					refunded: 7,
					slashed: 1,
					controller: owner,
				},
				json!({
					"event": "DisputeWon", "grant": 8, "owner": owner, "grantee": consumer,
					"scope": scope_json, "leaf": 5, "refunded": "7", "slashed": "1", "controller": owner,
				}),
			),
			(
				Event::RequestRejected {
					request: 8,
					owner,
					consumer,
					scope,
					reason: Text(Vec::new()),
					controller: owner,
				},
				json!({
					"event": "RequestRejected", "request": 8, "owner": owner, "consumer": consumer,
					"scope": scope_json, "reason": "", "controller": owner,
				}),
			),
		]
	}

	/// The pallet's order: an event that a receipt carries is read without metadata.
	#[test]
	fn an_event_is_read_in_the_layout_of_the_pallet() {
		let (owner, grantee, controller) = ([1; 32], [2; 32], [3; 32]);
		let scope = [
			&3u32.to_le_bytes()[..],
			&4u32.to_le_bytes(),
			&5u64.to_le_bytes(),
			&6u64.to_le_bytes(),
		]
		.concat();
		let authorized = [
			&[21][..],
			&8u64.to_le_bytes(),
			&owner,
			&grantee,
			&scope,
			&9u32.to_le_bytes(),
			&[0, 1],
			&10u64.to_le_bytes(),
			&[1],
			&[9; 32],
			// For statistics.
			&[2],
			&11u128.to_le_bytes(),
			// Firm; while after(1970-01-01T00:00:12Z).
			&[1, 1, 4],
			&12u64.to_le_bytes(),
			&controller,
		]
		.concat();
		let expected = Event::Authorized {
			grant: 8,
			owner: owner.into(),
			grantee: grantee.into(),
			scope: Scope {
				dataset: 3,
				epoch: 4,
				from: 5,
				to: 6,
			},
			expiry: 9,
			until: None,
			request: Some(10),
			agreement: Some(H256([9; 32])),
			code: PurposeCode::Statistics,
			paid: 11,
			firm: true,
			condition: Some("after(1970-01-01T00:00:12Z)".parse().unwrap()),
			controller: controller.into(),
		};
		assert_eq!(Event::from_bytes(&authorized), Some(expected));
		let longer = [&authorized[..], &[0]].concat();
		assert_eq!(Event::from_bytes(&longer), None);
		assert_eq!(Event::from_bytes(&authorized[1..]), None);
		assert_eq!(Event::from_bytes(&[200]), None);
	}

	#[test]
	fn an_event_in_json_has_its_name_and_its_fields() {
		for (event, expected) in events() {
			assert_eq!(event.to_json(), expected);
			assert_eq!(event.to_json().to_string(), expected.to_string());
		}
	}
}
