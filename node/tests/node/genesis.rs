// SPDX-License-Identifier: Apache-2.0
//! Tests that the genesis state is that of the specification's own builder.

use isthmus_node::{
	chain_spec::{self, ChainSpec},
	genesis,
};
use polkadot_sdk::*;
use sc_service::{config::ExecutorConfiguration, ChainSpec as _};
use serde_json::{json, Value};

/// Returns a development chain's specification whose plain genesis was changed by `change`.
fn spec(change: impl Fn(&mut Value)) -> ChainSpec {
	let text = chain_spec::load("dev").unwrap().as_json(false).unwrap();
	let mut json: Value = serde_json::from_str(&text).unwrap();
	change(&mut json["genesis"]["runtimeGenesis"]);
	ChainSpec::from_json_bytes(json.to_string().into_bytes()).unwrap()
}

#[test]
fn the_state_is_that_of_the_specifications_own_builder() {
	let executor = genesis::executor(&ExecutorConfiguration::default());
	let dev = spec(|_| ());
	let raw = dev.as_json(true).unwrap().into_bytes();
	let raw = ChainSpec::from_json_bytes(raw).unwrap();
	let state = genesis::build(&dev, &executor).unwrap();
	assert!(state.top.len() > 10);
	for spec in [
		dev,
		raw,
		// Without a patch: the runtime's default values.
		spec(|genesis| genesis["patch"] = json!({})),
	] {
		let built = genesis::build(&spec, &executor).unwrap();
		let expected = spec.as_storage_builder().build_storage().unwrap();
		assert_eq!(built.top, expected.top);
		assert_eq!(built.children_default, expected.children_default);
	}
}

#[test]
fn values_that_the_runtime_does_not_know_are_refused() {
	let executor = genesis::executor(&ExecutorConfiguration::default());
	for form in ["patch", "config"] {
		let spec = spec(|genesis| {
			genesis.as_object_mut().unwrap().remove("patch");
			genesis[form] = json!({ "unknown": { "value": 1 } });
		});
		let error = genesis::build(&spec, &executor).unwrap_err();
		assert!(error.contains("refuses the values"), "{error}");
		assert!(error.contains("unknown"), "{error}");
	}
}

#[test]
fn code_that_is_no_runtime_is_refused() {
	let executor = genesis::executor(&ExecutorConfiguration::default());
	let spec = spec(|genesis| genesis["code"] = json!("0x0061736d01000000"));
	let error = genesis::build(&spec, &executor).unwrap_err();
	assert!(error.contains("GenesisBuilder_get_preset"), "{error}");
}
