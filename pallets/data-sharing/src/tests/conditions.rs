// SPDX-License-Identifier: Apache-2.0
//! Tests that grants are suspended and resumed by facts, credentials and time, and that what
//! waits is carried out in time, however much it is.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::{Get, Hooks},
	weights::Weight,
};
use isthmus_conditions::Truth;
use isthmus_sharing::{terms::Footprint, QueryError};
use polkadot_sdk::*;

const SMOG: &str = "fact(weather/beijing, t) > 75";

fn state(id: GrantId) -> GrantState {
	Grants::<Test>::get(id).expect("it exists").state
}

/// Gives grant 0 to the company under a condition, for record 7.
fn give(text: &str) {
	assert_ok!(submit(SCHOOL, store(7)));
	assert_ok!(submit(SCHOOL, authorize_while(COMPANY, text)));
}

#[test]
fn a_fact_suspends_a_grant_and_resumes_it() {
	with_dataset(|| {
		report("weather/beijing", 80);
		give(SMOG);
		assert!(matches!(
			last_event(),
			SharingEvent::Authorized { condition: Some(shown), .. } if shown.to_string() == SMOG
		));
		assert!(query(COMPANY, 7).is_ok());
		let free = Balances::free_balance(COMPANY);
		report("weather/beijing", 70);
		assert_eq!(
			last_event(),
			SharingEvent::GrantSuspended {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 100),
				truth: Truth::False,
			}
		);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Suspended));
		// The owner reads its own record, and a stranger learns nothing.
		assert!(query(SCHOOL, 7).is_ok());
		assert_eq!(query(STRANGER, 7), Err(QueryError::NotAuthorised));
		// A report that changes nothing has no event.
		let events = System::events().len();
		report("weather/beijing", 60);
		assert_eq!(System::events().len(), events);
		report("weather/beijing", 76);
		assert_eq!(
			last_event(),
			SharingEvent::GrantResumed {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 100),
			}
		);
		assert!(query(COMPANY, 7).is_ok());
		assert_eq!(Balances::free_balance(COMPANY), free);
	});
}

#[test]
fn a_grant_whose_fact_is_missing_begins_suspended_and_ends_as_any_other() {
	with_dataset(|| {
		give(SMOG);
		let SharingEvent::GrantSuspended {
			grant: 0, truth, ..
		} = last_event()
		else {
			panic!("{:?}", last_event());
		};
		assert_eq!(truth, Truth::Unknown);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Suspended));
		// It does not hide a grant without a condition, nor is it hidden by one that ended.
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 9), 4, None)));
		assert!(query(COMPANY, 7).is_ok());
		run_to(4);
		assert_eq!(query(COMPANY, 7), Err(QueryError::Expired));
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant: 0 }));
		assert_eq!(state(0), GrantState::Revoked);
		report("weather/beijing", 80);
		assert_eq!(state(0), GrantState::Revoked);
	});
}

