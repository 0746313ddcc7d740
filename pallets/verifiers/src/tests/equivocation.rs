// SPDX-License-Identifier: Apache-2.0
//! Tests reports that a verifier voted twice: who can be reported, and what it costs.

use crate::{mock::*, Pallet, VotingKeys};
use frame_support::{assert_noop, assert_ok, traits::Authorize};
use polkadot_sdk::*;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
	DispatchError,
};

const DIFFERENT: [u8; 2] = [1, 2];

/// Makes Eve a verifier whose node votes.
fn admit_eve() {
	assert_ok!(submit(EVE, VerifiersCall::apply {}));
	assert_ok!(decide(admit(EVE)));
	run_to_session(2);
	assert!(voters().contains(&EVE));
}

/// Returns what the pool says of a report.
fn validity(proof: crate::EquivocationProofOf<Test>) -> Result<(), TransactionValidityError> {
	let proof = Box::new(proof);
	RuntimeCall::from(VerifiersCall::report_equivocation { proof })
		.authorize(TransactionSource::External)
		.expect("the call is authorized by its evidence")
		.map(|_| ())
}

#[test]
fn a_verifier_that_votes_twice_loses_its_deposit_and_its_place() {
	with_four(|| {
		admit_eve();
		let (free, issued) = (Balances::free_balance(EVE), Balances::total_issuance());
		assert_ok!(validity(votes(EVE, 1, 9, DIFFERENT)));
		assert_ok!(report(votes(EVE, 1, 9, DIFFERENT)));
		let burned = DEPOSIT;
		assert_eq!(
			last_event(),
			VerifiersEvent::Equivocated {
				who: EVE,
				set: 1,
				round: 9,
				burned,
				session: Some(4)
			}
		);
		assert_eq!((held(EVE), Balances::free_balance(EVE)), (0, free));
		assert_eq!(Balances::total_issuance(), issued - burned);
		assert_eq!(verifiers(), [ALICE, BOB, CHARLIE, DAVE]);
		check();
		run_to_session(4);
		assert_eq!(voters(), [ALICE, BOB, CHARLIE, DAVE]);
		run_to_session(4 + UNBONDING + 1);
		assert_eq!(held(EVE), 0);
	});
}

#[test]
fn each_failed_report_has_its_error() {
	with_four(|| {
		admit_eve();
		// The same vote twice, and a signature for another round.
		assert_noop!(report(votes(EVE, 1, 9, [1, 1])), Error::InvalidEvidence);
		let mut other_round = codec::Encode::encode(&votes(EVE, 1, 9, DIFFERENT));
		other_round[9] = 8;
		let other_round = codec::DecodeAll::decode_all(&mut &other_round[..]).unwrap();
		assert_noop!(report(other_round), Error::InvalidEvidence);
		// A set to come: such a report would make the key immune until then.
		for set in [2, u64::MAX] {
			let early = votes(EVE, set, 9, DIFFERENT);
			assert_noop!(report(early), Error::InvalidEvidence);
		}
		assert_noop!(report(votes(GINA, 1, 9, DIFFERENT)), Error::UnknownKey);
		let bad = TransactionValidityError::Invalid(InvalidTransaction::BadProof);
		assert_eq!(validity(votes(EVE, 1, 9, [1, 1])), Err(bad));
		assert_eq!(validity(votes(GINA, 1, 9, DIFFERENT)), Err(bad));

		assert_ok!(report(votes(EVE, 1, 9, DIFFERENT)));
		for set in [0, 1] {
			let again = || votes(EVE, set, 12, DIFFERENT);
			assert_noop!(report(again()), Error::AlreadyReported);
			let stale = TransactionValidityError::Invalid(InvalidTransaction::Stale);
			assert_eq!(validity(again()), Err(stale));
		}
		// No one reports in their own name, or as the superuser.
		let proof = Box::new(votes(EVE, 2, 9, DIFFERENT));
		let call = VerifiersCall::report_equivocation { proof };
		assert_noop!(submit(ALICE, call.clone()), DispatchError::BadOrigin);
		for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
			let dispatched =
				sp_runtime::traits::Dispatchable::dispatch(RuntimeCall::from(call.clone()), origin);
			assert_eq!(
				dispatched.map_err(|failed| failed.error),
				Err(DispatchError::BadOrigin)
			);
		}
	});
}

