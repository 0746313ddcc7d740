// SPDX-License-Identifier: Apache-2.0
//! Opens stores by the scheme of a location.

use crate::{
	connector::Decided,
	local::Local,
	location_error::LocationError,
	parts::{LocalParts, Parts},
	settings::Settings,
	trouble::Answers,
};
use object_store::{
	aws::AmazonS3Builder,
	azure::MicrosoftAzureBuilder,
	client::{HttpClient, HttpConnector, ReqwestConnector},
	gcp::GoogleCloudStorageBuilder,
	http::HttpBuilder,
	path::Path,
	BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
};
use reqwest::{
	dns::{Addrs, Name, Resolve, Resolving},
	redirect,
};
use std::{
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	sync::Arc,
	time::Duration,
};
use url::{Host, Url};

/// How long connecting to a store may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How often a web server may redirect a request.
const REDIRECTS: usize = 3;

/// A store, and where objects lie in it.
pub(crate) struct Store {
	pub(crate) store: Arc<dyn ObjectStore>,
	/// Takes the parts of large objects; `None` if the store is only read.
	pub(crate) parts: Option<Arc<dyn Parts>>,
	pub(crate) folder: Path,
	/// Notes how the store answers.
	pub(crate) answers: Arc<Answers>,
}

/// Opens the store of a location. Nothing is asked of it.
pub(crate) fn open(url: &Url, settings: &Settings) -> Result<Store, LocationError> {
	match url.scheme() {
		"file" => file(url),
		"s3" => s3(url, settings),
		"gs" => gs(url, settings),
		"az" => az(url, settings),
		"https" if is_private(url) => Err(LocationError::Private(
			url.host_str().unwrap_or_default().to_owned(),
		)),
		"https" => web(url, Web::Anywhere),
		"http" if is_loopback(url) => web(url, Web::ThisMachine),
		"http" => Err(LocationError::NotLoopback),
		scheme => Err(LocationError::Scheme(scheme.to_owned())),
	}
}

/// Opens the store of a location that anyone may have published, with settings that have no credentials. Nothing is asked of it.
pub(crate) fn open_public(url: &Url, settings: &Settings) -> Result<Store, LocationError> {
	match url.scheme() {
		"s3" => s3(url, settings),
		"gs" => gs(url, settings),
		"https" if is_loopback(url) || is_private(url) => Err(LocationError::Private(
			url.host_str().unwrap_or_default().to_owned(),
		)),
		"https" => web(url, Web::PublicOnly),
		scheme => Err(LocationError::NotPublic(scheme.to_owned())),
	}
}

/// Returns how often, and for how long, a request is repeated after a fault of the store or the network. It takes less
/// than the [silence](crate::SILENCE) after which a location is left.
fn retry() -> RetryConfig {
	RetryConfig {
		backoff: BackoffConfig {
			init_backoff: Duration::from_millis(100),
			max_backoff: Duration::from_secs(5),
			base: 3.0,
		},
		max_retries: 8,
		retry_timeout: Duration::from_secs(20),
	}
}

/// Returns how stores are asked. This crate has its own bounds for how long an answer may take, which depend on its size.
fn options() -> ClientOptions {
	ClientOptions::new()
		.with_timeout_disabled()
		.with_connect_timeout(CONNECTING)
}

fn file(url: &Url) -> Result<Store, LocationError> {
	let not = || LocationError::NotAUrl(url.to_string());
	let folder = url.to_file_path().map_err(|()| not())?;
	Ok(Store {
		store: Arc::new(Local::new()),
		parts: Some(Arc::new(LocalParts)),
		folder: Path::from_absolute_path(&folder).map_err(|_| not())?,
		answers: Arc::default(),
	})
}

