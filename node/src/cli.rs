// SPDX-License-Identifier: Apache-2.0
//! The node's command line: its options and subcommands.

use crate::{
	check_state::CheckStateCmd, keys::KeyCommand, miners, pool::Limits, producer::Profile,
};
use clap::{
	builder::{RangedU64ValueParser, TypedValueParser},
	ArgAction, Args, Parser, Subcommand, ValueEnum,
};
use isthmus_engine::MAX_THREADS;
use isthmus_miners::START_DIFFICULTY;
use isthmus_primitives::{digest::MAX_EXTRA_DATA, params::MIN_GAS_LIMIT, AccountId};
use isthmus_sharing::{terms::MAX_NAME_SIZE, ProducerKind};
use polkadot_sdk::*;
use sc_cli::RunCmd;
use sc_storage_monitor::StorageMonitorParams;
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, time::Duration};

/// The gas limit to approach by default.
pub(crate) const GAS_TARGET: u64 = 20_000_000;
/// The maximum time between two blocks of a development chain by default, in seconds as the option has it, and as it is read.
const HEARTBEAT_SECONDS: &str = "6";
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(6);

/// A node of an Isthmus chain: proof of work, and data shared under authorization.
#[derive(Debug, Parser)]
#[command(
	after_help = "Example: a temporary development chain that mines on demand:\n  isthmus-node --dev",
	// A block of 8 MiB takes 16.8 MB in hexadecimal.
	mut_arg("rpc_max_response_size", |arg| arg.default_value("24")),
	// The node has one kind of transaction pool (docs/adr/0023).
	mut_arg("pool_type", |arg| arg.default_value("single-state").hide(true)),
	mut_arg("pool_best_blocks_only", |arg| arg.hide(true))
)]
pub struct Cli {
	#[command(subcommand)]
	pub subcommand: Option<Command>,

	#[command(flatten)]
	pub run: RunCmd,

	#[command(flatten)]
	pub mining: MiningArgs,

	#[command(flatten)]
	pub sync: SyncArgs,

	#[command(flatten)]
	pub producer: ProducerArgs,

	#[command(flatten)]
	pub storage: StorageMonitorParams,
}

impl Cli {
	/// Returns the limits of the transaction pool.
	pub fn pool_limits(&self) -> Limits {
		let given = &self.run.pool_config;
		let default = Limits::default();
		let ban_time = match given.tx_ban_seconds {
			Some(seconds) => Duration::from_secs(seconds),
			// A developer may send a transaction again at once.
			None if self.run.shared_params.is_dev() => Duration::ZERO,
			None => default.ban_time,
		};
		Limits {
			count: given.pool_limit,
			bytes: given.pool_kbytes.saturating_mul(1024),
			ban_time,
		}
	}
}

/// The sync options.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Sync")]
pub struct SyncArgs {
	/// The memory for blocks that are requested from peers, have arrived or are being imported, in MiB: at
	/// least 64.
	#[arg(long, value_name = "MIB", default_value = "256", value_parser = clap::value_parser!(u64).range(64..=1 << 20))]
	sync_memory: u64,
}

impl SyncArgs {
	/// Returns the memory for blocks, in bytes.
	pub fn memory_bytes(&self) -> u64 {
		self.sync_memory.saturating_mul(1024 * 1024)
	}
}

/// The producer that the node registers automatically.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data producer")]
pub struct ProducerArgs {
	/// Register a producer with this name (1 to 64 bytes) when the node has synced, unless its account is
	/// already registered. The account belongs to the `prod` key in the keystore; without such a key,
	/// `--dev`, `--alice` and the like use the development account.
	#[arg(long, value_name = "NAME", requires = "producer_kind", value_parser = parse_producer_name)]
	producer_name: Option<String>,

	/// The kind of producer.
	#[arg(long, value_name = "KIND", requires = "producer_name")]
	producer_kind: Option<Kind>,

	/// The producer's account, in SS58 or as 0x and 64 hex digits, if the keystore has several `prod` keys.
	#[arg(long, value_name = "ACCOUNT", requires = "producer_name", value_parser = parse_account)]
	producer_account: Option<AccountId>,
}

/// The kinds of producer, by their names on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
	School,
	Government,
	Business,
	Other,
}

impl ProducerArgs {
	/// Returns the producer to register, if one is given on the command line.
	pub fn profile(&self) -> Option<Profile> {
		let kind = match self.producer_kind? {
			Kind::School => ProducerKind::School,
			Kind::Government => ProducerKind::Government,
			Kind::Business => ProducerKind::Business,
			Kind::Other => ProducerKind::Other,
		};
		let name = self.producer_name.clone()?;
		let account = self.producer_account.clone();
		Some(Profile {
			name,
			kind,
			account,
		})
	}
}

