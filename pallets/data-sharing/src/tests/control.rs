// SPDX-License-Identifier: Apache-2.0
//! Tests the handover of datasets: who may offer and accept them, what moves with them, and who acts as the owner
//! afterwards.

use super::{
	exchange::{dispute, reader_of},
	policies::{set, POLICY},
};
use crate::{
	control::by_reason,
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	storage::{with_transaction, TransactionOutcome},
	traits::GetCallName,
};
use isthmus_keys::Suite;
use isthmus_sharing::{history::Subject, QueryError};
use polkadot_sdk::*;
use sp_runtime::{DispatchError, TokenError};
use std::collections::BTreeSet;

fn offer(to: u64) -> SharingCall {
	SharingCall::offer_dataset { dataset: 0, to }
}

fn withdraw() -> SharingCall {
	SharingCall::withdraw_dataset_offer { dataset: 0 }
}

fn accept(most: u64) -> SharingCall {
	let control = Controls::<Test>::get(SCHOOL, 0);
	accept_offer(control.map_or(0, |control| control.offers), most)
}

fn accept_offer(offer: u32, most: u64) -> SharingCall {
	SharingCall::accept_dataset {
		owner: SCHOOL,
		dataset: 0,
		offer,
		most,
	}
}

/// Returns a call for the school's datasets.
fn for_school(call: impl Into<RuntimeCall>) -> SharingCall {
	SharingCall::act_for {
		owner: SCHOOL,
		call: Box::new(call.into()),
	}
}

fn control() -> ControlOf<Test> {
	Controls::<Test>::get(SCHOOL, 0).expect("there is a dataset")
}

/// Runs a test on a chain with a school that has dataset 0, and an office that is a producer.
fn with_office(test: impl FnOnce()) {
	with_dataset(|| {
		let (kind, name) = (ProducerKind::Government, b"Office".to_vec());
		assert_ok!(submit(OFFICE, SharingCall::register { kind, name }));
		test();
	});
}

/// Runs a test after the office took over the school's dataset 0.
fn handed_over(test: impl FnOnce()) {
	with_office(|| {
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		test();
	});
}

/// Returns the amounts that are held from an account for the reasons of datasets.
fn held_for_datasets(who: u64) -> u64 {
	let reasons = by_reason(&Held::<u64>::default()).map(|(reason, _)| reason);
	reasons.into_iter().map(|reason| held(reason, who)).sum()
}

/// Gives the school's dataset a policy, locations, records, a removed record, and grants that no one requested.
fn fill() {
	let paid = condition("paid >= 1");
	let mut policy = set(POLICY);
	if let SharingCall::set_policy { condition, .. } = &mut policy {
		*condition = Some(paid);
	}
	for call in [
		policy,
		set_locations(&["s3://a"]),
		store(1),
		store(2),
		store_object(3),
		SharingCall::remove_record { key: key(2) },
		authorize(COMPANY, scope(0, 100), 1_000, None),
		authorize_while(RIVAL, "before(2100-01-01)"),
	] {
		assert_ok!(submit(SCHOOL, call));
	}
}

#[test]
fn a_dataset_is_handed_over_with_its_deposits() {
	with_office(|| {
		fill();
		let before = control();
		let sum: u64 = by_reason(&before.held)
			.iter()
			.map(|(_, amount)| amount)
			.sum();
		assert!(by_reason(&before.held)
			.iter()
			.all(|(_, amount)| *amount > 0));
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_eq!(
			last_event(),
			SharingEvent::DatasetOffered {
				owner: SCHOOL,
				dataset: 0,
				from: SCHOOL,
				to: OFFICE,
			}
		);
		// Nothing changes until it is accepted.
		assert_ok!(submit(SCHOOL, store(4)));
		let sum = sum + 2 * PER_ITEM;
		assert_ok!(submit(OFFICE, accept(sum)));
		assert_eq!(
			last_event(),
			SharingEvent::DatasetAccepted {
				owner: SCHOOL,
				dataset: 0,
				from: SCHOOL,
				to: OFFICE,
				held: sum,
				epoch: 1,
			}
		);
		// The count of its datasets is the school's.
		assert_eq!(held_for_datasets(SCHOOL), PER_ITEM);
		assert_eq!(held_for_datasets(OFFICE), sum);
		let after = control();
		assert_eq!((after.controller, after.since), (OFFICE, 1));
		assert_eq!(after.offered_to, None);
		assert!(Controlled::<Test>::contains_key((OFFICE, SCHOOL, 0)));
		// It is where it was, and grants on it are good.
		assert_eq!(DatasetNames::<Test>::iter_key_prefix(SCHOOL).count(), 1);
		assert!(query(COMPANY, 1).is_ok());
		// The school has none any more, and can leave.
		assert_ok!(submit(SCHOOL, SharingCall::deregister {}));
		assert_noop!(
			submit(OFFICE, SharingCall::deregister {}),
			Error::ProducerHasDatasets
		);
	});
}

