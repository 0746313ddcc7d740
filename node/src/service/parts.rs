// SPDX-License-Identifier: Apache-2.0
//! The first stage of starting a node, which every command needs: the database, the client, and the queue
//! that checks and imports blocks.

use crate::{
	changes,
	client::{FullBackend, FullChain, FullClient, FullGrandpaLink, FullImport, FullSelectChain},
	database::{self, DatabaseError},
	genesis,
	pool::{FullPool, Limits},
};
use futures::{
	future::{self, BoxFuture},
	FutureExt,
};
use isthmus_engine::{HeaviestChain, PowBlockImport, PowVerifier};
use isthmus_primitives::{
	api::ProofOfWorkApi,
	params::{ChainParameters, DifficultyRule, RuleChange},
	Block, BlockNumber,
};
use polkadot_sdk::*;
use sc_client_api::{Backend as _, HeaderBackend};
use sc_consensus::DefaultImportQueue;
use sc_service::{
	error::Error as ServiceError, Configuration, GenesisBlockBuilder, KeystoreContainer,
	PruningMode, SpawnEssentialTaskHandle, TaskManager,
};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sp_api::{ApiExt as _, Core as _, ProvideRuntimeApi as _};
use sp_blockchain::Backend as _;
use sp_consensus_grandpa::AuthorityList;
use sp_core::traits::SpawnEssentialNamed;
use sp_keystore::KeystorePtr;
use sp_runtime::Storage;
use std::{iter, sync::Arc};
use substrate_prometheus_endpoint::Registry;

/// A justification is kept for every n-th block, and this is n. With 1, every finished round of votes is
/// kept. Any node can then report who verified a block, however old it is, because new peers receive the
/// votes with the blocks.
pub(super) const JUSTIFICATION_PERIOD: u32 = 1;

/// The version of the engine's runtime API from which on the runtime leaves the difficulty to the engine.
const ENGINE_DECIDES: u32 = 3;

/// An open database, with the node's keys and the manager of its tasks.
type OpenChain = (FullClient, Arc<FullBackend>, KeystoreContainer, TaskManager);

/// What all stages share. Clones refer to the same node.
#[derive(Clone)]
pub struct Core {
	/// Blocks, state and the runtime.
	pub client: Arc<FullClient>,
	/// The database.
	pub backend: Arc<FullBackend>,
	/// The node's keys.
	pub keystore: KeystorePtr,
	/// Transactions waiting for a block.
	pub pool: Arc<FullPool>,
	/// The chain's parameters, and the checks of headers and blocks.
	pub chain: Arc<FullChain>,
	/// What distinguishes the chain from others with the same genesis, in the names of protocols.
	pub(super) fork_id: Option<String>,
	/// Fork choice.
	pub select_chain: FullSelectChain,
	/// Imports blocks whose headers have been verified.
	pub block_import: FullImport,
	pub(super) prometheus_registry: Option<Registry>,
	pub(super) telemetry: Option<TelemetryHandle>,
}

/// An open chain: what the stages share, and what a single stage consumes.
pub struct Parts {
	/// What all stages share.
	pub core: Core,
	/// The task manager. Dropping it ends the tasks that it spawned.
	pub task_manager: TaskManager,
	/// Verifies and imports blocks from peers and files.
	pub import_queue: DefaultImportQueue<Block>,
	pub(super) grandpa: FullGrandpaLink,
	pub(super) telemetry: Option<Telemetry>,
}

impl Parts {
	/// Opens the database, and writes the genesis block if there is none.
	///
	/// # Errors
	///
	/// Returns the error of the database, the executor, the chain's parameters or the telemetry worker.
	pub fn new(config: &mut Configuration) -> Result<Self, ServiceError> {
		let opening = Opening::check(config)?;
		Self::open(config, opening, Limits::default())
	}

