// SPDX-License-Identifier: Apache-2.0
//! Tests disputes: what is wrong with them, what they cost, and for how long they can be made.

use super::{dispute, reader_of, with_garbage, with_sale, Kind, Sale, EXPIRY, OFFER};
use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{
	assert_noop, assert_ok,
	storage::{with_transaction, TransactionOutcome},
};
use isthmus_keys::Suite;
use polkadot_sdk::*;
use sp_runtime::DispatchError;

#[test]
fn a_dispute_names_what_is_wrong_with_it() {
	with_sale(|sale, grant| {
		let secret = *sale.pair.expose_seed();
		let shown = || sale.shown.clone();
		for (who, call, error) in [
			(
				COMPANY,
				dispute(grant + 1, 3, secret, shown()),
				Error::UnknownGrant,
			),
			(SCHOOL, sale.dispute(grant), Error::UnknownGrant),
			(RIVAL, sale.dispute(grant), Error::UnknownGrant),
			(
				COMPANY,
				dispute(grant, 10, secret, shown()),
				Error::LeafOutsideGrant,
			),
			(
				COMPANY,
				dispute(grant, 4, secret, shown()),
				Error::LeafNotTaken,
			),
			(
				COMPANY,
				dispute(grant, 3, [0; 32], shown()),
				Error::WrongSecret,
			),
			(
				COMPANY,
				dispute(grant, 3, secret, vec![]),
				Error::NotTheRecord,
			),
		] {
			assert_noop!(submit(who, call), error);
		}
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		// A grant that cost nothing, and one that no one asked for.
		assert_ok!(submit(COMPANY, request(scope(0, 9), 0)));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 9), 50, Some(1))));
		assert_ok!(submit(SCHOOL, authorize(COMPANY, scope(0, 8), 50, None)));
		for grant in [1, 2] {
			let call = dispute(grant, 3, secret, shown());
			assert_noop!(submit(COMPANY, call), Error::NothingToDispute);
		}
	});
}

#[test]
fn a_key_that_the_chain_cannot_open_cannot_be_disputed() {
	with_dataset(|| {
		assert_ok!(submit(COMPANY, request(scope(0, 10), 5)));
		let answer = authorize(COMPANY, scope(0, 10), 50, Some(0));
		assert_ok!(submit(SCHOOL, answer));
		let call = dispute(0, 3, [0; 32], vec![]);
		assert_noop!(submit(COMPANY, call), Error::SuiteUnknown);
	});
}

#[test]
fn a_payment_cannot_be_disputed_when_the_agenda_is_late() {
	with_sale(|sale, grant| {
		System::set_block_number(1 + WINDOW);
		Backlog::<Test>::put(1 + WINDOW);
		assert_noop!(
			submit(COMPANY, sale.dispute(grant)),
			Error::NothingToDispute
		);
		// Anyone can have it made.
		let due = |due| SharingCall::settle {
			due: vec![due].try_into().unwrap(),
		};
		assert_ok!(submit(STRANGER, due(Due::Payment(grant))));
		assert!(matches!(last_event(), SharingEvent::OfferPaid { .. }));
		assert_noop!(
			submit(STRANGER, due(Due::Payment(grant))),
			Error::NothingDue
		);
		Backlog::<Test>::kill();
	});
}

/// The time for disputes is half of the term, from the least one to the chain's longest.
#[test]
fn a_longer_term_can_be_disputed_longer() {
	for (longest, window) in [(WINDOW, WINDOW), (1, WINDOW), (8, 8), (100, 10)] {
		with_dataset(|| {
			LongestWindow::<Test>::put(longest);
			assert_ok!(submit(COMPANY, request(scope(0, 10), OFFER)));
			assert_ok!(submit(
				SCHOOL,
				authorize(COMPANY, scope(0, 10), 50, Some(0))
			));
			assert_eq!(Payments::<Test>::get(0).unwrap().until, 1 + window);
		});
	}
}

#[test]
fn the_genesis_sets_the_longest_time_for_disputes() {
	use sp_runtime::BuildStorage;
	for (set, longest) in [(0, WINDOW), (9, 9)] {
		let genesis = GenesisConfig::<Test> {
			longest_window: set,
		};
		let storage = genesis.build_storage().expect("it is good");
		sp_io::TestExternalities::new(storage)
			.execute_with(|| assert_eq!(LongestWindow::<Test>::get(), longest));
	}
}

