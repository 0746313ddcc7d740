// SPDX-License-Identifier: Apache-2.0
//! Tests who pays for what: deposits, offers and refunds, and that no money stays held for longer than it must.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::{Hooks, LockableCurrency, WithdrawReasons},
	weights::Weight,
};
use isthmus_sharing::terms::Footprint;
use polkadot_sdk::*;
use sp_runtime::TokenError;

/// The deposit for an ended grant.
const PLACE: u64 = 4 * PER_ITEM;
/// The deposit for a grant with the keys "sealed".
const GRANT: u64 = PLACE + 6;

fn revoke(grant: GrantId) -> SharingCall {
	SharingCall::revoke { grant }
}

fn cancel(request: RequestId) -> SharingCall {
	SharingCall::cancel_request { request }
}

fn settle(due: Vec<Due>) -> SharingCall {
	let due = due.try_into().expect("there are few");
	SharingCall::settle { due }
}

fn firm(range: Scope, offer: u64) -> SharingCall {
	SharingCall::request_access {
		owner: SCHOOL,
		scope: range,
		purpose: b"research".to_vec(),
		code: PurposeCode::Unspecified,
		term: 20,
		offer,
		firm: true,
		key: vec![7; 50],
	}
}

fn policy(price: u64, firm_price: Option<u64>) -> SharingCall {
	let policy = Policy {
		price,
		firm_price,
		longest_range: 100,
		longest_term: 100,
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	};
	SharingCall::set_policy {
		dataset: 0,
		policy,
		condition: None,
	}
}

/// Asks for leaves 0 to 10 for 20 blocks with this offer, and answers. Returns the grant.
fn bought(offer: u64) -> GrantId {
	let (request_id, grant) = (NextRequest::<Test>::get(), NextGrant::<Test>::get());
	assert_ok!(submit(COMPANY, request(scope(0, 10), offer)));
	let expiry = System::block_number() + 30;
	let answer = authorize(COMPANY, scope(0, 10), expiry, Some(request_id));
	assert_ok!(submit(SCHOOL, answer));
	grant
}

/// A free policy with an offer of the smallest unit once locked the owner's money for the whole term.
#[test]
fn who_asks_pays_for_the_place_and_the_smallest_offer_binds_nobody() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, policy(0, None)));
		let owner = Balances::reserved_balance(SCHOOL);
		let consumer = total(COMPANY);
		let grant = bought(1);
		assert_eq!(Balances::reserved_balance(SCHOOL), owner);
		assert_eq!(held(HoldReason::Grant, COMPANY), GRANT);
		assert_eq!(held(HoldReason::Request, COMPANY), 0);
		let entry = Grants::<Test>::get(grant).unwrap();
		assert_eq!((entry.depositor, entry.deposit), (COMPANY, GRANT));
		assert_eq!((entry.paid, entry.paid_from, entry.paid_until), (1, 1, 21));

		assert_ok!(submit(SCHOOL, revoke(grant)));
		assert_eq!(
			last_event(),
			SharingEvent::Revoked {
				grant,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				refunded: 1,
				controller: SCHOOL,
			}
		);
		assert_eq!(total(COMPANY), consumer);
		// The keys are evidence until they can no longer be disputed.
		assert_eq!(held(HoldReason::Grant, COMPANY), GRANT);
		run_to(1 + WINDOW);
		assert_eq!(held(HoldReason::Grant, COMPANY), PLACE);
		run_to(1 + MEMORY);
		assert_eq!(held(HoldReason::Grant, COMPANY), 0);
	});
}

#[test]
fn a_request_holds_what_its_grant_may_take() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		let most = Sharing::deposit(Footprint::grant(4096));
		assert_eq!(held(HoldReason::Request, COMPANY), most);
		// A pauper cannot make the owner pay instead.
		assert_ok!(Balances::force_set_balance(
			frame_system::RawOrigin::Root.into(),
			RIVAL,
			most
		));
		assert_noop!(
			submit(RIVAL, request(scope(0, 10), 0)),
			TokenError::FundsUnavailable
		);
		// At higher rates the grant takes no more than its request held: the answer must not fail.
		DepositPerItem::set(100 * PER_ITEM);
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(held(HoldReason::Grant, COMPANY), most);
		assert_eq!(held(HoldReason::Grant, SCHOOL), 0);
	});
}

