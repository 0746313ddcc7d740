// SPDX-License-Identifier: Apache-2.0
//! Tests reports: who can report what, which reports count, and what is held for them.

use crate::{mock::*, HoldReason, Pallet, Reports};
use frame_support::{assert_noop, assert_ok};
use isthmus_conditions::{Text, Value};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::TokenError;

const WEATHER: &str = "weather/beijing";

fn integer(integer: i64) -> Value {
	Value::Integer(integer)
}

fn text(text: &str) -> Value {
	Value::Text(Text::new(text).expect("it is short"))
}

#[test]
fn one_account_reports_and_replaces_its_report() {
	run(|| {
		let deposit = Pallet::<Test>::report_deposit();
		assert_ok!(create(ALICE, WEATHER, &[BOB], 1));
		assert_eq!(fact(WEATHER), None);
		assert_ok!(report(BOB, WEATHER, integer(80)));
		assert_eq!(
			last_event(),
			FactsEvent::Reported {
				source: name(WEATHER),
				topic: name("t"),
				reporter: account(BOB),
				value: integer(80),
				observed: START,
				response: H256::repeat_byte(BOB),
				fact: Some(integer(80)),
			}
		);
		wait(1);
		assert_ok!(report(BOB, WEATHER, text("none")));
		assert_eq!(fact(WEATHER), Some(text("none")));
		assert_eq!(held(HoldReason::Report, BOB), deposit);
		// Another topic has its own report, and its own deposit.
		assert_eq!(Facts::fact(name(WEATHER), name("u"), None), None);

		assert_ok!(withdraw(BOB, WEATHER));
		assert!(matches!(last_event(), FactsEvent::ReportWithdrawn { .. }));
		assert_eq!(held(HoldReason::Report, BOB), 0);
		assert_eq!(fact(WEATHER), None);
		assert_eq!(Reports::<Test>::iter().count(), 0);
		assert_noop!(withdraw(BOB, WEATHER), Error::NoReport);
	});
}

#[test]
fn several_accounts_agree() {
	run(|| {
		assert_ok!(create(ALICE, WEATHER, &[BOB, CHARLIE, DAVE], 2));
		assert_ok!(report(BOB, WEATHER, integer(80)));
		assert_eq!(fact(WEATHER), None);
		assert_ok!(report(CHARLIE, WEATHER, integer(78)));
		assert_eq!(fact(WEATHER), Some(integer(78)));
		assert_ok!(report(DAVE, WEATHER, integer(i64::MAX)));
		assert_eq!(fact(WEATHER), Some(integer(80)));
		assert_ok!(withdraw(CHARLIE, WEATHER));
		assert_eq!(fact(WEATHER), Some(integer(80)));
		assert_ok!(withdraw(BOB, WEATHER));
		assert_eq!(fact(WEATHER), None);
	});
}

#[test]
fn a_report_counts_as_long_as_the_source_and_the_condition_say() {
	run(|| {
		assert_ok!(create(ALICE, WEATHER, &[BOB, CHARLIE, DAVE], 2));
		assert_ok!(report(BOB, WEATHER, integer(1)));
		wait(100);
		assert_ok!(report(CHARLIE, WEATHER, integer(2)));
		let fact_of = |oldest| Facts::fact(name(WEATHER), name("t"), Some(oldest));
		assert_eq!(fact_of(100), Some(integer(1)));
		assert_eq!(fact_of(99), None);
		wait(u64::from(FRESH) - 100);
		assert_eq!(fact(WEATHER), Some(integer(1)));
		wait(1);
		assert_eq!(fact(WEATHER), None);
		assert_eq!(fact_of(u32::MAX), None);
		// A third report, and there is a fact again.
		assert_ok!(report(DAVE, WEATHER, integer(3)));
		assert_eq!(fact(WEATHER), Some(integer(2)));
	});
}

#[test]
fn the_time_of_an_observation_is_checked() {
	run(|| {
		assert_ok!(create(ALICE, WEATHER, &[BOB], 1));
		let at = |observed| report_at(BOB, WEATHER, integer(1), observed);
		assert_noop!(at(START + DRIFT + 1), Error::ObservedInFuture);
		assert_noop!(at(u64::MAX), Error::ObservedInFuture);
		assert_noop!(at(START - u64::from(FRESH) - 1), Error::ObservedTooLongAgo);
		assert_noop!(at(0), Error::ObservedTooLongAgo);
		assert_ok!(at(START - u64::from(FRESH)));
		assert_noop!(at(START - u64::from(FRESH)), Error::NotNewer);
		assert_ok!(at(START + DRIFT));
		assert_noop!(at(START), Error::NotNewer);
		assert_eq!(fact(WEATHER), Some(integer(1)));
	});
}

#[test]
fn only_the_accounts_of_a_source_report() {
	run(|| {
		assert_noop!(report(BOB, WEATHER, integer(1)), Error::UnknownSource);
		assert_ok!(create(ALICE, WEATHER, &[BOB, PAUPER], 2));
		assert_noop!(report(ALICE, WEATHER, integer(1)), Error::NotReporter);
		assert_noop!(
			report(PAUPER, WEATHER, integer(1)),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn a_former_reporter_does_not_count_and_gets_its_deposit_back() {
	run(|| {
		let deposit = Pallet::<Test>::report_deposit();
		assert_ok!(create(ALICE, WEATHER, &[BOB, CHARLIE, DAVE, EVE], 3));
		for who in [BOB, CHARLIE, DAVE, EVE] {
			assert_ok!(report(who, WEATHER, integer(who.into())));
		}
		// All places of the topic are taken. Two of the reporters are replaced.
		assert_ok!(change(ALICE, WEATHER, &[DAVE, EVE, ALICE], 2, FRESH));
		assert_eq!(fact(WEATHER), Some(integer(DAVE.into())));
		assert_noop!(report(BOB, WEATHER, integer(0)), Error::NotReporter);
		assert_ok!(withdraw(BOB, WEATHER));
		assert_eq!(
			(
				held(HoldReason::Report, BOB),
				held(HoldReason::Report, CHARLIE)
			),
			(0, deposit)
		);
		assert_ok!(report(ALICE, WEATHER, integer(9)));
		assert_eq!(held(HoldReason::Report, CHARLIE), 0);
		let removed = FactsEvent::ReportRemoved {
			source: name(WEATHER),
			topic: name("t"),
			reporter: account(CHARLIE),
		};
		System::assert_has_event(removed.into());
		assert_eq!(Reports::<Test>::get(name(WEATHER), name("t")).len(), 3);
		assert_eq!(fact(WEATHER), Some(integer(EVE.into())));
		// The last reports of a closed source can be withdrawn.
		assert_ok!(close(ALICE, WEATHER));
		assert_eq!(fact(WEATHER), None);
		for who in [DAVE, EVE, ALICE] {
			assert_ok!(withdraw(who, WEATHER));
			assert_eq!(held(HoldReason::Report, who), 0);
		}
	});
}
