// SPDX-License-Identifier: Apache-2.0
//! Tests that lists, read in pages of any size, contain every entry exactly once, and no others.

use crate::{mock::*, *};
use frame_support::assert_ok;
use isthmus_sharing::{terms::MAX_PAGE, Page};
use polkadot_sdk::*;

/// Returns all items, read in pages of `limit`, and checks that no page is longer than `most`.
fn all<Item>(
	limit: u32,
	most: usize,
	read: impl Fn(Option<Vec<u8>>, u32) -> Page<Item>,
) -> Vec<Item> {
	let (mut items, mut after) = (vec![], None);
	loop {
		let page = read(after, limit);
		assert!(page.items.len() <= most);
		items.extend(page.items);
		after = page.next;
		if after.is_none() {
			return items;
		}
	}
}

fn sorted<Key: Ord>(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
	let mut keys: Vec<_> = keys.into_iter().collect();
	keys.sort();
	keys
}

const LIMITS: [u32; 5] = [0, 1, 3, 7, u32::MAX];

fn most(limit: u32) -> usize {
	limit.clamp(1, MAX_PAGE) as usize
}

#[test]
fn datasets_are_listed_with_their_policies() {
	with_dataset(|| {
		for name in [b"a", b"b", b"c"] {
			let name = name.to_vec();
			assert_ok!(submit(SCHOOL, SharingCall::create_dataset { name }));
		}
		let policy = Policy {
			price: 1,
			firm_price: None,
			longest_range: 1,
			longest_term: 1,
			purposes: PurposeCodes::ALL,
			consumers: ConsumerKinds::ALL,
		};
		assert_ok!(submit(
			SCHOOL,
			SharingCall::set_policy {
				dataset: 2,
				policy,
				condition: None,
			}
		));
		for limit in LIMITS {
			let found = all(limit, most(limit), |after, limit| {
				Sharing::datasets(&SCHOOL, after, limit)
			});
			let found = sorted(found.into_iter().map(|entry| {
				assert_eq!(Datasets::<Test>::get(SCHOOL, entry.id), Some(entry.dataset));
				(entry.id, entry.policy.is_some())
			}));
			assert_eq!(found, [(0, false), (1, false), (2, true), (3, false)]);
		}
		assert!(Sharing::datasets(&OFFICE, None, 10).items.is_empty());
	});
}

#[test]
fn records_are_listed_by_owner_and_by_range() {
	with_dataset(|| {
		for number in 0..20 {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(4) }));
		for limit in LIMITS {
			let found = all(limit, most(limit), |after, limit| {
				Sharing::records(&SCHOOL, after, limit)
			});
			let found = sorted(found.into_iter().map(|entry| entry.record.leaf));
			assert_eq!(found, (0..20).filter(|leaf| *leaf != 4).collect::<Vec<_>>());
			let found = all(limit, most(limit), |after, limit| {
				Sharing::records_in(&SCHOOL, &scope(3, 8), after, limit)
			});
			let found = sorted(
				found
					.into_iter()
					.map(|entry| (entry.record.leaf, entry.key)),
			);
			assert_eq!(found, [3, 5, 6, 7].map(|leaf| (leaf, key(leaf as u8))));
			// A range that is longer than a page.
			let found = all(limit, most(limit), |after, limit| {
				Sharing::records_in(&SCHOOL, &scope(3, 1_000), after, limit)
			});
			let found = sorted(found.into_iter().map(|entry| entry.record.leaf));
			assert_eq!(found, (3..20).filter(|leaf| *leaf != 4).collect::<Vec<_>>());
		}
		// Any bytes may come as a cursor.
		for cursor in [vec![], vec![255; 3], vec![255; 4], vec![0; 40]] {
			let page = Sharing::records_in(&SCHOOL, &scope(3, 8), Some(cursor), 10);
			assert!(page.items.len() <= 4);
		}
		let other = Scope {
			epoch: 1,
			..scope(0, 20)
		};
		assert!(Sharing::records_in(&SCHOOL, &other, None, 10)
			.items
			.is_empty());
	});
}

