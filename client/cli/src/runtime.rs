// SPDX-License-Identifier: Apache-2.0
//! Starts the threads that run a command. What the system does not let the program have, files or threads, is an error
//! here: later it would be a panic, or look like a node that does not answer.

use crate::error::{os, Error};
use std::{
	io,
	sync::{Arc, Mutex},
	thread,
};
use tokio::runtime::{Builder, Runtime};

/// The threads that run tasks.
const WORKERS: usize = 2;
/// The threads that a command may have: the workers, and those that look names up and read files.
const THREADS: usize = WORKERS + 4;
/// The files and sockets that a command may have open besides the standard streams.
const FILES: usize = 24;

/// Starts the threads.
///
/// # Errors
///
/// Returns an error if the system does not let this program have the files or the threads that a command needs.
pub(crate) fn start() -> Result<Runtime, Error> {
	can_open(FILES).map_err(|error| {
		Error::failed(format!("cannot open {FILES} files: {}", os(&error)))
			.hint("raise the limit: ulimit -n 1024")
	})?;
	// A file that may not grow (`ulimit -f`) is then an error of who writes to it, as a full disk is. By default, this signal
	// would end the program, also between a transaction and its report.
	#[cfg(unix)]
	signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())
		.map_err(Error::failed)?;
	let threads = |error: &io::Error| {
		Error::failed(format!("cannot start {THREADS} threads: {}", os(error)))
			.hint("raise the limit of this user's processes and threads: ulimit -u")
	};
	can_start(THREADS).map_err(|error| threads(&error))?;
	let started = Builder::new_multi_thread()
		.worker_threads(WORKERS)
		.enable_all()
		.build();
	started.map_err(|error| threads(&error))
}

/// Opens a number of files at the same time, and closes them.
#[cfg(unix)]
fn can_open(count: usize) -> io::Result<()> {
	use std::os::fd::AsFd;
	let stderr = io::stderr();
	let files = (0..count).map(|_| stderr.as_fd().try_clone_to_owned());
	files.collect::<io::Result<Vec<_>>>().map(drop)
}

#[cfg(not(unix))]
fn can_open(_: usize) -> io::Result<()> {
	Ok(())
}

/// Starts a number of threads at the same time, and waits for their end.
fn can_start(count: usize) -> io::Result<()> {
	let gate = Arc::new(Mutex::new(()));
	let closed = gate.lock();
	let start = || {
		let gate = Arc::clone(&gate);
		thread::Builder::new().spawn(move || drop(gate.lock()))
	};
	let mut threads = Vec::new();
	let started = (0..count).try_for_each(|_| start().map(|thread| threads.push(thread)));
	drop(closed);
	for thread in threads {
		// A thread that only waits does not panic.
		let _ = thread.join();
	}
	started
}
