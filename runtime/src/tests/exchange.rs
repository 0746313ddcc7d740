// SPDX-License-Identifier: Apache-2.0
//! Tests disputes with the envelope's test vectors: the runtime opens exactly the grants that readers open.

use super::*;
use crate::RuntimeOrigin;
use frame_support::{assert_ok, traits::fungible::MutateHold};
use isthmus_keys::{EncryptionKeyPair, Suite};
use isthmus_sharing::{GrantState, LeafUse, Payload, PurposeCode, Scope, H256};
use pallet_data_sharing::{
	Call, Dataset, Datasets, Event, Grant, Grants, HoldReason, Leaves, Payment, Payments, Record,
	Records, Sold, SoldRanges, TakenLeaf,
};
use serde_json::Value;
use sp_io::hashing::blake2_256;
use sp_runtime::traits::Dispatchable;

const PAID: u128 = UNIT;

fn vectors() -> Value {
	serde_json::from_str(include_str!("../../../client/envelope/vectors.json"))
		.expect("the vectors are JSON")
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
	hex::decode(case[name].as_str().expect("it is text")).expect("it is hexadecimal")
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
	bytes(case, name)
		.try_into()
		.expect("it has the right length")
}

fn number(case: &Value, name: &str) -> u64 {
	case[name].as_u64().expect("it is a number")
}

/// Disputes the grant of a vector with a record's bytes at a leaf. Returns whether the reader won.
fn dispute(case: &Value, leaf: u32, record: &[u8]) -> bool {
	let suite = Suite::from_id(number(case, "suite") as u16).expect("the suite is known");
	let pair = EncryptionKeyPair::from_seed(suite, array(case, "id"), array(case, "seed"));
	let key = pair.public_key().to_bytes();
	let (owner, grantee) = (
		AccountId::from(array::<32>(case, "owner")),
		AccountId::from(array::<32>(case, "grantee")),
	);
	let scope = Scope {
		dataset: number(case, "dataset") as u32,
		epoch: number(case, "epoch") as u32,
		from: number(case, "start"),
		to: number(case, "end"),
	};
	let expiry = number(case, "expiry") as u32;
	frame_system::BlockHash::<Runtime>::insert(0, Hash::from(array::<32>(case, "genesis")));
	for who in [&owner, &grantee] {
		assert_ok!(Balances::force_set_balance(
			RuntimeOrigin::root(),
			who.clone().into(),
			10 * UNIT
		));
	}
	assert_ok!(Balances::hold(&HoldReason::Offer.into(), &grantee, PAID));
	let name = b"marks".to_vec().try_into().expect("it is short");
	Datasets::<Runtime>::insert(
		&owner,
		scope.dataset,
		Dataset {
			name,
			epoch: scope.epoch,
			leaves: 1,
			requests: 0,
			grants: 1,
			closed: false,
			deposit: 0,
		},
	);
	let record_key = H256::repeat_byte(1);
	Records::<Runtime>::insert(
		&owner,
		record_key,
		Record {
			dataset: scope.dataset,
			epoch: scope.epoch,
			leaf,
			payload: Payload::Value {
				content_hash: blake2_256(record).into(),
				length: record.len() as u32,
				block: 1,
				extrinsic: 1,
			},
			deposit: 0,
		},
	);
	let by = LeafUse::Record(record_key);
	let place = (&owner, scope.dataset, scope.epoch, leaf);
	Leaves::<Runtime>::insert(place, TakenLeaf { by, deposit: 0 });
	SoldRanges::<Runtime>::insert(
		(&owner, scope.dataset, scope.epoch),
		Sold {
			grants: 1,
			from: scope.from,
			to: scope.to,
			paid: 1,
			until: expiry,
		},
	);
	Grants::<Runtime>::insert(
		0,
		Grant {
			owner: owner.clone(),
			grantee: grantee.clone(),
			scope,
			expiry,
			until: None,
			agreement: None,
			code: PurposeCode::Unspecified,
			paid: PAID,
			paid_from: 1,
			paid_until: expiry,
			firm: false,
			state: GrantState::Active,
			sealed_keys: bytes(case, "sealed").try_into().expect("it is short"),
			depositor: grantee.clone(),
			deposit: 0,
			due: expiry,
			condition: None,
		},
	);
	Payments::<Runtime>::insert(
		0,
		Payment {
			until: expiry,
			prefix: *key.first_chunk().expect("the key is longer"),
			key: blake2_256(&key).into(),
		},
	);
	let call = RuntimeCall::from(Call::dispute {
		grant: 0,
		leaf,
		secret: *pair.expose_seed(),
		shown: record.to_vec(),
	});
	assert_ok!(call.dispatch(RuntimeOrigin::signed(grantee)));
	let last = System::events().pop().expect("there is an event").event;
	match last {
		RuntimeEvent::DataSharing(Event::DisputeWon { refunded, .. }) => {
			assert_eq!(refunded, PAID);
			true
		}
		RuntimeEvent::DataSharing(Event::DisputeLost { .. }) => false,
		other => panic!("no dispute was decided: {other:?}"),
	}
}

/// Runs a dispute on a state of its own.
fn on_new_state(test: impl FnOnce() -> bool) -> bool {
	sp_io::TestExternalities::default().execute_with(|| {
		System::set_block_number(2);
		test()
	})
}

#[test]
fn an_owner_whose_grants_and_records_are_the_envelopes_never_loses() {
	let vectors = vectors();
	let (grants, records) = (&vectors["grants"], &vectors["records"]);
	let mut tried = [0, 0];
	for grant in grants.as_array().expect("it is a list") {
		for record in records.as_array().expect("it is a list") {
			let (leaf, shown) = (number(record, "leaf"), bytes(record, "record"));
			let covered = number(grant, "start")..number(grant, "end");
			if !covered.contains(&leaf) {
				continue;
			}
			assert!(!on_new_state(|| dispute(grant, leaf as u32, &shown)));
			tried[0] += 1;
			// At another leaf, the record is under a wrong key.
			let other = leaf ^ 1;
			if covered.contains(&other) {
				assert!(on_new_state(|| dispute(grant, other as u32, &shown)));
				tried[1] += 1;
			}
		}
	}
	assert!(tried[0] > 30 && tried[1] > 20, "{tried:?}");
}

#[test]
fn a_reader_wins_with_every_grant_that_the_envelope_refuses() {
	let vectors = vectors();
	let record = &vectors["records"][0];
	let shown = bytes(record, "record");
	let refused = vectors["refusedGrants"].as_array().expect("it is a list");
	assert!(refused.len() >= 42);
	for case in refused {
		let leaf = number(case, "start") as u32;
		let won = on_new_state(|| dispute(case, leaf, &shown));
		assert!(won, "{}", case["case"]);
	}
}

/// Prints how long a dispute takes in native code: for a bound of its weight.
#[test]
#[ignore = "measures"]
fn the_time_of_a_dispute() {
	let vectors = vectors();
	let record = bytes(&vectors["records"][0], "record");
	for case in vectors["grants"].as_array().expect("it is a list") {
		let mut best = u128::MAX;
		for _ in 0..50 {
			on_new_state(|| {
				let leaf = number(case, "start") as u32;
				let start = std::time::Instant::now();
				let won = dispute(case, leaf, &record);
				best = best.min(start.elapsed().as_micros());
				won
			});
		}
		println!("suite {}, to {}: {best} us", case["suite"], case["end"]);
	}
}
