// SPDX-License-Identifier: Apache-2.0
//! Tests that more than two thirds of the verifiers must agree to a motion, whatever threshold is proposed, as many as
//! finalize a block. What counts is who is a verifier when the motion is closed.

use crate::mock::*;
use frame_support::{assert_noop, assert_ok};
use pallet_collective::{Instance1, Voting};
use polkadot_sdk::*;
use sp_runtime::DispatchError;

fn applied(who: u64) {
	assert_ok!(submit(who, VerifiersCall::apply {}));
}

#[test]
fn three_of_four_admit() {
	with_four(|| {
		applied(EVE);
		let motion = Motion::propose(ALICE, 3, admit(EVE)).unwrap();
		assert_ok!(motion.vote(ALICE, true));
		assert_ok!(motion.vote(BOB, true));
		assert_ok!(motion.vote(DAVE, false));
		assert_noop!(motion.close(), CouncilError::TooEarly);
		assert_ok!(motion.vote(CHARLIE, true));
		assert_eq!(motion.close(), Ok(Some(Ok(()))));
		assert_eq!(
			last_event(),
			VerifiersEvent::Admitted {
				who: EVE,
				session: 2
			}
		);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE, EVE]);
		assert_eq!((applicants(), held(EVE)), (vec![], DEPOSIT));
	});
}

#[test]
fn exactly_half_is_not_enough_whatever_the_threshold() {
	with_four(|| {
		applied(EVE);
		let motion = Motion::propose(ALICE, 2, admit(EVE)).unwrap();
		assert_ok!(motion.vote(ALICE, true));
		assert_ok!(motion.vote(BOB, true));
		assert_eq!(motion.close(), Ok(Some(Err(DispatchError::BadOrigin))));
		assert_eq!((verifiers().len(), applicants()), (4, vec![EVE]));

		let motion = Motion::propose(ALICE, 2, remove(DAVE)).unwrap();
		assert_ok!(motion.vote(ALICE, true));
		assert_ok!(motion.vote(BOB, true));
		assert_eq!(motion.close(), Ok(Some(Err(DispatchError::BadOrigin))));
		assert_eq!(verifiers().len(), 4);
	});
}

#[test]
fn a_threshold_of_one_is_one_vote() {
	with_four(|| {
		applied(EVE);
		for threshold in [0, 1] {
			let before = System::event_count();
			Motion::propose(ALICE, threshold, admit(EVE)).unwrap();
			assert_eq!(executed(before), Some(Err(DispatchError::BadOrigin)));
		}
		assert_eq!((verifiers().len(), applicants()), (4, vec![EVE]));
	});
}

#[test]
fn one_of_one_is_more_than_two_thirds() {
	with_verifiers(&[ALICE], || {
		applied(EVE);
		let before = System::event_count();
		Motion::propose(ALICE, 1, admit(EVE)).unwrap();
		assert_eq!(executed(before), Some(Ok(())));
		assert_eq!(verifiers(), [ALICE, EVE]);
		// One of two is not more than two thirds, so the motion has no effect.
		let before = System::event_count();
		Motion::propose(ALICE, 1, remove(EVE)).unwrap();
		assert_eq!(executed(before), Some(Err(DispatchError::BadOrigin)));
	});
}

#[test]
fn majorities_of_every_number() {
	for count in 1..=5u64 {
		for ayes in 1..=count {
			let all: Vec<_> = (1..=count).collect();
			with_verifiers(&all, || {
				applied(FERDIE);
				let before = System::event_count();
				let motion = Motion::propose(ALICE, ayes as u32, admit(FERDIE)).unwrap();
				let result = if ayes == 1 {
					executed(before)
				} else {
					for who in 1..=ayes {
						assert_ok!(motion.vote(who, true));
					}
					motion.close().unwrap()
				};
				let enough = 3 * ayes > 2 * count;
				let expected = if enough {
					Ok(())
				} else {
					Err(DispatchError::BadOrigin)
				};
				assert_eq!(result, Some(expected), "{ayes} of {count}");
				assert_eq!(verifiers().contains(&FERDIE), enough);
			});
		}
	}
}

