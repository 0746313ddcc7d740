// SPDX-License-Identifier: Apache-2.0
//! Starts a full node in stages. Each stage has its own file; it takes a struct and returns one.
//!
//! | stage | builds |
//! |---|---|
//! | `parts.rs` | database, client, pool, block import and import queue: what every command needs |
//! | `finality.rs` | what GRANDPA shares with the network and the RPC; the voter, which starts last |
//! | `network.rs` | connections to peers |
//! | `statements.rs` | what the verifiers say that they have executed |
//! | `serve.rs` | the server of proofs of finality and of state for other nodes |
//! | `metrics.rs` | the metrics about the chain |
//! | `tasks.rs` | the tasks of every Substrate node, and the RPC server |
//! | `mining.rs` | the miners' ports, which are opened before the database; the sealer, the author and the built-in miner |
//! | `contacts.rs` | why the nodes that the operator named are not peers |
//! | `watch.rs` | the lines about a node that waits without an error |

mod contacts;
mod finality;
mod metrics;
mod mining;
mod network;
mod parts;
mod serve;
mod statements;
mod tasks;
// Public only for `tests/`.
#[doc(hidden)]
pub mod watch;

use crate::{
	chain_spec,
	cli::{MiningArgs, SyncArgs},
	database::{self, DatabaseError},
	history::History,
	keys,
	pool::Limits,
	ports,
	producer::{self, KeyError, Profile, Registration},
	rpc,
};
use futures::{
	future::{self, BoxFuture},
	FutureExt,
};
use isthmus_primitives::AccountId;
use metrics::ChainMetrics;
use polkadot_sdk::*;
use sc_client_api::{Backend as _, BlockBackend as _, StorageProvider as _};
use sc_network::config::{
	NetworkBackendType, NetworkConfiguration, NodeKeyConfig, NonReservedPeerMode, Secret, SyncMode,
};
use sc_service::{
	error::Error as ServiceError, BlocksPruning, ChainType, Configuration, DatabaseSource,
	KeystoreContainer, PruningMode, TaskManager,
};
use sc_storage_monitor::StorageMonitorParams;
use sp_blockchain::HeaderBackend;
use sp_core::storage::StorageKey;
use std::{fs, io, sync::Arc, time::Duration};

pub(crate) use parts::check_chain;
use parts::{application, Opening};
// Public only for `tests/`.
#[doc(hidden)]
pub use parts::QueueSpawner;
pub use parts::{Core, Parts};
use watch::{Watch, Watched};

/// The minimum number of finalized blocks for which a node keeps bodies and states.
const MIN_BLOCKS_KEPT: u32 = 64;

/// The options of a full node, besides Substrate's own.
pub(crate) struct Options {
	/// The mining options.
	pub(crate) mining: MiningArgs,
	/// The sync options.
	pub(crate) sync: SyncArgs,
	/// The producer to register, if any.
	pub(crate) producer: Option<Profile>,
	/// The limits of the transaction pool.
	pub(crate) pool: Limits,
	/// Whether the node was started with `--dev`: it then mines, for Alice unless another account is given.
	pub(crate) development: bool,
	/// How much space to keep free on the database's disk.
	pub(crate) storage: StorageMonitorParams,
	/// The options that gave the addresses to listen at.
	pub(crate) ports: ports::Given,
}

/// A node that runs.
pub(crate) struct Node {
	/// Its tasks.
	pub(crate) tasks: TaskManager,
	/// Its database.
	pub(crate) database: DatabaseSource,
	/// Resolves when the disk of the database has too little space.
	pub(crate) filled: BoxFuture<'static, DatabaseError>,
}

