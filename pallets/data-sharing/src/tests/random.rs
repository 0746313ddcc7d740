// SPDX-License-Identifier: Apache-2.0
//! Tests long random sequences of valid and invalid calls. Whatever is called, the state's invariants hold,
//! a call that fails changes nothing, and nothing is minted or burnt. A term that was paid for is kept, or what is
//! left of it is paid back. No money stays held past its date for longer than the agenda is late, and a stranger
//! can settle all that is. In the end every deposit can be released, except for the deposits for the counts of
//! datasets.

mod calls;
mod conditions;
mod due;
mod promises;

use crate::{mock::*, *};
use calls::{by_controller, dispute_call, handover_call, names_of, object_call, random_call};
use conditions::change_outside;
use due::{misjudged, overdue, settle, unfired};
use frame_support::{
	assert_ok,
	traits::{GetCallName, Hooks},
	weights::Weight,
};
use polkadot_sdk::*;
use promises::Promises;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::StateVersion;
use std::collections::BTreeSet;

/// How many calls to make between two checks of the state's invariants.
const CHECK_EVERY: usize = 50;
/// How many calls are enough for each of the pallet's calls to succeed.
const LONG: usize = 10_000;
const PRODUCERS: [u64; 2] = [SCHOOL, OFFICE];
const ACCOUNTS: [u64; 5] = [SCHOOL, OFFICE, COMPANY, RIVAL, PAUPER];

/// Goes on to the next block. Its agenda is worked off with little room, with much, or by a stranger.
fn next_block(rng: &mut StdRng) {
	run_to(System::block_number() + 1);
	let now = System::block_number();
	match rng.gen_range(0..4) {
		0 => {
			Sharing::on_idle(now, Weight::MAX);
			// The rounds and the agenda have come to all that facts, credentials and time have changed.
			assert_eq!(misjudged(), Vec::<GrantId>::new());
			assert_eq!(unfired(), Vec::<TriggerId>::new());
			// No fact has changed since.
			assert_eq!(QueueEnds::<Test>::get().0, QueueEnds::<Test>::get().1);
			// A grant that ends at a date may wait for one more block, as the block's time is not known before.
			let has_date = |due: &Due| match due {
				Due::Grant(id) => {
					Grants::<Test>::get(id).is_some_and(|grant| grant.until.is_some())
				}
				Due::Request(_) | Due::Trigger(_) | Due::Payment(_) => false,
			};
			assert_eq!(overdue().into_iter().find(|due| !has_date(due)), None);
		}
		1 => {
			for due in overdue().chunks(MAX_SETTLED as usize) {
				assert_ok!(submit(STRANGER, settle(due)));
			}
			assert_eq!(overdue(), []);
		}
		_ => {}
	}
	Time::set(Time::get() + 1);
}

/// Removes everything, as the owners would.
fn wind_up() {
	let all = |owner, calls: Vec<SharingCall>| {
		for call in calls {
			let (who, call) = by_controller(owner, call);
			assert_ok!(submit(who, call));
		}
	};
	for (request, entry) in Requests::<Test>::iter().collect::<Vec<_>>() {
		let reason = vec![];
		all(
			entry.owner,
			vec![SharingCall::reject_request { request, reason }],
		);
	}
	let firm_until = Grants::<Test>::iter_values()
		.filter(|grant| grant.firm)
		.map(|grant| grant.paid_until);
	run_to(firm_until.max().unwrap_or(0));
	for (grant, entry) in Grants::<Test>::iter().collect::<Vec<_>>() {
		if !entry.state.has_ended() {
			all(entry.owner, vec![SharingCall::revoke { grant }]);
		}
	}
	for (owner, dataset) in Datasets::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::start_epoch { dataset }]);
	}
	for (owner, key) in Records::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::remove_record { key }]);
	}
	for (owner, dataset, epoch, leaf) in Leaves::<Test>::iter_keys().collect::<Vec<_>>() {
		all(
			owner,
			vec![SharingCall::free_leaf {
				dataset,
				epoch,
				leaf,
			}],
		);
	}
	for trigger in Triggers::<Test>::iter_values().collect::<Vec<_>>() {
		let Target::Record {
			owner,
			dataset,
			key,
		} = trigger.target
		else {
			panic!("all requests are closed: {trigger:?}");
		};
		let lift = SharingCall::embargo {
			key,
			dataset,
			condition: None,
		};
		// Its dataset may be gone, so that only who set it can.
		let call = Box::new(lift.clone().into());
		assert_ok!(match trigger.by == owner {
			true => submit(owner, lift),
			false => submit(trigger.by, SharingCall::act_for { owner, call }),
		});
	}
	while Grants::<Test>::iter_keys().next().is_some() {
		run_to(System::block_number() + 1);
	}
	// Policies are removed with their datasets.
	for (owner, dataset) in Datasets::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::remove_dataset { dataset }]);
	}
	for owner in Producers::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::deregister {}]);
	}
	for who in EncryptionKeys::<Test>::iter_keys().collect::<Vec<_>>() {
		all(who, vec![SharingCall::remove_encryption_key {}]);
	}
}