	/// Does the same as [`Parts::new`] with a genesis that is checked, and with a transaction pool of these limits.
	///
	/// # Errors
	///
	/// Returns the same errors.
	pub(super) fn open(
		config: &mut Configuration,
		opening: Opening,
		limits: Limits,
	) -> Result<Self, ServiceError> {
		// The runtime passes on the events of each block this way (`history.rs`).
		config.offchain_worker.indexing_enabled = true;
		let worker = telemetry_worker(config)?;
		let (client, backend, keystore, task_manager) = open_chain(
			config,
			opening,
			worker.as_ref().map(|(_, telemetry)| telemetry.handle()),
		)?;
		let client: Arc<FullClient> = Arc::new(client);
		let telemetry = worker.map(|(worker, telemetry)| {
			task_manager
				.spawn_handle()
				.spawn("telemetry", None, worker.run());
			telemetry
		});

		let planned = changes::planned(&*config.chain_spec).map_err(application)?;
		let highest = highest(&backend)?;
		let chain = FullChain::with_planned(client.clone(), &planned, highest);
		let chain = Arc::new(chain.map_err(application)?);
		log_changes(&chain, &planned);
		let mut select_chain = HeaviestChain::new(backend.clone(), chain.clone());
		if matches!(config.state_pruning, Some(PruningMode::ArchiveAll)) {
			select_chain = select_chain.keeping_all();
		}
		let pool = Arc::new(FullPool::new(
			client.clone(),
			backend.clone(),
			limits,
			config.role.is_authority(),
			config.prometheus_registry(),
			task_manager.spawn_essential_handle(),
		));
		let (grandpa_import, grandpa) = sc_consensus_grandpa::block_import(
			client.clone(),
			JUSTIFICATION_PERIOD,
			&client,
			select_chain.clone(),
			telemetry.as_ref().map(Telemetry::handle),
		)?;
		let block_import = PowBlockImport::new(grandpa_import.clone(), select_chain.clone());
		let import_queue = DefaultImportQueue::new(
			PowVerifier::new(chain.clone()),
			Box::new(block_import.clone()),
			Some(Box::new(grandpa_import)),
			&QueueSpawner(task_manager.spawn_essential_handle()),
			config.prometheus_registry(),
		);
		let core = Core {
			client,
			backend,
			keystore: keystore.keystore(),
			pool,
			chain,
			fork_id: changes::fork_id(&*config.chain_spec, &planned),
			select_chain,
			block_import,
			prometheus_registry: config.prometheus_registry().cloned(),
			telemetry: telemetry.as_ref().map(Telemetry::handle),
		};
		Ok(Self {
			core,
			task_manager,
			import_queue,
			grandpa,
			telemetry,
		})
	}
}

/// Starts the worker of the import queue. It panics if it fails, and returns when its queue is dropped, as at the end of
/// a command or of the network. That is no failure, whether or not the other tasks are ending already.
#[derive(Clone)]
pub struct QueueSpawner(pub SpawnEssentialTaskHandle);

impl SpawnEssentialNamed for QueueSpawner {
	fn spawn_essential_blocking(
		&self,
		name: &'static str,
		group: Option<&'static str>,
		worker: BoxFuture<'static, ()>,
	) {
		self.0
			.spawn_blocking(name, group, worker.then(|()| future::pending()));
	}

	fn spawn_essential(
		&self,
		name: &'static str,
		group: Option<&'static str>,
		worker: BoxFuture<'static, ()>,
	) {
		self.0
			.spawn(name, group, worker.then(|()| future::pending()));
	}
}

impl Core {
	/// Compiles the runtime before the node connects to peers. Otherwise the first import would wait for
	/// the compilation, which takes seconds on a busy machine, while blocks of short forks queue up behind
	/// it. By the time they were imported, no peer would have their parents any more.
	pub(super) fn compile_runtime(&self) -> sp_blockchain::Result<()> {
		let best = self.client.info().best_hash;
		self.client.runtime_api().version(best)?;
		Ok(())
	}

	/// Returns whether blocks are produced on demand, as on a development chain, which a single node mines. A chain that
	/// leaves the fixed difficulty at some height has miners that race, and a node does not change its ways at that height,
	/// so it is never one of them.
	pub(super) fn is_on_demand(&self) -> bool {
		let parameters = self.chain.parameters();
		let from = parameters.changes.iter().map(|change| change.from_block);
		let mut rules = iter::once(0).chain(from).map(|from| parameters.at(from));
		rules.all(|rules| matches!(rules.difficulty_rule, DifficultyRule::Fixed))
	}

	/// Returns how the name of each of the chain's protocols begins.
	pub(super) fn protocol_prefix(&self) -> String {
		let genesis = self.client.info().genesis_hash;
		changes::protocol_prefix(genesis, self.fork_id.as_deref())
	}
}

/// What a chain is opened with: the genesis state of its specification, and its database if there was one.
pub(super) struct Opening {
	executor: genesis::Executor,
	genesis: Storage,
	backend: Option<Arc<FullBackend>>,
}

impl Opening {
	/// Builds the genesis state, and compares it with that of the database if there is one. Makes nothing on the disk.
	///
	/// # Errors
	///
	/// Returns an error if the database cannot be opened, if it has another chain than the specification, or if no chain can
	/// begin with this genesis.
	pub(super) fn check(config: &Configuration) -> Result<Self, ServiceError> {
		let backend = match database::check_present(&config.database) {
			Ok(()) => Some(open_database(config)?),
			Err(DatabaseError::Missing(_)) => None,
			Err(error) => return Err(application(error)),
		};
		let executor = genesis::executor(&config.executor);
		log::info!("{}", genesis::BUILDING);
		let genesis = genesis::build(&*config.chain_spec, &executor)
			.map_err(sp_blockchain::Error::Storage)?;
		if let Some(backend) = &backend {
			database::check_genesis(backend, &config.database, genesis.clone())?;
		}
		let is_empty = |backend: &Arc<FullBackend>| backend.blockchain().info().best_number == 0;
		if backend.as_ref().is_none_or(is_empty) {
			check_new(config, &genesis, &executor)?;
		}
		Ok(Self {
			executor,
			genesis,
			backend,
		})
	}

