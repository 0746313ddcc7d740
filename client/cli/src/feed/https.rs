// SPDX-License-Identifier: Apache-2.0
//! Fetches responses over HTTPS, within bounds.

use super::config::Config;
use crate::{error::Error, input::read_at_most};
use http_body_util::{BodyExt, Empty};
use hyper::{
	body::{Body, Bytes, Incoming},
	client::conn::http1,
	header, Request, Response,
};
use hyper_util::rt::TokioIo;
use isthmus_sdk::envelope::paths::ShowPath;
use std::{
	io,
	net::{IpAddr, SocketAddr},
	path::Path,
	sync::Arc,
	time::Duration,
};
use tokio::{
	net::{lookup_host, TcpStream},
	task::JoinSet,
	time::{sleep, timeout},
};
use tokio_rustls::{
	client::TlsStream,
	rustls::{
		self,
		crypto::ring,
		pki_types::{pem::PemObject, CertificateDer, ServerName},
		ClientConfig, RootCertStore,
	},
	TlsConnector,
};
use url::{Host, Url};

/// How many bytes the headers of a response may have.
const MAX_HEADERS: usize = 64 * 1024;

/// Why there is no response. The messages begin with the errors' names. Addresses are shown without their queries, which
/// may contain keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpsError {
	/// No connection could be made.
	#[error("Unreachable: no connection to {at}: {reason}")]
	Unreachable {
		/// The host and the port.
		at: String,
		/// Why.
		reason: String,
	},
	/// The server's certificate is not trusted, has expired or names another host.
	#[error("Certificate: the certificate of {at} is not accepted: {reason}")]
	Certificate {
		/// The host and the port.
		at: String,
		/// Why.
		reason: rustls::Error,
	},
	/// The server does not talk TLS, or not as the standard says.
	#[error("NotTls: no secure connection to {at}: {reason}")]
	NotTls {
		/// The host and the port.
		at: String,
		/// Why.
		reason: String,
	},
	/// The connection was lost, or the server does not talk HTTP.
	#[error("Broken: {at} sent no whole response: {reason}")]
	Broken {
		/// The host and the port.
		at: String,
		/// Why.
		reason: hyper::Error,
	},
	/// The server answered with a status that is not a success.
	#[error("Status: {at} answered with the status {status}")]
	Status {
		/// The address.
		at: String,
		/// The status.
		status: u16,
	},
	/// The server compressed the response, although it was asked not to.
	#[error("Encoded: {at} sends the response with the encoding {encoding}, although it was asked for none")]
	Encoded {
		/// The address.
		at: String,
		/// The encoding.
		encoding: String,
	},
	/// The server redirects more often than is allowed.
	#[error("Redirect: {at} redirects to {to}; the file allows {allowed} redirects")]
	Redirect {
		/// The address.
		at: String,
		/// Where it redirects to.
		to: String,
		/// How many redirects are allowed.
		allowed: u8,
	},
	/// The server redirects to an address without HTTPS.
	#[error("NotHttps: {at} redirects to an address that does not begin with https://")]
	NotHttps {
		/// The address.
		at: String,
	},
	/// The response is longer than is allowed.
	#[error("TooLarge: the response of {at} is longer than {allowed} bytes")]
	TooLarge {
		/// The address.
		at: String,
		/// How long it may be.
		allowed: usize,
	},
	/// The response takes longer than is allowed.
	#[error("TooSlow: {at} did not answer within {} s", allowed.as_secs())]
	TooSlow {
		/// The address.
		at: String,
		/// How long it may take.
		allowed: Duration,
	},
}

/// A client that asks with the bounds of a file.
pub(super) struct Https {
	tls: TlsConnector,
	timeout: Duration,
	max_bytes: usize,
	redirects: u8,
}

/// A response within the bounds, or the address to ask instead.
enum Answer {
	Body(Vec<u8>),
	Elsewhere(Url),
}

/// Returns an address without its query.
pub(super) fn shown(url: &Url) -> String {
	format!("https://{}{}", place(url), url.path())
}

/// Returns the host and the port of an address.
fn place(url: &Url) -> String {
	let host = url.host_str().unwrap_or_default();
	match url.port() {
		Some(port) => format!("{host}:{port}"),
		None => host.to_owned(),
	}
}

impl Https {
	/// Makes a client that trusts the file's authorities, or the system's.
	pub(super) fn new(config: &Config) -> Result<Self, Error> {
		let roots = match &config.ca {
			Some(path) => named_roots(path)?,
			None => system_roots()?,
		};
		let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
			.with_safe_default_protocol_versions()
			.map_err(Error::failed)?
			.with_root_certificates(roots)
			.with_no_client_auth();
		Ok(Self {
			tls: TlsConnector::from(Arc::new(tls)),
			timeout: config.timeout(),
			max_bytes: config.max_bytes,
			redirects: config.redirects,
		})
	}

