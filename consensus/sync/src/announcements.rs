// SPDX-License-Identifier: Apache-2.0
//! Disconnects a peer that sends bytes which are not an announcement. Substrate's sync engine writes a warning for each
//! of them and keeps the peer.
//!
//! The engine takes its announcements from the network backend that it is created with, so [`StrictAnnouncements`] is
//! such a backend. It exists only as a type: it configures protocols like the real backend, and looks over what arrives.
//!
//! It also leaves out the names that the framework falls back to. They do not depend on the genesis block or on the node's
//! table of changes, so that nodes with different tables would stay peers by them.

use codec::Decode;
use isthmus_primitives::{Block, Hash, Header};
use polkadot_sdk::*;
use sc_network::{
	config::{IncomingRequest, NotificationHandshake, Params, SetConfig},
	error::Error,
	peer_store::PeerStoreProvider,
	service::traits::{NetworkService, NotificationEvent},
	MessageSink, NetworkBackend, NotificationMetrics, NotificationService, PeerId, ProtocolName,
	ReputationChange,
};
use sc_network_common::sync::message::BlockAnnounce;
use std::{convert::Infallible, marker::PhantomData, sync::Arc, time::Duration};

/// The cost of bytes that are not an announcement. It bans the peer, which closes its connections.
const NO_ANNOUNCEMENT: ReputationChange =
	ReputationChange::new_fatal("Bytes that are not an announcement");

/// The network backend `N`, as far as Substrate's sync engine uses it, with a check of all announcements.
pub struct StrictAnnouncements<N> {
	never: Infallible,
	backend: PhantomData<N>,
}

#[async_trait::async_trait]
impl<N: NetworkBackend<Block, Hash>> NetworkBackend<Block, Hash> for StrictAnnouncements<N> {
	type NotificationProtocolConfig = N::NotificationProtocolConfig;
	type RequestResponseProtocolConfig = N::RequestResponseProtocolConfig;
	type NetworkService<B, H> = N::NetworkService<B, H>;
	type PeerStore = N::PeerStore;

	fn new(_: Params<Block, Hash, Self>) -> Result<Self, Error> {
		Err(Error::Io(std::io::ErrorKind::Unsupported.into()))
	}

	fn network_service(&self) -> Arc<dyn NetworkService> {
		match self.never {}
	}

	fn peer_store(
		bootnodes: Vec<PeerId>,
		registry: Option<substrate_prometheus_endpoint::Registry>,
	) -> Self::PeerStore {
		N::peer_store(bootnodes, registry)
	}

	fn register_notification_metrics(
		registry: Option<&substrate_prometheus_endpoint::Registry>,
	) -> NotificationMetrics {
		N::register_notification_metrics(registry)
	}

	fn notification_config(
		name: ProtocolName,
		_: Vec<ProtocolName>,
		max_size: u64,
		handshake: Option<NotificationHandshake>,
		set_config: SetConfig,
		metrics: NotificationMetrics,
		peers: Arc<dyn PeerStoreProvider>,
	) -> (
		Self::NotificationProtocolConfig,
		Box<dyn NotificationService>,
	) {
		let (config, service) = N::notification_config(
			name,
			Vec::new(),
			max_size,
			handshake,
			set_config,
			metrics,
			peers.clone(),
		);
		(config, Box::new(Announcements { service, peers }))
	}

	fn request_response_config(
		name: ProtocolName,
		_: Vec<ProtocolName>,
		max_request_size: u64,
		max_response_size: u64,
		timeout: Duration,
		inbound_queue: Option<async_channel::Sender<IncomingRequest>>,
	) -> Self::RequestResponseProtocolConfig {
		N::request_response_config(
			name,
			Vec::new(),
			max_request_size,
			max_response_size,
			timeout,
			inbound_queue,
		)
	}

	async fn run(mut self) {
		match self.never {}
	}
}

/// A service that hands on only what is an announcement.
#[derive(Debug)]
struct Announcements {
	service: Box<dyn NotificationService>,
	peers: Arc<dyn PeerStoreProvider>,
}

#[async_trait::async_trait]
impl NotificationService for Announcements {
	async fn open_substream(&mut self, peer: PeerId) -> Result<(), ()> {
		self.service.open_substream(peer).await
	}

	async fn close_substream(&mut self, peer: PeerId) -> Result<(), ()> {
		self.service.close_substream(peer).await
	}

	fn send_sync_notification(&mut self, peer: &PeerId, notification: Vec<u8>) {
		self.service.send_sync_notification(peer, notification);
	}

	async fn send_async_notification(
		&mut self,
		peer: &PeerId,
		notification: Vec<u8>,
	) -> Result<(), Error> {
		self.service
			.send_async_notification(peer, notification)
			.await
	}

	async fn set_handshake(&mut self, handshake: Vec<u8>) -> Result<(), ()> {
		self.service.set_handshake(handshake).await
	}

	fn try_set_handshake(&mut self, handshake: Vec<u8>) -> Result<(), ()> {
		self.service.try_set_handshake(handshake)
	}

	async fn next_event(&mut self) -> Option<NotificationEvent> {
		loop {
			let event = self.service.next_event().await?;
			let NotificationEvent::NotificationReceived { peer, notification } = &event else {
				return Some(event);
			};
			if BlockAnnounce::<Header>::decode(&mut &notification[..]).is_ok() {
				return Some(event);
			}
			self.peers.report_peer(*peer, NO_ANNOUNCEMENT);
		}
	}

