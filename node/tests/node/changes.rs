// SPDX-License-Identifier: Apache-2.0
//! Tests how a specification's changes of the rules are read, and which names of protocols they lead to.

use isthmus_node::{
	chain_spec::{self, ChainSpec, SpecError},
	changes::{self, FaultyChanges},
};
use isthmus_primitives::params::{ChangesError, DifficultyRule, RuleChange};
use serde_json::{json, Value};
use std::{
	fs,
	sync::atomic::{AtomicUsize, Ordering},
};

/// Returns a development chain's specification with this table and fork identifier.
fn spec(planned: &Value, fork: Option<&str>) -> ChainSpec {
	let text = chain_spec::load("dev").unwrap().as_json(false).unwrap();
	let mut json: Value = serde_json::from_str(&text).unwrap();
	assert!(json.get("plannedChanges").is_none());
	json["plannedChanges"] = planned.clone();
	if let Some(fork) = fork {
		json["forkId"] = fork.into();
	}
	ChainSpec::from_json_bytes(json.to_string().into_bytes()).unwrap()
}

fn fork_id(planned: &Value, fork: Option<&str>) -> Option<String> {
	let spec = spec(planned, fork);
	changes::fork_id(&spec, &changes::planned(&spec).unwrap())
}

#[test]
fn a_table_is_read_and_kept_by_an_export() {
	let planned = json!([
		{ "fromBlock": 9, "minimumDifficulty": "0x400" },
		{ "fromBlock": 10, "difficultyRule": "asert" },
	]);
	let expected = [
		RuleChange {
			from_block: 9,
			minimum_difficulty: Some(1024.into()),
			..Default::default()
		},
		RuleChange {
			from_block: 10,
			difficulty_rule: Some(DifficultyRule::Asert),
			..Default::default()
		},
	];
	let plain = spec(&planned, None);
	let exported = plain.as_json(false).unwrap().into_bytes();
	let exported = ChainSpec::from_json_bytes(exported).unwrap();
	for spec in [plain, exported] {
		assert_eq!(changes::planned(&spec).unwrap(), expected);
	}
	let none = spec(&json!([]), None);
	assert_eq!(changes::planned(&none).unwrap(), []);
	assert!(!none.as_json(false).unwrap().contains("plannedChanges"));
}

#[test]
fn other_tables_have_other_names_of_protocols() {
	let one = json!([{ "fromBlock": 9, "minimumDifficulty": "0x400" }]);
	// The same change, written otherwise.
	let same = json!([{ "minimumDifficulty": "0x0400", "fromBlock": 9 }]);
	let other = json!([{ "fromBlock": 9, "minimumDifficulty": "0x401" }]);
	let later = json!([{ "fromBlock": 10, "minimumDifficulty": "0x400" }]);
	let none = json!([]);
	assert_eq!(fork_id(&none, None), None);
	assert_eq!(fork_id(&none, Some("x")).as_deref(), Some("x"));
	let id = fork_id(&one, None).unwrap();
	assert_eq!(id.len(), 16);
	assert_eq!(fork_id(&same, None).as_ref(), Some(&id));
	assert_ne!(fork_id(&other, None).as_ref(), Some(&id));
	assert_ne!(fork_id(&later, None).as_ref(), Some(&id));
	assert_eq!(fork_id(&one, Some("x")), Some(format!("x-{id}")));

	let genesis = isthmus_primitives::Hash::repeat_byte(0xab);
	let start = format!("/{}", "ab".repeat(32));
	assert_eq!(changes::protocol_prefix(genesis, None), start);
	assert_eq!(
		changes::protocol_prefix(genesis, Some("x")),
		format!("{start}/x")
	);
}

#[test]
fn faulty_changes_are_named() {
	let change = |from_block: u32| json!({ "fromBlock": from_block, "minimumDifficulty": "0x400" });
	let refused = |genesis: &[Value], planned: &[Value]| match changes::check(genesis, planned) {
		Err(FaultyChanges::Refused(error)) => error,
		other => panic!("{other:?}"),
	};
	assert_eq!(refused(&[change(0)], &[]), ChangesError::AtGenesis);
	assert_eq!(
		refused(&[], &[change(4), change(4)]),
		ChangesError::Repeated { from_block: 4 }
	);
	assert_eq!(
		refused(&[change(4)], &[change(3)]),
		ChangesError::PlannedTooEarly {
			last: 4,
			from_block: 3,
		}
	);
	let reward = json!({ "fromBlock": 4, "blockReward": 1 });
	assert!(changes::check(std::slice::from_ref(&reward), &[]).is_ok());
	assert_eq!(
		refused(&[], &[reward]),
		ChangesError::PlannedReward { from_block: 4 }
	);
	let many: Vec<_> = (1..=9).map(change).collect();
	let more: Vec<_> = (10..=17).map(change).collect();
	assert_eq!(refused(&many, &more), ChangesError::TooMany { got: 17 });

	let mut fixed = change(4);
	fixed["ethash"] = "full".into();
	let error = changes::check(&[fixed], &[]).unwrap_err();
	assert!(matches!(&error, FaultyChanges::Fixed(name) if name == "ethash"));
	let mut unknown = change(4);
	unknown["gasLimit"] = 1.into();
	for malformed in [unknown, json!(7), json!({ "minimumDifficulty": "0x400" })] {
		let error = changes::check(&[malformed], &[]).unwrap_err();
		assert!(matches!(error, FaultyChanges::Malformed(_)), "{error}");
	}
}

