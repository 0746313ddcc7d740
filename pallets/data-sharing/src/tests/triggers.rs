// SPDX-License-Identifier: Apache-2.0
//! Tests the conditions of policies, of offers and of records: a request is refused, an offer is taken back, and an embargo
//! ends, each by facts, credentials and time.

use super::policies::POLICY;
use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok, dispatch::GetDispatchInfo, traits::Hooks, weights::Weight,
};
use isthmus_conditions::{Condition, MAX_NODES};
use isthmus_sharing::{
	terms::{Footprint, TRIGGER_ENTRIES},
	QueryError,
};
use polkadot_sdk::*;
use sp_runtime::traits::Dispatchable;

const SMOG: &str = "fact(weather/beijing, t) > 75";

fn policy_if(text: &str) -> SharingCall {
	SharingCall::set_policy {
		dataset: 0,
		policy: POLICY,
		condition: Some(condition(text)),
	}
}

fn withdraw_when(request: RequestId, text: &str) -> SharingCall {
	let condition = Some(condition(text));
	SharingCall::withdraw_when { request, condition }
}

fn embargo(number: u8, condition: Option<Condition>) -> SharingCall {
	SharingCall::embargo {
		key: key(number),
		dataset: 0,
		condition,
	}
}

fn embargo_until(number: u8, text: &str) -> SharingCall {
	embargo(number, Some(condition(text)))
}

fn verdict() -> Verdict {
	Sharing::verdict_of(
		&COMPANY,
		&SCHOOL,
		&scope(0, 9),
		PurposeCode::Unspecified,
		&20,
		&5,
		false,
	)
}

/// Writes the account of a number as conditions do.
fn account(who: u64) -> String {
	format!("0x{who:02x}{}", "00".repeat(31))
}

#[test]
fn a_request_that_is_known_not_to_meet_the_condition_is_refused() {
	with_dataset(|| {
		let before = held(HoldReason::Condition, SCHOOL);
		assert_ok!(submit(SCHOOL, policy_if(SMOG)));
		assert!(matches!(
			last_event(),
			SharingEvent::PolicySet { condition: Some(shown), .. } if shown.to_string() == SMOG
		));
		// A fact that is missing refuses nothing, and meets nothing.
		assert_eq!(verdict(), Verdict::ConditionNotMet);
		assert_ok!(submit(COMPANY, request(scope(0, 9), 5)));
		report("weather/beijing", 70);
		assert_eq!(verdict(), Verdict::ConditionNotMet);
		assert_noop!(
			submit(COMPANY, request(scope(0, 8), 5)),
			Error::RequestRefused
		);
		// What is open stays so: its owner may answer it all the same.
		assert!(Requests::<Test>::contains_key(0));
		report("weather/beijing", 80);
		assert_eq!(verdict(), Verdict::Meets);
		assert_ok!(submit(COMPANY, request(scope(0, 8), 5)));
		// The rest of the policy counts, too, and comes first.
		let cheap = Sharing::verdict_of(
			&COMPANY,
			&SCHOOL,
			&scope(0, 9),
			PurposeCode::Unspecified,
			&20,
			&4,
			false,
		);
		assert_eq!(cheap, Verdict::OfferTooLow);
		let listed = Sharing::datasets(&SCHOOL, None, 9).items.remove(0);
		assert_eq!(listed.condition, Some(condition(SMOG)));
		// The deposit is the condition's, and comes back with it.
		let deposit = Sharing::deposit(Footprint::condition(
			0,
			codec::Encode::encoded_size(&condition(SMOG)),
		));
		assert_eq!(held(HoldReason::Condition, SCHOOL), before + deposit);
		assert_ok!(submit(SCHOOL, super::policies::set(POLICY)));
		assert_eq!(held(HoldReason::Condition, SCHOOL), before);
		assert_ok!(submit(SCHOOL, policy_if(SMOG)));
		assert_ok!(submit(SCHOOL, SharingCall::clear_policy { dataset: 0 }));
		assert_eq!(held(HoldReason::Condition, SCHOOL), before);
	});
}

