// SPDX-License-Identifier: Apache-2.0
//! Measures the benchmarks of one pallet and writes its `weights.rs`. `scripts/weights` runs it for all of
//! our pallets.
//!
//! The runtime is the real Wasm runtime, built with the feature `runtime-benchmarks`; the state is from the
//! development preset. [`measure`] runs the benchmarks; [`mod@write`] writes the results into the pallet's file
//! and keeps its hand-written trait `WeightInfo`.
//!
//! This program takes the place of the framework's own, `frame-benchmarking-cli`, which depends on a
//! parachain client. The code that measures inside the runtime and analyses the samples is still the
//! framework's.

#![forbid(unsafe_code)]

mod measure;
mod options;
mod write;

use clap::Parser;
use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
	match run(&Options::parse()) {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			ExitCode::FAILURE
		}
	}
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
	let runtime = std::fs::read(&options.runtime)
		.map_err(|error| format!("{}: {error}", options.runtime.display()))?;
	let weights = measure::pallet(&runtime, &options.pallet, options.steps, options.repeat)?;
	let old = std::fs::read_to_string(&options.output)
		.map_err(|error| format!("{}: {error}", options.output.display()))?;
	let new = write::file(&old, options, &weights)?;
	std::fs::write(&options.output, new)?;
	Ok(())
}
