// SPDX-License-Identifier: Apache-2.0
//! The transport that a client uses: JSON-RPC over a WebSocket, with a count of the requests sent. A
//! connection that was lost is noticed, and made again for the next request.

mod halves;

use crate::{
	error::Error,
	text::{io_words, to_hex},
};
use std::{
	collections::BTreeMap,
	io::ErrorKind,
	sync::{Arc, Mutex, OnceLock, PoisonError},
	time::Duration,
};
use subxt::{
	ext::jsonrpsee::{
		client_transport::ws::{self, WsHandshakeError},
		core::client::{async_client::PingConfig, Client as RpcConnection},
	},
	rpcs::{
		client::{RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT},
		rpc_params, RpcClient,
	},
};
use tokio::time::timeout;

/// The maximum length of a response in bytes. It has room for a page of base64 chunks and the surrounding
/// JSON.
const MAX_ANSWER: u32 = 32 << 20;
/// The maximum length of a request in bytes. It has room for a transaction with a chunk, in hexadecimal.
const MAX_REQUEST: u32 = 8 << 20;
/// How long a node may be silent by default. A page of 4 MiB arrives in this time at 1 Mbit/s.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// The longest time to wait for a connection.
const CONNECTING: Duration = Duration::from_secs(20);
/// How many times to ask for a sign of the node while it may be silent.
const PINGS: u32 = 4;
/// How many times the longest silence an answer may take. Large answers come one after another, so the last one of
/// several may take long while the node is not silent.
const ANSWER: u32 = 5;

/// How often an operation goes on over a new connection, without any progress.
pub(crate) const RECONNECTIONS: u32 = 5;

/// Returns how long to wait before an operation goes on over a new connection. The time doubles with each
/// attempt.
pub(crate) fn reconnect_after(attempt: u32) -> Duration {
	Duration::from_secs(1 << attempt.min(RECONNECTIONS))
}

/// How many requests a connection has sent, by method.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeMap<String, u64>>);

impl Requests {
	fn count(&self, method: &str) {
		let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		match counts.get_mut(method) {
			Some(count) => *count += 1,
			None => {
				counts.insert(method.to_owned(), 1);
			}
		}
	}

	/// Returns the counts so far.
	pub(crate) fn so_far(&self) -> BTreeMap<String, u64> {
		let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		counts.clone()
	}
}

/// A connection that counts its requests, and is made again after it was lost.
pub(crate) struct Line {
	url: String,
	/// How long the node may be silent.
	silence: Duration,
	connection: tokio::sync::Mutex<Arc<RpcConnection>>,
	/// The hash of the chain's first block. A node of another chain is not connected to again.
	genesis: OnceLock<[u8; 32]>,
	requests: Requests,
}

impl Line {
	/// Sets the chain that this line leads to.
	pub(crate) fn leads_to(&self, genesis: [u8; 32]) {
		let _ = self.genesis.set(genesis);
	}

	/// Returns the counter of the requests.
	pub(crate) fn requests(&self) -> &Requests {
		&self.requests
	}

	/// Returns the connection, or a new one if it was lost.
	async fn connection(&self) -> Result<Arc<RpcConnection>, subxt::rpcs::Error> {
		let mut connection = self.connection.lock().await;
		if !connection.is_connected() {
			let again = dial(&self.url, self.silence)
				.await
				.map_err(|error| subxt::rpcs::Error::Client(Box::new(error)))?;
			if let Some(genesis) = self.genesis.get() {
				let asked = RpcClient::new(Shared(again.clone()));
				let first: String = asked.request("chain_getBlockHash", rpc_params![0]).await?;
				if first != to_hex(genesis) {
					let error = Error::Incompatible("the node has changed to another chain".into());
					return Err(subxt::rpcs::Error::Client(Box::new(error)));
				}
			}
			*connection = again;
		}
		Ok(connection.clone())
	}
}

