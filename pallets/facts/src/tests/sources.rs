// SPDX-License-Identifier: Apache-2.0
//! Tests sources: who can make and change them, and what is held for them.

use crate::{mock::*, HoldReason, Sources};
use frame_support::{assert_noop, assert_ok};
use isthmus_conditions::Value;
use polkadot_sdk::*;
use sp_runtime::TokenError;

/// What is held for a source named "w" with this many reporters.
fn deposit(reporters: u64) -> u64 {
	PER_ITEM + 1 + 32 * reporters
}

#[test]
fn a_source_is_created_changed_and_closed() {
	run(|| {
		assert_ok!(create(ALICE, "w", &[BOB, CHARLIE, DAVE], 2));
		assert!(matches!(
			last_event(),
			FactsEvent::SourceCreated {
				quorum: 2,
				fresh: FRESH,
				..
			}
		));
		assert_eq!(held(HoldReason::Source, ALICE), deposit(3));

		assert_ok!(change(ALICE, "w", &[BOB], 1, 60));
		assert!(matches!(
			last_event(),
			FactsEvent::SourceChanged {
				quorum: 1,
				fresh: 60,
				..
			}
		));
		assert_eq!(held(HoldReason::Source, ALICE), deposit(1));

		assert_ok!(close(ALICE, "w"));
		assert_eq!(last_event(), FactsEvent::SourceClosed { source: name("w") });
		assert_eq!(held(HoldReason::Source, ALICE), deposit(0));
	});
}

#[test]
fn a_name_stays_taken_and_its_owner_can_open_it_again() {
	run(|| {
		assert_ok!(create(ALICE, "w", &[BOB], 1));
		assert_noop!(create(BOB, "w", &[BOB], 1), Error::NameTaken);
		assert_ok!(close(ALICE, "w"));
		for who in [ALICE, BOB] {
			assert_noop!(create(who, "w", &[BOB], 1), Error::NameTaken);
		}
		assert_noop!(close(ALICE, "w"), Error::SourceIsClosed);
		assert_noop!(report(BOB, "w", Value::Integer(1)), Error::SourceIsClosed);
		assert_ok!(change(ALICE, "w", &[BOB], 1, FRESH));
		assert_ok!(report(BOB, "w", Value::Integer(1)));
		assert_eq!(fact("w"), Some(Value::Integer(1)));
	});
}

#[test]
fn only_its_owner_changes_a_source() {
	run(|| {
		assert_ok!(create(ALICE, "w", &[BOB], 1));
		assert_noop!(change(BOB, "w", &[BOB], 1, FRESH), Error::NotOwner);
		assert_noop!(close(BOB, "w"), Error::NotOwner);
		assert_noop!(
			change(ALICE, "other", &[BOB], 1, FRESH),
			Error::UnknownSource
		);
		assert_noop!(close(ALICE, "other"), Error::UnknownSource);
	});
}

#[test]
fn what_an_owner_chooses_is_checked() {
	run(|| {
		for (by, quorum, error) in [
			(&[][..], 0, Error::NoReporters),
			(&[BOB, CHARLIE, BOB], 2, Error::RepeatedReporter),
			(&[BOB, CHARLIE], 0, Error::InvalidQuorum),
			(&[BOB, CHARLIE], 1, Error::InvalidQuorum),
			(&[BOB, CHARLIE], 3, Error::InvalidQuorum),
			(&[BOB], u32::MAX, Error::InvalidQuorum),
		] {
			assert_noop!(create(ALICE, "w", by, quorum), error);
		}
		assert_ok!(create(ALICE, "w", &[BOB, CHARLIE], 2));
		assert_noop!(change(ALICE, "w", &[BOB], 0, FRESH), Error::InvalidQuorum);
		assert_noop!(change(ALICE, "w", &[BOB], 1, 0), Error::NoTime);
	});
}

#[test]
fn a_source_needs_its_deposit() {
	run(|| {
		assert_noop!(create(PAUPER, "w", &[BOB], 1), TokenError::FundsUnavailable);
		assert!(!Sources::<Test>::contains_key(name("w")));
	});
}

/// A stranger who saw a name in the pool could pay for it first, with a tip.
#[test]
fn a_name_under_the_account_or_source_of_another_cannot_be_taken() {
	run(|| {
		let of = |who: u8| format!("x{}", format!("{who:02x}").repeat(16));
		for name in [of(ALICE), of(ALICE) + "/pm25", of(ALICE) + "/a/b"] {
			assert_noop!(create(BOB, &name, &[BOB], 1), Error::NameOfAnother);
			assert_ok!(create(ALICE, &name, &[BOB], 1));
		}
		// Who owns a name owns what begins with it, also after its source is closed.
		assert_ok!(create(ALICE, "weather", &[BOB], 1));
		assert_noop!(
			create(BOB, "weather/beijing", &[BOB], 1),
			Error::NameOfAnother
		);
		assert_ok!(create(ALICE, "weather/beijing", &[BOB], 1));
		assert_ok!(close(ALICE, "weather"));
		assert_noop!(
			create(BOB, "weather/paris/north", &[BOB], 1),
			Error::NameOfAnother
		);
		// Other names are whose who comes first, also those that only look like an account's.
		let short = of(ALICE).replace("0101", "01");
		for name in ["weathers/beijing", "weather.beijing", &short, "a/b"] {
			assert_ok!(create(BOB, name, &[BOB], 1));
		}
		assert_ok!(create(ALICE, "a", &[BOB], 1));
		assert_ok!(change(BOB, "a/b", &[BOB], 1, FRESH));
	});
}
