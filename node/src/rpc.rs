// SPDX-License-Identifier: Apache-2.0
//! The RPC: the node's own methods, those of every Substrate node, and the server that answers them.

pub mod block;
mod dry_run;
mod error;
pub mod eth;
pub(crate) mod framework;
mod gaps;
pub mod history;
pub mod light;
pub mod miner;
pub mod mining;
mod no_subscriptions;
pub mod origins;
pub mod risk;
pub(crate) mod server;
pub mod sharing;
pub mod verification;

use crate::{
	client::{FullBackend, FullChain, FullClient, FullSealer},
	history::History,
	pool::FullPool,
	verifiers::VerifierSets,
};
use isthmus_engine::Executed;
use isthmus_primitives::{Block, BlockNumber, Hash};
use jsonrpsee::{core::RegisterMethodError, RpcModule};
use polkadot_sdk::*;
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use std::sync::Arc;

/// What the methods need to respond. Clones refer to the same node, because a node has several RPC servers.
#[derive(Clone)]
pub(crate) struct Deps {
	pub(crate) client: Arc<FullClient>,
	pub(crate) pool: Arc<FullPool>,
	pub(crate) chain: Arc<FullChain>,
	pub(crate) finality: FinalityDeps,
	/// `None` if the node does not mine.
	pub(crate) sealer: Option<FullSealer>,
	/// `None` if the node does not mine.
	pub(crate) control: Option<miner::Control>,
	pub(crate) sharing: sharing::Sharing,
	pub(crate) history: Arc<History>,
}

/// What the methods on finality need to respond.
#[derive(Clone)]
pub(crate) struct FinalityDeps {
	pub(crate) voter_state: SharedVoterState,
	pub(crate) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub(crate) justifications: GrandpaJustificationStream<Block>,
	pub(crate) proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
	pub(crate) light: Arc<light::Light>,
	pub(crate) sets: Arc<VerifierSets>,
	pub(crate) executed: Arc<Executed>,
}

/// Returns all methods in one module: the framework's and this node's own.
///
/// # Errors
///
/// Returns an error if two methods have the same name.
pub(crate) fn create(
	framework: framework::Deps,
	deps: Deps,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, RegisterMethodError> {
	use self::{
		dry_run::{DryRun, DryRunApiServer},
		eth::{EthBlocks, EthBlocksApiServer},
		history::{HistoryApiServer, SharingHistory},
		light::LightApiServer,
		miner::{Miner, MinerApiServer},
		mining::{EthMining, EthMiningApiServer},
		risk::{RiskApiServer, Risks},
		sharing::SharingApiServer,
		verification::{VerificationApiServer, Verifications},
	};
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let Deps {
		client,
		pool,
		chain,
		finality,
		sealer,
		control,
		sharing,
		history,
	} = deps;
	let FinalityDeps {
		voter_state,
		authority_set,
		justifications,
		proofs,
		light,
		sets,
		executed,
	} = finality;
	let verifications = Verifications::new(client.clone(), sets, executed, voter_state.clone());
	let grandpa = Grandpa::new(executor, authority_set, voter_state, justifications, proofs);
	let mut module = framework::create(framework)?;
	let blocks = EthBlocks {
		client: client.clone(),
		chain: chain.clone(),
		sealer: sealer.clone(),
	};
	module.merge(blocks.into_rpc())?;
	module.merge(EthMining::new(sealer).into_rpc())?;
	module.merge(Miner::new(control).into_rpc())?;
	let mut system = System::new(client.clone(), pool).into_rpc();
	for name in dry_run::NAMES {
		system.remove_method(name);
	}
	module.merge(system)?;
	module.merge(DryRun::new(client.clone(), chain.clone()).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(verifications.into_rpc())?;
	module.merge(Risks::new(client, chain).into_rpc())?;
	module.merge(sharing.into_rpc())?;
	module.merge(SharingHistory(history).into_rpc())?;
	module.merge(grandpa.into_rpc())?;
	module.merge(light::Methods(light).into_rpc())?;
	Ok(module)
}