/// Starts a full node.
///
/// # Errors
///
/// Returns a message if an option is not supported, and otherwise the error of the stage that failed.
pub(crate) fn new_full(mut config: Configuration, options: Options) -> Result<Node, ServiceError> {
	let nothing_mines = has_no_miner(&options.mining);
	let (mining, opening) = claim(&mut config, &options)?;
	warn_of_no_peers(&config);
	warn_of_low_rate(&config);
	if mining.is_some() && nothing_mines {
		warn_of_no_miner();
	}
	if mining.is_none() && config.role.is_authority() {
		log::info!(
			"this node does not mine: blocks come from other nodes. For it to mine, start it with `--mine` and `--beneficiary ACCOUNT`"
		);
	}
	let Parts {
		core,
		mut task_manager,
		import_queue,
		grandpa,
		mut telemetry,
	} = Parts::open(&mut config, opening, options.pool)?;
	check_warp(&config, &core)?;
	warn_of_leftovers(&config, &core);
	let producer = match options.producer {
		Some(profile) => producer_deps(&config, &core, profile)?,
		None => None,
	};
	let filled = when_filled(&config, &options.storage);
	let database = config.database.clone();
	core.compile_runtime()?;

	let history = start_history(&core, config.blocks_pruning, &task_manager)?;
	let watched = Watched::new(&config, mining.is_some(), options.pool);
	let finality = finality::prepare(&config, &core, grandpa, &task_manager)?;
	let mining = mining::prepare(&core, mining)?;
	let network = network::start(network::Inputs {
		config,
		sync_memory: options.sync.memory_bytes(),
		core: &core,
		import_queue,
		rpc: rpc_deps(&core, finality.rpc.clone(), mining.as_ref(), history)?,
		grandpa_protocol: finality.protocol(),
		authority_set: finality.rpc.authority_set.clone(),
		task_manager: &mut task_manager,
		telemetry: telemetry.as_mut(),
	})?;
	if let Some(mining) = mining {
		mining::start(mining, &core, network.sync.clone(), &task_manager);
	}
	if let Some(deps) = producer {
		let registration = Registration::new(deps, network.sync.clone());
		task_manager
			.spawn_handle()
			.spawn("producer-registration", None, registration.run());
	}
	if let Some(registry) = &core.prometheus_registry {
		let metrics = ChainMetrics::new(&core, finality.rpc.sets.clone(), registry)?;
		task_manager
			.spawn_handle()
			.spawn("chain-metrics", None, metrics.run());
	}
	let watch = Watch {
		core: core.clone(),
		sync: network.sync.clone(),
		authorities: finality.rpc.authority_set.clone(),
		node: watched,
	};
	task_manager
		.spawn_handle()
		.spawn("watch", None, watch.run());
	finality::start(finality, &core, network, &task_manager)?;
	Ok(Node {
		tasks: task_manager,
		database,
		filled,
	})
}

/// Checks what it can, takes the ports of other miners, and makes the folders and the network key last: a start that is refused
/// leaves nothing behind. Returns the mining that is asked for, and what the chain is opened with.
fn claim(
	config: &mut Configuration,
	options: &Options,
) -> Result<(Option<mining::Requested>, Opening), ServiceError> {
	check_options(config, options.development)?;
	let mut mining = mining::request(config, options.mining.clone(), options.development)?;
	database::check_space(&config.database, options.storage.threshold).map_err(application)?;
	database::check_unused(&config.database).map_err(application)?;
	check_new_warp(config)?;
	check_keystore(config, options.producer.as_ref())?;
	check_vote_keys(config)?;
	read_node_key(&mut config.network, IfMissing::Wait)?;
	let for_miners = mining.as_ref().map(mining::Requested::wanted);
	ports::check(config, options.ports, for_miners.unwrap_or_default()).map_err(application)?;
	if let Some(mining) = &mut mining {
		mining.open_ports().map_err(application)?;
	}
	let opening = Opening::check(config)?;
	opening.make_folder(config)?;
	read_node_key(&mut config.network, IfMissing::Make)?;
	Ok((mining, opening))
}

/// Checks the vote keys of a verifier's node. To open a keystore that is not there would make it.
fn check_vote_keys(config: &Configuration) -> Result<(), ServiceError> {
	match config.keystore.path() {
		Some(folder) if config.role.is_authority() && folder.exists() => {
			let keystore = KeystoreContainer::new(&config.keystore)?.keystore();
			watch::check_vote_keys(config, &keystore).map_err(application)
		}
		_ => Ok(()),
	}
}