#[test]
fn a_former_verifier_can_be_reported_until_its_deposit_is_released() {
	for late in [false, true] {
		with_four(|| {
			admit_eve();
			assert_ok!(submit(EVE, VerifiersCall::leave {}));
			// Its last session is 3.
			run_to_session(3 + UNBONDING);
			assert_eq!(held(EVE), DEPOSIT);
			if late {
				run_to_session(3 + UNBONDING + 1);
				assert_eq!(held(EVE), 0);
				assert_noop!(report(votes(EVE, 1, 9, DIFFERENT)), Error::UnknownKey);
				return;
			}
			assert_ok!(submit(EVE, VerifiersCall::apply {}));
			assert_eq!(held(EVE), 2 * DEPOSIT);
			assert_ok!(report(votes(EVE, 1, 9, DIFFERENT)));
			let burned = 2 * DEPOSIT;
			assert_eq!(
				last_event(),
				VerifiersEvent::Equivocated {
					who: EVE,
					set: 1,
					round: 9,
					burned,
					session: None
				}
			);
			assert_eq!((held(EVE), applicants()), (0, vec![]));
		});
	}
}

#[test]
fn a_renewed_key_can_still_be_reported() {
	with_four(|| {
		admit_eve();
		assert_ok!(set_keys(EVE, 500));
		run_to_session(4);
		assert!(CurrentVoters::get().contains(&(EVE, 500)));
		assert_ok!(report(votes(EVE, 1, 9, DIFFERENT)));
		assert_eq!(held(EVE), 0);
		// The new key is another one, and was not reported.
		assert!(Pallet::<Test>::can_be_reported(&pair_public(500)));
		assert_ok!(report(votes(500, 2, 9, DIFFERENT)));
	});
}

#[test]
fn a_verifier_that_returns_can_be_reported_for_a_later_set_alone() {
	with_four(|| {
		admit_eve();
		assert_ok!(report(votes(EVE, 1, 9, DIFFERENT)));
		run_to_session(4);
		assert_noop!(submit(EVE, VerifiersCall::apply {}), Error::ReportedKey);
		assert_ok!(set_keys(EVE, 500));
		assert_ok!(submit(EVE, VerifiersCall::apply {}));
		assert_ok!(decide(admit(EVE)));
		// A reported key that comes back nevertheless is not immune.
		assert_ok!(set_keys(EVE, EVE));
		run_to_session(6);
		assert!(voters().contains(&EVE));
		assert_noop!(report(votes(EVE, 1, 10, DIFFERENT)), Error::AlreadyReported);
		assert_ok!(report(votes(EVE, 3, 1, DIFFERENT)));
		assert_eq!(held(EVE), 0);
	});
}

#[test]
fn a_verifier_of_genesis_loses_its_place_and_the_only_one_stays() {
	with_verifiers(&[ALICE, BOB], || {
		assert_ok!(report(votes(BOB, 0, 1, DIFFERENT)));
		assert_eq!(verifiers(), [ALICE]);
		assert_ok!(report(votes(ALICE, 0, 1, DIFFERENT)));
		assert_eq!(
			last_event(),
			VerifiersEvent::Equivocated {
				who: ALICE,
				set: 0,
				round: 1,
				burned: 0,
				session: None
			}
		);
		assert_eq!(verifiers(), [ALICE]);
	});
}

#[test]
fn keys_are_forgotten_after_a_while() {
	with_four(|| {
		let keys = || VotingKeys::<Test>::iter().count();
		assert_eq!(keys(), 4);
		assert_ok!(submit(DAVE, VerifiersCall::leave {}));
		// Its last session is 1.
		run_to_session(1 + UNBONDING);
		assert_eq!(keys(), 4);
		run_to_session(1 + UNBONDING + 1);
		assert_eq!(keys(), 3);
		assert!(!Pallet::<Test>::can_be_reported(&pair_public(DAVE)));
	});
}

fn pair_public(number: u64) -> sp_consensus_grandpa::AuthorityId {
	sp_core::Pair::public(&pair(number)).into()
}

/// The benchmark's votes, which a runtime cannot sign.
#[test]
fn the_benchmarks_votes_are_an_equivocation() {
	use sp_consensus_grandpa::{check_equivocation_proof, EquivocationProof};
	let bytes = include_bytes!("../benchmarking/equivocation.bin");
	let proof: EquivocationProof<sp_core::H256, u32> =
		codec::DecodeAll::decode_all(&mut &bytes[..]).expect("this is the layout of a proof");
	assert!(check_equivocation_proof(proof));
}
