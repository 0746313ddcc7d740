// SPDX-License-Identifier: Apache-2.0
//! The methods that Ethash miners call: `eth_getWork` and related methods, in geth's formats.
//!
//! geth (1.9 and 1.10) sets the standard, because miners are written for it. There are two differences,
//! both to the miner's advantage:
//!
//! - `eth_getWork` waits a moment for new work if geth would return an error or outdated work, because
//!   ethminer stops for half a minute after an error.
//! - A hash rate can have leading zeros, because ethminer sends them.
//!
//! Other code accepts connections (`miners.rs`, or the node's RPC server) and checks seals
//! (`isthmus_engine::Sealer`).

use crate::client::FullSealer;
use isthmus_engine::{Job, SubmitError};
pub use isthmus_miners::request::ArgumentError;
use isthmus_miners::request::{parse_bytes, parse_number};
use isthmus_primitives::{digest::Seal, Hash};
use jsonrpsee::{
	core::async_trait,
	proc_macros::rpc,
	types::{error::INVALID_PARAMS_CODE, ErrorObjectOwned},
	Extensions,
};
use polkadot_sdk::*;
use sc_rpc_api::{check_if_safe, UnsafeRpcError};
use std::time::{Duration, Instant};

/// The error code if geth has no specific code for the error.
const GETH_ERROR: i32 = -32000;
/// How long to wait for work if there is none: building a template takes at most two seconds.
pub(super) const WORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Work for miners, with geth's names and formats. Numbers and bytes are hexadecimal, with `0x`.
#[rpc(server)]
pub trait EthMiningApi {
	/// Returns the current work: the hash to seal (32 bytes), the seed of its Ethash epoch (32 bytes), the
	/// boundary that the result must not exceed (32 bytes), and the block's number.
	#[method(name = "eth_getWork", with_extensions)]
	async fn get_work(&self) -> Result<[String; 4], Error>;

	/// Submits a seal: the nonce (8 bytes), the sealed hash and the mix hash. Returns true if the seal made
	/// a block, and false if the seal is invalid or its work is unknown or too old. The metrics say which, and
	/// the log at the level debug.
	#[method(name = "eth_submitWork", with_extensions)]
	async fn submit_work(
		&self,
		nonce: String,
		seal_hash: String,
		mix_hash: String,
	) -> Result<bool, Error>;

	/// Reports a miner's hash rate, in hashes per second, under an identifier of its choice (32 bytes). The
	/// rate counts for two and a half minutes.
	#[method(name = "eth_submitHashrate", aliases = ["eth_submitHashRate"], with_extensions)]
	fn submit_hash_rate(&self, rate: String, id: String) -> Result<bool, Error>;

	/// Returns the sum of the built-in miner's hash rate and all submitted rates.
	#[method(name = "eth_hashrate")]
	fn hash_rate(&self) -> Result<String, Error>;

	/// Returns whether this node has work for miners.
	#[method(name = "eth_mining")]
	fn mining(&self) -> Result<bool, Error>;
}

/// Why a method fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	#[error("mining is not enabled: start the node with `--mine` and `--beneficiary ACCOUNT`")]
	NotMining,
	#[error("no mining work available yet")]
	NoWork,
	#[error("invalid argument {index}: {reason}")]
	Argument { index: usize, reason: ArgumentError },
	#[error(transparent)]
	Unsafe(#[from] UnsafeRpcError),
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let code = match error {
			Error::Unsafe(refused) => return refused.into(),
			Error::NotMining | Error::NoWork => GETH_ERROR,
			Error::Argument { .. } => INVALID_PARAMS_CODE,
		};
		Self::owned(code, error.to_string(), None::<()>)
	}
}

/// Serves the methods with a sealer, or with `None` if the node does not mine.
pub struct EthMining(Option<FullSealer>);

impl EthMining {
	pub fn new(sealer: Option<FullSealer>) -> Self {
		Self(sealer)
	}

	fn sealer(&self) -> Result<&FullSealer, Error> {
		self.0.as_ref().ok_or(Error::NotMining)
	}
}

#[async_trait]
impl EthMiningApiServer for EthMining {
	async fn get_work(&self, extensions: &Extensions) -> Result<[String; 4], Error> {
		check_if_safe(extensions)?;
		let job = self.sealer()?.wait_for_current(WORK_TIMEOUT).await;
		Ok(work(&*job.ok_or(Error::NoWork)?))
	}

	async fn submit_work(
		&self,
		extensions: &Extensions,
		nonce: String,
		seal_hash: String,
		mix_hash: String,
	) -> Result<bool, Error> {
		check_if_safe(extensions)?;
		let nonce = u64::from_be_bytes(bytes(0, &nonce)?);
		let seal_hash = Hash::from(bytes(1, &seal_hash)?);
		let mix_hash = Hash::from(bytes(2, &mix_hash)?);
		let seal = Seal { mix_hash, nonce };
		match self.sealer()?.submit(seal_hash, seal).await {
			Ok(_) => Ok(true),
			// Anyone who may mine can cause these lines, as often as they like.
			Err(error @ (SubmitError::UnknownWork(_) | SubmitError::Refused(_))) => {
				log::debug!(target: "pow", "rejecting a miner's seal: {error}");
				Ok(false)
			}
			Err(error) => {
				log::warn!(target: "pow", "lost a mined block: {error}");
				Ok(false)
			}
		}
	}

	fn submit_hash_rate(
		&self,
		extensions: &Extensions,
		rate: String,
		id: String,
	) -> Result<bool, Error> {
		check_if_safe(extensions)?;
		let rate = number(0, &rate)?;
		let id = Hash::from(bytes(1, &id)?);
		Ok(self.sealer()?.hash_rate().submit(id, rate, Instant::now()))
	}

	fn hash_rate(&self) -> Result<String, Error> {
		let rate = self.0.as_ref().map_or(0, |sealer| {
			let (rate, now) = (sealer.hash_rate(), Instant::now());
			rate.built_in(now).saturating_add(rate.submitted(now))
		});
		Ok(format!("{rate:#x}"))
	}

	fn mining(&self) -> Result<bool, Error> {
		Ok(self.0.is_some())
	}
}

/// Returns a job in geth's format: the hash to seal, the epoch's seed, the boundary, and H_i.
pub fn work(job: &Job) -> [String; 4] {
	let hex = |bytes: [u8; 32]| format!("0x{}", hex::encode(bytes));
	[
		hex(job.seal_hash.0),
		hex(job.epoch_seed()),
		hex(job.boundary().to_bytes()),
		format!("{:#x}", job.number),
	]
}

/// Parses an argument of exactly `N` bytes.
pub fn bytes<const N: usize>(index: usize, text: &str) -> Result<[u8; N], Error> {
	parse_bytes(text).map_err(|reason| Error::Argument { index, reason })
}

/// Parses a number of at most 64 bits, with any number of leading zeros.
pub fn number(index: usize, text: &str) -> Result<u64, Error> {
	parse_number(text).map_err(|reason| Error::Argument { index, reason })
}
