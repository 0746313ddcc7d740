// SPDX-License-Identifier: Apache-2.0
//! What is said of a server that is no node, or that no connection is made to.

use super::address::shown;
use crate::{error::Error, text::io_words};
use isthmus_objects::{sent_no_tls, CertificateFault};
use std::{
	error::Error as StdError,
	io::{self, ErrorKind},
	time::Duration,
};
use subxt::ext::jsonrpsee::client_transport::ws::{self, WsHandshakeError};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
	time::timeout,
};

/// The longest time to find out whether a server speaks TLS, or is a gateway.
const LOOKING: Duration = Duration::from_secs(3);
/// What is said of the port of a gateway.
pub(super) const GATEWAY: &str =
	"this is the port of `isthmus gateway`: a node's RPC is usually at port 9944";
/// The header with which a gateway says why it refuses something.
const GATEWAY_REASON: &str = "\r\nx-isthmus-reason:";
/// How much of the answer of what may be a gateway is read, in bytes.
const GATEWAY_ANSWER: u64 = 4096;

/// Returns whether a server that does not answer as one of WebSockets does may speak TLS, although its address says that it
/// does not.
pub(super) fn may_speak_tls(address: &ws::Url, error: &WsHandshakeError) -> bool {
	let is_odd = matches!(
		error,
		WsHandshakeError::Transport(_) | WsHandshakeError::Rejected { status_code: 400 }
	);
	address.scheme() == "ws" && is_odd
}

/// Returns whether the server at an address speaks TLS there. It gets no password.
pub(super) async fn speaks_tls(address: &ws::Url, limit: Duration) -> bool {
	let mut secure = address.clone();
	let is_made = secure.set_scheme("wss").is_ok()
		&& secure.set_port(address.port_or_known_default()).is_ok()
		&& secure.set_username("").is_ok()
		&& secure.set_password(None).is_ok();
	if !is_made {
		return false;
	}
	let builder = ws::WsTransportClientBuilder::default().max_redirections(1);
	match timeout(limit.min(LOOKING), builder.build(secure)).await {
		// What it sent is TLS, although there may be something wrong with it.
		Ok(Err(WsHandshakeError::Io(error))) => {
			error.kind() == ErrorKind::InvalidData && !sent_no_tls(&error.to_string())
		}
		Ok(
			Ok(_)
			| Err(
				WsHandshakeError::Transport(_)
				| WsHandshakeError::Rejected { .. }
				| WsHandshakeError::Redirected { .. }
				| WsHandshakeError::NoAddressFound(_),
			),
		) => true,
		_ => false,
	}
}

/// Returns whether a server that refuses to open a WebSocket may be a gateway. It asks for its token, which looks like asking for
/// a name and a password.
pub(super) fn may_be_gateway(address: &ws::Url, error: &WsHandshakeError) -> bool {
	let is_refusal = matches!(
		error,
		WsHandshakeError::Rejected {
			status_code: 401 | 403
		}
	);
	address.scheme() == "ws" && is_refusal
}

