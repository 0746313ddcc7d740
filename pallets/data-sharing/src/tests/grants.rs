// SPDX-License-Identifier: Apache-2.0
//! Tests the authorization list (the entries that say who may read what), and `query`.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok, weights::Weight};
use isthmus_sharing::{
	terms::{LEAVES_PER_EPOCH, MAX_GRANTS_PER_READER},
	OpeningGrant, QueryError,
};
use polkadot_sdk::*;
use sp_runtime::TokenError;

/// The deposit for a grant with the keys "sealed".
const DEPOSIT: u64 = PLACE + 6;
/// The part of the deposit that stays held from the grant's end until the grant is removed.
const PLACE: u64 = 4 * PER_ITEM;

fn revoke(grant: GrantId) -> SharingCall {
	SharingCall::revoke { grant }
}

/// Returns the authorization list's entry for this reader on the school's dataset 0.
fn authorised(epoch: Epoch, grantee: u64) -> Vec<GrantId> {
	AuthorizationList::<Test>::get((SCHOOL, 0, epoch, grantee))
		.grants
		.into_inner()
}

fn sealed(sealed_keys: Vec<u8>) -> SharingCall {
	SharingCall::add_authorize {
		grantee: COMPANY,
		scope: scope(0, 10),
		expiry: 50,
		until: None,
		sealed_keys,
		request: None,
		condition: None,
	}
}

#[test]
fn a_reader_is_authorised() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		assert_eq!(
			Grants::<Test>::get(0),
			Some(Grant {
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				expiry: 50,
				until: None,
				agreement: None,
				code: PurposeCode::Unspecified,
				paid: 0,
				paid_from: 1,
				paid_until: 1,
				firm: false,
				state: GrantState::Active,
				sealed_keys: b"sealed".to_vec().try_into().unwrap(),
				depositor: SCHOOL,
				deposit: DEPOSIT,
				due: 50,
				condition: None,
			})
		);
		assert_eq!(
			last_event(),
			SharingEvent::Authorized {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				expiry: 50,
				until: None,
				request: None,
				agreement: None,
				code: PurposeCode::Unspecified,
				paid: 0,
				firm: false,
				condition: None,
				controller: SCHOOL,
			}
		);
		assert_eq!(authorised(0, COMPANY), [0]);
		assert_eq!(
			GrantsTo::<Test>::iter_key_prefix(COMPANY).collect::<Vec<_>>(),
			[0]
		);
		assert_eq!(held(HoldReason::Grant, SCHOOL), DEPOSIT);
	});
}

#[test]
fn a_bad_grant_is_refused() {
	with_dataset(|| {
		let give = |grantee, scope, expiry| submit(SCHOOL, authorize(grantee, scope, expiry, None));
		let good = scope(0, 10);
		assert_noop!(give(SCHOOL, good, 50), Error::SelfGrant);
		assert_noop!(
			give(COMPANY, Scope { dataset: 1, ..good }, 50),
			Error::UnknownDataset
		);
		assert_noop!(
			give(COMPANY, Scope { epoch: 1, ..good }, 50),
			Error::UnknownEpoch
		);
		assert_noop!(give(COMPANY, scope(10, 10), 50), Error::EmptyRange);
		assert_noop!(give(COMPANY, scope(10, 9), 50), Error::InvertedRange);
		assert_noop!(
			give(COMPANY, scope(0, LEAVES_PER_EPOCH + 1), 50),
			Error::RangeTooHigh
		);
		assert_noop!(give(COMPANY, good, 1), Error::ExpiryPassed);
		assert_noop!(give(STRANGER, good, 50), Error::NoEncryptionKey);
		assert_noop!(
			submit(STRANGER, authorize(COMPANY, good, 50, None)),
			Error::NotRegistered
		);
		assert_noop!(submit(SCHOOL, sealed(vec![])), Error::SealedKeysEmpty);
		assert_noop!(
			submit(SCHOOL, sealed(vec![0; 4097])),
			Error::SealedKeysTooLong
		);
		assert_ok!(submit(SCHOOL, sealed(vec![0; 4096])));
		assert_ok!(give(COMPANY, good, 2));
	});
}

