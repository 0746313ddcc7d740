// SPDX-License-Identifier: Apache-2.0
//! Checks a chain's database before a command touches it: no other node may be using it, and it must belong
//! to the chain of the specification.

use crate::client::FullBackend;
use isthmus_primitives::{Block, Hash};
use polkadot_sdk::*;
use rustix::{
	fs::{access, Access},
	io::Errno,
};
use sc_client_api::{Backend, BlockImportOperation};
use sc_service::{construct_genesis_block, DatabaseSource};
use sp_blockchain::HeaderBackend;
use sp_runtime::{traits::Block as _, Storage};
use std::{
	fs::{self, File, TryLockError},
	io::{self, ErrorKind, Write},
	os::unix::fs::MetadataExt,
	path::{Path, PathBuf},
};

/// The file in a database's folder that a running node has locked.
const LOCK: &str = "lock";

/// The file in a database's folder that says how it was made.
const METADATA: &str = "metadata";

/// How the names of a database's other files begin: without the file of metadata they cannot be read.
const TABLES: [&str; 3] = ["index_", "table_", "log"];

/// The digits of the number with which the database's keys are mixed, in the file of metadata.
const SALT_DIGITS: usize = 64;

/// The free space, in bytes, without which no database is opened: to open one, and to finish what was written before, takes less.
const LEAST_SPACE: u64 = 32 << 20;

/// Why a command leaves a database alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
	/// A running node has locked the database.
	#[error(
		"the database at {} is in use by a running node: stop that node, ask it over its RPC, or give another `--base-path`",
		.0.display()
	)]
	InUse(PathBuf),
	/// The system does not let this process use the database, which may be in the best order.
	#[error("the database at {} cannot be opened: {}", .path.display(), refused(.file, .error))]
	Unusable {
		/// The database's folder.
		path: PathBuf,
		/// The file or folder that the system refuses.
		file: PathBuf,
		/// The operating system's error.
		error: io::Error,
	},
	/// The database cannot be deleted.
	#[error(
		"the database in {} cannot be deleted: {error}. {}", .folder.display(), not_deleted(*.is_begun)
	)]
	NotDeleted {
		/// The folder that was to be deleted.
		folder: PathBuf,
		/// Whether a part of it was deleted.
		is_begun: bool,
		/// The operating system's error.
		error: io::Error,
	},
	/// A file is damaged on which the database's library would panic, or which it would replace.
	#[error(
		"the database at {} is damaged, or a part of it was deleted: its file `metadata` is missing, cut off or changed. \
		 Restore the file from a backup; or delete the database with `purge-chain`, which leaves the keys, and sync again",
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
	/// The disk of a database that is being written is almost full.
	#[error("{}", filled(.path, *.free, *.needed))]
	Filled {
		/// The database's folder.
		path: PathBuf,
		/// The free space, in bytes.
		free: u64,
		/// The space that has to stay free, in bytes.
		needed: u64,
	},
	/// There is no database.
	#[error("there is no database at {}: check `--chain` and `--base-path`", .0.display())]
	Missing(PathBuf),
	/// The database contains another chain.
	#[error(
		"the database at {} belongs to another chain: its genesis block is {found:?}, and that of the specification \
		 is {expected:?}. Give the specification that the database was made with, or another `--base-path`. Only if the \
		 other chain is not needed any more, delete its database with `purge-chain`, and sync the new chain",
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

