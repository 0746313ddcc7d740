// SPDX-License-Identifier: Apache-2.0
//! The network stage of starting a node: connects to peers, then starts the tasks that need them.

use super::{
	parts::Core,
	serve::{self, Strict},
	statements, tasks,
};
use crate::rpc;
use isthmus_engine::PowAnnounceValidator;
use isthmus_primitives::{Block, BlockNumber, Hash};
use isthmus_sync::{machine::Limits, HeaviestSync, SyncMetrics, SyncParts};
use polkadot_sdk::*;
use sc_consensus::{DefaultImportQueue, ImportQueue};
use sc_consensus_grandpa::SharedAuthoritySet;
use sc_network::{
	config::FullNetworkConfiguration, service::traits::NetworkService, Litep2pNetworkBackend,
	NetworkBackend, NetworkBlock as _, NotificationMetrics, NotificationService, ProtocolName,
	Roles,
};
use sc_network_sync::{
	block_relay_protocol::{BlockDownloader, BlockRelayParams},
	block_request_handler::BlockRequestHandler,
	engine::SyncingEngine,
	service::network::NetworkServiceProvider,
	SyncingService,
};
use sc_rpc::system::{System, SystemApiServer};
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use sc_telemetry::Telemetry;
use std::{
	future::Future,
	sync::{Arc, OnceLock},
};

/// What the stage needs.
pub(super) struct Inputs<'a> {
	pub(super) config: Configuration,
	/// The memory for blocks that are being fetched or imported, in bytes.
	pub(super) sync_memory: u64,
	pub(super) core: &'a Core,
	pub(super) import_queue: DefaultImportQueue<Block>,
	pub(super) rpc: rpc::Deps,
	/// The name of the network protocol that carries votes.
	pub(super) grandpa_protocol: ProtocolName,
	/// GRANDPA's record of the verifiers.
	pub(super) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub(super) task_manager: &'a mut TaskManager,
	pub(super) telemetry: Option<&'a mut Telemetry>,
}

/// The running network.
pub(super) struct Network {
	pub(super) service: Arc<dyn NetworkService>,
	pub(super) sync: Arc<SyncingService<Block>>,
	/// What carries votes, unless `--no-grandpa` was given.
	pub(super) votes: Option<Votes>,
}

/// The protocols by which verifiers tell what they have executed.
pub(super) struct Votes {
	/// GRANDPA's votes.
	pub(super) grandpa: Box<dyn NotificationService>,
	/// The verifiers' statements, which decide nothing.
	pub(super) statements: Box<dyn NotificationService>,
}

/// Starts the network, and the tasks and the RPC server of every Substrate node.
///
/// # Errors
///
/// Returns the error of Substrate's service, for example if an address is already in use.
pub(super) fn start(inputs: Inputs) -> Result<Network, ServiceError> {
	let Inputs {
		config,
		sync_memory,
		core,
		import_queue,
		rpc,
		grandpa_protocol,
		authority_set,
		task_manager,
		telemetry,
	} = inputs;
	let registry = config.prometheus_registry();
	let metrics =
		<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::register_notification_metrics(
			registry,
		);
	let mut net_config = FullNetworkConfiguration::<Block, Hash, Litep2pNetworkBackend>::new(
		&config.network,
		registry.cloned(),
	);
	let protocols = VoteProtocols {
		config: &config,
		prefix: core.protocol_prefix(),
		grandpa: grandpa_protocol,
		metrics: metrics.clone(),
	};
	let votes = protocols.add_to(&mut net_config);
	let sync = start_sync(SyncInputs {
		config: &config,
		sync_memory,
		core,
		authority_set,
		import_queue: &import_queue,
		net_config: &mut net_config,
		metrics: metrics.clone(),
		task_manager,
	})?;
	let (service, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
		sc_service::build_network_advanced(sc_service::BuildNetworkAdvancedParams {
			role: config.role,
			protocol_id: config.protocol_id(),
			fork_id: core.fork_id.as_deref(),
			announce_block: config.announce_block,
			net_config,
			client: core.client.clone(),
			transaction_pool: Arc::new(core.pool.for_peers()),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			sync_service: sync.service,
			block_announce_config: sync.announcements,
			network_service_provider: sync.network,
			metrics_registry: config.prometheus_registry(),
			metrics,
			blocks_pruning: config.blocks_pruning,
		})?;
	let transactions = sc_service::propagate_transaction_notifications(
		core.pool.clone(),
		tx_handler_controller,
		core.telemetry.clone(),
	);
	pass_on(transactions, task_manager);
	let system = System::new(tasks::system_info(&config), system_rpc_tx).into_rpc();
	tasks::start(tasks::Inputs {
		config,
		core,
		network: service.clone(),
		sync: sync.clone(),
		system,
		rpc,
		task_manager,
		telemetry,
	})?;
	Ok(Network {
		service,
		sync,
		votes,
	})
}

/// Runs what sends transactions on to peers.
fn pass_on(transactions: impl Future<Output = ()> + Send + 'static, task_manager: &TaskManager) {
	task_manager.spawn_handle().spawn(
		"on-transaction-imported",
		Some("transaction-pool"),
		transactions,
	);
}

/// What the protocols of votes need.
struct VoteProtocols<'a> {
	config: &'a Configuration,
	/// How the names of the chain's protocols begin.
	prefix: String,
	/// The name of GRANDPA's protocol.
	grandpa: ProtocolName,
	metrics: NotificationMetrics,
}

