// SPDX-License-Identifier: Apache-2.0
//! Keepers come, move, leave and lose their places.

use crate::{mock::*, Event, HoldReason};
use frame_support::{
	assert_noop, assert_ok,
	storage::with_storage_layer,
	traits::{fungible::MutateHold, tokens::Precision},
};
use isthmus_storage_proof::periods::DEPTH;
use polkadot_sdk::*;
use sp_runtime::TokenError;

#[test]
fn a_keeper_comes_moves_and_leaves_with_its_deposit() {
	run(|| {
		store(1, 5_000);
		assert_ok!(keep(BOB));
		assert_eq!(
			(held(BOB), free(BOB)),
			(DEPOSIT, WEALTH - DEPOSIT - EXISTENTIAL)
		);
		let came = entry(BOB).expect("he has a place");
		assert_eq!((came.since, came.settled, came.objects), (10, 1, 1));
		assert_eq!((came.kept, came.missed, came.proven), (0, 0, None));
		assert!(
			matches!(last_event(), Event::KeeperCame { location, .. } if location == came.location)
		);

		assert_ok!(keep_at(BOB, DATASET, "file:///srv/copy"));
		let moved = entry(BOB).expect("he has a place");
		assert_eq!(&moved.location[..], b"file:///srv/copy");
		assert_eq!((moved.since, held(BOB), pot().keepers), (10, DEPOSIT, 1));
		assert!(matches!(last_event(), Event::KeeperMoved { .. }));

		assert_ok!(leave(BOB));
		assert_eq!((entry(BOB), held(BOB), pot().keepers), (None, 0, 0));
		assert_eq!(free(BOB), WEALTH - EXISTENTIAL);
		assert!(matches!(last_event(), Event::KeeperLeft { .. }));
		assert_noop!(leave(BOB), Error::NotKeeper);
	});
}

#[test]
fn a_place_needs_a_dataset_a_location_and_a_deposit() {
	run(|| {
		assert_noop!(keep_at(BOB, DATASET + 1, "s3://b"), Error::UnknownDataset);
		for location in [
			"",
			"/srv",
			"https://me:secret@store.example/x",
			"http://store.example",
		] {
			assert_noop!(keep_at(BOB, DATASET, location), Error::LocationInvalid);
		}
		let poor = TokenError::FundsUnavailable;
		// He could pay for the account of the pots alone. A call that fails costs nothing of that.
		assert!(with_storage_layer(|| keep(PAUPER)).is_err());
		assert_eq!((free(PAUPER), in_pots()), (DEPOSIT / 2, 0));
		assert_ok!(keep(BOB));
		assert_noop!(keep(PAUPER), poor);
		assert_noop!(
			crate::Pallet::<Test>::keep(
				frame_system::RawOrigin::None.into(),
				account(ALICE),
				DATASET,
				Default::default()
			),
			sp_runtime::DispatchError::BadOrigin
		);
	});
}

#[test]
fn a_dataset_has_a_bounded_number_of_keepers() {
	run(|| {
		for who in [BOB, CHARLIE, DAVE] {
			assert_ok!(keep(who));
		}
		assert_noop!(keep(EVE), Error::TooManyKeepers);
		// One that has a place can still move.
		assert_ok!(keep_at(DAVE, DATASET, "gs://elsewhere"));
		assert_ok!(leave(CHARLIE));
		assert_ok!(keep(EVE));
		// Only the first one paid for the account of the pots.
		assert_eq!(
			[free(BOB), free(EVE)],
			[WEALTH - DEPOSIT - EXISTENTIAL, WEALTH - DEPOSIT]
		);
	});
}

#[test]
fn whoever_misses_too_many_periods_loses_place_and_deposit() {
	run(|| {
		store(1, 5_000);
		assert_ok!(keep(BOB));
		to_period(2);
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		to_period(3);
		assert_ok!(report(EVE, BOB));
		assert!(matches!(
			last_event(),
			Event::Missed {
				periods: 1,
				in_a_row: 1,
				..
			}
		));
		assert_noop!(report(EVE, BOB), Error::NothingMissed);
		assert_noop!(report(EVE, CHARLIE), Error::NotKeeper);
		to_period(5);
		// He is too late to prove, and leaving does not save the deposit.
		assert_noop!(prove(BOB), Error::MissedTooMany);
		assert_eq!(drawn(BOB), None);
		assert_ok!(report(EVE, BOB));
		let events = events();
		assert!(matches!(
			events[0],
			Event::Missed {
				periods: 2,
				in_a_row: 3,
				..
			}
		));
		assert!(matches!(
			events[1],
			Event::KeeperLost {
				deposit: DEPOSIT,
				..
			}
		));
		assert_eq!((entry(BOB), held(BOB)), (None, 0));
		assert_eq!((pot().keepers, pot().amount), (0, DEPOSIT));
		assert_eq!(in_pots(), DEPOSIT + EXISTENTIAL);

		// He can come again, like anyone.
		assert_ok!(keep(BOB));
		to_period(5 + MISSED + 1);
		assert_ok!(leave(BOB));
		assert_eq!((entry(BOB), pot().amount), (None, 2 * DEPOSIT));
		assert!(matches!(last_event(), Event::KeeperLost { .. }));
	});
}

#[test]
fn whoever_leaves_loses_a_part_of_the_deposit_for_each_period_missed_in_a_row() {
	run(|| {
		store(1, 5_000);
		assert_ok!(keep(BOB));
		assert_ok!(keep(CHARLIE));
		to_period(3);
		assert_ok!(prove(BOB));
		to_period(4);
		// One who proved since has nothing to pay.
		assert_ok!(leave(BOB));
		assert_eq!((held(BOB), free(BOB)), (0, WEALTH - EXISTENTIAL));
		let part = DEPOSIT * 2 / u64::from(MISSED);
		assert_ok!(leave(CHARLIE));
		assert!(matches!(last_event(), Event::KeeperLeft { lost, share: 0, .. } if lost == part));
		assert_eq!((held(CHARLIE), free(CHARLIE)), (0, WEALTH - part));
		assert_eq!((pot().amount, in_pots()), (part, part + EXISTENTIAL));
	});
}

#[test]
fn whoever_comes_after_the_draw_is_drawn_for_in_the_next_period() {
	run(|| {
		store(1, 5_000);
		let drawing = 2 * BLOCKS - u64::from(DEPTH);
		to_block(drawing);
		assert_ok!(keep(BOB));
		to_block(drawing + 1);
		assert_ok!(keep(CHARLIE));
		to_period(2);
		assert!(drawn(BOB).is_some());
		assert_eq!(drawn(CHARLIE), None);
		assert_noop!(prove(CHARLIE), Error::NotDue);
		to_period(3);
		assert_ok!(report(EVE, BOB));
		assert_noop!(report(EVE, CHARLIE), Error::NothingMissed);
		assert_ok!(prove(CHARLIE));
	});
}

#[test]
fn a_deposit_without_a_place_is_noticed() {
	run(|| {
		let reason = HoldReason::Keeper.into();
		assert_ok!(Balances::hold(&reason, &account(EVE), 1));
		assert!(Keepers::do_try_state().is_err());
		assert_ok!(Balances::release(
			&reason,
			&account(EVE),
			1,
			Precision::Exact
		));
	});
}
