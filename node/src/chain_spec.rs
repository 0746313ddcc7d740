// SPDX-License-Identifier: Apache-2.0
//! The built-in chain specifications. A chain specification contains a chain's name and its genesis state.
//! A consortium writes its own: see docs/operations.md.

use isthmus_runtime::WASM_BINARY;
use polkadot_sdk::*;
use sc_service::{ChainType, Properties};

/// A chain specification of this node.
pub type ChainSpec = sc_service::GenericChainSpec;

/// Loads a built-in specification by name (`dev` or `local`), or any other from the file at this path.
///
/// # Errors
///
/// Returns a message if the node was built without its Wasm runtime, or if the file cannot be read.
pub fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"dev" => development(),
		"" | "local" => local(),
		path => ChainSpec::from_json_file(path.into()),
	}
}

/// The development chain: one verifier, Alice, and blocks on demand.
fn development() -> Result<ChainSpec, String> {
	build(
		"Isthmus Development",
		"isthmus_dev",
		ChainType::Development,
		sp_genesis_builder::DEV_RUNTIME_PRESET,
	)
}

/// The local test network: four verifiers, Alice to Dave, on one machine.
fn local() -> Result<ChainSpec, String> {
	build(
		"Isthmus Local Network",
		"isthmus_local",
		ChainType::Local,
		sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET,
	)
}

fn build(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, String> {
	let wasm = WASM_BINARY.ok_or(
		"this node was built without its Wasm runtime: build it again without SKIP_WASM_BUILD",
	)?;
	// The native runtime returns the preset at once. The Wasm runtime would first have to be compiled.
	let genesis = isthmus_runtime::genesis::preset(&preset.into())
		.and_then(|json| serde_json::from_slice(&json).ok())
		.ok_or_else(|| format!("the runtime has no genesis preset {preset}"))?;
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), "IST".into());
	properties.insert("tokenDecimals".into(), isthmus_primitives::DECIMALS.into());
	properties.insert("ss58Format".into(), 42.into());
	Ok(ChainSpec::builder(wasm, Default::default())
		.with_name(name)
		.with_id(id)
		.with_chain_type(kind)
		.with_protocol_id("isthmus")
		.with_properties(properties)
		.with_genesis_config_patch(genesis)
		.build())
}
