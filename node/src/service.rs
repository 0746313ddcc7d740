//! Puts the node together: client, import queue, network, finality, miner.

use crate::{
	cli::MiningArgs,
	miners,
	producer::{self, Profile, Registration},
	rpc::{
		self,
		mining::{EthMining, EthMiningApiServer as _},
		Finality,
	},
	verifiers::VerifierSets,
};
use futures::FutureExt;
use isthmus_engine::{
	Author, AuthorConfig, AuthorParts, Chain, CpuMiner, HeaviestChain, MiningMetrics, Pace,
	PowAnnounceValidator, PowBlockImport, PowVerifier, Sealer,
};
use isthmus_primitives::{params::DifficultyRule, Block, Hash};
use isthmus_runtime::RuntimeApi;
use polkadot_sdk::*;
use sc_client_api::HeaderBackend;
use sc_consensus::DefaultImportQueue;
use sc_consensus_grandpa::{
	BeforeBestBlockBy, FinalityProofProvider, GrandpaBlockImport, LinkHalf, SharedVoterState,
	VotingRulesBuilder,
};
use sc_network::{config::SyncMode, Litep2pNetworkBackend, NetworkBackend};
use sc_service::{
	error::Error as ServiceError, BlocksPruning, Configuration, PruningMode, TaskManager,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::{Core as _, ProvideRuntimeApi as _};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// The most bytes of a block's body that the miner fills: the runtime's block length.
const BLOCK_SIZE_LIMIT: usize = isthmus_runtime::MAX_BLOCK_LENGTH as usize;
/// Voters vote this many blocks behind the best one, so that a short fork never meets finality.
const VOTE_BEHIND_BEST: u32 = 3;
/// The least number of finalized blocks whose bodies and states a node keeps.
const MIN_BLOCKS_KEPT: u32 = 64;
/// One justification is kept every so many blocks. With one, each round of votes that ends is, so that every
/// block's verifiers can be told for ever, and by every node: peers that come later get them with the blocks.
const JUSTIFICATION_PERIOD: u32 = 1;

/// The client: blocks, state and the runtime.
pub type FullClient = sc_service::TFullClient<
	Block,
	RuntimeApi,
	sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>,
>;
/// The transaction pool.
pub type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// Fork choice: the heaviest chain that has the finalized block.
pub type FullSelectChain = HeaviestChain<FullBackend, FullClient>;
/// Finality's part of block import.
pub type FullGrandpaImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
/// Block import. Header and seal are the verifier's to check, before it.
pub type FullImport = PowBlockImport<FullGrandpaImport, FullBackend, FullClient>;
/// Where templates become blocks.
pub(crate) type FullSealer = Sealer<FullImport, FullClient>;

/// What every command needs: the client, and the door that blocks come in by.
pub struct Parts {
	/// Blocks, state and the runtime.
	pub client: Arc<FullClient>,
	/// Ends what was spawned when it is dropped.
	pub task_manager: TaskManager,
	/// Verifies and imports what peers and files bring.
	pub import_queue: DefaultImportQueue<Block>,
	/// The database.
	pub backend: Arc<FullBackend>,
	/// The node's keys.
	pub keystore: sc_service::KeystoreContainer,
	/// Transactions that wait for a block.
	pub pool: Arc<FullPool>,
	/// The chain's parameters, and the check of one header or block.
	pub chain: Arc<Chain<FullClient>>,
	/// Fork choice.
	pub select_chain: FullSelectChain,
	/// The import of a block whose header was verified.
	pub block_import: FullImport,
	grandpa: LinkHalf<Block, FullClient, FullSelectChain>,
	telemetry: Option<Telemetry>,
}

impl Parts {
	/// Opens the database, and makes the genesis block where there is none.
	///
	/// # Errors
	///
	/// Those of the database, the executor and the telemetry's connection.
	pub fn new(config: &Configuration) -> Result<Self, ServiceError> {
		let telemetry = config
			.telemetry_endpoints
			.clone()
			.filter(|endpoints| !endpoints.is_empty())
			.map(|endpoints| -> Result<_, sc_telemetry::Error> {
				let worker = TelemetryWorker::new(16)?;
				let telemetry = worker.handle().new_telemetry(endpoints);
				Ok((worker, telemetry))
			})
			.transpose()?;

		let executor = sc_service::new_wasm_executor(&config.executor);
		let (client, backend, keystore, task_manager) = sc_service::new_full_parts(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			executor,
			vec![],
		)?;
		let client: Arc<FullClient> = Arc::new(client);
		let telemetry = telemetry.map(|(worker, telemetry)| {
			task_manager
				.spawn_handle()
				.spawn("telemetry", None, worker.run());
			telemetry
		});

		let chain = Arc::new(Chain::new(client.clone()).map_err(application)?);
		let select_chain = HeaviestChain::new(backend.clone(), chain.clone());
		let pool = Arc::from(
			sc_transaction_pool::Builder::new(
				task_manager.spawn_essential_handle(),
				client.clone(),
				config.role.is_authority().into(),
			)
			.with_options(config.transaction_pool.clone())
			.with_prometheus(config.prometheus_registry())
			.build(),
		);
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
			&task_manager.spawn_essential_handle(),
			config.prometheus_registry(),
		);
		Ok(Self {
			client,
			task_manager,
			import_queue,
			backend,
			keystore,
			pool,
			chain,
			select_chain,
			block_import,
			grandpa,
			telemetry,
		})
	}
}

