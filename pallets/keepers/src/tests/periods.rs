// SPDX-License-Identifier: Apache-2.0
//! Three keepers over a hundred periods: one is honest, one has lost a MiB, one lies.

use crate::{mock::*, Event};
use frame_support::{assert_noop, assert_ok, storage::with_storage_layer};
use isthmus_storage_proof::{group_of, Proof};
use polkadot_sdk::*;

const PERIODS: u32 = 100;
const MONEY: u64 = 50_000;

/// Bob has lost the second MiB of the first object, of twelve in all.
fn has(place: u32, index: u64) -> bool {
	(place, group_of(index)) != (0, Some(1))
}

/// Dave has thrown the bytes away, and makes some up.
fn made_up(place: u32, index: u64) -> Proof {
	let mut proof = proof(place, index);
	let length = proof.piece.len();
	proof.piece = vec![0xda; length];
	proof
}

#[test]
fn one_keeps_one_has_lost_a_mib_and_one_lies() {
	run(|| {
		store(1, 6 << 20);
		store(2, 6 << 20);
		assert_ok!(fund(EVE, MONEY));
		for who in [BOB, CHARLIE, DAVE] {
			assert_ok!(keep(who));
		}
		let (mut missed, mut lies, mut lost) = (0, 0, None);
		for period in 2..2 + PERIODS {
			to_period(period);
			assert_ok!(prove(CHARLIE));
			if let Some((place, index)) = drawn(BOB) {
				if has(place, index) {
					assert_ok!(prove(BOB));
				} else {
					missed += 1;
				}
			}
			if let Some((place, index)) = drawn(DAVE) {
				assert_noop!(send(DAVE, made_up(place, index)), Error::ProofWrong);
				lies += 1;
			}
			let report = with_storage_layer(|| report(EVE, DAVE));
			if events()
				.iter()
				.any(|event| matches!(event, Event::KeeperLost { .. }))
			{
				assert_ok!(report);
				lost = Some(period);
			}
		}
		// Each lie was refused, and after three periods the place was lost.
		assert_eq!((lies, lost, entry(DAVE)), (MISSED, Some(2 + MISSED), None));
		assert_eq!((held(DAVE), free(DAVE)), (0, WEALTH - DEPOSIT));

		let charlie = entry(CHARLIE).expect("he has a place");
		assert_eq!(
			(charlie.kept, charlie.missed, charlie.in_a_row),
			(PERIODS, 0, 0)
		);
		// A twelfth of the bytes is missing. The draws are what they are, and do not change.
		assert!((2..20).contains(&missed), "missed {missed}");
		to_period(2 + PERIODS);
		let bob = entry(BOB).expect("he did not miss three in a row");
		assert_eq!(bob.kept, PERIODS - missed);
		let _ = with_storage_layer(|| report(EVE, BOB));
		let bob = entry(BOB).expect("he did not miss three in a row");
		assert_eq!((bob.kept, bob.missed), (PERIODS - missed, missed));
		// Keepers were paid, and the one who proved always more than the one who missed. No money has come from nowhere.
		let gain = |who: u8| free(who) + held(who) + EXISTENTIAL - WEALTH;
		assert!(
			gain(CHARLIE) - EXISTENTIAL > gain(BOB),
			"{} {}",
			gain(CHARLIE),
			gain(BOB)
		);
		let all: u64 = [BOB, CHARLIE, DAVE, EVE]
			.iter()
			.map(|who| free(*who) + held(*who))
			.sum();
		assert_eq!(all + in_pots(), 4 * WEALTH);
	});
}

#[test]
fn half_of_the_bytes_are_not_enough_for_long() {
	run(|| {
		store(1, 2 << 20);
		assert_ok!(keep(BOB));
		let lost = (2..200).find(|period| {
			to_period(*period);
			if let Some((place, index)) = drawn(BOB) {
				if group_of(index) == Some(0) {
					assert_ok!(send(BOB, proof(place, index)));
				}
			}
			let _ = with_storage_layer(|| report(EVE, BOB));
			entry(BOB).is_none()
		});
		assert!(lost.is_some_and(|period| period < 60), "{lost:?}");
	});
}