#[test]
fn an_offer_is_accepted_by_whom_it_is_made_to() {
	with_office(|| {
		assert_noop!(submit(OFFICE, accept(u64::MAX)), Error::NotOffered);
		assert_noop!(submit(SCHOOL, withdraw()), Error::NotOffered);
		assert_noop!(submit(SCHOOL, offer(SCHOOL)), Error::AlreadyController);
		assert_noop!(submit(OFFICE, offer(RIVAL)), Error::UnknownDataset);
		assert_noop!(submit(COMPANY, offer(RIVAL)), Error::NotRegistered);
		let unknown = SharingCall::accept_dataset {
			owner: SCHOOL,
			dataset: 9,
			offer: 0,
			most: 0,
		};
		assert_noop!(submit(OFFICE, unknown), Error::UnknownDataset);

		assert_ok!(submit(SCHOOL, offer(COMPANY)));
		assert_noop!(submit(OFFICE, accept(u64::MAX)), Error::NotOffered);
		assert_noop!(submit(COMPANY, accept(u64::MAX)), Error::NotRegistered);
		// Another offer replaces it.
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_noop!(submit(COMPANY, accept(u64::MAX)), Error::NotOffered);
		let held = control().held.dataset;
		assert_noop!(submit(OFFICE, accept(held - 1)), Error::HoldsMore);
		assert_ok!(submit(SCHOOL, withdraw()));
		assert_eq!(
			last_event(),
			SharingEvent::DatasetOfferWithdrawn {
				owner: SCHOOL,
				dataset: 0,
				from: SCHOOL,
				to: OFFICE,
			}
		);
		assert_noop!(submit(OFFICE, accept(held)), Error::NotOffered);
	});
}

#[test]
fn what_is_taken_over_is_what_was_seen() {
	with_office(|| {
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		let seen = control().offers;
		// No grant is given between the offer and its acceptance.
		let grant = authorize(COMPANY, scope(0, 100), 1_000, None);
		assert_noop!(submit(SCHOOL, grant.clone()), Error::DatasetIsOffered);
		assert_ok!(submit(SCHOOL, withdraw()));
		assert_ok!(submit(SCHOOL, grant));
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_noop!(
			submit(OFFICE, accept_offer(seen, u64::MAX)),
			Error::NotOffered
		);
		assert_ok!(submit(OFFICE, accept_offer(seen + 1, u64::MAX)));
		assert_eq!(control().controller, OFFICE);
	});
}

#[test]
fn who_set_an_embargo_lifts_it_after_the_handover() {
	with_office(|| {
		assert_ok!(submit(SCHOOL, store(1)));
		let embargo = |condition| SharingCall::embargo {
			key: key(1),
			dataset: 0,
			condition,
		};
		let later = condition("after(2100-01-01)");
		assert_ok!(submit(SCHOOL, embargo(Some(later.clone()))));
		let paid = held(HoldReason::Condition, SCHOOL);
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		assert_eq!(held(HoldReason::Condition, SCHOOL), paid);
		assert_noop!(submit(SCHOOL, embargo(Some(later))), Error::NotController);
		// Who set it got the deposit back, also if the new controller lifts it.
		let lifted = SharingEvent::EmbargoLifted {
			owner: SCHOOL,
			key: key(1),
			met: false,
			dataset: 0,
			by: SCHOOL,
		};
		let by_office = || {
			assert_ok!(submit(OFFICE, for_school(embargo(None))));
			assert_eq!(last_event(), lifted);
			assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
			TransactionOutcome::Rollback(Ok::<_, DispatchError>(()))
		};
		with_transaction(by_office).expect("nothing fails");
		assert_ok!(submit(SCHOOL, embargo(None)));
		assert_eq!(last_event(), lifted);
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
		assert_noop!(submit(SCHOOL, embargo(None)), Error::NotController);
	});
}

