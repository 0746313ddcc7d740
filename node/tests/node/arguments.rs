// SPDX-License-Identifier: Apache-2.0
//! Tests which command lines are refused, and what their errors say.

use isthmus_node::{
	arguments::{command, parse},
	cli::{Cli, Command},
	explain, Error,
};

fn read(args: &[&str]) -> Result<Cli, String> {
	let args = ["isthmus-node"].iter().chain(args);
	parse(args).map_err(|error| error.to_string())
}

fn refused(args: &[&str]) -> String {
	let error = read(args).err();
	error.unwrap_or_else(|| panic!("{args:?} is accepted"))
}

#[test]
fn the_command_line_is_well_formed() {
	command().debug_assert();
}

/// The options that do something alone, or say that they do not when the node starts.
const ALONE: &str = "alice allow-private-ip base-path beneficiary blocks-pruning bob bootnodes chain charlie database \
	dave db-cache db-storage-polling-period db-storage-threshold detailed-log-output dev disable-log-color discover-local \
	enable-log-reloading enable-offchain-indexing ethash-dir eve execution execution-block-construction \
	execution-import-block execution-offchain-worker execution-other execution-syncing experimental-rpc-endpoint extra-data \
	ferdie force-authoring gas-target hash-rate heartbeat help in-peers in-peers-light ipfs-server \
	kademlia-disjoint-query-paths kademlia-replication-factor keystore-path listen-addr log max-blocks-per-request \
	max-parallel-downloads max-runtime-instances mine mine-notify miners-listen miners-secret-file name network-backend \
	no-grandpa no-mdns no-private-ip no-prometheus no-telemetry node-key node-key-file node-key-type offchain-worker one \
	out-peers password password-filename password-interactive pool-best-blocks-only pool-kbytes pool-limit pool-type port \
	public-addr reserved-nodes reserved-only rpc-cors rpc-disable-batch-requests rpc-external \
	rpc-max-request-size rpc-max-response-size rpc-max-subscriptions-per-connection \
	rpc-message-buffer-capacity-per-connection rpc-port rpc-rate-limit runtime-cache-size state-pruning stratum-listen sync \
	sync-memory threads tmp tracing-targets trie-cache-size two tx-ban-seconds unsafe-force-node-key-generation \
	unsafe-rpc-external version warm-up-trie-cache wasm-execution wasm-runtime-overrides \
	wasmtime-instantiation-strategy";

/// The options that are refused without another one, each with a value, and the other one with its value.
const NEED: [[&[&str]; 2]; 8] = [
	[
		&[
			"--ipfs-bootnodes",
			"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp",
		],
		&["--ipfs-server"],
	],
	[
		&["--producer-account", ACCOUNT],
		&["--producer-name", "n", "--producer-kind", "school"],
	],
	[&["--producer-kind", "school"], &["--producer-name", "n"]],
	[&["--producer-name", "n"], &["--producer-kind", "school"]],
	[
		&["--rpc-rate-limit-trust-proxy-headers"],
		&["--rpc-rate-limit", "9"],
	],
	[
		&["--rpc-rate-limit-whitelisted-ips", "127.0.0.0/8"],
		&["--rpc-rate-limit", "9"],
	],
	[
		&["--stratum-difficulty", "5"],
		&["--stratum-listen", "127.0.0.1:1"],
	],
	[&["--tracing-receiver", "log"], &["--tracing-targets", "x"]],
];
const ACCOUNT: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

/// The options that are refused beside another one, each with a value, and the other one with its value.
const DISTURB: [[&[&str]; 2]; 7] = [
	[
		&["--force-enable-webrtc"],
		&["--listen-addr", "/ip4/127.0.0.1/tcp/1"],
	],
	[&["--prometheus-external"], &["--no-prometheus"]],
	[&["--prometheus-port", "1"], &["--no-prometheus"]],
	[&["--rpc-max-batch-request-len", "9"], ENDPOINT],
	[&["--rpc-max-connections", "9"], ENDPOINT],
	[&["--rpc-methods", "safe"], ENDPOINT],
	[
		&["--telemetry-url", "wss://telemetry.example/submit/ 0"],
		&["--no-telemetry"],
	],
];
const ENDPOINT: &[&str] = &["--experimental-rpc-endpoint", "listen-addr=127.0.0.1:1"];

