// SPDX-License-Identifier: Apache-2.0
//! Connects other mining programs to the node: opens a port for them, and sends them notices of new work.
//!
//! The port serves only the methods of `rpc/mining.rs`, so it can be open to many miners while the node's
//! RPC stays closed to them. It accepts what ethminer and other miners send to geth: HTTP/1.0 and 1.1, with
//! or without the `jsonrpc` member that JSON-RPC 2.0 requires.

use crate::rpc::mining::work;
use futures::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
	body::{Bytes, Incoming},
	header::{HeaderValue, AUTHORIZATION, CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE},
	service::service_fn,
	Method, Request, Response, StatusCode, Uri,
};
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::{TokioExecutor, TokioIo, TokioTimer},
};
use isthmus_engine::{Job, MiningMetrics};
use isthmus_miners::{request::complete, Connection, Connections, Evict, Place, Places, Secret};
use jsonrpsee::Methods;
use polkadot_sdk::*;
use sc_rpc_api::DenyUnsafe;
use serde_json::Value;
use std::{
	convert::Infallible,
	net::SocketAddr,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// The maximum size of a request in bytes. A request for `eth_submitWork` takes about 300 bytes.
const MAX_REQUEST: usize = 16 * 1024;
/// The maximum size of a response in bytes. A response to `eth_getWork` takes about 300 bytes, and a block with
/// its uncles about 1500.
const MAX_RESPONSE: usize = 16 * 1024;
/// The maximum number of connections served concurrently,
const MAX_CONNECTIONS: usize = 512;
/// and of those from one address.
const MAX_OF_AN_ADDRESS: usize = 64;
/// The time limit for a request's head, and for an idle connection between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for a miner to accept a notice, the same as in geth.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(1);
const LOG_TARGET: &str = "miners";
/// What a miner without the port's secret is told.
const WITHOUT_SECRET: &str = "this port asks for a secret: give it as the password, as in http://RIG:SECRET@HOST:PORT, or at \
	the end of the path, as in http://HOST:PORT/SECRET";

/// Opens a port for miners.
///
/// # Errors
///
/// Returns the operating system's error, for example if the address is taken or does not belong to this
/// machine.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
	let listener = std::net::TcpListener::bind(address)?;
	listener.set_nonblocking(true)?;
	Ok(listener)
}

/// What all connections of the port share.
struct Port {
	methods: Methods,
	secret: Option<Secret>,
	places: Places<Evict>,
	metrics: MiningMetrics,
}

/// Serves `methods` to miners until the node stops. Anyone who can reach this port, and knows its secret if it
/// has one, is allowed to mine, so it also serves methods that count as unsafe on the node's RPC.
pub(crate) async fn serve(
	listener: std::net::TcpListener,
	methods: impl Into<Methods>,
	secret: Option<Secret>,
	metrics: MiningMetrics,
) {
	let connections = match Connections::new(listener, MAX_CONNECTIONS, MAX_OF_AN_ADDRESS) {
		Ok(connections) => connections,
		Err(error) => {
			log::error!(target: LOG_TARGET, "cannot serve the miners' port: {error}");
			return;
		}
	};
	let mut methods: Methods = methods.into();
	methods.extensions_mut().insert(DenyUnsafe::No);
	let port = Arc::new(Port {
		methods,
		secret,
		places: connections.places(),
		metrics,
	});
	loop {
		port.serve(connections.next().await);
	}
}

impl Port {
	/// Serves a new connection in the background.
	fn serve(self: &Arc<Self>, connection: Connection) {
		let Connection {
			stream,
			peer,
			place,
			evicted,
		} = connection;
		self.metrics.set_connections("getwork", self.places.taken());
		let port = self.clone();
		tokio::spawn(async move {
			let place = Arc::new(place);
			let ended = tokio::select! {
				ended = port.converse(stream, peer, place.clone()) => ended.map_err(|e| e.to_string()),
				evicted = evicted.wait() => Err(evicted.to_string()),
			};
			if let Err(error) = ended {
				log::debug!(target: LOG_TARGET, "{peer}: {error}");
			}
			drop(place);
			port.metrics.set_connections("getwork", port.places.taken());
		});
	}

	/// Answers a connection's requests until it ends.
	async fn converse(
		self: &Arc<Self>,
		stream: TcpStream,
		peer: SocketAddr,
		place: Arc<Place<Evict>>,
	) -> hyper::Result<()> {
		// ethminer takes the first segment for the whole answer. Without vectored writes, head and body are
		// copied into one buffer and sent together.
		let _ = stream.set_nodelay(true);
		hyper::server::conn::http1::Builder::new()
			.timer(TokioTimer::new())
			.header_read_timeout(HEAD_TIMEOUT)
			.writev(false)
			.serve_connection(
				TokioIo::new(stream),
				service_fn(move |request| {
					let (port, place) = (self.clone(), place.clone());
					async move { Ok::<_, Infallible>(port.respond(request, peer, &place).await) }
				}),
			)
			.await
	}

	/// Returns whether the request has the port's secret, as its password or at the end of its path.
	fn admits(&self, request: &Request<Incoming>) -> bool {
		let Some(secret) = &self.secret else {
			return true;
		};
		let header = request.headers().get(AUTHORIZATION);
		let header = header.and_then(|value| value.to_str().ok());
		header.is_some_and(|header| secret.is_in_header(header))
			|| secret.is_in_path(request.uri().path())
	}

