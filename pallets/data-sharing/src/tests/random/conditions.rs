// SPDX-License-Identifier: Apache-2.0
//! Random conditions, and changes of what they are about.

use super::ACCOUNTS;
use crate::{mock::*, *};
use isthmus_conditions::Condition;
use rand::{rngs::StdRng, Rng};

/// Returns a condition on a few facts, credentials and dates, so that many grants wait for the same.
pub(super) fn random_condition(rng: &mut StdRng) -> Condition {
	let parts: Vec<_> = (0..rng.gen_range(1..5))
		.map(|_| {
			let limit = rng.gen_range(0..4);
			match rng.gen_range(0..8) {
				0..=3 => format!(
					"fact({}, t, {}s) > {limit}",
					source(rng),
					rng.gen_range(1..30)
				),
				4 => format!("fact({}, t) > {limit}", source(rng)),
				5 => format!("credential(0x{:02x}{}, k)", SCHOOL, "00".repeat(31)),
				6 => format!("before({})", date(Time::get() + rng.gen_range(0..40))),
				_ => format!("not after({})", date(Time::get() + rng.gen_range(0..40))),
			}
		})
		.collect();
	condition(&parts.join(if rng.gen_ratio(1, 2) { " and " } else { " or " }))
}

/// Returns a condition that may also test the consumer's grants, its payment and the dataset's grants.
pub(super) fn condition_of_policy(rng: &mut StdRng) -> Condition {
	let test = match rng.gen_range(0..3) {
		0 => format!("paid >= {}", rng.gen_range(0..150)),
		1 => format!("count < {}", rng.gen_range(0..20)),
		_ => format!("not granted(0x{:02x}{}, 0)", SCHOOL, "00".repeat(31)),
	};
	let other = random_condition(rng);
	// Too many tests of different things are refused.
	condition(&format!("{test} or ({other})"))
}

fn source(rng: &mut StdRng) -> &'static str {
	["a", "b", "c", "d", "e", "f"][rng.gen_range(0..6)]
}

/// Returns the time of a test's day as conditions write it.
fn date(time: u64) -> String {
	// 1970-01-12, on which all tests take place, began at this time.
	let seconds = time - 950_400;
	let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
	format!("1970-01-12T{hour:02}:{minute:02}:{second:02}Z")
}

/// Changes a fact or a credential, as the facts pallet would.
pub(super) fn change_outside(rng: &mut StdRng) {
	match rng.gen_range(0..6) {
		0 => {
			let account = ACCOUNTS[rng.gen_range(0..ACCOUNTS.len())];
			let kind = name("k");
			let until = Time::get() + rng.gen_range(0..30);
			Credentials::mutate(|all| all.insert((account, SCHOOL, kind.clone()), until));
			Sharing::changed(&Cause::Credential {
				account,
				issuer: SCHOOL,
				kind,
			});
		}
		1 => {
			let source = name(source(rng));
			Facts::mutate(|facts| facts.remove(&(source.clone(), name("t"))));
			Sharing::changed(&Cause::Source(source));
		}
		_ => drop(report(source(rng), rng.gen_range(0..6))),
	}
}
