// SPDX-License-Identifier: Apache-2.0
//! Tests long sequences of random calls. The state's invariants hold at each step, and all deposits are
//! released at the end.

use crate::mock::*;
use frame_support::assert_ok;
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::DispatchResult;

const STEPS: u32 = 6_000;

/// Takes one random step. Most calls fail, and a failed call must change nothing.
fn step(random: &mut StdRng, motions: &mut Vec<Motion>) -> DispatchResult {
	let who = random.gen_range(ALICE..=STRANGER);
	let whom = random.gen_range(ALICE..=STRANGER);
	match random.gen_range(0..17) {
		0..=1 => return submit(who, VerifiersCall::apply {}),
		2 => return submit(who, VerifiersCall::withdraw {}),
		3 => return submit(who, VerifiersCall::leave {}),
		4 => return submit(who, VerifiersCall::remove_keys {}),
		5 => return set_keys(who, who + 100 * random.gen_range(0..3)),
		6..=8 => {
			let call = match random.gen_range(0..8) {
				0..=2 => admit(whom),
				3..=5 => remove(whom),
				6 => restart_in_set(random.gen_range(0..4), random.gen_range(0..20), &[whom]),
				_ => VerifiersCall::cancel_restart {},
			};
			motions.push(Motion::propose(who, random.gen_range(0..5), call)?);
		}
		9..=12 => {
			if let Some(motion) = motions.get(random.gen_range(0..=motions.len())) {
				return motion.vote(who, random.gen_ratio(4, 5));
			}
		}
		13 => return submit(who, VerifiersCall::object {}),
		14..=15 => {
			if !motions.is_empty() {
				let place = random.gen_range(0..motions.len());
				motions[place].close()?;
				motions.swap_remove(place);
			}
		}
		_ => run_to(System::block_number() + random.gen_range(1..=SESSION)),
	}
	Ok(())
}

#[test]
fn random_calls_keep_the_invariants() {
	for seed in 0..3 {
		let mut random = StdRng::seed_from_u64(seed);
		with_four(|| {
			let total = |who| Balances::free_balance(who) + Balances::reserved_balance(who);
			let before: Vec<_> = (ALICE..=PAUPER).map(total).collect();
			let (mut motions, mut accepted) = (vec![], 0);
			for _ in 0..STEPS {
				System::reset_events();
				accepted += u32::from(step(&mut random, &mut motions).is_ok());
				check();
				// Motions with a threshold of 0 or 1 were executed at once.
				motions.retain(|motion| {
					pallet_collective::Voting::<Test, pallet_collective::Instance1>::contains_key(
						motion.hash,
					)
				});
			}
			let sets = SetId::get();
			assert!(
				sets > 10 && accepted > STEPS / 4,
				"{sets} sets of voters and {accepted} successful calls test too little"
			);
			// All verifiers but one leave, and all deposits are released.
			for who in applicants() {
				assert_ok!(submit(who, VerifiersCall::withdraw {}));
			}
			for who in verifiers().into_iter().skip(1) {
				assert_ok!(submit(who, VerifiersCall::leave {}));
			}
			let stays = verifiers()[0];
			run_to(System::block_number() + (3 + u64::from(UNBONDING)) * SESSION);
			for who in ALICE..=PAUPER {
				assert!(who == stays || held(who) == 0);
			}
			assert_eq!((ALICE..=PAUPER).map(total).collect::<Vec<_>>(), before);
			assert_eq!(voters(), [stays]);
		});
	}
}
