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
	sync::{atomic::AtomicBool, Arc},
};

/// The size in bytes that files of a database may have to reach.
const LARGE_FILE: u64 = 1 << 30;

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
		Some(failed) if failed.starts_with("failed printing to std") => {
			let _ = writeln!(stderr(), "error: {}", words(failed));
			process::exit(1)
		}
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

/// Writes what is left of the output.
///
/// # Errors
///
/// Returns an error if it cannot be written.
pub(crate) fn flush() -> sc_cli::Result<()> {
	stdout().flush().map_err(|error| unwritable(&error))
}

/// Ends this process with the message of the command line's parser: an error, the help or the version. A closed pipe
/// is no failure, as in `isthmus-node --help | head`.
pub(crate) fn exit(error: &clap::Error) -> ! {
	if let (false, Err(closed)) = (error.use_stderr(), check_open()) {
		let _ = writeln!(stderr(), "error: {}", crate::explain(&closed));
		process::exit(1)
	}
	let printed = error.print().and_then(|()| stdout().flush());
	match printed {
		Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
			let _ = writeln!(stderr(), "error: {}", crate::explain(&unwritable(&error)));
			process::exit(1)
		}
		_ => process::exit(error.exit_code()),
	}
}

fn unwritable(error: &io::Error) -> sc_cli::Error {
	sc_cli::Error::Input(format!("failed printing to stdout: {}", words(error)))
}
