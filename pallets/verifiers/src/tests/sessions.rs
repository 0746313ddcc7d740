// SPDX-License-Identifier: Apache-2.0
//! Tests in which session a change to the verifiers takes effect, and the verifiers at genesis.

use crate::mock::*;
use frame_support::assert_ok;
use polkadot_sdk::*;

#[test]
fn genesis_names_the_verifiers_in_any_order() {
	with_verifiers(&[CHARLIE, ALICE, BOB], || {
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE]);
		// The session keeps the verifiers in its own order. The different order must not start a new set.
		assert_eq!(voters(), [CHARLIE, ALICE, BOB]);
		run_to_session(5);
		assert_eq!((voters(), SetId::get()), (vec![CHARLIE, ALICE, BOB], 0));
		assert_eq!(System::block_number(), 5 * SESSION);
	});
}

#[test]
#[should_panic = "verifiers.restartDelay is 6, less than verifiers.forcedDelay, 7: GRANDPA would not take a second"]
fn a_restart_that_waits_less_than_grandpa_is_refused_at_genesis() {
	build_with_delays(&[ALICE], SESSION, 7, 7);
	build_with_delays(&[ALICE], SESSION, 6, 7);
}

#[test]
fn motions_that_are_closed_are_forgotten_when_a_session_starts() {
	with_four(|| {
		Forgotten::set(0);
		run_to(SESSION - 1);
		assert_eq!(Forgotten::get(), 0);
		run_to(SESSION);
		assert_eq!(Forgotten::get(), 1);
	});
}

#[test]
#[should_panic = "verifiers.sessionBlocks is 0: a session has at least one block"]
fn genesis_needs_blocks_in_a_session() {
	build(&[ALICE], 0);
}

#[test]
#[should_panic = "session.keys names more verifiers than MaxVerifiers"]
fn genesis_has_at_most_the_maximum_of_verifiers() {
	build(&[1, 2, 3, 4, 5, 6, 7], SESSION);
}

#[test]
fn an_admitted_verifier_votes_from_the_session_in_the_event() {
	with_four(|| {
		run_to_session(3);
		run_to(System::block_number() + 2);
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		let session = 5;
		assert_eq!(last_event(), VerifiersEvent::Admitted { who: EVE, session });
		run_to_session(4);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE]);
		run_to(System::block_number() + SESSION - 1);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE]);
		run_to_session(5);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE, EVE]);
		// One change starts only one new set.
		run_to_session(9);
		assert_eq!(SetId::get(), 1);
	});
}

#[test]
fn a_removed_verifier_votes_until_the_session_in_the_event() {
	with_four(|| {
		assert_ok!(decide(remove(BOB)));
		assert_ok!(submit(CHARLIE, VerifiersCall::leave {}));
		run_to_session(1);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE]);
		run_to_session(2);
		assert_eq!((voters(), SetId::get()), (vec![ALICE, DAVE], 1));
	});
}

#[test]
fn a_verifier_admitted_and_gone_within_a_session_never_votes() {
	with_four(|| {
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		assert_ok!(submit(EVE, VerifiersCall::leave {}));
		run_to_session(4);
		assert_eq!((voters().len(), SetId::get()), (4, 0));
	});
}

#[test]
fn changes_of_two_sessions_follow_each_other() {
	with_four(|| {
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		run_to_session(1);
		assert_ok!(decide(remove(ALICE)));
		run_to_session(2);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE, EVE]);
		run_to_session(3);
		assert_eq!(voters(), [BOB, CHARLIE, DAVE, EVE]);
		assert_eq!(SetId::get(), 2);
	});
}

#[test]
fn sessions_may_have_one_block() {
	build(&[ALICE], 1).execute_with(|| {
		run_to(7);
		assert_eq!(Session::current_index(), 7);
	});
}