/// Returns whether the server at an address is a gateway, by the header with its reason. It gets no password.
pub(super) async fn is_gateway(address: &ws::Url, limit: Duration) -> bool {
	let (Some(host), Some(port)) = (address.host_str(), address.port_or_known_default()) else {
		return false;
	};
	let at = format!("{host}:{port}");
	let asked = async {
		let mut stream = TcpStream::connect(&at).await?;
		let request = format!("GET / HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
		stream.write_all(request.as_bytes()).await?;
		let mut answer = Vec::new();
		stream.take(GATEWAY_ANSWER).read_to_end(&mut answer).await?;
		Ok::<_, io::Error>(answer)
	};
	match timeout(limit.min(LOOKING), asked).await {
		Ok(Ok(answer)) => {
			let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
			answer.contains(GATEWAY_REASON)
		}
		_ => false,
	}
}

/// Returns the error of a connection that was not opened.
pub(super) fn not_connected(url: &str, error: WsHandshakeError) -> Error {
	let unreachable = |reason: String| Error::Unreachable {
		url: shown(url),
		reason,
	};
	match error {
		WsHandshakeError::Rejected { status_code } => Error::Rejected {
			url: shown(url),
			status: status_code,
		},
		// What is wrong with TLS.
		WsHandshakeError::Io(error) if error.kind() == ErrorKind::InvalidData => {
			let words = error.to_string();
			match CertificateFault::in_words(&words) {
				Some(fault) => Error::Certificate {
					url: shown(url),
					fault,
				},
				None if sent_no_tls(&words) => unreachable(
					"the server does not speak TLS: without it, the address begins with ws://"
						.into(),
				),
				None => unreachable(format!("no connection with TLS: {}", io_words(&words))),
			}
		}
		WsHandshakeError::Io(error) if is_closing(&error) => unreachable(CLOSES.into()),
		WsHandshakeError::Io(error) | WsHandshakeError::ResolutionFailed(error) => {
			unreachable(io_words(&error))
		}
		WsHandshakeError::Url(words) if words.contains("`http") => unreachable(
			"the server redirects to an address that is not one of a WebSocket: if it speaks TLS, the address begins with wss://"
				.into(),
		),
		// What has no address fails before.
		WsHandshakeError::NoAddressFound(_) => {
			unreachable("the server redirects: give the address to which it does".into())
		}
		WsHandshakeError::Transport(error) => unreachable(no_websocket(&error)),
		error => unreachable(io_words(&error)),
	}
}

/// What is said of a server that accepts a connection and closes it. A node does so at its port for peers.
const CLOSES: &str = "the server closes the connection; the port may be one for peers (30333): a node's RPC is usually at 9944";

/// Returns whether the other side has closed a connection.
fn is_closing(error: &io::Error) -> bool {
	use ErrorKind::*;
	matches!(
		error.kind(),
		UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
	)
}

/// Says what a server does that opens no WebSocket.
fn no_websocket(error: &(dyn StdError + 'static)) -> String {
	let cause = error.source();
	match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
		Some(error) if is_closing(error) => CLOSES.into(),
		Some(error) => io_words(error),
		None if error.to_string().contains("invalid HTTP version") => {
			"the server does not speak HTTP: a node's RPC is usually at port 9944".into()
		}
		None => format!("the server speaks HTTP, but no WebSocket: {error}"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::connection::{dial, SILENCE};
	use tokio::net::TcpListener;

	#[test]
	fn what_is_wrong_with_tls_is_told_apart() {
		let failed = |url: &str, words: &str| {
			let error = std::io::Error::new(ErrorKind::InvalidData, words.to_owned());
			not_connected(url, WsHandshakeError::Io(error))
		};
		let words = |words: &str| failed("wss://user:secret@a", words).to_string();
		let plain = words("received corrupt message of type InvalidContentType");
		assert_eq!(
			plain,
			"no node answers at wss://a: the server does not speak TLS: without it, the address begins with ws://"
		);
		assert_eq!(
			words("received fatal alert: ProtocolVersion"),
			"no node answers at wss://a: no connection with TLS: received fatal alert: ProtocolVersion"
		);
		let untrusted = failed(
			"wss://user:secret@a",
			"invalid peer certificate: UnknownIssuer",
		);
		let fault = CertificateFault::Untrusted;
		assert!(untrusted.is_connection());
		assert_eq!(
			untrusted.to_string(),
			format!("no connection to wss://a: {fault}")
		);
	}

	#[test]
	fn a_server_that_redirects_to_a_web_page_says_so() {
		let redirected =
			WsHandshakeError::Url("`https` not supported, expects 'ws' or 'wss'".into());
		let words = not_connected("ws://a", redirected).to_string();
		assert!(words.ends_with("the address begins with wss://"), "{words}");
	}

	/// Starts a server that answers whatever it is asked with these bytes, and then closes the connection.
	async fn server(answer: &'static [u8]) -> String {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		tokio::spawn(async move {
			while let Ok((mut stream, _)) = listener.accept().await {
				let _ = stream.read(&mut [0; 4096]).await;
				let _ = stream.write_all(answer).await;
				let _ = stream.shutdown().await;
				let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
			}
		});
		format!("ws://{address}")
	}

	#[tokio::test]
	async fn what_a_server_speaks_that_is_no_node_is_said() {
		let tls = "the server speaks TLS: the address begins with wss://";
		for (answer, expected) in [
			(
				b"HTTP/1.0 404 Not Found\r\n\r\n".as_slice(),
				"the server speaks HTTP, but no WebSocket: http version was not 1.1",
			),
			(b"", CLOSES),
			(
				b"SSH-2.0-OpenSSH_9.2\r\n",
				"the server does not speak HTTP: a node's RPC is usually at port 9944",
			),
			// An alert.
			(b"\x15\x03\x03\0\x02\x02\x28", tls),
			(
				b"HTTP/1.1 401 Unauthorized\r\nX-Isthmus-Reason: no token\r\ncontent-length: 0\r\n\r\n",
				GATEWAY,
			),
		] {
			let url = server(answer).await;
			let Err(error) = dial(&url, SILENCE).await else {
				panic!("{answer:?}");
			};
			let expected = format!("no node answers at {url}: {expected}");
			assert_eq!(error.to_string(), expected);
			assert!(error.is_connection());
		}
		// Another server asks for a name and a password.
		let url = server(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
		let refused = dial(&url, SILENCE).await.err();
		assert!(
			matches!(refused, Some(Error::Rejected { status: 401, .. })),
			"{refused:?}"
		);
		// Over TLS, a server that closes the connection is told in the same way.
		let url = server(b"").await.replace("ws:", "wss:");
		let Err(error) = dial(&url, SILENCE).await else {
			panic!("it is no node");
		};
		assert!(error.to_string().ends_with(CLOSES), "{error}");
	}
}