#[test]
fn a_suspended_grant_expires() {
	with_dataset(|| {
		let mut call = authorize_while(COMPANY, SMOG);
		if let SharingCall::add_authorize { expiry, .. } = &mut call {
			*expiry = 5;
		}
		assert_ok!(submit(SCHOOL, call));
		report("weather/beijing", 80);
		report("weather/beijing", 70);
		run_to(5);
		assert_eq!(state(0), GrantState::Expired);
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert_eq!(Waiting::<Test>::iter().count(), 0);
		assert_eq!(Crowds::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_condition_takes_a_deposit_until_its_grant_ends() {
	with_dataset(|| {
		let text = format!("{SMOG} and fact(weather/beijing, t, 10m) < 500 and before(2027-01-01)");
		give(&text);
		// The fact and its source.
		let length = codec::Encode::encoded_size(&condition(&text));
		let deposit = Sharing::deposit(Footprint::condition(2, length));
		assert_eq!(held(HoldReason::Condition, SCHOOL), deposit);
		assert_eq!(Waiting::<Test>::iter().count(), 2);
		assert_ok!(submit(COMPANY, SharingCall::renounce { grant: 0 }));
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert_eq!(Waiting::<Test>::iter().count(), 0);
	});
}

#[test]
fn the_last_places_of_a_source_are_dear() {
	with_dataset(|| {
		MaxWaiting::set(20);
		let price = |reader| {
			let before = held(HoldReason::Condition, SCHOOL);
			assert_ok!(submit(SCHOOL, authorize_while(reader, SMOG)));
			held(HoldReason::Condition, SCHOOL) - before
		};
		let length = codec::Encode::encoded_size(&condition(SMOG));
		let of = |places| Sharing::deposit(Footprint::condition(places, length));
		// A place for the fact, and one for its source.
		for waiting in 0..20 {
			let reader = [COMPANY, RIVAL][waiting % 2];
			assert_eq!(price(reader), of(2 << (waiting / 2)), "{waiting}");
		}
		// Each gets back what it paid.
		for grant in 0..20 {
			assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		}
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert_eq!(price(COMPANY), of(2));
	});
}

#[test]
fn a_condition_that_cannot_be_watched_is_refused() {
	let zeros = "00".repeat(32);
	with_dataset(|| {
		for text in [
			"paid >= 3".to_owned(),
			"count < 3".to_owned(),
			format!("{SMOG} or granted(0x{zeros}, 0)"),
		] {
			let call = authorize_while(COMPANY, &text);
			assert_noop!(submit(SCHOOL, call), Error::ConditionNotWatched);
		}
		let facts = |count: usize| {
			let facts: Vec<_> = (0..count).map(|n| format!("fact(s{n}, t) > 0")).collect();
			authorize_while(COMPANY, &facts.join(" and "))
		};
		assert_noop!(submit(SCHOOL, facts(5)), Error::TooManyWatched);
		assert_ok!(submit(SCHOOL, facts(4)));
		MaxWaiting::set(1);
		assert_noop!(submit(SCHOOL, facts(1)), Error::TooManyWaiting);
		MaxWaiting::set(2);
		assert_ok!(submit(SCHOOL, facts(1)));
	});
}

#[test]
fn dates_and_ages_count_among_what_is_watched() {
	with_dataset(|| {
		let give = |text: &str| submit(SCHOOL, authorize_while(COMPANY, text));
		let dates = "after(2027-01-01) or before(2028-01-01) or after(2029-01-01)";
		assert_ok!(give(&format!("{dates} or {SMOG}")));
		assert_ok!(give(&format!("{dates} or not after(2027-01-01) or {SMOG}")));
		let ages = "fact(weather/beijing, t, 10m) > 0 or fact(weather/beijing, t, 9m) > 0";
		assert_ok!(give(&format!("{ages} or after(2027-01-01) or {SMOG}")));
		for text in [
			format!("{dates} or before(2030-01-01) or {SMOG}"),
			format!("{ages} or fact(weather/beijing, t, 8m) > 0 or after(2027-01-01) or {SMOG}"),
			(2027..2032)
				.map(|year| format!("after({year}-01-01)"))
				.collect::<Vec<_>>()
				.join(" or "),
		] {
			let call = authorize_while(COMPANY, &text);
			assert_noop!(submit(SCHOOL, call), Error::TooManyWatched);
		}
	});
}

#[test]
fn an_answer_is_under_no_condition() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 9), 500)));
		assert_ok!(submit(COMPANY, request(scope(0, 8), 0)));
		let answer = |id, scope| {
			let mut call = authorize(COMPANY, scope, 100, Some(id));
			if let SharingCall::add_authorize { condition, .. } = &mut call {
				*condition = Some(self::condition(SMOG));
			}
			call
		};
		// Nor if the reader pays nothing: the digest of its request stands for an agreement without a condition.
		for (id, scope) in [(0, scope(0, 9)), (1, scope(0, 8))] {
			assert_noop!(
				submit(SCHOOL, answer(id, scope)),
				Error::ConditionNotRequested
			);
		}
	});
}

