// SPDX-License-Identifier: Apache-2.0
//! Parses the command line. The subcommands are Substrate's; this module adds what it leaves to chance: a
//! key must have the scheme that its type needs, a file must belong to a chain that is named, and who asks
//! for a subcommand of other Substrate nodes learns what this node has instead.

use crate::cli::Cli;
use clap::{
	builder::{Resettable, StyledStr},
	error::{ContextKind, ContextValue, ErrorKind},
	ArgMatches, Command, CommandFactory, Error, FromArgMatches, ValueEnum,
};
use polkadot_sdk::*;
use sc_cli::{CryptoScheme, SubstrateCli};
use std::ffi::OsString;

/// The node's key types, and the scheme of each. A key of another scheme could be inserted, but the node
/// would never find it.
const KEY_TYPES: [(&str, CryptoScheme); 2] = [
	("gran", CryptoScheme::Ed25519),
	("prod", CryptoScheme::Sr25519),
];

/// The subcommands that other Substrate nodes have and this one lacks, and what to use instead.
const MISSING: [(&str, &str); 9] = [
	("benchmark", "scripts/weights runs the pallets' benchmarks"),
	(
		"check-block",
		"`import-blocks` checks each block of a file, and `isthmus_verification` returns who verified a block",
	),
	(
		"export-state",
		"`export-chain-spec --raw` writes the genesis state; later states are in the node's RPC",
	),
	("inspect", "`key inspect` shows a key; the RPC `chain_getBlock` returns a block"),
	(
		"revert",
		"the node follows the heaviest chain without being told; to start over, use `purge-chain`",
	),
	("sign", "the program `subkey` signs messages; `isthmus` signs transactions"),
	("try-runtime", "the runtime is built without it: try an upgrade on a test network, and check its state with `check-state`"),
	("vanity", "the program `subkey` searches for such addresses"),
	("verify", "the program `subkey` verifies signatures"),
];

/// Parses a command line. The program's name comes first.
///
/// # Errors
///
/// Returns clap's error, which names the wrong argument and often what to write instead.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, Error> {
	let mut command = command();
	let matches = command.try_get_matches_from_mut(args).map_err(with_hint)?;
	check_key(&mut command, &matches)?;
	Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Returns the description of the command line.
pub fn command() -> Command {
	Cli::setup_command(Cli::command())
		.mut_subcommand("key", |key| {
			key.mut_subcommand("insert", |insert| {
				insert.mut_arg("key_type", |arg| {
					arg.value_parser(KEY_TYPES.map(|(name, _)| name))
						.help("`gran` for the vote key of a verifier, `prod` for the account key of a producer")
				})
			})
		})
		.mut_subcommand("export-chain-spec", |export| {
			export.alias("build-spec").mut_arg("chain", |arg| {
				arg.required(true).default_value(Resettable::Reset)
			})
		})
}

/// Refuses to insert a key whose scheme is not that of its type.
fn check_key(command: &mut Command, matches: &ArgMatches) -> Result<(), Error> {
	let insert = matches
		.subcommand_matches("key")
		.and_then(|key| key.subcommand_matches("insert"));
	let Some(insert) = insert else {
		return Ok(());
	};
	let (Some(given), Some(scheme)) = (
		insert.get_one::<String>("key_type"),
		insert.get_one::<CryptoScheme>("scheme"),
	) else {
		return Ok(());
	};
	match KEY_TYPES.iter().find(|(name, _)| name == given) {
		Some((name, needed)) if needed != scheme => Err(command.error(
			ErrorKind::ValueValidation,
			format!(
				"a key of type `{name}` needs `--scheme {}`: the node would never find another one",
				name_of(needed)
			),
		)),
		_ => Ok(()),
	}
}

/// Returns a scheme as it is written on the command line.
fn name_of(scheme: &CryptoScheme) -> String {
	let value = scheme.to_possible_value();
	value.map_or_else(String::new, |value| value.get_name().into())
}

/// Adds to the error about an unknown subcommand what to use instead.
fn with_hint(mut error: Error) -> Error {
	if error.kind() != ErrorKind::InvalidSubcommand {
		return error;
	}
	let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
		return error;
	};
	if let Some((_, hint)) = MISSING.iter().find(|(missing, _)| missing == name) {
		let hint = StyledStr::from(*hint);
		error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
	}
	error
}
