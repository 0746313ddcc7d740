// SPDX-License-Identifier: Apache-2.0
//! Parses the command line. The subcommands are Substrate's; this module adds what it leaves to chance: a
//! key must have the scheme that its type needs, a file must belong to a chain that is named, and who asks
//! for a subcommand of other Substrate nodes learns what this node has instead.

use crate::cli::Cli;
use clap::{
	builder::{RangedU64ValueParser, Resettable, StyledStr},
	error::{ContextKind, ContextValue, ErrorKind},
	value_parser, ArgMatches, Command, CommandFactory, Error, FromArgMatches, ValueEnum,
};
use polkadot_sdk::*;
use sc_cli::{CryptoScheme, SubstrateCli};
use sc_telemetry::TelemetryEndpoints;
use sp_core::{crypto::Ss58Codec, ecdsa, ed25519, sr25519, Pair};
use std::{
	ffi::OsString,
	net::AddrParseError,
	num::{IntErrorKind, ParseIntError},
	path::Path,
};

/// The node's key types, and the scheme of each. A key of another scheme could be inserted, but the node
/// would never find it.
const KEY_TYPES: [(&str, CryptoScheme); 2] = [
	("gran", CryptoScheme::Ed25519),
	("prod", CryptoScheme::Sr25519),
];

/// The maximum number of instances of the runtime that the framework takes. With none, no block could be executed.
const MAX_INSTANCES: u64 = 32;

/// The default size of the cache of the state's trie, in bytes. The framework's is 1 GiB, which is all the memory that a
/// full sync should take.
const TRIE_CACHE_SIZE: &str = "268435456";

/// What `--chain` names. The framework's text has a chain that this node lacks.
const CHAIN: &str = "The chain: `dev`, `local`, or the file of a specification";

/// The subcommands that other nodes have and this one lacks, and what to use instead; and the words that are taken for one.
const MISSING: [(&str, &str); 12] = [
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
	(
		"status",
		"`isthmus status` shows a node that runs, and `chain-info` the database of one that does not",
	),
	("vanity", "the program `subkey` searches for such addresses"),
	("true", FLAG),
	("false", FLAG),
	("verify", "the program `subkey` verifies signatures"),
];

/// The options that other nodes have and this one lacks, and what to use instead. A similar name may be another option.
const FOREIGN: [(&str, &str); 16] = [
	("--config", NO_FILE),
	("--conf", NO_FILE),
	("--data-dir", BASE_PATH),
	("--datadir", BASE_PATH),
	(
		"--disable-default-bootnode",
		"leave it out: `export-chain-spec` adds no boot node of this machine",
	),
	(
		"--genesis",
		"`--chain` names the file of the chain's specification",
	),
	("--http", RPC),
	("--http.port", RPC),
	("--log-file", LOG_FILE),
	("--logfile", LOG_FILE),
	(
		"--metrics",
		"the metrics are on by default, at `--prometheus-port`",
	),
	("--ws", RPC),
	("--ws-port", RPC),
	(
		"--ws-external",
		"`--rpc-external` opens HTTP and WebSocket, which have one port",
	),
	(
		"--unsafe-ws-external",
		"`--unsafe-rpc-external` opens HTTP and WebSocket, which have one port",
	),
	(
		"--ws-max-connections",
		"`--rpc-max-connections` counts HTTP and WebSocket together",
	),
];

/// The options that do nothing without another one, by the names of their fields.
const NEED: [(&str, &str); 4] = [
	("rpc_rate_limit_trust_proxy_headers", "rpc_rate_limit"),
	("rpc_rate_limit_whitelisted_ips", "rpc_rate_limit"),
	("stratum_difficulty", "stratum_listen"),
	("tracing_receiver", "tracing_targets"),
];

/// The options that do nothing beside another one. The framework takes both.
const DISTURB: [(&str, &str); 7] = [
	("force_enable_webrtc", "listen_addr"),
	("prometheus_external", "no_prometheus"),
	("prometheus_port", "no_prometheus"),
	("rpc_max_batch_request_len", "experimental_rpc_endpoint"),
	("rpc_max_connections", "experimental_rpc_endpoint"),
	("rpc_methods", "experimental_rpc_endpoint"),
	("telemetry_endpoints", "no_telemetry"),
];

