// SPDX-License-Identifier: Apache-2.0
//! Tests what the verifiers decide on beside themselves: upgrades of the runtime, and the restart of finality.

use crate::{mock::*, AgreedRestart, AgreedUpgrade, StartedRestart, VoterSet, VoterSets};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::DispatchError;

const CODE: H256 = H256::repeat_byte(7);

fn upgrade(code_hash: H256) -> VerifiersCall {
	VerifiersCall::authorize_upgrade { code_hash }
}

/// Returns the code whose hash was authorized last.
fn authorized() -> Option<H256> {
	System::events()
		.into_iter()
		.rev()
		.find_map(|record| match record.event {
			RuntimeEvent::System(frame_system::Event::UpgradeAuthorized {
				code_hash,
				check_version: true,
			}) => Some(code_hash),
			_ => None,
		})
}

#[test]
fn an_upgrade_is_authorized_after_its_delay() {
	with_four(|| {
		let refused = Err(DispatchError::BadOrigin);
		assert_eq!(decide_by(&[ALICE, BOB], upgrade(CODE)), refused);
		assert_eq!(AgreedUpgrade::<Test>::get(), None);

		assert_ok!(decide_by(&[ALICE, BOB, CHARLIE], upgrade(CODE)));
		let due = 1 + UPGRADE_DELAY;
		let code_hash = CODE;
		let agreed = VerifiersEvent::UpgradeAgreed { code_hash, due };
		assert_eq!(last_event(), agreed);
		run_to(due - 1);
		assert_eq!(authorized(), None);
		run_to(due);
		assert_eq!(authorized(), Some(CODE));
		assert_eq!(AgreedUpgrade::<Test>::get(), None);
		// It is authorized once.
		System::reset_events();
		run_to(due + 1);
		assert_eq!(authorized(), None);
	});
}

#[test]
fn an_upgrade_is_replaced_or_taken_back_before_it_is_due() {
	with_four(|| {
		let cancel = || VerifiersCall::cancel_upgrade {};
		assert_eq!(decide(cancel()), Err(Error::NothingAgreed.into()));
		assert_ok!(decide(upgrade(CODE)));
		run_to(10);
		assert_ok!(decide(upgrade(H256::zero())));
		run_to(1 + UPGRADE_DELAY);
		assert_eq!(authorized(), None);
		let refused = Err(DispatchError::BadOrigin);
		assert_eq!(decide_by(&[ALICE, BOB], cancel()), refused);
		assert_ok!(decide(cancel()));
		let code_hash = H256::zero();
		assert_eq!(last_event(), VerifiersEvent::UpgradeCancelled { code_hash });
		run_to(11 + UPGRADE_DELAY);
		assert_eq!(authorized(), None);
	});
}

#[test]
fn half_of_the_verifiers_restart_finality_without_the_absent() {
	with_four(|| {
		run_to(STALLED + 3);
		let absent = [CHARLIE, DAVE];
		assert_ok!(decide_by(&[ALICE, BOB], restart(3, &absent)));
		let due = STALLED + 3 + RESTART_DELAY;
		let agreed = VerifiersEvent::RestartAgreed {
			finalized: 3,
			absent: absent.to_vec().try_into().unwrap(),
			due,
		};
		assert_eq!(last_event(), agreed);
		run_to(due - 1);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);

		run_to(due);
		assert_eq!(verifiers(), [ALICE, BOB]);
		let session = Session::current_index() + 2;
		let started = VerifiersEvent::RestartStarted {
			removed: absent.to_vec().try_into().unwrap(),
			session,
		};
		assert_eq!(last_event(), started);
		run_to_session(session - 1);
		run_to(System::block_number() + SESSION - 1);
		assert_eq!(Forced::get(), None);

		run_to_session(session);
		let first = System::block_number();
		let voters_of = |who: [u64; 2]| who.map(|who| (who, who)).to_vec();
		let forced = (voters_of([ALICE, BOB]), first, FORCED_DELAY, 3);
		assert_eq!(Forced::get(), Some(forced));
		let block = first + FORCED_DELAY;
		assert_eq!(last_event(), VerifiersEvent::FinalityRestarted { block });
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE]);
		run_to(block);
		assert_eq!(
			(voters(), StartedRestart::<Test>::get()),
			(vec![ALICE, BOB], None)
		);
	});
}

