// SPDX-License-Identifier: Apache-2.0
//! The transport that a client uses: JSON-RPC over a WebSocket, with a count of the requests sent. A
//! connection that was lost is noticed, and made again for the next request.

mod address;
mod halves;
mod no_node;

pub use address::shown;

use crate::{
	error::Error,
	trust::{check_chain, Chosen, Notice, TellNotice, Unproven},
	wait,
};
use address::credentials;
use no_node::{is_gateway, may_be_gateway, may_speak_tls, not_connected, speaks_tls, GATEWAY};
use std::{
	collections::BTreeMap,
	fmt::Write,
	future::Future,
	pin::pin,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex, OnceLock, PoisonError,
	},
	time::Duration,
};
use subxt::{
	ext::jsonrpsee::{
		client_transport::ws::{self, HeaderMap},
		core::client::{async_client::PingConfig, Client as RpcConnection, Error as RpcError},
	},
	rpcs::{
		client::{RawRpcFuture, RawRpcSubscription, RawValue, RpcClientT},
		rpc_params, RpcClient,
	},
	utils::H256,
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

/// A connection that counts its requests, and is made again after it was lost. It may lead to one of several nodes.
pub(crate) struct Line {
	/// The nodes' addresses, in the order in which they are tried.
	urls: Vec<String>,
	/// How long a node may be silent.
	silence: Duration,
	current: tokio::sync::Mutex<Current>,
	/// The number of the current address.
	at: AtomicUsize,
	/// How many connections were made.
	made: AtomicUsize,
	/// How the chain was chosen, and the hash of its first block. A node of another chain is not connected to again.
	chain: (Chosen, [u8; 32]),
	requests: Requests,
	/// Receives what the user should know.
	on_notice: OnceLock<TellNotice>,
	/// The number of the last connection over which the node did not answer.
	silent: AtomicUsize,
	/// What there is to tell of the addresses that were passed over: those of other chains by address, the others by what is wrong.
	passed: Mutex<BTreeMap<String, Notice>>,
}

/// The present connection.
struct Current {
	connection: Arc<RpcConnection>,
	/// Whether the node is left for the next one.
	is_left: bool,
}

impl Line {
	/// Returns the hash of the chain's first block.
	pub(crate) fn genesis(&self) -> [u8; 32] {
		self.chain.1
	}

	/// Returns the counter of the requests.
	pub(crate) fn requests(&self) -> &Requests {
		&self.requests
	}

	/// Returns the address of the current node, without a password.
	pub(crate) fn url(&self) -> String {
		shown(&self.urls[self.at.load(Ordering::Relaxed)])
	}

	/// Returns how many connections were made so far.
	pub(crate) fn made(&self) -> usize {
		self.made.load(Ordering::Relaxed)
	}

	/// Sets the function that receives what the user should know, and tells it of the addresses that were passed over before.
	/// Only the first call has an effect.
	pub(crate) fn on_notice(&self, tell: impl Fn(&Notice) + Send + Sync + 'static) {
		if self.on_notice.set(Box::new(tell)).is_err() {
			return;
		}
		let passed = self.passed.lock();
		let passed = passed.unwrap_or_else(PoisonError::into_inner).clone();
		for notice in passed.values() {
			self.tell(notice);
		}
	}

	/// Tells the user something.
	pub(crate) fn tell(&self, notice: &Notice) {
		if let Some(tell) = self.on_notice.get() {
			tell(notice);
		}
	}

	/// Tells the user, once for each, that addresses are passed over: their nodes have another chain, or do not answer.
	fn tell_passed(&self, errors: Vec<Error>) {
		for error in errors {
			let (about, notice) = match error {
				Error::Unproven(Unproven::WrongGenesis { node, .. }) => {
					(node.url.clone(), Notice::OtherChain(*node))
				}
				error => (error.to_string(), Notice::PassedOver(error.to_string())),
			};
			let passed = self.passed.lock();
			let told = passed
				.unwrap_or_else(PoisonError::into_inner)
				.insert(about, notice.clone());
			if told.is_none() {
				self.tell(&notice);
			}
		}
	}

	/// Waits for an answer of the node. If that takes long, tells the user, once for each connection.
	pub(crate) async fn answered<T>(&self, answer: impl Future<Output = T>) -> T {
		if self.on_notice.get().is_none() {
			return answer.await;
		}
		let mut answer = pin!(answer);
		if let Ok(done) = timeout(wait::SILENCE, &mut answer).await {
			return done;
		}
		if self.is_new_silence() {
			self.tell(&Notice::NoAnswer(wait::SILENCE));
		}
		answer.await
	}

	/// Returns whether the user was not told yet that the node does not answer over this connection. Who asks tells.
	pub(crate) fn is_new_silence(&self) -> bool {
		let made = self.made();
		self.silent.swap(made, Ordering::Relaxed) != made
	}

	/// Returns how many other nodes there are.
	pub(crate) fn others(&self) -> usize {
		self.urls.len() - 1
	}

	/// Leaves the node with this address, if it is the current one: the next request goes to the next node that answers.
	pub(crate) async fn leave(&self, url: &str) {
		let mut current = self.current.lock().await;
		if self.url() == url {
			current.is_left = self.others() > 0;
		}
	}

	/// Passes on what came of a request. A connection over which a request is not answered counts as lost, although the
	/// node answers pings.
	async fn noted<T>(
		&self,
		connection: &Arc<RpcConnection>,
		url: &str,
		answer: Result<T, subxt::rpcs::Error>,
	) -> Result<T, subxt::rpcs::Error> {
		let error = match answer {
			Ok(answer) => return Ok(answer),
			Err(error) => error,
		};
		if is_unanswered(&error) {
			let mut current = self.current.lock().await;
			if Arc::ptr_eq(&current.connection, connection) {
				current.is_left = true;
			}
		}
		Err(self.named(url, error))
	}

	/// Returns the connection, or a new one if it was lost or its node is left: to the next node that answers.
	async fn connection(&self) -> Result<Arc<RpcConnection>, subxt::rpcs::Error> {
		let mut current = self.current.lock().await;
		let mut passed = Vec::new();
		if current.is_left || !current.connection.is_connected() {
			let next = self.at.load(Ordering::Relaxed) + 1;
			let first = first_of(&self.urls, next, self.silence, Some(self.chain)).await;
			let first =
				first.map_err(|errors| subxt::rpcs::Error::Client(Box::new(none_now(errors))))?;
			self.at.store(first.at, Ordering::Relaxed);
			self.made.fetch_add(1, Ordering::Relaxed);
			*current = Current {
				connection: first.connection,
				is_left: false,
			};
			passed = first.passed;
		}
		let connection = current.connection.clone();
		drop(current);
		self.tell_passed(passed);
		Ok(connection)
	}

	/// Names the node in an error of the connection, if there are several.
	fn named(&self, url: &str, error: subxt::rpcs::Error) -> subxt::rpcs::Error {
		match (Error::from(&error), self.others()) {
			(Error::Connection(reason), 1..) => {
				let named = Error::Connection(format!("{url}: {reason}"));
				subxt::rpcs::Error::Client(Box::new(named))
			}
			_ => error,
		}
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
			let connection = self.connection().await?;
			let url = self.url();
			let answer = self.answered(connection.request_raw(method, params)).await;
			self.noted(&connection, &url, answer).await
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
			let url = self.url();
			let subscribed = connection.subscribe_raw(sub, params, unsub);
			let answer = self.answered(subscribed).await;
			self.noted(&connection, &url, answer).await
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

/// Connects to the first of these WebSocket addresses at which a node of the chosen chain answers, or of any chain if none
/// was chosen. The connection is lost when the node is silent for `silence`.
pub(crate) async fn connect(
	urls: &[String],
	silence: Duration,
	chosen: Option<(Chosen, [u8; 32])>,
) -> Result<Arc<Line>, Error> {
	let first = first_of(urls, 0, silence, chosen).await.map_err(none_of)?;
	let current = Current {
		connection: first.connection,
		is_left: false,
	};
	let line = Line {
		urls: urls.to_vec(),
		silence,
		current: current.into(),
		at: first.at.into(),
		made: 1.into(),
		chain: chosen.unwrap_or((Chosen::Reached, first.genesis)),
		requests: Requests::default(),
		on_notice: OnceLock::new(),
		silent: AtomicUsize::default(),
		passed: Mutex::default(),
	};
	line.tell_passed(first.passed);
	Ok(Arc::new(line))
}

/// The first address at which a node of the chain answers.
struct First {
	/// Its number.
	at: usize,
	connection: Arc<RpcConnection>,
	/// The hash of the chain's first block.
	genesis: [u8; 32],
	/// What is wrong with those that were tried before.
	passed: Vec<Error>,
}

/// Connects to the first address, from number `first` on and around, at which a node of the chosen chain answers. Returns
/// the errors of all addresses if there is none.
async fn first_of(
	urls: &[String],
	first: usize,
	silence: Duration,
	chosen: Option<(Chosen, [u8; 32])>,
) -> Result<First, Vec<Error>> {
	let mut passed = Vec::new();
	for at in (first..).map(|at| at % urls.len().max(1)).take(urls.len()) {
		let opened = open(&urls[at], silence)
			.await
			.and_then(|(connection, genesis)| {
				check_chain(&shown(&urls[at]), &genesis, chosen)?;
				Ok((connection, genesis))
			});
		match opened {
			Ok((connection, genesis)) => {
				return Ok(First {
					at,
					connection,
					genesis,
					passed,
				})
			}
			Err(error) => passed.push(error),
		}
	}
	Err(passed)
}

/// Returns the error if no address leads to a node of the chain: why a node that answers is not one, or why none answers,
/// and what is wrong with the other addresses.
fn none_of(mut errors: Vec<Error>) -> Error {
	// Of these errors, two can name the others.
	let rank = |error: &Error| match error {
		Error::Unproven(Unproven::WrongGenesis { .. }) => 0,
		Error::Unreachable { .. } => 2,
		error if error.is_connection() => 3,
		_ => 1,
	};
	let Some(at) = (0..errors.len()).min_by_key(|at| rank(&errors[*at])) else {
		return Error::Unreachable {
			url: String::new(),
			reason: "no address is given".into(),
		};
	};
	let mut error = errors.remove(at);
	match &mut error {
		Error::Unreachable { reason: words, .. }
		| Error::Unproven(Unproven::WrongGenesis { others: words, .. }) => words.push_str(&also(&errors)),
		_ => {}
	}
	error
}

/// Returns the words of errors that are named after another one.
fn also(errors: &[Error]) -> String {
	errors.iter().fold(String::new(), |mut words, error| {
		let _ = write!(words, "; {error}");
		words
	})
}

/// Returns the error if no address leads to a node of the chain now, although one did before: what is wrong with each. One
/// that cannot be reached may be the right one, and come back.
fn none_now(mut errors: Vec<Error>) -> Error {
	let Some(at) = errors.iter().position(Error::is_connection) else {
		return none_of(errors);
	};
	let error = errors.remove(at);
	let (url, reason) = match error {
		Error::Unreachable { url, reason } => (url, reason),
		// Alone, they say more.
		error if errors.is_empty() => return error,
		Error::Rejected { url, status } => (url, format!("HTTP status {status}")),
		Error::Certificate { url, fault } => (url, fault.to_string()),
		error => return error,
	};
	let reason = reason + &also(&errors);
	Error::Gone { url, reason }
}

/// Returns whether a request was not answered in time.
fn is_unanswered(error: &subxt::rpcs::Error) -> bool {
	match error {
		subxt::rpcs::Error::Client(error) => {
			matches!(error.downcast_ref(), Some(RpcError::RequestTimeout))
		}
		_ => false,
	}
}

/// Connects to a node, and asks for the hash of its chain's first block.
async fn open(url: &str, silence: Duration) -> Result<(Arc<RpcConnection>, [u8; 32]), Error> {
	let connection = dial(url, silence).await?;
	let asked = RpcClient::new(Shared(connection.clone()));
	// A server that is silent, hangs up or answers something else is no node.
	let no_node = |reason: String| Error::Unreachable {
		url: shown(url),
		reason: format!("the server there does not answer as a node does: {reason}"),
	};
	let limit = CONNECTING.min(silence);
	let first = asked.request::<H256>("chain_getBlockHash", rpc_params![0]);
	let first = timeout(limit, first)
		.await
		.map_err(|_| no_node(format!("no answer within {} s", limit.as_secs())))?
		.map_err(|error| match Error::from(error) {
			Error::Connection(reason)
			| Error::Rpc {
				message: reason, ..
			} => no_node(reason),
			error => error,
		})?;
	Ok((connection, first.0))
}

/// Opens a connection, which is closed when the node is silent for `silence`, although it is pinged.
async fn dial(url: &str, silence: Duration) -> Result<Arc<RpcConnection>, Error> {
	let unreachable = |reason: String| Error::Unreachable {
		url: shown(url),
		reason,
	};
	let address = ws::Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
	let builder = ws::WsTransportClientBuilder::default()
		.max_request_size(MAX_REQUEST)
		.max_response_size(MAX_ANSWER);
	let builder = match credentials(&address) {
		// A server that this one redirects to does not get them.
		Some(credentials) => {
			let mut headers = HeaderMap::new();
			headers.insert("authorization", credentials);
			builder.set_headers(headers).max_redirections(1)
		}
		None => builder,
	};
	let connecting = builder.build(address.clone());
	// The builder has a limit of its own, which ends before the handshakes of TLS and of the WebSocket.
	let limit = CONNECTING.min(silence);
	let connected = timeout(limit, connecting)
		.await
		.map_err(|_| unreachable(format!("no answer within {} s", limit.as_secs())))?;
	let (sender, receiver) = match connected {
		Ok(halves) => halves,
		Err(error) => {
			if may_speak_tls(&address, &error) && speaks_tls(&address, limit).await {
				let reason = "the server speaks TLS: the address begins with wss://";
				return Err(unreachable(reason.into()));
			}
			if may_be_gateway(&address, &error) && is_gateway(&address, limit).await {
				return Err(unreachable(GATEWAY.into()));
			}
			return Err(not_connected(url, error));
		}
	};
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

#[cfg(test)]
mod tests {
	use super::*;
	use crate::text::to_hex;
	use futures::{SinkExt, StreamExt};
	use isthmus_objects::CertificateFault;
	use serde_json::{json, Value};
	use tokio::net::{TcpListener, TcpStream};
	use tokio_tungstenite::{accept_async, tungstenite::Message};

	#[test]
	fn if_no_node_can_be_used_all_addresses_are_named_or_the_reason_that_counts() {
		let unreachable = |url: &str| Error::Unreachable {
			url: url.into(),
			reason: "refused".into(),
		};
		let rejected = Error::Rejected {
			url: "ws://b".into(),
			status: 403,
		};
		let text = none_of(vec![unreachable("ws://a"), rejected, unreachable("ws://c")]);
		assert_eq!(
			text.to_string(),
			"no node answers at ws://a: refused; ws://b refuses the connection with HTTP status 403; no node answers at ws://c: refused"
		);
		let fault = CertificateFault::Expired;
		let expired = || Error::Certificate {
			url: "wss://b".into(),
			fault: fault.clone(),
		};
		let text = none_of(vec![expired(), unreachable("ws://a")]).to_string();
		assert_eq!(
			text,
			format!("no node answers at ws://a: refused; no connection to wss://b: {fault}")
		);
		let text = none_of(vec![expired()]).to_string();
		assert_eq!(text, format!("no connection to wss://b: {fault}"));
		let other = Error::Incompatible("another chain".into());
		let error = none_of(vec![unreachable("ws://a"), other]);
		assert!(matches!(error, Error::Incompatible(_)), "{error}");
	}

	/// Returns the error of a node that has another chain than the one that was named.
	fn wrong(url: &str, found: u8) -> Error {
		let named = Some((Chosen::Named, [9; 32]));
		check_chain(url, &[found; 32], named).unwrap_err().into()
	}

	#[test]
	fn if_all_nodes_have_another_chain_or_do_not_answer_each_is_named() {
		let refused = || Error::Unreachable {
			url: "ws://b".into(),
			reason: "refused".into(),
		};
		let error = none_of(vec![refused(), wrong("ws://a", 1), wrong("ws://c", 2)]);
		let is_wrong = matches!(error, Error::Unproven(Unproven::WrongGenesis { .. }));
		let text = error.to_string();
		assert!(is_wrong, "{text}");
		let [a, c] = [wrong("ws://a", 1), wrong("ws://c", 2)].map(|error| error.to_string());
		assert_eq!(text, format!("{a}; {}; {c}", refused()));
		// As the transport passes it on when the last node has changed to another chain.
		let passed = subxt::rpcs::Error::Client(Box::new(none_now(vec![wrong("ws://a", 1)])));
		assert_eq!(Error::from(passed).to_string(), a);
	}

	#[tokio::test]
	async fn a_node_of_another_chain_is_told_of_once_although_it_was_passed_over_before() {
		let node = |genesis: u8| node_of([genesis; 32]);
		let (other, right) = (node(1).await, node(9).await);
		let urls = [other.clone(), right.clone()];
		let named = Some((Chosen::Named, [9; 32]));
		let line = connect(&urls, SILENCE, named).await.unwrap();
		assert_eq!(line.url(), right);
		let told: Arc<Mutex<Vec<String>>> = Arc::default();
		let tell = told.clone();
		line.on_notice(move |notice| tell.lock().unwrap().push(notice.to_string()));
		// Of each connection, one place says that the node does not answer.
		assert!(line.is_new_silence() && !line.is_new_silence());
		// It is tried again when the right one is left.
		line.leave(&right).await;
		line.connection().await.unwrap();
		assert_eq!(line.url(), right);
		assert!(line.is_new_silence());
		let told = told.lock().unwrap().clone();
		assert_eq!(told.len(), 1, "{told:?}");
		let begins = format!(
			"warning: another node is asked: the chain at {other} begins with block 0x0101"
		);
		assert!(told[0].starts_with(&begins), "{told:?}");
		assert!(
			told[0].contains("the one that was named begins with 0x0909"),
			"{told:?}"
		);
		let wrong = connect(&urls[..1], SILENCE, named).await.err().unwrap();
		assert!(wrong.to_string().starts_with("WrongGenesis: "), "{wrong}");
	}

	#[tokio::test]
	async fn a_node_that_does_not_answer_is_told_of_once_when_another_one_is_asked() {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let dead = format!("ws://{}", listener.local_addr().unwrap());
		tokio::spawn(async move { while listener.accept().await.is_ok() {} });
		let right = node_of([9; 32]).await;
		let line = connect(&[dead.clone(), right.clone()], SILENCE, None).await;
		let line = line.unwrap();
		assert_eq!(line.url(), right);
		let told: Arc<Mutex<Vec<String>>> = Arc::default();
		let tell = told.clone();
		line.on_notice(move |notice| tell.lock().unwrap().push(notice.to_string()));
		let told = told.lock().unwrap().clone();
		assert_eq!(told.len(), 1, "{told:?}");
		let begins = format!("warning: another node is asked: no node answers at {dead}: ");
		assert!(told[0].starts_with(&begins), "{told:?}");
		let unreachable = || Error::Unreachable {
			url: dead.clone(),
			reason: "refused".into(),
		};
		line.tell_passed(vec![unreachable(), unreachable()]);
		assert_eq!(line.passed.lock().unwrap().len(), 2);
	}

	#[test]
	fn a_lost_connection_stays_lost_although_another_address_leads_to_another_chain() {
		let other = || Error::Incompatible("another chain".into());
		let lost = Error::Unreachable {
			url: "ws://a".into(),
			reason: "refused".into(),
		};
		let error = none_now(vec![wrong("ws://b", 1), lost]);
		assert!(error.is_connection(), "{error}");
		let expected = format!(
			"no node answers any more at ws://a: refused; {}",
			wrong("ws://b", 1)
		);
		assert_eq!(error.to_string(), expected);
		let rejected = |url: &str| Error::Rejected {
			url: url.into(),
			status: 502,
		};
		let both = none_now(vec![rejected("ws://a"), wrong("ws://b", 1)]).to_string();
		let expected = format!(
			"no node answers any more at ws://a: HTTP status 502; {}",
			wrong("ws://b", 1)
		);
		assert_eq!(both, expected);
		let alone = none_now(vec![rejected("ws://a")]);
		assert!(matches!(alone, Error::Rejected { .. }), "{alone}");
		// As the transport passes it on.
		let passed = subxt::rpcs::Error::Client(Box::new(error));
		assert!(matches!(Error::from(passed), Error::Gone { .. }));
		let error = none_now(vec![other(), other()]);
		assert!(matches!(error, Error::Incompatible(_)), "{error}");
	}

	/// Starts a server that answers each request with this hash, as a node does if it is asked for its first block.
	async fn node_of(genesis: [u8; 32]) -> String {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::spawn(async move {
			while let Ok((stream, _)) = listener.accept().await {
				tokio::spawn(answer_with(stream, to_hex(&genesis)));
			}
		});
		format!("ws://{address}")
	}

	/// Answers each request of a client with this text.
	async fn answer_with(stream: TcpStream, text: String) {
		let mut socket = accept_async(stream).await.unwrap();
		while let Some(Ok(message)) = socket.next().await {
			let Message::Text(asked) = message else {
				continue;
			};
			let asked: Value = serde_json::from_str(&asked).unwrap();
			let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": text });
			let _ = socket.send(answer.to_string().into()).await;
		}
	}
}