#[test]
fn credentials_count() {
	with_dataset(|| {
		give(&format!(
			"credential(0x{:02x}{}, hospital)",
			OFFICE,
			"00".repeat(31)
		));
		assert_eq!(state(0), GrantState::Suspended);
		let about = |account| (account, OFFICE, name("hospital"));
		let changed = |account| {
			Sharing::changed(&Cause::Credential {
				account,
				issuer: OFFICE,
				kind: name("hospital"),
			})
		};
		let until = Time::get() + 20;
		// Another account's does not count.
		Credentials::mutate(|all| all.insert(about(RIVAL), until));
		changed(RIVAL);
		assert_eq!(state(0), GrantState::Suspended);
		Credentials::mutate(|all| all.insert(about(COMPANY), until));
		changed(COMPANY);
		assert_eq!(state(0), GrantState::Active);
		// It ends at its time, without a change.
		for block in 2..=21 {
			assert_eq!(state(0), GrantState::Active, "{block}");
			Time::set(Time::get() + 1);
			run_to(block);
		}
		assert_eq!(state(0), GrantState::Suspended);
	});
}

/// Blocks of one second, whose time is a block late when the agenda looks at it.
#[test]
fn time_suspends_and_resumes_within_two_blocks() {
	with_dataset(|| {
		let start = Time::get();
		assert_eq!(start, 1_000_000, "1970-01-12T13:46:40Z");
		give("after(1970-01-12T13:47:40Z) and before(1970-01-12T13:50:00Z)");
		assert_eq!(state(0), GrantState::Suspended);
		let looks = |from: u64, to: u64| {
			let mut looks = 0;
			for second in from..to {
				let due = Grants::<Test>::get(0).expect("it exists").due;
				run_to(System::block_number() + 1);
				looks += usize::from(due == System::block_number());
				Time::set(start + second);
			}
			looks
		};
		// It looks seldom at first.
		assert!(looks(1, 60) <= 8);
		assert_eq!(state(0), GrantState::Suspended);
		looks(60, 63);
		assert_eq!(state(0), GrantState::Active);
		assert!(looks(63, 200) <= 10);
		assert_eq!(state(0), GrantState::Active);
		looks(200, 203);
		assert_eq!(state(0), GrantState::Suspended);
	});
}

#[test]
fn blocks_that_are_half_as_fast_as_expected_delay_it_by_little() {
	with_dataset(|| {
		give("after(1970-01-12T13:56:40Z)");
		let comes = Time::get() + 600;
		while Time::get() < comes {
			assert_eq!(state(0), GrantState::Suspended);
			Time::set(Time::get() + 2);
			run_to(System::block_number() + 1);
		}
		run_to(System::block_number() + 2);
		assert_eq!(state(0), GrantState::Active);
	});
}

#[test]
fn a_fact_that_grows_too_old_suspends() {
	with_dataset(|| {
		report("weather/beijing", 80);
		give(SMOG);
		for age in 1..=FRESH + 3 {
			Time::set(Time::get() + 1);
			run_to(System::block_number() + 1);
			if age <= FRESH {
				assert_eq!(state(0), GrantState::Active, "{age}");
			}
		}
		let SharingEvent::GrantSuspended { truth, .. } = last_event() else {
			panic!("{:?}", last_event());
		};
		assert_eq!((state(0), truth), (GrantState::Suspended, Truth::Unknown));
	});
}

#[test]
fn a_source_that_changes_is_looked_at() {
	with_dataset(|| {
		report("weather/beijing", 80);
		give(SMOG);
		Facts::set(Default::default());
		Sharing::changed(&Cause::Source(name("weather/shanghai")));
		assert_eq!(state(0), GrantState::Active);
		Sharing::changed(&Cause::Source(name("weather/beijing")));
		assert_eq!(state(0), GrantState::Suspended);
	});
}