/// The least `--rpc-rate-limit` with which one command after another is answered at once.
const LEAST_RATE: u32 = 60;

/// Warns of a limit of calls that lets clients wait.
fn warn_of_low_rate(config: &Configuration) {
	let endpoints = config.rpc.addr.iter().flatten();
	let lowest = endpoints.filter_map(|endpoint| endpoint.rate_limit).min();
	if let Some(limit) = lowest.filter(|limit| limit.get() < LEAST_RATE) {
		log::warn!(
			"`--rpc-rate-limit {limit}`: a client that makes more calls in a minute waits without an answer. `isthmus status` makes \
			 16, and other commands make more: give 600 or more"
		);
	}
}

/// Checks that the keystore is a folder that can be read, or is not there yet, and that it has the key of the producer to
/// register. A development account needs none.
fn check_keystore(config: &Configuration, producer: Option<&Profile>) -> Result<(), ServiceError> {
	let Some(folder) = config.keystore.path() else {
		return Ok(());
	};
	let files = match fs::read_dir(folder) {
		Ok(files) => Some(files),
		Err(error) if error.kind() == io::ErrorKind::NotFound => None,
		Err(error) => return Err(sc_keystore::Error::from(error).into()),
	};
	let Some(profile) = producer else {
		return Ok(());
	};
	let (name, missing) = match &profile.account {
		Some(account) => {
			let key: &[u8] = account.as_ref();
			let name = hex::encode([&producer::identity::PRODUCER_KEY.0[..], key].concat());
			(name, KeyError::NoneOf(account.clone()))
		}
		None if config.dev_key_seed.is_some() => return Ok(()),
		None => (
			hex::encode(producer::identity::PRODUCER_KEY.0),
			KeyError::None,
		),
	};
	let mut names = files.into_iter().flatten().flatten();
	match names.any(|file| file.file_name().to_string_lossy().starts_with(&name)) {
		true => Ok(()),
		false => Err(ServiceError::Other(missing.to_string())),
	}
}

/// Warns of a node on which nothing mines.
fn warn_of_no_miner() {
	log::warn!(
		"`--threads 0`: nothing mines unless another program calls `eth_getWork` over the RPC. For ethminer and \
		 the like add `--miners-listen`, `--stratum-listen` or `--mine-notify`"
	);
}

/// Warns of a node that accepts reserved nodes only, and has none.
fn warn_of_no_peers(config: &Configuration) {
	let peers = &config.network.default_peers_set;
	if peers.non_reserved_mode == NonReservedPeerMode::Deny && peers.reserved_nodes.is_empty() {
		log::warn!(
			"`--reserved-only` without `--reserved-nodes`: the node has no peers until the RPC `system_addReservedPeer` names some"
		);
	}
}

/// Warns of a real chain with values for development.
fn warn_of_leftovers(config: &Configuration, core: &Core) {
	if config.chain_spec.chain_type() != ChainType::Live {
		return;
	}
	let best = core.client.info().best_hash;
	let entry = |key: &[u8]| {
		let stored = core.client.storage(best, &StorageKey(key.to_vec()));
		Some(stored.ok()??.0)
	};
	if let Some(warning) = chain_spec::leftovers(entry) {
		// Under a name of its own, by which it can be left out: the values stay for ever.
		log::warn!(target: "leftovers", "{warning}");
	}
}

/// What to do about a network key that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
	/// Leave it so.
	Wait,
	/// Make one.
	Make,
}