#[test]
fn a_policy_judges_the_consumer_and_what_it_offers() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, policy_if("paid >= 6")));
		assert_noop!(
			submit(COMPANY, request(scope(0, 9), 5)),
			Error::RequestRefused
		);
		assert_ok!(submit(COMPANY, request(scope(0, 9), 6)));

		let hospital = format!("credential({}, hospital)", account(OFFICE));
		assert_ok!(submit(SCHOOL, policy_if(&hospital)));
		assert_noop!(
			submit(COMPANY, request(scope(0, 8), 5)),
			Error::RequestRefused
		);
		let about = (COMPANY, OFFICE, name("hospital"));
		Credentials::mutate(|all| all.insert(about, Time::get() + 20));
		assert_ok!(submit(COMPANY, request(scope(0, 8), 5)));

		let granted = format!("granted({}, 0)", account(SCHOOL));
		assert_ok!(submit(SCHOOL, policy_if(&granted)));
		assert_eq!(verdict(), Verdict::ConditionNotMet);
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 3), 40, None)));
		assert_eq!(verdict(), Verdict::Meets);
		// Another reader has none, and one that has expired does not count.
		let rival = Sharing::verdict_of(
			&RIVAL,
			&SCHOOL,
			&scope(0, 9),
			PurposeCode::Unspecified,
			&20,
			&5,
			false,
		);
		assert_eq!(rival, Verdict::ConditionNotMet);
		run_to(40);
		assert_eq!(verdict(), Verdict::ConditionNotMet);

		// The grant is kept for a while.
		assert_ok!(submit(SCHOOL, policy_if("count < 1")));
		assert_eq!(verdict(), Verdict::ConditionNotMet);
		run_to(40 + MEMORY);
		assert_eq!(verdict(), Verdict::Meets);
	});
}

#[test]
fn the_condition_of_a_policy_reads_few_things() {
	with_dataset(|| {
		let grants = |count| vec![format!("granted({}, 0)", account(SCHOOL)); count].join(" or ");
		assert_ok!(submit(SCHOOL, policy_if(&grants(4))));
		assert_noop!(submit(SCHOOL, policy_if(&grants(5))), Error::TooManyWatched);
		let mixed = format!("{} or {SMOG} or paid >= 3 or count < 3", grants(3));
		assert_ok!(submit(SCHOOL, policy_if(&mixed)));
		assert_noop!(
			submit(SCHOOL, policy_if(&format!("{mixed} or before(2027-01-01)"))),
			Error::TooManyWatched
		);
		// It is paid for only if there is one.
		let weight = |call: SharingCall| call.get_dispatch_info().call_weight;
		type Weights = <Test as Config>::WeightInfo;
		let most = Weights::request_access().saturating_add(Sharing::weight_of_judging());
		assert_eq!(weight(request(scope(0, 9), 5)), most);
	});
}

#[test]
fn a_fact_takes_an_offer_back_after_the_notice() {
	with_dataset(|| {
		let free = Balances::free_balance(COMPANY);
		assert_ok!(submit(COMPANY, request(scope(0, 9), 500)));
		assert_ok!(submit(COMPANY, withdraw_when(0, SMOG)));
		assert_eq!(
			last_event(),
			SharingEvent::WithdrawalSet {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 9),
				condition: Some(condition(SMOG)),
			}
		);
		report("weather/beijing", 75);
		assert_eq!(
			Requests::<Test>::get(0).expect("it is open").valid_until,
			1 + LIFETIME
		);
		report("weather/beijing", 76);
		assert_eq!(
			last_event(),
			SharingEvent::OfferReleased {
				request: 0,
				owner: SCHOOL,
				consumer: COMPANY,
				scope: scope(0, 9),
				valid_until: 1 + NOTICE,
			}
		);
		assert_eq!(Triggers::<Test>::iter().count(), 0);
		assert_eq!(held(HoldReason::Condition, COMPANY), 0);
		// Until the end of the notice the owner may answer: its sealed keys may be under way.
		assert_eq!(held(HoldReason::Offer, COMPANY), 500);
		run_to(1 + NOTICE);
		assert_eq!(Balances::free_balance(COMPANY), free);
		assert!(!Requests::<Test>::contains_key(0));
	});
}

