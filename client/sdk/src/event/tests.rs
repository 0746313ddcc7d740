// SPDX-License-Identifier: Apache-2.0
//! Tests the events' layout and their JSON.

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
