// SPDX-License-Identifier: Apache-2.0
//! What happens if the output of a subcommand is closed or full. The framework prints with `println!`, which
//! panics then.

use polkadot_sdk::sc_cli;
use signal_hook::{consts::SIGPIPE, flag};
use std::{
	io::{stderr, Write},
	panic,
	process::exit,
	sync::atomic::AtomicBool,
};

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
			let words = failed.split(" (os error ").next().unwrap_or(failed);
			let _ = writeln!(stderr(), "Error: {words}");
			exit(1)
		}
		_ => other(panic),
	}));
	Ok(())
}
