// SPDX-License-Identifier: Apache-2.0
//! Tests facts, credentials and conditions through transactions, on the time of this chain's blocks.

use super::*;
use crate::{DataSharing, Facts};
use frame_support::traits::fungible::InspectHold;
use isthmus_conditions::{Name, Truth, Value};

fn name(name: &str) -> Name {
	Name::new(name).expect("it is a name")
}

fn source(reporters: &[Sr25519Keyring], quorum: u32, fresh: u32) -> RuntimeCall {
	let reporters: Vec<_> = reporters.iter().map(|who| who.to_account_id()).collect();
	let reporters = reporters.try_into().expect("they are few");
	let name = name("weather/beijing");
	pallet_facts::Call::create_source {
		name,
		reporters,
		quorum,
		fresh,
	}
	.into()
}

/// Reports what is observed when the next block is made.
fn report(value: i64) -> RuntimeCall {
	pallet_facts::Call::report {
		source: name("weather/beijing"),
		topic: name("pm25"),
		value: Value::Integer(value),
		observed: ProofOfWork::current_head().timestamp + 12,
		response: Hash::repeat_byte(1),
	}
	.into()
}

fn truth(condition: &str) -> Truth {
	let condition = condition.parse().expect("it is a condition");
	Facts::evaluate(condition, Bob.to_account_id())
}

#[test]
fn a_condition_follows_facts_credentials_and_the_time_of_blocks() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let alice: String = Alice
			.to_account_id()
			.encode()
			.iter()
			.map(|byte| format!("{byte:02x}"))
			.collect();
		let fact = "fact(weather/beijing, pm25) > 75";
		let condition = format!("{fact} and credential(0x{alice}, hospital)");
		let credential = pallet_facts::Call::issue_credential {
			subject: Bob.to_account_id(),
			kind: name("hospital"),
			until: ProofOfWork::current_head().timestamp + 60,
		};
		chain.mine(vec![
			(Alice, source(&[Alice, Bob], 2, 30)),
			(Alice, report(80)),
			(Alice, credential.into()),
		]);
		assert_eq!((last_error(), truth(&condition)), (None, Truth::Unknown));
		// docs/operations.md names this deposit.
		let reason = pallet_facts::HoldReason::Report.into();
		let held = Balances::balance_on_hold(&reason, &Alice.to_account_id());
		assert_eq!(held, 1_155 * UNIT / 10_000);
		chain.mine(vec![(Bob, report(76))]);
		assert_eq!((last_error(), truth(&condition)), (None, Truth::True));
		// The first report is 24 s old, then 36 s: more than the source's 30.
		chain.mine(vec![]);
		assert_eq!(truth(&condition), Truth::True);
		chain.mine(vec![]);
		assert_eq!(truth(&condition), Truth::Unknown);
		chain.mine(vec![(Alice, report(70)), (Bob, report(90))]);
		assert_eq!((last_error(), truth(fact)), (None, Truth::False));
		// The credential's 60 s are over.
		assert_eq!(truth(&condition), Truth::False);
		chain.mine(vec![(Alice, report(77))]);
		assert_eq!(
			(truth(fact), truth(&condition)),
			(Truth::True, Truth::False)
		);
		// A stranger does not report for the source.
		chain.mine(vec![(Sr25519Keyring::Charlie, report(1))]);
		let error = pallet_facts::Error::<Runtime>::NotReporter;
		assert_eq!(last_error(), Some(error.into()));
	});
}

#[test]
fn a_report_suspends_a_grant_and_the_next_resumes_it() {
	use isthmus_sharing::{GrantState, ProducerKind, Scope};
	use pallet_data_sharing::{Call, Grants};
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let register = Call::register {
			kind: ProducerKind::School,
			name: b"A school".to_vec(),
		};
		let key = Call::set_encryption_key { key: vec![0; 34] };
		let dataset = Call::create_dataset {
			name: b"marks".to_vec(),
		};
		chain.mine(vec![
			(Alice, source(&[Alice], 1, 600)),
			(Alice, report(80)),
			(Alice, register.into()),
			(Alice, dataset.into()),
			(Bob, key.into()),
		]);
		let condition = "fact(weather/beijing, pm25) > 75".parse();
		let give = Call::add_authorize {
			grantee: Bob.to_account_id(),
			scope: Scope {
				dataset: 0,
				epoch: 0,
				from: 0,
				to: 10,
			},
			expiry: 1_000,
			until: None,
			sealed_keys: vec![1; 100],
			request: None,
			condition: Some(condition.expect("it is a condition")),
		};
		chain.mine(vec![(Alice, give.into())]);
		assert_eq!(last_error(), None);
		let state = || Grants::<Runtime>::get(0).expect("it was given").state;
		assert_eq!(state(), GrantState::Active);
		chain.mine(vec![(Alice, report(70))]);
		assert_eq!((last_error(), state()), (None, GrantState::Suspended));
		chain.mine(vec![(Alice, report(76))]);
		assert_eq!((last_error(), state()), (None, GrantState::Active));
		// A source that closes has no facts.
		let close = pallet_facts::Call::close_source {
			name: name("weather/beijing"),
		};
		chain.mine(vec![(Alice, close.into())]);
		assert_eq!((last_error(), state()), (None, GrantState::Suspended));
		assert_eq!(DataSharing::do_try_state(), Ok(()));
	});
}
