// SPDX-License-Identifier: Apache-2.0
//! The mining stage of starting a node: the author, which builds block templates; the built-in miner; and
//! the port and notices for other miners.

use super::parts::{application, Core};
use crate::{
	cli::MiningArgs,
	client::FullSealer,
	miners,
	rpc::mining::{EthMining, EthMiningApiServer as _},
};
use futures::FutureExt;
use isthmus_engine::{Author, AuthorConfig, AuthorParts, CpuMiner, MiningMetrics, Pace, Sealer};
use isthmus_primitives::Block;
use polkadot_sdk::*;
use sc_network_sync::SyncingService;
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use std::{num::NonZeroUsize, sync::Arc};

/// The maximum size of a block's body that the miner fills, in bytes: the runtime's block length.
const BLOCK_SIZE_LIMIT: usize = isthmus_runtime::MAX_BLOCK_LENGTH as usize;
/// The group of the tasks' metrics.
const GROUP: Option<&str> = Some("block-authoring");

/// What a mining node needs besides the parts common to all nodes.
pub(super) struct Inputs {
	pub(super) options: MiningArgs,
	pub(super) author: AuthorConfig,
	pub(super) sealer: FullSealer,
	pub(super) sync: Arc<SyncingService<Block>>,
}

/// Returns the author's configuration, or `None` if the node does not mine.
///
/// # Errors
///
/// Returns a message if the options contradict each other, or if there is no account to reward.
pub(super) fn author_config(
	config: &Configuration,
	mining: &MiningArgs,
	development: bool,
) -> Result<Option<AuthorConfig>, ServiceError> {
	if !mining.mine && !development {
		if mining.miners_listen.is_some() || !mining.mine_notify.is_empty() {
			return Err(ServiceError::Other(
				"`--miners-listen` and `--mine-notify` need `--mine`; add `--threads 0` if only other \
				 programs mine"
					.into(),
			));
		}
		return Ok(None);
	}
	let beneficiary =
		match &mining.beneficiary {
			Some(account) => account.clone(),
			None if development => sp_keyring::Sr25519Keyring::Alice.to_account_id(),
			None => return Err(ServiceError::Other(
				"`--mine` needs `--beneficiary ACCOUNT`: the account that earns the block rewards"
					.into(),
			)),
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

/// Returns the sealer of a mining node, or `None` for other nodes. The metrics are registered in both
/// cases.
///
/// # Errors
///
/// Returns an error if the metrics cannot be registered.
pub(super) fn sealer(core: &Core, mines: bool) -> Result<Option<FullSealer>, ServiceError> {
	let metrics = MiningMetrics::new(core.prometheus_registry.as_ref()).map_err(application)?;
	Ok(mines.then(|| Sealer::new(core.chain.clone(), core.block_import.clone(), metrics)))
}

/// Starts the miners and the author that gives them work.
///
/// # Errors
///
/// Returns the error of the first part that cannot start: the Ethash folder cannot be used, or the miners'
/// port cannot be opened.
pub(super) fn start(
	inputs: Inputs,
	core: &Core,
	task_manager: &TaskManager,
) -> Result<(), ServiceError> {
	let Inputs {
		options,
		author,
		sealer,
		sync,
	} = inputs;
	let pace = if core.is_on_demand() {
		Pace::OnDemand {
			heartbeat: options.heartbeat,
		}
	} else {
		Pace::Continuous
	};
	let miner = NonZeroUsize::new(options.threads)
		.map(|threads| {
			let folder = options.ethash_dir.clone();
			CpuMiner::start(sealer.clone(), threads, options.hash_rate, folder)
		})
		.transpose()
		.map_err(application)?;
	task_manager.spawn_handle().spawn(
		"pow-hash-rate",
		GROUP,
		isthmus_engine::report_hash_rate(sealer.clone()),
	);
	serve_miners(&options, &sealer, task_manager)?;
	let proposers = sc_basic_authorship::ProposerFactory::new(
		task_manager.spawn_handle(),
		core.client.clone(),
		core.pool.clone(),
		core.prometheus_registry.as_ref(),
		core.telemetry.clone(),
	);
	let author = Author::new(AuthorParts {
		sealer,
		blocks: core.backend.clone(),
		select_chain: core.select_chain.clone(),
		proposers,
		pool: core.pool.clone(),
		sync,
		config: AuthorConfig { pace, ..author },
	});
	task_manager.spawn_essential_handle().spawn_blocking(
		"pow-author",
		GROUP,
		// The built-in miner ends with the author that gives it work.
		author.run().map(move |()| drop(miner)),
	);
	Ok(())
}

/// Opens the miners' port and starts sending notices of new work, if the options request them.
fn serve_miners(
	options: &MiningArgs,
	sealer: &FullSealer,
	task_manager: &TaskManager,
) -> Result<(), ServiceError> {
	let spawn = task_manager.spawn_handle();
	if let Some(address) = options.miners_listen {
		let listener = miners::listen(address).map_err(|error| {
			ServiceError::Other(format!("`--miners-listen {address}`: {error}"))
		})?;
		let methods = EthMining::new(Some(sealer.clone())).into_rpc();
		spawn.spawn("miners-port", GROUP, miners::serve(listener, methods));
	}
	if !options.mine_notify.is_empty() {
		let notices = miners::notify(sealer.jobs(), options.mine_notify.clone());
		spawn.spawn("miners-notices", GROUP, notices);
	}
	Ok(())
}