/// Writes a development chain's specification that was edited, and loads it.
fn load_edited(edit: impl FnOnce(&mut Value)) -> Result<ChainSpec, SpecError> {
	let text = chain_spec::load("dev").unwrap().as_json(false).unwrap();
	let mut json: Value = serde_json::from_str(&text).unwrap();
	edit(&mut json);
	static WRITTEN: AtomicUsize = AtomicUsize::new(0);
	let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
	let path = format!("{}/edited-{number}.json", env!("CARGO_TARGET_TMPDIR"));
	fs::write(&path, json.to_string()).unwrap();
	let loaded = chain_spec::load(&path);
	fs::remove_file(&path).unwrap();
	loaded
}

/// The runtime takes a difficulty without `0x` for a hexadecimal one, too.
#[test]
fn a_difficulty_in_decimal_digits_is_refused() {
	for decimal in [json!("131072"), json!(131_072)] {
		for field in ["genesisDifficulty", "minimumDifficulty"] {
			let refused = load_edited(|spec| {
				spec["genesis"]["runtimeGenesis"]["patch"]["proofOfWork"]["parameters"][field] =
					decimal.clone();
			});
			let Err(SpecError::Malformed { reason, .. }) = refused.map(|_| ()) else {
				panic!("{field} {decimal}");
			};
			let said = format!("such as \"0x20000\", which is 131072, and found {decimal}");
			assert!(reason.contains(&said), "{reason}");
		}
		let change = json!({ "fromBlock": 9, "minimumDifficulty": decimal });
		let error = changes::check(&[], &[change]).unwrap_err();
		assert!(matches!(error, FaultyChanges::Difficulty(_)), "{error}");
	}
}

/// A misspelt field would leave a rule out without a word.
#[test]
fn a_field_that_no_one_reads_is_refused() {
	let change = || json!([{ "fromBlock": 9, "minimumDifficulty": "0x400" }]);
	let refused = |edit: fn(&mut Value, Value), field: &str| {
		let refused = load_edited(|spec| edit(spec, change())).map(|_| ());
		match refused {
			Err(SpecError::Malformed { reason, .. }) => {
				assert!(
					reason.starts_with(&format!("unknown field `{field}`")),
					"{reason}"
				);
			}
			other => panic!("{field}: {other:?}"),
		}
	};
	refused(
		|spec, change| spec["plannedChange"] = change,
		"plannedChange",
	);
	refused(
		|spec, change| spec["planned_changes"] = change,
		"planned_changes",
	);
	refused(|spec, _| spec["bootnodes"] = json!([]), "bootnodes");
	// In the wrong place.
	refused(
		|spec, change| spec["genesis"]["runtimeGenesis"]["plannedChanges"] = change,
		"plannedChanges",
	);
	refused(
		|spec, _| {
			let session = &mut spec["genesis"]["runtimeGenesis"]["patch"]["session"];
			session["keys"][0][2]["babe"] = "x".into();
		},
		"babe",
	);
	// All that a specification may have.
	let all = load_edited(|spec| {
		spec["plannedChanges"] = change();
		spec["forkId"] = "x".into();
		spec["consensusEngine"] = Value::Null;
		spec["codeSubstitutes"] = json!({});
		spec["telemetryEndpoints"] = Value::Null;
	});
	assert_eq!(changes::planned(&all.unwrap()).unwrap().len(), 1);
}

#[test]
fn a_change_with_a_field_that_no_one_reads_is_refused() {
	for change in [
		json!({ "fromBlock": 9, "minDifficulty": "0x400" }),
		json!({ "fromBlock": 9, "difficultyRule": { "homestead": { "bomb": false, "bombs": true } } }),
	] {
		let refused = load_edited(|spec| spec["plannedChanges"] = json!([change])).map(|_| ());
		let Err(SpecError::Changes { error, .. }) = refused else {
			panic!("{change}");
		};
		assert!(error.to_string().contains("unknown field `"), "{error}");
	}
}
