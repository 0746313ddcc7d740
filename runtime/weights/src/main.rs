//! Measures the benchmarks of one pallet and writes its `weights.rs`: `scripts/weights` runs it for all of
//! them.
//!
//! The runtime is the real one, in Wasm, built with the feature `runtime-benchmarks`; the state is that of
//! the development preset. [`measure`] runs the benchmarks; [`write`] puts what comes out into the
//! pallet's file, whose trait `WeightInfo` is written by hand and kept as it is.
//!
//! The framework's own program for this, `frame-benchmarking-cli`, brings a parachain's client with it. The
//! measuring inside the runtime and the analysis of the samples are the framework's here as well.

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

	/// The pallet's crate, such as `pallet_data_sharing`.
	#[arg(long, value_name = "CRATE")]
	pallet: String,

	/// How many values of each component are measured, at least 2.
	#[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..))]
	steps: u32,

	/// How many times each is measured.
	#[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
	repeat: u32,

	/// The file whose implementations of `WeightInfo` are written anew.
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