/// Says why the system refuses a file of a database, and what to do. None of these errors means that the database is damaged.
fn refused(file: &Path, error: &io::Error) -> String {
	let name = file.display();
	match error.kind() {
		ErrorKind::ReadOnlyFilesystem => format!(
			"{error}. Also a command that only reads opens the database for writing: mount the disk for that, or copy the base \
			 path to another disk, and give the copy with `--base-path`"
		),
		ErrorKind::PermissionDenied => {
			let user = rustix::process::geteuid().as_raw();
			// Who may not look into a folder, or make a file there, learns whose the folder is.
			let mut there = file.ancestors();
			let found = there.find_map(|found| Some((found, fs::metadata(found).ok()?.uid())));
			let (found, owner) = found.unwrap_or((file, user));
			let name = found.display();
			match owner == user {
				true => format!(
					"{error} for {name}. Let this user read and write it (`chmod u+rw`), or give a folder that this user may \
					 write to with `--base-path`"
				),
				false => format!(
					"{error} for {name}, which belongs to user {owner}, and this is user {user}. Run the command as the user \
					 whose node this is, or give the base path to this one (`chown -R`); or give a folder that this user may \
					 write to with `--base-path`"
				),
			}
		}
		ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::NotFound => format!(
			"{error}. Give a folder that this user may write to with `--base-path`; a link in it has to lead to one"
		),
		_ => match Errno::from_io_error(error) {
			// `explain` says which limit to raise.
			Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => error.to_string(),
			Some(Errno::NOLCK | Errno::BADF | Errno::OPNOTSUPP) => format!(
				"{error} for {name}. Its file system cannot lock files, as a database needs it: give a folder on a local disk \
				 with `--base-path`"
			),
			_ => format!("{error} for {name}. {KEPT}"),
		},
	}
}

/// What an error of the system's asks for that says nothing about the database.
pub(crate) const KEPT: &str = "This is an error of the system or the disk, and says nothing against the database: keep it, look \
	at the disk and the system's log (`dmesg`), and try again";

fn not_deleted(is_begun: bool) -> &'static str {
	match is_begun {
		true => "A part of it is deleted, and the rest is of no use any more: mend this, and run `purge-chain` again",
		false => "Nothing of it is deleted. Run the command as the user who may write to that folder, on a disk that is mounted \
			for writing",
	}
}

/// Says that a disk is full.
fn full(path: &Path, free: &u64, needed: &u64) -> String {
	format!(
		"the disk of the database at {} has {} MiB of free space, and the node needs {} MiB to open it: make room, or give a \
		 `--base-path` on another disk{}",
		path.display(),
		free >> 20,
		needed >> 20,
		by_option(*needed)
	)
}

/// Says that a disk has filled up.
fn filled(path: &Path, free: u64, needed: u64) -> String {
	format!(
		"the disk of the database at {} is full: it has {} MiB of free space, and below {} MiB no more is written, so that the \
		 database stays whole: make room, and run the command again{}",
		path.display(),
		free >> 20,
		needed >> 20,
		by_option(needed)
	)
}

/// Names the option that says how much space is needed, if it does.
fn by_option(needed: u64) -> &'static str {
	match needed > LEAST_SPACE {
		true => ". `--db-storage-threshold` says how many MiB have to be free",
		false => "",
	}
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
	let file = path.join(LOCK);
	// Some file systems lock only what is open for writing, and some let no one write.
	let lock = File::options().read(true).write(true).open(&file);
	match lock.or_else(|_| File::open(&file)) {
		Ok(lock) => check_lock(path, &lock),
		Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
		Err(error) => Err(unusable(path, &file, error)),
	}
}

/// Checks that there is a database to read, and that no running node uses it.
///
/// # Errors
///
/// Returns an error if there is none, if the lock is taken, if the files may not be read and written, if the database is damaged,
/// or if the disk is full.
pub(crate) fn check_present(database: &DatabaseSource) -> Result<(), DatabaseError> {
	let Some(path) = database.path() else {
		return Ok(());
	};
	// To open it would create it. A node that did not start has left the lock alone.
	let is_there = fs::read_dir(path)
		.map(|mut files| files.any(|file| !matches!(file, Ok(file) if file.file_name() == LOCK)));
	match is_there {
		Ok(true) => {}
		Ok(false) => return Err(DatabaseError::Missing(path.into())),
		Err(error) if error.kind() == ErrorKind::NotFound => {
			return Err(DatabaseError::Missing(path.into()))
		}
		Err(error) => return Err(unusable(path, path, error)),
	}
	check_unused(database)?;
	check_access(path)?;
	check_metadata(path)?;
	check_space(database, 0)
}

