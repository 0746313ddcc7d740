//! What the data-sharing pallet announces. Together the events are the whole history of every record,
//! request and grant.

use crate::{error::Error, types::*};
use serde_json::{json, Value};
use subxt::{config::SubstrateConfig, ext::scale_decode::DecodeAsType, utils::H256};

/// The runtime's event, of which only data sharing's are read here.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
enum RuntimeEvent {
	DataSharing(Event),
}

/// An event of data sharing. The fields are the chain's own; its metadata explains them.
#[derive(DecodeAsType, Clone, Debug, PartialEq, Eq)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[allow(missing_docs)]
pub enum Event {
	/// A producer joined.
	Registered {
		producer: AccountId,
		kind: ProducerKind,
		name: Text,
	},
	/// A producer left.
	Deregistered { producer: AccountId },
	/// An account registered an encryption key, or replaced the one it had.
	EncryptionKeySet { account: AccountId, key: Vec<u8> },
	/// An account took its encryption key back.
	EncryptionKeyRemoved { account: AccountId },
	/// A producer opened a dataset.
	DatasetCreated {
		owner: AccountId,
		dataset: DatasetId,
		name: Text,
	},
	/// A producer removed an empty dataset.
	DatasetRemoved {
		owner: AccountId,
		dataset: DatasetId,
	},
	/// A dataset moved on to a new epoch.
	EpochStarted {
		owner: AccountId,
		dataset: DatasetId,
		epoch: Epoch,
	},
	/// An owner said which requests for a dataset it will grant.
	PolicySet {
		owner: AccountId,
		dataset: DatasetId,
		policy: Policy,
	},
	/// A dataset has no policy any more.
	PolicyCleared {
		owner: AccountId,
		dataset: DatasetId,
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
	/// T_s: an owner began to store a large record.
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
		index: u32,
		content_hash: H256,
	},
	/// A large record has all its chunks.
	RecordCompleted { owner: AccountId, key: RecordKey },
	/// An owner gave up a large record that had not all its chunks.
	RecordAbandoned {
		owner: AccountId,
		key: RecordKey,
		arrived: u32,
	},
	/// A record was removed from the state.
	RecordRemoved { owner: AccountId, key: RecordKey },
	/// The leaf of a record that was removed is no longer remembered.
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
		scope: Scope,
		purpose: Text,
		term: BlockNumber,
		offer: Balance,
		valid_until: BlockNumber,
	},
	/// The consumer took a request back.
	RequestCancelled {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
	},
	/// The owner refused a request.
	RequestRejected {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
		reason: Text,
	},
	/// A request was not answered in time.
	RequestLapsed {
		request: RequestId,
		owner: AccountId,
		consumer: AccountId,
	},
	/// An owner authorised a reader.
	Authorized {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		scope: Scope,
		expiry: BlockNumber,
		until: Option<Seconds>,
		request: Option<RequestId>,
		paid: Balance,
	},
	/// An owner revoked a grant.
	Revoked {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		scope: Scope,
	},
	/// A grant's expiry came.
	GrantExpired {
		grant: GrantId,
		owner: AccountId,
		grantee: AccountId,
		scope: Scope,
	},
}

impl Event {
	/// Reads an event of a block, if it is data sharing's.
	pub(crate) fn read(
		event: &subxt::events::Event<'_, SubstrateConfig>,
	) -> Result<Option<Self>, Error> {
		if event.pallet_name() != "DataSharing" {
			return Ok(None);
		}
		let RuntimeEvent::DataSharing(event) = event.decode_as()?;
		Ok(Some(event))
	}

