// SPDX-License-Identifier: Apache-2.0
//! Tests requests: how they are made, answered and cancelled, and when they expire.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok, traits::OnInitialize};
use isthmus_sharing::terms::LEAVES_PER_EPOCH;
use polkadot_sdk::*;
use sp_runtime::TokenError;

/// The deposit for a request: as much as the largest grant that can answer it.
const DEPOSIT: u64 = 4 * PER_ITEM + 4096;

fn cancel(request: RequestId) -> SharingCall {
	SharingCall::cancel_request { request }
}

fn reject(request: RequestId, reason: &[u8]) -> SharingCall {
	SharingCall::reject_request {
		request,
		reason: reason.to_vec(),
	}
}

fn request_for(purpose: &[u8], term: u64) -> SharingCall {
	SharingCall::request_access {
		owner: SCHOOL,
		scope: scope(0, 10),
		purpose: purpose.to_vec(),
		code: PurposeCode::Unspecified,
		term,
		offer: 0,
		firm: false,
		key: vec![7; 50],
	}
}

#[test]
fn access_is_requested() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		let purpose: Text = b"research".to_vec().try_into().unwrap();
		assert_eq!(
			Requests::<Test>::get(0),
			Some(Request {
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 10),
				purpose: purpose.clone(),
				code: PurposeCode::Unspecified,
				term: 20,
				offer: 500,
				firm: false,
				key: vec![COMPANY as u8; 34].try_into().unwrap(),
				valid_until: 1 + LIFETIME,
				deposit: DEPOSIT,
			})
		);
		assert_eq!(
			last_event(),
			SharingEvent::AccessRequested {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 10),
				purpose,
				code: PurposeCode::Unspecified,
				term: 20,
				offer: 500,
				firm: false,
				valid_until: 1 + LIFETIME,
			}
		);
		assert_eq!(
			RequestsTo::<Test>::iter_key_prefix(SCHOOL).collect::<Vec<_>>(),
			[0]
		);
		assert_eq!(
			RequestsFrom::<Test>::get((COMPANY, SCHOOL, scope(0, 10))),
			Some(0)
		);
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().requests, 1);
		assert_eq!(held(HoldReason::Request, COMPANY), DEPOSIT);
		assert_eq!(held(HoldReason::Offer, COMPANY), 500);
		assert_eq!(Balances::free_balance(COMPANY), free - DEPOSIT - 500);
	});
}

#[test]
fn a_bad_request_is_refused() {
	with_dataset(|| {
		let ask = |scope| submit(COMPANY, request(scope, 0));
		let whole = scope(0, LEAVES_PER_EPOCH);
		assert_noop!(submit(SCHOOL, request(whole, 0)), Error::SelfRequest);
		assert_noop!(
			ask(Scope {
				dataset: 1,
				..whole
			}),
			Error::UnknownDataset
		);
		assert_noop!(ask(Scope { epoch: 1, ..whole }), Error::UnknownEpoch);
		assert_noop!(ask(scope(5, 5)), Error::EmptyRange);
		assert_noop!(ask(scope(6, 5)), Error::InvertedRange);
		assert_noop!(ask(scope(0, LEAVES_PER_EPOCH + 1)), Error::RangeTooHigh);
		assert_noop!(ask(scope(u64::MAX - 1, u64::MAX)), Error::RangeTooHigh);
		assert_noop!(submit(COMPANY, request_for(b"", 1)), Error::PurposeEmpty);
		assert_noop!(
			submit(COMPANY, request_for(&[b'x'; 257], 1)),
			Error::PurposeTooLong
		);
		assert_noop!(submit(COMPANY, request_for(&[0xc0], 1)), Error::NotText);
		assert_noop!(
			submit(COMPANY, request_for(b"research", 0)),
			Error::ZeroTerm
		);
		for (length, error) in [
			(0, Error::EncryptionKeyTooShort),
			(33, Error::EncryptionKeyTooShort),
			(2049, Error::EncryptionKeyTooLong),
		] {
			let call = SharingCall::request_access {
				owner: SCHOOL,
				scope: whole,
				purpose: b"research".to_vec(),
				code: PurposeCode::Unspecified,
				term: 1,
				offer: 0,
				firm: false,
				key: vec![1; length],
			};
			assert_noop!(submit(COMPANY, call), error);
		}
		assert_noop!(
			submit(COMPANY, request(whole, WEALTH)),
			TokenError::FundsUnavailable
		);
		assert_ok!(ask(whole));
	});
}

