// SPDX-License-Identifier: Apache-2.0
//! Addresses of nodes: what is shown of one, and the password in it.

use base64::{engine::general_purpose::STANDARD, Engine};
use subxt::ext::jsonrpsee::client_transport::ws::{self, HeaderValue};

/// Returns the header with the name and the password in an address, if there are any. What is escaped there is not here, as
/// in the programs of others.
pub(super) fn credentials(address: &ws::Url) -> Option<HeaderValue> {
	let (name, password) = (address.username(), address.password()?);
	let plain = [unescaped(name), b":".to_vec(), unescaped(password)].concat();
	let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain))).ok()?;
	value.set_sensitive(true);
	Some(value)
}

/// Returns the bytes that a part of an address stands for: `%40` for `@`.
fn unescaped(text: &str) -> Vec<u8> {
	let mut bytes = Vec::with_capacity(text.len());
	let mut rest = text.as_bytes();
	while let [first, after @ ..] = rest {
		let mut escaped = [0];
		let digits = after.get(..2).filter(|_| *first == b'%');
		let is_escape =
			digits.is_some_and(|digits| hex::decode_to_slice(digits, &mut escaped).is_ok());
		bytes.push(if is_escape { escaped[0] } else { *first });
		rest = &after[if is_escape { 2 } else { 0 }..];
	}
	bytes
}

/// Returns an address without the name, the password and the query that it may contain: a query may be a secret, too. A
/// password may contain `/`, `?` and `#`, although it should not: what may be a part of one is not shown, either.
pub fn shown(url: &str) -> String {
	let (scheme, rest) = match url.split_once("://") {
		Some((scheme, rest)) => (format!("{scheme}://"), rest),
		None => (String::new(), url),
	};
	let is_end = |letter| matches!(letter, '/' | '?' | '#');
	let (host, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
	let host = host.rsplit('@').next().unwrap_or_default();
	match after.rsplit_once('@') {
		None => {
			let path = after.split(['?', '#']).next().unwrap_or_default();
			format!("{scheme}{host}{path}")
		}
		Some(_) if is_host(host) => format!("{scheme}{host}"),
		Some((_, last)) => {
			let host = last.split(is_end).next().unwrap_or_default();
			format!("{scheme}{host}")
		}
	}
}

/// Returns whether a text is surely a host, with or without a port, and not the beginning of a name and a password.
fn is_host(text: &str) -> bool {
	let (host, port) = match text.rsplit_once(':') {
		Some((host, port)) if !port.ends_with(']') => (host, port),
		_ => (text, "1"),
	};
	let is_name = host == "localhost" || host.contains('.') || host.starts_with('[');
	is_name && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_password_in_an_address_is_sent_as_it_is() {
		for (url, plain) in [
			("wss://ada:pass@node.org/rpc", Some("ada:pass")),
			(
				"wss://ada%40uni.org:p%3Ass%25@node.org",
				Some("ada@uni.org:p:ss%"),
			),
			("wss://ada:100%@node.org", Some("ada:100%")),
			("wss://:token@node.org", Some(":token")),
			("wss://node.org/rpc", None),
		] {
			let sent = credentials(&ws::Url::parse(url).unwrap());
			let sent = sent.map(|sent| sent.to_str().unwrap().to_owned());
			let expected = plain.map(|plain| format!("Basic {}", STANDARD.encode(plain)));
			assert_eq!(sent, expected, "{url}");
		}
	}

	#[test]
	fn a_password_in_an_address_is_not_shown() {
		for (url, expected) in [
			("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
			("wss://user:p@ss@node.org/rpc", "wss://node.org/rpc"),
			("ws://node.org/a@b", "ws://node.org"),
			("ws://[::1]/a@b", "ws://[::1]"),
			("ws://[::1]:9944?a@b", "ws://[::1]:9944"),
			("wss://node.org:443/rpc?user@secret", "wss://node.org:443"),
			("wss://user:pass@node.org?token=se@cret", "wss://node.org"),
			("wss://node.org/rpc?token=secret", "wss://node.org/rpc"),
			("wss://node.org?user@secret", "wss://node.org"),
			("node", "node"),
			("user:pass@node.org:9944", "node.org:9944"),
			("node.org:9944?token=secret", "node.org:9944"),
			// Passwords with what should not be in them.
			("ws://u:pa/ss@h", "ws://h"),
			("ws://u:pa?ss@h:1/rpc", "ws://h:1"),
			("ws://u:pa#ss@h?token=secret", "ws://h"),
			("ws://u:p@s/s@h", "ws://h"),
			("ws://u:12/34@h", "ws://h"),
			("ada@uni.org:pa/ss@h", "h"),
		] {
			assert_eq!(shown(url), expected);
		}
	}
}