/// Starts a full node, which registers `producer`. `development`: it was started with `--dev`, so it
/// mines, for Alice if for nobody else.
///
/// # Errors
///
/// A sentence for an option that cannot be met; otherwise the service's own.
pub(crate) fn new_full(
	config: Configuration,
	mining: &MiningArgs,
	producer: Option<Profile>,
	development: bool,
) -> Result<TaskManager, ServiceError> {
	if !matches!(config.network.sync_mode, SyncMode::Full) {
		return Err(ServiceError::Other(
			"only `--sync full` is supported: every node verifies every block's proof of work"
				.into(),
		));
	}
	check_pruning(&config)?;
	let author = author_config(&config, mining, development)?;
	let Parts {
		client,
		mut task_manager,
		import_queue,
		backend,
		keystore,
		pool,
		chain,
		select_chain,
		block_import,
		grandpa,
		mut telemetry,
	} = Parts::new(&config)?;
	let producer = producer
		.map(|profile| {
			let key = producer::key(&keystore.keystore(), config.dev_key_seed.as_deref());
			key.map(|key| (profile, key)).map_err(ServiceError::Other)
		})
		.transpose()?;

	// Compiles the runtime before a peer is met. Otherwise the first block to import waits for that, seconds on a
	// busy machine, while blocks of forks that end meanwhile queue up behind it, whose parents nobody has then.
	let info = client.info();
	client
		.runtime_api()
		.version(info.best_hash)
		.map_err(sp_blockchain::Error::from)?;

	let genesis_hash = info.genesis_hash;
	let metrics =
		<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::register_notification_metrics(
			config.prometheus_registry(),
		);
	let mut net_config = sc_network::config::FullNetworkConfiguration::<
		Block,
		Hash,
		Litep2pNetworkBackend,
	>::new(&config.network, config.prometheus_registry().cloned());
	let grandpa_protocol =
		sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
	let (grandpa_config, grandpa_notifications) =
		sc_consensus_grandpa::grandpa_peers_set_config::<Block, Litep2pNetworkBackend>(
			grandpa_protocol.clone(),
			metrics.clone(),
			net_config.peer_store_handle(),
		);
	// With a protocol that nobody serves, the network would close every connection: without a voter
	// there is none.
	let grandpa_notifications = (!config.disable_grandpa).then(|| {
		net_config.add_notification_protocol(grandpa_config);
		grandpa_notifications
	});

	let announced = chain.clone();
	let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: Some(Box::new(move |_| {
				Box::new(PowAnnounceValidator::new(announced))
			})),
			warp_sync_config: None,
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	let sets = Arc::new(VerifierSets::new(
		client.clone(),
		grandpa.shared_authority_set().clone(),
	));
	task_manager
		.spawn_handle()
		.spawn("verifier-sets", None, sets.clone().follow());
	let shared_voter_state = SharedVoterState::empty();
	let finality = Finality {
		voter_state: shared_voter_state.clone(),
		authority_set: grandpa.shared_authority_set().clone(),
		justifications: grandpa.justification_stream(),
		proofs: FinalityProofProvider::new_for_service(
			backend.clone(),
			Some(grandpa.shared_authority_set().clone()),
		),
		sets,
	};
	let metrics = MiningMetrics::new(config.prometheus_registry()).map_err(application)?;
	let sealer = author
		.is_some()
		.then(|| Sealer::new(chain.clone(), block_import.clone(), metrics));
	let rpc_builder = {
		let sealer = sealer.clone();
		let sharing = rpc::sharing::Sharing::new(client.clone())?;
		let (client, pool, chain) = (client.clone(), pool.clone(), chain.clone());
		Box::new(move |executor| {
			let (client, pool, chain) = (client.clone(), pool.clone(), chain.clone());
			let (finality, sealer, sharing) = (finality.clone(), sealer.clone(), sharing.clone());
			rpc::create(client, pool, chain, finality, sealer, sharing, executor)
				.map_err(Into::into)
		})
	};

	let role = config.role;
	let name = config.network.node_name.clone();
	let prometheus_registry = config.prometheus_registry().cloned();
	let force = config.force_authoring;
	sc_service::spawn_tasks(sc_service::SpawnTasksParams {
		config,
		client: client.clone(),
		backend: backend.clone(),
		keystore: keystore.keystore(),
		task_manager: &mut task_manager,
		transaction_pool: pool.clone(),
		rpc_builder,
		network: network.clone(),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync_service.clone(),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;

	let on_demand = matches!(chain.parameters().difficulty_rule, DifficultyRule::Fixed);
	task_manager.spawn_essential_handle().spawn(
		"pow-follow-finality",
		Some("block-import"),
		block_import.follow_finality(),
	);
	if let (Some(author), Some(sealer)) = (author, sealer) {
		let proposers = sc_basic_authorship::ProposerFactory::new(
			task_manager.spawn_handle(),
			client.clone(),
			pool.clone(),
			prometheus_registry.as_ref(),
			telemetry.as_ref().map(Telemetry::handle),
		);
		let pace = if on_demand {
			Pace::OnDemand {
				heartbeat: mining.heartbeat,
			}
		} else {
			Pace::Continuous
		};
		let miner = NonZeroUsize::new(mining.threads)
			.map(|threads| {
				let folder = mining.ethash_dir.clone();
				CpuMiner::start(sealer.clone(), threads, mining.hash_rate, folder)
			})
			.transpose()
			.map_err(application)?;
		let spawn = task_manager.spawn_handle();
		spawn.spawn(
			"pow-hash-rate",
			Some("block-authoring"),
			isthmus_engine::report_hash_rate(sealer.clone()),
		);
		if let Some(address) = mining.miners_listen {
			let listener = miners::listen(address).map_err(|error| {
				ServiceError::Other(format!("`--miners-listen {address}`: {error}"))
			})?;
			let methods = EthMining::new(Some(sealer.clone())).into_rpc();
			spawn.spawn(
				"miners-port",
				Some("block-authoring"),
				miners::serve(listener, methods),
			);
		}
		if !mining.mine_notify.is_empty() {
			spawn.spawn(
				"miners-notices",
				Some("block-authoring"),
				miners::notify(sealer.jobs(), mining.mine_notify.clone()),
			);
		}
		let author = Author::new(AuthorParts {
			sealer,
			blocks: backend.clone(),
			select_chain,
			proposers,
			pool: pool.clone(),
			sync: sync_service.clone(),
			config: AuthorConfig { pace, ..author },
		});
		task_manager.spawn_essential_handle().spawn_blocking(
			"pow-author",
			Some("block-authoring"),
			// The miner ends with the author that gives it work.
			author.run().map(move |()| drop(miner)),
		);
	}

	if let Some((profile, key)) = producer {
		let keystore = keystore.keystore();
		let (pool, sync) = (pool.clone(), sync_service.clone());
		let registration = Registration::new(client, pool, keystore, sync, force, profile, key);
		task_manager
			.spawn_handle()
			.spawn("producer-registration", None, registration.run());
	}

	if let Some(notification_service) = grandpa_notifications {
		// On a development chain nobody else mines, so there is no fork to wait for.
		let behind = if on_demand { 0 } else { VOTE_BEHIND_BEST };
		let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
			config: sc_consensus_grandpa::Config {
				gossip_duration: Duration::from_millis(333),
				justification_generation_period: JUSTIFICATION_PERIOD,
				name: Some(name),
				observer_enabled: false,
				keystore: role.is_authority().then(|| keystore.keystore()),
				local_role: role,
				telemetry: telemetry.as_ref().map(Telemetry::handle),
				protocol_name: grandpa_protocol,
			},
			link: grandpa,
			network,
			sync: Arc::new(sync_service),
			notification_service,
			voting_rule: VotingRulesBuilder::new()
				.add(BeforeBestBlockBy(behind))
				.build(),
			prometheus_registry,
			shared_voter_state,
			telemetry: telemetry.as_ref().map(Telemetry::handle),
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(pool),
		})?;
		task_manager
			.spawn_essential_handle()
			.spawn_blocking("grandpa-voter", None, voter);
	}
	Ok(task_manager)
}