fn sequence(seed: u64, calls: usize) {
	on_chain(|| {
		let mut rng = StdRng::seed_from_u64(seed);
		// Drawn apart, so that objects change nothing of what else is drawn.
		let mut objects = StdRng::seed_from_u64(!seed);
		let mut disputes = StdRng::seed_from_u64(seed << 32);
		let mut handovers = StdRng::seed_from_u64(seed << 16);
		let issuance = Balances::total_issuance();
		let (mut good, mut bad) = (0, 0);
		let mut promises = Promises::default();
		let mut succeeded = BTreeSet::new();
		for step in 0..calls {
			let (who, call) = random_call(&mut rng);
			// Now and then the owner tries it itself.
			let (who, call) = match handovers.gen_ratio(1, 8) {
				true => (who, call),
				false => by_controller(who, call),
			};
			// Computing the root is slow, so it is only done occasionally.
			let root = || sp_io::storage::root(StateVersion::V1);
			let before = rng.gen_ratio(1, 50).then(root);
			let names = names_of(&call);
			match submit(who, call) {
				Ok(()) => {
					good += 1;
					succeeded.extend(names);
				}
				Err(_) => {
					bad += 1;
					if before.is_some() {
						assert_eq!(Some(root()), before);
					}
				}
			}
			let (owner, call) = object_call(&mut objects);
			let (who, call) = by_controller(owner, call);
			let names = names_of(&call);
			if submit(who, call).is_ok() {
				succeeded.extend(names);
			}
			promises.check();
			if handovers.gen_ratio(1, 64) {
				let (who, call) = handover_call(&mut handovers);
				let names = names_of(&call);
				if submit(who, call).is_ok() {
					succeeded.extend(names);
				}
				promises.check();
			}
			if disputes.gen_ratio(1, 4) {
				let (reader, call) = dispute_call(&mut disputes);
				let name = call.get_call_name();
				if submit(reader, call).is_ok() {
					succeeded.insert(name);
				}
				promises.check();
			}
			if rng.gen_ratio(1, 4) {
				change_outside(&mut rng);
				promises.check();
			}
			if rng.gen_ratio(1, 8) {
				next_block(&mut rng);
				promises.check();
				promises.next_block();
			}
			if step % CHECK_EVERY == 0 {
				assert_eq!(Sharing::do_try_state(), Ok(()));
			}
		}
		// There must be enough calls of both kinds, or the test would show little.
		assert!(
			good > calls / 8 && bad > calls / 8,
			"{good} good, {bad} bad"
		);
		// Whatever the chain offers was called.
		let all: BTreeSet<_> = SharingCall::get_call_names().iter().copied().collect();
		assert!(succeeded == all || calls < LONG, "{succeeded:?}");
		let Promises {
			bought,
			refunded,
			suspended,
			resumed,
			released,
			lifted,
			won,
			lost,
			burned,
			..
		} = promises;
		// What disputes burn is all that leaves the chain.
		let issuance = issuance - burned;
		// Many conditions are refused, since dates count, too.
		assert!(
			suspended > calls / 400 && resumed > calls / 1_000,
			"{suspended} suspended, {resumed} resumed"
		);
		assert!(
			(released > 0 && lifted > 0) || calls < LONG,
			"{released} released, {lifted} lifted"
		);
		assert!(
			(won > 0 && lost > 0) || calls < LONG,
			"{won} won, {lost} lost"
		);
		assert!(
			bought > calls / 1_000 && refunded > 0,
			"{bought} bought, {refunded} refunded"
		);
		assert_eq!(Sharing::do_try_state(), Ok(()));
		assert_eq!(Balances::total_issuance(), issuance);

		wind_up();
		for who in ACCOUNTS {
			// The deposits for the counts of datasets stay.
			let kept = NextDataset::<Test>::get(who).map_or(0, |counter| counter.deposit);
			assert_eq!(Balances::reserved_balance(who), kept);
		}
		assert_eq!(Agenda::<Test>::iter_keys().count(), 0);
		assert_eq!(Waiting::<Test>::iter_keys().count(), 0);
		Sharing::on_idle(System::block_number(), Weight::MAX);
		assert_eq!(Crowds::<Test>::iter_keys().count(), 0);
		assert_eq!(DatasetNames::<Test>::iter_keys().count(), 0);
		assert_eq!(Policies::<Test>::iter_keys().count(), 0);
		assert_eq!(Controls::<Test>::iter_keys().count(), 0);
		assert_eq!(Controlled::<Test>::iter_keys().count(), 0);
		assert_eq!(Objects::<Test>::iter_keys().count(), 0);
		assert_eq!(ObjectCounts::<Test>::iter_keys().count(), 0);
		assert_eq!(Locations::<Test>::iter_keys().count(), 0);
		assert_eq!(AuthorizationList::<Test>::iter_keys().count(), 0);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

#[test]
fn invariants_hold_whatever_is_called() {
	sequence(5, LONG);
}

#[test]
fn invariants_hold_whatever_else_is_called() {
	sequence(2, 2_000);
}
