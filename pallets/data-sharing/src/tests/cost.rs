// SPDX-License-Identifier: Apache-2.0
//! Tests that the cost of a call does not grow with the state. The size of a storage proof measures how
//! many bytes of state a call touches. With many entries it is the same as with few, except for the depth
//! of the trie.

use crate::{mock::*, *};
use codec::Encode;
use frame_support::{assert_ok, traits::fungible::Mutate};
use isthmus_sharing::terms::LEAVES_PER_EPOCH;
use polkadot_sdk::*;
use sp_core::H256;
use std::time::Instant;

/// The first of the accounts that fill the state.
const FIRST: u64 = 1_000;

/// An encryption key. The chain only checks its length.
const KEY: [u8; 34] = [0; 34];

/// Returns a chain with this number of producers, records, requests and grants. All but the producers
/// belong to one school's dataset 0.
fn filled(entries: u64) -> sp_io::TestExternalities {
	let mut ext = new_test_ext();
	ext.execute_with(|| {
		Balances::set_balance(&SCHOOL, u64::MAX / 4);
		for (who, name) in [(SCHOOL, b"school"), (OFFICE, b"office")] {
			let (kind, name) = (ProducerKind::School, name.to_vec());
			assert_ok!(submit(who, SharingCall::register { kind, name }));
		}
		for name in [b"a", b"b"] {
			let name = name.to_vec();
			assert_ok!(submit(SCHOOL, SharingCall::create_dataset { name }));
		}
		for who in [COMPANY, RIVAL] {
			let key = KEY.to_vec();
			assert_ok!(submit(who, SharingCall::set_encryption_key { key }));
		}
	});
	for number in 0..entries {
		if number % 1_000 == 0 {
			ext.commit_all().expect("nothing is left open");
		}
		ext.execute_with(|| {
			let who = FIRST + number;
			Balances::set_balance(&who, WEALTH);
			let (kind, name) = (ProducerKind::Other, b"other".to_vec());
			assert_ok!(submit(who, SharingCall::register { kind, name }));
			let key = KEY.to_vec();
			assert_ok!(submit(who, SharingCall::set_encryption_key { key }));
			assert_ok!(submit(who, request(scope(0, 10), 0)));
			assert_ok!(submit(SCHOOL, authorize(who, scope(0, 10), 500, None)));
			let key = H256::from_low_u64_be(FIRST + number);
			let store = SharingCall::store {
				key,
				dataset: 0,
				epoch: 0,
				leaf: 1_000 + number as u32,
				value: vec![1],
			};
			assert_ok!(submit(SCHOOL, store));
			let object = SharingCall::store_object {
				key: H256::from_low_u64_be((1 << 32) + number),
				dataset: 0,
				epoch: 0,
				leaf: 1_000_000 + number as u32,
				object: object_of(1),
			};
			assert_ok!(submit(SCHOOL, object));
			// A block begins without the events of others.
			System::reset_events();
			ReceiptTree::<Test>::kill();
			ReceiptEntries::<Test>::kill();
		});
	}
	ext.commit_all().expect("nothing is left open");
	ext
}

/// Returns every call that touches growing parts of the state, in an order in which all calls succeed.
fn calls() -> Vec<(&'static str, u64, SharingCall)> {
	let large = Large::new(7, 2);
	let next_request = NextRequest::<Test>::get();
	let next_grant = NextGrant::<Test>::get();
	let answer = Some(next_request);
	vec![
		("store", SCHOOL, store(8)),
		("open_record", SCHOOL, large.open()),
		("store_chunk", SCHOOL, large.chunk(0)),
		(
			"remove_record",
			SCHOOL,
			SharingCall::remove_record { key: key(8) },
		),
		("store_object", SCHOOL, store_object(9)),
		("set_locations", SCHOOL, set_locations(&["s3://a"])),
		(
			"remove_record",
			SCHOOL,
			SharingCall::remove_record {
				// The first of the objects: the last one takes its place.
				key: H256::from_low_u64_be(1 << 32),
			},
		),
		("request_access", COMPANY, request(scope(0, 10), 7)),
		(
			"add_authorize",
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 500, answer),
		),
		("request_access", RIVAL, request(scope(0, 10), 7)),
		(
			"cancel_request",
			RIVAL,
			SharingCall::cancel_request {
				request: next_request + 1,
			},
		),
		("request_access", RIVAL, request(scope(0, 11), 7)),
		(
			"reject_request",
			SCHOOL,
			SharingCall::reject_request {
				request: next_request + 2,
				reason: vec![],
			},
		),
		(
			"add_authorize",
			SCHOOL,
			authorize(RIVAL, scope(0, 10), 500, None),
		),
		(
			"revoke",
			SCHOOL,
			SharingCall::revoke {
				grant: next_grant + 1,
			},
		),
	]
}

