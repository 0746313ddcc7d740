// SPDX-License-Identifier: Apache-2.0
//! The executor of the runtime, and the genesis state of a chain specification.
//!
//! The specification's own builder compiles the runtime in an executor of its own and throws the result away. Here the
//! node's executor builds the genesis state, so that a start compiles the runtime once.

use polkadot_sdk::*;
use sc_chain_spec::json_patch;
use sc_executor::{HeapAllocStrategy, WasmExecutor, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_service::{config::ExecutorConfiguration, ChainSpec};
use serde::{de::IgnoredAny, Deserialize};
use serde_json::Value;
use sp_core::{
	storage::well_known_keys::CODE,
	traits::{CallContext, CodeExecutor, FetchRuntimeCode, RuntimeCode},
};
use sp_io::hashing::blake2_256;
use sp_runtime::Storage;
use sp_state_machine::BasicExternalities;
use std::{borrow::Cow, env};

/// The executor of the runtime.
pub type Executor = WasmExecutor<sp_io::SubstrateHostFunctions>;

/// What a command says before it makes the genesis state of a specification.
pub(crate) const BUILDING: &str =
	"Compiling the runtime, and building the genesis state, which takes some seconds";

/// The environment variable that names a folder for compiled runtimes.
const CACHE: &str = "ISTHMUS_RUNTIME_CACHE";

/// Returns the executor of a node. It keeps compiled runtimes in the folder that `ISTHMUS_RUNTIME_CACHE` names, and in
/// memory only if it names none: what is read from that folder is run without being checked.
pub fn executor(config: &ExecutorConfiguration) -> Executor {
	let heap = config
		.default_heap_pages
		.map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| {
			HeapAllocStrategy::Static {
				extra_pages: pages as _,
			}
		});
	let builder = WasmExecutor::builder()
		.with_execution_method(config.wasm_method)
		.with_onchain_heap_alloc_strategy(heap)
		.with_offchain_heap_alloc_strategy(heap)
		.with_max_runtime_instances(config.max_runtime_instances)
		.with_runtime_cache_size(config.runtime_cache_size);
	match env::var_os(CACHE).filter(|folder| !folder.is_empty()) {
		Some(folder) => builder.with_cache_path(folder),
		None => builder,
	}
	.build()
}

/// What is read of a specification.
#[derive(Deserialize)]
struct Specification {
	genesis: Genesis,
}

/// A genesis in its plain form, which the runtime makes a state of, or in any other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Genesis {
	RuntimeGenesis(Plain),
	#[serde(untagged)]
	Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Plain {
	/// The runtime.
	#[serde(with = "sp_core::bytes")]
	code: Vec<u8>,
	#[serde(flatten)]
	values: Values,
}

/// The values that the runtime makes a state of: all of them, or those that differ from its defaults.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Values {
	Patch(Value),
	Config(Value),
}

/// Returns the genesis state of a specification.
///
/// # Errors
///
/// Returns an error if the runtime cannot be run, or if it refuses the specification's values.
pub fn build(spec: &dyn ChainSpec, executor: &Executor) -> Result<Storage, String> {
	let text = spec.as_json(false)?;
	let specification: Specification =
		serde_json::from_str(&text).map_err(|error| error.to_string())?;
	let Genesis::RuntimeGenesis(Plain { code, values }) = specification.genesis else {
		return spec.as_storage_builder().build_storage();
	};
	let runtime = Runtime {
		hash: blake2_256(&code),
		code,
		executor,
	};
	let config = match values {
		Values::Config(config) => config,
		Values::Patch(patch) => {
			let mut config = runtime.defaults()?;
			json_patch::merge(&mut config, patch);
			config
		}
	};
	let mut storage = runtime.build_state(&config)?;
	storage.top.insert(CODE.to_vec(), runtime.code);
	Ok(storage)
}

/// Returns what a function of the runtime that takes nothing returns on a genesis state.
///
/// # Errors
///
/// Returns an error if the runtime cannot be run, or if it returns something else.
pub(crate) fn ask<T: codec::Decode>(
	state: &Storage,
	executor: &Executor,
	method: &str,
) -> Result<T, String> {
	let code = state.top.get(CODE).ok_or("its genesis has no runtime")?;
	let runtime = Runtime {
		hash: blake2_256(code),
		code: code.clone(),
		executor,
	};
	let (value, _) = runtime.call(state.clone(), method, &[])?;
	Ok(value)
}

/// A runtime that no block has yet.
struct Runtime<'a> {
	hash: [u8; 32],
	code: Vec<u8>,
	executor: &'a Executor,
}

impl FetchRuntimeCode for Runtime<'_> {
	fn fetch_runtime_code(&self) -> Option<Cow<'_, [u8]>> {
		Some(self.code.as_slice().into())
	}
}

impl Runtime<'_> {
	/// Calls a function on a state, and returns its result and the state that it made.
	fn call<T: codec::Decode>(
		&self,
		state: Storage,
		method: &str,
		data: &[u8],
	) -> Result<(T, Storage), String> {
		let mut state = BasicExternalities::new(state);
		// The same name under which a block's state keeps it: the executor compiles it once.
		let runtime = RuntimeCode {
			code_fetcher: self,
			heap_pages: None,
			hash: self.hash.to_vec(),
		};
		let (result, _) =
			self.executor
				.call(&mut state, &runtime, method, data, CallContext::Offchain);
		let result = result.map_err(|error| format!("the runtime's {method} failed: {error}"))?;
		let value = T::decode(&mut &result[..])
			.map_err(|error| format!("the runtime's {method} returned no result: {error}"))?;
		Ok((value, state.into_storages()))
	}

	/// Returns the runtime's default values.
	fn defaults(&self) -> Result<Value, String> {
		let preset = None::<String>;
		let (json, _) = self.call::<Option<Vec<u8>>>(
			Storage::default(),
			"GenesisBuilder_get_preset",
			&codec::Encode::encode(&preset),
		)?;
		let json = json.ok_or("the runtime has no default values for a genesis")?;
		serde_json::from_slice(&json)
			.map_err(|error| format!("the runtime's default values are no JSON: {error}"))
	}

	/// Returns the state that the runtime makes of these values.
	fn build_state(&self, config: &Value) -> Result<Storage, String> {
		let json = codec::Encode::encode(&config.to_string());
		let (built, storage) = self.call::<Result<(), String>>(
			Storage::default(),
			"GenesisBuilder_build_state",
			&json,
		)?;
		built.map_err(|error| {
			format!("the runtime refuses the values of the chain specification: {error}")
		})?;
		Ok(storage)
	}
}