/// Checks that this process may read and write a database's folder and each file in it. The database's library opens all of
/// them for both, and would not say which one the system refused.
fn check_access(path: &Path) -> Result<(), DatabaseError> {
	let check = |file: &Path, how| {
		let allowed = access(file, how);
		allowed.map_err(|error| unusable(path, file, error.into()))
	};
	let whole = Access::READ_OK | Access::WRITE_OK;
	check(path, whole | Access::EXEC_OK)?;
	for file in fs::read_dir(path).map_err(|error| unusable(path, path, error))? {
		let file = file.map_err(|error| unusable(path, path, error))?.path();
		// A disk that is mounted here has a folder `lost+found` of its own.
		if !file.is_dir() {
			check(&file, whole)?;
		}
	}
	Ok(())
}

/// Checks that the database's disk has as much free space as is wanted, in MiB, and no less than it takes to open a database.
/// A file system that does not say how large it is passes.
///
/// # Errors
///
/// Returns [`DatabaseError::Full`] if it has less.
pub(crate) fn check_space(database: &DatabaseSource, wanted: u64) -> Result<(), DatabaseError> {
	match lacks_space(database, wanted) {
		Some((path, free, needed)) => Err(DatabaseError::Full { path, free, needed }),
		None => Ok(()),
	}
}

/// Does the same as [`check_space`] for a database that is open.
///
/// # Errors
///
/// Returns [`DatabaseError::Filled`].
pub(crate) fn check_space_left(
	database: &DatabaseSource,
	wanted: u64,
) -> Result<(), DatabaseError> {
	match lacks_space(database, wanted) {
		Some((path, free, needed)) => Err(DatabaseError::Filled { path, free, needed }),
		None => Ok(()),
	}
}

/// Returns the folder of a database whose disk has too little free space, that space, and how much is needed, in bytes.
fn lacks_space(database: &DatabaseSource, wanted: u64) -> Option<(PathBuf, u64, u64)> {
	let path = database.path()?;
	// The last one of a relative path is empty.
	let mut folders = path.ancestors().chain([Path::new(".")]);
	let system = folders.find_map(|folder| rustix::fs::statvfs(folder).ok())?;
	let free = system.f_bavail.saturating_mul(system.f_frsize);
	let needed = wanted.saturating_mul(1 << 20).max(LEAST_SPACE);
	(system.f_blocks > 0 && free < needed).then(|| (path.into(), free, needed))
}

/// Returns whether a file system does not say how large it is, as one in memory (ramfs): it seems to be full all the time.
pub(crate) fn has_no_length(folder: &Path) -> bool {
	rustix::fs::statvfs(folder).is_ok_and(|system| system.f_blocks == 0)
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
	fs::create_dir_all(path).map_err(|error| unusable(path, path, error))?;
	let file = path.join(LOCK);
	let mut options = File::options();
	options.create(true).truncate(false).write(true);
	let lock = options.open(&file);
	check_lock(path, &lock.map_err(|error| unusable(path, &file, error))?)?;
	// A running node removes files.
	check_access(path)?;
	check_metadata(path)
}

/// Checks the part of a database's metadata on which its library panics: the salt's length. Without the file, the library would
/// write a new one, with which it finds nothing in the other files. It has errors for the rest.
fn check_metadata(path: &Path) -> Result<(), DatabaseError> {
	let is_sound = match fs::read(path.join(METADATA)) {
		Ok(text) => {
			let text = String::from_utf8_lossy(&text);
			let salts = text.lines().filter_map(|line| line.strip_prefix("salt="));
			let mut lengths = salts.map(|salt| salt.split('=').next().unwrap_or_default().len());
			lengths.all(|length| length == SALT_DIGITS)
		}
		Err(error) if error.kind() == ErrorKind::NotFound => !has_tables(path),
		Err(error) => return Err(unusable(path, &path.join(METADATA), error)),
	};
	match is_sound {
		true => Ok(()),
		false => Err(DatabaseError::Damaged(path.into())),
	}
}