#[test]
fn who_is_there_objects_and_the_restart_does_not_take_place() {
	with_four(|| {
		run_to(STALLED);
		let object = || VerifiersCall::object {};
		assert_noop!(submit(DAVE, object()), Error::NothingAgreed);
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		for who in [ALICE, EVE] {
			assert_noop!(submit(who, object()), Error::NotAbsent);
		}
		run_to(STALLED + RESTART_DELAY - 1);
		assert_ok!(submit(DAVE, object()));
		let by = Some(DAVE);
		assert_eq!(last_event(), VerifiersEvent::RestartCancelled { by });
		run_to(STALLED + 2 * RESTART_DELAY);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);
		assert_eq!((voters().len(), SetId::get()), (4, 0));
	});
}

#[test]
fn a_restart_needs_two_thirds_of_those_left_and_half_of_all() {
	with_four(|| {
		run_to(STALLED);
		let refused = Err(DispatchError::BadOrigin);
		// Two of the three that are left are not enough.
		assert_eq!(decide_by(&[ALICE, BOB], restart(0, &[DAVE])), refused);
		assert_eq!(decide_by(&[ALICE, BOB], restart(0, &[])), refused);
		assert_eq!(decide_by(&[ALICE], restart(0, &[CHARLIE, DAVE])), refused);
		for (absent, error) in [
			(&[BOB, CHARLIE, DAVE][..], Error::TooFewLeft),
			(&[ALICE, BOB, CHARLIE, DAVE], Error::TooFewLeft),
			(&[DAVE, DAVE], Error::NotVerifier),
			(&[EVE], Error::NotVerifier),
		] {
			let motion = restart(0, absent);
			assert_eq!(decide_by(&[ALICE, BOB], motion), Err(error.into()));
		}
		// All that vote are left.
		assert_ok!(decide_by(&[ALICE, BOB, CHARLIE], restart(0, &[])));
		let again = decide_by(&[ALICE, BOB, CHARLIE], restart(0, &[]));
		assert_eq!(again, Err(Error::RestartPending.into()));
	});
}

#[test]
fn the_votes_of_those_called_absent_do_not_count() {
	with_four(|| {
		run_to(STALLED);
		let refused = Err(DispatchError::BadOrigin);
		let absent = || restart(0, &[CHARLIE, DAVE]);
		assert_eq!(decide_by(&[CHARLIE, DAVE], absent()), refused);
		assert_eq!(decide_by(&[ALICE, CHARLIE, DAVE], absent()), refused);
		assert_eq!(AgreedRestart::<Test>::get(), None);
		assert_ok!(decide_by(&[ALICE, BOB, DAVE], absent()));
	});
}

#[test]
fn finality_that_lives_is_not_restarted() {
	with_four(|| {
		run_to(STALLED - 1);
		for finalized in [0, STALLED - 1, STALLED, 1_000_000] {
			let early = decide(restart(finalized, &[DAVE]));
			assert_eq!(early, Err(Error::NotStalled.into()), "{finalized}");
		}
		run_to(STALLED);
		assert_ok!(decide(restart(0, &[DAVE])));
		// It comes back: the verifiers take the restart back.
		let cancel = || VerifiersCall::cancel_restart {};
		let refused = Err(DispatchError::BadOrigin);
		assert_eq!(decide_by(&[ALICE, BOB], cancel()), refused);
		assert_ok!(decide(cancel()));
		assert_eq!(decide(cancel()), Err(Error::NothingAgreed.into()));
		run_to(STALLED + 2 * RESTART_DELAY);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);
	});
}

/// Admits Eve, so that the first block of session 2 announces a second set of voters. Returns that block's number.
fn announce_a_second_set() -> u64 {
	assert_ok!(submit(EVE, VerifiersCall::apply {}));
	assert_ok!(decide(admit(EVE)));
	run_to_session(2);
	assert_eq!((System::block_number(), SetId::get()), (2 * SESSION, 1));
	2 * SESSION
}

