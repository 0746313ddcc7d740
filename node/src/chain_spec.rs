//! The chain specifications that are built in. A consortium writes its own: see docs/operations.md.

use isthmus_runtime::WASM_BINARY;
use polkadot_sdk::*;
use sc_service::{ChainType, Properties};

/// A chain specification of this node.
pub(crate) type ChainSpec = sc_service::GenericChainSpec;

/// The built-in specification of this name, or the one in the file of this path.
///
/// # Errors
///
/// A sentence, where the node was built without its Wasm runtime or the file cannot be read.
pub(crate) fn load(id: &str) -> Result<ChainSpec, String> {
	match id {
		"dev" => development(),
		"" | "local" => local(),
		path => ChainSpec::from_json_file(path.into()),
	}
}

/// One validator, Alice, and blocks on demand.
fn development() -> Result<ChainSpec, String> {
	Ok(builder()?
		.with_name("Isthmus Development")
		.with_id("isthmus_dev")
		.with_chain_type(ChainType::Development)
		.with_genesis_config_preset_name(sp_genesis_builder::DEV_RUNTIME_PRESET)
		.build())
}

/// Four validators, Alice to Dave, on one machine.
fn local() -> Result<ChainSpec, String> {
	Ok(builder()?
		.with_name("Isthmus Local Network")
		.with_id("isthmus_local")
		.with_chain_type(ChainType::Local)
		.with_genesis_config_preset_name(sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET)
		.build())
}

fn builder() -> Result<sc_service::ChainSpecBuilder<sc_service::NoExtension>, String> {
	let wasm = WASM_BINARY.ok_or(
		"this node was built without its Wasm runtime (SKIP_WASM_BUILD was set); build it again without",
	)?;
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), "IST".into());
	properties.insert("tokenDecimals".into(), 12.into());
	properties.insert("ss58Format".into(), 42.into());
	Ok(ChainSpec::builder(wasm, Default::default())
		.with_protocol_id("isthmus")
		.with_properties(properties))
}