#[test]
fn who_cannot_pay_the_deposits_gets_nothing() {
	with_dataset(|| {
		let (kind, name) = (ProducerKind::Other, b"a".to_vec());
		// Its registration takes what it has.
		DepositPerItem::set(50);
		assert_ok!(submit(PAUPER, SharingCall::register { kind, name }));
		assert_ok!(submit(SCHOOL, offer(PAUPER)));
		assert_noop!(
			submit(PAUPER, accept(u64::MAX)),
			TokenError::FundsUnavailable
		);
	});
}

const LATER: &str = "after(2100-01-01)";

/// Returns a call that sets or lifts an embargo for dataset 0.
fn embargo(number: u8, until: Option<&str>) -> SharingCall {
	SharingCall::embargo {
		key: key(number),
		dataset: 0,
		condition: until.map(condition),
	}
}

/// The calls that no one makes about a dataset of its own: each is about the account that signs it, or may be sent by
/// anyone.
const OTHERS: [&str; 13] = [
	"register",
	"deregister",
	"set_encryption_key",
	"remove_encryption_key",
	"create_dataset",
	// A reader's.
	"request_access",
	"cancel_request",
	"withdraw_when",
	"renounce",
	"dispute",
	"settle",
	// By whom a dataset is offered to.
	"accept_dataset",
	// Checks nothing: the call that it carries out does.
	"act_for",
];

/// Returns a call of each kind that an owner makes about a dataset, in an order in which all succeed after [`fill`] and
/// a request.
fn owners_calls(epoch: Epoch) -> Vec<SharingCall> {
	let place = |number: u8| RecordPlace {
		key: key(number),
		dataset: 0,
		epoch,
		leaf: number.into(),
	};
	let RecordPlace { key: of, leaf, .. } = place(20);
	let large = Large::new(21, 1);
	let mut open = large.open();
	if let SharingCall::open_record { epoch: at, .. } = &mut open {
		*at = epoch;
	}
	let mut object = store_object(22);
	if let SharingCall::store_object { epoch: at, .. } = &mut object {
		*at = epoch;
	}
	vec![
		SharingCall::store {
			key: of,
			dataset: 0,
			epoch,
			leaf,
			value: vec![1],
		},
		open,
		large.chunk(0),
		object,
		embargo(20, Some(LATER)),
		embargo(20, None),
		// A key that no record has.
		embargo(23, Some(LATER)),
		embargo(23, None),
		set(POLICY),
		SharingCall::clear_policy { dataset: 0 },
		set_locations(&["s3://b"]),
		SharingCall::set_closed {
			dataset: 0,
			closed: true,
		},
		SharingCall::reject_request {
			request: 0,
			reason: vec![],
		},
		authorize(RIVAL, scope(0, 10), 1_000, None),
		SharingCall::revoke { grant: 0 },
		SharingCall::start_epoch { dataset: 0 },
		SharingCall::remove_record { key: of },
		SharingCall::free_leaf {
			dataset: 0,
			epoch: 0,
			leaf: 2,
		},
		offer(RIVAL),
		withdraw(),
	]
}