fn sets() -> Vec<(u64, u64)> {
	let sets = VoterSets::<Test>::get();
	sets.iter().map(|set| (set.id, set.since)).collect()
}

/// With such a number no node can import the block in which the new voters take over, or new nodes count the sets
/// otherwise than old ones.
#[test]
fn a_restart_takes_no_block_of_another_set() {
	with_four(|| {
		let second = announce_a_second_set();
		run_to(second + STALLED);
		assert_eq!(sets(), [(0, 0), (1, second)]);
		for (set, finalized, error) in [
			(0, second, Error::NotOfSet),
			(1, second - 1, Error::NotOfSet),
			(1, 0, Error::NotOfSet),
			(2, second, Error::UnknownSet),
			(u64::MAX, 0, Error::UnknownSet),
			(0, second + STALLED + 1, Error::NotStalled),
			(1, u64::MAX, Error::NotStalled),
		] {
			let refused = decide(restart_in_set(set, finalized, &[DAVE]));
			assert_eq!(refused, Err(error.into()), "{set}, {finalized}");
		}
		for (set, finalized) in [(0, 0), (0, second - 1), (1, second)] {
			assert_ok!(decide(restart_in_set(set, finalized, &[DAVE])));
			assert_ok!(decide(VerifiersCall::cancel_restart {}));
		}
	});
}

#[test]
fn a_restart_drops_the_sets_after_the_last_finalized_block() {
	with_four(|| {
		let second = announce_a_second_set();
		run_to(second + STALLED);
		let last = second - 2;
		assert_ok!(decide(restart_in_set(0, last, &[DAVE])));
		run_to(System::block_number() + RESTART_DELAY);
		let session = Session::current_index() + 2;
		run_to_session(session);
		assert!(Forced::get().is_some(), "GRANDPA waits");
		// As the nodes count them: the set that was announced and never voted had the number 1.
		assert_eq!(sets(), [(0, 0), (1, last)]);
		run_to(System::block_number() + FORCED_DELAY);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, EVE]);
		// The next changes are counted from there.
		assert_ok!(submit(BOB, VerifiersCall::leave {}));
		run_to_session(Session::current_index() + 2);
		assert_eq!(voters(), [ALICE, CHARLIE, EVE]);
		let (ids, since): (Vec<_>, Vec<_>) = sets().into_iter().unzip();
		assert_eq!(since.last(), Some(&System::block_number()));
		assert!(ids.iter().copied().eq(0..ids.len() as u64), "{ids:?}");
		let runtimes = SetId::get();
		assert_eq!(
			runtimes,
			ids.len() as u64,
			"the runtime counts the dropped set, too"
		);
	});
}

#[test]
fn the_oldest_sets_are_forgotten() {
	use crate::pallet::KEPT_SETS;
	with_four(|| {
		for set in 1..=u64::from(KEPT_SETS) {
			SetId::set(set - 1);
			run_to(1 + set);
		}
		let sets = sets();
		assert_eq!(sets.len(), KEPT_SETS as usize);
		assert_eq!(sets.first(), Some(&(0, 0)));
		SetId::set(100);
		run_to(System::block_number() + 1);
		let VoterSet { id, since } = VoterSets::<Test>::get()[0].clone();
		assert_eq!((id, since), (1, 3));
		// Votes for a restart can still name them: else one verifier who announces sets could prevent it for ever.
		run_to(System::block_number() + STALLED);
		let refused = decide(restart_in_set(0, 3, &[DAVE]));
		assert_eq!(refused, Err(Error::NotOfSet.into()));
		assert_ok!(decide(restart_in_set(0, 2, &[DAVE])));
	});
}

/// Two of four could agree to a restart, but not take it back when finality lives again.
#[test]
fn as_many_as_agreed_take_a_restart_back() {
	with_four(|| {
		run_to(STALLED);
		let cancel = || VerifiersCall::cancel_restart {};
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		let refused = Err(DispatchError::BadOrigin);
		assert_eq!(decide_by(&[ALICE], cancel()), refused);
		assert_ok!(decide_by(&[ALICE, BOB], cancel()));
		assert_eq!(last_event(), VerifiersEvent::RestartCancelled { by: None });
		run_to(STALLED + 2 * RESTART_DELAY);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);
	});
}