/// Returns how many bytes of state each call touches when there are this many entries.
fn touched(entries: u64) -> Vec<(&'static str, usize)> {
	let mut ext = filled(entries);
	let calls = ext.execute_with(calls);
	calls
		.into_iter()
		.map(|(name, who, mut call)| {
			if let SharingCall::add_authorize {
				request: Some(request),
				..
			} = &mut call
			{
				// The request was not open yet when the calls were listed.
				*request = ext.execute_with(|| answered(request.id));
			}
			let started = Instant::now();
			let (result, proof) = ext.execute_and_prove(|| submit(who, call));
			let took = started.elapsed();
			assert_eq!(result, Ok(()), "{name}");
			ext.commit_all().expect("nothing is left open");
			let size = proof.encoded_size();
			println!("{name:16} {entries:7} entries {size:6} bytes of proof {took:9.1?}");
			(name, size)
		})
		.collect()
}

fn compare(few: u64, many: u64) {
	for ((name, few), (_, many)) in touched(few).into_iter().zip(touched(many)) {
		// The trie's depth grows with the logarithm of its size. A call that reads every entry would touch
		// far more.
		assert!(many < 4 * few, "{name}: {few} bytes grow to {many}");
	}
}

#[test]
fn calls_cost_the_same_with_fifty_entries_and_with_a_thousand() {
	compare(50, 1_000);
}

/// `cargo test --release -p pallet-data-sharing -- --ignored --nocapture calls_cost`
#[test]
#[ignore = "takes minutes without optimisation"]
fn calls_cost_the_same_with_a_thousand_entries_and_with_a_hundred_thousand() {
	compare(1_000, 100_000);
}

/// Ten leaves of a full epoch are found without reading the others.
#[test]
fn a_short_range_costs_the_same_with_fifty_records_and_with_a_thousand() {
	let size = |entries| {
		let mut ext = filled(entries);
		let (page, proof) =
			ext.execute_and_prove(|| Sharing::records_in(&SCHOOL, &scope(1_000, 1_010), None, 256));
		assert_eq!((page.items.len(), page.next), (10, None));
		proof.encoded_size()
	};
	let (few, many) = (size(50), size(1_000));
	assert!(many < 4 * few, "{few} bytes grow to {many}");
}

/// Checks how many blocks it takes to revoke one reader's grant and give the others new ones, with the number of grants in a
/// transaction as the SDK sends. A transaction must fit with its declared weight, which allows for full lists. When it
/// is done, what it did not use is free again. `scripts/bench-block` measures the same on a real chain: see
/// docs/performance.md.
#[test]
fn revoking_and_sealing_again_for_a_thousand_readers_fits_two_blocks() {
	use frame_support::dispatch::{GetDispatchInfo, PostDispatchInfo};
	use sp_runtime::traits::Dispatchable;
	const IN_ONE: usize = 128;
	// In the runtime, normal transactions may fill 6 MiB and 1.5 s of a block, and a byte weighs 200 ns.
	const LIMIT: u64 = 1_500_000_000_000;
	const BYTE: u64 = 200_000;
	let run = |call: RuntimeCall| -> PostDispatchInfo {
		let done = call.dispatch(Some(SCHOOL).into());
		done.expect("it succeeds")
	};
	for (readers, expected) in [(10, 1), (100, 1), (1_000, 2)] {
		with_dataset(|| {
			Balances::set_balance(&SCHOOL, u64::MAX / 4);
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 500, None)));
			let key = EncryptionKeys::<Test>::get(COMPANY).expect("it has one");
			let grants = (FIRST..FIRST + readers).map(|grantee| {
				let deposit = 0;
				let key = key.key.clone();
				EncryptionKeys::<Test>::insert(grantee, RegisteredKey { key, deposit });
				RuntimeCall::from(SharingCall::add_authorize {
					grantee,
					scope: Scope {
						epoch: 1,
						..scope(0, LEAVES_PER_EPOCH)
					},
					expiry: 500,
					until: None,
					sealed_keys: vec![0; 2_035],
					request: None,
					condition: None,
				})
			});
			let grants: Vec<_> = grants.collect();
			let batches = grants.chunks(IN_ONE).map(|calls| {
				let calls = calls.to_vec();
				RuntimeCall::from(pallet_utility::Call::force_batch { calls })
			});
			let revoke = RuntimeCall::from(SharingCall::revoke { grant: 0 });
			let (mut blocks, mut used, mut size) = (1, 0, 0);
			for call in [revoke].into_iter().chain(batches) {
				let length = call.encoded_size() as u64;
				let declared = call.get_dispatch_info().call_weight;
				if used + declared.ref_time() + BYTE * length > LIMIT || size + length > 6 << 20 {
					(blocks, used, size) = (blocks + 1, 0, 0);
				}
				let actual = run(call).actual_weight.unwrap_or(declared);
				used += actual.ref_time() + BYTE * length;
				size += length;
			}
			println!("{readers:5} readers: {blocks} blocks, of the last {size:8} bytes, {used} ps");
			assert_eq!(Grants::<Test>::iter_keys().count() as u64, readers + 1);
			assert_eq!(blocks, expected);
		});
	}
}
