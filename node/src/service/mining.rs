// SPDX-License-Identifier: Apache-2.0
//! The mining stage of starting a node: the author, which builds block templates; the built-in miner; and
//! the ports and notices for other miners.
//!
//! Ports are opened before the database, so that a taken port is reported at once. They are served last.

use super::parts::{application, Core};
use crate::{
	cli::{MiningArgs, GAS_TARGET, HEARTBEAT},
	client::FullSealer,
	files::{announce, read_at_most},
	miners,
	ports::{PortError, Wanted},
	proposer::Proposers,
	rpc::{
		eth::{EthBlocks, EthBlocksApiServer as _},
		miner::Control,
		mining::{EthMining, EthMiningApiServer as _},
	},
	stratum::{work, StratumMine},
};
use futures::{FutureExt, StreamExt};
use isthmus_engine::{
	Author, AuthorConfig, AuthorParts, CpuMiner, MinerChoices, MiningMetrics, Pace, Sealer,
};
use isthmus_miners::{
	stratum::{self, Config},
	Secret,
};
use isthmus_primitives::Block;
use jsonrpsee::Methods;
use polkadot_sdk::*;
use sc_network_sync::SyncingService;
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use std::{net::TcpListener, sync::Arc};
use tokio::sync::watch;

/// The maximum size of a block's body that the miner fills, in bytes: the runtime's block length.
const BLOCK_SIZE_LIMIT: usize = isthmus_runtime::MAX_BLOCK_LENGTH as usize;
/// The group of the tasks' metrics.
const GROUP: Option<&str> = Some("block-authoring");
/// The maximum size of the file of the miners' secret, in bytes, with the white space around the secret.
const MAX_SECRET_FILE: u64 = 1024;

/// The mining that the options ask for.
pub(super) struct Requested {
	options: MiningArgs,
	choices: MinerChoices,
	force: bool,
	/// The port for getWork, if it is open.
	miners: Option<TcpListener>,
	/// The port for Stratum, if it is open.
	stratum: Option<TcpListener>,
	secret: Option<Secret>,
}

/// A miner whose author has not started.
pub(super) struct Prepared {
	requested: Requested,
	pub(super) sealer: FullSealer,
	pub(super) control: Control,
}

/// Checks the options. Returns `None` if the node does not mine.
///
/// # Errors
///
/// Returns a message if the options contradict each other, if there is no account to reward, or if the file of the secret
/// cannot be read.
pub(super) fn request(
	config: &Configuration,
	options: MiningArgs,
	development: bool,
) -> Result<Option<Requested>, ServiceError> {
	let mines = options.mine || development;
	if let Some(warning) = without_effect(&options, mines) {
		log::warn!(target: "miners", "{warning}");
	}
	if !mines {
		let for_others = options.miners_listen.is_some() || options.stratum_listen.is_some();
		if for_others || !options.mine_notify.is_empty() {
			return Err(ServiceError::Other(
				"`--miners-listen`, `--stratum-listen` and `--mine-notify` need `--mine`; add `--threads 0` \
				 if only other programs mine"
					.into(),
			));
		}
		return Ok(None);
	}
	let beneficiary =
		match &options.beneficiary {
			Some(account) => account.clone(),
			None if development => sp_keyring::Sr25519Keyring::Alice.to_account_id(),
			None => return Err(ServiceError::Other(
				"`--mine` needs `--beneficiary ACCOUNT`: the account that earns the block rewards"
					.into(),
			)),
		};
	Ok(Some(Requested {
		choices: MinerChoices {
			beneficiary,
			extra_data: options.extra_data.clone().into_bytes(),
			gas_target: options.gas_target,
		},
		force: config.force_authoring,
		secret: options
			.miners_secret_file
			.as_deref()
			.map(read_secret)
			.transpose()?,
		miners: None,
		stratum: None,
		options,
	}))
}

