// SPDX-License-Identifier: Apache-2.0
//! `isthmus-node`: the program that runs a node. All of its code is in the library.

#![forbid(unsafe_code)]

use mimalloc::MiMalloc;
use std::{
	io::{stderr, Write},
	process::ExitCode,
};

/// The system's allocator makes a full sync a third slower.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
	match isthmus_node::run() {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			// If nothing can be written, the exit code says it, too.
			let _ = writeln!(stderr(), "error: {}", isthmus_node::explain(&error));
			ExitCode::FAILURE
		}
	}
}