/// The limits of the RPC with which no one could call it if they were 0.
const LIMITS: [&str; 4] = [
	"rpc_max_connections",
	"rpc_max_request_size",
	"rpc_max_response_size",
	"rpc_message_buffer_capacity_per_connection",
];

const FLAG: &str = "an option such as `--mine` has no value: write it alone, or leave it out";
/// What `--node-key` is.
const NODE_KEY: &str = "The secret network key, in 64 hexadecimal digits. For tests only: others on this machine see it. Otherwise \
	keep it in a file, which `--node-key-file` names";
const TELEMETRY: &str =
	"a server for telemetry is written as 'wss://HOST/submit/ 0', with the verbosity behind a space";
const NO_FILE: &str = "the node has no configuration file: all options are on the command line";
const BASE_PATH: &str = "`--base-path` names the folder of the chain's data";
const RPC: &str = "`--rpc-port` is the port of HTTP and WebSocket, which are always on";
const LOG_FILE: &str = "the log goes to standard error: append it to a file with `2>> FILE`";

/// Parses a command line. The program's name comes first.
///
/// # Errors
///
/// Returns clap's error, which names the wrong argument and often what to write instead.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, Error> {
	let mut command = command();
	let matches = command
		.try_get_matches_from_mut(args)
		.map_err(|error| with_hint(error, &command))?;
	check_telemetry(&mut command, &matches)?;
	check_key(&mut command, &matches)?;
	check_inspected(&mut command, &matches)?;
	Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Returns the description of the command line.
