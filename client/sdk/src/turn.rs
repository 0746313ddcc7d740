// SPDX-License-Identifier: Apache-2.0
//! A lock that makes programs on the same machine take turns when they send transactions for the same
//! account.
//!
//! A transaction carries its account's next nonce. Two programs that ask the node at the same moment get the
//! same nonce, and one of their transactions then replaces the other or is rejected. Therefore a program
//! holds a lock on an empty file while it asks for the nonce and submits: `isthmus-ADDRESS.lock` in
//! `$XDG_RUNTIME_DIR`, or in the folder for temporary files if that variable is not set. The operating system
//! releases the lock when the program ends, however it ends.
//!
//! The lock is best effort: without a writable folder, or when another program holds it for more than
//! [`LONGEST_WAIT`], the transaction is sent anyway. Programs on different machines are not coordinated.

use crate::types::AccountId;
use std::{
	fs::{File, TryLockError},
	path::PathBuf,
	time::{Duration, Instant},
};

/// How long to wait for another program to send its transaction.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// The time between attempts to take the lock.
const RETRY: Duration = Duration::from_millis(20);

/// The right to send an account's next transaction, until it is dropped.
pub(crate) struct Turn {
	_lock: Option<File>,
}

impl Turn {
	/// Waits for the account's lock. Returns without the lock if it cannot be taken.
	pub(crate) async fn wait(account: &AccountId) -> Self {
		let Some(file) = open(account) else {
			return Self { _lock: None };
		};
		let end = Instant::now() + LONGEST_WAIT;
		loop {
			match file.try_lock() {
				Ok(()) => return Self { _lock: Some(file) },
				Err(TryLockError::WouldBlock) if Instant::now() < end => {
					tokio::time::sleep(RETRY).await;
				}
				Err(_) => return Self { _lock: None },
			}
		}
	}
}

/// Opens the account's lock file, and creates it if it does not exist.
fn open(account: &AccountId) -> Option<File> {
	let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
	let mut options = File::options();
	options.create(true).append(true);
	// Other users must not be able to hold the lock.
	#[cfg(unix)]
	std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
	options
		.open(folder.join(format!("isthmus-{account}.lock")))
		.ok()
}