#[test]
fn what_is_left_of_a_paid_term_is_paid_back() {
	with_dataset(|| {
		for (after, left) in [(0, 1000), (5, 750), (19, 50), (20, 0)] {
			let before = (total(SCHOOL), total(COMPANY));
			let start = System::block_number();
			let grant = bought(1000);
			assert_eq!(held(HoldReason::Offer, COMPANY), 1000);
			run_to(start + after);
			assert_ok!(submit(SCHOOL, revoke(grant)));
			assert!(matches!(
				last_event(),
				SharingEvent::Revoked { refunded, .. } if refunded == left
			));
			assert_eq!(total(SCHOOL), before.0 + 1000 - left);
			assert_eq!(total(COMPANY), before.1 - 1000 + left);
			Datasets::<Test>::mutate(SCHOOL, 0, |dataset| dataset.as_mut().unwrap().epoch = 0);
		}
	});
}

#[test]
fn an_owner_that_cannot_pay_back_cannot_revoke() {
	with_dataset(|| {
		let grant = bought(1000);
		run_to(1 + WINDOW);
		let root = frame_system::RawOrigin::Root;
		assert_ok!(Balances::force_set_balance(root.into(), SCHOOL, 700));
		let refused = submit(SCHOOL, revoke(grant));
		assert!(refused.is_err(), "{refused:?}");
		let entry = Grants::<Test>::get(grant).unwrap();
		assert_eq!(entry.state, GrantState::Active);
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch, 0);
		// Later it owes less.
		run_to(11);
		assert_ok!(submit(SCHOOL, revoke(grant)));
	});
}

#[test]
fn a_firm_term_is_given_only_where_it_is_offered_and_cannot_be_revoked() {
	with_dataset(|| {
		let range = scope(0, 10);
		assert_noop!(submit(COMPANY, firm(range, 500)), Error::FirmNotOffered);
		assert_ok!(submit(SCHOOL, policy(5, None)));
		assert_noop!(submit(COMPANY, firm(range, 500)), Error::FirmNotOffered);
		for too_little in [0, 4] {
			let policy = policy(5, Some(too_little));
			assert_noop!(submit(SCHOOL, policy), Error::FirmForTooLittle);
		}
		assert_noop!(submit(SCHOOL, policy(0, Some(0))), Error::FirmForTooLittle);
		assert_ok!(submit(SCHOOL, policy(5, Some(100))));
		assert_noop!(submit(COMPANY, firm(range, 99)), Error::FirmNotOffered);
		assert_ok!(submit(COMPANY, firm(range, 100)));
		let entry = Requests::<Test>::get(0).unwrap();
		assert_eq!(Sharing::verdict(&entry), Verdict::Meets);
		assert_ok!(submit(SCHOOL, authorize(COMPANY, range, 50, Some(0))));
		assert!(Grants::<Test>::get(0).unwrap().firm);
		assert_noop!(submit(SCHOOL, revoke(0)), Error::TermPaidFor);
		// A stranger learns nothing from the error.
		assert_noop!(submit(RIVAL, revoke(0)), Error::UnknownGrant);
		run_to(20);
		assert_noop!(submit(SCHOOL, revoke(0)), Error::TermPaidFor);
		run_to(21);
		assert_ok!(submit(SCHOOL, revoke(0)));
	});
}

/// On another branch of the chain, a request's number may belong to another request of the same consumer.
#[test]
fn an_answer_meets_only_the_request_that_it_was_made_for() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		let agreed = answered(0).digest;
		assert_ok!(submit(
			SCHOOL,
			SharingCall::reject_request {
				request: 0,
				reason: vec![]
			}
		));
		NextRequest::<Test>::put(0);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_noop!(submit(SCHOOL, answer.clone()), Error::NotAsRequested);
		assert_ok!(submit(COMPANY, cancel(0)));
		NextRequest::<Test>::put(0);
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(Grants::<Test>::get(0).unwrap().agreement, Some(agreed));
	});
}

#[test]
fn a_frozen_balance_does_not_make_an_answer_or_its_payment_fail() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		Balances::set_lock(*b"a freeze", &COMPANY, u64::MAX, WithdrawReasons::all());
		let owner = total(SCHOOL);
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		run_to(1 + WINDOW);
		assert_eq!(total(SCHOOL), owner + 500);
	});
}