/// Reads the node's network key from its file. From here on, the configuration has the key instead of its file: the framework
/// would read the file several times, and refuses digits with a line end.
fn read_node_key(
	network: &mut NetworkConfiguration,
	if_missing: IfMissing,
) -> Result<(), ServiceError> {
	let NodeKeyConfig::Ed25519(Secret::File(path)) = &network.node_key else {
		return Ok(());
	};
	let read = match fs::metadata(path) {
		Ok(found) if found.is_file() => keys::node_key(path),
		Ok(_) => Err(io::Error::other("not a regular file")),
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			if if_missing == IfMissing::Wait {
				return Ok(());
			}
			let made = network.node_key.clone().into_keypair();
			made.map(|made| made.secret())
		}
		Err(error) => Err(error),
	};
	let secret = read.map_err(|error| {
		format!(
			"the network key in {} cannot be used: {error}. Expected a file of 32 bytes, or of 64 hexadecimal digits, \
			 that this user may read; `key generate-node-key --file FILE` makes one",
			path.display()
		)
	})?;
	network.node_key = NodeKeyConfig::Ed25519(Secret::Input(secret));
	// The addresses of browsers name the key.
	network.validate_and_complete_webrtc_addresses()?;
	Ok(())
}

/// Returns whether neither this machine nor another program is told to mine.
fn has_no_miner(options: &MiningArgs) -> bool {
	options.threads == 0
		&& options.miners_listen.is_none()
		&& options.stratum_listen.is_none()
		&& options.mine_notify.is_empty()
}

/// Resolves when the disk of the database has less space than the options ask for: the node stops before it is full, since a
/// database that cannot write is lost.
fn when_filled(
	config: &Configuration,
	options: &StorageMonitorParams,
) -> BoxFuture<'static, DatabaseError> {
	let threshold = options.threshold;
	let is_watched = match config.database.path() {
		Some(path) if threshold > 0 && database::has_no_length(path) => {
			log::warn!(
				"the file system of {} does not say how much of it is free: the node does not stop before it is full",
				path.display()
			);
			false
		}
		path => path.is_some() && threshold > 0,
	};
	if !is_watched {
		return future::pending().boxed();
	}
	let database = config.database.clone();
	let period = Duration::from_secs(options.polling_period.into());
	async move {
		loop {
			tokio::time::sleep(period).await;
			if let Err(full) = database::check_space_left(&database, threshold) {
				break full;
			}
		}
	}
	.boxed()
}

/// Returns the history of shared data, which lasts as long as the bodies of the blocks, and starts the task that
/// keeps its index.
fn start_history(
	core: &Core,
	pruning: BlocksPruning,
	task_manager: &TaskManager,
) -> Result<Arc<History>, ServiceError> {
	let keep = match pruning {
		BlocksPruning::Some(blocks) => Some(blocks),
		BlocksPruning::KeepAll | BlocksPruning::KeepFinalized => None,
	};
	let events = core
		.backend
		.offchain_storage()
		.ok_or("the database has no offchain column, where the events of the blocks are")?;
	let chain = core.chain.clone();
	let start = move || {
		let start = chain.history_start();
		start.map_err(|error| sp_blockchain::Error::Backend(error.to_string()))
	};
	let client = core.client.clone();
	let history = Arc::new(History::new(client, Box::new(start), events, keep));
	task_manager
		.spawn_handle()
		.spawn_blocking("history", None, history.clone().run());
	Ok(history)
}

/// Returns what the RPC methods need to answer.
fn rpc_deps(
	core: &Core,
	finality: rpc::FinalityDeps,
	mining: Option<&mining::Prepared>,
	history: Arc<History>,
) -> sp_blockchain::Result<rpc::Deps> {
	Ok(rpc::Deps {
		client: core.client.clone(),
		pool: core.pool.clone(),
		chain: core.chain.clone(),
		finality,
		sealer: mining.map(|mining| mining.sealer.clone()),
		control: mining.map(|mining| mining.control.clone()),
		sharing: rpc::sharing::Sharing::new(core.client.clone())?,
		history,
	})
}

