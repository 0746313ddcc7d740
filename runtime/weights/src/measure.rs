// SPDX-License-Identifier: Apache-2.0
//! Runs a pallet's benchmarks in the runtime, and fits a line to the samples of each: a constant cost plus
//! a cost per unit of each component. A component is a number that a benchmark varies, such as a length.

use codec::{Decode, Encode};
use frame_benchmarking::{
	Analysis, BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata,
	BenchmarkParameter, BenchmarkResult, BenchmarkSelector,
};
use polkadot_sdk::*;
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use sc_service::{ChainType, GenericChainSpec, NoExtension};
use sp_core::traits::{CallContext, RuntimeCode, WrappedRuntimeCode};
use sp_runtime::{traits::BlakeTwo256, BuildStorage};
use sp_state_machine::StateMachine;

type Host = frame_benchmarking::benchmarking::HostFunctions;
type Executor = WasmExecutor<(sp_io::SubstrateHostFunctions, Host)>;
type State = BenchmarkingState<BlakeTwo256>;

/// Why a pallet could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
	/// The genesis state could not be built.
	#[error("cannot build the genesis state: {0}")]
	Genesis(String),
	/// The runtime has no benchmarks, or one of them failed.
	#[error("{call}: {message}")]
	Runtime {
		/// The benchmark or runtime function.
		call: String,
		/// The message from the runtime or the executor.
		message: String,
	},
	/// The pallet is not among the runtime's benchmarks.
	#[error("the runtime has no benchmarks of {0}: is it listed in `define_benchmarks!`?")]
	NoSuchPallet(String),
	/// No line fits the samples.
	#[error("no line fits the samples of {0}: {1}")]
	NoFit(String, String),
}

/// A quantity that grows with a benchmark's components: a constant plus a slope per component.
pub(crate) struct Line {
	/// The value with all components at zero.
	pub(crate) base: u128,
	/// The name and slope of each component.
	pub(crate) slopes: Vec<(String, u128)>,
}

/// The cost of one benchmark.
pub(crate) struct Cost {
	/// The benchmark's name.
	pub(crate) name: String,
	/// The components, each with its minimum and maximum value.
	pub(crate) components: Vec<(String, u32, u32)>,
	/// The time in picoseconds.
	pub(crate) time: Line,
	/// The shortest time among the samples, in nanoseconds.
	pub(crate) least: u128,
	/// The number of state entries read.
	pub(crate) reads: Line,
	/// The number of state entries written.
	pub(crate) writes: Line,
}

/// Measures every benchmark of the pallet.
///
/// # Errors
///
/// Returns a [`MeasureError`] if the runtime has no benchmarks of the pallet, or one of them fails.
pub(crate) fn pallet(
	wasm: &[u8],
	pallet: &str,
	steps: u32,
	repeat: u32,
) -> Result<Vec<Cost>, MeasureError> {
	let bench = Bench::new(wasm)?;
	// Skip benchmarks marked "extra", because no weight is made from them. The result also describes state
	// entries, which is only needed for proofs.
	let lists: Vec<BenchmarkList> = bench.call(
		&bench.timing,
		"Benchmark_benchmark_metadata",
		&false.encode(),
	)?;
	let list = lists
		.into_iter()
		.find(|list| list.pallet == pallet.as_bytes())
		.ok_or_else(|| MeasureError::NoSuchPallet(pallet.into()))?;
	list.benchmarks
		.iter()
		.map(|benchmark| bench.measure(&list, benchmark, steps, repeat))
		.collect()
}

/// The runtime and the states on which it runs.
struct Bench<'a> {
	executor: Executor,
	code: WrappedRuntimeCode<'a>,
	hash: Vec<u8>,
	/// A state that counts reads and writes, which is slow.
	counting: State,
	/// A state for measuring time.
	timing: State,
}

impl<'a> Bench<'a> {
	fn new(wasm: &'a [u8]) -> Result<Self, MeasureError> {
		let genesis = GenericChainSpec::<NoExtension, Host>::builder(wasm, None)
			.with_name("Benchmarks")
			.with_id("benchmarks")
			.with_chain_type(ChainType::Development)
			.with_genesis_config_preset_name(sp_genesis_builder::DEV_RUNTIME_PRESET)
			.build()
			.build_storage()
			.map_err(MeasureError::Genesis)?;
		let state = |counting| {
			State::new(genesis.clone(), None, false, counting).map_err(MeasureError::Genesis)
		};
		Ok(Self {
			executor: Executor::builder().with_max_runtime_instances(2).build(),
			code: WrappedRuntimeCode(wasm.into()),
			hash: sp_io::hashing::blake2_256(wasm).to_vec(),
			counting: state(true)?,
			timing: state(false)?,
		})
	}

