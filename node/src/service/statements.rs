// SPDX-License-Identifier: Apache-2.0
//! Passes on which blocks the verifiers have executed ([`Executed`]), and adds this node's own word if it is a verifier.
//!
//! Every node sends each new statement to all other peers, and the last one of each verifier to a new peer. A peer that
//! sends anything else is disconnected.

use crate::client::FullClient;
use futures::{FutureExt, StreamExt};
use isthmus_engine::{Executed, Heard, Statement, Window};
use isthmus_primitives::{Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::{BlockchainEvents, HeaderBackend};
use sc_consensus_grandpa::SharedAuthoritySet;
use sc_network::{
	config::{NonReservedPeerMode, SetConfig},
	multiaddr::Protocol,
	service::traits::{NetworkService, NotificationEvent, ValidationResult},
	Litep2pNetworkBackend, Multiaddr, NetworkBackend, NetworkPeers, NotificationMetrics,
	NotificationService, PeerId, ProtocolName, ReputationChange,
};
use sc_network_sync::{SyncEvent, SyncEventStream, SyncingService};
use sp_consensus_grandpa::AuthorityId;
use sp_core::crypto::ByteArray;
use sp_keystore::KeystorePtr;
use std::{collections::HashSet, iter, sync::Arc};

/// How much a peer loses that sends what is not a statement of a verifier.
const INVALID: ReputationChange = ReputationChange::new_fatal("Invalid statement of a verifier");

/// The maximum length of a message, in bytes. A statement has [`Statement::LENGTH`].
const MAX_MESSAGE: u64 = 256;

/// The configuration of the protocol, and what sends and receives its messages.
pub(super) type Registered = (
	<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::NotificationProtocolConfig,
	Box<dyn NotificationService>,
);

/// Returns the protocol of a chain, whose protocols' names begin with `prefix`.
pub(super) fn protocol(
	prefix: &str,
	metrics: NotificationMetrics,
	peers: Arc<dyn sc_network::peer_store::PeerStoreProvider>,
) -> Registered {
	let name = format!("{prefix}/executed/1");
	// Only peers that sync with this node take part, and they are added one by one.
	let set = SetConfig {
		in_peers: 0,
		out_peers: 0,
		reserved_nodes: Vec::new(),
		non_reserved_mode: NonReservedPeerMode::Deny,
	};
	<Litep2pNetworkBackend as NetworkBackend<Block, Hash>>::notification_config(
		name.into(),
		Vec::new(),
		MAX_MESSAGE,
		None,
		set,
		metrics,
		peers,
	)
}

/// The task that passes statements on.
pub(super) struct Statements {
	pub(super) client: Arc<FullClient>,
	/// GRANDPA's record of the verifiers.
	pub(super) authorities: SharedAuthoritySet<Hash, BlockNumber>,
	/// The keys that this node votes with, if it votes.
	pub(super) keystore: Option<KeystorePtr>,
	pub(super) executed: Arc<Executed>,
	pub(super) network: Arc<dyn NetworkService>,
	pub(super) sync: Arc<SyncingService<Block>>,
	pub(super) messages: Box<dyn NotificationService>,
}

impl Statements {
	/// Runs until the network or the client is gone.
	pub(super) async fn run(mut self) {
		let mut peers = HashSet::new();
		let mut syncing = self.sync.event_stream("executed-statements").fuse();
		let mut imports = self.client.import_notification_stream().fuse();
		let mut finalized = self.client.finality_notification_stream().fuse();
		loop {
			futures::select! {
				event = self.messages.next_event().fuse() => match event {
					Some(event) => self.on_message(event, &mut peers),
					None => return,
				},
				event = syncing.next() => match event {
					Some(event) => self.on_peer(event),
					None => return,
				},
				block = imports.next() => match block {
					Some(block) if block.is_new_best => {
						self.say((block.header.number, block.hash), &peers);
					}
					Some(_) => {}
					None => return,
				},
				block = finalized.next() => match block {
					Some(_) => self.with_window(|window| self.executed.forget(window)),
					None => return,
				},
			}
		}
	}

	/// Opens the protocol with each peer that syncs with this node.
	fn on_peer(&self, event: SyncEvent) {
		let protocol: ProtocolName = self.messages.protocol().clone();
		let changed = match event {
			SyncEvent::PeerConnected { peer_id, .. } => {
				let address = Multiaddr::empty().with(Protocol::P2p(*peer_id.as_ref()));
				let addresses = iter::once(address).collect();
				self.network.add_peers_to_reserved_set(protocol, addresses)
			}
			SyncEvent::PeerDisconnected(peer) => {
				let peers = iter::once(peer).collect();
				self.network.remove_peers_from_reserved_set(protocol, peers)
			}
		};
		if let Err(error) = changed {
			log::debug!("statements of verifiers are not exchanged with a peer: {error}");
		}
	}

	fn on_message(&mut self, event: NotificationEvent, peers: &mut HashSet<PeerId>) {
		match event {
			NotificationEvent::ValidateInboundSubstream {
				peer,
				handshake,
				result_tx,
			} => {
				let result = match self.network.peer_role(peer, handshake) {
					Some(_) => ValidationResult::Accept,
					None => ValidationResult::Reject,
				};
				// If the peer is gone, there is nothing to answer.
				let _ = result_tx.send(result);
			}
			NotificationEvent::NotificationStreamOpened { peer, .. } => {
				peers.insert(peer);
				for statement in self.executed.last_statements() {
					self.messages.send_sync_notification(&peer, statement);
				}
			}
			NotificationEvent::NotificationStreamClosed { peer } => {
				peers.remove(&peer);
			}
			NotificationEvent::NotificationReceived { peer, notification } => {
				match self.with_window(|window| self.executed.hear(&notification, window)) {
					Heard::New => self.send(&notification, peers, Some(peer)),
					Heard::Useless => {}
					Heard::Invalid => self.network.report_peer(peer, INVALID),
				}
			}
		}
	}

	/// States with each key of this node that votes at present that it has executed a block.
	fn say(&mut self, block: (BlockNumber, Hash), peers: &HashSet<PeerId>) {
		let Some(keystore) = self.keystore.clone() else {
			return;
		};
		let genesis = self.client.info().genesis_hash;
		let voters = self.authorities.current_authorities();
		let is_own = |key: &AuthorityId| {
			keystore.has_keys(&[(key.to_raw_vec(), sp_consensus_grandpa::KEY_TYPE)])
		};
		for (verifier, _) in voters.iter().filter(|(key, _)| is_own(key)) {
			match Statement::sign(&*keystore, genesis, verifier, block) {
				Ok(Some(statement)) => {
					let bytes = codec::Encode::encode(&statement);
					if self.with_window(|window| self.executed.hear(&bytes, window)) == Heard::New {
						self.send(&bytes, peers, None);
					}
				}
				Ok(None) => {}
				Err(error) => {
					log::debug!("cannot state that block {} is executed: {error}", block.1);
				}
			}
		}
	}

	/// Sends a statement to all peers but the one that it came from.
	fn send(&mut self, statement: &[u8], peers: &HashSet<PeerId>, from: Option<PeerId>) {
		for peer in peers.iter().filter(|peer| Some(**peer) != from) {
			self.messages
				.send_sync_notification(peer, statement.to_vec());
		}
	}

	fn with_window<R>(&self, f: impl FnOnce(&Window) -> R) -> R {
		let voters = self.authorities.current_authorities();
		let info = self.client.info();
		f(&Window {
			is_verifier: &|key| voters.contains(key),
			finalized: info.finalized_number,
			best: info.best_number,
		})
	}
}