#[test]
fn a_restart_that_began_is_taken_back_until_its_voters_are_announced() {
	with_four(|| {
		run_to(STALLED);
		let cancel = || VerifiersCall::cancel_restart {};
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		run_to(STALLED + RESTART_DELAY);
		let session = Session::current_index() + 2;
		run_to_session(session - 1);
		assert_eq!(decide_by(&[ALICE], cancel()), Err(DispatchError::BadOrigin));
		assert_ok!(decide_by(&[ALICE, BOB], cancel()));
		assert_eq!(StartedRestart::<Test>::get(), None);
		run_to_session(session);
		// The set changes as it always does, with the votes of the former voters.
		assert_eq!((Forced::get(), Noted::get()), (None, None));
		assert_eq!((voters(), SetId::get()), (vec![ALICE, BOB], 1));
		assert_eq!(
			decide_by(&[ALICE, BOB], cancel()),
			Err(Error::NothingAgreed.into())
		);
	});
	with_four(|| {
		run_to(STALLED);
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		run_to(STALLED + RESTART_DELAY);
		run_to_session(Session::current_index() + 2);
		assert!(Forced::get().is_some(), "the voters are announced");
		let late = decide_by(&[ALICE, BOB], VerifiersCall::cancel_restart {});
		assert_eq!(late, Err(Error::NothingAgreed.into()));
	});
}

#[test]
fn a_restart_counts_again_when_it_begins() {
	with_four(|| {
		run_to(STALLED);
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		// One of the absent leaves, which is as good.
		assert_ok!(submit(DAVE, VerifiersCall::leave {}));
		run_to(STALLED + RESTART_DELAY);
		assert_eq!(verifiers(), [ALICE, BOB]);
	});
	with_four(|| {
		run_to(STALLED);
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		// One of those left leaves too: the other one would be alone against two.
		assert_ok!(submit(BOB, VerifiersCall::leave {}));
		run_to(STALLED + RESTART_DELAY);
		assert_eq!(last_event(), VerifiersEvent::RestartCancelled { by: None });
		assert_eq!(verifiers(), [ALICE, CHARLIE, DAVE]);
		assert_eq!(
			(AgreedRestart::<Test>::get(), StartedRestart::<Test>::get()),
			(None, None)
		);
	});
}

/// GRANDPA ignores a change while it waits for a forced one.
#[test]
fn a_change_during_a_restart_is_not_lost() {
	with_four(|| {
		run_to(STALLED);
		assert_ok!(decide_by(&[ALICE, BOB], restart(0, &[CHARLIE, DAVE])));
		run_to(STALLED + RESTART_DELAY);
		let session = Session::current_index() + 2;
		run_to_session(session - 1);
		// Eve would vote from the session on that starts while GRANDPA waits.
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		run_to_session(session + 1);
		assert!(Forced::get().is_some(), "GRANDPA waits");
		run_to_session(session + 4);
		assert_eq!(voters(), [ALICE, BOB, EVE]);
		let sets = SetId::get();
		run_to_session(session + 8);
		assert_eq!(SetId::get(), sets, "there is no change for nothing");
	});
}

#[test]
fn a_chain_from_before_gets_the_default_delays() {
	use crate::{migrations::ToVersion1, Delays, GovernmentDelays};
	use frame_support::traits::{GetStorageVersion, OnRuntimeUpgrade, StorageVersion};
	with_four(|| {
		let genesis = Delays::<Test>::get();
		assert_eq!(Verifiers::on_chain_storage_version(), 1);
		for written in [true, false] {
			StorageVersion::new(0).put::<Verifiers>();
			if !written {
				Delays::<Test>::kill();
			}
			ToVersion1::<Test>::on_runtime_upgrade();
			assert_eq!(Verifiers::on_chain_storage_version(), 1);
			let expected = if written {
				genesis.clone()
			} else {
				GovernmentDelays::default()
			};
			assert_eq!(Delays::<Test>::get(), expected);
		}
	});
}