#[test]
fn only_the_controller_acts_as_the_owner() {
	with_office(|| {
		fill();
		assert_ok!(submit(COMPANY, request(scope(0, 10), 1)));
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		let recount = SharingCall::recount_sold {
			dataset: 0,
			epoch: 0,
			grants: Default::default(),
		};
		let remove = SharingCall::remove_dataset { dataset: 0 };
		let mut names = BTreeSet::from(OTHERS);
		for (call, error) in [(recount, Error::NotAllSold), (remove, Error::DatasetInUse)] {
			names.insert(call.get_call_name());
			assert_noop!(submit(SCHOOL, call.clone()), Error::NotController);
			assert_noop!(
				submit(STRANGER, for_school(call.clone())),
				Error::NotController
			);
			assert_noop!(submit(OFFICE, for_school(call)), error);
		}
		for call in owners_calls(1) {
			names.insert(call.get_call_name());
			// Not the school any more, for itself or by the other way, and no stranger.
			for (who, call) in [
				(SCHOOL, call.clone()),
				(SCHOOL, for_school(call.clone())),
				(STRANGER, for_school(call.clone())),
			] {
				assert_noop!(submit(who, call), Error::NotController);
			}
			assert_ok!(submit(OFFICE, for_school(call.clone())));
			assert_eq!(Sharing::do_try_state(), Ok(()), "{call:?}");
		}
		// A new call has to be here, or among those that are not about a dataset.
		let all = BTreeSet::from_iter(SharingCall::get_call_names().iter().copied());
		assert_eq!(names, all);
		assert_ok!(submit(OFFICE, for_school(offer(SCHOOL))));
		assert_eq!(held_for_datasets(SCHOOL), PER_ITEM);
	});
}

/// The keys of records are shared by the datasets of one address, which may have different controllers.
#[test]
fn an_embargo_keeps_its_key_for_its_dataset() {
	with_office(|| {
		let name = b"more".to_vec();
		assert_ok!(submit(SCHOOL, SharingCall::create_dataset { name }));
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		let in_other = |number, until: Option<&str>| {
			let mut call = embargo(number, until);
			if let SharingCall::embargo { dataset, .. } = &mut call {
				*dataset = 1;
			}
			call
		};
		let place = |dataset, epoch| {
			let mut call = store(9);
			if let SharingCall::store {
				dataset: of,
				epoch: at,
				..
			} = &mut call
			{
				(*of, *at) = (dataset, epoch);
			}
			call
		};
		assert_ok!(submit(OFFICE, for_school(embargo(9, Some(LATER)))));
		assert_eq!(
			last_event(),
			SharingEvent::Embargoed {
				owner: SCHOOL,
				key: key(9),
				condition: condition(LATER),
				dataset: 0,
				by: OFFICE,
			}
		);
		// The school has another dataset at the address, which cannot take the key now.
		assert_noop!(submit(SCHOOL, place(1, 0)), Error::KeyTaken);
		for until in [Some(LATER), None] {
			assert_noop!(submit(SCHOOL, in_other(9, until)), Error::KeyTaken);
			assert_noop!(submit(SCHOOL, embargo(9, until)), Error::NotController);
			let by_office = for_school(in_other(8, until));
			assert_noop!(submit(OFFICE, by_office), Error::NotController);
		}
		assert_ok!(submit(SCHOOL, in_other(8, Some(LATER))));
		assert_ok!(submit(OFFICE, for_school(place(0, 1))));
		let grant = authorize(
			COMPANY,
			Scope {
				epoch: 1,
				..scope(0, 100)
			},
			1_000,
			None,
		);
		assert_ok!(submit(OFFICE, for_school(grant)));
		assert_eq!(query(COMPANY, 9), Err(QueryError::Embargoed));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		// An embargo on a record of another dataset is none on this one.
		assert_noop!(submit(SCHOOL, in_other(9, None)), Error::KeyTaken);
		assert_ok!(submit(OFFICE, for_school(embargo(9, None))));
		assert_noop!(submit(SCHOOL, in_other(9, Some(LATER))), Error::KeyTaken);
		assert!(query(COMPANY, 9).is_ok());
		// Who set it lifts it, also if its dataset is gone.
		let remove = SharingCall::remove_dataset { dataset: 1 };
		assert_ok!(submit(SCHOOL, remove));
		assert_eq!(Sharing::do_try_state(), Ok(()));
		assert_ok!(submit(SCHOOL, in_other(8, None)));
		assert_eq!(Embargoes::<Test>::iter_keys().count(), 0);
		assert_eq!(held(HoldReason::Condition, SCHOOL), 0);
	});
}