#[test]
fn no_option_does_nothing_without_a_word() {
	let mut all: Vec<_> = command()
		.get_arguments()
		.filter_map(|arg| arg.get_long().map(str::to_owned))
		.collect();
	all.sort_unstable();
	all.dedup();
	let others = NEED
		.iter()
		.chain(&DISTURB)
		.map(|[option, _]| &option[0][2..]);
	let mut known: Vec<_> = ALONE.split_whitespace().chain(others).collect();
	known.push(&"--validator"[2..]);
	known.sort_unstable();
	// A new option has to be put into one of the lists.
	let unknown: Vec<_> = all
		.iter()
		.filter(|option| !known.contains(&option.as_str()))
		.collect();
	assert!(unknown.is_empty(), "{unknown:?}");
	for option in known {
		let is_there = all.iter().any(|there| there == option);
		assert!(
			is_there || ["help", "version"].contains(&option),
			"{option}"
		);
	}
	for [option, other] in NEED {
		let error = refused(&[&["--dev"][..], option].concat());
		assert!(error.contains(other[0]), "{error}");
		assert!(
			read(&[&["--dev"][..], option, other].concat()).is_ok(),
			"{option:?}"
		);
	}
	for [option, other] in DISTURB {
		let error = refused(&[&["--dev"][..], option, other].concat());
		assert!(
			error.contains(option[0]) && error.contains(other[0]),
			"{error}"
		);
		assert!(
			read(&[&["--dev"][..], option].concat()).is_ok(),
			"{option:?}"
		);
	}
}

#[test]
fn a_key_has_the_scheme_that_its_type_needs() {
	let insert = ["key", "insert", "--chain", "c", "--suri", "//A"];
	let with = |kind, scheme| [&insert[..], &["--key-type", kind, "--scheme", scheme]].concat();
	for (kind, scheme) in [
		("gran", "ed25519"),
		("prod", "sr25519"),
		("gran", "Ed25519"),
	] {
		assert!(read(&with(kind, scheme)).is_ok(), "{kind} {scheme}");
	}
	for (kind, scheme, needed) in [
		("gran", "sr25519", "`--scheme ed25519`"),
		("gran", "ecdsa", "`--scheme ed25519`"),
		("prod", "ed25519", "`--scheme sr25519`"),
		("grandpa", "ed25519", "[possible values: gran, prod]"),
		("babe", "sr25519", "[possible values: gran, prod]"),
	] {
		let error = refused(&with(kind, scheme));
		assert!(error.contains(needed), "{error}");
	}
}

#[test]
fn a_limit_with_which_the_node_would_answer_no_one_is_refused() {
	for option in [
		"--rpc-max-connections",
		"--rpc-max-request-size",
		"--rpc-max-response-size",
		"--rpc-message-buffer-capacity-per-connection",
		"--max-runtime-instances",
	] {
		let error = refused(&["--dev", option, "0"]);
		assert!(
			error.contains(option) && error.contains("0 is not in 1..="),
			"{error}"
		);
		assert!(read(&["--dev", option, "1"]).is_ok(), "{option}");
	}
}

#[test]
fn the_hint_about_a_number_is_about_what_is_wrong_with_it() {
	let digits = "decimal digits only";
	assert!(refused(&["--dev", "--threads", "1e3"]).contains(digits));
	let zero = refused(&["--dev", "--hash-rate", "0"]);
	assert!(
		zero.contains("the least value is 1") && !zero.contains(digits),
		"{zero}"
	);
	for large in ["99999999999999999999", "100000"] {
		let error = refused(&["--dev", "--threads", large]);
		assert!(!error.contains(digits), "{error}");
	}
}

#[test]
fn a_file_belongs_to_a_chain_that_is_named() {
	for args in [
		&["key", "generate-node-key", "--base-path", "DIR"][..],
		&["key", "generate-node-key", "--default-base-path"],
		&["export-chain-spec", "--raw"],
	] {
		assert!(refused(args).contains("--chain <CHAIN"), "{args:?}");
	}
	// Printed, or written to a file that is named.
	assert!(read(&["key", "generate-node-key"]).is_ok());
	assert!(read(&["key", "generate-node-key", "--file", "FILE"]).is_ok());
}

#[test]
fn a_node_has_one_network_key() {
	let key = "1".repeat(64);
	let (key, file) = (["--node-key", &key], ["--node-key-file", "FILE"]);
	assert!(read(&key).is_ok() && read(&file).is_ok());
	let error = refused(&[key, file].concat());
	assert!(error.contains("cannot be used with"), "{error}");
	let help = refused(&["--help"]);
	assert!(!help.contains("takes precedence over"), "{help}");
}

#[test]
fn what_is_inspected_is_a_key() {
	let inspect = |args: &[&str]| read(&[&["key", "inspect"], args].concat()).map(drop);
	let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
	let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
	let hex = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
	for args in [
		&["//Alice"][..],
		&[alice],
		&[phrase],
		&[hex, "--public"],
		&[],
	] {
		assert_eq!(inspect(args), Ok(()), "{args:?}");
	}
	assert_eq!(inspect(&["//Alice", "--scheme", "ed25519"]), Ok(()));
	for args in [&["no-such-file"][..], &["bottom drive obey"], &["0x1234"]] {
		let error = inspect(args).err().unwrap_or_default();
		assert!(
			error.contains("neither a file with a key"),
			"{args:?}: {error}"
		);
		assert!(!error.contains(args[0]), "{error}");
	}
}