	async fn respond(
		&self,
		request: Request<Incoming>,
		peer: SocketAddr,
		place: &Place<Evict>,
	) -> Response<Full<Bytes>> {
		// A browser sends this header with every such request, a miner never does. A web page must not mine
		// through a browser on this network, under whatever name it reaches the port.
		if request.headers().contains_key(ORIGIN) {
			return refuse(StatusCode::FORBIDDEN, "web pages may not mine");
		}
		if !self.admits(&request) {
			log::warn!(
				target: LOG_TARGET,
				"a miner at {} is refused: it does not give the secret of `--miners-secret-file`",
				peer.ip(),
			);
			let mut refusal = refuse(StatusCode::UNAUTHORIZED, WITHOUT_SECRET);
			let basic = HeaderValue::from_static("Basic realm=\"miners\"");
			refusal.headers_mut().insert(WWW_AUTHENTICATE, basic);
			return refusal;
		}
		place.used(Instant::now());
		respond(request, &self.methods).await
	}
}

async fn respond(request: Request<Incoming>, methods: &Methods) -> Response<Full<Bytes>> {
	if request.method() != Method::POST {
		return refuse(
			StatusCode::METHOD_NOT_ALLOWED,
			"this port is for miners: send JSON-RPC with POST",
		);
	}
	// A browser sends this content type only after a preflight request, which the miners' port refuses.
	let json = request
		.headers()
		.get(CONTENT_TYPE)
		.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
	if !json {
		return refuse(
			StatusCode::UNSUPPORTED_MEDIA_TYPE,
			"a request needs the header `content-type: application/json`",
		);
	}
	let body = Limited::new(request.into_body(), MAX_REQUEST).collect();
	let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
		Ok(Ok(body)) => body.to_bytes(),
		Ok(Err(_)) => {
			return refuse(
				StatusCode::PAYLOAD_TOO_LARGE,
				"a request has at most 16 KiB",
			)
		}
		Err(_) => {
			return refuse(
				StatusCode::REQUEST_TIMEOUT,
				"the request did not arrive in time",
			)
		}
	};
	let Some(answer) = answer(&body, methods).await else {
		return refuse(
			StatusCode::BAD_REQUEST,
			"expected one request of JSON-RPC, an object: batches are not served",
		);
	};
	let mut response = Response::new(Full::from(answer));
	response
		.headers_mut()
		.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
	response
}

/// Returns the JSON response to a request, or `None` if the body is not a request.
pub async fn answer(body: &[u8], methods: &Methods) -> Option<String> {
	let request = complete(body)?;
	let (answer, _) = methods
		.raw_json_request(&request, MAX_RESPONSE)
		.await
		.ok()?;
	Some(answer)
}

/// Refuses a request. The words are for anyone who tries the port with another program.
fn refuse(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
	let mut response = Response::new(Full::from(format!("{words}\n")));
	*response.status_mut() = status;
	response
		.headers_mut()
		.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
	response
}

/// Sends every new job to `urls`, as geth does with `--miner.notify`: an HTTP POST of the array that
/// `eth_getWork` returns. A miner has one second to respond. If several jobs arrive in the meantime, only
/// the newest is sent. Runs until `jobs` ends.
pub(crate) async fn notify(
	mut jobs: impl futures::Stream<Item = Arc<Job>> + Unpin,
	urls: Vec<Uri>,
) {
	let client: Client<HttpConnector, Full<Bytes>> =
		Client::builder(TokioExecutor::new()).build_http();
	let miners: Vec<_> = urls.into_iter().map(Notified::new).collect();
	while let Some(mut job) = jobs.next().await {
		// If several jobs arrived in the meantime, keep only the newest.
		while let Some(Some(newer)) = jobs.next().now_or_never() {
			job = newer;
		}
		let notice = Bytes::from(Value::from(work(&job).to_vec()).to_string());
		let sent = miners
			.iter()
			.map(|miner| miner.send(&client, notice.clone()));
		futures::future::join_all(sent).await;
	}
}

/// A miner that is notified of new work.
struct Notified {
	url: Uri,
	/// Whether the last notice failed. Only the first failure of several is logged.
	fails: AtomicBool,
}

impl Notified {
	fn new(url: Uri) -> Self {
		Self {
			url,
			fails: AtomicBool::new(false),
		}
	}

	async fn send(&self, client: &Client<HttpConnector, Full<Bytes>>, notice: Bytes) {
		let mut request = Request::new(Full::new(notice));
		*request.method_mut() = Method::POST;
		*request.uri_mut() = self.url.clone();
		request
			.headers_mut()
			.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
		let failure = match tokio::time::timeout(NOTICE_TIMEOUT, client.request(request)).await {
			Ok(Ok(response)) if response.status().is_success() => None,
			Ok(Ok(response)) => Some(format!("it answered {}", response.status())),
			Ok(Err(error)) => Some(error.to_string()),
			Err(_) => Some("it did not answer in time".into()),
		};
		let (url, failed) = (
			&self.url,
			self.fails.swap(failure.is_some(), Ordering::Relaxed),
		);
		match failure {
			Some(error) if failed => {
				log::debug!(target: LOG_TARGET, "cannot notify {url}: {error}")
			}
			Some(error) => log::warn!(
				target: LOG_TARGET,
				"cannot notify {url} of new work: {error}; further failures are not logged until it works",
			),
			None if failed => {
				log::info!(target: LOG_TARGET, "{url} accepts notices of new work again")
			}
			None => {}
		}
	}
}

/// Parses the address of a miner to notify of new work.
pub fn parse_url(text: &str) -> Result<Uri, String> {
	match text.parse::<Uri>() {
		Ok(url) if url.scheme_str() == Some("http") && url.host().is_some() => Ok(url),
		_ => Err("expected an address such as http://192.168.0.7:8546/work (no https)".into()),
	}
}
