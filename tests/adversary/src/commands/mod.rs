//! The subcommands, a file each.

pub(crate) mod flood;
pub(crate) mod make_chain;
pub(crate) mod refuse;

use serde::Serialize;

/// Prints one result as a line of JSON.
pub(crate) fn print(result: &impl Serialize) {
	// What is printed are our own structures, whose keys are strings: they always serialize.
	if let Ok(line) = serde_json::to_string(result) {
		println!("{line}");
	}
}