fn s3(url: &Url, settings: &Settings) -> Result<Store, LocationError> {
	let wrong = |_| {
		LocationError::Settings(
		"the settings of S3 are wrong: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL, or the profile",
	)
	};
	let settings = settings.with_profile()?;
	settings.check_endpoint()?;
	settings.check_keys()?;
	let authorities = settings.authorities()?.into_iter();
	let options = authorities.fold(options(), ClientOptions::with_root_certificate);
	let builder = AmazonS3Builder::new().with_client_options(options);
	let known = |builder: AmazonS3Builder, (key, value)| builder.with_config(key, value);
	let builder = settings.known("AWS_")?.into_iter().fold(builder, known);
	let answers = Arc::<Answers>::default();
	let builder = builder
		.with_bucket_name(bucket(url)?)
		.with_http_connector(Decided(ReqwestConnector::default(), answers.clone()))
		.with_retry(retry());
	written(builder.build().map_err(wrong)?, url, answers)
}

fn gs(url: &Url, settings: &Settings) -> Result<Store, LocationError> {
	let wrong = |_| {
		LocationError::Settings(
		"the settings of Google Cloud Storage are wrong: check the file that GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT names",
	)
	};
	let builder = GoogleCloudStorageBuilder::new().with_client_options(options());
	let known = |builder: GoogleCloudStorageBuilder, (key, value)| builder.with_config(key, value);
	let builder = settings.known("GOOGLE_")?.into_iter().fold(builder, known);
	let answers = Arc::<Answers>::default();
	let builder = builder
		.with_bucket_name(bucket(url)?)
		.with_http_connector(Decided(ReqwestConnector::default(), answers.clone()))
		.with_retry(retry());
	written(builder.build().map_err(wrong)?, url, answers)
}

fn az(url: &Url, settings: &Settings) -> Result<Store, LocationError> {
	let wrong = |_| {
		LocationError::Settings(
		"the settings of Azure are not complete or wrong: set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or another credential",
	)
	};
	let builder = MicrosoftAzureBuilder::new().with_client_options(options());
	let known = |builder: MicrosoftAzureBuilder, (key, value)| builder.with_config(key, value);
	let builder = settings.known("AZURE_")?.into_iter().fold(builder, known);
	let answers = Arc::<Answers>::default();
	let builder = builder
		.with_container_name(bucket(url)?)
		.with_http_connector(Decided(ReqwestConnector::default(), answers.clone()))
		.with_retry(retry());
	written(builder.build().map_err(wrong)?, url, answers)
}

/// A web server is only read.
fn web(url: &Url, web: Web) -> Result<Store, LocationError> {
	let not = || LocationError::NotAUrl(url.to_string());
	let answers = Arc::<Answers>::default();
	let builder = HttpBuilder::new()
		.with_url(&url[..url::Position::BeforePath])
		.with_http_connector(Decided(web, answers.clone()))
		.with_retry(retry());
	Ok(Store {
		store: Arc::new(builder.build().map_err(|_| not())?),
		parts: None,
		folder: folder(url)?,
		answers,
	})
}

/// Makes the clients of web servers. A server may redirect to other paths of its own, and nowhere else: another address is
/// not what the owner published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Web {
	/// Servers of this machine, without TLS.
	ThisMachine,
	/// Servers that an owner named.
	Anywhere,
	/// Servers that anyone named: what a name leads to is looked at, too.
	PublicOnly,
}

impl HttpConnector for Web {
	fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
		let within = |attempt: redirect::Attempt<'_>| {
			let first = attempt.previous().first();
			let is_own = first.is_some_and(|first| first.origin() == attempt.url().origin());
			match is_own && attempt.previous().len() <= REDIRECTS {
				true => attempt.follow(),
				false => attempt.stop(),
			}
		};
		// As `object_store` makes its own: a compressed answer has another length.
		let builder = match self {
			Self::PublicOnly => reqwest::Client::builder().dns_resolver(Arc::new(PublicNames)),
			Self::Anywhere => reqwest::Client::builder(),
			// To a proxy, this machine would be another one.
			Self::ThisMachine => reqwest::Client::builder().no_proxy(),
		};
		let client = builder
			.user_agent(concat!("isthmus/", env!("CARGO_PKG_VERSION")))
			.connect_timeout(CONNECTING)
			.https_only(*self != Self::ThisMachine)
			.http1_only()
			.redirect(redirect::Policy::custom(within))
			.no_gzip()
			.no_brotli()
			.no_zstd()
			.no_deflate()
			.build();
		let failed = |error| object_store::Error::Generic {
			store: "HTTP",
			source: Box::new(error),
		};
		Ok(HttpClient::new(client.map_err(failed)?))
	}
}