	fn call<R: Decode>(
		&self,
		state: &State,
		method: &str,
		arguments: &[u8],
	) -> Result<R, MeasureError> {
		let failed = |message: String| MeasureError::Runtime {
			call: method.into(),
			message,
		};
		let code = RuntimeCode {
			code_fetcher: &self.code,
			heap_pages: None,
			hash: self.hash.clone(),
		};
		let output = StateMachine::new(
			state,
			&mut Default::default(),
			&self.executor,
			method,
			arguments,
			&mut Default::default(),
			&code,
			CallContext::Offchain,
		)
		.execute()
		.map_err(|error| failed(error.to_string()))?;
		R::decode(&mut &output[..]).map_err(|error| failed(error.to_string()))
	}

	/// Runs one benchmark with these values of its components.
	fn dispatch(
		&self,
		state: &State,
		list: &BenchmarkList,
		benchmark: &BenchmarkMetadata,
		components: &[(BenchmarkParameter, u32)],
		(verify, repeats): (bool, u32),
	) -> Result<Vec<BenchmarkResult>, MeasureError> {
		let config = BenchmarkConfig {
			pallet: list.pallet.clone(),
			instance: list.instance.clone(),
			benchmark: benchmark.name.clone(),
			selected_components: components.to_vec(),
			verify,
			internal_repeats: repeats,
		};
		let batches: Result<Vec<BenchmarkBatch>, String> =
			self.call(state, "Benchmark_dispatch_benchmark", &config.encode())?;
		let batches = batches.map_err(|message| MeasureError::Runtime {
			call: text(&benchmark.name),
			message,
		})?;
		Ok(batches
			.into_iter()
			.flat_map(|batch| batch.results)
			.collect())
	}

	fn measure(
		&self,
		list: &BenchmarkList,
		benchmark: &BenchmarkMetadata,
		steps: u32,
		repeat: u32,
	) -> Result<Cost, MeasureError> {
		let name = text(&benchmark.name);
		eprintln!("{}: {name}", text(&list.pallet));
		let (mut counts, mut times) = (Vec::new(), Vec::new());
		for components in selections(&benchmark.components, steps) {
			let run = |state, how| self.dispatch(state, list, benchmark, &components, how);
			run(&self.timing, (true, 1))?;
			counts.extend(run(&self.counting, (false, 1))?);
			times.extend(run(&self.timing, (false, repeat))?);
		}
		let fit = |samples: &Vec<BenchmarkResult>, selector| {
			Analysis::min_squares_iqr(samples, selector)
				.map_err(|error| MeasureError::NoFit(name.clone(), error.to_string()))
		};
		let time = fit(&times, BenchmarkSelector::ExtrinsicTime)?;
		Ok(Cost {
			components: benchmark
				.components
				.iter()
				.map(|(component, least, most)| (component.to_string(), *least, *most))
				.collect(),
			least: time.minimum,
			time: line(time),
			reads: line(fit(&counts, BenchmarkSelector::Reads)?),
			writes: line(fit(&counts, BenchmarkSelector::Writes)?),
			name,
		})
	}
}

fn line(analysis: Analysis) -> Line {
	Line {
		base: analysis.base,
		slopes: analysis
			.names
			.into_iter()
			.zip(analysis.slopes)
			.filter(|(_, slope)| *slope > 0)
			.collect(),
	}
}

/// Returns, for each component in turn, `steps` values from its minimum to its maximum, with the other
/// components at their maximum.
fn selections(
	components: &[(BenchmarkParameter, u32, u32)],
	steps: u32,
) -> Vec<Vec<(BenchmarkParameter, u32)>> {
	if components.is_empty() {
		return vec![Vec::new()];
	}
	let mut selections = Vec::new();
	for (varied, least, most) in components {
		let width = u64::from(most.saturating_sub(*least));
		for step in 0..u64::from(steps) {
			// The cast is lossless: the term is at most `width`, which fits in a u32.
			let value = least + (width * step / u64::from(steps - 1)) as u32;
			selections.push(
				components
					.iter()
					.map(|(name, _, most)| (*name, if name == varied { value } else { *most }))
					.collect(),
			);
		}
	}
	selections
}

fn text(bytes: &[u8]) -> String {
	String::from_utf8_lossy(bytes).into_owned()
}