#[test]
fn an_owner_pays_only_for_the_grants_that_nobody_asked_for() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 5)));
		let root = frame_system::RawOrigin::Root;
		assert_ok!(Balances::force_set_balance(root.into(), SCHOOL, PER_ITEM));
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)),
			TokenError::FundsUnavailable
		);
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
	});
}

#[test]
fn a_reader_has_a_bounded_number_of_grants() {
	with_dataset(|| {
		for _ in 0..MAX_GRANTS_PER_READER {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		}
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, scope(0, 10), 100, None)),
			Error::TooManyGrants
		);
		assert_ok!(submit(SCHOOL, authorize(RIVAL, scope(0, 10), 100, None)));
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		let later = Scope {
			epoch: 1,
			..scope(0, 10)
		};
		assert_ok!(submit(SCHOOL, authorize(COMPANY, later, 100, None)));
	});
}

/// An active grant never gives way to another: a request has to find a place when it is made.
#[test]
fn a_request_reserves_a_place_and_no_active_grant_is_removed_for_it() {
	with_dataset(|| {
		let most = u64::from(MAX_GRANTS_PER_READER);
		let leaf = |number| scope(number, number + 1);
		for number in 0..most - 2 {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, leaf(number), 50, None)));
		}
		for number in [most, most + 1] {
			assert_ok!(submit(COMPANY, request(leaf(number), 5)));
		}
		// All sixteen places are taken, for the reader and for the owner.
		assert_noop!(submit(COMPANY, request(leaf(99), 0)), Error::TooManyGrants);
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, leaf(99), 50, None)),
			Error::TooManyGrants
		);
		for id in [0, 1] {
			let answer = authorize(COMPANY, leaf(most + id), 50, Some(id));
			assert_ok!(submit(SCHOOL, answer));
		}
		let all: Vec<_> = (0..most).collect();
		assert_eq!(authorised(0, COMPANY), all);
		// Another reader has its own places, and so has another epoch.
		assert_ok!(submit(RIVAL, request(leaf(99), 0)));
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		let later = Scope {
			epoch: 1,
			..leaf(99)
		};
		assert_ok!(submit(COMPANY, request(later, 0)));
		// A grant that ends leaves its place, but a closed request does so too.
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant: 3 }));
		assert_ok!(submit(COMPANY, request(leaf(99), 0)));
		assert_noop!(submit(COMPANY, request(leaf(100), 0)), Error::TooManyGrants);
		assert_ok!(submit(COMPANY, SharingCall::cancel_request { request: 4 }));
		assert_ok!(submit(COMPANY, request(leaf(100), 0)));
	});
}

/// Whatever the reader does, an answer in flight is paid for, because its sealed keys are already public.
#[test]
fn the_reader_cannot_make_an_answer_fail() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 500)));
		assert_ok!(submit(COMPANY, SharingCall::cancel_request { request: 0 }));
		assert_ok!(submit(COMPANY, SharingCall::remove_encryption_key {}));
		run_to(NOTICE);
		let owner = total(SCHOOL);
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 50, Some(0))
		));
		run_to(NOTICE + WINDOW);
		assert_eq!(total(SCHOOL), owner + 500);
		assert_eq!(held(HoldReason::Offer, COMPANY), 0);
	});
}

