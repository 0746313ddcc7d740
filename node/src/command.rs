// SPDX-License-Identifier: Apache-2.0
//! Parses the command line and runs the selected subcommand.

use crate::{
	arguments, blocks, chain_spec,
	cli::{Cli, Command},
	database,
	explain::named,
	files::NewFile,
	genesis,
	keys::{self, NodeKeyOptions},
	logging, output, ports,
	progress::Reports,
	runner::{say_database, Runner},
	service,
};
use polkadot_sdk::*;
use sc_cli::{CliConfiguration, ExportChainSpecCmd, PurgeChainCmd, SubstrateCli};
use sc_service::{ChainType, Configuration, DatabaseSource};
use std::{
	ffi::OsString,
	fs,
	io::{stderr, Write},
	path::Path,
};

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
	output::report_full_files()?;
	output::end_without_threads();
	let mut cli =
		arguments::parse(std::env::args_os()).unwrap_or_else(|error| output::exit(&error));
	let Some(mut command) = cli.subcommand.take() else {
		output::check_file_size()?;
		keys::read_password(&mut cli.run.keystore_params)?;
		let is_dev = cli.run.shared_params.is_dev();
		let key = NodeKeyOptions::take(&mut cli.run.network_params, is_dev)?;
		let runner = Runner::new(&cli, &cli.run)?;
		// As the framework decides it.
		let is_temporary = cli.run.tmp || (is_dev && cli.run.shared_params.base_path.is_none());
		let options = service::Options {
			mining: cli.mining.clone(),
			sync: cli.sync.clone(),
			producer: cli.producer.profile(),
			pool: cli.pool_limits(),
			development: is_dev,
			storage: cli.storage.clone(),
			ports: ports::Given::new(&cli.run),
		};
		return runner.node(is_temporary, |mut config| {
			if let Some(key) = key {
				key.put_back(&mut config)?;
			}
			service::new_full(config, options).map_err(Into::into)
		});
	};
	use_standard_streams(&mut command);
	if prints(&command) {
		output::check_open()?;
	}
	if let Command::Key(cmd) = &mut command {
		cmd.read_password()?;
	}
	run_command(&cli, command)?;
	output::flush()
}

/// Takes `-` for stdin or stdout, as without a file. The framework's commands take it for a file's name.
fn use_standard_streams(command: &mut Command) {
	let file = match command {
		Command::ExportChainSpec(cmd) => &mut cmd.output,
		Command::ExportBlocks(cmd) => &mut cmd.output,
		Command::ImportBlocks(cmd) => &mut cmd.input,
		Command::Key(cmd) => match cmd.file_mut() {
			Some(file) => file,
			None => return,
		},
		Command::PurgeChain(_) | Command::ChainInfo(_) | Command::CheckState(_) => return,
	};
	if file.as_deref() == Some(Path::new("-")) {
		*file = None;
	}
}

/// Returns whether a subcommand serves only to print something.
fn prints(command: &Command) -> bool {
	match command {
		Command::Key(cmd) => cmd.prints(),
		Command::ExportChainSpec(cmd) => cmd.output.is_none(),
		Command::ExportBlocks(cmd) => cmd.output.is_none(),
		Command::ChainInfo(_) => true,
		Command::ImportBlocks(_) | Command::PurgeChain(_) | Command::CheckState(_) => false,
	}
}

/// Prepares a subcommand that uses a chain.
fn prepare<T: CliConfiguration>(cli: &Cli, command: &T) -> sc_cli::Result<Runner> {
	let runner = Runner::new(cli, command)?;
	// The log sets a panic hook of the framework's.
	output::end_if_unwritable()?;
	Ok(runner)
}