impl RpcClientT for Line {
	fn request_raw<'a>(
		&'a self,
		method: &'a str,
		params: Option<Box<RawValue>>,
	) -> RawRpcFuture<'a, Box<RawValue>> {
		Box::pin(async move {
			self.requests.count(method);
			self.connection().await?.request_raw(method, params).await
		})
	}

	fn subscribe_raw<'a>(
		&'a self,
		sub: &'a str,
		params: Option<Box<RawValue>>,
		unsub: &'a str,
	) -> RawRpcFuture<'a, RawRpcSubscription> {
		Box::pin(async move {
			self.requests.count(sub);
			let connection = self.connection().await?;
			connection.subscribe_raw(sub, params, unsub).await
		})
	}
}

/// A value that is shared with the transport of a client.
pub(crate) struct Shared<T>(pub(crate) Arc<T>);

impl<T: RpcClientT> RpcClientT for Shared<T> {
	fn request_raw<'a>(
		&'a self,
		method: &'a str,
		params: Option<Box<RawValue>>,
	) -> RawRpcFuture<'a, Box<RawValue>> {
		self.0.request_raw(method, params)
	}

	fn subscribe_raw<'a>(
		&'a self,
		sub: &'a str,
		params: Option<Box<RawValue>>,
		unsub: &'a str,
	) -> RawRpcFuture<'a, RawRpcSubscription> {
		self.0.subscribe_raw(sub, params, unsub)
	}
}

/// Connects to a node's WebSocket address. The connection is lost when the node is silent for `silence`.
pub(crate) async fn connect(url: &str, silence: Duration) -> Result<Arc<Line>, Error> {
	Ok(Arc::new(Line {
		url: url.to_owned(),
		silence,
		connection: dial(url, silence).await?.into(),
		genesis: OnceLock::new(),
		requests: Requests::default(),
	}))
}

/// Opens a connection, which is closed when the node is silent for `silence`, although it is pinged.
async fn dial(url: &str, silence: Duration) -> Result<Arc<RpcConnection>, Error> {
	let unreachable = |reason: String| Error::Unreachable {
		url: shown(url),
		reason,
	};
	let address = ws::Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
	let connecting = ws::WsTransportClientBuilder::default()
		.max_request_size(MAX_REQUEST)
		.max_response_size(MAX_ANSWER)
		.build(address);
	// The builder has a limit of its own, which ends before the handshakes of TLS and of the WebSocket.
	let limit = CONNECTING.min(silence);
	let (sender, receiver) = timeout(limit, connecting)
		.await
		.map_err(|_| unreachable(format!("no answer within {} s", limit.as_secs())))?
		.map_err(|error| match error {
			WsHandshakeError::Rejected { status_code } => Error::Rejected {
				url: shown(url),
				status: status_code,
			},
			WsHandshakeError::Io(error) if error.kind() == ErrorKind::InvalidData => unreachable(
				"the server does not speak TLS: without it, the address begins with ws://".into(),
			),
			WsHandshakeError::Io(error) | WsHandshakeError::ResolutionFailed(error) => {
				unreachable(io_words(&error))
			}
			error => unreachable(io_words(&error)),
		})?;
	let (sender, receiver) = halves::join(sender, receiver, silence);
	// The halves end the connection first.
	let ping = PingConfig::new()
		.ping_interval(silence / PINGS)
		.inactive_limit(silence.saturating_mul(2));
	let connection = RpcConnection::builder()
		.request_timeout(silence.saturating_mul(ANSWER))
		.enable_ws_ping(ping);
	Ok(Arc::new(connection.build_with_tokio(sender, receiver)))
}

/// Returns an address without the name, the password and the query that it may contain: a query may be a secret, too.
pub(crate) fn shown(url: &str) -> String {
	let url = url.split(['?', '#']).next().unwrap_or_default();
	match url.split_once("://") {
		Some((scheme, rest)) => {
			let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
			let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
			format!("{scheme}://{}", &rest[host..])
		}
		None => url.to_owned(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_password_in_an_address_is_not_shown() {
		for (url, expected) in [
			("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
			("wss://user:p@ss@node.org/rpc", "wss://node.org/rpc"),
			("ws://node.org/a@b", "ws://node.org/a@b"),
			("wss://node.org/rpc?token=secret", "wss://node.org/rpc"),
			("wss://node.org?user@secret", "wss://node.org"),
			("node", "node"),
		] {
			assert_eq!(shown(url), expected);
		}
	}
}