/// A reader that reports for the source itself cannot use it to get the keys for nothing.
#[test]
fn a_condition_does_not_make_an_answer_in_flight_fail() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 9), 500)));
		assert_ok!(submit(COMPANY, withdraw_when(0, SMOG)));
		let answer = authorize(COMPANY, scope(0, 9), 100, Some(0));
		report("weather/beijing", 80);
		run_to(NOTICE);
		let before = Balances::free_balance(SCHOOL);
		assert_ok!(submit(SCHOOL, answer));
		run_to(NOTICE + WINDOW);
		assert_eq!(Balances::free_balance(SCHOOL), before + 500);
	});
}

#[test]
fn a_request_without_an_offer_is_closed_at_once() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 9), 0)));
		assert_ok!(submit(COMPANY, withdraw_when(0, SMOG)));
		report("weather/beijing", 80);
		assert!(matches!(
			last_event(),
			SharingEvent::OfferReleased { valid_until: 1, .. }
		));
		assert_eq!(Requests::<Test>::iter().count(), 0);
		assert_eq!(
			Balances::reserved_balance(COMPANY),
			held(HoldReason::EncryptionKey, COMPANY)
		);
	});
}

#[test]
fn an_offer_has_one_condition_which_ends_with_the_request() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 9), 5)));
		let call = |who, call| submit(who, call);
		assert_noop!(call(RIVAL, withdraw_when(0, SMOG)), Error::UnknownRequest);
		assert_noop!(call(COMPANY, withdraw_when(1, SMOG)), Error::UnknownRequest);
		assert_noop!(
			call(COMPANY, withdraw_when(0, "paid >= 3")),
			Error::ConditionNotWatched
		);
		assert_noop!(
			call(COMPANY, withdraw_when(0, "after(1970-01-02)")),
			Error::ConditionMet
		);
		let none = SharingCall::withdraw_when {
			request: 0,
			condition: None,
		};
		assert_noop!(call(COMPANY, none.clone()), Error::NoCondition);
		let shanghai = "fact(weather/shanghai, t) > 75";
		for text in [SMOG, shanghai] {
			assert_ok!(call(COMPANY, withdraw_when(0, text)));
			let length = codec::Encode::encoded_size(&condition(text));
			let deposit = Sharing::deposit(Footprint::condition(TRIGGER_ENTRIES + 2, length));
			assert_eq!(held(HoldReason::Condition, COMPANY), deposit);
		}
		// The first one counts no more.
		report("weather/beijing", 80);
		assert_eq!(Triggers::<Test>::iter().count(), 1);
		assert_ok!(call(COMPANY, none));
		report("weather/shanghai", 80);
		assert_eq!(Triggers::<Test>::iter().count(), 0);

		let other = "fact(weather/rome, t) > 75";
		assert_ok!(call(COMPANY, withdraw_when(0, other)));
		let ends: [fn() -> SharingCall; 3] = [
			|| SharingCall::reject_request {
				request: 0,
				reason: vec![],
			},
			|| SharingCall::cancel_request { request: 1 },
			|| authorize(COMPANY, scope(0, 7), 100, Some(2)),
		];
		for (who, end) in [SCHOOL, COMPANY, SCHOOL].into_iter().zip(ends) {
			let ended = NextRequest::<Test>::get() - 1;
			assert_ok!(call(who, end()));
			assert_eq!(held(HoldReason::Condition, COMPANY), 0, "{ended}");
			assert_ok!(call(COMPANY, request(scope(0, 8 - ended), 0)));
			assert_ok!(call(COMPANY, withdraw_when(ended + 1, other)));
		}
		run_to(2 + LIFETIME);
		Sharing::on_idle(System::block_number(), Weight::MAX);
		assert_eq!(Requests::<Test>::iter().count(), 0);
		assert_eq!(held(HoldReason::Condition, COMPANY), 0);
		assert_eq!(Waiting::<Test>::iter().count(), 0);
	});
}