#[test]
fn what_is_no_owners_call_is_not_carried_out_for_an_owner() {
	handed_over(|| {
		let pay = pallet_balances::Call::transfer_keep_alive {
			dest: OFFICE,
			value: 1,
		};
		let name = b"more".to_vec();
		let bad: DispatchError = DispatchError::BadOrigin;
		for call in [
			RuntimeCall::from(pay),
			SharingCall::create_dataset { name }.into(),
			SharingCall::deregister {}.into(),
			SharingCall::remove_encryption_key {}.into(),
			request(scope(0, 1), 0).into(),
			accept(0).into(),
			for_school(SharingCall::start_epoch { dataset: 0 }).into(),
		] {
			assert_noop!(submit(OFFICE, for_school(call)), bad);
		}
		// A dataset that it did not take over, one that does not exist, and a record that there is none of.
		let name = b"more".to_vec();
		assert_ok!(submit(SCHOOL, SharingCall::create_dataset { name }));
		for dataset in [1, 2] {
			let call = SharingCall::start_epoch { dataset };
			assert_noop!(submit(OFFICE, for_school(call)), Error::NotController);
		}
		// Calls may be together in a batch, but then none can carry bytes.
		let batch = |calls: Vec<SharingCall>| {
			let calls = calls.into_iter().map(Into::into).collect();
			RuntimeCall::from(pallet_utility::Call::batch_all { calls })
		};
		let epoch = || SharingCall::start_epoch { dataset: 0 };
		assert_ok!(submit(OFFICE, for_school(batch(vec![epoch(), epoch()]))));
		let mut late = store(7);
		if let SharingCall::store { epoch, .. } = &mut late {
			*epoch = 3;
		}
		assert_noop!(
			submit(OFFICE, for_school(batch(vec![late.clone()]))),
			Error::MustBeDirect
		);
		assert_ok!(submit(OFFICE, for_school(late)));
	});
}

#[test]
fn a_store_for_an_epoch_before_the_handover_takes_no_place_in_a_block() {
	handed_over(|| {
		assert_noop!(submit(OFFICE, for_school(store(1))), Error::NotCurrentEpoch);
	});
}

#[test]
fn the_controller_is_paid_and_pays_back() {
	with_office(|| {
		for (offered, dataset_scope) in [(300, scope(0, 10)), (200, scope(0, 11))] {
			assert_ok!(submit(COMPANY, request(dataset_scope, offered)));
			let id = NextRequest::<Test>::get() - 1;
			let answer = authorize(COMPANY, dataset_scope, 100, Some(id));
			assert_ok!(submit(SCHOOL, answer));
		}
		// Both payments still wait.
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		let (school, office, company) = (total(SCHOOL), total(OFFICE), total(COMPANY));
		run_to(20);
		assert_eq!((total(SCHOOL), total(OFFICE)), (school, office + 500));
		assert_eq!(total(COMPANY), company - 500);
		// The events name who was paid, and the history of that account has them.
		let mut payments: Vec<_> = System::events()
			.into_iter()
			.filter_map(|record| match record.event {
				RuntimeEvent::Sharing(SharingEvent::OfferPaid {
					owner,
					controller,
					paid,
					..
				}) => Some((owner, controller, paid)),
				_ => None,
			})
			.collect();
		payments.sort();
		assert_eq!(payments, [(SCHOOL, OFFICE, 200), (SCHOOL, OFFICE, 300)]);
		// One block of twenty is left of the first term.
		assert_ok!(submit(OFFICE, for_school(SharingCall::revoke { grant: 0 })));
		assert_eq!((total(SCHOOL), total(OFFICE)), (school, office + 500 - 15));
		assert_eq!(
			last_event(),
			SharingEvent::Revoked {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				refunded: 15,
				controller: OFFICE,
			}
		);
		let entries = ReceiptEntries::<Test>::get().unwrap_or_default();
		let named = entries.last().map(|entry| entry.subjects.clone());
		assert_eq!(
			named,
			Some(vec![
				Subject::Account(SCHOOL),
				Subject::Dataset(SCHOOL, 0),
				Subject::Account(OFFICE),
				Subject::Account(COMPANY),
				Subject::Access(SCHOOL, 0),
			])
		);
	});
}