impl VoteProtocols<'_> {
	/// Adds the protocols to the network, unless votes are disabled. Each must be served then, or the network closes
	/// every connection.
	fn add_to(
		self,
		net_config: &mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	) -> Option<Votes> {
		if self.config.disable_grandpa {
			return None;
		}
		let (grandpa_config, grandpa) =
			sc_consensus_grandpa::grandpa_peers_set_config::<Block, Litep2pNetworkBackend>(
				self.grandpa,
				self.metrics.clone(),
				net_config.peer_store_handle(),
			);
		let (statements_config, statements) =
			statements::protocol(&self.prefix, self.metrics, net_config.peer_store_handle());
		net_config.add_notification_protocol(grandpa_config);
		net_config.add_notification_protocol(statements_config);
		Some(Votes {
			grandpa,
			statements,
		})
	}
}

/// What the sync needs.
struct SyncInputs<'a> {
	config: &'a Configuration,
	sync_memory: u64,
	core: &'a Core,
	authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	import_queue: &'a DefaultImportQueue<Block>,
	net_config: &'a mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	metrics: NotificationMetrics,
	task_manager: &'a TaskManager,
}

/// The running sync.
struct Sync {
	service: SyncingService<Block>,
	/// The protocol of announcements.
	announcements:
		<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::NotificationProtocolConfig,
	/// Lets the sync reach the network, once there is one.
	network: NetworkServiceProvider,
}

/// Starts the sync, and the server of blocks for other nodes.
fn start_sync(inputs: SyncInputs<'_>) -> Result<Sync, ServiceError> {
	let SyncInputs {
		config,
		sync_memory,
		core,
		authority_set,
		import_queue,
		net_config,
		metrics,
		task_manager,
	} = inputs;
	let network = NetworkServiceProvider::new();
	let (protocol_id, fork_id) = (config.protocol_id(), core.fork_id.as_deref());
	let peers = &config.network.default_peers_set;
	let peers = peers.in_peers.saturating_add(peers.out_peers) as usize;
	let handler = BlockRequestHandler::new::<Strict>(
		network.handle(),
		&protocol_id,
		fork_id,
		core.client.clone(),
		peers,
	);
	let downloader = serve_blocks(handler, net_config, peers, task_manager);
	let warp = serve::start(serve::Inputs {
		config,
		core,
		authority_set,
		net_config,
		network: network.handle(),
		task_manager,
		peers,
	});
	let announcer: Arc<OnceLock<SyncingService<Block>>> = Arc::default();
	let strategy = HeaviestSync::new(SyncParts {
		chain: core.chain.clone(),
		downloader,
		limits: Limits {
			budget: sync_memory,
			blocks_per_request: config.network.max_blocks_per_request,
			parallel: config.network.max_parallel_downloads as usize,
		},
		warp: config.network.sync_mode.is_warp().then_some(warp),
		announce: announce_with(announcer.clone()),
		metrics: config
			.prometheus_registry()
			.map(SyncMetrics::new)
			.transpose()?,
	});
	// The engine only reads this, to configure the protocol of announcements.
	let announce_config =
		FullNetworkConfiguration::<Block, Hash, Strict>::new(&config.network, None);
	let (engine, service, announcements) = SyncingEngine::new(
		Roles::from(&config.role),
		core.client.clone(),
		config.prometheus_registry(),
		metrics,
		&announce_config,
		protocol_id,
		fork_id,
		Box::new(PowAnnounceValidator::new(core.chain.clone())),
		Box::new(strategy),
		network.handle(),
		import_queue.service(),
		net_config.peer_store_handle(),
	)?;
	// The engine, which has the strategy, does not run before this.
	announcer.get_or_init(|| service.clone());
	task_manager
		.spawn_essential_handle()
		.spawn_blocking("syncing", None, engine.run());
	Ok(Sync {
		service,
		announcements,
		network,
	})
}

/// Starts to serve blocks to other nodes, and returns what asks them for blocks.
fn serve_blocks(
	handler: BlockRelayParams<Block, Strict>,
	net_config: &mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	peers: usize,
	task_manager: &TaskManager,
) -> Arc<dyn BlockDownloader<Block>> {
	let BlockRelayParams {
		mut server,
		downloader,
		request_response_config,
	} = handler;
	let spawn = task_manager.spawn_handle();
	let serve = async move { server.run().await };
	spawn.spawn("block-request-handler", Some("networking"), serve);
	let protocol = request_response_config;
	serve::add_in_turns(net_config, protocol, "block-request-turns", peers, &spawn);
	downloader
}

/// Returns what announces blocks, once the sync's service is there.
fn announce_with(service: Arc<OnceLock<SyncingService<Block>>>) -> Box<dyn Fn(Hash) + Send> {
	Box::new(move |hash| {
		if let Some(service) = service.get() {
			service.announce_block(hash, None);
		}
	})
}