#[test]
fn an_embargo_refuses_queries_until_its_condition_is_met_and_does_not_return() {
	with_dataset(|| {
		// Before the record is there, so that it is never readable.
		assert_ok!(submit(SCHOOL, embargo_until(7, SMOG)));
		assert_eq!(
			last_event(),
			SharingEvent::Embargoed {
				owner: SCHOOL,
				key: key(7),
				condition: condition(SMOG),
				dataset: 0,
				by: SCHOOL,
			}
		);
		let listed = || Sharing::embargoes(&SCHOOL, None, 9).items;
		assert_eq!(listed()[0].place, None);
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, store(8)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 100), 500, None)));
		assert_eq!(listed()[0].place, Some((0, 0, 7)));
		assert_eq!(listed()[0].condition, condition(SMOG));
		assert_eq!(query(COMPANY, 7), Err(QueryError::Embargoed));
		assert_eq!(query(STRANGER, 7), Err(QueryError::NotAuthorised));
		assert!(query(COMPANY, 8).is_ok());
		assert!(query(SCHOOL, 7).is_ok());
		report("weather/beijing", 80);
		assert_eq!(
			last_event(),
			SharingEvent::EmbargoLifted {
				owner: SCHOOL,
				key: key(7),
				met: true,
				dataset: 0,
				by: SCHOOL,
			}
		);
		assert!(query(COMPANY, 7).is_ok());
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert!(listed().is_empty());
		report("weather/beijing", 70);
		assert!(query(COMPANY, 7).is_ok());
	});
}

#[test]
fn a_date_ends_an_embargo() {
	with_dataset(|| {
		let start = Time::get();
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 100), 500, None)));
		assert_ok!(submit(
			SCHOOL,
			embargo_until(7, "after(1970-01-12T13:47:40Z)")
		));
		for second in 1..60 {
			Time::set(start + second);
			run_to(System::block_number() + 1);
			assert_eq!(query(COMPANY, 7), Err(QueryError::Embargoed), "{second}");
		}
		for second in 60..63 {
			Time::set(start + second);
			run_to(System::block_number() + 1);
		}
		assert!(query(COMPANY, 7).is_ok());
		assert_eq!(
			Agenda::<Test>::iter()
				.filter(|(_, due, ())| matches!(due, Due::Trigger(_)))
				.count(),
			0
		);
	});
}

#[test]
fn an_embargo_is_lifted_by_its_owner_or_with_its_record() {
	with_dataset(|| {
		assert_noop!(
			submit(STRANGER, embargo_until(7, SMOG)),
			Error::NotRegistered
		);
		assert_noop!(submit(SCHOOL, embargo(7, None)), Error::NoCondition);
		assert_ok!(submit(SCHOOL, store(7)));
		let lifted = SharingEvent::EmbargoLifted {
			owner: SCHOOL,
			key: key(7),
			met: false,
			dataset: 0,
			by: SCHOOL,
		};
		assert_ok!(submit(SCHOOL, embargo_until(7, SMOG)));
		assert_ok!(submit(SCHOOL, embargo(7, None)));
		assert_eq!(last_event(), lifted);
		assert_ok!(submit(SCHOOL, embargo_until(7, SMOG)));
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(7) }));
		assert!(System::events()
			.iter()
			.rev()
			.take(2)
			.any(|record| { record.event == RuntimeEvent::Sharing(lifted.clone()) }));
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert_eq!(Waiting::<Test>::iter().count(), 0);
	});
}

#[test]
fn what_was_paid_for_is_not_put_under_an_embargo() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(COMPANY, request(scope(0, 9), 500)));
		let answer = authorize(COMPANY, scope(0, 9), 100, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		assert_noop!(submit(SCHOOL, embargo_until(7, SMOG)), Error::RecordPaidFor);
		// A record that comes later was not paid for.
		assert_ok!(submit(SCHOOL, embargo_until(8, SMOG)));
	});
}

