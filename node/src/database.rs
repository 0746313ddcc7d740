// SPDX-License-Identifier: Apache-2.0
//! Checks a chain's database before a command touches it: no other node may be using it, and it must belong
//! to the chain of the specification.

use crate::client::FullBackend;
use isthmus_primitives::{Block, Hash};
use polkadot_sdk::*;
use sc_client_api::{Backend, BlockImportOperation};
use sc_service::{construct_genesis_block, DatabaseSource};
use sp_blockchain::HeaderBackend;
use sp_runtime::{traits::Block as _, Storage};
use std::{
	fs::{self, File, TryLockError},
	io::{self, Write},
	path::{Path, PathBuf},
};

/// The file in a database's folder that a running node has locked.
const LOCK: &str = "lock";

/// The file in a database's folder that says how it was made.
const METADATA: &str = "metadata";

/// The digits of the number with which the database's keys are mixed, in the file of metadata.
const SALT_DIGITS: usize = 64;

/// The free space, in bytes, without which no database is opened: to open one, and to finish what was written before, takes less.
const LEAST_SPACE: u64 = 32 << 20;

/// Why a command leaves a database alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
	/// A running node has locked the database.
	#[error(
		"the database at {} is in use by a running node: stop that node, or give another `--base-path`",
		.0.display()
	)]
	InUse(PathBuf),
	/// The database's lock cannot be examined.
	#[error(
		"the database at {} cannot be opened: {error}. Give a folder that this user may write to with `--base-path`",
		.path.display()
	)]
	Unusable {
		/// The database's folder.
		path: PathBuf,
		/// The operating system's error.
		error: io::Error,
	},
	/// A file is damaged on which the database's library would panic.
	#[error(
		"the database at {} is damaged: its file `metadata` is cut off or changed. Restore the file from a backup; or \
		 delete the database with `purge-chain`, which leaves the keys, and sync again",
		.0.display()
	)]
	Damaged(PathBuf),
	/// The disk is full. The database maps its files into memory, and a system that has no room for what is written to such
	/// memory ends the process.
	#[error("{}", full(.path, .free, .needed))]
	Full {
		/// The database's folder.
		path: PathBuf,
		/// The free space, in bytes.
		free: u64,
		/// The space that has to be free, in bytes.
		needed: u64,
	},
	/// There is no database.
	#[error("there is no database at {}: check `--chain` and `--base-path`", .0.display())]
	Missing(PathBuf),
	/// The database contains another chain.
	#[error(
		"the database at {} belongs to another chain: its genesis block is {found:?}, and that of the specification \
		 is {expected:?}. Give the specification that the database was made with, or another `--base-path`; or \
		 delete the database with `purge-chain` and sync the new chain",
		.path.display()
	)]
	OtherChain {
		/// The database's folder.
		path: PathBuf,
		/// The hash of the database's genesis block.
		found: Hash,
		/// The hash of the specification's genesis block.
		expected: Hash,
	},
}

/// Says that a disk is full.
fn full(path: &Path, free: &u64, needed: &u64) -> String {
	let option = match *needed > LEAST_SPACE {
		true => ". `--db-storage-threshold` says how many MiB have to be free",
		false => "",
	};
	format!(
		"the disk of the database at {} has {} MiB of free space, and the node needs {} MiB to open it: make room, or give a \
		 `--base-path` on another disk{option}",
		path.display(),
		free >> 20,
		needed >> 20
	)
}

/// Checks that no running node uses this database.
///
/// # Errors
///
/// Returns an error if the lock is taken, or if it cannot be examined.
pub(crate) fn check_unused(database: &DatabaseSource) -> Result<(), DatabaseError> {
	let Some(path) = database.path() else {
		return Ok(());
	};
	match File::open(path.join(LOCK)) {
		Ok(lock) => check_lock(path, &lock),
		Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
		Err(error) => Err(unusable(path, error)),
	}
}

/// Checks that there is a database to read, and that no running node uses it.
///
/// # Errors
///
/// Returns an error if there is none, if the lock is taken, if it cannot be examined, if it is damaged, or if the disk is full.
pub(crate) fn check_present(database: &DatabaseSource) -> Result<(), DatabaseError> {
	match database.path() {
		// To open it would create it.
		Some(path) if !path.exists() => Err(DatabaseError::Missing(path.into())),
		Some(path) => {
			check_unused(database)?;
			check_metadata(path)?;
			check_space(database, 0)
		}
		None => Ok(()),
	}
}

