// SPDX-License-Identifier: Apache-2.0
//! Connects to the servers of stores. `object_store` repeats every request that could not be sent; one that fails in the same
//! way each time, such as to a server whose certificate is not accepted, is not worth the wait. It does not repeat one that
//! took long until its connection broke off: [`broke_off`] tells these from others. Nor is an error as the answer to a HEAD worth
//! the wait: a GET follows it, and is repeated.

use crate::{
	certificate::{sent_no_tls, CertificateFault},
	failure::texts,
	trouble::{Answers, Trouble},
};
use async_trait::async_trait;
use object_store::{
	client::{
		HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
	},
	ClientOptions,
};
use reqwest::{Method, StatusCode};
use std::{
	error::Error as StdError,
	iter::successors,
	sync::Arc,
	time::{Duration, Instant},
};

/// After a request that took so long, there is hardly any time left in which `object_store` repeats it. To connect takes less.
const LONG: Duration = Duration::from_secs(15);

/// The hosts of a cloud's machines that are asked for credentials if there are no others. Outside of that cloud there are none.
const METADATA: [&str; 3] = [
	"169.254.169.254",
	"169.254.170.2",
	"metadata.google.internal",
];

/// Makes the clients that another connector makes, whose errors say whether to repeat a request. How the store answers is
/// noted.
#[derive(Debug)]
pub(crate) struct Decided<Connector>(pub(crate) Connector, pub(crate) Arc<Answers>);

impl<Connector: HttpConnector> HttpConnector for Decided<Connector> {
	fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
		let client = self.0.connect(options)?;
		Ok(HttpClient::new(Deciding(client, self.1.clone())))
	}
}

/// Such a client.
#[derive(Debug)]
struct Deciding(HttpClient, Arc<Answers>);

#[async_trait]
impl HttpService for Deciding {
	async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
		let host = request.uri().host().unwrap_or_default();
		let is_metadata = METADATA.contains(&host);
		let is_head = request.method() == Method::HEAD;
		let began = Instant::now();
		let answer = self.0.execute(request).await;
		let mut answer = answer.map_err(|error| match is_metadata || is_lasting(&error) {
			// What is unknown is not repeated.
			true => HttpError::new(HttpErrorKind::Unknown, error),
			false if is_late(error.kind(), began.elapsed()) => {
				HttpError::new(error.kind(), BrokeOff(error))
			}
			false => error,
		});
		let trouble = Trouble::in_answer(&answer);
		match &mut answer {
			// This status is not repeated, and is not noted as a proper answer.
			Ok(answer) if is_head && trouble.is_some() => {
				*answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
			}
			_ => self.1.note(trouble, Instant::now()),
		}
		answer
	}
}

/// Returns whether the same request would fail in the same way.
fn is_lasting(error: &HttpError) -> bool {
	let text = texts(error);
	CertificateFault::in_words(&text).is_some() || sent_no_tls(&text)
}

/// The error of a request that took long until its connection broke off.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct BrokeOff(pub(crate) HttpError);

/// Returns whether a request that failed after this time was being sent or answered.
fn is_late(kind: HttpErrorKind, took: Duration) -> bool {
	kind != HttpErrorKind::Connect && took >= LONG
}

/// Returns whether an error is that of a request that took long until its connection broke off.
pub(crate) fn broke_off(error: &(dyn StdError + 'static)) -> bool {
	successors(Some(error), |error| (**error).source()).any(|error| error.is::<BrokeOff>())
}

#[cfg(test)]
mod tests {
	use super::*;
	use object_store::client::HttpRequestBody;
	use std::io;

	/// A connector to servers that all fail in this way.
	#[derive(Debug)]
	struct Failing(&'static str);

	impl HttpConnector for Failing {
		fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
			Ok(HttpClient::new(Self(self.0)))
		}
	}

	#[async_trait]
	impl HttpService for Failing {
		async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
			Err(HttpError::new(
				HttpErrorKind::Connect,
				io::Error::other(self.0),
			))
		}
	}

	async fn failure(words: &'static str, url: &'static str) -> HttpError {
		let connector = Decided(Failing(words), Arc::default());
		let client = connector.connect(&ClientOptions::new());
		let mut request = HttpRequest::new(HttpRequestBody::empty());
		*request.uri_mut() = url.parse().unwrap();
		client.unwrap().execute(request).await.unwrap_err()
	}

	#[tokio::test]
	async fn a_cloud_that_this_machine_is_not_in_is_asked_once_for_credentials() {
		let url = "http://169.254.169.254/latest/api/token";
		let error = failure("connection refused", url).await;
		assert_eq!(error.kind(), HttpErrorKind::Unknown);
	}

	/// A server that answers all with this status.
	#[derive(Debug)]
	struct Answering(u16);

	impl HttpConnector for Answering {
		fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
			Ok(HttpClient::new(Self(self.0)))
		}
	}

	#[async_trait]
	impl HttpService for Answering {
		async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
			let mut answer = HttpResponse::new(String::new().into());
			*answer.status_mut() = self.0.try_into().unwrap();
			Ok(answer)
		}
	}

	#[tokio::test]
	async fn a_fault_of_a_server_is_its_last_answer_to_a_head() {
		for (status, got) in [(200, 200), (404, 404), (429, 405), (501, 405), (503, 405)] {
			let connector = Decided(Answering(status), Arc::default());
			let client = connector.connect(&ClientOptions::new()).unwrap();
			for (method, expected) in [(Method::HEAD, got), (Method::GET, status)] {
				let mut request = HttpRequest::new(HttpRequestBody::empty());
				*request.method_mut() = method;
				let answer = client.execute(request).await.unwrap();
				assert_eq!(answer.status().as_u16(), expected);
			}
		}
	}

	#[tokio::test]
	async fn what_no_repetition_mends_is_not_repeated() {
		for (words, kind) in [
			(
				"invalid peer certificate: UnknownIssuer",
				HttpErrorKind::Unknown,
			),
			(
				"received corrupt message of type InvalidContentType",
				HttpErrorKind::Unknown,
			),
			("dns error", HttpErrorKind::Connect),
			("connection refused", HttpErrorKind::Connect),
		] {
			let error = failure(words, "https://a.example/x").await;
			assert_eq!(error.kind(), kind, "{words}");
			assert!(texts(&error).contains(words));
			assert!(!broke_off(&error));
		}
	}

	#[test]
	fn a_connection_that_breaks_off_late_is_told_from_one_that_is_not_made() {
		use HttpErrorKind::*;
		for kind in [Request, Interrupted, Unknown] {
			assert!(is_late(kind, LONG));
			assert!(!is_late(kind, Duration::from_secs(10)));
		}
		assert!(!is_late(Connect, LONG));
		let words = "error sending request";
		let error = HttpError::new(Interrupted, io::Error::other(words));
		let error = HttpError::new(Interrupted, BrokeOff(error));
		assert!(broke_off(&error) && texts(&error).contains(words));
	}
}