pub fn command() -> Command {
	let plain = with_chains(Cli::setup_command(Cli::command()));
	let checked = NEED.iter().fold(plain, |command, (option, other)| {
		command.mut_arg(option, |arg| arg.requires(*other))
	});
	let checked = DISTURB.iter().fold(checked, |command, (option, other)| {
		command.mut_arg(option, |arg| arg.conflicts_with(*other))
	});
	let checked = LIMITS.iter().fold(checked, |command, limit| {
		command.mut_arg(limit, |arg| arg.value_parser(value_parser!(u32).range(1..)))
	});
	checked
		.mut_arg("trie_cache_size", |size| {
			size.default_value(TRIE_CACHE_SIZE)
		})
		.mut_arg("max_runtime_instances", |count| {
			count.value_parser(RangedU64ValueParser::<usize>::new().range(1..=MAX_INSTANCES))
		})
		// The framework passes over the file, and its text says so.
		.mut_arg("node_key", |key| {
			key.conflicts_with("node_key_file")
				.help(NODE_KEY)
				.long_help(NODE_KEY)
		})
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

/// Says in the help of a command and its subcommands what `--chain` names.
fn with_chains(command: Command) -> Command {
	command
		.mut_args(|arg| match arg.get_id().as_str() {
			"chain" => arg.help(CHAIN).long_help(CHAIN),
			_ => arg,
		})
		.mut_subcommands(with_chains)
}

/// Refuses an address of a server for telemetry that is none: the framework would refuse it without naming it.
fn check_telemetry(command: &mut Command, matches: &ArgMatches) -> Result<(), Error> {
	let given = matches.get_many::<(String, u8)>("telemetry_endpoints");
	for (url, verbosity) in given.into_iter().flatten() {
		if let Err(error) = TelemetryEndpoints::new(vec![(url.clone(), *verbosity)]) {
			return Err(command.error(
				ErrorKind::ValueValidation,
				format!("invalid value '{url}' for '--telemetry-url <URL VERBOSITY>': {error}: {TELEMETRY}"),
			));
		}
	}
	Ok(())
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

/// Refuses to inspect what is not a key: the framework would say so, and end as if it had shown one. The content of a
/// file, and what is typed, is left to it.
fn check_inspected(command: &mut Command, matches: &ArgMatches) -> Result<(), Error> {
	let inspect = matches
		.subcommand_matches("key")
		.and_then(|key| key.subcommand_matches("inspect"));
	let Some(inspect) = inspect.filter(|inspect| !inspect.get_flag("public")) else {
		return Ok(());
	};
	let Some(uri) = inspect.get_one::<String>("uri") else {
		return Ok(());
	};
	let is_key = match inspect.get_one::<CryptoScheme>("scheme") {
		Some(CryptoScheme::Ecdsa) => is_key::<ecdsa::Pair>(uri),
		Some(CryptoScheme::Ed25519) => is_key::<ed25519::Pair>(uri),
		Some(CryptoScheme::Sr25519) | None => is_key::<sr25519::Pair>(uri),
	};
	if is_key || Path::new(uri).is_file() {
		return Ok(());
	}
	// The sentence must not repeat what may be a secret with a mistake.
	Err(command.error(
		ErrorKind::ValueValidation,
		"this is neither a file with a key, nor a phrase of 12 to 24 words, a seed, a path like //Alice or an SS58 \
		 address; a public key in hexadecimal needs `--public`",
	))
}

/// Returns whether a text is a secret URI or a public key.
fn is_key<P: Pair>(text: &str) -> bool
where
	P::Public: Ss58Codec,
{
	P::from_string(text, None).is_ok() || P::Public::from_string(text).is_ok()
}

/// Returns a scheme as it is written on the command line.
fn name_of(scheme: &CryptoScheme) -> String {
	let value = scheme.to_possible_value();
	value.map_or_else(String::new, |value| value.get_name().into())
}

/// Returns an error that there is no such subcommand, where clap says that it cannot be used with the options before it: it
/// takes any word for a subcommand there.
fn or_unknown(error: Error, command: &Command) -> Error {
	if error.kind() != ErrorKind::ArgumentConflict {
		return error;
	}
	let name = match error.get(ContextKind::InvalidSubcommand) {
		Some(ContextValue::String(name)) if command.find_subcommand(name).is_none() => name.clone(),
		_ => return error,
	};
	let mut unknown = Error::new(ErrorKind::InvalidSubcommand).with_cmd(command);
	unknown.insert(ContextKind::InvalidSubcommand, ContextValue::String(name));
	if let Some(usage) = error.get(ContextKind::Usage) {
		unknown.insert(ContextKind::Usage, usage.clone());
	}
	unknown
}

/// Adds to an error about an unknown subcommand or option what to use instead, and to one about a value how it is written.
fn with_hint(error: Error, command: &Command) -> Error {
	let mut error = or_unknown(error, command);
	let hint = match error.kind() {
		ErrorKind::InvalidSubcommand => {
			hint_of_name(&error, ContextKind::InvalidSubcommand, &MISSING)
		}
		ErrorKind::UnknownArgument => hint_of_name(&error, ContextKind::InvalidArg, &FOREIGN),
		ErrorKind::ValueValidation => hint_of_value(&error),
		ErrorKind::TooManyValues => {
			// It names all options that may be there, too.
			error.remove(ContextKind::Usage);
			Some(FLAG)
		}
		ErrorKind::ArgumentConflict => error
			.get(ContextKind::InvalidSubcommand)
			.map(|_| "the options of a subcommand are written after it"),
		_ => None,
	};
	if let Some(hint) = hint {
		error.remove(ContextKind::SuggestedArg);
		let hint = StyledStr::from(hint);
		error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
	}
	error
}

/// Returns what to use instead of a subcommand or an option of other nodes.
fn hint_of_name(
	error: &Error,
	kind: ContextKind,
	known: &[(&str, &'static str)],
) -> Option<&'static str> {
	let Some(ContextValue::String(name)) = error.get(kind) else {
		return None;
	};
	let found = known.iter().find(|(missing, _)| missing == name);
	found.map(|(_, hint)| *hint)
}

/// Returns how a value is written, if the framework's error does not say it.
fn hint_of_value(error: &Error) -> Option<&'static str> {
	let source = std::error::Error::source(error)?;
	if let Some(error) = source.downcast_ref::<ParseIntError>() {
		return match error.kind() {
			IntErrorKind::Empty | IntErrorKind::InvalidDigit => {
				Some("a whole number is written in decimal digits only")
			}
			IntErrorKind::Zero => {
				Some("the least value is 1; without the option its default holds")
			}
			_ => None,
		};
	}
	if source.is::<AddrParseError>() {
		return Some(
			"an address to listen at is an IP address and a port: 127.0.0.1:8545, 0.0.0.0:8545 or [::1]:8545",
		);
	}
	let words = source.to_string();
	if words.to_lowercase().contains("verbosity") {
		return Some(TELEMETRY);
	}
	let is_address = words.contains("multiaddress");
	is_address.then_some(
		"an address of the network is written as /ip4/203.0.113.7/tcp/30333, /ip6/2001:db8::7/tcp/30333 or \
		 /dns/node.example.org/tcp/30333, with /p2p/ and the peer's ID after it if it is that of another node",
	)
}