/// Returns whether a folder has files of a database that need its metadata.
fn has_tables(path: &Path) -> bool {
	let files = fs::read_dir(path).into_iter().flatten().flatten();
	let mut names = files.map(|file| file.file_name());
	names.any(|name| {
		let name = name.to_string_lossy();
		TABLES.iter().any(|start| name.starts_with(start))
	})
}

/// Deletes a database. Where its folder is a link to another disk, or a disk is mounted there, the folder stays, empty. Whenever
/// this ends, what is left is not taken for a database.
///
/// # Errors
///
/// Returns [`DatabaseError::NotDeleted`].
pub(crate) fn delete(database: &DatabaseSource) -> Result<(), DatabaseError> {
	let Some((path, folder)) = database
		.path()
		.and_then(|path| Some((path, path.parent()?)))
	else {
		return Ok(());
	};
	let failed = |is_begun| {
		move |error| DatabaseError::NotDeleted {
			folder: folder.into(),
			is_begun,
			error,
		}
	};
	// Without this file, the others are refused.
	match fs::remove_file(path.join(METADATA)) {
		Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(false)(error)),
		_ => {}
	}
	delete_folder(path).map_err(failed(true))?;
	if !path.is_symlink() {
		// The database is gone. What cannot be deleted beside it is not of it, such as the folder `lost+found` of a mounted disk.
		let _ = delete_folder(folder);
	}
	Ok(())
}

/// Deletes a folder with all that is in it; of a link, only what is in the folder that it leads to.
fn delete_folder(folder: &Path) -> io::Result<()> {
	if folder.is_symlink() {
		for file in fs::read_dir(folder)? {
			let file = file?;
			match file.file_type()?.is_dir() {
				true => fs::remove_dir_all(file.path())?,
				false => fs::remove_file(file.path())?,
			}
		}
		return Ok(());
	}
	match fs::remove_dir_all(folder) {
		// The last is a folder where a disk is mounted.
		Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ResourceBusy) => {
			Ok(())
		}
		done => done,
	}
}

/// Asks on the terminal whether to delete a database.
///
/// # Errors
///
/// Returns an error unless the answer begins with `y`.
pub(crate) fn confirm_purge(folder: &Path) -> Result<(), sc_cli::Error> {
	print!("Delete the database in {}? [y/N]: ", folder.display());
	let asked = io::stdout().flush();
	asked.map_err(|error| sc_cli::Error::Input(format!("failed printing to stdout: {error}")))?;
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
	let failed = |error| unusable(path, &path.join(LOCK), error);
	match lock.try_lock() {
		Ok(()) => lock.unlock().map_err(failed),
		Err(TryLockError::WouldBlock) => Err(DatabaseError::InUse(path.into())),
		Err(TryLockError::Error(error)) => Err(failed(error)),
	}
}

