// SPDX-License-Identifier: Apache-2.0
//! Starts the tasks of every Substrate node, and the RPC server.
//!
//! This is the framework's `spawn_tasks` with an RPC server of our own, because the framework's answers web
//! pages of any origin (`rpc/server.rs`).

use super::parts::{application, Core};
use crate::rpc;
use futures::FutureExt;
use isthmus_primitives::Block;
use jsonrpsee::RpcModule;
use polkadot_sdk::*;
use sc_client_api::UsageProvider;
use sc_network::service::traits::NetworkService;
use sc_network_sync::SyncingService;
use sc_rpc::system::{System, SystemInfo};
use sc_rpc_server::RpcMetrics;
use sc_rpc_spec_v2::transaction::TransactionMetrics;
use sc_service::{
	config::PrometheusConfig, error::Error as ServiceError, Configuration, MetricsService,
	TaskManager,
};
use sc_telemetry::Telemetry;
use std::sync::Arc;

/// What the tasks need.
pub(super) struct Inputs<'a> {
	pub(super) config: Configuration,
	pub(super) core: &'a Core,
	pub(super) network: Arc<dyn NetworkService>,
	pub(super) sync: Arc<SyncingService<Block>>,
	/// The RPC methods about this machine and its peers.
	pub(super) system: RpcModule<System<Block>>,
	/// The other RPC methods of this node.
	pub(super) rpc: rpc::Deps,
	pub(super) task_manager: &'a mut TaskManager,
	pub(super) telemetry: Option<&'a mut Telemetry>,
}

/// Returns what the RPC says about this program and its chain.
pub(super) fn system_info(config: &Configuration) -> SystemInfo {
	SystemInfo {
		chain_name: config.chain_spec.name().into(),
		impl_name: config.impl_name.clone(),
		impl_version: config.impl_version.clone(),
		properties: config.chain_spec.properties(),
		chain_type: config.chain_spec.chain_type(),
	}
}

/// Starts the tasks and the RPC server.
///
/// # Errors
///
/// Returns an error if the keys of a development account cannot be made, if a metric cannot be registered,
/// or if an RPC address cannot be used.
pub(super) fn start(inputs: Inputs) -> Result<(), ServiceError> {
	let Inputs {
		mut config,
		core,
		network,
		sync,
		system,
		rpc,
		task_manager,
		telemetry,
	} = inputs;
	let chain = core.client.usage_info().chain;
	sp_session::generate_initial_session_keys(
		core.client.clone(),
		chain.best_hash,
		config.dev_key_seed.clone().into_iter().collect(),
		core.keystore.clone(),
	)
	.map_err(application)?;
	if let Some(telemetry) = telemetry {
		sc_service::init_telemetry(
			config.network.node_name.clone(),
			config.impl_name.clone(),
			config.impl_version.clone(),
			config.chain_spec.name().into(),
			config.role.is_authority(),
			network.clone(),
			core.client.clone(),
			telemetry,
			None,
		)?;
	}
	log::info!("📦 Highest known block at #{}", chain.best_number);

	let spawn = task_manager.spawn_handle();
	spawn.spawn(
		"txpool-notifications",
		Some("transaction-pool"),
		// The pool follows the best chain, and needs no other block.
		sc_transaction_pool::notification_future(core.client.clone(), core.pool.clone(), false),
	);
	let metrics = metrics(&config, core, task_manager)?;
	spawn.spawn(
		"telemetry-periodic-send",
		None,
		metrics.run(
			core.client.clone(),
			core.pool.clone(),
			network.clone(),
			sync.clone(),
		),
	);
	spawn.spawn(
		"informant",
		None,
		sc_informant::build(core.client.clone(), network, sync.clone()),
	);

	let server = serve(&mut config, core, sync, system, rpc)?;
	task_manager.keep_alive((config.base_path, server));
	Ok(())
}

/// Opens the port for Prometheus, if there is one, and returns the service of the framework's metrics.
fn metrics(
	config: &Configuration,
	core: &Core,
	task_manager: &TaskManager,
) -> Result<MetricsService, ServiceError> {
	let telemetry = core.telemetry.clone();
	let Some(PrometheusConfig { port, registry }) = config.prometheus_config.clone() else {
		return Ok(MetricsService::new(telemetry));
	};
	let service = MetricsService::with_prometheus(
		telemetry,
		&registry,
		config.role,
		&config.network.node_name,
		&config.impl_version,
	)?;
	let port = substrate_prometheus_endpoint::init_prometheus(port, registry);
	task_manager
		.spawn_handle()
		.spawn("prometheus-endpoint", None, port.map(drop));
	Ok(service)
}

/// Starts the RPC server.
fn serve(
	config: &mut Configuration,
	core: &Core,
	sync: Arc<SyncingService<Block>>,
	system: RpcModule<System<Block>>,
	rpc: rpc::Deps,
) -> Result<rpc::server::Server, ServiceError> {
	let registry = config.prometheus_registry();
	let metrics = RpcMetrics::new(registry)?;
	let transaction_metrics = registry.map(TransactionMetrics::new).transpose()?;
	let id_provider = config.rpc.id_provider.take();
	let keeps_states = config.state_pruning.as_ref();
	let framework = |executor| rpc::framework::Deps {
		client: core.client.clone(),
		backend: core.backend.clone(),
		pool: core.pool.clone(),
		keystore: core.keystore.clone(),
		sync,
		system,
		spec: config.chain_spec.as_ref(),
		genesis: core.client.usage_info().chain.genesis_hash,
		keeps_all: keeps_states.is_some_and(|pruning| pruning.is_archive())
			&& config.blocks_pruning.is_archive(),
		metrics: transaction_metrics,
		executor,
	};
	let inputs = rpc::server::Inputs {
		endpoints: config.rpc.addr.clone().unwrap_or_default(),
		metrics,
		id_provider,
		logger_limit: config.rpc.request_logger_limit,
		threads: config.rpc.max_connections,
	};
	rpc::server::start(inputs, |executor| {
		rpc::create(framework(executor.clone()), rpc, executor)
	})
	.map_err(application)
}