	/// Fetches a response.
	pub(super) async fn get(&self, url: &Url) -> Result<Vec<u8>, HttpsError> {
		let allowed = self.timeout;
		let too_slow = |_| HttpsError::TooSlow {
			at: shown(url),
			allowed,
		};
		timeout(allowed, self.follow(url)).await.map_err(too_slow)?
	}

	/// Fetches a response from an address, or from where that redirects to.
	async fn follow(&self, url: &Url) -> Result<Vec<u8>, HttpsError> {
		let mut url = url.clone();
		let mut left = self.redirects;
		loop {
			let to = match self.ask(&url).await? {
				Answer::Body(body) => return Ok(body),
				Answer::Elsewhere(to) => to,
			};
			let at = shown(&url);
			if to.scheme() != "https" {
				return Err(HttpsError::NotHttps { at });
			}
			let allowed = self.redirects;
			left = left.checked_sub(1).ok_or_else(|| HttpsError::Redirect {
				at,
				to: shown(&to),
				allowed,
			})?;
			url = to;
		}
	}

	/// Asks once, over a connection of its own.
	async fn ask(&self, url: &Url) -> Result<Answer, HttpsError> {
		let at = place(url);
		let broken = |reason| HttpsError::Broken {
			at: at.clone(),
			reason,
		};
		let stream = self.connect(url, &at).await?;
		let mut http = http1::Builder::new();
		http.max_buf_size(MAX_HEADERS);
		let (mut sender, connection) =
			http.handshake(TokioIo::new(stream)).await.map_err(broken)?;
		// The connection ends with this function.
		let mut task = JoinSet::new();
		task.spawn(connection);
		let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
		let request = Request::get(target)
			.header(header::HOST, &at)
			.header(
				header::USER_AGENT,
				concat!("isthmus/", env!("CARGO_PKG_VERSION")),
			)
			.header(header::ACCEPT, "application/json")
			.header(header::ACCEPT_ENCODING, "identity")
			.body(Empty::<Bytes>::new());
		let Ok(request) = request else {
			return Err(HttpsError::NotHttps { at: shown(url) });
		};
		let response = sender.send_request(request).await.map_err(broken)?;
		let status = response.status();
		// Some of the statuses from 300 to 399 name no address.
		if let Some(to) = location(url, &response).filter(|_| status.is_redirection()) {
			return Ok(Answer::Elsewhere(to));
		}
		if !status.is_success() {
			return Err(HttpsError::Status {
				at: shown(url),
				status: status.as_u16(),
			});
		}
		if let Some(encoding) = encoding(&response) {
			return Err(HttpsError::Encoded {
				at: shown(url),
				encoding,
			});
		}
		let body = self.body(response.into_body()).await.map_err(broken)?;
		body.map(Answer::Body).ok_or_else(|| HttpsError::TooLarge {
			at: shown(url),
			allowed: self.max_bytes,
		})
	}

	/// Connects to the server of an address.
	async fn connect(&self, url: &Url, at: &str) -> Result<TlsStream<TcpStream>, HttpsError> {
		let unreachable = |reason: String| HttpsError::Unreachable {
			at: at.to_owned(),
			reason,
		};
		let port = url.port_or_known_default().unwrap_or(443);
		let no_host = || unreachable("the address names no host".to_owned());
		let (stream, name) = match url.host().ok_or_else(no_host)? {
			Host::Domain(domain) => (
				connect_by_name(domain, port).await,
				ServerName::try_from(domain.to_owned()).map_err(|_| no_host())?,
			),
			Host::Ipv4(ip) => (
				TcpStream::connect((ip, port)).await,
				IpAddr::from(ip).into(),
			),
			Host::Ipv6(ip) => (
				TcpStream::connect((ip, port)).await,
				IpAddr::from(ip).into(),
			),
		};
		let stream = stream.map_err(|error| unreachable(crate::error::os(&error)))?;
		let secured = self.tls.connect(name, stream).await;
		secured.map_err(|error| not_secured(at, &error))
	}

	/// Reads a body, and stops if it is too long.
	async fn body(&self, mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
		if body.size_hint().lower() > self.max_bytes as u64 {
			return Ok(None);
		}
		let mut bytes = Vec::new();
		while let Some(frame) = body.frame().await {
			let Ok(data) = frame?.into_data() else {
				continue;
			};
			if data.len() > self.max_bytes - bytes.len() {
				return Ok(None);
			}
			bytes.extend_from_slice(&data);
		}
		Ok(Some(bytes))
	}
}

/// How long an address of a host may take to answer until the next one is tried, too.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);

