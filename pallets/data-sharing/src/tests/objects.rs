// SPDX-License-Identifier: Apache-2.0
//! Tests records whose bytes are objects outside the chain, the list of a dataset's objects, and their locations.

use crate::{
	mock::{Error, *},
	*,
};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};
use isthmus_sharing::object::{HEADER_SIZE, MAX_LENGTH};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::traits::Dispatchable;

fn remove(number: u8) -> SharingCall {
	SharingCall::remove_record { key: key(number) }
}

fn with_length(number: u8, length: u64) -> SharingCall {
	let mut call = store_object(number);
	if let SharingCall::store_object { object, .. } = &mut call {
		object.length = length;
	}
	call
}

/// Returns the numbers of the keys of the objects of the school's dataset 0, in their order.
fn listed() -> Vec<u8> {
	let count = Sharing::object_count(&SCHOOL, 0);
	assert_eq!(Sharing::object_at(&SCHOOL, 0, count), None);
	let at = |ordinal| Sharing::object_at(&SCHOOL, 0, ordinal).expect("the list has no gaps");
	(0..count).map(|ordinal| at(ordinal).0 .0[0]).collect()
}

fn urls(urls: &[&str]) -> Vec<Vec<u8>> {
	urls.iter().map(|url| url.as_bytes().to_vec()).collect()
}

#[test]
fn the_block_since_which_there_are_objects_is_known() {
	with_dataset(|| {
		assert_eq!(Sharing::objects_since(&SCHOOL, 0), None);
		for (block, number, since) in [(3, 7, 3), (5, 8, 3)] {
			System::set_block_number(block);
			assert_ok!(submit(SCHOOL, store_object(number)));
			assert_eq!(Sharing::objects_since(&SCHOOL, 0), Some(since));
		}
		for (number, since) in [(7, Some(3)), (8, None)] {
			assert_ok!(submit(SCHOOL, remove(number)));
			assert_eq!(Sharing::objects_since(&SCHOOL, 0), since);
		}
		System::set_block_number(9);
		assert_ok!(submit(SCHOOL, store_object(9)));
		assert_eq!(Sharing::objects_since(&SCHOOL, 0), Some(9));
	});
}

#[test]
fn an_object_is_stored() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store_object(7)));
		let record = Record {
			dataset: 0,
			epoch: 0,
			leaf: 7,
			payload: Payload::Object {
				object: object_of(7),
				block: 1,
				ordinal: 0,
			},
			deposit: 2 * PER_ITEM,
		};
		assert_eq!(Records::<Test>::get(SCHOOL, key(7)), Some(record));
		let leaf = TakenLeaf {
			by: LeafUse::Record(key(7)),
			deposit: PER_ITEM,
		};
		assert_eq!(Leaves::<Test>::get((SCHOOL, 0, 0, 7)), Some(leaf));
		assert_eq!(held(HoldReason::Record, SCHOOL), 3 * PER_ITEM);
		let event = SharingEvent::ObjectStored {
			owner: SCHOOL,
			key: key(7),
			dataset: 0,
			epoch: 0,
			leaf: 7,
			length: 1_000,
			root: key(7),
		};
		assert_eq!(last_event(), event);
		assert_eq!(
			Sharing::object_at(&SCHOOL, 0, 0),
			Some((key(7), object_of(7), 1))
		);
		assert_ok!(submit(SCHOOL, with_length(8, MAX_LENGTH)));
		assert_ok!(submit(SCHOOL, with_length(9, 16)));
	});
}

#[test]
fn a_bad_object_is_refused() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store_object(7)));
		assert_noop!(submit(STRANGER, store_object(8)), Error::NotRegistered);
		assert_noop!(submit(SCHOOL, store_object(7)), Error::KeyTaken);
		assert_ok!(submit(SCHOOL, store(6)));
		assert_noop!(submit(SCHOOL, store_object(6)), Error::KeyTaken);
		assert_noop!(submit(SCHOOL, store(7)), Error::KeyTaken);
		for bad in [0, 15, (1 << 20) + 16, MAX_LENGTH + 1, u64::MAX] {
			assert_noop!(submit(SCHOOL, with_length(8, bad)), Error::ObjectLength);
		}
		let mut elsewhere = store_object(8);
		if let SharingCall::store_object { leaf, .. } = &mut elsewhere {
			*leaf = 7;
		}
		assert_noop!(submit(SCHOOL, elsewhere), Error::LeafTaken);
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_noop!(submit(SCHOOL, store_object(8)), Error::NotCurrentEpoch);
	});
}