fn unusable(path: &Path, file: &Path, error: io::Error) -> DatabaseError {
	DatabaseError::Unusable {
		path: path.into(),
		file: file.into(),
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

#[cfg(test)]
mod tests {
	use super::*;
	use std::os::unix::fs::{symlink, PermissionsExt};

	/// Makes what looks like a database, and returns its folder and its source.
	fn database(base: &Path) -> (PathBuf, DatabaseSource) {
		let path = base.join("paritydb/full");
		fs::create_dir_all(&path).unwrap();
		fs::write(path.join(METADATA), format!("salt={:064}\n", 0)).unwrap();
		for file in ["lock", "table_00_1"] {
			fs::write(path.join(file), "").unwrap();
		}
		let source = DatabaseSource::ParityDb { path: path.clone() };
		(path, source)
	}

	#[test]
	fn a_folder_without_a_database_is_not_read() {
		let base = tempfile::tempdir().unwrap();
		let (path, source) = database(base.path());
		assert!(check_present(&source).is_ok());
		fs::remove_file(path.join(METADATA)).unwrap();
		for refused in [check_present(&source), check_writable(&source)] {
			assert!(
				matches!(refused, Err(DatabaseError::Damaged(_))),
				"{refused:?}"
			);
		}
		fs::remove_dir_all(&path).unwrap();
		assert!(matches!(
			check_present(&source),
			Err(DatabaseError::Missing(_))
		));
		fs::create_dir_all(&path).unwrap();
		// This makes the lock.
		assert!(check_writable(&source).is_ok());
		assert!(matches!(
			check_present(&source),
			Err(DatabaseError::Missing(_))
		));
		// What an interrupted deletion may leave.
		fs::write(path.join("log0"), "").unwrap();
		assert!(matches!(
			check_writable(&source),
			Err(DatabaseError::Damaged(_))
		));
	}

	#[test]
	fn a_file_that_this_user_may_not_write_is_named_and_kept() {
		let base = tempfile::tempdir().unwrap();
		let (path, source) = database(base.path());
		let table = path.join("table_00_1");
		fs::set_permissions(&table, PermissionsExt::from_mode(0o400)).unwrap();
		// Permissions do not bind root.
		let is_bound = File::options().write(true).open(&table).is_err();
		for refused in [check_present(&source), check_writable(&source)] {
			let text = refused.map_or_else(|error| error.to_string(), |()| String::new());
			assert_eq!(
				text.contains("table_00_1. Let this user read and write it"),
				is_bound,
				"{text}"
			);
			assert!(!text.contains("purge-chain"), "{text}");
		}
	}

	#[test]
	fn no_error_of_the_system_asks_for_a_database_to_be_deleted() {
		let path = Path::new("/nowhere/full");
		let errors = [
			Errno::ROFS,
			Errno::ACCESS,
			Errno::PERM,
			Errno::IO,
			Errno::NOLCK,
			Errno::MFILE,
			Errno::NOTDIR,
			Errno::STALE,
		];
		for error in errors {
			let text = unusable(path, &path.join(LOCK), error.into()).to_string();
			assert!(
				text.starts_with("the database at /nowhere/full cannot be opened: "),
				"{text}"
			);
			assert!(!text.contains("purge-chain"), "{text}");
		}
	}

	#[test]
	fn a_disk_that_fills_up_is_named_with_what_has_to_stay_free() {
		let base = tempfile::tempdir().unwrap();
		let (path, source) = database(base.path());
		assert!(check_space_left(&source, 0).is_ok() || check_space(&source, 0).is_err());
		// No disk has so much.
		let said = check_space_left(&source, u64::MAX).unwrap_err().to_string();
		let named = format!("the disk of the database at {} is full", path.display());
		assert!(said.starts_with(&named), "{said}");
		assert!(said.contains("`--db-storage-threshold`"), "{said}");
	}

	#[test]
	fn a_database_behind_a_link_is_deleted_and_the_link_stays() {
		let base = tempfile::tempdir().unwrap();
		let disk = base.path().join("disk");
		let (path, _) = database(&disk);
		let link = base.path().join("paritydb");
		symlink(disk.join("paritydb"), &link).unwrap();
		let source = DatabaseSource::ParityDb {
			path: link.join("full"),
		};
		delete(&source).unwrap();
		assert!(link.is_symlink() && !path.exists());
		assert_eq!(fs::read_dir(&link).unwrap().count(), 0);
		assert!(check_writable(&source).is_ok());

		// Without a link, and if there is nothing any more.
		let (path, source) = database(&base.path().join("plain"));
		for _ in 0..2 {
			delete(&source).unwrap();
			assert!(!path.parent().unwrap().exists());
		}
	}
}