#[test]
fn the_subcommands_of_other_nodes_are_answered() {
	let build_spec = read(&["build-spec", "--chain", "local", "--raw"]).map(|cli| cli.subcommand);
	assert!(matches!(build_spec, Ok(Some(Command::ExportChainSpec(_)))));
	for (name, hint) in [
		("benchmark", "scripts/weights"),
		("check-block", "import-blocks"),
		("revert", "purge-chain"),
		("inspect", "key inspect"),
		("sign", "subkey"),
		("try-runtime", "test network"),
	] {
		let error = refused(&[name]);
		assert!(
			error.contains(&format!("unrecognized subcommand '{name}'")),
			"{error}"
		);
		assert!(error.contains("tip: ") && error.contains(hint), "{error}");
	}
	assert!(!refused(&["nonsense"]).contains("tip: "));
}

#[test]
fn a_word_behind_options_is_not_taken_for_a_subcommand() {
	for (args, name, hint) in [
		(&["--dev", "nonsense"][..], "nonsense", ""),
		(
			&["--rpc-port", "1", "status"],
			"status",
			"tip: `isthmus status`",
		),
		(
			&["--dev", "--mine", "false"],
			"false",
			"tip: an option such as `--mine` has no value",
		),
	] {
		let error = refused(args);
		let unknown = format!("unrecognized subcommand '{name}'");
		assert!(error.contains(&unknown) && error.contains(hint), "{error}");
	}
	let early = refused(&["--base-path", "DIR", "purge-chain"]);
	assert!(
		early.contains("the options of a subcommand are written after it"),
		"{early}"
	);
	let flag = refused(&["--dev", "--mine=false"]);
	assert!(
		flag.contains("tip: an option such as `--mine`") && !flag.contains("Usage"),
		"{flag}"
	);
}

#[test]
fn an_address_for_telemetry_is_named() {
	let telemetry = |value| read(&["--dev", "--telemetry-url", value]);
	assert!(telemetry("wss://telemetry.example/submit/ 0").is_ok());
	for (value, named) in [
		("nonsense 0", "'nonsense'"),
		("wss://telemetry.example", "wss://telemetry.example"),
	] {
		let error = telemetry(value).err().unwrap();
		assert!(
			error.contains(named) && error.contains("--telemetry-url"),
			"{error}"
		);
		assert!(error.contains("'wss://HOST/submit/ 0'"), "{error}");
	}
}

#[test]
fn an_option_of_other_nodes_has_a_hint_that_is_not_a_similar_name() {
	for (option, hint) in [
		("--ws-port", "tip: `--rpc-port`"),
		("--ws-external", "tip: `--rpc-external`"),
		("--datadir", "tip: `--base-path`"),
		("--log-file", "2>> FILE"),
		("--config", "no configuration file"),
	] {
		let joined = format!("{option}=1");
		for args in [&[option, "1"][..], &[joined.as_str()]] {
			let error = refused(args);
			assert!(
				error.contains(hint) && !error.contains("similar"),
				"{error}"
			);
		}
	}
	let export = refused(&[
		"build-spec",
		"--chain",
		"local",
		"--disable-default-bootnode",
	]);
	assert!(export.contains("adds no boot node"), "{export}");
	// A misspelt name has the similar one.
	assert!(refused(&["--base-pth", "x"]).contains("'--base-path'"));
}

#[test]
fn an_address_to_listen_at_is_an_ip_address() {
	for value in ["localhost:8545", "8545", "127.0.0.1", "::1:8545"] {
		let error = refused(&["--mine", "--miners-listen", value]);
		assert!(error.contains("0.0.0.0:8545 or [::1]:8545"), "{error}");
	}
	assert!(read(&["--mine", "--miners-listen", "[::1]:8545"]).is_ok());
}

#[test]
fn an_error_is_a_sentence_without_the_names_of_types() {
	let path = std::path::PathBuf::from("/data/network/secret_ed25519");
	let missing = explain(&Error::NetworkKeyNotFound(path));
	assert!(
		missing.contains("key generate-node-key --chain"),
		"{missing}"
	);
	assert!(
		missing.contains("/data/network/secret_ed25519"),
		"{missing}"
	);
	// What is in a temporary folder is gone at the next start.
	assert!(missing.contains("as with `--tmp`"), "{missing}");
	let input = explain(&Error::Input("no such chain".into()));
	assert_eq!(input, "no such chain");
}
