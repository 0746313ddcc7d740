// SPDX-License-Identifier: Apache-2.0
//! Checks the arguments of `export-blocks` and `import-blocks` before the chain is opened, which takes seconds, and names
//! the file when the framework's commands fail.

use crate::{database, explain::named};
use isthmus_primitives::{Block, BlockNumber};
use polkadot_sdk::*;
use sc_cli::{Error, ExportBlocksCmd, GenericNumber, ImportBlocksCmd};
use sc_service::Configuration;
use sp_blockchain::HeaderBackend;
use std::{
	fs::{self, File},
	io,
	path::Path,
};

/// Why no blocks are exported or imported.
#[derive(Debug, thiserror::Error)]
enum BlocksError {
	/// The output cannot be written.
	#[error(
		"the blocks cannot be written to {path}: {error}. Name a file in a folder that exists"
	)]
	Output {
		/// The file.
		path: String,
		/// The system's error.
		error: io::Error,
	},
	/// The input cannot be read.
	#[error(
		"the blocks cannot be read from {path}: {error}. Name a file that `export-blocks` wrote"
	)]
	Input {
		/// The file.
		path: String,
		/// The system's error.
		error: io::Error,
	},
	/// The number is too large for any block.
	#[error("`{0}` needs the number of a block, from 0 to {max}", max = BlockNumber::MAX)]
	Number(&'static str),
	/// There is nothing to export.
	#[error(
		"the database has no blocks but the genesis block, which every node has. Check `--chain` and `--base-path`"
	)]
	Empty,
	/// The range is not in the chain.
	#[error("there are no blocks from `--from {from}` to `--to {to}`: the best block is {best}")]
	Range {
		/// The first block.
		from: BlockNumber,
		/// The last block.
		to: BlockNumber,
		/// The best block.
		best: BlockNumber,
	},
}

impl From<BlocksError> for Error {
	fn from(error: BlocksError) -> Self {
		Self::Application(Box::new(error))
	}
}

/// Checks that the output can be written, and that the chain has the blocks.
///
/// # Errors
///
/// Returns an error that names what is wrong.
pub(crate) fn check_export(cmd: &ExportBlocksCmd, config: &Configuration) -> Result<(), Error> {
	if let Some(path) = &cmd.output {
		check_output(path).map_err(|error| BlocksError::Output {
			path: path.display().to_string(),
			error,
		})?;
	}
	number("--from", cmd.from.as_ref())?;
	number("--to", cmd.to.as_ref())?;
	database::check_present(&config.database)
		.map_err(|error| Error::Application(Box::new(error)))?;
	match best_block(config)? {
		// It may be the database of another chain, which its opening finds out.
		0 => Ok(()),
		best => check_range(cmd, best),
	}
}

/// Checks that the chain has the blocks to export.
///
/// # Errors
///
/// Returns an error that names the best block.
pub(crate) fn check_range(cmd: &ExportBlocksCmd, best: BlockNumber) -> Result<(), Error> {
	if best == 0 {
		return Err(BlocksError::Empty.into());
	}
	let from = number("--from", cmd.from.as_ref())?.unwrap_or(1);
	let to = number("--to", cmd.to.as_ref())?.unwrap_or(best);
	if from > to || to > best {
		return Err(BlocksError::Range { from, to, best }.into());
	}
	Ok(())
}

/// Checks that a file can be created or replaced here. It is neither, so that a command that fails leaves it alone.
fn check_output(path: &Path) -> io::Result<()> {
	match fs::metadata(path) {
		Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
		// Opening a pipe would wait for its reader.
		Ok(found) if found.is_file() => File::options().write(true).open(path).map(drop),
		Ok(_) => Ok(()),
		Err(error) if error.kind() == io::ErrorKind::NotFound => {
			let folder = path
				.parent()
				.filter(|folder| !folder.as_os_str().is_empty());
			match fs::metadata(folder.unwrap_or(Path::new(".")))? {
				folder if folder.is_dir() => Ok(()),
				_ => Err(io::ErrorKind::NotADirectory.into()),
			}
		}
		Err(error) => Err(error),
	}
}

fn number(
	option: &'static str,
	given: Option<&GenericNumber>,
) -> Result<Option<BlockNumber>, BlocksError> {
	let number = given.map(GenericNumber::parse).transpose();
	number.map_err(|_| BlocksError::Number(option))
}

/// Returns the number of the best block in the database.
fn best_block(config: &Configuration) -> Result<BlockNumber, Error> {
	let backend = sc_service::new_db_backend::<Block>(config.db_config())?;
	Ok(sc_client_api::Backend::blockchain(&*backend)
		.info()
		.best_number)
}

/// Checks that the input can be read.
///
/// # Errors
///
/// Returns an error that names the file.
pub(crate) fn check_import(cmd: &ImportBlocksCmd) -> Result<(), Error> {
	let Some(path) = &cmd.input else {
		return Ok(());
	};
	let checked = fs::metadata(path).and_then(|found| {
		if found.is_dir() {
			return Err(io::ErrorKind::IsADirectory.into());
		}
		// Opening a pipe would take away what it has, or wait for its writer.
		if found.is_file() {
			File::open(path)?;
		}
		Ok(())
	});
	Ok(checked.map_err(|error| BlocksError::Input {
		path: path.display().to_string(),
		error,
	})?)
}

/// Names the output of an export that failed.
pub(crate) fn export_failed(cmd: &ExportBlocksCmd, error: &Error) -> Error {
	let to = cmd.output.as_deref().unwrap_or(Path::new("stdout"));
	named("the blocks cannot be written", to, error)
}

/// Names the input of an import that failed.
pub(crate) fn import_failed(cmd: &ImportBlocksCmd, error: &Error) -> Error {
	let from = cmd.input.as_deref().unwrap_or(Path::new("stdin"));
	named("the blocks cannot be imported", from, error)
}
