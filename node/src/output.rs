// SPDX-License-Identifier: Apache-2.0
//! What happens if the output of a subcommand is closed or full. The framework prints with `println!`, which
//! panics then, and leaves the last line to the end of the process, which drops what cannot be written.

use crate::explain::words;
use isthmus_streams::Stream;
use polkadot_sdk::sc_cli;
use rustix::process::{getrlimit, Resource};
use signal_hook::{
	consts::{SIGPIPE, SIGXFSZ},
	flag,
};
use std::{
	io::{self, stderr, stdout, Write},
	panic, process,
	sync::{atomic::AtomicBool, Arc, Once},
};

/// The size in bytes that files of a database may have to reach.
const LARGE_FILE: u64 = 1 << 30;
/// The error if the system does not start a thread. It says the same if there is no memory for the thread's stack.
const FEW_THREADS: &str = "the system starts no more threads for this process. Raise the limit of this user's threads: `ulimit -u` \
	(in a systemd service TasksMax, in a container `--pids-limit`); or, if it is high, that of the memory: `ulimit -v`";

/// Makes a file that may not grow any more (`ulimit -f`) an error of who writes to it, as a full disk is. By default, a
/// signal ends the process without a word.
///
/// # Errors
///
/// Returns the system's error if it cannot handle signals.
pub(crate) fn report_full_files() -> sc_cli::Result<()> {
	flag::register(SIGXFSZ, Arc::default())?;
	Ok(())
}

/// Checks that the files of a database may grow.
///
/// # Errors
///
/// Returns an error if a limit of the size of files is too small.
pub(crate) fn check_file_size() -> sc_cli::Result<()> {
	match getrlimit(Resource::Fsize).current {
		Some(limit) if limit < LARGE_FILE => Err(sc_cli::Error::Input(format!(
			"this process may write files of {limit} bytes only, and the database needs larger ones. Raise the limit: `ulimit \
			 -f unlimited`"
		))),
		_ => Ok(()),
	}
}

/// Ends this process with an error if a thread cannot be started. The framework and its libraries panic then, and the framework's
/// hook calls that a bug. It has to be called again after that hook was set.
pub(crate) fn end_without_threads() {
	static SAID: Once = Once::new();
	let other = panic::take_hook();
	panic::set_hook(Box::new(move |panic| {
		match panic.payload_as_str().is_some_and(lacks_threads) {
			// Others may fail at the same time. One says it.
			true => SAID.call_once(|| end(FEW_THREADS)),
			false => other(panic),
		}
	}));
}

/// Returns whether a panic's message says that the system did not start a thread.
fn lacks_threads(said: &str) -> bool {
	let is_about_threads = said.contains("thread") || said.contains("spawn");
	// The standard library shows an error with its fields, others with its words. (macOS has another number.)
	let is_refused = [
		"kind: WouldBlock",
		"kind: OutOfMemory",
		"Resource temporarily unavailable",
		"Cannot allocate memory",
	];
	is_about_threads && is_refused.iter().any(|refused| said.contains(refused))
}

/// Ends this process with an error. If nothing can be written, the exit code says it, too.
fn end(error: &str) -> ! {
	let _ = writeln!(stderr(), "error: {error}");
	process::exit(1)
}

/// Lets a closed pipe end this process, as in `isthmus-node export-chain-spec | head`, and a full disk with an error.
///
/// # Errors
///
/// Returns the system's error if it cannot handle signals.
pub(crate) fn end_if_unwritable() -> sc_cli::Result<()> {
	static ALWAYS: AtomicBool = AtomicBool::new(true);
	flag::register_conditional_default(SIGPIPE, &ALWAYS)?;
	let other = panic::take_hook();
	panic::set_hook(Box::new(move |panic| match panic.payload_as_str() {
		Some(failed) if failed.starts_with("failed printing to std") => end(&words(failed)),
		_ => other(panic),
	}));
	Ok(())
}

/// Checks that stdout was not closed when the program started, as by `>&-`.
///
/// # Errors
///
/// Returns an error if it was.
pub(crate) fn check_open() -> sc_cli::Result<()> {
	if Stream::Stdout.was_closed() {
		return Err(sc_cli::Error::Input(
			"stdout is closed, so nothing can be printed".into(),
		));
	}
	Ok(())
}

/// Writes to stdout.
///
/// # Errors
///
/// Returns an error that names it if it cannot be written.
pub(crate) fn print(text: impl AsRef<[u8]>) -> sc_cli::Result<()> {
	stdout().write_all(text.as_ref()).map_err(unwritable)
}

/// Writes what is left of the output.
///
/// # Errors
///
/// Returns an error if it cannot be written.
pub(crate) fn flush() -> sc_cli::Result<()> {
	stdout().flush().map_err(unwritable)
}

/// Ends this process with the message of the command line's parser: an error, the help or the version. A closed pipe
/// is no failure, as in `isthmus-node --help | head`.
pub(crate) fn exit(error: &clap::Error) -> ! {
	if let (false, Err(closed)) = (error.use_stderr(), check_open()) {
		end(&crate::explain(&closed))
	}
	let printed = error.print().and_then(|()| stdout().flush());
	match printed {
		Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
			end(&crate::explain(&unwritable(error)))
		}
		_ => process::exit(error.exit_code()),
	}
}

/// Returns the error of a stdout that cannot be written.
pub(crate) fn unwritable(error: impl ToString) -> sc_cli::Error {
	sc_cli::Error::Input(format!("failed printing to stdout: {}", words(error)))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_panic_over_a_thread_that_is_not_started_is_recognised() {
		for said in [
			"failed to spawn thread: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }",
			"failed to spawn thread: Os { code: 12, kind: OutOfMemory, message: \"Cannot allocate memory\" }",
			"OS can't spawn worker thread: Resource temporarily unavailable (os error 11)",
			"The global thread pool has not been initialized.: ThreadPoolBuildError { kind: IOError(Os { code: 11, kind: \
			 WouldBlock, message: \"Resource temporarily unavailable\" }) }",
		] {
			assert!(lacks_threads(said), "{said}");
		}
		for said in [
			"a thread panicked",
			"called `Result::unwrap()` on an `Err` value: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily \
			 unavailable\" }",
			"failed to spawn thread: Os { code: 22, kind: InvalidInput, message: \"Invalid argument\" }",
			"failed printing to stdout: No space left on device (os error 28)",
		] {
			assert!(!lacks_threads(said), "{said}");
		}
	}

	#[test]
	fn a_thread_that_is_not_started_is_recognised_on_this_system() {
		// No machine has room for such a stack.
		let builder = std::thread::Builder::new().stack_size(usize::MAX / 2 + 1);
		let refused = builder.spawn(|| ()).map(drop).unwrap_err();
		assert!(lacks_threads(&format!(
			"failed to spawn thread: {refused:?}"
		)));
		assert!(lacks_threads(&format!("cannot spawn a thread: {refused}")));
	}
}
