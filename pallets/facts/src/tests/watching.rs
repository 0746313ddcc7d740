// SPDX-License-Identifier: Apache-2.0
//! Tests that the watcher hears of each change of a fact or a credential, and of no call that fails.

use crate::mock::*;
use isthmus_conditions::Value;

fn told() -> Vec<String> {
	Changes::take()
}

#[test]
fn what_changes_is_told_once() {
	run(|| {
		create(ALICE, "s", &[BOB, CHARLIE], 2).unwrap();
		// No condition waited for a source that did not exist.
		assert_eq!(told(), Vec::<String>::new());
		report(BOB, "s", Value::Integer(1)).unwrap();
		assert_eq!(told(), ["s t"]);
		withdraw(BOB, "s").unwrap();
		assert_eq!(told(), ["s t"]);
		change(ALICE, "s", &[BOB], 1, FRESH).unwrap();
		close(ALICE, "s").unwrap();
		assert_eq!(told(), ["s", "s"]);
		issue(ALICE, BOB, "hospital", START + 9).unwrap();
		revoke(ALICE, BOB, "hospital").unwrap();
		assert_eq!(told(), ["hospital of 2 by 1", "hospital of 2 by 1"]);
		assert!(report(EVE, "s", Value::Integer(1)).is_err());
		assert!(revoke(ALICE, BOB, "hospital").is_err());
		assert_eq!(told(), Vec::<String>::new());
	});
}

#[test]
fn a_fact_tells_when_it_grows_too_old() {
	run(|| {
		create(ALICE, "s", &[BOB, CHARLIE, DAVE], 2).unwrap();
		let until = |oldest| Facts::fact_until(&name("s"), &name("t"), oldest);
		report(BOB, "s", Value::Integer(1)).unwrap();
		// One report is no fact, and will not be one for growing older.
		assert_eq!(until(None), (None, None));
		wait(10);
		report(CHARLIE, "s", Value::Integer(2)).unwrap();
		let fact = Some(Value::Integer(1));
		let end = START + u64::from(FRESH) + 1;
		assert_eq!(until(None), (fact.clone(), Some(end)));
		assert_eq!(until(Some(30)), (fact, Some(START + 31)));
		// It is there until then, and not then.
		Time::set(end - 1);
		assert!(until(None).0.is_some());
		Time::set(end);
		assert_eq!(until(None), (None, None));
	});
}
