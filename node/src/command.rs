// SPDX-License-Identifier: Apache-2.0
//! Parses the command line and runs the selected subcommand.

use crate::{
	arguments, chain_spec,
	check_state::CheckStateCmd,
	cli::{Cli, Command},
	database, logging, output, service,
};
use polkadot_sdk::*;
use sc_cli::{KeySubcommand, SubstrateCli};
use sc_service::{Configuration, ImportQueue as _};
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
		let spec = chain_spec::load(id).map_err(|error| error.to_string())?;
		Ok(Box::new(spec))
	}
}

/// Parses the command line and runs the selected subcommand, or a full node if there is none.
///
/// # Errors
///
/// Returns the error of the command that ran.
pub fn run() -> sc_cli::Result<()> {
	let mut cli = arguments::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
	if cli.subcommand.is_some() {
		output::end_if_unwritable()?;
	}
	match cli.subcommand.take() {
		None => {
			let runner = logging::create_runner(&cli, &cli.run)?;
			let options = service::Options {
				mining: cli.mining.clone(),
				sync: cli.sync.clone(),
				producer: cli.producer.profile(),
				pool: cli.pool_limits(),
				development: cli.run.shared_params.is_dev(),
				storage: cli.storage.clone(),
			};
			runner.run_node_until_exit(|config| async move {
				service::new_full(config, options).map_err(sc_cli::Error::Service)
			})
		}
		Some(Command::Key(mut cmd)) => {
			if let KeySubcommand::GenerateNodeKey(cmd) = &mut cmd {
				// Without a chain the key is printed, or written to a file that is named.
				cmd.chain.get_or_insert_with(|| "local".into());
			}
			cmd.run(&cli)
		}
		Some(Command::ExportChainSpec(cmd)) => cmd.run(cli.load_spec(&cmd.chain)?),
		Some(Command::ExportBlocks(cmd)) => {
			let runner = cli.create_runner(&cmd)?;
			runner.async_run(|mut config| {
				let mut parts = service::Parts::new(&mut config)?;
				let client = parts.core.client.clone();
				// The command uses only a part of the parts. The tasks of the others would fail without them.
				parts
					.task_manager
					.keep_alive((parts.core, parts.import_queue));
				let export = async move { cmd.run(client, config.database).await };
				Ok((export, parts.task_manager))
			})
		}
		Some(Command::ImportBlocks(cmd)) => {
			let runner = cli.create_runner(&cmd)?;
			runner.async_run(|mut config| {
				let mut parts = service::Parts::new(&mut config)?;
				let client = parts.core.client.clone();
				parts
					.task_manager
					.keep_alive((parts.core, parts.import_queue.service()));
				let import = async move { cmd.run(client, parts.import_queue).await };
				Ok((import, parts.task_manager))
			})
		}
		Some(Command::CheckState(cmd)) => check_state(&cli, cmd),
		Some(Command::PurgeChain(cmd)) => {
			let runner = cli.create_runner(&cmd)?;
			runner.sync_run(|config| {
				database::check_unused(&config.database).map_err(application)?;
				cmd.run(config.database)
			})
		}
		Some(Command::ChainInfo(cmd)) => {
			let runner = cli.create_runner(&cmd)?;
			runner.sync_run(|config| {
				database::check_unused(&config.database).map_err(application)?;
				cmd.run::<isthmus_primitives::Block>(&config)
			})
		}
	}
}

/// Checks the state of a block in the node's database.
fn check_state(cli: &Cli, cmd: CheckStateCmd) -> sc_cli::Result<()> {
	let runner = cli.create_runner(&cmd)?;
	runner.async_run(|mut config| {
		let mut parts = service::Parts::new(&mut config)?;
		let client = parts.core.client.clone();
		parts
			.task_manager
			.keep_alive((parts.core, parts.import_queue));
		let check = async move { cmd.run(&client).map_err(application) };
		Ok((check, parts.task_manager))
	})
}

/// Wraps an error of this project's crates for the command line.
fn application(error: impl std::error::Error + Send + Sync + 'static) -> sc_cli::Error {
	sc_cli::Error::Application(Box::new(error))
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
	let cli = arguments::parse(args)?;
	cli.create_configuration(&cli.run, tokio)
}