#[test]
fn anyone_can_have_a_trigger_looked_at() {
	with_dataset(|| {
		assert_ok!(submit(
			SCHOOL,
			embargo_until(7, "after(1970-01-12T13:56:40Z)")
		));
		let look = || SharingCall::settle {
			due: vec![Due::Trigger(0)].try_into().expect("there is one"),
		};
		assert_noop!(submit(STRANGER, look()), Error::NothingDue);
		Time::set(Time::get() + 600);
		assert_ok!(submit(STRANGER, look()));
		assert_eq!(Embargoes::<Test>::iter().count(), 0);
		assert_noop!(submit(STRANGER, look()), Error::NothingDue);
	});
}

/// What sets or carries out a condition is charged by the nodes of that condition, not by those of the largest one.
#[test]
fn conditions_are_charged_by_their_nodes() {
	type Weights = <Test as Config>::WeightInfo;
	type Set = fn(Option<Condition>) -> SharingCall;
	type ByNodes = fn(u32) -> Weight;
	with_dataset(|| {
		let small = "after(1970-01-12T13:56:40Z)";
		let large = [small; 8].join(" and ");
		let nodes = |text: &str| condition(text).nodes() as u32;
		let (few, many) = (nodes(small), nodes(&large));
		assert!(few < many && many < MAX_NODES as u32, "{few}, {many}");
		let declared = |call: SharingCall| call.get_dispatch_info().call_weight;
		let sets: [(ByNodes, Set); 2] = [
			(Weights::embargo, |condition| embargo(7, condition)),
			(Weights::withdraw_when, |condition| {
				SharingCall::withdraw_when {
					request: 0,
					condition,
				}
			}),
		];
		// Another account may have set what is replaced.
		let other = <Test as frame_system::Config>::DbWeight::get().reads_writes(2, 2);
		for (by_nodes, set) in sets {
			let with_few = declared(set(Some(condition(small))));
			assert_eq!(with_few, by_nodes(few).saturating_add(other));
			let with_many = declared(set(Some(condition(&large))));
			assert_eq!(with_many, by_nodes(many).saturating_add(other));
			assert_eq!(declared(set(None)), by_nodes(0).saturating_add(other));
			assert!(by_nodes(few).all_lte(by_nodes(many)));
		}

		// Firing one is charged by its nodes when it is done: `settle` does not know it before.
		assert_ok!(submit(SCHOOL, embargo_until(7, &large)));
		assert_ok!(submit(SCHOOL, embargo_until(8, small)));
		Time::set(Time::get() + 600);
		for (trigger, nodes) in [(0, many), (1, few)] {
			let due = vec![Due::Trigger(trigger)];
			let look = RuntimeCall::from(SharingCall::settle {
				due: due.try_into().expect("there is one"),
			});
			let declared = look.get_dispatch_info().call_weight;
			assert_eq!(declared, Sharing::weight_of_trigger(MAX_NODES as u32));
			let done = look.dispatch(RuntimeOrigin::signed(STRANGER));
			let used = done.expect("it is due").actual_weight;
			assert_eq!(used, Some(Sharing::weight_of_trigger(nodes)));
			assert!(used.is_some_and(|used| used.all_lte(declared)));
		}
		assert_eq!(Embargoes::<Test>::iter().count(), 0);
	});
}

/// A report that fires triggers weighs no more than it pays for, and the rest are fired as blocks have room.
#[test]
fn many_triggers_on_one_fact_are_carried_out_in_time() {
	with_dataset(|| {
		for number in 0..40 {
			assert_ok!(submit(SCHOOL, embargo_until(number, SMOG)));
		}
		let used = report("weather/beijing", 80);
		assert!(used.all_lte(Sharing::weight_of_change()), "{used:?}");
		let left = || Embargoes::<Test>::iter().count();
		assert!((1..40).contains(&left()), "{}", left());
		// Room for one turn.
		let room = Sharing::weight_of_change().saturating_mul(2);
		for blocks in 1.. {
			assert!(blocks <= 40, "{} are left", left());
			run_to(System::block_number() + 1);
			let used = Sharing::on_idle(System::block_number(), room);
			assert!(used.all_lte(room), "{used:?}");
			assert_eq!(Sharing::do_try_state(), Ok(()));
			if left() == 0 {
				break;
			}
		}
		assert_eq!(Crowds::<Test>::iter().count(), 0);
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
	});
}
