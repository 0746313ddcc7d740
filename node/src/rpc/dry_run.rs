// SPDX-License-Identifier: Apache-2.0
//! The RPC method `system_dryRun`, which tries a transaction without sending it.
//!
//! It replaces Substrate's, which executes a transaction on the state that a block left, in which that block's own hash is
//! missing. Clients let a transaction begin at the finalized block, so where a block is finalized at once, each one was
//! refused (`AncientBirthBlock`). This one begins the next block first, as the chain does.

use crate::client::{FullChain, FullClient};
use codec::{Decode, Encode};
use isthmus_engine::CheckError;
use isthmus_primitives::{
	digest::{uncles_hash, PreDigest, POW_ENGINE_ID},
	AccountId, Hash, Header,
};
use jsonrpsee::{core::RpcResult, proc_macros::rpc, types::ErrorObjectOwned, Extensions};
use polkadot_sdk::*;
use sp_api::{ApiExt, CallContext, Core, ProvideRuntimeApi};
use sp_block_builder::BlockBuilder;
use sp_blockchain::HeaderBackend;
use sp_core::Bytes;
use sp_runtime::{traits::Header as _, ApplyExtrinsicResult, Digest, DigestItem, OpaqueExtrinsic};
use std::sync::Arc;

/// The names under which Substrate has the method.
pub(crate) const NAMES: [&str; 2] = ["system_dryRun", "system_dryRunAt"];

/// The runtime cannot try the transaction, for example because the block's state was pruned. Substrate's code.
const RUNTIME: i32 = 1;
/// The bytes are no transaction. Substrate's code.
const NO_TRANSACTION: i32 = 2;

/// The RPC method.
#[rpc(server)]
pub trait DryRunApi {
	/// Executes a transaction in a block on top of `at`, by default the best block, and returns the SCALE-encoded
	/// `ApplyExtrinsicResult`. Nothing is kept.
	#[method(name = "system_dryRun", aliases = ["system_dryRunAt"], blocking, with_extensions)]
	fn dry_run(&self, extrinsic: Bytes, at: Option<Hash>) -> RpcResult<Bytes>;
}

/// Why a transaction cannot be tried.
#[derive(Debug, thiserror::Error)]
enum Error {
	#[error("the bytes are no transaction, which begins with its length: {0}")]
	NoTransaction(#[from] codec::Error),
	#[error("the transaction cannot be tried there: {0}")]
	Parent(#[from] CheckError),
	#[error("the runtime cannot try the transaction: {0}")]
	Runtime(#[from] sp_api::ApiError),
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let code = match error {
			Error::NoTransaction(_) => NO_TRANSACTION,
			Error::Parent(_) | Error::Runtime(_) => RUNTIME,
		};
		Self::owned(code, error.to_string(), None::<()>)
	}
}

/// Tries transactions on this node's blocks.
pub(crate) struct DryRun {
	client: Arc<FullClient>,
	chain: Arc<FullChain>,
}

impl DryRun {
	pub(crate) fn new(client: Arc<FullClient>, chain: Arc<FullChain>) -> Self {
		Self { client, chain }
	}

	fn execute(&self, extrinsic: &[u8], parent: Hash) -> Result<ApplyExtrinsicResult, Error> {
		let extrinsic = OpaqueExtrinsic::decode(&mut &*extrinsic)?;
		let header = self.next(parent)?;
		let mut api = self.client.runtime_api();
		api.set_call_context(CallContext::Onchain { import: false });
		api.initialize_block(parent, &header)?;
		Ok(api.apply_extrinsic(parent, extrinsic)?)
	}

	/// Returns the header of a block on this parent, with what the runtime reads when a block begins. It reads no seal.
	fn next(&self, parent: Hash) -> Result<Header, CheckError> {
		let parent = self.chain.parent(parent)?;
		let pre = PreDigest {
			beneficiary: AccountId::new([0; 32]),
			difficulty: parent.difficulty,
			gas_limit: parent.gas_limit,
			timestamp: parent.timestamp.saturating_add(1),
			uncles_hash: uncles_hash(&[]),
			extra_data: Vec::new(),
		};
		let logs = vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())];
		let number = parent.number.saturating_add(1);
		let [root, state_root] = [Hash::zero(); 2];
		Ok(Header::new(
			number,
			root,
			state_root,
			parent.hash,
			Digest { logs },
		))
	}
}

impl DryRunApiServer for DryRun {
	fn dry_run(&self, ext: &Extensions, extrinsic: Bytes, at: Option<Hash>) -> RpcResult<Bytes> {
		sc_rpc_api::check_if_safe(ext)?;
		let parent = at.unwrap_or_else(|| self.client.info().best_hash);
		Ok(self.execute(&extrinsic, parent)?.encode().into())
	}
}
