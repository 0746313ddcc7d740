// SPDX-License-Identifier: Apache-2.0
//! Starts the threads that run a command. What the system does not let the program have, files or threads, is an error
//! here: later it would be a panic, or look like a node that does not answer.

use crate::error::{os, Error};
use std::{
	io,
	sync::{Arc, Mutex},
	thread,
	time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// The threads that run tasks.
const WORKERS: usize = 2;
/// The threads that look names up and read files.
const WAITERS: usize = 4;
/// The threads that a command has from the start on.
const THREADS: usize = WORKERS + WAITERS;
/// How long a thread that has nothing to do is kept: until the command ends.
const ALWAYS: Duration = Duration::from_secs(1 << 32);
/// The files and sockets that a command may have open besides the standard streams.
const FILES: usize = 24;
/// The hint if the system starts too few threads. It says the same if there is no memory for their stacks.
const FEW_THREADS: &str = "raise the limits of this user's threads and memory: ulimit -u, ulimit -v; in a container, those of \
	its processes and memory: --pids-limit, --memory";

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
		Error::failed(format!("cannot start {THREADS} threads: {}", os(error))).hint(FEW_THREADS)
	};
	can_start(THREADS).map_err(|error| threads(&error))?;
	let started = Builder::new_multi_thread()
		.worker_threads(WORKERS)
		.thread_keep_alive(ALWAYS)
		.enable_all()
		.build();
	let runtime = started.map_err(|error| threads(&error))?;
	keep_waiters(&runtime);
	Ok(runtime)
}

/// Starts the threads that wait for names and files. Later the system may not start one, and without any thread for a task
/// the runtime panics.
fn keep_waiters(runtime: &Runtime) {
	let gate = Arc::new(Mutex::new(()));
	// As long as it is closed, each task needs a thread of its own.
	let closed = gate.lock();
	for _ in 0..WAITERS {
		let gate = Arc::clone(&gate);
		runtime.spawn_blocking(move || drop(gate.lock()));
	}
	drop(closed);
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
