// SPDX-License-Identifier: Apache-2.0
//! Connects to the servers of stores. `object_store` repeats every request that could not be sent; one that fails in the same
//! way each time, such as to a server whose certificate is not accepted, is not worth the wait.

use crate::{
	certificate::{sent_no_tls, CertificateFault},
	failure::texts,
};
use async_trait::async_trait;
use object_store::{
	client::{
		HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
	},
	ClientOptions,
};

/// The hosts of a cloud's machines that are asked for credentials if there are no others. Outside of that cloud there are none.
const METADATA: [&str; 3] = [
	"169.254.169.254",
	"169.254.170.2",
	"metadata.google.internal",
];

/// Makes the clients that another connector makes, whose errors say whether to repeat a request.
#[derive(Debug)]
pub(crate) struct Decided<Connector>(pub(crate) Connector);

impl<Connector: HttpConnector> HttpConnector for Decided<Connector> {
	fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
		let client = self.0.connect(options)?;
		Ok(HttpClient::new(Deciding(client)))
	}
}

/// Such a client.
#[derive(Debug)]
struct Deciding(HttpClient);

#[async_trait]
impl HttpService for Deciding {
	async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
		let host = request.uri().host().unwrap_or_default();
		let is_metadata = METADATA.contains(&host);
		let answer = self.0.execute(request).await;
		answer.map_err(|error| match is_metadata || is_lasting(&error) {
			// What is unknown is not repeated.
			true => HttpError::new(HttpErrorKind::Unknown, error),
			false => error,
		})
	}
}

/// Returns whether the same request would fail in the same way.
fn is_lasting(error: &HttpError) -> bool {
	let text = texts(error);
	CertificateFault::in_words(&text).is_some() || sent_no_tls(&text)
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
		let client = Decided(Failing(words)).connect(&ClientOptions::new());
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
		}
	}
}
