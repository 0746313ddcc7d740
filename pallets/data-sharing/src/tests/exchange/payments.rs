// SPDX-License-Identifier: Apache-2.0
//! Tests payments that are held: who gets them when a grant is revoked, given up or runs out.

use super::{with_garbage, with_sale, OFFER};
use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::*;

#[test]
fn a_term_that_is_paid_for_is_longer_than_the_time_for_disputes() {
	with_dataset(|| {
		let ask = |term, offer| {
			let mut call = request(scope(0, 10), offer);
			if let SharingCall::request_access { term: asked, .. } = &mut call {
				*asked = term;
			}
			call
		};
		assert_noop!(submit(COMPANY, ask(WINDOW - 1, 1)), Error::TermTooShort);
		assert_ok!(submit(RIVAL, ask(1, 0)));
		assert_ok!(submit(COMPANY, ask(WINDOW, 1)));
		// The window is longer than when the request was made: the payment is made when its term ends.
		DisputeWindow::set(10 * WINDOW);
		let owner = total(SCHOOL);
		let answer = authorize(COMPANY, scope(0, 10), 1 + WINDOW, Some(1));
		assert_ok!(submit(SCHOOL, answer));
		run_to(1 + WINDOW);
		assert_eq!(total(SCHOOL), owner + 1);
		let entry = Grants::<Test>::get(0).unwrap();
		assert_eq!(entry.state, GrantState::Expired);
	});
}

/// An owner that revokes before it is paid keeps nothing, so that it cannot escape a dispute with a part of the payment.
#[test]
fn a_revocation_before_the_payment_gives_all_of_it_back() {
	with_sale(|sale, grant| {
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		run_to(WINDOW);
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		assert!(matches!(
			last_event(),
			SharingEvent::Revoked {
				refunded: OFFER,
				..
			}
		));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		// A good grant is as good as before.
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert!(matches!(last_event(), SharingEvent::DisputeLost { .. }));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		let full = Grants::<Test>::get(grant).unwrap().deposit;
		// The keys go when the time for disputes is over.
		run_to(1 + WINDOW);
		let entry = Grants::<Test>::get(grant).unwrap();
		assert!(entry.sealed_keys.is_empty() && entry.deposit < full);
		assert_eq!(held(HoldReason::Grant, COMPANY), entry.deposit);
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

#[test]
fn a_revocation_does_not_save_a_cheat() {
	with_garbage(|sale, grant| {
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert!(matches!(
			last_event(),
			SharingEvent::DisputeWon {
				refunded: 0,
				slashed: SLASH,
				..
			}
		));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner - SLASH, consumer));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
	});
}

/// Other grants to the reader do not push one out that can be disputed.
#[test]
fn a_full_list_keeps_what_can_be_disputed() {
	with_garbage(|sale, grant| {
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		let mut given = 0;
		while submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, None)).is_ok() {
			given += 1;
		}
		assert_eq!(given, 14);
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, None)));
		assert!(!Grants::<Test>::contains_key(grant));
	});
}

#[test]
fn who_gives_a_revoked_grant_up_pays_nothing() {
	with_sale(|_, grant| {
		let (owner, consumer) = (total(SCHOOL), total(COMPANY));
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant }));
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
		assert_eq!(SoldRanges::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn a_payment_that_waits_is_in_order() {
	with_sale(|_, _| assert_eq!(Sharing::do_try_state(), Ok(())));
}

/// A payment that the owner's account cannot take goes back to the reader.
#[test]
fn a_payment_that_cannot_be_made_is_not_lost() {
	with_sale(|_, _| {
		let before = total(COMPANY);
		frame_system::Account::<Test>::mutate(SCHOOL, |account| {
			account.data.free = u64::MAX - account.data.reserved - 1;
		});
		run_to(1 + WINDOW);
		assert_eq!(total(COMPANY), before);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
		assert_eq!(Sharing::do_try_state(), Ok(()));
	});
}

#[test]
fn who_gives_a_grant_up_pays_for_it() {
	with_sale(|_, grant| {
		let owner = total(SCHOOL);
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant }));
		assert_eq!(total(SCHOOL), owner + OFFER);
		assert_eq!(Payments::<Test>::iter_keys().count(), 0);
	});
}
