// SPDX-License-Identifier: Apache-2.0
//! The options that all commands have in common.

use crate::{
	error::{Error, Kind},
	input::read_at_most,
	report::{Output, Sent},
	secret,
	text::{account, amount},
	uses::Shared,
};
use clap::{
	builder::{NonEmptyStringValueParser, TypedValueParser},
	ArgMatches,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::erasable::path_beside, from_typed_hex, shown_address, trust, AccountId, Balance,
	Budget, Trust,
};
use std::{net::Ipv6Addr, path::PathBuf, time::Duration};
use url::Url;

/// The node's address, unless an option or an environment variable sets another one.
const DEFAULT_URL: &str = "ws://127.0.0.1:9944";

/// The longest chain specification that is read, in bytes, as the node does.
const LONGEST_SPEC: u64 = 128 << 20;

/// Options of every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Options {
	/// WebSocket address of the node. With several, the next one is asked when one is lost, lies or lags [default:
	/// $ISTHMUS_URL, or ws://127.0.0.1:9944]
	#[arg(long, global = true, value_name = "URL", value_parser = address)]
	url: Vec<String>,

	/// Account to act as: a key file, or a development account such as //Alice. The passphrase of a key file is asked for,
	/// unless $ISTHMUS_PASSPHRASE holds it [default: $ISTHMUS_KEY]
	#[arg(long, global = true, value_name = "KEY")]
	#[arg(value_parser = NonEmptyStringValueParser::new().try_map(secret::key))]
	key: Option<String>,

	/// Act for this owner: you took its dataset over, or are its operator
	#[arg(long = "for", global = true, value_name = "OWNER", value_parser = account)]
	pub(crate) acts_for: Option<AccountId>,

	/// Give up on a node that is silent for this many seconds. On a slow connection, 4 MiB of data must arrive in
	/// this time
	#[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
	#[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
	timeout: u64,

	/// Wait until the transaction is finalized, instead of only included in a block
	#[arg(long, global = true)]
	pub(crate) finalized: bool,

	/// Refuse to seal to, or to open, keys that a quantum computer could break
	#[arg(long, global = true)]
	pub(crate) pq_only: bool,

	/// Hash of the chain's first block [default: $ISTHMUS_GENESIS, or the chain that was at the address when it
	/// was first used]
	#[arg(long, global = true, value_name = "HASH", value_parser = genesis, conflicts_with = "chain_spec")]
	genesis: Option<Genesis>,

	/// Raw specification of the chain, instead of --genesis
	#[arg(long, global = true, value_name = "FILE")]
	chain_spec: Option<PathBuf>,

	/// Believe the node without proofs. Only for your own node on this machine
	#[arg(long, global = true)]
	trust_node: bool,

	/// Tip for the block's miner, in IST: buys an earlier place while blocks are full
	#[arg(long, global = true, value_name = "IST", default_value = "0", hide_default_value = true, value_parser = amount)]
	pub(crate) tip: Balance,

	/// Check and show what the command would cost, and send nothing
	#[arg(long, global = true)]
	dry_run: bool,

	/// Send nothing that makes the command cost more than this, in IST: fees, deposits and payments together
	#[arg(long, global = true, value_name = "IST", value_parser = amount)]
	max_cost: Option<Balance>,

	/// Print JSON, one object a line: results to stdout, errors to stderr
	#[arg(long, global = true)]
	json: bool,

	/// What the command sends.
	#[arg(skip)]
	pub(crate) sent: Sent,

	/// Those of these options that the command line names.
	#[arg(skip)]
	pub(crate) given: Vec<&'static Shared>,

	/// The development accounts that arguments name, besides the one to act as.
	#[arg(skip)]
	pub(crate) development: Vec<String>,
}

impl Options {
	/// Returns the key file, or the development account, to act as.
	pub(crate) fn key(&self) -> Result<String, Error> {
		match (&self.key, variable("ISTHMUS_KEY")) {
			(Some(key), _) => Ok(key.clone()),
			(None, Some(key)) => secret::key(key)
				.map_err(|reason| Error::usage(format!("invalid $ISTHMUS_KEY: {reason}"))),
			(None, None) => Err(Error::usage(format!(
				"this command needs a key: pass --key or set $ISTHMUS_KEY{}",
				if_empty("ISTHMUS_KEY")
			))
			.hint(
				"create one with `isthmus key generate FILE`; on a development chain, use --key //Alice",
			)),
		}
	}