/// Checks that the database's disk has as much free space as is wanted, in MiB, and no less than it takes to open a database.
/// A file system that does not say how large it is passes.
///
/// # Errors
///
/// Returns [`DatabaseError::Full`] if it has less.
pub(crate) fn check_space(database: &DatabaseSource, wanted: u64) -> Result<(), DatabaseError> {
	let Some(path) = database.path() else {
		return Ok(());
	};
	// The last one of a relative path is empty.
	let mut folders = path.ancestors().chain([Path::new(".")]);
	let Some(system) = folders.find_map(|folder| rustix::fs::statvfs(folder).ok()) else {
		return Ok(());
	};
	let free = system.f_bavail.saturating_mul(system.f_frsize);
	let needed = (wanted << 20).max(LEAST_SPACE);
	match system.f_blocks > 0 && free < needed {
		true => Err(DatabaseError::Full {
			path: path.into(),
			free,
			needed,
		}),
		false => Ok(()),
	}
}

/// Checks that this process can write a database here, and that no running node uses it. Creates its folder
/// if there is none.
///
/// # Errors
///
/// Returns an error if the disk is full, if the folder cannot be created or written to, if the lock is taken, or if a database there is damaged.
pub(crate) fn check_writable(database: &DatabaseSource) -> Result<(), DatabaseError> {
	let Some(path) = database.path() else {
		return Ok(());
	};
	check_space(database, 0)?;
	let lock = fs::create_dir_all(path).and_then(|()| {
		let mut options = File::options();
		options.create(true).truncate(false).write(true);
		options.open(path.join(LOCK))
	});
	check_lock(path, &lock.map_err(|error| unusable(path, error))?)?;
	check_metadata(path)
}

/// Checks the part of a database's metadata on which its library panics: the salt's length. The library has errors for the
/// rest, and for a file that cannot be read.
fn check_metadata(path: &Path) -> Result<(), DatabaseError> {
	let text = fs::read_to_string(path.join(METADATA)).unwrap_or_default();
	let salts = text.lines().filter_map(|line| line.strip_prefix("salt="));
	let mut lengths = salts.map(|salt| salt.split('=').next().unwrap_or_default().len());
	match lengths.all(|length| length == SALT_DIGITS) {
		true => Ok(()),
		false => Err(DatabaseError::Damaged(path.into())),
	}
}

/// Returns the folder that `purge-chain` would delete, if there is none: then there is nothing to ask.
pub(crate) fn nothing_to_purge(database: &DatabaseSource) -> Option<&Path> {
	let folder = database.path()?.parent()?;
	matches!(folder.try_exists(), Ok(false)).then_some(folder)
}

/// Asks on the terminal whether to delete a database.
///
/// # Errors
///
/// Returns an error unless the answer begins with `y`.
pub(crate) fn confirm_purge(database: &DatabaseSource) -> Result<(), sc_cli::Error> {
	let folder = database.path().and_then(Path::parent);
	print!(
		"Delete the database in {}? [y/N]: ",
		folder.unwrap_or(Path::new("memory")).display()
	);
	io::stdout().flush()?;
	let mut answer = String::new();
	io::stdin().read_line(&mut answer)?;
	if answer.trim_start().starts_with(['y', 'Y']) {
		return Ok(());
	}
	if answer.is_empty() {
		// The error begins on a line of its own.
		println!();
	}
	Err(sc_cli::Error::Input(
		"nothing is deleted: answer `y`, or give `-y` where no terminal can ask".into(),
	))
}

/// Checks that no other process has locked the file, and releases the lock at once.
fn check_lock(path: &Path, lock: &File) -> Result<(), DatabaseError> {
	match lock.try_lock() {
		Ok(()) => lock.unlock().map_err(|error| unusable(path, error)),
		Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse(path.into())),
		Err(TryLockError::Error(error)) => Err(unusable(path, error)),
	}
}

fn unusable(path: &Path, error: io::Error) -> DatabaseError {
	DatabaseError::Unusable {
		path: path.into(),
		error,
	}
}

/// Checks that a database is empty or has the genesis block that a specification describes. Substrate would
/// use the database's and ignore the specification.
///
/// # Errors
///
/// Returns [`DatabaseError::OtherChain`] if it has another one, in the error of the database.
pub(crate) fn check_genesis(
	backend: &FullBackend,
	database: &DatabaseSource,
	genesis: Storage,
) -> sp_blockchain::Result<()> {
	let Some(found) = backend.blockchain().hash(0)? else {
		return Ok(());
	};
	let version = isthmus_runtime::VERSION.state_version();
	let root = backend
		.begin_operation()?
		.set_genesis_state(genesis, false, version)?;
	let expected = construct_genesis_block::<Block>(root, version).hash();
	if expected == found {
		return Ok(());
	}
	let error = DatabaseError::OtherChain {
		path: database.path().map(Into::into).unwrap_or_default(),
		found,
		expected,
	};
	Err(sp_blockchain::Error::Application(Box::new(error)))
}