/// Returns what to say of options that have no effect because another one is missing.
fn without_effect(options: &MiningArgs, mines: bool) -> Option<String> {
	let of_ports = [("--miners-secret-file", options.miners_secret_file.is_some())];
	let of_miners = [
		("--threads", options.threads != 1),
		("--hash-rate", options.hash_rate.is_some()),
		("--ethash-dir", options.ethash_dir.is_some()),
		("--beneficiary", options.beneficiary.is_some()),
		("--extra-data", !options.extra_data.is_empty()),
		("--gas-target", options.gas_target != GAS_TARGET),
		("--heartbeat", options.heartbeat != HEARTBEAT),
	];
	let has_port = options.miners_listen.is_some() || options.stratum_listen.is_some();
	let (given, why) = match (mines, has_port) {
		(false, _) => (
			[&of_miners[..], &of_ports].concat(),
			"the node does not mine without `--mine`",
		),
		(true, false) => (
			of_ports.to_vec(),
			"there is no port for other miners without `--miners-listen` or `--stratum-listen`",
		),
		(true, true) => return None,
	};
	let given: Vec<_> = given
		.iter()
		.filter(|(_, is_given)| *is_given)
		.map(|(option, _)| format!("`{option}`"))
		.collect();
	(!given.is_empty()).then(|| format!("{}: without effect, because {why}", given.join(", ")))
}

impl Requested {
	/// Returns the addresses of the ports for other miners.
	pub(super) fn wanted(&self) -> Vec<Wanted> {
		self.getwork().into_iter().chain(self.stratum()).collect()
	}

	fn getwork(&self) -> Option<Wanted> {
		let address = self.options.miners_listen?;
		Some(Wanted::tcp("getWork", address, "--miners-listen"))
	}

	fn stratum(&self) -> Option<Wanted> {
		let address = self.options.stratum_listen?;
		Some(Wanted::tcp("Stratum", address, "--stratum-listen"))
	}

	/// Opens these ports.
	///
	/// # Errors
	///
	/// Returns the first one that cannot be opened.
	pub(super) fn open_ports(&mut self) -> Result<(), PortError> {
		let open = |wanted: Option<Wanted>| {
			let opened = wanted.map(|wanted| wanted.open(miners::listen));
			opened.transpose()
		};
		self.miners = open(self.getwork())?;
		self.stratum = open(self.stratum())?;
		Ok(())
	}
}

fn read_secret(file: &std::path::Path) -> Result<Secret, ServiceError> {
	let shown = file.display();
	let refused = |error: &dyn std::fmt::Display| {
		ServiceError::Other(format!("`--miners-secret-file {shown}`: {error}"))
	};
	announce("the miners' secret", file);
	let content = read_at_most(file, MAX_SECRET_FILE).map_err(|error| refused(&error))?;
	let text = String::from_utf8(content).map_err(|error| refused(&error))?;
	Secret::parse(&text).map_err(|error| refused(&error))
}

/// Creates the sealer and the built-in miner, whose threads wait for work. The metrics are registered whether or
/// not the node mines.
///
/// # Errors
///
/// Returns an error if the metrics cannot be registered or a thread cannot be started.
pub(super) fn prepare(
	core: &Core,
	requested: Option<Requested>,
) -> Result<Option<Prepared>, ServiceError> {
	let metrics = MiningMetrics::new(core.prometheus_registry.as_ref()).map_err(application)?;
	let Some(requested) = requested else {
		return Ok(None);
	};
	let sealer = Sealer::new(core.chain.clone(), core.block_import.clone(), metrics);
	let options = &requested.options;
	let miner = CpuMiner::start(
		sealer.clone(),
		options.threads,
		options.hash_rate,
		options.ethash_dir.clone(),
	)
	.map_err(application)?;
	let control = Control {
		miner: Arc::new(miner),
		choices: watch::Sender::new(requested.choices.clone()),
		threads: options.threads,
	};
	Ok(Some(Prepared {
		requested,
		sealer,
		control,
	}))
}