/// Makes five offers that are due at once, when only three of them can end.
fn overdue_offers() -> Vec<RequestId> {
	let now = System::block_number();
	for to in 1..=5 {
		assert_ok!(submit(COMPANY, request(scope(0, to), 500)));
	}
	run_to(now + LIFETIME);
	let late: Vec<_> = Requests::<Test>::iter_keys().collect();
	assert_eq!(late.len(), 2);
	late
}

#[test]
fn an_overdue_offer_is_taken_back_at_once() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		for request in overdue_offers() {
			assert_ok!(submit(COMPANY, cancel(request)));
			assert_eq!(
				last_event(),
				SharingEvent::RequestCancelled {
					request,
					owner: SCHOOL,
					consumer: COMPANY,
					// The first request, with number 0, was for one leaf.
					scope: scope(0, request + 1),
					valid_until: 1 + LIFETIME,
				}
			);
		}
		assert_eq!(Balances::free_balance(COMPANY), free);
	});
}

#[test]
fn anyone_settles_what_is_overdue() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(50, 60), 7)));
		assert_noop!(
			submit(STRANGER, settle(vec![Due::Request(0), Due::Grant(0)])),
			Error::NothingDue
		);
		assert_ok!(submit(COMPANY, cancel(0)));
		run_to(1 + NOTICE);
		let late = overdue_offers();
		let due = late.into_iter().map(Due::Request).collect();
		assert_ok!(submit(STRANGER, settle(due)));
		assert_eq!(Balances::free_balance(COMPANY), free);
		assert_eq!(Requests::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn anyone_settles_grants_that_have_expired_and_ended_ones() {
	with_dataset(|| {
		MaxEndingsPerBlock::set(2);
		for _ in 0..4 {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 20, None)));
		}
		run_to(20);
		let late: Vec<_> = Grants::<Test>::iter()
			.filter(|(_, grant)| grant.state == GrantState::Active)
			.map(|(id, _)| Due::Grant(id))
			.collect();
		assert_eq!(late.len(), 2);
		assert_ok!(submit(STRANGER, settle(late.clone())));
		assert_eq!(held(HoldReason::Grant, SCHOOL), 4 * PLACE);
		// What is remembered for a while is not due yet.
		assert_noop!(submit(STRANGER, settle(late)), Error::NothingDue);
		// This agenda is late: nothing happens automatically.
		System::set_block_number(20 + MEMORY);
		Backlog::<Test>::put(20);
		let all = (0..4).map(Due::Grant).collect();
		assert_ok!(submit(STRANGER, settle(all)));
		assert_eq!(held(HoldReason::Grant, SCHOOL), 0);
		assert!(matches!(
			last_event(),
			SharingEvent::GrantForgotten { grant: 3, .. }
		));
		Backlog::<Test>::kill();
	});
}

#[test]
fn the_agenda_catches_up_with_the_room_that_a_block_has_left() {
	with_dataset(|| {
		for to in 1..=60 {
			assert_ok!(submit(COMPANY, request_of(to)));
			if to % 10 == 0 {
				assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
			}
		}
		run_to(1 + LIFETIME);
		assert_eq!(Requests::<Test>::iter_keys().count(), 57);
		let idle = |room: Weight| Sharing::on_idle(System::block_number(), room);
		assert_eq!(idle(Weight::zero()), Weight::zero());
		assert_eq!(Requests::<Test>::iter_keys().count(), 57);
		let one = Sharing::weight_of_step();
		let room = one.saturating_mul(13);
		assert!(idle(room).all_lte(room));
		let left = Requests::<Test>::iter_keys().count();
		assert!((45..57).contains(&left), "{left}");
		assert!(idle(Weight::MAX).ref_time() > 40 * one.ref_time());
		assert_eq!(Requests::<Test>::iter_keys().count(), 0);
		// There is nothing left to do, and looking costs next to nothing.
		assert!(idle(Weight::MAX).ref_time() < one.ref_time());
	});
}

/// Returns a request for the dataset's current epoch.
fn request_of(to: u64) -> SharingCall {
	let epoch = Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch;
	request(
		Scope {
			epoch,
			..scope(0, to)
		},
		0,
	)
}

