// SPDX-License-Identifier: Apache-2.0

//! A connection to a node. Each connection has its own network identity, so that the node takes it for a
//! new peer.

use super::{BlockData, BlockRequest, BlockResponse, Direction, FromBlock, Handshake};
use codec::{Decode, Encode};
use futures::StreamExt;
use isthmus_primitives::{BlockNumber, Hash, Header};
use litep2p::{
	config::ConfigBuilder,
	protocol::{
		notification::{
			ConfigBuilder as NotificationConfig, NotificationError, NotificationEvent,
			NotificationHandle, NotificationSink, ValidationResult,
		},
		request_response::{
			ConfigBuilder as RequestConfig, DialOptions, RequestResponseError,
			RequestResponseEvent, RequestResponseHandle,
		},
	},
	transport::tcp::config::Config as TcpConfig,
	types::{multiaddr::Multiaddr, RequestId},
	Litep2p, PeerId, ProtocolName,
};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;
use prost::Message;
use std::{
	collections::{BTreeMap, HashMap},
	sync::Arc,
	time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// The maximum size of a message that this side sends, in bytes. No node accepts a message of this size.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// How long a node may take to accept or refuse a connection, and to answer a request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
	/// The address lacks the node's identity.
	#[error("the address {0} does not end in /p2p/ and a peer id")]
	NoPeerId(Multiaddr),
	/// The network stack did not start.
	#[error("the network stack: {0}")]
	Network(#[from] litep2p::Error),
	/// The node did not accept the connection.
	#[error("the node refused the connection: {0}")]
	Refused(String),
	/// The node closed the connection.
	#[error("the node closed the connection")]
	Closed,
	/// A request was not answered.
	#[error("the request failed: {0:?}")]
	Request(RequestResponseError),
	/// An answer does not decode.
	#[error("the node's answer does not decode: {0}")]
	Undecodable(#[from] prost::DecodeError),
	/// Nothing arrived in time.
	#[error("the node sent nothing within {} s", .0.as_secs())]
	TimedOut(Duration),
}

/// The state of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
	/// Not open yet.
	Opening,
	/// Both sides accepted it.
	Open,
	/// The node refused it for this reason.
	Refused(String),
	/// The node closed it.
	Closed,
}

/// The blocks that a peer serves on request. Clones share the same blocks.
#[derive(Clone, Default)]
pub struct Served(Arc<parking_lot::Mutex<Blocks>>);

#[derive(Default)]
struct Blocks {
	by_hash: HashMap<Hash, (Header, Vec<OpaqueExtrinsic>)>,
	/// The chain that this peer claims as its best one.
	by_number: BTreeMap<BlockNumber, Hash>,
	/// The requests so far, oldest first.
	requests: Vec<BlockRequest>,
	manner: Manner,
}

/// How a peer answers the requests for its blocks.
#[derive(Clone, Debug, Default)]
pub enum Manner {
	/// With the requested blocks, as far as it has them.
	#[default]
	Obliging,
	/// With these bytes, whatever was requested.
	Fixed(Vec<u8>),
	/// With headers that it has; leaves all other requests open.
	HeadersOnly,
	/// With the first requested block alone, and this body. It makes up the header if it does not have the block.
	FirstOnly(Vec<OpaqueExtrinsic>),
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
	Bytes(Vec<u8>),
	Refusal,
	/// Leaves the request open, until the other side gives up.
	Silence,
}

impl Served {
	/// Serves this block by its hash and by its number.
	pub fn add(&self, header: &Header, body: &[OpaqueExtrinsic]) {
		let mut blocks = self.0.lock();
		let hash = header.hash();
		blocks.by_number.insert(header.number, hash);
		blocks.by_hash.insert(hash, (header.clone(), body.to_vec()));
	}

	/// Answers the requests in this manner from now on.
	pub fn set_manner(&self, manner: Manner) {
		self.0.lock().manner = manner;
	}

	/// Returns the requests so far, oldest first.
	pub fn requests(&self) -> Vec<BlockRequest> {
		self.0.lock().requests.clone()
	}

	/// Answers a request.
	fn answer(&self, bytes: &[u8]) -> Reply {
		let Ok(request) = BlockRequest::decode(bytes) else {
			return Reply::Refusal;
		};
		let mut blocks = self.0.lock();
		blocks.requests.push(request.clone());
		let Some(first) = blocks.first(&request) else {
			return Reply::Refusal;
		};
		let wants_body = request.fields & super::HEADER_AND_BODY != super::HEADER_ONLY;
		let response = match &blocks.manner {
			Manner::Obliging => blocks.obliging(&request, first, wants_body),
			Manner::Fixed(bytes) => return Reply::Bytes(bytes.clone()),
			Manner::HeadersOnly => {
				let response = blocks.obliging(&request, first, false);
				if wants_body || response.blocks.is_empty() {
					return Reply::Silence;
				}
				response
			}
			Manner::FirstOnly(body) => {
				let known = first.hash.and_then(|hash| blocks.by_hash.get(&hash));
				let header =
					known.map_or_else(|| made_up(first.number), |(header, _)| header.clone());
				let body = if wants_body { &body[..] } else { &[] };
				BlockResponse {
					blocks: vec![BlockData::new(&header, body)],
				}
			}
		};
		Reply::Bytes(response.encode_to_vec())
	}
}

/// The first block of a request.
#[derive(Clone, Copy)]
struct First {
	/// Its hash, unless it was requested by a number that this peer does not have.
	hash: Option<Hash>,
	/// Its number; 0 if it was requested by its hash.
	number: BlockNumber,
}

impl Blocks {
	/// Reads the first block of a request. Returns `None` if it does not decode.
	fn first(&self, request: &BlockRequest) -> Option<First> {
		Some(match request.from_block.as_ref()? {
			FromBlock::Hash(hash) => First {
				hash: Some(<Hash as Decode>::decode(&mut &hash[..]).ok()?),
				number: 0,
			},
			FromBlock::Number(number) => {
				let number = <BlockNumber as Decode>::decode(&mut &number[..]).ok()?;
				let hash = self.by_number.get(&number).copied();
				First { hash, number }
			}
		})
	}

	/// Answers with the requested blocks, as far as this peer has them.
	fn obliging(&self, request: &BlockRequest, first: First, with_body: bool) -> BlockResponse {
		let descending = request.direction == Direction::Descending as i32;
		let limit = match request.max_blocks {
			0 => 128,
			some => some as usize,
		};
		let mut next = first.hash;
		let mut response = BlockResponse::default();
		while let Some((header, body)) = next.and_then(|hash| self.by_hash.get(&hash)) {
			if response.blocks.len() == limit {
				break;
			}
			let body = if with_body { &body[..] } else { &[] };
			response.blocks.push(BlockData::new(header, body));
			next = if descending {
				Some(header.parent_hash)
			} else {
				let number = header.number.checked_add(1);
				number.and_then(|number| self.by_number.get(&number).copied())
			};
		}
		response
	}
}

/// Makes up a header with this number and without a seal.
fn made_up(number: BlockNumber) -> Header {
	Header {
		number,
		parent_hash: Hash::repeat_byte(0x5a),
		state_root: Hash::default(),
		extrinsics_root: Hash::default(),
		digest: Default::default(),
	}
}

/// The options of a connection.
#[derive(Clone)]
pub struct PeerOptions {
	/// The node to connect to: a TCP address that ends in `/p2p/` and the node's id.
	pub address: Multiaddr,
	/// The handshake to send.
	pub handshake: Handshake,
	/// The blocks to serve.
	pub served: Served,
}

/// A connection to a node that accepted us as a peer. Dropping it closes the connection.
pub struct Peer {
	id: PeerId,
	node: PeerId,
	sink: NotificationSink,
	link: watch::Receiver<LinkState>,
	requests: mpsc::Sender<Request>,
}

struct Request {
	bytes: Vec<u8>,
	answer: oneshot::Sender<Result<Vec<u8>, RequestResponseError>>,
}

impl Peer {
	/// Connects under a new identity, and waits until the node accepts or refuses the connection.
	///
	/// # Errors
	///
	/// Returns [`WireError::NoPeerId`] if the address has no peer id, [`WireError::Refused`] if the node refuses us,
	/// [`WireError::TimedOut`] if it does neither in time, or the error of the network.
	pub async fn connect(options: PeerOptions) -> Result<Self, WireError> {
		let PeerOptions {
			address,
			handshake,
			served,
		} = options;
		let node = PeerId::try_from_multiaddr(&address)
			.ok_or_else(|| WireError::NoPeerId(address.clone()))?;
		let chain = hex::encode(handshake.genesis_hash);
		let (notifications, handle) =
			NotificationConfig::new(ProtocolName::from(format!("/{chain}/block-announces/1")))
				.with_max_size(MAX_MESSAGE)
				.with_handshake(handshake.encode())
				.with_auto_accept_inbound(true)
				.build();
		let (requests, request_handle) =
			RequestConfig::new(ProtocolName::from(format!("/{chain}/sync/2")))
				.with_max_size(MAX_MESSAGE)
				.with_timeout(TIMEOUT)
				.build();
		let mut network = Litep2p::new(
			ConfigBuilder::new()
				.with_tcp(TcpConfig {
					listen_addresses: Vec::new(),
					// Nothing listens here, so there is no port to reuse.
					reuse_port: false,
					nodelay: true,
					..Default::default()
				})
				.with_notification_protocol(notifications)
				.with_request_response_protocol(requests)
				.build(),
		)?;
		let id = *network.local_peer_id();
		network.add_known_address(node, std::iter::once(address));
		handle.open_substream(node).await?;

		let (link_tx, mut link) = watch::channel(LinkState::Opening);
		let (sink_tx, sink) = oneshot::channel();
		let (request_tx, request_rx) = mpsc::channel(16);
		tokio::spawn(
			Connection {
				network,
				node,
				notifications: handle,
				requests: request_handle,
				pending: HashMap::new(),
				served,
				link: link_tx,
				sink: Some(sink_tx),
			}
			.run(request_rx),
		);
		let settled = link.wait_for(|link| *link != LinkState::Opening);
		let settled = tokio::time::timeout(TIMEOUT, settled)
			.await
			.map_err(|_| WireError::TimedOut(TIMEOUT))?
			.map_err(|_| WireError::Closed)?
			.clone();
		if let LinkState::Refused(reason) = settled {
			return Err(WireError::Refused(reason));
		}
		Ok(Self {
			id,
			node,
			sink: sink.await.map_err(|_| WireError::Closed)?,
			link,
			requests: request_tx,
		})
	}

	/// Returns this peer's id.
	pub fn id(&self) -> PeerId {
		self.id
	}

	/// Returns the node's id.
	pub fn node(&self) -> PeerId {
		self.node
	}

	/// Sends these bytes as an announcement. Waits until there is room in the send queue.
	///
	/// # Errors
	///
	/// Returns [`WireError::Closed`] if the connection is closed.
	pub async fn announce(&self, bytes: Vec<u8>) -> Result<(), WireError> {
		self.sink
			.send_async_notification(bytes)
			.await
			.map_err(|_| WireError::Closed)
	}

	/// Returns whether the node has closed the connection.
	pub fn is_closed(&self) -> bool {
		*self.link.borrow() != LinkState::Open
	}

	/// Waits until the node closes the connection.
	pub async fn closed(&self) {
		let mut link = self.link.clone();
		// If the connection's task has ended, the connection counts as closed.
		let _ = link.wait_for(|link| *link != LinkState::Open).await;
	}

	/// Waits until the node closes the connection. Returns false if the node does not close it within `limit`.
	pub async fn closed_within(&self, limit: Duration) -> bool {
		tokio::time::timeout(limit, self.closed()).await.is_ok()
	}

	/// Requests blocks from the node.
	///
	/// # Errors
	///
	/// Returns [`WireError::Request`] if the node does not answer, [`WireError::Closed`] if the connection is closed, or
	/// [`WireError::Undecodable`] if the answer does not decode.
	pub async fn blocks(&self, request: &BlockRequest) -> Result<Vec<BlockData>, WireError> {
		let answer = self.request(request.encode_to_vec()).await?;
		Ok(BlockResponse::decode(&answer[..])?.blocks)
	}

	/// Sends these bytes as a block request; returns the bytes of the answer.
	///
	/// # Errors
	///
	/// Returns [`WireError::Request`] if the node does not answer, or [`WireError::Closed`] if the connection is closed.
	pub async fn request(&self, bytes: Vec<u8>) -> Result<Vec<u8>, WireError> {
		let (answer, answered) = oneshot::channel();
		self.requests
			.send(Request { bytes, answer })
			.await
			.map_err(|_| WireError::Closed)?;
		answered
			.await
			.map_err(|_| WireError::Closed)?
			.map_err(WireError::Request)
	}
}

/// The task that runs a connection until the [`Peer`] is dropped.
struct Connection {
	network: Litep2p,
	node: PeerId,
	notifications: NotificationHandle,
	requests: RequestResponseHandle,
	pending: HashMap<RequestId, oneshot::Sender<Result<Vec<u8>, RequestResponseError>>>,
	served: Served,
	link: watch::Sender<LinkState>,
	sink: Option<oneshot::Sender<NotificationSink>>,
}

impl Connection {
	async fn run(mut self, mut commands: mpsc::Receiver<Request>) {
		loop {
			tokio::select! {
				event = self.network.next_event() => if event.is_none() { return },
				event = self.notifications.next() => match event {
					Some(event) => self.notified(event),
					None => return,
				},
				event = self.requests.next() => match event {
					Some(event) => self.requested(event),
					None => return,
				},
				command = commands.recv() => match command {
					Some(request) => self.send(request).await,
					// The peer was dropped.
					None => return,
				},
			}
		}
	}

	fn notified(&mut self, event: NotificationEvent) {
		match event {
			NotificationEvent::ValidateSubstream { peer, .. } => self
				.notifications
				.send_validation_result(peer, ValidationResult::Accept),
			NotificationEvent::NotificationStreamOpened { peer, .. } => {
				let sink = self.notifications.notification_sink(peer);
				if let (Some(waiting), Some(sink)) = (self.sink.take(), sink) {
					// If the connection took too long, the receiver has been dropped. That is not an error.
					let _ = waiting.send(sink);
				}
				self.link.send_replace(LinkState::Open);
			}
			NotificationEvent::NotificationStreamClosed { .. } => {
				self.link.send_replace(LinkState::Closed);
			}
			NotificationEvent::NotificationStreamOpenFailure { error, .. } => {
				let reason = match error {
					NotificationError::Rejected => "rejected".into(),
					other => format!("{other:?}"),
				};
				self.link.send_replace(LinkState::Refused(reason));
			}
			NotificationEvent::NotificationReceived { .. } => {}
		}
	}

	fn requested(&mut self, event: RequestResponseEvent) {
		match event {
			RequestResponseEvent::RequestReceived {
				request_id,
				request,
				..
			} => match self.served.answer(&request) {
				Reply::Bytes(answer) => self.requests.send_response(request_id, answer),
				Reply::Refusal => self.requests.reject_request(request_id),
				Reply::Silence => {}
			},
			RequestResponseEvent::ResponseReceived {
				request_id,
				response,
				..
			} => self.resolve(request_id, Ok(response)),
			RequestResponseEvent::RequestFailed {
				request_id, error, ..
			} => self.resolve(request_id, Err(error)),
		}
	}

	fn resolve(&mut self, id: RequestId, answer: Result<Vec<u8>, RequestResponseError>) {
		if let Some(waiting) = self.pending.remove(&id) {
			// The receiver may have been dropped in the meantime. That is not an error.
			let _ = waiting.send(answer);
		}
	}

	async fn send(&mut self, Request { bytes, answer }: Request) {
		let sent = self
			.requests
			.send_request(self.node, bytes, DialOptions::Reject)
			.await;
		match sent {
			Ok(id) => {
				self.pending.insert(id, answer);
			}
			Err(_) => {
				let _ = answer.send(Err(RequestResponseError::NotConnected));
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::wire::{HEADER_AND_BODY, HEADER_ONLY};

	fn chain(length: u32) -> (Served, Vec<Header>) {
		let served = Served::default();
		let mut headers: Vec<Header> = Vec::new();
		for number in 1..=length {
			let header = Header {
				number,
				parent_hash: headers.last().map(Header::hash).unwrap_or_default(),
				state_root: Default::default(),
				extrinsics_root: Default::default(),
				digest: Default::default(),
			};
			served.add(&header, &[OpaqueExtrinsic::from_blob(vec![5, 0])]);
			headers.push(header);
		}
		(served, headers)
	}

	fn numbers(served: &Served, request: &BlockRequest) -> Vec<(u32, usize)> {
		let Reply::Bytes(answer) = served.answer(&request.encode_to_vec()) else {
			return Vec::new();
		};
		let read = |block: &BlockData| {
			block
				.read()
				.map(|(header, body)| (header.number, body.len()))
		};
		let blocks = BlockResponse::decode(&answer[..]).unwrap().blocks;
		blocks.iter().map(|block| read(block).unwrap()).collect()
	}

	#[test]
	fn blocks_are_served_in_both_directions() {
		let (served, headers) = chain(5);
		let up = BlockRequest::up_from(2, HEADER_AND_BODY, 3);
		assert_eq!(numbers(&served, &up), [(2, 1), (3, 1), (4, 1)]);
		let down = BlockRequest::down_from(headers[2].hash(), HEADER_ONLY, 9);
		assert_eq!(numbers(&served, &down), [(3, 0), (2, 0), (1, 0)]);
		assert_eq!(served.requests(), [up, down]);
	}

	#[test]
	fn bytes_can_be_served_in_place_of_an_answer() {
		let (served, _) = chain(1);
		served.set_manner(Manner::Fixed(vec![0xff; 3]));
		let request = BlockRequest::up_from(1, HEADER_ONLY, 1).encode_to_vec();
		assert_eq!(served.answer(&request), Reply::Bytes(vec![0xff; 3]));
		let refused = served.answer(&[0xff]);
		assert_eq!(refused, Reply::Refusal, "these bytes are not a request");
	}

	#[test]
	fn a_silent_peer_answers_for_its_headers_only() {
		let (served, headers) = chain(2);
		served.set_manner(Manner::HeadersOnly);
		let known = BlockRequest::down_from(headers[1].hash(), HEADER_ONLY, 9);
		assert_eq!(numbers(&served, &known), [(2, 0), (1, 0)]);
		for request in [
			BlockRequest::down_from(headers[1].hash(), HEADER_AND_BODY, 1),
			BlockRequest::up_from(3, HEADER_ONLY, 1),
		] {
			assert_eq!(served.answer(&request.encode_to_vec()), Reply::Silence);
		}
	}

	#[test]
	fn a_header_is_made_up_for_an_unknown_block() {
		let (served, _) = chain(2);
		let body = vec![OpaqueExtrinsic::from_blob(vec![5, 0]); 3];
		served.set_manner(Manner::FirstOnly(body));
		let request = |number| BlockRequest::up_from(number, HEADER_AND_BODY, 9);
		assert_eq!(numbers(&served, &request(1)), [(1, 3)]);
		assert_eq!(numbers(&served, &request(70)), [(70, 3)]);
	}
}
