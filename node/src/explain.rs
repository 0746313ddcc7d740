// SPDX-License-Identifier: Apache-2.0
//! Turns the errors that end the program into sentences that say what to do. Substrate's own sentences name
//! another program's options, or only repeat what the operating system reported.

use polkadot_sdk::*;
use sc_cli::Error;
use sc_service::error::Error as ServiceError;
use sp_blockchain::Error::Storage;
use std::path::Path;

/// Returns the sentence for an error that ended the program.
pub fn explain(error: &Error) -> String {
	match error {
		Error::NetworkKeyNotFound(path) => format!(
			"a verifier's node (`--validator`) needs a network key that stays the same, so that other nodes find it, \
			 and there is none at {}. Create it once, and start the node again:\n  isthmus-node key \
			 generate-node-key --chain CHAIN --base-path DIR\nwith the same `--chain` and `--base-path` (without \
			 the latter: `--default-base-path`)",
			path.display()
		),
		Error::KeyAlreadyExistsInPath(path) => format!(
			"there is a file at {} already, and it may be a network key. To give the node another identity, delete the \
			 file first",
			path.display()
		),
		// The framework's sentence for an invalid secret URI. This one must not repeat the URI, either.
		Error::Input(text) if text.starts_with("Invalid phrase") => "the secret key is not valid: `--suri` (or what \
			was typed) is neither a file with such a key, nor a phrase of 12 to 24 words, nor 0x and 64 hexadecimal \
			digits, nor a path like //Alice, which may follow the others"
			.into(),
		Error::Input(text) | Error::Service(ServiceError::Other(text)) => text.clone(),
		Error::Service(ServiceError::Application(error)) => error.to_string(),
		Error::Service(ServiceError::Client(Storage(text))) => genesis(text),
		error => error.to_string(),
	}
}

/// Adds to an error what failed, and with which file.
pub(crate) fn named(what: &str, path: &Path, error: &Error) -> Error {
	Error::Input(format!("{what} ({}): {}", path.display(), explain(error)))
}

/// Returns what the system said, without its number.
pub(crate) fn words(error: impl ToString) -> String {
	let text = error.to_string();
	let words = text.split(" (os error ").next().unwrap_or_default();
	words.to_owned()
}

/// Returns the sentence for an error of the runtime that built the genesis state, without the backtrace.
fn genesis(error: &str) -> String {
	let reason = error.split("WASM backtrace").next().unwrap_or_default();
	format!(
		"the genesis state cannot be built from the chain specification: {}. If the runtime refused a field, the \
		 line after `panicked at` names it",
		reason.trim_end()
	)
}