/// Connects to a host by its name.
async fn connect_by_name(host: &str, port: u16) -> io::Result<TcpStream> {
	connect_to_one(lookup_host((host, port)).await?.collect()).await
}

/// Connects to the first of these addresses that answers. A host may have one that leads nowhere, often of IPv6: it does not
/// use up the time that the others have.
async fn connect_to_one(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
	let (mut left, mut tries) = (addresses.into_iter(), JoinSet::new());
	let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
	loop {
		match left.next() {
			Some(next) => drop(tries.spawn(TcpStream::connect(next))),
			None if tries.is_empty() => return Err(failed),
			None => {}
		}
		let are_more = left.len() > 0;
		tokio::select! {
			Some(tried) = tries.join_next() => match tried {
				Ok(Ok(stream)) => return Ok(stream),
				Ok(Err(error)) => failed = error,
				Err(error) => failed = error.into(),
			},
			() = sleep(NEXT_ADDRESS), if are_more => {}
		}
	}
}

/// Returns how a response is encoded, if it is.
fn encoding(response: &Response<impl Sized>) -> Option<String> {
	let encoding = response.headers().get(header::CONTENT_ENCODING)?;
	let encoding = String::from_utf8_lossy(encoding.as_bytes());
	let is_plain = encoding.is_empty() || encoding.trim().eq_ignore_ascii_case("identity");
	(!is_plain).then(|| encoding.into_owned())
}

/// Returns where a response redirects to, if it names an address.
fn location(url: &Url, response: &Response<Incoming>) -> Option<Url> {
	let to = response.headers().get(header::LOCATION)?;
	url.join(to.to_str().ok()?).ok()
}

/// Returns the error of a connection that could not be secured.
fn not_secured(at: &str, error: &io::Error) -> HttpsError {
	let at = at.to_owned();
	let reason = error
		.get_ref()
		.and_then(|error| error.downcast_ref::<rustls::Error>());
	match reason {
		Some(reason @ rustls::Error::InvalidCertificate(_)) => HttpsError::Certificate {
			at,
			reason: reason.clone(),
		},
		_ => HttpsError::NotTls {
			at,
			reason: crate::error::os(error),
		},
	}
}

/// The longest file of certificates that is read, in bytes.
const LONGEST_ROOTS: u64 = 16 << 20;

/// Returns the authorities in a file.
fn named_roots(path: &Path) -> Result<RootCertStore, Error> {
	let shown = path.shown();
	let pem = read_at_most(path, LONGEST_ROOTS, "a file of certificates")?;
	let mut roots = RootCertStore::empty();
	for certificate in CertificateDer::pem_slice_iter(&pem) {
		let invalid = |reason: &dyn std::fmt::Display| {
			Error::usage(format!("{shown}: invalid certificate: {reason}"))
		};
		let certificate = certificate.map_err(|error| invalid(&error))?;
		roots.add(certificate).map_err(|error| invalid(&error))?;
	}
	match roots.is_empty() {
		true => Err(Error::usage(format!("{shown} contains no certificate"))
			.hint("expected PEM, with lines such as -----BEGIN CERTIFICATE-----")),
		false => Ok(roots),
	}
}

/// Returns the authorities that the system trusts.
fn system_roots() -> Result<RootCertStore, Error> {
	let mut roots = RootCertStore::empty();
	roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
	match roots.is_empty() {
		true => Err(
			Error::failed("this system has no certificates of authorities to trust").hint(
				"install the package ca-certificates, or name a file: ca = \"authorities.pem\"",
			),
		),
		false => Ok(roots),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn an_address_that_leads_nowhere_does_not_hide_the_others() {
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let open = listener.local_addr().unwrap();
		// Addresses that no host has (RFC 5737, RFC 3849), and a port of this machine at which no one listens.
		let nowhere = ["192.0.2.1:9", "[2001:db8::1]:9", "127.0.0.1:1"];
		let nowhere = nowhere.map(|address| address.parse::<SocketAddr>().unwrap());
		let connected = connect_to_one([&nowhere[..], &[open]].concat()).await;
		assert_eq!(connected.unwrap().peer_addr().unwrap(), open);
		assert!(connect_to_one(vec![nowhere[2]]).await.is_err());
		assert!(connect_to_one(Vec::new()).await.is_err());
	}

	#[test]
	fn a_response_that_is_encoded_is_noticed() {
		let of = |value: &'static str| {
			let response = Response::builder().header(header::CONTENT_ENCODING, value);
			encoding(&response.body(()).unwrap())
		};
		assert_eq!(encoding(&Response::new(())), None);
		assert_eq!(of("identity"), None);
		assert_eq!(of("gzip").as_deref(), Some("gzip"));
		assert_eq!(of("br, gzip").as_deref(), Some("br, gzip"));
	}
}
