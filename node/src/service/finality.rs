// SPDX-License-Identifier: Apache-2.0
//! The GRANDPA stage of starting a node: prepares what the network and the RPC need from GRANDPA, and
//! starts the voter.

use super::{
	network::{Network, Votes},
	parts::{application, Core, JUSTIFICATION_PERIOD},
	statements::Statements,
};
use crate::{
	client::FullGrandpaLink,
	equivocations::Equivocations,
	rpc::{light::Light, FinalityDeps},
	verifiers::VerifierSets,
};
use codec::{Compact, Decode};
use isthmus_engine::{Executed, VoteGuard, VOTER_STATE};
use isthmus_primitives::{BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::{AuxStore, HeaderBackend};
use sc_consensus_grandpa::{
	BeforeBestBlockBy, FinalityProofProvider, GrandpaParams, SharedAuthoritySet, SharedVoterState,
	VotingRulesBuilder,
};
use sc_network::ProtocolName;
use sc_service::{error::Error as ServiceError, Configuration, TaskManager};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_keystore::KeystorePtr;
use std::{sync::Arc, time::Duration};

/// How many blocks behind the best block a node votes, so that finality never affects a short fork.
const VOTE_BEHIND_BEST: u32 = 3;

/// The file beside the keys that contains what the node voted last. `purge-chain` leaves it.
const LAST_VOTES: &str = "last-votes";

/// GRANDPA before the voter starts.
pub(super) struct Finality {
	/// What the RPC methods need to answer.
	pub(super) rpc: FinalityDeps,
	link: FullGrandpaLink,
	config: sc_consensus_grandpa::Config,
}

impl Finality {
	/// Returns the name of the network protocol that carries votes.
	pub(super) fn protocol(&self) -> ProtocolName {
		self.config.protocol_name.clone()
	}
}

/// Prepares what the other stages need from GRANDPA, and starts the tasks that follow finality.
///
/// # Errors
///
/// Returns an error if the metrics cannot be registered, the file of the last votes cannot be read, or the database
/// cannot be written.
pub(super) fn prepare(
	config: &Configuration,
	core: &Core,
	link: FullGrandpaLink,
	task_manager: &TaskManager,
) -> Result<Finality, ServiceError> {
	let authority_set = link.shared_authority_set().clone();
	let light = Light::new(
		core.client.clone(),
		core.backend.clone(),
		authority_set.clone(),
	);
	let rpc = FinalityDeps {
		voter_state: SharedVoterState::empty(),
		authority_set: authority_set.clone(),
		justifications: link.justification_stream(),
		proofs: FinalityProofProvider::new_for_service(
			core.backend.clone(),
			Some(authority_set.clone()),
		),
		light: Arc::new(light?),
		sets: Arc::new(VerifierSets::new(core.client.clone(), authority_set)),
		executed: Arc::new(Executed::new(core.client.info().genesis_hash)),
	};
	// Start these tasks before the network, so that they miss no finalized block.
	task_manager
		.spawn_handle()
		.spawn("verifier-sets", None, rpc.sets.clone().follow());
	let equivocations = Equivocations::new(core.client.clone(), core.prometheus_registry.as_ref())
		.map_err(application)?;
	task_manager
		.spawn_handle()
		.spawn("equivocations", None, equivocations.run());
	task_manager.spawn_essential_handle().spawn(
		"pow-follow-finality",
		Some("block-import"),
		core.block_import.clone().follow_finality(),
	);
	let config = sc_consensus_grandpa::Config {
		gossip_duration: Duration::from_millis(333),
		justification_generation_period: JUSTIFICATION_PERIOD,
		name: Some(config.network.node_name.clone()),
		observer_enabled: false,
		keystore: vote_keystore(config, core, link.shared_authority_set().clone())?,
		local_role: config.role,
		telemetry: core.telemetry.clone(),
		// GRANDPA's own function reads only the `forkId` of the specification.
		protocol_name: format!("{}/grandpa/1", core.protocol_prefix()).into(),
	};
	Ok(Finality { rpc, link, config })
}

/// Returns the keystore of a node that votes. On a development chain, which is often started again, nothing guards the
/// votes.
fn vote_keystore(
	config: &Configuration,
	core: &Core,
	authority_set: SharedAuthoritySet<Hash, BlockNumber>,
) -> Result<Option<KeystorePtr>, ServiceError> {
	if !config.role.is_authority() {
		return Ok(None);
	}
	if core.is_on_demand() {
		return Ok(Some(core.keystore.clone()));
	}
	let folder = config.base_path.config_dir(config.chain_spec.id());
	let client = core.client.clone();
	let genesis = client.info().genesis_hash;
	let current = move || {
		let state = client.get_aux(VOTER_STATE).ok()??;
		// The variant, the number of rounds, and the first of them, which was completed last.
		let (_, _, completed) = <(u8, Compact<u32>, u64)>::decode(&mut &state[..]).ok()?;
		Some((authority_set.set_id(), completed.saturating_add(1)))
	};
	let guard = VoteGuard::open(
		core.keystore.clone(),
		folder.join(LAST_VOTES),
		genesis,
		current,
	);
	Ok(Some(Arc::new(guard.map_err(application)?)))
}

/// Starts the voter, and what passes the verifiers' statements on, if the network carries votes.
///
/// # Errors
///
/// Returns an error if the database in which GRANDPA keeps its progress fails.
pub(super) fn start(
	finality: Finality,
	core: &Core,
	network: Network,
	task_manager: &TaskManager,
) -> Result<(), ServiceError> {
	let Some(Votes {
		grandpa,
		statements,
	}) = network.votes
	else {
		return Ok(());
	};
	let statements = Statements {
		client: core.client.clone(),
		authorities: finality.rpc.authority_set.clone(),
		keystore: finality.config.keystore.clone(),
		executed: finality.rpc.executed.clone(),
		network: network.service.clone(),
		sync: network.sync.clone(),
		messages: statements,
	};
	task_manager
		.spawn_handle()
		.spawn("executed-statements", None, statements.run());
	// A development chain has one miner, so there is no fork to wait for.
	let behind = if core.is_on_demand() {
		0
	} else {
		VOTE_BEHIND_BEST
	};
	let voter = sc_consensus_grandpa::run_grandpa_voter(GrandpaParams {
		config: finality.config,
		link: finality.link,
		network: network.service,
		sync: Arc::new(network.sync),
		notification_service: grandpa,
		voting_rule: VotingRulesBuilder::new()
			.add(BeforeBestBlockBy(behind))
			.build(),
		prometheus_registry: core.prometheus_registry.clone(),
		shared_voter_state: finality.rpc.voter_state,
		telemetry: core.telemetry.clone(),
		offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(core.pool.clone()),
	})?;
	task_manager
		.spawn_essential_handle()
		.spawn_blocking("grandpa-voter", None, voter);
	Ok(())
}
