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
			consumers: ConsumerKinds::ALL,
		};
		assert_ok!(submit(
			SCHOOL,
			SharingCall::set_policy { dataset: 2, policy }
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
