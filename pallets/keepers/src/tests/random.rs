// SPDX-License-Identifier: Apache-2.0
//! Tests long sequences of random calls. The state's invariants hold at each step, a refused call changes nothing, no
//! money comes from nowhere, and all deposits are released at the end, or in a pot.

use crate::{mock::*, Event, Pallet};
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::{DispatchResult, StateVersion};

const STEPS: u32 = 2_000;

/// Takes one random step. Many calls fail, and a failed call must change nothing.
fn step(random: &mut StdRng) -> DispatchResult {
	let who = random.gen_range(ALICE..=PAUPER);
	match random.gen_range(0..24) {
		0..=3 => keep(who),
		4 => leave(who),
		5..=11 => prove(who),
		12 => match objects() {
			0 => Ok(()),
			count => send(who, proof(random.gen_range(0..count), 0)),
		},
		13..=14 => report(random.gen_range(ALICE..=PAUPER), who),
		15 => fund(who, random.gen_range(0..2_000)),
		16 => {
			store(random.gen(), random.gen_range(16..20_000));
			Ok(())
		}
		17 if objects() > 0 => {
			unstore(random.gen_range(0..objects()));
			Ok(())
		}
		_ => {
			to_block(System::block_number() + random.gen_range(1..4));
			Ok(())
		}
	}
}

fn check() {
	assert_eq!(Pallet::<Test>::do_try_state(), Ok(()));
	for who in ALICE..=PAUPER {
		let recorded = entry(who).map_or(0, |entry| entry.deposit);
		assert_eq!(held(who), recorded);
	}
	let all: u64 = (ALICE..=PAUPER).map(|who| free(who) + held(who)).sum();
	assert_eq!(all + in_pots(), 5 * WEALTH + DEPOSIT / 2);
}

#[test]
fn random_calls_keep_the_invariants() {
	for seed in 0..3 {
		let mut random = StdRng::seed_from_u64(seed);
		run(|| {
			let mut proven = 0;
			for _ in 0..STEPS {
				System::reset_events();
				let before = sp_io::storage::root(StateVersion::V1);
				let result = frame_support::storage::with_storage_layer(|| step(&mut random));
				if result.is_err() {
					assert_eq!(sp_io::storage::root(StateVersion::V1), before);
				}
				let is_proof = |event: &KeepersEvent| matches!(event, Event::Proven { .. });
				proven += u32::from(events().iter().any(is_proof));
				check();
			}
			// Otherwise the steps would test refusals only.
			assert!(proven > 50, "only {proven} proofs were accepted");
			for who in ALICE..=PAUPER {
				let _ = leave(who);
			}
			check();
			assert_eq!((ALICE..=PAUPER).map(held).sum::<u64>(), 0);
			assert_eq!(in_pots(), pot().amount + EXISTENTIAL);
		});
	}
}