	/// Returns the files and folders that the command keeps for itself, as far as there are any: the key file with its
	/// erasable keys, and the folder for settings.
	pub(crate) fn own_files(&self) -> Vec<PathBuf> {
		let key = self.key().ok().filter(|key| !key.starts_with("//"));
		let key = key.map(PathBuf::from);
		let erasable = key.as_deref().map(path_beside);
		[key, erasable, settings()].into_iter().flatten().collect()
	}

	/// Returns whether a key is named.
	pub(crate) fn has_key(&self) -> bool {
		self.key.is_some() || variable("ISTHMUS_KEY").is_some()
	}

	/// Says of an error of the key file that a variable names it, if none of the arguments does.
	pub(crate) fn naming_key(&self, error: Error) -> Error {
		match self.key.is_none() && error.kind() == Kind::Failed {
			true => {
				let odd = variable("ISTHMUS_KEY").map_or("", |value| oddity(&value));
				error.also(format_args!(
					"the file is the one that $ISTHMUS_KEY names{odd}"
				))
			}
			false => error,
		}
	}

	/// Takes the nodes' addresses that are given before the name of a command, and then those after it.
	pub(crate) fn take_urls<'a>(&mut self, levels: impl Iterator<Item = &'a ArgMatches>) {
		let given = levels.filter_map(|level| level.try_get_many::<String>("url").ok().flatten());
		self.url = given.flatten().cloned().collect();
	}

	/// Returns the nodes' addresses, in the order in which they are tried.
	pub(crate) fn urls(&self) -> Result<Vec<String>, Error> {
		if !self.url.is_empty() {
			return Ok(self.url.clone());
		}
		let named = variable("ISTHMUS_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
		let urls: Result<Vec<_>, _> = match named.trim().is_empty() {
			true => address(&named).map(|url| vec![url]),
			false => named.split_whitespace().map(address).collect(),
		};
		urls.map_err(|reason| Error::usage(format!("invalid $ISTHMUS_URL: {reason}")))
	}

	/// Returns what the command may spend.
	pub(crate) fn budget(&self) -> Budget {
		Budget {
			most: self.max_cost,
			dry_run: self.dry_run,
		}
	}

	/// Returns how long the node may be silent.
	pub(crate) fn silence(&self) -> Duration {
		Duration::from_secs(self.timeout)
	}

	/// Returns what to believe of the node.
	pub(crate) fn trust(&self) -> Result<Trust, Error> {
		let named = match (&self.genesis, &self.chain_spec) {
			(Some(genesis), _) => Some(genesis.0),
			(None, Some(path)) => {
				let spec = read_at_most(path, LONGEST_SPEC, "a chain specification")?;
				Some(trust::genesis_of(&spec).map_err(|error| {
					Error::usage(format!("{}: {error}", path.shown()))
						.hint("make a raw one with `isthmus-node export-chain-spec --raw`")
				})?)
			}
			(None, None) => match variable("ISTHMUS_GENESIS") {
				// It is a check that someone wants, and whose value a script has lost.
				None if is_empty("ISTHMUS_GENESIS") => {
					return Err(Error::usage(
						"invalid $ISTHMUS_GENESIS: it is empty, and no check of the chain",
					)
					.hint("set it to the hash of the chain's first block, or unset it"))
				}
				Some(text) => {
					let invalid =
						|reason| Error::usage(format!("invalid $ISTHMUS_GENESIS: {reason}"));
					Some(genesis(&text).map_err(invalid)?.0)
				}
				None => None,
			},
		};
		Ok(Trust {
			genesis: named,
			memory: settings(),
			node: self.trust_node,
		})
	}

	/// Returns how reports are printed.
	pub(crate) fn output(&self) -> Output {
		match self.json {
			true => Output::Json,
			false => Output::Text,
		}
	}
}