	/// The event's name, its owner's account or, where there is none, that of whom it is about.
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
			| Stored { owner, .. }
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
			| GrantExpired { owner, .. } => owner,
		}
	}

	/// The reader whom it concerns.
	pub fn reader(&self) -> Option<&AccountId> {
		use Event::*;
		match self {
			AccessRequested { consumer, .. }
			| RequestCancelled { consumer, .. }
			| RequestRejected { consumer, .. }
			| RequestLapsed { consumer, .. } => Some(consumer),
			Authorized { grantee, .. } | Revoked { grantee, .. } | GrantExpired { grantee, .. } => {
				Some(grantee)
			}
			_ => None,
		}
	}

	/// The record whom it concerns by its key.
	pub fn key(&self) -> Option<&RecordKey> {
		use Event::*;
		match self {
			Stored { key, .. }
			| RecordOpened { key, .. }
			| ChunkStored { key, .. }
			| RecordCompleted { key, .. }
			| RecordAbandoned { key, .. }
			| RecordRemoved { key, .. } => Some(key),
			_ => None,
		}
	}

	/// The dataset that it names.
	pub fn dataset(&self) -> Option<DatasetId> {
		use Event::*;
		match self {
			DatasetCreated { dataset, .. }
			| DatasetRemoved { dataset, .. }
			| EpochStarted { dataset, .. }
			| PolicySet { dataset, .. }
			| PolicyCleared { dataset, .. }
			| Stored { dataset, .. }
			| RecordOpened { dataset, .. }
			| LeafFreed { dataset, .. } => Some(*dataset),
			_ => self.scope().map(|scope| scope.dataset),
		}
	}

	/// The range that it names.
	pub fn scope(&self) -> Option<&Scope> {
		use Event::*;
		match self {
			AccessRequested { scope, .. }
			| Authorized { scope, .. }
			| Revoked { scope, .. }
			| GrantExpired { scope, .. } => Some(scope),
			_ => None,
		}
	}

	/// The request that it is about.
	pub fn request(&self) -> Option<RequestId> {
		use Event::*;
		match self {
			AccessRequested { request, .. }
			| RequestCancelled { request, .. }
			| RequestRejected { request, .. }
			| RequestLapsed { request, .. } => Some(*request),
			Authorized { request, .. } => *request,
			_ => None,
		}
	}

	/// As JSON: `event` and the fields by their names, amounts in the smallest unit and as text.
	pub fn to_json(&self) -> Value {
		use Event::*;
		let text = |text: &Text| text.to_string();
		let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
		let scope = |scope: &Scope| json!({"dataset": scope.dataset, "epoch": scope.epoch, "from": scope.from, "to": scope.to});
		match self {
			Registered {
				producer,
				kind,
				name,
			} => {
				json!({"event": "Registered", "producer": producer, "kind": format!("{kind:?}"), "name": text(name)})
			}
			Deregistered { producer } => json!({"event": "Deregistered", "producer": producer}),
			EncryptionKeySet { account, key } => {
				json!({"event": "EncryptionKeySet", "account": account, "key": hex(key)})
			}
			EncryptionKeyRemoved { account } => {
				json!({"event": "EncryptionKeyRemoved", "account": account})
			}
			DatasetCreated {
				owner,
				dataset,
				name,
			} => {
				json!({"event": "DatasetCreated", "owner": owner, "dataset": dataset, "name": text(name)})
			}
			DatasetRemoved { owner, dataset } => {
				json!({"event": "DatasetRemoved", "owner": owner, "dataset": dataset})
			}
			EpochStarted {
				owner,
				dataset,
				epoch,
			} => {
				json!({"event": "EpochStarted", "owner": owner, "dataset": dataset, "epoch": epoch})
			}
			PolicySet {
				owner,
				dataset,
				policy,
			} => json!({
				"event": "PolicySet", "owner": owner, "dataset": dataset,
				"price": policy.price.to_string(), "longestRange": policy.longest_range,
				"longestTerm": policy.longest_term,
			}),
			PolicyCleared { owner, dataset } => {
				json!({"event": "PolicyCleared", "owner": owner, "dataset": dataset})
			}
			Stored {
				owner,
				key,
				dataset,
				epoch,
				leaf,
				content_hash,
				length,
			} => json!({
				"event": "Stored", "owner": owner, "key": hex(&key.0), "dataset": dataset,
				"epoch": epoch, "leaf": leaf, "contentHash": hex(&content_hash.0), "length": length,
			}),
			RecordOpened {
				owner,
				key,
				dataset,
				epoch,
				leaf,
				manifest,
				length,
				chunks,
			} => json!({
				"event": "RecordOpened", "owner": owner, "key": hex(&key.0), "dataset": dataset,
				"epoch": epoch, "leaf": leaf, "manifest": hex(&manifest.0), "length": length,
				"chunks": chunks,
			}),
			ChunkStored {
				owner,
				key,
				index,
				content_hash,
			} => json!({
				"event": "ChunkStored", "owner": owner, "key": hex(&key.0), "index": index,
				"contentHash": hex(&content_hash.0),
			}),
			RecordCompleted { owner, key } => {
				json!({"event": "RecordCompleted", "owner": owner, "key": hex(&key.0)})
			}
			RecordAbandoned {
				owner,
				key,
				arrived,
			} => {
				json!({"event": "RecordAbandoned", "owner": owner, "key": hex(&key.0), "arrived": arrived})
			}
			RecordRemoved { owner, key } => {
				json!({"event": "RecordRemoved", "owner": owner, "key": hex(&key.0)})
			}
			LeafFreed {
				owner,
				dataset,
				epoch,
				leaf,
			} => {
				json!({"event": "LeafFreed", "owner": owner, "dataset": dataset, "epoch": epoch, "leaf": leaf})
			}
			AccessRequested {
				request,
				owner,
				consumer,
				scope: range,
				purpose,
				term,
				offer,
				valid_until,
			} => {
				json!({
					"event": "AccessRequested", "request": request, "owner": owner,
					"consumer": consumer, "scope": scope(range), "purpose": text(purpose),
					"term": term, "offer": offer.to_string(), "validUntil": valid_until,
				})
			}
			RequestCancelled {
				request,
				owner,
				consumer,
			} => {
				json!({"event": "RequestCancelled", "request": request, "owner": owner, "consumer": consumer})
			}
			RequestRejected {
				request,
				owner,
				consumer,
				reason,
			} => json!({
				"event": "RequestRejected", "request": request, "owner": owner, "consumer": consumer,
				"reason": text(reason),
			}),
			RequestLapsed {
				request,
				owner,
				consumer,
			} => {
				json!({"event": "RequestLapsed", "request": request, "owner": owner, "consumer": consumer})
			}
			Authorized {
				grant,
				owner,
				grantee,
				scope: range,
				expiry,
				until,
				request,
				paid,
			} => json!({
				"event": "Authorized", "grant": grant, "owner": owner, "grantee": grantee,
				"scope": scope(range), "expiry": expiry, "until": until, "request": request,
				"paid": paid.to_string(),
			}),
			Revoked {
				grant,
				owner,
				grantee,
				scope: range,
			} => {
				json!({"event": "Revoked", "grant": grant, "owner": owner, "grantee": grantee, "scope": scope(range)})
			}
			GrantExpired {
				grant,
				owner,
				grantee,
				scope: range,
			} => {
				json!({"event": "GrantExpired", "grant": grant, "owner": owner, "grantee": grantee, "scope": scope(range)})
			}
		}
	}
}
