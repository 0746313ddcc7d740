// SPDX-License-Identifier: Apache-2.0
//! Serves what nodes need that begin with a finalized block instead of genesis: proofs of finality, and state.

use crate::client::{FullBackend, FullChain};
use isthmus_primitives::{Block, BlockNumber, Hash};
use isthmus_sync::{in_turn, StrictAnnouncements, WarpProtocols};
use polkadot_sdk::*;
use sc_consensus_grandpa::{warp_proof::NetworkProvider, SharedAuthoritySet};
use sc_network::{config::FullNetworkConfiguration, Litep2pNetworkBackend, NetworkBackend};
use sc_network_sync::{
	service::network::NetworkServiceHandle,
	state_request_handler::StateRequestHandler,
	strategy::warp::{EncodedProof, Verifier, WarpSyncProvider},
	warp_request_handler::RequestHandler as ProofRequestHandler,
};
use sc_service::{Configuration, SpawnTaskHandle, TaskManager};
use sp_blockchain::HeaderBackend;
use std::{error::Error, sync::Arc};

use super::parts::Core;

/// How the protocols of announcements and requests are configured.
pub(super) type Strict = StrictAnnouncements<Litep2pNetworkBackend>;

/// A protocol of requests and answers.
type Protocol =
	<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::RequestResponseProtocolConfig;

/// What serving needs.
pub(super) struct Inputs<'a> {
	pub(super) config: &'a Configuration,
	pub(super) core: &'a Core,
	pub(super) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub(super) net_config: &'a mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	pub(super) network: NetworkServiceHandle,
	pub(super) task_manager: &'a TaskManager,
	/// How many peers the node may have.
	pub(super) peers: usize,
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
		peers,
	} = inputs;
	let (protocol_id, fork_id) = (config.protocol_id(), core.fork_id.as_deref());
	let spawn = task_manager.spawn_handle();

	let (handler, state_config) =
		StateRequestHandler::new::<Strict>(&protocol_id, fork_id, core.client.clone(), peers);
	spawn.spawn("state-request-handler", Some("networking"), handler.run());
	let state = state_config.protocol_name.clone();
	add_in_turns(
		net_config,
		state_config,
		"state-request-turns",
		peers,
		&spawn,
	);

	let provider = Arc::new(Proofs {
		inner: NetworkProvider::new(core.backend.clone(), authority_set, Vec::new()),
		chain: core.chain.clone(),
	});
	let genesis = core.client.info().genesis_hash;
	let (handler, proofs_config) =
		ProofRequestHandler::new::<_, Strict>(protocol_id, genesis, fork_id, provider.clone());
	spawn.spawn("proof-request-handler", Some("networking"), handler.run());
	let proofs = proofs_config.protocol_name.clone();
	add_in_turns(
		net_config,
		proofs_config,
		"proof-request-turns",
		peers,
		&spawn,
	);

	WarpProtocols {
		provider,
		proofs,
		state,
		network,
	}
}

/// Adds a protocol whose requests take turns.
pub(super) fn add_in_turns(
	net_config: &mut FullNetworkConfiguration<Block, Hash, Litep2pNetworkBackend>,
	mut protocol: Protocol,
	task: &'static str,
	peers: usize,
	spawn: &SpawnTaskHandle,
) {
	let turns = in_turn(&mut protocol.inbound_queue, peers, protocol.request_timeout);
	spawn.spawn(task, Some("networking"), turns);
	net_config.add_request_response_protocol(protocol);
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