/// Finds the producer's key, so that a node without it fails before connecting to peers. A node with several
/// keys starts without registering a producer: any caller of unsafe methods could have inserted one.
fn producer_deps(
	config: &Configuration,
	core: &Core,
	profile: Profile,
) -> Result<Option<producer::Deps>, ServiceError> {
	let finalized = core.client.info().finalized_hash;
	let is_registered = |account: &AccountId| {
		producer::is_registered(&core.client, account, finalized).unwrap_or(false)
	};
	let seed = config.dev_key_seed.as_deref();
	let found = producer::find_key(
		&core.keystore,
		profile.account.as_ref(),
		seed,
		is_registered,
	);
	let key = match found {
		Ok(key) => key,
		Err(several @ KeyError::Several(_)) => {
			log::error!("no producer is registered: {several}");
			return Ok(None);
		}
		Err(error) => return Err(ServiceError::Other(error.to_string())),
	};
	Ok(Some(producer::Deps {
		client: core.client.clone(),
		pool: core.pool.clone(),
		keystore: core.keystore.clone(),
		profile,
		key,
		force: config.force_authoring,
	}))
}

/// Rejects a warp sync of a node that keeps all states: it would begin without those before its first block. Once it has
/// blocks, it does not warp any more.
fn check_warp(config: &Configuration, core: &Core) -> Result<(), ServiceError> {
	let is_new = core.client.info().best_number == 0;
	match is_new && config.network.sync_mode.is_warp() && core.client.requires_full_sync() {
		true => Err(warp_of_all_states()),
		false => Ok(()),
	}
}

/// Does the same before there is a database.
fn check_new_warp(config: &Configuration) -> Result<(), ServiceError> {
	let keeps_all = matches!(
		config.state_pruning,
		Some(PruningMode::ArchiveAll | PruningMode::ArchiveCanonical)
	);
	let found = database::check_present(&config.database);
	let is_new = matches!(found, Err(DatabaseError::Missing(_)));
	match is_new && keeps_all && config.network.sync_mode.is_warp() {
		true => Err(warp_of_all_states()),
		false => Ok(()),
	}
}

fn warp_of_all_states() -> ServiceError {
	ServiceError::Other(
		"`--sync warp` begins with a recent state, and this node is to keep all of them (`--state-pruning archive`): use \
		 `--sync full`; or leave out the other option, and delete a database that was made with it, and has no blocks yet, with \
		 `purge-chain`"
			.into(),
	)
}

/// Rejects options that would skip the checks of blocks, or prune bodies and states that the uncle rules
/// still need.
fn check_options(config: &Configuration, development: bool) -> Result<(), ServiceError> {
	if matches!(config.network.sync_mode, SyncMode::LightState { .. }) {
		return Err(ServiceError::Other(
			"only `--sync full` and `--sync warp` are supported: a state is worth nothing without a proof of finality"
				.into(),
		));
	}
	if development && config.network.sync_mode.is_warp() {
		return Err(ServiceError::Other(
			"`--sync warp` needs peers that prove what is final, and a development chain has none"
				.into(),
		));
	}
	let overrides = config.wasm_runtime_overrides.as_deref();
	if let Some(folder) = overrides.filter(|folder| !folder.is_dir()) {
		return Err(ServiceError::Other(format!(
			"`--wasm-runtime-overrides {}`: expected a folder with runtimes",
			folder.display()
		)));
	}
	if matches!(config.network.network_backend, NetworkBackendType::Libp2p) {
		return Err(ServiceError::Other(
			"only `--network-backend litep2p` is supported: leave the option out".into(),
		));
	}
	if config.transaction_pool.use_all_block_notifications() {
		return Err(ServiceError::Other(
			"only `--pool-type single-state` is supported: the node has a transaction pool of its own".into(),
		));
	}
	let endpoints = config.rpc.addr.iter().flatten();
	for cors in endpoints.filter_map(|endpoint| endpoint.cors.as_deref()) {
		rpc::origins::check(cors).map_err(application)?;
	}
	let too_few = |kept| kept < MIN_BLOCKS_KEPT;
	let blocks = matches!(config.blocks_pruning, BlocksPruning::Some(kept) if too_few(kept));
	let states = matches!(
		&config.state_pruning,
		Some(PruningMode::Constrained(limits)) if limits.max_blocks.is_some_and(too_few)
	);
	if blocks || states {
		return Err(ServiceError::Other(format!(
			"`--blocks-pruning` and `--state-pruning` must keep at least {MIN_BLOCKS_KEPT} blocks: the \
			 uncle rules look back"
		)));
	}
	Ok(())
}