/// Runs a subcommand.
fn run_command(cli: &Cli, command: Command) -> sc_cli::Result<()> {
	match command {
		Command::Key(cmd) => {
			output::end_if_unwritable()?;
			cmd.run(cli)
		}
		Command::ExportChainSpec(cmd) => {
			output::end_if_unwritable()?;
			export_spec(cli, &cmd)
		}
		Command::ExportBlocks(cmd) => {
			let runner = prepare(cli, &cmd)?;
			blocks::check_export(&cmd, runner.config())?;
			say_database(runner.config());
			runner.with_chain(|client, _| async move { blocks::export(&cmd, &client) })
		}
		Command::ImportBlocks(cmd) => {
			output::check_file_size()?;
			blocks::check_import(&cmd)?;
			let runner = prepare(cli, &cmd)?;
			// A base path that is not the one that is meant gets a database of its own.
			say_database(runner.config());
			let database = runner.config().database.clone();
			runner.with_chain(|client, queue| async move {
				blocks::import(&cmd, client, queue, &database).await
			})
		}
		Command::CheckState(cmd) => {
			let runner = prepare(cli, &cmd)?;
			database::check_present(&runner.config().database).map_err(application)?;
			runner.with_chain(|client, _| async move { cmd.run(&client).map_err(application) })
		}
		Command::PurgeChain(cmd) => {
			prepare(cli, &cmd)?.with_config(|config| purge(&cmd, &config.database))
		}
		Command::ChainInfo(cmd) => prepare(cli, &cmd)?.with_config(|config| {
			database::check_present(&config.database).map_err(application)?;
			service::check_chain(&config)?;
			let printed = cmd.run::<isthmus_primitives::Block>(&config);
			printed.map_err(|error| {
				// The framework does not say where it writes.
				let unwritable = match &error {
					sc_cli::Error::Input(said) => said.strip_prefix("Error writing JSON: "),
					_ => None,
				};
				unwritable.map(output::unwritable).unwrap_or(error)
			})?;
			output::print("\n")
		}),
	}
}

/// Writes a chain specification. A file is replaced when the new one is complete.
fn export_spec(cli: &Cli, cmd: &ExportChainSpecCmd) -> sc_cli::Result<()> {
	let spec = cli.load_spec(&cmd.chain)?;
	if cmd.raw {
		// If nothing can be written, the command still does its work.
		let _ = writeln!(stderr(), "{}", genesis::BUILDING);
		logging::init_for_errors().map_err(application)?;
	}
	let json = spec.as_json(cmd.raw).map_err(|error| {
		let error = sp_blockchain::Error::Storage(error).into();
		named(
			"there is no specification to write",
			Path::new(&cmd.chain),
			&error,
		)
	})?;
	if cmd.raw && spec.chain_type() == ChainType::Live {
		if let Some(warning) = chain_spec::raw_leftovers(&json) {
			// If nothing can be written, the node still says it when it starts.
			let _ = writeln!(stderr(), "warning: {warning}");
		}
	}
	let Some(path) = &cmd.output else {
		return output::print(json);
	};
	let write = || match NewFile::for_path(path)? {
		Some(new) => {
			fs::write(new.path(), &json)?;
			new.keep()
		}
		None => fs::write(path, &json),
	};
	write().map_err(|error| {
		let error: sc_cli::Error = error.into();
		named("the chain specification cannot be written", path, &error)
	})?;
	output::print(format!("Exported chain spec to {}\n", path.display()))
}

/// Deletes a database, if there is one and that is wanted.
fn purge(cmd: &PurgeChainCmd, database: &DatabaseSource) -> sc_cli::Result<()> {
	database::check_unused(database).map_err(application)?;
	let Some(folder) = database.path().and_then(Path::parent) else {
		return Ok(());
	};
	if matches!(folder.try_exists(), Ok(false)) {
		// If nothing can be written, the exit code says it, too.
		let _ = writeln!(
			stderr(),
			"there is no database in {}, so nothing is deleted",
			folder.display()
		);
		return Ok(());
	}
	if !cmd.yes {
		database::confirm_purge(folder)?;
	}
	let shown = folder.display().to_string();
	let reports = Reports::start(move |since| {
		log::info!("deleting {shown}, for {} s", since.as_secs());
	});
	database::delete(database).map_err(application)?;
	drop(reports);
	output::print(format!("{folder:?} removed.\n"))
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_dash_is_a_standard_stream() {
		let file = |args: &[&str]| {
			let args = ["isthmus-node"].iter().chain(args).map(OsString::from);
			let mut command = arguments::parse(args).unwrap().subcommand.unwrap();
			use_standard_streams(&mut command);
			match command {
				Command::ExportChainSpec(cmd) => cmd.output,
				Command::ExportBlocks(cmd) => cmd.output,
				Command::ImportBlocks(cmd) => cmd.input,
				Command::Key(mut cmd) => cmd.file_mut().unwrap().clone(),
				other => panic!("{other:?}"),
			}
		};
		for args in [
			&["export-blocks"][..],
			&["import-blocks"],
			&["key", "generate-node-key", "--file"],
			&["key", "inspect-node-key", "--file"],
			&["export-chain-spec", "--chain", "dev", "--output"],
		] {
			let named = |name| file(&[args, &[name]].concat());
			assert_eq!(named("-"), None);
			assert_eq!(named("./-").as_deref(), Some(Path::new("./-")));
			assert_eq!(named("blocks").as_deref(), Some(Path::new("blocks")));
		}
	}
}
