// SPDX-License-Identifier: Apache-2.0
//! Tests that the storage of earlier runtimes is changed into today's, and that no money is moved or lost.

use super::policies::{set, POLICY};
use crate::{
	migrations::{v0, ToV1},
	mock::*,
	*,
};
use codec::Encode;
use frame_support::{
	assert_ok,
	migrations::MultiStepMigrator,
	traits::{fungible::Mutate, Get, GetStorageVersion, Hooks, OnRuntimeUpgrade, StorageVersion},
	weights::Weight,
};
use frame_system::limits::BlockWeights;
use migrations::Stepped;
use polkadot_sdk::*;
use sp_runtime::{testing::Header, traits::Header as _, ExtrinsicInclusionMode};

fn put(key: impl AsRef<[u8]>, value: impl Encode) {
	frame_support::storage::unhashed::put_raw(key.as_ref(), &value.encode());
}

/// Writes the entries as the runtime before version 1 wrote them.
fn to_v0() {
	let _ = Controls::<Test>::clear(u32::MAX, None);
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

/// Migrates, to the end. Returns the weight of each.
fn upgrade() -> Vec<Weight> {
	ToV1::<Test>::on_runtime_upgrade();
	let mut weights = vec![];
	while Stepped::<Test>::ongoing() {
		weights.push(Stepped::<Test>::step());
	}
	weights
}

#[test]
fn everything_is_there_after_the_upgrade() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, set(POLICY)));
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

		upgrade();
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
		// The grant that was paid for counts as sold.
		assert_eq!(SoldRanges::<Test>::get((SCHOOL, 0, 0)).unwrap().until, 40);
		// A second run changes nothing.
		assert_eq!(upgrade(), []);
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

		upgrade();
		assert_eq!(Requests::<Test>::iter_keys().count(), 0);
		assert_eq!(Balances::free_balance(COMPANY), free);
	});
}

/// The account with the lowest number of those that fill the state.
const FIRST: u64 = 1_000;

/// Returns a chain of the earlier runtime with this many open requests and grants, each of another reader. All requests
/// lapse in one block, and so do the grants.
fn filled(readers: u64) -> sp_io::TestExternalities {
	let mut ext = new_test_ext();
	ext.execute_with(|| {
		for call in school_with_dataset() {
			assert_ok!(submit(SCHOOL, call));
		}
		Balances::set_balance(&SCHOOL, u64::MAX / 4);
	});
	for reader in FIRST..FIRST + readers {
		if reader % 1_000 == 0 {
			ext.commit_all().expect("nothing is left open");
		}
		ext.execute_with(|| {
			Balances::set_balance(&reader, WEALTH);
			let key = vec![0; 34];
			assert_ok!(submit(reader, SharingCall::set_encryption_key { key }));
			assert_ok!(submit(reader, request(scope(0, 10), 7)));
			let grant = authorize(reader, scope(0, 10), 500, None);
			assert_ok!(submit(SCHOOL, grant));
			System::reset_events();
			ReceiptTree::<Test>::kill();
			ReceiptEntries::<Test>::kill();
		});
	}
	ext.execute_with(to_v0);
	ext.commit_all().expect("nothing is left open");
	ext
}

/// Starts a block, and returns whether it may contain transactions.
fn start_block() -> ExtrinsicInclusionMode {
	let number = System::block_number() + 1;
	let [extrinsics, state, parent] = [Default::default(); 3];
	let header = Header::new(number, extrinsics, state, parent, Default::default());
	Executive::initialize_block(&header)
}

/// Once, everything was changed in one block, however much there was.
#[test]
fn a_large_state_is_migrated_over_several_blocks_without_transactions() {
	let readers = 10_000;
	filled(readers).execute_with(|| {
		let owner = Balances::reserved_balance(SCHOOL);
		let limits: BlockWeights = <Test as frame_system::Config>::BlockWeights::get();
		let most = limits.max_block;
		let mut blocks = 0;
		// The requests lapse meanwhile.
		System::set_block_number(LIFETIME - 2);
		// The state knows of no runtime before this one.
		frame_system::LastRuntimeUpgrade::<Test>::kill();
		while start_block() == ExtrinsicInclusionMode::OnlyInherents {
			blocks += 1;
			Executive::finalize_block();
			let weight = System::block_weight().total();
			assert!(weight.all_lt(most), "{weight} of {most}");
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		println!("{readers} requests and {readers} grants: {blocks} blocks");
		assert!(blocks > 3, "{blocks} blocks");
		assert_eq!(Sharing::on_chain_storage_version(), 1);
		assert!(System::block_number() > 1 + LIFETIME);
		// The agenda missed the block at which the requests lapsed, and goes on from there.
		assert!(Backlog::<Test>::exists());
		assert_eq!(Sharing::do_try_state(), Ok(()));
		// The last block of the migration had room left, and the next one's start.
		let left = Requests::<Test>::iter_keys().count();
		assert!(left > 0 && left < readers as usize - 3, "{left} are left");
		Sharing::on_idle(System::block_number(), Weight::MAX);
		assert_eq!(Requests::<Test>::iter_keys().count(), 0);
		assert_eq!(Grants::<Test>::iter_keys().count(), readers as usize);
		assert_eq!(Balances::reserved_balance(SCHOOL), owner);
		// The deposit for the key is all that a reader still has held.
		let key = PER_ITEM + 34;
		for reader in FIRST..FIRST + readers {
			assert_eq!(Balances::reserved_balance(reader), key);
		}
		assert_eq!(Sharing::do_try_state(), Ok(()));
	});
}
