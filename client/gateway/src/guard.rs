// SPDX-License-Identifier: Apache-2.0
//! Refuses requests that a web page of someone else made. A page can send requests to loopback addresses, also under a
//! name of its own that leads there (DNS rebinding). Its browser says so in the headers `Host` and `Origin`.

use std::net::IpAddr;

/// The names under which the gateway may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
	hosts: Vec<String>,
}

impl Guard {
	/// Allows the loopback addresses, and these names.
	pub(crate) fn new(names: &[String]) -> Self {
		let own = ["127.0.0.1", "[::1]", "localhost"];
		let own = own.into_iter().map(str::to_owned);
		let named = names.iter().map(|name| name.to_ascii_lowercase());
		Self {
			hosts: own.chain(named).collect(),
		}
	}

	/// Returns whether the host of a request, `NAME` or `NAME:PORT`, is one of the names.
	pub(crate) fn is_own_host(&self, host: Option<&str>) -> bool {
		let Some(host) = host else {
			return false;
		};
		self.hosts.contains(&name_of(host).to_ascii_lowercase())
	}

	/// Returns whether the host of a request is the address of this machine at which the request arrived. A page can have a
	/// name of its own lead to that address, but its browser then names the name.
	pub(crate) fn is_local(host: Option<&str>, local: Option<IpAddr>) -> bool {
		let name = host.map(name_of).unwrap_or_default();
		let inside = name
			.strip_prefix('[')
			.and_then(|name| name.strip_suffix(']'));
		let asked: Option<IpAddr> = inside.unwrap_or(name).parse().ok();
		// A socket for both kinds of addresses shows one of IPv4 in the form of IPv6.
		asked.is_some_and(|asked| local.map(|local| local.to_canonical()) == Some(asked))
	}

	/// Returns whether a request comes from no web page, or from one of these names.
	pub(crate) fn is_own_origin(&self, origin: Option<&str>) -> bool {
		match origin {
			None => true,
			Some(origin) => {
				let host = origin.split_once("://").map(|(_, host)| host);
				self.is_own_host(host)
			}
		}
	}
}

/// Returns the name in a host, `NAME` or `NAME:PORT`.
fn name_of(host: &str) -> &str {
	match host.rsplit_once(':') {
		Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
		_ => host,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_address_at_which_a_request_arrives_is_own() {
		let is_local = |host: &str, local: &str| Guard::is_local(Some(host), local.parse().ok());
		assert!(is_local("10.0.0.5", "10.0.0.5"));
		assert!(is_local("10.0.0.5:9800", "10.0.0.5"));
		assert!(is_local("10.0.0.5:9800", "::ffff:10.0.0.5"));
		assert!(is_local("[fd00::5]:9800", "fd00::5"));
		for (host, local) in [
			("10.0.0.6", "10.0.0.5"),
			("10.0.0.5.evil.org", "10.0.0.5"),
			("evil.org:9800", "10.0.0.5"),
			("", "10.0.0.5"),
			("10.0.0.5", ""),
		] {
			assert!(!is_local(host, local), "{host}");
		}
		assert!(!Guard::is_local(None, None));
	}

	#[test]
	fn only_own_names_are_answered() {
		let guard = Guard::new(&["Data.Example.org".to_owned()]);
		for own in [
			"127.0.0.1",
			"127.0.0.1:9000",
			"localhost:1",
			"LOCALHOST",
			"[::1]",
			"[::1]:9000",
			"data.example.org:443",
		] {
			assert!(guard.is_own_host(Some(own)), "{own}");
			assert!(guard.is_own_origin(Some(&format!("http://{own}"))), "{own}");
		}
		for foreign in [
			"",
			":9000",
			"evil.org",
			"127.0.0.1.evil.org",
			"evil.org:9000",
			"localhost.evil.org",
			"10.0.0.1",
			"::1",
			"é",
			"127.0.0.1:x",
			"127.0.0.1@evil.org",
		] {
			assert!(!guard.is_own_host(Some(foreign)), "{foreign}");
			assert!(
				!guard.is_own_origin(Some(&format!("https://{foreign}"))),
				"{foreign}"
			);
		}
		assert!(!guard.is_own_host(None));
		assert!(guard.is_own_origin(None));
		assert!(!guard.is_own_origin(Some("null")));
	}
}