#[test]
fn the_same_request_is_open_once() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_noop!(
			submit(COMPANY, request(scope(0, 10), 1)),
			Error::AlreadyRequested
		);
		assert_ok!(submit(COMPANY, request(scope(0, 11), 0)));
		assert_ok!(submit(RIVAL, request(scope(0, 10), 0)));
		// Once the request has been answered, the same request can be made again.
		assert_ok!(submit(SCHOOL, reject(0, b"")));
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
	});
}

#[test]
fn the_consumer_cancels() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_noop!(submit(COMPANY, cancel(1)), Error::UnknownRequest);
		assert_noop!(submit(SCHOOL, cancel(0)), Error::UnknownRequest);
		assert_noop!(submit(RIVAL, cancel(0)), Error::UnknownRequest);
		assert_ok!(submit(COMPANY, cancel(0)));
		assert_eq!(
			last_event(),
			SharingEvent::RequestCancelled {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 10),
				valid_until: 1,
			}
		);
		assert_eq!(Balances::free_balance(COMPANY), free);
		assert_noop!(submit(COMPANY, cancel(0)), Error::UnknownRequest);
	});
}

#[test]
fn an_offer_that_is_taken_back_comes_back_after_a_notice() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		assert_ok!(submit(COMPANY, cancel(0)));
		assert!(matches!(
			last_event(),
			SharingEvent::RequestCancelled { request: 0, .. }
		));
		assert_eq!(held(HoldReason::Offer, COMPANY), 500);
		assert!(!Agenda::<Test>::contains_key(1 + LIFETIME, Due::Request(0)));
		// Cancelling again changes nothing. In particular, the notice period does not start again.
		run_to(2);
		assert_ok!(submit(COMPANY, cancel(0)));
		run_to(NOTICE);
		assert!(Requests::<Test>::contains_key(0));
		run_to(1 + NOTICE);
		assert!(!Requests::<Test>::contains_key(0));
		assert_eq!(Balances::free_balance(COMPANY), free);
		assert_ok!(Sharing::do_try_state());
	});
}

#[test]
fn the_owner_rejects() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		assert_noop!(submit(SCHOOL, reject(1, b"")), Error::UnknownRequest);
		assert_noop!(submit(COMPANY, reject(0, b"")), Error::UnknownRequest);
		assert_noop!(
			submit(SCHOOL, reject(0, &[b'x'; 257])),
			Error::ReasonTooLong
		);
		assert_noop!(submit(SCHOOL, reject(0, &[0xff])), Error::NotText);
		assert_ok!(submit(SCHOOL, reject(0, b"no")));
		assert_eq!(
			last_event(),
			SharingEvent::RequestRejected {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 10),
				reason: b"no".to_vec().try_into().unwrap(),
				controller: SCHOOL,
			}
		);
		assert_eq!(Balances::free_balance(COMPANY), free);
	});
}

#[test]
fn a_request_lapses_by_itself() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		run_to(LIFETIME);
		assert!(Requests::<Test>::contains_key(0));
		run_to(LIFETIME + 1);
		assert_eq!(
			last_event(),
			SharingEvent::RequestLapsed {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 10),
			}
		);
		assert_eq!(Requests::<Test>::get(0), None);
		assert_eq!(Balances::free_balance(COMPANY), free);
		assert_ok!(submit(SCHOOL, SharingCall::remove_dataset { dataset: 0 }));
	});
}

#[test]
fn authorising_earns_the_offer_which_is_paid_when_it_can_no_longer_be_disputed() {
	with_dataset(|| {
		let owner = total(SCHOOL);
		let consumer = total(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		let agreement = Some(answered(0).digest);
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 21, Some(0))
		));
		assert_eq!(
			last_event(),
			SharingEvent::Authorized {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				expiry: 21,
				until: None,
				request: Some(0),
				agreement,
				code: PurposeCode::Unspecified,
				paid: 500,
				firm: false,
				condition: None,
				controller: SCHOOL,
			}
		);
		assert_eq!(Requests::<Test>::get(0), None);
		assert_eq!(held(HoldReason::Request, COMPANY), 0);
		run_to(WINDOW);
		assert_eq!(held(HoldReason::Offer, COMPANY), 500);
		assert_eq!((total(SCHOOL), total(COMPANY)), (owner, consumer));
		run_to(1 + WINDOW);
		assert_eq!(
			last_event(),
			SharingEvent::OfferPaid {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				paid: 500,
				controller: SCHOOL,
			}
		);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
		assert_eq!(total(SCHOOL), owner + 500);
		assert_eq!(total(COMPANY), consumer - 500);
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, scope(0, 10), 21, Some(0))),
			Error::UnknownRequest
		);
	});
}