/// Finds the addresses of names, and leaves out those of this machine and of private networks.
struct PublicNames;

impl Resolve for PublicNames {
	fn resolve(&self, name: Name) -> Resolving {
		Box::pin(async move {
			let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
			let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
			match public.is_empty() {
				true => Err("the name has no public address".into()),
				false => Ok(Box::new(public.into_iter()) as Addrs),
			}
		})
	}
}

/// Returns a store to which objects are written, too.
fn written(
	store: impl ObjectStore + Parts,
	url: &Url,
	answers: Arc<Answers>,
) -> Result<Store, LocationError> {
	let store = Arc::new(store);
	Ok(Store {
		store: store.clone(),
		parts: Some(store),
		folder: folder(url)?,
		answers,
	})
}

fn bucket(url: &Url) -> Result<&str, LocationError> {
	let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
	bucket.ok_or_else(|| LocationError::NotAUrl(url.to_string()))
}

fn folder(url: &Url) -> Result<Path, LocationError> {
	Path::from_url_path(url.path()).map_err(|_| LocationError::NotAUrl(url.to_string()))
}

fn is_loopback(url: &Url) -> bool {
	match url.host() {
		Some(Host::Ipv4(address)) => address.is_loopback(),
		Some(Host::Ipv6(address)) => address.is_loopback(),
		Some(Host::Domain(name)) => {
			let name = name.trim_end_matches('.');
			name == "localhost" || name.ends_with(".localhost")
		}
		None => false,
	}
}

/// Returns whether the host is written as an address that others have for machines of their own network: what an owner
/// publishes must not make readers ask theirs. A name is not resolved here.
fn is_private(url: &Url) -> bool {
	match url.host() {
		Some(Host::Ipv4(address)) => is_private_v4(address),
		Some(Host::Ipv6(address)) => is_private_v6(address),
		Some(Host::Domain(_)) | None => false,
	}
}

/// Returns whether an address is one that all machines reach.
fn is_public(address: IpAddr) -> bool {
	let is_private = match address {
		IpAddr::V4(address) => is_private_v4(address),
		IpAddr::V6(address) => is_private_v6(address),
	};
	!is_private && !address.is_loopback()
}

fn is_private_v4(address: Ipv4Addr) -> bool {
	let [first, second, ..] = address.octets();
	// Also those between a provider and its customers (RFC 6598).
	let is_shared = first == 100 && (64..128).contains(&second);
	let is_multicast_or_reserved = first >= 224;
	first == 0
		|| is_shared
		|| is_multicast_or_reserved
		|| address.is_private()
		|| address.is_link_local()
}

