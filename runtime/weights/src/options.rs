// SPDX-License-Identifier: Apache-2.0
//! The command-line options of the program that measures weights.

use clap::Parser;
use std::path::PathBuf;

/// Measures the benchmarks of one pallet and writes its weights.
#[derive(Debug, Parser)]
pub(crate) struct Options {
	/// The runtime's Wasm, built with the feature `runtime-benchmarks`.
	#[arg(long, value_name = "FILE")]
	pub(crate) runtime: PathBuf,

	/// The pallet's crate, for example `pallet_data_sharing`.
	#[arg(long, value_name = "CRATE")]
	pub(crate) pallet: String,

	/// Number of values to measure for each component, at least 2.
	#[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..))]
	pub(crate) steps: u32,

	/// Number of times to measure each value.
	#[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
	pub(crate) repeat: u32,

	/// The file whose implementations of `WeightInfo` are replaced.
	#[arg(long, value_name = "FILE")]
	pub(crate) output: PathBuf,
}