#[test]
fn a_grant_that_ends_at_a_date_releases_its_deposit_about_then() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		let mut answer = authorize(COMPANY, scope(0, 10), 1_000, Some(0));
		let SharingCall::add_authorize { until, .. } = &mut answer else {
			unreachable!("it is an answer");
		};
		*until = Some(Time::get() + 30);
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(Grants::<Test>::get(0).unwrap().due, 31);
		// Blocks are faster than expected, so the agenda looks again.
		Time::set(Time::get() + 20);
		run_to(31);
		let entry = Grants::<Test>::get(0).unwrap();
		assert_eq!((entry.state, entry.due), (GrantState::Active, 41));
		Time::set(Time::get() + 10);
		run_to(41);
		let entry = Grants::<Test>::get(0).unwrap();
		assert_eq!(entry.state, GrantState::Expired);
		assert_eq!(held(HoldReason::Grant, COMPANY), PLACE);
	});
}

#[test]
fn a_reader_gives_a_grant_up() {
	with_dataset(|| {
		let consumer = total(COMPANY);
		let free = Balances::free_balance(COMPANY);
		let grant = bought(500);
		let renounce = || SharingCall::renounce { grant };
		assert_noop!(submit(SCHOOL, renounce()), Error::UnknownGrant);
		assert_ok!(submit(COMPANY, renounce()));
		assert_eq!(
			last_event(),
			SharingEvent::Renounced {
				grant,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
			}
		);
		assert_noop!(submit(COMPANY, renounce()), Error::UnknownGrant);
		assert_eq!(total(COMPANY), consumer - 500);
		assert_eq!(Balances::free_balance(COMPANY), free - 500);
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch, 0);
		assert_ok!(submit(SCHOOL, SharingCall::remove_dataset { dataset: 0 }));
	});
}

/// With a new request in each block a stranger could keep a dataset for ever.
#[test]
fn a_closed_dataset_takes_no_requests() {
	with_dataset(|| {
		let close = |closed| SharingCall::set_closed { dataset: 0, closed };
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_noop!(submit(STRANGER, close(true)), Error::NotRegistered);
		assert_ok!(submit(SCHOOL, close(true)));
		assert_eq!(
			last_event(),
			SharingEvent::DatasetClosed {
				owner: SCHOOL,
				dataset: 0,
				closed: true,
			}
		);
		assert_noop!(
			submit(RIVAL, request(scope(0, 10), 0)),
			Error::DatasetClosed
		);
		// What is open can still be answered.
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 50, Some(0))
		));
		assert_ok!(submit(SCHOOL, close(false)));
		assert_ok!(submit(RIVAL, request(scope(0, 10), 0)));
	});
}

fn remove(number: u8) -> SharingCall {
	SharingCall::remove_record { key: key(number) }
}

/// Returns whether a record can be removed, and leaves it where it is.
fn can_be_removed(number: u8) -> bool {
	use frame_support::storage::{with_transaction, TransactionOutcome};
	let attempt = || {
		let result = submit(SCHOOL, remove(number));
		TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(result))
	};
	with_transaction(attempt).unwrap().is_ok()
}

/// Once, an owner could remove everything in the block after the payment.
#[test]
fn what_was_paid_for_stays_until_the_term_is_over_or_is_paid_back() {
	with_dataset(|| {
		for number in [3, 9, 12] {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		// Leaves 0 to 9, for 20 blocks.
		let grant = bought(1000);
		assert_noop!(submit(SCHOOL, remove(3)), Error::RecordPaidFor);
		assert_noop!(submit(SCHOOL, remove(9)), Error::RecordPaidFor);
		// Neither outside the range nor later.
		assert!(can_be_removed(12));
		run_to(1 + WINDOW);
		assert_ok!(submit(SCHOOL, store(5)));
		assert_ok!(submit(SCHOOL, remove(5)));
		// A record of an epoch that is over, too.
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_noop!(submit(SCHOOL, remove(3)), Error::RecordPaidFor);
		run_to(20);
		assert_noop!(submit(SCHOOL, remove(3)), Error::RecordPaidFor);
		// The term is over, though the grant goes on.
		run_to(21);
		assert!(can_be_removed(3));
		assert_eq!(
			Grants::<Test>::get(grant).unwrap().state,
			GrantState::Active
		);
		run_to(31);
		assert_eq!(SoldRanges::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn a_record_can_be_removed_when_what_is_left_is_paid_back_or_given_up() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(3)));
		let first = bought(1000);
		let second = bought(1000);
		assert_ok!(submit(SCHOOL, revoke(first)));
		assert_noop!(submit(SCHOOL, remove(3)), Error::RecordPaidFor);
		let renounce = SharingCall::renounce { grant: second };
		assert_ok!(submit(COMPANY, renounce));
		// The one that was given back can be disputed for a time.
		run_to(1 + WINDOW);
		assert_ok!(submit(SCHOOL, remove(3)));
	});
}