#[test]
fn anyone_can_have_a_condition_looked_at() {
	with_dataset(|| {
		report("weather/beijing", 80);
		give(SMOG);
		let look = || SharingCall::settle {
			due: vec![Due::Grant(0)].try_into().expect("there is one"),
		};
		assert_noop!(submit(STRANGER, look()), Error::NothingDue);
		Time::set(Time::get() + FRESH + 1);
		assert_eq!(state(0), GrantState::Active);
		assert_ok!(submit(STRANGER, look()));
		assert_eq!(state(0), GrantState::Suspended);
	});
}

/// Gives this many grants that wait for one fact, each to another reader.
fn crowd(count: u64) {
	pallet_balances::Pallet::<Test>::force_set_balance(
		frame_system::RawOrigin::Root.into(),
		SCHOOL,
		1_000_000_000,
	)
	.unwrap();
	for reader in 100..100 + count {
		EncryptionKeys::<Test>::insert(
			reader,
			RegisteredKey {
				key: vec![0; 34].try_into().expect("it is short"),
				deposit: 0,
			},
		);
		assert_ok!(submit(SCHOOL, authorize_while(reader, SMOG)));
	}
}

fn suspended() -> usize {
	let grants = Grants::<Test>::iter_values();
	grants
		.filter(|grant| grant.state == GrantState::Suspended)
		.count()
}