#[test]
fn a_grant_that_ended_makes_room_for_a_good_one() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		let give = |range| submit(SCHOOL, authorize(COMPANY, range, 50, None));
		for number in 0..u64::from(MAX_GRANTS_PER_READER) {
			assert_ok!(give(scope(10 * number, 10 * number + 10)));
		}
		// The later grant is revoked first. The oldest ended grant is still the one that was given first.
		for grant in [9, 0] {
			assert_ok!(submit(SCHOOL, revoke(grant)));
		}
		let before = held(HoldReason::Grant, SCHOOL);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Revoked));
		assert_ok!(give(scope(200, 210)));
		assert_eq!(Grants::<Test>::get(0), None);
		assert!(Grants::<Test>::contains_key(9));
		assert_eq!(held(HoldReason::Grant, SCHOOL), before - PLACE + DEPOSIT);
		assert_eq!(query(COMPANY, 7), Err(QueryError::OutOfRange));
		assert!(!Agenda::<Test>::contains_key(1 + MEMORY, Due::Grant(0)));

		assert_ok!(give(scope(210, 220)));
		assert_eq!(
			authorised(0, COMPANY),
			[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17]
		);
		assert_noop!(give(scope(220, 230)), Error::TooManyGrants);
	});
}

#[test]
fn revoking_starts_an_epoch_and_returns_the_keys_deposit() {
	with_dataset(|| {
		for grantee in [COMPANY, COMPANY, RIVAL] {
			assert_ok!(submit(SCHOOL, authorize(grantee, scope(0, 10), 50, None)));
		}
		assert_noop!(submit(SCHOOL, revoke(3)), Error::UnknownGrant);
		assert_noop!(submit(COMPANY, revoke(0)), Error::UnknownGrant);
		assert_ok!(submit(SCHOOL, revoke(0)));
		let owner = SCHOOL;
		let events: Vec<_> = System::events().into_iter().rev().take(2).collect();
		assert_eq!(
			events
				.into_iter()
				.map(|record| record.event)
				.collect::<Vec<RuntimeEvent>>(),
			[
				SharingEvent::Revoked {
					grant: 0,
					owner,
					grantee: COMPANY,
					scope: scope(0, 10),
					refunded: 0,
					controller: SCHOOL,
				}
				.into(),
				SharingEvent::EpochStarted {
					owner,
					dataset: 0,
					epoch: 1
				}
				.into(),
			]
		);
		assert_eq!(held(HoldReason::Grant, SCHOOL), 2 * DEPOSIT + PLACE);
		let entry = Grants::<Test>::get(0).unwrap();
		assert_eq!(entry.state, GrantState::Revoked);
		assert!(entry.sealed_keys.is_empty());
		assert_eq!(entry.deposit, PLACE);
		assert_noop!(submit(SCHOOL, revoke(0)), Error::GrantEnded);

		// The second grant is on an epoch that is already over, so revoking it does not start another one.
		assert_ok!(submit(SCHOOL, revoke(1)));
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch, 1);
		assert_eq!(held(HoldReason::Grant, SCHOOL), DEPOSIT + 2 * PLACE);

		// The grant is kept for a while, then removed.
		run_to(MEMORY);
		assert!(Grants::<Test>::contains_key(0));
		run_to(MEMORY + 1);
		assert_eq!(Grants::<Test>::iter_keys().collect::<Vec<_>>(), [2]);
		assert_eq!(held(HoldReason::Grant, SCHOOL), DEPOSIT);
		assert!(authorised(0, COMPANY).is_empty());
		assert_noop!(submit(SCHOOL, revoke(0)), Error::UnknownGrant);
	});
}

#[test]
fn a_grant_that_nobody_paid_for_is_revoked_at_any_time() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 50, Some(0))
		));
		assert_eq!(Grants::<Test>::get(0).unwrap().paid_until, 1);
		assert_ok!(submit(SCHOOL, revoke(0)));
	});
}

#[test]
fn a_deposit_is_given_back_as_it_was_taken_though_the_rate_changed() {
	with_dataset(|| {
		for _ in 0..2 {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		}
		// At higher rates, the whole deposit is kept until the grant is removed.
		DepositPerItem::set(10 * PER_ITEM);
		assert_ok!(submit(SCHOOL, revoke(0)));
		assert_eq!(Grants::<Test>::get(0).unwrap().deposit, DEPOSIT);
		// At lower rates, only the deposit for the grant without its keys is kept, computed at today's
		// rates.
		DepositPerItem::set(1);
		assert_ok!(submit(SCHOOL, revoke(1)));
		assert_eq!(Grants::<Test>::get(1).unwrap().deposit, 4);
		assert_eq!(held(HoldReason::Grant, SCHOOL), DEPOSIT + 4);
		run_to(1 + MEMORY);
		assert_eq!(held(HoldReason::Grant, SCHOOL), 0);
	});
}

