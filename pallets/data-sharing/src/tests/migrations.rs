// SPDX-License-Identifier: Apache-2.0
//! Tests that the storage of earlier runtimes is changed into today's, and that no money is moved or lost.

use crate::{
	migrations::{v0, ToV1},
	mock::*,
	*,
};
use codec::Encode;
use frame_support::{
	assert_ok,
	traits::{GetStorageVersion, OnRuntimeUpgrade, StorageVersion},
};
use polkadot_sdk::*;

fn put(key: impl AsRef<[u8]>, value: impl Encode) {
	frame_support::storage::unhashed::put_raw(key.as_ref(), &value.encode());
}

/// Writes the entries as the runtime before version 1 wrote them.
fn to_v0() {
	for (owner, id, new) in Datasets::<Test>::iter().collect::<Vec<_>>() {
		let old = v0::Dataset {
			name: new.name,
			epoch: new.epoch,
			leaves: new.leaves,
			requests: new.requests,
			grants: new.grants,
			deposit: new.deposit,
		};
		put(Datasets::<Test>::hashed_key_for(owner, id), old);
	}
	for (owner, id, new) in Policies::<Test>::iter().collect::<Vec<_>>() {
		let old = v0::StandingPolicy {
			price: new.policy.price,
			longest_range: new.policy.longest_range,
			longest_term: new.policy.longest_term,
			consumers: new.policy.consumers,
			deposit: new.deposit,
		};
		put(Policies::<Test>::hashed_key_for(owner, id), old);
	}
	for (key, new) in AuthorizationList::<Test>::iter().collect::<Vec<_>>() {
		let place = AuthorizationList::<Test>::hashed_key_for(key);
		match new.grants.is_empty() {
			true => frame_support::storage::unhashed::kill(&place),
			false => put(place, new.grants),
		}
	}
	for (id, new) in Requests::<Test>::iter().collect::<Vec<_>>() {
		let old = v0::Request {
			owner: new.owner,
			consumer: new.consumer,
			scope: new.scope,
			purpose: new.purpose,
			term: new.term,
			offer: new.offer,
			valid_until: new.valid_until,
			deposit: new.deposit,
		};
		put(Requests::<Test>::hashed_key_for(id), old);
	}
	for (id, new) in Grants::<Test>::iter().collect::<Vec<_>>() {
		let old = v0::Grant {
			owner: new.owner,
			grantee: new.grantee,
			scope: new.scope,
			expiry: new.expiry,
			until: new.until,
			paid_until: new.paid_until,
			state: new.state,
			sealed_keys: new.sealed_keys,
			deposit: new.deposit,
			due: new.due,
		};
		put(Grants::<Test>::hashed_key_for(id), old);
	}
	StorageVersion::new(0).put::<Sharing>();
}

#[test]
fn everything_is_there_after_the_upgrade() {
	with_dataset(|| {
		let policy = Policy {
			price: 5,
			firm_price: None,
			longest_range: 10,
			longest_term: 20,
			consumers: ConsumerKinds::ALL,
		};
		assert_ok!(submit(
			SCHOOL,
			SharingCall::set_policy { dataset: 0, policy }
		));
		assert_ok!(submit(SCHOOL, store(7)));
		for (reader, to) in [(COMPANY, 10), (RIVAL, 20)] {
			assert_ok!(submit(SCHOOL, authorize(reader, scope(0, to), 50, None)));
		}
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: 1 }));
		// A grant whose reader paid until block 40.
		Grants::<Test>::mutate(0, |grant| {
			let grant = grant.as_mut().unwrap();
			(grant.paid_from, grant.paid_until, grant.firm) = (40, 40, true);
		});
		assert_ok!(submit(COMPANY, request(scope(0, 5), 500)));
		let held: Vec<_> = [SCHOOL, COMPANY, RIVAL]
			.map(Balances::reserved_balance)
			.into();
		let expected = (
			Datasets::<Test>::iter().collect::<Vec<_>>(),
			Policies::<Test>::iter().collect::<Vec<_>>(),
			Requests::<Test>::iter().collect::<Vec<_>>(),
			AuthorizationList::<Test>::iter().collect::<Vec<_>>(),
		);
		to_v0();

		ToV1::<Test>::on_runtime_upgrade();
		assert_eq!(Sharing::on_chain_storage_version(), 1);
		assert_eq!(Sharing::do_try_state(), Ok(()));
		let found = (
			Datasets::<Test>::iter().collect::<Vec<_>>(),
			Policies::<Test>::iter().collect::<Vec<_>>(),
			Requests::<Test>::iter().collect::<Vec<_>>(),
			AuthorizationList::<Test>::iter().collect::<Vec<_>>(),
		);
		assert_eq!(found, expected);
		let after: Vec<_> = [SCHOOL, COMPANY, RIVAL]
			.map(Balances::reserved_balance)
			.into();
		assert_eq!(after, held);
		// The promise to the reader that paid stands, and the request is answered and paid.
		let grant = Grants::<Test>::get(0).unwrap();
		assert_eq!((grant.firm, grant.depositor), (true, SCHOOL));
		assert!(query(COMPANY, 7).is_ok());
		let answer = authorize(COMPANY, scope(0, 5), 60, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		// A second run changes nothing.
		ToV1::<Test>::on_runtime_upgrade();
	});
}

#[test]
fn a_request_for_which_there_is_no_place_is_closed() {
	with_dataset(|| {
		for to in 1..=15 {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, to), 50, None)));
		}
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 20), 500)));
		// Before version 1, a request needed no place.
		let key = (SCHOOL, 0, 0, COMPANY);
		AuthorizationList::<Test>::mutate(key, |entry| entry.asked = 0);
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 16), 50, None)));
		to_v0();

		ToV1::<Test>::on_runtime_upgrade();
		assert_eq!(Requests::<Test>::iter_keys().count(), 0);
		assert_eq!(Balances::free_balance(COMPANY), free);
	});
}
