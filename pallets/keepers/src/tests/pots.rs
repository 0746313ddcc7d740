// SPDX-License-Identifier: Apache-2.0
//! Pots are funded, and pay for proofs.

use crate::{mock::*, Event, Pots};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::*;

/// Returns what the last proof was paid.
fn paid() -> u64 {
	match last_event() {
		Event::Proven { paid, .. } => paid,
		event => panic!("not a proof: {event:?}"),
	}
}

#[test]
fn anyone_funds_a_pot() {
	run(|| {
		assert_noop!(fund(BOB, LEAST), Error::NothingToProve);
		store(1, 3_000);
		assert_noop!(fund(BOB, LEAST - 1), Error::TooLittle);
		assert_ok!(fund(BOB, LEAST));
		assert!(matches!(
			last_event(),
			Event::PotFunded { amount: LEAST, .. }
		));
		assert_ok!(fund(EVE, 100 - LEAST));
		assert_eq!((pot().amount, pot().keepers), (100, 0));
		// The smallest amount is kept, because the account has its least balance besides.
		assert_eq!(in_pots(), 100 + EXISTENTIAL);
		assert_eq!(
			[free(BOB), free(EVE)],
			[WEALTH - LEAST - EXISTENTIAL, WEALTH - 100 + LEAST]
		);
		assert!(fund(PAUPER, WEALTH).is_err());
		let unknown = crate::Pallet::<Test>::fund(signed(BOB), account(BOB), DATASET, LEAST);
		assert_noop!(unknown, Error::UnknownDataset);
	});
}

#[test]
fn a_period_pays_a_fixed_part_of_the_pot_in_equal_shares() {
	run(|| {
		store(1, 3_000);
		assert_ok!(fund(EVE, 3_000));
		for who in [BOB, CHARLIE, DAVE] {
			assert_ok!(keep(who));
		}
		to_period(2);
		for who in [BOB, CHARLIE, DAVE] {
			let before = free(who);
			assert_ok!(prove(who));
			assert_eq!((paid(), free(who)), (3_000 / PARTS / 3, before + 100));
			// What comes into the pot in the middle of a period counts from the next one on.
			assert_ok!(fund(EVE, 100));
		}
		assert_eq!(pot().amount, 3_000);
		// One who leaves does not change the shares of the period.
		to_period(3);
		assert_ok!(prove(BOB));
		assert_ok!(leave(DAVE));
		assert_ok!(prove(CHARLIE));
		assert_eq!((paid(), pot().amount), (100, 2_800));
		to_period(4);
		assert_ok!(prove(BOB));
		assert_eq!(paid(), 2_800 / PARTS / 2);
	});
}

#[test]
fn a_pot_never_pays_more_than_it_has() {
	run(|| {
		store(1, 3_000);
		assert_ok!(keep(BOB));
		assert_ok!(fund(EVE, PARTS));
		let mut sum = 0;
		for period in 2..60 {
			to_period(period);
			assert_ok!(prove(BOB));
			sum += paid();
		}
		// Less than a part's smallest unit is left.
		assert_eq!((sum, pot().amount), (1, PARTS - 1));
		assert_eq!(in_pots(), PARTS - 1 + EXISTENTIAL);
		assert_ok!(leave(BOB));
		assert_eq!(pot().amount, PARTS - 1);
	});
}

#[test]
fn a_proof_counts_without_a_pot() {
	run(|| {
		store(1, 3_000);
		assert_ok!(keep(BOB));
		to_period(2);
		assert_ok!(prove(BOB));
		assert_eq!((paid(), pot().amount), (0, 0));
		assert_ok!(leave(BOB));
		assert_eq!(Pots::<Test>::iter().count(), 0);
	});
}

#[test]
fn anyone_clears_the_pot_of_a_dataset_without_objects_and_keepers() {
	run(|| {
		assert_noop!(clear(EVE), Error::NoPot);
		store(1, 3_000);
		assert_ok!(fund(EVE, 100));
		assert_noop!(clear(EVE), Error::PotNeeded);
		assert_ok!(keep(BOB));
		unstore(0);
		assert_noop!(clear(EVE), Error::PotNeeded);
		assert_ok!(leave(BOB));
		let issued = pallet_balances::TotalIssuance::<Test>::get();
		assert_ok!(clear(CHARLIE));
		assert!(matches!(
			last_event(),
			Event::PotCleared { amount: 100, .. }
		));
		assert_eq!(pallet_balances::TotalIssuance::<Test>::get(), issued - 100);
		assert_eq!(Pots::<Test>::iter().count(), 0);
		assert_eq!(in_pots(), EXISTENTIAL);
	});
}

#[test]
fn the_keepers_of_a_dataset_that_is_gone_get_equal_shares_as_they_leave() {
	run(|| {
		store(1, 3_000);
		for who in [BOB, CHARLIE, DAVE] {
			assert_ok!(keep(who));
		}
		to_period(2);
		assert_ok!(prove(BOB));
		assert_ok!(prove(CHARLIE));
		assert_ok!(fund(EVE, 300));
		remove_dataset();
		let share = || match last_event() {
			Event::KeeperLeft { share, .. } => share,
			event => panic!("no one left: {event:?}"),
		};
		// He has never proven anything.
		assert_ok!(leave(DAVE));
		assert_eq!(share(), 0);
		let before = free(BOB) + held(BOB);
		assert_ok!(leave(BOB));
		assert_eq!((share(), free(BOB)), (150, before + 150));
		assert_ok!(leave(CHARLIE));
		assert_eq!((share(), Pots::<Test>::iter().count()), (150, 0));
		assert_eq!(in_pots(), EXISTENTIAL);
	});
}
