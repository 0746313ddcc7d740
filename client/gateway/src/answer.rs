// SPDX-License-Identifier: Apache-2.0
//! What a request is answered with.

use crate::{signature::SignatureError, source::Refusal};
use bytes::Bytes;
use http_body_util::{combinators::UnsyncBoxBody, BodyExt, Full};
use hyper::{
	header::{HeaderName, HeaderValue, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
	Response, StatusCode,
};
use jiff::{civil::DateTime, tz::TimeZone, Timestamp};
use std::convert::Infallible;

/// The content of an answer. It fails if a file cannot be read to its end.
pub(crate) type Body = UnsyncBoxBody<Bytes, Refusal>;
pub(crate) type Answer = Response<Body>;

/// The sentence of a refusal, for answers to HEAD, which have no content.
pub(crate) const REASON: HeaderName = HeaderName::from_static("x-isthmus-reason");

/// Why a request is refused: with which status, which of S3's codes, and which sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
	pub(crate) status: StatusCode,
	pub(crate) code: &'static str,
	pub(crate) words: String,
	/// The length of a file that does not have the range that was asked for.
	pub(crate) length: Option<u64>,
}

impl Failure {
	pub(crate) fn new(status: StatusCode, code: &'static str, words: impl Into<String>) -> Self {
		Self {
			status,
			code,
			words: words.into(),
			length: None,
		}
	}

	pub(crate) fn denied(words: impl Into<String>) -> Self {
		Self::new(StatusCode::FORBIDDEN, "AccessDenied", words)
	}

	pub(crate) fn invalid(words: impl Into<String>) -> Self {
		Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", words)
	}

	pub(crate) fn outside(length: u64) -> Self {
		let words = format!("the range is outside the file, which has {length} bytes");
		Self {
			length: Some(length),
			..Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", words)
		}
	}
}

impl From<Refusal> for Failure {
	fn from(refusal: Refusal) -> Self {
		let (status, code) = match &refusal {
			Refusal::Denied(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
			Refusal::NoDataset(_) => (StatusCode::NOT_FOUND, "NoSuchBucket"),
			Refusal::NoFile(_) => (StatusCode::NOT_FOUND, "NoSuchKey"),
			Refusal::Unreachable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
			Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
			Refusal::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
		};
		Self::new(status, code, refusal.to_string())
	}
}

impl From<SignatureError> for Failure {
	fn from(error: SignatureError) -> Self {
		use SignatureError::*;
		let (status, code) = match error {
			Missing | Expired => (StatusCode::FORBIDDEN, "AccessDenied"),
			Malformed(_) => (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
			UnknownKey => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
			Skewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
			Wrong => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
		};
		Self::new(status, code, error.to_string())
	}
}

/// Makes a body of bytes that are there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
	let never = |never: Infallible| match never {};
	Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// Makes an answer of text. An answer to HEAD has no content, but its length.
pub(crate) fn text(status: StatusCode, kind: &'static str, text: String, is_head: bool) -> Answer {
	let length = text.len();
	let mut answer = Response::new(full(if is_head { String::new() } else { text }));
	*answer.status_mut() = status;
	let headers = answer.headers_mut();
	headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
	headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
	close(&mut answer);
	answer
}

/// Sets what all answers have: programs on the way keep no copy, and browsers guess no other type.
pub(crate) fn close(answer: &mut Answer) {
	let headers = answer.headers_mut();
	headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
	headers.insert(
		HeaderName::from_static("x-content-type-options"),
		HeaderValue::from_static("nosniff"),
	);
}

/// Names the reason of a refusal in a header, as far as it can be in one.
pub(crate) fn name_reason(answer: &mut Answer, words: &str) {
	if let Ok(words) = HeaderValue::from_str(words) {
		answer.headers_mut().insert(REASON, words);
	}
}

/// How dates are written in headers: RFC 9110, section 5.6.7.
pub(crate) const HEADER_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Reads a date of a header, in seconds since 1970; `None` if it is none.
pub(crate) fn header_date(text: &str) -> Option<i64> {
	let date = DateTime::strptime(HEADER_DATE, text).ok()?;
	Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Returns a date in a format of `strftime`; the first of 1970 if there is no such date.
pub(crate) fn date(seconds: u64, format: &str) -> String {
	let at = i64::try_from(seconds)
		.ok()
		.and_then(|seconds| Timestamp::from_second(seconds).ok());
	at.unwrap_or_default().strftime(format).to_string()
}