#[test]
fn the_last_epoch_cannot_be_revoked_from() {
	with_dataset(|| {
		let last = Epoch::MAX;
		Datasets::<Test>::mutate(SCHOOL, 0, |dataset| dataset.as_mut().unwrap().epoch = last);
		let at_last = Scope {
			epoch: last,
			..scope(0, 10)
		};
		assert_ok!(submit(SCHOOL, authorize(COMPANY, at_last, 50, None)));
		assert_noop!(submit(SCHOOL, revoke(0)), Error::EpochsExhausted);
	});
}

#[test]
fn a_grant_expires_by_itself() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 20, None)));
		run_to(19);
		assert!(query(COMPANY, 7).is_ok());
		run_to(20);
		let owner = SCHOOL;
		assert_eq!(
			last_event(),
			SharingEvent::GrantExpired {
				grant: 0,
				owner,
				grantee: COMPANY,
				scope: scope(0, 10)
			}
		);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Expired));
		assert_eq!(held(HoldReason::Grant, SCHOOL), PLACE);
		assert_noop!(submit(SCHOOL, revoke(0)), Error::GrantEnded);
		// Expiry does not start an epoch: the other readers' grants stay valid.
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch, 0);
		run_to(20 + MEMORY);
		assert_eq!(Grants::<Test>::get(0), None);
		assert_eq!(held(HoldReason::Grant, SCHOOL), 0);
		assert_eq!(query(COMPANY, 7), Err(QueryError::NotAuthorised));
	});
}

#[test]
fn a_grant_that_the_agenda_is_late_for_is_expired_all_the_same() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		for _ in 0..4 {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 20, None)));
		}
		run_to(20);
		let active = |(_, grant): &(_, GrantOf<Test>)| grant.state == GrantState::Active;
		let (late, _) = Grants::<Test>::iter().find(active).unwrap();
		assert_eq!(query(COMPANY, 7), Err(QueryError::Expired));
		// The agenda has not ended this grant yet, but the owner can end it without waiting. It has expired, so
		// the other readers need no new grants.
		assert_ok!(submit(SCHOOL, revoke(late)));
		assert_eq!(
			last_event(),
			SharingEvent::GrantExpired {
				grant: late,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
			}
		);
		assert_eq!(Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch, 0);
	});
}

#[test]
fn those_may_query_who_are_authorised() {
	with_dataset(|| {
		for number in [7, 10] {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		let answer = query(COMPANY, 7).unwrap();
		assert_eq!((answer.dataset, answer.epoch, answer.leaf), (0, 0, 7));
		assert_eq!(
			answer.payload,
			Records::<Test>::get(SCHOOL, key(7)).unwrap().payload
		);
		let grant = OpeningGrant {
			grant: 0,
			scope: scope(0, 10),
			expiry: 50,
			until: None,
			sealed_keys: b"sealed".to_vec(),
		};
		assert_eq!(answer.grant, Some(grant));

		assert_eq!(query(SCHOOL, 10).unwrap().grant, None);
		assert_eq!(query(COMPANY, 10), Err(QueryError::OutOfRange));
		assert_eq!(query(COMPANY, 8), Err(QueryError::UnknownRecord));
		assert_eq!(query(STRANGER, 7), Err(QueryError::NotAuthorised));
		assert_eq!(
			Sharing::query(&COMPANY, &OFFICE, key(7)),
			Err(QueryError::UnknownRecord)
		);
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(7) }));
		assert_eq!(query(COMPANY, 7), Err(QueryError::UnknownRecord));
	});
}

