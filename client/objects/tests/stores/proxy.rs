// SPDX-License-Identifier: Apache-2.0
//! A proxy in front of a store, with the faults of stores and networks.

use futures::stream;
use http_body_util::{combinators::BoxBody, BodyExt, Full, StreamBody};
use hyper::{
	body::{Bytes, Frame, Incoming},
	header::{HeaderValue, AUTHORIZATION, CONNECTION, TRANSFER_ENCODING},
	service::service_fn,
	Method, Request, Response,
};
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::{TokioExecutor, TokioIo},
};
use std::{
	io,
	net::SocketAddr,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::net::TcpListener;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
	/// The store answers with this status and this code.
	Answer(u16, &'static str),
	/// The store redirects the request to this address.
	Redirect(SocketAddr),
	/// The last byte of the answer has another bit.
	Flip,
	/// Half of the answer comes, and then the connection breaks.
	Cut,
	/// No answer comes.
	Silent,
	/// The store does what was asked, and the connection breaks before it says so.
	Break,
	/// The answer comes, four bytes in a second.
	Slow,
}

/// Which requests fail, and how.
struct Rule {
	method: Method,
	/// How many requests of the method pass before.
	after: usize,
	/// How many fail then.
	times: usize,
	fault: Fault,
}

type Body = BoxBody<Bytes, io::Error>;

/// A running proxy. It ends with its test's runtime.
pub(crate) struct Proxy {
	pub(crate) address: SocketAddr,
	inner: Arc<Inner>,
}

struct Inner {
	to: SocketAddr,
	http: Client<HttpConnector, Full<Bytes>>,
	rule: Mutex<Option<Rule>>,
	seen: Mutex<Vec<(Method, String)>>,
}

impl Proxy {
	pub(crate) async fn start(to: SocketAddr) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		let inner = Arc::new(Inner {
			to,
			http: Client::builder(TokioExecutor::new()).build_http(),
			rule: Mutex::default(),
			seen: Mutex::default(),
		});
		let accepts = inner.clone();
		tokio::spawn(async move {
			while let Ok((stream, _)) = listener.accept().await {
				let inner = accepts.clone();
				let answer = service_fn(move |request| inner.clone().answer(request));
				let server = hyper::server::conn::http1::Builder::new();
				tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
			}
		});
		Self { address, inner }
	}

	/// From now on, `times` requests of this method fail, after `after` of them.
	pub(crate) fn fail(&self, method: Method, after: usize, times: usize, fault: Fault) {
		*self.inner.rule.lock().unwrap() = Some(Rule {
			method,
			after,
			times,
			fault,
		});
	}

	/// Ends all faults, and returns which requests came since the last time.
	pub(crate) fn heal(&self) -> Vec<(Method, String)> {
		*self.inner.rule.lock().unwrap() = None;
		std::mem::take(&mut self.inner.seen.lock().unwrap())
	}
}

impl Inner {
	/// Returns what becomes of a request.
	fn fault(&self, method: &Method) -> Option<Fault> {
		let mut rule = self.rule.lock().unwrap();
		let rule = rule.as_mut().filter(|rule| rule.method == *method)?;
		if rule.after > 0 {
			rule.after -= 1;
			return None;
		}
		rule.times = rule.times.checked_sub(1)?;
		Some(rule.fault)
	}

	async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
		let (mut parts, body) = request.into_parts();
		let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
		let path = path.to_owned();
		let fault = self.fault(&parts.method);
		let seen = (parts.method.clone(), path.clone());
		self.seen.lock().unwrap().push(seen);
		let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
		match fault {
			Some(Fault::Answer(status, code)) => {
				let text = format!("<Error><Code>{code}</Code><Key>geheim</Key></Error>");
				let answer = Response::builder().status(status);
				return Ok(answer.body(whole(text.into())).unwrap());
			}
			Some(Fault::Redirect(to)) => {
				let answer = Response::builder().status(302);
				let answer = answer.header("location", format!("http://{to}{path}"));
				return Ok(answer.body(whole(Bytes::new())).unwrap());
			}
			Some(Fault::Silent) => std::future::pending().await,
			_ => {}
		}
		// The store refuses what has none, as a web server does not. It compares none.
		let authorized = parts.headers.entry(AUTHORIZATION);
		authorized.or_insert(HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"));
		parts.uri = format!("http://{}{path}", self.to).parse().unwrap();
		let request = Request::from_parts(parts, Full::new(body));
		let answer = self.http.request(request).await.map_err(io::Error::other)?;
		let (mut parts, body) = answer.into_parts();
		let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
		parts.headers.remove(TRANSFER_ENCODING);
		parts.headers.remove(CONNECTION);
		let body = match fault {
			Some(Fault::Break) => return Err(io::ErrorKind::ConnectionReset.into()),
			Some(Fault::Flip) => {
				let mut bytes = body.to_vec();
				if let Some(last) = bytes.last_mut() {
					*last ^= 1;
				}
				whole(bytes.into())
			}
			Some(Fault::Cut) => {
				let half = Frame::data(body.slice(..body.len() / 2));
				let broken = io::ErrorKind::ConnectionReset.into();
				StreamBody::new(stream::iter([Ok(half), Err(broken)])).boxed()
			}
			Some(Fault::Slow) => {
				let bytes = stream::unfold(body, |mut rest| async move {
					tokio::time::sleep(Duration::from_millis(250)).await;
					let byte = (!rest.is_empty()).then(|| rest.split_to(1))?;
					Some((Ok::<_, io::Error>(Frame::data(byte)), rest))
				});
				StreamBody::new(bytes).boxed()
			}
			_ => whole(body),
		};
		Ok(Response::from_parts(parts, body))
	}
}

fn whole(bytes: Bytes) -> Body {
	Full::new(bytes).map_err(|never| match never {}).boxed()
}
