// SPDX-License-Identifier: Apache-2.0
//! The transport that a client uses: JSON-RPC over a WebSocket, with a count of the requests sent.

use crate::error::Error;
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex, PoisonError},
};
use subxt::{
	ext::jsonrpsee::{client_transport::ws, core::client::Client as RpcConnection},
	rpcs::{
		client::{RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT},
		RpcClient,
	},
};

/// The maximum length of a response in bytes. It has room for a page of base64 chunks and the surrounding
/// JSON.
const MAX_ANSWER: u32 = 32 << 20;
/// The maximum length of a request in bytes. It has room for a transaction with a chunk, in hexadecimal.
const MAX_REQUEST: u32 = 8 << 20;

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

/// A connection that counts its requests.
struct Counted {
	connection: RpcConnection,
	requests: Arc<Requests>,
}

impl RpcClientT for Counted {
	fn request_raw<'a>(
		&'a self,
		method: &'a str,
		params: Option<Box<RawValue>>,
	) -> RawRpcFuture<'a, Box<RawValue>> {
		self.requests.count(method);
		self.connection.request_raw(method, params)
	}

	fn subscribe_raw<'a>(
		&'a self,
		sub: &'a str,
		params: Option<Box<RawValue>>,
		unsub: &'a str,
	) -> RawRpcFuture<'a, RawRpcSubscription> {
		self.requests.count(sub);
		self.connection.subscribe_raw(sub, params, unsub)
	}
}

/// Connects to a node's WebSocket address. Returns the connection and the counter of its requests.
pub(crate) async fn connect(url: &str) -> Result<(RpcClient, Arc<Requests>), Error> {
	let unreachable = |reason: String| Error::Unreachable {
		url: url.to_owned(),
		reason,
	};
	let address = ws::Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
	let (sender, receiver) = ws::WsTransportClientBuilder::default()
		.max_request_size(MAX_REQUEST)
		.max_response_size(MAX_ANSWER)
		.build(address)
		.await
		.map_err(|error| unreachable(error.to_string()))?;
	let requests = Arc::<Requests>::default();
	let rpc = RpcClient::new(Counted {
		connection: RpcConnection::builder().build_with_tokio(sender, receiver),
		requests: requests.clone(),
	});
	Ok((rpc, requests))
}