#[test]
fn the_controller_has_the_stake_in_disputes() {
	with_office(|| {
		let pair = reader_of(Suite::X25519, COMPANY);
		let mut asked = request(scope(0, 10), 300);
		if let SharingCall::request_access { key, .. } = &mut asked {
			*key = pair.public_key().to_bytes();
		}
		assert_ok!(submit(COMPANY, asked));
		// Its keys are garbage.
		assert_ok!(submit(
			SCHOOL,
			authorize(COMPANY, scope(0, 10), 100, Some(0))
		));
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		let (school, office) = (total(SCHOOL), total(OFFICE));
		let stake = control().held.dataset;
		let call = dispute(0, 1, *pair.expose_seed(), vec![]);
		assert_ok!(submit(COMPANY, call));
		assert_eq!(
			last_event(),
			SharingEvent::DisputeWon {
				grant: 0,
				owner: SCHOOL,
				grantee: COMPANY,
				scope: scope(0, 10),
				leaf: 1,
				refunded: 300,
				slashed: SLASH,
				controller: OFFICE,
			}
		);
		assert_eq!((total(SCHOOL), total(OFFICE)), (school, office - SLASH));
		assert_eq!(control().held.dataset, stake - SLASH);
		assert_eq!(total(COMPANY), WEALTH);
		// The next sale restores it.
		assert_ok!(submit(COMPANY, request(scope(0, 10), 300)));
		let answer = authorize(COMPANY, scope(0, 10), 100, Some(1));
		assert_ok!(submit(OFFICE, for_school(answer)));
		assert!(matches!(
			last_event(),
			SharingEvent::Authorized {
				owner: SCHOOL,
				controller: OFFICE,
				paid: 300,
				..
			}
		));
		assert_eq!(control().held.dataset, stake);
	});
}

#[test]
fn who_handed_a_dataset_over_reads_it_no_more() {
	with_office(|| {
		assert_ok!(submit(SCHOOL, store(1)));
		assert!(query(SCHOOL, 1).is_ok());
		assert!(query(OFFICE, 1).is_err());
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		assert!(query(SCHOOL, 1).is_err());
		assert!(query(OFFICE, 1).is_ok());
	});
}

#[test]
fn a_dataset_can_return_and_be_removed() {
	handed_over(|| {
		assert_ok!(submit(OFFICE, for_school(offer(SCHOOL))));
		assert_ok!(submit(SCHOOL, accept(u64::MAX)));
		assert_eq!((control().controller, control().since), (SCHOOL, 2));
		assert_eq!(Controlled::<Test>::iter_keys().count(), 0);
		assert_eq!(held_for_datasets(OFFICE), 0);
		let remove = || SharingCall::remove_dataset { dataset: 0 };
		assert_noop!(submit(OFFICE, for_school(remove())), Error::NotController);
		assert_ok!(submit(SCHOOL, offer(OFFICE)));
		assert_ok!(submit(OFFICE, accept(u64::MAX)));
		assert_noop!(submit(SCHOOL, remove()), Error::NotController);
		assert_ok!(submit(OFFICE, for_school(remove())));
		assert_eq!(Controls::<Test>::iter_keys().count(), 0);
		assert_eq!(Controlled::<Test>::iter_keys().count(), 0);
		assert_eq!(
			(held_for_datasets(SCHOOL), held_for_datasets(OFFICE)),
			(PER_ITEM, 0)
		);
		// Its name is free again.
		let name = b"grades".to_vec();
		assert_ok!(submit(SCHOOL, SharingCall::create_dataset { name }));
		assert_ok!(submit(OFFICE, SharingCall::deregister {}));
	});
}
