// SPDX-License-Identifier: Apache-2.0
//! Measures the benchmarks of one pallet and writes its `weights.rs`. `scripts/weights` runs it for all of
//! our pallets.
//!
//! The runtime is the real one, in Wasm, built with the feature `runtime-benchmarks`; the state is that of
//! the development preset. [`measure`] runs the benchmarks; [`write`] writes the results into the pallet's
//! file, and keeps its hand-written trait `WeightInfo`.
//!
//! The framework's program for this, `frame-benchmarking-cli`, depends on a parachain client. Measuring
//! inside the runtime and analysing the samples is the framework's code here as well.

#![forbid(unsafe_code)]

mod measure;
mod write;

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};

/// Measures the benchmarks of one pallet and writes its weights.
#[derive(Debug, Parser)]
struct Options {
	/// The runtime's Wasm, built with the feature `runtime-benchmarks`.
	#[arg(long, value_name = "FILE")]
	runtime: PathBuf,

	/// The crate of the pallet, for example `pallet_data_sharing`.
	#[arg(long, value_name = "CRATE")]
	pallet: String,

	/// Number of values to measure of each component, at least 2.
	#[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..))]
	steps: u32,

	/// Number of times to measure each value.
	#[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
	repeat: u32,

	/// The file whose implementations of `WeightInfo` are replaced.
	#[arg(long, value_name = "FILE")]
	output: PathBuf,
}

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
