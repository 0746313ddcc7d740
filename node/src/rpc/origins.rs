// SPDX-License-Identifier: Apache-2.0
//! Decides which web pages may call the RPC.
//!
//! A browser sends the origin of the page with each request that could change something, and with each
//! WebSocket handshake. It does not stop a page of any origin from opening a WebSocket to this machine:
//! only the server can. Programs other than browsers send no origin.

use hyper::header::HeaderValue;
use std::sync::Arc;

/// The origins of `--rpc-cors`. Clones share the list.
#[derive(Clone, Debug)]
pub struct Origins(Option<Arc<[String]>>);

impl Origins {
	/// Creates a list, or allows every origin with `None` or `*`. An origin is `SCHEME://HOST[:PORT]`, where the
	/// port may be `*`, or `null`.
	pub fn new(list: Option<Vec<String>>) -> Self {
		let list = list.filter(|list| !list.iter().any(|origin| origin == "*"));
		Self(list.map(Into::into))
	}

	/// Returns whether every origin is allowed.
	pub fn are_all_allowed(&self) -> bool {
		self.0.is_none()
	}

	/// Returns whether a page of this origin may call the RPC.
	pub fn allow(&self, origin: &HeaderValue) -> bool {
		let Some(list) = &self.0 else {
			return true;
		};
		let Ok(origin) = origin.to_str() else {
			return false;
		};
		list.iter().any(|allowed| matches(allowed, origin))
	}
}

fn matches(allowed: &str, origin: &str) -> bool {
	let Some(host) = allowed.strip_suffix(":*") else {
		return allowed.eq_ignore_ascii_case(origin);
	};
	let (start, rest) = origin.split_at_checked(host.len()).unwrap_or((origin, ""));
	start.eq_ignore_ascii_case(host)
		&& match rest.strip_prefix(':') {
			Some(port) => !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()),
			None => rest.is_empty(),
		}
}
