// SPDX-License-Identifier: Apache-2.0
//! Stores that are reached over a network: S3 and those with its interface, and web servers.

use crate::parts::Parts;
use object_store::{
	aws::{AmazonS3Builder, AmazonS3ConfigKey},
	http::HttpBuilder,
	path::Path,
	ClientOptions, ObjectStore, RetryConfig,
};
use std::{sync::Arc, time::Duration};
use url::Url;

/// A store, what takes the parts of its objects if it can be written to, and a folder in it.
pub(crate) type Opened = (Arc<dyn ObjectStore>, Option<Arc<dyn Parts>>, Path);

/// The variables whose presence says that there are credentials.
const CREDENTIALS: [&str; 5] = [
	"AWS_ACCESS_KEY_ID",
	"AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_METADATA_ENDPOINT",
];

/// Requests that fail in a way that passes are sent again, but not for long: there may be another location.
fn retry() -> RetryConfig {
	RetryConfig {
		max_retries: 4,
		retry_timeout: Duration::from_secs(30),
		..RetryConfig::default()
	}
}

/// This crate has its own limits of time, which depend on what is sent.
fn client(allow_http: bool) -> ClientOptions {
	ClientOptions::new()
		.with_timeout_disabled()
		.with_connect_timeout(Duration::from_secs(10))
		.with_allow_http(allow_http)
}

/// Opens a bucket, with the settings in the variables `AWS_…`. Without credentials, requests are not signed, as for a
/// public bucket: `object_store` would ask the machine's own network for some, and wait long where there are none.
/// `None` if the settings are wrong.
pub(crate) fn s3(url: &Url) -> Option<Opened> {
	let builder = AmazonS3Builder::from_env().with_url(url.as_str());
	let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
	// Who names such an endpoint wants it.
	let is_http = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
	let is_public = !CREDENTIALS
		.iter()
		.any(|name| std::env::var_os(name).is_some());
	let store = builder
		.with_client_options(client(is_http))
		.with_retry(retry())
		// Every byte is checked against the chain. A second checksum would take longer than the encryption.
		.with_unsigned_payload(true)
		.with_skip_signature(is_public)
		.build()
		.ok()?;
	let store = Arc::new(store);
	let folder = Path::from_url_path(url.path()).ok()?;
	Some((store.clone(), Some(store), folder))
}

/// Opens a folder of a web server, which can only be read.
pub(crate) fn http(url: &Url) -> Option<Opened> {
	let folder = Path::from_url_path(url.path()).ok()?;
	let server = &url[..url::Position::BeforePath];
	let store = HttpBuilder::new()
		.with_url(server)
		.with_client_options(client(url.scheme() == "http"))
		.with_retry(retry())
		.build()
		.ok()?;
	Some((Arc::new(store), None, folder))
}