/// Refuses to drop blocks and states that the uncle rules still ask for.
fn check_pruning(config: &Configuration) -> Result<(), ServiceError> {
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

/// What the miner should do, or `None` where the node does not mine.
fn author_config(
	config: &Configuration,
	mining: &MiningArgs,
	development: bool,
) -> Result<Option<AuthorConfig>, ServiceError> {
	if !mining.mine && !development {
		if mining.miners_listen.is_some() || !mining.mine_notify.is_empty() {
			return Err(ServiceError::Other(
				"`--miners-listen` and `--mine-notify` need `--mine`; with `--threads 0` too, where only \
				 other programs shall mine"
					.into(),
			));
		}
		return Ok(None);
	}
	let beneficiary = match &mining.beneficiary {
		Some(account) => account.clone(),
		None if development => sp_keyring::Sr25519Keyring::Alice.to_account_id(),
		None => {
			return Err(ServiceError::Other(
				"`--mine` needs `--beneficiary ACCOUNT`: who earns the blocks' rewards".into(),
			))
		}
	};
	Ok(Some(AuthorConfig {
		beneficiary,
		extra_data: mining.extra_data.clone().into_bytes(),
		gas_target: mining.gas_target,
		block_size_limit: BLOCK_SIZE_LIMIT,
		pace: Pace::Continuous,
		force: config.force_authoring,
	}))
}

fn application(error: impl std::error::Error + Send + Sync + 'static) -> ServiceError {
	ServiceError::Application(Box::new(error))
}