#[test]
fn a_batch_stores_all_objects_or_none() {
	with_dataset(|| {
		let batch = |numbers: &[u8]| {
			let calls = numbers.iter().map(|number| store_object(*number).into());
			RuntimeCall::from(pallet_utility::Call::batch_all {
				calls: calls.collect(),
			})
		};
		assert_ok!(submit(SCHOOL, batch(&[1, 2, 3])));
		assert_eq!(listed(), [1, 2, 3]);
		assert_noop!(submit(SCHOOL, batch(&[4, 5, 3])), Error::KeyTaken);
		assert_eq!(listed(), [1, 2, 3]);
	});
}

#[test]
fn the_last_object_takes_the_place_of_a_removed_one() {
	with_dataset(|| {
		for number in 1..=5 {
			assert_ok!(submit(SCHOOL, store_object(number)));
		}
		// A record on the chain has no place in the list.
		assert_ok!(submit(SCHOOL, store(6)));
		for (number, left) in [
			(2, vec![1, 5, 3, 4]),
			(4, vec![1, 5, 3]),
			(6, vec![1, 5, 3]),
			(1, vec![3, 5]),
			(5, vec![3]),
			(3, vec![]),
		] {
			assert_ok!(submit(SCHOOL, remove(number)));
			assert_eq!(listed(), left);
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		assert_eq!(
			last_event(),
			SharingEvent::RecordRemoved {
				owner: SCHOOL,
				key: key(3),
				dataset: 0,
			}
		);
		assert_eq!(ObjectCounts::<Test>::iter_keys().count(), 0);
		// The leaves stay taken.
		assert_eq!(held(HoldReason::Record, SCHOOL), 6 * PER_ITEM);
	});
}

#[test]
fn only_an_object_pays_for_its_place_in_the_list() {
	with_dataset(|| {
		for call in [store_object(1), store_object(2), store(3)] {
			assert_ok!(submit(SCHOOL, call));
		}
		let weight = |number| {
			let call = RuntimeCall::from(remove(number));
			let declared = call.get_dispatch_info().call_weight;
			let most = <Test as Config>::WeightInfo::remove_object();
			let embargo = Sharing::weight_of_lifting();
			assert_eq!(declared, most.saturating_add(embargo));
			let done = call.dispatch(Some(SCHOOL).into()).expect("it is there");
			done.actual_weight.unwrap_or(declared)
		};
		assert_eq!(weight(1), <Test as Config>::WeightInfo::remove_object());
		assert_eq!(weight(3), <Test as Config>::WeightInfo::remove_record());
	});
}

#[test]
fn locations_are_published_replaced_and_withdrawn() {
	with_dataset(|| {
		let before = held(HoldReason::Dataset, SCHOOL);
		let set = |list: &[&str]| {
			assert_ok!(submit(SCHOOL, set_locations(list)));
			assert_eq!(Sharing::locations(&SCHOOL, 0), urls(list));
			let SharingEvent::LocationsSet {
				owner: SCHOOL,
				dataset: 0,
				locations,
			} = last_event()
			else {
				panic!("another event");
			};
			let locations: Vec<_> = locations.into_iter().map(|url| url.into_inner()).collect();
			assert_eq!(locations, urls(list));
			held(HoldReason::Dataset, SCHOOL) - before
		};
		// A byte costs 1.
		assert_eq!(set(&["s3://grades", "file:///data"]), PER_ITEM + 11 + 12);
		assert_eq!(set(&["s3://grades"]), PER_ITEM + 11);
		assert_eq!(set(&[]), 0);
		assert_eq!(set(&[]), 0);
		assert_eq!(Locations::<Test>::iter_keys().count(), 0);
		// What is still there goes with the dataset.
		set(&["https://a.example/objects"]);
		let removal = SharingCall::remove_dataset { dataset: 0 };
		assert_ok!(submit(SCHOOL, removal));
		assert_eq!(Locations::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn a_bad_location_is_refused() {
	with_dataset(|| {
		for bad in [
			"",
			"grades",
			"s3://grades/",
			"http://a.example/x",
			"https://user@a.example",
		] {
			assert_noop!(
				submit(SCHOOL, set_locations(&[bad])),
				Error::LocationInvalid
			);
		}
		let longest = format!("s3://{}", "a".repeat(251));
		assert_ok!(submit(SCHOOL, set_locations(&[&longest])));
		let longer = format!("{longest}a");
		assert_noop!(
			submit(SCHOOL, set_locations(&[&longer])),
			Error::LocationInvalid
		);
		let twice = set_locations(&["s3://a", "s3://a"]);
		assert_noop!(submit(SCHOOL, twice), Error::LocationTwice);
		let many: Vec<_> = (0..9).map(|number| format!("s3://a{number}")).collect();
		let many: Vec<_> = many.iter().map(String::as_str).collect();
		assert_noop!(
			submit(SCHOOL, set_locations(&many)),
			Error::TooManyLocations
		);
		assert_ok!(submit(SCHOOL, set_locations(&many[1..])));
		let elsewhere = SharingCall::set_locations {
			dataset: 1,
			locations: urls(&["s3://a"]),
		};
		assert_noop!(submit(SCHOOL, elsewhere), Error::UnknownDataset);
		assert_noop!(
			submit(STRANGER, set_locations(&["s3://a"])),
			Error::NotRegistered
		);
	});
}

#[test]
fn a_query_says_where_an_object_is() {
	with_dataset(|| {
		for call in [
			store_object(7),
			store(8),
			set_locations(&["s3://grades", "s3://mirror"]),
		] {
			assert_ok!(submit(SCHOOL, call));
		}
		assert!(query(COMPANY, 7).is_err());
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 500, None)));
		for reader in [SCHOOL, COMPANY] {
			let answer = query(reader, 7).expect("it may read");
			assert_eq!(answer.locations, urls(&["s3://grades", "s3://mirror"]));
			let Payload::Object { object, .. } = answer.payload else {
				panic!("it is an object");
			};
			assert_eq!(object, object_of(7));
			// What is on the chain needs no location.
			let answer = query(reader, 8).expect("it may read");
			assert_eq!(answer.locations, urls(&[]));
		}
		let listed = Sharing::datasets(&SCHOOL, None, 10).items.remove(0);
		assert_eq!(listed.objects, 1);
		assert_eq!(listed.locations, urls(&["s3://grades", "s3://mirror"]));
	});
}

/// A record that was paid for stays, wherever its bytes are.
#[test]
fn an_object_that_was_paid_for_stays() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store_object(7)));
		assert_ok!(submit(COMPANY, request(scope(0, 10), 50)));
		run_to(2);
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 100, Some(0))
		));
		assert_noop!(submit(SCHOOL, remove(7)), Error::RecordPaidFor);
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: 0 }));
		// It can be disputed for a time.
		assert_noop!(submit(SCHOOL, remove(7)), Error::RecordPaidFor);
		run_to(2 + WINDOW);
		assert_ok!(submit(SCHOOL, remove(7)));
	});
}

