// SPDX-License-Identifier: Apache-2.0
//! Tests `apply`, `withdraw` and `leave`, and their deposits.

use crate::mock::*;
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo, traits::Contains};
use polkadot_sdk::*;
use sp_runtime::{DispatchError, TokenError};

const APPLY: VerifiersCall = VerifiersCall::apply {};
const WITHDRAW: VerifiersCall = VerifiersCall::withdraw {};
const LEAVE: VerifiersCall = VerifiersCall::leave {};

#[test]
fn a_producer_applies_and_withdraws() {
	with_four(|| {
		let free = Balances::free_balance(EVE);
		assert_ok!(submit(EVE, APPLY));
		assert_eq!(
			last_event(),
			VerifiersEvent::Applied {
				who: EVE,
				deposit: DEPOSIT
			}
		);
		assert_eq!((applicants(), held(EVE)), (vec![EVE], DEPOSIT));
		assert_eq!(Balances::free_balance(EVE), free - DEPOSIT);
		assert!(crate::MustStay::<Test>::contains(&EVE));

		assert_ok!(submit(EVE, WITHDRAW));
		assert_eq!(last_event(), VerifiersEvent::Withdrawn { who: EVE });
		assert_eq!((applicants(), held(EVE)), (vec![], 0));
		assert_eq!(Balances::free_balance(EVE), free);
		assert!(!crate::MustStay::<Test>::contains(&EVE));

		// The account can apply for a second time.
		assert_ok!(submit(EVE, APPLY));
	});
}

#[test]
fn each_failed_application_has_its_error() {
	with_four(|| {
		assert_noop!(submit(ALICE, APPLY), Error::AlreadyVerifier);
		assert_noop!(submit(STRANGER, APPLY), Error::NotProducer);
		assert_noop!(submit(KEYLESS, APPLY), Error::NoSessionKeys);
		assert_noop!(
			submit(PAUPER, APPLY),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_ok!(submit(EVE, APPLY));
		assert_noop!(submit(EVE, APPLY), Error::AlreadyApplicant);
		for call in [APPLY, WITHDRAW, LEAVE] {
			let call = RuntimeCall::from(call);
			let unsigned = sp_runtime::traits::Dispatchable::dispatch(call, RuntimeOrigin::root());
			assert_eq!(
				unsigned.map_err(|failed| failed.error),
				Err(DispatchError::BadOrigin)
			);
		}
	});
}

#[test]
fn only_an_applicant_withdraws() {
	with_four(|| {
		assert_noop!(submit(EVE, WITHDRAW), Error::NotApplicant);
		assert_noop!(submit(ALICE, WITHDRAW), Error::NotApplicant);
		assert_ok!(submit(EVE, APPLY));
		assert_ok!(decide(admit(EVE)));
		assert_noop!(submit(EVE, WITHDRAW), Error::NotApplicant);
	});
}

#[test]
fn a_former_verifiers_deposit_is_released_some_sessions_after_its_last_vote() {
	for removed in [false, true] {
		with_four(|| {
			let free = Balances::free_balance(EVE);
			assert_ok!(submit(EVE, APPLY));
			assert_ok!(decide(admit(EVE)));
			assert_eq!(held(EVE), DEPOSIT);
			assert!(crate::MustStay::<Test>::contains(&EVE));

			// The verifiers admit and remove one in a session.
			if removed {
				next_session();
			}
			let session = Session::current_index() + 2;
			if removed {
				assert_ok!(decide(remove(EVE)));
				assert_eq!(last_event(), VerifiersEvent::Removed { who: EVE, session });
			} else {
				assert_ok!(submit(EVE, LEAVE));
				assert_eq!(last_event(), VerifiersEvent::Left { who: EVE, session });
			}
			assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);
			assert!(!crate::MustStay::<Test>::contains(&EVE));
			run_to_session(session + UNBONDING - 1);
			assert_eq!(
				(held(EVE), Balances::free_balance(EVE)),
				(DEPOSIT, free - DEPOSIT)
			);
			run_to_session(session + UNBONDING);
			let deposit = DEPOSIT;
			assert_eq!(last_event(), VerifiersEvent::Released { who: EVE, deposit });
			assert_eq!((held(EVE), Balances::free_balance(EVE)), (0, free));
		});
	}
}

#[test]
fn a_verifier_that_returns_puts_up_a_second_deposit() {
	with_four(|| {
		for deposits in 1..=2 {
			assert_ok!(submit(EVE, APPLY));
			assert_ok!(decide(admit(EVE)));
			assert_eq!(held(EVE), deposits * DEPOSIT);
			assert_ok!(submit(EVE, LEAVE));
			run_to_session(deposits as u32);
			check();
		}
		// The second departure is from session 1, so both deposits wait for it.
		run_to_session(1 + 2 + UNBONDING - 1);
		assert_eq!(held(EVE), 2 * DEPOSIT);
		run_to_session(1 + 2 + UNBONDING);
		assert_eq!(held(EVE), 0);
	});
}

#[test]
fn verifiers_of_genesis_have_no_deposit() {
	with_four(|| {
		let free = Balances::free_balance(DAVE);
		assert_ok!(submit(DAVE, LEAVE));
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE]);
		assert_eq!((held(DAVE), Balances::free_balance(DAVE)), (0, free));
	});
}

#[test]
fn the_last_verifier_cannot_leave_or_be_removed() {
	with_verifiers(&[BOB, ALICE], || {
		assert_noop!(submit(EVE, LEAVE), Error::NotVerifier);
		assert_ok!(submit(ALICE, LEAVE));
		assert_noop!(submit(BOB, LEAVE), Error::LastVerifier);
		assert_eq!(decide(remove(BOB)), Err(Error::LastVerifier.into()));
		assert_eq!(verifiers(), [BOB]);
	});
}

#[test]
fn a_change_of_members_is_paid_for() {
	let weight = |call: VerifiersCall| call.get_dispatch_info().call_weight.ref_time();
	use crate::WeightInfo as _;
	type Weights = crate::weights::SubstrateWeight<Test>;
	let change = MembersChangeWeight::get();
	for (call, own) in [
		(admit(EVE), Weights::admit()),
		(remove(EVE), Weights::remove()),
		(LEAVE, Weights::leave()),
	] {
		assert_eq!(weight(call), (own + change).ref_time());
	}
	assert_eq!(weight(APPLY), Weights::apply().ref_time());
}
