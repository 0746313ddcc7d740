// SPDX-License-Identifier: Apache-2.0
//! Parses the command line and runs the selected subcommand.

use crate::{
	chain_spec,
	cli::{Cli, Command},
	logging, service,
};
use clap::Parser;
use polkadot_sdk::*;
use sc_cli::SubstrateCli;
use sc_service::Configuration;
use std::ffi::OsString;

impl SubstrateCli for Cli {
	fn impl_name() -> String {
		"Isthmus Node".into()
	}

	fn impl_version() -> String {
		env!("CARGO_PKG_VERSION").into()
	}

	fn description() -> String {
		env!("CARGO_PKG_DESCRIPTION").into()
	}

	fn author() -> String {
		"The Isthmus developers".into()
	}

	fn support_url() -> String {
		"docs/operations.md".into()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
		Ok(Box::new(chain_spec::load(id)?))
	}
}

/// Parses the command line and runs the selected subcommand, or a full node if there is none.
///
/// # Errors
///
/// Returns the error of the command that ran.
pub fn run() -> sc_cli::Result<()> {
	let cli = Cli::from_args();
	match &cli.subcommand {
		None => {
			let runner = logging::create_runner(&cli, &cli.run)?;
			let options = service::Options {
				mining: cli.mining.clone(),
				sync: cli.sync.clone(),
				producer: cli.producer.profile(),
				pool: cli.pool_limits(),
				development: cli.run.shared_params.is_dev(),
			};
			runner.run_node_until_exit(|config| async move {
				service::new_full(config, options).map_err(sc_cli::Error::Service)
			})
		}
		Some(Command::Key(cmd)) => cmd.run(&cli),
		Some(Command::ExportChainSpec(cmd)) => cmd.run(Box::new(chain_spec::load(&cmd.chain)?)),
		Some(Command::ExportBlocks(cmd)) => {
			let runner = cli.create_runner(cmd)?;
			runner.async_run(|config| {
				let parts = service::Parts::new(&config)?;
				Ok((
					cmd.run(parts.core.client, config.database),
					parts.task_manager,
				))
			})
		}
		Some(Command::ImportBlocks(cmd)) => {
			let runner = cli.create_runner(cmd)?;
			runner.async_run(|config| {
				let parts = service::Parts::new(&config)?;
				Ok((
					cmd.run(parts.core.client, parts.import_queue),
					parts.task_manager,
				))
			})
		}
		Some(Command::PurgeChain(cmd)) => {
			let runner = cli.create_runner(cmd)?;
			runner.sync_run(|config| cmd.run(config.database))
		}
		Some(Command::ChainInfo(cmd)) => {
			let runner = cli.create_runner(cmd)?;
			runner.sync_run(|config| cmd.run::<isthmus_primitives::Block>(&config))
		}
	}
}

/// Returns the configuration of a node with this command line, without starting the node. The program's
/// name comes first, as in `["isthmus-node", "--dev", "--base-path", "DIR"]`.
///
/// # Errors
///
/// Returns an error if an option is invalid or the chain specification cannot be loaded.
pub fn configuration(
	args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
	tokio: tokio::runtime::Handle,
) -> sc_cli::Result<Configuration> {
	let cli = Cli::try_parse_from(args).map_err(|e| sc_cli::Error::Input(e.to_string()))?;
	cli.create_configuration(&cli.run, tokio)
}