fn is_private_v6(address: Ipv6Addr) -> bool {
	match address.to_ipv4_mapped() {
		Some(address) => is_private_v4(address) || address.is_loopback(),
		None => {
			address.is_unspecified()
				|| address.is_unique_local()
				|| address.is_unicast_link_local()
				|| address.is_multicast()
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn opened(url: &str) -> Result<Store, LocationError> {
		let variables = [
			("AWS_ACCESS_KEY_ID", "a"),
			("AWS_SECRET_ACCESS_KEY", "b"),
			("AZURE_STORAGE_ACCOUNT_NAME", "c"),
			("GOOGLE_SKIP_SIGNATURE", "true"),
		];
		let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
		open(
			&Url::parse(url).unwrap(),
			&variables.into_iter().map(owned).collect(),
		)
	}

	#[test]
	fn each_scheme_has_its_store() {
		for (url, name, is_written, folder) in [
			("file:///srv/a%20b", "LocalFileSystem", true, "srv/a b"),
			("s3://grades/2026/x", "AmazonS3(grades)", true, "2026/x"),
			("s3://grades_2", "AmazonS3(grades_2)", true, ""),
			("gs://grades/x", "GoogleCloudStorage(grades)", true, "x"),
			("az://grades/x", "MicrosoftAzure", true, "x"),
			("https://a.example:8443/x%20y", "HttpStore", false, "x y"),
			("http://127.0.0.1:80/x", "HttpStore", false, "x"),
			("http://[::1]/x", "HttpStore", false, "x"),
			("http://localhost/x", "HttpStore", false, "x"),
		] {
			let store = opened(url).unwrap();
			let shown = store.store.to_string();
			assert!(shown.starts_with(name), "{url}: {shown}");
			assert_eq!(store.parts.is_some(), is_written, "{url}");
			assert_eq!(store.folder.to_string(), folder, "{url}");
		}
	}

	#[test]
	fn what_others_publish_leads_into_no_private_network() {
		for host in [
			"169.254.169.254",
			"10.0.0.1:8443",
			"172.16.5.4",
			"192.168.1.1",
			"100.64.0.1",
			"0.0.0.0",
			"0x0a000001",
			"224.0.0.1",
			"255.255.255.255",
			"[::]",
			"[fe80::1]",
			"[fd00::1]",
			"[ff02::1]",
			"[::ffff:10.0.0.1]",
			"[::ffff:127.0.0.1]",
		] {
			let refused = opened(&format!("https://{host}/x")).err();
			assert!(matches!(refused, Some(LocationError::Private(_))), "{host}");
		}
		for host in [
			"93.184.216.34",
			"[2606:4700::1]",
			"127.0.0.1",
			"[::1]",
			"a.example",
		] {
			assert!(opened(&format!("https://{host}/x")).is_ok(), "{host}");
		}
	}

	#[test]
	fn of_what_anyone_publishes_only_public_stores_are_asked_and_nothing_is_signed() {
		let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
		let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
		let settings: Settings = keys.into_iter().map(owned).collect();
		let settings = settings.unsigned();
		let opened = |url: &str| open_public(&Url::parse(url).unwrap(), &settings);
		for url in [
			"s3://grades/2026",
			"gs://grades/x",
			"https://a.example/x",
			"https://93.184.216.34/x",
		] {
			assert!(opened(url).is_ok(), "{url}");
		}
		for url in [
			"file:///etc",
			"az://grades/x",
			"http://127.0.0.1:80/x",
			"http://a.example/x",
		] {
			let refused = opened(url).err();
			assert!(
				matches!(refused, Some(LocationError::NotPublic(_))),
				"{url}"
			);
		}
		for url in [
			"https://127.0.0.1:9944/x",
			"https://localhost/x",
			"https://localhost./x",
			"https://a.localhost/x",
			"https://[::1]/x",
			"https://10.0.0.1/x",
		] {
			let refused = opened(url).err();
			assert!(matches!(refused, Some(LocationError::Private(_))), "{url}");
		}
	}

	#[tokio::test]
	async fn a_name_that_leads_to_this_machine_has_no_public_address() {
		let resolved = PublicNames.resolve("localhost".parse().unwrap()).await;
		let refused = resolved.err().unwrap().to_string();
		assert!(refused.contains("no public address"), "{refused}");
		for (address, is_it) in [
			("93.184.216.34", true),
			("2606:4700::1", true),
			("127.0.0.1", false),
			("::1", false),
			("::ffff:127.0.0.1", false),
			("10.0.0.1", false),
			("fd00::1", false),
		] {
			assert_eq!(is_public(address.parse().unwrap()), is_it, "{address}");
		}
	}

	#[test]
	fn what_cannot_be_opened_says_what_to_do() {
		let refused = |url| opened(url).err().map(|error| error.to_string());
		for url in [
			"http://a.example/x",
			"http://128.0.0.1/x",
			"http://localhost.a.example/",
		] {
			let refused = refused(url).unwrap();
			assert!(refused.contains("use https://"), "{refused}");
		}
		assert!(refused("ftp://a.example/x").unwrap().contains("s3://"));
		assert!(refused("s3:///x").is_some());
		let none = open(&Url::parse("az://grades/x").unwrap(), &Settings::default());
		let none = none.err().unwrap().to_string();
		assert!(none.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{none}");
	}
}