	fn clone(&mut self) -> Result<Box<dyn NotificationService>, ()> {
		let (service, peers) = (self.service.clone()?, self.peers.clone());
		Ok(Box::new(Self { service, peers }))
	}

	fn protocol(&self) -> &ProtocolName {
		self.service.protocol()
	}

	fn message_sink(&self, peer: &PeerId) -> Option<Box<dyn MessageSink>> {
		self.service.message_sink(peer)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;
	use parking_lot::Mutex;
	use polkadot_sdk::sc_network::{peer_store::ProtocolHandle, ObservedRole};
	use std::collections::{HashSet, VecDeque};

	/// Delivers the given events, and then nothing more.
	#[derive(Debug)]
	struct Scripted(VecDeque<NotificationEvent>, ProtocolName);

	#[async_trait::async_trait]
	impl NotificationService for Scripted {
		async fn open_substream(&mut self, _: PeerId) -> Result<(), ()> {
			Err(())
		}

		async fn close_substream(&mut self, _: PeerId) -> Result<(), ()> {
			Err(())
		}

		fn send_sync_notification(&mut self, _: &PeerId, _: Vec<u8>) {}

		async fn send_async_notification(&mut self, _: &PeerId, _: Vec<u8>) -> Result<(), Error> {
			Ok(())
		}

		async fn set_handshake(&mut self, _: Vec<u8>) -> Result<(), ()> {
			Err(())
		}

		fn try_set_handshake(&mut self, _: Vec<u8>) -> Result<(), ()> {
			Err(())
		}

		async fn next_event(&mut self) -> Option<NotificationEvent> {
			self.0.pop_front()
		}

		fn clone(&mut self) -> Result<Box<dyn NotificationService>, ()> {
			Err(())
		}

		fn protocol(&self) -> &ProtocolName {
			&self.1
		}

		fn message_sink(&self, _: &PeerId) -> Option<Box<dyn MessageSink>> {
			None
		}
	}

	/// Remembers who was reported.
	#[derive(Debug, Default)]
	struct Reports(Mutex<Vec<(PeerId, i32)>>);

	impl PeerStoreProvider for Reports {
		fn is_banned(&self, _: &PeerId) -> bool {
			false
		}

		fn register_protocol(&self, _: Arc<dyn ProtocolHandle>) {}

		fn report_disconnect(&self, _: PeerId) {}

		fn report_peer(&self, peer: PeerId, change: ReputationChange) {
			self.0.lock().push((peer, change.value));
		}

		fn set_peer_role(&self, _: &PeerId, _: ObservedRole) {}

		fn peer_reputation(&self, _: &PeerId) -> i32 {
			0
		}

		fn peer_role(&self, _: &PeerId) -> Option<ObservedRole> {
			None
		}

		fn outgoing_candidates(&self, _: usize, _: HashSet<PeerId>) -> Vec<PeerId> {
			Vec::new()
		}

		fn add_known_peer(&self, _: PeerId) {}
	}

	/// Returns which notifications are handed on when `peer` sends these, and who is reported.
	async fn sent(peer: PeerId, notifications: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<(PeerId, i32)>) {
		let events = notifications
			.iter()
			.map(|notification| NotificationEvent::NotificationReceived {
				peer,
				notification: notification.clone(),
			})
			.chain([NotificationEvent::NotificationStreamClosed { peer }])
			.collect();
		let reports = Arc::new(Reports::default());
		let mut announcements = Announcements {
			service: Box::new(Scripted(events, "/announcements".into())),
			peers: reports.clone(),
		};
		let mut handed_on = Vec::new();
		let mut closed = false;
		while let Some(event) = announcements.next_event().await {
			match event {
				NotificationEvent::NotificationReceived { notification, .. } => {
					handed_on.push(notification)
				}
				NotificationEvent::NotificationStreamClosed { .. } => closed = true,
				_ => {}
			}
		}
		assert!(closed, "other events are handed on");
		let reported = reports.0.lock().clone();
		(handed_on, reported)
	}

	#[tokio::test]
	async fn bytes_that_are_no_announcement_cost_the_connection() {
		let header = Header {
			parent_hash: Hash::repeat_byte(1),
			number: 7,
			state_root: Hash::repeat_byte(2),
			extrinsics_root: Hash::repeat_byte(3),
			digest: Default::default(),
		};
		let announcement = BlockAnnounce {
			header,
			state: None,
			data: None,
		}
		.encode();
		let peer = PeerId::random();
		let cut = announcement[..announcement.len() - 1].to_vec();
		for bytes in [vec![0xff; 512], cut, Vec::new()] {
			let all = [announcement.clone(), bytes, announcement.clone()];
			let (handed_on, reported) = sent(peer, &all).await;
			assert_eq!(handed_on, [announcement.clone(), announcement.clone()]);
			assert_eq!(reported, [(peer, i32::MIN)]);
		}
	}

	#[tokio::test]
	async fn announcements_cost_nothing() {
		let header = Header {
			parent_hash: Hash::zero(),
			number: 1,
			state_root: Hash::zero(),
			extrinsics_root: Hash::zero(),
			digest: Default::default(),
		};
		let announcement = BlockAnnounce {
			header,
			state: None,
			data: Some(Vec::new()),
		}
		.encode();
		let all = [announcement];
		let (handed_on, reported) = sent(PeerId::random(), &all).await;
		assert_eq!((handed_on, reported), (all.to_vec(), Vec::new()));
	}
}
