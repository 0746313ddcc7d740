// SPDX-License-Identifier: Apache-2.0
//! The RPC server: HTTP and WebSocket at each address of `--rpc-port` and its companions.
//!
//! It does what the framework's server does, with the framework's layers, and refuses what that one lets
//! through: a request or a WebSocket handshake from a web page whose origin is not allowed (`origins.rs`).

use super::{no_subscriptions::NoSubscriptions, origins::Origins};
use futures::FutureExt;
use hyper::{
	body::Incoming,
	header::{HeaderValue, CONTENT_TYPE, ORIGIN},
	Method, Request, StatusCode,
};
use jsonrpsee::{
	core::{BoxError, RegisterMethodError},
	server::{
		middleware::http::HostFilterLayer, serve_with_graceful_shutdown, stop_channel, ws,
		HttpBody, HttpResponse, PingConfig, ServerHandle, StopHandle, TowerServiceBuilder,
	},
	Methods, RpcModule,
};
use polkadot_sdk::*;
use sc_rpc::SubscriptionTaskExecutor;
use sc_rpc_api::DenyUnsafe;
use sc_rpc_server::{
	utils::deny_unsafe, IpNetwork, Metrics, MiddlewareLayer, NodeHealthProxyLayer,
	RandomStringIdProvider, RpcEndpoint, RpcMetrics, RpcServiceBuilder, RpcSpawnHandle,
	SubscriptionIdProvider,
};
use serde_json::json;
use std::{
	io,
	net::{IpAddr, SocketAddr, TcpListener},
	num::NonZeroU32,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::runtime::{Handle, Runtime};
use tower::{
	layer::util::{Identity, Stack},
	util::Either,
	Service,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

const MEGABYTE: u32 = 1024 * 1024;
const LOG_TARGET: &str = "rpc";
/// How long to wait after the system fails to accept a connection, for example for lack of file handles.
const RETRY_ACCEPT_AFTER: Duration = Duration::from_millis(100);

/// The layers between a connection and the methods.
type HttpLayers = Stack<
	CorsLayer,
	Stack<NodeHealthProxyLayer, Stack<Either<HostFilterLayer, Identity>, Identity>>,
>;

/// What the server needs.
pub(crate) struct Inputs {
	/// The addresses to listen on, and the limits of each.
	pub(crate) endpoints: Vec<RpcEndpoint>,
	/// Counts calls, if there is a registry of metrics.
	pub(crate) metrics: Option<RpcMetrics>,
	/// Makes the identifiers of subscriptions.
	pub(crate) id_provider: Option<Box<dyn SubscriptionIdProvider>>,
	/// The maximum number of characters of a call in the log.
	pub(crate) logger_limit: u32,
	/// The maximum number of threads that calls may block.
	pub(crate) threads: u32,
}

/// The running server. Dropping it stops it.
pub(crate) struct Server {
	handle: ServerHandle,
	runtime: Option<Runtime>,
}

impl Drop for Server {
	fn drop(&mut self) {
		// The server has stopped already, or stops now.
		let _ = self.handle.stop();
		if let Some(runtime) = self.runtime.take() {
			// A runtime that waits for its threads must not be dropped on a thread of another.
			runtime.shutdown_background();
		}
	}
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
	#[error("cannot listen for RPC at {address}: {error}")]
	Listen {
		address: SocketAddr,
		error: io::Error,
	},
	#[error("cannot restrict RPC at {0} to requests for this machine")]
	Hosts(SocketAddr),
	#[error("no address to listen on for RPC is given")]
	NoAddress,
	#[error("RPC: {0}")]
	Io(#[from] io::Error),
	#[error("RPC: {0}")]
	Methods(#[from] RegisterMethodError),
}

/// Starts the server. `methods` returns the methods, given what runs their tasks.
///
/// # Errors
///
/// Returns an error if an address cannot be used, except an optional one, or if two methods have the same
/// name.
pub(crate) fn start(
	inputs: Inputs,
	methods: impl FnOnce(SubscriptionTaskExecutor) -> Result<RpcModule<()>, RegisterMethodError>,
) -> Result<Server, StartError> {
	let Inputs {
		endpoints,
		metrics,
		id_provider,
		logger_limit,
		threads,
	} = inputs;
	let own = sc_rpc_server::create_rpc_runtime(threads)?;
	let runtime = own.handle().clone();
	let (stop, handle) = stop_channel();
	// From here on, an error drops the server, and with it the runtime.
	let server = Server {
		handle,
		runtime: Some(own),
	};
	let methods = with_list(methods(Arc::new(RpcSpawnHandle::new(runtime.clone())))?)?;
	// The names of unknown methods must not become names of metrics.
	let known: Vec<_> = methods.method_names().collect();
	let metrics = metrics.map(|metrics| metrics.with_known_methods(known));
	let methods: Methods = methods.into();

	let mut addresses = Vec::new();
	for endpoint in endpoints {
		let listener = match listen(&endpoint) {
			Ok(listener) => listener,
			Err(error) if endpoint.is_optional => {
				log::debug!(target: LOG_TARGET, "{error}");
				continue;
			}
			Err(error) => return Err(error),
		};
		let address = listener.local_addr()?;
		addresses.push(address);
		let connection = Connection {
			origins: Origins::new(endpoint.cors.clone()),
			deny_unsafe: deny_unsafe(&address, &endpoint.rpc_methods),
			rate_limit: endpoint.rate_limit,
			trusted: endpoint.rate_limit_whitelisted_ips.clone(),
			trusts_proxies: endpoint.rate_limit_trust_proxy_headers,
			logger_limit,
			builder: builder(&endpoint, address, id_provider.clone(), &runtime)?,
			methods: methods.clone(),
			metrics: metrics.clone(),
			stop: stop.clone(),
			runtime: runtime.clone(),
		};
		runtime.spawn(accept(listener, connection));
	}
	if addresses.is_empty() {
		return Err(StartError::NoAddress);
	}
	let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
	// Programs that read this line expect a comma even after a single address.
	let end = if list.len() == 1 { "," } else { "" };
	log::info!("Running JSON-RPC server: addr={}{end}", list.join(","));
	Ok(server)
}

/// Adds the method that lists all methods.
fn with_list(mut methods: RpcModule<()>) -> Result<RpcModule<()>, RegisterMethodError> {
	const LIST: &str = "rpc_methods";
	let mut names: Vec<_> = methods.method_names().chain([LIST]).collect();
	names.sort_unstable();
	methods.register_method(LIST, move |_, _, _| json!({ "methods": names }))?;
	Ok(methods)
}

fn listen(endpoint: &RpcEndpoint) -> Result<TcpListener, StartError> {
	let mut address = endpoint.listen_addr;
	let listener = TcpListener::bind(address).or_else(|error| {
		if !endpoint.retry_random_port {
			return Err(error);
		}
		address.set_port(0);
		TcpListener::bind(address)
	});
	let listener = listener.map_err(|error| StartError::Listen { address, error })?;
	listener.set_nonblocking(true)?;
	Ok(listener)
}

/// Returns the builder of the services that answer at an address.
///
/// # Errors
///
/// Returns an error if the requests cannot be restricted to those for this machine.
fn builder(
	endpoint: &RpcEndpoint,
	address: SocketAddr,
	id_provider: Option<Box<dyn SubscriptionIdProvider>>,
	runtime: &Handle,
) -> Result<TowerServiceBuilder<Identity, HttpLayers>, StartError> {
	let origins = Origins::new(endpoint.cors.clone());
	let layers = tower::ServiceBuilder::new()
		.option_layer(host_filter(&origins, address)?)
		// Answers `GET /health` by calling `system_health`.
		.layer(NodeHealthProxyLayer)
		.layer(cors(origins));
	let builder = jsonrpsee::server::Server::builder()
		.max_request_body_size(endpoint.max_payload_in_mb.saturating_mul(MEGABYTE))
		.max_response_body_size(endpoint.max_payload_out_mb.saturating_mul(MEGABYTE))
		.max_connections(endpoint.max_connections)
		.max_subscriptions_per_connection(endpoint.max_subscriptions_per_connection)
		.enable_ws_ping(
			PingConfig::new()
				.ping_interval(Duration::from_secs(30))
				.inactive_limit(Duration::from_secs(60))
				.max_failures(3),
		)
		.set_http_middleware(layers)
		.set_message_buffer_capacity(endpoint.max_buffer_capacity_per_connection)
		.set_batch_request_config(endpoint.batch_config)
		.custom_tokio_runtime(runtime.clone());
	let builder = match id_provider {
		Some(provider) => builder.set_id_provider(provider),
		None => builder.set_id_provider(RandomStringIdProvider::new(16)),
	};
	Ok(builder.to_service_builder())
}

/// Refuses requests for another host at an address that only this machine reaches, unless every origin is
/// allowed: a web page could make its own host name resolve to this machine.
///
/// Others reach any other address by names that the node does not know. There, `origins` alone refuses such a
/// page: for a WebSocket and for the POST of a call, a browser sends the page's own origin.
fn host_filter(
	origins: &Origins,
	address: SocketAddr,
) -> Result<Option<HostFilterLayer>, StartError> {
	if origins.are_all_allowed() || !address.ip().to_canonical().is_loopback() {
		return Ok(None);
	}
	let port = address.port();
	let hosts = [
		format!("localhost:{port}"),
		format!("127.0.0.1:{port}"),
		format!("[::1]:{port}"),
	];
	let filter = HostFilterLayer::new(hosts).map_err(|_| StartError::Hosts(address))?;
	Ok(Some(filter))
}

/// Allows pages of these origins to read answers.
fn cors(origins: Origins) -> CorsLayer {
	if origins.are_all_allowed() {
		return CorsLayer::permissive();
	}
	CorsLayer::new()
		.allow_methods([Method::GET, Method::POST])
		.allow_headers([CONTENT_TYPE])
		.allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _| {
			origins.allow(origin)
		}))
}

/// What answers the requests of a connection.
#[derive(Clone)]
struct Connection {
	origins: Origins,
	deny_unsafe: DenyUnsafe,
	rate_limit: Option<NonZeroU32>,
	/// The networks to which the rate limit does not apply.
	trusted: Vec<IpNetwork>,
	/// Whether a proxy says which address a request comes from.
	trusts_proxies: bool,
	logger_limit: u32,
	builder: TowerServiceBuilder<Identity, HttpLayers>,
	methods: Methods,
	metrics: Option<RpcMetrics>,
	stop: StopHandle,
	runtime: Handle,
}

/// Serves connections until the server stops.
async fn accept(listener: TcpListener, connection: Connection) {
	let listener = match tokio::net::TcpListener::from_std(listener) {
		Ok(listener) => listener,
		Err(error) => {
			log::error!(target: LOG_TARGET, "cannot serve RPC: {error}");
			return;
		}
	};
	loop {
		let (socket, peer) = tokio::select! {
			accepted = listener.accept() => match accepted {
				Ok(accepted) => accepted,
				Err(error) => {
					log::debug!(target: LOG_TARGET, "cannot accept a connection: {error}");
					tokio::time::sleep(RETRY_ACCEPT_AFTER).await;
					continue;
				}
			},
			() = connection.stop.clone().shutdown() => return,
		};
		// An answer and the event behind it are two small packets: the second one would wait for the first one's
		// acknowledgement, which takes 40 ms. Without this option it is only slower.
		let _ = socket.set_nodelay(true);
		let stopped = connection.stop.clone().shutdown();
		let connection = connection.clone();
		let runtime = connection.runtime.clone();
		let service =
			tower::service_fn(move |request| connection.clone().respond(request, peer.ip()));
		runtime.spawn(serve_with_graceful_shutdown(socket, service, stopped).map(drop));
	}
}

impl Connection {
	/// Answers a request, or everything that comes over a WebSocket.
	async fn respond(
		self,
		mut request: Request<Incoming>,
		peer: IpAddr,
	) -> Result<HttpResponse, BoxError> {
		let origin = request.headers().get_all(ORIGIN).iter();
		if let Some(origin) = origin
			.into_iter()
			.find(|origin| !self.origins.allow(origin))
		{
			log::debug!(target: LOG_TARGET, "refusing a web page of the origin {origin:?}");
			return Ok(forbidden());
		}
		request.extensions_mut().insert(self.deny_unsafe);
		let is_websocket = ws::is_upgrade_request(&request);
		let layer = self.layer(&request, peer, is_websocket);
		let rpc_layers = RpcServiceBuilder::new()
			.rpc_logger(self.logger_limit)
			.option_layer(layer.clone())
			.option_layer((!is_websocket).then(|| NoSubscriptions(self.methods.clone())));
		let mut service = self
			.builder
			.set_rpc_middleware(rpc_layers)
			.build(self.methods, self.stop);
		if let (true, Some(layer)) = (is_websocket, layer) {
			let closed = service.on_session_closed();
			self.runtime.spawn(async move {
				let opened = Instant::now();
				layer.ws_connect();
				closed.await;
				layer.ws_disconnect(opened);
			});
		}
		service.call(request).await
	}

	/// Returns the layer that counts and limits calls, if there is anything to do.
	fn layer(
		&self,
		request: &Request<Incoming>,
		peer: IpAddr,
		is_websocket: bool,
	) -> Option<MiddlewareLayer> {
		let client = self.trusts_proxies.then(|| behind_proxy(request)).flatten();
		let client = client.unwrap_or(peer);
		let is_trusted = self.trusted.iter().any(|network| network.contains(client));
		let limit = self.rate_limit.filter(|_| !is_trusted);
		if self.metrics.is_none() && limit.is_none() {
			return None;
		}
		let transport = if is_websocket { "ws" } else { "http" };
		let mut layer = MiddlewareLayer::new();
		if let Some(metrics) = &self.metrics {
			layer = layer.with_metrics(Metrics::new(metrics.clone(), transport));
		}
		if let Some(limit) = limit {
			layer = layer.with_rate_limit_per_minute(limit);
		}
		Some(layer)
	}
}

/// Returns the client's address as a proxy reports it, in `Forwarded`, `X-Forwarded-For` or `X-Real-IP`.
fn behind_proxy(request: &Request<Incoming>) -> Option<IpAddr> {
	use forwarded_header_value::ForwardedHeaderValue;
	let header = |name| request.headers().get(name)?.to_str().ok();
	let forwarded = header("forwarded")
		.and_then(|value| ForwardedHeaderValue::from_forwarded(value).ok())
		.and_then(|value| value.remotest_forwarded_for_ip());
	let x_forwarded = || {
		header("x-forwarded-for")
			.and_then(|value| ForwardedHeaderValue::from_x_forwarded_for(value).ok())
			.and_then(|value| value.remotest_forwarded_for_ip())
	};
	let real = || header("x-real-ip").and_then(|value| value.parse().ok());
	forwarded.or_else(x_forwarded).or_else(real)
}

fn forbidden() -> HttpResponse {
	let body = "This web page's origin is not allowed: see the node's option --rpc-cors.\n";
	let mut response = HttpResponse::new(HttpBody::from(body));
	*response.status_mut() = StatusCode::FORBIDDEN;
	response
}