#[test]
fn a_grant_must_be_what_was_asked_for() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		let answer =
			|grantee, scope, expiry| submit(SCHOOL, authorize(grantee, scope, expiry, Some(0)));
		assert_noop!(answer(RIVAL, scope(0, 10), 21), Error::NotAsRequested);
		assert_noop!(answer(COMPANY, scope(0, 9), 21), Error::NotAsRequested);
		assert_noop!(
			answer(COMPANY, scope(0, 10), 20),
			Error::ShorterThanRequested
		);
		// The dataset's next epoch is not the requested one either.
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		let later = Scope {
			epoch: 1,
			..scope(0, 10)
		};
		assert_noop!(answer(COMPANY, later, 21), Error::NotAsRequested);
		// Another producer cannot answer it.
		for call in [
			SharingCall::register {
				kind: ProducerKind::Other,
				name: b"Office".to_vec(),
			},
			SharingCall::create_dataset {
				name: b"taxes".to_vec(),
			},
		] {
			assert_ok!(submit(OFFICE, call));
		}
		assert_noop!(
			submit(OFFICE, authorize(COMPANY, scope(0, 10), 21, Some(0))),
			Error::UnknownRequest
		);
		assert_ok!(answer(COMPANY, scope(0, 10), 1000));
	});
}

#[test]
fn a_request_that_the_agenda_is_late_for_is_expired_all_the_same() {
	with_dataset(|| {
		// Four requests are due, and three can end per block.
		for to in 1..=4 {
			assert_ok!(submit(COMPANY, request(scope(0, to), 0)));
		}
		run_to(1 + LIFETIME);
		assert_eq!(Sharing::overdue_since(), Some(1 + LIFETIME));
		let (id, left) = Requests::<Test>::iter().next().unwrap();
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, left.scope, 100, Some(id))),
			Error::RequestExpired
		);
		run_to(2 + LIFETIME);
		assert_eq!(Requests::<Test>::iter().count(), 0);
		assert_eq!(Backlog::<Test>::get(), None);
	});
}

#[test]
fn what_is_due_and_not_done_is_found() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		System::set_block_number(1 + LIFETIME);
		assert_eq!(
			Sharing::do_try_state(),
			Err("the agenda has an entry that would never be done".into())
		);
		Sharing::on_initialize(1 + LIFETIME);
		assert_eq!(Requests::<Test>::get(0), None);
	});
}

#[test]
fn a_backlog_is_worked_off_a_few_at_a_time() {
	with_dataset(|| {
		// Ten requests are due at block 11 and another ten one block later.
		for to in 1..=10 {
			assert_ok!(submit(COMPANY, request(scope(0, to), 0)));
		}
		run_to(2);
		for to in 1..=10 {
			assert_ok!(submit(RIVAL, request(scope(0, to), 0)));
		}
		let mut left = vec![];
		for block in 10..=19 {
			run_to(block);
			left.push(Requests::<Test>::iter().count());
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		// Moving on from one block's agenda to the next counts as one of the three endings.
		assert_eq!(left, [20, 17, 14, 11, 9, 6, 3, 0, 0, 0]);
		run_to(20);
		assert_eq!(Backlog::<Test>::get(), None);
	});
}

/// A request carries the key that its answer is sealed to, so the account needs no registered one.
#[test]
fn a_request_needs_no_registered_key() {
	with_dataset(|| {
		assert!(!EncryptionKeys::<Test>::contains_key(STRANGER));
		assert_ok!(submit(STRANGER, request(scope(0, 10), 5)));
		let answer = authorize(STRANGER, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(GrantsTo::<Test>::iter_key_prefix(STRANGER).count(), 1);
	});
}

/// The same request with another key is another request, and an answer to the one does not meet the other.
#[test]
fn an_answer_meets_the_key_that_its_owner_saw() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 5)));
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		Requests::<Test>::mutate(0, |open| {
			let open = open.as_mut().unwrap();
			open.key = vec![9; 34].try_into().unwrap();
		});
		assert_noop!(submit(SCHOOL, answer), Error::NotAsRequested);
	});
}
