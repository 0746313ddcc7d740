// SPDX-License-Identifier: Apache-2.0
//! Serves what nodes need that begin with a finalized block instead of genesis: proofs of finality, and state.

use crate::client::{FullBackend, FullChain};
use isthmus_primitives::{Block, BlockNumber, Hash};
use isthmus_sync::{in_turn, WarpProtocols};
use polkadot_sdk::*;
use sc_consensus_grandpa::{warp_proof::NetworkProvider, SharedAuthoritySet};
use sc_network::{config::FullNetworkConfiguration, Litep2pNetworkBackend};
use sc_network_sync::{
	service::network::NetworkServiceHandle,
	state_request_handler::StateRequestHandler,
	strategy::warp::{EncodedProof, Verifier, WarpSyncProvider},
	warp_request_handler::RequestHandler as ProofRequestHandler,
};
use sc_service::{Configuration, TaskManager};
use sp_blockchain::HeaderBackend;
use std::{error::Error, sync::Arc};

use super::parts::Core;

/// What serving needs.
pub(super) struct Inputs<'a> {
	pub(super) config: &'a Configuration,
	pub(super) core: &'a Core,
	pub(super) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub(super) net_config: &'a mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	pub(super) network: NetworkServiceHandle,
	pub(super) task_manager: &'a TaskManager,
}

/// Starts to serve proofs of finality and state, and returns where to ask other nodes for them.
pub(super) fn start(inputs: Inputs<'_>) -> WarpProtocols {
	let Inputs {
		config,
		core,
		authority_set,
		net_config,
		network,
		task_manager,
	} = inputs;
	let (protocol_id, fork_id) = (config.protocol_id(), config.chain_spec.fork_id());
	let peers = &config.network.default_peers_set;
	let peers = peers.in_peers.saturating_add(peers.out_peers) as usize;
	let spawn = task_manager.spawn_handle();

	let (handler, mut state_config) = StateRequestHandler::new::<Litep2pNetworkBackend>(
		&protocol_id,
		fork_id,
		core.client.clone(),
		peers,
	);
	spawn.spawn("state-request-handler", Some("networking"), handler.run());
	let patience = state_config.request_timeout;
	let turns = in_turn(&mut state_config.inbound_queue, peers, patience);
	spawn.spawn("state-request-turns", Some("networking"), turns);
	let state = state_config.protocol_name.clone();
	net_config.add_request_response_protocol(state_config);

	let provider = Arc::new(Proofs {
		inner: NetworkProvider::new(core.backend.clone(), authority_set, Vec::new()),
		chain: core.chain.clone(),
	});
	let genesis = core.client.info().genesis_hash;
	let (handler, mut proofs_config) = ProofRequestHandler::new::<_, Litep2pNetworkBackend>(
		protocol_id,
		genesis,
		fork_id,
		provider.clone(),
	);
	spawn.spawn("proof-request-handler", Some("networking"), handler.run());
	let patience = proofs_config.request_timeout;
	let turns = in_turn(&mut proofs_config.inbound_queue, peers, patience);
	spawn.spawn("proof-request-turns", Some("networking"), turns);
	let proofs = proofs_config.protocol_name.clone();
	net_config.add_request_response_protocol(proofs_config);

	WarpProtocols {
		provider,
		proofs,
		state,
		network,
	}
}

/// GRANDPA's proofs of finality, from the beginning of this node's history on.
struct Proofs {
	inner: NetworkProvider<Block, FullBackend>,
	chain: Arc<FullChain>,
}

impl WarpSyncProvider<Block> for Proofs {
	fn generate(&self, begin: Hash) -> Result<EncodedProof, Box<dyn Error + Send + Sync>> {
		let start = self.chain.history_start()?;
		let number = self.chain.client().number(begin)?;
		// GRANDPA does not know which sets of verifiers voted before, and would prove nothing with the wrong one.
		if number.is_none_or(|number| number < start) {
			return Err(format!("this node's history begins with block #{start}").into());
		}
		self.inner.generate(begin)
	}

	fn create_verifier(&self) -> Box<dyn Verifier<Block>> {
		self.inner.create_verifier()
	}
}
