// SPDX-License-Identifier: Apache-2.0
//! Tests conditions on this pallet's facts, credentials and time.

use crate::mock::*;
use frame_support::assert_ok;
use isthmus_conditions::{Condition, Truth, Value};
use polkadot_sdk::*;

fn truth(condition: &str, who: u8) -> Truth {
	let condition: Condition = condition.parse().expect("it is a condition");
	Facts::evaluate(condition, account(who))
}

#[test]
fn a_condition_follows_the_facts() {
	run(|| {
		let condition = "fact(weather/beijing, t) > 75 and before(2027-02-01)";
		assert_ok!(create(ALICE, "weather/beijing", &[BOB], 1));
		assert_eq!(truth(condition, EVE), Truth::Unknown);
		assert_ok!(report(BOB, "weather/beijing", Value::Integer(76)));
		assert_eq!(truth(condition, EVE), Truth::True);
		wait(1);
		assert_ok!(report(BOB, "weather/beijing", Value::Integer(75)));
		assert_eq!(truth(condition, EVE), Truth::False);
		// An old fact is missing. It does not meet the condition, nor its negation.
		wait(u64::from(FRESH) + 1);
		assert_eq!(truth(condition, EVE), Truth::Unknown);
		assert_eq!(
			truth("not fact(weather/beijing, t) > 75", EVE),
			Truth::Unknown
		);
		// After the date the fact does not matter.
		wait(365 * 86_400);
		assert_eq!(truth(condition, EVE), Truth::False);
	});
}

#[test]
fn a_condition_is_about_an_account() {
	run(|| {
		let alice = "01".repeat(32);
		let condition =
			format!("credential(0x{alice}, school) and not credential(0x{alice}, banned)");
		assert_eq!(truth(&condition, BOB), Truth::False);
		assert_ok!(issue(ALICE, BOB, "school", START + 10));
		assert_eq!(truth(&condition, BOB), Truth::True);
		assert_eq!(truth(&condition, CHARLIE), Truth::False);
		assert_ok!(issue(ALICE, BOB, "banned", START + 5));
		assert_eq!(truth(&condition, BOB), Truth::False);
		wait(5);
		assert_eq!(truth(&condition, BOB), Truth::True);
	});
}

#[test]
fn what_only_other_pallets_know_is_missing() {
	run(|| {
		let alice = "01".repeat(32);
		for condition in ["paid >= 0", "count < 1", &format!("granted(0x{alice}, 0)")] {
			assert_eq!(truth(condition, BOB), Truth::Unknown);
		}
	});
}
