// SPDX-License-Identifier: Apache-2.0
//! Tests credentials: who can issue and revoke them, and what is held for them.

use crate::{mock::*, Credentials, HoldReason, Known};
use frame_support::{assert_noop, assert_ok};
use isthmus_conditions::World;
use polkadot_sdk::*;
use sp_runtime::TokenError;

const KIND: &str = "hospital.accredited";
const DEPOSIT: u64 = PER_ITEM + KIND.len() as u64;

fn has(subject: u8, issuer: u8) -> bool {
	let subject = account(subject);
	let known = Known::<Test>::about(&subject);
	known.has_credential(&[issuer; 32], &name(KIND)) == Some(true)
}

#[test]
fn a_credential_lasts_until_its_end_or_until_it_is_revoked() {
	run(|| {
		assert_ok!(issue(ALICE, BOB, KIND, START + 10));
		assert!(matches!(last_event(), FactsEvent::CredentialIssued { .. }));
		assert!(has(BOB, ALICE) && !has(BOB, CHARLIE) && !has(ALICE, ALICE));
		wait(9);
		assert!(has(BOB, ALICE));
		wait(1);
		assert!(!has(BOB, ALICE));

		// It is renewed for the same deposit.
		assert_ok!(issue(ALICE, BOB, KIND, START + 20));
		assert!(has(BOB, ALICE));
		assert_eq!(held(HoldReason::Credential, ALICE), DEPOSIT);
		assert_ok!(revoke(ALICE, BOB, KIND));
		assert!(matches!(last_event(), FactsEvent::CredentialRevoked { .. }));
		assert!(!has(BOB, ALICE));
		assert_eq!(held(HoldReason::Credential, ALICE), 0);
		assert_eq!(Credentials::<Test>::iter().count(), 0);
	});
}

#[test]
fn only_its_issuer_revokes_a_credential() {
	run(|| {
		assert_ok!(issue(ALICE, BOB, KIND, START + 10));
		assert_noop!(revoke(BOB, BOB, KIND), Error::UnknownCredential);
		assert_noop!(revoke(ALICE, CHARLIE, KIND), Error::UnknownCredential);
		assert_noop!(revoke(ALICE, BOB, "school"), Error::UnknownCredential);
		// Another issuer's credential of the same kind is another one.
		assert_ok!(issue(CHARLIE, BOB, KIND, START + 5));
		assert_ok!(revoke(CHARLIE, BOB, KIND));
		assert!(has(BOB, ALICE));
		// After its end it is still there to be removed.
		wait(11);
		assert_ok!(revoke(ALICE, BOB, KIND));
	});
}

#[test]
fn a_credential_needs_an_end_and_a_deposit() {
	run(|| {
		assert_noop!(issue(ALICE, BOB, KIND, START), Error::EndIsPast);
		assert_noop!(
			issue(PAUPER, BOB, KIND, START + 1),
			TokenError::FundsUnavailable
		);
	});
}