/// Starts the author, which gives work to the miners, and serves the ports.
pub(super) fn start(
	prepared: Prepared,
	core: &Core,
	sync: Arc<SyncingService<Block>>,
	task_manager: &TaskManager,
) {
	let Prepared {
		requested,
		sealer,
		control,
	} = prepared;
	let pace = if core.is_on_demand() {
		Pace::OnDemand {
			heartbeat: requested.options.heartbeat,
		}
	} else {
		if requested.options.heartbeat != HEARTBEAT {
			log::warn!(
				target: "miners",
				"`--heartbeat`: without effect, because the miners of this chain never wait for transactions"
			);
		}
		Pace::Continuous
	};
	let force = requested.force;
	let spawn = task_manager.spawn_handle();
	spawn.spawn(
		"pow-hash-rate",
		GROUP,
		isthmus_engine::report_hash_rate(sealer.clone()),
	);
	serve_miners(requested, &sealer, core, task_manager);
	let author = Author::new(AuthorParts {
		sealer,
		blocks: core.backend.clone(),
		select_chain: core.select_chain.clone(),
		proposers: Proposers {
			client: core.client.clone(),
			pool: core.pool.clone(),
			spawn,
		},
		pool: core.pool.clone(),
		sync,
		choices: control.choices.subscribe(),
		config: AuthorConfig {
			block_size_limit: BLOCK_SIZE_LIMIT,
			pace,
			force,
		},
	});
	let ends = EndsWithAuthor(control.miner);
	task_manager.spawn_essential_handle().spawn_blocking(
		"pow-author",
		GROUP,
		author.run().map(move |()| drop(ends)),
	);
}

/// Ends the built-in miner with the author that gives it work.
struct EndsWithAuthor(Arc<CpuMiner>);

impl Drop for EndsWithAuthor {
	fn drop(&mut self) {
		self.0.stop();
	}
}

/// Serves the open ports and starts sending notices of new work, if the options request them.
fn serve_miners(
	requested: Requested,
	sealer: &FullSealer,
	core: &Core,
	task_manager: &TaskManager,
) {
	let Requested {
		options,
		miners,
		stratum,
		secret,
		..
	} = requested;
	let spawn = task_manager.spawn_handle();
	if let Some((listener, address)) = miners.zip(options.miners_listen) {
		log::info!(target: "miners", "⛏️  Miners can connect to http://{address}");
		let methods = port_methods(sealer, core);
		let serve = miners::serve(listener, methods, secret.clone(), sealer.metrics().clone());
		spawn.spawn("miners-port", GROUP, serve);
	}
	if let Some((listener, address)) = stratum.zip(options.stratum_listen) {
		log::info!(target: "miners", "⛏️  Stratum workers can connect to {address}");
		let jobs = futures::stream::iter(sealer.current()).chain(sealer.jobs());
		let works = jobs.map(|job| Arc::new(work(&job)));
		let config = Config {
			secret,
			start_difficulty: options.stratum_difficulty,
		};
		let limits = stratum::Limits::default();
		let serve = stratum::serve(listener, works, StratumMine(sealer.clone()), config, limits);
		spawn.spawn("stratum-port", GROUP, serve);
	}
	if !options.mine_notify.is_empty() {
		let notices = miners::notify(sealer.jobs(), options.mine_notify);
		spawn.spawn("miners-notices", GROUP, notices);
	}
}

/// Returns the methods of the miners' port.
fn port_methods(sealer: &FullSealer, core: &Core) -> Methods {
	let mut methods = Methods::new();
	let blocks = EthBlocks {
		client: core.client.clone(),
		chain: core.chain.clone(),
		sealer: Some(sealer.clone()),
	};
	// No two of these methods have the same name, which the tests see.
	let _ = methods.merge(EthMining::new(Some(sealer.clone())).into_rpc());
	let _ = methods.merge(blocks.into_rpc());
	methods
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::arguments;

	#[test]
	fn options_without_effect_are_named() {
		let warning = |args: &[&str], mines| {
			let args = ["isthmus-node", "--chain", "local"].iter().chain(args);
			let cli = arguments::parse(args).unwrap();
			without_effect(&cli.mining, mines)
		};
		assert_eq!(warning(&[], false), None);
		let args = ["--threads", "4", "--extra-data", "x"];
		let idle = warning(&args, false).unwrap();
		assert!(
			idle.starts_with("`--threads`, `--extra-data`: without effect"),
			"{idle}"
		);
		assert!(idle.ends_with("`--mine`"), "{idle}");
		assert_eq!(warning(&args, true), None);
		let secret = ["--miners-secret-file", "FILE"];
		assert!(warning(&secret, true)
			.unwrap()
			.contains("`--stratum-listen`"));
		let port = ["--miners-listen", "127.0.0.1:1"];
		assert_eq!(warning(&[&secret[..], &port].concat(), true), None);
	}
}