#[test]
fn requests_are_listed_by_owner_and_by_consumer() {
	with_dataset(|| {
		for to in 1..=5 {
			assert_ok!(submit(COMPANY, request(scope(0, to), 0)));
			assert_ok!(submit(RIVAL, request(scope(0, to), 0)));
		}
		let ids = |items: Vec<runtime_api::RequestEntry<u64, u64, u64>>| {
			sorted(items.into_iter().map(|entry| {
				assert_eq!(entry.verdict, Verdict::NoPolicy);
				assert_eq!(Requests::<Test>::get(entry.id), Some(entry.request));
				entry.id
			}))
		};
		for limit in LIMITS {
			let to = all(limit, most(limit), |after, limit| {
				Sharing::requests_to(&SCHOOL, after, limit)
			});
			assert_eq!(ids(to), (0..10).collect::<Vec<_>>());
			let from = all(limit, most(limit), |after, limit| {
				Sharing::requests_from(&RIVAL, after, limit)
			});
			assert_eq!(ids(from), [1, 3, 5, 7, 9]);
		}
		assert_ok!(submit(COMPANY, SharingCall::cancel_request { request: 0 }));
		assert_eq!(
			ids(Sharing::requests_from(&COMPANY, None, 10).items),
			[2, 4, 6, 8]
		);
	});
}

#[test]
fn grants_are_listed_by_owner_by_reader_and_by_state() {
	with_dataset(|| {
		for number in 0..4u64 {
			assert_ok!(submit(
				SCHOOL,
				authorize(COMPANY, scope(number, 10), 50, None)
			));
			assert_ok!(submit(SCHOOL, authorize(RIVAL, scope(number, 10), 3, None)));
		}
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: 2 }));
		// The rival's grants expire; the agenda processes three per block.
		run_to(3);
		let ids = |items: Vec<runtime_api::GrantEntry<u64, u64, u64>>| {
			sorted(items.into_iter().map(|entry| entry.id))
		};
		let (active, expired, revoked) = (vec![0, 4, 6], vec![1, 3, 5, 7], vec![2]);
		for limit in LIMITS {
			for (state, expected) in [
				(None, (0..8).collect::<Vec<_>>()),
				(Some(GrantState::Active), active.clone()),
				(Some(GrantState::Expired), expired.clone()),
				(Some(GrantState::Revoked), revoked.clone()),
			] {
				// A page never splits a reader's list of grants.
				let of = all(limit, most(limit) + 15, |after, limit| {
					Sharing::grants_of(&SCHOOL, state, after, limit)
				});
				assert_eq!(ids(of), expected);
			}
			let to = all(limit, most(limit), |after, limit| {
				Sharing::grants_to(&RIVAL, Some(GrantState::Expired), after, limit)
			});
			assert_eq!(ids(to), expired);
		}
	});
}