/// Reads the address of a WebSocket. What is wrong with one is said here: a connection would fail with less to go by.
fn address(text: &str) -> Result<String, String> {
	let text = text.trim();
	if text.is_empty() {
		return Err(format!(
			"the address is empty; expected a WebSocket address, such as {DEFAULT_URL}"
		));
	}
	if text.contains(['"', '\'']) {
		return Err(format!(
			"there are quotes in it; expected a WebSocket address without them, such as {DEFAULT_URL}"
		));
	}
	let (scheme, rest) = match text.split_once("://") {
		Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
		None => (String::new(), without_scheme(text)),
	};
	let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
	if host.contains([',', ';']) || text.contains(char::is_whitespace) {
		return Err(
			"expected one address; give each with a --url of its own, or put spaces between those in $ISTHMUS_URL".into(),
		);
	}
	let host = host.rsplit('@').next().unwrap_or_default();
	if host.is_empty() || host.starts_with(':') && !host.starts_with("::") {
		return Err(format!(
			"there is no host in it; expected a WebSocket address, such as {DEFAULT_URL}"
		));
	}
	if host.matches(':').count() > 1 && !host.contains(['[', ']']) {
		let meant = in_brackets(host);
		return Err(format!(
			"an IPv6 address needs brackets; expected a WebSocket address, such as ws://{meant}"
		));
	}
	let reason = match scheme.as_str() {
		"ws" | "wss" => None,
		"" => Some("it does not begin with ws:// or wss://".to_owned()),
		other => Some(format!("a node does not speak {other}")),
	};
	if let Some(reason) = reason {
		let secure = if scheme == "https" { "wss" } else { "ws" };
		let meant = shown_address(&format!("{secure}://{rest}"));
		return Err(format!("{reason}; expected a WebSocket address: {meant}"));
	}
	if !has_port(host) {
		return Err("expected a port from 1 to 65535".to_owned());
	}
	match Url::parse(text) {
		Ok(_) => Ok(text.to_owned()),
		Err(error) => Err(format!(
			"{error}; expected a WebSocket address, such as {DEFAULT_URL}"
		)),
	}
}

/// Returns what follows a scheme whose end is not written as it should be, such as `ws:/`.
fn without_scheme(text: &str) -> &str {
	let schemes = ["wss", "ws", "https", "http"].iter();
	let rest = schemes.filter_map(|scheme| text.strip_prefix(scheme)?.strip_prefix([':', '/']));
	let rest = rest.map(|rest| rest.trim_start_matches(['/', ':'])).next();
	rest.filter(|rest| !rest.is_empty()).unwrap_or(text)
}

/// Returns the brackets that may be missing around an IPv6 address, with the port that may follow it.
fn in_brackets(host: &str) -> String {
	let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
	match host.rsplit_once(':') {
		Some((address, port)) if is_address(address) && has_port(host) => {
			format!("[{address}]:{port}")
		}
		_ if is_address(host) => format!("[{host}]:9944"),
		_ => "[::1]:9944".to_owned(),
	}
}

/// Returns whether the port of a host is one, or missing.
fn has_port(host: &str) -> bool {
	let after = host.rsplit(']').next().unwrap_or_default();
	match after.rsplit_once(':') {
		Some((_, port)) if !port.is_empty() => port.parse::<u16>().is_ok_and(|port| port > 0),
		_ => true,
	}
}

/// Returns an environment variable, unless it is empty. A line end is removed: it was in the file that the value
/// comes from.
pub(crate) fn variable(name: &str) -> Option<String> {
	let value = std::env::var(name).ok()?;
	let value = value.trim_end_matches(['\r', '\n']);
	(!value.is_empty()).then(|| value.to_owned())
}

/// Returns whether an environment variable is set, but empty: what it should be set from may have failed.
pub(crate) fn is_empty(name: &str) -> bool {
	std::env::var_os(name).is_some() && variable(name).is_none()
}

/// Returns what is said after the name of a variable that should be set, if it is set, but empty.
pub(crate) fn if_empty(name: &str) -> &'static str {
	match is_empty(name) {
		true => " (it is empty)",
		false => "",
	}
}

/// Returns what of a variable's value the program that set it may have meant otherwise. Some keep quotes, as Docker does for
/// files of variables.
pub(crate) fn oddity(value: &str) -> &'static str {
	let is_quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
	if is_quoted('"') || is_quoted('\'') {
		return ", which has quotes around it";
	}
	match value.trim() == value {
		_ if value.contains('\n') => ", which has several lines",
		true => "",
		false => ", which begins or ends with a space",
	}
}