#[test]
fn a_range_ends_before_its_end() {
	with_dataset(|| {
		for number in [4, 5, 9, 10] {
			assert_ok!(submit(SCHOOL, store(number)));
		}
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(5, 10), 50, None)));
		assert_eq!(query(COMPANY, 4), Err(QueryError::OutOfRange));
		assert!(query(COMPANY, 5).is_ok());
		assert!(query(COMPANY, 9).is_ok());
		assert_eq!(query(COMPANY, 10), Err(QueryError::OutOfRange));
	});
}

#[test]
fn any_grant_that_is_good_opens() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		for (range, expiry) in [(scope(7, 8), 50), (scope(0, 10), 20), (scope(20, 30), 50)] {
			assert_ok!(submit(SCHOOL, authorize(COMPANY, range, expiry, None)));
		}
		// The newest grant is returned, because it is sealed to the newest key.
		assert_eq!(query(COMPANY, 7).unwrap().grant.unwrap().grant, 1);
		run_to(20);
		assert_eq!(query(COMPANY, 7).unwrap().grant.unwrap().grant, 0);
		assert_ok!(submit(SCHOOL, revoke(0)));
		// Both grants have ended. The newest one determines the reason.
		assert_eq!(query(COMPANY, 7), Err(QueryError::Expired));
	});
}

#[test]
fn a_grant_is_for_its_epoch() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		for grantee in [COMPANY, RIVAL] {
			assert_ok!(submit(SCHOOL, authorize(grantee, scope(0, 10), 50, None)));
		}
		assert_ok!(submit(SCHOOL, revoke(0)));
		let value = vec![1];
		assert_ok!(submit(
			SCHOOL,
			SharingCall::store {
				key: key(8),
				dataset: 0,
				epoch: 1,
				leaf: 8,
				value
			}
		));
		// The other reader can read earlier records, and needs a new grant for later ones.
		assert!(query(RIVAL, 7).is_ok());
		assert_eq!(query(RIVAL, 8), Err(QueryError::NotAuthorised));
		let again = Scope {
			epoch: 1,
			..scope(0, 10)
		};
		assert_ok!(submit(SCHOOL, authorize(RIVAL, again, 50, None)));
		assert!(query(RIVAL, 8).is_ok());
		assert_eq!(query(COMPANY, 7), Err(QueryError::Revoked));
		assert_eq!(query(COMPANY, 8), Err(QueryError::NotAuthorised));
	});
}

#[test]
fn revoking_and_sealing_again_fit_in_one_batch() {
	with_dataset(|| {
		for grantee in [COMPANY, RIVAL] {
			assert_ok!(submit(SCHOOL, authorize(grantee, scope(0, 10), 50, None)));
		}
		let again = Scope {
			epoch: 1,
			..scope(0, 10)
		};
		let calls = vec![revoke(0).into(), authorize(RIVAL, again, 50, None).into()];
		assert_ok!(submit(SCHOOL, pallet_utility::Call::batch_all { calls }));
		assert_eq!(authorised(1, RIVAL), [2]);
	});
}

#[test]
fn a_grant_outlives_the_key_it_is_sealed_to() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)));
		assert_ok!(submit(COMPANY, SharingCall::remove_encryption_key {}));
		assert!(query(COMPANY, 7).is_ok());
		assert_noop!(
			submit(SCHOOL, authorize(COMPANY, scope(0, 10), 50, None)),
			Error::NoEncryptionKey
		);
	});
}

/// Returns an `add_authorize` call for the company's range until a date.
fn until(date: u64, request: Option<RequestId>) -> SharingCall {
	SharingCall::add_authorize {
		grantee: COMPANY,
		scope: scope(0, 10),
		expiry: 50,
		until: Some(date),
		sealed_keys: b"sealed".to_vec(),
		request: request.map(answered),
		condition: None,
	}
}

