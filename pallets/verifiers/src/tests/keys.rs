// SPDX-License-Identifier: Apache-2.0
//! Tests session keys: they can be renewed at any time, but not removed while they are needed.

use crate::mock::*;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use polkadot_sdk::*;

const REMOVE_KEYS: VerifiersCall = VerifiersCall::remove_keys {};

fn key_deposit(who: u64) -> u64 {
	Balances::balance_on_hold(&pallet_session::HoldReason::Keys.into(), &who)
}

#[test]
fn a_verifier_renews_its_key() {
	with_four(|| {
		assert_ok!(set_keys(DAVE, 44));
		run_to_session(1);
		assert_eq!(CurrentVoters::get()[3], (DAVE, DAVE));
		run_to_session(2);
		assert_eq!(CurrentVoters::get()[3], (DAVE, 44));
		assert_eq!(SetId::get(), 1);
	});
}

#[test]
fn keys_that_no_session_needs_can_be_removed() {
	with_four(|| {
		assert_eq!(key_deposit(EVE), KEY_DEPOSIT);
		assert_ok!(submit(EVE, REMOVE_KEYS));
		assert_eq!(last_event(), VerifiersEvent::KeysRemoved { who: EVE });
		assert_eq!(key_deposit(EVE), 0);
		assert_noop!(
			submit(EVE, REMOVE_KEYS),
			pallet_session::Error::<Test>::NoKeys
		);
		assert_noop!(submit(EVE, VerifiersCall::apply {}), Error::NoSessionKeys);
	});
}

#[test]
fn keys_stay_from_the_application_until_the_last_session_ends() {
	with_four(|| {
		let assert_in_use = || {
			assert_noop!(submit(EVE, REMOVE_KEYS), Error::KeysInUse);
		};
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_in_use();
		assert_ok!(decide(admit(EVE)));
		assert_in_use();
		run_to_session(2);
		assert_eq!(voters().last(), Some(&EVE));
		assert_in_use();
		assert_ok!(submit(EVE, VerifiersCall::leave {}));
		assert_in_use();
		// In session 3 it still votes, but is no longer queued.
		run_to_session(3);
		assert_eq!(voters().last(), Some(&EVE));
		assert_in_use();
		run_to_session(4);
		assert_eq!(voters().last(), Some(&DAVE));
		assert_ok!(submit(EVE, REMOVE_KEYS));
	});
}

#[test]
fn queued_keys_are_in_use() {
	with_four(|| {
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		run_to_session(1);
		assert_ok!(submit(EVE, VerifiersCall::leave {}));
		// The set for session 2 was chosen when session 1 began.
		assert_noop!(submit(EVE, REMOVE_KEYS), Error::KeysInUse);
		run_to_session(2);
		assert_noop!(submit(EVE, REMOVE_KEYS), Error::KeysInUse);
		run_to_session(3);
		assert_ok!(submit(EVE, REMOVE_KEYS));
	});
}