/// What shows that a grant is bad stays as long as that can be shown: records that came later, and unfinished ones, too.
#[test]
fn evidence_stays_while_a_payment_is_open() {
	with_sale(|_, grant| {
		run_to(2);
		let later = SharingCall::store {
			key: key(2),
			dataset: 0,
			epoch: 0,
			leaf: 4,
			value: vec![1],
		};
		assert_ok!(submit(SCHOOL, later));
		let outside = SharingCall::store {
			key: key(3),
			dataset: 0,
			epoch: 0,
			leaf: 10,
			value: vec![1],
		};
		assert_ok!(submit(SCHOOL, outside));
		let large = SharingCall::open_record {
			key: key(4),
			dataset: 0,
			epoch: 0,
			leaf: 5,
			length: 7,
			chunk_size: 4,
			manifest: [&[1, 0, 1, 0][..], &[5; 64]].concat(),
		};
		assert_ok!(submit(SCHOOL, large));
		let remove = |number| submit(SCHOOL, SharingCall::remove_record { key: key(number) });
		assert_ok!(remove(3));
		for number in [1, 2, 4] {
			assert_noop!(remove(number), Error::RecordPaidFor);
		}
		// Nor after a revocation.
		run_to(3);
		assert_ok!(submit(SCHOOL, SharingCall::revoke { grant }));
		for number in [1, 2, 4] {
			assert_noop!(remove(number), Error::RecordPaidFor);
		}
		run_to(1 + WINDOW);
		for number in [1, 2, 4] {
			assert_ok!(remove(number));
		}
	});
}

/// The keys of the range are public after a dispute, won or lost.
#[test]
fn a_dispute_starts_an_epoch() {
	let epoch = || Datasets::<Test>::get(SCHOOL, 0).unwrap().epoch;
	let check = |sale: Sale, grant| {
		assert_ok!(submit(COMPANY, sale.dispute(grant)));
		assert_eq!(epoch(), 1);
		System::assert_has_event(
			SharingEvent::EpochStarted {
				owner: SCHOOL,
				dataset: 0,
				epoch: 1,
			}
			.into(),
		);
	};
	with_garbage(check);
	with_sale(|sale, grant| {
		let again = sale.dispute(grant);
		check(sale, grant);
		// A grant on an earlier epoch starts none.
		assert_ok!(submit(COMPANY, again));
		assert_eq!(epoch(), 1);
	});
}

/// Who shows that it was cheated pays no fee, and who is wrong does.
#[test]
fn a_won_dispute_is_free() {
	use frame_support::dispatch::Pays;
	let pays = |sale: &Sale, grant| {
		let Sale { leaf, shown, .. } = sale;
		let secret = *sale.pair.expose_seed();
		let origin = RuntimeOrigin::signed(COMPANY);
		let done = Sharing::dispute(origin, grant, *leaf, secret, shown.clone());
		done.expect("it is decided").pays_fee
	};
	with_garbage(|sale, grant| assert_eq!(pays(&sale, grant), Pays::No));
	with_sale(|sale, grant| assert_eq!(pays(&sale, grant), Pays::Yes));
}

/// An owner loses no more than the deposit for its dataset, and must restore it to sell again.
#[test]
fn what_an_owner_loses_is_bounded() {
	with_dataset(|| {
		let deposit = || Datasets::<Test>::get(SCHOOL, 0).unwrap().deposit;
		let full = deposit();
		let pair = reader_of(Suite::X25519, COMPANY);
		let sale = |from| Sale {
			pair: pair.clone(),
			scope: scope(from, 10),
			leaf: 9,
			kind: Kind::Value,
			shown: Vec::new(),
		};
		let sell = |from| sale(from).sell(b"garbage".to_vec());
		let sales = full.div_ceil(SLASH);
		let sold: Vec<_> = (0..sales).map(sell).collect();
		let mut left = full;
		for (from, grant) in (0..sales).zip(sold) {
			assert_ok!(submit(COMPANY, sale(from).dispute(grant)));
			let lost = left.min(SLASH);
			assert!(matches!(
				last_event(),
				SharingEvent::DisputeWon { slashed, .. } if slashed == lost
			));
			left -= lost;
			assert_eq!(deposit(), left);
			assert_eq!(Sharing::do_try_state(), Ok(()));
		}
		assert_eq!(left, 0);
		// Without the funds for it, the owner sells nothing.
		let poor = || {
			assert_ok!(submit(COMPANY, request(scope(6, 10), OFFER)));
			let free = Balances::free_balance(SCHOOL);
			let all = free - full / 2;
			assert_ok!(Balances::transfer_allow_death(
				RuntimeOrigin::signed(SCHOOL),
				STRANGER,
				all
			));
			let id = NextRequest::<Test>::get() - 1;
			let answer = authorize(COMPANY, scope(6, 10), EXPIRY, Some(id));
			assert_eq!(
				submit(SCHOOL, answer),
				Err(sp_runtime::TokenError::FundsUnavailable.into())
			);
			TransactionOutcome::Rollback(Ok::<_, DispatchError>(()))
		};
		with_transaction(poor).expect("nothing fails");
		// Nothing is needed to give access for nothing.
		assert_ok!(submit(COMPANY, request(scope(7, 10), 0)));
		let id = NextRequest::<Test>::get() - 1;
		let answer = authorize(COMPANY, scope(7, 10), EXPIRY, Some(id));
		assert_ok!(submit(SCHOOL, answer));
		assert_eq!(deposit(), 0);
		sell(8);
		assert_eq!(deposit(), full);
	});
}
