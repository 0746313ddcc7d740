// SPDX-License-Identifier: Apache-2.0
//! Builds the runtime's Wasm blob whenever the runtime is built for the host.

fn main() {
	#[cfg(feature = "std")]
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