	/// Checks that a database can be written where there is none, and makes its folder.
	///
	/// # Errors
	///
	/// Returns the error of [`database::check_writable`].
	pub(super) fn make_folder(&self, config: &Configuration) -> Result<(), ServiceError> {
		match self.backend {
			// This process has locked it.
			Some(_) => Ok(()),
			None => database::check_writable(&config.database).map_err(application),
		}
	}
}

/// Opens the chain, and writes the genesis block if there is none.
fn open_chain(
	config: &Configuration,
	opening: Opening,
	telemetry: Option<TelemetryHandle>,
) -> Result<OpenChain, ServiceError> {
	opening.make_folder(config)?;
	let Opening {
		executor,
		genesis,
		backend,
	} = opening;
	let backend = match backend {
		Some(backend) => backend,
		None => open_database(config)?,
	};
	let genesis = GenesisBlockBuilder::new_with_storage(
		genesis,
		!config.no_genesis(),
		backend.clone(),
		executor.clone(),
	)?;
	sc_service::new_full_parts_with_genesis_builder(
		config, telemetry, executor, backend, genesis, false,
	)
}

/// Opens the database, or makes one.
fn open_database(config: &Configuration) -> Result<Arc<FullBackend>, ServiceError> {
	log::info!("Opening the database");
	sc_service::new_db_backend(config.db_config()).map_err(Into::into)
}

/// Checks that the database has the chain of the specification, or none yet, for a command that opens only the database.
///
/// # Errors
///
/// Returns the same errors as [`Parts::new`].
pub(crate) fn check_chain(config: &Configuration) -> Result<(), ServiceError> {
	Opening::check(config).map(drop)
}

/// Returns the number of the highest block in the database, on any fork.
fn highest(backend: &FullBackend) -> sp_blockchain::Result<BlockNumber> {
	let blocks = backend.blockchain();
	let mut highest = blocks.info().best_number;
	for leaf in blocks.leaves()? {
		highest = highest.max(blocks.number(leaf)?.unwrap_or_default());
	}
	Ok(highest)
}

/// Logs the heights at which the rules change, and warns of a runtime that does not leave the difficulty to the engine.
fn log_changes(chain: &FullChain, planned: &[RuleChange]) {
	for change in &chain.parameters().changes {
		log::info!("The rules change with block {}", change.from_block);
	}
	let best = chain.client().info();
	let mut ahead = planned.iter().map(|change| change.from_block);
	let Some(next) = ahead.find(|block| *block > best.best_number) else {
		return;
	};
	let api = chain.client().runtime_api();
	// Without its state, as before a warp sync, the best block's runtime is not known.
	let version = api.api_version::<dyn ProofOfWorkApi<Block>>(best.best_hash);
	if matches!(version, Ok(Some(version)) if version < ENGINE_DECIDES) {
		log::warn!(
			"The runtime of block {} computes the difficulty by the rules of genesis, and would refuse block {next} by \
			 `plannedChanges`: upgrade the chain before that block",
			best.best_number
		);
	}
}

/// Rejects a new chain whose genesis names no verifier, with which GRANDPA would panic, or whose rules change in a way that
/// is not possible. A chain that has blocks has passed these checks.
fn check_new(
	config: &Configuration,
	state: &Storage,
	executor: &genesis::Executor,
) -> Result<(), ServiceError> {
	let verifiers: AuthorityList = genesis::ask(state, executor, "GrandpaApi_grandpa_authorities")
		.map_err(sp_blockchain::Error::Storage)?;
	if verifiers.is_empty() {
		return Err(ServiceError::Other(
			"the chain's genesis names no verifier, so that no block would ever be finalized: name at least one in \
			 `session.keys` of the specification"
				.into(),
		));
	}
	let parameters: ChainParameters = genesis::ask(state, executor, "ProofOfWorkApi_parameters")
		.map_err(sp_blockchain::Error::Storage)?;
	let planned = changes::planned(&*config.chain_spec).map_err(application)?;
	parameters.with_planned(&planned).map_err(application)?;
	Ok(())
}

fn telemetry_worker(
	config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, sc_telemetry::Error> {
	let endpoints = config.telemetry_endpoints.clone();
	let Some(endpoints) = endpoints.filter(|endpoints| !endpoints.is_empty()) else {
		return Ok(None);
	};
	let worker = TelemetryWorker::new(16)?;
	let telemetry = worker.handle().new_telemetry(endpoints);
	Ok(Some((worker, telemetry)))
}

/// Wraps an error of this project's crates for the service.
pub(super) fn application(error: impl std::error::Error + Send + Sync + 'static) -> ServiceError {
	ServiceError::Application(Box::new(error))
}