/// Sells leaves 0 to `to` for 20 blocks.
fn bought_to(to: u64) -> GrantId {
	let (request_id, grant) = (NextRequest::<Test>::get(), NextGrant::<Test>::get());
	assert_ok!(submit(COMPANY, request(scope(0, to), 1000)));
	let expiry = System::block_number() + 30;
	let answer = authorize(COMPANY, scope(0, to), expiry, Some(request_id));
	assert_ok!(submit(SCHOOL, answer));
	grant
}

/// One purchase of a whole epoch locked all its records until the last term of all was over, although it was paid back.
#[test]
fn what_is_sold_is_narrowed_to_the_grants_that_are_left() {
	with_dataset(|| {
		for number in [3, 9, 12] {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		let recount = |grants: &[GrantId]| SharingCall::recount_sold {
			dataset: 0,
			epoch: 0,
			grants: grants.to_vec().try_into().unwrap(),
		};
		assert_noop!(submit(SCHOOL, recount(&[])), Error::NotAllSold);
		let (first, wide) = (bought_to(5), bought_to(1 << 32));
		run_to(2);
		let last = bought_to(7);
		run_to(2 + WINDOW);
		let free = NextGrant::<Test>::get();
		assert_ok!(submit(SCHOOL, authorize(RIVAL, scope(0, 10), 50, None)));
		assert!(!can_be_removed(12));
		assert_ok!(submit(SCHOOL, revoke(wide)));
		// The range is as wide as before.
		assert!(!can_be_removed(12));
		for wrong in [
			&[][..],
			&[first],
			&[first, first],
			&[last, first],
			&[first, wide],
			&[first, free],
			&[first, last, free],
			&[first, 100],
		] {
			assert_noop!(submit(SCHOOL, recount(wrong)), Error::NotAllSold);
		}
		assert_noop!(submit(RIVAL, recount(&[first, last])), Error::NotAllSold);
		assert_ok!(submit(SCHOOL, recount(&[first, last])));
		assert!(can_be_removed(12) && can_be_removed(9));
		assert!(!can_be_removed(3));
		// What was stored after the last payment that is left, too.
		assert_ok!(submit(SCHOOL, revoke(last)));
		assert_ok!(submit(SCHOOL, recount(&[first])));
		let sold = SoldRanges::<Test>::get((SCHOOL, 0, 0)).unwrap();
		assert_eq!((sold.grants, sold.from, sold.to), (1, 0, 5));
		assert_eq!((sold.paid, sold.until), (1, 21));
	});
}

/// A grant of an earlier runtime says that it was paid for when its term ends.
#[test]
fn what_is_counted_again_never_widens() {
	with_dataset(|| {
		let grant = bought(1000);
		// An earlier runtime paid the owner at once.
		run_to(1 + WINDOW);
		Grants::<Test>::mutate(grant, |stored| {
			let stored = stored.as_mut().unwrap();
			(stored.paid, stored.paid_from, stored.firm) = (0, stored.paid_until, true);
		});
		let before = SoldRanges::<Test>::get((SCHOOL, 0, 0));
		run_to(2 + WINDOW);
		assert_ok!(submit(SCHOOL, store(3)));
		let recount = SharingCall::recount_sold {
			dataset: 0,
			epoch: 0,
			grants: vec![grant].try_into().unwrap(),
		};
		assert_ok!(submit(SCHOOL, recount));
		assert_eq!(SoldRanges::<Test>::get((SCHOOL, 0, 0)), before);
		// It was stored after the payment.
		assert_ok!(submit(SCHOOL, remove(3)));
	});
}

#[test]
fn what_was_not_paid_for_can_be_removed() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(3)));
		assert_ok!(submit(SCHOOL, authorize(RIVAL, scope(0, 10), 50, None)));
		bought(0);
		assert_ok!(submit(SCHOOL, remove(3)));
		// An upload that never ended was in no range that anyone could read.
		let large = Large::new(4, 2);
		assert_ok!(submit(SCHOOL, large.open()));
		bought(1000);
		assert_noop!(submit(SCHOOL, remove(4)), Error::RecordPaidFor);
		run_to(1 + WINDOW);
		assert_ok!(submit(SCHOOL, remove(4)));
	});
}