#[test]
fn a_grant_ends_at_its_date() {
	with_dataset(|| {
		let now = Time::get();
		assert_noop!(submit(SCHOOL, until(now, None)), Error::ExpiryPassed);
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, until(now + 60, None)));
		let open = query(COMPANY, 7).unwrap().grant.unwrap();
		assert_eq!(open.until, Some(now + 60));
		Time::set(now + 59);
		assert!(query(COMPANY, 7).is_ok());
		Time::set(now + 60);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Expired));
		let state = |state| {
			Sharing::grants_to(&COMPANY, Some(state), None, 10)
				.items
				.len()
		};
		assert_eq!(state(GrantState::Active), 0);
		assert_eq!(state(GrantState::Expired), 1);
		// Its entry in the state is updated when the agenda comes to it, about the block of its date: the mock's
		// blocks take a second, so that its expiry comes first.
		assert_eq!(Grants::<Test>::get(0).unwrap().state, GrantState::Active);
		run_to(50);
		assert_eq!(Grants::<Test>::get(0).unwrap().state, GrantState::Expired);
	});
}

#[test]
fn a_grant_whose_date_passed_makes_room_and_says_so() {
	with_dataset(|| {
		let now = Time::get();
		for _ in 0..MAX_GRANTS_PER_READER {
			assert_ok!(submit(SCHOOL, until(now + 60, None)));
		}
		let held_before = held(HoldReason::Grant, SCHOOL);
		assert_noop!(submit(SCHOOL, until(now + 60, None)), Error::TooManyGrants);
		Time::set(now + 60);
		assert_ok!(submit(SCHOOL, until(now + 120, None)));
		assert_eq!(held(HoldReason::Grant, SCHOOL), held_before);
		assert_eq!(Grants::<Test>::get(0), None);
		let expired = SharingEvent::GrantExpired {
			grant: 0,
			owner: SCHOOL,
			grantee: COMPANY,
			scope: scope(0, 10),
		};
		assert!(System::events()
			.into_iter()
			.any(|record| record.event == RuntimeEvent::Sharing(expired.clone())));
	});
}

#[test]
fn a_term_that_was_paid_for_has_no_date() {
	with_dataset(|| {
		let date = Time::get() + 60;
		assert_ok!(submit(COMPANY, request(scope(0, 10), 5)));
		assert_noop!(submit(SCHOOL, until(date, Some(0))), Error::DateOnPaidTerm);
		assert_ok!(submit(
			SCHOOL,
			SharingCall::reject_request {
				request: 0,
				reason: vec![]
			}
		));
		// A grant without payment can have a date.
		assert_ok!(submit(COMPANY, request(scope(0, 10), 0)));
		assert_ok!(submit(SCHOOL, until(date, Some(1))));
	});
}

/// Returns the weight that a call turned out to have, if it is less than its maximum.
fn actual_weight(who: u64, call: SharingCall) -> Option<Weight> {
	use sp_runtime::traits::Dispatchable;
	let result = RuntimeCall::from(call).dispatch(Some(who).into());
	result.expect("the call succeeds").actual_weight
}

/// A reader's open requests count, too. Its grants were read and not paid for where its list was not full.
#[test]
fn an_owner_pays_for_the_grants_that_are_read_to_find_room() {
	with_dataset(|| {
		let give = |to| authorize(COMPANY, scope(0, to), 100, None);
		let least = Some(<Test as Config>::WeightInfo::add_authorize());
		for to in 1..=10 {
			assert_eq!(actual_weight(SCHOOL, give(to)), least);
		}
		for to in 1..=5 {
			assert_ok!(submit(COMPANY, request(scope(0, to), 0)));
		}
		// The last place that is free.
		assert_eq!(actual_weight(SCHOOL, give(11)), least);
		Grants::<Test>::mutate(0, |grant| grant.as_mut().unwrap().until = Some(0));
		// From here on it depends on whether one of the grants has ended.
		assert_eq!(actual_weight(SCHOOL, give(12)), None);
		// A request has its place, so that no grants are read for its answer.
		let answer = authorize(COMPANY, scope(0, 1), 100, Some(0));
		assert_eq!(actual_weight(SCHOOL, answer), least);
	});
}
