// SPDX-License-Identifier: Apache-2.0
//! Tests long sequences of random calls. The state's invariants hold at each step, exactly the recorded deposits are held
//! from each account, and all are released at the end, except those for names.

use crate::{mock::*, Credentials, HoldReason, Pallet, Reports, Sources};
use isthmus_conditions::{Text, Value};
use polkadot_sdk::*;
use rand::{rngs::StdRng, seq::SliceRandom, Rng, SeedableRng};
use sp_runtime::{DispatchResult, StateVersion};

const STEPS: u32 = 3_000;
const SOURCES: [&str; 3] = ["a", "b", "c.long/name"];
const KINDS: [&str; 2] = ["school", "hospital.accredited"];

fn value(random: &mut StdRng) -> Value {
	match random.gen_range(0..4) {
		0 => Value::Text(Text::new("clear").expect("it is short")),
		1 => Value::Hash([random.gen_range(0..2); 32]),
		_ => Value::Integer(random.gen_range(-5..5)),
	}
}

/// Takes one random step. Many calls fail, and a failed call must change nothing.
fn step(random: &mut StdRng) -> DispatchResult {
	let who = random.gen_range(ALICE..=PAUPER);
	let whom = random.gen_range(ALICE..=PAUPER);
	let source = SOURCES[random.gen_range(0..SOURCES.len())];
	let kind = KINDS[random.gen_range(0..KINDS.len())];
	let mut accounts: Vec<_> = (ALICE..=PAUPER).collect();
	accounts.shuffle(random);
	accounts.truncate(random.gen_range(0..=4));
	let quorum = accounts.len() as u32 / 2 + random.gen_range(0..3);
	match random.gen_range(0..20) {
		0..=1 => create(who, source, &accounts, quorum),
		2..=4 => change(who, source, &accounts, quorum, random.gen_range(0..100)),
		5 => close(who, source),
		6..=13 => {
			let observed = Time::get() + DRIFT - random.gen_range(0..150);
			report_at(who, source, value(random), observed)
		}
		14 => withdraw(who, source),
		15..=16 => issue(who, whom, kind, Time::get() + random.gen_range(0..50)),
		17 => revoke(who, whom, kind),
		_ => {
			wait(random.gen_range(0..40));
			Ok(())
		}
	}
}

/// The deposits that the entries record for an account.
fn recorded(who: u8) -> [u64; 3] {
	let who = account(who);
	let sources = Sources::<Test>::iter_values().filter(|source| source.owner == who);
	let reports = Reports::<Test>::iter().flat_map(|(_, _, reports)| reports);
	let credentials = Credentials::<Test>::iter().filter(|((_, issuer, _), _)| *issuer == who);
	[
		sources.map(|source| source.deposit).sum(),
		reports
			.filter(|report| report.reporter == who)
			.map(|report| report.deposit)
			.sum(),
		credentials.map(|(_, credential)| credential.deposit).sum(),
	]
}

fn check() {
	assert_eq!(Pallet::<Test>::do_try_state(), Ok(()));
	for who in ALICE..=PAUPER {
		let reasons = [
			HoldReason::Source,
			HoldReason::Report,
			HoldReason::Credential,
		];
		assert_eq!(reasons.map(|reason| held(reason, who)), recorded(who));
		let total = Balances::free_balance(account(who))
			+ reasons.map(|reason| held(reason, who)).iter().sum::<u64>();
		assert_eq!(total, if who == PAUPER { PER_ITEM / 2 } else { WEALTH });
	}
}

/// Removes all that can be removed.
fn wind_up() {
	for source in SOURCES {
		for who in ALICE..=PAUPER {
			let _ = close(who, source);
			let _ = withdraw(who, source);
		}
	}
	for who in ALICE..=PAUPER {
		for whom in ALICE..=PAUPER {
			for kind in KINDS {
				let _ = revoke(who, whom, kind);
			}
		}
	}
	assert_eq!(
		(
			Reports::<Test>::iter().count(),
			Credentials::<Test>::iter().count()
		),
		(0, 0)
	);
	for (name, source) in Sources::<Test>::iter() {
		assert_eq!(source.deposit, PER_ITEM + name.as_str().len() as u64);
	}
}

#[test]
fn random_calls_keep_the_invariants() {
	for seed in 0..3 {
		let mut random = StdRng::seed_from_u64(seed);
		run(|| {
			let (mut accepted, mut reported) = (0, 0);
			for _ in 0..STEPS {
				System::reset_events();
				let before = sp_io::storage::root(StateVersion::V1);
				let result = frame_support::storage::with_storage_layer(|| step(&mut random));
				match result {
					Ok(()) => {
						accepted += 1;
						let is_report = |record: &_| matches!(record, FactsEvent::Reported { .. });
						reported += u32::from(events().iter().any(is_report));
					}
					Err(_) => assert_eq!(sp_io::storage::root(StateVersion::V1), before),
				}
				check();
			}
			// Otherwise the steps would test refusals only.
			assert!(accepted > STEPS / 10, "only {accepted} steps were accepted");
			assert!(
				reported > STEPS / 100,
				"only {reported} reports were accepted"
			);
			wind_up();
			check();
		});
	}
}