#[test]
fn a_thousand_grants_that_wait_for_one_fact_are_carried_out_in_time() {
	with_dataset(|| {
		report("weather/beijing", 80);
		crowd(1_000);
		assert_eq!(suspended(), 0);
		// The report itself does no more than it pays for.
		let used = report("weather/beijing", 70);
		assert!(used.all_lte(Sharing::weight_of_change()));
		assert_eq!(suspended(), MaxCarriedOut::get() as usize);
		// A fortieth of the weight of a block of two seconds is enough.
		let room = Weight::from_parts(50_000_000_000, u64::MAX);
		let mut blocks = 0;
		while suspended() < 1_000 {
			run_to(System::block_number() + 1);
			let used = Sharing::on_idle(System::block_number(), room);
			assert!(used.all_lte(room), "{used:?}");
			blocks += 1;
			assert!(blocks <= 20, "{} are left", 1_000 - suspended());
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		assert!(blocks > 1, "there was too much room for a test");
	});
}

#[test]
fn a_round_takes_an_eighth_of_a_block_at_most() {
	with_dataset(|| {
		report("weather/beijing", 80);
		crowd(400);
		report("weather/beijing", 70);
		type Weights = <Test as frame_system::Config>::BlockWeights;
		let block = <Weights as Get<frame_system::limits::BlockWeights>>::get().max_block;
		let used = Sharing::on_idle(System::block_number(), Weight::MAX);
		assert!(used.all_lte(block / 8), "{used:?} of {block:?}");
		assert!((1..400).contains(&suspended()), "{}", suspended());
	});
}

#[test]
fn what_is_overdue_does_not_hold_up_a_round() {
	with_dataset(|| {
		crowd(20);
		for reader in 100..120 {
			for to in 1..=10 {
				assert_ok!(submit(SCHOOL, authorize(reader, scope(0, to), 3, None)));
			}
		}
		run_to(3);
		report("weather/beijing", 80);
		let left = || {
			let grants = Grants::<Test>::iter_values();
			let active = grants.filter(|grant| !grant.state.has_ended());
			(active.count(), suspended())
		};
		let (active, waiting) = left();
		let room = Sharing::weight_of_change().saturating_mul(4);
		Sharing::on_idle(3, room);
		let (still_active, still_waiting) = left();
		assert!(still_active < active, "{still_active} of {active}");
		assert!(still_waiting < waiting, "{still_waiting} of {waiting}");
	});
}

#[test]
fn the_agenda_takes_no_more_than_its_room() {
	with_dataset(|| {
		for reader in 0..60 {
			let mut call = authorize_while(COMPANY, SMOG);
			if let SharingCall::add_authorize {
				grantee, expiry, ..
			} = &mut call
			{
				*grantee = [COMPANY, RIVAL][reader % 2];
				*expiry = 3;
			}
			// A reader has at most 16 grants on an epoch.
			if reader % 30 == 29 {
				assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
			}
			if let SharingCall::add_authorize { scope, .. } = &mut call {
				scope.epoch = Datasets::<Test>::get(SCHOOL, 0).expect("it exists").epoch;
			}
			assert_ok!(submit(SCHOOL, call));
		}
		run_to(3);
		let quarter = Sharing::weight_of_step().ref_time() / 4;
		for quarters in 1.. {
			if !Backlog::<Test>::exists() {
				break;
			}
			let room = Weight::from_parts(quarter.saturating_mul(quarters), u64::MAX);
			let used = Sharing::catch_up_agenda(3, room);
			assert!(used.all_lte(room), "{used:?} of {room:?}");
		}
		assert!((0..60).all(|id| state(id) == GrantState::Expired));
	});
}

#[test]
fn a_source_that_reports_in_each_block_leaves_nothing_out() {
	with_dataset(|| {
		crowd(40);
		report("weather/beijing", 80);
		// Each block has room for a turn, and the next report comes before the round is over.
		let room = Sharing::weight_of_change().saturating_mul(2);
		for value in 81..90 {
			run_to(System::block_number() + 1);
			report("weather/beijing", value);
			Sharing::on_idle(System::block_number(), room);
		}
		assert_eq!(suspended(), 0);
	});
}

#[test]
fn crowds_take_turns() {
	with_dataset(|| {
		crowd(20);
		let other = "fact(weather/shanghai, t) > 75";
		for reader in 100..120 {
			assert_ok!(submit(SCHOOL, authorize_while(reader, other)));
		}
		report("weather/beijing", 80);
		report("weather/shanghai", 80);
		assert_eq!(suspended(), 32);
		let room = Sharing::weight_of_change().saturating_mul(3);
		Sharing::on_idle(System::block_number(), room);
		let left = |source| {
			let cause = Cause::Fact(name(source), name("t"));
			Crowds::<Test>::get(cause).map_or(0, |crowd| crowd.left)
		};
		assert_eq!(
			(left("weather/beijing"), left("weather/shanghai")),
			(12, 12)
		);
		// Grants that end meanwhile are not missed, and a crowd that goes leaves the queue.
		for grant in 0..20 {
			assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		}
		assert_eq!(Sharing::do_try_state(), Ok(()));
		Sharing::on_idle(System::block_number(), Weight::MAX);
		assert_eq!(suspended(), 0);
		assert_eq!(Crowds::<Test>::iter().count(), 2);
	});
}

#[test]
fn a_grant_under_a_condition_weighs_more_and_the_agenda_does_less() {
	use frame_support::dispatch::GetDispatchInfo;
	let weight = |call: SharingCall| call.get_dispatch_info().call_weight.ref_time();
	let plain = weight(authorize(COMPANY, scope(0, 100), 1_000, None));
	assert!(weight(authorize_while(COMPANY, SMOG)) > plain);
	// The grant whose place it takes may be under a condition, too.
	type Weights = <Test as Config>::WeightInfo;
	let most = Weights::add_authorize_to_full_list() + Weights::detach();
	assert!(plain >= most.ref_time());
	with_dataset(|| {
		for _ in 0..6 {
			let mut call = authorize_while(COMPANY, SMOG);
			if let SharingCall::add_authorize { expiry, .. } = &mut call {
				*expiry = 3;
			}
			assert_ok!(submit(SCHOOL, call));
		}
		// Three grants without a condition would end at the beginning of the block.
		run_to(3);
		let ended = (0..6)
			.filter(|id| state(*id) == GrantState::Expired)
			.count();
		assert!((1..3).contains(&ended), "{ended}");
		Sharing::on_idle(3, Weight::MAX);
		assert!((0..6).all(|id| state(id) == GrantState::Expired));
	});
}
