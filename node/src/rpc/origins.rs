// SPDX-License-Identifier: Apache-2.0
//! Decides which web pages may call the RPC.
//!
//! A browser sends the origin of the page with each request that could change something, and with each
//! WebSocket handshake. It does not stop a page of any origin from opening a WebSocket to this machine:
//! only the server can. Programs other than browsers send no origin.

use hyper::header::HeaderValue;
use std::sync::Arc;

/// A text of `--rpc-cors` that no page has as its origin.
#[derive(Debug, thiserror::Error)]
#[error(
	"`--rpc-cors`: {0:?} is not the origin of any page: expected SCHEME://HOST[:PORT] such as https://app.example, without a path \
	 or a slash at its end; PORT may be `*`, and `all` allows every page"
)]
pub struct NotAnOrigin(String);

/// Checks the origins of `--rpc-cors`: a page would be refused silently if its origin is written in another way.
///
/// # Errors
///
/// Returns the first text that is not an origin.
pub fn check(list: &[String]) -> Result<(), NotAnOrigin> {
	let is_origin = |text: &str| {
		let host = text.strip_suffix(":*").unwrap_or(text).split_once("://");
		host.is_some_and(|(scheme, host)| {
			let is_odd = |c: char| c.is_whitespace() || "/?#@*,".contains(c);
			let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
			!scheme.is_empty()
				&& scheme.chars().all(is_plain)
				&& !host.is_empty()
				&& !host.contains(is_odd)
		})
	};
	// An empty text allows no page.
	let known = ["null", "*", ""];
	match list
		.iter()
		.find(|text| !known.contains(&text.as_str()) && !is_origin(text))
	{
		Some(text) => Err(NotAnOrigin(text.clone())),
		None => Ok(()),
	}
}

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
