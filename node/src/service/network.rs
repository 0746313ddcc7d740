// SPDX-License-Identifier: Apache-2.0
//! The network stage of starting a node: connects to peers, then starts the tasks that need them.

use super::{parts::Core, tasks};
use crate::rpc;
use isthmus_engine::PowAnnounceValidator;
use isthmus_primitives::{Block, Hash};
use polkadot_sdk::*;
use sc_consensus::DefaultImportQueue;
use sc_network::{
	config::FullNetworkConfiguration, service::traits::NetworkService, Litep2pNetworkBackend,
	NetworkBackend, NotificationService, ProtocolName,
};
use sc_network_sync::SyncingService;
use sc_rpc::system::{System, SystemApiServer};
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use sc_telemetry::Telemetry;
use std::sync::Arc;

/// What the stage needs.
pub(super) struct Inputs<'a> {
	pub(super) config: Configuration,
	pub(super) core: &'a Core,
	pub(super) import_queue: DefaultImportQueue<Block>,
	pub(super) rpc: rpc::Deps,
	/// The name of the network protocol that carries votes.
	pub(super) grandpa_protocol: ProtocolName,
	pub(super) task_manager: &'a mut TaskManager,
	pub(super) telemetry: Option<&'a mut Telemetry>,
}

/// The running network.
pub(super) struct Network {
	pub(super) service: Arc<dyn NetworkService>,
	pub(super) sync: Arc<SyncingService<Block>>,
	/// GRANDPA's votes, unless `--no-grandpa` was given.
	pub(super) votes: Option<Box<dyn NotificationService>>,
}

/// Starts the network, and the tasks and the RPC server of every Substrate node.
///
/// # Errors
///
/// Returns the error of Substrate's service, for example if an address is already in use.
pub(super) fn start(inputs: Inputs) -> Result<Network, ServiceError> {
	let Inputs {
		config,
		core,
		import_queue,
		rpc,
		grandpa_protocol,
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
	let (grandpa_config, votes) =
		sc_consensus_grandpa::grandpa_peers_set_config::<Block, Litep2pNetworkBackend>(
			grandpa_protocol,
			metrics.clone(),
			net_config.peer_store_handle(),
		);
	// Register the protocol only if a voter will serve it. Otherwise the network would close every
	// connection.
	let votes = (!config.disable_grandpa).then(|| {
		net_config.add_notification_protocol(grandpa_config);
		votes
	});

	let chain = core.chain.clone();
	let (service, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: core.client.clone(),
			transaction_pool: Arc::new(core.pool.for_peers()),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: Some(Box::new(move |_| {
				Box::new(PowAnnounceValidator::new(chain))
			})),
			warp_sync_config: None,
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;
	task_manager.spawn_handle().spawn(
		"on-transaction-imported",
		Some("transaction-pool"),
		sc_service::propagate_transaction_notifications(
			core.pool.clone(),
			tx_handler_controller,
			core.telemetry.clone(),
		),
	);
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
