// SPDX-License-Identifier: Apache-2.0
//! Connects other mining programs to the node: opens a port for them, and sends them notices of new work.
//!
//! The port serves only the methods of `rpc/mining.rs`, so it can be open to many miners while the node's
//! RPC stays closed to them. It accepts what ethminer and other miners send to geth: HTTP/1.0 and 1.1, with
//! or without the `jsonrpc` member that JSON-RPC 2.0 requires.

use crate::rpc::mining::{request::complete, work};
use futures::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
	body::{Bytes, Incoming},
	header::{HeaderValue, CONTENT_TYPE},
	service::service_fn,
	Method, Request, Response, StatusCode, Uri,
};
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::{TokioExecutor, TokioIo, TokioTimer},
};
use isthmus_engine::Job;
use jsonrpsee::Methods;
use polkadot_sdk::*;
use sc_rpc_api::DenyUnsafe;
use serde_json::Value;
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::Semaphore,
};

/// The maximum size of a request in bytes. A request for `eth_submitWork` takes about 300 bytes.
const MAX_REQUEST: usize = 16 * 1024;
/// The maximum size of a response in bytes. A response to `eth_getWork` takes about 300 bytes.
const MAX_RESPONSE: usize = 16 * 1024;
/// The maximum number of connections served concurrently.
const MAX_CONNECTIONS: usize = 256;
/// The time limit for a request's head, and for an idle connection between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for a miner to accept a notice, the same as in geth.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait after the system fails to accept a connection, for example for lack of file handles.
const RETRY_ACCEPT_AFTER: Duration = Duration::from_millis(100);
const LOG_TARGET: &str = "miners";

/// Opens the miners' port.
///
/// # Errors
///
/// Returns the operating system's error, for example if the address is taken or does not belong to this
/// machine.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
	let listener = std::net::TcpListener::bind(address)?;
	listener.set_nonblocking(true)?;
	log::info!(target: LOG_TARGET, "⛏️  Miners can connect to http://{}", listener.local_addr()?);
	Ok(listener)
}

/// Serves `methods` to miners until the node stops. Anyone who can reach this port is allowed to mine, so
/// it also serves methods that count as unsafe on the node's RPC.
pub(crate) async fn serve(listener: std::net::TcpListener, methods: impl Into<Methods>) {
	let listener = match TcpListener::from_std(listener) {
		Ok(listener) => listener,
		Err(error) => {
			log::error!(target: LOG_TARGET, "cannot serve the miners' port: {error}");
			return;
		}
	};
	let mut methods: Methods = methods.into();
	methods.extensions_mut().insert(DenyUnsafe::No);
	let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
	loop {
		// Further miners wait in the system's queue until a slot is free.
		let Ok(slot) = slots.clone().acquire_owned().await else {
			return;
		};
		match listener.accept().await {
			Ok((stream, peer)) => {
				let methods = methods.clone();
				tokio::spawn(async move {
					if let Err(error) = converse(stream, methods).await {
						log::debug!(target: LOG_TARGET, "{peer}: {error}");
					}
					drop(slot);
				});
			}
			Err(error) => {
				log::warn!(target: LOG_TARGET, "cannot accept a miner's connection: {error}");
				tokio::time::sleep(RETRY_ACCEPT_AFTER).await;
			}
		}
	}
}

/// Answers a connection's requests until it ends.
async fn converse(stream: TcpStream, methods: Methods) -> hyper::Result<()> {
	hyper::server::conn::http1::Builder::new()
		.timer(TokioTimer::new())
		.header_read_timeout(HEAD_TIMEOUT)
		.serve_connection(
			TokioIo::new(stream),
			service_fn(move |request| {
				let methods = methods.clone();
				async move { Ok::<_, Infallible>(respond(request, &methods).await) }
			}),
		)
		.await
}

async fn respond(request: Request<Incoming>, methods: &Methods) -> Response<Full<Bytes>> {
	if request.method() != Method::POST {
		return refuse(StatusCode::METHOD_NOT_ALLOWED);
	}
	// A web page must not mine through a browser on this network. A browser sends this content type only
	// after a preflight request, which the miners' port refuses.
	let json = request
		.headers()
		.get(CONTENT_TYPE)
		.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
	if !json {
		return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE);
	}
	let body = Limited::new(request.into_body(), MAX_REQUEST).collect();
	let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
		Ok(Ok(body)) => body.to_bytes(),
		Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE),
		Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
	};
	let Some(answer) = answer(&body, methods).await else {
		return refuse(StatusCode::BAD_REQUEST);
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

fn refuse(status: StatusCode) -> Response<Full<Bytes>> {
	let mut response = Response::new(Full::default());
	*response.status_mut() = status;
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
	while let Some(mut job) = jobs.next().await {
		// If several jobs arrived in the meantime, keep only the newest.
		while let Some(Some(newer)) = jobs.next().now_or_never() {
			job = newer;
		}
		let notice = Bytes::from(Value::from(work(&job).to_vec()).to_string());
		let sent = urls.iter().map(|url| send(&client, url, notice.clone()));
		futures::future::join_all(sent).await;
	}
}

async fn send(client: &Client<HttpConnector, Full<Bytes>>, url: &Uri, notice: Bytes) {
	let mut request = Request::new(Full::new(notice));
	*request.method_mut() = Method::POST;
	*request.uri_mut() = url.clone();
	request
		.headers_mut()
		.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
	match tokio::time::timeout(NOTICE_TIMEOUT, client.request(request)).await {
		Ok(Ok(response)) if response.status().is_success() => {}
		Ok(Ok(response)) => {
			log::warn!(target: LOG_TARGET, "{url} answered a notice of new work with {}", response.status())
		}
		Ok(Err(error)) => {
			log::warn!(target: LOG_TARGET, "cannot notify {url} of new work: {error}")
		}
		Err(_) => {
			log::warn!(target: LOG_TARGET, "{url} did not answer a notice of new work in time")
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