#[test]
fn no_account_decides_alone() {
	with_four(|| {
		applied(EVE);
		for origin in [
			RuntimeOrigin::signed(ALICE),
			RuntimeOrigin::root(),
			RuntimeOrigin::none(),
			pallet_collective::RawOrigin::Member(ALICE).into(),
			pallet_collective::RawOrigin::Members(2, 4).into(),
		] {
			assert_noop!(
				Verifiers::admit(origin.clone(), EVE),
				DispatchError::BadOrigin
			);
			assert_noop!(Verifiers::remove(origin, DAVE), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn only_verifiers_vote() {
	with_four(|| {
		applied(EVE);
		assert_eq!(
			Motion::propose(EVE, 3, admit(EVE)).err(),
			Some(CouncilError::NotMember.into())
		);
		let motion = Motion::propose(ALICE, 3, admit(EVE)).unwrap();
		assert_noop!(motion.vote(EVE, true), CouncilError::NotMember);
		assert_ok!(motion.vote(ALICE, true));
		assert_noop!(motion.vote(ALICE, true), CouncilError::DuplicateVote);
	});
}

#[test]
fn motions_that_cannot_take_effect() {
	with_four(|| {
		assert_eq!(decide(admit(EVE)), Err(Error::NotApplicant.into()));
		assert_eq!(decide(admit(ALICE)), Err(Error::NotApplicant.into()));
		assert_eq!(decide(remove(EVE)), Err(Error::NotVerifier.into()));
		applied(EVE);
		assert_eq!(decide(remove(EVE)), Err(Error::NotVerifier.into()));
		// If the registry drops an applicant, a majority can no longer admit it.
		Registered::mutate(|producers| producers.remove(&EVE));
		assert_eq!(decide(admit(EVE)), Err(Error::NotProducer.into()));
		assert_eq!((applicants(), held(EVE)), (vec![EVE], DEPOSIT));
		assert!(
			Verifiers::do_try_state().is_err(),
			"an applicant is no producer"
		);
		Registered::mutate(|producers| producers.insert(EVE));
	});
}

#[test]
fn the_number_of_verifiers_is_limited() {
	with_verifiers(&[1, 2, 3, 4, EVE], || {
		applied(FERDIE);
		applied(GINA);
		assert_ok!(decide(admit(FERDIE)));
		assert_eq!(verifiers().len() as u32, MAX_VERIFIERS);
		next_session();
		assert_eq!(decide(admit(GINA)), Err(Error::TooManyVerifiers.into()));
		assert_eq!((applicants(), held(GINA)), (vec![GINA], DEPOSIT));
		assert_ok!(submit(ALICE, VerifiersCall::leave {}));
		assert_ok!(decide(admit(GINA)));
	});
}

#[test]
fn a_removed_verifier_loses_its_vote_and_gets_its_deposit() {
	with_four(|| {
		applied(EVE);
		applied(FERDIE);
		assert_ok!(decide(admit(EVE)));
		let pending = Motion::propose(EVE, 3, admit(FERDIE)).unwrap();
		assert_ok!(pending.vote(EVE, true));
		assert_ok!(pending.vote(ALICE, true));

		next_session();
		assert_ok!(decide(remove(EVE)));
		assert_eq!(
			last_event(),
			VerifiersEvent::Removed {
				who: EVE,
				session: 3
			}
		);
		// It stays held for some sessions.
		assert_eq!(held(EVE), DEPOSIT);
		// Its vote on the pending motion is gone too, and two of four are not enough.
		let votes = Voting::<Test, Instance1>::get(pending.hash).unwrap();
		assert!(
			format!("{votes:?}").contains("ayes: [1], nays: []"),
			"{votes:?}"
		);
		assert_noop!(pending.vote(EVE, true), CouncilError::NotMember);
		assert_ok!(pending.vote(BOB, true));
		assert_noop!(pending.close(), CouncilError::TooEarly);
		assert_ok!(pending.vote(CHARLIE, true));
		next_session();
		assert_eq!(pending.close(), Ok(Some(Ok(()))));
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE, FERDIE]);
	});
}

/// A motion keeps the threshold with which it was proposed. Even so, more than two thirds of the verifiers at the
/// time when it is closed must have agreed.
#[test]
fn a_motion_of_a_smaller_set_needs_two_thirds_of_the_greater() {
	with_four(|| {
		[EVE, FERDIE, GINA].into_iter().for_each(applied);
		let motion = Motion::propose(ALICE, 3, admit(GINA)).unwrap();
		for who in [ALICE, BOB, CHARLIE] {
			assert_ok!(motion.vote(who, true));
		}
		assert_ok!(decide(admit(EVE)));
		next_session();
		assert_ok!(decide(admit(FERDIE)));
		next_session();
		// Only three of six agreed. The motion meets its threshold, so closing it executes the call, but
		// the call is refused.
		assert_eq!(motion.close(), Ok(Some(Err(DispatchError::BadOrigin))));
		assert_eq!((verifiers().len(), applicants()), (6, vec![GINA]));
		assert_noop!(motion.vote(DAVE, true), CouncilError::ProposalMissing);
		// One verifier leaves, because six is the maximum here. Then the call is proposed again, and enough agree.
		assert_ok!(submit(DAVE, VerifiersCall::leave {}));
		assert_ok!(decide(admit(GINA)));
	});
}

#[test]
fn a_motion_without_enough_votes_expires() {
	with_four(|| {
		applied(EVE);
		let motion = Motion::propose(ALICE, 3, admit(EVE)).unwrap();
		assert_ok!(motion.vote(ALICE, true));
		assert_ok!(motion.vote(BOB, true));
		run_to(1 + MOTION_DURATION - 1);
		assert_noop!(motion.close(), CouncilError::TooEarly);
		run_to(1 + MOTION_DURATION);
		assert_eq!(motion.close(), Ok(None));
		assert_eq!(applicants(), [EVE]);
		// Two votes against settle a motion before its time is up.
		let motion = Motion::propose(ALICE, 3, admit(EVE)).unwrap();
		assert_ok!(motion.vote(CHARLIE, false));
		assert_ok!(motion.vote(DAVE, false));
		assert_eq!(motion.close(), Ok(None));
		assert_eq!(applicants(), [EVE]);
	});
}

#[test]
fn a_verifier_votes_on_its_own_removal() {
	with_four(|| {
		let motion = Motion::propose(ALICE, 3, remove(DAVE)).unwrap();
		assert_ok!(motion.vote(DAVE, false));
		assert_ok!(motion.vote(ALICE, true));
		assert_ok!(motion.vote(BOB, true));
		assert_ok!(motion.vote(CHARLIE, true));
		assert_eq!(motion.close(), Ok(Some(Ok(()))));
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE]);
	});
	// All of three finalize a block, and all of three remove one of them.
	with_verifiers(&[ALICE, BOB, CHARLIE], || {
		let refused = Err(DispatchError::BadOrigin);
		assert_eq!(decide_by(&[ALICE, BOB], remove(CHARLIE)), refused);
		assert_ok!(decide_by(&[ALICE, BOB, CHARLIE], remove(CHARLIE)));
	});
}

/// More than half of the verifiers could otherwise make themselves two thirds of them, and so own finality.
#[test]
fn a_bare_majority_cannot_grow() {
	with_verifiers(&[1, 2, 3, 4, EVE], || {
		applied(FERDIE);
		let majority = [1, 2, 3];
		for call in [remove(4), remove(EVE), admit(FERDIE)] {
			let refused = Err(DispatchError::BadOrigin);
			assert_eq!(decide_by(&majority, call), refused);
		}
		assert_eq!(verifiers().len(), 5);
	});
}

#[test]
fn the_verifiers_change_one_in_a_session() {
	with_four(|| {
		[EVE, FERDIE, GINA].into_iter().for_each(applied);
		assert_ok!(decide(admit(EVE)));
		for call in [admit(FERDIE), remove(DAVE)] {
			assert_eq!(decide(call), Err(Error::OneChangeASession.into()));
		}
		// To leave takes no one's vote, and does not count.
		assert_ok!(submit(DAVE, VerifiersCall::leave {}));
		next_session();
		// A motion that is refused does not count either.
		assert_eq!(decide(admit(DAVE)), Err(Error::NotApplicant.into()));
		assert_ok!(decide(remove(CHARLIE)));
		assert_eq!(decide(admit(FERDIE)), Err(Error::OneChangeASession.into()));
		next_session();
		assert_ok!(decide(admit(FERDIE)));
		assert_eq!(verifiers(), [ALICE, BOB, EVE, FERDIE]);
	});
}

/// What the pallet calls enough is enough, and one vote less is not.
#[test]
fn a_motion_needs_the_fewest_votes_that_carry_it() {
	for count in 1..=6 {
		let all: Vec<_> = (1..=count).collect();
		with_verifiers(&all, || {
			let call = || VerifiersCall::authorize_upgrade {
				code_hash: Default::default(),
			};
			let needed = Verifiers::votes_needed(&call()) as usize;
			assert_ok!(decide_by(&all[..needed], call()));
			if needed > 1 {
				let refused = Err(DispatchError::BadOrigin);
				assert_eq!(decide_by(&all[..needed - 1], call()), refused);
			}
		});
	}
	// Those called absent do not decide on a restart, nor on taking it back.
	with_verifiers(&[1, 2, 3, 4, EVE], || {
		run_to(STALLED);
		let motion = || restart(0, &[4, EVE]);
		for call in [motion(), VerifiersCall::cancel_restart {}] {
			let needed = Verifiers::votes_needed(&call) as usize;
			assert_eq!(needed, 3);
			let refused = Err(DispatchError::BadOrigin);
			assert_eq!(decide_by(&[1, 2], call.clone()), refused);
			assert_ok!(decide_by(&[1, 2, 3], call));
		}
	});
	// Who is no verifier, or is named twice, does not make fewer votes enough.
	with_verifiers(&[1, 2, 3, 4, EVE], || {
		let strangers = restart(0, &[100, 101, 102]);
		assert_eq!(Verifiers::votes_needed(&strangers), 4);
		assert_eq!(Verifiers::votes_needed(&restart(0, &[4, 4, 4])), 3);
	});
	// No one calls others absent alone.
	with_verifiers(&[1, 2], || {
		run_to(STALLED);
		assert_eq!(Verifiers::votes_needed(&restart(0, &[2])), 2);
		assert_eq!(Verifiers::votes_needed(&restart(0, &[])), 2);
	});
}
