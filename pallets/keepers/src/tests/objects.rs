// SPDX-License-Identifier: Apache-2.0
//! Objects are stored and removed while keepers prove.

use crate::{mock::*, Event};
use frame_support::{assert_noop, assert_ok};
use isthmus_storage_proof::{periods::DEPTH, Proof};
use polkadot_sdk::*;

fn nothing() -> Proof {
	Proof {
		piece: Vec::new(),
		path: Vec::new(),
	}
}

#[test]
fn an_empty_dataset_has_nothing_to_prove_and_nothing_is_missed() {
	run(|| {
		assert_ok!(keep(BOB));
		to_period(30);
		assert_eq!(drawn(BOB), None);
		assert_noop!(send(BOB, nothing()), Error::NothingToProve);
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		// The first object comes late in a period. What was before does not count.
		to_block(309);
		store(1, 5_000);
		to_period(32);
		assert_ok!(prove(BOB));
		assert_eq!(
			entry(BOB).map(|kept| (kept.kept, kept.missed)),
			Some((1, 0))
		);
		to_period(35);
		assert_ok!(report(EVE, BOB));
		assert_eq!(entry(BOB).map(|kept| kept.missed), Some(2));
	});
}

#[test]
fn periods_in_which_a_dataset_was_empty_do_not_count_when_it_is_filled_again() {
	run(|| {
		store(1, 5_000);
		assert_ok!(keep(BOB));
		to_period(2);
		assert_ok!(prove(BOB));
		unstore(0);
		// In the meantime no one looks.
		to_period(30);
		store(2, 5_000);
		// It can be drawn from period 31 on.
		to_period(31);
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		to_period(32);
		assert_ok!(report(EVE, BOB));
		assert_ok!(prove(BOB));
		assert_eq!(
			entry(BOB).map(|kept| (kept.kept, kept.missed)),
			Some((2, 1))
		);
	});
}

#[test]
fn an_object_that_was_stored_after_the_draw_need_not_be_proven() {
	run(|| {
		store(1, 5_000);
		assert_ok!(keep(BOB));
		// The block that draws is there, and the owner puts another object at the place.
		to_block(2 * BLOCKS - u64::from(DEPTH) + 1);
		store(2, 5_000);
		unstore(0);
		to_period(2);
		assert_ok!(send(BOB, nothing()));
		assert!(matches!(
			last_event(),
			Event::Excused {
				period: 2,
				object: 0,
				..
			}
		));
		assert_noop!(send(BOB, nothing()), Error::NotDue);
		to_period(3);
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		assert_noop!(send(BOB, nothing()), Error::PieceLengthWrong);
		assert_ok!(prove(BOB));
		assert_eq!(
			entry(BOB).map(|kept| (kept.kept, kept.missed)),
			Some((1, 0))
		);
	});
}

#[test]
fn an_object_that_is_stored_meanwhile_does_not_change_the_draw() {
	run(|| {
		(0..5).for_each(|seed| store(seed, 3_000));
		assert_ok!(keep(BOB));
		to_period(2);
		let before = drawn(BOB);
		let (place, index) = before.expect("it is due");
		let ready = proof(place, index);
		for seed in 5..40 {
			store(seed, 3_000);
			assert_eq!(drawn(BOB), before);
		}
		assert_ok!(send(BOB, ready));
		// From the next period on, all of them count.
		assert_eq!(entry(BOB).map(|kept| kept.objects), Some(40));
		let mut places = std::collections::BTreeSet::new();
		for period in 3..60 {
			to_period(period);
			places.extend(drawn(BOB).map(|(place, _)| place));
			assert_ok!(prove(BOB));
		}
		assert!(places.iter().any(|place| *place >= 5), "{places:?}");
	});
}

#[test]
fn a_removed_object_is_not_asked_for() {
	run(|| {
		(0..5).for_each(|seed| store(seed, 1_000_000));
		assert_ok!(keep(BOB));
		for period in 2..6 {
			to_period(period);
			let (place, index) = drawn(BOB).expect("it is due");
			let ready = proof(place, index);
			unstore(place);
			// Another object is at its place, or another place is drawn.
			let (place, _) = drawn(BOB).expect("it is due");
			assert!(place < objects());
			assert_noop!(send(BOB, ready), Error::ProofWrong);
			assert_ok!(prove(BOB));
		}
		unstore(0);
		to_period(6);
		assert_noop!(send(BOB, nothing()), Error::NothingToProve);
		to_period(20);
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		assert_ok!(leave(BOB));
		assert_eq!(held(BOB), 0);
	});
}

#[test]
fn objects_of_every_size_are_proven() {
	run(|| {
		let sizes = [16, 1_024, 1_025, (1 << 20) - 1, 1 << 20, (1 << 20) + 17];
		(0..).zip(sizes).for_each(|(seed, size)| store(seed, size));
		assert_ok!(keep(BOB));
		let mut places = std::collections::BTreeSet::new();
		for period in 2..50 {
			to_period(period);
			places.extend(drawn(BOB).map(|(place, _)| place));
			assert_ok!(prove(BOB));
		}
		assert_eq!(places.len(), sizes.len());
	});
}
