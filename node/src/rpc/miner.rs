// SPDX-License-Identifier: Apache-2.0
//! Methods that change the miner's choices while the node runs: `miner_*`, as geth has them. A restart brings the
//! options of the command line back.

use crate::cli::parse_account;
use isthmus_engine::{CpuMiner, MinerChoices, MAX_THREADS};
use isthmus_miners::request::{parse_number, ArgumentError};
use isthmus_primitives::{digest::MAX_EXTRA_DATA, params::MIN_GAS_LIMIT};
use jsonrpsee::{
	core::async_trait,
	proc_macros::rpc,
	types::{
		error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
		ErrorObjectOwned,
	},
	Extensions,
};
use polkadot_sdk::*;
use sc_rpc_api::{check_if_safe, UnsafeRpcError};
use serde::Serialize;
use sp_core::crypto::Ss58Codec;
use std::sync::Arc;
use tokio::sync::watch;

/// The error code of geth's methods if the node does not mine.
const NOT_MINING: i32 = -32000;

/// Changes to the miner. All methods are unsafe.
#[rpc(server, namespace = "miner")]
pub trait MinerApi {
	/// Sets the number of threads of the built-in miner; without a number, as many as it was started with, and
	/// at least one.
	#[method(name = "start", with_extensions)]
	async fn start(&self, threads: Option<u64>) -> Result<(), Error>;

	/// Stops the built-in miner's threads. Other programs can still mine.
	#[method(name = "stop", with_extensions)]
	async fn stop(&self) -> Result<(), Error>;

	/// Sets H_c, the account that earns the rewards, in SS58 or as `0x` and 64 hexadecimal digits.
	#[method(name = "setEtherbase", aliases = ["miner_setBeneficiary"], with_extensions)]
	fn set_beneficiary(&self, account: String) -> Result<bool, Error>;

	/// Sets H_x, a text of at most 32 bytes.
	#[method(name = "setExtra", with_extensions)]
	fn set_extra(&self, text: String) -> Result<bool, Error>;

	/// Sets the gas limit that H_l approaches, in hexadecimal.
	#[method(name = "setGasLimit", with_extensions)]
	fn set_gas_limit(&self, gas: String) -> Result<bool, Error>;

	/// Returns what the miner uses now.
	#[method(name = "settings", with_extensions)]
	fn settings(&self) -> Result<Settings, Error>;
}

/// What the miner uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
	/// The threads of the built-in miner.
	pub threads: usize,
	/// H_c, in SS58.
	pub beneficiary: String,
	/// H_x, in hexadecimal.
	pub extra_data: String,
	/// The gas limit that H_l approaches, in gas.
	pub gas_target: u64,
}

/// Why a method fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	#[error("mining is not enabled: start the node with `--mine` and `--beneficiary ACCOUNT`")]
	NotMining,
	#[error("{0}")]
	Account(String),
	#[error("{0} bytes, and the header has room for {MAX_EXTRA_DATA}")]
	ExtraData(usize),
	#[error("the gas limit must be at least {MIN_GAS_LIMIT}")]
	GasLimit,
	#[error("at most {MAX_THREADS} threads")]
	Threads,
	#[error("invalid argument 0: {0}")]
	Number(#[from] ArgumentError),
	#[error("a thread could not be started: {0}")]
	Start(#[from] std::io::Error),
	#[error(transparent)]
	Unsafe(#[from] UnsafeRpcError),
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let code = match error {
			Error::Unsafe(refused) => return refused.into(),
			Error::NotMining => NOT_MINING,
			Error::Start(_) => INTERNAL_ERROR_CODE,
			Error::Account(_)
			| Error::ExtraData(_)
			| Error::GasLimit
			| Error::Threads
			| Error::Number(_) => INVALID_PARAMS_CODE,
		};
		Self::owned(code, error.to_string(), None::<()>)
	}
}

/// What the methods change. Clones refer to the same miner.
#[derive(Clone)]
pub struct Control {
	/// The built-in miner.
	pub miner: Arc<CpuMiner>,
	/// The choices that go into templates.
	pub choices: watch::Sender<MinerChoices>,
	/// The number of threads that the miner was started with.
	pub threads: usize,
}

/// Serves the methods, or refuses them if the node does not mine.
pub struct Miner(Option<Control>);

impl Miner {
	/// Serves the methods with a miner, or with `None` if the node does not mine.
	pub fn new(control: Option<Control>) -> Self {
		Self(control)
	}

	fn control(&self, extensions: &Extensions) -> Result<&Control, Error> {
		check_if_safe(extensions)?;
		self.0.as_ref().ok_or(Error::NotMining)
	}

	fn change(
		&self,
		extensions: &Extensions,
		change: impl FnOnce(&mut MinerChoices),
	) -> Result<bool, Error> {
		self.control(extensions)?.choices.send_modify(change);
		Ok(true)
	}

	async fn set_threads(&self, extensions: &Extensions, threads: usize) -> Result<(), Error> {
		let miner = self.control(extensions)?.miner.clone();
		// Threads end within half a second.
		let set = tokio::task::spawn_blocking(move || miner.set_threads(threads));
		Ok(set.await.map_err(std::io::Error::other)??)
	}
}

#[async_trait]
impl MinerApiServer for Miner {
	async fn start(&self, extensions: &Extensions, threads: Option<u64>) -> Result<(), Error> {
		let threads = match threads {
			None => self.control(extensions)?.threads.max(1),
			Some(threads) => usize::try_from(threads).map_err(|_| Error::Threads)?,
		};
		if threads > MAX_THREADS {
			return Err(Error::Threads);
		}
		self.set_threads(extensions, threads).await
	}

	async fn stop(&self, extensions: &Extensions) -> Result<(), Error> {
		self.set_threads(extensions, 0).await
	}

	fn set_beneficiary(&self, extensions: &Extensions, account: String) -> Result<bool, Error> {
		self.control(extensions)?;
		let account = parse_account(&account).map_err(Error::Account)?;
		self.change(extensions, |choices| choices.beneficiary = account)
	}

	fn set_extra(&self, extensions: &Extensions, text: String) -> Result<bool, Error> {
		self.control(extensions)?;
		if text.len() > MAX_EXTRA_DATA {
			return Err(Error::ExtraData(text.len()));
		}
		self.change(extensions, |choices| choices.extra_data = text.into_bytes())
	}

	fn set_gas_limit(&self, extensions: &Extensions, gas: String) -> Result<bool, Error> {
		self.control(extensions)?;
		let gas = parse_number(&gas)?;
		if gas < MIN_GAS_LIMIT {
			return Err(Error::GasLimit);
		}
		self.change(extensions, |choices| choices.gas_target = gas)
	}

	fn settings(&self, extensions: &Extensions) -> Result<Settings, Error> {
		let control = self.control(extensions)?;
		let choices = control.choices.borrow().clone();
		Ok(Settings {
			threads: control.miner.threads(),
			beneficiary: choices.beneficiary.to_ss58check(),
			extra_data: format!("0x{}", hex::encode(choices.extra_data)),
			gas_target: choices.gas_target,
		})
	}
}