/// Checks that this program's environment variables are text. Otherwise they would count as not set.
pub(crate) fn check_variables() -> Result<(), Error> {
	for (name, value) in std::env::vars_os() {
		let name = name.to_string_lossy();
		if name.starts_with("ISTHMUS_") && value.to_str().is_none() {
			return Err(Error::usage(format!("the value of ${name} is not UTF-8")));
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn quotes_and_spaces_that_a_variable_should_not_have_are_told() {
		for (value, odd) in [
			("three plain words", ""),
			("\"three plain words\"", ", which has quotes around it"),
			("'three plain words'", ", which has quotes around it"),
			("three plain words ", ", which begins or ends with a space"),
			("three plain words\nuser: ada", ", which has several lines"),
			("'", ""),
			("\"a' 'b", ""),
		] {
			assert_eq!(oddity(value), odd, "{value}");
		}
	}

	#[test]
	fn an_address_is_that_of_a_web_socket() {
		for good in [
			"ws://127.0.0.1:9944",
			"wss://node.org/rpc",
			"WS://[::1]:1",
			"ws://[::1]",
			"ws://user:pass@node.org/a:b?c:d",
			"ws://node.org:65535/rpc",
		] {
			assert_eq!(address(good).as_deref(), Ok(good));
			// As it may be in a file.
			assert_eq!(address(&format!(" {good}\r\n")).as_deref(), Ok(good));
		}
		for (bad, expected) in [
			("127.0.0.1:9944", "ws://127.0.0.1:9944"),
			("ws:/127.0.0.1:9944", ": ws://127.0.0.1:9944"),
			("ws//127.0.0.1:9944", ": ws://127.0.0.1:9944"),
			("[::1]:9944", ": ws://[::1]:9944"),
			("/etc/passwd", DEFAULT_URL),
			(" ", DEFAULT_URL),
			("ws://:9944", DEFAULT_URL),
			("ws:///rpc", DEFAULT_URL),
			("ws://[::1", DEFAULT_URL),
			("ws://[zz]:1", DEFAULT_URL),
			("ws://256.1.1.1:1", DEFAULT_URL),
			("ws://::1:1", "such as ws://[::1]:1"),
			("ws://::1", "such as ws://[::1]:9944"),
			(
				"http://2001:db8::7:9944/rpc",
				"such as ws://[2001:db8::7]:9944",
			),
			("ws://fe80::x:y", "such as ws://[::1]:9944"),
			("ws://a,ws://b", "in $ISTHMUS_URL"),
			("ws://a:1;ws://b:1", "in $ISTHMUS_URL"),
			("ws://a ws://b", "in $ISTHMUS_URL"),
			("ws://a:1,b:1", "in $ISTHMUS_URL"),
			("localhost", "ws://localhost"),
			("http://node.org", "ws://node.org"),
			("HTTPS://node.org/rpc", "wss://node.org/rpc"),
			("ftp://x", "ws://x"),
			("ws://", DEFAULT_URL),
			("\"ws://127.0.0.1:9944\"", DEFAULT_URL),
			("'ws://a'", DEFAULT_URL),
			("", DEFAULT_URL),
			("file:///etc/passwd", DEFAULT_URL),
			("ws://node.org:99999", "from 1 to 65535"),
			("wss://user@[::1]:0/rpc", "from 1 to 65535"),
			("ws://node.org:port", "from 1 to 65535"),
		] {
			let refused = address(bad).unwrap_err();
			assert!(refused.ends_with(expected), "{bad}: {refused}");
		}
	}
}

/// The hash of a chain's first block.
#[derive(Clone)]
struct Genesis([u8; 32]);

/// Reads the hash of a chain's first block.
fn genesis(text: &str) -> Result<Genesis, &'static str> {
	let genesis = from_typed_hex(text).map(Genesis);
	genesis.ok_or("expected the hash of a block: 0x and 64 hexadecimal digits")
}

/// Returns the folder in which chains are remembered, and the gateway's credentials are; `None` if the user has no folder
/// for settings.
pub(crate) fn settings() -> Option<PathBuf> {
	let settings =
		folder_in("XDG_CONFIG_HOME").or_else(|| Some(folder_in("HOME")?.join(".config")));
	Some(settings?.join("isthmus"))
}

/// Returns the folder that a variable names, also if its name is not UTF-8; `None` if the variable is empty.
fn folder_in(name: &str) -> Option<PathBuf> {
	let folder = std::env::var_os(name)?;
	(!folder.is_empty()).then(|| folder.into())
}