/// Returns the number of bytes that the nodes of the state's trie have, with this number of objects.
fn state_with(objects: u32) -> usize {
	let mut ext = new_test_ext();
	ext.execute_with(|| {
		for call in school_with_dataset() {
			assert_ok!(submit(SCHOOL, call));
		}
		for number in 0..objects {
			let call = SharingCall::store_object {
				key: H256(sp_io::hashing::blake2_256(&number.encode())),
				dataset: 0,
				epoch: 0,
				leaf: number,
				object: object_of(7),
			};
			assert_ok!(submit(SCHOOL, call));
		}
		// What a block leaves no trace of.
		System::reset_events();
		ReceiptTree::<Test>::kill();
		ReceiptEntries::<Test>::kill();
	});
	ext.commit_all().expect("nothing is left open");
	let (nodes, _) = ext.into_raw_snapshot();
	nodes.iter().map(|(_, (node, _))| node.len()).sum()
}

#[test]
fn an_object_takes_few_bytes_on_the_chain() {
	// In the body: the call.
	let call = store_object(7).encoded_size();
	println!("{call} bytes of a call");
	assert_eq!(call, 1 + 32 + 4 + 4 + 4 + HEADER_SIZE + 8 + 32);
	// In the state: three entries, with the part of their keys that others do not share. A balance has 16 bytes on a chain,
	// and a block's number 4.
	let record = 4 + 4 + 4 + 1 + (HEADER_SIZE + 8 + 32) + 4 + 4 + 16;
	let leaf = 1 + 32 + 16;
	let listed = 32;
	let keys = (16 + 32) + (8 + 4) + (8 + 4);
	println!("{} bytes of entries", record + leaf + listed + keys);
	assert!(record + leaf + listed + keys <= 400);
	// The trie adds its hashes, and headers of nodes.
	let (few, many) = (state_with(1_000), state_with(3_000));
	let each = (many - few) / 2_000;
	println!("{each} bytes of the state's trie");
	assert!(each <= 600, "{each}");
}
