// SPDX-License-Identifier: Apache-2.0
//! The RPC methods of every Substrate node.

use crate::{
	client::{FullBackend, FullClient},
	pool::FullPool,
};
use isthmus_primitives::{Block, Hash};
use jsonrpsee::{core::RegisterMethodError, RpcModule};
use polkadot_sdk::*;
use sc_client_api::Backend as _;
use sc_network_sync::SyncingService;
use sc_rpc::{
	author::{Author, AuthorApiServer},
	chain::ChainApiServer,
	offchain::{Offchain, OffchainApiServer},
	state::{ChildStateApiServer, StateApiServer},
	system::System,
	SubscriptionTaskExecutor,
};
use sc_rpc_spec_v2::{
	archive::{Archive, ArchiveApiServer},
	bitswap::{Bitswap, BitswapApiServer},
	chain_head::{ChainHead, ChainHeadApiServer, ChainHeadConfig},
	chain_spec::{ChainSpec, ChainSpecApiServer},
	transaction::{
		Transaction, TransactionApiServer, TransactionBroadcast, TransactionBroadcastApiServer,
		TransactionMetrics,
	},
};
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// How many transactions a connection may broadcast at a time.
const MAX_BROADCASTS: usize = 16;

/// How many blocks may wait for finality when a client begins to follow the chain (`chainHead_v1_follow`), instead of
/// Substrate's 128. All of them are pinned at once. Substrate pins 512, and a subscription remembers 496 that are not final:
/// the rest of them is for the last 16 final blocks, which are pinned too, and for forks.
pub(crate) const MAX_LAG: usize = 464;
/// How many messages may wait for a slow client: those about all blocks that are pinned, two for each.
const MESSAGES: usize = 1024;

/// What the methods need to respond.
pub(crate) struct Deps<'a> {
	pub(crate) client: Arc<FullClient>,
	pub(crate) backend: Arc<FullBackend>,
	pub(crate) pool: Arc<FullPool>,
	pub(crate) keystore: KeystorePtr,
	pub(crate) sync: Arc<SyncingService<Block>>,
	pub(crate) system: RpcModule<System<Block>>,
	pub(crate) spec: &'a dyn sc_service::ChainSpec,
	pub(crate) genesis: Hash,
	/// Whether the node keeps all blocks and states.
	pub(crate) keeps_all: bool,
	pub(crate) metrics: Option<TransactionMetrics>,
	pub(crate) executor: SubscriptionTaskExecutor,
}

/// Returns all methods in one module.
///
/// # Errors
///
/// Returns an error if two methods have the same name.
pub(crate) fn create(deps: Deps) -> Result<RpcModule<()>, RegisterMethodError> {
	let Deps {
		client,
		backend,
		pool,
		keystore,
		sync,
		system,
		spec,
		genesis,
		keeps_all,
		metrics,
		executor,
	} = deps;
	let mut module = RpcModule::new(());
	let (state, child_state) = sc_rpc::state::new_full(client.clone(), executor.clone(), None);
	module.merge(state.into_rpc())?;
	module.merge(child_state.into_rpc())?;
	module.merge(sc_rpc::chain::new_full(client.clone(), executor.clone()).into_rpc())?;
	module.merge(system)?;
	if let Some(storage) = backend.offchain_storage() {
		module.merge(Offchain::new(storage).into_rpc())?;
	}
	module
		.merge(Author::new(client.clone(), pool.clone(), keystore, executor.clone()).into_rpc())?;

	let broadcast = TransactionBroadcast::new(
		client.clone(),
		pool.clone(),
		executor.clone(),
		MAX_BROADCASTS,
	);
	module.merge(broadcast.into_rpc())?;
	module.merge(Transaction::new(client.clone(), pool, executor.clone(), metrics).into_rpc())?;
	let limits = ChainHeadConfig {
		max_lagging_distance: MAX_LAG,
		subscription_buffer_cap: MESSAGES,
		..ChainHeadConfig::default()
	};
	let head = ChainHead::new(client.clone(), backend.clone(), executor.clone(), limits);
	module.merge(head.into_rpc())?;
	module.merge(ChainSpec::new(spec.name().into(), genesis, spec.properties()).into_rpc())?;
	module.merge(Bitswap::new(client.clone(), sync).into_rpc())?;
	if keeps_all {
		module.merge(Archive::new(client, backend, genesis, executor).into_rpc())?;
	}
	Ok(module)
}