#[test]
fn whatever_is_given_as_a_page_shows_nothing_of_others() {
	with_dataset(|| {
		for number in 0..5 {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		for after in [vec![], vec![0; 100], vec![255; 100], vec![7; 1000]] {
			let page = Sharing::records(&OFFICE, Some(after.clone()), 10);
			assert!(page.items.is_empty() && page.next.is_none());
			assert!(Sharing::records(&SCHOOL, Some(after), 10).items.len() <= 5);
		}
	});
}

/// Returns all pages of the records in a range, and how many pages there are.
fn all_records(range: Scope, limit: u32) -> (Vec<RecordKey>, u32) {
	let (mut keys, mut pages, mut after) = (vec![], 0, None);
	loop {
		let page = Sharing::records_in(&SCHOOL, &range, after, limit);
		keys.extend(page.items.into_iter().map(|entry| entry.key));
		pages += 1;
		match page.next {
			Some(next) => after = Some(next),
			None => return (keys, pages),
		}
	}
}

fn store_at(leaf: u32) -> SharingCall {
	SharingCall::store {
		key: RecordKey::from_low_u64_be(leaf.into()),
		dataset: 0,
		epoch: 0,
		leaf,
		value: vec![1],
	}
}

/// Once, every range of more than 256 leaves was searched for in the whole epoch.
#[test]
fn a_range_takes_no_more_pages_than_it_has_leaves_or_its_epoch_has_records() {
	with_dataset(|| {
		for leaf in 0..600 {
			assert_ok!(submit(SCHOOL, store_at(leaf)));
		}
		let keys = |leaves: core::ops::Range<u64>| {
			leaves.map(RecordKey::from_low_u64_be).collect::<Vec<_>>()
		};
		// A look at every leaf, in order.
		assert_eq!(all_records(scope(100, 400), 100), (keys(100..400), 3));
		// A walk over the 600 records is shorter.
		let (mut found, pages) = all_records(scope(100, 1 << 32), 100);
		found.sort();
		assert_eq!((found, pages), (keys(100..600), 6));
	});
}

/// A dataset that grows between two pages does not change how the pages are read.
#[test]
fn a_cursor_goes_on_as_it_began() {
	with_dataset(|| {
		let range = scope(0, 300);
		for leaf in 0..10 {
			assert_ok!(submit(SCHOOL, store_at(leaf)));
		}
		let first = Sharing::records_in(&SCHOOL, &range, None, 4);
		assert!(first.next.is_some());
		for leaf in 400..700 {
			assert_ok!(submit(SCHOOL, store_at(leaf)));
		}
		let (mut items, mut after) = (first.items, first.next);
		while after.is_some() {
			let page = Sharing::records_in(&SCHOOL, &range, after, 4);
			items.extend(page.items);
			after = page.next;
		}
		let mut leaves: Vec<_> = items.iter().map(|entry| entry.record.leaf).collect();
		leaves.sort();
		assert_eq!(leaves, (0..10).collect::<Vec<_>>());
	});
}

#[test]
fn producers_are_listed() {
	with_dataset(|| {
		let register = |kind, name: &[u8]| SharingCall::register {
			kind,
			name: name.to_vec(),
		};
		assert_ok!(submit(
			OFFICE,
			register(ProducerKind::Government, b"Office")
		));
		assert_ok!(submit(COMPANY, register(ProducerKind::Business, b"Firm")));
		for limit in [1, 2, 256] {
			let producers = all(limit, limit as usize, Sharing::producers);
			let mut found: Vec<_> = producers
				.into_iter()
				.map(|entry| (entry.account, entry.producer.kind, entry.producer.datasets))
				.collect();
			found.sort_by_key(|(account, ..)| *account);
			let expected = [
				(SCHOOL, ProducerKind::School, 1),
				(OFFICE, ProducerKind::Government, 0),
				(COMPANY, ProducerKind::Business, 0),
			];
			assert_eq!(found, expected);
		}
	});
}

#[test]
fn grants_are_listed_by_dataset() {
	with_dataset(|| {
		let create = SharingCall::create_dataset {
			name: b"b".to_vec(),
		};
		assert_ok!(submit(SCHOOL, create));
		let on = |dataset, epoch| Scope {
			dataset,
			epoch,
			from: 0,
			to: 10,
		};
		assert_ok!(submit(SCHOOL, authorize(COMPANY, on(0, 0), 50, None)));
		assert_ok!(submit(SCHOOL, authorize(RIVAL, on(1, 0), 50, None)));
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: 0 }));
		assert_ok!(submit(SCHOOL, authorize(RIVAL, on(0, 1), 50, None)));
		for limit in [1, 256] {
			let grants = |dataset, state| {
				let page = |after, limit| Sharing::grants_on(&SCHOOL, dataset, state, after, limit);
				let mut ids: Vec<_> = all(limit, limit as usize + 15, page)
					.into_iter()
					.map(|entry| entry.id)
					.collect();
				ids.sort();
				ids
			};
			assert_eq!(grants(0, None), [0, 2]);
			assert_eq!(grants(0, Some(GrantState::Active)), [2]);
			assert_eq!(grants(1, None), [1]);
			assert!(grants(2, None).is_empty());
		}
	});
}
