// SPDX-License-Identifier: Apache-2.0
//! Requests, taken apart.

use hyper::{
	header::{self, HeaderMap, HeaderName},
	Method, Request,
};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;

/// The address of this machine at which a request arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local(pub(crate) IpAddr);

/// A request, taken apart.
pub(crate) struct Question<'a> {
	pub(crate) method: &'a Method,
	/// The path, as it was sent.
	pub(crate) raw: &'a str,
	/// The path, decoded.
	pub(crate) path: String,
	/// The query, decoded.
	pub(crate) query: Vec<(String, String)>,
	pub(crate) headers: &'a HeaderMap,
	/// The address of this machine at which it arrived, if that is known.
	pub(crate) local: Option<IpAddr>,
	/// What was sent, if it matters.
	pub(crate) content: &'a [u8],
}

impl<'a> Question<'a> {
	/// Takes a request apart, or returns what is wrong with it.
	pub(crate) fn new<Content: AsRef<[u8]>>(
		request: &'a Request<Content>,
	) -> Result<Self, &'static str> {
		let raw = request.uri().path();
		let decode = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
		let pair = |pair: &str| {
			let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
			Some((decode(name)?, decode(&value.replace('+', " "))?))
		};
		let pairs = request.uri().query().unwrap_or_default().split('&');
		let query: Option<Vec<_>> = pairs.filter(|pair| !pair.is_empty()).map(pair).collect();
		Ok(Self {
			method: request.method(),
			raw,
			path: decode(raw).ok_or("the path is not UTF-8")?,
			query: query.ok_or("the query is not UTF-8")?,
			headers: request.headers(),
			local: request.extensions().get::<Local>().map(|local| local.0),
			content: request.body().as_ref(),
		})
	}

	/// Returns the value of a header, if it is text.
	pub(crate) fn header(&self, name: HeaderName) -> Option<&'a str> {
		self.headers.get(name)?.to_str().ok()
	}

	/// Returns a field of the query.
	pub(crate) fn field(&self, name: &str) -> Option<&str> {
		let found = self.query.iter().find(|(key, _)| key == name);
		found.map(|(_, value)| value.as_str())
	}

	pub(crate) fn is_head(&self) -> bool {
		self.method == Method::HEAD
	}

	/// Returns the token of a request over plain HTTP; `None` if it is one of S3. A request that shows nothing and asks for
	/// nothing of S3's is of a program, or a person, that has to be told about the token.
	pub(crate) fn bearer(&self) -> Option<Option<&'a str>> {
		let header = self.header(header::AUTHORIZATION);
		if let Some((scheme, token)) = header.and_then(|header| header.split_once(' ')) {
			if scheme.eq_ignore_ascii_case("bearer") {
				return Some(Some(token.trim()));
			}
			// As curl and wget send a password. S3 knows no such thing.
			if scheme.eq_ignore_ascii_case("basic") {
				return Some(None);
			}
		}
		let is_s3 = header.is_some_and(|header| !header.is_empty())
			|| self.headers.contains_key("x-amz-content-sha256")
			|| self.headers.contains_key("x-amz-date")
			|| !self.query.is_empty();
		(!is_s3).then_some(None)
	}
}
