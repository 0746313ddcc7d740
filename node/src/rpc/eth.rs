// SPDX-License-Identifier: Apache-2.0
//! Reads of blocks in geth's format, as far as mining pools need them: to see which block is mined now, and
//! whether a block or an uncle of theirs is in the chain.
//!
//! An account has 32 bytes here, and a block's transactions are not listed: they are not Ethereum's.

use super::mining::WORK_TIMEOUT;
use crate::client::{FullChain, FullClient, FullSealer};
use isthmus_engine::CheckError;
use isthmus_miners::request::{parse_bytes, parse_number, ArgumentError};
use isthmus_primitives::{digest::PowHeader, Hash, Header};
use jsonrpsee::{
	core::{async_trait, RpcResult},
	proc_macros::rpc,
	types::{
		error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
		ErrorObjectOwned,
	},
};
use polkadot_sdk::*;
use sc_client_api::HeaderBackend;
use serde_json::{json, Value};
use std::sync::Arc;

/// Reads of blocks. Numbers and bytes are hexadecimal, with `0x`; a block that does not exist is null.
#[rpc(server, namespace = "eth")]
pub trait EthBlocksApi {
	/// Returns the best block's number.
	#[method(name = "blockNumber")]
	fn block_number(&self) -> RpcResult<String>;

	/// Returns a block of the best chain by its number, or by `earliest`, `latest`, `finalized` or `safe`.
	/// `pending` is the block that is mined now; if there is none, the method waits for it a moment.
	#[method(name = "getBlockByNumber")]
	async fn block_by_number(&self, block: String, full: Option<bool>) -> RpcResult<Value>;

	/// Returns a block by its hash.
	#[method(name = "getBlockByHash")]
	fn block_by_hash(&self, hash: String, full: Option<bool>) -> RpcResult<Value>;

	/// Returns an uncle that a block of the best chain names, by the block's number and the uncle's index.
	#[method(name = "getUncleByBlockNumberAndIndex")]
	fn uncle(&self, block: String, index: String) -> RpcResult<Value>;
}

/// Why a method fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	#[error("invalid argument {index}: {reason}")]
	Argument { index: usize, reason: ArgumentError },
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
	#[error(transparent)]
	Check(#[from] CheckError),
	#[error("the header of {0} cannot be read")]
	Header(Hash),
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let code = match error {
			Error::Argument { .. } => INVALID_PARAMS_CODE,
			_ => INTERNAL_ERROR_CODE,
		};
		Self::owned(code, error.to_string(), None::<()>)
	}
}

/// Serves the methods.
#[derive(Clone)]
pub(crate) struct EthBlocks {
	pub(crate) client: Arc<FullClient>,
	pub(crate) chain: Arc<FullChain>,
	/// `None` if the node does not mine.
	pub(crate) sealer: Option<FullSealer>,
}

impl EthBlocks {
	/// Returns the header that a text names, if there is one.
	fn named(&self, text: &str) -> Result<Option<Header>, Error> {
		let info = self.client.info();
		let hash = match text {
			"latest" => Some(info.best_hash),
			"finalized" | "safe" => Some(info.finalized_hash),
			"earliest" => Some(info.genesis_hash),
			number => {
				let number =
					parse_number(number).map_err(|reason| Error::Argument { index: 0, reason })?;
				match u32::try_from(number) {
					Ok(number) => self.client.hash(number)?,
					Err(_) => None,
				}
			}
		};
		Ok(match hash {
			Some(hash) => self.client.header(hash)?,
			None => None,
		})
	}

	/// Returns the block that miners work on now. Pools do not expect that there is none.
	async fn pending(&self) -> Value {
		let job = match &self.sealer {
			Some(sealer) => sealer.wait_for_current(WORK_TIMEOUT).await,
			None => None,
		};
		job.map_or(Value::Null, |job| {
			json!({
				"number": format!("{:#x}", job.number),
				"parentHash": job.parent,
				"difficulty": format!("{:#x}", job.difficulty.0),
				"hash": null,
				"nonce": null,
				"transactions": [],
			})
		})
	}

	/// Returns a block in geth's format.
	fn block(&self, header: &Header) -> Result<Value, Error> {
		let hash = header.hash();
		if header.number == 0 {
			return Ok(json!({
				"number": "0x0",
				"hash": hash,
				"parentHash": header.parent_hash,
				"stateRoot": header.state_root,
				"transactions": [],
				"uncles": [],
			}));
		}
		let named = self.chain.named_uncles(header)?;
		let uncles: Vec<Hash> = named.iter().map(Header::hash).collect();
		let mut block = sealed(header)?;
		block["totalDifficulty"] = match self.chain.total_difficulty(hash) {
			Ok(total) => format!("{:#x}", total.0).into(),
			// Below the finalized block it is not kept.
			Err(CheckError::MissingTotalDifficulty(_)) => Value::Null,
			Err(error) => return Err(error.into()),
		};
		block["transactions"] = json!([]);
		block["uncles"] = json!(uncles);
		Ok(block)
	}
}

/// Returns the fields of a header.
fn sealed(header: &Header) -> Result<Value, Error> {
	let pow = PowHeader::read(header).map_err(|_| Error::Header(header.hash()))?;
	let nonce = format!("{:#018x}", pow.seal.nonce);
	Ok(json!({
		"number": format!("{:#x}", pow.number),
		"hash": pow.hash,
		"parentHash": pow.parent_hash,
		"nonce": nonce,
		"mixHash": pow.seal.mix_hash,
		"sealFields": [pow.seal.mix_hash, nonce],
		"sha3Uncles": pow.pre.uncles_hash,
		"stateRoot": header.state_root,
		"transactionsRoot": header.extrinsics_root,
		"miner": format!("0x{}", hex::encode::<&[u8; 32]>(pow.pre.beneficiary.as_ref())),
		"difficulty": format!("{:#x}", pow.pre.difficulty.0),
		"extraData": format!("0x{}", hex::encode(pow.pre.extra_data)),
		"gasLimit": format!("{:#x}", pow.pre.gas_limit),
		"gasUsed": format!("{:#x}", pow.gas_used),
		"timestamp": format!("{:#x}", pow.pre.timestamp),
		"uncles": [],
	}))
}

#[async_trait]
impl EthBlocksApiServer for EthBlocks {
	fn block_number(&self) -> RpcResult<String> {
		Ok(format!("{:#x}", self.client.info().best_number))
	}

	async fn block_by_number(&self, block: String, _: Option<bool>) -> RpcResult<Value> {
		if block == "pending" {
			return Ok(self.pending().await);
		}
		let header = self.named(&block)?;
		Ok(header.map_or(Ok(Value::Null), |header| self.block(&header))?)
	}

	fn block_by_hash(&self, hash: String, _: Option<bool>) -> RpcResult<Value> {
		let hash =
			parse_bytes::<32>(&hash).map_err(|reason| Error::Argument { index: 0, reason })?;
		let header = self.client.header(hash.into()).map_err(Error::from)?;
		Ok(header.map_or(Ok(Value::Null), |header| self.block(&header))?)
	}

	fn uncle(&self, block: String, index: String) -> RpcResult<Value> {
		let index = parse_number(&index).map_err(|reason| Error::Argument { index: 1, reason })?;
		let header = self.named(&block)?.filter(|header| header.number > 0);
		let uncles = match &header {
			Some(header) => self.chain.named_uncles(header).map_err(Error::from)?,
			None => Vec::new(),
		};
		let uncle = usize::try_from(index)
			.ok()
			.and_then(|index| uncles.get(index));
		Ok(uncle.map_or(Ok(Value::Null), sealed)?)
	}
}
