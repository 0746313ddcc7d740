//! The node's own RPC methods, next to those that every Substrate node has.

mod block;
mod error;
pub(crate) mod mining;
mod risk;
pub(crate) mod sharing;
mod verification;

use crate::{
	service::{FullBackend, FullClient, FullPool, FullSealer},
	verifiers::VerifierSets,
};
use isthmus_engine::Chain;
use isthmus_primitives::{Block, BlockNumber, Hash};
use jsonrpsee::RpcModule;
use polkadot_sdk::*;
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use sharing::Sharing;
use std::sync::Arc;

/// What finality's RPC answers from.
#[derive(Clone)]
pub(crate) struct Finality {
	pub(crate) voter_state: SharedVoterState,
	pub(crate) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub(crate) justifications: GrandpaJustificationStream<Block>,
	pub(crate) proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
	pub(crate) sets: Arc<VerifierSets>,
}

/// Puts the methods together.
///
/// # Errors
///
/// Two methods of one name.
pub(crate) fn create(
	client: Arc<FullClient>,
	pool: Arc<FullPool>,
	chain: Arc<Chain<FullClient>>,
	finality: Finality,
	sealer: Option<FullSealer>,
	sharing: Sharing,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	use self::{
		mining::{EthMining, EthMiningApiServer},
		risk::{RiskApiServer, Risks},
		sharing::SharingApiServer,
		verification::{VerificationApiServer, Verifications},
	};
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let mut module = RpcModule::new(());
	module.merge(EthMining::new(sealer).into_rpc())?;
	module.merge(System::new(client.clone(), pool).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(Verifications::new(client.clone(), &finality).into_rpc())?;
	module.merge(Risks::new(client, chain).into_rpc())?;
	module.merge(sharing.into_rpc())?;
	let Finality {
		voter_state,
		authority_set,
		justifications,
		proofs,
		..
	} = finality;
	module.merge(
		Grandpa::new(executor, authority_set, voter_state, justifications, proofs).into_rpc(),
	)?;
	Ok(module)
}
