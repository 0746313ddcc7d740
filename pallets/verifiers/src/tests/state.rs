// SPDX-License-Identifier: Apache-2.0
//! Tests that a broken invariant of the state is found, whichever entry breaks it.

use crate::{
	mock::*, AgreedRestart, AgreedUpgrade, KnownSet, LastChange, Restarting, StartedRestart,
	Unbonding, Voter, VoterSet, VoterSets, VotingKeys,
};
use frame_support::{assert_ok, BoundedVec};
use polkadot_sdk::*;
use sp_consensus_grandpa::AuthorityId;
use sp_core::{Pair, H256};
use sp_runtime::TryRuntimeError;

/// Breaks the state of a chain with a restart of finality and an upgrade under way, and expects to be told so.
fn found(error: &'static str, breaks: impl FnOnce()) {
	with_four(|| {
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		run_to_session(2);
		run_to(System::block_number() + STALLED);
		let code_hash = H256::zero();
		assert_ok!(decide(VerifiersCall::authorize_upgrade { code_hash }));
		assert_ok!(decide(restart_in_set(1, 2 * SESSION, &[EVE])));
		assert_ok!(submit(DAVE, VerifiersCall::leave {}));
		assert_ok!(submit(EVE, VerifiersCall::leave {}));
		assert_eq!(Verifiers::do_try_state(), Ok(()));
		frame_support::storage::with_transaction(|| {
			breaks();
			assert_eq!(
				Verifiers::do_try_state(),
				Err(TryRuntimeError::Other(error))
			);
			frame_support::storage::TransactionOutcome::Rollback(Ok::<_, TryRuntimeError>(()))
		})
		.expect("it is rolled back");
	});
}

fn sets(sets: &[(u64, u64)]) {
	let sets = sets.iter().map(|(id, since)| VoterSet {
		id: *id,
		since: *since,
	});
	VoterSets::<Test>::put(BoundedVec::truncate_from(sets.collect::<Vec<_>>()));
}

#[test]
fn sets_of_voters_are_checked() {
	found(
		"the sets of voters are not numbered one after the other",
		|| sets(&[(0, 0), (2, 10)]),
	);
	found(
		"a set of voters was announced before the one before it",
		|| sets(&[(0, 11), (1, 10)]),
	);
	found(
		"the last set of voters is not the one that is known",
		|| sets(&[(0, 0), (1, 10), (2, 11)]),
	);
	found(
		"the last set of voters is not the one that is known",
		|| sets(&[]),
	);
	found(
		"a set of voters was announced in a block that is yet to come",
		|| sets(&[(0, 0), (1, 1_000)]),
	);
	found(
		"a set of voters is known that GRANDPA does not have yet",
		|| KnownSet::<Test>::put(2),
	);
}

#[test]
fn the_keys_of_voters_are_checked() {
	let change = |change: fn(&mut Voter<u64>)| {
		let key = AuthorityId::from(pair(ALICE).public());
		VotingKeys::<Test>::mutate(key, |voter: &mut Option<_>| {
			change(voter.as_mut().expect("Alice votes"));
		});
	};
	found("a key votes in a session to come", || {
		change(|voter| voter.last = 100);
	});
	found("a key voted twice in a set that is yet to come", || {
		change(|voter| voter.reported = Some(2));
	});
	found(
		"the key of an account that votes on blocks is not known",
		|| change(|voter| voter.last = 1),
	);
	found("a key that voted long ago is remembered", || {
		pallet_session::CurrentIndex::<Test>::put(9);
		let _ = Unbonding::<Test>::clear(u32::MAX, None);
	});
}

#[test]
fn decisions_are_checked() {
	found("an upgrade is overdue", || {
		AgreedUpgrade::<Test>::mutate(|upgrade| upgrade.as_mut().expect("it waits").due = 3);
	});
	found("a restart of finality is overdue", || {
		AgreedRestart::<Test>::mutate(|restart| restart.as_mut().expect("it waits").due = 3);
	});
	found("a block to come is finalized", || {
		AgreedRestart::<Test>::mutate(|restart| {
			restart.as_mut().expect("it waits").finalized = 1_000;
		});
	});
	found("two restarts of finality are under way", || {
		StartedRestart::<Test>::put(Restarting {
			finalized: 1,
			session: 100,
		});
	});
	found("a block to come is finalized", || {
		AgreedRestart::<Test>::kill();
		StartedRestart::<Test>::put(Restarting {
			finalized: 1_000,
			session: 100,
		});
	});
	found(
		"the verifiers have changed in a session that is yet to come",
		|| LastChange::<Test>::put(100),
	);
}

#[test]
fn deposits_are_checked() {
	found("a deposit was not released", || {
		Unbonding::<Test>::mutate(EVE, |bond| bond.as_mut().expect("Eve left").until = 1);
	});
	found("the deposit held differs from the one recorded", || {
		Unbonding::<Test>::mutate(EVE, |bond| bond.as_mut().expect("Eve left").deposit = 1);
	});
}
