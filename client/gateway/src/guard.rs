// SPDX-License-Identifier: Apache-2.0
//! Refuses requests that a web page of someone else made. A page can send requests to loopback addresses, also under a
//! name of its own that leads there (DNS rebinding). Its browser says so in the headers `Host` and `Origin`.

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
		let name = match host.rsplit_once(':') {
			Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
			_ => host,
		};
		let name = name.to_ascii_lowercase();
		self.hosts.contains(&name)
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

#[cfg(test)]
mod tests {
	use super::*;

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