pub fn parse_producer_name(text: &str) -> Result<String, String> {
	match text.len() {
		0 => Err("the name must not be empty".into()),
		long if long > MAX_NAME_SIZE as usize => Err(format!(
			"{long} bytes, and the chain has room for {MAX_NAME_SIZE}"
		)),
		_ => Ok(text.into()),
	}
}

/// The mining options.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mining")]
pub struct MiningArgs {
	/// Mine: build block templates and search for seals with this machine's processor. `--dev` implies it.
	#[arg(long, action = ArgAction::SetTrue)]
	pub mine: bool,

	/// The number of threads on this machine that mine and generate the Ethash dataset. With 0, only other
	/// programs mine: through `--miners-listen`, `--mine-notify` or the RPC.
	#[arg(long, value_name = "COUNT", default_value = "1", value_parser = thread_count())]
	pub threads: usize,

	/// Limit all of this machine's threads together to this number of hashes per second. Unlimited by
	/// default.
	#[arg(long, value_name = "HASHES")]
	pub hash_rate: Option<NonZeroU64>,

	/// Keep the epoch's Ethash dataset in this folder (1 GiB or more at full size), so that a restart does
	/// not generate it again. By default it is only kept in memory.
	#[arg(long, value_name = "FOLDER")]
	pub ethash_dir: Option<PathBuf>,

	/// Serve other Ethash miners at this address, for example 127.0.0.1:8545. Only eth_getWork,
	/// eth_submitWork, the other mining methods and reads of blocks are available there.
	#[arg(long, value_name = "ADDRESS")]
	pub miners_listen: Option<SocketAddr>,

	/// Serve Stratum workers at this address, for example 0.0.0.0:8008, in the dialects EthereumStratum/1.0.0
	/// and eth-proxy.
	#[arg(long, value_name = "ADDRESS")]
	pub stratum_listen: Option<SocketAddr>,

	/// With `--stratum-listen`: the difficulty of a worker's first shares, in hashes. It then follows the worker's speed, and is
	/// never above the block's difficulty.
	#[arg(long, value_name = "HASHES", default_value_t = START_DIFFICULTY, value_parser = clap::value_parser!(u64).range(1..))]
	pub stratum_difficulty: u64,

	/// Admit only miners that know the secret in this file, 8 to 64 letters and digits, to `--miners-listen` and
	/// `--stratum-listen`.
	#[arg(long, value_name = "FILE")]
	pub miners_secret_file: Option<PathBuf>,

	/// Send new work to these addresses, for example http://192.168.0.7:8546, as geth does with
	/// `--miner.notify`.
	#[arg(long, value_name = "URL", value_delimiter = ',', value_parser = miners::parse_url)]
	pub mine_notify: Vec<hyper::Uri>,

	/// The account that earns the block rewards, in SS58 or as 0x and 64 hex digits. With `--dev` the default
	/// is Alice's.
	#[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
	pub beneficiary: Option<AccountId>,

	/// The header's extra data, text of at most 32 bytes.
	#[arg(long, value_name = "TEXT", default_value = "", value_parser = parse_extra_data)]
	pub extra_data: String,

	/// The gas limit to approach, by less than 1/1024 per block. 1 gas is 100 ns of execution.
	#[arg(long, value_name = "GAS", default_value_t = GAS_TARGET, value_parser = clap::value_parser!(u64).range(MIN_GAS_LIMIT..))]
	pub gas_target: u64,

	/// With `--dev`: the maximum time between two blocks while no transaction is waiting, in seconds.
	#[arg(long, value_name = "SECONDS", default_value = HEARTBEAT_SECONDS, value_parser = parse_seconds)]
	pub heartbeat: Duration,
}

/// Returns the parser of a number of threads.
fn thread_count() -> impl TypedValueParser<Value = usize> {
	RangedU64ValueParser::<usize>::new().range(..=MAX_THREADS as u64)
}

pub fn parse_account(text: &str) -> Result<AccountId, String> {
	// `Ss58Codec::from_string` would not read hexadecimal digits.
	text.parse::<AccountId>()
		.map_err(|_| "expected an SS58 address, or 0x and 64 hex digits".into())
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
		_ => Err("expected a whole number of seconds from 1 to 3600".into()),
	}
}

#[derive(Debug, Subcommand)]
pub enum Command {
	/// Generate, inspect and insert keys.
	#[command(subcommand)]
	Key(KeyCommand),

	/// Write a chain specification to a file or standard output, plain or raw.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Import blocks from a file; each block is verified like one from the network.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Delete the chain's database from this machine; keys stay.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Print the state of the chain's database.
	ChainInfo(sc_cli::ChainInfoCmd),

	/// Check the state of a block: whether its entries fit together, and all deposits are held.
	CheckState(CheckStateCmd),
}
