//! The command line.

use crate::{miners, producer::Profile};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use isthmus_primitives::{digest::MAX_EXTRA_DATA, params::MIN_GAS_LIMIT, AccountId};
use isthmus_sharing::{terms::MAX_NAME_SIZE, ProducerKind};
use polkadot_sdk::*;
use sc_cli::RunCmd;
use sp_core::crypto::Ss58Codec;
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, time::Duration};

/// A node of an Isthmus chain: proof of work, and data shared under authorization.
#[derive(Debug, Parser)]
#[command(
	after_help = "Example: a development chain that mines on demand, gone when it ends:\n  isthmus-node --dev"
)]
pub(crate) struct Cli {
	#[command(subcommand)]
	pub(crate) subcommand: Option<Command>,

	#[command(flatten)]
	pub(crate) run: RunCmd,

	#[command(flatten)]
	pub(crate) mining: MiningArgs,

	#[command(flatten)]
	pub(crate) producer: ProducerArgs,
}

/// Who the node registers by itself.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data producer")]
pub(crate) struct ProducerArgs {
	/// Register this producer once the node is synced, unless it is registered: its name, of 1 to 64
	/// bytes. Its account is that of the key of type `prod` in the keystore; with `--dev` or `--alice`
	/// and the like it is the development account's if there is none.
	#[arg(long, value_name = "NAME", requires = "producer_kind", value_parser = parse_producer_name)]
	producer_name: Option<String>,

	/// What the producer is.
	#[arg(long, value_name = "KIND", requires = "producer_name")]
	producer_kind: Option<Kind>,
}

/// The kinds of producer.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
	School,
	Government,
	Business,
	Other,
}

impl ProducerArgs {
	/// The producer to register, if the command line names one.
	pub(crate) fn profile(&self) -> Option<Profile> {
		let kind = match self.producer_kind? {
			Kind::School => ProducerKind::School,
			Kind::Government => ProducerKind::Government,
			Kind::Business => ProducerKind::Business,
			Kind::Other => ProducerKind::Other,
		};
		let name = self.producer_name.clone()?;
		Some(Profile { name, kind })
	}
}

fn parse_producer_name(text: &str) -> Result<String, String> {
	match text.len() {
		0 => Err("a producer's name is not empty".into()),
		long if long > MAX_NAME_SIZE as usize => Err(format!(
			"{long} bytes, and the chain has room for {MAX_NAME_SIZE}"
		)),
		_ => Ok(text.into()),
	}
}

/// Who mines, and what.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mining")]
pub(crate) struct MiningArgs {
	/// Mine: make block templates, and search with this machine's processor. `--dev` implies it.
	#[arg(long, action = ArgAction::SetTrue)]
	pub(crate) mine: bool,

	/// How many threads of this machine mine, and generate the dataset. With 0 only other programs
	/// mine, over `--miners-listen`, the RPC or `--mine-notify`.
	#[arg(long, value_name = "COUNT", default_value = "1")]
	pub(crate) threads: usize,

	/// The most hashes a second that this machine's threads try, all together. No limit if not given.
	#[arg(long, value_name = "HASHES")]
	pub(crate) hash_rate: Option<NonZeroU64>,

	/// Keep the epoch's dataset in this folder (with full sizes 1 GiB and more), so that it need not
	/// be made anew at each start. Not kept if not given.
	#[arg(long, value_name = "FOLDER")]
	pub(crate) ethash_dir: Option<PathBuf>,

	/// Serve Ethash miners of others at this address, such as 127.0.0.1:8545: eth_getWork,
	/// eth_submitWork and eth_submitHashrate, and nothing else.
	#[arg(long, value_name = "ADDRESS")]
	pub(crate) miners_listen: Option<SocketAddr>,

	/// Send new work to these addresses, such as http://192.168.0.7:8546, as geth does with
	/// `--miner.notify`.
	#[arg(long, value_name = "URL", value_delimiter = ',', value_parser = miners::parse_url)]
	pub(crate) mine_notify: Vec<hyper::Uri>,

	/// The account that earns the blocks' rewards, in SS58 or as 0x and 64 hex digits. With `--dev`
	/// it is Alice's if not given.
	#[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
	pub(crate) beneficiary: Option<AccountId>,

	/// Text for the header's extra data, at most 32 bytes.
	#[arg(long, value_name = "TEXT", default_value = "", value_parser = parse_extra_data)]
	pub(crate) extra_data: String,

	/// The gas limit to move towards, by less than a 1024th a block. 1 gas is 100 ns of execution.
	#[arg(long, value_name = "GAS", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(MIN_GAS_LIMIT..))]
	pub(crate) gas_target: u64,

	/// With `--dev`: the most seconds between two blocks when no transaction waits.
	#[arg(long, value_name = "SECONDS", default_value = "6", value_parser = parse_seconds)]
	pub(crate) heartbeat: Duration,
}

fn parse_account(text: &str) -> Result<AccountId, String> {
	AccountId::from_string(text)
		.map_err(|_| "not an account: give an SS58 address, or 0x and 64 hex digits".into())
}

fn parse_extra_data(text: &str) -> Result<String, String> {
	match text.len() {
		0..=MAX_EXTRA_DATA => Ok(text.into()),
		long => Err(format!(
			"{long} bytes, and the header has room for {MAX_EXTRA_DATA}"
		)),
	}
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
	match text.parse() {
		Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
		_ => Err("not a whole number of seconds from 1 to 3600".into()),
	}
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
	/// Make and look at keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Write a chain specification to a file, plain or raw.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Import blocks from a file, each checked like one from the network.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Remove the whole chain from this machine.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Print what the database says of the chain.
	ChainInfo(sc_cli::ChainInfoCmd),
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::{error::ErrorKind, CommandFactory};

	fn read(args: &[&str]) -> Result<Cli, ErrorKind> {
		let args = ["isthmus-node"].iter().chain(args);
		Cli::try_parse_from(args).map_err(|e| e.kind())
	}

	#[test]
	fn the_command_line_is_sound() {
		Cli::command().debug_assert();
	}

	#[test]
	fn a_producer_has_a_name_and_a_kind() {
		let cli = read(&["--producer-name", "A school", "--producer-kind", "school"]);
		let profile = cli
			.ok()
			.and_then(|cli| cli.producer.profile())
			.expect("both are given");
		assert_eq!(
			(&*profile.name, profile.kind),
			("A school", ProducerKind::School)
		);

		assert!(read(&[]).is_ok_and(|cli| cli.producer.profile().is_none()));
		for half in [
			["--producer-name", "A school"],
			["--producer-kind", "other"],
		] {
			assert_eq!(read(&half).err(), Some(ErrorKind::MissingRequiredArgument));
		}
	}

	#[test]
	fn a_producers_name_has_1_to_64_bytes() {
		assert_eq!(parse_producer_name(&"n".repeat(64)), Ok("n".repeat(64)));
		assert_eq!(
			parse_producer_name(""),
			Err("a producer's name is not empty".into())
		);
		let long = parse_producer_name(&"é".repeat(33));
		assert_eq!(long, Err("66 bytes, and the chain has room for 64".into()));
	}
}
